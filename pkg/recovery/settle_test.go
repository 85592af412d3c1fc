package recovery_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	obj "github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// noting is a fast clock that notes what is waited for.
type noting struct {
	recoverytest.Fast

	mu    sync.Mutex
	waits []time.Duration
}

func (n *noting) NewTimer(d time.Duration) clock.Timer {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waits = append(n.waits, d)
	return n.Fast.NewTimer(d)
}

// An operator that writes over the ID each time is given twice as long to rest each time, and then it is left paused.
func TestAnOperatorThatWritesOverTheIDIsGivenLongerEachTime(t *testing.T) {
	t.Parallel()
	s := newStand(t, unpackDisks(t), true)
	s.settled()
	noted := &noting{}
	deps := s.deps()
	deps.Clock = noted
	deps.Report = waiting{on: recovery.StepSettle, do: func() {
		s.change(strimzi.KafkaGVR("v1"), standCluster, func(o kubetest.Object) {
			obj.Map(o, "status")["clusterId"] = randomID
		})
	}}
	req := s.request()
	req.Settle = 7 * time.Second // nothing else waits for as long
	result, err := recovery.Restore(t.Context(), req, deps)
	if err == nil || result.Outcome != recovery.OutcomeLeftPaused || !s.kafka().PauseAnnotated {
		t.Fatalf("an ID that does not stay is never un-paused: %v %s", err, result.Outcome)
	}
	var rests []time.Duration
	for _, d := range noted.waits {
		if d >= req.Settle {
			rests = append(rests, d)
		}
	}
	const s7 = 7 * time.Second // before each of five looks, and after each of the first four
	want := []time.Duration{s7, s7, s7, 2 * s7, s7, 4 * s7, s7, 8 * s7, s7}
	if !slices.Equal(rests, want) {
		t.Errorf("it waited %v, want %v", rests, want)
	}
}
