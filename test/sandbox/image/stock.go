package image

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Pause describes the image that holds a pod's namespaces open.
func Pause(name, program string) Spec {
	return Spec{Name: name, Entrypoint: []string{"/pause"}, Files: []File{{Path: "/pause", Source: program}}}
}

// Busybox describes an image with a shell and every applet of the given static busybox.
func Busybox(ctx context.Context, name, program, passwd, group string) (Spec, error) {
	out, err := exec.CommandContext(ctx, program, "--list").Output()
	if err != nil {
		return Spec{}, fmt.Errorf("list applets of %q: %w", program, err)
	}
	spec := Spec{
		Name: name, Cmd: []string{"/bin/sh"},
		Dirs: []Dir{{"/etc", 0o755}, {"/root", 0o700}, {"/tmp", 0o1777}, {"/usr/bin", 0o755}},
		Files: []File{
			{Path: "/bin/busybox", Source: program},
			{Path: "/etc/passwd", Source: passwd}, {Path: "/etc/group", Source: group},
		},
		Links: []Link{{Path: "/usr/bin/env", Target: "/bin/env"}},
	}
	for _, applet := range strings.Fields(string(out)) {
		if applet != "busybox" {
			spec.Links = append(spec.Links, Link{Path: "/bin/" + applet, Target: "busybox"})
		}
	}
	return spec, nil
}

// WriteFile writes the archive to path in one step; a reader sees the old archive or the new one. An archive that
// would not change is left alone, with its time.
func WriteFile(path string, spec Spec) (digest string, err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return "", fmt.Errorf("write image archive: %w", err)
	}
	defer os.Remove(temp.Name()) //nolint:errcheck // gone after the rename
	digest, err = Write(temp, spec)
	if closeErr := temp.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("write image archive: %w", closeErr)
	}
	if err != nil {
		return "", err
	}
	if err := os.Chmod(temp.Name(), 0o644); err != nil {
		return "", fmt.Errorf("write image archive: %w", err)
	}
	if same(temp.Name(), path) {
		return digest, nil
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return "", fmt.Errorf("write image archive: %w", err)
	}
	return digest, nil
}

// same compares small archives only; a large one is simply replaced.
func same(a, b string) bool {
	const limit = 16 << 20
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA != nil || errB != nil || infoA.Size() != infoB.Size() || infoA.Size() > limit {
		return false
	}
	contentA, errA := os.ReadFile(a)
	contentB, errB := os.ReadFile(b)
	return errA == nil && errB == nil && string(contentA) == string(contentB)
}
