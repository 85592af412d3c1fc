package cmd

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

const explainLong = `Say what a rule looks at, why it matters, where that is known from, and what to do about a finding.

Without a rule, all rules are listed. A rule that refuses keeps restore from going on until --accept RULE=SUBJECT lifts
it for one subject; a rule that is final cannot be lifted. No cluster is contacted.`

type explainOptions struct {
	id string
}

func newExplainCmd(f *Factory) *cobra.Command {
	o := &explainOptions{}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:               "explain [RULE]",
		Short:             "Explain a rule, or list all rules",
		Long:              explainLong,
		Example:           "kafkarecover explain\nkafkarecover explain would-be-formatted",
		GroupID:           groupOther,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeRules,
		RunE:              f.do(o, format),
	}
	addOutputFlag(cmd, format)
	return exits(cmd)
}

// completeRules completes rule IDs, with their titles for shells that show them.
func completeRules(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	for _, r := range finding.Rules() {
		if len(args) == 0 && strings.HasPrefix(r.ID, typed) {
			out = append(out, cobra.CompletionWithDesc(r.ID, r.Title))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// Complete implements action.
func (o *explainOptions) Complete(_ context.Context, args []string) error {
	if len(args) > 0 {
		o.id = args[0]
	}
	return nil
}

// Validate implements action.
func (o *explainOptions) Validate() error {
	if _, known := finding.RuleByID(o.id); o.id == "" || known {
		return nil
	}
	message := fmt.Sprintf("there is no rule %q", o.id)
	if near := nearRules(o.id); len(near) > 0 {
		message += "; did you mean " + strings.Join(near, ", ") + "?"
	}
	return fmt.Errorf("%s\n`%s explain` lists all rules", message, program)
}

// Run implements action.
func (o *explainOptions) Run(context.Context) (any, error) {
	rules := &Rules{TypeMeta: output.Meta("Rules"), Rules: finding.Rules(), one: o.id != ""}
	if rules.one {
		rules.Rules = slices.DeleteFunc(rules.Rules, func(r finding.Rule) bool { return r.ID != o.id })
	}
	return rules, nil
}

// nearRules are the rules whose IDs are like a text: at most a few letters away, or with a word that is.
func nearRules(text string) []string {
	const most = 4
	type near struct {
		id       string
		distance int
	}
	var found []near
	for _, r := range finding.Rules() {
		distance := editDistance(text, r.ID)
		shared := slices.ContainsFunc(strings.Split(text, "-"), func(word string) bool {
			return len(word) > 3 && slices.ContainsFunc(strings.Split(r.ID, "-"), func(other string) bool {
				return editDistance(word, other) <= 1
			})
		})
		if distance <= max(2, len(text)/3) || shared {
			found = append(found, near{r.ID, distance})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, n := range found[:min(most, len(found))] {
		out = append(out, n.id)
	}
	return out
}

// editDistance is the number of letters to insert, remove or replace to make b of a (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// Rules is what `explain` prints: all rules, or the one asked for.
type Rules struct {
	output.TypeMeta
	Rules []finding.Rule `json:"rules"`

	one bool
}

// Table implements output.Tabler.
func (r *Rules) Table(wide bool) output.Document {
	if r.one {
		return explained(&r.Rules[0])
	}
	names := []string{"RULE", "SEVERITY", "~TITLE"}
	if wide {
		names = []string{"RULE", "SEVERITY", "RESTORE", "TITLE", "WHY", "REMEDY", "SOURCE"}
	}
	rows := make([][]output.Cell, 0, len(r.Rules))
	for i := range r.Rules {
		rule := &r.Rules[i]
		row := output.Row(rule.ID, severityCell(rule.Severity), rule.Title)
		if wide {
			row = output.Row(rule.ID, severityCell(rule.Severity), restoreText(rule), rule.Title, rule.Why, rule.Remedy,
				rule.Source)
		}
		rows = append(rows, row)
	}
	return output.Document{{Table: &output.Table{Columns: output.Columns(names...), Rows: rows}}}
}

func explained(rule *finding.Rule) output.Document {
	lift := ""
	if rule.Refuses && !rule.Final {
		lift = "restore --accept " + rule.ID + "=SUBJECT, with the subject that the finding names"
	}
	return output.Document{
		{Lines: []output.Line{
			output.Text(output.Styled(iostreams.Strong, rule.ID), "  ", severityCell(rule.Severity)), output.Text(rule.Title),
		}},
		{Table: &output.Table{Columns: output.Columns("", "~"), Rows: [][]output.Cell{
			output.Row("Looks at:", rule.What), output.Row("Why:", rule.Why), output.Row("Known from:", rule.Source),
			output.Row("Remedy:", rule.Remedy), output.Row("Restore:", restoreText(rule)),
			output.Row("Without it:", dash(rule.Without.Text())), output.Row("Lifted by:", dash(lift)),
		}}},
	}
}

// restoreText says what restore does on a finding of the rule.
func restoreText(rule *finding.Rule) string {
	switch {
	case rule.Final:
		return "refuses, always"
	case rule.Refuses:
		return "refuses"
	}
	return "goes on"
}

func severityCell(s finding.Severity) output.Cell {
	style := iostreams.Plain
	switch s {
	case finding.Critical:
		style = iostreams.Worst
	case finding.Error:
		style = iostreams.Bad
	case finding.Warning:
		style = iostreams.Notice
	case finding.Info:
	}
	return output.Styled(style, string(s))
}

// Names implements output.Namer.
func (r *Rules) Names() []string {
	out := make([]string, len(r.Rules))
	for i := range r.Rules {
		out[i] = r.Rules[i].ID
	}
	return out
}
