package cmd

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// single is a volume of a real broker and controller, snapshotFile a snapshot with records of most types.
const (
	single       = "../pkg/kraft/logdir/testdata/single"
	snapshotFile = "../pkg/kraft/metadata/testdata/kafka/00000000000000000100-0000000005.checkpoint"
)

// ran is how a run of the program went.
type ran struct {
	code     exitcode.Code
	out, err string
}

// runOffline runs the program on streams that are no terminals, without a configuration file.
func runOffline(t *testing.T, stdin string, args ...string) ran {
	t.Helper()
	streams, in, out, errOut := iostreams.Test()
	in.WriteString(stdin)
	return runOn(t, streams, func() ran { return ran{out: out.String(), err: errOut.String()} }, args)
}

// runTerminal runs it on a terminal of 80 columns without colour.
func runTerminal(t *testing.T, args ...string) ran {
	t.Helper()
	streams, _, out, errOut := iostreams.Test()
	streams.SetTerminal(80)
	streams.Colour = iostreams.ColourNever
	return runOn(t, streams, func() ran { return ran{out: out.String(), err: errOut.String()} }, args)
}

func runOn(t *testing.T, streams *iostreams.Streams, result func() ran, args []string) ran {
	t.Helper()
	none := t.TempDir()
	args = append([]string{"kafkarecover"}, args...)
	f := NewFactory(args, streams, func(name string) string {
		if name == "XDG_CONFIG_HOME" || name == "HOME" {
			return none
		}
		return ""
	})
	f.Now = func() time.Time { return time.Date(2026, 5, 22, 10, 0, 0, 0, time.UTC) }
	code := run(context.Background(), args, f, nil)
	r := result()
	r.code = code
	return r
}

// golden compares with a file of testdata/golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run go test ./cmd -update and look at what it wrote", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestOfflineCommandsOnATerminal(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"metadata-summary":    "metadata summary " + snapshotFile,
		"metadata-topics":     "metadata topics -o wide " + snapshotFile,
		"metadata-brokers":    "metadata brokers " + snapshotFile,
		"metadata-users":      "metadata users " + snapshotFile,
		"metadata-acls":       "metadata acls " + snapshotFile,
		"metadata-configs":    "metadata configs " + snapshotFile,
		"metadata-ls":         "metadata ls " + snapshotFile + " image image/topics/byName",
		"metadata-cat":        "metadata cat " + snapshotFile + " image/topics/byName/*/name",
		"metadata-quorum":     "metadata quorum --dir " + single,
		"metadata-records":    "metadata records --dir " + single + " --type topic,feature-level",
		"metadata-groups":     "metadata groups --dir " + single,
		"metadata-offsets":    "metadata groups --dir " + single + " readers -o wide",
		"partition-ls":        "partition ls --dir " + single,
		"partition-segments":  "partition ls --dir " + single + " --segments",
		"partition-verify":    "partition verify --dir " + single,
		"partition-records":   "partition records --dir " + single + " s-none --from 3 --to 5",
		"storage-info":        "storage info --dir " + single,
		"volume-cat":          "volume cat --dir " + single + " kafka-log1/meta.properties",
		"partition-ls-wide":   "partition ls -o wide --dir " + single,
		"storage-info-wide":   "storage info -o wide " + single,
		"metadata-man":        "metadata man ls",
		"metadata-tree-local": "metadata find " + snapshotFile + " image/features",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runTerminal(t, strings.Fields(line)...)
			if r.code != exitcode.OK {
				t.Errorf("exit code %d: %s", r.code, r.err)
			}
			golden(t, name+".txt", r.out)
			for _, l := range strings.Split(r.out, "\n") {
				if strings.ContainsRune(l, '\x1b') {
					t.Errorf("an escape sequence without colour: %q", l)
				}
			}
		})
	}
}

