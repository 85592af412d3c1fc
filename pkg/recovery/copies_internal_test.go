package recovery

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func controllerFiles() fstest.MapFS {
	return fstest.MapFS{
		"kafka-log3/meta.properties":                                 {Data: []byte("version=1\n")},
		"kafka-log3/bootstrap.checkpoint":                            {Data: []byte("boot")},
		"kafka-log3/__cluster_metadata-0/00000000000000000000.log":   {Data: []byte("log")},
		"kafka-log3/__cluster_metadata-0/00000000000000000000.index": {Data: make([]byte, 64)},
		"kafka-log3/__cluster_metadata-0/quorum-state":               {Data: []byte("{}")},
		"kafka-log3/orders-0/00000000000000000000.log":               {Data: []byte("records are not copied")},
		"lost+found/x": {Data: []byte("nor is this")},
		"kafka-log3/__cluster_metadata-0/leads-away":                   {Mode: os.ModeSymlink, Data: []byte("/etc/passwd")},
		"kafka-log3/__cluster_metadata-0/00000000000000000000.leading": {Mode: os.ModeNamedPipe},
	}
}

func TestTheControllersMetadataIsCopiedWithItsChecksums(t *testing.T) {
	t.Parallel()
	c := copier{root: filepath.Join(t.TempDir(), "copies"), sums: map[string]string{}}
	if err := c.copyVolume(t.Context(), "data-0-my-cluster-controller-3", controllerFiles()); err != nil {
		t.Fatal(err)
	}
	if err := c.finish(); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(c.root, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(sums)), "\n")
	if len(lines) != 4 || strings.Contains(string(sums), "index") {
		t.Errorf("meta.properties, bootstrap.checkpoint, and of the metadata log what Kafka cannot make again, got:\n%s", sums)
	}
	for _, line := range lines {
		want, name, _ := strings.Cut(line, "  ")
		content, err := os.ReadFile(filepath.Join(c.root, name))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s does not have the checksum that was written", name)
		}
		info, err := os.Stat(filepath.Join(c.root, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s must be readable by its owner only: %v %v", name, info.Mode(), err)
		}
	}
}

func TestNoCopyIsNoSuccess(t *testing.T) {
	t.Parallel()
	c := copier{root: t.TempDir(), sums: map[string]string{}}
	if err := c.copyVolume(t.Context(), "claim", fstest.MapFS{"lost+found/x": {}}); err != nil {
		t.Fatal(err)
	}
	if err := c.finish(); err == nil {
		t.Error("a restore that copied nothing must not go on as if it had")
	}
}

func TestAnEarlierCopyIsNeverOverwritten(t *testing.T) {
	t.Parallel()
	c := copier{root: t.TempDir(), sums: map[string]string{}}
	if err := c.copyVolume(t.Context(), "claim", controllerFiles()); err != nil {
		t.Fatal(err)
	}
	if err := c.copyVolume(t.Context(), "claim", controllerFiles()); err == nil {
		t.Error("a second copy under the same name must be refused")
	}
}
