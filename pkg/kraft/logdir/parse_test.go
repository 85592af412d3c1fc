package logdir_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/internal/alloc"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"orders-0":            "orders-0",
		"größe-0":             "größe-0",
		"a\x1b[2Jb":           `a\x1b[2Jb`,
		"tab\there":           `tab\x09here`,
		`back\slash`:          `back\\slash`,
		"\u202egnp.exe":       `\u202egnp.exe`,
		"bad \xff byte":       `bad \xff byte`,
		"\ufffd itself":       `\ufffd itself`,
		"tag \U000e0041":      `tag \U000e0041`,
		"line\nbreak\u2028ok": `line\x0abreak\u2028ok`,
	} {
		if got := logdir.Escape(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := logdir.EscapeText(`found "a\x1b"` + "\x1b"); got != `found "a\x1b"\x1b` {
		t.Errorf("a sentence: got %q", got)
	}
}

func TestWanted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ size, want int64 }{
		"kafka-log0/meta.properties":                                                 {120, 120},
		"meta.properties":                                                            {120, 120},
		"kafka-log0/meta.properties.tmp":                                             {120, 0},
		"kafka-log0/.kafka_cleanshutdown":                                            {30, 30},
		"kafka-log0/bootstrap.checkpoint":                                            {400, 400},
		"kafka-log0/__cluster_metadata-0/quorum-state":                               {100, 100},
		"kafka-log0/__cluster_metadata-0/00000000000000000000.log":                   {5 << 30, 5 << 30},
		"kafka-log0/__cluster_metadata-0/00000000000000000000.index":                 {10 << 20, 0},
		"kafka-log0/__cluster_metadata-0/00000000000000000058-0000000001.checkpoint": {9, 9},
		"kafka-log0/__cluster_metadata-0/backup.checkpoint":                          {9, 0},
		"kafka-log0/__cluster_metadata-0/bad.log":                                    {9, 0},
		"kafka-log0/__cluster_metadata-0/partition.metadata":                         {43, 43},
		"__cluster_metadata-0/leader-epoch-checkpoint":                               {8, 8},
		"kafka-log0/orders-0/partition.metadata":                                     {43, 43},
		"kafka-logs-0/partition.metadata":                                            {43, 43},
		"kafka-log0/no partition/partition.metadata":                                 {43, 0},
		"kafka-log0/orders-0/00000000000000000000.log":                               {1 << 30, 0},
		"kafka-log0/orders-0/leader-epoch-checkpoint":                                {8, 0},
		"other/deeper/meta.properties":                                               {8, 0},
		"../meta.properties":                                                         {8, 0},
		"kafka-log1/meta.properties":                                                 {50 << 20, 0},
		"kafka-log2/meta.properties":                                                 {0, 0},
	} {
		if got := logdir.Wanted(name, test.size); int64(got) != test.want || got.None() != (test.want == 0) {
			t.Errorf("%s of %d bytes: got %d, want %d", name, test.size, got, test.want)
		}
	}
}

func TestRenderIsWhatKafkaWrites(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(filepath.Join("testdata", "single", "kafka-log1", "meta.properties"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := logdir.ParseMetaProperties(want)
	if err != nil {
		t.Fatal(err)
	}
	got := m.Render(time.Date(2026, 11, 24, 9, 1, 7, 0, time.UTC))
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("meta.properties (-Kafka +this):\n%s", diff)
	}
}

func TestOffsetsCompareByEpochFirst(t *testing.T) {
	t.Parallel()
	ordered := []logdir.OffsetAndEpoch{{Offset: 9, Epoch: 1}, {Offset: 3, Epoch: 2}, {Offset: 4, Epoch: 2}}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := a.Compare(b); got != cmpInt(i, j) {
				t.Errorf("%+v and %+v: got %d", a, b, got)
			}
		}
	}
}

