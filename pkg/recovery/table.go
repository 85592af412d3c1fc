package recovery

import (
	"fmt"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/finding/show"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// Table implements output.Tabler.
func (r *Result) Table(wide bool) output.Document {
	doc := output.Document{r.headline()}
	if len(r.Refusals) > 0 {
		doc = append(doc, show.Section("Refused because", r.Refusals, true))
	}
	if r.Plan != nil && (r.Outcome == OutcomePlanned || wide) {
		doc = append(doc, r.Plan.Table(wide)...)
	} else if r.Plan != nil {
		doc = append(doc, r.Plan.progress())
	}
	if len(r.Checks) > 0 {
		doc = append(doc, r.checks())
	}
	if len(r.Alarms) > 0 {
		doc = append(doc, r.alarms())
	}
	if len(r.NotWatched) > 0 {
		s := output.Section{Title: "Not watched"}
		for _, text := range r.NotWatched {
			s.Lines = append(s.Lines, output.Indented(2, text))
		}
		doc = append(doc, s)
	}
	if len(r.Next) > 0 {
		next := output.Section{Title: "What you can do now"}
		for _, n := range r.Next {
			next.Lines = append(next.Lines, output.Indented(2, n))
		}
		doc = append(doc, next)
	}
	return doc
}

// Names implements output.Namer.
func (r *Result) Names() []string { return []string{Named(r.Resource, r.Cluster)} }

func (r *Result) headline() output.Section {
	style := map[Outcome]iostreams.Style{
		OutcomeRestored: iostreams.Good, OutcomeAlreadyRight: iostreams.Good, OutcomePlanned: iostreams.Strong,
		OutcomeRefused: iostreams.Bad, OutcomeWrong: iostreams.Worst, OutcomeLeftPaused: iostreams.Notice,
		OutcomeUnverified: iostreams.Notice, OutcomeDeclined: iostreams.Notice, OutcomeUndone: iostreams.Good,
		OutcomeStopped: iostreams.Notice, OutcomeAlarmed: iostreams.Worst, OutcomeBound: iostreams.Good,
		OutcomeUnfinished: iostreams.Notice,
	}[r.Outcome]
	s := output.Section{Lines: []output.Line{
		output.Text(Named(r.Resource, r.Cluster)+" in namespace "+r.Namespace+": ", output.Styled(style, string(r.Outcome))),
	}}
	if r.Reason != "" {
		s.Lines = append(s.Lines, output.Indented(2, r.Reason))
	}
	if r.ClusterID != "" {
		s.Lines = append(s.Lines, output.Indented(2, "cluster ID ", r.ClusterID))
	}
	if r.Folder != "" {
		s.Lines = append(s.Lines, output.Indented(2, "journal ", r.Folder))
	}
	return s
}

func (r *Result) checks() output.Section {
	t := &output.Table{Columns: output.Columns("~CHECK", "STATE", "~DETAIL")}
	for _, c := range r.Checks {
		style := map[CheckState]iostreams.Style{
			CheckPassed: iostreams.Good, CheckFailed: iostreams.Worst, CheckUnknown: iostreams.Notice,
			CheckPending: iostreams.Notice,
		}[c.State]
		t.Rows = append(t.Rows, output.Row(c.Name, output.Styled(style, string(c.State)), c.Detail))
	}
	return output.Section{Title: "Verified", Table: t}
}

// alarms shows what was not predicted, each with what was seen and what may be lost.
func (r *Result) alarms() output.Section {
	s := output.Section{Title: "Alarms"}
	for i := range r.Alarms {
		a := &r.Alarms[i]
		style := iostreams.Notice
		if a.Grave {
			style = iostreams.Worst
		}
		s.Lines = append(s.Lines, output.Indented(2, output.Styled(style, string(a.Kind)), "  "+a.Where()))
		if a.Line != "" {
			s.Lines = append(s.Lines, output.Indented(4, "line: "+a.Line))
		}
		s.Lines = append(s.Lines, output.Indented(4, a.Message), output.Indented(4, "may be lost: "+a.Lost))
	}
	return s
}

// Table shows a plan: where it acts first, then the numbered steps.
func (p *Plan) Table(wide bool) output.Document {
	head := output.Section{Title: "Plan", Table: &output.Table{Columns: output.Columns("", "~")}}
	add := func(name, value string) {
		if value != "" {
			head.Table.Rows = append(head.Table.Rows, output.Row("  "+name, value))
		}
	}
	add("context", p.Context)
	add("server", p.Server)
	add("namespace", p.Namespace)
	add("cluster", Named(p.Resource, p.Cluster)+" (uid "+p.KafkaUID+")")
	if p.ClusterID != "" { // what comes before anything is read knows neither
		add("cluster ID", p.ClusterID+" ("+p.ClusterIDFrom+")")
		add("volumes", fmt.Sprintf("%d: %s", len(p.Claims), strings.Join(p.Claims, " ")))
	}
	for _, e := range p.Excluded {
		add("excluded", e)
	}
	for _, f := range p.Accepted {
		add("accepted", f.Rule+"="+f.Subject+": "+f.Message)
	}
	for i := range p.Displaced {
		add("displaced", p.Displaced[i].String())
	}
	for _, h := range p.HandedOver {
		add("handed over", h)
	}
	steps := output.Section{Title: "Steps"}
	for i := range p.Steps {
		steps.Lines = append(steps.Lines, p.Steps[i].lines(i+1, wide)...)
	}
	return output.Document{head, steps}
}

func (s *Step) lines(number int, wide bool) []output.Line {
	title := []any{fmt.Sprintf("%2d. ", number), s.Title}
	if s.State == StepSkipped || s.State == StepDone {
		title = append(title, output.Styled(iostreams.Faint, "  ["+string(s.State)+"]"))
	}
	lines := []output.Line{output.Text(title...)}
	if s.State == StepSkipped {
		return append(lines, output.Indented(6, s.Note))
	}
	for _, d := range s.Does {
		lines = append(lines, output.Indented(6, "· ", d))
	}
	if s.Risk != "" {
		lines = append(lines, output.Indented(6, output.Styled(iostreams.Notice, "risk: "), s.Risk))
	}
	if wide {
		for _, e := range s.Expects {
			lines = append(lines, output.Indented(6, "expects: ", e))
		}
		lines = append(lines, output.Indented(6, "proof: ", s.Check))
		if s.Undo != "" {
			lines = append(lines, output.Indented(6, "undo: ", s.Undo))
		}
	}
	return lines
}

// progress shows how far a plan came.
func (p *Plan) progress() output.Section {
	t := &output.Table{Columns: output.Columns(">", "STEP", "STATE", ">SECONDS", "~NOTE")}
	for i := range p.Steps {
		s := &p.Steps[i]
		took := ""
		if s.State == StepDone && s.Seconds > 0 {
			took = fmt.Sprintf("%.1f", s.Seconds)
		}
		style := iostreams.Plain
		if s.State == StepFailed {
			style = iostreams.Bad
		}
		t.Rows = append(t.Rows, output.Row(i+1, string(s.ID), output.Styled(style, string(s.State)), took, s.Note))
	}
	return output.Section{Title: "Steps", Table: t}
}
