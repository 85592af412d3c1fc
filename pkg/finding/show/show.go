// Package show puts findings in front of people, for every command that has some. It judges nothing.
package show

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// Section shows findings one below the other: what, the evidence, and what to do. Findings that differ in their subject
// alone, and in evidence that names it, are shown as one with all its subjects: nine volumes with the same trouble are
// one thing to read.
func Section(title string, findings []finding.Finding, remedies bool) output.Section {
	s := output.Section{Title: title}
	for len(findings) > 0 {
		n := alike(findings)
		s.Lines = append(s.Lines, lines(findings[:n], remedies)...)
		findings = findings[n:]
	}
	return s
}

// alike is how many of the first findings can be shown as one.
func alike(findings []finding.Finding) int {
	first, n := &findings[0], 1
	for n < len(findings) {
		f := &findings[n]
		if f.Rule != first.Rule || f.Message != first.Message || f.Remedy != first.Remedy ||
			f.Unevaluated != first.Unevaluated ||
			!slices.Equal(f.Evidence, first.Evidence) && (!ownEvidence(f) || !ownEvidence(first)) {
			break
		}
		n++
	}
	return n
}

// ownEvidence tells whether every line of evidence begins with the subject.
func ownEvidence(f *finding.Finding) bool {
	return len(f.Evidence) > 0 &&
		!slices.ContainsFunc(f.Evidence, func(e string) bool { return !strings.HasPrefix(e, f.Subject) })
}

// evidenceOf is what is seen of all the findings: the same of each, or each one's own.
func evidenceOf(group []finding.Finding) []string {
	if len(group) == 1 || !ownEvidence(&group[0]) {
		return group[0].Evidence
	}
	var all []string
	for i := range group {
		all = append(all, group[i].Evidence...)
	}
	return all
}

func lines(group []finding.Finding, remedies bool) []output.Line {
	f := group[0]
	title := []any{
		output.Styled(Style(f.Severity), string(f.Severity)), " ", output.Styled(iostreams.Strong, f.Rule), "  ",
	}
	var out []output.Line
	if len(group) == 1 {
		out = append(out, output.Indented(2, append(title, f.Subject)...))
	} else {
		subjects := make([]string, len(group))
		for i := range group {
			subjects[i] = group[i].Subject
		}
		out = append(out, output.Indented(2, append(title, fmt.Sprintf("%d subjects", len(group)))...),
			output.Indented(4, strings.Join(subjects, " ")))
	}
	out = append(out, output.Indented(4, f.Message))
	for _, e := range evidenceOf(group) {
		out = append(out, output.Indented(6, "· ", e))
	}
	if remedies && f.Remedy != "" {
		out = append(out, output.Indented(4, "→ ", f.Remedy))
	}
	return out
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