func cmpInt(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// inProportion fails when fn allocates more than a fixed multiple of the input.
func inProportion(t *testing.T, input int, fn func()) {
	t.Helper()
	const empty, each = 64 << 10, 256
	if used := alloc.Bytes(fn); used > empty+each*uint64(input) {
		t.Errorf("%d bytes made it allocate %d", input, used)
	}
}

// FuzzMetaProperties: no panic, nothing unprintable in an error, and what was parsed renders to what parses the same.
func FuzzMetaProperties(f *testing.F) {
	for in := range oracleCases(f, "meta-properties.txt") {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m *logdir.MetaProperties
		var err error
		inProportion(t, len(data), func() { m, err = logdir.ParseMetaProperties(data) })
		if err != nil {
			return
		}
		rendered := m.Render(time.Unix(0, 0).UTC())
		again, err := logdir.ParseMetaProperties(rendered)
		if err != nil {
			t.Fatalf("%q does not parse: %v", rendered, err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatalf("rendered %q (-first +second):\n%s", rendered, diff)
		}
		if second := again.Render(time.Unix(0, 0).UTC()); string(second) != string(rendered) {
			t.Fatalf("rendered %q and then %q", rendered, second)
		}
	})
}

// FuzzQuorumState: no panic, and memory in proportion to the input.
func FuzzQuorumState(f *testing.F) {
	for in := range oracleCases(f, "quorum-state.txt") {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var q *logdir.QuorumState
		var err error
		inProportion(t, len(data), func() { q, err = logdir.ParseQuorumState(data) })
		if err != nil {
			return
		}
		if q.DataVersion < 0 || q.DataVersion > 1 || len(q.Voters) > len(data) {
			t.Fatalf("got %+v from %q", q, data)
		}
	})
}

// FuzzPartitionDir: no panic, and no name that Kafka would not take.
func FuzzPartitionDir(f *testing.F) {
	for in := range oracleCases(f, "partition-names.txt") {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, name string) {
		p, ok := logdir.ParsePartitionDir(name)
		if ok && (p.Topic == "" || !strings.Contains(name, "-") || p.Dir != logdir.Escape(name)) {
			t.Fatalf("%q: got %+v", name, p)
		}
	})
}

// FuzzCheckpoints reads any bytes as the small files of a log directory: memory in proportion, located problems that
// can be shown, and a topic ID that Kafka would take.
func FuzzCheckpoints(f *testing.F) {
	const topicID = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAA"
	f.Add([]byte("0\n2\n1 0\n3 17\n"), []byte(topicID+"g\n"), []byte(`{"version":0,"brokerEpoch":7}`))
	f.Add([]byte("0\r\n1\n-1 -1"), []byte(topicID+"A\n"), []byte(nil))
	f.Add([]byte("0\n9223372036854775807\n"), []byte("topic_id: x\nversion: 0"), []byte("{}"))
	f.Fuzz(func(t *testing.T, epochs, topic, shutdown []byte) {
		var c *logdir.Contents
		inProportion(t, len(epochs)+len(topic)+len(shutdown), func() {
			c = readAll(t, mapOf(map[string][]byte{
				metadata + "leader-epoch-checkpoint": epochs, metadata + "partition.metadata": topic, segment0: {},
				"kafka-log3/orders-0/partition.metadata": topic, "kafka-log3/.kafka_cleanshutdown": shutdown,
			}))
		})
		for _, p := range c.AllProblems() {
			if p.Path == "" || p.Message != logdir.EscapeText(p.Message) {
				t.Fatalf("a problem without a place, or one that cannot be shown: %+v", p)
			}
		}
		id, err := logdir.ParsePartitionMetadata(topic)
		if err != nil {
			return
		}
		if raw, err := logdir.ParseUUID(id); err != nil || raw == ([16]byte{}) || !bytes.Contains(topic, []byte(id)) {
			t.Fatalf("topic ID %q of %q: %v", id, topic, err)
		}
	})
}

// FuzzRead reads any bytes as the files of a metadata log.
func FuzzRead(f *testing.F) {
	f.Add([]byte("0\n1\n1 0\n"), []byte(`version: 0`), []byte(batches(f, 0, 2, 1)), []byte(snapshot(f, 1)))
	f.Fuzz(func(t *testing.T, epochs, topic, segment, checkpoint []byte) {
		c := readAll(t, onlyWanted{t, mapOf(map[string][]byte{
			metadata + "leader-epoch-checkpoint": epochs, metadata + "partition.metadata": topic, segment0: segment,
			metadata + "00000000000000000009-0000000001.checkpoint": checkpoint,
			"kafka-log3/.kafka_cleanshutdown":                       epochs,
		})})
		m := c.Dirs[0].Metadata
		if m.Segments[0].ValidBytes > int64(len(segment)) || m.End.Offset < 0 || m.End.Epoch < 0 {
			t.Fatalf("got %+v", m)
		}
		for _, p := range c.AllProblems() {
			if p.Message != logdir.EscapeText(p.Message) {
				t.Fatalf("a problem holds what cannot be shown: %q", p.Message)
			}
		}
	})
}
