package logdir_test

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

const (
	meta3    = "version=1\nnode.id=3\ncluster.id=5L6g3nShT-eMCtK--X86sw\ndirectory.id=AQEBAQEBAQEBAQEBAQEBAQ\n"
	metadata = "kafka-log3/__cluster_metadata-0/"
	segment0 = metadata + "00000000000000000000.log"
)

func file(content string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(content), Mode: 0o644, ModTime: time.Unix(1000, 0)}
}

// batches returns n batches of one record each from that offset on.
func batches(t testing.TB, offset int64, n int, epoch int32) string {
	t.Helper()
	var data []byte
	for i := range n {
		records := []batch.Record{{Offset: offset + int64(i), Timestamp: 5000 + int64(i), Value: []byte{1}}}
		var err error
		if data, err = batch.Append(data, batch.NewHeader(epoch, 0, records), records); err != nil {
			t.Fatal(err)
		}
	}
	return string(data)
}

// control returns a batch of one control record.
func control(t testing.TB, offset int64, epoch int32, kind batch.ControlType, value []byte) string {
	t.Helper()
	records := []batch.Record{{Offset: offset, Timestamp: 1, Key: []byte{0, 0, 0, byte(kind)}, Value: value}}
	data, err := batch.Append(nil, batch.NewHeader(epoch, batch.Control, records), records)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func snapshot(t testing.TB, epoch int32) string {
	t.Helper()
	return control(t, 0, epoch, batch.SnapshotHeader, make([]byte, 11)) + batches(t, 1, 2, epoch) +
		control(t, 3, epoch, batch.SnapshotFooter, make([]byte, 3))
}

func readAll(t testing.TB, fsys fs.FS) *logdir.Contents {
	t.Helper()
	c, err := logdir.Read(fsys, logdir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func onlyDir(t testing.TB, fsys fs.FS) logdir.LogDir {
	t.Helper()
	c := readAll(t, fsys)
	if len(c.Dirs) != 1 {
		t.Fatalf("got %d log directories, want 1: %+v", len(c.Dirs), c)
	}
	return c.Dirs[0]
}

func messages(problems []logdir.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, fmt.Sprintf("%s@%d: %s", p.Path, p.Offset, p.Message))
	}
	return out
}

// A single node written by Kafka 4.2.0: formatted, 185 metadata records, a clean stop. The expectations were read off
// kafka-dump-log and the files themselves.
func TestReadOfARealVolume(t *testing.T) {
	t.Parallel()
	const root = "testdata/single"
	for name, dir := range map[string]struct{ root, path string }{
		"a volume":           {root, "kafka-log1"},
		"a log directory":    {root + "/kafka-log1", "."},
		"without local file": {root, "kafka-log1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fsys := os.DirFS(dir.root)
			if name == "without local file" {
				fsys = onlyWanted{t, fsys}
			}
			c := readAll(t, fsys)
			if len(c.Dirs) != 1 || len(c.AllProblems()) > 0 {
				t.Fatalf("got %d log directories, problems %v", len(c.Dirs), messages(c.AllProblems()))
			}
			d := c.Dirs[0]
			if d.Path != dir.path || d.MetaState != logdir.MetaOK || !d.HasBootstrap {
				t.Errorf("got path %q, meta %s, bootstrap %t", d.Path, d.MetaState, d.HasBootstrap)
			}
			if d.Path != "." && (d.NodeIDInName == nil || *d.NodeIDInName != 1) {
				t.Errorf("node ID in name: got %v, want 1", d.NodeIDInName)
			}
			if got, want := metaAnswer(d.Meta), "1 "+hexOf("5L6g3nShT-eMCtK--X86sw")+" 1 I8V60770iSBqYv_PCgkyPg"; got != want {
				t.Errorf("meta.properties: got %s, want %s", got, want)
			}
			wantQuorum := &logdir.QuorumState{LeaderID: 1, LeaderEpoch: 1, VotedID: -1, Voters: []int32{1}}
			if diff := cmp.Diff(wantQuorum, d.Quorum); diff != "" {
				t.Errorf("quorum-state (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(&logdir.CleanShutdown{BrokerEpoch: 12}, d.CleanShutdown); diff != "" {
				t.Errorf("clean shutdown (-want +got):\n%s", diff)
			}
			wantLog := &logdir.MetadataLog{
				Segments: []logdir.Segment{{Name: "00000000000000000000.log", Bytes: 13430, ValidBytes: 13430, Batches: 146}},
				Snapshots: []logdir.Snapshot{
					{Name: "00000000000000000058-0000000001.checkpoint", ID: logdir.OffsetAndEpoch{Offset: 58, Epoch: 1}, Bytes: 1389, Valid: true},
					{Name: "00000000000000000114-0000000001.checkpoint", ID: logdir.OffsetAndEpoch{Offset: 114, Epoch: 1}, Bytes: 1497, Valid: true},
					{Name: "00000000000000000183-0000000001.checkpoint", ID: logdir.OffsetAndEpoch{Offset: 183, Epoch: 1}, Bytes: 2602, Valid: true},
				},
				End: logdir.OffsetAndEpoch{Offset: 185, Epoch: 1}, EndKnown: true,
				LastTimestamp: 1795510939521, LeaderChangeVoters: []int32{1},
			}
			if diff := cmp.Diff(wantLog, d.Metadata); diff != "" {
				t.Errorf("metadata log (-want +got):\n%s", diff)
			}
			wantPartitions := []logdir.Partition{
				{Dir: "__consumer_offsets-1", Topic: "__consumer_offsets", Partition: 1, State: logdir.PartitionCurrent, TopicID: "k7Q0wwbdSUGawRksxCkptQ", Bytes: d.Partitions[0].Bytes},
				{Dir: "s-none-0", Topic: "s-none", State: logdir.PartitionCurrent, TopicID: "jtYhVovwQQaXkPVyZXo3FA", Bytes: d.Partitions[1].Bytes},
			}
			if diff := cmp.Diff(wantPartitions, d.Partitions); diff != "" {
				t.Errorf("partitions (-want +got):\n%s", diff)
			}
			if used := sizeOf(t, dir.root); c.UsedBytes != used || d.UsedBytes != used {
				t.Errorf("used bytes: got %d and %d, the files have %d", c.UsedBytes, d.UsedBytes, used)
			}
			if c.Newest.IsZero() || !c.Newest.Equal(d.Newest) {
				t.Errorf("newest: got %v and %v", c.Newest, d.Newest)
			}
		})
	}
}

func sizeOf(t *testing.T, root string) (n int64) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// onlyWanted has the content only of what Wanted asks for, as a source that streams from a pod.
type onlyWanted struct {
	t testing.TB
	fs.FS
}

func (o onlyWanted) Open(name string) (fs.File, error) {
	f, err := o.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		need := logdir.Wanted(name, info.Size())
		if need.None() {
			o.t.Errorf("%s was opened and is not wanted", name)
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return stream{f}, nil
	}
	return f, nil
}

// stream hides that a file is a local one.
type stream struct{ fs.File }

func TestWhatStandsForMetaProperties(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file    *fstest.MapFile
		state   logdir.MetaState
		problem string
	}{
		"present":         {file(meta3), logdir.MetaOK, ""},
		"absent":          {nil, logdir.MetaAbsent, ""},
		"empty":           {file(""), logdir.MetaOK, ""}, // version 0 without any ID: Kafka reads it
		"truncated":       {file(meta3[:20]), logdir.MetaUnreadable, "cluster.id was not found."},
		"no cluster ID":   {file("version=1\nnode.id=3\n"), logdir.MetaUnreadable, "cluster.id was not found."},
		"of 50 MB":        {file(strings.Repeat("junk=\x1b[2J\n", 5<<20)), logdir.MetaUnreadable, "expected at most 65536 bytes"},
		"a link":          {&fstest.MapFile{Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink}, logdir.MetaUnreadable, "symbolic link"},
		"a pipe":          {&fstest.MapFile{Mode: fs.ModeNamedPipe}, logdir.MetaUnreadable, "neither a file nor a directory"},
		"terminal escape": {file("version=\x1b[2J\n"), logdir.MetaUnreadable, `string '\x1b[2J'`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fsys := fstest.MapFS{"kafka-log3/recovery-point-offset-checkpoint": file("0\n0\n")}
			if test.file != nil {
				fsys["kafka-log3/meta.properties"] = test.file
			}
			d := onlyDir(t, fsys)
			if d.MetaState != test.state || (d.Meta != nil) != (test.state == logdir.MetaOK) {
				t.Errorf("got state %s and %+v, want %s", d.MetaState, d.Meta, test.state)
			}
			if got := strings.Join(messages(d.Problems), "\n"); !strings.Contains(got, test.problem) || (got == "") != (test.problem == "") {
				t.Errorf("problems: got %q, want %q", got, test.problem)
			}
			if strings.Contains(strings.Join(messages(d.Problems), ""), "\x1b") {
				t.Error("a problem holds an escape character")
			}
		})
	}
}

