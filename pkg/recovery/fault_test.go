package recovery_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
)

// requests is about as many as a restore on the stand-in makes; a fault of a later one is never met.
const requests = 165

// One request of a restore is answered with a fault. The run ends right, or it stops with the reason, and another run
// goes on to the same end.
func TestAnyRequestMayFail(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	const seed = 20261124
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // a seeded choice, so that a failure can be repeated
	for range 6 {
		for _, fault := range recoverytest.Faults() {
			number := 1 + random.IntN(requests)
			t.Run(fmt.Sprintf("%d %s", number, fault), func(t *testing.T) {
				t.Parallel()
				s := newStand(t, d, number%2 == 0)
				s.settled()
				s.patience = 150 * time.Millisecond
				f := &recoverytest.Faulty{Number: number, Fault: fault}
				deps := s.deps()
				deps.Kube = s.clientThrough(func(next http.RoundTripper) http.RoundTripper { f.Next = next; return f })
				result, err := recovery.Restore(t.Context(), s.request(), deps)
				t.Logf("failed was %q: %v", f.Hit(), err)
				if result.Outcome == recovery.OutcomeRestored && err == nil {
					s.wantRunning()
					return
				}
				if err == nil || result.Operation == "" && f.Hit() == "" {
					t.Fatalf("it must say why it did not come to its end: %+v", result)
				}
				s.goOn(result)
			})
		}
	}
}

// goOn brings a run that stopped to the end, by going on with it, or by restoring again where there is nothing to go on
// with.
func (s *stand) goOn(stopped *recovery.Result) {
	s.t.Helper()
	s.expireLease()
	rec, err := recovery.LoadHere(s.state, stopped.Operation)
	if err == nil && rec.State() != recovery.StateEnded {
		result, err := recovery.Resume(s.t.Context(), s.target(stopped.Operation), recovery.Repeated{}, s.deps())
		if err != nil || result.Outcome != recovery.OutcomeRestored {
			s.t.Fatalf("go on: %v %+v", err, result)
		}
		s.wantRunning()
		return
	}
	result, err := recovery.Restore(s.t.Context(), s.request(), s.deps())
	if err != nil || (result.Outcome != recovery.OutcomeRestored && result.Outcome != recovery.OutcomeAlreadyRight) {
		s.t.Fatalf("restore again: %v %+v", err, result)
	}
	s.wantRunning()
}
