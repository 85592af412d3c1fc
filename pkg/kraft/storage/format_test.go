package storage_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/storage"
)

const clusterID = "5L6g3nShT-eMCtK--X86sw"

func options(dirs ...string) storage.FormatOptions {
	return storage.FormatOptions{
		Dirs: dirs, ClusterID: clusterID, NodeID: 1, Release: 29,
		Now:    func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) },
		Random: rand.NewChaCha8([32]byte{1}),
	}
}

// files returns the content of every file below a directory.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		out[name], err = os.ReadFile(filepath.Join(dir, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var (
	dateLine    = regexp.MustCompile(`(?m)^#[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d UTC \d{4}$`)
	directoryID = regexp.MustCompile(`(?m)^directory\.id=[A-Za-z0-9_-]{22}$`)
)

// timeless returns the file with what has to differ from run to run set to zero: times, and IDs that are random. What
// is left has to be the same byte for byte.
func timeless(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	if filepath.Base(name) == "meta.properties" {
		data = dateLine.ReplaceAll(data, []byte("#DATE"))
		return directoryID.ReplaceAll(data, []byte("directory.id=ID"))
	}
	var out []byte
	r := batch.NewBytesReader(data, batch.Options{})
	for r.Next() {
		h := r.Batch().Header
		h.BaseTimestamp, h.MaxTimestamp = 0, 0
		it, err := r.Batch().Records()
		if err != nil {
			t.Fatal(err)
		}
		var records []batch.Record
		for it.Next() {
			rec := *it.Record()
			rec.Timestamp -= r.Batch().BaseTimestamp
			if h.IsControl() && rec.Key[3] == byte(batch.SnapshotHeader) {
				rec.Value = bytes.Clone(rec.Value)
				if binary.BigEndian.Uint64(rec.Value[2:]) != 0 {
					binary.BigEndian.PutUint64(rec.Value[2:], 1)
				}
			}
			records = append(records, rec)
		}
		if out, err = batch.Append(out, h, records); err != nil || it.Err() != nil {
			t.Fatal(err, it.Err())
		}
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	if len(out) != len(data) {
		t.Fatalf("%s: %d bytes without times, %d with", name, len(out), len(data))
	}
	return out
}

func controllers(t *testing.T, text string) []storage.Controller {
	t.Helper()
	c, err := storage.ParseControllers(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFormatWritesTheBytesOfKafka(t *testing.T) {
	t.Parallel()
	dynamic := func(o *storage.FormatOptions, text string) {
		o.NodeID, o.Dynamic = 3, true
		if text != "" {
			o.Controllers, o.ListenerName = controllers(t, text), "CONTROLPLANE-9090"
		}
	}
	const salt = "MWx2NHBkbnc0ZndxN25vdGN4bTB5Y3lxcA=="
	tests := map[string]func(*storage.FormatOptions){
		"static": func(*storage.FormatOptions) {},
		"r37":    func(o *storage.FormatOptions) { o.Release = 19 },
		"scram": func(o *storage.FormatOptions) {
			o.Scram = []string{
				`SCRAM-SHA-256=[name=alice,password="alice-secret",salt="` + salt + `",iterations=8192]`,
				`SCRAM-SHA-512=[name=bob,salt="` + salt + `",saltedpassword="mT0yyUUxnlJaC99HXgRTSYlbuqa4FSGtJCJfTMvjYCE="]`,
			}
		},
		"feat": func(o *storage.FormatOptions) {
			o.Release = 25
			o.Features = map[string]int16{"eligible.leader.replicas.version": 0, "transaction.version": 1}
		},
		"noninit": func(o *storage.FormatOptions) { dynamic(o, "") },
		"init": func(o *storage.FormatOptions) {
			dynamic(o, "3@c3.example:9090:AQEBAQEBAQEBAQEBAQEBAQ,5@c5.example:9090:AwMDAwMDAwMDAwMDAwMDAw,"+
				"4@c4.example:9090:AgICAgICAgICAgICAgICAg")
		},
	}
	for _, kafka := range []struct {
		version string
		release int16
	}{{"4.2.0", 29}, {"3.9.1", 21}} {
		for name, set := range tests {
			want := filepath.Join("testdata", "kafka-"+kafka.version, name)
			if _, err := os.Stat(want); err != nil {
				if name == "feat" && kafka.version == "3.9.1" {
					continue // that release has none of these features
				}
				t.Fatal(err)
			}
			t.Run(kafka.version+"/"+name, func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(t.TempDir(), "kafka-log")
				o := options(dir)
				o.Release = kafka.release
				set(&o)
				if _, err := storage.Format(o); err != nil {
					t.Fatal(err)
				}
				compare(t, files(t, want), files(t, dir))
			})
		}
	}
}

func compare(t *testing.T, want, got map[string][]byte) {
	t.Helper()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Fatalf("files (-Kafka +this):\n%s", diff)
	}
	for name := range want {
		if diff := cmp.Diff(timeless(t, name, want[name]), timeless(t, name, got[name])); diff != "" {
			t.Errorf("%s (-Kafka +this):\n%s", name, diff)
		}
	}
}

func TestFormatOfSeveralDirectoriesPutsTheVotersOnTheMetadataOne(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	o := options(filepath.Join(root, "jb1"), filepath.Join(root, "jb0"))
	o.MetadataDir = filepath.Join(root, "jb1") + "/"
	o.NodeID, o.Dynamic, o.ListenerName = 3, true, "CONTROLPLANE-9090"
	o.Controllers = controllers(t, "3@c3.example:9090:AQEBAQEBAQEBAQEBAQEBAQ")
	result, err := storage.Format(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"jb0", "jb1"} {
		compare(t, files(t, filepath.Join("testdata", "kafka-4.2.0", name)), files(t, filepath.Join(root, name)))
	}
	for i, want := range []struct{ name, kind string }{
		{"jb0", "data directory"}, {"jb1", "dynamic metadata voter directory"},
	} {
		if d := result.Dirs[i]; filepath.Base(d.Path) != want.name || d.Type != want.kind {
			t.Errorf("directory %d: got %+v, want %+v", i, d, want)
		}
	}
	if id := result.Dirs[1].DirectoryID; id != "AQEBAQEBAQEBAQEBAQEBAQ" {
		t.Errorf("the voter's directory ID: got %s, want the one among the controllers", id)
	}
	info, err := os.Stat(filepath.Join(root, "jb1", logdir.MetadataDir, "00000000000000000000-0000000000.checkpoint"))
	if err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("the snapshot's mode: got %v, %v; Kafka makes snapshots read-only", info, err)
	}
	c, err := logdir.Read(os.DirFS(filepath.Join(root, "jb1")), logdir.Options{})
	if err != nil || len(c.Dirs) != 1 || len(c.AllProblems()) > 0 || c.Dirs[0].Metadata.Voters == nil {
		t.Errorf("what was formatted reads as %+v, %v", c, err)
	}
}

