package batch_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kafkarecover/kafkarecover/internal/alloc"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

func seed(f *testing.F) {
	f.Helper()
	for _, name := range []string{"small.log", "voters.checkpoint", "codec-none.log", "codec-gzip.log", "codec-zstd.log"} {
		f.Add(read(f, name))
	}
	f.Add([]byte{})
	f.Add(make([]byte, 200))
}

// FuzzReader holds the walk to its promises: no panic, the same from memory and from a stream, Good is a prefix that
// reads to a clean end, and going on finds at least what stopping finds.
func FuzzReader(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		strict := batch.NewBytesReader(data, batch.Options{})
		n := len(offsets(strict))
		stream := batch.NewStreamReader(bytes.NewReader(data), -1, batch.Options{})
		if m := len(offsets(stream)); m != n || stream.Good() != strict.Good() {
			t.Fatalf("memory yields %d batches and %d good bytes, a stream %d and %d", n, strict.Good(), m, stream.Good())
		}
		prefix := batch.NewBytesReader(data[:strict.Good()], batch.Options{})
		if m := len(offsets(prefix)); m != n || prefix.Err() != nil {
			t.Fatalf("the good bytes alone yield %d batches and %v, not %d", m, prefix.Err(), n)
		}
		resync := batch.NewBytesReader(data, batch.Options{Resync: true})
		if m := len(offsets(resync)); m < n || resync.Err() != nil {
			t.Fatalf("going on yields %d batches and %v, stopping %d", m, resync.Err(), n)
		}
		if resync.Good() != strict.Good() || (strict.Err() == nil) != (len(resync.Gaps()) == 0) {
			t.Fatalf("going on: %d good bytes, %d gaps; stopping: %d, %v", resync.Good(), len(resync.Gaps()), strict.Good(), strict.Err())
		}
	})
}

// FuzzRecords puts any payload behind a right header: no panic, memory bounded by the limits, and what decodes encodes
// to the same records, uncompressed and canonical even to the same bytes.
func FuzzRecords(f *testing.F) {
	for _, codec := range codecs() {
		r := batch.NewBytesReader(read(f, "codec-"+codec.String()+".log"), batch.Options{})
		for r.Next() {
			f.Add(byte(codec), byte(r.Batch().RecordCount), r.Batch().Payload())
		}
	}
	f.Fuzz(func(t *testing.T, codec, count byte, payload []byte) {
		const limit = 1 << 20
		b := withPayload(t, batch.Codec(codec&7), int32(count), payload)
		d := batch.NewDecoder(batch.Limits{DecompressedBytes: limit})
		var it *batch.Records
		var err error
		var records []batch.Record
		used := alloc.Bytes(func() {
			it, err = d.Records(b)
			for err == nil && it.Next() {
				r := *it.Record()
				r.Headers = append([]batch.RecordHeader(nil), r.Headers...)
				records = append(records, r)
			}
		})
		// Windows and tables of the decompressors, twice the limit while the buffer doubles, the records kept here.
		if used > 300<<20 {
			t.Fatalf("%d bytes of payload made the decoder allocate %d", len(payload), used)
		}
		if err != nil || it.Err() != nil {
			return
		}
		h := b.Header
		h.Attributes = h.Attributes.WithCodec(batch.None)
		for _, r := range records {
			if r.Offset < 0 {
				return // no header fits offsets below the base
			}
			h.LastOffsetDelta = max(h.LastOffsetDelta, int32(r.Offset))
		}
		again, err := batch.Append(nil, h, records)
		if err != nil {
			t.Fatal(err)
		}
		second, err := batch.Parse(again)
		if err != nil {
			t.Fatal(err)
		}
		if third, err := batch.Append(nil, second.Header, recordsOf(t, second)); err != nil || !bytes.Equal(again, third) {
			t.Fatalf("encoding is not stable: %v", err)
		}
	})
}

