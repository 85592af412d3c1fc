package recovery

import (
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// ruleSlotMissing is the rule whose acceptance says that the operator may make a claim, empty, in place of one whose
// volume was lost.
const ruleSlotMissing = "slot-missing"

// lostClaims are the claims that are not there and that the operator is to make: that it may was accepted.
func lostClaims(cluster *strimzi.Cluster, accepted []finding.Finding) []strimzi.ClaimName {
	wanted, err := cluster.ExpectedClaims()
	if err != nil {
		return nil // a rule refuses where node IDs cannot be told
	}
	return slices.DeleteFunc(wanted, func(c strimzi.ClaimName) bool {
		return !slices.ContainsFunc(accepted, func(f finding.Finding) bool {
			return f.Rule == ruleSlotMissing && f.Subject == "pvc/"+c.String()
		})
	})
}

// keepNodes has pools that are created keep the node IDs of lost volumes too: the operator would give other ones to the
// nodes that are to take their places, where it gives them by itself.
func keepNodes(cluster *strimzi.Cluster, lost []strimzi.ClaimName) {
	for _, c := range lost {
		p := cluster.Pool(c.Pool)
		if !slices.Contains(p.Status.NodeIDs, c.NodeID) {
			p.Status.NodeIDs = append(p.Status.NodeIDs, c.NodeID)
			slices.Sort(p.Status.NodeIDs)
		}
	}
}

// await adds claims that the operator makes, and what their nodes will format on them.
func (b *baseline) await(lost []strimzi.ClaimName) {
	for _, c := range lost {
		b.claims[c.String()] = claimIdentity{}
		b.formatted[c.String()+"/"+strimzi.LogDirName(c.NodeID)] = true
		if b.predicted.Held != nil {
			b.predicted.Held[c.String()] = alarm.HeldNothing
		}
		if !slices.Contains(b.pools[c.Pool], c.NodeID) {
			b.pools[c.Pool] = append(b.pools[c.Pool], c.NodeID)
			slices.Sort(b.pools[c.Pool])
		}
	}
}

// awaited are the names of the claims that the operator makes and that are not among those.
func (b *baseline) awaited(there []string) []string {
	var out []string
	for _, name := range sortedKeys(b.claims) {
		if b.claims[name] == (claimIdentity{}) && !slices.Contains(there, name) {
			out = append(out, name)
		}
	}
	return out
}