func TestABrokerOfADynamicQuorumGetsTheVotersToo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	o := options(dir)
	o.NodeID, o.Dynamic, o.ListenerName = 9, true, "C"
	o.Controllers = controllers(t, "3@[::1]:9090:AQEBAQEBAQEBAQEBAQEBAQ")
	result, err := storage.Format(o)
	if err != nil || result.Dirs[0].Type != "dynamic metadata directory" || len(result.Dirs[0].Files) != 3 {
		t.Errorf("got %+v, %v", result, err)
	}
}

func TestFormatTouchesNothingThatIsNotEmpty(t *testing.T) {
	t.Parallel()
	for name, occupy := range map[string]func(dir string) error{
		"a file":        func(dir string) error { return os.WriteFile(filepath.Join(dir, "x\x1b"), nil, 0o600) },
		"a formatted":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "meta.properties"), nil, 0o600) },
		"lost+found":    func(dir string) error { return os.Mkdir(filepath.Join(dir, "lost+found"), 0o700) },
		"only metadata": func(dir string) error { return os.Mkdir(filepath.Join(dir, "__cluster_metadata-0"), 0o700) },
		"a hidden file": func(dir string) error { return os.WriteFile(filepath.Join(dir, ".lock"), nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			empty, full := t.TempDir(), t.TempDir()
			if err := occupy(full); err != nil {
				t.Fatal(err)
			}
			before := files(t, full)
			_, err := storage.Format(options(empty, full))
			if !errors.Is(err, storage.ErrNotEmpty) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("got %v, want a refusal", err)
			}
			if diff := cmp.Diff(before, files(t, full)); diff != "" {
				t.Errorf("the directory changed:\n%s", diff)
			}
			if left := files(t, empty); len(left) > 0 {
				t.Errorf("the empty directory beside it was written to: %v", slices.Collect(maps.Keys(left)))
			}
		})
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Format(options(link)); err == nil {
		t.Error("a link was followed")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := storage.Format(options(dir)); err == nil {
			t.Errorf("%s was formatted", dir)
		}
	}
}

