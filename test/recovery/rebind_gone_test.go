package recovery_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// deletedAgain are the ways in which somebody deletes a Kafka resource whose claims stay. Its pods are those of its
// pools, and run on without it.
var deletedAgain = map[string]func(g *ground){
	"with its pools": func(g *ground) { g.deleteAll(strimzi.KafkaGVR("v1"), strimzi.NodePoolGVR("v1")); g.wantPods(0) },
	"with its pods": func(g *ground) {
		g.deleteAll(strimzi.KafkaGVR("v1"))
		time.Sleep(g.options().OperationTimeout + time.Second) // a reconcile under way would make them again
		g.deleteAll(strimzi.PodSetGVR("v1"))
		g.wantPods(0)
	},
	"alone": func(g *ground) { g.deleteAll(strimzi.KafkaGVR("v1")); g.wantPods(6) },
}

// deleteAll deletes what there is of these resources.
func (g *ground) deleteAll(resources ...schema.GroupVersionResource) {
	g.t.Helper()
	for _, gvr := range resources {
		list, err := g.client.List(g.t.Context(), gvr, g.ns, kube.ListOptions{})
		if err != nil || len(list.Items) == 0 {
			g.t.Fatal(gvr.Resource, err)
		}
		for i := range list.Items {
			if err := g.client.Delete(g.t.Context(), gvr, g.ns, list.Items[i].GetName(), kube.DeleteOptions{}); err != nil {
				g.t.Fatal(err)
			}
		}
		g.eventually("the "+gvr.Resource+" to be gone", func() bool {
			list, err := g.client.List(g.t.Context(), gvr, g.ns, kube.ListOptions{})
			return err == nil && len(list.Items) == 0
		})
	}
}

func (g *ground) wantPods(n int) {
	g.t.Helper()
	g.eventually(fmt.Sprintf("%d pods", n), func() bool { return len(g.pods()) == n })
}

// renewedAndDeleted is the picture after everything was made again too early, and the Kafka resource was deleted again:
// the claims of the new volumes stay under the final names, and the old volumes are Released. It returns where the new
// volumes lie.
func renewedAndDeleted(t *testing.T, how string) (g *ground, disks string) {
	t.Helper()
	g = newGround(t, nil)
	disks, _ = g.renewed()
	deletedAgain[how](g)
	g.wantLayout("-new-")
	return g, disks
}

// rebindGone asks for the cluster of the manifests, on the volumes with the data.
func (g *ground) rebindGone(r *recovery.Request) { r.Declared, r.RebindClaims = g.manifests(), true }

// wantBroughtBack requires the cluster to run on its old volumes, and the new ones to be kept.
func (g *ground) wantBroughtBack(disks, operation string, was map[string]string) {
	g.t.Helper()
	g.wantRunningAs(clusterID)
	g.wantLayout("-")
	g.wantDisplaced(disks, operation, was)
	g.wantRetained(18)
	g.wantNothingLeft()
}

// One command brings the cluster back whose resources were deleted once more.
func TestOldVolumesTakeThePlaceOfNewOnesOfAClusterThatIsGone(t *testing.T) {
	t.Parallel()
	for how := range deletedAgain {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			g, disks := renewedAndDeleted(t, how)
			refused, err := g.restoreReleased(t.Context(), nil)
			i := slices.IndexFunc(refused.Refusals, func(f finding.Finding) bool {
				return f.Rule == "shadowed-by-new-volume" && f.Subject == "pvc/"+brokerClaim
			})
			if err != nil || i < 0 {
				t.Fatal("without the flag it must be refused", err, told(refused))
			}
			command := fmt.Sprintf("kafkarecover restore kafka/%s -n %s -f FILE --rebind-claims", clusterName, g.ns)
			if remedy := refused.Refusals[i].Remedy; !strings.Contains(remedy, command) {
				t.Errorf("it must name %q: %s", command, remedy)
			}
			g.wantLayout("-new-")
			was := bytesBelow(t, disks)
			stop := g.noneLost()
			result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { g.rebindGone(r) })
			if err != nil || result.Outcome != recovery.OutcomeRestored {
				t.Fatal(err, told(result), g.waits)
			}
			stop()
			g.wantBroughtBack(disks, result.Operation, was)
			g.wantJournaled(result)
			if n := len(result.Plan.Displaced); n != 9 {
				t.Errorf("the plan must tell of nine new volumes: %+v", result.Plan.Displaced)
			}
			g.wantRebindPlanned(result.Plan, how == "alone")
			again, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { g.rebindGone(r) })
			if err != nil || again.Outcome != recovery.OutcomeAlreadyRight {
				t.Errorf("the same command must find it right now: %v %s", err, told(again))
			}
		})
	}
}

