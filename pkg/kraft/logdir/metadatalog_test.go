package logdir_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

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
