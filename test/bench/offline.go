package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/kafkarecover/kafkarecover/test/kafka"
	"github.com/kafkarecover/kafkarecover/test/kafka/cache"
	"github.com/kafkarecover/kafkarecover/test/sandbox/toolchain"
)

//go:embed java/*.java
var java embed.FS

const kafkaVersion = "4.2.0"

// ground is what is measured on: programs and files.
type ground struct {
	root, work string
	log        io.Writer

	tool    string // kafkarecover, as a release has it
	kubectl string
	volumes string // nine volumes of a cluster with split roles
	// classPath and snapshot are Kafka's tools, and the snapshot of a million partitions; classes tells the program that
	// writes snapshots from others.
	classPath, classes string
	snapshot           string
}

// build makes the programs and files. What does not change is in the cache after the first time.
func (g *ground) build(ctx context.Context) error {
	g.tool = filepath.Join(g.work, "kafkarecover")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", g.tool, ".")
	build.Dir = g.root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build kafkarecover: %w: %s", err, out)
	}
	source, err := filepath.Abs(filepath.Join(g.root, "test", "sandbox"))
	if err != nil {
		return fmt.Errorf("find the sandbox: %w", err)
	}
	programs, err := toolchain.DefaultCache()
	if err != nil {
		return err
	}
	built, err := toolchain.Ensure(ctx, toolchain.Options{Source: source, Cache: programs, Log: g.log})
	if err != nil {
		return err
	}
	g.kubectl = built.Kubectl
	if err := g.unpack(ctx); err != nil {
		return err
	}
	return g.grow(ctx)
}

// unpack takes the volumes that a real cluster left from testdata. Zeros at the end of index files are missing there,
// and nothing here reads them.
func (g *ground) unpack(ctx context.Context) error {
	g.volumes = filepath.Join(g.work, "volumes")
	if err := os.Mkdir(g.volumes, 0o755); err != nil {
		return fmt.Errorf("unpack the volumes: %w", err)
	}
	archive := filepath.Join(g.root, "testdata", "volumes", "split-roles.tar.gz")
	cmd := exec.CommandContext(ctx, "tar", "--extract", "--gzip", "--file", archive, "--directory", g.volumes)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("unpack the volumes: %w: %s", err, out)
	}
	return nil
}

// The size of the large snapshot: a million partitions.
const (
	topics             = 50_000
	partitionsPerTopic = 20
)

// grow makes the large snapshot.
func (g *ground) grow(ctx context.Context) error {
	store, err := cache.Default(g.log)
	if err != nil {
		return err
	}
	sources, err := fs.Sub(java, "java")
	if err != nil {
		return fmt.Errorf("read the Java program: %w", err)
	}
	jars, err := kafka.Jars(ctx, store, kafkaVersion)
	if err != nil {
		return err
	}
	classes, err := kafka.Compile(ctx, store, jars, sources)
	if err != nil {
		return err
	}
	if g.classPath, err = kafka.ClassPath("", jars, classes); err != nil {
		return err
	}
	g.classes = classes.Digest
	g.snapshot, err = g.snapshotOf(ctx, topics)
	return err
}

// snapshotOf makes a snapshot of so many topics with Kafka's own serialisers.
func (g *ground) snapshotOf(ctx context.Context, topics int) (string, error) {
	store, err := cache.Default(g.log)
	if err != nil {
		return "", err
	}
	key := cache.NewKey("snapshot").Add("classes", g.classes).
		Add("size", fmt.Sprintf("%d×%d", topics, partitionsPerTopic))
	entry, err := store.Ensure(ctx, key, func(ctx context.Context, dir string) error {
		heap := fmt.Sprintf("-Xmx%dg", 1+topics/100_000) // Kafka's writer keeps everything until the end
		return kafka.Run(ctx, "java", heap, "-cp", g.classPath, "Snapshot", filepath.Join(dir, snapshotName),
			strconv.Itoa(topics), strconv.Itoa(partitionsPerTopic))
	})
	if err != nil {
		return "", err
	}
	return entry.Path(snapshotName), nil
}

