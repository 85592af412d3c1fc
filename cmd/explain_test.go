package cmd_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/cmd"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
)

// explain runs the program with these arguments and nothing of this machine's settings.
func explain(t *testing.T, args ...string) (code exitcode.Code, out, errOut string) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	streams, _, stdout, stderr := iostreams.Test()
	code = cmd.Main(t.Context(), append([]string{"kafkarecover"}, args...), streams)
	return code, stdout.String(), stderr.String()
}

func TestExplainListsAllRules(t *testing.T) {
	code, out, errOut := explain(t, "explain", "-o", "name")
	if code != exitcode.OK || errOut != "" {
		t.Fatalf("got exit code %d, %s", code, errOut)
	}
	var want []string
	for _, r := range finding.Rules() {
		want = append(want, r.ID)
	}
	if got := strings.Fields(out); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_, table, _ := explain(t, "explain")
	_, wide, _ := explain(t, "explain", "-o", "wide")
	for _, r := range finding.Rules() {
		if !strings.Contains(table, r.ID) || !strings.Contains(table, r.Title) || !strings.Contains(wide, r.Source) {
			t.Errorf("rule %s is not told", r.ID)
		}
	}
	if !strings.Contains(wide, "refuses, always") || !strings.Contains(wide, "goes on") {
		t.Errorf("the wide table must tell what restore does:\n%s", wide)
	}
}

func TestExplainOneRule(t *testing.T) {
	code, out, errOut := explain(t, "explain", "would-be-formatted")
	rule, _ := finding.RuleByID("would-be-formatted")
	if code != exitcode.OK || errOut != "" {
		t.Fatalf("got exit code %d, %s", code, errOut)
	}
	for _, text := range []string{
		rule.ID, "critical", rule.Title, rule.What, rule.Why, rule.Source, rule.Remedy,
		"restore --accept would-be-formatted=SUBJECT", "Without it:", "at worst, data is lost",
	} {
		if !strings.Contains(out, text) {
			t.Errorf("%q is not in:\n%s", text, out)
		}
	}
	if _, out, _ := explain(t, "explain", "cluster-id-disagreement"); strings.Contains(out, "--accept") {
		t.Errorf("a final rule cannot be accepted:\n%s", out)
	}
}

func TestExplainAsJSON(t *testing.T) {
	_, out, _ := explain(t, "explain", "pending-deletion", "-o", "json")
	var got struct {
		APIVersion, Kind string
		Rules            []finding.Rule
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	want, _ := finding.RuleByID("pending-deletion")
	if got.Kind != "Rules" || got.APIVersion != "kafkarecover/v1" || len(got.Rules) != 1 || got.Rules[0] != want {
		t.Errorf("got %+v", got)
	}
}

func TestExplainAnUnknownRule(t *testing.T) {
	for text, near := range map[string]string{
		"would-be-formated": "did you mean would-be-formatted",
		"shadowd":           "shadowed-by-new-volume",
		"qqqqqqqqqqqqqq":    "explain` lists all rules",
	} {
		code, out, errOut := explain(t, "explain", text)
		if code != exitcode.Usage || out != "" || !strings.Contains(errOut, near) || !strings.Contains(errOut, text) {
			t.Errorf("%s: got exit code %d, stdout %q, stderr %q", text, code, out, errOut)
		}
	}
	if code, _, _ := explain(t, "explain", "volume-unread", "volume-incomplete"); code != exitcode.Usage {
		t.Errorf("two rules are too many: got exit code %d", code)
	}
}

func TestExplainCompletesRules(t *testing.T) {
	_, out, _ := explain(t, "__complete", "explain", "metadata-version-")
	for _, id := range []string{"metadata-version-unknown", "metadata-version-unset", "metadata-version-would-upgrade"} {
		if !strings.Contains(out, id+"\t") {
			t.Errorf("%s is not offered:\n%s", id, out)
		}
	}
	if strings.Contains(out, "volume-unread") {
		t.Errorf("only what was begun is offered:\n%s", out)
	}
	if _, out, _ := explain(t, "__complete", "explain", "volume-unread", ""); strings.Contains(out, "volume-incomplete") {
		t.Errorf("a second rule is not offered:\n%s", out)
	}
}
