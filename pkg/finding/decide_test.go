package finding_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
)

func TestParseLifts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text           string
		accept, ignore string // what the error says; empty for none
	}{
		{text: "would-be-formatted=pvc/data-0"},
		{text: "would-be-formatted", accept: "as would-be-formatted=SUBJECT"},
		{text: "would-be-formatted=", accept: "is empty", ignore: "is empty"},
		{text: "no-such-rule=x", accept: `no rule "no-such-rule"`, ignore: "kafkarecover explain"},
		{text: "cluster-id-disagreement=cluster", accept: "cannot be accepted"},
		{text: "gitops-active=kafka/a=b"},
	} {
		for _, parse := range []struct {
			name string
			do   func(string) (finding.Lift, error)
			want string
		}{{"accept", finding.ParseAccept, c.accept}, {"ignore", finding.ParseIgnore, c.ignore}} {
			lift, err := parse.do(c.text)
			switch {
			case parse.want == "" && err != nil:
				t.Errorf("%s %q: %v", parse.name, c.text, err)
			case parse.want == "" && lift.String() != c.text:
				t.Errorf("%s %q: is shown as %q", parse.name, c.text, lift)
			case parse.want != "" && (err == nil || !strings.Contains(err.Error(), parse.want)):
				t.Errorf("%s %q: got %v, want %q", parse.name, c.text, err, parse.want)
			}
		}
	}
}

func lifts(t *testing.T, parse func(string) (finding.Lift, error), texts ...string) []finding.Lift {
	t.Helper()
	var out []finding.Lift
	for _, text := range texts {
		l, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

func TestAnAcceptanceLiftsOneRuleForOneSubject(t *testing.T) {
	t.Parallel()
	w := retained(t)
	w.empty("0-controller-3", "1-broker-0")
	findings := finding.Judge(w.Input)
	d := finding.Decide(findings, lifts(t, finding.ParseAccept, "would-be-formatted="+pvcC3, "would-be-formatted="+pvcC4))
	var refusals, accepted []string
	for _, f := range d.Refusals {
		refusals = append(refusals, f.Rule+"="+f.Subject)
	}
	for _, f := range d.Accepted {
		accepted = append(accepted, f.Rule+"="+f.Subject)
	}
	want := []string{"empty-broker-in-isr=node/0", "would-be-formatted=" + pvcB10, "controller-empty=node/3"}
	if diff := cmp.Diff(want, refusals); diff != "" || !d.Refused() {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"would-be-formatted=" + pvcC3}, accepted); diff != "" {
		t.Errorf("accepted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]finding.Lift{{Rule: "would-be-formatted", Subject: pvcC4}}, d.Unused); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
	all := lifts(t, finding.ParseAccept, append(want, accepted...)...)
	if d := finding.Decide(findings, all); d.Refused() || len(d.Unused) > 0 {
		t.Errorf("with everything accepted: refusals %v, unused %v", d.Refusals, d.Unused)
	}
}

func TestWhatCannotBeAccepted(t *testing.T) {
	t.Parallel()
	w := retained(t)
	w.dir("0-broker-0").Meta.ClusterID = ptr(otherID)
	findings := finding.Judge(w.Input)
	for _, l := range []finding.Lift{
		{Rule: "cluster-id-disagreement", Subject: "cluster"}, // the rule is final, however the lift was made
		{Rule: "cluster-id-disagreement"},                     // an ignore is no acceptance
	} {
		if !finding.Decide(findings, []finding.Lift{l}).Refused() {
			t.Errorf("%s must not be lifted", l)
		}
	}
}

func TestIgnoredFindingsRefuseAllTheSame(t *testing.T) {
	t.Parallel()
	w := retained(t)
	w.empty("0-controller-3", "0-controller-4")
	findings := finding.Judge(w.Input)
	ignores := lifts(t, finding.ParseIgnore, "would-be-formatted", "controller-empty=node/3")
	visible, ignored := finding.Visible(findings, ignores)
	if ignored != 3 || len(visible) != len(findings)-3 {
		t.Errorf("three findings are ignored, got %d, %d of %d left:%s", ignored, len(visible), len(findings), texts(visible))
	}
	if !finding.Decide(findings, lifts(t, finding.ParseIgnore, "would-be-formatted")).Refused() {
		t.Error("ignoring must not lift a refusal")
	}
}

func TestFails(t *testing.T) {
	t.Parallel()
	at := func(s finding.Severity, unevaluated bool) finding.Finding {
		return finding.Finding{Severity: s, Unevaluated: unevaluated}
	}
	for _, c := range []struct {
		name  string
		f     finding.Finding
		limit finding.Severity
		fails bool
	}{
		{"worse", at(finding.Critical, false), finding.Error, true},
		{"the limit itself", at(finding.Error, false), finding.Error, true},
		{"better", at(finding.Warning, false), finding.Error, false},
		{"info", at(finding.Info, false), finding.Warning, false},
		{"never", at(finding.Critical, false), "", false},
		{"not evaluated", at(finding.Critical, true), finding.Error, false},
	} {
		if got := finding.Fails([]finding.Finding{c.f}, c.limit); got != c.fails {
			t.Errorf("%s: got %t", c.name, got)
		}
		if got := finding.Incomplete([]finding.Finding{c.f}); got != c.f.Unevaluated {
			t.Errorf("%s: incomplete is %t", c.name, got)
		}
	}
}

func TestFindingsAreSortedByWhatIsWorst(t *testing.T) {
	t.Parallel()
	f := func(s finding.Severity, rule, subject, message string) finding.Finding {
		return finding.Finding{Severity: s, Rule: rule, Subject: subject, Message: message}
	}
	want := []finding.Finding{
		f(finding.Critical, "z", "a", ""), f(finding.Error, "a", "a", ""), f(finding.Error, "b", "a", ""),
		f(finding.Error, "b", "b", "1"), f(finding.Error, "b", "b", "2"), f(finding.Warning, "a", "a", ""),
		f(finding.Info, "a", "a", ""),
	}
	got := []finding.Finding{want[6], want[4], want[3], want[5], want[2], want[1], want[0]}
	finding.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestRuleByID(t *testing.T) {
	t.Parallel()
	if _, ok := finding.RuleByID("no-such-rule"); ok {
		t.Error("a rule of that name was found")
	}
}
