package placement

import (
	"fmt"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Rebinding is what has to change for every claim of a cluster to hold the volume with its node's data. Placements that
// exist stay as they are; the others want a claim made, and some of those have one now that holds another volume.
type Rebinding struct {
	Result
	// LetGo are the claims that hold another volume than the one placed there.
	LetGo []LetGo
	// Nodes are the node IDs of pools whose volumes are of others than the pool has, by the pool's name.
	Nodes map[string][]int32
}

// LetGo is a claim that goes, and the volume it lets go of; one that waits for any volume names none.
type LetGo struct {
	Claim    string `json:"claim"`
	ClaimUID string `json:"claimUid"`
	Volume   string `json:"volume,omitempty"`
	// Displaced tells that the volume has no place: no claim will hold it.
	Displaced bool `json:"displaced,omitempty"`
	// Gone tells that there is no such volume any more.
	Gone bool `json:"gone,omitempty"`
}

// Rebind tells which claims of a cluster hold the wrong volume, by what is on the volumes: those of the wanted cluster
// ID are its own, whether a claim holds them now or not. Where wanted is empty it is the ID that the volumes which no
// claim holds agree on, for they are what somebody asks to have back; where there are none, the one all agree on. What
// cannot be told apart keeps its claim and is left to the rules (safety contract, line 4). The pools of the cluster are
// given the node IDs of their volumes.
func Rebind(
	cluster *strimzi.Cluster, volumes []volume.Volume, wanted string, excluded map[string]bool,
) (Rebinding, error) {
	wanted, own := ofCluster(volumes, wanted, excluded)
	nodes := assign(cluster, own)
	slots, err := cluster.ExpectedClaims()
	if err != nil {
		return Rebinding{}, fmt.Errorf("place volumes: %w", err)
	}
	p := newPlacer(cluster, slots)
	for _, v := range own {
		p.addByContent(v, wanted)
	}
	out := Rebinding{Result: p.settle(), Nodes: nodes}
	at := map[string]string{} // volume → claim
	taken := map[string]bool{}
	for _, placed := range out.Placements {
		at[placed.Volume], taken[placed.Claim] = placed.Claim, true
	}
	for i := range volumes {
		v := &volumes[i]
		if v.Claim != nil && v.Claim.Phase == volume.PhasePending && v.Claim.Volume == "" && taken[v.Claim.Name] {
			out.LetGo = append(out.LetGo, LetGo{Claim: v.Claim.Name, ClaimUID: v.Claim.UID})
		}
		if v.Claim == nil || v.PV == nil || !v.BoundBothWays() {
			continue
		}
		place := at[v.PV.Name]
		_, expected := p.slots[v.Claim.Name]
		// Made for node IDs that the pool loses again.
		strange := !expected && v.Slot != nil && nodes[v.Slot.Pool] != nil && !slices.Contains(own, v) && !excluded[v.Name]
		if place == v.Claim.Name || place == "" && !taken[v.Claim.Name] && !strange {
			continue
		}
		out.LetGo = append(out.LetGo, LetGo{
			Claim: v.Claim.Name, ClaimUID: v.Claim.UID, Volume: v.PV.Name, Displaced: place == "",
		})
	}
	return out, nil
}

// ofCluster are the volumes that are of the wanted cluster ID. One that no claim holds and that says none at all counts
// as well: it may have held nothing, and the claim it had tells its place. The ID is that of the volumes where none is
// wanted.
func ofCluster(
	volumes []volume.Volume, wanted string, excluded map[string]bool,
) (id string, own []*volume.Volume) {
	if wanted == "" {
		var free, all []volume.Volume
		for i := range volumes {
			if v := &volumes[i]; !excluded[v.Name] {
				all = append(all, *v)
				if v.Claim == nil {
					free = append(free, *v)
				}
			}
		}
		id, groups, ok := finding.AgreedClusterID(free)
		if len(groups) == 0 {
			id, _, ok = finding.AgreedClusterID(all)
		}
		if !ok {
			return "", nil
		}
		wanted = id
	}
	for i := range volumes {
		v := &volumes[i]
		if v.PV == nil || excluded[v.Name] || v.Claim != nil && !v.BoundBothWays() {
			continue
		}
		if ids := clusterIDs(v); slices.Contains(ids, wanted) || v.Claim == nil && len(ids) == 0 {
			own = append(own, v)
		}
	}
	return wanted, own
}

func clusterIDs(v *volume.Volume) []string {
	var out []string
	if v.Contents == nil {
		return nil
	}
	for i := range v.Contents.Dirs {
		if meta := v.Contents.Dirs[i].Meta; meta != nil && meta.ClusterID != nil {
			out = append(out, *meta.ClusterID)
		}
	}
	return out
}

// assign gives the pools that have other node IDs than their volumes those of their volumes, and returns them.
func assign(cluster *strimzi.Cluster, own []*volume.Volume) map[string][]int32 {
	var named []volume.Volume
	for _, v := range own {
		named = append(named, *v)
	}
	changed := map[string][]int32{}
	nodes := Nodes(named)
	for i := range cluster.Pools {
		p := &cluster.Pools[i]
		strange := slices.ContainsFunc(nodes[p.Name], func(id int32) bool { return !slices.Contains(p.Status.NodeIDs, id) })
		if strange {
			p.Status.NodeIDs, p.Status.Roles = nodes[p.Name], p.Roles
			changed[p.Name] = nodes[p.Name]
		}
	}
	return changed
}

// addByContent takes a volume in for the node whose data is on it, whatever its claim is or was called; of that name
// only the number of the volume counts, which nothing on the volume says.
func (p *placer) addByContent(v *volume.Volume, clusterID string) {
	claim, from := "", "the name of its claim; what is on it is not of one node"
	id, known := nodeOn(v, clusterID)
	switch {
	case known && v.Slot != nil:
		claim, from = p.slotOf(&volume.Slot{NodeID: id, VolumeID: v.Slot.VolumeID}), "what is on it"
	case known:
		claim, from = p.onlySlot(id), "what is on it"
	case v.Slot != nil:
		claim = p.slotOf(v.Slot)
	}
	if claim == "" {
		p.left = append(p.left, v.Name)
		return
	}
	p.taken[claim] = append(p.taken[claim], candidate{v, from})
}

// nodeOn returns the node whose data is on a volume. A pod that has started on another node's volume with a random
// cluster ID leaves a directory of its own beside that: it holds nothing, and is no witness.
func nodeOn(v *volume.Volume, clusterID string) (id int32, known bool) {
	if !v.Known() {
		return finding.NodeOn(v.Contents)
	}
	kept := *v.Contents
	kept.Dirs = slices.DeleteFunc(slices.Clone(kept.Dirs), func(d logdir.LogDir) bool {
		return finding.Fresh(&d, clusterID)
	})
	if len(kept.Dirs) == 0 {
		kept.Dirs = v.Contents.Dirs
	}
	return finding.NodeOn(&kept)
}
