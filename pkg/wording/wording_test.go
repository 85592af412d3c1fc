package wording_test

import (
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 claims are", 1: "1 claim is", 2: "2 claims are", 21: "21 claims are"} {
		if got := wording.Count(n, "claim is", "claims are"); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
