package scan

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// held is a claim that a pod holds.
func held(name, mode string, pods ...volume.PodRef) volume.Volume {
	return volume.Volume{
		Name: "pvc/" + name, State: volume.Skipped, Topics: -1,
		Claim: &volume.Claim{Name: name, AccessModes: []string{mode}, UsedBy: pods},
	}
}

func TestWhereAClaimIsRead(t *testing.T) {
	t.Parallel()
	pod := func(phase, container string, ready bool) volume.PodRef {
		return volume.PodRef{Name: "p", Phase: phase, Ready: ready, Container: container, MountPath: "/var/lib/kafka/data-0"}
	}
	ready, crashing := pod("Running", "kafka", true), pod("Running", "kafka", false)
	for name, tc := range map[string]struct {
		v                volume.Volume
		auto, exec, pods string // where it is read: exec, pod, or nowhere
	}{
		"in no use":                           {held("c", "ReadWriteOnce"), "pod", "", "pod"},
		"in use by a ready Kafka":             {held("c", "ReadWriteOnce", ready), "exec", "exec", "pod"},
		"in use by a Kafka that crashes":      {held("c", "ReadWriteOnce", crashing), "pod", "exec", "pod"},
		"crashing, and for one pod alone":     {held("c", "ReadWriteOncePod", crashing), "exec", "exec", "pod"},
		"in use by a pod not there yet":       {held("c", "ReadWriteOnce", pod("Pending", "kafka", false)), "pod", "", "pod"},
		"in use by a pod that is not Kafka's": {held("c", "ReadWriteOnce", pod("Running", "shell", true)), "pod", "", "pod"},
		"in use, mounted in part (a sub-path)": {
			held("c", "ReadWriteOnce", volume.PodRef{Phase: "Running", Ready: true}), "pod", "", "pod",
		},
	} {
		for via, want := range map[Via]string{Auto: tc.auto, Exec: tc.exec, Pod: tc.pods, Objects: ""} {
			r := claimReader{opts: Options{Via: via}, cluster: &Cluster{Volumes: []volume.Volume{tc.v}}}
			running, rest := r.plan()
			got := strings.Repeat("exec", len(running)) + strings.Repeat("pod", len(rest))
			if got != want {
				t.Errorf("%s, --via %s: read by %q, want %q", name, via, got, want)
			}
			v := r.cluster.Volumes[0]
			if want == "" && via == Exec && (v.State != volume.Unread || v.Reason == "") {
				t.Errorf("%s, --via %s: state %s, reason %q", name, via, v.State, v.Reason)
			}
		}
	}
}

