package cmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// Of all copies of a cluster's metadata the newest is shown; of the dual-role fixture's nodes each ends at another offset.
func TestViewsShowTheNewestCopyOfOneCluster(t *testing.T) {
	t.Parallel()
	for _, fixture := range []string{volumes.SplitRoles, volumes.DualRole} {
		m, dir := volumes.ReadManifest(t, fixture), volumes.Unpack(t, fixture)
		var farthest int64
		copies := 0
		for claim, v := range m.Volumes {
			if !v.Metadata {
				continue
			}
			copies++
			var one struct{ EndOffset int64 }
			result(t, &one, "metadata", "topics", "--dir", filepath.Join(dir, claim))
			farthest = max(farthest, one.EndOffset)
		}
		var shown struct {
			EndOffset int64
			Source    string
			Topics    []struct{ Name string }
		}
		result(t, &shown, "metadata", "topics", "--dir", dir)
		if copies < 2 || shown.EndOffset != farthest || !strings.Contains(shown.Source, "newest of") {
			t.Errorf("%s: of %d copies one ends at %d, shown is %+v", fixture, copies, farthest, shown)
		}
		for name := range m.Topics {
			if !slices.ContainsFunc(shown.Topics, func(topic struct{ Name string }) bool { return topic.Name == name }) {
				t.Errorf("%s: topic %q of the running cluster is not shown", fixture, name)
			}
		}
	}
}

func TestCopiesOfTwoClustersAreNotChosenBetween(t *testing.T) {
	t.Parallel()
	dir := volumes.Unpack(t, volumes.SplitRoles)
	file := filepath.Join(dir, "data-0-my-cluster-controller-4", "kafka-log4", "meta.properties")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const other = "nj2gpqbHSfmvw-PQucA3Jg"
	id := volumes.ReadManifest(t, volumes.SplitRoles).ClusterID
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(raw), id, other)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := runOffline(t, "", "metadata", "summary", "--dir", dir)
	if r.code != exitcode.Refused || !strings.Contains(r.err, other) || !strings.Contains(r.err, id) {
		t.Errorf("want exit code 3 and both cluster IDs, got %d: %s", r.code, r.err)
	}
}
