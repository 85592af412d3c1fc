package metadata_test

import (
	"bytes"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kafkarecover/kafkarecover/internal/alloc"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// inProportion fails when fn allocates more than a multiple of the input: what an element of a record takes in memory
// and as JSON, by the fewest bytes it takes in a file, and what an empty one takes.
func inProportion(t *testing.T, input int, fn func()) {
	t.Helper()
	const empty, each = 256 << 10, 4 << 10
	if used := alloc.Bytes(fn); used > empty+each*uint64(input) {
		t.Errorf("%d bytes made it allocate %d", input, used)
	}
}

// FuzzRecord: decoding never panics, loses nothing, and what is encoded decodes to the same. All types at all versions
// are among the seeds.
func FuzzRecord(f *testing.F) {
	values, _ := oracle(f)
	for _, v := range values {
		f.Add(v)
	}
	var reused metadata.Decoder
	f.Fuzz(func(t *testing.T, value []byte) {
		var rec metadata.Record
		var text []byte
		inProportion(t, len(value), func() {
			rec = metadata.Decode(value)
			text = rec.AppendJSON(nil, false)
		})
		again := reused.Decode(value)
		if other := again.AppendJSON(nil, false); !bytes.Equal(text, other) {
			t.Errorf("a fresh decoder prints %s, a reused one %s", text, other)
		}
		_, unknown := rec.Message.(*metadata.UnknownRecord)
		encoded, err := rec.Append(nil)
		if err != nil {
			t.Fatalf("what was decoded does not encode: %v", err)
		}
		if unknown {
			return
		}
		back := metadata.Decode(encoded)
		if diff := cmp.Diff(rec, back, cmpopts.EquateEmpty(), cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("(-decoded +decoded again):\n%s", diff)
		}
		if twice, err := back.Append(nil); err != nil || !bytes.Equal(twice, encoded) {
			t.Errorf("encoding is not stable: %x, then %x", encoded, twice)
		}
	})
}

// FuzzReplay: any two values in a log make an image or problems, never a panic.
func FuzzReplay(f *testing.F) {
	values, _ := oracle(f)
	for i, v := range values {
		f.Add(v, values[(i*7+3)%len(values)])
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		im := metadata.NewImage()
		inProportion(t, 2*len(first)+len(second), func() {
			for i, v := range [][]byte{first, second, first} {
				_ = im.Apply(v, metadata.Position{Offset: int64(i)}) // an error is an answer
			}
		})
		partitions := 0
		for _, topic := range im.Topics() {
			partitions += topic.PartitionCount()
			for p := range topic.Partitions() {
				if q, ok := topic.Partition(p.ID); !ok || q.Leader != p.Leader {
					t.Errorf("partition %d is not found", p.ID)
				}
			}
		}
		if partitions != im.PartitionCount() || im.Counts().Partitions != partitions {
			t.Errorf("%d partitions, the image counts %d", partitions, im.PartitionCount())
		}
	})
}

// FuzzFile: any bytes as a segment or a snapshot make an image, a dump and a walk, or an error.
func FuzzFile(f *testing.F) {
	data, err := batch.Append(nil, batch.NewHeader(1, 0, nil), nil)
	if err != nil {
		f.Fatal(err)
	}
	values, _ := oracle(f)
	records := []batch.Record{{Value: values[0]}, {Offset: 1, Value: values[9]}}
	more, err := batch.Append(data, batch.NewHeader(1, 0, records), records)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(more)
	f.Fuzz(func(t *testing.T, data []byte) {
		file := &fstest.MapFile{Data: data, Mode: 0o644}
		fsys := fstest.MapFS{segmentName(0): file, snapshotName(3, 1): file}
		limits := batch.Limits{BatchBytes: 1 << 20, DecompressedBytes: 1 << 20, Records: 1 << 16}
		if _, err := metadata.ReadImage(fsys, ".", metadata.ReadOptions{Limits: limits}); err != nil {
			t.Errorf("an image: %v", err)
		}
		var text bytes.Buffer
		if _, err := metadata.Dump(&text, fsys, segmentName(0), metadata.DumpOptions{Limits: limits}); err != nil {
			t.Errorf("a dump: %v", err)
		}
		_, err := metadata.Walk(fsys, segmentName(0), limits, func(e *metadata.Entry) error {
			e.AppendJSON(nil, true)
			return nil
		})
		if err != nil {
			t.Errorf("a walk: %v", err)
		}
	})
}
