package image

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The names are those of the manifests of Strimzi 1.2.0.
func TestNameIsOfStrimzisImage(t *testing.T) {
	t.Parallel()
	if got, want := Name("4.2.0"), "quay.io/strimzi/kafka:1.2.0-kafka-4.2.0"; got != want {
		t.Errorf("the name is %q, want %q", got, want)
	}
}

func TestScriptsOfThePodAreExecutable(t *testing.T) {
	t.Parallel()
	tree, err := scripts()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := copyScripts(tree, dir); err != nil {
		t.Fatal(err)
	}
	// What the container is started and asked with.
	for name, mode := range map[string]fs.FileMode{
		"kafka_run.sh": 0o755, "kafka_readiness.sh": 0o755, "kafka_liveness.sh": 0o755, "bin/kafka-run-class.sh": 0o755,
		"config/node-log4j2.properties": 0o644,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := info.Mode().Perm(); got != mode {
			t.Errorf("%s has mode %o, want %o", name, got, mode)
		}
	}
}

func TestMetadataVersionIsTheOneStrimziFormatsWith(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"4.2.0": "4.2-IV1", "3.9.1": "3.9-IV0"} {
		if got := metadataVersion(version); got != want {
			t.Errorf("Kafka %s: %q, want %q", version, got, want)
		}
	}
}

func TestTheWarmNodeListensOnTheLoopbackInterfaceOnly(t *testing.T) {
	t.Parallel()
	found := 0
	for line := range strings.Lines(warmConfig("/d", 1, 2)) {
		if !strings.HasPrefix(line, "listeners=") {
			continue
		}
		for listener := range strings.SplitSeq(strings.TrimPrefix(line, "listeners="), ",") {
			found++
			if !strings.Contains(listener, "://127.0.0.1:") {
				t.Errorf("listener %q", listener)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d listeners, want 2", found)
	}
}
