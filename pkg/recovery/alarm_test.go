package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// Lines of Kafka 4.2.0, recorded; see pkg/alarm.
const (
	controller3 = cluster + "-controller-3"
	formats     = "Formatting metadata directory /var/lib/kafka/data-0/kafka-log3 with metadata.version 4.2-IV1."
	cuts        = "2026-11-26 11:41:58 INFO  [kafka-3-raft-io-thread] UnifiedLog:2332 - [UnifiedLog " +
		"partition=__cluster_metadata-0, dir=/var/lib/kafka/data-0/kafka-log3] Truncating to offset 32"
	otherIDs = `Exception in thread "main" java.lang.RuntimeException: Invalid cluster.id in: ` +
		"/var/lib/kafka/data-0/kafka-log3/meta.properties. Expected WfgV0zaXR8GWDtKf_rFFyA, but read 5L6g3nShT-eMCtK--X86sw"
)

// logs are what the containers of the ground's pods have logged.
type logs struct {
	mu    sync.Mutex
	lines map[string][]string
}

// says has a pod log a line, a second after the last.
func (l *logs) says(pod, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := time.Date(2026, 11, 26, 11, 0, len(l.lines[pod]), 0, time.UTC)
	l.lines[pod] = append(l.lines[pod], at.Format(time.RFC3339Nano)+" "+line)
}

// forget takes away what was logged, as with the pods.
func (l *logs) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.lines)
}

func (l *logs) answer(r *kubetest.Request) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines[r.Name]
	if len(r.Query["tailLines"]) > 0 && len(lines) > 0 {
		lines = lines[len(lines)-1:]
	}
	return strings.Join(lines, "\n")
}

// starting has a pod log a line as soon as the cluster was un-paused.
func (g *ground) starting(pod, line string) *logs {
	l := &logs{lines: map[string][]string{}}
	g.server.Log = l.answer
	l.says(pod, "2026-11-26 11:41:50 INFO  [main] KafkaRaftServer:69 - Starting controller")
	g.hooks[recovery.StepVerify] = func() { l.says(pod, line) }
	return l
}

// without refuses what the permission is for.
func without(verb, resource, subresource string) func(*kubetest.Request) *kubetest.Failure {
	return func(r *kubetest.Request) *kubetest.Failure {
		if r.Verb == verb && r.Resource == resource && r.Subresource == subresource {
			return kubetest.Forbidden(r)
		}
		return nil
	}
}

// since are the writes of the run from the first that matches on, without its own journal, lock and the operator's.
func (g *ground) since(first func(*kubetest.Request) bool) []string {
	var out []string
	begun := false
	for _, r := range g.server.Requests() {
		begun = begun || first(&r)
		write := slices.Contains([]string{"create", "patch", "delete"}, r.Verb)
		if !begun || !write || slices.Contains([]string{"configmaps", "leases", "selfsubjectaccessreviews"}, r.Resource) ||
			r.Subresource == "status" {
			continue
		}
		text := r.String()
		if r.Verb == "patch" && r.Resource == "kafkas" {
			text += " " + string(r.Body)
		}
		out = append(out, text)
	}
	return out
}

// unpausing is the write that un-pauses.
func unpausing(r *kubetest.Request) bool {
	return r.Verb == "patch" && r.Resource == "kafkas" &&
		strings.Contains(string(r.Body), strimzi.PauseAnnotation+`":null`)
}

// comingBack has the operator make the pod sets again after they were deleted, and answer the pause only after they
// were deleted once more.
func (g *ground) comingBack() {
	g.busy.Store(true)
	var pods []any
	for node := 3; node < 6; node++ {
		pods = append(pods, object{"metadata": object{"name": fmt.Sprintf("%s-controller-%d", cluster, node)}})
	}
	gone := func() bool {
		return g.server.Get(strimzi.PodSetGVR("v1"), ns, cluster+"-controller") == nil
	}
	wait := func(until func() bool) bool {
		for !until() {
			select {
			case <-g.Context().Done():
				return false
			case <-time.After(time.Millisecond):
			}
		}
		return true
	}
	go func() {
		if wait(gone) {
			g.podSet("controller", pods, 1)
			if wait(gone) {
				g.busy.Store(false)
			}
		}
	}()
}