// wantRebindPlanned requires the plan to make the claims once, after the pods are stopped and others let go.
func (g *ground) wantRebindPlanned(plan *recovery.Plan, pods bool) {
	g.t.Helper()
	var ids []recovery.StepID
	for i := range plan.Steps {
		s := &plan.Steps[i]
		ids = append(ids, s.ID)
		does := strings.Join(s.Does, "\n")
		if stops := strings.Contains(does, "delete strimzipodset/"); s.ID == recovery.StepStopPods && stops != pods {
			g.t.Errorf("of the pod sets that are left it says %q", does)
		}
		const guard = "count/persistentvolumeclaims=9"
		if s.ID == recovery.StepQuota && !strings.Contains(does, guard) {
			g.t.Errorf("the claims that go are as many as are made: %q", s.Does)
		}
	}
	want := []recovery.StepID{
		recovery.StepResources, recovery.StepPause, recovery.StepStopPods, recovery.StepLetGo, recovery.StepClaims,
		recovery.StepNodeIDs, recovery.StepReread,
	}
	got := slices.DeleteFunc(slices.Clone(ids), func(id recovery.StepID) bool { return !slices.Contains(want, id) })
	if diff := cmp.Diff(want, got); diff != "" {
		g.t.Errorf("the order of the steps (-want +got):\n%s", diff)
	}
}

// What the API server would not accept is told by a dry run, which leaves everything as it is.
func TestADryRunOfClaimsToRebindOfAClusterThatIsGone(t *testing.T) {
	t.Parallel()
	g, _ := renewedAndDeleted(t, "alone")
	before := g.content()
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) {
		g.rebindGone(r)
		r.DryRun = recovery.DryRunServer
	})
	if err != nil || result.Outcome != recovery.OutcomePlanned {
		t.Fatal(err, told(result))
	}
	if diff := cmp.Diff(before, g.content()); diff != "" {
		t.Errorf("before the dry run and after it (-before +after):\n%s", diff)
	}
}

// What the new cluster had accepted before it was deleted is for somebody to decide on.
func TestNewVolumesOfAClusterThatIsGoneThatHoldRecordsAreNotDisplacedUnlessThatIsAccepted(t *testing.T) {
	t.Parallel()
	g, disks := renewedAndDeleted(t, "with its pods")
	log := filepath.Join(disks, brokerClaim, "kafka-log0", "orders-0")
	if err := os.MkdirAll(log, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(log, "00000000000000000000.log"), []byte("records"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := g.content()
	refused, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { g.rebindGone(r) })
	if err != nil || !slices.Equal(refusedBy(refused), []string{"new-volumes-hold-records=cluster"}) {
		t.Fatal(err, told(refused))
	}
	after := g.content()
	maps.DeleteFunc(after, func(name, _ string) bool { return strings.HasPrefix(name, "configmaps/") }) // its journal
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a refusal must leave everything as it was, but for Retain (-before +after):\n%s", diff)
	}
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) {
		g.rebindGone(r)
		r.Accept = append(r.Accept, finding.Lift{Rule: "new-volumes-hold-records", Subject: "cluster"})
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	g.wantRunningAs(clusterID)
	g.wantLayout("-")
}

// The resources are gone, and the claims that stayed hold each other's volumes.
func TestClaimsOfAClusterThatIsGoneThatHoldEachOthersVolumesArePutRight(t *testing.T) {
	t.Parallel()
	g := newGround(t, func(disks string) { swap(t, disks, swappedZero, swappedOne) })
	g.operator(nil)
	change := func(r *recovery.Request, _ *recovery.Deps) {
		acceptSwapped("pending-deletion")(r)
		r.Declared = g.manifests()
	}
	refused, err := g.restore(change)
	if err != nil || refused.Outcome != recovery.OutcomeRefused {
		t.Fatal(err, told(refused))
	}
	was := bytesBelow(t, g.disks)
	stop := g.noneLost()
	result, err := g.restore(func(r *recovery.Request, d *recovery.Deps) { change(r, d); rebind(r) })
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	stop()
	g.wantPutRight(was)
}

// resumeGone goes on with an operation that died, with the manifests given again.
func (g *ground) resumeGone(left, operation string) (*recovery.Result, error) {
	g.t.Helper()
	return g.resume(left, operation, func(_ *recovery.Target, given *recovery.Repeated, _ *recovery.Deps) {
		given.Declared = g.manifests()
	})
}

// wantGoneUndone requires an operation that died to be taken back: the resources it made are gone, and every claim has
// the volume that it had.
func (g *ground) wantGoneUndone(left, operation string, before map[string]string) {
	g.t.Helper()
	undone, err := g.undo(left, operation, nil)
	if err != nil || undone.Outcome != recovery.OutcomeUndone {
		g.t.Fatalf("%v %+v", err, undone)
	}
	g.wantLayout("-new-")
	if diff := cmp.Diff(before, g.contentButClaims()); diff != "" {
		g.t.Errorf("before the operation and after its undo (-before +after):\n%s", diff)
	}
}

