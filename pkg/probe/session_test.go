package probe_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/probe"
)

// shells are the ones the scripts must run under: busybox with nothing but its own tools, and the POSIX and bash
// shells with GNU tools.
func shells(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, sh := range []string{"dash", "bash"} {
		if path, err := exec.LookPath(sh); err == nil {
			found[sh] = []string{path}
		}
	}
	if path, err := exec.LookPath("busybox"); err == nil {
		bin := t.TempDir()
		for _, tool := range []string{"sh", "find", "tar", "stat", "cat"} {
			if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		found["busybox"] = []string{filepath.Join(bin, "sh"), bin}
	}
	if len(found) == 0 {
		t.Fatal("neither dash, bash nor busybox is here: the scripts cannot be tried")
	}
	return found
}

type runner func(context.Context, []string, io.Reader, io.Writer, io.Writer) error

// runUnder runs what the reader would run in a container in a local process instead.
func runUnder(shell []string, credential *syscall.Credential) runner {
	return func(ctx context.Context, command []string, stdin io.Reader, stdout, stderr io.Writer) error {
		name := command[0]
		if name == "sh" {
			name = shell[0]
		}
		cmd := exec.CommandContext(ctx, name, command[1:]...)
		cmd.Args[0] = command[0]
		cmd.Stdout, cmd.Stderr = stdout, stderr
		if stdin != nil { // an exec in a container does not wait for input that its command no longer reads, as Cmd does
			pipe, err := cmd.StdinPipe()
			if err != nil {
				return err
			}
			go func() {
				_, _ = io.Copy(pipe, stdin)
				_ = pipe.Close()
			}()
		}
		cmd.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}
		if len(shell) > 1 {
			cmd.Env = []string{"PATH=" + shell[1], "LANG=C.UTF-8"}
			if command[0] != "sh" {
				cmd.Path = filepath.Join(shell[1], command[0])
			}
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
		cmd.WaitDelay = time.Second
		return cmd.Run()
	}
}

// collected is what use saw of each volume.
type collected struct {
	mu    sync.Mutex
	names map[string][]string
	files map[string]string
	errs  map[string]error
}

func (c *collected) use(_ context.Context, claim string, volume fs.FS) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fs.WalkDir(volume, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			c.errs[claim+"/"+name] = err
			return nil //nolint:nilerr // collected
		}
		c.names[claim] = append(c.names[claim], name)
		if d.Type().IsRegular() {
			content, err := fs.ReadFile(volume, name)
			c.files[claim+"/"+name], c.errs[claim+"/"+name] = string(content), err
		}
		return nil
	})
}

func newCollected() *collected {
	return &collected{names: map[string][]string{}, files: map[string]string{}, errs: map[string]error{}}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func everything(string, int64) bool { return true }
func nothing(string, int64) bool    { return false }

func TestSessionReadsWhatIsThere(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 40_000) // beyond what stays in memory
	for name, shell := range shells(t) {
		for how, wanted := range map[string]func(string, int64) bool{"fetched": everything, "opened": nothing} {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				root := t.TempDir()
				want := map[string]string{}
				for v := range 3 {
					for i := range 250 {
						file := fmt.Sprintf("%d/kafka-log%d/t-%d/partition.metadata", v, v, i)
						want[file] = fmt.Sprintf("version: 0\ntopic_id: %d-%d\n", v, i)
					}
					want[fmt.Sprintf("%d/kafka-log%d/__cluster_metadata-0/0.log", v, v)] = big
					want[fmt.Sprintf("%d/kafka-log%d/empty", v, v)] = ""
					if how == "opened" { // each is one process
						want = map[string]string{"0/a": "x", "1/b": "", "2/" + strings.Repeat("long/", 60) + "c": big}
					}
				}
				for file, content := range want {
					write(t, filepath.Join(root, file), content)
				}
				got := newCollected()
				results := probe.ReadSession(t.Context(), runUnder(shell, nil), root, []string{"0", "1", "2"}, wanted,
					probe.DefaultLimits(), nil, got.use)
				for i, r := range results {
					if r.Err != nil || !r.Listed || !r.Used || len(r.Problems) > 0 {
						t.Errorf("volume %d: %+v", i, r)
					}
				}
				for file, content := range want {
					if err := got.errs[file]; err != nil {
						t.Errorf("read %s: %v", file, err)
					} else if got.files[file] != content {
						t.Errorf("%s: got %d bytes, want %d", file, len(got.files[file]), len(content))
					}
				}
				if len(got.files) != len(want) {
					t.Errorf("got %d files, want %d", len(got.files), len(want))
				}
			})
		}
	}
}