// Whatever is grave: the annotation comes first, pod sets are deleted, also those that come back, until the operator
// has shown that it pauses; it is said and journaled, and there is nothing to go on with.
func TestAGraveAlarmHaltsTheCluster(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, line string
		kind       alarm.Kind
		says       []string
	}{
		{
			name: "formatted", line: formats, kind: alarm.FormattedOverData,
			says: []string{"pod/" + controller3, "pvc/data-0-" + controller3, "pv/pv-data-0-" + controller3, formats},
		},
		{
			name: "truncated", line: cuts, kind: alarm.CommittedTruncated,
			says: []string{"offset 32", "ended at 253", "pvc/data-0-" + controller3},
		},
		{name: "claim", kind: alarm.UnplannedClaim, says: []string{"pvc/data-0-my-cluster-controller-12"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			g.operate()
			g.starting(controller3, c.line)
			logged := g.hooks[recovery.StepVerify]
			g.hooks[recovery.StepVerify] = func() {
				g.comingBack()
				if c.kind != alarm.UnplannedClaim {
					logged()
					return
				}
				g.server.Put(kube.Claims(), object{
					"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": object{
						"namespace": ns, "name": "data-0-my-cluster-controller-12", "uid": "uid-new", "labels": labelsOf("controller"),
					}, "spec": object{}, "status": object{"phase": "Pending"},
				})
			}
			result, err := g.restore(func(req *recovery.Request, deps *recovery.Deps) {
				deps.OnAlarm = func(context.Context, []alarm.Alarm) (recovery.AlarmAction, error) {
					t.Error("nobody is asked about a grave alarm")
					return recovery.AlarmHold, nil
				}
			})
			if err != nil || result.Outcome != recovery.OutcomeAlarmed || result.Code() != exitcode.Incomplete {
				t.Fatalf("%v %s %s", err, result.Outcome, result.Reason)
			}
			g.wantHalted(result, c.kind)
			for _, s := range c.says {
				if !strings.Contains(result.Reason, s) {
					t.Errorf("the reason must say %q: %s", s, result.Reason)
				}
			}
		})
	}
}

// wantHalted requires what a grave alarm leaves.
func (g *ground) wantHalted(result *recovery.Result, kind alarm.Kind) {
	g.Helper()
	writes := g.since(unpausing)[1:]
	want := `patch kafkas kafka my-cluster {"metadata":{"annotations":{"strimzi.io/pause-reconciliation":"true"}`
	if len(writes) == 0 || !strings.HasPrefix(writes[0], want) {
		g.Fatalf("the annotation comes first: %v", writes)
	}
	deleted := 0
	for _, w := range writes {
		if strings.HasPrefix(w, "delete strimzipodsets") {
			deleted++
		}
	}
	if deleted < 3 { // two, and the one that came back
		g.Errorf("want the pod sets deleted again when they come back: %v", writes)
	}
	kafka := g.server.Get(strimzi.KafkaGVR("v1"), ns, cluster)
	if at(kafka, "metadata", "annotations", strimzi.PauseAnnotation) != "true" ||
		!strings.Contains(fmt.Sprint(at(kafka, "status", "conditions")), "ReconciliationPaused") ||
		at(kafka, "status", "operatorLastSuccessfulVersion") != nil {
		g.Errorf("want a pause that the operator has answered: %v", kafka)
	}
	for _, claim := range g.claims {
		if g.server.Get(kube.Claims(), ns, claim) == nil {
			g.Errorf("pvc %q is gone", claim)
		}
	}
	if len(result.Alarms) == 0 || result.Alarms[0].Kind != kind || !result.Alarms[0].Grave {
		g.Errorf("want %s in the result: %+v", kind, result.Alarms)
	}
	rec, err := recovery.LoadHere(g.state, result.Operation)
	if err != nil || rec.State() != recovery.StateEnded || len(rec.Alarms()) == 0 || rec.Alarms()[0].Kind != kind ||
		len(rec.Ended.Alarms) == 0 {
		g.Errorf("want it in the journal, and ended: %v %+v", err, rec)
	}
	var ended *recovery.EndedError
	_, err = recovery.Resume(g.Context(), g.target(result), recovery.Repeated{}, g.deps())
	if !errors.As(err, &ended) || ended.Outcome != recovery.OutcomeAlarmed {
		g.Errorf("there is nothing to go on with: %v", err)
	}
}

