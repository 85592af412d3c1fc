package status_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/status"
)

const (
	older   = "restore-20261123-221500-0001"
	newer   = "restore-20261124-031502-9f3a"
	another = "restore-20261124-040000-77aa"
)

func began() time.Time { return time.Date(2026, 11, 24, 3, 15, 2, 0, time.UTC) }

// journal is what a run writes: it began, its plan was confirmed, it did steps, and ended where an outcome is given. A
// step with "!" has the change announced that cannot be undone.
func journal(operation, namespace string, outcome recovery.Outcome, steps ...string) []recovery.Entry {
	kafka := recovery.ObjectRef{Kind: "Kafka", Namespace: namespace, Name: "my-cluster", UID: "uid-1"}
	entries := []recovery.Entry{{
		Phase: recovery.PhaseBegin, Began: &recovery.Beginning{
			Operation: operation, Holder: operation + "/5c1d02aa", Kafka: kafka,
			Place:   recovery.Place{Server: "https://kube.example:6443", User: "alice"},
			Request: &recovery.Request{Namespace: namespace, Name: "my-cluster"},
		},
	}}
	if len(steps) > 0 {
		entries = append(entries, recovery.Entry{Phase: recovery.PhaseDecide, Decided: &recovery.Decision{
			Plan: &recovery.Plan{
				Operation: operation, Namespace: namespace, Cluster: "my-cluster", KafkaUID: "uid-1",
				Steps: []recovery.Step{{ID: "pause"}, {ID: "unpause", NoReturn: true}},
			},
		}})
	}
	for _, s := range steps {
		name, announced := strings.CutSuffix(s, "!")
		e := recovery.Entry{Phase: recovery.PhaseNote, Step: name}
		if announced {
			e.Phase, e.Changes = recovery.PhaseIntent, []recovery.Change{{
				Object: kafka, Verb: recovery.VerbPatch, Patch: []byte(`{"metadata":{"annotations":{"paused":null}}}`),
			}}
		}
		entries = append(entries, e)
	}
	if outcome != "" {
		entries = append(entries, recovery.Entry{Phase: recovery.PhaseEnd, Ended: &recovery.Ending{
			Outcome: outcome, Reason: "because of " + string(outcome),
		}})
	}
	for i := range entries {
		entries[i].Seq, entries[i].Time = i+1, began().Add(time.Duration(i)*time.Minute)
	}
	return entries
}

