package recovery_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// provision makes an empty volume for each of the claims once it is there and may have one, as a provisioner does: it
// passes over a claim that asks for a volume by name.
func (g *ground) provision(claims ...string) {
	g.t.Helper()
	for _, name := range claims {
		folder := filepath.Join("provisioned", name)
		if err := os.MkdirAll(filepath.Join(g.disks, folder), 0o755); err != nil {
			g.t.Fatal(err)
		}
		go func() {
			for g.t.Context().Err() == nil {
				claim, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).Get(g.t.Context(), name, metav1.GetOptions{})
				if err == nil && claim.Spec.VolumeName == "" && claim.DeletionTimestamp == nil {
					err = g.makeDisk(g.ns+"-new-"+name, folder, corev1.PersistentVolumeReclaimRetain, &corev1.ObjectReference{
						APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: g.ns, Name: name, UID: claim.UID,
					})
					if err != nil && g.t.Context().Err() == nil {
						g.t.Errorf("provision a volume for %s: %v", name, err)
					}
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}()
	}
}

// loseNodes takes the claims and volumes of nodes away for good, and plays Kafka without them; provision has it that
// they can have new ones.
func (g *ground) loseNodes(nodes []int32, claims ...string) {
	g.t.Helper()
	background := metav1.DeletePropagationBackground
	for _, name := range claims {
		err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).Delete(g.t.Context(), name,
			metav1.DeleteOptions{PropagationPolicy: &background})
		if err != nil && !apierrors.IsNotFound(err) {
			g.t.Fatal(err)
		}
		err = g.typed.CoreV1().PersistentVolumes().Delete(g.t.Context(), g.ns+"-"+name, metav1.DeleteOptions{})
		if err != nil {
			g.t.Fatal(err)
		}
		g.eventually("the volume of "+name+" to be gone", func() bool {
			_, err := g.typed.CoreV1().PersistentVolumes().Get(g.t.Context(), g.ns+"-"+name, metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		})
	}
	g.kafkas = &playedKafka{lost: nodes, claims: claims}
}

// wantJoined requires every claim to have its volume, the lost ones new ones, and no lost one to have had any before
// the others had caught up.
func (g *ground) wantJoined() {
	g.t.Helper()
	claims, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).List(g.t.Context(), metav1.ListOptions{})
	if err != nil || len(claims.Items) != 9 {
		g.t.Fatalf("want nine claims, got %d, %v", len(claims.Items), err)
	}
	for _, c := range claims.Items {
		want := g.ns + "-" + c.Name
		if slices.Contains(g.kafkas.claims, c.Name) {
			want = g.ns + "-new-" + c.Name
		}
		if c.Spec.VolumeName != want || c.Status.Phase != corev1.ClaimBound {
			g.t.Errorf("claim %s is %s with volume %s, not %s", c.Name, c.Status.Phase, c.Spec.VolumeName, want)
		}
	}
	for pool, ids := range map[string][]int32{"broker": {0, 1, 2}, "controller": {3, 4, 5}} {
		u, err := g.client.Get(g.t.Context(), strimzi.NodePoolGVR("v1"), g.ns, pool)
		if err != nil {
			g.t.Fatal(err)
		}
		if got := strimzi.ParseNodePool(u.Object).Status.NodeIDs; !slices.Equal(got, ids) {
			g.t.Errorf("pool %s has nodes %v", pool, got)
		}
	}
	for _, id := range g.kafkas.lost {
		dir := filepath.Join(g.disks, "provisioned", g.kafkas.claims[0], fmt.Sprintf("kafka-log%d", id))
		if _, err := os.Stat(dir); err != nil {
			g.t.Errorf("node %d did not start on its new volume: %v", id, err)
		}
	}
	if len(g.kafkas.early) > 0 {
		g.t.Errorf("while it was still in sync: %v", g.kafkas.early)
	}
}

