package protect_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
)

// TestVolumesFitATerminal has names as long as provisioners and Strimzi make them, on a terminal of 80 columns: nothing
// that a person copies is broken, and everything is there.
func TestVolumesFitATerminal(t *testing.T) {
	t.Parallel()
	names := []string{
		"pvc-4f0c1d2e-7788-4b1f-9a53-2f6f0a1b9c3d", "data-0-my-cluster-broker-0", "vol-0a1b2c3d4e5f60718", "eu-central-1a",
		"Delete → Retain",
	}
	r := &protect.Result{Volumes: []protect.Volume{{
		Name: names[0], Claim: names[1], State: protect.Safe, Phase: "Bound", Handle: names[2], Zone: names[3],
		PolicyBefore: "Delete", Policy: "Retain",
	}}}
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
	for _, name := range names {
		if !strings.Contains(out.String(), name) {
			t.Errorf("%q is not in one piece:\n%s", name, out)
		}
	}
}
