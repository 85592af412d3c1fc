package scan_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func at() time.Time { return time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC) }

func folder(t *testing.T, path string, opts scan.Options) *scan.Scan {
	t.Helper()
	s, err := scan.Folder(t.Context(), path, at(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rules are the rules that found something, each once.
func rules(c *scan.Cluster) []string {
	var out []string
	for _, f := range c.Findings {
		out = append(out, f.Rule)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestOneLogDirectoryIsReadThrough(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"a log directory": single, "a volume": filepath.Dir(single),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := folder(t, path, scan.Options{})
			if len(s.Clusters) != 1 || len(s.Clusters[0].Volumes) != 1 {
				t.Fatalf("want one cluster of one volume, got %+v", s.Clusters)
			}
			c := &s.Clusters[0]
			if c.ClusterID != thisCluster || c.Kafka != nil || c.Dir != path {
				t.Errorf("cluster ID %q, Kafka %v, folder %q", c.ClusterID, c.Kafka, c.Dir)
			}
			v := c.Volumes[0]
			if v.State != volume.Read || v.Via != "dir" || v.Topics != 11 || v.MetadataVersion == 0 {
				t.Errorf("state %s via %s, %d topics, metadata.version %d", v.State, v.Via, v.Topics, v.MetadataVersion)
			}
			if v.Image == nil {
				t.Fatal("the metadata log was not replayed")
			}
			if want := (logdir.OffsetAndEpoch{Offset: 185, Epoch: 1}); v.Image.End != want {
				t.Errorf("the replay ended at %+v, want %+v: what Kafka named its last snapshot after", v.Image.End, want)
			}
			if diff := cmp.Diff([]int32{1}, v.Image.Brokers); diff != "" {
				t.Errorf("brokers (-want +got):\n%s", diff)
			}
			// The broker stopped last: Kafka 4 took it out of the in-sync replicas and left it an eligible leader.
			if diff := cmp.Diff(map[int32]int{1: 13}, v.Image.InSync); diff != "" {
				t.Errorf("partitions that would elect the broker (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheMetadataSaysWhoIsKnown reads a snapshot that Kafka wrote, with one of everything; beside it lies what Kafka's
// own shell shows of it.
func TestTheMetadataSaysWhoIsKnown(t *testing.T) {
	t.Parallel()
	const snapshot = "../kraft/metadata/testdata/kafka/00000000000000000100-0000000005.checkpoint"
	root := t.TempDir()
	dir := filepath.Join(plant(t, root, planted{claim: "data-0-my-cluster-broker-0", node: 0}), "__cluster_metadata-0")
	raw, err := os.ReadFile(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, filepath.Base(snapshot)), string(raw))
	v := folder(t, root, scan.Options{}).Clusters[0].Volumes[0]
	if v.Image == nil {
		t.Fatalf("not replayed: %+v", v.Contents.AllProblems())
	}
	shell, err := os.ReadFile(snapshot + ".tree")
	if err != nil {
		t.Fatal(err)
	}
	inSync := strings.Count(string(shell), ", isr=[0, 1], ") / 2 // it shows topics by ID and by name
	want := &volume.Image{
		End: logdir.OffsetAndEpoch{Offset: 100, Epoch: 5}, Brokers: []int32{0, 1, 12},
		InSync: map[int32]int{0: inSync, 1: inSync}, Fenced: []int32{12},
		Users: []string{"CN=x,O=y", "alice", "bob", "t", "v"},
	}
	if diff := cmp.Diff(want, v.Image); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v.MetadataVersion != 29 {
		t.Errorf("metadata.version %d, want 29", v.MetadataVersion)
	}
}

func TestVolumesOfAFolderAreJudgedTogether(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	plant(t, root, planted{claim: "data-0-my-cluster-broker-0", node: 0, metadata: true})
	plant(t, root, planted{claim: "data-0-my-cluster-broker-2", node: 2, metadata: true})
	plant(t, root, planted{claim: "data-0-my-cluster-controller-3", node: 3, metadata: true})
	dir := plant(t, root, planted{claim: "data-1-my-cluster-broker-2", node: 2, id: otherCluster})
	s := folder(t, root, scan.Options{})
	c := &s.Clusters[0]
	if c.Name != "my-cluster" {
		t.Errorf("the folders' names say my-cluster, got %q", c.Name)
	}
	if c.ClusterID != "" || len(c.Groups) != 2 {
		t.Errorf("one volume is of another cluster: no ID is agreed, two are said; got %q and %+v", c.ClusterID, c.Groups)
	}
	if !slices.Contains(rules(c), "cluster-id-disagreement") {
		t.Errorf("found only %v", rules(c))
	}
	if got := s.Code(finding.Error); got != exitcode.Refused {
		t.Errorf("exit code %d, want %d", got, exitcode.Refused)
	}
	if got := s.Code(""); got != exitcode.OK {
		t.Errorf("--fail-on never: exit code %d, want %d", got, exitcode.OK)
	}
	s = folder(t, root, scan.Options{Excluded: map[string]bool{"dir/data-1-my-cluster-broker-2": true}})
	if got := s.Clusters[0].ClusterID; got != thisCluster {
		t.Errorf("with that volume given up the others agree on %q, got %q", thisCluster, got)
	}
	if _, err := os.Stat(filepath.Join(dir, "meta.properties")); err != nil {
		t.Error(err)
	}
}

func TestWhatWasNotReadIsSaid(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	plant(t, root, planted{claim: "data-0-my-cluster-broker-0", node: 0, metadata: true})
	if err := os.Symlink(root, filepath.Join(root, "data-0-my-cluster-broker-1")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "notes.txt"), "no volume")
	s := folder(t, root, scan.Options{})
	c := &s.Clusters[0]
	if c.Unread() != 1 || !c.Incomplete() {
		t.Errorf("a link was not followed: want one volume unread, got %d", c.Unread())
	}
	if got := s.Code(""); got != exitcode.Incomplete {
		t.Errorf("exit code %d, want %d: unread is not empty", got, exitcode.Incomplete)
	}
	if diff := cmp.Diff([]string{"notes.txt"}, s.Left); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}

func TestDamageMakesAVolumeIncompleteUnlessKafkaCutsItOff(t *testing.T) {
	t.Parallel()
	const log = "__cluster_metadata-0/00000000000000000000.log"
	for name, tc := range map[string]struct {
		damage func(t *testing.T, dir string)
		want   volume.ReadState
	}{
		"an append that was cut short": {func(t *testing.T, dir string) {
			resize(t, filepath.Join(dir, log), -7)
		}, volume.Read},
		"meta.properties that does not parse": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "meta.properties"), "version=seven\n")
		}, volume.Incomplete},
		"a byte that changed in the middle of the log": {func(t *testing.T, dir string) {
			name := filepath.Join(dir, log)
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			raw[len(raw)/2] ^= 0xff
			write(t, name, string(raw))
		}, volume.Incomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			dir := plant(t, root, planted{claim: "data-0-my-cluster-broker-0", node: 0, metadata: true})
			tc.damage(t, dir)
			v := folder(t, root, scan.Options{}).Clusters[0].Volumes[0]
			if v.State != tc.want {
				t.Errorf("state %s, want %s; reason %q, problems %+v", v.State, tc.want, v.Reason, v.Contents.AllProblems())
			}
			if len(v.Contents.AllProblems()) == 0 {
				t.Error("the damage is not told")
			}
			if (v.State == volume.Incomplete) != (v.Reason != "") {
				t.Errorf("state %s with reason %q", v.State, v.Reason)
			}
		})
	}
}

func resize(t *testing.T, name string, by int64) {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, info.Size()+by); err != nil {
		t.Fatal(err)
	}
}

