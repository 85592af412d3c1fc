package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// Folder is a folder with volumes in it, opened for reading. Everything is read through os.Root, so that no name or
// link on a volume leads out of it.
type Folder struct {
	// Volumes are those found, with slots from their names; not read yet.
	Volumes []Volume
	// Left are names in the folder that are no volumes, control characters escaped.
	Left []string

	roots map[string]*os.Root
}

// maxVolumes bounds the number of volumes taken from one folder.
const maxVolumes = 10_000

// OpenFolder opens path, which is one log directory, one volume (it has kafka-log<N> directories), or a folder of
// volumes. In a folder of volumes every directory that is empty, is named as a data claim, or has a log directory is
// a volume; links are not followed and reported as unread. The error wraps fs.ErrNotExist where path is missing, and
// ErrNoVolume where nothing in it is a volume.
func OpenFolder(path string) (*Folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	entries, err := readDir(root)
	if err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("read folder %q: %w", path, err)
	}
	f := &Folder{roots: map[string]*os.Root{}}
	if isLogDir(entries) || slices.ContainsFunc(entries, isLogDirEntry) {
		f.add(filepath.Base(absolute(path)), root)
		f.resolve()
		return f, nil
	}
	defer func() { _ = root.Close() }()
	if err := f.openVolumes(root, entries); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("read folder %q: %w", path, err)
	}
	if len(f.Volumes) == 0 {
		_ = f.Close()
		return nil, fmt.Errorf("read folder %q: %w", path, ErrNoVolume)
	}
	f.resolve()
	return f, nil
}

// ErrNoVolume tells that a folder holds nothing that looks like a Kafka volume.
var ErrNoVolume = errors.New("no Kafka volume in it: want meta.properties, kafka-log<N>, or folders with them")

// Open returns what is on a volume of the folder. It is valid until Close.
func (f *Folder) Open(name string) (fs.FS, error) {
	root := f.roots[name]
	if root == nil {
		return nil, fmt.Errorf("open volume %q: %w", name, fs.ErrNotExist)
	}
	return root.FS(), nil
}

// Close closes every volume.
func (f *Folder) Close() error {
	var errs []error
	for _, r := range f.roots {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

func (f *Folder) openVolumes(root *os.Root, entries []fs.DirEntry) error {
	for _, e := range entries {
		name := e.Name()
		isClaim := strimzi.MayBeKafkaClaim(name, nil)
		switch {
		case len(f.Volumes) >= maxVolumes:
			return fmt.Errorf("more than %d volumes", maxVolumes)
		case e.Type()&fs.ModeSymlink != 0 && isClaim:
			f.Volumes = append(f.Volumes, Volume{
				Name: dirName(name), State: Unread, Via: "dir", Topics: -1,
				Reason: "it is a symbolic link, which is not followed; name the folder it leads to",
			})
			continue
		case !e.IsDir():
			f.Left = append(f.Left, printable(name))
			continue
		}
		if err := f.openVolume(root, name, isClaim); err != nil {
			f.Volumes = append(f.Volumes, Volume{
				Name: dirName(name), State: Unread, Via: "dir", Topics: -1, Reason: err.Error(),
			})
		}
	}
	return nil
}

func (f *Folder) openVolume(parent *os.Root, name string, isClaim bool) error {
	root, err := parent.OpenRoot(name)
	if err != nil {
		return fmt.Errorf("open it: %w", err)
	}
	entries, err := readDir(root)
	if err != nil {
		_ = root.Close()
		return fmt.Errorf("list it: %w", err)
	}
	if !isClaim && len(entries) > 0 && !isLogDir(entries) && !slices.ContainsFunc(entries, isLogDirEntry) {
		f.Left = append(f.Left, printable(name))
		return root.Close()
	}
	f.add(name, root)
	return nil
}

func (f *Folder) add(name string, root *os.Root) {
	v := Volume{Name: dirName(name), State: Skipped, Via: "dir", Topics: -1}
	f.roots[v.Name] = root
	f.Volumes = append(f.Volumes, v)
}

// resolve reads the slots out of the folders' names.
func (f *Folder) resolve() {
	refs := make([]strimzi.ClaimRef, len(f.Volumes))
	for i, v := range f.Volumes {
		refs[i] = strimzi.ClaimRef{Name: strings.TrimPrefix(v.Name, "dir/")}
	}
	for i, r := range strimzi.Resolve(refs, strimzi.Known{}) {
		f.Volumes[i].Slot, f.Volumes[i].SlotProblem = slotOf(r)
	}
	Sort(f.Volumes)
}

// readDir lists a volume's top level.
func readDir(root *os.Root) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err //nolint:wrapcheck // callers say which folder it is
	}
	return entries, nil
}

// isLogDir tells whether these are the entries of a log directory.
func isLogDir(entries []fs.DirEntry) bool {
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return e.Name() == "meta.properties" && !e.IsDir() || e.Name() == "__cluster_metadata-0" && e.IsDir()
	})
}

func isLogDirEntry(e fs.DirEntry) bool { return e.IsDir() && strings.HasPrefix(e.Name(), "kafka-log") }

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func dirName(name string) string { return "dir/" + printable(name) }

// printable escapes control characters and bytes that are no UTF-8, so that a name cannot act on a terminal.
func printable(s string) string {
	q := fmt.Sprintf("%+q", s)
	if plain := q[1 : len(q)-1]; plain == s {
		return s
	}
	quoted := fmt.Sprintf("%q", s)
	return quoted[1 : len(quoted)-1]
}