// TestTablesFitATerminal looks at real volumes with the names that clusters have, on a terminal of 80 columns: nothing is
// wider, but for the data of records, which has lines of its own, and names in a list of files.
func TestTablesFitATerminal(t *testing.T) {
	t.Parallel()
	dir := volumes.Unpack(t, volumes.SplitRoles)
	controller := filepath.Join(dir, "data-0-my-cluster-controller-3")
	for _, line := range []string{
		"scan --dir " + dir, "metadata summary " + dir, "metadata topics " + dir, "metadata brokers " + dir,
		"metadata users " + dir, "metadata acls " + dir, "metadata configs " + dir, "metadata groups --dir " + dir,
		"metadata groups --offsets --dir " + dir, "metadata quorum " + dir, "metadata verify " + dir,
		"metadata diff " + controller + "@10 " + controller, "partition ls --dir " + dir,
		"partition ls --segments orders --dir " + dir, "partition verify --dir " + dir, "storage info --dir " + dir,
		"explain", "explain would-be-formatted", "scan --help", "restore --help", "partition ls --help",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			r := runTerminal(t, strings.Fields(line)...)
			lines := strings.Split(r.out, "\n")
			for _, l := range lines {
				if n := utf8.RuneCountInString(strings.ReplaceAll(l, dir, "DIR")); n > 80 {
					t.Errorf("%d columns: %s", n, l)
				}
			}
			if len(lines) < 2 {
				t.Errorf("nothing was printed: %s", r.err)
			}
		})
	}
}

// TestDataOfRecordsIsWhole: on a narrow terminal it stands below its record, in a pipe and on a wide one beside it.
func TestDataOfRecordsIsWhole(t *testing.T) {
	t.Parallel()
	args := strings.Fields("metadata records --type topic --topic s-none --dir " + single)
	const row = "       114      1 2026-11-24T09:02:00.487Z TOPIC_RECORD"
	const data = `{"name":"s-none","topicId":"jtYhVovwQQaXkPVyZXo3FA"}`
	if r := runTerminal(t, args...); !strings.Contains(r.out, row+"\n    "+data+"\n") {
		t.Errorf("80 columns:\n%s", r.out)
	}
	if r := runOffline(t, "", args...); !strings.Contains(r.out, row+strings.Repeat(" ", 21)+data+"\n") {
		t.Errorf("a pipe:\n%s", r.out)
	}
}

func TestOfflineCommandsForPrograms(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"metadata-topics": "metadata topics " + snapshotFile, "metadata-brokers": "metadata brokers " + snapshotFile,
		"metadata-users": "metadata users " + snapshotFile, "metadata-acls": "metadata acls " + snapshotFile,
		"metadata-configs": "metadata configs " + snapshotFile, "metadata-summary": "metadata summary " + snapshotFile,
		"metadata-quorum": "metadata quorum --dir " + single, "metadata-groups": "metadata groups --dir " + single,
		"partition-ls": "partition ls --segments --dir " + single, "partition-verify": "partition verify --dir " + single,
		"storage-info": "storage info --dir " + single, "volume-ls": "volume ls -R --dir " + single,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(line)
			r := runOffline(t, "", append(args, "-o", "json")...)
			var meta struct{ APIVersion, Kind string }
			if err := json.Unmarshal([]byte(r.out), &meta); err != nil || meta.APIVersion != "kafkarecover/v1" ||
				meta.Kind == "" {
				t.Errorf("code %d, %v: %s", r.code, err, r.out)
			}
			if names := runOffline(t, "", append(args, "-o", "name")...); names.code != exitcode.OK ||
				strings.Contains(strings.TrimSpace(names.out), " ") {
				t.Errorf("names: code %d, %q", names.code, names.out)
			}
			if y := runOffline(t, "", append(args, "-o", "yaml")...); !strings.Contains("\n"+y.out, "\napiVersion: kafkarecover/v1\n") {
				t.Errorf("yaml: %.80q", y.out)
			}
		})
	}
}

