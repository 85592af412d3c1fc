package logdir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Read reads everything that is known about the log directories of one volume. The file system's root is the volume's
// root, or a log directory itself. Nothing is written, links are never followed, special files never opened.
//
// The error is about the root itself: it could not be listed, so nothing is known. Everything else that could not be
// read is a Problem where it was met, and the rest was read all the same.
func Read(fsys fs.FS, opts Options) (*Contents, error) {
	r := &reader{fsys: fsys, opts: opts.withDefaults()}
	root := &place{problems: &r.contents.Problems}
	entries, err := r.list(".")
	if err != nil && len(entries) == 0 {
		return nil, fmt.Errorf("list the volume's root: %w", err)
	}
	if err != nil {
		r.problem(root, ".", err)
	}
	bare := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return marksLogDir(e.Name(), e.IsDir()) })
	var own []fs.DirEntry // entries of the root that belong to it as a log directory
	for _, e := range entries {
		switch {
		case e.IsDir() && isLogDirName(e.Name()) && !(bare && isPartitionDir(e.Name()) && nodeIDInName(e.Name()) == nil):
			r.logDir(root, e.Name())
		case e.IsDir() && !bare && r.opts.AnyName && r.marked(e.Name()):
			r.logDir(root, e.Name())
		case bare:
			own = append(own, e)
		default:
			r.contents.Other = append(r.contents.Other, Escape(e.Name()))
			r.sum(root, e.Name(), e)
		}
	}
	if bare {
		d := LogDir{Path: ".", MetaState: MetaAbsent}
		p := &place{parent: root, problems: &d.Problems}
		r.logDirEntries(&d, p, own)
		r.finish(&d, p)
	}
	slices.SortFunc(r.contents.Dirs, func(a, b LogDir) int { return strings.Compare(a.Path, b.Path) })
	r.contents.UsedBytes, r.contents.Newest = root.bytes, root.newest
	return &r.contents, nil
}

// marked tells whether a folder holds what only a log directory holds. One that cannot be listed is looked at again,
// and told of, when its size is summed up.
func (r *reader) marked(name string) bool {
	entries, err := r.list(name)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return marksLogDir(e.Name(), e.IsDir()) })
}

// AllProblems returns the problems of the volume and of all its log directories.
func (c *Contents) AllProblems() []Problem {
	all := slices.Clone(c.Problems)
	for i := range c.Dirs {
		all = append(all, c.Dirs[i].Problems...)
	}
	return all
}

func isPartitionDir(name string) bool {
	_, ok := ParsePartitionDir(name)
	return ok
}

// reader holds the state of one Read.
type reader struct {
	fsys     fs.FS
	opts     Options
	contents Contents
	entries  int
	full     bool // the limit on entries was reached and reported
}

// place is where sizes, times and problems are counted: the volume, a log directory, a partition.
type place struct {
	parent   *place
	problems *[]Problem
	bytes    int64
	newest   time.Time
}

// count adds a file to the place and to all it lies in. Times are whole seconds: through a pod no more is told, and the
// same volume must look the same from everywhere.
func (p *place) count(size int64, modified time.Time) {
	modified = modified.Truncate(time.Second)
	for ; p != nil; p = p.parent {
		p.bytes += size
		if modified.After(p.newest) {
			p.newest = modified
		}
	}
}

func (r *reader) problem(p *place, name string, err error) {
	r.problemAt(p, name, -1, err)
}

func (r *reader) problemAt(p *place, name string, offset int64, err error) {
	for p.problems == nil {
		p = p.parent
	}
	switch n := len(*p.problems); {
	case n < r.opts.Problems:
		*p.problems = append(*p.problems, Problem{Path: Escape(name), Offset: offset, Message: EscapeText(err.Error())})
	case n == r.opts.Problems:
		*p.problems = append(*p.problems, Problem{
			Path: ".", Offset: -1, Message: fmt.Sprintf("more than %d problems; the others are not listed", n),
		})
	}
}

