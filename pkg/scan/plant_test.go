package scan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// single is a log directory that a real broker and controller in one wrote (node 1): its metadata log, two partitions.
const single = "../kraft/logdir/testdata/single/kafka-log1"

const (
	thisCluster  = "5L6g3nShT-eMCtK--X86sw" // what Kafka wrote into single
	otherCluster = "nj2gpqbHSfmvw-PQucA3Jg"
)

// planted is what to put on a volume.
type planted struct {
	claim string
	node  int
	// id is the cluster ID, thisCluster where empty.
	id string
	// metadata tells whether the metadata log is there.
	metadata bool
}

// plant makes a volume below root out of what Kafka wrote, with the identity of another node.
func plant(t *testing.T, root string, p planted) string {
	t.Helper()
	dir := filepath.Join(root, p.claim, fmt.Sprintf("kafka-log%d", p.node))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(single)); err != nil {
		t.Fatal(err)
	}
	if p.id == "" {
		p.id = thisCluster
	}
	write(t, filepath.Join(dir, "meta.properties"), fmt.Sprintf(
		"#\n#Tue Nov 24 09:01:07 UTC 2026\nnode.id=%d\ndirectory.id=AAAAAAAAAAAAAAAAAAA%02dw\nversion=1\ncluster.id=%s\n",
		p.node, p.node, p.id))
	if !p.metadata {
		if err := os.RemoveAll(filepath.Join(dir, "__cluster_metadata-0")); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
