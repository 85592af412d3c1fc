package tree_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/tree"
)

const snapshot = "00000000000000000100-0000000005.checkpoint"

func shell(t *testing.T, opts tree.Options) (*tree.Shell, *bytes.Buffer) {
	t.Helper()
	im, err := metadata.ReadFile(os.DirFS("../testdata/kafka"), snapshot, metadata.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := &bytes.Buffer{}
	return &tree.Shell{Root: tree.New(im, opts), Out: out}, out
}

// ours turns what Kafka's shell prints wrongly into what is right: the position, which it takes from inside the
// snapshot, and quotas of default entities, which it loses.
func ours(kafka string) string {
	return strings.NewReplacer(
		"    offset 55, epoch 0, time 2026-11-24T08:44:15.94Z[UTC]", "    offset 99, epoch 5, time 1970-01-01T00:00:00Z[UTC]",
		"    :\n", "    clientId()_user(alice):\n      producer_byte_rate:\n        1048576.0\n",
		"    user(alice):\n", "    user():\n      consumer_byte_rate:\n        1.0E9\n",
	).Replace(kafka)
}

func TestTreeIsThatOfKafkasShell(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("../testdata/kafka/" + snapshot + ".tree")
	if err != nil {
		t.Fatal(err)
	}
	s, out := shell(t, tree.Options{ShowSecrets: true, Version: "4.2.0", Commit: "a18251bae0b825c6"})
	if err := s.Run("tree", "/"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sorted(ours(string(want))), sorted(out.String())); diff != "" {
		t.Errorf("other than Kafka's (-Kafka's +ours):\n%s", diff)
	}
}

func sorted(s string) []string { return strings.Split(s, "\n") }