// A broker's volumes are lost for good, of a cluster of which only volumes are left: the others start without it, and
// it is let in, empty, under its ID, once it is in sync nowhere.
func TestALostBrokerIsHeldBackUntilTheOthersHaveCaughtUp(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	g.operator(nil)
	lost := []string{"data-0-my-cluster-broker-0", "data-1-my-cluster-broker-0"}
	g.loseNodes([]int32{0}, lost...)
	result, err := g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
		for _, name := range lost {
			r.Accept = append(r.Accept, finding.Lift{Rule: "slot-missing", Subject: "pvc/" + name})
		}
	})
	if err != nil || result.Outcome != recovery.OutcomeRefused || len(result.Refusals) != 2 ||
		!strings.Contains(result.Refusals[0].Remedy, "restore --lost node/0") {
		t.Fatal("nobody starts empty beside the others", err, told(result))
	}

	g.provision(lost...)
	result, err = g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
		r.Lost = []string{"node/my-cluster-broker-0"}
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result), g.waits)
	}
	g.wantJoined()
	g.wantJournaled(result)
	waits := strings.Join(g.waits, "\n")
	for _, want := range []string{
		"catch-up: 12 of 20 partitions still have node 0 in sync", "catch-up: 2 of 20 partitions still have node 0 in sync",
		"join: node 0 is in sync of 8 of 20 partitions",
	} {
		if !strings.Contains(waits, want) {
			t.Errorf("it does not say %q while it waits:\n%s", want, waits)
		}
	}
	if len(result.Alarms) > 0 {
		t.Errorf("what was to be is no alarm: %+v", result.Alarms)
	}
}

// The Kafka resource is there, paused, and a controller's claim and volume are gone.
func TestALostControllerJoinsWhenTheOthersHaveElected(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	lost := "data-0-my-cluster-controller-4"
	g.loseNodes([]int32{4}, lost)
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	g.provision(lost)
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { r.Lost = []string{"pvc/" + lost} })
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result), g.waits)
	}
	g.wantJoined()
	g.wantRunningAs(clusterID)
}

func TestWhatCannotBeDoneWithoutIsRefused(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	g.operator(nil)
	plan := func(lost ...string) (*recovery.Result, error) {
		return g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
			r.DryRun, r.Lost = recovery.DryRunServer, lost
		})
	}
	refused := func(what, rule, subject string, says ...string) {
		t.Helper()
		result, err := plan(strings.Fields(what)...)
		if err != nil || result.Outcome != recovery.OutcomeRefused {
			t.Fatal(what, err, told(result))
		}
		i := slices.IndexFunc(result.Refusals, func(f finding.Finding) bool { return f.Rule == rule && f.Subject == subject })
		if i < 0 {
			t.Fatalf("%s: it does not refuse with %s of %s: %s", what, rule, subject, told(result))
		}
		text := result.Refusals[i].Message + strings.Join(result.Refusals[i].Evidence, "\n")
		for _, want := range says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: it does not say %q: %s", what, want, text)
			}
		}
	}
	var flag *recovery.FlagError
	_, err := plan("node/9")
	if !errors.As(err, &flag) || !strings.Contains(err.Error(), "pvc/data-0-my-cluster-broker-2") {
		t.Errorf("it must say what there is: %v", err)
	}
	refused("node/0", "lost-volume-is-there", "pvc/data-0-my-cluster-broker-0", "is not lost", "partitions")

	// Broker 2 was stopped last: by then it alone could be elected of whatever it had.
	g.loseNodes([]int32{2}, "data-0-my-cluster-broker-2", "data-1-my-cluster-broker-2")
	_, err = plan("node/9")
	if !errors.As(err, &flag) || !strings.Contains(err.Error(), "pvc/data-0-my-cluster-broker-2") {
		t.Errorf("a pool has room, and yet there was no such node: %v", err)
	}
	refused("node/2", "empty-broker-in-isr", "node/2", "of 20 partitions",
		"orders-0: replicas [2 0 1], in sync [], eligible leader replicas [2]")
	result, err := g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
		r.DryRun, r.Lost = recovery.DryRunServer, []string{"node/2"}
		r.Accept = append(r.Accept, finding.Lift{Rule: "empty-broker-in-isr", Subject: "node/2"})
	})
	if err != nil || result.Outcome != recovery.OutcomePlanned {
		t.Fatal("who accepts that may have it", err, told(result))
	}
	g.loseNodes([]int32{3, 5}, "data-0-my-cluster-controller-3", "data-0-my-cluster-controller-5")
	refused("node/2 node/3 node/5", "empty-controller-before-catch-up", "cluster", "node/3 and node/5", "1 of 3",
		"node/4: metadata log up to")
}