// write puts a journal into the folder of its operation.
func write(t *testing.T, state string, entries []recovery.Entry) {
	t.Helper()
	var text bytes.Buffer
	for _, e := range entries {
		if err := json.NewEncoder(&text).Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	writeText(t, state, entries[0].Began.Operation, text.String())
}

func writeText(t *testing.T, state, operation, text string) {
	t.Helper()
	folder := filepath.Join(state, operation)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "journal.jsonl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// labelled is an object of an operation in namespace kafka.
func labelled(kind, apiVersion, name, operation string, more kubetest.Object) kubetest.Object {
	o := kubetest.Object{"apiVersion": apiVersion, "kind": kind, "metadata": kubetest.Object{
		"namespace": "kafka", "name": name, "uid": "uid-" + name, "labels": kubetest.Object{
			recovery.ManagedByLabel: recovery.ManagedBy, recovery.OperationLabel: operation,
		},
	}}
	for k, v := range more {
		o[k] = v
	}
	return o
}

// mirror puts the copy of a journal into the cluster.
func mirror(t *testing.T, s *kubetest.Server, entries []recovery.Entry) {
	t.Helper()
	operation, data := entries[0].Began.Operation, kubetest.Object{}
	for _, e := range entries {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		data[fmt.Sprintf("%06d", e.Seq)] = string(text)
	}
	s.Put(kube.ConfigMaps(), labelled("ConfigMap", "v1", "kafkarecover-"+operation, operation,
		kubetest.Object{"data": data}))
}

func lease(s *kubetest.Server, operation string, renewed time.Time) {
	s.Put(kube.Leases(), labelled("Lease", "coordination.k8s.io/v1", "kafkarecover-my-cluster", operation, kubetest.Object{
		"spec": kubetest.Object{
			"holderIdentity": operation + "/5c1d02aa", "leaseDurationSeconds": 60,
			"renewTime": renewed.Format("2006-01-02T15:04:05.000000Z07:00"),
		},
	}))
}

func find(t *testing.T, s *kubetest.Server, now time.Time, state, namespace, operation string) *status.Result {
	t.Helper()
	r, err := status.Find(t.Context(), s.Client(t, namespace), now, state, namespace, operation)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHowAnOperationStandsByItsJournal(t *testing.T) {
	t.Parallel()
	const resume, undo, stop, tell = "resume", "undo", "stop", "report"
	for title, tc := range map[string]struct {
		entries      []recovery.Entry
		state, step  string
		next, reason string
	}{
		"its run died before anything was confirmed": {
			journal(newer, "kafka", ""), "dead", "", resume + " " + undo, "its run ended without saying so",
		},
		"its run died before un-pausing": {
			journal(newer, "kafka", "", "lock", "pause"), "dead", "pause", resume + " " + undo, "its run ended without",
		},
		"its run died when it was about to un-pause": {
			journal(newer, "kafka", "", "pause", "unpause!"), "dead", "unpause", resume + " " + stop, "its run ended",
		},
		"left paused": {
			journal(newer, "kafka", recovery.OutcomeLeftPaused, "pause"), "left-paused", "pause", resume + " " + undo,
			"because of left-paused",
		},
		"un-paused, not verified": {
			journal(newer, "kafka", recovery.OutcomeUnverified, "pause", "unpause!"), "unverified", "unpause",
			resume + " " + stop, "because of unverified",
		},
		"un-paused, and wrong": {
			journal(newer, "kafka", recovery.OutcomeWrong, "unpause!"), "wrong", "unpause", resume + " " + stop,
			"because of wrong",
		},
		"half undone": {
			journal(newer, "kafka", recovery.OutcomePartlyUndone, "pause"), "partly-undone", "pause", undo,
			"because of partly-undone",
		},
		"declined": {journal(newer, "kafka", recovery.OutcomeDeclined), "declined", "", tell, "because of declined"},
		"restored": {
			journal(newer, "kafka", recovery.OutcomeRestored, "unpause!", "verify"), "restored", "verify", tell,
			"because of restored",
		},
		"undone":  {journal(newer, "kafka", recovery.OutcomeUndone, "pause"), "undone", "pause", tell, "because of undone"},
		"stopped": {journal(newer, "kafka", recovery.OutcomeStopped, "unpause!"), "stopped", "unpause", tell, "because of"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			state, s := t.TempDir(), kubetest.New(t)
			write(t, state, tc.entries)
			r := find(t, s, began().Add(time.Hour), state, "kafka", "")
			if len(r.Operations) != 1 || len(r.NotSeen) > 0 {
				t.Fatalf("%+v", r)
			}
			o := r.Operations[0]
			var verbs []string
			for _, n := range o.Next {
				verb, ok := strings.CutSuffix(strings.TrimPrefix(n, "kafkarecover "), " "+newer+" -n kafka")
				if !ok {
					t.Errorf("not a command for this operation: %q", n)
				}
				verbs = append(verbs, verb)
			}
			got := []string{o.State, o.LastStep, strings.Join(verbs, " ")}
			if diff := cmp.Diff([]string{tc.state, tc.step, tc.next}, got); diff != "" {
				t.Error(diff)
			}
			if !strings.HasPrefix(o.Reason, tc.reason) {
				t.Errorf("reason %q", o.Reason)
			}
			last := tc.entries[len(tc.entries)-1].Time
			if o.Operation != newer || o.Namespace != "kafka" || o.Cluster != "my-cluster" || o.By != "alice" ||
				o.Server != "https://kube.example:6443" || !o.Began.Equal(began()) || !o.Last.Equal(last) ||
				!o.Here || o.InCluster || !o.Until.IsZero() {
				t.Errorf("%+v", o)
			}
		})
	}
}

func TestARunThatRenewsItsLeaseIsRunning(t *testing.T) {
	t.Parallel()
	s, entries := kubetest.New(t), journal(newer, "kafka", "", "pause")
	mirror(t, s, entries)
	lease(s, newer, began().Add(5*time.Minute))
	s.Put(kube.ResourceQuotas(), labelled("ResourceQuota", "v1", "kafkarecover-"+newer, newer, nil))
	o := find(t, s, began().Add(5*time.Minute+30*time.Second), t.TempDir(), "kafka", newer).Operations[0]
	if o.State != "running" || !o.Until.Equal(began().Add(6*time.Minute)) || o.Here || !o.InCluster ||
		len(o.Next) != 1 || !strings.HasPrefix(o.Next[0], "wait for it") {
		t.Errorf("its lease is renewed: %+v", o)
	}
	if diff := cmp.Diff([]string{"resourcequota/kafkarecover-" + newer}, o.Left); diff != "" {
		t.Error(diff)
	}
	o = find(t, s, began().Add(6*time.Minute+time.Second), t.TempDir(), "kafka", newer).Operations[0]
	if o.State != "dead" || !o.Until.IsZero() || !strings.Contains(strings.Join(o.Next, "\n"), "resume "+newer) {
		t.Errorf("its lease has expired: %+v", o)
	}
	// The Lease of a later operation on the same resource is no sign of life of this one.
	lease(s, another, began().Add(5*time.Minute))
	for _, o := range find(t, s, began().Add(5*time.Minute+time.Second), t.TempDir(), "kafka", newer).Operations {
		if o.State != "dead" {
			t.Errorf("another operation holds the lease: %+v", o)
		}
	}
}

func TestJournalsHereAndInTheClusterAreOneList(t *testing.T) {
	t.Parallel()
	state, s := t.TempDir(), kubetest.New(t)
	write(t, state, journal(another, "elsewhere", recovery.OutcomeUndone, "pause"))
	write(t, state, journal(newer, "kafka", "", "pause")) // another machine has gone on with it
	mirror(t, s, journal(newer, "kafka", recovery.OutcomeRestored, "pause", "unpause!"))
	mirror(t, s, journal(older, "kafka", recovery.OutcomeLeftPaused, "pause"))
	s.Put(kube.Pods(), labelled("Pod", "v1", "kafkarecover-scan", "scan-20261124-031502-9f3a", nil))
	for namespace, want := range map[string][]string{
		"kafka": {older, newer}, "": {older, newer, another}, "elsewhere": {another},
	} {
		r := find(t, s, began(), state, namespace, "")
		if diff := cmp.Diff(want, r.Names()); diff != "" {
			t.Errorf("namespace %q, by the time in their names, without a scan's pod:\n%s", namespace, diff)
		}
		for _, o := range r.Operations {
			if o.Operation == newer && (o.State != "restored" || !o.Here || !o.InCluster) {
				t.Errorf("the copy in the cluster goes further and decides: %+v", o)
			}
		}
	}
	if r := find(t, s, began(), state, "", newer); len(r.Operations) != 1 || r.Operations[0].Operation != newer {
		t.Errorf("one was asked for: %+v", r)
	}
}

func TestWhatIsNoJournalIsToldWithTheReason(t *testing.T) {
	t.Parallel()
	for title, tc := range map[string]struct{ text, says string }{
		"empty":        {"", "it is empty"},
		"no JSON":      {"restore\n", "journal.jsonl"},
		"another kind": {`{"seq":1,"phase":"begin"}` + "\n", "does not say what was asked for"},
	} {
		state := t.TempDir()
		writeText(t, state, newer, tc.text)
		r := find(t, kubetest.New(t), began(), state, "", "")
		if len(r.Operations) != 1 || r.Operations[0].State != "unusable journal" ||
			!strings.Contains(r.Operations[0].Reason, tc.says) || len(r.Operations[0].Next) > 0 {
			t.Errorf("%s: %+v", title, r.Operations)
		}
	}
}

func TestAClusterThatCannotBeAskedIsToldAndHidesNothingHere(t *testing.T) {
	t.Parallel()
	state, s := t.TempDir(), kubetest.New(t)
	write(t, state, journal(newer, "kafka", recovery.OutcomeRestored, "pause"))
	s.AnswerWith(kubetest.Forbidden)
	r := find(t, s, began(), state, "kafka", "")
	if len(r.Operations) != 1 || r.Operations[0].State != "restored" || len(r.NotSeen) == 0 {
		t.Errorf("%+v", r)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := status.Find(interrupted, s.Client(t, "kafka"), began(), state, "kafka", ""); err == nil {
		t.Error("an interrupted look is an error, not a list")
	}
}

func TestTheTable(t *testing.T) {
	t.Parallel()
	state, s := t.TempDir(), kubetest.New(t)
	printed := func(format output.Format, operation string) string {
		t.Helper()
		streams, _, out, _ := iostreams.Test()
		r := find(t, s, began().Add(time.Hour), state, "kafka", operation)
		if err := (output.Printer{IO: streams, Format: format}).Print(r); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := printed(output.FormatTable, ""); !strings.Contains(got, "no operation is known, here or there") {
		t.Errorf("%q", got)
	}
	write(t, state, journal(older, "kafka", recovery.OutcomeRestored, "pause", "unpause!"))
	write(t, state, journal(newer, "kafka", recovery.OutcomeLeftPaused, "pause"))
	got := printed(output.FormatTable, "")
	for _, want := range []string{older, newer, "kafka/my-cluster", "left-paused", "2026-11-24T03:18:02Z",
		"kafkarecover resume " + newer + " -n kafka", "kafkarecover undo " + newer + " -n kafka",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the table:\n%s", want, got)
		}
	}
	if strings.Contains(got, "report "+older) || strings.Contains(got, "because of") {
		t.Errorf("of several, only those tell what is next that have not ended well:\n%s", got)
	}
	got = printed(output.FormatTable, older)
	if !strings.Contains(got, "kafkarecover report "+older+" -n kafka") || !strings.Contains(got, "because of restored") {
		t.Errorf("one alone tells everything:\n%s", got)
	}
	got = printed(output.FormatWide, "")
	for _, want := range []string{"alice", "https://kube.example:6443", "here", "because of left-paused"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the wide table:\n%s", want, got)
		}
	}
}

func TestAnOperationThatIsNotKnownIsAnErrorWhereItIsNamed(t *testing.T) {
	t.Parallel()
	r := find(t, kubetest.New(t), began(), t.TempDir(), "kafka", "")
	if err := r.Err(""); err != nil {
		t.Errorf("none was named: %v", err)
	}
	if err := r.Err(newer); !errors.Is(err, status.ErrUnknown) || !strings.Contains(err.Error(), newer) {
		t.Errorf("got %v", err)
	}
}