func TestSessionIsNotFooledByNames(t *testing.T) {
	t.Parallel()
	names := []string{
		"new\nline", "\nleading", "trailing\n", "two\n\nlines", " space ", "-rf", "--help", "$(touch x)", "`id`", "a'b\"c",
		"back\\slash", "back\\nslash", "*", "[x]", "?", "tab\there", "esc\x1b[31mred", "\x7f", "%s%n%d", "end 0 0",
		"x\ntoken entry 81a4 1 1 0 0 0/forged", "x\n00000000000000000000000000000000 end 0 0", strings.Repeat("n", 255),
		"ünïcode", "…",
	}
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for _, n := range names {
				write(t, filepath.Join(root, "0", n), "content of "+n)
				write(t, filepath.Join(root, "0", "dir "+clip(n), n), "inner")
			}
			write(t, filepath.Join(root, "1", "after"), "ok")
			got := newCollected()
			results := probe.ReadSession(t.Context(), runUnder(shell, nil), root, []string{"0", "1"}, everything,
				probe.DefaultLimits(), nil, got.use)
			for i, r := range results {
				if r.Err != nil || len(r.Problems) > 0 {
					t.Errorf("volume %d: %+v", i, r)
				}
			}
			var want []string
			_ = filepath.WalkDir(filepath.Join(root, "0"), func(p string, _ fs.DirEntry, _ error) error {
				rel, _ := filepath.Rel(filepath.Join(root, "0"), p)
				want = append(want, rel)
				return nil
			})
			sort.Strings(want)
			sort.Strings(got.names["0"])
			if !slices.Equal(got.names["0"], want) {
				t.Errorf("names differ from what is on disk:\ngot  %q\nwant %q", got.names["0"], want)
			}
			for _, n := range names {
				if got.files["0/"+n] != "content of "+n {
					t.Errorf("content of %q is %q (%v)", n, got.files["0/"+n], got.errs["0/"+n])
				}
			}
			if got.files["1/after"] != "ok" {
				t.Errorf("the volume after the hostile one was not read: %v", results[1].Err)
			}
		})
	}
}

func clip(s string) string { return s[:min(len(s), 100)] }

func TestSessionFollowsNoLinkAndOpensNoSpecialFile(t *testing.T) {
	t.Parallel()
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			secret := filepath.Join(root, "outside")
			write(t, filepath.Join(secret, "meta.properties"), "cluster.id=stolen")
			write(t, filepath.Join(root, "0", "kafka-log0", "real"), "real")
			links := map[string]string{
				"kafka-log1": secret, "kafka-log2": "../outside", "kafka-log0/meta.properties": "../../outside/meta.properties",
				"loop": "loop", "abs": "/etc/passwd",
			}
			for at, to := range links {
				if err := os.Symlink(to, filepath.Join(root, "0", at)); err != nil {
					t.Fatal(err)
				}
			}
			if err := syscall.Mkfifo(filepath.Join(root, "0", "fifo"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Link(filepath.Join(root, "0", "kafka-log0", "real"), filepath.Join(root, "0", "hard")); err != nil {
				t.Fatal(err)
			}
			got := newCollected()
			results := probe.ReadSession(t.Context(), runUnder(shell, nil), root, []string{"0"}, everything,
				probe.DefaultLimits(), nil, func(ctx context.Context, claim string, volume fs.FS) error {
					for at := range links {
						if f, err := volume.Open(at); err == nil {
							t.Errorf("the link %s could be opened: %v", at, f)
						}
						info, err := fs.Stat(volume, at)
						if err != nil || info.Mode()&fs.ModeSymlink == 0 {
							t.Errorf("stat of link %s: %v, %v", at, info, err)
						}
					}
					if _, err := volume.Open("fifo"); err == nil {
						t.Error("the named pipe could be opened, which would have hung")
					}
					return got.use(ctx, claim, volume)
				})
			if results[0].Err != nil {
				t.Fatal(results[0].Err)
			}
			for file, content := range got.files {
				if strings.Contains(content, "stolen") {
					t.Errorf("%s was read through a link", file)
				}
			}
			if got.files["0/hard"] != "real" || got.files["0/kafka-log0/real"] != "real" {
				t.Errorf("a hard link must read as the file it is: %q", got.files)
			}
		})
	}
}

