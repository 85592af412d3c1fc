package leftover

import (
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// Names implements output.Namer: the pods and quotas there are, and those that were removed.
func (r *Result) Names() []string {
	var out []string
	for i := range r.Operations {
		o := &r.Operations[i]
		for _, p := range o.Pods {
			out = append(out, "pod/"+p)
		}
		for _, q := range o.Quotas {
			out = append(out, "resourcequota/"+q)
		}
		for _, c := range o.Claims {
			out = append(out, "persistentvolumeclaim/"+c)
		}
		for _, v := range o.Volumes {
			out = append(out, "persistentvolume/"+v)
		}
		out = append(out, o.Removed...)
	}
	return out
}

// Table implements output.Tabler.
func (r *Result) Table(wide bool) output.Document {
	columns := []string{"OPERATION", "NAMESPACE", "LIFE", "UNTIL", "~_THERE", "~_REMOVED"}
	if wide {
		columns = append(columns, "~STAYS")
	}
	t := &output.Table{Columns: output.Columns(columns...)}
	for i := range r.Operations {
		t.Rows = append(t.Rows, r.Operations[i].row(wide))
	}
	doc := output.Document{{Table: t}}
	var lines []output.Line
	if len(r.Operations) == 0 {
		lines = append(lines, output.Text("nothing is left"))
	}
	for i := range r.Operations {
		o := &r.Operations[i]
		if o.Removable() && o.Life != Alive {
			lines = append(lines, output.Text("to remove it: cleanup ", o.Operation, " -n ", o.Namespace))
		}
	}
	for _, s := range r.NotVisible {
		lines = append(lines, output.Text("not looked for: ", s))
	}
	return append(doc, output.Section{Lines: lines})
}

func (o *Operation) row(wide bool) []output.Cell {
	style := map[Life]iostreams.Style{Alive: iostreams.Good, Unknown: iostreams.Notice, Dead: iostreams.Bad}[o.Life]
	until := ""
	if !o.Until.IsZero() {
		until = o.Until.UTC().Format(time.RFC3339)
	}
	there := make([]string, 0, len(o.Pods)+len(o.Quotas)+len(o.Claims)+len(o.Volumes))
	for _, p := range o.Pods {
		there = append(there, "pod/"+p)
	}
	for _, q := range o.Quotas {
		there = append(there, "resourcequota/"+q)
	}
	for _, c := range o.Claims {
		there = append(there, "persistentvolumeclaim/"+c)
	}
	for _, v := range o.Volumes {
		there = append(there, "persistentvolume/"+v)
	}
	row := output.Row(o.Operation, o.Namespace, output.Styled(style, string(o.Life)), until, strings.Join(there, " "),
		strings.Join(o.Removed, " "))
	if wide {
		row = append(row, output.Row(strings.Join(o.Kept, " "))...)
	}
	return row
}
