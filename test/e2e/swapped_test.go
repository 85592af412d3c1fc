package e2e_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// brokersExchanged gives the claims of two brokers each the other's data.
func brokersExchanged() map[string]string {
	out := map[string]string{}
	for _, volume := range []string{"data-0-", "data-1-"} {
		a, b := volume+"my-cluster-broker-0", volume+"my-cluster-broker-1"
		out[a], out[b] = b, a
	}
	return out
}

// dirOf is the directory that the node of a claim has on its volume.
func dirOf(claim string) string { return "kafka-log" + claim[len(claim)-1:] }

// TestRestoreOfClaimsThatHoldEachOthersVolumes begins with claims that were made by hand, those of two brokers on each
// other's volumes, and a cluster that has started on them with a random ID: each of the two has formatted directories of
// its own beside the other's data.
func TestRestoreOfClaimsThatHoldEachOthersVolumes(t *testing.T) {
	full(t)
	s := newStory(t, "claims-swapped", quickOperator())
	swap := brokersExchanged()
	s.planted(ground.Planting{From: swap})
	s.crashLooping()
	args := []string{"restore", "kafka/my-cluster", "--yes", "--rebind-claims"}
	was := map[string][]string{} // its node runs on, and writes to it until it is stopped
	right := maps.Clone(s.before.Layout)
	for claim, other := range swap {
		s.formatted(claim, dirOf(claim))
		was[claim] = s.properties(claim, dirOf(claim))
		right[claim] = s.before.Layout[other]
		args = append(args, "--accept", "formatted-beside-data=pvc/"+claim)
	}
	s.says(s.run(3, args[:3]...), "--rebind-claims")
	s.says(s.run(3, args[:4]...), "formatted-beside-data")
	s.says(s.run(0, args...), s.before.ClusterID)
	for claim := range swap { // on the volume that the claim had
		if diff := cmp.Diff(was[claim], s.properties(claim, dirOf(claim))); diff != "" {
			t.Errorf("what a node formatted beside the other's data was to stay (-before +after):\n%s", diff)
		}
	}
	s.before.Layout = right
	s.recovered()
}

// TestRestoreWithoutAControllerWhoseClaimIsThereAgain begins with a cluster that was applied again after a controller's
// disk was gone: its claim has a new volume, which the node has formatted with a random ID.
func TestRestoreWithoutAControllerWhoseClaimIsThereAgain(t *testing.T) {
	full(t)
	s := newStory(t, "lost-claimed", quickOperator())
	s.planted(ground.Planting{})
	claim, node := s.replaceable()
	s.emptied(claim)
	s.must(s.Volumes(s.ctx, 0))
	s.crashLooping()
	s.formatted(claim, dirOf(claim))
	had := s.before.Layout[claim]
	formatted := s.properties(claim, dirOf(claim))
	s.says(s.run(3, "restore", "kafka/my-cluster", "--yes"), "--lost")
	said := s.run(0, "restore", "kafka/my-cluster", "--yes", "--lost", "node/"+node)
	s.says(said, s.before.ClusterID, "pv/"+had)
	if diff := cmp.Diff(formatted, s.properties(claim, dirOf(claim))); diff != "" {
		t.Errorf("the volume that the claim had was to be kept (-before +after):\n%s", diff)
	}
	s.must(s.WaitFor(s.ctx, "Ready", waitForKafka))
	now := s.state()
	if now.Layout[claim] == had || now.Layout[claim] == "" {
		t.Errorf("the claim was to get another volume, and has %q", now.Layout[claim])
	}
	delete(now.Layout, claim)
	delete(s.before.Layout, claim)
	if diff := cmp.Diff(s.before, now); diff != "" {
		t.Errorf("but for the lost volume it is to be the cluster that it was (-before +after):\n%s", diff)
	}
}
