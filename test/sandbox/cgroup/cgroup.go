// Package cgroup makes and removes one named directory, with children, in every cgroup hierarchy of the machine. It
// only makes and removes directories: it never mounts, never moves a process and never removes a directory that still
// holds one (the kernel refuses).
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// ErrUnified says that the machine has only the unified (v2) hierarchy, on which the sandbox has never been tried.
var ErrUnified = errors.New("this machine has cgroup v2 only; the sandbox needs cgroup v1 hierarchies")

// Tree is a set of hierarchies of one machine.
type Tree struct {
	V1      []string // mount points of v1 hierarchies, sorted
	Unified string   // mount point of the v2 hierarchy, or ""
}

// Find reads the hierarchies out of the text of /proc/self/mountinfo, proc_pid_mountinfo(5). Hierarchies are those
// mounted directly below /sys/fs/cgroup with their whole content.
func Find(mountinfo string) (Tree, error) {
	var t Tree
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(kind) == 0 || fields[3] != "/" {
			continue
		}
		point := fields[4]
		switch {
		case kind[0] == "cgroup" && filepath.Dir(point) == "/sys/fs/cgroup":
			t.V1 = append(t.V1, point)
		case kind[0] == "cgroup2" && filepath.Dir(point) == "/sys/fs/cgroup":
			t.Unified = point
		}
	}
	slices.Sort(t.V1)
	t.V1 = slices.Compact(t.V1)
	if len(t.V1) == 0 {
		return Tree{}, ErrUnified
	}
	return t, nil
}

// Machine is Find for this machine.
func Machine() (Tree, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Tree{}, fmt.Errorf("find cgroup hierarchies: %w", err)
	}
	return Find(string(text))
}

// Create makes name and name/<child> in every v1 hierarchy. New cpuset directories are empty, which would keep every
// process out, so the parent's processors and memory nodes are copied down.
func (t Tree) Create(name string, children []string) error {
	dirs := []string{name}
	for _, c := range children {
		dirs = append(dirs, filepath.Join(name, c))
	}
	for _, hierarchy := range t.V1 {
		for _, dir := range dirs {
			path := filepath.Join(hierarchy, dir)
			if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("make cgroup: %w", err)
			}
			if err := inheritCPUSet(path); err != nil {
				return fmt.Errorf("make cgroup %q: %w", path, err)
			}
		}
	}
	return nil
}

func inheritCPUSet(path string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(path), file))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // not the cpuset hierarchy
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(path, file), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Left lists the directories called name that exist, the unified hierarchy included: the kernel and runc make one
// there by themselves.
func (t Tree) Left(name string) []string {
	var left []string
	for _, hierarchy := range t.all() {
		path := filepath.Join(hierarchy, name)
		if _, err := os.Stat(path); err == nil {
			left = append(left, path)
		}
	}
	return left
}

// Remove removes name with everything below it, children first, and returns what could not be removed because a
// process is still in it. Call it again until nothing is left: processes leave their cgroup only once they are reaped.
func (t Tree) Remove(name string) (left []string, err error) {
	for _, top := range t.Left(name) {
		var dirs []string
		walk := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if entry != nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		if walk != nil {
			return nil, fmt.Errorf("remove cgroup %q: %w", top, walk)
		}
		slices.Reverse(dirs)
		for _, dir := range dirs {
			// rmdir, not RemoveAll: the files in it are the kernel's and go with the directory.
			if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EBUSY) &&
				!errors.Is(err, syscall.ENOTEMPTY) {
				return nil, fmt.Errorf("remove cgroup %q: %w", dir, err)
			}
		}
	}
	return t.Left(name), nil
}

func (t Tree) all() []string {
	if t.Unified == "" {
		return t.V1
	}
	return append(slices.Clone(t.V1), t.Unified)
}
