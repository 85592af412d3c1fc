package recovery

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// asideLook is what a directory held when it was looked at.
type asideLook struct {
	// there is false where the volume has no directory of that name.
	there bool
	dir   logdir.LogDir
	// strange are names in it that neither formatting nor a first start writes.
	strange []string
	digest  string
	err     error
}

// asideBytes bounds what is read of a directory that is said to hold nothing: Kafka preallocates the index files of an
// empty metadata log with 10 MiB each.
const asideBytes = 128 << 20

var (
	errTooMuch   = errors.New("it holds more than formatting and a first start write")
	errNotLogDir = errors.New("it is no log directory")
)

// lookAside reads a directory at the root of a volume as a log directory, and every file in it.
func lookAside(fsys fs.FS, dir string) asideLook {
	info, err := fs.Stat(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return asideLook{}
	}
	l := asideLook{there: true}
	if err == nil && !info.IsDir() {
		err = errNotLogDir
	}
	if err == nil {
		err = l.read(fsys, dir)
	}
	l.err = err
	return l
}

func (l *asideLook) read(fsys fs.FS, dir string) error {
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		return err
	}
	contents, err := logdir.Read(sub, logdir.Options{})
	if err != nil {
		return err
	}
	if problems := contents.AllProblems(); len(problems) > 0 {
		return fmt.Errorf("%s: %s", problems[0].Path, problems[0].Message)
	}
	if len(contents.Dirs) != 1 || !isBare(contents.Dirs[0]) {
		return errNotLogDir
	}
	l.dir = contents.Dirs[0]
	return l.sum(sub)
}

func isBare(d logdir.LogDir) bool { return d.Path == "." }

// sum takes the digest of every file by name and content. What is of an unknown name is noted instead of read.
func (l *asideLook) sum(sub fs.FS) error {
	all := sha256.New()
	left := int64(asideBytes)
	err := fs.WalkDir(sub, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if name != "." && name != logdir.MetadataDir {
				l.strange = append(l.strange, logdir.Escape(name))
				return fs.SkipDir
			}
			return nil
		case !entry.Type().IsRegular() || !logdir.WrittenAtFirstStart(name):
			l.strange = append(l.strange, logdir.Escape(name))
			return nil
		}
		one := sha256.New()
		n, err := copyOf(one, sub, name, left)
		if err != nil {
			return fmt.Errorf("%s: %w", path.Base(name), err)
		}
		left -= n
		fmt.Fprintf(all, "%x  %s\n", one.Sum(nil), name)
		return nil
	})
	l.digest = "sha256:" + hex.EncodeToString(all.Sum(nil))
	return err
}

func copyOf(to io.Writer, from fs.FS, name string, limit int64) (int64, error) {
	file, err := from.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	n, err := io.Copy(to, io.LimitReader(file, limit+1))
	if err == nil && n > limit {
		err = errTooMuch
	}
	return n, err
}

// checkAside is what a renaming asks of the directory, on the volume and at that moment: that it still is what was
// judged, before, and byte for byte the same after. Nothing may have changed since, unless the node that uses it was
// running and may have written on until it was stopped: then it must still be the same directory and hold nothing.
type checkAside struct {
	Aside
	clusterID string
	volumes   []volume.Volume
	// moved is the digest right before.
	moved string
}

// errAlready says that a directory has its new name already, from a run that came no further.
var errAlready = errors.New("it was renamed already")

func (c *checkAside) check(fsys fs.FS, dir string) error {
	look := lookAside(fsys, dir)
	if dir == c.To {
		if look.err == nil && look.there && look.digest == c.moved {
			return nil
		}
		return fmt.Errorf("%s holds %s and held %s: %w", dir, look.digest, c.moved, errors.Join(look.err, errNotAsJudged))
	}
	if !look.there {
		if after := lookAside(fsys, c.To); after.there && after.err == nil && c.same(&after) {
			return errAlready
		}
	}
	switch {
	case look.err != nil:
		return look.err
	case !look.there:
		return fmt.Errorf("%s: %w", dir, fs.ErrNotExist)
	case !c.Live && look.digest != c.Digest:
		return fmt.Errorf("%s holds %s and was judged with %s: %w", dir, look.digest, c.Digest, errNotAsJudged)
	case !c.same(&look):
		return fmt.Errorf("%s: %w: %s", dir, errNotAsJudged, look.why(c.clusterID, c.volumes))
	}
	c.moved = look.digest
	return nil
}

// same tells whether a directory is the one that was judged, and still holds nothing.
func (c *checkAside) same(l *asideLook) bool {
	return l.why(c.clusterID, c.volumes) == "" && *l.dir.Meta.ClusterID == c.ClusterID &&
		l.dir.Meta.DirectoryID == c.DirectoryID
}

var errNotAsJudged = errors.New("it is not what was judged")
