package coordinator_test

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/coordinator"
)

func lines(t testing.TB, name string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// unhex reads what Oracle.java wrote: "-" for null, else the digits and "=".
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	if text == "-" {
		return nil
	}
	data, err := hex.DecodeString(strings.TrimSuffix(text, "="))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

type record struct {
	kind       coordinator.Kind
	key, value []byte
}

// records are those of testdata/records.txt, which Oracle.java wrote with Kafka 4.2.0's own serialisers: every type at
// every version, with fields of all kinds, whole, cut off, and with a bit flipped.
func records(t testing.TB) []record {
	t.Helper()
	var all []record
	for _, line := range lines(t, "records.txt") {
		parts := strings.Split(line, " ")
		all = append(all, record{coordinator.Kind(parts[0]), unhex(t, parts[1]), unhex(t, parts[2])})
	}
	if len(all) < 800 {
		t.Fatalf("only %d records", len(all))
	}
	return all
}

// The text of every record, whole and damaged, is that of kafka-dump-log's own parsers.
func TestRecordsPrintAsKafkasParsersPrintThem(t *testing.T) {
	t.Parallel()
	for _, release := range []struct {
		name     string
		before40 bool
	}{{"kafka-4.2.0.txt", false}, {"kafka-3.9.1.txt", true}} {
		t.Run(release.name, func(t *testing.T) {
			t.Parallel()
			decoders := map[coordinator.Kind]*coordinator.Decoder{}
			for _, kind := range coordinator.Kinds() {
				d, err := coordinator.New(kind, release.before40)
				if err != nil {
					t.Fatal(err)
				}
				decoders[kind] = d
			}
			answers := lines(t, release.name)
			printed := 0
			for i, r := range records(t) {
				key, payload, _ := strings.Cut(answers[i], "\t")
				if key == "-" || key == "!" {
					continue // this release has no parser for it, or ends at the record
				}
				want := " key: " + key
				if payload != "-" {
					want += " payload: " + payload
				}
				got, err := decoders[r.kind].AppendKafka(nil, int64(i), r.key, r.value)
				if string(got) != want {
					t.Errorf("record %d, %x %x:\n got %s\nwant %s", i, r.key, r.value, got, want)
				}
				failed := strings.Contains(want, "skipping.") || strings.Contains(want, "unknown::")
				if failed != (err != nil) {
					t.Errorf("record %d: error %v for %s", i, err, want)
				}
				printed++
			}
			if printed < 700 {
				t.Errorf("only %d records were compared", printed)
			}
		})
	}
}

func TestRecordsWithoutAKeyAreErrors(t *testing.T) {
	t.Parallel()
	for _, kind := range coordinator.Kinds() {
		d, err := coordinator.New(kind, false)
		if err != nil {
			t.Fatal(err)
		}
		if line, err := d.AppendKafka([]byte("|"), 7, nil, []byte{0, 0}); !errors.Is(err, coordinator.ErrNoKey) || string(line) != "|" {
			t.Errorf("%s: %q, %v", kind, line, err)
		}
	}
}

// The sets of Kafka 3.9 have Scala's order, which depends on how many partitions there are: the recordings must have
// sets that outgrow the first table.
func TestTheOrderOfLargeSetsIsRecorded(t *testing.T) {
	t.Parallel()
	most := 0
	for _, line := range lines(t, "kafka-3.9.1.txt") {
		if _, set, ok := strings.Cut(line, "partitions=["); ok {
			most = max(most, strings.Count(set[:strings.Index(set, "]")], ",")+1)
		}
	}
	if most < 50 {
		t.Errorf("the largest set recorded has %d partitions", most)
	}
}

func TestKindsGoByTheTopic(t *testing.T) {
	t.Parallel()
	for topic, want := range map[string]coordinator.Kind{
		"__consumer_offsets": coordinator.Offsets, "__transaction_state": coordinator.Transactions,
		"__share_group_state": coordinator.ShareState, "orders": "", "__cluster_metadata": "",
	} {
		if got, ok := coordinator.KindOf(topic); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %t", topic, got, ok)
		}
	}
}
