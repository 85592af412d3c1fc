package logdir_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
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

func TestTheEndOfTheMetadataLogIsKafkas(t *testing.T) {
	t.Parallel()
	end := func(offset int64, epoch int32) logdir.OffsetAndEpoch {
		return logdir.OffsetAndEpoch{Offset: offset, Epoch: epoch}
	}
	good := batches(t, 0, 10, 4)
	one := len(good) / 10
	damaged := good[:4*one+62] + "!" + good[4*one+63:]
	segment10 := metadata + "00000000000000000010.log"
	snap := func(offset, epoch int) string {
		return fmt.Sprintf("%s%020d-%010d.checkpoint", metadata, offset, epoch)
	}
	tests := map[string]struct {
		files   map[string]string
		end     logdir.OffsetAndEpoch
		known   bool
		empty   bool
		problem string
	}{
		"nothing":              {map[string]string{metadata + "partition.metadata": "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ"}, end(0, 0), true, true, ""},
		"an empty segment":     {map[string]string{segment0: ""}, end(0, 0), true, true, ""},
		"one segment":          {map[string]string{segment0: good}, end(10, 4), true, false, ""},
		"two segments":         {map[string]string{segment0: good, segment10: batches(t, 10, 5, 6)}, end(15, 6), true, false, ""},
		"the last batch torn":  {map[string]string{segment0: good[:10*one-1]}, end(9, 4), true, false, "expected a batch of"},
		"a zero tail":          {map[string]string{segment0: good + strings.Repeat("\x00", 500)}, end(10, 4), true, false, "zero bytes"},
		"damage in the middle": {map[string]string{segment0: damaged}, end(4, 4), false, false, "as computed; 276 bytes before it are sound"},
		"damage before a segment that is then deleted": {
			map[string]string{segment0: damaged, segment10: batches(t, 10, 5, 6)}, end(4, 4), false, false, "Kafka deletes it at start",
		},
		"a torn batch before another segment": {
			map[string]string{segment0: good[:10*one-1], segment10: batches(t, 10, 5, 6)}, end(9, 4), false, false, "Kafka deletes it at start",
		},
		"a missing segment": {map[string]string{segment0: batches(t, 0, 5, 4), segment10: batches(t, 10, 5, 6)}, end(15, 6), true, false, "expected a segment that begins at offset 5, found one that begins at 10"},
		"missing batches":   {map[string]string{segment0: good[:one] + good[2*one:]}, end(10, 4), true, false, "expected a batch that begins at offset 1, found one that begins at 2"},
		"batches of another segment": {
			map[string]string{segment0: good, segment10: batches(t, 5, 5, 6)}, end(10, 4), false, false, "cannot lie in this segment",
		},
		"only a snapshot":                       {map[string]string{snap(50, 7): snapshot(t, 7)}, end(50, 7), true, false, ""},
		"only the snapshot of formatting":       {map[string]string{snap(0, 0): snapshot(t, 0)}, end(0, 0), true, true, ""},
		"a snapshot behind the log":             {map[string]string{segment0: good, snap(5, 4): snapshot(t, 4)}, end(10, 4), true, false, ""},
		"a snapshot ahead by offset":            {map[string]string{segment0: good, snap(12, 4): snapshot(t, 4)}, end(12, 4), true, false, ""},
		"a snapshot ahead by epoch":             {map[string]string{segment0: good, snap(8, 5): snapshot(t, 5)}, end(8, 5), true, false, ""},
		"a snapshot ahead that is cut short":    {map[string]string{segment0: good, snap(12, 4): snapshot(t, 4)[:100]}, end(12, 4), false, false, "before the end"},
		"a snapshot without footer":             {map[string]string{segment0: good, snap(5, 4): snapshot(t, 4)[:100+2*one-25]}, end(10, 4), true, false, "before the end"},
		"a log that starts at its snapshot":     {map[string]string{segment10: batches(t, 10, 5, 6), snap(10, 4): snapshot(t, 4)}, end(15, 6), true, false, ""},
		"a log whose snapshot is lost":          {map[string]string{segment10: batches(t, 10, 5, 6)}, end(15, 6), true, false, "expected a snapshot that covers the log"},
		"a newer epoch without a batch":         {map[string]string{segment0: good, metadata + "leader-epoch-checkpoint": "0\n2\n4 0\n9 8\n"}, end(10, 9), true, false, "found 9, which Kafka will believe"},
		"an epoch that begins at the end":       {map[string]string{segment0: good, metadata + "leader-epoch-checkpoint": "0\n2\n4 0\n9 10\n"}, end(10, 4), true, false, ""},
		"an unreadable epoch file":              {map[string]string{segment0: good, metadata + "leader-epoch-checkpoint": "7\n"}, end(10, 4), false, false, "expected version 0"},
		"a segment that is being swapped in":    {map[string]string{segment0: good, segment0 + ".swap": "x"}, end(10, 4), false, false, "being swapped in"},
		"a segment whose name is no number":     {map[string]string{segment0: good, metadata + "bad.log": "x"}, end(10, 4), false, false, "on which Kafka fails to start"},
		"a snapshot whose name is no number":    {map[string]string{segment0: good, metadata + "backup.checkpoint": "x"}, end(10, 4), true, false, "on which Kafka fails to start"},
		"snapshots that are not there yet":      {map[string]string{segment0: good, snap(90, 9) + ".deleted": "x", snap(91, 9)[:len(snap(91, 9))-11] + "-12.checkpoint.part": "x"}, end(10, 4), true, false, ""},
		"a producer snapshot and index files":   {map[string]string{segment0: good, metadata + "00000000000000000010.snapshot": "0123456789", metadata + "00000000000000000000.index": ""}, end(10, 4), true, false, ""},
		"an empty snapshot file":                {map[string]string{segment0: good, snap(5, 4): ""}, end(10, 4), true, false, "found no record batch"},
		"a snapshot that begins without header": {map[string]string{segment0: good, snap(5, 4): good}, end(10, 4), true, false, "expected a snapshot header"},
		"a message set of Kafka 0.10":           {map[string]string{segment0: good[:16] + "\x01" + good[17:]}, end(0, 0), false, true, "message format 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fsys := fstest.MapFS{}
			for name, content := range test.files {
				fsys[name] = file(content)
			}
			d := onlyDir(t, onlyWanted{t, fsys})
			m := d.Metadata
			if m.End != test.end || m.EndKnown != test.known || m.Empty != test.empty {
				t.Errorf("got end %+v known %t empty %t, want %+v %t %t", m.End, m.EndKnown, m.Empty, test.end, test.known, test.empty)
			}
			got := strings.Join(messages(d.Problems), "\n")
			if !strings.Contains(got, test.problem) || (got == "") != (test.problem == "") {
				t.Errorf("problems: got %q, want %q", got, test.problem)
			}
		})
	}
}

