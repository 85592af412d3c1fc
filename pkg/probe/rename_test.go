package probe_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/probe"
)

// aVolume makes root/0 with a log directory to rename and one beside it.
func aVolume(t *testing.T, from string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, content := range map[string]string{
		filepath.Join(from, "meta.properties"): "version=1\n", "kafka-log3/meta.properties": "version=1\nnode.id=3\n",
	} {
		file := filepath.Join(root, "0", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// renameShells are the shells of the reading scripts, with mv beside the tools those need.
func renameShells(t *testing.T) map[string][]string {
	t.Helper()
	found := shells(t)
	if busybox := found["busybox"]; busybox != nil {
		target, err := os.Readlink(busybox[0])
		if err == nil {
			err = os.Symlink(target, filepath.Join(busybox[1], "mv"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func TestADirectoryIsRenamedAndLookedAtBeforeAndAfter(t *testing.T) {
	t.Parallel()
	for shell, command := range renameShells(t) {
		for _, from := range []string{"kafka-log0", "kafka-log0 $(rm -rf .)'\"\n;", "kafka-log*"} {
			t.Run(shell+"/"+from[:10], func(t *testing.T) {
				t.Parallel()
				root := aVolume(t, from)
				var seen []string
				err := probe.RenameSession(t.Context(), runUnder(command, nil), root, "0", probe.Renaming{
					From: from, To: "aside", Check: func(volume fs.FS, dir string) error {
						content, err := fs.ReadFile(volume, dir+"/meta.properties")
						seen = append(seen, dir+": "+string(content))
						return err
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				if want := []string{from + ": version=1\n", "aside: version=1\n"}; !slices.Equal(seen, want) {
					t.Errorf("it must be looked at under both names: %q", seen)
				}
				if got := namesIn(t, filepath.Join(root, "0")); !slices.Equal(got, []string{"aside", "kafka-log3"}) {
					t.Errorf("on the volume are now %q", got)
				}
			})
		}
	}
}

func TestWhatMustNotBeRenamedIsNot(t *testing.T) {
	t.Parallel()
	refused := errors.New("another content")
	for name, c := range map[string]struct {
		change func(t *testing.T, volume string)
		check  error
		says   string
	}{
		"the look beforehand": {func(*testing.T, string) {}, refused, "another content"},
		"the new name is a directory": {func(t *testing.T, volume string) {
			try(t, os.Mkdir(filepath.Join(volume, "aside"), 0o755))
		}, nil, "is there already"},
		"the new name is a link to nowhere": {func(t *testing.T, volume string) {
			try(t, os.Symlink("nowhere", filepath.Join(volume, "aside")))
		}, nil, "is there already"},
		"a link": {func(t *testing.T, volume string) {
			try(t, os.Rename(filepath.Join(volume, "kafka-log0"), filepath.Join(volume, "real")))
			try(t, os.Symlink("real", filepath.Join(volume, "kafka-log0")))
		}, nil, "is no directory"},
		"nothing there": {func(t *testing.T, volume string) {
			try(t, os.RemoveAll(filepath.Join(volume, "kafka-log0")))
		}, nil, "is no directory"},
	} {
		for shell, command := range renameShells(t) {
			t.Run(name+"/"+shell, func(t *testing.T) {
				t.Parallel()
				root := aVolume(t, "kafka-log0")
				c.change(t, filepath.Join(root, "0"))
				before := namesIn(t, filepath.Join(root, "0"))
				err := probe.RenameSession(t.Context(), runUnder(command, nil), root, "0", probe.Renaming{
					From: "kafka-log0", To: "aside", Check: func(fs.FS, string) error { return c.check },
				})
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("want an error with %q, got %v", c.says, err)
				}
				if after := namesIn(t, filepath.Join(root, "0")); !slices.Equal(before, after) {
					t.Errorf("%q became %q", before, after)
				}
			})
		}
	}
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnlyNamesAtTheRootCanBeRenamed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", ".", "..", "a/b", "../a", "/a", "-f", "a/"} {
		for _, n := range []probe.Renaming{{From: name, To: "aside"}, {From: "kafka-log0", To: name}} {
			if err := probe.RenameSession(t.Context(), nil, "/", "0", n); err == nil {
				t.Errorf("%q to %q leads elsewhere and must be refused", n.From, n.To)
			}
		}
	}
}

func TestOnlyARenamingMountsWritable(t *testing.T) {
	t.Parallel()
	for _, writable := range []bool{false, true} {
		pod := probe.BuildPod("data-0", writable)
		if got := !pod.Spec.Volumes[0].PersistentVolumeClaim.ReadOnly; got != writable {
			t.Errorf("the claim is writable: %t, want %t", got, writable)
		}
		if got := !pod.Spec.Containers[0].VolumeMounts[0].ReadOnly; got != writable {
			t.Errorf("the mount is writable: %t, want %t", got, writable)
		}
		if changes := probe.Inspect(pod, pod.DeepCopy()); len(changes) > 0 {
			t.Errorf("it came back as it was sent: %v", changes)
		}
		stored := pod.DeepCopy()
		stored.Spec.Containers[0].VolumeMounts[0].ReadOnly = false
		if changes := probe.Inspect(pod, stored); (len(changes) == 0) != writable {
			t.Errorf("a mount made writable by admission: %v", changes)
		}
	}
}
