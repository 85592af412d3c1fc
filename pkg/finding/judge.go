package finding

import (
	"slices"
	"strings"
)

// found is what a judge function reports of one subject; Judge stamps the rule's own values on it.
type found struct {
	subject  string
	message  string
	evidence []string
	// remedy replaces the rule's remedy where something more exact can be said.
	remedy      string
	unevaluated bool
}

// entry is one rule with the function that judges it.
type entry struct {
	Rule
	judge func(*scene) []found
}

// entries returns all rules. A function, not a variable: nothing can change the table.
func entries() []entry {
	return slices.Concat(identityRules(), slotRules(), assignRules(), contentRules(), quorumRules(), objectRules(),
		liveRules(), versionRules(), configRules(), severalRules(), redeclaredRules(), displacedRules(),
		heldRules(), voterRules(), setRules())
}

// Rules returns the documentation of every rule, sorted by ID.
func Rules() []Rule {
	var out []Rule
	for _, e := range entries() {
		out = append(out, e.Rule)
	}
	slices.SortFunc(out, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// RuleByID returns the rule of that ID; ok is false when there is none.
func RuleByID(id string) (rule Rule, ok bool) {
	for _, e := range entries() {
		if e.ID == id {
			return e.Rule, true
		}
	}
	return Rule{}, false
}

// Judge evaluates every rule. The findings are sorted by severity, rule and subject; the same input gives the same
// findings. A rule that could not be evaluated gives a finding that says so, and refuses where the rule does.
func Judge(in Input) []Finding {
	s := newScene(in)
	var out []Finding
	for _, e := range entriesFor(s) {
		for _, f := range e.judge(s) {
			out = append(out, e.finding(f))
		}
	}
	Sort(out)
	return out
}

func (e entry) finding(f found) Finding {
	remedy := f.remedy
	if remedy == "" {
		remedy = e.Remedy
	}
	return Finding{
		Rule: e.ID, Severity: e.Severity, Subject: f.subject, Message: f.message, Evidence: f.evidence, Remedy: remedy,
		Refuses: e.Refuses, Unevaluated: f.unevaluated,
	}
}

// Sort sorts findings: the worst first, then by rule and subject.
func Sort(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		if c := a.Severity.rank() - b.Severity.rank(); c != 0 {
			return c
		}
		if c := strings.Compare(a.Rule, b.Rule); c != 0 {
			return c
		}
		if c := strings.Compare(a.Subject, b.Subject); c != 0 {
			return c
		}
		return strings.Compare(a.Message, b.Message)
	})
}

// rank is 0 for the worst severity.
func (s Severity) rank() int { return slices.Index(Severities(), s) }

// Severities returns all severities, the worst first.
func Severities() []Severity { return []Severity{Critical, Error, Warning, Info} }

// AtLeast tells whether s is as bad as limit or worse.
func (s Severity) AtLeast(limit Severity) bool { return s.rank() <= limit.rank() }
