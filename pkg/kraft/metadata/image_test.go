package metadata_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

func TestPartitionChangesMergeAsInKafka(t *testing.T) {
	t.Parallel()
	change := func() *metadata.PartitionChangeRecord {
		return &metadata.PartitionChangeRecord{TopicID: id(1), PartitionID: 0, Leader: -2, LeaderRecoveryState: -1}
	}
	isr, same, gone, dirs, elr := change(), change(), change(), change(), change()
	isr.ISR = []int32{2}
	same.Leader = 1
	gone.Leader, gone.LeaderRecoveryState = -1, 1
	dirs.Directories = []metadata.UUID{id(7), id(8), id(9)}
	elr.EligibleLeaderReplicas, elr.LastKnownELR = []int32{3}, []int32{1}
	fsys := fstest.MapFS{segmentName(0): newLog(t).
		add(topic("orders", 1), partition(1, 0, 1, 2, 3)).
		add(isr).add(same).add(gone).add(dirs).add(elr).file()}
	im := read(t, fsys, metadata.ReadOptions{})
	got, ok := im.Topic("orders").Partition(0)
	if !ok || im.Report().Incomplete {
		t.Fatalf("no partition: %+v", im.Report())
	}
	want := metadata.Partition{
		ID: 0, Replicas: []int32{1, 2, 3}, Directories: dirs.Directories, ISR: []int32{2}, ELR: []int32{3},
		LastKnownELR: []int32{1}, Leader: -1, Recovering: true,
		LeaderEpoch:    2, // a record that names the same leader counts, one without does not
		PartitionEpoch: 5,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	cleared := newLog(t).add(topic("orders", 1), partition(1, 0, 1, 2, 3)).add(elr).
		add(&metadata.ClearElrRecord{}).add(&metadata.ClearElrRecord{TopicName: "orders"})
	im = read(t, fstest.MapFS{segmentName(0): cleared.file()}, metadata.ReadOptions{})
	p, _ := im.Topic("orders").Partition(0)
	if p.PartitionEpoch != 2 { // clearing what is there is a change, clearing nothing is none
		t.Errorf("the partition's epoch is %d, want 2", p.PartitionEpoch)
	}
	if len(p.ELR)+len(p.LastKnownELR) != 0 {
		t.Errorf("ClearElrRecord left %v and %v", p.ELR, p.LastKnownELR)
	}
}

func TestTransactionsCountOnlyOnceTheyEnd(t *testing.T) {
	t.Parallel()
	begin, end := &metadata.BeginTransactionRecord{Name: ptr("create")}, &metadata.EndTransactionRecord{}
	abort := &metadata.AbortTransactionRecord{Reason: ptr("Controller failover")}
	for _, c := range []struct {
		name   string
		log    *logBuilder
		topics []string
		open   bool
	}{
		{
			"one that ends is applied",
			newLog(t).add(begin, topic("a", 1)).add(topic("b", 2), end, topic("c", 3)), []string{"a", "b", "c"}, false,
		},
		{
			"one that is aborted is not",
			newLog(t).add(topic("a", 1), begin).add(topic("b", 2), abort).add(topic("c", 3)), []string{"a", "c"}, false,
		},
		{
			"one that is open at the end is not",
			newLog(t).add(topic("a", 1)).add(begin, topic("b", 2)).add(topic("c", 3)), []string{"a"}, true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			im := read(t, fstest.MapFS{segmentName(0): c.log.file()}, metadata.ReadOptions{})
			var names []string
			for _, topic := range im.Topics() {
				names = append(names, topic.Name)
			}
			if !slices.Equal(names, c.topics) || (im.OpenTransaction() != nil) != c.open || im.Report().Incomplete {
				t.Errorf("topics %v, open %v, report %+v", names, im.OpenTransaction(), im.Report())
			}
		})
	}
}

