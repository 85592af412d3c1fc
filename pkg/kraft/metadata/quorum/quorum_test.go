package quorum_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/quorum"
)

// node describes the copy of one node.
type node struct {
	id        int32
	cluster   string
	directory string
	offset    int64
	epoch     int32
	snapshot  int64
	unsure    bool // its end is a lower bound
	static    []int32
	dynamic   []logdir.Voter
	leader    int32
	nameless  bool
}

func (n node) copy() quorum.Copy {
	log := &logdir.MetadataLog{
		End: logdir.OffsetAndEpoch{Offset: n.offset, Epoch: n.epoch}, EndKnown: !n.unsure, LastTimestamp: -1,
		Empty: n.offset == 0, LeaderChangeVoters: n.static,
	}
	if n.snapshot > 0 {
		log.Snapshots = []logdir.Snapshot{
			{ID: logdir.OffsetAndEpoch{Offset: n.snapshot}, Valid: true}, {ID: logdir.OffsetAndEpoch{Offset: 1 << 40}},
		}
	}
	if n.dynamic != nil {
		log.Voters = &logdir.VoterSet{Voters: n.dynamic}
	}
	d := logdir.LogDir{Path: "kafka-log", Metadata: log, Quorum: &logdir.QuorumState{
		LeaderID: n.leader, LeaderEpoch: n.epoch, Voters: n.static,
	}}
	cluster := n.cluster
	if cluster == "" {
		cluster = "one"
	}
	if !n.nameless {
		d.Meta = &logdir.MetaProperties{ClusterID: &cluster, NodeID: &n.id, DirectoryID: n.directory}
	}
	c := &logdir.Contents{Dirs: []logdir.LogDir{{Path: "kafka-data"}, d}}
	copies := quorum.FromContents(fmt.Sprintf("volume-%d", n.id), c)
	if len(copies) != 1 {
		panic("a directory without a metadata log counts")
	}
	return copies[0]
}

func judge(nodes ...node) *quorum.Quorum {
	var copies []quorum.Copy
	for _, n := range nodes {
		copies = append(copies, n.copy())
	}
	return quorum.Judge(copies)
}

var three = []int32{1, 2, 3}

// What is proven, what is possible, and who can win, by the rules of Raft (Ongaro and Ousterhout, sections 5.4.1 and
// 5.4.2) as Kafka applies them.
func TestWhatIsCommittedAndWhoCanBeElected(t *testing.T) {
	t.Parallel()
	at := func(offset int64, epoch int32) *logdir.OffsetAndEpoch {
		return &logdir.OffsetAndEpoch{Offset: offset, Epoch: epoch}
	}
	for _, c := range []struct {
		name      string
		nodes     []node
		committed int64
		by        string
		may       *logdir.OffsetAndEpoch
		electable []int32
		loss      int64
		safe      bool
		missing   []int32
	}{
		{
			"all three agree", []node{{id: 1, offset: 90, epoch: 4, static: three}, {id: 2, offset: 90, epoch: 4}, {id: 3, offset: 90, epoch: 4}},
			90, "2 of 3 voters hold it in epoch 4", at(90, 4), []int32{1, 2, 3}, 0, true, nil,
		},
		{
			"one is behind: the two others hold what is committed", []node{{id: 1, offset: 90, epoch: 4, static: three}, {id: 2, offset: 80, epoch: 4}, {id: 3, offset: 10, epoch: 3}},
			80, "2 of 3 voters hold it in epoch 4", at(80, 4), []int32{1, 2}, 10, true, nil,
		},
		{
			"an older epoch on a majority proves nothing", []node{{id: 1, offset: 90, epoch: 5, static: three}, {id: 2, offset: 80, epoch: 4}, {id: 3, offset: 80, epoch: 4}},
			0, "nothing", at(80, 4), []int32{1, 2, 3}, 10, true, nil,
		},
		{
			"a snapshot is committed wherever it lies", []node{{id: 1, offset: 90, epoch: 5, static: three}, {id: 2, offset: 80, epoch: 4}, {id: 9, offset: 70, epoch: 4, snapshot: 66}},
			66, "snapshot on volume-9/kafka-log", at(90, 5), []int32{1}, 0, true, []int32{3},
		},
		{
			"two of three were not read: nothing bounds what was committed", []node{{id: 1, offset: 90, epoch: 4, static: three}},
			0, "nothing", nil, nil, 0, false, []int32{2, 3},
		},
		{
			"two of three are empty: the good one is outvoted, and cannot win", []node{{id: 1, offset: 90, epoch: 4, static: three}, {id: 2}, {id: 3}},
			0, "nothing", nil, nil, 0, false, []int32{2, 3},
		},
		{
			"one voter was not read: the newest may be committed", []node{{id: 1, offset: 90, epoch: 4, static: three}, {id: 2, offset: 80, epoch: 4}},
			80, "2 of 3 voters hold it in epoch 4", at(90, 4), []int32{1}, 0, true, []int32{3},
		},
		{
			"an end that is a lower bound may be anywhere", []node{{id: 1, offset: 90, epoch: 4, static: three, unsure: true}, {id: 2, offset: 80, epoch: 4}, {id: 3, offset: 80, epoch: 4}},
			80, "2 of 3 voters hold it in epoch 4", at(90, 4), []int32{1, 2, 3}, 10, false, nil,
		},
		{
			"an observer is the newest: what it has more was committed, and is cut off", []node{{id: 1, offset: 80, epoch: 4, static: three}, {id: 2, offset: 80, epoch: 4}, {id: 3, offset: 80, epoch: 4}, {id: 7, offset: 95, epoch: 4}},
			80, "2 of 3 voters hold it in epoch 4", at(80, 4), []int32{1, 2, 3}, 15, true, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := judge(c.nodes...)
			if q.Committed != c.committed || q.CommittedBy != c.by {
				t.Errorf("committed %d by %q, want %d by %q", q.Committed, q.CommittedBy, c.committed, c.by)
			}
			if diff := cmp.Diff(c.may, q.MayBeCommitted); diff != "" {
				t.Errorf("may be committed (-want +got):\n%s", diff)
			}
			var electable []int32
			for _, copied := range q.Copies {
				if copied.Electable {
					electable = append(electable, *copied.NodeID)
				}
			}
			loss, can := q.Loss()
			if !slices.Equal(electable, c.electable) || can != (len(c.electable) > 0) || loss != c.loss {
				t.Errorf("electable %v with a loss of %d, want %v and %d", electable, loss, c.electable, c.loss)
			}
			if q.SafeToStart() != c.safe || !slices.Equal(q.Missing, c.missing) {
				t.Errorf("safe %v, missing %v", q.SafeToStart(), q.Missing)
			}
		})
	}
}