func TestVotersOfTheMetadataLog(t *testing.T) {
	t.Parallel()
	voters := func(id byte) []byte {
		v := []byte{0, 0, 2, 0, 0, 0, id}
		v = append(v, bytes.Repeat([]byte{id}, 16)...)
		v = append(v, 2, 3, 'C', 'P', 5, 'h', 'o', 's', 't', 0x23, 0x82, 0, 0, 0, 0, 1, 0, 0, 0)
		return v
	}
	version := []byte{0, 0, 0, 1, 0}
	inSnapshot := control(t, 0, 2, batch.SnapshotHeader, make([]byte, 11)) + control(t, 1, 2, batch.KRaftVersion, version) +
		control(t, 2, 2, batch.KRaftVoters, voters(1)) + control(t, 3, 2, batch.SnapshotFooter, make([]byte, 3))
	inLog := func(offset int64, id byte) string { return control(t, offset, 2, batch.KRaftVoters, voters(id)) }
	snap := metadata + "00000000000000000020-0000000002.checkpoint"
	tests := map[string]struct {
		files  map[string]string
		id     int32
		source string
		offset int64
	}{
		"in the snapshot":              {map[string]string{snap: inSnapshot}, 1, snap, 19},
		"in the log":                   {map[string]string{segment0: inLog(0, 5) + inLog(1, 6)}, 6, segment0, 1},
		"in the log before a snapshot": {map[string]string{snap: inSnapshot, segment0: batches(t, 0, 10, 2) + inLog(10, 5)}, 1, snap, 19},
		"in the log after a snapshot":  {map[string]string{snap: inSnapshot, segment0: batches(t, 0, 30, 2) + inLog(30, 5)}, 5, segment0, 30},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fsys := fstest.MapFS{}
			for name, content := range test.files {
				fsys[name] = file(content)
			}
			m := onlyDir(t, fsys).Metadata
			b := byte(test.id)
			want := &logdir.VoterSet{Source: test.source, Offset: test.offset, Voters: []logdir.Voter{{
				ID: test.id, DirectoryID: (&batch.ControlVoter{DirectoryID: [16]byte(bytes.Repeat([]byte{b}, 16))}).DirectoryIDString(),
				Endpoints: []string{"CP://host:9090"},
			}}}
			if diff := cmp.Diff(want, m.Voters); diff != "" {
				t.Errorf("voters (-want +got):\n%s", diff)
			}
		})
	}
	if m := onlyDir(t, fstest.MapFS{snap: file(inSnapshot)}).Metadata; m.KRaftVersion != 1 || !m.Snapshots[0].Valid {
		t.Errorf("got kraft.version %d, snapshots %+v", m.KRaftVersion, m.Snapshots)
	}
}

