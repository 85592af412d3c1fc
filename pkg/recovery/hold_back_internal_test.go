package recovery

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

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

// lostOf are the claims of the cluster that are named as lost.
func lostOf(t *testing.T, c *strimzi.Cluster, refs ...string) []strimzi.ClaimName {
	t.Helper()
	lost, err := c.LostClaims(refs)
	if err != nil || len(lost) == 0 {
		t.Fatal(lost, err)
	}
	return lost
}

// TestAHeldBackClaimIsNeitherMissedNorUnplanned follows a claim from the decision until it has its volume, and through
// the journal.
func TestAHeldBackClaimIsNeitherMissedNorUnplanned(t *testing.T) {
	t.Parallel()
	b := brokerBaseline()
	b.formatted = map[string]bool{}
	b.holdBack(lostOf(t, twoBrokers(), "node/1"))
	b.epoch, b.alone = 7, map[int32]int{1: 3}
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
	held := append(slices.Clone(there), volume.Claim{
		Name: lostClaim, UID: "held", Volume: volume.HeldBackPrefix + "x", Phase: volume.PhasePending,
	})
	bound := append(slices.Clone(there), volume.Claim{Name: lostClaim, UID: "new", Volume: "pv-9"})
	for _, tc := range []struct {
		name   string
		claims []volume.Claim
		want   CheckState
	}{
		{"not made yet", there, CheckPending},
		{"held back", held, CheckPending},
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
	if !slices.Equal(read.heldNodes(), []int32{1}) || !slices.Equal(read.heldPods(), []string{"my-cluster-broker-1"}) ||
		read.epoch != 7 || read.alone[1] != 3 {
		t.Errorf("the journal must say what is held back: %+v", read)
	}
}

func TestANodeThatNeverWasIsNotLost(t *testing.T) {
	t.Parallel()
	lost := lostOf(t, twoBrokers(), "node/1")
	for _, tc := range []struct {
		known []int32
		bad   bool
	}{{[]int32{0, 1}, false}, {nil, false}, {[]int32{0, 10}, true}} {
		if err := knownLost(lost, tc.known); (err != nil) != tc.bad || tc.bad && !strings.Contains(err.Error(), "[0, 10]") {
			t.Errorf("%v: %v", tc.known, err)
		}
	}
}

func TestAJournalHasNoClaimsOfOthersMade(t *testing.T) {
	t.Parallel()
	own := lostOf(t, twoBrokers(), "node/1")[0]
	other, pool, disk := own, own, own
	other.Cluster, pool.Pool, disk.Volume = "other", "nobody", new(int32)
	*disk.Volume = 7
	for _, tc := range []struct {
		held strimzi.ClaimName
		bad  bool
	}{{own, false}, {other, true}, {pool, true}, {disk, true}} {
		r := &run{
			Request: Request{Name: "my-cluster"}, base: baseline{held: []strimzi.ClaimName{tc.held}},
			before: &Observation{Cluster: twoBrokers()},
		}
		if err := r.ownHeld(); (err != nil) != tc.bad {
			t.Errorf("%s: %v", tc.held, err)
		}
	}
}

func TestPoolsThatAreCreatedKeepTheNodesOfLostVolumes(t *testing.T) {
	t.Parallel()
	c := twoBrokers()
	lost := lostOf(t, c, "pvc/"+lostClaim)
	c.Pools[0].Status.NodeIDs = []int32{4}
	keepNodes(c, lost)
	keepNodes(c, lost)
	if got := c.Pools[0].Status.NodeIDs; !slices.Equal(got, []int32{1, 4}) {
		t.Errorf("got %v", got)
	}
}

// TestThePlanSaysWhatIsHeldBack holds with and without the guard on claims.
func TestThePlanSaysWhatIsHeldBack(t *testing.T) {
	t.Parallel()
	r := &run{before: &Observation{}, lost: lostOf(t, twoBrokers(), "node/my-cluster-broker-1")}
	for _, without := range []string{"", "left out: you may not create it"} {
		r.noQuota, r.namespaceClaims = without, 1
		in := planInput{quota: r.quotaPlan()}
		var does []string
		for _, s := range slices.Concat(holdBackStep(in), joinSteps(in)) {
			does = append(does, s.Does...)
		}
		if text := strings.Join(does, "\n"); !strings.Contains(text, "create pvc/"+lostClaim+", so that it has no volume") ||
			!strings.Contains(text, "delete pvc/"+lostClaim) {
			t.Errorf("guard %q: the plan does not say it: %s", without, text)
		}
		guard := quotaStep(in)
		raised := strings.Contains(strings.Join(guard.Does, "\n"), "=2")
		if raised != (without == "") || guard.Note != without {
			t.Errorf("guard %q: got %+v", without, guard)
		}
	}
	if in := (planInput{}); len(holdBackStep(in))+len(joinSteps(in)) > 0 {
		t.Error("nothing is lost")
	}
}
