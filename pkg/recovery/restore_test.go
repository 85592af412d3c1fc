package recovery_test

import (
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

func TestAMisStartedClusterIsRestored(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operate()
	result, err := g.restore(nil)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %s %s %+v", err, result.Outcome, result.Reason, result.Refusals)
	}
}
