package recovery_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	obj "github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
)

const (
	driver  = "ebs.csi.aws.com"
	locally = "data-1-my-cluster-broker-0" // stays without a CSI driver
)

// snapped is a stand whose volumes, but for one, are of a CSI driver, with a double of its snapshotter.
type snapped struct {
	*stand
	mu sync.Mutex
	// slow keeps the double from making a snapshot ready.
	slow bool
}

func newSnapped(t *testing.T, d *disks) *snapped {
	t.Helper()
	s := &snapped{stand: newStand(t, d, true)}
	s.server.Served[kube.VolumeSnapshots().Group] = []string{"v1"}
	for name := range d.read {
		if name == locally {
			continue
		}
		pv := s.server.Get(kube.Volumes(), "", "pv-"+name)
		spec := obj.Map(pv, "spec")
		delete(spec, "local")
		spec["csi"] = kubetest.Object{"driver": driver, "volumeHandle": "vol-" + name}
		s.server.Put(kube.Volumes(), pv)
	}
	s.class("fast", driver, true)
	s.snapshotter()
	return s
}

func (s *snapped) class(name, of string, standard bool) {
	s.server.Put(kube.VolumeSnapshotClasses(), kubetest.Object{
		"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
		"metadata": kubetest.Object{"name": name, "uid": "uid-" + name, "annotations": kubetest.Object{
			"snapshot.storage.kubernetes.io/is-default-class": fmt.Sprint(standard),
		}},
		"driver": of, "deletionPolicy": "Delete",
	})
}

func (s *snapped) setSlow(slow bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slow = slow
}

// snapshotter plays the CSI snapshotter until the test ends: the first answer is an error, as drivers give them, then it
// is ready.
func (s *snapped) snapshotter() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			for _, u := range s.snapshots() {
				s.mu.Lock()
				slow := s.slow
				s.mu.Unlock()
				status := kubetest.Object{"readyToUse": false, "error": kubetest.Object{"message": "the driver is busy"}}
				switch {
				case obj.Bool(u, "status", "readyToUse"):
					continue
				case obj.Has(u, "status") && !slow:
					status = kubetest.Object{"readyToUse": true}
				}
				u["status"] = status
				s.server.Put(kube.VolumeSnapshots(), u)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	s.t.Cleanup(func() { cancel(); <-ended })
}

func (s *snapped) snapshots() []kubetest.Object {
	list, err := s.client.List(context.Background(), kube.VolumeSnapshots(), standNamespace, kube.ListOptions{})
	if err != nil {
		return nil
	}
	var out []kubetest.Object
	for i := range list.Items {
		out = append(out, list.Items[i].Object)
	}
	return out
}

func (s *snapped) ask(class string) recovery.Request {
	req := s.request()
	req.Snapshot, req.SnapshotClass = true, class
	return req
}

// wantSnapshots requires one snapshot of every volume that can have one, made by an operation.
func (s *snapped) wantSnapshots(operation, class string) {
	s.t.Helper()
	var claims []string
	for _, o := range s.snapshots() {
		u := unstructured.Unstructured{Object: o}
		claim := obj.String(o, "spec", "source", "persistentVolumeClaimName")
		claims = append(claims, claim)
		if obj.String(o, "spec", "volumeSnapshotClassName") != class || u.GetName() != "kafkarecover-"+operation+"-"+claim ||
			u.GetLabels()[recovery.OperationLabel] != operation || u.GetLabels()[recovery.ClusterLabel] != standCluster {
			s.t.Errorf("%v", o)
		}
	}
	var want []string
	for name := range s.disks.read {
		if name != locally {
			want = append(want, name)
		}
	}
	slices.Sort(claims)
	if slices.Sort(want); !slices.Equal(claims, want) {
		s.t.Errorf("there are snapshots of %q, want of %q", claims, want)
	}
}

func TestSnapshotsAreReadyBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	for class, chosen := range map[string]string{"": "fast", "slow": "slow"} {
		t.Run("class "+class, func(t *testing.T) {
			t.Parallel()
			s := newSnapped(t, d)
			s.class("slow", driver, false)
			s.class("foreign", "other.csi", true)
			s.setSlow(true) // until somebody waits for it
			deps := s.deps()
			deps.Report = waiting{on: recovery.StepSnapshot, do: func() { s.setSlow(false) }}
			deps.Kube = s.answered(func(r *http.Request) *http.Response {
				if r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/kafkas/"+standCluster) &&
					unpauses(r) && slices.ContainsFunc(s.snapshots(), func(o kubetest.Object) bool {
					return !obj.Bool(o, "status", "readyToUse")
				}) {
					t.Error("it is un-paused before every snapshot can be used")
				}
				return nil
			})
			var plan *recovery.Plan
			deps.Confirm = func(_ context.Context, p *recovery.Plan, _ []finding.Finding) (bool, error) {
				plan = p
				return true, nil
			}
			result, err := recovery.Restore(t.Context(), s.ask(class), deps)
			if err != nil || result.Outcome != recovery.OutcomeRestored {
				t.Fatalf("%v %s", err, refusal(result))
			}
			s.wantRunning()
			s.wantSnapshots(result.Operation, chosen)
			next := strings.Join(result.Next, "\n")
			if !strings.Contains(next, "are kept") || !strings.Contains(next, "data-0-my-cluster-broker-0, class "+chosen) {
				t.Errorf("what is kept is not listed: %s", next)
			}
			i := slices.IndexFunc(plan.Steps, func(s recovery.Step) bool { return s.ID == recovery.StepSnapshot })
			if i < 0 || !strings.Contains(plan.Steps[i].Risk, "deletion policy Delete (class "+chosen+")") ||
				!strings.Contains(plan.Steps[i].Risk, "pvc/"+locally+" (pv/pv-"+locally+"): it has no CSI driver") {
				t.Errorf("the plan does not say what is not covered, or may go: %+v", plan.Steps)
			}
		})
	}
}

// unpauses tells whether a patch of Kafka takes the pause away.
func unpauses(r *http.Request) bool {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return strings.Contains(string(body), `"`+pauseKey+`":null`)
}

