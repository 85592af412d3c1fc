// Package show puts findings in front of people, for every command that has some. It judges nothing.
package show

import (
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// Section shows findings one below the other: what, the evidence, and what to do.
func Section(title string, findings []finding.Finding, remedies bool) output.Section {
	s := output.Section{Title: title}
	for _, f := range findings {
		s.Lines = append(s.Lines, output.Indented(2, output.Styled(Style(f.Severity), string(f.Severity)), " ",
			output.Styled(iostreams.Strong, f.Rule), "  ", f.Subject), output.Indented(4, f.Message))
		for _, e := range f.Evidence {
			s.Lines = append(s.Lines, output.Indented(6, "· ", e))
		}
		if remedies && f.Remedy != "" {
			s.Lines = append(s.Lines, output.Indented(4, "→ ", f.Remedy))
		}
	}
	return s
}

// Style is how a severity looks.
func Style(s finding.Severity) iostreams.Style {
	switch s {
	case finding.Critical:
		return iostreams.Worst
	case finding.Error:
		return iostreams.Bad
	case finding.Warning:
		return iostreams.Notice
	case finding.Info:
	}
	return iostreams.Plain
}
