package probe

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

var (
	// errNotRegular is the answer to opening a link or a special file: they are never followed.
	errNotRegular = errors.New("not a regular file or directory, not followed")
	errOrphan     = errors.New("came before its directory")
)

// node is one file system entry of a volume.
type node struct {
	name     string
	mode     fs.FileMode
	size     int64
	mtime    time.Time
	uid, gid int64
	children []*node
	// closed is a directory whose content could not be listed, or a file that may not be read.
	closed bool
	// blob is the content where it was fetched.
	blob blob
}

// blob is a file's content; nil where it was not fetched.
type blob interface {
	io.ReaderAt
	Size() int64
}

// tree is one volume: every name with its attributes, the content of some files, and a way to read the others. It
// implements fs.FS, fs.ReadDirFS and fs.StatFS.
type tree struct {
	nodes map[string]*node
	// findFailed tells that find had a status other than 0.
	findFailed bool
	closedDirs []string
	// stream reads a file that was not fetched, from its beginning.
	stream func(name string) (io.ReadCloser, error)
}

var (
	_ fs.ReadDirFS = (*tree)(nil)
	_ fs.StatFS    = (*tree)(nil)
)

func newTree() *tree { return &tree{nodes: map[string]*node{}} }

func (t *tree) add(name string, n *node) error {
	if t.nodes[name] != nil {
		return fmt.Errorf("path %q was listed twice", clip([]byte(name)))
	}
	if name != "." {
		parent := t.nodes[path.Dir(name)]
		if parent == nil || !parent.mode.IsDir() {
			return fmt.Errorf("path %q %w", clip([]byte(name)), errOrphan)
		}
		parent.children = append(parent.children, n)
	}
	t.nodes[name] = n
	return nil
}

func (t *tree) close(name string) {
	if n := t.nodes[name]; n != nil && n.mode.IsDir() && !n.closed {
		n.closed = true
		t.closedDirs = append(t.closedDirs, name)
	}
}

// Open implements fs.FS. Links and special files are refused.
func (t *tree) Open(name string) (fs.File, error) {
	n, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	switch {
	case n.mode.IsDir():
		return &openDir{tree: t, node: n, name: name}, nil
	case !n.mode.IsRegular():
		return nil, &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	case n.closed:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	case n.blob != nil:
		return &openBlob{SectionReader: io.NewSectionReader(n.blob, 0, n.blob.Size()), node: n}, nil
	case n.size == 0:
		return &openBlob{SectionReader: io.NewSectionReader(strings.NewReader(""), 0, 0), node: n}, nil
	}
	return &openStream{tree: t, node: n, name: name}, nil
}

// Stat implements fs.StatFS. It does not follow links.
func (t *tree) Stat(name string) (fs.FileInfo, error) {
	n, err := t.find("stat", name)
	if err != nil {
		return nil, err
	}
	return fileInfo{n}, nil
}

// ReadDir implements fs.ReadDirFS. A directory that could not be listed is an error that matches fs.ErrPermission.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	return n.entries(name)
}

func (t *tree) find(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	n := t.nodes[name]
	if n != nil {
		return n, nil
	}
	for dir := path.Dir(name); ; dir = path.Dir(dir) { // unknown is not absent
		if p := t.nodes[dir]; p != nil && p.closed {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrPermission}
		}
		if dir == "." {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
	}
}

func (n *node) entries(name string) ([]fs.DirEntry, error) {
	switch {
	case !n.mode.IsDir():
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	case n.closed:
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrPermission}
	}
	sorted := slices.SortedFunc(slices.Values(n.children), func(a, b *node) int { return strings.Compare(a.name, b.name) })
	list := make([]fs.DirEntry, len(sorted))
	for i, c := range sorted {
		list[i] = fs.FileInfoToDirEntry(fileInfo{c})
	}
	return list, nil
}

// Owner is what fs.FileInfo.Sys returns for entries of a volume.
type Owner struct{ UID, GID int64 }

type fileInfo struct{ n *node }

func (i fileInfo) Name() string       { return i.n.name }
func (i fileInfo) Size() int64        { return i.n.size }
func (i fileInfo) Mode() fs.FileMode  { return i.n.mode }
func (i fileInfo) ModTime() time.Time { return i.n.mtime }
func (i fileInfo) IsDir() bool        { return i.n.mode.IsDir() }
func (i fileInfo) Sys() any           { return Owner{UID: i.n.uid, GID: i.n.gid} }

type openDir struct {
	tree *tree
	node *node
	name string
	rest []fs.DirEntry
	read bool
}

func (d *openDir) Stat() (fs.FileInfo, error) { return fileInfo{d.node}, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.read {
		all, err := d.node.entries(d.name)
		if err != nil {
			return nil, err
		}
		d.rest, d.read = all, true
	}
	if n <= 0 {
		all := d.rest
		d.rest = nil
		return all, nil
	}
	if len(d.rest) == 0 {
		return nil, io.EOF
	}
	some := d.rest[:min(n, len(d.rest))]
	d.rest = d.rest[len(some):]
	return some, nil
}

// openBlob is a fetched file: it reads, seeks and reads at offsets.
type openBlob struct {
	*io.SectionReader
	node *node
}

func (f *openBlob) Stat() (fs.FileInfo, error) { return fileInfo{f.node}, nil }
func (f *openBlob) Close() error               { return nil }

// openStream is a file that was not fetched: it is read from its beginning when it is first read.
type openStream struct {
	tree *tree
	node *node
	name string
	r    io.ReadCloser
	err  error
}

func (f *openStream) Stat() (fs.FileInfo, error) { return fileInfo{f.node}, nil }

// Read implements io.Reader.
func (f *openStream) Read(p []byte) (int, error) {
	if f.r == nil && f.err == nil {
		if f.tree.stream == nil {
			f.err = errors.New("no longer readable: its volume was let go")
		} else {
			f.r, f.err = f.tree.stream(f.name)
		}
	}
	if f.err != nil {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: f.err}
	}
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &fs.PathError{Op: "read", Path: f.name, Err: err}
	}
	return n, err
}

// Close implements io.Closer; it ends a reading that is under way.
func (f *openStream) Close() error {
	if f.r == nil {
		return nil
	}
	return f.r.Close()
}
