package volume_test

import (
	"slices"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func TestNodesThatVolumesSpeakOf(t *testing.T) {
	t.Parallel()
	dirs := func(d logdir.LogDir) *logdir.Contents { return &logdir.Contents{Dirs: []logdir.LogDir{d}} }
	known := volume.KnownNodes([]volume.Volume{
		{Image: &volume.Image{Brokers: []int32{2, 0}}},
		{Contents: dirs(logdir.LogDir{Quorum: &logdir.QuorumState{Voters: []int32{7}}})},
		{Contents: dirs(logdir.LogDir{Metadata: &logdir.MetadataLog{LeaderChangeVoters: []int32{5, 2}}})},
		{Contents: dirs(logdir.LogDir{Metadata: &logdir.MetadataLog{
			Voters: &logdir.VoterSet{Voters: []logdir.Voter{{ID: 9}}},
		}})},
	})
	if !slices.Equal(known, []int32{0, 2, 5, 7, 9}) {
		t.Errorf("%v", known)
	}
	if known = volume.KnownNodes([]volume.Volume{{}}); len(known) != 0 {
		t.Errorf("%v", known)
	}
}
