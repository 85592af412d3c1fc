package finding

import (
	"fmt"
	"slices"
	"strings"
)

// Lift is one --accept or --ignore: a rule, and the subject it is lifted for.
type Lift struct {
	Rule string `json:"rule"`
	// Subject is empty for every subject of the rule; --accept always names one.
	Subject string `json:"subject,omitempty"`
}

// String returns the form of the command line.
func (l Lift) String() string {
	if l.Subject == "" {
		return l.Rule
	}
	return l.Rule + "=" + l.Subject
}

// ofMissingClaim tells whether it would have the operator make an empty claim that its node starts on with the others.
// --lost holds such a node back instead, and is the only way.
func (l Lift) ofMissingClaim() bool {
	return l.Rule == "slot-missing" && strings.HasPrefix(l.Subject, "pvc/")
}

func (l Lift) covers(f Finding) bool {
	return l.Rule == f.Rule && (l.Subject == "" || l.Subject == f.Subject)
}

// ParseIgnore reads RULE or RULE=SUBJECT.
func ParseIgnore(s string) (Lift, error) {
	rule, subject, found := strings.Cut(s, "=")
	if _, ok := RuleByID(rule); !ok {
		return Lift{}, fmt.Errorf("parse %q: there is no rule %q; `kafkarecover explain` lists them", s, rule)
	}
	if found && subject == "" {
		return Lift{}, fmt.Errorf("parse %q: the subject after \"=\" is empty", s)
	}
	return Lift{Rule: rule, Subject: subject}, nil
}

// ParseAccept reads RULE=SUBJECT. One acceptance lifts one rule for one subject (safety contract, line 5), and a rule
// that is final none.
func ParseAccept(s string) (Lift, error) {
	l, err := ParseIgnore(s)
	if err != nil {
		return Lift{}, err
	}
	if l.Subject == "" {
		return Lift{}, fmt.Errorf("parse %q: name what it is accepted for, as %s=SUBJECT", s, l.Rule)
	}
	if r, _ := RuleByID(l.Rule); r.Final {
		return Lift{}, fmt.Errorf("parse %q: rule %q cannot be accepted: %s", s, l.Rule, r.Remedy)
	}
	if l.ofMissingClaim() {
		return Lift{}, fmt.Errorf("parse %q: a claim that would be made, empty, beside the others cannot be accepted: if "+
			"its volume is lost for good, --lost %s has its node start once the others have caught up", s, l.Subject)
	}
	return l, nil
}

// Decision is what findings mean for a restore.
type Decision struct {
	// Refusals are the findings that forbid it.
	Refusals []Finding `json:"refusals,omitempty"`
	// Accepted are the findings that would, but were accepted.
	Accepted []Finding `json:"accepted,omitempty"`
	// Unused are acceptances that no finding asked for: a slip of the pen, or the state has changed since.
	Unused []Lift `json:"unused,omitempty"`
}

// Refused tells whether anything forbids the restore.
func (d Decision) Refused() bool { return len(d.Refusals) > 0 }

// Decide tells what forbids a restore, given what the person accepted.
func Decide(findings []Finding, accepts []Lift) Decision {
	var d Decision
	used := make([]bool, len(accepts))
	for _, f := range findings {
		if !f.Refuses {
			continue
		}
		i := slices.IndexFunc(accepts, func(l Lift) bool { return l.Subject != "" && l.covers(f) })
		if rule, _ := RuleByID(f.Rule); i < 0 || rule.Final || accepts[i].ofMissingClaim() {
			d.Refusals = append(d.Refusals, f)
			continue
		}
		used[i] = true
		d.Accepted = append(d.Accepted, f)
	}
	for i, l := range accepts {
		if !used[i] {
			d.Unused = append(d.Unused, l)
		}
	}
	return d
}

// Visible returns the findings that no ignore covers, and the number of those left out. What is left out still refuses
// a restore: only Decide's acceptances lift that.
func Visible(findings []Finding, ignores []Lift) (visible []Finding, ignored int) {
	for _, f := range findings {
		if slices.ContainsFunc(ignores, func(l Lift) bool { return l.covers(f) }) {
			ignored++
			continue
		}
		visible = append(visible, f)
	}
	return visible, ignored
}

// Fails tells whether a finding is at or above the limit of --fail-on; an empty limit stands for never. What could not
// be evaluated was not found: it makes a scan incomplete, which has an exit code of its own.
func Fails(findings []Finding, limit Severity) bool {
	return limit != "" && slices.ContainsFunc(findings, func(f Finding) bool {
		return !f.Unevaluated && f.Severity.AtLeast(limit)
	})
}

// Incomplete tells whether a rule could not be evaluated.
func Incomplete(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Unevaluated })
}