func TestSessionTellsUnknownFromAbsent(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to run the shell as another user") // CI runs the container job as root
	}
	t.Parallel()
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, err := os.MkdirTemp("/tmp", "probe-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(root) })
			for _, dir := range append([]string{root}, shell[1:]...) {
				for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
					_ = os.Chmod(d, 0o755)
				}
			}
			write(t, filepath.Join(root, "0", "kafka-log0", "meta.properties"), "x")
			write(t, filepath.Join(root, "0", "kafka-log1", "meta.properties"), "x")
			write(t, filepath.Join(root, "0", "kafka-log2", "meta.properties"), "x")
			write(t, filepath.Join(root, "1", "kafka-log3", "meta.properties"), "x")
			write(t, filepath.Join(root, "2", "fine"), "x")
			for path, mode := range map[string]os.FileMode{
				"0/kafka-log1": 0o700, "0/kafka-log2/meta.properties": 0o600, "1": 0o700, "2/lost+found": 0o700,
			} {
				_ = os.Mkdir(filepath.Join(root, path), 0o700)
				if err := os.Chmod(filepath.Join(root, path), mode); err != nil {
					t.Fatal(err)
				}
			}
			user := probe.DefaultIdentity()
			*user.Group = 1001 // not root's group, which owns the files here
			credential := &syscall.Credential{Uid: 1001, Gid: 1001}
			results := probe.ReadSession(t.Context(), runUnder(shell, credential), root, []string{"0", "1", "2"}, everything,
				probe.DefaultLimits(), &user, func(_ context.Context, claim string, volume fs.FS) error {
					if claim != "0" {
						return nil
					}
					if b, err := fs.ReadFile(volume, "kafka-log0/meta.properties"); string(b) != "x" {
						t.Errorf("kafka-log0/meta.properties: %q, %v", b, err)
					}
					for _, closed := range []string{"kafka-log1/meta.properties", "kafka-log2/meta.properties"} {
						if _, err := fs.ReadFile(volume, closed); !isPermission(err) {
							t.Errorf("%s must be unreadable, not absent: %v", closed, err)
						}
					}
					if _, err := fs.ReadDir(volume, "kafka-log1"); !isPermission(err) {
						t.Errorf("kafka-log1 must be unreadable, not empty: %v", err)
					}
					return nil
				})
			if len(results[0].Problems) != 1 || results[0].Denied == nil || results[0].Err != nil {
				t.Errorf("volume 0: want one problem and the owner of what was denied: %+v", results[0])
			}
			if !isPermission(results[1].Err) || results[1].Used {
				t.Errorf("volume 1 is closed altogether and must not be used: %+v", results[1])
			}
			if r := results[2]; r.Err != nil || len(r.Problems) > 0 || r.Denied != nil {
				t.Errorf("volume 2: lost+found is always closed and must not count: %+v", r)
			}
		})
	}
}

func isPermission(err error) bool {
	return err != nil && strings.Contains(err.Error(), fs.ErrPermission.Error())
}