// Each line is one object and none of the secrets that the snapshot holds is in it, unless asked for.
func TestRecordsAsJSONLines(t *testing.T) {
	t.Parallel()
	r := runOffline(t, "", "metadata", "records", "-o", "jsonl", snapshotFile)
	if r.code != exitcode.OK {
		t.Fatalf("code %d: %s", r.code, r.err)
	}
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	for _, l := range lines {
		var one struct {
			File    string
			Offset  *int64
			Epoch   *int32
			Batch   *int64
			Payload struct {
				Type    string
				Version *int
				Data    map[string]any
			}
		}
		if err := json.Unmarshal([]byte(l), &one); err != nil || one.Offset == nil || one.Payload.Version == nil ||
			one.Payload.Type == "" {
			t.Fatalf("%v: %s", err, l)
		}
	}
	if len(lines) < 50 || !strings.Contains(r.out, `"salt":"(redacted)"`) {
		t.Errorf("%d lines, or a secret shown", len(lines))
	}
	shown := runOffline(t, "", "metadata", "records", "-o", "jsonl", "--show-secrets", snapshotFile)
	if strings.Contains(shown.out, "(redacted)") {
		t.Error("redacted though asked for")
	}
}

// The text is that recorded of kafka-dump-log, but for the path in its first line.
func TestRecordsAsKafkasToolPrintsThem(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile(snapshotFile + ".dump")
	if err != nil {
		t.Fatal(err)
	}
	r := runOffline(t, "", "metadata", "records", "-o", "kafka", "--show-secrets", snapshotFile)
	if diff := cmp.Diff(afterFirstLine(string(want)), afterFirstLine(r.out)); diff != "" || r.code != exitcode.OK {
		t.Errorf("code %d (-Kafka's +ours):\n%s", r.code, diff)
	}
}

func afterFirstLine(s string) string {
	_, rest, _ := strings.Cut(s, "\n")
	return rest
}

func TestPartitionRecordsForPrograms(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"partition-records.jsonl":  "-o jsonl --limit 2 s-none",
		"partition-records-hex":    "-o jsonl --value-format hex --key-format base64 --limit 1 s-none-0",
		"partition-records-kafka":  "-o kafka --from 38 s-none",
		"partition-offsets.jsonl":  "-o jsonl --limit 2 __consumer_offsets",
		"partition-records.limits": "--from 2026-11-24 --to 2026-11-24T09:02:00.630Z s-none",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := runOffline(t, "", append([]string{"partition", "records", "--dir", single}, strings.Fields(line)...)...)
			if r.code != exitcode.OK {
				t.Errorf("code %d: %s", r.code, r.err)
			}
			golden(t, name, r.out)
		})
	}
	meta := runOffline(t, "", "partition", "records", "--dir", single, "__cluster_metadata")
	if meta.out != "" || !strings.Contains(meta.err, `"metadata records" prints it`) {
		t.Errorf("secrets of the metadata log may be shown: %q %q", meta.out, meta.err)
	}
}

func TestShellReadsCommandsFromAPipe(t *testing.T) {
	t.Parallel()
	r := runOffline(t, "cd image/topics/byName\npwd\nls orders\nexit\nls\n", "metadata", "shell", "--dir", snapshotFile)
	if r.code != exitcode.OK || !strings.HasPrefix(r.out, "/image/topics/byName\n0\n") || strings.Contains(r.out, "byId") {
		t.Errorf("code %d: %q %q", r.code, r.out, r.err)
	}
}

