package scan_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// on is a volume in use of the cluster, with one log directory on it.
func on(pool string, node int32, id string, d logdir.LogDir) volume.Volume {
	d.Path, d.MetaState = strimzi.LogDirName(node), logdir.MetaOK
	d.Meta = &logdir.MetaProperties{Version: 1, ClusterID: &id, NodeID: &node, DirectoryID: "I8V60770iSBqYv_PCgkyPg"}
	zero := int32(0)
	slot := &volume.Slot{Cluster: "my-cluster", Pool: pool, NodeID: node, VolumeID: &zero}
	return volume.Volume{
		Name: "pvc/" + slot.ClaimName(), Slot: slot, State: volume.Read, Via: "pod", Topics: -1,
		Contents: &logdir.Contents{Dirs: []logdir.LogDir{d}, UsedBytes: d.UsedBytes},
	}
}

// example is a scan with one of everything that a person is shown.
func example() *scan.Scan {
	end := func(offset int64, known bool) *logdir.MetadataLog {
		return &logdir.MetadataLog{End: logdir.OffsetAndEpoch{Offset: offset, Epoch: 12}, EndKnown: known}
	}
	partitions := []logdir.Partition{
		{Topic: "orders", State: logdir.PartitionCurrent}, {Topic: "orders", Partition: 1, State: logdir.PartitionCurrent},
		{Topic: "gone", State: logdir.PartitionDelete},
	}
	broker := on("broker", 0, thisCluster, logdir.LogDir{
		Metadata: end(123456, true), UsedBytes: 3 << 30, Partitions: partitions,
	})
	broker.Image = &volume.Image{End: broker.Contents.Dirs[0].Metadata.End}
	broker.MetadataVersion, broker.Topics = 27, 4
	other := on("controller", 3, otherCluster, logdir.LogDir{Metadata: end(120000, false), UsedBytes: 512})
	empty := on("controller", 4, "", logdir.LogDir{})
	empty.Contents = &logdir.Contents{UsedBytes: 0}
	unread := on("controller", 5, "", logdir.LogDir{})
	unread.State, unread.Contents = volume.Unread, nil
	unread.Reason = `image (Back-off pulling image "mirror.test/kafka:1")`
	return &scan.Scan{
		TypeMeta: output.Meta("Scan"), Time: at(), Server: "https://example.test",
		Clusters: []scan.Cluster{{
			Namespace: "kafka", Name: "my-cluster",
			Groups: []finding.Group{
				{ID: thisCluster, Dirs: []string{broker.Name + ":kafka-log0"}},
				{ID: otherCluster, Dirs: []string{other.Name + ":kafka-log3"}},
			},
			Kafka: &strimzi.Cluster{Pools: []strimzi.NodePool{
				{Meta: strimzi.Meta{Name: "broker"}, Roles: []string{"broker"}},
				{Meta: strimzi.Meta{Name: "controller"}, Roles: []string{"controller"}},
			}},
			Volumes: []volume.Volume{broker, other, empty, unread},
			Others: []volume.PersistentVolume{{
				Name: "pv-9", Phase: "Released", ReclaimPolicy: "Delete", ClaimName: "data-0-my-cluster-broker-0",
			}},
			Findings: []finding.Finding{
				{
					Rule: "cluster-id-disagreement", Severity: finding.Critical, Subject: "cluster", Refuses: true,
					Message: "the volumes say 2 different cluster IDs", Evidence: []string{"one \x1b[31msaid"}, Remedy: "choose",
				},
				{
					Rule: "volume-unread", Severity: finding.Error, Subject: unread.Name, Unevaluated: true, Message: "was not read",
				},
				{Rule: "unclean-shutdown", Severity: finding.Info, Subject: "node/0", Message: "did not stop cleanly"},
			},
			Ignored: 1,
		}},
		Loose: []scan.Loose{{
			Namespace: "kafka", Name: "pv/pv-9", Claim: "data-0-my-cluster-broker-0", State: "Released", ReclaimPolicy: "Delete",
		}},
		OtherClaims: 3,
	}
}

func printed(t *testing.T, s *scan.Scan, format output.Format, columns int) string {
	t.Helper()
	streams, _, out, _ := iostreams.Test()
	streams.SetTerminal(columns)
	streams.Colour = iostreams.ColourNever
	if err := (output.Printer{IO: streams, Format: format}).Print(s); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTheTableFitsATerminal(t *testing.T) {
	t.Parallel()
	for file, tc := range map[string]struct {
		format  output.Format
		columns int
	}{
		"table-80.txt": {output.FormatTable, 80},
		"wide-200.txt": {output.FormatWide, 200},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			got := printed(t, example(), tc.format, tc.columns)
			want, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for line := range strings.Lines(got) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > tc.columns {
					t.Errorf("%d columns wide, the terminal has %d:\n%s", n, tc.columns, line)
				}
			}
		})
	}
}

