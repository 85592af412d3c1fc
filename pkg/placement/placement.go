// Package placement tells which volume goes into which slot of a Kafka cluster: what the claim of each volume has to be
// called so that every node finds its own data. It goes by what is on the volumes. The name of the claim that a volume
// once had is a second witness, and where the two disagree nothing is placed (safety contract, line 4). It is pure.
package placement

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Placement is one volume and the claim it gets.
type Placement struct {
	// Volume is the PersistentVolume's name, Claim the claim's.
	Volume string `json:"volume"`
	Claim  string `json:"claim"`
	// Cluster, Pool, NodeID and VolumeID are the slot; VolumeID is nil for storage of type persistent-claim.
	Cluster  string `json:"cluster"`
	Pool     string `json:"pool"`
	NodeID   int32  `json:"nodeId"`
	VolumeID *int32 `json:"volumeId,omitempty"`
	// Request is the size a claim that is made asks for: what the pool's storage says, so that the operator finds nothing
	// to resize, and no more than the volume has, or it would never be bound. Empty where the pool does not say.
	Request string `json:"request,omitempty"`
	// From says what the placement rests on.
	From string `json:"from"`
	// Exists tells that the claim is there and bound to the volume already.
	Exists bool `json:"exists,omitempty"`

	// ofSet tells that the slot is a StatefulSet's: Cluster is the set, and Pool the claim template.
	ofSet bool
}

// Result is what goes where.
type Result struct {
	Placements []Placement `json:"placements"`
	// Left are the names of the volumes that have no place, or not one of their own: the rules say why.
	Left []string `json:"left,omitempty"`
}

// Nodes are the node IDs that the volumes of each pool are of, sorted: by what is on them, else by the name of the
// claim they had. Volumes that are given up take part: their node is there all the same.
func Nodes(volumes []volume.Volume) map[string][]int32 {
	out := map[string][]int32{}
	for i := range volumes {
		v := &volumes[i]
		if v.Slot == nil || v.Slot.Pool == "" {
			continue
		}
		id := v.Slot.NodeID
		if !slices.Contains(out[v.Slot.Pool], id) {
			out[v.Slot.Pool] = append(out[v.Slot.Pool], id)
		}
	}
	for _, ids := range out {
		slices.Sort(ids)
	}
	return out
}

// Of places volumes into the slots of a cluster whose pools have their node IDs: those that no claim holds, and those
// of claims that are there. excluded are volumes given up, by name.
func Of(cluster *strimzi.Cluster, volumes []volume.Volume, excluded map[string]bool) (Result, error) {
	slots, err := cluster.ExpectedClaims()
	if err != nil {
		return Result{}, fmt.Errorf("place volumes: %w", err)
	}
	p := newPlacer(cluster, slots)
	for i := range volumes {
		if !excluded[volumes[i].Name] {
			p.add(&volumes[i])
		}
	}
	return p.settle(), nil
}

// candidate is a volume for one slot.
type candidate struct {
	v    *volume.Volume
	from string
}

type placer struct {
	cluster *strimzi.Cluster
	slots   map[string]strimzi.ClaimName
	taken   map[string][]candidate
	left    []string
}

func newPlacer(cluster *strimzi.Cluster, slots []strimzi.ClaimName) *placer {
	p := &placer{cluster: cluster, slots: map[string]strimzi.ClaimName{}, taken: map[string][]candidate{}}
	for _, s := range slots {
		p.slots[s.String()] = s
	}
	return p
}

func (p *placer) add(v *volume.Volume) {
	if v.PV == nil {
		return
	}
	claim, from := p.slotFor(v)
	if _, wanted := p.slots[claim]; !wanted {
		p.left = append(p.left, v.Name)
		return
	}
	p.taken[claim] = append(p.taken[claim], candidate{v, from})
}

