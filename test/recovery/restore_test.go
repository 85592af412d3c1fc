package recovery_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/test/operator"
)

const pauseAnnotation = "strimzi.io/pause-reconciliation"

func TestAMisStartedClusterIsBroughtBack(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	g.kafka(nil)
	g.eventually("pods to crash-loop on a random cluster ID", func() bool { return g.crashLooping() == 6 })

	result, err := g.restore(nil)
	if err != nil {
		t.Fatalf("%v\n%+v", err, result)
	}
	if result.Outcome != recovery.OutcomeRestored || result.Code() != exitcode.OK {
		t.Fatalf("got %s: %s", result.Outcome, result.Reason)
	}
	for _, step := range result.Plan.Steps {
		if step.State != recovery.StepDone && step.State != recovery.StepSkipped {
			t.Errorf("everything was done, and yet step %q is said to be %s", step.ID, step.State)
		}
	}
	g.wantRunningAs(clusterID)
	g.wantRetained(9)
	g.wantNothingLeft()
	g.wantJournaled(result)
}

func TestAClusterCreatedPausedIsBroughtBack(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	result, err := g.restore(nil)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %+v", err, result)
	}
	g.wantRunningAs(clusterID)
	if restarts := g.restarts(); restarts != 0 {
		t.Errorf("no pod may have started with another ID before: %d restarts", restarts)
	}
}

func TestASecondRestoreFindsNothingToDoAndTouchesNothing(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	if _, err := g.restore(nil); err != nil {
		t.Fatal(err)
	}
	before := g.versions()
	result, err := g.restore(nil)
	if err != nil || result.Outcome != recovery.OutcomeAlreadyRight {
		t.Fatalf("%v %+v", err, result)
	}
	g.wantSameVersions(before)
}

func TestWithoutAnOperatorItIsLeftPaused(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { r.PauseTimeout = 2 * time.Second })
	var notProven *recovery.NotProvenError
	if !errors.As(err, &notProven) || result.Outcome != recovery.OutcomeLeftPaused || result.Code() != exitcode.Incomplete {
		t.Fatalf("nobody confirmed the pause, so it must be left paused with code 5: %v %+v", err, result)
	}
	kafka := g.status()
	if !kafka.PauseAnnotated || kafka.Status.ClusterID != nil {
		t.Errorf("it must be paused, and no ID written: %+v", kafka.Status)
	}
	if !strings.Contains(strings.Join(result.Next, "\n"), "no Cluster Operator") {
		t.Errorf("the likely cause must be named: %v", result.Next)
	}
	g.wantNothingLeft()
}

// The operator's paused path reads the resource twice; what is patched in between is overwritten without a conflict.
func TestAnIDThatThePausedPathOverwritesIsWrittenAgain(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(func(o *operator.Options) {
		o.Hooks.PausedRead = func(ctx context.Context, _ operator.Key) {
			select {
			case <-ctx.Done():
			case <-time.After(250 * time.Millisecond):
			}
		}
	})
	g.kafka(map[string]string{pauseAnnotation: "true"})
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { r.Settle = time.Second })
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %+v", err, result)
	}
	g.wantRunningAs(clusterID)
}

// A reconcile in flight ends with a status made of the resource as it was when it began.
func TestAReconcileInFlightDoesNotTakeTheIDAway(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(func(o *operator.Options) {
		o.Hooks.BeforeFinalStatus = func(ctx context.Context, _ operator.Key) {
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	})
	g.kafka(nil)
	g.eventually("pods to crash-loop", func() bool { return g.crashLooping() > 0 })
	result, err := g.restore(nil)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %+v", err, result)
	}
	g.wantRunningAs(clusterID)
}

func TestSwappedVolumesAreRefusedAndOnlyRetainIsSet(t *testing.T) {
	t.Parallel()
	g := newGround(t, func(disks string) {
		a, b := filepath.Join(disks, "data-0-my-cluster-broker-0"), filepath.Join(disks, "data-0-my-cluster-broker-1")
		for _, move := range [][2]string{{a, a + ".x"}, {b, a}, {a + ".x", b}} {
			if err := os.Rename(move[0], move[1]); err != nil {
				t.Fatal(err)
			}
		}
	})
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	g.eventually("the operator to pause", func() bool { k := g.status(); return k.Status.IsPaused() })
	before := g.status()
	result, err := g.restore(nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Outcome != recovery.OutcomeRefused || result.Code() != exitcode.Refused || len(result.Refusals) == 0 {
		t.Fatalf("each broker would start empty beside the other's data: %+v", result)
	}
	if after := g.status(); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("a refusal must not touch the resource: version %s became %s", before.ResourceVersion, after.ResourceVersion)
	}
	g.wantRetained(9)
	g.wantNothingLeft()
}

