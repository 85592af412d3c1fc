package metadata_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// bigSnapshot is the snapshot named by KAFKARECOVER_BENCH_SNAPSHOT, such as one of a million partitions written by
// Kafka's BatchFileWriter; without it the recorded small one.
func bigSnapshot(b *testing.B) (dir, name string) {
	b.Helper()
	file := os.Getenv("KAFKARECOVER_BENCH_SNAPSHOT")
	if file == "" {
		file = "testdata/kafka/" + snapshotFile
	}
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	return filepath.Dir(file), filepath.Base(file)
}

func BenchmarkDump(b *testing.B) {
	dir, name := bigSnapshot(b)
	for b.Loop() {
		if _, err := metadata.Dump(io.Discard, os.DirFS(dir), name, metadata.DumpOptions{ShowSecrets: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadFile(b *testing.B) {
	dir, name := bigSnapshot(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := metadata.ReadFile(os.DirFS(dir), name, metadata.ReadOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	values, _ := oracle(b)
	size := 0
	for _, v := range values {
		size += len(v)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	var d metadata.Decoder
	for b.Loop() {
		for _, v := range values {
			d.Decode(v)
		}
	}
}
