package recovery

import (
	"errors"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
)

// A cluster that is not the one that was lost must not look like one that was merely slow.
func TestAFailedCheckIsNotMistakenForOneThatWasNotMade(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		seen, want Outcome
		code       exitcode.Code
	}{
		"a check failed":           {OutcomeWrong, OutcomeWrong, exitcode.Refused},
		"not ready in time":        {OutcomeLeftPaused, OutcomeUnverified, exitcode.Incomplete},
		"verified, not cleared up": {OutcomeRestored, OutcomeUnverified, exitcode.Incomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &run{unpaused: true, result: &Result{Outcome: tt.seen}}
			r.afterFailure(StepVerify, errors.New("verify the cluster"))
			if r.result.Outcome != tt.want || r.result.Code() != tt.code {
				t.Errorf("got %s, code %d, want %s, code %d", r.result.Outcome, r.result.Code(), tt.want, tt.code)
			}
		})
	}
}
