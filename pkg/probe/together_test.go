package probe_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/probe"
)

// TestSessionTakesOneCommandWhereNothingIsInTheWay counts the commands: each is a round trip and processes in the pod.
func TestSessionTakesOneCommandWhereNothingIsInTheWay(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to run the shell as another user") // CI runs the container job as root
	}
	t.Parallel()
	for name, c := range map[string]struct {
		closed  string
		folders []string
		want    int
	}{
		"all open":                           {"", []string{"0", "1"}, 1},
		"a closed lost+found, as ext4 has":   {"0/lost+found", []string{"0", "1"}, 1},
		"a closed directory":                 {"1/kafka-log1", []string{"0", "1"}, 3},
		"a folder within another":            {"", []string{"0", "0/kafka-log0"}, 3}, // one file is in both, and read singly
		"a name that begins as another does": {"", []string{"0", "00"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, err := os.MkdirTemp("/tmp", "probe-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(root) })
			_ = os.Chmod(root, 0o755)
			for _, folder := range append(c.folders, "1") {
				write(t, filepath.Join(root, folder, "kafka-log0", "meta.properties"), "of "+folder)
			}
			if c.closed != "" {
				_ = os.Mkdir(filepath.Join(root, c.closed), 0o700)
			}
			user := probe.DefaultIdentity()
			*user.Group = 1001 // not root's group, which owns the files here
			run := runUnder([]string{"/bin/sh"}, &syscall.Credential{Uid: 1001, Gid: 1001})
			commands := 0
			counted := func(
				ctx context.Context, command []string, stdin io.Reader, stdout, stderr io.Writer,
			) error {
				commands++
				return run(ctx, command, stdin, stdout, stderr)
			}
			results := probe.ReadSession(t.Context(), counted, root, c.folders, everything, probe.DefaultLimits(), &user,
				func(_ context.Context, claim string, volume fs.FS) error {
					got, err := fs.ReadFile(volume, "kafka-log0/meta.properties")
					if string(got) != "of "+claim {
						t.Errorf("volume %s: got %q, %v", claim, got, err)
					}
					if _, err := fs.ReadDir(volume, "lost+found"); strings.HasPrefix(c.closed, claim+"/lost") && !isPermission(err) {
						t.Errorf("a closed lost+found must be unreadable, not empty: %v", err)
					}
					return err
				})
			for i, r := range results {
				if r.Err != nil || !r.Used {
					t.Errorf("volume %d: %+v", i, r)
				}
			}
			if commands != c.want {
				t.Errorf("%d commands, want %d", commands, c.want)
			}
		})
	}
}

// TestWhatEndsEarlyIsListedAgain cuts the first command off at every place: nothing may be lost or used twice.
func TestWhatEndsEarlyIsListedAgain(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, folder := range []string{"0", "1"} {
		write(t, filepath.Join(root, folder, "kafka-log0", "meta.properties"), "of "+folder)
	}
	run := runUnder([]string{"/bin/sh"}, nil)
	for _, most := range []int{0, 1, 40, 150, 400, 700, 1500, 4000} {
		first := true
		cut := func(ctx context.Context, command []string, stdin io.Reader, stdout, stderr io.Writer) error {
			if first {
				var broken context.CancelFunc
				ctx, broken = context.WithCancel(ctx)
				defer broken()
				first, stdout = false, &limited{stdout, most, broken}
			}
			return run(ctx, command, stdin, stdout, stderr)
		}
		var mu sync.Mutex
		used := map[string]int{}
		results := probe.ReadSession(t.Context(), cut, root, []string{"0", "1"}, everything, probe.DefaultLimits(), nil,
			func(_ context.Context, claim string, volume fs.FS) error {
				mu.Lock()
				defer mu.Unlock()
				used[claim]++
				got, err := fs.ReadFile(volume, "kafka-log0/meta.properties")
				if err == nil && string(got) != "of "+claim {
					t.Errorf("cut off after %d bytes: got %q", most, got)
				}
				return err
			})
		for i, r := range results {
			if r.Err != nil || !r.Used || !r.Listed || len(r.Problems) > 0 {
				t.Errorf("cut off after %d bytes, volume %d: %+v", most, i, r)
			}
		}
		for claim, times := range used {
			if times != 1 {
				t.Errorf("cut off after %d bytes: volume %s was used %d times", most, claim, times)
			}
		}
	}
}

// limited is a connection that breaks once so many bytes were written.
type limited struct {
	io.Writer
	left   int
	broken func()
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	n, err := l.Writer.Write(p[:min(len(p), l.left)])
	if l.left -= n; err == nil && n < len(p) {
		l.broken()
		err = io.ErrClosedPipe
	}
	return n, err
}
