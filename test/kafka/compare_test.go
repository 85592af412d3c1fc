package kafka_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/test/kafka"
	"github.com/kafkarecover/kafkarecover/test/kafka/cache"
)

// logDir is a log directory of a real broker and controller, snapshot one with records of most types; both were
// written by Kafka.
const (
	logDir   = "../../pkg/kraft/logdir/testdata/single/kafka-log1"
	snapshot = "../../pkg/kraft/metadata/testdata/kafka/00000000000000000100-0000000005.checkpoint"
)

// program is kafkarecover, built for this test.
func program(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "kafkarecover")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", out, ".")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v: %s", err, said)
	}
	return out
}

// said runs a command and returns its standard output.
func said(t *testing.T, name string, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		t.Fatalf("run %s %s: %v: %s", name, strings.Join(args, " "), err, errOut.String())
	}
	return out.String()
}

// tool returns a function that runs a main class of a Kafka version.
func tool(t *testing.T, version string) func(t *testing.T, class string, args ...string) string {
	t.Helper()
	store, err := cache.Default(os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	jars, err := kafka.Jars(t.Context(), store, version)
	if err != nil {
		t.Fatal(err)
	}
	classPath, err := kafka.ClassPath("", jars)
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T, class string, args ...string) string {
		t.Helper()
		java := []string{
			"-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dorg.apache.logging.log4j.level=OFF",
			"-cp", classPath, class,
		}
		return said(t, "java", append(java, args...)...)
	}
}

// same compares line by line and shows the first that differs.
func same(t *testing.T, what, theirs, ours string) {
	t.Helper()
	want, got := strings.Split(theirs, "\n"), strings.Split(ours, "\n")
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(want):
			t.Errorf("%s: line %d is only ours: %s", what, i+1, got[i])
		case i >= len(got):
			t.Errorf("%s: line %d is only Kafka's: %s", what, i+1, want[i])
		case want[i] != got[i]:
			t.Errorf("%s: line %d\nKafka: %s\nours:  %s", what, i+1, want[i], got[i])
		default:
			continue
		}
		return
	}
	if len(want) < 10 {
		t.Errorf("%s: only %d lines were compared", what, len(want))
	}
}

// The same files, read by the real tools and by this one, right now: nothing recorded is in between.
func TestTheTextIsThatOfTheRealTools(t *testing.T) {
	ours := program(t)
	metadata, err := filepath.Glob(filepath.Join(logDir, "__cluster_metadata-0", "0*"))
	if err != nil {
		t.Fatal(err)
	}
	metadata = slices.DeleteFunc(metadata, func(name string) bool {
		return filepath.Ext(name) != ".log" && filepath.Ext(name) != ".checkpoint"
	})
	metadata = append(metadata, snapshot, filepath.Join(logDir, "bootstrap.checkpoint"))
	for _, version := range kafka.Versions() {
		t.Run("dump of "+version, func(t *testing.T) {
			run := tool(t, version)
			style := "4"
			if strings.HasPrefix(version, "3.") {
				style = "3.9"
			}
			theirs := run(t, "kafka.tools.DumpLogSegments", "--cluster-metadata-decoder", "--files", strings.Join(metadata, ","))
			args := append([]string{"metadata", "records", "-o", "kafka", "--show-secrets", "--style", style}, metadata...)
			same(t, "metadata", theirs, said(t, ours, args...))

			partitions, err := filepath.Glob(filepath.Join(logDir, "*-*", "0*.log"))
			if err != nil || len(partitions) == 0 {
				t.Fatalf("no partitions: %v", err)
			}
			for _, file := range partitions {
				if strings.Contains(file, "__cluster_metadata") {
					continue
				}
				_, theirs, _ := strings.Cut(run(t, "kafka.tools.DumpLogSegments", "--print-data-log", "--files", file), "\n")
				_, text, _ := strings.Cut(said(t, ours, "partition", "records", "-o", "kafka", "--dir", file), "\n")
				same(t, file, theirs, text)
			}
		})
	}
	t.Run("shell", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "kafka-log1", "__cluster_metadata-0", filepath.Base(snapshot))
		data, err := os.ReadFile(snapshot)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		run := tool(t, "4.2.0")
		// Not provenance and clientQuotas: the shell takes the position from inside the snapshot and loses default entities.
		parts := []string{
			"image/topics", "image/topics/byName", "image/cluster", "image/acls", "image/configs", "image/features", "image/scram",
			"image/delegationToken", "image/producerIds",
		}
		for _, command := range []string{"tree", "ls", "find"} {
			theirs := ""
			// The shell may run the command before it has loaded the snapshot, and then shows an empty image.
			for range 10 {
				theirs = run(t, "org.apache.kafka.shell.MetadataShell", append([]string{"--snapshot", file, command}, parts...)...)
				if strings.Contains(theirs, "orders") {
					break
				}
			}
			args := append([]string{"metadata", command, "--show-secrets", "--style", "4.2", file}, parts...)
			same(t, command, strings.TrimRight(theirs, "\n"), strings.TrimRight(said(t, ours, args...), "\n"))
		}
	})
}
