package quorum_test

import (
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/quorum"
)

// copyOf is what a node's volume says; the log itself names only node 1 as a voter.
func copyOf(node int32, directory string, offset int64) quorum.Copy {
	id, cluster := node, "c"
	return quorum.FromContents("v", &logdir.Contents{Dirs: []logdir.LogDir{{
		Path: ".", Meta: &logdir.MetaProperties{NodeID: &id, ClusterID: &cluster, DirectoryID: directory},
		Metadata: &logdir.MetadataLog{
			End: logdir.OffsetAndEpoch{Offset: offset, Epoch: 1}, EndKnown: true, LeaderChangeVoters: []int32{1},
		},
	}}})[0]
}

func TestJudgeVotersTakesTheVotersItIsGiven(t *testing.T) {
	t.Parallel()
	copies := []quorum.Copy{copyOf(1, "a", 10), copyOf(2, "b", 9), copyOf(3, "c", 8), copyOf(4, "d", 99)}
	q := quorum.JudgeVoters(copies, []logdir.Voter{{ID: 3}, {ID: 1}, {ID: 2}}, "roles")
	if q.Majority != 2 || q.VotersFrom != "roles" || q.Dynamic || len(q.Missing) > 0 || q.Voters[0].ID != 1 {
		t.Errorf("got %+v", q)
	}
	if q.MayBeCommitted == nil || q.MayBeCommitted.Offset != 9 {
		t.Errorf("the second largest of three ends may be committed, 9; got %v", q.MayBeCommitted)
	}
	if q.Copies[q.Newest].End.Offset != 99 || q.Copies[q.NewestVoter].End.Offset != 10 {
		t.Errorf("newest %d, newest voter %d", q.Newest, q.NewestVoter)
	}
	if c := q.End(2); c == nil || c.End.Offset != 9 {
		t.Errorf("the end of voter 2: got %v", c)
	}
	if q.End(4) != nil {
		t.Error("node 4 is no voter")
	}
}

func TestJudgeVotersMatchesDirectories(t *testing.T) {
	t.Parallel()
	copies := []quorum.Copy{copyOf(1, "a", 10), copyOf(2, "another", 9)}
	q := quorum.JudgeVoters(copies, []logdir.Voter{{ID: 1, DirectoryID: "a"}, {ID: 2, DirectoryID: "b"}}, "log")
	if !q.Dynamic || len(q.Missing) != 1 || q.Missing[0] != 2 || q.MayBeCommitted == nil || q.MayBeCommitted.Offset != 10 {
		t.Errorf("voter 2 is on no volume and may have held everything: got %+v", q)
	}
}

func TestJudgeVotersWithoutVoters(t *testing.T) {
	t.Parallel()
	if q := quorum.JudgeVoters([]quorum.Copy{copyOf(1, "a", 10)}, nil, ""); q.Majority != 0 || q.MayBeCommitted != nil {
		t.Errorf("got %+v", q)
	}
}
