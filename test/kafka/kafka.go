// Package kafka brings real Kafka to this machine: the jars of a pinned version, and Java programs compiled against
// them. What is brought is cached outside the repository. It does not know what the jars are used for.
package kafka

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/test/kafka/cache"
)

// resolver is the plugin the project description pins; Maven copies with no other.
const resolver = "dependency:copy-dependencies"

//go:embed pom.xml java/*.java
var embedded embed.FS

// Versions are the Kafka versions the project description has a profile for.
func Versions() []string { return []string{"4.2.0", "3.9.1"} }

// Sources are the Java programs that every image of Kafka made here has.
func Sources() (fs.FS, error) {
	sources, err := fs.Sub(embedded, "java")
	if err != nil {
		return nil, fmt.Errorf("read the Java programs: %w", err)
	}
	return sources, nil
}

// Jars returns a directory with the jars of a Kafka version, and nothing else but the cache's record.
func Jars(ctx context.Context, store cache.Store, version string) (cache.Entry, error) {
	if !slices.Contains(Versions(), version) {
		return cache.Entry{}, fmt.Errorf("find the jars of Kafka %q: the project pins %s", version,
			strings.Join(Versions(), " and "))
	}
	pom, err := embedded.ReadFile("pom.xml")
	if err != nil {
		return cache.Entry{}, fmt.Errorf("read the project description: %w", err)
	}
	key := cache.NewKey("jars-"+version).Add("pom", string(pom))
	return store.Ensure(ctx, key, func(ctx context.Context, dir string) error {
		return resolve(ctx, pom, version, dir)
	})
}

func resolve(ctx context.Context, pom []byte, version, dir string) error {
	work, err := os.MkdirTemp("", "kafka-jars-")
	if err != nil {
		return fmt.Errorf("resolve the jars of Kafka %s: %w", version, err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // a temporary directory
	file := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return fmt.Errorf("resolve the jars of Kafka %s: %w", version, err)
	}
	err = Run(ctx, "mvn", "--batch-mode", "--quiet", "--file", file, "--activate-profiles", "kafka-"+version,
		resolver, "-DincludeScope=runtime", "-DoutputDirectory="+dir)
	if err != nil {
		return fmt.Errorf("resolve the jars of Kafka %s: %w", version, err)
	}
	return nil
}

// Compile compiles the Java files at the root of sources against a version's jars and returns the entry with the one
// jar of their classes, ground.jar.
func Compile(ctx context.Context, store cache.Store, jars cache.Entry, sources fs.FS) (cache.Entry, error) {
	compiler, err := exec.CommandContext(ctx, "javac", "-version").CombinedOutput()
	if err != nil {
		return cache.Entry{}, fmt.Errorf("compile Java programs: %w (a JDK of version 17 or newer must be in PATH)", err)
	}
	key := cache.NewKey("classes").Add("jars", jars.Digest).Add("compiler", string(compiler))
	if err := key.AddFS("java", sources); err != nil {
		return cache.Entry{}, fmt.Errorf("read the Java programs: %w", err)
	}
	return store.Ensure(ctx, key, func(ctx context.Context, dir string) error {
		work, err := os.MkdirTemp("", "kafka-classes-")
		if err != nil {
			return fmt.Errorf("compile Java programs: %w", err)
		}
		defer os.RemoveAll(work) //nolint:errcheck // a temporary directory
		return compile(ctx, jars, sources, work, dir)
	})
}

func compile(ctx context.Context, jars cache.Entry, sources fs.FS, work, dir string) error {
	if err := os.CopyFS(filepath.Join(work, "java"), sources); err != nil {
		return fmt.Errorf("compile Java programs: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(work, "java", "*.java"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("compile Java programs: there are none: %w", err)
	}
	classes := filepath.Join(work, "classes")
	args := append([]string{"--release", "17", "-proc:none", "-cp", filepath.Join(jars.Dir, "*"), "-d", classes}, files...)
	if err := Run(ctx, "javac", args...); err != nil {
		return fmt.Errorf("compile Java programs: %w", err)
	}
	// One time for all entries: the same classes give the same jar.
	err = Run(ctx, "jar", "--create", "--date=1980-01-01T00:00:02Z", "--file", filepath.Join(dir, "ground.jar"),
		"-C", classes, ".")
	if err != nil {
		return fmt.Errorf("pack Java programs: %w", err)
	}
	return nil
}

// ClassPath lists the jars of the entries in the order of their names, each below the given directory when it is not
// empty.
func ClassPath(under string, entries ...cache.Entry) (string, error) {
	var files []string
	for _, entry := range entries {
		found, err := filepath.Glob(filepath.Join(entry.Dir, "*.jar"))
		if err != nil {
			return "", fmt.Errorf("list jars: %w", err)
		}
		files = append(files, found...)
	}
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	for i, file := range files {
		if under != "" {
			files[i] = under + "/" + filepath.Base(file)
		}
	}
	return strings.Join(files, ":"), nil
}

// Run runs a program of this machine; its output is in the error when it fails.
func Run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %s: %w: %s", program, err, bytes.TrimSpace(output))
	}
	return nil
}
