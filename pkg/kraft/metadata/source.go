package metadata

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// Dir is the name of the metadata log's directory in a node's metadata log directory.
const Dir = "__cluster_metadata-0"

// File is one log segment or snapshot of a metadata log.
type File struct {
	// Name is the path in its fs.FS.
	Name string `json:"name"`
	// Offset is the base offset in a segment's name, the exclusive end offset in a snapshot's.
	Offset int64 `json:"offset"`
	// Epoch is the one in a snapshot's name, -1 for a segment.
	Epoch int32 `json:"epoch"`
	// Kind tells which of the two, or that it is a bootstrap.checkpoint.
	Kind FileKind `json:"kind"`
	Size int64    `json:"size"`
}

// FileKind is what a file's name says it is.
type FileKind string

// The kinds of files made of metadata batches.
const (
	Segment   FileKind = "segment"
	Snapshot  FileKind = "snapshot"
	Bootstrap FileKind = "bootstrap"
)

// ErrNoMetadata is wrapped by errors that say a directory holds no metadata log and no snapshot.
var ErrNoMetadata = errors.New("no metadata log or snapshot")

// ParseName tells what a file's name says it is: NNN.log with 20 digits, OFFSET-EPOCH.checkpoint with 20 and 10 digits
// (Kafka's LogFileUtils and Snapshots), bootstrap.checkpoint.
func ParseName(name string) (File, bool) {
	f := File{Name: name, Epoch: -1}
	base := path.Base(name)
	if base == "bootstrap.checkpoint" {
		f.Kind = Bootstrap
		return f, true
	}
	if digits, ok := strings.CutSuffix(base, ".log"); ok {
		offset, ok := number(digits, 20)
		f.Kind, f.Offset = Segment, offset
		return f, ok
	}
	id, ok := strings.CutSuffix(base, ".checkpoint")
	if !ok || len(id) != 31 || id[20] != '-' {
		return f, false
	}
	offset, ok := number(id[:20], 20)
	epoch, ok2 := number(id[21:], 10)
	f.Kind, f.Offset, f.Epoch = Snapshot, offset, int32(min(epoch, 1<<31-1))
	return f, ok && ok2 && epoch < 1<<31
}

func number(digits string, width int) (int64, bool) {
	if len(digits) != width || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	return v, err == nil
}

// Files lists the segments and complete snapshots of a metadata log directory, segments first, each by offset.
// Snapshots that Kafka has not finished (.part) or is deleting (.deleted) are not among them.
func Files(fsys fs.FS, dir string) ([]File, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", dir, err)
	}
	var out []File
	for _, e := range entries {
		f, ok := ParseName(path.Join(dir, e.Name()))
		if !ok || !e.Type().IsRegular() || f.Kind == Bootstrap {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("stat %q: %w", f.Name, err)
		}
		f.Size = info.Size()
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Epoch, b.Epoch))
	})
	return out, nil
}

// openBatches opens a file for walking its batches. A file that can be read at any place is read in pieces, any other
// is streamed.
func openBatches(fsys fs.FS, name string, opts batch.Options) (*batch.Reader, io.Closer, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("open %q: %w", name, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open %q: %w", name, err), f.Close())
	}
	opts.File = name
	if at, ok := f.(io.ReaderAt); ok {
		return batch.NewReader(at, info.Size(), opts), f, nil
	}
	return batch.NewStreamReader(f, info.Size(), opts), f, nil
}