func TestWhatCanHaveNoSnapshotIsRefused(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	for name, tt := range map[string]struct {
		change func(*snapped)
		class  string
		says   []string
	}{
		"not served": {func(s *snapped) { delete(s.server.Served, "snapshot.storage.k8s.io") }, "", []string{
			"snapshot.storage.k8s.io/v1 is not served",
		}},
		"only an old version": {func(s *snapped) { s.server.Served["snapshot.storage.k8s.io"] = []string{"v1beta1"} }, "",
			[]string{"it serves [v1beta1]"}},
		"no class": {func(s *snapped) { s.server.Remove(kube.VolumeSnapshotClasses(), "", "fast") }, "", []string{
			`its driver "ebs.csi.aws.com" has no VolumeSnapshotClass`, "pv/pv-data-0-my-cluster-broker-0",
		}},
		"two default classes": {func(s *snapped) { s.class("another", driver, true) }, "", []string{
			"name one of another, fast with --snapshot=CLASS",
		}},
		"the named one is not there": {func(*snapped) {}, "missing", []string{
			"--snapshot=missing: pv/pv-data-", `there is no VolumeSnapshotClass "missing"`,
		}},
		"the named one is for another driver": {func(s *snapped) { s.class("rbd", "rbd.csi.ceph.com", true) }, "rbd",
			[]string{`VolumeSnapshotClass "rbd" is for "rbd.csi.ceph.com"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSnapped(t, d)
			tt.change(s)
			result, err := recovery.Restore(t.Context(), s.ask(tt.class), s.deps())
			if err != nil || result.Code() != exitcode.Refused {
				t.Fatalf("%v %s", err, result.Outcome)
			}
			for _, text := range append(tt.says, "Leave --snapshot out, or take a copy first") {
				if !strings.Contains(result.Reason, text) {
					t.Errorf("%q is not in: %s", text, result.Reason)
				}
			}
			if w := s.server.Writes(); slices.ContainsFunc(w, func(w string) bool { return !strings.HasPrefix(w, "update ") }) {
				t.Errorf("it must be refused before anything is touched: %q", w)
			}
		})
	}
}

func TestSnapshotsThatAreNotReadyAreNotGoneOnWithout(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	s := newSnapped(t, d)
	s.setSlow(true)
	clock := &recoverytest.Sleeper{WithTicker: recoverytest.Fast{}}
	deps := s.deps()
	deps.Clock, deps.Report = clock, waiting{on: recovery.StepSnapshot, do: func() { clock.Sleep(20 * time.Second) }}
	result, err := recovery.Restore(t.Context(), s.ask(""), deps)
	if !kube.IsTimeout(err) || result.Outcome != recovery.OutcomeLeftPaused ||
		!strings.Contains(err.Error(), "the driver is busy") || !strings.Contains(err.Error(), "--timeout") {
		t.Fatalf("want it left paused, with what the driver says: %v %s", err, result.Outcome)
	}
	if k := s.kafka(); !k.PauseAnnotated || len(s.pods()) > 0 {
		t.Error("it was started without its snapshots")
	}
	s.setSlow(false)
	resumed, err := recovery.Resume(t.Context(), s.target(result.Operation), recovery.Repeated{}, s.deps())
	if err != nil || resumed.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %s", err, refusal(resumed))
	}
	s.wantSnapshots(result.Operation, "fast")
}

func TestASnapshotThatSomebodyDeletesStopsTheRun(t *testing.T) {
	t.Parallel()
	s := newSnapped(t, unpackDisks(t))
	s.setSlow(true)
	deps := s.deps()
	deps.Report = waiting{on: recovery.StepSnapshot, do: func() {
		for _, o := range s.snapshots()[:1] {
			s.server.Remove(kube.VolumeSnapshots(), standNamespace, obj.String(o, "metadata", "name"))
		}
	}}
	result, err := recovery.Restore(t.Context(), s.ask(""), deps)
	if err == nil || !strings.Contains(err.Error(), "deleted by somebody else") || result.Outcome != recovery.OutcomeLeftPaused {
		t.Fatalf("%v %s", err, result.Outcome)
	}
}

func TestARunThatDiesTakingSnapshots(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	for name, at := range map[string]recoverytest.When{
		"announced": recoverytest.FirstOf(recovery.StepSnapshot, recovery.PhaseIntent),
		"taken":     recoverytest.FirstOf(recovery.StepSnapshot, recovery.PhaseDone),
		"ready":     recoverytest.FirstOf(recovery.StepClusterID, recovery.PhaseIntent),
	} {
		for _, then := range []string{"resume", "undo"} {
			t.Run(name+" "+then, func(t *testing.T) {
				t.Parallel()
				s := newSnapped(t, d)
				start := s.settled()
				before := (len(name)+len(then))%2 == 0
				left, operation, died := s.killAsked(s.ask(""), at, before)
				if died == "" {
					t.Fatal("it was to die")
				}
				if !before {
					left = ""
				}
				if then == "undo" {
					made := len(s.snapshots())
					s.wantUndone(left, operation, start)
					if n := len(s.snapshots()); n != made {
						t.Errorf("a copy is never deleted: there were %d, and are %d", made, n)
					}
					return
				}
				s.wantResumed(left, operation)
				s.wantSnapshots(operation, "fast")
			})
		}
	}
}

func TestSnapshotsAreReviewedBeforehand(t *testing.T) {
	t.Parallel()
	s := newSnapped(t, unpackDisks(t))
	deps := s.deps()
	deps.Kube = s.answered(func(r *http.Request) *http.Response {
		if !strings.Contains(r.URL.Path, "selfsubjectaccessreviews") {
			return nil
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if !strings.Contains(string(body), `"volumesnapshot`) {
			return nil
		}
		return reply(r, http.StatusCreated, `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1",`+
			`"status":{"allowed":false}}`)
	})
	result, err := recovery.Restore(t.Context(), s.ask(""), deps)
	if err == nil || !strings.Contains(err.Error(), "create volumesnapshots.snapshot.storage.k8s.io") ||
		!strings.Contains(err.Error(), "list volumesnapshotclasses.snapshot.storage.k8s.io") {
		t.Fatalf("%v %s", err, refusal(result))
	}
}

func TestSnapshotsOfADryRun(t *testing.T) {
	t.Parallel()
	s := newSnapped(t, unpackDisks(t))
	req := s.ask("")
	req.DryRun = recovery.DryRunServer
	result, err := recovery.Restore(t.Context(), req, s.deps())
	if err != nil || result.Outcome != recovery.OutcomePlanned || len(result.Plan.Snapshots) != len(s.disks.read)-1 {
		t.Fatalf("%v %s %+v", err, refusal(result), result.Plan)
	}
	if n := len(s.snapshots()); n > 0 {
		t.Errorf("%d snapshots were taken", n)
	}
}
