package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
)

// waiting is a reporter that does something when a step waits.
type waiting struct {
	quiet
	on recovery.StepID
	do func()
}

func (w waiting) Waiting(step recovery.StepID, _ string) {
	if step == w.on {
		w.do()
	}
}

func TestGivingUpWaitingForTheOperatorsPodsScalesItBack(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	stuck := func(l *lost) { // it ends when its last reconcile does
		l.server.Put(kube.Pods(), kubetest.Object{
			"apiVersion": "v1", "kind": "Pod", "metadata": kubetest.Object{
				"namespace": operatorNamespace, "name": "operator-1", "labels": kubetest.Object{"name": operatorName},
			},
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		l := newLost(t, d, true)
		stuck(l)
		ctx, interrupt := context.WithCancel(t.Context())
		deps := l.deps()
		deps.Report = waiting{on: recovery.StepHoldOperator, do: interrupt}
		if _, err := recovery.Restore(ctx, l.hold(), deps); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		l.wantHeldNoMore()
	})
	t.Run("timed out", func(t *testing.T) {
		t.Parallel()
		l := newLost(t, d, true)
		stuck(l)
		clock := &recoverytest.Sleeper{WithTicker: recoverytest.Fast{}}
		deps := l.deps()
		deps.Clock, deps.Report = clock, waiting{on: recovery.StepHoldOperator, do: func() {
			if l.server.Get(kube.Pods(), operatorNamespace, "operator-0") == nil { // what is waited for is the one that is stuck
				clock.Sleep(time.Minute)
			}
		}}
		_, err := recovery.Restore(t.Context(), l.hold(), deps)
		if !kube.IsTimeout(err) || !strings.Contains(err.Error(), "1 pod of the operator is left") {
			t.Fatal(err)
		}
		if l.kafkaThere() {
			t.Error("Kafka was made while a pod of the operator was there")
		}
		l.wantHeldNoMore()
	})
}

func TestAHeldOperatorIsTakenUpOrGivenBack(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	points := map[string]recoverytest.When{}
	for _, step := range []recovery.StepID{
		recovery.StepHoldOperator, recovery.StepResources, recovery.StepScaleBack, recovery.StepPause,
	} {
		for _, phase := range []recovery.Phase{recovery.PhaseIntent, recovery.PhaseDone} {
			points[fmt.Sprintf("%s %s", step, phase)] = recoverytest.FirstOf(step, phase)
		}
	}
	points["kafka made"] = recoverytest.OfKind(recovery.StepResources, recovery.PhaseDone, "Kafka")
	for name, at := range points {
		for _, then := range []string{"resume", "undo"} {
			t.Run(name+" "+then, func(t *testing.T) {
				t.Parallel()
				l := newLost(t, d, true)
				start := l.content()
				before := (len(name)+len(then))%2 == 0 // the line reaches this machine alone
				left, operation, died := l.killAsked(l.hold(), at, before)
				if died == "" {
					t.Fatal("it was to die")
				}
				if !before { // another machine goes on
					left = ""
				}
				if then == "undo" {
					l.wantUndone(left, operation, start)
					l.wantHeldNoMore()
					return
				}
				result, err := recovery.Resume(t.Context(), l.target(operation), recovery.Repeated{
					Unattended: true, HoldOperator: true, Declared: l.manifests, Accept: d.accept,
				}, l.in(left))
				if err != nil || result.Outcome != recovery.OutcomeRestored {
					t.Fatalf("%v %s %v", err, refusal(result), result.Differences)
				}
				l.wantRunning()
				l.wantHeldNoMore()
			})
		}
	}
}

func TestHoldingIsAskedForAgainWhereNobodyIsAsked(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	l := newLost(t, d, true)
	left, operation, _ := l.killAsked(l.hold(), recoverytest.FirstOf(recovery.StepHoldOperator, recovery.PhaseDone), false)
	var again *recovery.NotRepeatedError
	_, err := recovery.Resume(t.Context(), l.target(operation), recovery.Repeated{
		Unattended: true, Declared: l.manifests, Accept: d.accept,
	}, l.in(left))
	if !errors.As(err, &again) || !slices.Equal(again.Flags, []string{"--hold-operator"}) {
		t.Errorf("want the flag asked for again: %v", err)
	}
	if got := l.next(operation); !strings.Contains(got, "deployment strimzi-cluster-operator --replicas=1") {
		t.Errorf("that the operator is away is told wherever the operation is: %s", got)
	}
	// Whoever declines leaves it as it was before all that.
	deps := l.in(left)
	deps.Confirm = func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) { return false, nil }
	result, err := recovery.Resume(t.Context(), l.target(operation), recovery.Repeated{Declared: l.manifests}, deps)
	if err != nil || result.Outcome != recovery.OutcomeDeclined {
		t.Fatalf("%v %s", err, refusal(result))
	}
	l.wantHeldNoMore()
	if got := l.next(operation); strings.Contains(got, "--replicas") {
		t.Errorf("it was given back: %s", got)
	}
}

