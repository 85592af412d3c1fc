// Package schema_test holds the schemas of docs/schema against what commands really print.
package schema_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kafkarecover/kafkarecover/cmd"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/test/schema"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

const (
	// volume was written by a real broker and controller in one.
	volume = "../../pkg/kraft/logdir/testdata/single"
	logDir = volume + "/kafka-log1"
	// snapshots holds a snapshot with every kind of record.
	snapshot = "../../pkg/kraft/metadata/testdata/kafka/00000000000000000100-0000000005.checkpoint"
)

// run is a command and the kind of what it prints.
type run struct {
	kind string
	args []string
	code exitcode.Code
}

// runs print every kind that needs no cluster.
func runs(t *testing.T) []run {
	t.Helper()
	empty := t.TempDir()
	return []run{
		{"Version", []string{"version"}, exitcode.OK},
		{"Rules", []string{"explain"}, exitcode.OK},
		{"Manifests", []string{"export", "manifests", "--dir", volumes.Unpack(t, volumes.SplitRoles)}, exitcode.OK},
		{"MetadataSummary", []string{"metadata", "summary", "--dir", volume}, exitcode.OK},
		{"MetadataSummary", []string{"metadata", "summary", snapshot}, exitcode.OK},
		{"MetadataTopics", []string{"metadata", "topics", "--dir", volume}, exitcode.OK},
		{"MetadataTopics", []string{"metadata", "topics", snapshot}, exitcode.OK},
		{"MetadataBrokers", []string{"metadata", "brokers", "--dir", volume}, exitcode.OK},
		{"MetadataBrokers", []string{"metadata", "brokers", snapshot}, exitcode.OK},
		{"MetadataUsers", []string{"metadata", "users", snapshot}, exitcode.OK},
		{"MetadataACLs", []string{"metadata", "acls", snapshot}, exitcode.OK},
		{"MetadataConfigs", []string{"metadata", "configs", snapshot}, exitcode.OK},
		{"MetadataGroups", []string{"metadata", "groups", "--dir", volume}, exitcode.OK},
		{"MetadataQuorum", []string{"metadata", "quorum", "--dir", volume}, exitcode.OK},
		// The volume holds only some of the partitions its log tells of.
		{"MetadataVerify", []string{"metadata", "verify", "--dir", volume}, exitcode.Refused},
		{"MetadataDiff", []string{"metadata", "diff", snapshot, logDir}, exitcode.Refused},
		{"PartitionList", []string{"partition", "ls", "--dir", volume}, exitcode.OK},
		{"PartitionVerify", []string{"partition", "verify", "--dir", volume}, exitcode.OK},
		{"StorageInfo", []string{"storage", "info", "--dir", volume}, exitcode.OK},
		{
			"StorageFormat", []string{
				"storage", "format", "--dir", filepath.Join(empty, "log"), "--cluster-id", "AAAAAAAAAAAAAAAAAAAAAA",
				"--node-id", "1", "--release-version", "4.2",
			}, exitcode.OK,
		},
		{"VolumeFiles", []string{"volume", "ls", "--dir", volume}, exitcode.OK},
		{
			"VolumeCopy", []string{"volume", "get", "--dir", volume, "kafka-log1/meta.properties", filepath.Join(empty, "copy")},
			exitcode.OK,
		},
		{"Scan", []string{"scan", "--dir", volume, "--fail-on", "never"}, exitcode.OK},
	}
}

// onCluster are the kinds that only commands on a cluster print: test/recovery checks every result of a restore, of
// taking it back and of stopping, a plan, and what status and report tell of an operation; commands on a stand-in for
// the API server are tried below.
func onCluster() []string {
	return []string{
		"Leftovers", "Plan", "Protection", "Report", "Restore", "Status", "Stop", "Undo", "Unprotection",
	}
}

func TestOutputsFollowTheirSchemas(t *testing.T) {
	for _, r := range runs(t) {
		t.Run(strings.Join(r.args[:min(2, len(r.args))], " "), func(t *testing.T) {
			follows(t, r.kind, execute(t, r))
		})
	}
}

// follows requires a result of a kind that follows its schema.
func follows(t *testing.T, kind string, printed []byte) {
	t.Helper()
	if got := object(t, printed)["kind"]; got != kind {
		t.Errorf("kind is %v, want %s", got, kind)
	}
	if err := schema.Check(printed); err != nil {
		t.Error(err)
	}
}

func TestEveryKindIsTried(t *testing.T) {
	tried := onCluster()
	for _, r := range runs(t) {
		tried = append(tried, r.kind)
	}
	dir, err := schema.Dir()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if kind := strings.TrimSuffix(e.Name(), ".json"); !slices.Contains(tried, kind) {
			t.Errorf("no command is run that prints %s", kind)
		}
	}
}

// TestTheStrictFormRefusesUnknownFields proves that the check above can fail.
func TestTheStrictFormRefusesUnknownFields(t *testing.T) {
	value := object(t, execute(t, run{"Version", []string{"version"}, exitcode.OK}))
	value["surprise"] = true
	if schema.CheckValue(value) == nil {
		t.Error("the check lets an unknown field pass")
	}
	if compile(t, "Version", false).Validate(value) != nil {
		t.Error("the published schema must let later fields pass")
	}
	if compile(t, "Version", true).Validate(value) == nil {
		t.Error("the strict form lets an unknown field pass")
	}
	delete(value, "surprise")
	delete(value, "go")
	if compile(t, "Version", false).Validate(value) == nil {
		t.Error("a required field may be missing")
	}
}

func compile(t *testing.T, kind string, strict bool) *jsonschema.Schema {
	t.Helper()
	s, err := schema.Compile(kind, strict)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// execute runs a command in an empty home and returns what it prints as JSON.
func execute(t *testing.T, r run) []byte {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("XDG_STATE_HOME", home)
	streams, _, out, errOut := iostreams.Test()
	args := append(append([]string{"kafkarecover"}, r.args...), "-o", "json")
	if code := cmd.Main(context.Background(), args, streams); code != r.code {
		t.Fatalf("exit code %d, want %d: %s", code, r.code, errOut)
	}
	return out.Bytes()
}

func object(t *testing.T, printed []byte) map[string]any {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal(printed, &value); err != nil {
		t.Fatalf("no JSON object: %v\n%s", err, printed)
	}
	return value
}