func TestTwoOfThreeControllersEmptyIsRefused(t *testing.T) {
	t.Parallel()
	g := newGround(t, func(disks string) {
		for _, claim := range []string{"data-0-my-cluster-controller-4", "data-0-my-cluster-controller-5"} {
			if err := os.RemoveAll(filepath.Join(disks, claim)); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(disks, claim), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	})
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	result, err := g.restore(nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Outcome != recovery.OutcomeRefused {
		t.Fatalf("an empty majority elects a leader that knows no topic: %+v", result)
	}
	if g.status().Status.ClusterID != nil {
		t.Error("no ID may be written after a refusal")
	}
}

func TestOneVolumeOfAnotherClusterIsRefusedUntilItIsGivenUp(t *testing.T) {
	t.Parallel()
	claim := "data-1-my-cluster-broker-2"
	g := newGround(t, func(disks string) {
		replaceIn(t, filepath.Join(disks, claim, "kafka-log2", "meta.properties"), clusterID, "5L6g3nShT-eMCtK--X86sw")
	})
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	result, err := g.restore(nil)
	if err != nil || result.Outcome != recovery.OutcomeRefused {
		t.Fatalf("volumes disagree: %v %+v", err, result)
	}
	var said []string
	for _, f := range result.Refusals {
		said = append(said, f.Evidence...)
	}
	if text := strings.Join(said, "\n"); !strings.Contains(text, claim) || !strings.Contains(text, "5L6g3nShT-eMCtK--X86sw") {
		t.Errorf("the refusal must say which volume says what:\n%s", text)
	}
}

// A volume that is given up counts as lost: its broker is in sync with data it no longer has, which has to be accepted on
// its own, and the plan names it.
func TestAVolumeThatIsGivenUpCountsAsLostAndIsNamed(t *testing.T) {
	t.Parallel()
	claim := "data-1-my-cluster-broker-2"
	g := newGround(t, func(disks string) {
		replaceIn(t, filepath.Join(disks, claim, "kafka-log2", "meta.properties"), clusterID, "5L6g3nShT-eMCtK--X86sw")
	})
	g.kafka(map[string]string{pauseAnnotation: "true"})
	for name, choose := range map[string]func(*recovery.Request){
		"--exclude":    func(r *recovery.Request) { r.Exclude = []string{claim} },
		"--cluster-id": func(r *recovery.Request) { r.ClusterID = clusterID },
	} {
		plan := func(accepts ...finding.Lift) *recovery.Result {
			result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) {
				r.DryRun, r.Accept = recovery.DryRunClient, append(r.Accept, accepts...)
				choose(r)
			})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return result
		}
		refused := plan()
		if refused.Outcome != recovery.OutcomeRefused || len(refused.Refusals) != 1 ||
			refused.Refusals[0].Rule != "empty-broker-in-isr" || refused.Refusals[0].Subject != "node/2" {
			t.Errorf("%s: broker 2 alone lost something: %s %+v", name, refused.Outcome, refused.Refusals)
		}
		planned := plan(finding.Lift{Rule: "empty-broker-in-isr", Subject: "node/2"})
		if planned.Outcome != recovery.OutcomePlanned || planned.ClusterID != clusterID {
			t.Fatalf("%s: %s %s %+v", name, planned.Outcome, planned.ClusterID, planned.Refusals)
		}
		if excluded := strings.Join(planned.Plan.Excluded, "\n"); !strings.Contains(excluded, claim) {
			t.Errorf("%s: the plan must name what was given up: %q", name, excluded)
		}
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range []recovery.DryRun{recovery.DryRunClient, recovery.DryRunServer} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			g.kafka(map[string]string{pauseAnnotation: "true"})
			before := g.versions()
			result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { r.DryRun = mode })
			if err != nil || result.Outcome != recovery.OutcomePlanned || result.Plan == nil {
				t.Fatalf("%v %+v", err, result)
			}
			g.wantSameVersions(before)
			if entries, _ := os.ReadDir(g.state); len(entries) != 0 {
				t.Errorf("a dry run keeps no journal: %v", entries)
			}
		})
	}
}

func TestDecliningLeavesTheResourceAlone(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	before := g.status()
	result, err := g.restore(func(_ *recovery.Request, d *recovery.Deps) {
		d.Confirm = func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) { return false, nil }
	})
	if err != nil || result.Outcome != recovery.OutcomeDeclined || result.Code() == exitcode.OK {
		t.Fatalf("%v %+v", err, result)
	}
	if after := g.status(); after.ResourceVersion != before.ResourceVersion {
		t.Error("declined, and yet the resource was changed")
	}
	g.wantNothingLeft()
}

