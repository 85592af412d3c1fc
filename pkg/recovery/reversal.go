package recovery

import (
	"fmt"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// UndoState tells what became of one change that was to be taken back.
type UndoState string

// The states of a change that is taken back.
const (
	UndoDone    UndoState = "undone"  // put back as it was, or deleted
	UndoNothing UndoState = "nothing" // there was nothing to take back, or it stays on purpose
	UndoLeft    UndoState = "left"    // somebody else has changed it since
	UndoFailed  UndoState = "failed"  // the API server refused
)

// Reverted is one object with what became of the changes to it.
type Reverted struct {
	Object string    `json:"object"`
	Step   StepID    `json:"step"`
	State  UndoState `json:"state"`
	Note   string    `json:"note,omitempty"`
}

// Reversal is what undoing an operation, or halting the cluster, returns.
type Reversal struct {
	output.TypeMeta
	Operation string `json:"operation"`
	Folder    string `json:"folder,omitempty"`
	Namespace string `json:"namespace"`
	Cluster   string `json:"cluster"`
	// Resource is the type of what Cluster names, "kafka" where it is empty.
	Resource string     `json:"resource,omitempty"`
	Outcome  Outcome    `json:"outcome"`
	Reason   string     `json:"reason,omitempty"`
	Objects  []Reverted `json:"objects,omitempty"`
	// Irreversible is what was done that nothing takes back.
	Irreversible []string `json:"irreversible,omitempty"`
	Next         []string `json:"next,omitempty"`
}

// take notes what became of the groups, and what that means for all of it.
func (r *Reversal) take(groups []group) {
	done, left := 0, 0
	for i := range groups {
		g := &groups[i]
		if g.state == "" || (g.state == UndoNothing && g.note == "") {
			continue
		}
		r.Objects = append(r.Objects, Reverted{Object: g.object.String(), Step: g.step, State: g.state, Note: g.note})
		switch g.state {
		case UndoDone:
			done++
		case UndoLeft, UndoFailed:
			left++
		case UndoNothing:
		}
		if g.verb == VerbDelete && g.deleted == nil && !isOwnByKind(&g.object) {
			r.Irreversible = append(r.Irreversible, g.object.String()+" was deleted; its owner made it again")
		}
	}
	if left > 0 {
		r.Outcome = OutcomePartlyUndone
		r.Reason = fmt.Sprintf("%d changes were taken back, %d were left because somebody else has changed them since", done,
			left)
		r.Next = append(r.Next, fmt.Sprintf("look at what was left, then again: kafkarecover undo %s -n %s", r.Operation,
			r.Namespace))
		return
	}
	r.Outcome = OutcomeUndone
	r.Reason = fmt.Sprintf("%d changes were taken back; volumes that were set to Retain stay so", done)
}

// Code is the exit code of the outcome (safety contract, line 11).
func (r *Reversal) Code() exitcode.Code {
	switch r.Outcome {
	case OutcomeUndone, OutcomeStopped:
		return exitcode.OK
	case OutcomePartlyUndone, OutcomeRefused:
		return exitcode.Refused
	case OutcomeRestored, OutcomeAlreadyRight, OutcomePlanned, OutcomeDeclined, OutcomeLeftPaused, OutcomeUnverified,
		OutcomeWrong, OutcomeAlarmed, OutcomeBound, OutcomeUnfinished:
	}
	return exitcode.Incomplete
}

// Names implements output.Namer.
func (r *Reversal) Names() []string { return []string{Named(r.Resource, r.Cluster)} }

// Table implements output.Tabler.
func (r *Reversal) Table(bool) output.Document {
	style := iostreams.Notice
	if r.Code() == exitcode.OK {
		style = iostreams.Good
	}
	head := output.Section{Lines: []output.Line{
		output.Text("operation "+r.Operation+" on "+Named(r.Resource, r.Cluster)+" in namespace "+r.Namespace+": ",
			output.Styled(style, string(r.Outcome))),
	}}
	for _, text := range []string{r.Reason, "journal " + r.Folder} {
		if text != "" {
			head.Lines = append(head.Lines, output.Indented(2, text))
		}
	}
	doc := output.Document{head}
	if len(r.Objects) > 0 {
		t := &output.Table{Columns: output.Columns("OBJECT", "STEP", "STATE", "~NOTE")}
		for _, o := range r.Objects {
			cell := output.Styled(iostreams.Plain, string(o.State))
			if o.State == UndoLeft || o.State == UndoFailed {
				cell = output.Styled(iostreams.Bad, string(o.State))
			}
			t.Rows = append(t.Rows, output.Row(o.Object, string(o.Step), cell, o.Note))
		}
		doc = append(doc, output.Section{Title: "Changes", Table: t})
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"Cannot be taken back", r.Irreversible}, {"What you can do now", r.Next}} {
		if len(part.lines) == 0 {
			continue
		}
		section := output.Section{Title: part.title}
		for _, text := range part.lines {
			section.Lines = append(section.Lines, output.Indented(2, text))
		}
		doc = append(doc, section)
	}
	return doc
}

// isOwnByKind tells of kinds of which an operation deletes what it made itself: its guard, and claims that had borrowed
// a volume. A claim that others made is journaled with what it was.
func isOwnByKind(o *ObjectRef) bool { return o.Kind == "ResourceQuota" || o.Kind == claimKind }

// made tells whether the journal says that the operation created an object of that name.
func (r *Recorded) made(o *ObjectRef) bool {
	return slices.ContainsFunc(r.Entries, func(e Entry) bool {
		return e.Phase == PhaseDone && slices.ContainsFunc(e.Changes, func(c Change) bool {
			return c.Verb == VerbCreate && c.Object.Kind == o.Kind && c.Object.Namespace == o.Namespace &&
				c.Object.Name == o.Name
		})
	})
}
