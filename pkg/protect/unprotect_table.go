package protect

import (
	"fmt"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// Err says why the plan must not go on, or what of it was not done; nil when all is well. A plan of which one volume is
// refused is refused as a whole: it is not what was asked for.
func (u *Unprotection) Err() error {
	var refused, failed []string
	for i := range u.Volumes {
		switch c := &u.Volumes[i]; c.Step {
		case Refused:
			refused = append(refused, fmt.Sprintf("pv/%s: %s", c.Name, c.Reason))
		case Failed:
			failed = append(failed, fmt.Sprintf("pv/%s: %s", c.Name, c.Reason))
		case Planned, Set, Kept:
		}
	}
	switch {
	case len(u.Volumes) == 0:
		return exitcode.With(exitcode.NotFound, fmt.Errorf("unprotect %s: no volume of it was found", u.scope))
	case len(refused) > 0:
		return exitcode.With(exitcode.Refused, fmt.Errorf("unprotect %s: refused, and nothing was changed; "+
			"the other volumes can be named one by one, as pv/NAME:\n%s", u.scope, strings.Join(refused, "\n")))
	case len(failed) > 0:
		return exitcode.With(exitcode.Incomplete, fmt.Errorf("unprotect %s: not done for %d of %d volumes:\n%s",
			u.scope, len(failed), len(u.Volumes), strings.Join(failed, "\n")))
	}
	return nil
}

// Names implements output.Namer.
func (u *Unprotection) Names() []string {
	out := make([]string, len(u.Volumes))
	for i := range u.Volumes {
		out[i] = "pv/" + u.Volumes[i].Name
	}
	return out
}

// Table implements output.Tabler: where it acts first, then the volumes.
func (u *Unprotection) Table(wide bool) output.Document {
	where := &output.Table{Columns: output.Columns("", "~")}
	for _, line := range [][2]string{
		{"context", u.Origin.Context}, {"server", u.Origin.Server}, {"namespace", u.Namespace}, {"cluster", u.Cluster},
		{"record", u.Folder},
	} {
		if line[1] != "" {
			where.Rows = append(where.Rows, output.Row("  "+line[0], line[1]))
		}
	}
	columns := []string{"VOLUME", "_CLAIM", "_PHASE", "POLICY", "TO", "STEP"}
	if wide {
		columns = append(columns, "UID")
	}
	t := &output.Table{Columns: output.Columns(append(columns, "~_REASON")...)}
	for i := range u.Volumes {
		t.Rows = append(t.Rows, u.Volumes[i].row(wide))
	}
	doc := output.Document{{Title: "Take Retain off volumes", Table: where}, {Table: t}}
	if u.Count(Planned)+u.Count(Set) > 0 {
		doc = append(doc, output.Section{Lines: []output.Line{output.Text(output.Styled(iostreams.Notice, "risk: "),
			"without Retain the disk of a volume is deleted together with its claim")}})
	}
	return doc
}

func (c *Change) row(wide bool) []output.Cell {
	style := map[Step]iostreams.Style{
		Set: iostreams.Good, Planned: iostreams.Notice, Refused: iostreams.Bad, Failed: iostreams.Worst,
	}[c.Step]
	row := output.Row(c.Name, c.Claim, c.Phase, c.Policy, c.To, output.Styled(style, string(c.Step)))
	if wide {
		row = append(row, output.Row(c.UID)...)
	}
	return append(row, output.Row(c.Reason)...)
}
