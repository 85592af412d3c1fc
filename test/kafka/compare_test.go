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
	"github.com/kafkarecover/kafkarecover/test/kafka/fixture"
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
	if len(want) < 5 {
		t.Errorf("%s: only %d lines were compared", what, len(want))
	}
}

// largest is the largest of the files that a pattern names.
func largest(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files: %v", pattern, err)
	}
	return slices.MaxFunc(files, func(a, b string) int {
		one, errOne := os.Stat(a)
		other, errOther := os.Stat(b)
		if errOne != nil || errOther != nil {
			t.Fatal(errOne, errOther)
		}
		return int(one.Size() - other.Size())
	})
}

// samePartition compares what the tool prints of a partition's log with a decoder.
func samePartition(
	t *testing.T, run func(*testing.T, string, ...string) string, ours, style, file, decoder string,
) {
	t.Helper()
	args := []string{"partition", "records", "-o", "kafka", "--style", style, "--dir", file}
	if decoder == "--print-data-log" {
		args = append(args, "--decode", "none")
	}
	// The first line names the file as each was given it.
	_, theirs, _ := strings.Cut(run(t, "kafka.tools.DumpLogSegments", decoder, "--files", file), "\n")
	_, text, _ := strings.Cut(said(t, ours, args...), "\n")
	same(t, file+" "+decoder, theirs, text)
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
				if !strings.Contains(file, "__cluster_metadata") {
					samePartition(t, run, ours, style, file, "--print-data-log")
				}
				if strings.Contains(file, "__consumer_offsets") {
					samePartition(t, run, ours, style, file, "--offsets-decoder")
				}
			}
		})
	}
	t.Run("dump of every kind of record", func(t *testing.T) {
		dir := t.TempDir()
		if err := fixture.Unpack(filepath.Join("..", "..", "testdata", "volumes", "every-record.tar.gz"), dir); err != nil {
			t.Fatal(err)
		}
		run := tool(t, "4.2.0")
		all, err := filepath.Glob(filepath.Join(dir, "*controller*", "*", "__cluster_metadata-0", "0*.log"))
		if err != nil || len(all) < 3 {
			t.Fatalf("%q: %v", all, err)
		}
		theirs := run(t, "kafka.tools.DumpLogSegments", "--cluster-metadata-decoder", "--files", strings.Join(all, ","))
		same(t, "metadata", theirs, said(t, ours, append([]string{"metadata", "records", "-o", "kafka", "--show-secrets"}, all...)...))
		for topic, decoder := range map[string]string{
			"__consumer_offsets": "--offsets-decoder", "__transaction_state": "--transaction-log-decoder",
			"__share_group_state": "--share-group-state-decoder",
		} {
			samePartition(t, run, ours, "4", largest(t, filepath.Join(dir, "*", "*", topic+"-*", "0*.log")), decoder)
		}
	})
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
			args := append([]string{"metadata", command, "--show-secrets", "--style", "4.2", file}, parts...)
			mine, theirs := strings.TrimRight(said(t, ours, args...), "\n"), ""
			// The shell may run the command before it has loaded the snapshot, and shows an empty image for the first of the
			// paths, or for all.
			for range 10 {
				theirs = run(t, "org.apache.kafka.shell.MetadataShell", append([]string{"--snapshot", file, command}, parts...)...)
				if theirs = strings.TrimRight(theirs, "\n"); theirs == mine {
					break
				}
			}
			same(t, command, theirs, mine)
		}
	})
}
