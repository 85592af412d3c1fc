package metadata_test

import (
	"os"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

const snapshotFile = "00000000000000000100-0000000005.checkpoint"

func TestSnapshotOfKafkasBatchFileWriterBecomesAnImage(t *testing.T) {
	t.Parallel()
	im, err := metadata.ReadImage(os.DirFS("testdata"), "kafka", metadata.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r := im.Report(); r.Incomplete || r.Torn || r.LogEnd != 100 {
		t.Errorf("report %+v", r)
	}
	if v := im.MetadataVersion(); v.String() != "4.2-IV1" {
		t.Errorf("metadata version %s", v)
	}
	if im.TopicCount() != 4 || im.PartitionCount() != 18 || len(im.Brokers()) != 3 || len(im.Users()) != 3 {
		t.Errorf("%d topics, %d partitions, %d brokers, %d users",
			im.TopicCount(), im.PartitionCount(), len(im.Brokers()), len(im.Users()))
	}
	if im.EndOffset() != 100 || im.Provenance().LastEpoch != 5 {
		t.Errorf("provenance %+v", im.Provenance())
	}
}