func TestFormatRefusesWhatKafkaRefuses(t *testing.T) {
	t.Parallel()
	one := []storage.Controller{{ID: 1, DirectoryID: metadata.UUID{1}, Host: "h", Port: 1}}
	tests := map[string]struct {
		change  func(*storage.FormatOptions)
		message string
	}{
		"no directory":       {func(o *storage.FormatOptions) { o.Dirs = nil }, "at least one directory"},
		"a directory twice":  {func(o *storage.FormatOptions) { o.Dirs = []string{"/a", "/a/"} }, "twice"},
		"no cluster ID":      {func(o *storage.FormatOptions) { o.ClusterID = "" }, "specify the cluster id"},
		"a negative node ID": {func(o *storage.FormatOptions) { o.NodeID = -1 }, "valid non-negative node ID"},
		"metadata elsewhere": {func(o *storage.FormatOptions) { o.MetadataDir = "/other" }, "was not one of the given directories"},
		"no listener":        {func(o *storage.FormatOptions) { o.Dynamic, o.Controllers = true, one }, "initial controller listener"},
		"an unknown release": {func(o *storage.FormatOptions) { o.Release = 99 }, "from 7 to 30"},
		"an unknown feature": {func(o *storage.FormatOptions) { o.Features = map[string]int16{"x": 1} }, `unsupported feature "x"`},
		"a level too high":   {func(o *storage.FormatOptions) { o.Features = map[string]int16{"group.version": 2} }, "no level 2"},
		"a missing dependency": {func(o *storage.FormatOptions) {
			o.Release, o.Features = 20, map[string]int16{"eligible.leader.replicas.version": 1}
		}, "depends on metadata.version level 23"},
		"kraft.version static": {func(o *storage.FormatOptions) { o.Features = map[string]int16{"kraft.version": 1} }, "cannot set kraft.version to 1"},
		"kraft.version 0":      {func(o *storage.FormatOptions) { o.Dynamic, o.Features = true, map[string]int16{"kraft.version": 0} }, "cannot set kraft.version to 0"},
		"kraft.version 5":      {func(o *storage.FormatOptions) { o.Features = map[string]int16{"kraft.version": 5} }, "no level 5"},
		"SCRAM too early":      {func(o *storage.FormatOptions) { o.Release, o.Scram = 10, []string{"x"} }, "3.5-IV2 or later"},
		"SCRAM nonsense":       {func(o *storage.FormatOptions) { o.Scram = []string{"x"} }, "equals sign"},
		"no randomness":        {func(o *storage.FormatOptions) { o.Random = strings.NewReader("") }, "random ID"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "d")
			o := options(dir)
			test.change(&o)
			_, err := storage.Format(o)
			if err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got %v, want %q", err, test.message)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the directory was made all the same: %v", err)
			}
		})
	}
}

