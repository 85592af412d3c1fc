package logdir_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{"kafka-log3/meta.properties": file(meta3), segment0: file(batches(t, 0, 10, 1))}
	for i := range 3000 {
		fsys[fmt.Sprintf("kafka-log3/t-%d/00000000000000000000.log", i)] = file("1")
	}
	tests := map[string]struct {
		opts    logdir.Options
		problem string
	}{
		"entries":     {logdir.Options{Entries: 2000}, "more than 2000 files and directories"},
		"depth":       {logdir.Options{Depth: 1}, "more than 1 directories deep"},
		"path":        {logdir.Options{PathBytes: 20}, "at most 20 are looked at"},
		"a batch":     {logdir.Options{Batch: batch.Limits{BatchBytes: 64}}, "expected a batch of at most 64 bytes"},
		"the log":     {logdir.Options{MetadataBytes: 100}, "expected at most 100 bytes"},
		"of problems": {logdir.Options{Depth: 1, Problems: 5}, "more than 5 problems"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := logdir.Read(fsys, test.opts)
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(messages(c.AllProblems()), "\n"); !strings.Contains(all, test.problem) {
				t.Errorf("got %.300q, want %q", all, test.problem)
			}
			if name == "of problems" && len(c.AllProblems()) > 6 {
				t.Errorf("got %d problems", len(c.AllProblems()))
			}
			if m := c.Dirs[0].Metadata; (name == "a batch" || name == "the log" || name == "depth") && m.EndKnown {
				t.Error("the end of a log that was not read is said to be known")
			}
		})
	}
}

// failing returns an error for some paths, as a broken disk or missing permission does.
type failing struct {
	fs.FS
	on  map[string]error
	bad map[string]bool // directories whose listing breaks off
}

func (f failing) Open(name string) (fs.File, error) {
	if err := f.on[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: "/mnt/secret/" + name, Err: err}
	}
	file, err := f.FS.Open(name)
	if err == nil && f.bad[name] {
		return brokenFile{file}, nil
	}
	return file, err
}

type brokenFile struct{ fs.File }

func (brokenFile) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Err: errors.New("input/output error")}
}
func (b brokenFile) ReadDir(n int) ([]fs.DirEntry, error) {
	entries, _ := b.File.(fs.ReadDirFile).ReadDir(1)
	return entries, &fs.PathError{Op: "readdirent", Err: errors.New("input/output error")}
}

func TestWhatCannotBeReadIsAProblemAndNotEmptiness(t *testing.T) {
	t.Parallel()
	volume := fstest.MapFS{
		"kafka-log3/meta.properties":         file(meta3),
		"kafka-log3/.kafka_cleanshutdown":    file("{}"),
		"kafka-log3/t-0/partition.metadata":  file("version: 0\ntopic_id: AQEBAQEBAQEBAQEBAQEBAQ"),
		segment0:                             file(batches(t, 0, 3, 1)),
		metadata + "quorum-state":            file(`{"leaderId":1,"leaderEpoch":3,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}`),
		metadata + "leader-epoch-checkpoint": file("0\n1\n1 0\n"),
		metadata + "partition.metadata":      file("version: 0\ntopic_id: AQEBAQEBAQEBAQEBAQEBAQ"),
		"lost+found/x":                       file(""),
		"other/x":                            file(""),
	}
	for _, name := range slices.Sorted(maps.Keys(volume)) {
		if logdir.Wanted(name, int64(len(volume[name].Data))).None() {
			continue
		}
		for kind, fsys := range map[string]fs.FS{
			"cannot be opened": failing{volume, map[string]error{name: fs.ErrPermission}, nil},
			"cannot be read":   failing{volume, nil, map[string]bool{name: true}},
		} {
			c := readAll(t, fsys)
			p := c.AllProblems()
			if len(p) != 1 || p[0].Path != name || strings.Contains(p[0].Message, "/mnt") {
				t.Errorf("%s %s: got %v", name, kind, messages(p))
			}
		}
	}
	for _, dir := range []string{"kafka-log3", "kafka-log3/t-0", path.Clean(metadata), "other"} {
		for kind, fsys := range map[string]fs.FS{
			"cannot be opened":   failing{volume, map[string]error{dir: fs.ErrPermission}, nil},
			"listing breaks off": failing{volume, nil, map[string]bool{dir: true}},
		} {
			c := readAll(t, fsys)
			if !slices.ContainsFunc(c.AllProblems(), func(p logdir.Problem) bool { return p.Path == dir }) {
				t.Errorf("%s %s: got %v", dir, kind, messages(c.AllProblems()))
			}
			if dir == "kafka-log3" && kind == "cannot be opened" && c.Dirs[0].MetaState != logdir.MetaUnreadable {
				t.Errorf("a log directory that cannot be listed: meta.properties is %s", c.Dirs[0].MetaState)
			}
			if dir == path.Clean(metadata) && c.Dirs[0].Metadata.EndKnown {
				t.Errorf("%s %s: the log's end is said to be known", dir, kind)
			}
		}
	}
	if c := readAll(t, failing{volume, map[string]error{"lost+found": fs.ErrPermission}, nil}); len(c.AllProblems()) > 0 {
		t.Errorf("lost+found is for root alone: got %v", messages(c.AllProblems()))
	}
	if _, err := logdir.Read(failing{volume, map[string]error{".": fs.ErrPermission}, nil}, logdir.Options{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("an unreadable root: got %v", err)
	}
	if c := readAll(t, failing{volume, nil, map[string]bool{".": true}}); len(c.Problems) == 0 {
		t.Error("a root whose listing breaks off is no problem")
	}
	if id := readAll(t, volume).Dirs[0].Metadata.TopicID; id != "AQEBAQEBAQEBAQEBAQEBAQ" {
		t.Errorf("a wrong topic ID of the metadata log: got %q", id)
	}
}

func TestLinksOfALocalVolumeAreNotFollowed(t *testing.T) {
	t.Parallel()
	outside, volume := t.TempDir(), t.TempDir()
	if err := os.WriteFile(path.Join(outside, "meta.properties"), []byte(meta3), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kafka-log3", "kafka-log4/t-0"} {
		if err := os.MkdirAll(path.Join(volume, path.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, path.Join(volume, name)); err != nil {
			t.Fatal(err)
		}
	}
	c := readAll(t, os.DirFS(volume))
	if len(c.Dirs) != 1 || c.Dirs[0].Path != "kafka-log4" || len(c.AllProblems()) != 2 || c.UsedBytes != 0 {
		t.Errorf("got %+v, problems %v", c, messages(c.AllProblems()))
	}
}

func TestNamesThatAreNoUTF8AreReported(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, name := range []string{"kafka-log\xff", "kafka-log3/\xfe-0", "kafka-log3/__cluster_metadata-0/\xfd"} {
		if err := os.MkdirAll(path.Join(root, name), 0o700); err != nil {
			t.Skipf("this file system takes no such names: %v", err)
		}
	}
	c := readAll(t, os.DirFS(root))
	got := strings.Join(messages(c.AllProblems()), "\n")
	for _, want := range []string{`kafka-log\xff`, `kafka-log3/\xfe-0`, `kafka-log3/__cluster_metadata-0/\xfd`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not name %s", got, want)
		}
	}
}
