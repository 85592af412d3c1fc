package logdir_test

import (
	"io/fs"
	"os"
	"testing"
	"testing/fstest"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

// TestALogDirectoryOfAnyName reads what a real node wrote, under names that log.dirs has outside of Strimzi.
func TestALogDirectoryOfAnyName(t *testing.T) {
	t.Parallel()
	written, err := fs.Sub(os.DirFS("testdata/single"), "kafka-log1")
	if err != nil {
		t.Fatal(err)
	}
	volume := fstest.MapFS{"lost+found/x": {Data: []byte("x")}, "data/other.txt": {Data: []byte("y")}}
	err = fs.WalkDir(written, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := fs.ReadFile(written, name)
		volume["kraft/"+name] = &fstest.MapFile{Data: content}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := logdir.Read(volume, logdir.Options{AnyName: true})
	if err != nil || len(got.Dirs) != 1 || got.Dirs[0].Path != "kraft" || got.Dirs[0].Meta == nil ||
		got.Dirs[0].Metadata == nil || got.Dirs[0].Metadata.Empty || len(got.Dirs[0].Partitions) == 0 {
		t.Errorf("want the log directory %q with all that is in it, got %v, %+v", "kraft", err, got)
	}
	if len(got.Other) != 2 {
		t.Errorf("what is no log directory is told apart: %v", got.Other)
	}
	numbered, err := logdir.Read(os.DirFS("testdata/single"), logdir.Options{AnyName: true})
	if err != nil || len(numbered.Dirs) != 1 || numbered.Dirs[0].NodeIDInName != nil {
		t.Errorf("a number in a name is no node's: %v, %+v", err, numbered)
	}
	strimzi, err := logdir.Read(volume, logdir.Options{})
	if err != nil || len(strimzi.Dirs) != 0 {
		t.Errorf("a folder that Strimzi's nodes never look into is none of theirs: %v, %+v", err, strimzi)
	}
	for name, wanted := range map[string]bool{
		"kraft/meta.properties": true, "kraft/__cluster_metadata-0/00000000000000000000.log": true,
		"kraft/orders-0/partition.metadata": true, "kraft/orders-0/00000000000000000000.log": false, "kraft/notes.txt": false,
	} {
		if got := !logdir.WantedOfAny(name, 40).None(); got != wanted {
			t.Errorf("%s is fetched: %t", name, got)
		}
	}
}
