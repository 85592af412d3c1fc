package batch_test

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// The files of testdata were written by Oracle.java with Kafka 4.2.0's own classes: what Kafka wrote, and what it made
// of damaged copies.

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func lines(t testing.TB, name string) []string {
	t.Helper()
	return strings.Split(strings.TrimSuffix(string(read(t, name)), "\n"), "\n")
}

func hexOrDash(b []byte) string {
	if b == nil {
		return "-"
	}
	return "x" + hex.EncodeToString(b)
}

// dump prints batches and records as Oracle.java does.
func dump(t testing.TB, r *batch.Reader) []string {
	t.Helper()
	var out []string
	d := batch.NewDecoder(batch.Limits{})
	for r.Next() {
		b := r.Batch()
		out = append(out, fmt.Sprintf("batch %d %d %d %d %d %s %d %d %d %d %d %d %t %t %d", b.BaseOffset, b.LastOffset(),
			b.Position, b.Size(), b.CRC, b.Codec(), b.Magic, b.PartitionLeaderEpoch, b.MaxTimestamp, b.ProducerID,
			b.ProducerEpoch, b.BaseSequence, b.IsTransactional(), b.IsControl(), b.RecordCount))
		records, err := d.Records(b)
		if err != nil {
			t.Fatalf("batch at %d: %v", b.BaseOffset, err)
		}
		for records.Next() {
			rec := records.Record()
			var headers strings.Builder
			for _, h := range rec.Headers {
				fmt.Fprintf(&headers, " %s=%s", hexOrDash(h.Key), hexOrDash(h.Value))
			}
			out = append(out, fmt.Sprintf("record %d %d %d %d %s %s%s", rec.Offset, rec.Timestamp, rec.Sequence, rec.Size,
				hexOrDash(rec.Key), hexOrDash(rec.Value), headers.String()))
		}
		if err := records.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func codecs() []batch.Codec {
	return []batch.Codec{batch.None, batch.Gzip, batch.Snappy, batch.LZ4, batch.Zstd}
}

func TestBatchesOfEveryCodecReadAsKafkaReadsThem(t *testing.T) {
	t.Parallel()
	for _, codec := range codecs() {
		t.Run(codec.String(), func(t *testing.T) {
			t.Parallel()
			data := read(t, "codec-"+codec.String()+".log")
			want := lines(t, "codec-"+codec.String()+".txt")
			readers := map[string]*batch.Reader{
				"a byte slice": batch.NewBytesReader(data, batch.Options{}),
				"a ReaderAt":   batch.NewReader(strings.NewReader(string(data)), int64(len(data)), batch.Options{}),
				"a stream of unknown size that yields a byte at a time": batch.NewStreamReader(
					oneByte{strings.NewReader(string(data))}, -1, batch.Options{}),
			}
			for source, r := range readers {
				if diff := cmp.Diff(want, dump(t, r)); diff != "" {
					t.Errorf("read from %s (-Kafka +this):\n%s", source, diff)
				}
				if r.Good() != int64(len(data)) {
					t.Errorf("good bytes from %s: got %d, want all %d", source, r.Good(), len(data))
				}
			}
		})
	}
}

type oneByte struct{ r *strings.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

func TestEveryFlippedBitCutsTheLogWhereKafkaCutsIt(t *testing.T) {
	t.Parallel()
	data := read(t, "small.log")
	for i, line := range lines(t, "small-flips.txt") {
		for bit, field := range strings.Fields(line) {
			want, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			damaged := append([]byte(nil), data...)
			damaged[i] ^= 1 << bit
			r := batch.NewBytesReader(damaged, batch.Options{})
			for r.Next() {
			}
			if r.Good() != want {
				t.Errorf("byte %d bit %d: this keeps %d bytes, Kafka %d (%v)", i, bit, r.Good(), want, r.Err())
			}
			if want < int64(len(data)) {
				checkLocated(t, r.Err(), want)
			}
		}
	}
}

func TestEveryLengthCutsTheLogWhereKafkaCutsIt(t *testing.T) {
	t.Parallel()
	data := read(t, "small.log")
	for n, field := range lines(t, "small-lengths.txt") {
		want, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*batch.Reader{
			batch.NewBytesReader(data[:n], batch.Options{}),
			batch.NewStreamReader(strings.NewReader(string(data[:n])), -1, batch.Options{}),
		} {
			for r.Next() {
			}
			if r.Good() != want {
				t.Errorf("length %d: this keeps %d bytes, Kafka %d", n, r.Good(), want)
			}
			if want < int64(n) {
				checkLocated(t, r.Err(), want)
			}
		}
	}
}

// checkLocated asserts that an error says where it is and how much before it was good.
func checkLocated(t *testing.T, err error, position int64) {
	t.Helper()
	var e *batch.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a located error", err)
	}
	if e.Position != position || e.Good != position || e.Expected == "" || e.Found == "" {
		t.Errorf("got %+v, want one at byte %d", e, position)
	}
}

// answer reads the records of a batch and says, as Oracle.java does, how many and which.
func answer(data []byte) string {
	b, err := batch.Parse(data)
	if err != nil {
		return "0!"
	}
	records, err := b.Records()
	if err != nil {
		return "0!"
	}
	var all strings.Builder
	n := 0
	for ; records.Next(); n++ {
		r := records.Record()
		fmt.Fprintf(&all, "%d %d %s %s", r.Offset, r.Timestamp, hexOrDash(r.Key), hexOrDash(r.Value))
		for _, h := range r.Headers {
			// Kafka decodes a header's key to a string, bytes that are no UTF-8 become U+FFFD; here they stay bytes.
			key := []byte(strings.ToValidUTF8(string(h.Key), "\uFFFD"))
			fmt.Fprintf(&all, " %s=%s", hexOrDash(key), hexOrDash(h.Value))
		}
		all.WriteByte('\n')
	}
	if records.Err() != nil {
		return strconv.Itoa(n) + "!"
	}
	return fmt.Sprintf("%d:%d", n, crc32.Checksum([]byte(all.String()), crc32.MakeTable(crc32.Castagnoli)))
}

// Behind a right CRC a flipped bit reaches the decompressor and the record reader. The answer must be Kafka's, or an
// error; where Kafka fails this must fail too.
func TestDamagedRecordsBehindARightCRCReadAsKafkaReadsThem(t *testing.T) {
	t.Parallel()
	data := read(t, "small.log")
	var one []byte
	at, stricter, same := 0, 0, 0
	s := bufio.NewScanner(strings.NewReader(string(read(t, "small-records.txt"))))
	for s.Scan() {
		fields := strings.Fields(s.Text())
		if fields[0] == "batch" {
			start, _ := strconv.Atoi(fields[1])
			size, _ := strconv.Atoi(fields[2])
			one, at = data[start:start+size], 57
			if got := answer(one); got != fields[3] {
				t.Fatalf("undamaged batch at %d: got %s, Kafka %s", start, got, fields[3])
			}
			continue
		}
		for bit, want := range fields {
			got := answer(withRightCRC(one, at, bit))
			switch {
			case got == want, strings.HasSuffix(got, "!") && strings.HasSuffix(want, "!"):
				same++
			case strings.HasSuffix(got, "!"):
				stricter++
			default:
				t.Errorf("codec %d, byte %d bit %d: this says %s, Kafka %s", one[22]&7, at, bit, got, want)
			}
		}
		at++
	}
	t.Logf("%d answers as Kafka's, %d errors where Kafka reads on", same, stricter)
	if stricter*10 > same {
		t.Errorf("%d of %d damaged batches are refused that Kafka reads", stricter, same+stricter)
	}
}

func withRightCRC(one []byte, at, bit int) []byte {
	damaged := append([]byte(nil), one...)
	damaged[at] ^= 1 << bit
	crc := crc32.Checksum(damaged[21:], crc32.MakeTable(crc32.Castagnoli))
	damaged[17], damaged[18], damaged[19], damaged[20] = byte(crc>>24), byte(crc>>16), byte(crc>>8), byte(crc)
	return damaged
}

func TestAppendingWhatWasReadYieldsKafkasBytes(t *testing.T) {
	t.Parallel()
	for _, codec := range codecs() {
		data := read(t, "codec-"+codec.String()+".log")
		var again []byte
		r := batch.NewBytesReader(data, batch.Options{})
		for r.Next() {
			var err error
			if again, err = batch.Append(again, r.Batch().Header, recordsOf(t, r.Batch())); err != nil {
				t.Fatal(err)
			}
		}
		if codec == batch.None && string(again) != string(data) {
			t.Error("the bytes of uncompressed batches differ from Kafka's")
		}
		want := dump(t, batch.NewBytesReader(data, batch.Options{}))
		got := dump(t, batch.NewBytesReader(again, batch.Options{}))
		for i := range want { // sizes, positions and checksums of compressed batches may differ
			if strings.HasPrefix(want[i], "record") && want[i] != got[i] {
				t.Errorf("%s: got %s, want %s", codec, got[i], want[i])
			}
		}
	}
}

// recordsOf returns copies of a batch's records.
func recordsOf(t testing.TB, b *batch.Batch) []batch.Record {
	t.Helper()
	it, err := b.Records()
	if err != nil {
		t.Fatal(err)
	}
	var out []batch.Record
	for it.Next() {
		r := *it.Record()
		r.Headers = append([]batch.RecordHeader(nil), r.Headers...)
		out = append(out, r)
	}
	if it.Err() != nil {
		t.Fatal(it.Err())
	}
	return out
}