func TestSnapshotAndLogAreReplayedInOrder(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	log.offset = 8
	log.add(topic("before-the-snapshot", 9), topic("also-before", 8)).add(topic("new", 2)).
		add(&metadata.RemoveTopicRecord{TopicID: id(1)}).
		control(batch.KRaftVersion, &metadata.KRaftVersionRecord{KRaftVersion: 1}).
		control(batch.KRaftVoters, &metadata.VotersRecord{Voters: []metadata.Voter{{VoterID: 3}, {VoterID: 1}}}).
		control(batch.LeaderChange, &metadata.LeaderChangeMessage{LeaderID: 3,
			Voters: []metadata.LeaderChangeVoter{{VoterID: 3}}})
	fsys := fstest.MapFS{
		snapshotName(5, 1): snapshot(t, topic("older", 5)),
		snapshotName(10, 1): snapshot(t, &metadata.FeatureLevelRecord{Name: "metadata.version", FeatureLevel: 21},
			topic("old", 1), partition(1, 0, 1), &metadata.ConfigRecord{ResourceType: 2, ResourceName: "old", Name: "k",
				Value: ptr("v")}),
		snapshotName(11, 1) + ".part": snapshot(t, topic("unfinished", 5)),
		segmentName(8):                log.file(),
	}
	im := read(t, fsys, metadata.ReadOptions{})
	if r := im.Report(); r.Incomplete || r.Snapshot != snapshotName(10, 1) || r.LogEnd != 15 {
		t.Errorf("report %+v", r)
	}
	if im.TopicCount() != 1 || im.Topic("new") == nil || im.PartitionCount() != 0 || len(im.ConfigResources()) != 0 {
		t.Errorf("topics %d, partitions %d, configurations %v", im.TopicCount(), im.PartitionCount(), im.ConfigResources())
	}
	want := []metadata.RemovedTopic{{Name: "old", ID: id(1), Partitions: 1, Offset: 11, Timestamp: 1_700_000_000_011}}
	if diff := cmp.Diff(want, im.RemovedTopics(11)); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if im.RemovedTopics(12) != nil {
		t.Error("a removal before the offset asked for")
	}
	if im.KRaftVersion() != 1 || !slices.Equal(im.VoterIDs(), []int32{1, 3}) || im.LastLeaderChange().Leader != 3 {
		t.Errorf("kraft.version %d, voters %v, leader %v", im.KRaftVersion(), im.VoterIDs(), im.LastLeaderChange())
	}
	was := read(t, fsys, metadata.ReadOptions{Until: 11})
	if was.Topic("old") == nil || was.Topic("new") == nil || was.EndOffset() != 11 {
		t.Errorf("at 11: %d topics, end %d", was.TopicCount(), was.EndOffset())
	}
	older := read(t, fsys, metadata.ReadOptions{Until: 7})
	if older.Topic("older") == nil || older.EndOffset() != 5 {
		t.Errorf("at 7: %d topics, end %d", older.TopicCount(), older.EndOffset())
	}
}

func TestWhatIsDamagedIsLocatedAndTheRestIsRead(t *testing.T) {
	t.Parallel()
	good := newLog(t).add(topic("a", 1)).add(topic("b", 2))
	flipped := func(from, at int) *fstest.MapFile {
		data := slices.Clone(good.data)
		data[len(data)-from+at] ^= 1
		return &fstest.MapFile{Data: data, Mode: 0o644}
	}
	cut := &fstest.MapFile{Data: good.data[:len(good.data)-3], Mode: 0o644}
	next := newLog(t)
	next.offset = 2
	next.add(topic("c", 3))
	unfinished := newLog(t).control(batch.SnapshotHeader, &metadata.SnapshotHeaderRecord{}).add(topic("x", 4)).file()
	for _, c := range []struct {
		name             string
		fsys             fstest.MapFS
		topics           int
		incomplete, torn bool
		says             string
	}{
		{"a torn tail is cut off as Kafka does", fstest.MapFS{segmentName(0): cut}, 1, false, true, ""},
		{
			"a torn segment in the middle ends the log",
			fstest.MapFS{segmentName(0): cut, segmentName(2): next.file()}, 1, true, false, "later segment",
		},
		{
			"a wrong CRC ends the log",
			fstest.MapFS{segmentName(0): flipped(2, 0), segmentName(2): next.file()}, 1, true, false, "crc",
		},
		{
			"a missing segment is told",
			fstest.MapFS{segmentName(2): next.file()}, 1, true, false, "offsets 0 to 1 are missing",
		},
		{
			"an unfinished snapshot gives way to the log", fstest.MapFS{segmentName(0): good.file(), snapshotName(2,
				1): unfinished},
			2, true, false, "footer",
		},
		{
			"an unfinished snapshot alone is read all the same",
			fstest.MapFS{snapshotName(2, 1): unfinished}, 1, true, false, "footer",
		},
		{
			"a log of an older epoch behind the snapshot is dropped",
			fstest.MapFS{snapshotName(2, 9): snapshot(t, topic("x", 4)), segmentName(2): next.file()}, 1, true, false,
			"diverged",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			im := read(t, c.fsys, metadata.ReadOptions{})
			r := im.Report()
			if im.TopicCount() != c.topics || r.Incomplete != c.incomplete || r.Torn != c.torn {
				t.Errorf("%d topics, report %+v", im.TopicCount(), r)
			}
			text := ""
			for _, p := range r.Problems {
				text += strings.ToLower(p.Message) + "\n"
			}
			if !strings.Contains(text, c.says) {
				t.Errorf("problems %q do not say %q", text, c.says)
			}
		})
	}
}

