package batch

import (
	"reflect"
	"testing"
)

// FuzzPlain holds the quick way of decoding a record against the long one: whatever it takes, the other takes too, with
// the same result, and stands at the same place afterwards.
func FuzzPlain(f *testing.F) {
	for _, record := range [][]byte{
		{20, 0, 0, 0, 1, 6, 'a', 'b', 'c', 0, 0},            // size too large by one
		{18, 0, 0, 0, 1, 6, 'a', 'b', 'c', 0, 0xff},         // bytes behind it
		{18, 7, 3, 0x80, 0, 1, 6, 'a', 'b', 'c', 0, 0, 0},   // a number in more bytes than it needs
		{16, 0, 0, 2, 0, 6, 'a', 'b', 'c', 0, 0, 0},         // an empty key
		{14, 0, 0, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0},            // no value
		{18, 0, 0, 2, 1, 0, 2, 0, 0, 0, 0, 0, 0},            // a header
		{0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0}, // a number without end
	} {
		f.Add(record, int32(-1), false)
		f.Add(record, int32(5), true)
	}
	raw, err := Append(nil, Header{BaseOffset: 7, LastOffsetDelta: 69993, BaseTimestamp: 1000, BaseSequence: -1}, []Record{
		{Offset: 7, Timestamp: 1001, Value: []byte("of a controller")}, {Offset: 70000, Timestamp: 1000, Value: make([]byte, 300)},
	})
	if err != nil {
		f.Fatal(err)
	}
	b, err := Parse(raw)
	if err != nil {
		f.Fatal(err)
	}
	it := Records{batch: b, data: b.Payload()}
	if !it.plain() || it.rec.Timestamp != 1001 || string(it.rec.Value) != "of a controller" || !it.plain() ||
		it.rec.Offset != 70000 || len(it.rec.Value) != 300 || it.pos != len(it.data) {
		f.Fatalf("records as controllers write them are not taken the quick way: %+v", it.rec)
	}
	f.Add(b.Payload(), int32(-1), false)
	f.Fuzz(func(t *testing.T, data []byte, sequence int32, stamped bool) {
		b := &Batch{Header: Header{BaseOffset: 7, BaseTimestamp: 1000, MaxTimestamp: 2000, BaseSequence: sequence}}
		if stamped {
			b.Attributes = LogAppendTime
		}
		quick, long := Records{batch: b, data: data}, Records{batch: b, data: data}
		for quick.plain() {
			if err := long.read(); err != nil {
				t.Fatalf("%x at %d: %v", data, long.pos, err)
			}
			quick.rec.Headers, long.rec.Headers = nil, nil
			if quick.pos != long.pos || !reflect.DeepEqual(quick.rec, long.rec) {
				t.Fatalf("%x: got %+v up to %d, want %+v up to %d", data, quick.rec, quick.pos, long.rec, long.pos)
			}
		}
		if quick.pos != long.pos {
			t.Fatalf("%x: a record that is not taken moves from %d to %d", data, long.pos, quick.pos)
		}
	})
}
