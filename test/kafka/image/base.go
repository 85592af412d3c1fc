package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	kafka "github.com/kafkarecover/kafkarecover/test/kafka"
	"github.com/kafkarecover/kafkarecover/test/kafka/cache"
)

// ErrUnsupported says that this machine or user cannot build the image.
var ErrUnsupported = errors.New("this machine cannot build the Kafka image")

// suite is the Debian release of the base; its Java runtime is of version 17.
const suite = "bookworm"

// baseName is the file of a cache entry.
const baseName = "rootfs.tar"

// packages are what the scripts of Strimzi's image, and a reader that looks around in its container, find there.
func packages() []string {
	return []string{
		"openjdk-17-jre-headless", "bash", "curl", "findutils", "gawk", "gzip", "hostname", "net-tools", "openssl",
		"procps", "tar", "tini",
	}
}

// hooks finish the file system. Documents go only now: without their directories the runtime's installation fails.
func hooks() []string {
	return []string{
		`echo 'kafka:x:1001:0:Kafka:/opt/kafka:/bin/bash' >>"$1/etc/passwd"`,
		`rm -rf "$1"/usr/share/man/* "$1"/usr/share/doc/* "$1"/usr/share/locale/* "$1"/var/lib/apt/lists/*`,
		`rm -rf "$1"/var/cache/* "$1"/var/log/* "$1"/tmp/*`,
	}
}

// ensureBase returns the entry with the base's root file system.
func ensureBase(ctx context.Context, store cache.Store) (cache.Entry, error) {
	args := []string{"--variant=essential", "--include=" + strings.Join(packages(), ",")}
	for _, hook := range hooks() {
		args = append(args, "--customize-hook="+hook)
	}
	key := cache.NewKey("base").Add("suite", suite).Add("arguments", strings.Join(args, "\n"))
	entry, err := store.Ensure(ctx, key, func(ctx context.Context, dir string) error {
		if err := requireBuilder(ctx, store.Log); err != nil {
			return err
		}
		return kafka.Run(ctx, "mmdebstrap", append(args, suite, filepath.Join(dir, baseName))...)
	})
	if err != nil {
		return cache.Entry{}, fmt.Errorf("make the base of the Kafka image: %w", err)
	}
	return entry, nil
}

// requireBuilder installs mmdebstrap when it is missing.
func requireBuilder(ctx context.Context, log io.Writer) error {
	if _, err := exec.LookPath("mmdebstrap"); err == nil {
		return nil
	}
	const missing = "the Debian package mmdebstrap is missing"
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("%w: %s and there is no apt-get", ErrUnsupported, missing)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: %s and installing it takes root; run as root: apt-get install mmdebstrap",
			ErrUnsupported, missing)
	}
	if log != nil {
		fmt.Fprintln(log, "installing mmdebstrap")
	}
	install := []string{"-q", "install", "-y", "--no-install-recommends", "mmdebstrap"}
	if kafka.Run(ctx, "apt-get", install...) == nil {
		return nil
	}
	if err := kafka.Run(ctx, "apt-get", "-q", "update"); err != nil {
		return fmt.Errorf("%w: %s: update the package list: %w", ErrUnsupported, missing, err)
	}
	if err := kafka.Run(ctx, "apt-get", install...); err != nil {
		return fmt.Errorf("%w: %s: install it: %w", ErrUnsupported, missing, err)
	}
	return nil
}
