package recovery_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// races is how many seeds are tried; `make test-full` tries a thousand.
var races = flag.Uint64("races", 16, "runs of a restore beside an operator that races with it")

// racer stands in for an operator that loses what is written between its two reads, as the real one does: a reconcile
// holds the cluster ID of its beginning in memory and writes it at its end, whatever the status says by then, paused or
// not (KafkaAssemblyOperator: reconcile, updateStatus). What happens while it works is noticed, or not until its timer.
// All times are drawn from a seed.
type racer struct {
	*stand
	ctx context.Context

	mu     sync.Mutex // the numbers are drawn by several
	random *rand.Rand
	// working is held by the reconcile under way: the operator has one lock for each Kafka resource.
	working sync.Mutex
	// paused tells that a pause was seen: what is un-paused after it has the recovered ID.
	paused bool
}

func (r *racer) upTo(d time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(r.random.Int64N(int64(d) + 1))
}

func (r *racer) pass(d time.Duration) {
	select {
	case <-r.ctx.Done():
	case <-time.After(d):
	}
}

func (r *racer) get() (*unstructured.Unstructured, strimzi.Kafka) {
	u := &unstructured.Unstructured{Object: r.server.Get(strimzi.KafkaGVR("v1"), standNamespace, standCluster)}
	return u, strimzi.ParseKafka(u.Object)
}

// operate runs until the test ends.
func (r *racer) operate() {
	ctx, cancel := context.WithCancel(context.Background())
	r.ctx = ctx
	var ended sync.WaitGroup
	ended.Go(func() {
		seen := ""
		for n := 0; ctx.Err() == nil; n++ {
			u, _ := r.get()
			timer := r.upTo(10) == 0
			if u.GetResourceVersion() == seen && !timer {
				r.pass(2 * time.Millisecond)
				continue
			}
			r.working.Lock()
			r.reconcile()
			r.working.Unlock()
			if r.upTo(1) == 0 { // what came meanwhile found the lock held, and is forgotten until the timer
				u, _ = r.get()
			}
			seen = u.GetResourceVersion()
		}
	})
	ended.Go(func() {
		for ctx.Err() == nil {
			r.count(ctx)
			r.pass(10 * time.Millisecond)
		}
	})
	r.t.Cleanup(func() { cancel(); ended.Wait() })
}

func (r *racer) reconcile() {
	_, kafka := r.get()
	id := clusterIDOf(&kafka)
	if kafka.PauseAnnotated {
		r.paused = true
		r.pass(r.upTo(60 * time.Millisecond))
		r.write(kubetest.Object{"clusterId": id, "conditions": []any{
			kubetest.Object{"type": "ReconciliationPaused", "status": "True"},
		}})
		return
	}
	if r.paused && id != any(r.disks.clusterID) {
		r.t.Errorf("un-paused with cluster ID %v", id)
	}
	if id != any(r.disks.clusterID) { // it makes one, the pods crash, and it waits for them until its timeout
		if id == nil {
			id = fmt.Sprintf("random-%d", r.upTo(time.Hour))
		}
		r.pass(r.upTo(60 * time.Millisecond))
		r.write(kubetest.Object{"clusterId": id, "conditions": []any{
			kubetest.Object{"type": "NotReady", "status": "True", "reason": "TimeoutException"},
		}})
		return
	}
	r.start(r.ctx, r.disks.clusterID)
	r.pass(r.upTo(15 * time.Millisecond))
	r.write(kubetest.Object{
		"clusterId": id, "observedGeneration": kafka.Generation, "operatorLastSuccessfulVersion": "1.2.0",
		"conditions": []any{kubetest.Object{"type": "Ready", "status": "True"}},
	})
}

// write reads once more and replaces the status of what is there now: nothing conflicts with what was written since the
// first read. A status that says the same is not written.
func (r *racer) write(status kubetest.Object) {
	if r.ctx.Err() != nil {
		return
	}
	u, kafka := r.get()
	if status["clusterId"] == clusterIDOf(&kafka) && kafka.Status.IsPaused() && !kafka.Status.HasMarker() &&
		status["observedGeneration"] == nil {
		return
	}
	r.setStatus(r.ctx, u, status)
}

// patient is a clock on which a wait lasts until the reconcile that is under way has ended too: the settle time is
// chosen to be longer than what passes between the operator's two reads.
type patient struct {
	recoverytest.Fast
	racer *racer
}

// NewTimer implements clock.Clock.
func (p patient) NewTimer(d time.Duration) clock.Timer {
	t := &patientTimer{Timer: p.Fast.NewTimer(d), ended: make(chan time.Time, 1), stopped: make(chan struct{})}
	go func() {
		select {
		case <-t.stopped:
		case at := <-t.Timer.C():
			p.racer.working.Lock()
			defer p.racer.working.Unlock()
			t.ended <- at
		}
	}()
	return t
}

type patientTimer struct {
	clock.Timer
	ended   chan time.Time
	stopped chan struct{}
	once    sync.Once
}

// Stop implements clock.Timer.
func (t *patientTimer) Stop() bool {
	t.once.Do(func() { close(t.stopped) })
	return t.Timer.Stop()
}

// C implements clock.Timer.
func (t *patientTimer) C() <-chan time.Time { return t.ended }

// Whatever the operator is in the middle of, at whatever moment: a cluster is un-paused with the recovered ID in its
// status, or left paused with the reason, and then another run goes on to the same end.
func TestNoIDIsLostWhateverTheOperatorDoesMeanwhile(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	for seed := range *races {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := &racer{
				stand: newStandAlone(t, d, seed%3 == 0), random: rand.New(rand.NewPCG(seed, seed)), //nolint:gosec // as above
			}
			r.operate()
			if seed%2 == 0 { // what a cluster that was created again has got
				_, err := r.client.Patch(t.Context(), strimzi.KafkaGVR("v1"), standNamespace, standCluster, kube.Patch{
					Type: kube.MergePatch, Subresource: "status",
					Body: kubetest.Object{"status": kubetest.Object{"clusterId": "random"}},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			r.pass(r.upTo(30 * time.Millisecond))
			deps := r.deps()
			deps.Clock = patient{racer: r}
			req := r.request()
			req.PauseTimeout, req.Settle = 5*time.Minute, 3*time.Second
			result, err := recovery.Restore(t.Context(), req, deps)
			for tries := 1; result != nil && result.Outcome == recovery.OutcomeLeftPaused && tries < 4; tries++ {
				if !r.kafka().PauseAnnotated || err == nil && result.Reason == "" {
					t.Fatalf("it is said to be left paused, without a reason: %v", err)
				}
				t.Logf("left paused: %s", result.Reason)
				result, err = recovery.Resume(t.Context(), r.target(result.Operation), recovery.Repeated{}, deps)
			}
			if err != nil || result.Outcome != recovery.OutcomeRestored {
				t.Fatalf("it came to no end: %v, %s: %s", err, result.Outcome, result.Reason)
			}
			r.wantRunning()
		})
	}
}