func TestWhatBecameOfAClaim(t *testing.T) {
	t.Parallel()
	reason := func(code probe.Code, from string) error {
		return &probe.UnreadError{
			Claim: "c", Reason: probe.Reason{Code: code, From: from, Message: "said"}, Err: errors.New("cause\x1b[1m"),
		}
	}
	for name, tc := range map[string]struct {
		outcome probe.Outcome
		state   volume.ReadState
		reason  string
		changed int
		visits  int
	}{
		"read": {probe.Outcome{}, volume.Read, "", 0, 0},
		"not mounted": {
			probe.Outcome{Err: reason(probe.CodeMultiAttach, "event")}, volume.Unread, `multi-attach (said): cause\x1b[1m`, 0, 0,
		},
		"refused by a policy": {
			probe.Outcome{Err: reason(probe.CodeAdmission, "create")}, volume.Unread, `admission (said): cause\x1b[1m`, 0, 0,
		},
		"changed by a policy": {
			probe.Outcome{Err: reason(probe.CodeAdmission, "")}, volume.Unread, `admission (said): cause\x1b[1m`, 1, 0,
		},
		"its visitor failed":     {probe.Outcome{Err: errors.New("disk full")}, volume.Incomplete, "disk full", 0, 1},
		"a directory was closed": {probe.Outcome{Problems: []string{"denied\x07"}}, volume.Incomplete, `.: denied\x07`, 0, 0},
		"two were closed": {
			probe.Outcome{Problems: []string{"denied", "denied too"}}, volume.Incomplete, ".: denied (and 1 more)", 0, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := held("c", "ReadWriteOnce")
			v.State, v.Contents = volume.Read, &logdir.Contents{}
			c := &Cluster{Volumes: []volume.Volume{v}}
			r := claimReader{cluster: c, volumes: map[string]*volume.Volume{"c": &c.Volumes[0]}}
			tc.outcome.Claim = "c"
			r.settle(tc.outcome, Pod)
			got := &c.Volumes[0]
			if got.State != tc.state || got.Reason != tc.reason || got.Via != "pod" {
				t.Errorf("state %s, reason %q, via %s; want %s, %q, pod", got.State, got.Reason, got.Via, tc.state, tc.reason)
			}
			if len(c.Changed) != tc.changed || len(r.visits) != tc.visits {
				t.Errorf("changed %q, visits %v; want %d and %d", c.Changed, r.visits, tc.changed, tc.visits)
			}
			if (got.Contents == nil) != (tc.state == volume.Unread) {
				t.Errorf("contents %v of a volume that is %s", got.Contents, got.State)
			}
		})
	}
}

const single = "../kraft/logdir/testdata/single"

// TestADeepLookCopiesWhatWillBeGone has a volume that can be read for a moment only, as one in a pod.
func TestADeepLookCopiesWhatWillBeGone(t *testing.T) {
	t.Parallel()
	temp, root := t.TempDir(), t.TempDir()
	if err := os.CopyFS(root, os.DirFS(single)); err != nil {
		t.Fatal(err)
	}
	d, err := newDeepReader(temp)
	if err != nil {
		t.Fatal(err)
	}
	v := held("data-0-my-cluster-dual-1", "ReadWriteOnce")
	var visited []string
	note := func(_ context.Context, v *volume.Volume, _ fs.FS) error {
		visited = append(visited, v.Name)
		return nil
	}
	for range 2 { // what is read twice counts once
		if err := readVolume(t.Context(), &v, string(Pod), os.DirFS(root), Options{Visit: d.visiting(note)}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{v.Name, v.Name}, visited); diff != "" {
		t.Errorf("visited (-want +got):\n%s", diff)
	}
	if err := os.RemoveAll(filepath.Join(root, "kafka-log1")); err != nil {
		t.Fatal(err)
	}
	got, err := d.judge()
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Quorum.Copies) != 1 || got.Verify.Files != 4 || got.Verify.Records == 0 {
		t.Errorf("%d copies, %d files, %d records; want 1, 4 (a segment and three snapshots), and some",
			len(got.Quorum.Copies), got.Verify.Files, got.Verify.Records)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	d, err = newDeepReader(temp)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close() //nolint:errcheck // the folder is the test's own
	if err := d.visiting(nil)(t.Context(), &v, os.DirFS(root)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a log that went away while it was copied: %v", err)
	}
}

func TestOnlyWhatIsReadIsFetched(t *testing.T) {
	t.Parallel()
	var got []string
	for _, name := range []string{
		"kafka-log1/meta.properties", "kafka-log1/orders-0/00000000000000000000.log", "kafka-log1/bootstrap.checkpoint",
		"kafka-log1/__cluster_metadata-0/00000000000000000000.log", "kafka-log1/orders-0/partition.metadata", "notes",
	} {
		if wanted(name, 100) {
			got = append(got, name)
		}
	}
	want := []string{
		"kafka-log1/meta.properties", "kafka-log1/bootstrap.checkpoint",
		"kafka-log1/__cluster_metadata-0/00000000000000000000.log", "kafka-log1/orders-0/partition.metadata",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fetched, and never topic data (-want +got):\n%s", diff)
	}
}