// damagedVolume is a volume with a flipped bit in a partition and names that would act on a terminal.
func damagedVolume(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	records := []batch.Record{{Value: []byte("value\x1b[31m"), Key: []byte("k\x07")}}
	data, err := batch.Append(nil, batch.NewHeader(0, 0, records), records)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, data...)
	flipped[len(flipped)-1] ^= 1
	for name, content := range map[string][]byte{
		"meta.properties":                        []byte("version=1\ncluster.id=c\nnode.id=1\n"),
		"evil\x1b[2J-0/00000000000000000000.log": data, "broken-0/00000000000000000000.log": flipped,
		"torn-0/00000000000000000000.log": data[:len(data)-1],
	} {
		file := filepath.Join(dir, "kafka-log1", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestHostileNamesAndValuesNeverReachATerminal(t *testing.T) {
	t.Parallel()
	dir := damagedVolume(t)
	for _, line := range []string{
		"partition ls", "partition ls --segments", "partition records", "partition verify", "volume ls -R", "storage info",
		"volume cat kafka-log1/evil\x1b[2J-0/00000000000000000000.log", "volume cat nothing\x1b[2J", "partition ls x\x1b[2J",
		"metadata groups x\x1b[2J", "metadata quorum", "metadata verify",
	} {
		r := runTerminal(t, append(strings.Split(line, " "), "--dir", dir)...)
		if strings.Contains(r.out, "\x1b[2J") || strings.Contains(r.err, "\x1b[2J") || strings.ContainsRune(r.out, '\a') ||
			strings.Contains(r.out, "\x1b[31m") {
			t.Errorf("%q: %q %q", line, r.out, r.err)
		}
	}
	r := runTerminal(t, "partition", "records", "--dir", dir)
	if !strings.Contains(r.out, `value\x1b[31m`) || r.code != exitcode.Incomplete {
		t.Errorf("code %d: %s", r.code, r.out)
	}
}

func TestOfflineExitCodes(t *testing.T) {
	t.Parallel()
	damaged, empty := damagedVolume(t), t.TempDir()
	copies := t.TempDir()
	for _, name := range []string{"data-0-a-b-0", "data-1-a-b-0"} {
		if err := os.CopyFS(filepath.Join(copies, name), os.DirFS(single)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(empty, filepath.Join(copies, "data-2-a-b-0")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		line string
		code exitcode.Code
		says string
	}{
		{"partition ls", exitcode.Usage, "name the volume"},
		{"partition ls --dir " + empty, exitcode.NotFound, "no Kafka volume"},
		{"partition ls --dir " + empty + "/gone", exitcode.NotFound, "no such file"},
		{"partition ls nothing --dir " + single, exitcode.NotFound, "no topic partition named so (nothing)"},
		{"partition ls --dir " + copies, exitcode.Incomplete, "symbolic link"},
		{"partition ls --dir " + single + "/kafka-log1/s-none-0", exitcode.OK, ""},
		{"partition ls --dir " + single + "/kafka-log1/s-none-0/00000000000000000000.log", exitcode.OK, ""},
		{"partition ls --dir " + single + "/kafka-log1/meta.properties", exitcode.Usage, "is no segment"},
		{"partition ls --dir " + single + "/kafka-log1/s-none-0/partition.metadata", exitcode.Usage, "is no segment"},
		{"partition records --from yesterday --dir " + single, exitcode.Usage, "neither an offset nor a time"},
		{"partition records --to yesterday --dir " + single, exitcode.Usage, "neither an offset nor a time"},
		{"partition records --limit -1 --dir " + single, exitcode.Usage, "--limit takes"},
		{"partition records --value-format xml --dir " + single, exitcode.Usage, "is none of string, hex, base64, json"},
		{"partition verify --dir " + damaged, exitcode.Refused, "2 issue(s)"},
		{"partition verify --dir " + copies, exitcode.Incomplete, "symbolic link"},
		{"partition", exitcode.OK, ""},
		{"partition verfy", exitcode.Usage, "did you mean verify"},
		{"storage info", exitcode.Usage, "name the volume"},
		{"storage info --dir " + copies, exitcode.Refused, "problem(s)"},
		{"storage format", exitcode.Usage, "required flag"},
		{"storage random-uuid x", exitcode.Usage, ""},
		{"volume cat --dir " + single, exitcode.Usage, "requires at least 1 arg"},
		{"volume cat nothing --dir " + single, exitcode.NotFound, "on none of the 1 volume(s)"},
		{"volume cat kafka-log1 --dir " + single, exitcode.Error, "no regular file"},
		{"volume cat kafka-log1/meta.properties --dir " + copies, exitcode.Refused, "none is chosen for you; name one:"},
		{"volume cat data-0-a-b-0:kafka-log1/meta.properties --dir " + copies, exitcode.Incomplete, "symbolic link"},
		{"volume ls ../../x --dir " + single, exitcode.NotFound, ""},
		{"metadata groups", exitcode.Usage, "name the volume"},
		{"metadata groups nobody --dir " + single, exitcode.NotFound, "1 of the 1 groups named"},
		{"metadata groups --dir " + damaged, exitcode.NotFound, "no partition of __consumer_offsets"},
		{"metadata groups --dir " + single + "/kafka-log1/s-none-0", exitcode.NotFound, "no partition of __consumer_offsets"},
		{"metadata summary", exitcode.Usage, "name a file or folder"},
		{"metadata summary " + copies, exitcode.Incomplete, "symbolic link"},
		{"metadata summary " + single + "/kafka-log1/meta.properties", exitcode.Usage, "is named neither"},
		{"metadata summary " + empty, exitcode.NotFound, ""},
		{"metadata topics --at -1 " + snapshotFile, exitcode.Usage, "--at takes"},
		{"metadata records --type nothing " + snapshotFile, exitcode.Usage, "no record has that type"},
		{"metadata records --from x " + snapshotFile, exitcode.Usage, "neither an offset nor a time"},
		{"metadata cat " + snapshotFile + " image/nothing", exitcode.NotFound, "not found"},
		{"metadata cat " + snapshotFile, exitcode.Usage, "name the nodes"},
		{"metadata man nothing", exitcode.NotFound, "no such command"},
		{"metadata diff " + single + "@100 " + single, exitcode.Refused, ""},
		{"metadata diff " + single + " " + single, exitcode.OK, ""},
		{"metadata quorum", exitcode.Usage, "name the folder"},
		{"metadata quorum --dir " + damaged, exitcode.NotFound, "no metadata log"},
		{"metadata quorum --dir " + empty, exitcode.NotFound, ""},
		{"metadata verify", exitcode.Usage, "name the folder"},
		{"metadata verify --dir " + damaged, exitcode.Refused, "issue(s)"},
		{"metadata verify --dir " + copies, exitcode.Refused, "could not be read"},
	} {
		t.Run(c.line, func(t *testing.T) {
			t.Parallel()
			r := runOffline(t, "", strings.Fields(c.line)...)
			if r.code != c.code || !strings.Contains(r.err, c.says) {
				t.Errorf("exit code %d, want %d; stderr %q, want %q in it", r.code, c.code, r.err, c.says)
			}
		})
	}
}

func TestVolumeGetCopiesAndNeverReplaces(t *testing.T) {
	t.Parallel()
	to := filepath.Join(t.TempDir(), "copy")
	r := runOffline(t, "", "volume", "get", "--dir", single, "kafka-log1", to)
	if r.code != exitcode.OK || !strings.Contains(r.out, "copied ") {
		t.Fatalf("code %d: %s%s", r.code, r.out, r.err)
	}
	want, got := fileBytes(t, single+"/kafka-log1"), fileBytes(t, to)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the copy differs (-volume +copy):\n%s", diff)
	}
	if r := runOffline(t, "", "volume", "get", "--dir", single, "kafka-log1", to); r.code != exitcode.Refused {
		t.Errorf("copied over what was there: code %d", r.code)
	}
	if r := runOffline(t, "", "volume", "get", "--dir", single, "kafka-log1/meta.properties", to+"/no/such"); r.code != exitcode.Error {
		t.Errorf("copied to nowhere: code %d", r.code)
	}
	linked := t.TempDir()
	if err := os.CopyFS(filepath.Join(linked, "v"), os.DirFS(single)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(linked, "v", "kafka-log1", "link")); err != nil {
		t.Fatal(err)
	}
	r = runOffline(t, "", "volume", "get", "--dir", linked, "/", to+"-2")
	if r.code != exitcode.Incomplete || !strings.Contains(r.err, "is a link or special file") {
		t.Errorf("code %d: %s", r.code, r.err)
	}
	if _, err := os.Lstat(to + "-2/kafka-log1/link"); err == nil {
		t.Error("a link was copied")
	}
}

func fileBytes(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
