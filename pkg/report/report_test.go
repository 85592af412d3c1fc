package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/report"
)

const hostile = "<img src=x onerror=alert(1)>|`\x1b[31m_x_"

// recorded is an operation whose second run ended; the journal says hostile things where it can.
func recorded() *recovery.Recorded {
	at := time.Date(2026, 11, 24, 3, 15, 2, 0, time.UTC)
	began := &recovery.Beginning{
		Operation: "restore-20261124-031502-9f3a", Holder: "restore-20261124-031502-9f3a/5c1d02aa",
		Place: recovery.Place{Server: "https://kube.example:6443", Context: "prod", User: "alice"},
		Kafka: recovery.ObjectRef{Kind: "Kafka", Namespace: "kafka", Name: "my-cluster", UID: "uid-1"},
		Request: &recovery.Request{
			Namespace: "kafka", Name: "my-cluster", Accept: []finding.Lift{{Rule: "r", Subject: "pvc/a"}},
			SetAside: []recovery.LogDirRef{{Claim: "b", Directory: "kafka-log7"}}, RestartOperator: true,
		},
	}
	resumed := *began
	resumed.User, resumed.Request = "bob", nil
	change := recovery.Change{
		Object: recovery.ObjectRef{Kind: "Kafka", Namespace: "kafka", Name: "my-cluster"}, Verb: recovery.VerbPatch,
		Patch:  []byte(`{"metadata":{"resourceVersion":"7"},"status":{"clusterId":"new"}}`),
		Before: map[string]any{"status": map[string]any{"clusterId": "old"}},
	}
	done := recovery.Change{Object: change.Object, Verb: change.Verb}
	plan := &recovery.Plan{ClusterID: "new", Steps: []recovery.Step{
		{ID: "cluster-id", Title: "write the ID", State: recovery.StepDone, Note: hostile, Seconds: 1.25},
	}}
	entries := []recovery.Entry{
		{Phase: recovery.PhaseBegin, Began: began},
		{Phase: recovery.PhaseDecide, Decided: &recovery.Decision{Plan: plan, Findings: []finding.Finding{
			{Rule: "r", Severity: finding.Warning, Subject: "pvc/a", Message: hostile},
		}}},
		{Phase: recovery.PhaseIntent, Step: "cluster-id", Changes: []recovery.Change{change}},
		{Phase: recovery.PhaseResume, Began: &resumed},
		{Phase: recovery.PhaseIntent, Step: "cluster-id", Changes: []recovery.Change{change}},
		{Phase: recovery.PhaseDone, Step: "cluster-id", Changes: []recovery.Change{done}},
		{Phase: recovery.PhaseEnd, Ended: &recovery.Ending{
			Outcome: recovery.OutcomeRestored, Reason: "as before",
			Next: []string{"trust the new authority " + hostile}, Checks: []recovery.Check{
				{Name: "kafka ready", State: recovery.CheckPassed},
			},
		}},
	}
	for i := range entries {
		entries[i].Seq, entries[i].Time = i+1, at.Add(time.Duration(i)*time.Minute)
	}
	return &recovery.Recorded{
		Operation: began.Operation, Entries: entries, Began: began, Decision: entries[1].Decided, Ended: entries[6].Ended,
	}
}

func TestAReportOfTwoRuns(t *testing.T) {
	t.Parallel()
	r := report.Of(recorded())
	if len(r.Runs) != 2 || r.Runs[0].By != "alice" || r.Runs[0].Outcome != "" || r.Runs[1].By != "bob" ||
		r.Runs[1].Outcome != "restored" || r.Outcome != "restored" {
		t.Errorf("runs: %+v", r.Runs)
	}
	if len(r.Changes) != 2 || r.Changes[1].Result != "done" || !strings.HasPrefix(r.Changes[0].Result, "unknown") {
		t.Errorf("the first run died in its change, the second made it: %+v", r.Changes)
	}
	if got := strings.Join(r.Changes[0].Fields, "\n"); got != `status.clusterId: "old" → "new"` {
		t.Errorf("fields: %q", got)
	}
	if len(r.Left) != 1 || !strings.HasPrefix(r.Left[0], "trust the new authority") {
		t.Errorf("what the last run left to the person: %q", r.Left)
	}
	if got := strings.Join(r.Asked, " "); got != "--accept r=pvc/a --set-aside pvc/b:kafka-log7 --restart-operator" {
		t.Errorf("asked for: %q", got)
	}
}

func TestHostileTextStaysText(t *testing.T) {
	t.Parallel()
	r := report.Of(recorded())
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for form, text := range map[string]string{"html": string(page), "md": string(r.Markdown())} {
		for _, raw := range []string{"<img", "\x1b"} {
			if strings.Contains(text, raw) {
				t.Errorf("%s: %q is in it", form, raw)
			}
		}
		if !strings.Contains(text, "onerror=alert(1)") {
			t.Errorf("%s: what the journal says must be told", form)
		}
	}
	if text := string(r.Markdown()); !strings.Contains(text, "&gt;\\|\\`") {
		t.Errorf("a bar would end its cell:\n%s", text)
	}
}

// An alarm is told once, with what was done about it in the end, and whatever the line says does nothing to whoever
// reads it.
func TestAlarmsAreReported(t *testing.T) {
	t.Parallel()
	rec := recorded()
	seen := alarm.Alarm{
		Kind: alarm.FormattedOverData, Grave: true, Pod: "my-cluster-broker-0", Claim: "data-0-my-cluster-broker-0",
		Volume: "pv-b0", Line: "Formatting " + hostile, Message: "the volume held data", Lost: "what was on it",
	}
	alarmed := func(action recovery.AlarmAction) recovery.Entry {
		return recovery.Entry{
			Phase: recovery.PhaseAlarm, Alarmed: &recovery.Alarmed{Action: action, Alarms: []alarm.Alarm{seen}},
		}
	}
	ended := recovery.Entry{Phase: recovery.PhaseEnd, Ended: &recovery.Ending{
		Outcome: recovery.OutcomeAlarmed, NotWatched: []string{"what pod/x logs " + hostile},
	}}
	rec.Entries = append(rec.Entries[:6], alarmed(recovery.AlarmHold), alarmed(recovery.AlarmStop), ended)
	rec.Ended = ended.Ended
	r := report.Of(rec)
	if len(r.Alarms) != 1 || r.Alarms[0].Action != "stop" || r.Alarms[0].Kind != alarm.FormattedOverData ||
		r.Outcome != "alarmed" {
		t.Fatalf("alarms: %+v, %s", r.Alarms, r.Outcome)
	}
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for form, text := range map[string]string{"html": string(page), "md": string(r.Markdown())} {
		for _, want := range []string{"Alarms", "formatted-over-data", "pv/pv-b0", "the volume held data", "Not watched"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: want %q", form, want)
			}
		}
		if strings.Contains(text, "<img") || strings.Contains(text, "\x1b") {
			t.Errorf("%s: a line acts on its reader", form)
		}
	}
}
