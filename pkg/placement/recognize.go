package placement

import (
	"fmt"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Recognize gives volumes that name no claim, as they are once their claimRef was taken away, the slot that what is on
// them says: the node that is on it, in the pool that the metadata knows the node of, by the name it registered with.
// Which of a node's volumes it is says the metadata log, which one volume has, and, where no more than one is left,
// that it is left. What is not certain stays without a slot, and SlotProblem says why. Pools are those of cluster, by
// the names and the storage that they will have.
func Recognize(cluster *strimzi.Cluster, volumes []volume.Volume) {
	r := recognizer{cluster: cluster, pools: map[int32]string{}, torn: map[int32]bool{}}
	nodes := map[int32][]*volume.Volume{}
	taken := map[string]bool{} // by the claim
	for i := range volumes {
		v := &volumes[i]
		r.learn(v)
		switch id, known := finding.NodeOn(v.Contents); {
		case !v.Unnamed():
			if v.Slot != nil {
				taken[v.Slot.ClaimName()] = true
			}
		case !known:
			v.SlotProblem = "it names no claim, and no node's data is on it"
		default:
			nodes[id] = append(nodes[id], v)
		}
	}
	for id, own := range nodes {
		r.node(id, own, taken)
	}
}

type recognizer struct {
	cluster *strimzi.Cluster
	// pools are the pools of nodes; torn are nodes that copies of the metadata put into several.
	pools map[int32]string
	torn  map[int32]bool
}

// learn takes the pools of nodes from what is replayed of a volume.
func (r *recognizer) learn(v *volume.Volume) {
	if v.Image == nil {
		return
	}
	for id, host := range v.Image.Hosts {
		if host.Cluster != r.cluster.Kafka.Name {
			continue
		}
		if was, known := r.pools[id]; known && was != host.Pool {
			r.torn[id] = true
		}
		r.pools[id] = host.Pool
	}
}

// node gives the volumes of one node their slots.
func (r *recognizer) node(id int32, own []*volume.Volume, taken map[string]bool) {
	name := r.pools[id]
	pool := r.cluster.Pool(name)
	problem := ""
	switch {
	case name == "":
		problem = fmt.Sprintf("it names no claim, and no metadata says which pool of kafka/%s node %d is of",
			r.cluster.Kafka.Name, id)
	case r.torn[id]:
		problem = fmt.Sprintf("it names no claim, and copies of the metadata put node %d into several pools", id)
	case pool == nil:
		problem = fmt.Sprintf("it names no claim, and there is no pool %q, of which node %d is", name, id)
	}
	if problem != "" {
		for _, v := range own {
			v.SlotProblem = problem
		}
		return
	}
	var free []*int32 // of the node's volumes, those that no claim and no name says
	shared := pool.Storage.MetadataVolume()
	for i := range pool.Storage.Volumes {
		at := &pool.Storage.Volumes[i]
		claim := strimzi.ClaimName{Cluster: r.cluster.Kafka.Name, Pool: name, NodeID: id, Volume: at.ID}
		if taken[claim.String()] {
			continue
		}
		if held := only(own, (*volume.Volume).HoldsMetadata); held != nil && at == shared {
			r.give(held, name, id, at.ID)
			continue
		}
		free = append(free, at.ID)
	}
	rest := slices.DeleteFunc(slices.Clone(own), func(v *volume.Volume) bool { return v.Slot != nil })
	if len(rest) == 1 && len(free) == 1 && !rest[0].HoldsMetadata() {
		r.give(rest[0], name, id, free[0])
		return
	}
	for _, v := range rest {
		v.SlotProblem = fmt.Sprintf("it names no claim, and what is on it does not say which of the volumes of node %d it "+
			"is", id)
	}
}

func (r *recognizer) give(v *volume.Volume, pool string, id int32, of *int32) {
	v.Slot = &volume.Slot{Cluster: r.cluster.Kafka.Name, Pool: pool, NodeID: id, VolumeID: of}
	v.SlotProblem = ""
}

// only returns the one volume that is such, nil where none or several are.
func only(volumes []*volume.Volume, such func(*volume.Volume) bool) *volume.Volume {
	var found *volume.Volume
	for _, v := range volumes {
		switch {
		case !such(v):
		case found != nil:
			return nil
		default:
			found = v
		}
	}
	return found
}
