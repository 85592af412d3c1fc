package volumes_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

func TestUnpackGivesAFolderForEachClaim(t *testing.T) {
	t.Parallel()
	for _, name := range volumes.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, dir := volumes.ReadManifest(t, name), volumes.Unpack(t, name)
			if got, want := list(t, dir), slices.Sorted(maps.Keys(m.Volumes)); !slices.Equal(got, want) {
				t.Fatalf("claims are %q, the manifest has %q", got, want)
			}
			for claim, v := range m.Volumes {
				checkVolume(t, filepath.Join(dir, claim, v.LogDir), m, v)
			}
		})
	}
}

// checkVolume holds what Kafka wrote against what it was configured with and told.
func checkVolume(t *testing.T, dir string, m volumes.Manifest, v volumes.Volume) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "meta.properties"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "cluster.id=" + m.ClusterID + "\n"; !strings.Contains(string(raw), want) {
		t.Errorf("%s has no line %q:\n%s", dir, want, raw)
	}
	_, err = os.Stat(filepath.Join(dir, "__cluster_metadata-0", "quorum-state"))
	if got := err == nil; got != v.Metadata {
		t.Errorf("%s has a metadata log: %t, want %t", dir, got, v.Metadata)
	}
	for _, partition := range v.Partitions {
		if _, err := os.Stat(filepath.Join(dir, partition, "00000000000000000000.log")); err != nil &&
			!strings.HasPrefix(partition, "payments-0") { // its first records were deleted
			t.Errorf("partition %q: %v", partition, err)
		}
	}
}

func TestManifestKnowsWhatTheTopicsHeld(t *testing.T) {
	t.Parallel()
	for _, name := range volumes.Names() {
		m := volumes.ReadManifest(t, name)
		records := int64(0)
		for _, p := range m.Topics["orders"].Partitions {
			records += p.End - p.Start
		}
		if records != 120 { // as many as were written
			t.Errorf("%s: topic orders has %d records, want 120", name, records)
		}
		if got := m.Groups["billing"]["orders-5"]; got != 8 {
			t.Errorf("%s: group billing is at %d of orders-5, want 8", name, got)
		}
		if _, there := m.Topics["deleted-topic"]; there {
			t.Errorf("%s: the deleted topic is still told of", name)
		}
	}
	split := volumes.ReadManifest(t, volumes.SplitRoles)
	if got, want := split.SCRAMUsers, []string{"alice", "bob"}; !slices.Equal(got, want) {
		t.Errorf("users are %q, want %q", got, want)
	}
	if got, want := split.Voters, []int{3, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("voters are %v, want %v", got, want)
	}
}

func TestKafkaSaysSomethingOfEachMetadataFile(t *testing.T) {
	t.Parallel()
	for _, name := range volumes.Names() {
		if name == volumes.ZooKeeper {
			continue // it has no metadata log
		}
		dir, says := volumes.Unpack(t, name), volumes.UnpackSays(t, name)
		asked := 0
		err := filepath.WalkDir(says, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			asked++
			relative, err := filepath.Rel(says, path)
			if err != nil {
				return err
			}
			if _, err := os.Stat(filepath.Join(dir, strings.TrimSuffix(relative, filepath.Ext(relative)))); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			first := strings.HasSuffix(path, "__cluster_metadata-0/00000000000000000000.log.dump")
			// A log that begins with a transaction cut short says it in the next segment.
			torn := bytes.Contains(text, []byte("BEGIN_TRANSACTION")) && !bytes.Contains(text, []byte("END_TRANSACTION"))
			if first && !torn && !bytes.Contains(text, []byte("metadata.version")) {
				t.Errorf("%s: %s does not tell of the metadata version", name, relative)
			}
			return nil
		})
		if err != nil || asked == 0 {
			t.Errorf("%s: Kafka said something of %d files: %v", name, asked, err)
		}
	}
}

func TestEachDamageChangesItsClaimsOnly(t *testing.T) {
	t.Parallel()
	whole := volumes.Unpack(t, volumes.SplitRoles)
	for _, d := range volumes.Damaged() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			dir := d.Unpack(t)
			if got, want := list(t, dir), list(t, whole); !slices.Equal(got, want) {
				t.Fatalf("claims are %q, want %q", got, want)
			}
			for _, claim := range list(t, whole) {
				same := maps.Equal(content(t, filepath.Join(dir, claim)), content(t, filepath.Join(whole, claim)))
				if damaged := slices.Contains(d.Claims, claim); same == damaged {
					t.Errorf("%s is as it was: %t, damaged: %t", claim, same, damaged)
				}
			}
		})
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// content is the kind of everything below a directory, and the text of what identifies it.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		found[relative] = entry.Type().String()
		if entry.Type().IsRegular() && entry.Name() == "meta.properties" {
			raw, err := os.ReadFile(path)
			found[relative] += string(raw)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What reads manifests writes the same bytes again, so nothing in them is unknown to it.
func TestManifestsAreWrittenAsTheyAreRead(t *testing.T) {
	t.Parallel()
	for _, name := range volumes.Names() {
		want, err := os.ReadFile(name + ".manifest.json")
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.MarshalIndent(volumes.ReadManifest(t, name), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
			t.Errorf("%s (-stored +written):\n%s", name, diff)
		}
	}
}