func TestScramArguments(t *testing.T) {
	t.Parallel()
	for argument, message := range map[string]string{
		"SCRAM-SHA-1=[name=a,password=b]":                              "not supported",
		"SCRAM-SHA-256=name=a":                                         "in [ and ]",
		"SCRAM-SHA-256=[name]":                                         "without equals sign",
		"SCRAM-SHA-256=[password=secret]":                              "supply 'name'",
		"SCRAM-SHA-256=[name=a]":                                       "one of 'password' or 'saltedpassword'",
		"SCRAM-SHA-256=[name=a,saltedpassword=c2VjcmV0]":               "supply 'salt'",
		"SCRAM-SHA-256=[name=a,salt=c2VjcmV0,saltedpassword=!!secret]": "salted password cannot be used",
		"SCRAM-SHA-256=[name=a,salt=!!,password=secret]":               "salt is no base64",
		"SCRAM-SHA-256=[name=a,password=secret,iterations=1]":          "4096 to 16384",
		"SCRAM-SHA-256=[name=a,password=secret,color=blue]":            "unknown settings color",
		"SCRAM-SHA-512=[name=a,password=secret]":                       "",
	} {
		o := options(filepath.Join(t.TempDir(), "d"))
		o.Scram = []string{argument}
		_, err := storage.Format(o)
		if (err == nil) != (message == "") || err != nil && !strings.Contains(err.Error(), message) {
			t.Errorf("%s: got %v, want %q", argument, err, message)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the password: %v", argument, err)
		}
	}
	o := options(filepath.Join(t.TempDir(), "d"))
	o.Scram, o.Random = []string{"SCRAM-SHA-512=[name=a,password=b]"}, strings.NewReader("short")
	if _, err := storage.Format(o); err == nil || !strings.Contains(err.Error(), "make a salt") {
		t.Errorf("without randomness: got %v", err)
	}
}

func TestReleasesAndFeaturesAreReadAsKafkaReadsThem(t *testing.T) {
	t.Parallel()
	// MetadataVersion.fromVersionString of Kafka 4.2.0 and 4.3.1.
	for text, want := range map[string]int16{
		"3.3": 7, "3.7": 19, "3.7-IV2": 17, "3.9": 21, "4.0": 25, "4.0.1": 25, "4.2": 29, "4.2-IV0": 28, "4.3": 30,
		"4.4": 0, "": 0, "3.2": 0, "4": 0, "4.2-IV": 0,
	} {
		got, err := storage.ParseRelease(text)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	if name, level, err := storage.ParseFeature("group.version = 1"); name != "group.version" || level != 1 || err != nil {
		t.Errorf("got %q %d %v", name, level, err)
	}
	for _, text := range []string{"group.version", "group.version=x"} {
		if _, _, err := storage.ParseFeature(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestControllersAreReadAsKafkaReadsThem(t *testing.T) {
	t.Parallel()
	got := controllers(t, "1@[::1]:9:AQEBAQEBAQEBAQEBAQEBAQ, 0@h:8:AgICAgICAgICAgICAgICAg")
	if len(got) != 2 || got[0].ID != 0 || got[1].Host != "::1" || got[1].Port != 9 {
		t.Errorf("got %+v", got)
	}
	for _, text := range []string{
		"", "1", "1@h", "1@h:9", "x@h:9:AQEBAQEBAQEBAQEBAQEBAQ", "-1@h:9:AQEBAQEBAQEBAQEBAQEBAQ", "1@:9:AQEBAQEBAQEBAQEBAQEBAQ",
		"1@h:99999:AQEBAQEBAQEBAQEBAQEBAQ", "1@h:9:short", "1@h:9:AAAAAAAAAAAAAAAAAAAAAQ",
		"1@h:9:AQEBAQEBAQEBAQEBAQEBAQ,1@i:9:AgICAgICAgICAgICAgICAg", "1@h:9:AQEBAQEBAQEBAQEBAQEBAQ,2@i:9:AQEBAQEBAQEBAQEBAQEBAQ",
	} {
		if c, err := storage.ParseControllers(text); err == nil {
			t.Errorf("%q: got %+v", text, c)
		}
	}
}

func TestRandomIDs(t *testing.T) {
	t.Parallel()
	random := rand.NewChaCha8([32]byte{2})
	for range 2000 {
		id, err := storage.RandomUUID(random)
		if err != nil || id.String()[0] == '-' || id[6]>>4 != 4 || id[8]>>6 != 2 {
			t.Fatalf("got %s, %v", id, err)
		}
	}
}
