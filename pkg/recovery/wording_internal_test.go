package recovery

import (
	"slices"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
)

// Of dozens of findings the one command that answers most of them is said at the end.
func TestWhatWasMadeTooEarlySaysOneCommand(t *testing.T) {
	t.Parallel()
	other := finding.Finding{Rule: "duplicate-node-id", Subject: "node/0", Remedy: "exclude the other volume"}
	shadowed := finding.Finding{Rule: "shadowed-by-new-volume", Subject: "pvc/data-0", Remedy: "`restore --rebind-claims`"}
	for title, c := range map[string]struct {
		rebind   bool
		findings []finding.Finding
		want     []string
	}{
		"two volumes for one claim": {
			false, []finding.Finding{other, shadowed, shadowed},
			[]string{"most of this comes of two volumes for one claim: `restore --rebind-claims`"},
		},
		"something else":      {false, []finding.Finding{other}, nil},
		"with the flag given": {true, []finding.Finding{other, shadowed}, nil},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			for i := range c.findings {
				c.findings[i].Refuses = true
			}
			r := &run{result: &Result{}}
			r.RebindClaims = c.rebind
			r.weigh(c.findings)
			if r.result.Outcome != OutcomeRefused || !slices.Equal(r.result.Next, c.want) {
				t.Errorf("%s: %q", r.result.Outcome, r.result.Next)
			}
		})
	}
}
