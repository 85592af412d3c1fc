package e2e_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

const messages = 1000

// story is one Kafka cluster in a namespace of its own, with an operator beside it.
type story struct {
	*testing.T
	*ground.Kafka
	ctx    context.Context
	before state
}

// state is all that must be the same after a recovery.
type state struct {
	ClusterID string
	Layout    map[string]string
	Content   ground.Content
}

func newStory(t *testing.T, namespace string, operator ground.Operator) *story {
	t.Helper()
	w := theWorld(t)
	s := &story{T: t, Kafka: w.NewKafka(namespace, "my-cluster"), ctx: t.Context()}
	s.must(w.Namespace(s.ctx, namespace, nil))
	t.Cleanup(func() {
		if t.Failed() {
			s.tell()
		}
		if !w.Keep {
			s.check(s.DeleteNamespace(context.Background(), namespace))
		}
	})
	s.must(w.InstallOperator(s.ctx, namespace, operator))
	return s
}

func (s *story) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *story) check(err error) {
	s.Helper()
	if err != nil {
		s.Error(err)
	}
}

// running brings the cluster up with messages in it and remembers what it holds.
func (s *story) running(spareVolumes int) {
	s.Helper()
	s.must(s.Volumes(s.ctx, spareVolumes))
	s.must(s.Create(s.ctx, false))
	s.must(s.WaitFor(s.ctx, "Ready", waitForKafka))
	if s.EntityOperator { // it makes the user of Produce
		s.must(s.WaitForEntities(s.ctx, waitForEntities))
	}
	s.must(s.Produce(s.ctx, messages))
	s.before = s.state()
	if s.before.ClusterID == "" || len(s.before.Content.TopicIDs) == 0 {
		s.Fatalf("the cluster cannot be told apart before its loss: %+v", s.before)
	}
	s.Logf("cluster %s is up with %d messages", s.before.ClusterID, len(s.before.Content.Messages))
}

func (s *story) state() state {
	s.Helper()
	id, err := s.ClusterID(s.ctx)
	s.must(err)
	layout, err := s.Layout(s.ctx)
	s.must(err)
	content, err := s.Read(s.ctx, messages)
	s.must(err)
	return state{id, layout, content}
}

// planted gives the namespace the volumes and claims of a cluster that ran elsewhere and was lost.
func (s *story) planted(p ground.Planting) {
	s.Helper()
	seed := theSeed(s.T)
	s.must(s.Plant(s.ctx, seed, p))
	layout, err := s.Layout(s.ctx)
	s.must(err)
	s.before = state{seed.ClusterID, layout, seed.Content}
}

// crashLooping applies the resources as if nothing had been there, so that the cluster starts with a random ID.
func (s *story) crashLooping() {
	s.Helper()
	s.must(s.Create(s.ctx, false))
	line, err := s.WaitForCrash(s.ctx, "Invalid cluster.id", waitForKafka)
	s.must(err)
	s.Logf("seen in a pod: %s", line)
}

// run runs the tool in the story's namespace and requires the exit code.
func (s *story) run(code int, args ...string) ground.Result {
	s.Helper()
	result, err := theTool(s.T).Run(s.ctx, nil, slices.Concat(args, []string{"--namespace", s.Namespace})...)
	s.must(err)
	if result.Code != code {
		s.Fatalf("exit code %d is documented for this, got:\n%s", code, result)
	}
	s.Logf("%s", result)
	return result
}

// says requires that a run named something, on either stream.
func (s *story) says(result ground.Result, texts ...string) {
	s.Helper()
	for _, text := range texts {
		if !strings.Contains(result.Stdout+result.Stderr, text) {
			s.Errorf("the run must say %q:\n%s", text, result)
		}
	}
}

// lost deletes the resources and applies them again as they were, so that the new cluster crash-loops.
func (s *story) lost() {
	s.Helper()
	s.must(s.Delete(s.ctx))
	s.crashLooping()
}

// recovered requires that the cluster is the one it was: same ID, topics, messages and offsets, a user who logs in with
// the password of before, the same volume under
// every node, and no claim that was not there.
func (s *story) recovered() {
	s.Helper()
	s.must(s.WaitFor(s.ctx, "Ready", waitForKafka))
	if diff := cmp.Diff(s.before, s.state()); diff != "" {
		s.Fatalf("the recovered cluster is not the one that was lost (-before +after):\n%s", diff)
	}
}

// tell says what the cluster looks like when a story failed.
func (s *story) tell() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if kafka, err := s.Get(ctx); err == nil {
		s.Logf("Kafka status: %v", kafka.Object["status"])
	}
	pods, err := s.Pods(ctx)
	if err != nil {
		s.Logf("pods: %v", err)
	}
	for i := range pods {
		log, logErr := s.PodLog(ctx, pods[i].Name)
		if len(log) > 2000 {
			log = log[len(log)-2000:]
		}
		s.Logf("pod %s: %v\n%s%v", pods[i].Name, pods[i].Status.Phase, log, logErr)
	}
}
