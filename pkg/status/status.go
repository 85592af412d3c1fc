// Package status owns what is told of operations under way and of those that ended: from the journals on this machine
// and in the cluster, and from the Leases that runs hold.
package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/leftover"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

// Operation is one operation as its journal and its Lease tell it.
type Operation struct {
	Operation string `json:"operation"`
	Namespace string `json:"namespace,omitempty"`
	Cluster   string `json:"cluster,omitempty"`
	// Resource is the type of what Cluster names, "kafka" where it is empty.
	Resource string `json:"resource,omitempty"`
	// State is how things stand: running, dead (its run ended without saying so), or how its last run ended.
	State string `json:"state"`
	// Reason is why its last run ended so.
	Reason string    `json:"reason,omitempty"`
	Began  time.Time `json:"began,omitzero"`
	By     string    `json:"by,omitempty"`
	Server string    `json:"server,omitempty"`
	// LastStep is the step of the journal's last entry, Last its time.
	LastStep string    `json:"lastStep,omitempty"`
	Last     time.Time `json:"last,omitzero"`
	// Until is when the Lease of a run that is alive ends if it is not renewed.
	Until time.Time `json:"until,omitzero"`
	// Here and InCluster tell where its journal is.
	Here      bool     `json:"here"`
	InCluster bool     `json:"inCluster"`
	Left      []string `json:"left,omitempty"`
	Next      []string `json:"next,omitempty"`
}

// The states beside the outcomes of runs.
const (
	stateRunning  = "running"
	stateDead     = "dead"
	stateUnusable = "unusable journal"
)

// Result is what looking for operations returns.
type Result struct {
	output.TypeMeta
	Namespace  string      `json:"namespace,omitempty"`
	Operations []Operation `json:"operations"`
	// NotSeen says what could not be looked at.
	NotSeen []string `json:"notSeen,omitempty"`
}

// Find lists the operations known on this machine and in a namespace, all where it is empty; one alone where it is
// named. A cluster that cannot be asked is told, not an error: the journals here are there all the same.
func Find(
	ctx context.Context, k *kube.Client, now time.Time, stateDir, namespace, operation string,
) (*Result, error) {
	r := &Result{TypeMeta: output.Meta("Status"), Namespace: namespace, Operations: []Operation{}}
	left, err := leftover.Find(ctx, k, now, namespace, operation)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		r.NotSeen = append(r.NotSeen, err.Error())
		left = &leftover.Result{}
	}
	r.NotSeen = append(r.NotSeen, left.NotVisible...)
	seen := map[string]bool{}
	for i := range left.Operations {
		o := &left.Operations[i]
		if !recovery.ValidOperationID(o.Operation) {
			continue // a scan's pods, which have no journal; cleanup tells of them
		}
		rec, err := recovery.Load(ctx, k, stateDir, o.Namespace, o.Operation)
		seen[o.Operation] = true
		r.Operations = append(r.Operations, describe(o.Operation, rec, o, err))
	}
	here, err := recovery.OperationsHere(stateDir)
	if err != nil {
		return nil, err
	}
	for _, id := range here {
		if seen[id] || (operation != "" && id != operation) {
			continue
		}
		rec, err := recovery.LoadHere(stateDir, id)
		if rec != nil && rec.Began != nil && namespace != "" && rec.Began.Kafka.Namespace != namespace {
			continue
		}
		r.Operations = append(r.Operations, describe(id, rec, nil, err))
	}
	slices.SortFunc(r.Operations, func(a, b Operation) int {
		return strings.Compare(tail(a.Operation), tail(b.Operation))
	})
	return r, nil
}

// tail is the time in an operation's name: names sort by it.
func tail(operation string) string {
	_, after, _ := strings.Cut(operation, "-")
	return after
}

