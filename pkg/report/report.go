// Package report owns the account of an operation: what was found, decided and done, by whom and when, from its
// journal.
package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

// Report is the account of one operation.
type Report struct {
	output.TypeMeta
	Operation string `json:"operation"`
	Namespace string `json:"namespace"`
	Cluster   string `json:"cluster"`
	// Resource is the type of what Cluster names, "kafka" where it is empty.
	Resource  string `json:"resource,omitempty"`
	KafkaUID  string `json:"kafkaUid,omitempty"`
	ClusterID string `json:"clusterId,omitempty"`
	// ClusterIDFrom says how the ID was established.
	ClusterIDFrom string `json:"clusterIdFrom,omitempty"`
	Server        string `json:"server"`
	ServerID      string `json:"serverId,omitempty"`
	// Outcome and Reason are those of the last run; the outcome is empty while it has not ended.
	Outcome string    `json:"outcome,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Began   time.Time `json:"began"`
	Last    time.Time `json:"last"`
	// Asked is what was asked for: lifts and choices as on the command line.
	Asked []string `json:"asked,omitempty"`
	Runs  []Run    `json:"runs"`
	// Findings are what was found, Steps what was decided and how far it came, Changes what was done.
	Findings []finding.Finding `json:"findings,omitempty"`
	Steps    []recovery.Step   `json:"steps,omitempty"`
	Volumes  []string          `json:"volumes,omitempty"`
	Changes  []Change          `json:"changes,omitempty"`
	Checks   []recovery.Check  `json:"checks,omitempty"`
	// Alarms are what was observed while the cluster started and not predicted; NotWatched says what was not seen.
	Alarms     []Alarm  `json:"alarms,omitempty"`
	NotWatched []string `json:"notWatched,omitempty"`
	// Left is what the last run to end said is left to the person; Next are the commands that make sense now.
	Left []string `json:"left,omitempty"`
	Next []string `json:"next,omitempty"`
}

// Run is one run of the operation.
type Run struct {
	// Kind is begin, resume, undo or stop.
	Kind    string    `json:"kind"`
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"`
	Context string    `json:"context,omitempty"`
	Holder  string    `json:"holder,omitempty"`
	Outcome string    `json:"outcome,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Ended   time.Time `json:"ended,omitzero"`
}

// Alarm is what was observed while the cluster started and not predicted.
type Alarm struct {
	At time.Time `json:"at"`
	// Action is stop where the cluster was halted for it, hold where not.
	Action string `json:"action"`
	alarm.Alarm
}

// Change is one write.
type Change struct {
	Seq    int       `json:"seq"`
	At     time.Time `json:"at"`
	Step   string    `json:"step"`
	Verb   string    `json:"verb"`
	Object string    `json:"object"`
	// Fields say what each field was and what was written.
	Fields []string `json:"fields,omitempty"`
	// Result is done, failed with the reason, or unknown.
	Result string `json:"result"`
}

// Of makes the report of an operation.
func Of(rec *recovery.Recorded) *Report {
	r := &Report{
		TypeMeta: output.Meta("Report"), Operation: rec.Operation, Namespace: rec.Began.Kafka.Namespace,
		Cluster: rec.Began.Kafka.Name, Resource: rec.Resource(), KafkaUID: rec.Began.Kafka.UID, Server: rec.Began.Server,
		ServerID: rec.Began.ServerID, Began: rec.Entries[0].Time, Last: rec.Last(), Next: rec.Next(),
		Asked: asked(rec.Began.Request),
	}
	if d := rec.Decision; d != nil {
		r.ClusterID, r.ClusterIDFrom, r.Volumes = d.Plan.ClusterID, d.Plan.ClusterIDFrom, d.Plan.Claims
		r.Findings, r.Steps = d.Findings, d.Plan.Steps
	}
	if rec.Ended != nil {
		r.Left = rec.Ended.Next
	}
	for i := range rec.Entries {
		r.entry(&rec.Entries[i])
	}
	return r
}

func asked(req *recovery.Request) []string {
	var out []string
	for _, l := range req.Accept {
		out = append(out, "--accept "+l.String())
	}
	for _, e := range req.Exclude {
		out = append(out, "--exclude "+e)
	}
	for _, pv := range req.Include {
		out = append(out, "--include pv/"+pv)
	}
	if req.ClusterID != "" {
		out = append(out, "--cluster-id "+req.ClusterID)
	}
	for _, d := range req.SetAside {
		out = append(out, "--set-aside "+d.String())
	}
	if req.RestartOperator {
		out = append(out, "--restart-operator")
	}
	switch {
	case req.SnapshotClass != "":
		out = append(out, "--snapshot="+req.SnapshotClass)
	case req.Snapshot:
		out = append(out, "--snapshot")
	}
	if req.HoldOperator {
		out = append(out, "--hold-operator")
	}
	return out
}

func (r *Report) entry(e *recovery.Entry) {
	switch e.Phase {
	case recovery.PhaseBegin, recovery.PhaseResume, recovery.PhaseUndo, recovery.PhaseStop:
		run := Run{Kind: string(e.Phase), At: e.Time}
		if b := e.Began; b != nil {
			run.By, run.Context, run.Holder = b.User, b.Context, b.Holder
		}
		r.Runs, r.Outcome, r.Reason = append(r.Runs, run), "", ""
	case recovery.PhaseEnd:
		if e.Ended != nil && len(r.Runs) > 0 {
			last := &r.Runs[len(r.Runs)-1]
			last.Outcome, last.Reason, last.Ended = string(e.Ended.Outcome), e.Ended.Reason, e.Time
			r.Outcome, r.Reason = last.Outcome, last.Reason
			if len(e.Ended.Steps) > 0 {
				r.Steps = e.Ended.Steps
			}
			if len(e.Ended.Checks) > 0 {
				r.Checks = e.Ended.Checks
			}
			r.NotWatched = e.Ended.NotWatched
		}
	case recovery.PhaseIntent:
		for i := range e.Changes {
			c := &e.Changes[i]
			r.Changes = append(r.Changes, Change{
				Seq: e.Seq, At: e.Time, Step: e.Step, Verb: c.Verb, Object: c.Object.String(), Fields: fields(c),
				Result: "unknown: the run ended before it could say",
			})
		}
	case recovery.PhaseDone, recovery.PhaseFailed:
		for i := range e.Changes {
			r.result(e, &e.Changes[i])
		}
	case recovery.PhaseAlarm:
		for i := range e.Alarmed.Alarms {
			r.alarm(e, &e.Alarmed.Alarms[i])
		}
	case recovery.PhaseNote, recovery.PhaseDecide:
	}
}

// alarm adds what was seen, once: a run that goes on sees it again.
func (r *Report) alarm(e *recovery.Entry, a *alarm.Alarm) {
	at := slices.IndexFunc(r.Alarms, func(o Alarm) bool { return o.Key() == a.Key() })
	if at < 0 {
		r.Alarms = append(r.Alarms, Alarm{At: e.Time, Action: string(e.Alarmed.Action), Alarm: *a})
		return
	}
	r.Alarms[at].Action = string(e.Alarmed.Action)
}

// result fills in how the last open change of that object ended.
func (r *Report) result(e *recovery.Entry, c *recovery.Change) {
	for i, change := range slices.Backward(r.Changes) {
		if change.Object != c.Object.String() || change.Verb != c.Verb || !strings.HasPrefix(change.Result, "unknown") {
			continue
		}
		r.Changes[i].Result = string(e.Phase)
		if e.Note != "" {
			r.Changes[i].Result += ": " + e.Note
		}
		return
	}
}

// fields lists what a patch writes, beside what was there.
func fields(c *recovery.Change) []string {
	if c.Verb != recovery.VerbPatch {
		return nil
	}
	var body map[string]any
	if err := json.Unmarshal(c.Patch, &body); err != nil {
		return nil
	}
	var out []string
	var walk func(path string, wrote, was map[string]any)
	walk = func(path string, wrote, was map[string]any) {
		for key, value := range wrote {
			at := strings.TrimPrefix(path+"."+key, ".")
			if at == "metadata.resourceVersion" || at == "metadata.uid" {
				continue
			}
			if below, ok := value.(map[string]any); ok {
				before, _ := was[key].(map[string]any)
				walk(at, below, before)
				continue
			}
			out = append(out, fmt.Sprintf("%s: %s → %s", at, text(was[key]), text(value)))
		}
	}
	walk("", body, c.Before)
	sort.Strings(out)
	return out
}

func text(v any) string {
	if v == nil {
		return "none"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
