package scan_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// What Kafka noted of a cleanly stopped broker's partitions is where the batches in its segments end.
func TestWhatAVolumeHoldsIsWhatItsBatchesSay(t *testing.T) {
	t.Parallel()
	root := volumes.Unpack(t, volumes.SplitRoles)
	partitions, records := 0, 0
	for _, claim := range []string{"data-0-my-cluster-broker-0", "data-1-my-cluster-broker-0"} {
		fsys := os.DirFS(filepath.Join(root, claim))
		contents, err := logdir.Read(fsys, logdir.Options{})
		if err != nil {
			t.Fatal(err)
		}
		held := scan.HeldOn(contents, fsys)
		if held.Problem != "" {
			t.Errorf("%s: %s", claim, held.Problem)
		}
		for _, h := range held.Partitions {
			segments, err := partition.Segments(fsys, h.Dir)
			if err != nil {
				t.Fatal(err)
			}
			extent, err := partition.MeasureLog(fsys, segments, true, batch.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(h.Dir, "-delete") { // no longer in the checkpoint
				continue
			}
			partitions++
			if h.Start != extent.Start || h.End != extent.End || h.Accepted() != (extent.End > 0) || h.TopicID == "" {
				t.Errorf("%s %+v, its batches say %d to %d", claim, h, extent.Start, extent.End)
			}
			records += int(extent.Records)
		}
	}
	if partitions < 4 || records == 0 {
		t.Errorf("%d partitions with %d records prove nothing", partitions, records)
	}
}

func TestWhatCannotBeToldOfAVolumeIsSaid(t *testing.T) {
	t.Parallel()
	const log = "kafka-log0/orders-0/00000000000000000007.log"
	for name, c := range map[string]struct {
		change func(fstest.MapFS)
		says   string
	}{
		"nothing is wrong": {func(fstest.MapFS) {}, ""},
		"no broker has run yet": {
			func(f fstest.MapFS) { delete(f, "kafka-log0/replication-offset-checkpoint") }, "",
		},
		"a checkpoint that is none": {func(f fstest.MapFS) {
			f["kafka-log0/replication-offset-checkpoint"].Data = []byte("0\n1\norders 0\n")
		}, "no checkpoint of offsets"},
		"an offset that is no number": {func(f fstest.MapFS) {
			f["kafka-log0/replication-offset-checkpoint"].Data = []byte("0\n1\norders 0 many\n")
		}, "no checkpoint of offsets"},
		"a checkpoint that was cut off": {func(f fstest.MapFS) {
			f["kafka-log0/replication-offset-checkpoint"].Data = []byte("0\n2\norders 0 12\n")
		}, "expected 2 entries, found 1"},
		"a segment of no offset": {func(f fstest.MapFS) {
			f["kafka-log0/orders-0/x.log"] = &fstest.MapFile{}
		}, "x.log"},
	} {
		fsys := fstest.MapFS{
			log: &fstest.MapFile{Data: []byte("records")},
			"kafka-log0/replication-offset-checkpoint": &fstest.MapFile{Data: []byte("0\n1\norders 0 12\n")},
			"kafka-log0/meta.properties": &fstest.MapFile{
				Data: []byte("version=1\ncluster.id=nj2gpqbHSfmvw-PQucA3Jg\nnode.id=0\n"),
			},
		}
		c.change(fsys)
		contents, err := logdir.Read(fs.FS(fsys), logdir.Options{})
		if err != nil {
			t.Fatal(err)
		}
		held := scan.HeldOn(contents, fsys)
		if !strings.Contains(held.Problem, c.says) || (c.says == "") != (held.Problem == "") {
			t.Errorf("%s: %q", name, held.Problem)
		}
		if len(held.Partitions) != 1 || !held.Partitions[0].Accepted() {
			t.Errorf("%s: a partition whose first segment begins at 7 has taken records: %+v", name, held.Partitions)
		}
	}
}