func describe(id string, rec *recovery.Recorded, left *leftover.Operation, err error) Operation {
	o := Operation{Operation: id}
	if left != nil {
		o.Namespace, o.Until = left.Namespace, left.Until
		o.Left = slices.Concat(prefixed("pod/", left.Pods), prefixed("resourcequota/", left.Quotas))
	}
	if err != nil {
		o.State, o.Reason = stateUnusable, err.Error()
		return o
	}
	kafka := rec.Began.Kafka
	o.Resource = rec.Resource()
	o.Namespace, o.Cluster, o.By, o.Server = kafka.Namespace, kafka.Name, rec.Began.User, rec.Began.Server
	o.Began, o.Last, o.Here, o.InCluster = rec.Entries[0].Time, rec.Last(), rec.Here, rec.InCluster
	for i := range rec.Entries {
		if s := rec.Entries[i].Step; s != "" {
			o.LastStep = s
		}
	}
	switch {
	case left != nil && left.Life == leftover.Alive:
		o.State = stateRunning
		o.Next = []string{"wait for it: it renews its lease; or interrupt it where it runs"}
		return o
	case rec.Ended == nil:
		o.State, o.Reason = stateDead, "its run ended without saying so; the lease is no longer renewed"
	default:
		o.State, o.Reason = string(rec.Ended.Outcome), rec.Ended.Reason
	}
	o.Until, o.Next = time.Time{}, rec.Next()
	return o
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, 0, len(names))
	for _, n := range names {
		out = append(out, prefix+n)
	}
	return out
}

// Names implements output.Namer.
func (r *Result) Names() []string {
	var out []string
	for i := range r.Operations {
		out = append(out, r.Operations[i].Operation)
	}
	return out
}

// Table implements output.Tabler.
func (r *Result) Table(wide bool) output.Document {
	columns := []string{"OPERATION", "NAMESPACE", "CLUSTER", "STATE", "STEP", "LAST"}
	if wide {
		columns = append(columns, "BY", "SERVER", "JOURNAL", "~LEFT", "~REASON")
	}
	t := &output.Table{Columns: output.Columns(columns...)}
	for i := range r.Operations {
		t.Rows = append(t.Rows, r.Operations[i].row(wide))
	}
	doc := output.Document{{Table: t}}
	var lines []output.Line
	if len(r.Operations) == 0 {
		lines = append(lines, output.Text("no operation is known, here or there"))
	}
	for i := range r.Operations {
		o := &r.Operations[i]
		if len(r.Operations) == 1 && o.Reason != "" && !wide {
			lines = append(lines, output.Text(o.Reason))
		}
		if ended := o.State == string(recovery.OutcomeRestored) || o.State == string(recovery.OutcomeUndone); !ended ||
			len(r.Operations) == 1 {
			for _, n := range o.Next {
				lines = append(lines, output.Indented(2, n))
			}
		}
	}
	for _, s := range r.NotSeen {
		lines = append(lines, output.Text("not looked at: ", s))
	}
	return append(doc, output.Section{Lines: lines})
}

func (o *Operation) row(wide bool) []output.Cell {
	style := map[string]iostreams.Style{
		stateRunning: iostreams.Good, stateDead: iostreams.Bad, stateUnusable: iostreams.Bad,
		string(recovery.OutcomeRestored): iostreams.Good, string(recovery.OutcomeUndone): iostreams.Good,
		string(recovery.OutcomeWrong): iostreams.Worst, string(recovery.OutcomeAlarmed): iostreams.Worst,
	}[o.State]
	if style == iostreams.Plain {
		style = iostreams.Notice
	}
	last := ""
	if !o.Last.IsZero() {
		last = o.Last.UTC().Format(time.RFC3339)
	}
	row := output.Row(o.Operation, o.Namespace, recovery.Named(o.Resource, o.Cluster),
		output.Styled(style, o.State), o.LastStep, last)
	if wide {
		row = append(row, output.Row(o.By, o.Server, o.journal(), strings.Join(o.Left, " "), o.Reason)...)
	}
	return row
}

func (o *Operation) journal() string {
	switch {
	case o.Here && o.InCluster:
		return "here and in the cluster"
	case o.Here:
		return "here"
	}
	return "in the cluster"
}

// ErrUnknown says that an operation that was asked for is not known.
var ErrUnknown = errors.New("no such operation is known")

// Err is the error of a result that lacks the operation that was asked for.
func (r *Result) Err(operation string) error {
	if operation == "" || len(r.Operations) > 0 {
		return nil
	}
	return fmt.Errorf("status of operation %q: %w, on this machine or in the cluster", operation, ErrUnknown)
}
