package recovery_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// tier decides how much is swept: "ci" the most telling points, "full" every line of the journal.
var tier = flag.String("tier", "ci", "ci or full")

// full marks a sweep of the full tier.
func full(t *testing.T) {
	t.Helper()
	if *tier != "full" {
		t.Skip("swept by -tier full only")
	}
}

func TestARunThatDiedIsGoneOnWithToTheSameEnd(t *testing.T) {
	t.Parallel()
	for i, point := range recoverytest.Points() {
		t.Run(point.Title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			g.operator(nil)
			starts[[]string{"paused", "crash-looping"}[i/4]](g)
			left, operation, died := g.kill(point.At, point.Before)
			if died == "" {
				t.Fatal("it must have died")
			}
			if i%2 == 0 {
				left = elsewhere(t)
			}
			g.wantResumed(left, operation)
		})
	}
}

func (g *ground) wantResumed(left, operation string) {
	g.t.Helper()
	result, err := g.resume(left, operation, nil)
	if err != nil || result.Outcome != recovery.OutcomeRestored || result.Code() != exitcode.OK {
		g.t.Fatalf("%v %+v", err, result)
	}
	g.wantRunningAs(clusterID)
	g.wantRetained(9)
	g.wantNothingLeft()
	entries, err := recovery.ReadJournal(result.Folder)
	if err != nil {
		g.t.Fatal(err)
	}
	g.wantMirrored(result, entries)
}

// Every line of the journal in turn is the last thing a run does, and another run goes on from there.
func TestDyingAfterEveryLineAndGoingOn(t *testing.T) {
	full(t)
	t.Parallel()
	for line := range mostLines {
		t.Run(fmt.Sprintf("line %d", line+1), func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			g.operator(nil)
			g.kafka(nil)
			g.eventually("pods to crash-loop", func() bool { return g.crashLooping() == 6 })
			left, operation, died := g.kill(func(n int, _ recovery.Entry) bool { return n == line+1 }, line%2 == 1)
			if died == "" {
				return // the journal is shorter
			}
			if line+1 == mostLines {
				t.Error("the sweep ends before the journal does")
			}
			here := line%3 != 2
			if !here {
				left = elsewhere(t)
			}
			t.Logf("died at %s", died)
			// The last line is in the file alone where the run died before it reached the cluster.
			if died == string(recovery.PhaseEnd) && (line%2 == 0 || here) {
				g.wantEnded(left, operation)
				return
			}
			g.wantResumed(left, operation)
		})
	}
}

// wantEnded requires an operation that died behind its last line to be told as ended. Its Lease stays until it has
// expired: who holds it may be slow, and not dead.
func (g *ground) wantEnded(left, operation string) {
	g.t.Helper()
	_, err := g.resume(left, operation, nil)
	var ended *recovery.EndedError
	if !errors.As(err, &ended) || ended.Outcome != recovery.OutcomeRestored {
		g.t.Fatalf("it has ended: %v", err)
	}
	g.wantRunningAs(clusterID)
	g.wantRetained(9)
}

// mostLines is more than a restore of these volumes writes: the sweep ends where no run dies any more.
const mostLines = 110

func TestGoingOnAsksAgain(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	left, operation, _ := g.kill(recoverytest.FirstOf(recovery.StepLock, recovery.PhaseDone), false)

	_, err := g.resume(left, operation, func(_ *recovery.Target, r *recovery.Repeated, _ *recovery.Deps) {
		r.Unattended = true
	})
	var notRepeated *recovery.NotRepeatedError
	if !errors.As(err, &notRepeated) || !strings.Contains(err.Error(), "--accept pending-deletion=pvc/") {
		t.Errorf("what the journal accepts must be accepted again where nobody is asked: %v", err)
	}
	result, err := g.resume(left, operation, func(_ *recovery.Target, _ *recovery.Repeated, d *recovery.Deps) {
		d.Confirm = func(_ context.Context, p *recovery.Plan, _ []finding.Finding) (bool, error) {
			if len(p.Accepted) == 0 {
				t.Error("what is accepted must be shown")
			}
			return false, nil
		}
	})
	if err != nil || result.Outcome != recovery.OutcomeDeclined {
		t.Fatalf("%v %+v", err, result)
	}
	result, err = g.resume(left, operation, func(_ *recovery.Target, r *recovery.Repeated, _ *recovery.Deps) {
		r.Unattended, r.Accept = true, g.pendingDeletions()
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %+v", err, result)
	}
	_, err = g.resume(left, operation, nil)
	var ended *recovery.EndedError
	if !errors.As(err, &ended) || ended.Outcome != recovery.OutcomeRestored {
		t.Errorf("there is nothing to go on with: %v", err)
	}
}

func TestGoingOnIsRefusedInAnotherWorld(t *testing.T) {
	t.Parallel()
	for title, tc := range map[string]struct {
		change func(*ground)
		want   string
	}{
		"a pool was scaled": {func(g *ground) {
			g.patch(strimzi.NodePoolGVR("v1").Resource, "broker", `{"spec":{"replicas":4}}`)
		}, "kafkanodepool/broker its spec was changed"},
		"next node IDs were given": {func(g *ground) {
			g.patch(strimzi.NodePoolGVR("v1").Resource, "broker",
				`{"metadata":{"annotations":{"strimzi.io/next-node-ids":"[10-12]"}}}`)
		}, "kafkanodepool/broker its next node IDs"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			g.operator(nil)
			g.kafka(map[string]string{pauseAnnotation: "true"})
			at := recoverytest.OfKind(recovery.StepClusterID, recovery.PhaseDone, strimzi.KafkaKind)
			left, operation, _ := g.kill(at, false)
			tc.change(g)
			result, err := g.resume(left, operation, nil)
			refused := result != nil && result.Code() == exitcode.Refused
			if err != nil || !refused || !strings.Contains(strings.Join(result.Differences, "\n"), tc.want) {
				// A rule may refuse before the comparison does; it must be refused in any case.
				if !refused || len(result.Refusals) == 0 {
					t.Fatalf("%v %+v", err, result)
				}
			}
			if !g.status().PauseAnnotated {
				t.Error("it must be left paused")
			}
		})
	}
}

func TestARunThatLivesIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	var second error
	_, err := g.restore(func(_ *recovery.Request, d *recovery.Deps) {
		d.Confirm = func(_ context.Context, p *recovery.Plan, _ []finding.Finding) (bool, error) {
			_, second = g.resume(g.state, p.Operation, nil)
			return false, nil
		}
	})
	var held *recovery.HeldError
	if err != nil || !errors.As(second, &held) || recovery.HolderOperation(held.Holder) == held.Holder {
		t.Errorf("the run that lives holds the lock, and is named as a run: %v %v", err, second)
	}
}

func TestAnOperationOfAnotherClusterIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	left, operation, _ := g.kill(recoverytest.FirstOf(recovery.StepLock, recovery.PhaseDone), false)

	_, err := g.resume(left, operation, func(to *recovery.Target, _ *recovery.Repeated, _ *recovery.Deps) {
		to.Namespace = "default"
	})
	if err == nil || !strings.Contains(err.Error(), "-n "+g.ns) {
		t.Errorf("the journal is of another namespace: %v", err)
	}
	// The same name in the same namespace, and yet another resource.
	g.remake(strimzi.KafkaGVR("v1"), clusterName)
	if _, err = g.resume(left, operation, nil); err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("the resource was replaced: %v", err)
	}
	if _, err = g.resume(elsewhere(t), "restore-20261124-031502-9f3a", nil); err == nil {
		t.Error("there is no such operation")
	}
}