func TestVisitorsSeeEachVolumeWhileItCanBeRead(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	plant(t, root, planted{claim: "data-0-my-cluster-broker-0", node: 0})
	var saw string
	s := folder(t, root, scan.Options{Visit: func(_ context.Context, v *volume.Volume, fsys fs.FS) error {
		raw, err := fs.ReadFile(fsys, "kafka-log0/meta.properties")
		saw = v.Name + " " + string(raw)
		return err
	}})
	if !strings.HasPrefix(saw, s.Clusters[0].Volumes[0].Name+" ") || !strings.Contains(saw, "node.id=0") {
		t.Errorf("the visitor saw %q", saw)
	}
	failed := errors.New("no room for the copy")
	_, err := scan.Folder(t.Context(), root, at(), scan.Options{
		Visit: func(context.Context, *volume.Volume, fs.FS) error { return failed },
	})
	if !errors.Is(err, failed) {
		t.Errorf("a visitor's error is the look's, got %v", err)
	}
}

func TestFoldersWithoutVolumes(t *testing.T) {
	t.Parallel()
	gone := filepath.Join(t.TempDir(), "gone")
	if _, err := scan.Folder(t.Context(), gone, at(), scan.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
	root := t.TempDir()
	write(t, filepath.Join(root, "notes.txt"), "no volume")
	if _, err := scan.Folder(t.Context(), root, at(), scan.Options{}); !errors.Is(err, volume.ErrNoVolume) {
		t.Errorf("a folder without volumes: %v", err)
	}
}

func TestAnInterruptEndsTheReadingOfAFolder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	plant(t, root, planted{claim: "data-0-my-cluster-broker-0", node: 0})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := scan.Folder(ctx, root, at(), scan.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the interrupt", err)
	}
}
