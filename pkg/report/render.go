package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

//go:embed report.html
var page string

// HTML renders the report as one page that loads nothing else.
func (r *Report) HTML() ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{"time": stamp, "plain": output.Escape}).Parse(page)
	if err != nil {
		return nil, fmt.Errorf("read the report's template: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, r); err != nil {
		return nil, fmt.Errorf("render the report: %w", err)
	}
	return out.Bytes(), nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// Markdown renders the report for a ticket or a post-mortem.
func (r *Report) Markdown() []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Operation %s\n", md(r.Operation))
	line("| | |\n|---|---|")
	for _, row := range append(r.end(), r.Facts()...) {
		line("| %s | %s |", row[0], md(row[1]))
	}
	table := func(title string, columns []string, rows [][]string) {
		if len(rows) == 0 {
			return
		}
		line("\n## %s\n", title)
		line("| %s |\n|%s", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
		for _, row := range rows {
			for i := range row {
				row[i] = md(row[i])
			}
			line("| %s |", strings.Join(row, " | "))
		}
	}
	table("Runs", []string{"what", "when", "by", "context", "ended", "outcome", "reason"}, rows(r.Runs,
		func(n Run) []string {
			return []string{n.Kind, stamp(n.At), n.By, n.Context, stamp(n.Ended), n.Outcome, n.Reason}
		}))
	table("Found", []string{"rule", "severity", "subject", "what"}, r.foundRows())
	table("Decided", []string{"step", "what", "state", "seconds", "note"}, r.stepRows())
	table("Done", []string{"#", "when", "step", "change", "object", "fields", "result"}, rows(r.Changes,
		func(c Change) []string {
			return []string{
				fmt.Sprint(c.Seq), stamp(c.At), c.Step, c.Verb, c.Object, strings.Join(c.Fields, "; "), c.Result,
			}
		}))
	table("Verified", []string{"check", "state", "detail"}, r.checkRows())
	table("Alarms", []string{"when", "what", "where", "line", "what it means", "may be lost", "done"}, rows(r.Alarms,
		func(a Alarm) []string {
			return []string{stamp(a.At), string(a.Kind), a.Where(), a.Line, a.Message, a.Lost, a.Action}
		}))
	list := func(title string, texts []string) {
		if len(texts) == 0 {
			return
		}
		line("\n## %s\n", title)
		for _, text := range texts {
			line("- %s", md(text))
		}
	}
	list("Not watched", r.NotWatched)
	list("Left to you", r.Left)
	if len(r.Next) > 0 {
		line("\n## What can be done now\n")
		for _, n := range r.Next {
			line("    %s", output.Escape(n))
		}
	}
	return b.Bytes()
}

// end says how the operation ended.
func (r *Report) end() [][2]string {
	if r.Outcome == "" {
		return [][2]string{{"outcome", "not ended: the run is under way, or died"}}
	}
	return [][2]string{{"outcome", r.Outcome}, {"reason", r.Reason}}
}

// Facts are what heads the report: a name and a text each, without those that are not known.
func (r *Report) Facts() [][2]string {
	id := r.ClusterID
	if r.ClusterIDFrom != "" {
		id += " (" + r.ClusterIDFrom + ")"
	}
	all := [][2]string{
		{"cluster", recovery.Named(r.Resource, r.Cluster) + " in namespace " + r.Namespace}, {"cluster ID", id},
		{"resource UID", r.KafkaUID}, {"API server", r.Server}, {"Kubernetes cluster", r.ServerID},
		{"began", stamp(r.Began)}, {"last written", stamp(r.Last)}, {"asked for", strings.Join(r.Asked, " ")},
		{"volumes", strings.Join(r.Volumes, ", ")},
	}
	var out [][2]string
	for _, f := range all {
		if f[1] != "" {
			out = append(out, f)
		}
	}
	return out
}

func (r *Report) foundRows() [][]string {
	var out [][]string
	for _, f := range r.Findings {
		out = append(out, []string{f.Rule, string(f.Severity), f.Subject, f.Message})
	}
	return out
}

func (r *Report) stepRows() [][]string {
	var out [][]string
	for i := range r.Steps {
		s := &r.Steps[i]
		took := ""
		if s.Seconds > 0 {
			took = fmt.Sprintf("%.1f", s.Seconds)
		}
		out = append(out, []string{string(s.ID), s.Title, string(s.State), took, s.Note})
	}
	return out
}

func (r *Report) checkRows() [][]string {
	var out [][]string
	for _, c := range r.Checks {
		out = append(out, []string{c.Name, string(c.State), c.Detail})
	}
	return out
}

func rows[T any](all []T, row func(T) []string) [][]string {
	out := make([][]string, 0, len(all))
	for _, one := range all {
		out = append(out, row(one))
	}
	return out
}

// md makes text safe within a table of Markdown: a journal may say anything.
func md(s string) string {
	s = output.Escape(strings.ReplaceAll(s, "\n", " "))
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`,
		"]", `\]`).Replace(s)
}
