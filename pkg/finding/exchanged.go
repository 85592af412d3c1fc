package finding

import (
	"fmt"
	"slices"
)

// exchangedRemedy says how a node gets its data back that lies under another node's claim; it is empty where no claim
// holds it, or where the node's own directories hold something too, so that a person has to choose.
func (s *scene) exchangedRemedy(v *vol) string {
	command := s.rebindCommand()
	if command == "" || !v.hasNode || v.Claim == nil {
		return ""
	}
	if slices.ContainsFunc(v.own, holdsData) {
		return ""
	}
	other := s.holderOf(v)
	if other == nil {
		return ""
	}
	return fmt.Sprintf("what node %d had is on %s: %s binds each claim to the volume of its node", v.node, other.Name,
		command)
}

// exchangedOf is the same of a node, by the first of its volumes that says it.
func (s *scene) exchangedOf(id int32) string {
	for _, v := range s.nodes[id] {
		if remedy := s.exchangedRemedy(v); remedy != "" {
			return remedy
		}
	}
	return ""
}

// holderOf is the volume of another node's claim that holds what the node of this one had on it: its directory, with
// data of the cluster, on the volume of the same ID.
func (s *scene) holderOf(v *vol) *vol {
	for _, other := range s.vols {
		if other == v || other.excluded || other.Claim == nil || other.Slot == nil ||
			!sameID(other.Slot.VolumeID, v.Slot.VolumeID) {
			continue
		}
		for _, d := range other.foreign {
			n, ok := dirNode(d)
			ofCluster := d.Meta != nil && d.Meta.ClusterID != nil && s.agreed && *d.Meta.ClusterID == s.clusterID
			if ok && n == v.node && ofCluster && holdsData(d) {
				return other
			}
		}
	}
	return nil
}
