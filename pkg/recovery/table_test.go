package recovery_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

// TestWhatWasVerifiedFitsATerminal: the longest check with a long detail, on a terminal of 80 columns.
func TestWhatWasVerifiedFitsATerminal(t *testing.T) {
	t.Parallel()
	const claim = "pvc/data-0-my-cluster-controller-3"
	r := &recovery.Result{Cluster: "my-cluster", Namespace: "kafka", Checks: []recovery.Check{
		{Name: "log directories are the ones that were read before", State: recovery.CheckPassed, Detail: "9 volumes"},
		{
			Name: "the same volume under every claim, and no new claim", State: recovery.CheckFailed,
			Detail: claim + " was replaced by another claim",
		},
	}}
	streams, _, out, _ := iostreams.Test()
	streams.SetTerminal(80)
	streams.Colour = iostreams.ColourNever
	if err := (output.Printer{IO: streams}).Print(r); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !strings.Contains(out.String(), claim) {
		t.Errorf("the claim's name must be in one piece:\n%s", out)
	}
}