func TestASoundClusterIsSaidToBe(t *testing.T) {
	t.Parallel()
	s := example()
	c := &s.Clusters[0]
	c.Groups, c.ClusterID, c.Volumes, c.Findings = c.Groups[:1], thisCluster, c.Volumes[:1], nil
	id := thisCluster
	c.Kafka.Kafka.Name, c.Kafka.Kafka.Status.ClusterID = "my-cluster", &id
	got := printed(t, s, output.FormatTable, 80)
	for _, want := range []string{
		"cluster ID " + thisCluster + ", said by 1 log directory, none disagrees",
		"the status of kafka/my-cluster carries the same", "1 of 1 volume read, nothing found wrong",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in:\n%s", want, got)
		}
	}
	id = otherCluster
	if got := printed(t, s, output.FormatTable, 80); !strings.Contains(got, `carries "`+otherCluster+`"`) {
		t.Errorf("the status says another ID, which is not shown:\n%s", got)
	}
}

func TestNamesAreThoseOfTheVolumes(t *testing.T) {
	t.Parallel()
	want := "pvc/data-0-my-cluster-broker-0\npvc/data-0-my-cluster-controller-3\n" +
		"pvc/data-0-my-cluster-controller-4\npvc/data-0-my-cluster-controller-5\n"
	if diff := cmp.Diff(want, printed(t, example(), output.FormatName, 80)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	var report struct {
		XMLName  xml.Name `xml:"testsuites"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Time  string `xml:"timestamp,attr"`
			Cases []struct {
				Class   string `xml:"classname,attr"`
				Name    string `xml:"name,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
					Text    string `xml:",chardata"`
				} `xml:"failure"`
				Error *struct {
					Message string `xml:"message,attr"`
				} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(printed(t, example(), output.FormatJUnit, 80)), &report); err != nil {
		t.Fatal(err)
	}
	volumes, rules := 4, len(finding.Rules())
	if report.Tests != volumes+rules || report.Failures != 1 || report.Errors != 2 {
		t.Errorf("%d tests, %d failures, %d errors; want %d, 1 (the critical finding), 2 (unread, and its rule)",
			report.Tests, report.Failures, report.Errors, volumes+rules)
	}
	if report.Suites[0].Name != "kafka/my-cluster in namespace kafka" || report.Suites[0].Time != "2026-11-26T03:00:00" {
		t.Errorf("suite %q at %q", report.Suites[0].Name, report.Suites[0].Time)
	}
	for _, c := range report.Suites[0].Cases {
		switch c.Class + " " + c.Name {
		case "rule cluster-id-disagreement":
			if c.Failure == nil || c.Failure.Text != `one \x1b[31msaid`+"\nremedy: choose" {
				t.Errorf("failure %+v: want the evidence, escaped, and the remedy", c.Failure)
			}
		case "volume pvc/data-0-my-cluster-controller-5", "rule volume-unread":
			if c.Error == nil || !strings.Contains(c.Error.Message, "read") {
				t.Errorf("%s: error %+v", c.Name, c.Error)
			}
		default:
			if c.Failure != nil || c.Error != nil {
				t.Errorf("%s %s fails without a finding of severity error", c.Class, c.Name)
			}
		}
	}
}

func TestSeveralFindingsOfARuleAreOneFailure(t *testing.T) {
	t.Parallel()
	s := example()
	more := s.Clusters[0].Findings[0]
	more.Message = "and a second time"
	s.Clusters[0].Findings = append(s.Clusters[0].Findings, more)
	got := printed(t, s, output.FormatJUnit, 80)
	if n := strings.Count(got, "<failure"); n != 1 || !strings.Contains(got, "and a second time") {
		t.Errorf("%d failures of one case, want one with both messages:\n%s", n, got)
	}
}

