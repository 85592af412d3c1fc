package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
)

// kept is a directory that must stay reachable at its path although something is mounted above it.
type kept struct {
	path   string
	handle *os.File
}

// arrangeMounts gives the node its own /proc, /sys, /run, /tmp, /var/lib and /var/log. Node 0's /tmp serves all nodes,
// so that volumes of the host-path provisioner are seen everywhere.
func arrangeMounts(l layout.Layout, s Settings, i int) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := renewSys(filepath.Join(l.Node(i), "cgroups")); err != nil {
		return err
	}
	hidden := []string{"/run", "/var/lib", "/var/log"}
	if i == 0 {
		hidden = append(hidden, "/tmp")
	}
	keep, err := hold(hidden, append([]string{l.State, s.Kubeall, s.ClusterDNS}, s.Images...))
	if err != nil {
		return err
	}
	if err := hide(l, i); err != nil {
		return err
	}
	if err := restore(keep); err != nil {
		return err
	}
	if i == 0 {
		if err := os.MkdirAll(layout.HostPathRoot, 0o777); err != nil {
			return fmt.Errorf("make %s: %w", layout.HostPathRoot, err)
		}
		if err := bind(l.HostPathPVs(), layout.HostPathRoot); err != nil {
			return err
		}
	}
	if err := ownResolvConf(filepath.Join(l.Node(i), "resolv.conf")); err != nil {
		return err
	}
	// Only now: before, unmounting the side copy of the cgroup mounts would unmount the real ones as well.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make mounts shared: %w", err)
	}
	return fakeSysctls(filepath.Join(l.Node(i), "fake"))
}

// renewSys mounts a sysfs that shows this network namespace and carries the machine's cgroup mounts over into it.
func renewSys(aside string) error {
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return fmt.Errorf("make %q: %w", aside, err)
	}
	steps := []struct {
		what string
		do   func() error
	}{
		{"set cgroup mounts aside", func() error {
			return unix.Mount("/sys/fs/cgroup", aside, "", unix.MS_BIND|unix.MS_REC, "")
		}},
		{"mount /sys", func() error { return unix.Mount("sysfs", "/sys", "sysfs", 0, "") }},
		{"bring cgroup mounts back", func() error {
			return unix.Mount(aside, "/sys/fs/cgroup", "", unix.MS_BIND|unix.MS_REC, "")
		}},
		{"drop the side copy of cgroup mounts", func() error { return unix.Unmount(aside, unix.MNT_DETACH) }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// hold opens the directories of those paths that lie below a hidden one.
func hold(hidden, paths []string) ([]kept, error) {
	var list []kept
	seen := map[string]bool{}
	for _, path := range paths {
		dir := path
		if info, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("find %q: %w", path, err)
		} else if !info.IsDir() {
			dir = filepath.Dir(path)
		}
		if seen[dir] || !below(dir, hidden) {
			continue
		}
		seen[dir] = true
		f, err := openPath(dir)
		if err != nil {
			return nil, err
		}
		list = append(list, kept{dir, f})
	}
	return list, nil
}

func below(path string, roots []string) bool {
	for _, root := range roots {
		if strings.HasPrefix(path+"/", root+"/") {
			return true
		}
	}
	return false
}

// hide mounts empty or per-node directories over the machine's. The state directory may lie below one of them, so its
// parts are opened before anything is covered.
func hide(l layout.Layout, i int) error {
	own := map[string]string{"/var/lib": varLib(l, i), "/var/log": varLog(l, i)}
	handles := map[string]*os.File{}
	for target, dir := range own {
		f, err := openPath(dir)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // a handle without state
		handles[target] = f
	}
	for target, f := range handles {
		if err := bind(handlePath(f), target); err != nil {
			return err
		}
	}
	tmpfs := map[string]string{"/run": "mode=755"}
	if i == 0 {
		tmpfs["/tmp"] = "mode=1777"
	}
	for target, options := range tmpfs {
		if err := unix.Mount("tmpfs", target, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
	}
	return nil
}

func varLib(l layout.Layout, i int) string { return filepath.Join(l.Node(i), "varlib") }

func varLog(l layout.Layout, i int) string { return filepath.Join(l.Node(i), "varlog") }

func openPath(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", dir, err)
	}
	return os.NewFile(uintptr(fd), dir), nil
}

func handlePath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// restore mounts held directories back at their paths.
func restore(list []kept) error {
	for _, k := range list {
		defer k.handle.Close() //nolint:errcheck // a handle without state
		if err := os.MkdirAll(k.path, 0o755); err != nil {
			return fmt.Errorf("keep %q: %w", k.path, err)
		}
		if err := bind(handlePath(k.handle), k.path); err != nil {
			return err
		}
	}
	return nil
}

func bind(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %q at %q: %w", from, to, err)
	}
	return nil
}

// ownResolvConf shows file as /etc/resolv.conf, also where that is a link into a directory that is hidden now.
func ownResolvConf(file string) error {
	const target = "/etc/resolv.conf"
	if err := os.WriteFile(file, []byte("nameserver 127.0.0.1\n"), 0o644); err != nil {
		return fmt.Errorf("write resolv.conf: %w", err)
	}
	if to, err := os.Readlink(target); err == nil {
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(target), to)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("make place for resolv.conf: %w", err)
		}
		f, err := os.OpenFile(to, os.O_CREATE|os.O_RDONLY, 0o644)
		if err != nil {
			return fmt.Errorf("make place for resolv.conf: %w", err)
		}
		_ = f.Close()
	}
	return bind(file, target)
}

// fakeSysctls covers the kernel settings that the kubelet insists on with files that hold what it wants to read. It
// would otherwise change them for the whole machine.
func fakeSysctls(dir string) error {
	wanted := map[string]string{
		"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
		"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
	}
	for key, value := range wanted {
		file := filepath.Join(dir, strings.ReplaceAll(key, "/", "."))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return fmt.Errorf("cover kernel setting %q: %w", key, err)
		}
		err := unix.Mount(file, "/proc/sys/"+key, "", unix.MS_BIND, "")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cover kernel setting %q: %w", key, err)
		}
	}
	return nil
}