func TestShapesOfVolumes(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"kafka-log3/meta.properties":           file(meta3),
		"kafka-log12/meta.properties":          file(meta3),
		"kafka-log12.bak/x":                    file("1234"),
		"lost+found":                           {Mode: fs.ModeDir | 0o700},
		"notes\x1b.txt":                        file("12345"),
		".snapshot/hourly/kafka-log3/whatever": file("1"),
	}
	c := readAll(t, fsys)
	var dirs []string
	for _, d := range c.Dirs {
		id := "-"
		if d.NodeIDInName != nil {
			id = fmt.Sprint(*d.NodeIDInName)
		}
		dirs = append(dirs, d.Path+" "+id+" "+string(d.MetaState))
	}
	if diff := cmp.Diff([]string{"kafka-log12 12 ok", "kafka-log12.bak - absent", "kafka-log3 3 ok"}, dirs); diff != "" {
		t.Errorf("log directories (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{".snapshot", "lost+found", `notes\x1b.txt`}, c.Other); diff != "" {
		t.Errorf("other (-want +got):\n%s", diff)
	}
	if want := int64(2*len(meta3) + 4 + 5 + 1); c.UsedBytes != want || !c.Newest.Equal(time.Unix(1000, 0)) {
		t.Errorf("got %d bytes, newest %v; want %d", c.UsedBytes, c.Newest, want)
	}
	if empty := readAll(t, fstest.MapFS{}); len(empty.Dirs)+len(empty.Other)+len(empty.Problems) > 0 {
		t.Errorf("an empty volume: got %+v", empty)
	}
}

