package volume

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// Objects are the claims and volumes volumes are made of.
type Objects struct {
	// Claims are those to make volumes of.
	Claims []Claim
	// Volumes are all that could be listed, bound to those claims or not.
	Volumes []PersistentVolume
	// Uses are the uses of claims by pods of the namespace.
	Uses []ClaimUse
	// Known is what is known of the namespace's clusters, for reading claims' names.
	Known strimzi.Known
}

// FromObjects makes one Volume of every claim, with its PersistentVolume where the two name each other, its slot, and
// the pods that use it. Volumes are sorted by name and not read yet. Others are the volumes that name one of the
// claims, or name a claim of the same name that is gone, without being bound to it: after everything was created
// again they are the ones that hold the data.
func FromObjects(in Objects) (volumes []Volume, others []PersistentVolume) {
	refs := make([]strimzi.ClaimRef, len(in.Claims))
	for i, c := range in.Claims {
		refs[i] = strimzi.ClaimRef{Name: c.Name, Labels: c.Labels}
	}
	byName := map[string]*PersistentVolume{}
	for i := range in.Volumes {
		byName[in.Volumes[i].Name] = &in.Volumes[i]
	}
	claimed := map[string]bool{} // names of volumes that belong to one of the claims
	for i, r := range strimzi.Resolve(refs, in.Known) {
		c := in.Claims[i]
		for _, u := range in.Uses {
			if u.Claim == c.Name {
				c.UsedBy = append(c.UsedBy, u.Pod)
			}
		}
		v := Volume{Name: "pvc/" + c.Name, Claim: &c, State: Skipped, Topics: -1}
		v.Slot, v.SlotProblem = slotOf(r)
		if pv := byName[c.Volume]; pv != nil && c.Volume != "" {
			v.PV = pv
			claimed[pv.Name] = true
		}
		volumes = append(volumes, v)
	}
	for _, pv := range in.Volumes {
		if claimed[pv.Name] || pv.ClaimName == "" {
			continue
		}
		if slices.ContainsFunc(in.Claims, func(c Claim) bool {
			return c.Name == pv.ClaimName && c.Namespace == pv.ClaimNamespace
		}) {
			others = append(others, pv)
		}
	}
	Sort(volumes)
	slices.SortFunc(others, func(a, b PersistentVolume) int { return strings.Compare(a.Name, b.Name) })
	return volumes, others
}

// FromReleased makes one Volume of every PersistentVolume that no claim holds, with the slot that the name of the
// claim it was bound to tells. Several may have the same slot, when a cluster was created more than once: nothing but
// what is on them tells which is which.
func FromReleased(pvs []PersistentVolume, known strimzi.Known) []Volume {
	refs := make([]strimzi.ClaimRef, len(pvs))
	for i, pv := range pvs {
		refs[i] = strimzi.ClaimRef{Name: pv.ClaimName}
	}
	out := make([]Volume, 0, len(pvs))
	for i, r := range strimzi.Resolve(refs, known) {
		pv := pvs[i]
		v := Volume{Name: "pv/" + pv.Name, PV: &pv, State: Skipped, Topics: -1}
		v.Slot, v.SlotProblem = slotOf(r)
		out = append(out, v)
	}
	Sort(out)
	return out
}

// slotOf turns a resolved name into a slot. Where cluster and pool are not certain, they are left empty; the node and
// the volume are what Kafka goes by.
func slotOf(r strimzi.Resolution) (*Slot, string) {
	problem := r.Problem
	if r.By == strimzi.ByPrefix {
		problem = "cluster and pool are inferred from what the names of the claims have in common"
	}
	if r.Slot == nil {
		return nil, problem
	}
	return &Slot{Cluster: r.Slot.Cluster, Pool: r.Slot.Pool, NodeID: r.Slot.NodeID, VolumeID: r.Slot.Volume}, problem
}

// BoundBothWays tells whether claim and volume are Bound and name each other, by UID: only then is the claim's disk
// certain, and only then may it be mounted.
func (v *Volume) BoundBothWays() bool {
	c, pv := v.Claim, v.PV
	return c != nil && pv != nil && c.Phase == PhaseBound && pv.Phase == PhaseBound && c.Volume == pv.Name &&
		pv.ClaimUID == c.UID && c.UID != "" && pv.ClaimName == c.Name && pv.ClaimNamespace == c.Namespace
}

// ReservedClaim is the name of a claim that there never is. Volumes that named none name it while a restore has them,
// so that nobody's claim takes them.
const ReservedClaim = "kafkarecover-included"

// Unnamed tells whether the volume is a PersistentVolume that names no claim of anybody's: nothing but what is on it
// says whose it is.
func (v *Volume) Unnamed() bool { return v.Claim == nil && v.PV != nil && v.PV.Unnamed() }

// Unnamed tells whether a PersistentVolume that no claim holds names no claim that there ever was.
func (pv *PersistentVolume) Unnamed() bool {
	return pv.Phase != PhaseBound && (pv.ClaimName == "" || pv.ClaimName == ReservedClaim)
}

// HoldsMetadata tells whether a metadata log was found on the volume; it was not on one that was not read.
func (v *Volume) HoldsMetadata() bool {
	has := func(d logdir.LogDir) bool { return d.Metadata != nil }
	return v.Contents != nil && slices.ContainsFunc(v.Contents.Dirs, has)
}

// NameOf is the name of the volume that a person means: pv/NAME as it is, anything else with the prefix of where it was
// looked for ("pvc/", "dir/"), whether the person gave that or not.
func NameOf(prefix, text string) string {
	if strings.HasPrefix(text, "pv/") {
		return text
	}
	return prefix + strings.TrimPrefix(text, prefix)
}

// InUse tells whether a pod holds the claim.
func (v *Volume) InUse() bool { return v.Claim != nil && len(v.Claim.UsedBy) > 0 }

// Known tells whether everything that was asked for was read, so that what is not in Contents is not on the volume.
func (v *Volume) Known() bool { return v.State == Read && v.Contents != nil }

// ClaimName returns the name of the claim the slot stands for; it is empty where cluster or pool are not certain.
func (s *Slot) ClaimName() string {
	if s == nil || s.Cluster == "" || s.Pool == "" {
		return ""
	}
	if s.Claim != "" {
		return s.Claim
	}
	return strimzi.ClaimName{Cluster: s.Cluster, Pool: s.Pool, NodeID: s.NodeID, Volume: s.VolumeID}.String()
}

// Sort sorts volumes as people count: by cluster, pool, node and volume, then by name; those without a slot last.
func Sort(volumes []Volume) {
	slices.SortStableFunc(volumes, func(a, b Volume) int {
		if a.Slot == nil || b.Slot == nil {
			if (a.Slot == nil) != (b.Slot == nil) {
				if a.Slot == nil {
					return 1
				}
				return -1
			}
			return strings.Compare(a.Name, b.Name)
		}
		return cmp.Or(
			strings.Compare(a.Slot.Cluster, b.Slot.Cluster),
			strings.Compare(a.Slot.Pool, b.Slot.Pool),
			cmp.Compare(a.Slot.NodeID, b.Slot.NodeID),
			cmp.Compare(volumeID(a.Slot), volumeID(b.Slot)),
			strings.Compare(a.Name, b.Name),
		)
	})
}

func volumeID(s *Slot) int32 {
	if s.VolumeID == nil {
		return -1
	}
	return *s.VolumeID
}
