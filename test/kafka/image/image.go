// Package image builds the container image of a Kafka node without Docker or a registry: a Debian root file system, a
// Java runtime, Kafka's jars, and scripts that start a node the way Strimzi's image does. The archive carries the name
// of Strimzi's public image, so that an operator's manifests resolve unchanged. It does not load archives into
// clusters.
package image

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"

	kafka "github.com/kafkarecover/kafkarecover/test/kafka"
	"github.com/kafkarecover/kafkarecover/test/kafka/cache"
	oci "github.com/kafkarecover/kafkarecover/test/sandbox/image"
)

// strimzi is the operator version whose image the archive stands for.
const strimzi = "1.2.0"

// home is Kafka's directory in the image; the operator's manifests name files below it.
const home = "/opt/kafka"

// archiveName is the file of a cache entry.
const archiveName = "kafka.tar"

// The programs are among the inputs: a change here must not be answered from the cache.
//
//go:embed all:rootfs *.go
var embedded embed.FS

// Options say what to build.
type Options struct {
	// Version is the Kafka version.
	Version string
	// Name is the image's name with its tag; Strimzi's own for the version when empty.
	Name string
}

// Name is the name of Strimzi's image of a Kafka version.
func Name(version string) string {
	return fmt.Sprintf("quay.io/strimzi/kafka:%s-kafka-%s", strimzi, version)
}

// Archive returns the path of the OCI archive, building it when it is not in the cache.
func Archive(ctx context.Context, store cache.Store, o Options) (string, error) {
	if o.Name == "" {
		o.Name = Name(o.Version)
	}
	jars, err := kafka.Jars(ctx, store, o.Version)
	if err != nil {
		return "", err
	}
	sources, err := kafka.Sources()
	if err != nil {
		return "", err
	}
	programs, err := kafka.Compile(ctx, store, jars, sources)
	if err != nil {
		return "", err
	}
	base, err := ensureBase(ctx, store)
	if err != nil {
		return "", err
	}
	b := builder{version: o.Version, name: o.Name, base: base, jars: jars, programs: programs}
	key := cache.NewKey("image-"+o.Version).Add("name", o.Name).Add("base", base.Digest).
		Add("jars", jars.Digest).Add("programs", programs.Digest)
	if err := key.AddFS("image", embedded); err != nil {
		return "", fmt.Errorf("read the image's files: %w", err)
	}
	entry, err := store.Ensure(ctx, key, b.build)
	if err != nil {
		return "", fmt.Errorf("build the image of Kafka %s: %w", o.Version, err)
	}
	return entry.Path(archiveName), nil
}

// builder makes one image.
type builder struct {
	version, name        string
	base, jars, programs cache.Entry
}

// build writes the archive into dir. What the image has below home is staged in a directory of its own.
func (b builder) build(ctx context.Context, dir string) error {
	work, err := os.MkdirTemp("", "kafka-image-")
	if err != nil {
		return fmt.Errorf("make a working directory: %w", err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // a temporary directory
	stage := work + "/stage"
	if err := b.stage(stage); err != nil {
		return err
	}
	if err := b.warm(ctx, work+"/root", stage); err != nil {
		return err
	}
	_, err = oci.WriteFile(dir+"/"+archiveName, b.spec(stage))
	return err
}

func (b builder) spec(stage string) oci.Spec {
	return oci.Spec{
		Name: b.name, User: "1001", WorkDir: home, Env: []string{"KAFKA_HOME=" + home, "LANG=C.UTF-8"},
		Layers: []string{b.base.Path(baseName)},
		Trees:  []oci.Tree{{Path: home, Source: stage}},
		// Nodes run as user 1001 of group 0.
		Dirs: []oci.Dir{
			{Path: "/tmp", Mode: 0o1777}, {Path: "/var/lib/kafka", Mode: 0o775}, {Path: "/var/opt/kafka", Mode: 0o775},
		},
	}
}

// scripts are the image's files below home that are not made here.
func scripts() (fs.FS, error) {
	tree, err := fs.Sub(embedded, "rootfs")
	if err != nil {
		return nil, fmt.Errorf("read the image's files: %w", err)
	}
	return tree, nil
}