// again returns a scan as it comes back from a file.
func again(t *testing.T, s *scan.Scan) *scan.Scan {
	t.Helper()
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	back, err := scan.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestNothingChanged(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*scan.Scan{
		"of an example": example(),
		"of a cluster":  look(t, recording(t), scan.Targets{All: true}, scan.Options{Via: scan.Objects}),
		"of a folder":   folder(t, filepath.Dir(single), scan.Options{}),
	} {
		s.Against(again(t, s))
		if s.Changes.Any() {
			t.Errorf("%s: the same scan differs from itself: %+v", name, s.Changes.List)
		}
		if !s.Changes.Since.Equal(at()) {
			t.Errorf("%s: the earlier scan was made at %s, got %s", name, at(), s.Changes.Since)
		}
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	before, now := again(t, example()), example()
	c := &now.Clusters[0]
	c.Volumes[0].Contents.Dirs[0].Metadata.End.Offset = 200000
	c.Volumes[3].State = volume.Read
	c.Volumes = append(c.Volumes[:2], c.Volumes[3])
	c.Findings = c.Findings[:1]
	now.Time = at().Add(time.Hour)
	now.Against(before)
	const ns, name = "kafka", "my-cluster"
	want := []scan.Change{
		{ns, name, "node/0", "finding unclean-shutdown", "info", ""},
		{ns, name, "pvc/data-0-my-cluster-broker-0", "kafka-log0 metadata end", "123456/12", "200000/12"},
		{ns, name, "pvc/data-0-my-cluster-controller-4", "state", "read", ""},
		{ns, name, "pvc/data-0-my-cluster-controller-5", "finding volume-unread", "error", ""},
		{ns, name, "pvc/data-0-my-cluster-controller-5", "state", "unread", "read"},
	}
	if diff := cmp.Diff(want, now.Changes.List); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	now.Clusters[0].Findings = nil
	if got := now.Code(""); got != exitcode.Refused {
		t.Errorf("exit code %d, want %d", got, exitcode.Refused)
	}
	shown := printed(t, now, output.FormatTable, 80)
	for _, text := range []string{"Changed since 2026-11-26T03:00:00Z", "123456/12", "200000/12"} {
		if !strings.Contains(shown, text) {
			t.Errorf("want %q in:\n%s", text, shown)
		}
	}
}

func TestWhatWasNotAskedForHasNotChanged(t *testing.T) {
	t.Parallel()
	w := recording(t)
	before := again(t, look(t, w, scan.Targets{All: true}, scan.Options{Via: scan.Objects}))
	now := look(t, w, scan.Targets{Namespace: "elsewhere"}, scan.Options{Via: scan.Objects})
	if now.Against(before); now.Changes.Any() {
		t.Errorf("another namespace was looked at: %+v", now.Changes.List)
	}
	now = look(t, w, scan.Targets{Namespace: "kafka", Clusters: []string{"other"}}, scan.Options{Via: scan.Objects})
	if now.Against(before); now.Changes.Any() {
		t.Errorf("another cluster was looked at: %+v", now.Changes.List)
	}
	w.without("kafkas", "kafkanodepools", "persistentvolumeclaims", "persistentvolumes")
	now = look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{Via: scan.Objects})
	if now.Against(before); !now.Changes.Any() {
		t.Error("a cluster that is gone has changed")
	}
}

func TestFilesThatAreNoScan(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"no JSON": "hello", "another kind": `{"apiVersion":"kafkarecover/v1","kind":"Version"}`,
		"another version": `{"apiVersion":"kafkarecover/v2","kind":"Scan"}`, "empty": "",
	} {
		if _, err := scan.Read(strings.NewReader(content)); err == nil {
			t.Errorf("%s: taken for a scan", name)
		}
	}
}

func TestIgnoringLeavesOutAndCounts(t *testing.T) {
	t.Parallel()
	s := example()
	s.Clusters[0].Volumes = s.Clusters[0].Volumes[:1]
	if got := s.Code(finding.Error); got != exitcode.Refused {
		t.Errorf("exit code %d, want %d", got, exitcode.Refused)
	}
	s.Ignore([]finding.Lift{{Rule: "cluster-id-disagreement", Subject: "cluster"}})
	c := &s.Clusters[0]
	if c.Ignored != 2 || len(c.Findings) != 2 { // the example has ignored one before
		t.Errorf("%d ignored, %d left", c.Ignored, len(c.Findings))
	}
	if got := s.Code(finding.Error); got != exitcode.Incomplete {
		t.Errorf("exit code %d, want %d: a rule could not be judged", got, exitcode.Incomplete)
	}
	s.Ignore([]finding.Lift{{Rule: "volume-unread"}})
	if got := s.Code(finding.Error); got != exitcode.OK || c.Ignored != 3 {
		t.Errorf("exit code %d, want %d: a note is left, %d ignored", got, exitcode.OK, c.Ignored)
	}
}

func TestDeepHoldsTheLogsAgainstEachOther(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	plant(t, root, planted{claim: "data-0-my-cluster-dual-1", node: 1, metadata: true})
	plant(t, root, planted{claim: "data-1-my-cluster-dual-1", node: 1})
	s := folder(t, root, scan.Options{Deep: true})
	d := s.Clusters[0].Deep
	if d == nil || d.Quorum == nil || d.Verify == nil {
		t.Fatalf("got %+v", d)
	}
	if len(d.Quorum.Copies) != 1 || d.Quorum.Copies[0].End.Offset != 185 || d.Verify.Records == 0 {
		t.Errorf("copies %+v, %d records", d.Quorum.Copies, d.Verify.Records)
	}
	// Only two of the thirteen partitions are there: Kafka would make the others anew, empty.
	if s.Code(finding.Warning) != exitcode.Refused || s.Clusters[0].Failing("") != 0 {
		t.Errorf("issues %+v", d.Verify.Issues)
	}
	for _, format := range []output.Format{output.FormatTable, output.FormatWide} {
		if got := printed(t, s, format, 200); !strings.Contains(got, "offset 185 of epoch 1") {
			t.Errorf("the newest copy is not shown:\n%s", got)
		}
	}
}
