package partition

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

// Place is a partition directory on a volume.
type Place struct {
	// Path is the directory below the volume's root, slash-separated, as it is on the disk.
	Path string
	// Name is what the directory's name says. Its TopicID is that of partition.metadata, empty when that is missing or
	// unreadable; its Bytes are those of the segments' .log files, which is what a copy without indexes has too.
	Name logdir.Partition
}

// LogDir is the log directory that the partition is in, "." for the volume's root.
func (p *Place) LogDir() string { return path.Dir(p.Path) }

// ErrNoPartition is wrapped by errors that say there is no partition directory.
var ErrNoPartition = errors.New("no topic partition")

// maxPartitionMetadata is far above the some 50 bytes of partition.metadata.
const maxPartitionMetadata = 4096

// Find lists the partition directories of a volume: those in kafka-log<N> folders, or in its root when that is a log
// directory itself. They are sorted by log directory, topic and partition; __cluster_metadata-0 is among them. What
// could not be read is in the problems.
func Find(fsys fs.FS) ([]Place, []logdir.Problem, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, nil, fmt.Errorf("list the volume: %w", err)
	}
	f := finder{fsys: fsys}
	isLogDir := slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return e.Name() == logdir.MetaPropertiesFile || e.Name() == logdir.MetadataDir
	})
	for _, e := range entries {
		switch {
		case !e.IsDir():
		case isLogDir:
			f.partition(e.Name(), e.Name())
		case strings.HasPrefix(e.Name(), "kafka-log"):
			f.logDir(e.Name())
		}
	}
	f.sort()
	return f.places, f.problems, nil
}

// At returns the place of one directory, which must be named like a partition's.
func At(fsys fs.FS, dir string) (Place, []logdir.Problem, error) {
	f := finder{fsys: fsys}
	f.partition(dir, path.Base(dir))
	if len(f.places) == 0 {
		return Place{}, nil, fmt.Errorf("read %q: %w: it is not named like a partition's directory, TOPIC-NUMBER",
			logdir.Escape(dir), ErrNoPartition)
	}
	return f.places[0], f.problems, nil
}

type finder struct {
	fsys     fs.FS
	places   []Place
	problems []logdir.Problem
}

func (f *finder) problem(name string, err error) {
	var inPath *fs.PathError
	if errors.As(err, &inPath) {
		err = inPath.Err // the path is told beside it
	}
	f.problems = append(f.problems, logdir.Problem{
		Path: logdir.Escape(name), Offset: -1, Message: logdir.EscapeText(err.Error()),
	})
}

func (f *finder) logDir(dir string) {
	entries, err := fs.ReadDir(f.fsys, dir)
	if err != nil {
		f.problem(dir, err)
	}
	for _, e := range entries {
		if e.IsDir() {
			f.partition(path.Join(dir, e.Name()), e.Name())
		}
	}
}

func (f *finder) partition(dir, base string) {
	name, ok := logdir.ParsePartitionDir(base)
	if !ok {
		return
	}
	if !fs.ValidPath(dir) {
		f.problem(dir, errors.New("its name is no UTF-8, it was not read"))
		return
	}
	entries, err := fs.ReadDir(f.fsys, dir)
	if err != nil {
		f.problem(dir, err)
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && strings.HasSuffix(e.Name(), ".log") {
			name.Bytes += info.Size()
		}
		if e.Name() != logdir.PartitionMetadataFile {
			continue
		}
		file := path.Join(dir, e.Name())
		if name.TopicID, err = f.topicID(file); err != nil {
			f.problem(file, err)
		}
	}
	f.places = append(f.places, Place{Path: dir, Name: name})
}

func (f *finder) topicID(name string) (string, error) {
	file, err := f.fsys.Open(name)
	if err != nil {
		return "", err //nolint:wrapcheck // problem names the file
	}
	defer file.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(file, maxPartitionMetadata))
	if err != nil {
		return "", err //nolint:wrapcheck // problem names the file
	}
	return logdir.ParsePartitionMetadata(data)
}

func (f *finder) sort() {
	slices.SortFunc(f.places, func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.LogDir(), b.LogDir()), cmp.Compare(a.Name.Topic, b.Name.Topic),
			cmp.Compare(a.Name.Partition, b.Name.Partition), cmp.Compare(a.Path, b.Path))
	})
}
