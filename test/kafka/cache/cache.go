// Package cache keeps what was made at some expense, outside the repository, under names derived from everything that
// decides its content. A name exists only with whole content in it: things are made in a temporary directory, recorded
// file by file, and renamed. It does not know what the things are.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// sealName is the file of an entry that lists all others.
const sealName = ".sealed.json"

// Store is a directory of entries. Several processes may use it at once.
type Store struct {
	Dir string
	// Log receives a line for everything that has to be made.
	Log io.Writer
}

// Default is ${XDG_CACHE_HOME:-~/.cache}/kafkarecover/kafka.
func Default(log io.Writer) (Store, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return Store{}, fmt.Errorf("find the cache directory: %w (set XDG_CACHE_HOME)", err)
	}
	return Store{Dir: filepath.Join(base, "kafkarecover", "kafka"), Log: log}, nil
}

// Key gathers what decides an entry's content.
type Key struct {
	kind string
	sum  hash.Hash
}

// NewKey starts the key of an entry of a kind; the kind is the first part of the entry's name.
func NewKey(kind string) *Key { return &Key{kind: kind, sum: sha256.New()} }

// Add adds a named part. Names and lengths are hashed too, so that parts cannot run into each other.
func (k *Key) Add(name, value string) *Key {
	fmt.Fprintf(k.sum, "%q %d\n%s\n", name, len(value), value)
	return k
}

// AddFS adds every file of a tree, by name.
func (k *Key) AddFS(name string, tree fs.FS) error {
	return fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		k.Add(name+"/"+path, string(content))
		return nil
	})
}

func (k *Key) name() string { return k.kind + "-" + hex.EncodeToString(k.sum.Sum(nil))[:32] }

// Entry is something whole in the cache.
type Entry struct {
	// Dir is its directory.
	Dir string
	// Digest is of the names and contents of its files.
	Digest string
}

// Path joins names to the entry's directory.
func (e Entry) Path(names ...string) string {
	return filepath.Join(append([]string{e.Dir}, names...)...)
}

// Ensure returns the entry, making it when it is not there whole. produce fills an empty directory; it runs in one
// process at a time for one entry.
func (s Store) Ensure(ctx context.Context, k *Key, produce func(ctx context.Context, dir string) error) (Entry, error) {
	final := filepath.Join(s.Dir, k.name())
	if entry, err := open(final); err == nil {
		return entry, nil
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return Entry{}, fmt.Errorf("make the cache directory: %w", err)
	}
	unlock, err := lock(final + ".lock")
	if err != nil {
		return Entry{}, err
	}
	defer unlock()
	if entry, err := open(final); err == nil {
		return entry, nil // somebody else made it meanwhile
	}
	started := time.Now()
	s.say("making %s", k.kind)
	if err := s.fill(ctx, final, produce); err != nil {
		return Entry{}, err
	}
	s.say("made %s in %s", k.kind, time.Since(started).Round(100*time.Millisecond))
	return open(final)
}

func (s Store) say(format string, args ...any) {
	if s.Log != nil {
		fmt.Fprintf(s.Log, format+"\n", args...)
	}
}

// fill makes the entry beside its final name and renames it.
func (s Store) fill(ctx context.Context, final string, produce func(context.Context, string) error) error {
	temp, err := os.MkdirTemp(s.Dir, ".making-*")
	if err != nil {
		return fmt.Errorf("make a cache entry: %w", err)
	}
	defer os.RemoveAll(temp) //nolint:errcheck // gone after the rename
	if err := os.Chmod(temp, 0o755); err != nil {
		return fmt.Errorf("make a cache entry: %w", err)
	}
	if err := produce(ctx, temp); err != nil {
		return err
	}
	if err := seal(temp); err != nil {
		return err
	}
	// A directory that is there but not whole was damaged from outside; make room for the good one.
	if err := os.RemoveAll(final); err != nil {
		return fmt.Errorf("replace a damaged cache entry: %w", err)
	}
	if err := os.Rename(temp, final); err != nil {
		return fmt.Errorf("store a cache entry: %w", err)
	}
	return nil
}

// record is what the seal says of one file.
type record struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// seal lists the files and forces them to disk, so that a crash of the machine cannot leave a directory that looks
// whole.
func seal(dir string) error {
	records := map[string]record{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		records[name], err = persist(path)
		return err
	})
	if err != nil {
		return fmt.Errorf("record a cache entry: %w", err)
	}
	if len(records) == 0 {
		return errors.New("record a cache entry: nothing was made")
	}
	content, err := json.MarshalIndent(records, "", "  ")
	if err != nil {
		return fmt.Errorf("record a cache entry: %w", err)
	}
	path := filepath.Join(dir, sealName)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("record a cache entry: %w", err)
	}
	if _, err := persist(path); err != nil {
		return fmt.Errorf("record a cache entry: %w", err)
	}
	return nil
}

func persist(path string) (record, error) {
	f, err := os.Open(path)
	if err != nil {
		return record{}, err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return record{}, err
	}
	return record{Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}, f.Sync()
}

// open returns the entry when every file has the size it was sealed with. Contents are not read again: the seal was
// written after they had reached the disk.
func open(dir string) (Entry, error) {
	content, err := os.ReadFile(filepath.Join(dir, sealName))
	if err != nil {
		return Entry{}, fmt.Errorf("open a cache entry: %w", err)
	}
	var records map[string]record
	if err := json.Unmarshal(content, &records); err != nil {
		return Entry{}, fmt.Errorf("open cache entry %q: %w", dir, err)
	}
	for name, r := range records {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			return Entry{}, fmt.Errorf("open a cache entry: %w", err)
		}
		if !info.Mode().IsRegular() || info.Size() != r.Size {
			return Entry{}, fmt.Errorf("open cache entry %q: file %q was changed", dir, name)
		}
	}
	sum := sha256.Sum256(content)
	return Entry{Dir: dir, Digest: hex.EncodeToString(sum[:])}, nil
}

// lock holds an advisory lock until the returned function is called; the kernel releases it when the process dies.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the cache: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock the cache: %w", err)
	}
	return func() { _ = f.Close() }, nil
}