func TestABareLogDirectoryKeepsItsPartitions(t *testing.T) {
	t.Parallel()
	for _, mark := range []string{"meta.properties", "bootstrap.checkpoint", ".kafka_cleanshutdown", "replication-offset-checkpoint"} {
		fsys := fstest.MapFS{
			mark:                                file("version=0\n"),
			"orders-0/00000000000000000000.log": file("12"),
			"kafka-logs-7/partition.metadata":   file("version: 0\ntopic_id: AQEBAQEBAQEBAQEBAQEBAQ"),
			"lost+found/x":                      file("3"),
			"remote-log-index-cache/x":          file("4"),
			"__cluster_metadata-1/x":            file("4"),
		}
		d := onlyDir(t, fsys)
		want := []logdir.Partition{
			{Dir: "kafka-logs-7", Topic: "kafka-logs", Partition: 7, State: logdir.PartitionCurrent, TopicID: "AQEBAQEBAQEBAQEBAQEBAQ", Bytes: 43},
			{Dir: "orders-0", Topic: "orders", State: logdir.PartitionCurrent, Bytes: 2},
		}
		slices.SortFunc(d.Partitions, func(a, b logdir.Partition) int { return strings.Compare(a.Dir, b.Dir) })
		if diff := cmp.Diff(want, d.Partitions); diff != "" || d.Path != "." {
			t.Errorf("%s: path %q, partitions (-want +got):\n%s", mark, d.Path, diff)
		}
		if diff := cmp.Diff([]string{"lost+found"}, d.Other); diff != "" {
			t.Errorf("%s: other (-want +got):\n%s", mark, diff)
		}
	}
}

