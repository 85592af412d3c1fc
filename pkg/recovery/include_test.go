package recovery_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

// What names a claim, or would be of no use, is not passed over in silence.
func TestOnlyVolumesThatNameNoClaimAreIncluded(t *testing.T) {
	t.Parallel()
	refusal := func(err error) string {
		var flag *recovery.FlagError
		if !errors.As(err, &flag) || flag.Flag != "--include" {
			t.Fatalf("got %v", err)
		}
		return flag.Why
	}
	l := newLost(t, unpackDisks(t), true)
	req := l.request()
	req.Declared, req.Include = l.manifests, []string{"pv-" + claimOf("0-broker-0")}
	_, err := recovery.Restore(t.Context(), req, l.deps())
	if got := refusal(err); !strings.Contains(got, "is bound to one") {
		t.Errorf("of a volume that is bound it says %q", got)
	}
	s := newStand(t, unpackDisks(t), true)
	req = s.request()
	req.Include = []string{"any"}
	_, err = recovery.Restore(t.Context(), req, s.deps())
	if got := refusal(err); !strings.Contains(got, "kafka/my-cluster is there") {
		t.Errorf("of a cluster that is there it says %q", got)
	}
	for _, text := range []string{"", "pv/", "pvc/a", "a b", "../a"} {
		if name, err := recovery.ParseIncluded(text); err == nil {
			t.Errorf("%q is taken for %q", text, name)
		}
	}
	if name, err := recovery.ParseIncluded("pv/pvc-0a1b"); err != nil || name != "pvc-0a1b" {
		t.Errorf("got %q, %v", name, err)
	}
}