const snapshotName = "00000000000001100000-0000000001.checkpoint"

// jvm is how Kafka's scripts start their tools, with a heap that holds the large snapshot.
func (g *ground) jvm(class string, args ...string) act {
	return command(nil, append([]string{
		"java", "-Xmx3g", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true",
		"-cp", g.classPath, class,
	}, args...)...)
}

// findings are fine here: what the volumes are like is not what is measured.
func findings() []int { return []int{3} }

const fortyMiB = 40 << 20

// offline are the comparisons that need no cluster.
func (g *ground) offline() []comparison {
	const kubectl = "kubectl version --client"
	client := command(nil, g.kubectl, "version", "--client")
	small := g.smallLog()
	return []comparison{
		{
			name: "start", ours: "kafkarecover version", theirs: kubectl, runTheirs: client,
			runOurs: command(nil, g.tool, "version"), goal: goal{wall: 0.35, bytes: fortyMiB},
		},
		{
			name: "scan of nine volumes in a folder", ours: "kafkarecover scan --dir volumes", theirs: kubectl,
			runTheirs: client, runOurs: command(findings(), g.tool, "scan", "--dir", g.volumes),
			goal: goal{wall: 0.7, bytes: fortyMiB},
		},
		{
			name: "summary of nine volumes", ours: "kafkarecover metadata summary --dir volumes", theirs: kubectl,
			runTheirs: client, runOurs: command(nil, g.tool, "metadata", "summary", "--dir", g.volumes),
			goal: goal{wall: 1.2},
		},
		{
			name: "quorum of nine volumes", ours: "kafkarecover metadata quorum --dir volumes", theirs: kubectl,
			runTheirs: client, runOurs: command(nil, g.tool, "metadata", "quorum", "--dir", g.volumes),
			goal: goal{wall: 1.2},
		},
		{
			name: "records of a small log", ours: "kafkarecover metadata records -o kafka LOG",
			theirs:    "kafka-dump-log --cluster-metadata-decoder --files LOG",
			runOurs:   command(nil, g.tool, "metadata", "records", "-o", "kafka", small),
			runTheirs: g.jvm("kafka.tools.DumpLogSegments", "--cluster-metadata-decoder", "--files", small),
			goal:      goal{wall: 1.0 / 40},
		},
		{
			name: "records of a million partitions", ours: "kafkarecover metadata records -o kafka SNAPSHOT",
			theirs:    "kafka-dump-log --cluster-metadata-decoder --files SNAPSHOT",
			runOurs:   command(nil, g.tool, "metadata", "records", "-o", "kafka", g.snapshot),
			runTheirs: g.jvm("kafka.tools.DumpLogSegments", "--cluster-metadata-decoder", "--files", g.snapshot),
			goal:      goal{wall: 1.0 / 12},
		},
		{
			name: "topics of a million partitions", ours: "kafkarecover metadata ls --dir SNAPSHOT image/topics/byName",
			theirs:    "kafka-metadata-shell --snapshot SNAPSHOT ls image/topics/byName",
			runOurs:   command(nil, g.tool, "metadata", "ls", "--dir", g.snapshot, "image/topics/byName"),
			runTheirs: g.jvm("org.apache.kafka.shell.MetadataShell", "--snapshot", g.snapshot, "ls", "image/topics/byName"),
			goal:      goal{wall: 1.0 / 20, memory: 1.0 / 6},
		},
	}
}

// controller is the volume of the first controller, and smallLog its log.
func (g *ground) controller() string {
	return filepath.Join(g.volumes, "data-0-my-cluster-controller-3")
}

func (g *ground) smallLog() string {
	return filepath.Join(g.controller(), "kafka-log3", "__cluster_metadata-0", "00000000000000000000.log")
}