func TestVotersOfADynamicQuorumAreDirectories(t *testing.T) {
	t.Parallel()
	voters := []logdir.Voter{{ID: 2, DirectoryID: "B"}, {ID: 1, DirectoryID: "A"}}
	q := judge(
		node{id: 1, directory: "A", offset: 9, epoch: 1, dynamic: voters, static: []int32{7}},
		node{id: 2, directory: "X", offset: 9, epoch: 1}, node{id: 3, nameless: true, offset: 4, epoch: 1},
	)
	if !q.Dynamic || q.Majority != 2 || q.Voters[0].ID != 1 || q.VotersFrom != "volume-1/kafka-log" {
		t.Errorf("%+v", q)
	}
	roles := []quorum.Role{q.Copies[0].Role, q.Copies[1].Role, q.Copies[2].Role}
	if !slices.Equal(roles, []quorum.Role{quorum.Voter, quorum.Observer, quorum.RoleUnknown}) {
		t.Errorf("roles %v", roles)
	}
	if !slices.Equal(q.Missing, []int32{2}) || len(q.Problems) != 1 || !strings.Contains(q.Problems[0], "node 2 votes with directory B") {
		t.Errorf("missing %v, problems %v", q.Missing, q.Problems)
	}
}

func TestWhatDoesNotFitTogetherIsTold(t *testing.T) {
	t.Parallel()
	q := judge(node{id: 1, offset: 9, epoch: 3, leader: 1, static: three}, node{id: 1, offset: 8, epoch: 2, cluster: "two"})
	if q.LeaderID != 1 || q.LeaderEpoch != 3 || !slices.Equal(q.ClusterIDs, []string{"one", "two"}) || q.SafeToStart() {
		t.Errorf("%+v", q)
	}
	for _, want := range []string{"both are of node 1", "the copies are of 2 clusters"} {
		if !slices.ContainsFunc(q.Problems, func(p string) bool { return strings.Contains(p, want) }) {
			t.Errorf("%q is not told in %q", want, q.Problems)
		}
	}
	if !q.Copies[1].MayTruncate || q.Copies[1].Behind != 1 {
		t.Errorf("an older epoch is not cut off: %+v", q.Copies[1])
	}
	none := judge(node{id: 1, offset: 9, epoch: 3})
	if len(none.Voters) != 0 || none.Problems[0] != "no copy says who the voters are" || none.SafeToStart() {
		t.Errorf("%+v", none)
	}
	if _, ok := quorum.Judge(nil).Loss(); ok {
		t.Error("nobody is elected from nothing")
	}
}

// Whatever was really committed, a judgement on any subset of the volumes never calls a start safe that would lose it.
func TestSafeNeverLosesWhatWasCommitted(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 11))
	safe := 0
	for range 20000 {
		size := 3 + 2*random.IntN(2)
		voters := make([]int32, size)
		ends := make([]logdir.OffsetAndEpoch, size)
		for i := range voters {
			voters[i] = int32(i)
			// Logs of one history: a longer epoch has the longer log, as with a leader that appends to what it has.
			epoch := int32(1 + random.IntN(3))
			ends[i] = logdir.OffsetAndEpoch{Offset: int64(epoch)*10 + int64(random.IntN(10)), Epoch: epoch}
		}
		sorted := slices.Clone(ends)
		slices.SortFunc(sorted, func(a, b logdir.OffsetAndEpoch) int { return b.Compare(a) })
		committed := sorted[size/2] // at most what a majority holds
		var nodes []node
		for i, end := range ends {
			if random.IntN(4) > 0 {
				nodes = append(nodes, node{id: int32(i), offset: end.Offset, epoch: end.Epoch, static: voters})
			}
		}
		q := judge(nodes...)
		if !q.SafeToStart() {
			continue
		}
		safe++
		for _, c := range q.Copies {
			if c.Electable && c.End.Compare(committed) < 0 {
				t.Fatalf("%v of %v: %+v can win without %+v", nodes, ends, c, committed)
			}
		}
		if committed.Epoch == sorted[0].Epoch && q.Committed > committed.Offset {
			t.Fatalf("%v of %v: %d is called committed, %d is", nodes, ends, q.Committed, committed.Offset)
		}
	}
	if safe == 0 {
		t.Error("no start was called safe: nothing was tried")
	}
}
