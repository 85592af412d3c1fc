package recovery_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/report"
	"github.com/kafkarecover/kafkarecover/pkg/status"
)

func (s *stand) status(state, operation string) *status.Result {
	s.t.Helper()
	r, err := status.Find(s.t.Context(), s.client, time.Now(), state, standNamespace, operation)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func TestStatusTellsHowThingsStand(t *testing.T) {
	t.Parallel()
	s := newStand(t, unpackDisks(t), true)
	s.settled()
	if r := s.status(s.state, ""); len(r.Operations) != 0 || len(r.NotSeen) != 0 {
		t.Fatalf("nothing has happened yet: %+v", r)
	}
	one := func(state string) status.Operation {
		t.Helper()
		r := s.status(state, "")
		if len(r.Operations) != 1 {
			t.Fatalf("want one operation: %+v", r)
		}
		return r.Operations[0]
	}
	deps := s.deps()
	deps.Confirm = func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) {
		if o := one(s.state); o.State != "running" || !o.Here || !o.InCluster || o.Until.IsZero() {
			t.Errorf("while it runs: %+v", o)
		}
		return false, nil
	}
	if _, err := recovery.Restore(t.Context(), s.request(), deps); err != nil {
		t.Fatal(err)
	}
	if o := one(s.state); o.State != string(recovery.OutcomeDeclined) {
		t.Errorf("after it was declined: %+v", o)
	}
	left, operation, _ := s.kill(recoverytest.OfKind(recovery.StepClusterID, recovery.PhaseDone, "Kafka"), false)
	r := s.status(filepath.Join(t.TempDir(), "elsewhere"), operation)
	if len(r.Operations) != 1 {
		t.Fatalf("another machine sees it too: %+v", r)
	}
	o := r.Operations[0]
	if o.State != "dead" || o.Here || !o.InCluster || o.LastStep != string(recovery.StepClusterID) ||
		o.Cluster != standCluster {
		t.Errorf("after its run died: %+v", o)
	}
	if next := strings.Join(o.Next, "\n"); !strings.Contains(next, "resume "+operation) ||
		!strings.Contains(next, "undo "+operation) || strings.Contains(next, "stop") {
		t.Errorf("before un-pausing it can be gone on with or undone: %q", next)
	}
	s.wantResumed(left, operation)
	if r = s.status(left, operation); r.Operations[0].State != string(recovery.OutcomeRestored) {
		t.Errorf("after another run went on: %+v", r)
	}
	if err := s.status(left, "restore-20200101-000000-0000").Err("restore-20200101-000000-0000"); err == nil {
		t.Error("an operation that is not known is an error where it is named")
	}
}

func TestStatusWithoutAClusterTellsOfThisMachine(t *testing.T) {
	t.Parallel()
	s := newStand(t, unpackDisks(t), true)
	s.settled()
	left, operation, _ := s.kill(recoverytest.Unpausing(recovery.PhaseDone), false)
	s.server.AnswerWith(kubetest.Forbidden)
	r := s.status(left, "")
	if len(r.Operations) != 1 || r.Operations[0].Operation != operation || len(r.NotSeen) == 0 {
		t.Fatalf("%+v", r)
	}
	if next := strings.Join(r.Operations[0].Next, "\n"); !strings.Contains(next, "stop "+operation) ||
		strings.Contains(next, "undo") {
		t.Errorf("after un-pausing it can be gone on with or stopped: %q", next)
	}
}

