package recovery_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
)

func TestARestoreOnTheStandIn(t *testing.T) {
	t.Parallel()
	s := newStand(t, unpackDisks(t), false)
	result, err := recovery.Restore(t.Context(), s.request(), s.deps())
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %+v", err, result)
	}
	s.wantRunning()
}

// tellingLines are the numbers of the lines of a restore's journal that differ from the others in what was done: the
// first of each kind of line. That every single one is swept is left to a real API server (test/recovery).
func tellingLines(t *testing.T, d *disks) []int {
	t.Helper()
	s := newStand(t, d, false)
	result, err := recovery.Restore(t.Context(), s.request(), s.deps())
	if err != nil {
		t.Fatal(err)
	}
	entries, err := recovery.ReadJournal(result.Folder)
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	seen := map[string]bool{}
	for _, e := range entries {
		kind := string(e.Phase) + " " + e.Step
		if len(e.Changes) > 0 {
			kind += " " + e.Changes[0].Object.Kind + " " + e.Changes[0].Subresource
		}
		if !seen[kind] {
			lines = append(lines, e.Seq)
		}
		seen[kind] = true
	}
	if len(lines) < 20 {
		t.Fatalf("a restore has more kinds of lines than %v", lines)
	}
	return lines
}

// A line of the journal is the last thing a run does. Another run, on this machine or another, goes on to the same end,
// or takes it back to the same start, or halts the cluster where it is too late for that.
func TestDyingAfterALine(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	for i, line := range tellingLines(t, d) {
		for _, then := range []string{"resume", "undo"} {
			before := (i+len(then))%2 == 0
			t.Run(fmt.Sprintf("%d %s %v", line, then, before), func(t *testing.T) {
				t.Parallel()
				s := newStand(t, d, line%2 == 0)
				start := s.settled()
				unpaused, passed := recoverytest.Unpausing(recovery.PhaseDone), false
				left, operation, died := s.kill(func(n int, e recovery.Entry) bool {
					passed = passed || unpaused(n, e)
					return n == line
				}, before)
				if died == "" {
					return // started in another state, its journal is shorter
				}
				if i%3 == 0 && (line > 1 || !before) { // what never reached the cluster is known here alone
					left = ""
				}
				switch {
				case then == "resume":
					s.wantResumed(left, operation)
				case passed:
					s.wantStopped(left, operation)
				default:
					s.wantUndone(left, operation, start)
				}
			})
		}
	}
}

// A run that dies between its last line and the release of its Lease has nothing left to go on with, and yet it must not
// keep a lock.
func TestDyingAfterTheLastLine(t *testing.T) {
	t.Parallel()
	s := newStand(t, unpackDisks(t), true)
	left, operation, died := s.kill(func(_ int, e recovery.Entry) bool { return e.Phase == recovery.PhaseEnd }, false)
	if died == "" || s.server.Get(kube.Leases(), standNamespace, "kafkarecover-"+standCluster) == nil {
		t.Fatalf("it was to die before its Lease is released, and died at %q", died)
	}
	var ended *recovery.EndedError
	_, err := recovery.Resume(t.Context(), s.target(operation), recovery.Repeated{}, s.in(left))
	if !errors.As(err, &ended) || ended.Outcome != recovery.OutcomeRestored {
		t.Errorf("it has ended: %v", err)
	}
	s.wantRunning()
}

// settled is the content once the operator has come to rest.
func (s *stand) settled() map[string]string {
	s.t.Helper()
	for {
		k := s.kafka()
		if !k.PauseAnnotated || k.Status.IsPaused() {
			return s.content()
		}
	}
}

func (s *stand) wantResumed(left, operation string) {
	s.t.Helper()
	result, err := recovery.Resume(s.t.Context(), s.target(operation), recovery.Repeated{}, s.in(left))
	var ended *recovery.EndedError
	if errors.As(err, &ended) && ended.Outcome == recovery.OutcomeRestored {
		s.wantRunning() // it died when everything was done and said
		return
	}
	if err != nil || result.Outcome != recovery.OutcomeRestored || result.Code() != exitcode.OK {
		s.t.Fatalf("%v %+v", err, result)
	}
	s.wantRunning()
}

func (s *stand) wantUndone(left, operation string, start map[string]string) {
	s.t.Helper()
	deps := s.in(left)
	result, err := recovery.Undo(s.t.Context(), s.target(operation), deps)
	if err != nil || result.Outcome != recovery.OutcomeUndone || result.Code() != exitcode.OK {
		s.t.Fatalf("%v %+v", err, result)
	}
	if diff := cmp.Diff(start, s.content()); diff != "" {
		s.t.Errorf("before the operation and after its undo (-before +after):\n%s\n%+v", diff, result)
	}
	var ended *recovery.EndedError
	if _, err = recovery.Undo(s.t.Context(), s.target(operation), deps); !errors.As(err, &ended) {
		s.t.Errorf("what is undone cannot be undone again: %v", err)
	}
}

func (s *stand) wantStopped(left, operation string) {
	s.t.Helper()
	deps := s.in(left)
	var passed *recovery.PassedError
	if _, err := recovery.Undo(s.t.Context(), s.target(operation), deps); !errors.As(err, &passed) {
		s.t.Fatalf("it was un-paused, and cannot be undone: %v", err)
	}
	result, err := recovery.Stop(s.t.Context(), s.target(operation), deps)
	if err != nil || result.Outcome != recovery.OutcomeStopped || len(result.Irreversible) == 0 {
		s.t.Fatalf("%v %+v", err, result)
	}
	if k := s.kafka(); !k.PauseAnnotated || len(s.pods()) > 0 {
		s.t.Errorf("it must be paused without a pod: %v", s.pods())
	}
	s.wantNothingLeft()
}