func TestPartitionDirectories(t *testing.T) {
	t.Parallel()
	const id = "0123456789abcdef0123456789abcdef"
	fsys := fstest.MapFS{
		"kafka-log3/meta.properties":                        file(meta3),
		"kafka-log3/a-0/partition.metadata":                 file("version: 0\ntopic_id: AQEBAQEBAQEBAQEBAQEBAQ"),
		"kafka-log3/a-1." + id + "-delete/x.log":            file("123"),
		"kafka-log3/a-2." + id + "-future/x.log":            file("1"),
		"kafka-log3/a-3." + id + "-stray/x.log":             file("1"),
		"kafka-log3/b-0/partition.metadata":                 file("version: 0\n"),
		"kafka-log3/b-1/partition.metadata":                 file("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA"),
		"kafka-log3/b-2/partition.metadata":                 file("version: x\ntopic_id: AQEBAQEBAQEBAQEBAQEBAQ"),
		"kafka-log3/b-3/partition.metadata":                 file("version: 0\ntopic: AQEBAQEBAQEBAQEBAQEBAQ"),
		"kafka-log3/b-4/partition.metadata":                 file("version: 0\ntopic_id: nonsense"),
		"kafka-log3/b-5/partition.metadata":                 file(strings.Repeat("x", 5000)),
		"kafka-log3/b-6/partition.metadata":                 {Mode: fs.ModeSymlink},
		"kafka-log3/not\x07a partition":                     {Mode: fs.ModeDir | 0o755},
		"kafka-log3/c\x1b-0/x.log":                          file("1"),
		"kafka-log3/.kafka_cleanshutdown":                   file(""),
		"kafka-log3/a-0/nested/deep/file":                   file("12345"),
		"kafka-log3/replication-offset-checkpoint":          file("0\n0\n"),
		"kafka-log3/remote-log-index-cache/00.index":        file("0"),
		"kafka-log3/bootstrap.checkpoint/is a directory/xx": file("0"),
	}
	d := onlyDir(t, fsys)
	var got []string
	for _, p := range d.Partitions {
		got = append(got, fmt.Sprintf("%s %s %d %s %s %d", p.Dir, p.Topic, p.Partition, p.State, p.TopicID, p.Bytes))
	}
	want := []string{
		"a-0 a 0 current AQEBAQEBAQEBAQEBAQEBAQ 48",
		"a-1." + id + "-delete a 1 delete  3",
		"a-2." + id + "-future a 2 future  1",
		"a-3." + id + "-stray a 3 stray  1",
		"b-0 b 0 current  11", "b-1 b 1 current  43", "b-2 b 2 current  43", "b-3 b 3 current  40",
		"b-4 b 4 current  29", "b-5 b 5 current  5000", "b-6 b 6 current  0",
		`c\x1b-0 c\x1b 0 current  1`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("partitions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"bootstrap.checkpoint", `not\x07a partition`}, d.Other); diff != "" {
		t.Errorf("other (-want +got):\n%s", diff)
	}
	if len(d.Problems) != 7 || d.HasBootstrap {
		t.Errorf("got bootstrap %t and problems %v, want one for each of b-0 to b-6", d.HasBootstrap, messages(d.Problems))
	}
	if diff := cmp.Diff(&logdir.CleanShutdown{BrokerEpoch: -1}, d.CleanShutdown); diff != "" {
		t.Errorf("the empty file of Kafka 3.6 (-want +got):\n%s", diff)
	}
}

func mapOf(files map[string][]byte) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, data := range files {
		fsys[name] = file(string(data))
	}
	return fsys
}
