package logdir_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

// oracleCases reads what Oracle.java recorded of Kafka 4.2.0: input and answer.
func oracleCases(t testing.TB, name string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{}
	for line := range strings.Lines(string(data)) {
		in, answer, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		raw, err := hex.DecodeString(strings.TrimPrefix(in, "x"))
		if err != nil {
			t.Fatal(err)
		}
		cases[string(raw)] = answer
	}
	if len(cases) < 50 {
		t.Fatalf("only %d cases in %s", len(cases), name)
	}
	return cases
}

func hexOf(s string) string { return "x" + hex.EncodeToString([]byte(s)) }

func metaAnswer(m *logdir.MetaProperties) string {
	cluster, node, directory := "-", "-", "-"
	if m.ClusterID != nil {
		cluster = hexOf(*m.ClusterID)
	}
	if m.NodeID != nil {
		node = fmt.Sprint(*m.NodeID)
	}
	if m.DirectoryID != "" {
		directory = m.DirectoryID
	}
	return fmt.Sprintf("%d %s %s %s", m.Version, cluster, node, directory)
}

func TestMetaPropertiesParseAsInKafka(t *testing.T) {
	t.Parallel()
	for in, want := range oracleCases(t, "meta-properties.txt") {
		m, err := logdir.ParseMetaProperties([]byte(in))
		// Names and values are shown with control characters escaped, otherwise the sentences are the same.
		message, kafkaFails := strings.CutPrefix(want, "! ")
		switch {
		case (err != nil) != kafkaFails:
			t.Errorf("%q: got %v, Kafka %s", in, err, want)
		case err == nil && metaAnswer(m) != want:
			t.Errorf("%q: got %s, Kafka %s", in, metaAnswer(m), want)
		case err != nil && strings.HasPrefix(message, "Unable to read directory.id"):
			if !strings.HasPrefix(err.Error(), "Unable to read directory.id as a Uuid: ") {
				t.Errorf("%q: got %q, Kafka %q", in, err, message)
			}
		case err != nil && !strings.HasPrefix(message, "Malformed") && err.Error() != logdir.Escape(message):
			t.Errorf("%q: got %q, Kafka %q", in, err, message)
		}
	}
}

func TestQuorumStateParsesAsInKafka(t *testing.T) {
	t.Parallel()
	for in, want := range oracleCases(t, "quorum-state.txt") {
		q, err := logdir.ParseQuorumState([]byte(in))
		if err != nil {
			if want != "!" {
				t.Errorf("%q: got %v, Kafka %s", in, err, want)
			}
			continue
		}
		voted := "-"
		if q.VotedID >= 0 {
			voted = fmt.Sprintf("%d/-", q.VotedID)
			if q.VotedDirectoryID != "" {
				voted = fmt.Sprintf("%d/%s", q.VotedID, q.VotedDirectoryID)
			}
		}
		got := fmt.Sprintf("%d %d %s", q.LeaderEpoch, q.LeaderID, voted)
		if want != got {
			t.Errorf("%q: got %s, Kafka %s", in, got, want)
		}
	}
}

func TestPartitionDirectoryNamesParseAsInKafka(t *testing.T) {
	t.Parallel()
	for in, want := range oracleCases(t, "partition-names.txt") {
		p, ok := logdir.ParsePartitionDir(in)
		got := "!"
		if ok {
			got = fmt.Sprintf("%s %d", hexOf(p.Topic), p.Partition)
		}
		if got != want {
			t.Errorf("%q: got %s, Kafka %s", in, got, want)
		}
	}
}
