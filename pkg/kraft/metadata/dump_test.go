package metadata_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

func TestDumpIsKafkasOwnText(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/kafka/" + snapshotFile + ".dump")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	_, err = metadata.Dump(&got, os.DirFS("testdata/kafka"), snapshotFile,
		metadata.DumpOptions{Title: "s/" + snapshotFile, ShowSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("other text than Kafka's (-Kafka's +ours):\n%s", diff)
	}
}
