package recovery_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

func (g *ground) undo(
	state, operation string, change func(*recovery.Target, *recovery.Deps),
) (*recovery.Reversal, error) {
	g.t.Helper()
	target, deps := recovery.Target{Namespace: g.ns, Operation: operation}, g.deps()
	deps.StateDir = state
	if change != nil {
		change(&target, &deps)
	}
	undone, err := recovery.Undo(g.t.Context(), target, deps)
	if undone != nil {
		g.follows(undone)
	}
	return undone, err
}

// content is everything a restore may touch, as text by object, but for what an undo leaves on purpose (Retain), what
// the API server counts (versions, managed fields) and what the operator says of its own rounds.
func (g *ground) content() map[string]string {
	g.t.Helper()
	out := map[string]string{}
	add := func(gvr schema.GroupVersionResource, ns, labels string) {
		list, err := g.client.List(g.t.Context(), gvr, ns, kube.ListOptions{LabelSelector: labels})
		if err != nil {
			g.t.Fatal(err)
		}
		for i := range list.Items {
			u := &list.Items[i]
			for _, f := range [][]string{
				{"metadata", "resourceVersion"}, {"metadata", "managedFields"}, {"status", "conditions"},
				{"status", "observedGeneration"}, {"status", "clusterSecurity"}, {"status", "kafkaNodePools"},
				{"status", "kafkaVersion"}, {"status", "kafkaMetadataVersion"}, {"status", "kafkaMetadataState"},
				{"status", "lastPhaseTransitionTime"}, {"spec", "persistentVolumeReclaimPolicy"},
				{"metadata", "annotations", "kafkarecover.io/reclaim-policy-before"},
			} {
				unstructured.RemoveNestedField(u.Object, f...)
			}
			if len(u.GetAnnotations()) == 0 {
				u.SetAnnotations(nil)
			}
			if status, _, _ := unstructured.NestedMap(u.Object, "status"); len(status) == 0 {
				delete(u.Object, "status") // an empty one is stored where the last field of it was removed
			}
			text, err := json.MarshalIndent(u.Object, "", " ")
			if err != nil {
				g.t.Fatal(err)
			}
			out[gvr.Resource+"/"+u.GetName()] = string(text)
		}
	}
	for _, gvr := range []schema.GroupVersionResource{
		strimzi.KafkaGVR("v1"), strimzi.NodePoolGVR("v1"), kube.Claims(), kube.ResourceQuotas(), kube.Leases(),
	} {
		add(gvr, g.ns, "")
	}
	add(kube.ConfigMaps(), g.ns, recovery.ManagedByLabel+"="+recovery.ManagedBy)
	add(kube.Volumes(), "", "ground="+g.ns)
	return out
}

// starts are the ways a cluster may be found.
var starts = map[string]func(*ground){
	"paused": func(g *ground) {
		g.kafka(map[string]string{pauseAnnotation: "true"})
		g.eventually("the operator to pause", func() bool { k := g.status(); return k.Status.IsPaused() })
	},
	"crash-looping": func(g *ground) {
		g.kafka(nil)
		g.eventually("pods to crash-loop", func() bool { return g.crashLooping() == 6 })
	},
}

func (g *ground) wantUndone(left, operation string, before map[string]string) {
	g.t.Helper()
	result, err := g.undo(left, operation, nil)
	if err != nil || result.Outcome != recovery.OutcomeUndone || result.Code() != exitcode.OK {
		g.t.Fatalf("%v %+v", err, result)
	}
	if diff := cmp.Diff(before, g.content()); diff != "" {
		g.t.Errorf("before the operation and after its undo (-before +after):\n%s", diff)
	}
	_, err = g.undo(left, operation, nil)
	var ended *recovery.EndedError
	if !errors.As(err, &ended) {
		g.t.Errorf("what is undone cannot be undone again: %v", err)
	}
}

func TestARunThatDiedIsUndoneToTheSameStart(t *testing.T) {
	t.Parallel()
	for i, point := range recoverytest.Points() {
		if point.Passed {
			continue
		}
		start := []string{"paused", "crash-looping"}[i%2]
		t.Run(point.Title+", "+start, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			g.operator(nil)
			starts[start](g)
			before := g.content()
			left, operation, died := g.kill(point.At, point.Before)
			if died == "" {
				t.Fatal("it must have died")
			}
			if i%3 == 0 {
				left = elsewhere(t)
			}
			g.wantUndone(left, operation, before)
		})
	}
}

// Every line of the journal in turn is the last thing a run does, and another run takes it back.
func TestDyingAfterEveryLineAndUndoing(t *testing.T) {
	full(t)
	t.Parallel()
	for line := range mostLines {
		t.Run(fmt.Sprintf("line %d", line+1), func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			g.operator(nil)
			starts[[]string{"paused", "crash-looping"}[line%2]](g)
			before := g.content()
			passed := false
			unpaused := recoverytest.Unpausing(recovery.PhaseDone)
			left, operation, died := g.kill(func(n int, e recovery.Entry) bool {
				passed = passed || unpaused(n, e)
				return n == line+1
			}, line%3 == 1)
			switch {
			case died == "":
				return // the journal is shorter
			case line+1 == mostLines:
				t.Error("the sweep ends before the journal does")
			case passed:
				g.wantNotUndone(left, operation)
				return
			}
			g.wantUndone(left, operation, before)
		})
	}
}