func TestDamagedControlRecordsAreProblems(t *testing.T) {
	t.Parallel()
	bad := control(t, 0, 1, batch.KRaftVoters, []byte{0})
	d := onlyDir(t, fstest.MapFS{segment0: file(bad)})
	if len(d.Problems) != 1 || !strings.Contains(d.Problems[0].Message, "KRAFT_VOTERS") || d.Metadata.End.Offset != 1 {
		t.Errorf("got %v, end %+v", messages(d.Problems), d.Metadata.End)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"kafka-log3/meta.properties": file(meta3), segment0: file(batches(t, 0, 10, 1))}
	for i := range 3000 {
		fsys[fmt.Sprintf("kafka-log3/t-%d/00000000000000000000.log", i)] = file("1")
	}
	tests := map[string]struct {
		opts    logdir.Options
		problem string
	}{
		"entries":     {logdir.Options{Entries: 2000}, "more than 2000 files and directories"},
		"depth":       {logdir.Options{Depth: 1}, "more than 1 directories deep"},
		"path":        {logdir.Options{PathBytes: 20}, "at most 20 are looked at"},
		"a batch":     {logdir.Options{Batch: batch.Limits{BatchBytes: 64}}, "expected a batch of at most 64 bytes"},
		"the log":     {logdir.Options{MetadataBytes: 100}, "expected at most 100 bytes"},
		"of problems": {logdir.Options{Depth: 1, Problems: 5}, "more than 5 problems"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := logdir.Read(fsys, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(messages(c.AllProblems()), "\n"); !strings.Contains(all, test.problem) {
				t.Errorf("got %.300q, want %q", all, test.problem)
			}
			if name == "of problems" && len(c.AllProblems()) > 6 {
				t.Errorf("got %d problems", len(c.AllProblems()))
			}
			if m := c.Dirs[0].Metadata; (name == "a batch" || name == "the log" || name == "depth") && m.EndKnown {
				t.Error("the end of a log that was not read is said to be known")
			}
		})
	}
}

// failing returns an error for some paths, as a broken disk or missing permission does.
type failing struct {
	fs.FS
	on  map[string]error
	bad map[string]bool // directories whose listing breaks off
}

func (f failing) Open(name string) (fs.File, error) {
	if err := f.on[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: "/mnt/secret/" + name, Err: err}
	}
	file, err := f.FS.Open(name)
	if err == nil && f.bad[name] {
		return brokenFile{file}, nil
	}
	return file, err
}

type brokenFile struct{ fs.File }

func (brokenFile) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Err: errors.New("input/output error")}
}
func (b brokenFile) ReadDir(n int) ([]fs.DirEntry, error) {
	entries, _ := b.File.(fs.ReadDirFile).ReadDir(1)
	return entries, &fs.PathError{Op: "readdirent", Err: errors.New("input/output error")}
}