// slotFor returns the claim a volume is for, or none where what is on it and what it was called do not agree, or do not
// say.
func (p *placer) slotFor(v *volume.Volume) (claim, from string) {
	onDisk, known := finding.NodeOn(v.Contents)
	switch {
	case v.Claim != nil:
		return v.Claim.Name, "its claim is there"
	case v.Unnamed() && v.Slot == nil: // Recognize says why
		return "", ""
	case v.Unnamed():
		return p.slotOf(v.Slot), "what is on it"
	case v.Slot == nil && known:
		return p.onlySlot(onDisk), "what is on it"
	case v.Slot == nil, known && onDisk != v.Slot.NodeID:
		return "", ""
	case !known:
		return p.slotOf(v.Slot), "the name of the claim it had; no node's data is on it"
	}
	return p.slotOf(v.Slot), "what is on it and the name of the claim it had agree"
}

func (p *placer) slotOf(slot *volume.Slot) string {
	for name, s := range p.slots {
		if s.NodeID == slot.NodeID && (s.Volume == nil) == (slot.VolumeID == nil) &&
			(s.Volume == nil || *s.Volume == *slot.VolumeID) {
			return name
		}
	}
	return ""
}

// onlySlot is the claim of a node that has one volume. A volume whose claim's name says nothing does not say which of
// several it is.
func (p *placer) onlySlot(node int32) string {
	only := ""
	for name, s := range p.slots {
		switch {
		case s.NodeID != node:
		case only != "":
			return ""
		default:
			only = name
		}
	}
	return only
}

// settle places what has a slot of its own. Where several volumes would fit neither age nor number decides.
func (p *placer) settle() Result {
	var out Result
	for name, candidates := range p.taken {
		if len(candidates) > 1 {
			for _, c := range candidates {
				p.left = append(p.left, c.v.Name)
			}
			continue
		}
		s, c := p.slots[name], candidates[0]
		out.Placements = append(out.Placements, Placement{
			Volume: c.v.PV.Name, Claim: name, Cluster: s.Cluster, Pool: s.Pool, NodeID: s.NodeID,
			VolumeID: s.Volume, Request: p.request(s, c.v.PV), From: c.from, Exists: c.v.Claim != nil && c.v.Claim.Name == name,
		})
	}
	slices.SortFunc(out.Placements, func(a, b Placement) int {
		return cmp.Or(cmp.Compare(a.NodeID, b.NodeID), cmp.Compare(a.Claim, b.Claim))
	})
	slices.Sort(p.left)
	out.Left = p.left
	return out
}

// request is the size that the claim of a slot asks for. With a larger one than the pool's the operator's reconciles
// fail: a claim cannot become smaller (PvcReconciler.resizePvc). Volumes are often larger than what was asked for.
func (p *placer) request(s strimzi.ClaimName, pv *volume.PersistentVolume) string {
	pool := p.cluster.Pool(s.Pool)
	if pool == nil {
		return ""
	}
	v := pool.Storage.Volume(s.Volume)
	if v == nil {
		return ""
	}
	if order, ok := strimzi.CompareSizes(v.Size, pv.Capacity); !ok || order > 0 {
		return ""
	}
	return v.Size
}

// As returns the volume as it will be once its claim is there and bound to it, for the rules to judge. The claim has no
// UID yet; Planned stands for it.
func (p Placement) As(v volume.Volume, namespace string) volume.Volume {
	if p.Exists {
		return v
	}
	pv := *v.PV
	pv.Phase, pv.ClaimNamespace, pv.ClaimName, pv.ClaimUID = volume.PhaseBound, namespace, p.Claim, Planned
	v.Name, v.PV = "pvc/"+p.Claim, &pv
	v.Claim = &volume.Claim{
		Namespace: namespace, Name: p.Claim, UID: Planned, Phase: volume.PhaseBound, Volume: pv.Name,
		AccessModes: object.Strings(pv.Object, "spec", "accessModes"), StorageClass: pv.StorageClass,
		Request: cmp.Or(p.Request, pv.Capacity),
	}
	v.Slot = &volume.Slot{Cluster: p.Cluster, Pool: p.Pool, NodeID: p.NodeID, VolumeID: p.VolumeID}
	if p.ofSet {
		v.Slot.Claim = p.Claim
	}
	return v
}

// Planned is in place of the UID of a claim that is not made yet.
const Planned = volume.PlannedUID