// next is what status and report say can be done with an operation.
func (l *lost) next(operation string) string {
	l.t.Helper()
	rec, err := recovery.Load(l.t.Context(), l.client, l.t.TempDir(), standNamespace, operation)
	if err != nil {
		l.t.Fatal(err)
	}
	return strings.Join(rec.Next(), "\n")
}

func (l *lost) savedNamespace() *declared.Namespace {
	l.t.Helper()
	objects, err := declared.Load(l.t.Context(), []string{declared.Stdin}, strings.NewReader(
		"apiVersion: v1\nkind: Namespace\nmetadata: {name: "+standNamespace+"}\n"))
	if err != nil {
		l.t.Fatal(err)
	}
	picked, err := declared.PickNamespace(objects, standNamespace)
	if err != nil {
		l.t.Fatal(err)
	}
	return picked
}

// holdFirst is a request to make the namespace, too.
func (l *lost) holdFirst() recovery.Request {
	req := l.hold()
	req.NamespaceManifest = l.savedNamespace()
	l.server.Put(kube.ServiceAccounts(), kubetest.Object{
		"apiVersion": "v1", "kind": "ServiceAccount",
		"metadata": kubetest.Object{"namespace": standNamespace, "name": "default"},
	})
	return req
}

func TestTheOperatorIsAwayBeforeTheNamespaceIsThere(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	for name, tt := range map[string]struct {
		yes  int // how often it is confirmed
		want recovery.Outcome
	}{
		"declined at once":              {0, recovery.OutcomeDeclined},
		"declined when it was all read": {1, recovery.OutcomeDeclined},
		"confirmed":                     {2, recovery.OutcomeRestored},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLost(t, d, false)
			asked := 0
			deps := l.depsThrough(func(r *http.Request) *http.Response {
				if creates(r, "namespaces") && l.replicas() != 0 {
					t.Error("the namespace is made while the operator is there")
				}
				return nil
			})
			deps.Confirm = func(_ context.Context, p *recovery.Plan, _ []finding.Finding) (bool, error) {
				asked++
				if p.Steps[0].ID != recovery.StepHoldOperator || p.Steps[1].ID != recovery.StepNamespace {
					t.Errorf("the plan begins with %s, %s", p.Steps[0].ID, p.Steps[1].ID)
				}
				if !strings.Contains(p.Meanwhile(), "other/neighbour") {
					t.Errorf("it does not say whom else it concerns: %q", p.Meanwhile())
				}
				return asked <= tt.yes, nil
			}
			result, err := recovery.Restore(t.Context(), l.holdFirst(), deps)
			if err != nil || result.Outcome != tt.want {
				t.Fatalf("%v %s %s", err, result.Outcome, refusal(result))
			}
			l.wantHeldNoMore()
			if made := l.server.Get(kube.Namespaces(), "", standNamespace) != nil; made != (tt.yes > 0) {
				t.Errorf("the namespace is there: %t", made)
			}
			if tt.yes == 0 && len(l.writesTo("deployments")) > 0 {
				t.Error("the operator was touched before that was confirmed")
			}
		})
	}
}

