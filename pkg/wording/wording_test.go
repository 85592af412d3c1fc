package wording_test

import (
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

func TestFew(t *testing.T) {
	t.Parallel()
	for want, names := range map[string][]string{
		"":                {},
		"a, b":            {"a", "b"},
		"a, b, c":         {"a", "b", "c"},
		"a, b and 2 more": {"a", "b", "c", "d"},
	} {
		if got := wording.Few(names, 2); got != want {
			t.Errorf("%v: got %q, want %q", names, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 claims are", 1: "1 claim is", 2: "2 claims are", 21: "21 claims are"} {
		if got := wording.Count(n, "claim is", "claims are"); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