// wantNotUndone requires an operation past its point of no return to be stopped, not undone.
func (g *ground) wantNotUndone(left, operation string) {
	g.t.Helper()
	before := g.status()
	_, err := g.undo(left, operation, nil)
	var passed *recovery.PassedError
	if !errors.As(err, &passed) || len(passed.Irreversible) == 0 {
		g.t.Fatalf("it was un-paused: %v", err)
	}
	if after := g.status(); before.PauseAnnotated != after.PauseAnnotated {
		g.t.Error("a refused undo must not pause")
	}
	g.wantStopped(left, operation)
}

func TestWhatSomebodyElseChangedIsLeftAndNamed(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	starts["crash-looping"](g)
	left, operation, _ := g.kill(recoverytest.FirstOf(recovery.StepQuota, recovery.PhaseDone), false)
	g.patchStatus(strimzi.NodePoolGVR("v1").Resource, "broker", `{"status":{"clusterId":"5L6g3nShT-eMCtK--X86sw"}}`)

	result, err := g.undo(left, operation, nil)
	if err != nil || result.Outcome != recovery.OutcomePartlyUndone || result.Code() != exitcode.Refused {
		t.Fatalf("%v %+v", err, result)
	}
	var told string
	for _, o := range result.Objects {
		if o.State == recovery.UndoLeft && strings.Contains(o.Object, "/broker") {
			told = o.Note
		}
	}
	for _, want := range []string{"5L6g3nShT-eMCtK--X86sw", "somebody-else"} {
		if !strings.Contains(told, want) {
			t.Errorf("want %q told of what was left: %q", want, told)
		}
	}
	kafka := g.status()
	if !kafka.PauseAnnotated {
		t.Error("with something left the operator must not go on: it stays paused")
	}
	if kafka.Status.ClusterID != nil {
		t.Error("what could be put back must be: the ID in the status of the Kafka resource")
	}
	// Once it is as the tool left it, undoing goes on to the end.
	g.patchStatus(strimzi.NodePoolGVR("v1").Resource, "broker", `{"status":{"clusterId":"`+clusterID+`"}}`)
	result, err = g.undo(left, operation, nil)
	if err != nil || result.Outcome != recovery.OutcomeUndone {
		t.Fatalf("%v %+v", err, result)
	}
	if g.status().PauseAnnotated {
		t.Error("it was not paused before")
	}
}

// A journal is input: whoever may write a ConfigMap must not have others write for him.
func TestAForgedJournalIsRefused(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	starts["paused"](g)
	_, operation, _ := g.kill(recoverytest.FirstOf(recovery.StepQuota, recovery.PhaseDone), false)
	for title, change := range map[string]recovery.Change{
		"another kind": {
			Object: recovery.ObjectRef{APIVersion: "v1", Kind: "Secret", Namespace: g.ns, Name: "x"}, Verb: "patch",
			Patch: []byte(`{"data":{"a":"b"}}`),
		},
		"another namespace": {
			Object: recovery.ObjectRef{Kind: "ResourceQuota", Namespace: "kube-system", Name: "x"}, Verb: "create",
		},
		"another verb": {
			Object: recovery.ObjectRef{Kind: "ResourceQuota", Namespace: g.ns, Name: "x"}, Verb: "apply",
		},
	} {
		journal, err := g.typed.CoreV1().ConfigMaps(g.ns).Get(t.Context(), "kafkarecover-"+operation, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		entries := len(journal.Data)
		last := recovery.Entry{
			Seq: entries + 1, Phase: recovery.PhaseIntent, Step: "pause", Changes: []recovery.Change{change},
		}
		text, err := json.Marshal(last)
		if err != nil {
			t.Fatal(err)
		}
		journal.Data[fmt.Sprintf("%06d", last.Seq)] = string(text)
		if _, err := g.typed.CoreV1().ConfigMaps(g.ns).Update(t.Context(), journal, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		before := g.versions()
		_, err = g.undo(elsewhere(t), operation, nil)
		var forged *recovery.JournalError
		if !errors.As(err, &forged) {
			t.Errorf("%s: %v", title, err)
		}
		g.wantSameVersions(before)
		if journal, err = g.typed.CoreV1().ConfigMaps(g.ns).Get(t.Context(), journal.Name, metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}
		delete(journal.Data, fmt.Sprintf("%06d", last.Seq))
		if _, err := g.typed.CoreV1().ConfigMaps(g.ns).Update(t.Context(), journal, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// A run that is taken for dead and is not makes no further change once another has taken over.
func TestARunThatDiedAndWakesUpDoesNothing(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	starts["paused"](g)
	var undone *recovery.Reversal
	var undoErr error
	result, err := g.restore(func(_ *recovery.Request, d *recovery.Deps) {
		sleeper := &recoverytest.Sleeper{WithTicker: d.Clock}
		d.Clock = sleeper
		g.onStep(recovery.StepClusterID, func() {
			g.expireLease()
			entries, err := g.operations()
			if err != nil {
				t.Error(err)
				return
			}
			undone, undoErr = g.undo(elsewhere(t), entries, nil)
			sleeper.Sleep(10 * time.Minute)
		})
	})
	if undoErr != nil || undone.Outcome != recovery.OutcomeUndone {
		t.Fatalf("the run slept, and its lease had expired: %v %+v", undoErr, undone)
	}
	if err == nil || result.Outcome == recovery.OutcomeRestored {
		t.Fatalf("it must notice that it no longer holds the lock: %+v", result)
	}
	if g.status().Status.ClusterID != nil {
		t.Error("it wrote the cluster ID after its lock was taken over")
	}
}