func TestASecondRunIsExcluded(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	result, err := g.restore(func(r *recovery.Request, d *recovery.Deps) {
		d.Confirm = func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) {
			_, second := g.restore(nil)
			var held *recovery.HeldError
			if !errors.As(second, &held) {
				t.Errorf("a second run beside the first must be refused: %v", second)
			}
			return false, nil
		}
	})
	if err != nil || result.Outcome != recovery.OutcomeDeclined {
		t.Fatalf("the first run must not be disturbed: %v %+v", err, result)
	}
}

func TestAPoolChangedMeanwhileStopsItBeforeUnPausing(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	g.onStep(recovery.StepClusterID, func() {
		g.patch(strimzi.NodePoolGVR("v1").Resource, "broker", `{"spec":{"replicas":4}}`)
	})
	result, err := g.restore(nil)
	var foreign *recovery.ForeignWriteError
	if !errors.As(err, &foreign) || result.Outcome != recovery.OutcomeLeftPaused {
		t.Fatalf("somebody scaled the pool while it was paused: %v %+v", err, result)
	}
	if !g.status().PauseAnnotated {
		t.Error("it must be left paused")
	}
	g.wantNothingLeft()
}

func TestAnAnnotationTakenAwayMeanwhileStopsIt(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	g.onStep(recovery.StepReread, func() {
		g.patch(strimzi.KafkaGVR("v1").Resource, clusterName, `{"metadata":{"annotations":{"`+pauseAnnotation+`":null}}}`)
	})
	if result, err := g.restore(nil); err == nil {
		t.Fatalf("what GitOps un-paused must not be taken for paused: %+v", result)
	}
	g.wantNothingLeft()
}

func TestAnInterruptedRunIsLeftPausedAndLeavesNothingElse(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	ctx, cancel := context.WithCancel(t.Context())
	g.onStep(recovery.StepQuota, cancel)
	result, err := g.restoreIn(ctx, nil)
	if !errors.Is(err, context.Canceled) || result.Outcome != recovery.OutcomeLeftPaused {
		t.Fatalf("%v %+v", err, result)
	}
	if !g.status().PauseAnnotated {
		t.Error("it must be left paused")
	}
	g.wantNothingLeft()
}

// The silent failure of a recovery is an operator that wants other claims. The quota makes it a loud one.
func TestAnUnplannedClaimFailsBeforeAnyPodExists(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	// Another node's ID is asked for right before un-pausing, as nobody could have planned for.
	g.onStep(recovery.StepUnpause, func() {
		g.patchStatus(strimzi.NodePoolGVR("v1").Resource, "broker", `{"status":{"nodeIds":[0,1,12],"roles":["broker"]}}`)
	})
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { r.Timeout = 8 * time.Second })
	if err == nil {
		t.Fatalf("shifted node IDs must not end in success: %+v", result)
	}
	claims, lerr := g.typed.CoreV1().PersistentVolumeClaims(g.ns).List(t.Context(), metav1.ListOptions{})
	if lerr != nil {
		t.Fatal(lerr)
	}
	for _, c := range claims.Items {
		if strings.HasSuffix(c.Name, "-12") {
			t.Errorf("claim %s was created", c.Name)
		}
	}
	g.wantNothingLeft()
}

func TestMissingPermissionsAreListedBeforeAnythingIsTouched(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	user := g.user("get", "list", "watch")
	before := g.versions()
	_, err := g.restore(func(_ *recovery.Request, d *recovery.Deps) { d.Kube = user })
	var access *recovery.AccessError
	if !errors.As(err, &access) {
		t.Fatalf("a user who may only read must be told what is missing: %v", err)
	}
	if !strings.Contains(access.Roles, "kafkas/status") || !strings.Contains(access.Roles, "kind: Role") {
		t.Errorf("the role that grants it must be given:\n%s", access.Roles)
	}
	g.wantSameVersions(before)
}

func TestNoSuchResourceIsNotFound(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	_, err := g.restore(nil)
	var missing *recovery.NotFoundError
	if !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}

func TestAVolumeThatIsTerminatingIsRefused(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	name := "data-0-my-cluster-controller-3"
	hold := []byte(`{"metadata":{"finalizers":["kubernetes.io/pvc-protection","test/hold"]}}`)
	claims := g.typed.CoreV1().PersistentVolumeClaims(g.ns)
	if _, err := claims.Patch(t.Context(), name, types.MergePatchType, hold, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := claims.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = claims.Patch(context.Background(), name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`),
			metav1.PatchOptions{})
	})
	result, err := g.restore(nil)
	if err != nil || result.Outcome != recovery.OutcomeRefused {
		t.Fatalf("a claim that goes as soon as no pod holds it must be refused: %v %+v", err, result)
	}
	g.wantRetained(9)
}