func TestRecordsThatKafkaRefusesAreProblems(t *testing.T) {
	t.Parallel()
	for name, m := range map[string][]metadata.Message{
		"a partition of no topic": {partition(7, 0, 1)},
		"a change of no topic": {&metadata.PartitionChangeRecord{TopicID: id(7), Leader: -2,
			LeaderRecoveryState: -1}},
		"a change of no partition": {topic("a", 1), &metadata.PartitionChangeRecord{TopicID: id(1),
			PartitionID: 5, Leader: -2}},
		"a topic removed that is not there": {&metadata.RemoveTopicRecord{TopicID: id(7)}},
		"a topic created twice":             {topic("a", 1), topic("a", 1)},
		"a name given to another topic":     {topic("a", 1), topic("a", 2)},
		"directories that are too few": {topic("a", 1), &metadata.PartitionRecord{
			TopicID: id(1), Replicas: []int32{1, 2}, Directories: []metadata.UUID{id(9)},
		}},
		"an ACL removed that is not there": {&metadata.RemoveAccessControlEntryRecord{ID: id(3)}},
		"a change of an unknown broker":    {&metadata.BrokerRegistrationChangeRecord{BrokerID: 3}},
		"an unknown broker unregistered":   {&metadata.UnregisterBrokerRecord{BrokerID: 3}},
		"a change with a broker's old epoch": {&metadata.RegisterBrokerRecord{BrokerID: 3, BrokerEpoch: 8},
			&metadata.FenceBrokerRecord{ID: 3, Epoch: 7}},
		"a change with a value out of range": {&metadata.RegisterBrokerRecord{BrokerID: 3},
			&metadata.BrokerRegistrationChangeRecord{BrokerID: 3, Fenced: 4}},
		"a shutdown with a value out of range": {&metadata.RegisterBrokerRecord{BrokerID: 3},
			&metadata.BrokerRegistrationChangeRecord{BrokerID: 3, InControlledShutdown: 4}},
		"a transaction in a transaction":         {&metadata.BeginTransactionRecord{}, &metadata.BeginTransactionRecord{}},
		"the end of no transaction":              {&metadata.EndTransactionRecord{}},
		"the abort of no transaction":            {&metadata.AbortTransactionRecord{}},
		"eligible leaders cleared of no topic":   {&metadata.ClearElrRecord{TopicName: "nope"}},
		"a configuration of an unknown resource": {&metadata.ConfigRecord{ResourceType: 77, Name: "x", Value: ptr("y")}},
		"a failure inside a finished transaction": {&metadata.BeginTransactionRecord{}, partition(7, 0, 1),
			&metadata.EndTransactionRecord{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			im := read(t, fstest.MapFS{segmentName(0): newLog(t).add(m...).add(topic("after", 99)).file()},
				metadata.ReadOptions{})
			r := im.Report()
			if !r.Incomplete || len(r.Problems) != 1 || r.Problems[0].File != segmentName(0) {
				t.Errorf("report %+v", r)
			}
			if im.OpenTransaction() == nil && im.Topic("after") == nil {
				t.Error("reading did not go on behind the record")
			}
		})
	}
}

func TestRecordsWithoutAPlaceAreKeptOutAndTold(t *testing.T) {
	t.Parallel()
	im := read(t, fstest.MapFS{segmentName(0): newLog(t).raw([]byte{1, 99, 0, 7, 7}, []byte{9}, nil).file()},
		metadata.ReadOptions{})
	if r := im.Report(); len(r.Problems) != 3 || !r.Incomplete {
		t.Errorf("report %+v", r)
	}
	if _, err := metadata.ReadImage(fstest.MapFS{"x": {}}, ".", metadata.ReadOptions{}); !errors.Is(err, metadata.ErrNoMetadata) {
		t.Errorf("an empty directory: %v", err)
	}
	if _, err := metadata.ReadImage(fstest.MapFS{}, "nope", metadata.ReadOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
	if _, err := metadata.ReadFile(fstest.MapFS{}, "what.txt", metadata.ReadOptions{}); !errors.Is(err, metadata.ErrNoMetadata) {
		t.Errorf("a file of another name: %v", err)
	}
}

// A credential that was taken away is remembered until it is given back; one that was never there was not taken away.
func TestRemovedCredentialsAreThoseThatDidNotComeBack(t *testing.T) {
	t.Parallel()
	credential := func(user string, mechanism int8) metadata.Message {
		return &metadata.UserScramCredentialRecord{Name: user, Mechanism: mechanism, Iterations: 4096}
	}
	gone := func(user string, mechanism int8) metadata.Message {
		return &metadata.RemoveUserScramCredentialRecord{Name: user, Mechanism: mechanism}
	}
	log := newLog(t).add(credential("alice", 1), credential("alice", 2), credential("bob", 2), credential("carol", 2)).
		add(gone("bob", 2)).add(gone("nobody", 2)).add(gone("alice", 1)).add(gone("carol", 2)).add(credential("carol", 2))
	im := read(t, fstest.MapFS{segmentName(0): log.file()}, metadata.ReadOptions{})
	want := []metadata.RemovedCredential{
		{ScramKey: metadata.ScramKey{Mechanism: 2, User: "bob"}, Offset: 4, Timestamp: 1_700_000_000_004},
		{ScramKey: metadata.ScramKey{Mechanism: 1, User: "alice"}, Offset: 6, Timestamp: 1_700_000_000_006},
	}
	if diff := cmp.Diff(want, im.RemovedCredentials()); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if users := im.Users(); len(users) != 2 {
		t.Errorf("alice has another credential, carol has hers again: %v", users)
	}
}
