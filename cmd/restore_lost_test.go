package cmd

import (
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
)

func TestWhatIsWrongWithVolumesThatAreNamedIsSaidBeforeAnythingIsAsked(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	for want, args := range map[string][]string{
		"node/my-cluster-broker-2 or pvc/": {"--lost", "worker-1"},
		`parse "pv/data-2"`:                {"--lost", "node/2", "--lost", "pv/data-2"},
		"with --wait=false nobody":         {"--lost", "node/2", "--wait=false"},
		"cannot go together":               {"--lost", "node/2", "--rebind-claims"},
		"--rebind-claims and --volumes":    {"--volumes", "scan.json", "-f", "manifests", "--rebind-claims"},
		"--lost pvc/data-0-my-cluster-b-1": {"--accept", "slot-missing=pvc/data-0-my-cluster-b-1"},
		`"pvc/data-0": it is no name of a`: {"--include", "pvc/data-0", "-f", "manifests"},
		"give those with -f":               {"--include", "pv/a"},
		"--include and --rebind-claims":    {"--include", "pv/a", "-f", "manifests", "--rebind-claims"},
	} {
		got := s.run(append([]string{"restore", "kafka/my-cluster", "--yes"}, args...)...)
		if got.code != exitcode.Usage || !strings.Contains(got.err, want) {
			t.Errorf("want %q and exit code 2, got %d: %s", want, got.code, got.err)
		}
	}
	if n := len(s.server.Requests()); n != 0 {
		t.Errorf("%d requests for what cannot be done", n)
	}
}
