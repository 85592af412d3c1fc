package metadata_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

var update = flag.Bool("update", false, "write the list of record types anew")

// recordTypes lists where real brokers and controllers of each release wrote each type of metadata record at each
// version.
const recordTypes = "../../../testdata/volumes/record-types.txt"

// notWritten are the layouts of the schema table that no cluster of 3.9.1 and 4.2.0 can be made to write, and why.
// Kafka's own serialisers wrote those of testdata/records.txt; the others no released one writes.
func notWritten() map[string]string {
	return map[string]string{
		"REGISTER_BROKER_RECORD 4":            "newer than 4.2: cordoned directories",
		"BROKER_REGISTRATION_CHANGE_RECORD 2": "newer than 4.2: cordoned directories",
		"BROKER_REGISTRATION_CHANGE_RECORD 3": "newer than 4.2: cordoned directories",
		"ACCESS_CONTROL_RECORD 0":             "written by no release since 3.3",
		"REMOVE_FEATURE_LEVEL_RECORD 0":       "written by no release since 3.3",
		"UNREGISTER_CONTROLLER_RECORD 0":      "newer than 4.3",
	}
}

// not39 are what 4.2.0 writes and 3.9.1 does not, and why.
func not39() map[string]string {
	const elr = "3.9 has no eligible leader replicas"
	return map[string]string{
		"ABORT_TRANSACTION_RECORD 0": "3.9.1 does not start where the first transaction was cut short",
		"CLEAR_ELR_RECORD 0":         elr,
		"PARTITION_RECORD 2":         elr,
		"PARTITION_CHANGE_RECORD 2":  elr,
	}
}

// unreleased are those of notWritten that no serialiser of a release has.
func unreleased() []string {
	return []string{"ACCESS_CONTROL_RECORD 0", "REMOVE_FEATURE_LEVEL_RECORD 0", "UNREGISTER_CONTROLLER_RECORD 0"}
}

// layouts are all types and versions of the schema table.
func layouts(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("internal/gen/records.json")
	if err != nil {
		t.Fatal(err)
	}
	var table []struct {
		APIKey        int16
		ValidVersions string
	}
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range table {
		first, last, ranged := strings.Cut(m.ValidVersions, "-")
		if !ranged {
			last = first
		}
		low, errLow := strconv.Atoi(first)
		high, errHigh := strconv.Atoi(last)
		if errLow != nil || errHigh != nil {
			t.Fatalf("versions %q", m.ValidVersions)
		}
		for v := low; v <= high; v++ {
			all = append(all, fmt.Sprintf("%s %d", metadata.Type(m.APIKey), v))
		}
	}
	return all
}

// layout is a type and version of record that a release of Kafka wrote.
type layout struct{ record, release string }

// written are the layouts in the fixtures' metadata logs and snapshots, each with the first file that has it.
func written(t *testing.T) map[layout]string {
	t.Helper()
	found := map[layout]string{}
	for _, fixture := range volumes.Names() {
		release := volumes.ReadManifest(t, fixture).Kafka
		fsys := os.DirFS(volumes.Unpack(t, fixture))
		err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || path.Base(path.Dir(name)) != "__cluster_metadata-0" {
				return err
			}
			if ext := path.Ext(name); ext != ".log" && ext != ".checkpoint" {
				return nil
			}
			problems, err := metadata.Walk(fsys, name, batch.Limits{}, func(entry *metadata.Entry) error {
				if entry.Record == nil {
					return nil
				}
				key := layout{fmt.Sprintf("%s %d", entry.Record.Message.Type(), entry.Record.Version), release}
				if found[key] == "" {
					found[key] = fixture + "/" + name
				}
				return nil
			})
			if len(problems) > 0 {
				t.Errorf("%s/%s: %+v", fixture, name, problems)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// Every layout of the schema table was written by a real cluster, or is known not to be and then by Kafka's own
// serialisers.
func TestEveryLayoutWasWrittenByKafka(t *testing.T) {
	t.Parallel()
	found := written(t)
	file := map[string]string{}
	for l, name := range found {
		file[l.record] = name
	}
	serialised := map[string]bool{}
	values, _ := oracle(t)
	for _, value := range values {
		rec := metadata.Decode(value)
		serialised[fmt.Sprintf("%s %d", rec.Message.Type(), rec.Version)] = true
	}
	for _, record := range layouts(t) {
		_, excused := notWritten()[record]
		switch there := file[record] != ""; {
		case there && excused:
			t.Errorf("%s is in %s, and said not to be written", record, file[record])
		case !there && !excused:
			t.Errorf("%s is in no fixture", record)
		}
		if !serialised[record] && !slices.Contains(unreleased(), record) {
			t.Errorf("%s was not written by Kafka's serialiser", record)
		}
	}
	for l := range found {
		_, excused := not39()[l.record]
		switch there := found[layout{l.record, "3.9.1"}] != ""; {
		case there && excused:
			t.Errorf("3.9.1 wrote %s, and is said not to", l.record)
		case !there && !excused:
			t.Errorf("%s is in no fixture of 3.9.1", l.record)
		}
	}
	sameList(t, found)
}

// sameList holds the list of record types against what was found.
func sameList(t *testing.T, found map[layout]string) {
	t.Helper()
	var lines []string
	for l, name := range found {
		lines = append(lines, fmt.Sprintf("%s %s %s\n", l.record, l.release, name))
	}
	slices.Sort(lines)
	list := strings.Join(lines, "")
	if *update {
		if err := os.WriteFile(recordTypes, []byte(list), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(recordTypes)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), list); diff != "" {
		t.Errorf("%s (-file +fixtures); go test -update writes it:\n%s", recordTypes, diff)
	}
}
