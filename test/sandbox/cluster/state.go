package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/kafkarecover/kafkarecover/test/sandbox/image"
	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
	"github.com/kafkarecover/kafkarecover/test/sandbox/node"
	"github.com/kafkarecover/kafkarecover/test/sandbox/pki"
	"github.com/kafkarecover/kafkarecover/test/sandbox/toolchain"
)

// claimState makes the state directory, or accepts one that is empty or a sandbox's own. Anything else is not touched.
func (c *Cluster) claimState() error {
	if err := os.MkdirAll(c.layout.State, 0o755); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	owned, err := c.ownsState()
	if err != nil || owned {
		return err
	}
	return writeJSON(c.layout.Settings(), node.Settings{ID: c.layout.ID})
}

// ownsState is true when the directory carries a sandbox's settings, false when it is empty or holds only a lock.
func (c *Cluster) ownsState() (bool, error) {
	s, err := node.ReadSettings(c.layout)
	switch {
	case err == nil && s.ID != c.layout.ID:
		return false, fmt.Errorf("state directory %q is of cluster %d, not %d: %w",
			c.layout.State, s.ID, c.layout.ID, ErrForeign)
	case err == nil:
		return true, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	entries, err := os.ReadDir(c.layout.State)
	if err != nil {
		return false, fmt.Errorf("read state directory: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() != filepath.Base(c.layout.Lock()) {
			return false, fmt.Errorf("directory %q holds other files (%q) and no sandbox's settings: %w",
				c.layout.State, entry.Name(), ErrForeign)
		}
	}
	return false, nil
}

// lockState excludes other calls that start or end this cluster. The kernel releases the lock with the process.
func (c *Cluster) lockState() (unlock func(), err error) {
	for {
		f, err := os.OpenFile(c.layout.Lock(), os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, fmt.Errorf("lock state directory: %w", err)
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("lock state directory: %w", err)
		}
		// While we waited the directory may have been wiped: then this lock guards nothing.
		held, heldErr := f.Stat()
		current, err := os.Stat(c.layout.Lock())
		if heldErr == nil && err == nil && os.SameFile(held, current) {
			return func() { _ = f.Close() }, nil
		}
		_ = f.Close()
		if err := os.MkdirAll(c.layout.State, 0o755); err != nil {
			return nil, fmt.Errorf("make state directory: %w", err)
		}
	}
}

// writeState writes everything the nodes read: directories, certificates, images and settings.
func (c *Cluster) writeState(ctx context.Context, b toolchain.Binaries) error {
	l, nodes := c.layout, c.options.Nodes
	dirs := []string{l.Etcd(), l.PVRoot(), l.HostPathPVs(), l.Images()}
	for i := range nodes {
		for _, sub := range []string{"logs", "varlib", "varlog", "containerd", "cni", "fake"} {
			dirs = append(dirs, filepath.Join(l.Node(i), sub))
		}
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make directory of state: %w", err)
		}
	}
	// etcd warns when others can read its directory.
	if err := os.Chmod(l.Etcd(), 0o700); err != nil {
		return fmt.Errorf("protect etcd directory: %w", err)
	}
	if err := c.writePKI(); err != nil {
		return err
	}
	images, err := c.gatherImages(ctx, b)
	if err != nil {
		return err
	}
	for i := range nodes {
		if err := c.freshLogs(i); err != nil {
			return err
		}
	}
	return writeJSON(l.Settings(), node.Settings{
		ID: l.ID, Nodes: nodes, Kubeall: b.Kubeall, ClusterDNS: b.ClusterDNS, Kubectl: b.Kubectl,
		Images: images, APIServerArgs: c.options.APIServerArgs, ProxyMode: c.options.ProxyMode,
	})
}

func (c *Cluster) writePKI() error {
	l := c.layout
	request := pki.Request{
		Server: l.Server(), Now: c.now(),
		ServerIPs: []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP(layout.APIServiceIP), net.ParseIP(l.NodeIP(0))},
	}
	for i := range c.options.Nodes {
		request.Nodes = append(request.Nodes, pki.Node{Name: layout.NodeName(i), IP: net.ParseIP(l.NodeIP(i))})
	}
	if err := pki.Ensure(l.PKI(), request); err != nil {
		return err
	}
	content, err := os.ReadFile(filepath.Join(l.PKI(), "admin.kubeconfig"))
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	temp := l.Kubeconfig() + ".tmp"
	if err := os.WriteFile(temp, content, 0o600); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	if err := os.Rename(temp, l.Kubeconfig()); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}

// freshLogs keeps the previous start's logs as <component>.log.1 and removes the record of its components.
func (c *Cluster) freshLogs(i int) error {
	logs, err := filepath.Glob(filepath.Join(c.layout.Logs(i), "*.log"))
	if err != nil {
		return fmt.Errorf("find logs: %w", err)
	}
	for _, log := range logs {
		if err := os.Rename(log, log+".1"); err != nil {
			return fmt.Errorf("keep previous log: %w", err)
		}
	}
	if err := os.Remove(c.layout.Components(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove previous record of components: %w", err)
	}
	return nil
}

const (
	passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
	group  = "root:x:0:\nnobody:x:65534:\n"
)

// gatherImages makes the stock images and lists them with the caller's.
func (c *Cluster) gatherImages(ctx context.Context, b toolchain.Binaries) ([]string, error) {
	dir := c.layout.Images()
	files := map[string]string{"passwd": passwd, "group": group}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, fmt.Errorf("write file for image: %w", err)
		}
	}
	busybox, err := image.Busybox(ctx, layout.BusyboxImage, "/usr/bin/busybox",
		filepath.Join(dir, "passwd"), filepath.Join(dir, "group"))
	if err != nil {
		return nil, err
	}
	stock := map[string]image.Spec{"pause.tar": image.Pause(layout.PauseImage, b.Pause), "busybox.tar": busybox}
	var archives []string
	for name, spec := range stock {
		path := filepath.Join(dir, name)
		if _, err := image.WriteFile(path, spec); err != nil {
			return nil, err
		}
		archives = append(archives, path)
	}
	slices.Sort(archives)
	own, err := expandArchives(c.options.Images)
	return append(archives, own...), err
}

// expandArchives replaces directories by the *.tar files in them and makes paths absolute.
func expandArchives(paths []string) ([]string, error) {
	var archives []string
	for _, path := range paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("resolve image archive %q: %w", path, err)
		}
		info, err := os.Stat(abs)
		if err != nil {
			return nil, fmt.Errorf("find image archive: %w", err)
		}
		if !info.IsDir() {
			archives = append(archives, abs)
			continue
		}
		entries, err := os.ReadDir(abs)
		if err != nil {
			return nil, fmt.Errorf("list image archives: %w", err)
		}
		for _, entry := range entries {
			if strings.HasSuffix(entry.Name(), ".tar") {
				archives = append(archives, filepath.Join(abs, entry.Name()))
			}
		}
	}
	return archives, nil
}
