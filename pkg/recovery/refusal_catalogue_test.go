package recovery_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/internal/gen/rules"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
)

// Every rule that refuses has a state in which a restore refuses because of it: in the table here, or in a test that
// docs/rules.md names.
func TestEveryRuleThatRefusesIsHeld(t *testing.T) {
	t.Parallel()
	cases := map[string]int{}
	for _, c := range allRefusing() {
		cases[c.rule]++
	}
	elsewhere := rules.Elsewhere()
	for _, r := range finding.Rules() {
		switch named := len(elsewhere[r.ID]); {
		case !r.Refuses:
		case cases[r.ID] == 0 && named == 0:
			t.Errorf("no test holds %q: add a state to allRefusing, or name its test in internal/gen/rules", r.ID)
		case cases[r.ID] > 0 && named > 0:
			t.Errorf("%q has a state here: internal/gen/rules says that it cannot", r.ID)
		}
	}
	if table := rules.Table(); table.Func != "TestEveryRefusalHoldsAndChangesNothing" || table.Dir != "pkg/recovery" {
		t.Errorf("docs/rules.md names another test than the one that tries the states: %v", table)
	}
}

// What docs/rules.md names as holding a rule is there, and is about that rule.
func TestWhatHoldsARuleIsThere(t *testing.T) {
	t.Parallel()
	named := rules.Elsewhere()
	maps.Copy(named, rules.Stories())
	for rule, tests := range named {
		if r, ok := finding.RuleByID(rule); !ok || !r.Refuses {
			t.Errorf("%q is no rule that refuses", rule)
		}
		for _, test := range tests {
			if body := bodyOf(t, test); body == "" {
				t.Errorf("%s: there is no %s in %s", rule, test.Func, test.Dir)
			} else if !strings.Contains(body, rule) {
				t.Errorf("%s: %s in %s is not about it", rule, test.Func, test.Dir)
			}
		}
	}
}

// bodyOf is the text of a test, empty where there is none.
func bodyOf(t *testing.T, test rules.Test) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(test.Dir), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	body := regexp.MustCompile(`(?ms)^func ` + test.Func + `\(t \*testing\.T\) \{$.*?^\}$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := body.Find(text); found != nil {
			return string(found)
		}
	}
	return ""
}
