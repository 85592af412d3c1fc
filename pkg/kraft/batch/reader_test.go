package batch_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// logOf returns n batches of one record each, from offset 0 on, with values of that size.
func logOf(t testing.TB, n, valueSize int) []byte {
	t.Helper()
	var data []byte
	for i := range n {
		records := []batch.Record{{Offset: int64(i), Timestamp: 1000, Value: []byte(strings.Repeat("v", valueSize))}}
		var err error
		if data, err = batch.Append(data, batch.NewHeader(1, 0, records), records); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

func offsets(r *batch.Reader) []int64 {
	var out []int64
	for r.Next() {
		out = append(out, r.Batch().BaseOffset)
	}
	return out
}

func kindOf(err error) batch.Kind {
	var e *batch.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func TestReaderNamesWhatEndsTheWalk(t *testing.T) {
	t.Parallel()
	good := logOf(t, 3, 10)
	one := len(good) / 3
	edit := func(fn func(b []byte)) []byte {
		c := append([]byte(nil), good...)
		fn(c)
		return c
	}
	second := func(offset int) int { return one + offset }
	tests := map[string]struct {
		data []byte
		kind batch.Kind
		good int
	}{
		"nothing at all":                      {data: nil},
		"only whole batches":                  {data: good, good: 3 * one},
		"the last batch cut short":            {data: good[:3*one-1], kind: batch.Torn, good: 2 * one},
		"a few bytes of the next batch":       {data: good[:2*one+9], kind: batch.Torn, good: 2 * one},
		"a header and no more":                {data: good[:2*one+18], kind: batch.Torn, good: 2 * one},
		"a short zero tail":                   {data: append(edit(func([]byte) {}), make([]byte, 7)...), kind: batch.Zeros, good: 3 * one},
		"a long zero tail":                    {data: append(edit(func([]byte) {}), make([]byte, 1<<20)...), kind: batch.Zeros, good: 3 * one},
		"zeros and then something":            {data: append(append(edit(func([]byte) {}), make([]byte, 1<<20)...), 1), kind: batch.BadLength, good: 3 * one},
		"a changed value":                     {data: edit(func(b []byte) { b[second(70)] ^= 1 }), kind: batch.BadCRC, good: one},
		"a length too small for any batch":    {data: edit(func(b []byte) { b[second(11)] = 13 }), kind: batch.BadLength, good: one},
		"a length too small for format 2":     {data: edit(func(b []byte) { b[second(11)] = 20 }), kind: batch.BadLength, good: one},
		"a negative length":                   {data: edit(func(b []byte) { b[second(8)] = 0xff }), kind: batch.BadLength, good: one},
		"a length beyond the end":             {data: edit(func(b []byte) { b[second(9)] = 1 }), kind: batch.Torn, good: one},
		"a message set of Kafka 0.10":         {data: edit(func(b []byte) { b[second(16)] = 1 }), kind: batch.Legacy, good: one},
		"a format that does not exist":        {data: edit(func(b []byte) { b[second(16)] = 0xff }), kind: batch.BadMagic, good: one},
		"format 3, which Kafka's log accepts": {data: edit(func(b []byte) { b[second(16)] = 3 }), good: 3 * one},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for source, r := range map[string]*batch.Reader{
				"bytes":   batch.NewBytesReader(test.data, batch.Options{File: "x.log"}),
				"stream":  batch.NewStreamReader(strings.NewReader(string(test.data)), int64(len(test.data)), batch.Options{}),
				"unknown": batch.NewStreamReader(iotest.HalfReader(strings.NewReader(string(test.data))), -1, batch.Options{}),
			} {
				for r.Next() {
				}
				if kindOf(r.Err()) != test.kind || r.Good() != int64(test.good) {
					t.Errorf("%s: got %q after %d good bytes, want %q after %d", source, kindOf(r.Err()), r.Good(), test.kind, test.good)
				}
				if r.Next() {
					t.Errorf("%s: Next goes on after the end", source)
				}
				if (r.Err() != nil) != r.Incomplete() {
					t.Errorf("%s: Incomplete is %t with error %v", source, r.Incomplete(), r.Err())
				}
			}
		})
	}
}

func TestErrorSaysWhereAndHowMuchWasGood(t *testing.T) {
	t.Parallel()
	data := logOf(t, 2, 10)
	data[len(data)-1] ^= 1
	r := batch.NewBytesReader(data, batch.Options{File: "00.log"})
	for r.Next() {
	}
	message := r.Err().Error()
	for _, part := range []string{`"00.log"`, "at byte 78", "base offset 1", "as stored", "as computed", "78 bytes before it are sound"} {
		if !strings.Contains(message, part) {
			t.Errorf("%q does not say %q", message, part)
		}
	}
	if !errors.Is(r.Err(), &batch.Error{Kind: batch.BadCRC}) || errors.Is(r.Err(), &batch.Error{Kind: batch.Torn}) {
		t.Error("errors.Is does not tell kinds apart")
	}
}

func TestReaderReportsAFailingSource(t *testing.T) {
	t.Parallel()
	data := logOf(t, 3, 10)
	broken := errors.New("the disk is gone")
	for _, resync := range []bool{false, true} {
		for _, n := range []int{0, 5, 30, 100} {
			src := io.MultiReader(strings.NewReader(string(data[:n])), iotest.ErrReader(broken))
			r := batch.NewStreamReader(src, int64(len(data)), batch.Options{Resync: resync})
			for r.Next() {
			}
			if kindOf(r.Err()) != batch.ReadFailed || !errors.Is(r.Err(), broken) {
				t.Errorf("after %d bytes: got %v, want the source's error", n, r.Err())
			}
		}
	}
	stuck := batch.NewStreamReader(stuckReader{}, -1, batch.Options{})
	if stuck.Next() || !errors.Is(stuck.Err(), io.ErrNoProgress) {
		t.Errorf("a source without progress: got %v", stuck.Err())
	}
}

type stuckReader struct{}

func (stuckReader) Read([]byte) (int, error) { return 0, nil }

func TestLimitOnBatchSizeIsCheckedBeforeReading(t *testing.T) {
	t.Parallel()
	data := logOf(t, 1, 5000)
	r := batch.NewBytesReader(data, batch.Options{Limits: batch.Limits{BatchBytes: 4096}})
	if r.Next() || kindOf(r.Err()) != batch.OverLimit {
		t.Errorf("got %v, want a refusal by the limit", r.Err())
	}
}

func TestAStreamThatClaimsMuchAllocatesLittle(t *testing.T) {
	// Not parallel: it measures allocations.
	claim := append([]byte(nil), logOf(t, 1, 10)...)
	binary.BigEndian.PutUint32(claim[8:], 200<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := batch.NewStreamReader(strings.NewReader(string(claim)), -1, batch.Options{})
	for r.Next() {
	}
	runtime.ReadMemStats(&after)
	if per := after.TotalAlloc - before.TotalAlloc; per > 1<<20 {
		t.Errorf("a batch that claims 200 MiB and holds none made the reader allocate %d bytes", per)
	}
}

func TestResyncGoesOnAtTheNextSoundBatch(t *testing.T) {
	t.Parallel()
	good := logOf(t, 6, 10)
	one := len(good) / 6
	edit := func(fn func(b []byte)) []byte {
		c := append([]byte(nil), good...)
		fn(c)
		return c
	}
	tests := map[string]struct {
		data    []byte
		offsets []int64
		gaps    [][2]int64
	}{
		"nothing wrong": {good, []int64{0, 1, 2, 3, 4, 5}, nil},
		"a changed value costs one batch": {
			edit(func(b []byte) { b[2*one+70] ^= 1 }),
			[]int64{0, 1, 3, 4, 5}, [][2]int64{{int64(2 * one), int64(3 * one)}},
		},
		"a changed length costs one batch": {
			edit(func(b []byte) { b[2*one+9] = 1 }),
			[]int64{0, 1, 3, 4, 5}, [][2]int64{{int64(2 * one), int64(3 * one)}},
		},
		"bytes in between are skipped": {
			append(append(append([]byte(nil), good[:2*one]...), strings.Repeat("junk\x02", 1000)...), good[2*one:]...),
			[]int64{0, 1, 2, 3, 4, 5}, [][2]int64{{int64(2 * one), int64(2*one + 5000)}},
		},
		"missing bytes cost the batch they were in": {
			append(append([]byte(nil), good[:2*one+5]...), good[2*one+20:]...),
			[]int64{0, 1, 3, 4, 5}, [][2]int64{{int64(2 * one), int64(3*one - 15)}},
		},
		"a hole of zeros in the middle": {
			append(append(append([]byte(nil), good[:2*one]...), make([]byte, 600_000)...), good[2*one:]...),
			[]int64{0, 1, 2, 3, 4, 5}, nil, // where exactly the hole ends is not looked at below
		},
		"the last batch damaged": {
			edit(func(b []byte) { b[6*one-1] ^= 1 }),
			[]int64{0, 1, 2, 3, 4}, [][2]int64{{int64(5 * one), int64(6 * one)}},
		},
		"a torn tail": {good[:6*one-3], []int64{0, 1, 2, 3, 4}, [][2]int64{{int64(5 * one), int64(6*one - 3)}}},
		"a zero tail": {
			append(append([]byte(nil), good...), make([]byte, 300_000)...),
			[]int64{0, 1, 2, 3, 4, 5}, [][2]int64{{int64(6 * one), int64(6*one + 300_000)}},
		},
		"an older batch again is not taken": {
			append(edit(func(b []byte) { b[5*one+70] ^= 1 }), good[:one]...),
			[]int64{0, 1, 2, 3, 4}, [][2]int64{{int64(5 * one), int64(7 * one)}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for source, r := range map[string]*batch.Reader{
				"bytes":  batch.NewBytesReader(test.data, batch.Options{Resync: true}),
				"stream": batch.NewStreamReader(strings.NewReader(string(test.data)), -1, batch.Options{Resync: true}),
			} {
				if diff := cmp.Diff(test.offsets, offsets(r)); diff != "" || r.Err() != nil {
					t.Errorf("%s: offsets (-want +got):\n%s error %v", source, diff, r.Err())
				}
				var gaps [][2]int64
				for _, g := range r.Gaps() {
					gaps = append(gaps, [2]int64{g.From, g.To})
					if g.Err == nil {
						t.Errorf("%s: a gap without a reason", source)
					}
				}
				if diff := cmp.Diff(test.gaps, gaps); diff != "" && test.gaps != nil {
					t.Errorf("%s: gaps (-want +got):\n%s", source, diff)
				}
				if r.Incomplete() != (len(gaps) > 0) {
					t.Errorf("%s: Incomplete is %t with %d gaps", source, r.Incomplete(), len(gaps))
				}
			}
		})
	}
}

// A record's value may hold whole batches: a mirrored or archived segment. They are not the file's.
func TestResyncDoesNotTakeBatchesInsideAValue(t *testing.T) {
	t.Parallel()
	nested := []batch.Record{{Offset: 77, Timestamp: 1, Value: []byte("inner")}}
	inner, err := batch.Append(nil, batch.NewHeader(1, 0, nested), nested)
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	for i := range 3 {
		records := []batch.Record{{Offset: int64(i), Timestamp: 1, Value: inner}}
		if data, err = batch.Append(data, batch.NewHeader(1, 0, records), records); err != nil {
			t.Fatal(err)
		}
	}
	data[len(data)/3+62] ^= 1 // in the second batch, before the inner one
	r := batch.NewBytesReader(data, batch.Options{Resync: true})
	if diff := cmp.Diff([]int64{0, 2}, offsets(r)); diff != "" {
		t.Errorf("offsets (-want +got):\n%s", diff)
	}
}

func TestFramesOnlyLeavesOutTheCRC(t *testing.T) {
	t.Parallel()
	data := logOf(t, 3, 10)
	data[len(data)-1] ^= 1
	r := batch.NewBytesReader(data, batch.Options{FramesOnly: true})
	var sound []bool
	for r.Next() {
		sound = append(sound, r.Batch().CRC == r.Batch().ComputedCRC())
	}
	if diff := cmp.Diff([]bool{true, true, false}, sound); diff != "" || r.Err() != nil {
		t.Errorf("sound batches (-want +got):\n%s error %v", diff, r.Err())
	}
	if r.Batch().Payload() == nil && r.Batch().ComputedCRC() != 0 {
		t.Error("after the end there is a batch")
	}
}

func TestParseWantsOneWholeBatch(t *testing.T) {
	t.Parallel()
	data := logOf(t, 1, 3)
	b, err := batch.Parse(data)
	if err != nil || b.Size() != len(data) || b.Clone().ComputedCRC() != b.CRC {
		t.Errorf("got %v, %v", b, err)
	}
	if _, err := batch.Parse(nil); kindOf(err) != batch.Torn {
		t.Errorf("nothing: got %v", err)
	}
	if _, err := batch.Parse(data[:20]); kindOf(err) != batch.Torn {
		t.Errorf("a part: got %v", err)
	}
}

func TestSequencesWrapAsKafkas(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		base  int32
		delta int32
		want  int32
	}{
		{-1, 5, -1},
		{7, 5, 12},
		{1<<31 - 1, 1, 0}, // DefaultRecordBatchTest.testIncrementSequence
		{1<<31 - 1, 4, 3},
	} {
		h := batch.Header{BaseSequence: test.base, LastOffsetDelta: test.delta}
		if got := h.LastSequence(); got != test.want {
			t.Errorf("base %d, delta %d: got %d, want %d", test.base, test.delta, got, test.want)
		}
	}
}

// TestBatchesStayInLentMemory reads a log of batches of many sizes with memory of the caller: those read before must
// still be what they were, whatever was read since.
func TestBatchesStayInLentMemory(t *testing.T) {
	t.Parallel()
	var data []byte
	for i := range 40 {
		value := bytes.Repeat([]byte{byte(i)}, 1<<(i%20))
		raw, err := batch.Append(nil, batch.Header{BaseOffset: int64(i), BaseSequence: -1}, []batch.Record{
			{Offset: int64(i), Value: value},
		})
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, raw...)
	}
	asked, given := 0, 0
	r := batch.NewStreamReader(bytes.NewReader(data), int64(len(data)), batch.Options{Buffer: func(least int) []byte {
		asked = max(asked, least)
		given++
		return make([]byte, least)
	}})
	var read []batch.Batch
	for r.Next() {
		read = append(read, *r.Batch())
	}
	if err := r.Err(); err != nil || len(read) != 40 || given < 3 {
		t.Fatalf("read %d batches in %d pieces of memory, %v", len(read), given, err)
	}
	var again []byte
	for i := range read {
		again = append(again, read[i].Bytes()...)
	}
	if !bytes.Equal(again, data) {
		t.Error("batches changed after they were read")
	}
	if largest := 1<<19 + 100; asked > largest {
		t.Errorf("memory of %d bytes was asked for, the largest batch has less than %d", asked, largest)
	}
}

// TestLentMemoryMayBeLess gives less than a batch takes: the Reader then has to grow memory of its own.
func TestLentMemoryMayBeLess(t *testing.T) {
	t.Parallel()
	data := logOf(t, 3, 1<<20)
	given := 0
	r := batch.NewStreamReader(bytes.NewReader(data), int64(len(data)), batch.Options{Buffer: func(int) []byte {
		given++
		return make([]byte, 1000)
	}})
	var again []byte
	for r.Next() {
		again = append(again, r.Batch().Bytes()...)
	}
	if r.Err() != nil || given == 0 || !bytes.Equal(again, data) {
		t.Errorf("read %d of %d bytes, %d times memory, %v", len(again), len(data), given, r.Err())
	}
}