// FuzzCodec compresses any records with every codec: they decompress to the bytes that went in, decode to the records
// they were, and the uncompressed batch is encoded to the same bytes again.
func FuzzCodec(f *testing.F) {
	for _, codec := range codecs() {
		f.Add(byte(codec), []byte("key"), []byte("value"), []byte("header"), int64(1795510939053), uint16(3), byte(1))
		f.Add(byte(codec), []byte(nil), bytes.Repeat([]byte("abc"), 999), []byte{}, int64(-1), uint16(0), byte(0))
		f.Add(byte(codec), []byte{}, []byte{0, 1, 2, 0xff}, []byte("h"), int64(1<<62), uint16(1<<15), byte(70))
	}
	f.Fuzz(func(t *testing.T, codec byte, key, value, header []byte, timestamp int64, offset uint16, more byte) {
		records := []batch.Record{{
			Offset: int64(offset), Timestamp: timestamp, Key: key, Value: value,
			Headers: []batch.RecordHeader{{Key: append([]byte{}, header...), Value: value}, {Key: []byte("h")}},
		}}
		for i := range int64(more) {
			records = append(records, batch.Record{Offset: records[0].Offset + 1 + i, Timestamp: timestamp, Value: key})
		}
		plain, _ := encodedAndDecoded(t, batch.None, records)
		again, err := batch.Append(nil, plain.Header, recordsOf(t, plain))
		if err != nil || !bytes.Equal(again, plain.Bytes()) {
			t.Fatalf("%x is encoded to %x again: %v", plain.Bytes(), again, err)
		}
		used := batch.Codec(codec) % (batch.Zstd + 1)
		if _, out := encodedAndDecoded(t, used, records); !bytes.Equal(out, plain.Payload()) {
			t.Fatalf("%s: %d bytes were compressed, %d come out", used, len(plain.Payload()), len(out))
		}
	})
}

// encodedAndDecoded makes a batch, requires the records it was made of, and returns it with its payload decompressed.
func encodedAndDecoded(t *testing.T, codec batch.Codec, records []batch.Record) (*batch.Batch, []byte) {
	t.Helper()
	data, err := batch.Append(nil, batch.NewHeader(1, batch.Attributes(codec), records), records)
	if err != nil {
		t.Fatalf("%s: %v", codec, err)
	}
	b, err := batch.Parse(data)
	if err != nil {
		t.Fatalf("%s: %v", codec, err)
	}
	computed := cmpopts.IgnoreFields(batch.Record{}, "Sequence", "Size")
	if diff := cmp.Diff(records, recordsOf(t, b), cmpopts.EquateEmpty(), computed); diff != "" {
		t.Fatalf("%s (-encoded +decoded):\n%s", codec, diff)
	}
	out, err := batch.NewDecoder(batch.Limits{}).Decompress(b)
	if err != nil {
		t.Fatalf("%s: %v", codec, err)
	}
	return b, out
}

// FuzzControl parses any control record: no panic, and what parses does not depend on what lies behind it in memory.
func FuzzControl(f *testing.F) {
	for _, name := range []string{"small.log", "voters.checkpoint", "codec-none.log"} {
		r := batch.NewBytesReader(read(f, name), batch.Options{})
		for r.Next() {
			for _, rec := range recordsOf(f, r.Batch()) {
				if r.Batch().IsControl() {
					f.Add(rec.Key, rec.Value)
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		c, err := batch.ParseControl(key, value)
		if err != nil {
			return
		}
		if len(c.Voters)*5 > len(value) && len(value) > 0 {
			t.Fatalf("%d voters from %d bytes", len(c.Voters), len(value))
		}
	})
}

// FuzzResync damages a sound log and makes sure that every batch that was not touched is found.
func FuzzResync(f *testing.F) {
	f.Add(uint16(100), uint16(3), byte(0xff))
	f.Add(uint16(700), uint16(200), byte(2))
	f.Fuzz(func(t *testing.T, at, n uint16, value byte) {
		data := logOf(t, 20, 30)
		one := len(data) / 20
		from := int(at) % len(data)
		to := min(len(data), from+1+int(n)%500)
		for i := from; i < to; i++ {
			data[i] = value
		}
		for i := range 20 {
			if from < i*one+12 && to > i*one {
				return // the CRC does not cover offset and length: a changed one may hide what follows
			}
		}
		r := batch.NewBytesReader(data, batch.Options{Resync: true})
		found := map[int64]bool{}
		for r.Next() {
			if r.Batch().BaseOffset != r.Batch().Position/int64(one) {
				t.Fatalf("offset %d at byte %d", r.Batch().BaseOffset, r.Batch().Position)
			}
			found[r.Batch().BaseOffset] = true
		}
		for i := range 20 {
			touched := from < (i+1)*one && to > i*one
			if !touched && !found[int64(i)] {
				t.Errorf("batch %d was not touched by bytes %d to %d and not found", i, from, to)
			}
		}
	})
}
