package image

import (
	"archive/tar"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// layer writes the one layer made from a Spec. Parents appear before children, each path once.
type layer struct {
	tw   *tar.Writer
	seen map[string]bool
}

func writeLayer(w io.Writer, spec Spec) error {
	l := &layer{tw: tar.NewWriter(w), seen: map[string]bool{}}
	dirs := slices.SortedFunc(slices.Values(spec.Dirs), func(a, b Dir) int { return cmp.Compare(a.Path, b.Path) })
	for _, d := range dirs {
		if err := l.dir(d.Path, d.Mode); err != nil {
			return err
		}
	}
	for _, t := range spec.Trees {
		if err := l.tree(t); err != nil {
			return fmt.Errorf("add tree %q: %w", t.Source, err)
		}
	}
	for _, f := range spec.Files {
		if err := l.file(f); err != nil {
			return fmt.Errorf("add file %q: %w", f.Source, err)
		}
	}
	for _, k := range spec.Links {
		if err := l.link(k); err != nil {
			return fmt.Errorf("add link %q: %w", k.Path, err)
		}
	}
	return l.tw.Close()
}

// inArchive turns an image path into a tar name, which has no leading slash and cannot climb.
func inArchive(p string) string { return strings.TrimPrefix(path.Clean("/"+p), "/") }

func (l *layer) dir(p string, mode int64) error {
	name := inArchive(p)
	if name == "" || l.seen[name] {
		return nil
	}
	if err := l.dir(path.Dir("/"+name), 0o755); err != nil {
		return err
	}
	l.seen[name] = true
	return l.tw.WriteHeader(&tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: mode, ModTime: epoch()})
}

// claim makes the parents of p and refuses a second entry for the same path.
func (l *layer) claim(p string) (string, error) {
	name := inArchive(p)
	if name == "" || l.seen[name] {
		return "", fmt.Errorf("%w: path %q is given twice or empty", ErrSpec, p)
	}
	if err := l.dir(path.Dir("/"+name), 0o755); err != nil {
		return "", err
	}
	l.seen[name] = true
	return name, nil
}

func (l *layer) file(f File) error {
	name, err := l.claim(f.Path)
	if err != nil {
		return err
	}
	in, err := os.Open(f.Source)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // opened for reading
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %q is not a regular file", ErrSpec, f.Source)
	}
	header := &tar.Header{
		Name: name, Typeflag: tar.TypeReg, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: epoch(),
	}
	if err := l.tw.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(l.tw, in)
	return err
}

func (l *layer) link(k Link) error {
	name, err := l.claim(k.Path)
	if err != nil {
		return err
	}
	return l.tw.WriteHeader(&tar.Header{
		Name: name, Typeflag: tar.TypeSymlink, Linkname: k.Target, Mode: 0o777, ModTime: epoch(),
	})
}

// tree walks in lexical order, so that the layer does not depend on the directory's order on disk.
func (l *layer) tree(t Tree) error {
	return filepath.WalkDir(t.Source, func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(t.Source, p)
		if err != nil {
			return err
		}
		target := path.Join(t.Path, filepath.ToSlash(relative))
		switch {
		case entry.IsDir():
			info, err := entry.Info()
			if err != nil {
				return err
			}
			return l.dir(target, int64(info.Mode().Perm()))
		case entry.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			return l.link(Link{Path: target, Target: to})
		default:
			return l.file(File{Path: target, Source: p})
		}
	})
}