func (g *ground) target(r *recovery.Result) recovery.Target {
	return recovery.Target{Namespace: ns, Operation: r.Operation}
}

// An alarm that is not grave holds, where nobody decides otherwise: nothing more is done to the cluster, it is never
// called restored, and another run sees the same.
func TestALesserAlarmHolds(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operate()
	g.starting(controller3, otherIDs)
	result, err := g.restore(nil)
	g.wantHeld(result, err)

	resumed, err := recovery.Resume(t.Context(), g.target(result), recovery.Repeated{}, g.deps())
	g.wantHeld(resumed, err)

	stopped, err := recovery.Stop(t.Context(), g.target(result), g.deps())
	if err != nil || stopped.Outcome != recovery.OutcomeStopped {
		t.Fatalf("it can be halted: %v %+v", err, stopped)
	}
}

func (g *ground) wantHeld(result *recovery.Result, err error) {
	g.Helper()
	var held *recovery.HeldBackError
	if !errors.As(err, &held) || result.Outcome != recovery.OutcomeUnverified || result.Code() != exitcode.Incomplete {
		g.Fatalf("%v %s %s", err, result.Outcome, result.Reason)
	}
	if len(result.Alarms) != 1 || result.Alarms[0].Kind != alarm.OtherClusterID || result.Alarms[0].Grave {
		g.Errorf("want the alarm in the result: %+v", result.Alarms)
	}
	for _, w := range g.since(unpausing) {
		if strings.HasPrefix(w, "delete strimzipodsets") || strings.HasPrefix(w, "delete pods") ||
			strings.Contains(w, strimzi.PauseAnnotation+`":"true`) {
			g.Errorf("nothing more is done to the cluster: %s", w)
		}
	}
	if s := strings.Join(result.Next, "\n"); !strings.Contains(s, "kafkarecover stop") {
		g.Errorf("want it said how to halt it: %s", s)
	}
	if len(result.Checks) < 8 {
		g.Errorf("it is watched to the end all the same: %+v", result.Checks)
	}
}

func TestAPersonHaltsItForALesserAlarm(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operate()
	g.starting(controller3, otherIDs)
	var asked []alarm.Alarm
	result, err := g.restore(func(_ *recovery.Request, deps *recovery.Deps) {
		deps.OnAlarm = func(_ context.Context, alarms []alarm.Alarm) (recovery.AlarmAction, error) {
			asked = alarms
			return recovery.AlarmStop, nil
		}
	})
	if err != nil || result.Outcome != recovery.OutcomeAlarmed || len(asked) != 1 {
		t.Fatalf("%v %s %s %v", err, result.Outcome, result.Reason, asked)
	}
	if g.server.Get(strimzi.PodSetGVR("v1"), ns, cluster+"-controller") != nil {
		t.Error("a pod set is left")
	}
}

// What a container had logged before the cluster was un-paused is not what the start did.
func TestWhatWasLoggedBeforeIsNoAlarm(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operate()
	l := &logs{lines: map[string][]string{}}
	g.server.Log = l.answer
	for _, line := range []string{formats, cuts} {
		l.says(controller3, line)
	}
	// The pod outlives the un-pausing: it keeps its UID.
	g.hooks[recovery.StepUnpause] = func() {
		pod := g.server.Get(kube.Pods(), ns, controller3)
		at(pod, "metadata").(object)["uid"] = "uid-" + controller3 + "-true"
		g.server.Put(kube.Pods(), pod)
	}
	result, err := g.restore(nil)
	if err != nil || result.Outcome != recovery.OutcomeRestored || len(result.Alarms) > 0 {
		t.Fatalf("%v %s %s %+v", err, result.Outcome, result.Reason, result.Alarms)
	}
}

// What may not be read is not watched, and that is said; what may not be deleted is left to somebody who may.
func TestWhatIsNotWatchedIsSaid(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operate()
	g.server.AnswerWith(without("get", "pods", "log"))
	g.starting(controller3, formats)
	result, err := g.restore(nil)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %s %s", err, result.Outcome, result.Reason)
	}
	if s := strings.Join(result.NotWatched, "\n"); !strings.Contains(s, "what the pods log while they start") ||
		!strings.Contains(s, "pods/log") {
		t.Errorf("want it said: %s", s)
	}
	if !strings.Contains(strings.Join(g.warns, "\n"), "not watched: what the pods log") {
		t.Errorf("want it said as it happens: %v", g.warns)
	}
	if s := stepOf(result, recovery.StepVerify); !strings.Contains(s.Risk, "not watched") {
		t.Errorf("want it in the plan: %+v", s)
	}
}

