package probe_test

import (
	"archive/tar"
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/internal/alloc"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
)

// archive is one tar with its marker, as the fetching script writes it.
func archive(tb testing.TB, marker string, entries ...tar.Header) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range entries {
		if err := w.WriteHeader(&entries[i]); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte{'a' + byte(i)}, int(entries[i].Size))); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return append(b.Bytes(), marker...)
}

// FuzzFetch: any bytes in the place of the archives of wanted files. Only what was asked for arrives, within the
// limits, each volume is told to be whole once at most, and memory is in proportion.
func FuzzFetch(f *testing.F) {
	const marker = "\nt0k tar 0\n"
	file := func(name string, size int64) tar.Header {
		return tar.Header{Name: name, Size: size, Mode: 0o644, Typeflag: tar.TypeReg}
	}
	f.Add(archive(f, marker, file("0/a", 3), file("0/b/c", 100), file("1/a", 1), file("1/b/c", 2)))
	f.Add(archive(f, marker, file("0/a", 101), file("0/a", 3), file("0/a", 4), file("../x", 5), file("/etc/passwd", 1)))
	f.Add(archive(f, marker, tar.Header{Name: "0/a", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}))
	f.Add(archive(f, marker, tar.Header{Name: "0/a", Typeflag: tar.TypeDir}, file(strings.Repeat("long/", 50)+"x", 9)))
	f.Add(archive(f, "\nother tar 0\n", file("1/a", 100))[:1500])
	f.Add(archive(f, strings.Repeat("\x00", 700)+marker+marker, file("1/b/c", 0)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		limits := probe.Limits{FileBytes: 100, VolumeBytes: 1000}
		folders, names := []string{"0", "1"}, []string{"a", "b/c"}
		var got probe.Fetched
		used := alloc.Bytes(func() {
			got = probe.ReadFetched(t, bytes.NewReader(stream), "t0k", folders, names, limits)
		})
		// archive/tar takes up to 1 MiB of each extended header, as long as the stream has it.
		if used > 8<<20+64*uint64(len(stream)) {
			t.Errorf("%d bytes made it allocate %d", len(stream), used)
		}
		for name, content := range got.Contents {
			folder, rest, _ := strings.Cut(name, "/")
			if !slices.Contains(folders, folder) || !slices.Contains(names, rest) || int64(len(content)) > limits.FileBytes {
				t.Errorf("%d bytes of %q arrived", len(content), name)
			}
			if trimmed := bytes.Trim(content, "\x00"); !bytes.Contains(stream, trimmed) && !sparse(stream) {
				t.Errorf("%q has %q, which was not sent", name, content)
			}
		}
		all := len(got.Whole) == len(folders)
		if len(got.Whole) > len(folders) || !slices.IsSorted(got.Whole) || (got.Err == nil) != all {
			t.Errorf("volumes %v are told to be whole, and %v", got.Whole, got.Err)
		}
	})
}

// sparse tells that a stream may describe files with holes, whose content is not in one piece.
func sparse(stream []byte) bool { return bytes.Contains(stream, []byte("GNU.sparse")) }