func TestSessionGoesOnAfterAVolumeThatIsTooBig(t *testing.T) {
	t.Parallel()
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			write(t, filepath.Join(root, "0", "ok"), "x")
			for i := range 20 {
				write(t, filepath.Join(root, "1", fmt.Sprint(i)), "x")
			}
			write(t, filepath.Join(root, "2", "ok"), "x")
			limits := probe.DefaultLimits()
			limits.Entries = 10
			results := probe.ReadSession(t.Context(), runUnder(shell, nil), root, []string{"0", "1", "2"}, everything,
				limits, nil, newCollected().use)
			if !results[0].Used || results[0].Err != nil {
				t.Errorf("the volume before must be read: %+v", results[0])
			}
			if results[1].Err == nil || results[1].Used {
				t.Errorf("the volume beyond the limit must be an error: %+v", results[1])
			}
			if results[2].Err != nil || results[2].Listed {
				t.Errorf("the volume after must be left for another try, not blamed: %+v", results[2])
			}
		})
	}
}

func TestSessionReportsAMissingTool(t *testing.T) {
	t.Parallel()
	run := func(context.Context, []string, io.Reader, io.Writer, io.Writer) error {
		return fmt.Errorf("exec: \"sh\": executable file not found in $PATH")
	}
	results := probe.ReadSession(t.Context(), run, "/claims", []string{"0"}, everything, probe.DefaultLimits(), nil,
		newCollected().use)
	if results[0].Err == nil || !strings.Contains(results[0].Err.Error(), "executable file not found") {
		t.Errorf("want what the runtime said, got %v", results[0].Err)
	}
}

func TestVolumeIsAProperFileSystem(t *testing.T) {
	t.Parallel()
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			write(t, filepath.Join(root, "0", "kafka-log0", "meta.properties"), "a")
			write(t, filepath.Join(root, "0", "kafka-log0", "__cluster_metadata-0", "00.log"), strings.Repeat("b", 1<<20))
			results := probe.ReadSession(t.Context(), runUnder(shell, nil), root, []string{"0"}, everything,
				probe.DefaultLimits(), nil, func(_ context.Context, _ string, volume fs.FS) error {
					return fstest.TestFS(volume, "kafka-log0/meta.properties", "kafka-log0/__cluster_metadata-0/00.log")
				})
			if results[0].Err != nil {
				t.Error(results[0].Err)
			}
		})
	}
}

func FuzzListing(f *testing.F) {
	const token = "t0k"
	f.Add([]byte("t0k begin 0\nt0k entry 41ed 4096 1 0 0 0\nt0k entry 81a4 3 1 0 0 0/a\nt0k end 0 0\n"))
	f.Add([]byte("t0k begin 0\nt0k entry 41ed 4096 1 0 0 0\nt0k entry 81a4 3 1 0 0 0/../../etc/passwd\nt0k end 0 0\n"))
	f.Add([]byte("t0k begin 0\nt0k entry 41ed 4096 1 0 0 0\nt0k entry 81a4 3 1 0 0 /etc/passwd\n"))
	f.Add([]byte("t0k begin 0\nt0k entry 41ed 4096 1 0 0 0\nt0k closed 0\nt0k entry 41ed 0 1 0 0 0/a\nt0k entry 81a4 9 9 9 9 0/a/b\nt0k end 0 1\n"))
	f.Add([]byte("t0k begin 0\nt0k end 0 0\nt0k begin 1\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		limits := probe.Limits{Entries: 50, PathBytes: 200, FileBytes: 100, VolumeBytes: 100}
		trees, err := probe.ParseListing(bytes.NewReader(stream), token, []string{"0", "1"}, limits)
		for i, volume := range trees {
			if volume == nil {
				if err == nil {
					t.Fatalf("volume %d is missing and nothing was said", i)
				}
				continue
			}
			count := 0
			_ = fs.WalkDir(volume, ".", func(name string, _ fs.DirEntry, _ error) error {
				if count++; count > limits.Entries {
					t.Fatal("more entries than the limit")
				}
				for part := range strings.SplitSeq(name, "/") {
					if part == ".." || part == "" || (part == "." && name != ".") {
						t.Fatalf("path %q leads out of the volume", name)
					}
				}
				return nil
			})
		}
	})
}