func stepOf(r *recovery.Result, id recovery.StepID) recovery.Step {
	for _, s := range r.Plan.Steps {
		if s.ID == id {
			return s
		}
	}
	return recovery.Step{}
}

func TestAnAlarmPausesWhereItMayNotDelete(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operate()
	var mayDelete atomic.Bool
	denied := without("delete", "strimzipodsets", "")
	g.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if mayDelete.Load() {
			return nil
		}
		return denied(r)
	})
	l := g.starting(controller3, formats)
	result, err := g.restore(nil)
	if err == nil || result.Outcome != recovery.OutcomeUnverified || result.Code() != exitcode.Incomplete {
		t.Fatalf("%v %s %s", err, result.Outcome, result.Reason)
	}
	kafka := g.server.Get(strimzi.KafkaGVR("v1"), ns, cluster)
	if at(kafka, "metadata", "annotations", strimzi.PauseAnnotation) != "true" {
		t.Error("it must be paused")
	}
	if s := strings.Join(result.Next, "\n"); !strings.Contains(s, "kafkarecover stop "+result.Operation) {
		t.Errorf("want it said what to do: %s", s)
	}

	// Another run, by somebody who may, goes on halting it: it does not go on watching.
	mayDelete.Store(true)
	l.forget()
	halted, err := recovery.Resume(t.Context(), g.target(result), recovery.Repeated{}, g.deps())
	if err != nil || halted.Outcome != recovery.OutcomeAlarmed {
		t.Fatalf("%v %s %s", err, halted.Outcome, halted.Reason)
	}
}

// A run that dies right after the annotation, before it could say why, was halting the cluster.
func TestARunThatDiesOnAnAlarmIsGoneOnWith(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operate()
	l := g.starting(controller3, formats)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k := &recoverytest.Killer{
		At: recoverytest.FirstOf(recovery.StepStop, recovery.PhaseDone), State: g.state, Left: t.TempDir(), Cancel: cancel,
	}
	config := &rest.Config{Host: g.server.URL(), QPS: 10000, Burst: 10000}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { k.Next = next; return k })
	client, err := kube.NewForConfig(config, ns, kube.Options{Retry: kube.Retry{Attempts: 1}})
	if err != nil {
		t.Fatal(err)
	}
	result, _ := g.restore(func(_ *recovery.Request, deps *recovery.Deps) { deps.Kube = client })
	if k.Died() == "" || ctx.Err() == nil {
		t.Fatalf("it was to die: %s %s", result.Outcome, result.Reason)
	}
	g.server.Remove(kube.Leases(), ns, "kafkarecover-"+cluster) // as if it had expired
	l.forget()

	deps := g.deps()
	deps.StateDir = k.Left
	halted, err := recovery.Resume(t.Context(), g.target(result), recovery.Repeated{}, deps)
	if err != nil || halted.Outcome != recovery.OutcomeAlarmed {
		t.Fatalf("%v %s %s", err, halted.Outcome, halted.Reason)
	}
	if g.server.Get(strimzi.PodSetGVR("v1"), ns, cluster+"-controller") != nil {
		t.Error("a pod set is left")
	}
}

// What is seen while something else ends the run is told all the same.
func TestAnAlarmIsToldWhateverElseFails(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operate()
	g.starting(controller3, otherIDs)
	result, err := g.restore(func(_ *recovery.Request, deps *recovery.Deps) {
		deps.OnAlarm = func(context.Context, []alarm.Alarm) (recovery.AlarmAction, error) {
			return "", errors.New("the terminal is gone")
		}
	})
	if err == nil || result.Outcome != recovery.OutcomeUnverified || !strings.Contains(result.Reason, "terminal is gone") {
		t.Fatalf("%v %s %s", err, result.Outcome, result.Reason)
	}
	if len(result.Alarms) != 1 {
		t.Errorf("want the alarm in the result: %+v", result.Alarms)
	}
}
