package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/test/sandbox/cluster"
	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
)

// number is this package's own cluster.
const number = 42

// traces are what a cluster may leave on the machine: a link, directories in the cgroup hierarchies, mounts of the
// machine's own namespace, processes that name its state directory.
func traces(t *testing.T, state string) []string {
	t.Helper()
	var found []string
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if link.Name == fmt.Sprintf("sbxh%d", number) {
			found = append(found, "link "+link.Name)
		}
	}
	cgroups, err := filepath.Glob(fmt.Sprintf("/sys/fs/cgroup/*/sbx%d", number))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range cgroups {
		found = append(found, "cgroup "+dir)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, state) {
			found = append(found, "mount "+strings.TrimSpace(line))
		}
	}
	return append(found, processes(t, state)...)
}

func processes(t *testing.T, state string) []string {
	t.Helper()
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range commands {
		raw, err := os.ReadFile(file)
		if err != nil || file == fmt.Sprintf("/proc/%d/cmdline", os.Getpid()) {
			continue // it has ended meanwhile, or is this test
		}
		if text := string(bytes.ReplaceAll(raw, []byte{0}, []byte{' '})); strings.Contains(text, state) {
			found = append(found, "process "+text)
		}
	}
	return found
}

// TestAClusterThatIsTakenDownLeavesNothing starts one, sees that it is there, and takes it away.
func TestAClusterThatIsTakenDownLeavesNothing(t *testing.T) {
	state := filepath.Join(t.TempDir(), "cluster")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	if found := traces(t, state); len(found) > 0 {
		t.Fatalf("cluster %d is in use: %v", number, found)
	}
	c, err := cluster.Up(ctx, cluster.Options{ID: number, State: state})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Wipe(context.Background()) }) // again, should the test have ended before
	found := strings.Join(traces(t, state), "\n")
	for _, kind := range []string{"link ", "cgroup ", "process "} {
		if !strings.Contains(found, kind) {
			t.Errorf("a running cluster has at least one %s, or this test looks in the wrong places:\n%s", kind, found)
		}
	}
	volumes, err := c.CreateVolumes(ctx, cluster.Volumes{
		Count: 2, Prefix: "left", Class: "local", Size: "1Gi", Node: "node-0", ReclaimPolicy: "Retain",
		AccessModes: []string{"ReadWriteOnce"},
	})
	if err != nil || len(volumes) != 2 {
		t.Fatalf("make volumes: %v %v", volumes, err)
	}
	if err := c.Wipe(ctx); err != nil {
		t.Fatal(err)
	}
	if found := traces(t, state); len(found) > 0 {
		t.Errorf("left on the machine:\n%s", strings.Join(found, "\n"))
	}
	if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state directory is left: %v", err)
	}
}

func TestADirectoryOfSomethingElseIsLeftAlone(t *testing.T) {
	state := t.TempDir()
	precious := filepath.Join(state, "precious")
	if err := os.WriteFile(precious, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Open(cluster.Options{ID: number, State: state})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Wipe(t.Context()) // whether it complains or not: nothing of it was ours
	if raw, err := os.ReadFile(precious); err != nil || string(raw) != "data" {
		t.Errorf("a directory that no cluster made must be left alone: %v", err)
	}
}

func TestNumbersOutOfRangeAreRefused(t *testing.T) {
	for _, id := range []int{-1, layout.MaxID + 1} {
		if _, err := cluster.Open(cluster.Options{ID: id, State: t.TempDir()}); !errors.Is(err, layout.ErrOutOfRange) {
			t.Errorf("cluster number %d: got %v", id, err)
		}
	}
	if _, err := cluster.Open(cluster.Options{State: t.TempDir(), Nodes: layout.MaxNodes + 1}); err == nil {
		t.Error("more nodes than addresses must be refused")
	}
}