// lostControllerDies is a cluster without controller 4 whose restore dies at a line.
func lostControllerDies(t *testing.T, at recoverytest.When, before bool) (g *ground, left, operation, died string) {
	t.Helper()
	g = newGround(t, nil)
	claim := "data-0-my-cluster-controller-4"
	g.loseNodes([]int32{4}, claim)
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	g.provision(claim)
	left, operation, died = g.killAsked(at, before, func(r *recovery.Request) { r.Lost = []string{"node/4"} })
	return g, left, operation, died
}

func TestARestoreWithoutALostNodeThatDiedIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]recoverytest.When{
		"before it is held back": recoverytest.FirstOf(recovery.StepHoldBack, recovery.PhaseIntent),
		"held back":              recoverytest.FirstOf(recovery.StepHoldBack, recovery.PhaseDone),
		"un-paused":              recoverytest.Unpausing(recovery.PhaseDone),
		"about to let it go":     recoverytest.FirstOf(recovery.StepJoin, recovery.PhaseIntent),
		"let go":                 recoverytest.FirstOf(recovery.StepJoin, recovery.PhaseDone),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, left, operation, died := lostControllerDies(t, at, false)
			if died == "" {
				t.Fatal("it must have died")
			}
			g.wantResumed(left, operation)
			g.wantJoined()
		})
	}
}

// What is held back never had a volume, and goes when the restore is undone.
func TestAClaimThatIsHeldBackIsTakenBack(t *testing.T) {
	t.Parallel()
	g, left, operation, died := lostControllerDies(t, recoverytest.FirstOf(recovery.StepQuota, recovery.PhaseDone), false)
	if died == "" {
		t.Fatal("it must have died")
	}
	undone, err := g.undo(left, operation, nil)
	if err != nil || undone.Outcome != recovery.OutcomeUndone {
		t.Fatalf("%v %+v", err, undone)
	}
	g.eventually("the claim to be gone", func() bool {
		_, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).Get(t.Context(), g.kafkas.claims[0], metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	g.wantNothingLeft()
}

// A cluster that was stopped while a node was held back is restored anew, and the claim is held back still.
func TestAStoppedClusterWithAHeldBackNodeIsRestoredAnew(t *testing.T) {
	t.Parallel()
	g, left, operation, died := lostControllerDies(t, recoverytest.Unpausing(recovery.PhaseDone), false)
	if died == "" {
		t.Fatal("it must have died")
	}
	deps := g.deps()
	deps.StateDir = left
	stopped, err := recovery.Stop(t.Context(), recovery.Target{Namespace: g.ns, Operation: operation}, deps)
	if err != nil || stopped.Outcome != recovery.OutcomeStopped {
		t.Fatalf("%v %+v", err, stopped)
	}
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { r.Lost = []string{"node/4"} })
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result), g.waits)
	}
	g.wantJoined()
}

// Every line of the journal in turn is the last thing a run does, and another run goes on from there.
func TestDyingAfterEveryLineOfARestoreWithoutALostNode(t *testing.T) {
	full(t)
	t.Parallel()
	for line := range mostLines {
		t.Run(fmt.Sprintf("line %d", line+1), func(t *testing.T) {
			t.Parallel()
			g, left, operation, died := lostControllerDies(t,
				func(n int, _ recovery.Entry) bool { return n == line+1 }, line%2 == 1)
			if died == "" {
				return // the journal is shorter
			}
			if line+1 == mostLines {
				t.Error("the sweep ends before the journal does")
			}
			if line%3 == 2 {
				left = elsewhere(t)
			}
			t.Logf("died at %s", died)
			if died == string(recovery.PhaseEnd) && line%2 == 0 {
				g.wantEnded(left, operation)
				return
			}
			g.wantResumed(left, operation)
			g.wantJoined()
		})
	}
}
