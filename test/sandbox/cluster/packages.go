package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// requirement is a file of the machine and the Debian package that brings it.
type requirement struct{ file, pkg string }

func requirements() []requirement {
	return []requirement{
		{"/usr/bin/containerd", "containerd"},
		{"/usr/bin/ctr", "containerd"},
		{"/usr/sbin/runc", "runc"},
		{"/usr/lib/cni/ptp", "containernetworking-plugins"},
		{"/usr/lib/cni/portmap", "containernetworking-plugins"},
		{"/usr/sbin/iptables", "iptables"},
		{"/usr/bin/busybox", "busybox-static"},
		{"/usr/bin/nsenter", "util-linux"},
	}
}

// missingPackages lists each package once; ip may live in /sbin or /bin.
func missingPackages(exists func(string) bool) []string {
	var missing []string
	add := func(pkg string) {
		if len(missing) == 0 || missing[len(missing)-1] != pkg {
			missing = append(missing, pkg)
		}
	}
	for _, r := range requirements() {
		if !exists(r.file) {
			add(r.pkg)
		}
	}
	if !exists("/usr/sbin/ip") && !exists("/sbin/ip") && !exists("/usr/bin/ip") {
		add("iproute2")
	}
	return missing
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// installMissing installs Debian packages that are not there. The package list is updated only when installing fails
// without.
func installMissing(ctx context.Context, log io.Writer) error {
	missing := missingPackages(fileExists)
	if len(missing) == 0 {
		return nil
	}
	wanted := strings.Join(missing, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("%w: these Debian packages are missing and there is no apt-get: %s", ErrUnsupported, wanted)
	}
	fmt.Fprintf(log, "installing %s\n", wanted)
	install := append([]string{"install", "-y", "--no-install-recommends"}, missing...)
	_, err := aptGet(ctx, install...)
	if err != nil {
		if output, err := aptGet(ctx, "update"); err != nil {
			return fmt.Errorf("update package list: %w: %s", err, output)
		}
		var output string
		if output, err = aptGet(ctx, install...); err != nil {
			return fmt.Errorf("install %s: %w: %s", wanted, err, output)
		}
	}
	if left := missingPackages(fileExists); len(left) > 0 {
		return fmt.Errorf("%w: files of these packages are still missing after installing them: %s",
			ErrUnsupported, strings.Join(left, " "))
	}
	return nil
}

// aptGet returns the last line of the output, which is where apt says what is wrong.
func aptGet(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	output, err := cmd.CombinedOutput()
	lines := bytes.Split(bytes.TrimSpace(output), []byte("\n"))
	return string(lines[len(lines)-1]), err
}