func TestARebindingOfAClusterThatIsGoneThatDiedIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		how string
		at  recoverytest.When
	}{
		"a volume lent":            {"with its pods", recoverytest.OfKind(recovery.StepRead, recovery.PhaseDone, volumeKind)},
		"a pool made":              {"with its pools", recoverytest.FirstOf(recovery.StepResources, recovery.PhaseDone)},
		"a pod set deleted":        {"alone", recoverytest.FirstOf(recovery.StepStopPods, recovery.PhaseDone)},
		"a claim let go":           {"with its pods", recoverytest.OfKind(recovery.StepLetGo, recovery.PhaseDone, claimKind)},
		"the first claim made":     {"with its pools", recoverytest.FirstOf(recovery.StepClaims, recovery.PhaseDone)},
		"un-paused, not journaled": {"alone", recoverytest.Unpausing(recovery.PhaseIntent)},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g, disks := renewedAndDeleted(t, c.how)
			was := bytesBelow(t, disks)
			stop := g.noneLost()
			_, operation, died := g.killAsked(c.at, false, g.rebindGone)
			if died == "" {
				t.Fatal("it must have died")
			}
			result, err := g.resumeGone(elsewhere(t), operation)
			if err != nil || result.Outcome != recovery.OutcomeRestored {
				t.Fatal(err, told(result), result.Differences)
			}
			stop()
			g.wantBroughtBack(disks, operation, was)
		})
	}
}

const volumeKind = "PersistentVolume"

func TestARebindingOfAClusterThatIsGoneThatDiedIsUndone(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		how string
		at  recoverytest.When
	}{
		"Kafka made":            {"with its pods", recoverytest.FirstOf(recovery.StepPause, recovery.PhaseIntent)},
		"a claim about to go":   {"alone", recoverytest.OfKind(recovery.StepLetGo, recovery.PhaseIntent, claimKind)},
		"a claim let go":        {"with its pools", recoverytest.OfKind(recovery.StepLetGo, recovery.PhaseDone, claimKind)},
		"the first volume tied": {"with its pods", recoverytest.OfKind(recovery.StepClaims, recovery.PhaseDone, volumeKind)},
		"the claims guarded":    {"with its pools", recoverytest.FirstOf(recovery.StepQuota, recovery.PhaseDone)},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g, disks := renewedAndDeleted(t, c.how)
			before, was := g.contentButClaims(), bytesBelow(t, disks)
			stop := g.noneLost()
			_, operation, died := g.killAsked(c.at, false, g.rebindGone)
			if died == "" {
				t.Fatal("it must have died")
			}
			g.wantGoneUndone(elsewhere(t), operation, before)
			stop()
			if title != "a claim let go" {
				return
			}
			result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { g.rebindGone(r) })
			if err != nil || result.Outcome != recovery.OutcomeRestored {
				t.Fatal("what was undone can be done again", err, told(result))
			}
			g.wantBroughtBack(disks, result.Operation, was)
		})
	}
}

// forEveryVolume are the steps that do the same for every volume, several writes at once, and how many lines of them are
// between two that are swept: those with which volumes are lent and given back are as many as all others.
var forEveryVolume = map[recovery.StepID]int{
	recovery.StepRead: 12, recovery.StepRetain: 4, recovery.StepLock: 4, recovery.StepLetGo: 3, recovery.StepClaims: 3,
	recovery.StepRelease: 4,
}

// The lines of the journal in turn are the last thing a run does, and another run goes on from there, or takes it back.
func TestDyingAfterTheLinesOfARebindingOfAClusterThatIsGone(t *testing.T) {
	full(t)
	t.Parallel()
	ways := []string{"with its pods", "with its pools", "alone"}
	g, _ := renewedAndDeleted(t, ways[0])
	whole, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { g.rebindGone(r) })
	if err != nil || whole.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(whole))
	}
	entries, err := recovery.ReadJournal(whole.Folder)
	if err != nil {
		t.Fatal(err)
	}
	swept := 0
	for i, e := range entries {
		if i%max(forEveryVolume[recovery.StepID(e.Step)], 1) != 0 {
			continue
		}
		swept++
		undo, early, how := swept%2 == 0, swept/2%2 == 0, ways[swept%len(ways)]
		t.Run(fmt.Sprintf("line %d, undo %v", i+1, undo), func(t *testing.T) {
			t.Parallel()
			g, disks := renewedAndDeleted(t, how)
			before, was, passed := g.contentButClaims(), bytesBelow(t, disks), false
			unpaused := recoverytest.Unpausing(recovery.PhaseDone)
			left, operation, died := g.killAsked(func(n int, e recovery.Entry) bool {
				passed = passed || unpaused(n, e)
				return n == i+1
			}, early, g.rebindGone)
			if died == "" || died == string(recovery.PhaseEnd) {
				return // the journal is shorter, or it had ended
			}
			t.Logf("died at %s", died)
			if !undo {
				result, err := g.resumeGone(left, operation)
				if err != nil || result.Outcome != recovery.OutcomeRestored {
					t.Fatal(err, told(result), result.Differences)
				}
				g.wantBroughtBack(disks, operation, was)
				return
			}
			if !passed {
				g.wantGoneUndone(left, operation, before)
				return
			}
			var refused *recovery.PassedError
			if _, err := g.undo(left, operation, nil); !errors.As(err, &refused) {
				t.Errorf("it was un-paused: %v", err)
			}
		})
	}
}
