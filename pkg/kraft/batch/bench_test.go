package batch_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/mapped"
)

// bigLog returns a log of about 127 MB in batches of 1024 records of 119 bytes, the shape of a metadata snapshot of a
// million partitions.
func bigLog(b *testing.B) []byte {
	b.Helper()
	value := bytes.Repeat([]byte("p"), 106)
	var data []byte
	for offset := int64(0); len(data) < 127<<20; offset += 1024 {
		records := make([]batch.Record, 1024)
		for i := range records {
			records[i] = batch.Record{Offset: offset + int64(i), Value: value}
		}
		var err error
		if data, err = batch.Append(data, batch.NewHeader(1, 0, records), records); err != nil {
			b.Fatal(err)
		}
	}
	return data
}

func bigFile(b *testing.B) (*os.File, int64) {
	b.Helper()
	data := bigLog(b)
	name := filepath.Join(b.TempDir(), "big.log")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	return f, int64(len(data))
}

func walk(b *testing.B, r *batch.Reader) {
	b.Helper()
	d := batch.NewDecoder(batch.Limits{})
	n := 0
	for r.Next() {
		records, err := d.Records(r.Batch())
		if err != nil {
			b.Fatal(err)
		}
		for records.Next() {
			n++
		}
		if records.Err() != nil {
			b.Fatal(records.Err())
		}
	}
	if r.Err() != nil || n == 0 {
		b.Fatal(n, r.Err())
	}
}

// BenchmarkMapped maps a file of 127 MB, checks the CRC of every batch and frames every record.
func BenchmarkMapped(b *testing.B) {
	f, size := bigFile(b)
	b.SetBytes(size)
	for b.Loop() {
		err := mapped.Use(f, size, func(data []byte) error {
			walk(b, batch.NewBytesReader(data, batch.Options{}))
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStreamed does the same through one bounded buffer.
func BenchmarkStreamed(b *testing.B) {
	f, size := bigFile(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		walk(b, batch.NewReader(f, size, batch.Options{}))
	}
}

// BenchmarkCRC maps and checks, and frames no record.
func BenchmarkCRC(b *testing.B) {
	f, size := bigFile(b)
	b.SetBytes(size)
	for b.Loop() {
		err := mapped.Use(f, size, func(data []byte) error {
			r := batch.NewBytesReader(data, batch.Options{})
			for r.Next() {
			}
			return r.Err()
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
