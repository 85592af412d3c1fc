package recovery_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

var errStays = errors.New("a finalizer holds it")

// The temporary pods that read the volumes while paused end beside the steps that follow. They are gone before any pod
// of Kafka may start, whatever becomes of the run.
func TestTheReadersAreGoneBeforeKafkaStarts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		// stays has the wait end with an error; lost has another person's change end the run before the wait is due.
		stays, lost bool
		want        recovery.Outcome
		reason      string
	}{
		"they end":               {false, false, recovery.OutcomeRestored, ""},
		"one stays":              {true, false, recovery.OutcomeLeftPaused, errStays.Error()},
		"the run ends meanwhile": {false, true, recovery.OutcomeLeftPaused, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, unpackDisks(t), true)
			s.settled()
			deps, waits := s.deps(), 0
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			deps.Look = func(ctx context.Context, req recovery.LookRequest) (*recovery.Observation, error) {
				if req.Leave != nil {
					req.Leave(func(ctx context.Context) error {
						waits++
						if _, bounded := ctx.Deadline(); bounded {
							t.Error("a pod that stays must not use up the time for giving back the lock")
						}
						if k := s.kafka(); !k.PauseAnnotated {
							t.Error("Kafka was un-paused beside a temporary pod")
						}
						if tc.stays {
							return errStays
						}
						return nil
					})
					if tc.lost {
						defer cancel()
					}
				}
				return s.look(ctx, req)
			}
			result, err := recovery.Restore(ctx, s.request(), deps)
			if waits != 1 {
				t.Errorf("the pods' end was waited for %d times", waits)
			}
			fails := tc.stays || tc.lost
			if result.Outcome != tc.want || !strings.Contains(result.Reason, tc.reason) || (err != nil) != fails {
				t.Errorf("got %q because of %q, and %v", result.Outcome, result.Reason, err)
			}
			if tc.want == recovery.OutcomeLeftPaused && !s.kafka().PauseAnnotated {
				t.Error("it is said to be left paused")
			}
		})
	}
}
