package batch_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// withPayload returns a batch of one record whose records are these bytes, whatever they are.
func withPayload(t testing.TB, codec batch.Codec, count int32, payload []byte) *batch.Batch {
	t.Helper()
	h := batch.NewHeader(1, 0, nil)
	data, err := batch.Append(nil, h, nil)
	if err != nil {
		t.Fatal(err)
	}
	data = append(data[:batch.HeaderSize], payload...)
	data[22] = byte(codec)
	binary.BigEndian.PutUint32(data[8:], uint32(len(data)-12))
	binary.BigEndian.PutUint32(data[57:], uint32(count))
	binary.BigEndian.PutUint32(data[17:], crc32.Checksum(data[21:], crc32.MakeTable(crc32.Castagnoli)))
	b, err := batch.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordsThatDecompressToTooMuchAreRefused(t *testing.T) {
	t.Parallel()
	records := []batch.Record{{Value: make([]byte, 4<<20)}}
	for _, codec := range codecs() {
		data, err := batch.Append(nil, batch.NewHeader(1, batch.Attributes(codec), records), records)
		if err != nil {
			t.Fatal(err)
		}
		b, err := batch.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		d := batch.NewDecoder(batch.Limits{DecompressedBytes: 1 << 20})
		_, err = d.Records(b)
		if codec == batch.None {
			if err != nil {
				t.Errorf("uncompressed records take no memory: got %v", err)
			}
			continue
		}
		if kindOf(err) != batch.OverLimit {
			t.Errorf("%s: got %v, want a refusal by the limit", codec, err)
		}
		if _, err := d.Records(withPayload(t, codec, 0, []byte("junk"))); kindOf(err) == "" {
			t.Errorf("%s: junk decompresses", codec)
		}
		// The decoder is as good as new afterwards.
		small, _ := batch.Append(nil, batch.NewHeader(1, batch.Attributes(codec), records[:0]), []batch.Record{{Value: []byte("x")}})
		sb, err := batch.Parse(small)
		if err != nil {
			t.Fatal(err)
		}
		it, err := d.Records(sb)
		if err != nil || !it.Next() || string(it.Record().Value) != "x" || len(it.Data()) == 0 {
			t.Errorf("%s: after refusals: %v", codec, err)
		}
	}
}

func TestBatchesWhoseHeaderCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	d := batch.NewDecoder(batch.Limits{Records: 10})
	tests := map[string]struct {
		b    *batch.Batch
		kind batch.Kind
	}{
		"more records than the limit":    {withPayload(t, batch.None, 11, nil), batch.OverLimit},
		"a negative record count":        {withPayload(t, batch.None, -1, nil), batch.BadRecord},
		"a codec that does not exist":    {withPayload(t, 5, 1, nil), batch.BadCompression},
		"an empty gzip stream":           {withPayload(t, batch.Gzip, 1, nil), batch.BadCompression},
		"half a snappy frame header":     {withPayload(t, batch.Snappy, 1, []byte("\x82SNAPPY\x00\x00")), batch.BadCompression},
		"snappy framing of version 0":    {withPayload(t, batch.Snappy, 1, append([]byte("\x82SNAPPY\x00"), make([]byte, 8)...)), batch.BadCompression},
		"a snappy block length cut off":  {withPayload(t, batch.Snappy, 1, []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00")), batch.BadCompression},
		"a snappy block longer than all": {withPayload(t, batch.Snappy, 1, []byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x09x")), batch.BadCompression},
		"a snappy block that claims 1 GB": {
			withPayload(t, batch.Snappy, 1, []byte{0x80, 0x80, 0x80, 0x80, 0x04, 0, 0}), batch.OverLimit,
		},
		"a snappy block that claims 100 MB": {
			withPayload(t, batch.Snappy, 1, []byte{0x80, 0x84, 0xaf, 0x2f, 0, 0}), batch.BadCompression,
		},
	}
	for name, test := range tests {
		if _, err := d.Records(test.b); kindOf(err) != test.kind {
			t.Errorf("%s: got %v, want kind %q", name, err, test.kind)
		}
	}
	magic3 := logOf(t, 1, 1)
	magic3[16] = 3
	b, err := batch.Parse(magic3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Records(); kindOf(err) != batch.BadMagic {
		t.Errorf("records of format 3: got %v", err)
	}
}

func TestSnappyOfOtherClientsIsRead(t *testing.T) {
	t.Parallel()
	records := []batch.Record{{Value: []byte(strings.Repeat("abc", 30000))}}
	plain, err := batch.Append(nil, batch.NewHeader(1, 0, records), records)
	if err != nil {
		t.Fatal(err)
	}
	block := snappy.Encode(nil, plain[batch.HeaderSize:])
	framed, err := batch.Append(nil, batch.NewHeader(1, batch.Attributes(batch.Snappy), records), records)
	if err != nil {
		t.Fatal(err)
	}
	for name, payload := range map[string][]byte{
		"one raw block":             block,
		"framed, in several blocks": framed[batch.HeaderSize:],
	} {
		got, err := withPayload(t, batch.Snappy, 1, payload).Records()
		if err != nil || !got.Next() || !bytes.Equal(got.Record().Value, records[0].Value) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecordErrorsNameTheRecord(t *testing.T) {
	t.Parallel()
	record := []byte{14, 0, 0, 0, 1, 2, 'x', 0} // size 7: attributes, timestamp, offset, null key, value "x", no headers
	tests := map[string]struct {
		payload []byte
		count   int32
		good    int
		message string
	}{
		"two whole records":         {append(append([]byte{}, record...), record...), 2, 2, ""},
		"no record and no bytes":    {nil, 0, 0, ""},
		"no record, bytes ignored":  {record, 0, 0, ""}, // as Kafka's iterator
		"a record more than claims": {append(append([]byte{}, record...), record...), 1, 0, "8 bytes after the last record"},
		"a record less than claims": {record, 2, 1, "record 1): expected a record, found the end of the batch"},
		"a negative size":           {[]byte{1}, 1, 0, "a record size of -1"},
		"a size beyond the end":     {[]byte{16, 0, 0}, 1, 0, "a record size of 8 with 2 bytes left"},
		"a size of nothing":         {[]byte{0}, 1, 0, "the end of the batch inside a record"},
		"a size larger than fields": {append([]byte{16}, append(record[1:], 0)...), 1, 0, "whose fields take 7 bytes"},
		"a value beyond the record": {[]byte{14, 0, 0, 0, 1, 40, 'x', 0}, 1, 0, "the end of the batch"},
		"too long an integer":       {[]byte{14, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1, 0, "the end of the batch"},
		"too long an offset":        {[]byte{20, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 0}, 1, 0, "variable-length"},
		"too many headers":          {[]byte{14, 0, 0, 0, 1, 2, 'x', 20}, 1, 0, "10 record headers with 0 bytes left"},
		"a negative header count":   {[]byte{14, 0, 0, 0, 1, 2, 'x', 1}, 1, 0, "-1 record headers"},
		"a header without key":      {[]byte{18, 0, 0, 0, 1, 2, 'x', 2, 1, 0}, 1, 0, "without a key"},
		"a header cut off":          {[]byte{16, 0, 0, 0, 1, 2, 'x', 2, 0}, 1, 0, "the end of the batch"},
	}
	for name, test := range tests {
		it, err := withPayload(t, batch.None, test.count, test.payload).Records()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n := 0
		for it.Next() {
			n++
		}
		err = it.Err()
		if n != test.good || (err == nil) != (test.message == "") || err != nil && !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: got %d records and %v, want %d and %q", name, n, err, test.good, test.message)
		}
		if it.Next() {
			t.Errorf("%s: Next goes on", name)
		}
	}
}

func TestTimestampsOfTheBrokerReplaceTheRecords(t *testing.T) {
	t.Parallel()
	records := []batch.Record{{Timestamp: 10, Value: []byte("a")}, {Offset: 1, Timestamp: 20, Value: []byte("b")}}
	h := batch.NewHeader(1, batch.LogAppendTime, records)
	h.MaxTimestamp = 99
	data, err := batch.Append(nil, h, records)
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recordsOf(t, b) {
		if r.Timestamp != 99 {
			t.Errorf("record %d: got timestamp %d, want the batch's 99", r.Offset, r.Timestamp)
		}
	}
}

func TestAppendRefusesWhatCannotBeStored(t *testing.T) {
	t.Parallel()
	one := []batch.Record{{Offset: 5}}
	if _, err := batch.Append(nil, batch.Header{BaseOffset: 6}, one); err == nil {
		t.Error("an offset before the batch was stored")
	}
	if _, err := batch.Append(nil, batch.Header{BaseOffset: 4}, one); err == nil {
		t.Error("an offset behind the batch was stored")
	}
	if _, err := batch.Append(nil, batch.Header{BaseOffset: 5}, []batch.Record{{Offset: 5, Headers: []batch.RecordHeader{{}}}}); err == nil {
		t.Error("a header without a key was stored")
	}
	if _, err := batch.Append(nil, batch.Header{Attributes: 7}, nil); err == nil {
		t.Error("compression type 7 was stored")
	}
}

func TestCodecNamesAndAttributes(t *testing.T) {
	t.Parallel()
	var names []string
	for c := range batch.Codec(6) {
		names = append(names, c.String())
	}
	if diff := cmp.Diff([]string{"none", "gzip", "snappy", "lz4", "zstd", "unknown"}, names); diff != "" {
		t.Error(diff)
	}
	a := (batch.Control | batch.Attributes(batch.Gzip)).WithCodec(batch.Zstd)
	if a.Codec() != batch.Zstd || !a.Has(batch.Control) || a.Has(batch.Transactional) {
		t.Errorf("got %b", a)
	}
}

func TestErrorsUnwrapToTheDecompressors(t *testing.T) {
	t.Parallel()
	_, err := withPayload(t, batch.Snappy, 1, []byte{1, 0xff}).Records()
	if !errors.Is(err, snappy.ErrCorrupt) || !strings.Contains(err.Error(), "compressed with snappy") {
		t.Errorf("got %v", err)
	}
}