func TestAReportTellsWhatWasFoundDecidedAndDone(t *testing.T) {
	t.Parallel()
	s := newStand(t, unpackDisks(t), true)
	s.settled()
	left, operation, _ := s.kill(recoverytest.OfKind(recovery.StepClusterID, recovery.PhaseIntent, "Kafka"), false)
	result, err := recovery.Resume(t.Context(), s.target(operation), recovery.Repeated{}, s.in(left))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := recovery.LoadHere(left, result.Operation)
	if err != nil {
		t.Fatal(err)
	}
	r := report.Of(rec)
	if r.Outcome != string(recovery.OutcomeRestored) || len(r.Runs) != 2 || r.Runs[0].Outcome != "" ||
		r.Runs[1].Kind != "resume" || r.ClusterID != s.disks.clusterID || len(r.Findings) == 0 || len(r.Checks) == 0 {
		t.Errorf("%+v", r)
	}
	var unknown, ids int
	for _, c := range r.Changes {
		if strings.HasPrefix(c.Result, "unknown") {
			unknown++
		}
		for _, f := range c.Fields {
			if f == `status.clusterId: none → "`+s.disks.clusterID+`"` {
				ids++
			}
		}
	}
	if unknown != 1 || ids < 3 {
		t.Errorf("the write that the first run died in ended unknown, and the ID was written into two pools and Kafka: "+
			"%d unknown, %d IDs", unknown, ids)
	}
	text := strings.ReplaceAll(string(r.Markdown()), `\`, "")
	html, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{operation, s.disks.clusterID, "point of no return", "pending-deletion"} {
		if !strings.Contains(text, want) || !strings.Contains(string(html), want) {
			t.Errorf("want %q in the report", want)
		}
	}
	for _, outside := range []string{"https://", "src=", "<script", "<link", "url(", "@import"} {
		if strings.Contains(string(html), outside) {
			t.Errorf("the page must load nothing: %q", outside)
		}
	}
	if dir := os.Getenv("REPORT_DIR"); dir != "" { // for looking at it
		if err := os.WriteFile(filepath.Join(dir, "report.html"), html, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADeadRunIsTakenOverKnowingly(t *testing.T) {
	t.Parallel()
	s := newStand(t, unpackDisks(t), true)
	s.settled()
	left, operation, _ := s.kill(recoverytest.OfKind(recovery.StepClusterID, recovery.PhaseDone, "Kafka"), false)
	// Its lease has not expired.
	if _, err := s.client.Patch(t.Context(), kube.Leases(), standNamespace, "kafkarecover-"+standCluster, kube.Patch{
		Type: kube.MergePatch,
		Body: []byte(`{"spec":{"renewTime":"` + time.Now().UTC().Format("2006-01-02T15:04:05.000000Z") + `"}}`),
	}); err != nil {
		t.Fatal(err)
	}
	_, err := recovery.Resume(t.Context(), s.target(operation), recovery.Repeated{}, s.in(left))
	var held *recovery.HeldError
	if !errors.As(err, &held) {
		t.Fatalf("its lease holds: %v", err)
	}
	target := s.target(operation)
	target.TakeOver = "restore-20200101-000000-0000/00000000"
	if _, err = recovery.Resume(t.Context(), target, recovery.Repeated{}, s.in(left)); !errors.As(err, &held) {
		t.Errorf("another holder was named: %v", err)
	}
	target.TakeOver = held.Holder
	result, err := recovery.Resume(t.Context(), target, recovery.Repeated{}, s.in(left))
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %+v", err, result)
	}
	s.wantRunning()
}

// A machine that slept while another run took over makes no change once it wakes up.
func TestAMachineThatWakesUpDoesNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t, unpackDisks(t), true)
	start := s.settled()
	clock := &recoverytest.Sleeper{WithTicker: recoverytest.Fast{}}
	deps := s.deps()
	deps.Clock = clock
	undone := false
	deps.Report = onStep{recovery.StepClusterID, func() {
		s.expireLease()
		operation := s.status(s.state, "").Operations[0].Operation
		result, err := recovery.Undo(t.Context(), s.target(operation), s.in(""))
		undone = err == nil && result.Outcome == recovery.OutcomeUndone
		if !undone {
			t.Errorf("its lease had expired, and it could be undone: %v %+v", err, result)
		}
		clock.Sleep(10 * time.Minute)
	}}
	result, err := recovery.Restore(t.Context(), s.request(), deps)
	if err == nil || result.Outcome == recovery.OutcomeRestored || !undone {
		t.Fatalf("it must notice that it no longer holds the lock: %v %+v", err, result)
	}
	for name, text := range withoutJournal(s.content()) {
		if text != start[name] {
			t.Errorf("%s was changed after its lock was taken over:\n%s", name, text)
		}
	}
}

// onStep does something when a step begins.
type onStep struct {
	id recovery.StepID
	do func()
}

func (onStep) Begin(string, string)            {}
func (onStep) Waiting(recovery.StepID, string) {}
func (onStep) Warn(string)                     {}
func (o onStep) Step(s recovery.Step) {
	if s.ID == o.id && s.State == recovery.StepRunning {
		o.do()
	}
}