// A run that dies before the namespace is there has its journal on this machine alone.
func TestAnOperatorHeldForANamespaceThatNeverCameIsGivenBack(t *testing.T) {
	t.Parallel()
	l := newLost(t, unpackDisks(t), false)
	ctx, die := context.WithCancel(t.Context())
	deps := l.depsThrough(func(r *http.Request) *http.Response {
		if creates(r, "namespaces") {
			die()
		}
		if ctx.Err() != nil {
			return forbidden(r)
		}
		return nil
	})
	result, err := recovery.Restore(ctx, l.holdFirst(), deps)
	if err == nil || l.replicas() != 0 || !strings.Contains(strings.Join(result.Next, "\n"), "--replicas=1") {
		t.Fatalf("it was to die with the operator away: %v %q", err, result.Next)
	}
	rec, err := recovery.LoadHere(l.state, result.Operation)
	if err != nil || rec.State() == recovery.StateEnded {
		t.Fatalf("there is something left to do: %v %s", err, rec.State())
	}
	resumed, err := recovery.Resume(t.Context(), l.target(result.Operation), recovery.Repeated{Declared: l.manifests}, l.deps())
	if err == nil || !strings.Contains(strings.Join(resumed.Next, "\n"), "--replicas=1") {
		t.Errorf("without a namespace nothing can be gone on with, and the operator is away: %v %+v", err, resumed)
	}
	undone, err := recovery.Undo(t.Context(), l.target(result.Operation), l.deps())
	if err != nil || undone.Outcome != recovery.OutcomeUndone {
		t.Fatalf("%v %+v", err, undone)
	}
	l.wantHeldNoMore()
}

func TestAHeldOperatorIsGivenBackToStop(t *testing.T) {
	t.Parallel()
	l := newLost(t, unpackDisks(t), true)
	left, operation, _ := l.killAsked(l.hold(),
		recoverytest.OfKind(recovery.StepResources, recovery.PhaseDone, "Kafka"), false)
	result, err := recovery.Stop(t.Context(), l.target(operation), l.in(left))
	if err != nil || result.Outcome != recovery.OutcomeStopped {
		t.Fatalf("%v %+v", err, result)
	}
	l.wantHeldNoMore()
}

// A journal is input: whoever may write it must not have others scale what is no operator, or by any number.
func TestAForgedJournalScalesNothingElse(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	for name, tt := range map[string]struct {
		forge func(text string) string
		live  func(*lost)
	}{
		"a hundred replicas": {func(text string) string {
			return strings.ReplaceAll(text, `"before":{"spec":{"replicas":1}}`, `"before":{"spec":{"replicas":100}}`)
		}, func(*lost) {}},
		"no operator": {func(text string) string { return text }, func(l *lost) {
			l.changeOperator(func(o kubetest.Object) {
				o["spec"].(kubetest.Object)["template"].(kubetest.Object)["metadata"] = kubetest.Object{}
			})
		}},
		"another one of its name": {func(text string) string {
			return strings.ReplaceAll(text, "uid-"+operatorName, "uid-other")
		}, func(*lost) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLost(t, d, true)
			_, operation, _ := l.killAsked(l.hold(),
				recoverytest.FirstOf(recovery.StepHoldOperator, recovery.PhaseDone), false)
			tt.live(l)
			l.rewriteJournal(operation, tt.forge)
			if _, err := recovery.Undo(t.Context(), l.target(operation), l.in("")); err != nil {
				t.Logf("refused: %v", err)
			}
			if n := l.replicas(); n != 0 {
				t.Errorf("it has %d replicas", n)
			}
		})
	}
}

// rewriteJournal changes the copy of a journal in the cluster.
func (l *lost) rewriteJournal(operation string, change func(string) string) {
	l.t.Helper()
	list, err := l.client.List(l.t.Context(), kube.ConfigMaps(), standNamespace, kube.ListOptions{
		LabelSelector: recovery.OperationLabel + "=" + operation,
	})
	if err != nil || len(list.Items) == 0 {
		l.t.Fatal(err)
	}
	for i := range list.Items {
		data, _ := list.Items[i].Object["data"].(map[string]any)
		for key, text := range data {
			data[key] = change(text.(string))
		}
		l.server.Put(kube.ConfigMaps(), list.Items[i].Object)
	}
}