var (
	errLink    = errors.New("is a symbolic link; links are not followed")
	errSpecial = errors.New("is neither a file nor a directory; it was not opened")
	errName    = errors.New("has a name that is no UTF-8, so it cannot be opened")
)

// list returns the entries of a directory, sorted by name: as many as were read, with the error that ended it.
func (r *reader) list(name string) ([]fs.DirEntry, error) {
	f, err := r.fsys.Open(name)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	dir, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, errors.New("is not a directory")
	}
	var entries []fs.DirEntry
	for {
		const atOnce = 1024
		more, err := dir.ReadDir(atOnce)
		r.entries += len(more)
		entries = append(entries, more...)
		if errors.Is(err, io.EOF) || err == nil && len(more) == 0 {
			err = nil
		} else if err == nil {
			if r.entries <= r.opts.Entries {
				continue
			}
			if r.full {
				return nil, nil
			}
			r.full = true
			err = fmt.Errorf("the volume has more than %d files and directories; not all were looked at", r.opts.Entries)
		}
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		return entries, cause(err)
	}
}

// cause drops the path and operation of a PathError: the Problem has the path already, relative to the volume.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// usable checks what must hold before anything is done with an entry, and reports it otherwise.
func (r *reader) usable(p *place, name string, e fs.DirEntry) bool {
	var err error
	switch {
	case e.Type()&fs.ModeSymlink != 0:
		err = errLink
	case !e.IsDir() && !e.Type().IsRegular():
		err = errSpecial
	case len(name) > r.opts.PathBytes:
		err = fmt.Errorf("has a path of %d bytes; at most %d are looked at", len(name), r.opts.PathBytes)
	case e.IsDir() && strings.Count(name, "/") >= r.opts.Depth:
		err = fmt.Errorf("lies more than %d directories deep", r.opts.Depth)
	case !fs.ValidPath(name):
		err = errName
	default:
		return true
	}
	r.problem(p, name, err)
	return false
}

// file counts a regular file and returns its size. It returns false for a file that cannot be used.
func (r *reader) file(p *place, name string, e fs.DirEntry) (int64, bool) {
	if !r.usable(p, name, e) {
		return 0, false
	}
	info, err := e.Info()
	if err != nil {
		r.problem(p, name, cause(err))
		return 0, false
	}
	p.count(info.Size(), info.ModTime())
	return info.Size(), true
}

// sum counts everything at and below an entry of which the content does not matter.
func (r *reader) sum(p *place, name string, e fs.DirEntry) {
	if !e.IsDir() {
		r.file(p, name, e)
		return
	}
	if !r.usable(p, name, e) {
		return
	}
	entries, err := r.list(name)
	// ext4 makes lost+found for root alone. Not being allowed to look into it says nothing about Kafka's data.
	if err != nil && !(path.Base(name) == "lost+found" && errors.Is(err, fs.ErrPermission)) {
		r.problem(p, name, err)
	}
	for _, child := range entries {
		r.sum(p, path.Join(name, child.Name()), child)
	}
}

// content returns the whole of a small file. It returns false, and reports why, when it cannot.
func (r *reader) content(p *place, name string, size, limit int64) ([]byte, bool) {
	if size > limit {
		r.problem(p, name, fmt.Errorf("expected at most %d bytes, found %d; it was not read", limit, size))
		return nil, false
	}
	if size == 0 {
		return nil, true
	}
	f, err := r.fsys.Open(name)
	if err != nil {
		r.problem(p, name, cause(err))
		return nil, false
	}
	defer f.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		r.problem(p, name, cause(err))
	case int64(len(data)) > limit:
		r.problem(p, name, fmt.Errorf("expected at most %d bytes, found more; it grew while it was read", limit))
	default:
		return data, true
	}
	return nil, false
}

// osFile returns the file of a local file system, which can be mapped.
func osFile(f fs.File) *os.File {
	file, _ := f.(*os.File)
	return file
}
