package finding_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
)

// ruleCase changes the picture before a restore and says for which subjects a rule is then found.
type ruleCase struct {
	rule, name string
	change     func(*world)
	// want are the subjects, sorted; none where the rule is to stay silent.
	want []string
	// says is what the message, the evidence and the remedy must tell among other things.
	says []string
	// unevaluated tells that the findings are to say that the rule could not be judged.
	unevaluated bool
	// running starts from the running cluster instead.
	running bool
}

func allCases() []ruleCase {
	return slices.Concat(identityCases(), slotCases(), assignCases(), readingCases(), contentCases(), quorumCases(),
		objectCases(), liveCases(), operatorCases(), versionCases(), configCases(), severalCases(), redeclaredCases(),
		displacedCases(), heldCases(), setCases(), lostCases())
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, c := range allCases() {
		t.Run(c.rule+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			w := retained(t)
			if c.running {
				w = healthy(t)
			}
			c.change(w)
			rule, ok := finding.RuleByID(c.rule)
			if !ok {
				t.Fatalf("there is no rule %q", c.rule)
			}
			all := finding.Judge(w.Input)
			for range 5 { // Go walks maps in another order each time
				if diff := cmp.Diff(all, finding.Judge(w.Input)); diff != "" {
					t.Fatalf("the same input gave other findings:\n%s", diff)
				}
			}
			var subjects []string
			told := ""
			for _, f := range all {
				if f.Rule != c.rule {
					continue
				}
				subjects = append(subjects, f.Subject)
				told += f.Message + "\n" + strings.Join(f.Evidence, "\n") + "\n" + f.Remedy + "\n"
				if f.Unevaluated != c.unevaluated {
					t.Errorf("%s: unevaluated is %t", f.Subject, f.Unevaluated)
				}
				if f.Refuses != rule.Refuses || f.Severity != rule.Severity || f.Message == "" || f.Remedy == "" {
					t.Errorf("a finding has the rule's severity, and a message and remedy: %+v", f)
				}
			}
			slices.Sort(subjects)
			if diff := cmp.Diff(c.want, subjects); diff != "" {
				t.Errorf("subjects (-want +got):\n%s\nall findings:%s", diff, texts(all))
			}
			for _, text := range c.says {
				if !strings.Contains(told, text) {
					t.Errorf("%q is not told in:\n%s", text, told)
				}
			}
		})
	}
}

func TestEveryRuleIsTried(t *testing.T) {
	t.Parallel()
	finds, silent := map[string]bool{}, map[string]bool{}
	for _, c := range allCases() {
		if len(c.want) > 0 {
			finds[c.rule] = true
		} else {
			silent[c.rule] = true
		}
	}
	for _, r := range finding.Rules() {
		if !finds[r.ID] {
			t.Errorf("no case finds %s", r.ID)
		}
		// Every rule is silent on a healthy cluster; one that refuses must be seen to let something pass that is near.
		if r.Refuses && !silent[r.ID] {
			t.Errorf("no case shows what %s lets pass", r.ID)
		}
	}
}

func TestRulesAreDocumented(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range finding.Rules() {
		if seen[r.ID] {
			t.Errorf("rule %s is there twice", r.ID)
		}
		seen[r.ID] = true
		if r.Title == "" || r.What == "" || r.Why == "" || r.Source == "" || r.Remedy == "" {
			t.Errorf("rule %s is not documented: %+v", r.ID, r)
		}
		if !slices.Contains(finding.Severities(), r.Severity) {
			t.Errorf("rule %s has severity %q", r.ID, r.Severity)
		}
		known := slices.Contains([]finding.Consequence{finding.DataLost, finding.Irreversible, finding.Stuck}, r.Without)
		if r.Refuses && !known || !r.Refuses && r.Without != "" {
			t.Errorf("rule %s refuses: %t, and without it: %q", r.ID, r.Refuses, r.Without)
		}
		if r.Final && !r.Refuses {
			t.Errorf("rule %s is final and does not refuse", r.ID)
		}
	}
	if !slices.IsSortedFunc(finding.Rules(), func(a, b finding.Rule) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("rules are sorted by ID")
	}
}