func TestWhatCannotBeReadIsAProblemAndNotEmptiness(t *testing.T) {
	t.Parallel()
	volume := fstest.MapFS{
		"kafka-log3/meta.properties":         file(meta3),
		"kafka-log3/.kafka_cleanshutdown":    file("{}"),
		"kafka-log3/t-0/partition.metadata":  file("version: 0\ntopic_id: AQEBAQEBAQEBAQEBAQEBAQ"),
		segment0:                             file(batches(t, 0, 3, 1)),
		metadata + "quorum-state":            file(`{"leaderId":1,"leaderEpoch":3,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}`),
		metadata + "leader-epoch-checkpoint": file("0\n1\n1 0\n"),
		metadata + "partition.metadata":      file("version: 0\ntopic_id: AQEBAQEBAQEBAQEBAQEBAQ"),
		"lost+found/x":                       file(""),
		"other/x":                            file(""),
	}
	for _, name := range slices.Sorted(maps.Keys(volume)) {
		if logdir.Wanted(name, int64(len(volume[name].Data))).None() {
			continue
		}
		for kind, fsys := range map[string]fs.FS{
			"cannot be opened": failing{volume, map[string]error{name: fs.ErrPermission}, nil},
			"cannot be read":   failing{volume, nil, map[string]bool{name: true}},
		} {
			c := readAll(t, fsys)
			p := c.AllProblems()
			if len(p) != 1 || p[0].Path != name || strings.Contains(p[0].Message, "/mnt") {
				t.Errorf("%s %s: got %v", name, kind, messages(p))
			}
		}
	}
	for _, dir := range []string{"kafka-log3", "kafka-log3/t-0", path.Clean(metadata), "other"} {
		for kind, fsys := range map[string]fs.FS{
			"cannot be opened":   failing{volume, map[string]error{dir: fs.ErrPermission}, nil},
			"listing breaks off": failing{volume, nil, map[string]bool{dir: true}},
		} {
			c := readAll(t, fsys)
			if !slices.ContainsFunc(c.AllProblems(), func(p logdir.Problem) bool { return p.Path == dir }) {
				t.Errorf("%s %s: got %v", dir, kind, messages(c.AllProblems()))
			}
			if dir == "kafka-log3" && kind == "cannot be opened" && c.Dirs[0].MetaState != logdir.MetaUnreadable {
				t.Errorf("a log directory that cannot be listed: meta.properties is %s", c.Dirs[0].MetaState)
			}
			if dir == path.Clean(metadata) && c.Dirs[0].Metadata.EndKnown {
				t.Errorf("%s %s: the log's end is said to be known", dir, kind)
			}
		}
	}
	if c := readAll(t, failing{volume, map[string]error{"lost+found": fs.ErrPermission}, nil}); len(c.AllProblems()) > 0 {
		t.Errorf("lost+found is for root alone: got %v", messages(c.AllProblems()))
	}
	if _, err := logdir.Read(failing{volume, map[string]error{".": fs.ErrPermission}, nil}, logdir.Options{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("an unreadable root: got %v", err)
	}
	if c := readAll(t, failing{volume, nil, map[string]bool{".": true}}); len(c.Problems) == 0 {
		t.Error("a root whose listing breaks off is no problem")
	}
	if id := readAll(t, volume).Dirs[0].Metadata.TopicID; id != "AQEBAQEBAQEBAQEBAQEBAQ" {
		t.Errorf("a wrong topic ID of the metadata log: got %q", id)
	}
}

func TestLinksOfALocalVolumeAreNotFollowed(t *testing.T) {
	t.Parallel()
	outside, volume := t.TempDir(), t.TempDir()
	if err := os.WriteFile(path.Join(outside, "meta.properties"), []byte(meta3), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kafka-log3", "kafka-log4/t-0"} {
		if err := os.MkdirAll(path.Join(volume, path.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, path.Join(volume, name)); err != nil {
			t.Fatal(err)
		}
	}
	c := readAll(t, os.DirFS(volume))
	if len(c.Dirs) != 1 || c.Dirs[0].Path != "kafka-log4" || len(c.AllProblems()) != 2 || c.UsedBytes != 0 {
		t.Errorf("got %+v, problems %v", c, messages(c.AllProblems()))
	}
}

func TestNamesThatAreNoUTF8AreReported(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, name := range []string{"kafka-log\xff", "kafka-log3/\xfe-0", "kafka-log3/__cluster_metadata-0/\xfd"} {
		if err := os.MkdirAll(path.Join(root, name), 0o700); err != nil {
			t.Skipf("this file system takes no such names: %v", err)
		}
	}
	c := readAll(t, os.DirFS(root))
	got := strings.Join(messages(c.AllProblems()), "\n")
	for _, want := range []string{`kafka-log\xff`, `kafka-log3/\xfe-0`, `kafka-log3/__cluster_metadata-0/\xfd`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not name %s", got, want)
		}
	}
}

func mapOf(files map[string][]byte) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, data := range files {
		fsys[name] = file(string(data))
	}
	return fsys
}
