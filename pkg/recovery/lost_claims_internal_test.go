package recovery

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// twoBrokers is a cluster whose pool has two nodes with one volume each.
func twoBrokers() *strimzi.Cluster {
	c := liveCluster()
	id := int32(0)
	c.Pools[0].Replicas, c.Pools[0].Status.NodeIDs = 2, []int32{0, 1}
	c.Pools[0].Storage = strimzi.Storage{
		Type: strimzi.StorageJBOD, Volumes: []strimzi.StorageVolume{{ID: &id, Type: strimzi.StoragePersistent}},
	}
	return c
}

const lostClaim = "data-0-my-cluster-broker-1"

func TestOnlyClaimsWhoseLossWasAcceptedAreAwaited(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		accepted finding.Finding
		want     int
	}{
		{finding.Finding{Rule: "slot-missing", Subject: "pvc/" + lostClaim}, 1},
		{finding.Finding{Rule: "slot-missing", Subject: "node/1"}, 0},
		{finding.Finding{Rule: "would-be-formatted", Subject: "pvc/" + lostClaim}, 0},
		{finding.Finding{Rule: "slot-missing", Subject: "pvc/data-0-my-cluster-broker-7"}, 0}, // no pool wants it
	} {
		if got := lostClaims(twoBrokers(), []finding.Finding{tc.accepted}); len(got) != tc.want {
			t.Errorf("%s=%s: got %v", tc.accepted.Rule, tc.accepted.Subject, got)
		}
	}
}

// TestAnAwaitedClaimIsNeitherMissedNorUnplanned follows a claim from the decision until it has its volume, and through
// the journal.
func TestAnAwaitedClaimIsNeitherMissedNorUnplanned(t *testing.T) {
	t.Parallel()
	b := brokerBaseline()
	b.formatted = map[string]bool{}
	b.await(lostClaims(twoBrokers(), []finding.Finding{{Rule: "slot-missing", Subject: "pvc/" + lostClaim}}))
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var read baseline
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	there := claimsOf(brokerVolume())
	made := append(slices.Clone(there), volume.Claim{Name: lostClaim, UID: "new"})
	bound := append(slices.Clone(there), volume.Claim{Name: lostClaim, UID: "new", Volume: "pv-9"})
	for _, tc := range []struct {
		name   string
		claims []volume.Claim
		want   CheckState
	}{
		{"not made yet", there, CheckPending},
		{"made, and without a volume", made, CheckPending},
		{"bound", bound, CheckPassed},
		{"another one besides", append(slices.Clone(bound), volume.Claim{Name: "data-0-my-cluster-broker-2"}), CheckFailed},
		{"a known one is gone", bound[1:], CheckFailed},
	} {
		if got := read.checkClaims(tc.claims); got.State != tc.want {
			t.Errorf("%s: got %+v, want %s", tc.name, got, tc.want)
		}
	}
	if got := read.checkPools(twoBrokers()); got.State != CheckPassed {
		t.Errorf("the node keeps its ID: %+v", got)
	}
	if !read.formatted[lostClaim+"/kafka-log1"] {
		t.Errorf("that its directory is new is what was accepted, got %v", read.formatted)
	}
	if got := read.awaited([]string{"data-0-my-cluster-broker-0"}); !slices.Equal(got, []string{lostClaim}) {
		t.Errorf("got %v", got)
	}
	if got := read.awaited([]string{"data-0-my-cluster-broker-0", lostClaim}); len(got) > 0 {
		t.Errorf("it is there, got %v", got)
	}
}

func TestPoolsThatAreCreatedKeepTheNodesOfLostVolumes(t *testing.T) {
	t.Parallel()
	c := twoBrokers()
	lost := lostClaims(c, []finding.Finding{{Rule: "slot-missing", Subject: "pvc/" + lostClaim}})
	c.Pools[0].Status.NodeIDs = []int32{4}
	keepNodes(c, lost)
	keepNodes(c, lost)
	if got := c.Pools[0].Status.NodeIDs; !slices.Equal(got, []int32{1, 4}) {
		t.Errorf("got %v", got)
	}
}

// TestThePlanSaysWhichClaimsTheOperatorMakes holds with and without the guard on claims.
func TestThePlanSaysWhichClaimsTheOperatorMakes(t *testing.T) {
	t.Parallel()
	r := &run{lost: lostClaims(twoBrokers(), []finding.Finding{{Rule: "slot-missing", Subject: "pvc/" + lostClaim}})}
	for _, without := range []string{"", "left out: you may not create it"} {
		r.noQuota, r.namespaceClaims = without, 1
		in := planInput{quota: r.quotaPlan()}
		if does := strings.Join(unpauseStep(in).Does, "\n"); !strings.Contains(does, "pvc/"+lostClaim+", empty") {
			t.Errorf("guard %q: un-pausing does not say it: %s", without, does)
		}
		guard := quotaStep(in)
		if raised := strings.Contains(strings.Join(guard.Does, "\n"), "=2"); raised != (without == "") || guard.Note != without {
			t.Errorf("guard %q: got %+v", without, guard)
		}
	}
	if does := unpauseStep(planInput{}).Does; len(does) != 1 {
		t.Errorf("nothing is lost, got %q", does)
	}
}
