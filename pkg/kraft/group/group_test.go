package group_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kafkarecover/kafkarecover/internal/alloc"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/group"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
)

// kafkas returns the records that Kafka's own classes serialised, by "name version" (testdata/Records.java).
func kafkas(t testing.TB) map[string][]byte {
	t.Helper()
	data, err := os.ReadFile("testdata/kafka-4.2.0.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if out[strings.Join(fields[:len(fields)-1], " ")], err = hex.DecodeString(fields[len(fields)-1]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// key makes a record's key: the type, then strings of two length bytes, as Kafka's non-flexible messages.
func key(kind group.RecordType, fields ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(kind))
	for _, f := range fields {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(f))), f...)
	}
	return b
}

func offsetKey(id, topic string, p int32) []byte {
	return binary.BigEndian.AppendUint32(key(group.OffsetCommit, id, topic), uint32(p))
}

func TestCommitsOfEveryVersionReadAsKafkaWroteThem(t *testing.T) {
	t.Parallel()
	k, err := group.ParseKey(offsetKey("gr", "to", 3))
	if err != nil {
		t.Fatal(err)
	}
	if want := kafkas(t)["OffsetCommitKey 1"]; want[3] != 0x02 || k.Group != "gr" || k.Topic != "to" || k.Partition != 3 {
		t.Errorf("key %+v, Kafka's %x", k, want)
	}
	base := group.Commit{
		Topic: "to", Partition: 3, Offset: 42, LeaderEpoch: -1, Metadata: "mé", CommittedAt: 1700000000123, ExpiresAt: -1,
	}
	withExpiry, withEpoch, withID := base, base, base
	withExpiry.ExpiresAt = 1700000009999
	withEpoch.LeaderEpoch = 7
	withID.LeaderEpoch, withID.Metadata, withID.TopicID = 7, "", metadata.UUID{7: 1, 15: 2}
	for name, want := range map[string]group.Commit{
		"OffsetCommitValue 0": base, "OffsetCommitValue 1": withExpiry, "OffsetCommitValue 2": base,
		"OffsetCommitValue 3": withEpoch, "OffsetCommitValue 4": withEpoch, "OffsetCommitValue topicId": withID,
	} {
		got, err := group.ParseCommit(k, kafkas(t)[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-Kafka's +ours):\n%s", name, diff)
		}
	}
}

// apply replays records that belong to no transaction.
func apply(t *testing.T, s *group.Groups, records ...[]byte) {
	t.Helper()
	for i := 0; i < len(records); i += 2 {
		if err := s.Apply(&batch.Batch{}, &batch.Record{Key: records[i], Value: records[i+1]}); err != nil {
			t.Fatalf("record %d: %v", i/2, err)
		}
	}
}

func list(s *group.Groups) []group.Group { return s.List() }

var unexported = cmpopts.IgnoreUnexported(group.Group{})

func TestGroupsOfEveryProtocol(t *testing.T) {
	t.Parallel()
	values := kafkas(t)
	s := group.New()
	apply(t, s,
		key(group.GroupMetadata, "classic-old"), values["GroupMetadataValue 0"],
		key(group.GroupMetadata, "classic-1"), values["GroupMetadataValue 1"],
		key(group.GroupMetadata, "classic-2"), values["GroupMetadataValue 2"],
		key(group.GroupMetadata, "classic-3"), values["GroupMetadataValue 3"],
		key(group.GroupMetadata, "classic-4"), values["GroupMetadataValue 4"],
		key(group.ConsumerGroup, "consumer"), values["ConsumerGroupMetadataValue 0"],
		key(group.ConsumerGroupMember, "consumer", "m-1"), values["ConsumerGroupMemberMetadataValue 0"],
		key(group.ShareGroupMember, "share", "m-2"), values["ShareGroupMemberMetadataValue 0"],
		key(group.ShareGroup, "share"), values["ShareGroupMetadataValue 0"],
		key(group.StreamsGroup, "streams"), values["StreamsGroupMetadataValue 0"],
		key(group.StreamsGroupMember, "streams", "m-3"), values["StreamsGroupMemberMetadataValue 0"],
		offsetKey("offsets", "to", 3), values["OffsetCommitValue 2"],
		key(7, "consumer", "m-1"), []byte("an assignment, which is not decoded"),
	)
	plain := []group.Member{{ID: "m-1", ClientID: "c", Host: "/10.0.0.1"}}
	static := []group.Member{{ID: "m-1", InstanceID: "inst", ClientID: "c", Host: "/10.0.0.1"}}
	classic := func(id string, members []group.Member) group.Group {
		return group.Group{
			ID: id, Kind: group.Classic, Epoch: 5, ProtocolType: "consumer", Protocol: "range", Leader: "m-1", Members: members,
		}
	}
	want := []group.Group{
		classic("classic-1", plain), classic("classic-2", plain), classic("classic-3", static),
		classic("classic-4", static), classic("classic-old", plain),
		{ID: "consumer", Kind: group.Consumer, Epoch: 9, Members: []group.Member{{"m-1", "i", "cid", "/1.2.3.4"}}},
		{ID: "offsets", Kind: group.OffsetsOnly, Offsets: []group.Commit{{
			Topic: "to", Partition: 3, Offset: 42, LeaderEpoch: -1, Metadata: "mé", CommittedAt: 1700000000123, ExpiresAt: -1,
		}}},
		{ID: "share", Kind: group.Share, Epoch: 8, Members: []group.Member{{"m-2", "", "cid", "/1.2.3.4"}}},
		{ID: "streams", Kind: group.Streams, Epoch: 7, Members: []group.Member{{"m-3", "i", "cid", "/1.2.3.4"}}},
	}
	if diff := cmp.Diff(want, list(s), unexported, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	apply(t, s, // tombstones of everything, and of what is not there
		key(group.GroupMetadata, "classic-old"), nil, key(group.GroupMetadata, "classic-1"), nil,
		key(group.GroupMetadata, "classic-2"), nil, key(group.GroupMetadata, "classic-3"), nil,
		key(group.GroupMetadata, "classic-4"), nil, key(group.ConsumerGroupMember, "consumer", "m-1"), nil,
		key(group.ConsumerGroup, "consumer"), nil, key(group.ShareGroup, "share"), nil,
		key(group.StreamsGroup, "streams"), nil, offsetKey("offsets", "to", 3), nil,
		offsetKey("never", "to", 3), nil, key(group.ShareGroupMember, "never", "m"), nil, key(group.ShareGroup, "never"), nil,
	)
	if left := list(s); len(left) != 0 {
		t.Errorf("left after their tombstones: %+v", left)
	}
}

func TestUpgradeToTheConsumerProtocolForgetsTheClassicOne(t *testing.T) {
	t.Parallel()
	values := kafkas(t)
	s := group.New()
	apply(t, s, key(group.GroupMetadata, "g"), values["GroupMetadataValue 4"],
		key(group.ConsumerGroup, "g"), values["ConsumerGroupMetadataValue 0"])
	got := list(s)[0]
	if got.Kind != group.Consumer || got.Epoch != 9 || got.Protocol+got.ProtocolType+got.Leader != "" {
		t.Errorf("%+v", got)
	}
}

func TestUnknownTypesAreCountedAndDamageIsTold(t *testing.T) {
	t.Parallel()
	values := kafkas(t)
	s := group.New()
	apply(t, s, []byte{0, 99, 1, 2, 3}, []byte("x"), []byte{0, 99}, nil, []byte{0xff, 0xff}, nil)
	if got := s.Unknown(); got[99] != 2 || got[-1] != 1 || len(got) != 2 {
		t.Errorf("unknown types %v", got)
	}
	ok := offsetKey("g", "t", 0)
	for name, r := range map[string]struct {
		key, value []byte
		want       error
	}{
		"an empty key":            {[]byte{}, nil, group.ErrMalformed},
		"a key cut short":         {ok[:len(ok)-1], nil, group.ErrMalformed},
		"a key with more":         {append(offsetKey("g", "t", 0), 0), nil, group.ErrMalformed},
		"a key without a group":   {[]byte{0, 1, 0xff, 0xff}, nil, group.ErrMalformed},
		"an empty value":          {ok, []byte{}, group.ErrMalformed},
		"a value cut short":       {ok, values["OffsetCommitValue 3"][:9], group.ErrMalformed},
		"a value with more":       {ok, append(values["OffsetCommitValue 0"], 1), group.ErrMalformed},
		"a version from tomorrow": {ok, []byte{0, 5}, group.ErrUnknownVersion},
		"a negative version":      {ok, []byte{0xff, 0xff}, group.ErrUnknownVersion},
		"a tag longer than all": {ok, append(values["OffsetCommitValue 4"][:len(values["OffsetCommitValue 4"])-1], 1,
			0, 99), group.ErrMalformed},
		"a varint without end": {
			key(group.GroupMetadata, "g"), []byte{0, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, group.ErrMalformed,
		},
		"more members than bytes": {
			key(group.GroupMetadata, "g"),
			append([]byte{0, 0, 0, 0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff}, 0x7f, 0xff, 0xff, 0xff), group.ErrMalformed,
		},
		"a group of an unknown version":  {key(group.ShareGroup, "g"), []byte{0, 1}, group.ErrUnknownVersion},
		"a group cut short":              {key(group.ShareGroup, "g"), []byte{0, 0, 1}, group.ErrMalformed},
		"a member of an unknown version": {key(group.StreamsGroupMember, "g", "m"), []byte{0, 1}, group.ErrUnknownVersion},
		"a member cut short":             {key(group.StreamsGroupMember, "g", "m"), []byte{0, 0, 0}, group.ErrMalformed},
	} {
		if err := s.Apply(&batch.Batch{}, &batch.Record{Key: r.key, Value: r.value}); !errors.Is(err, r.want) {
			t.Errorf("%s: %v, want %v", name, err, r.want)
		}
	}
	if got := list(s); len(got) != 0 {
		t.Errorf("what did not parse left %+v", got)
	}
}

// log builds a segment of __consumer_offsets.
type log struct {
	t      *testing.T
	data   []byte
	offset int64
}

func (l *log) add(attributes batch.Attributes, producer int64, key, value []byte) *log {
	l.t.Helper()
	records := []batch.Record{{Offset: l.offset, Timestamp: 1, Key: key, Value: value}}
	h := batch.NewHeader(0, attributes, records)
	if producer >= 0 {
		h.ProducerID, h.ProducerEpoch = producer, 0
	}
	var err error
	if l.data, err = batch.Append(l.data, h, records); err != nil {
		l.t.Fatal(err)
	}
	l.offset++
	return l
}

func (l *log) end(producer int64, kind batch.ControlType) *log {
	return l.add(batch.Transactional|batch.Control, producer, []byte{0, 0, 0, byte(kind)}, []byte{0, 0, 0, 0, 0, 1})
}

func TestCommitsOfTransactionsCountOnceTheyAreCommitted(t *testing.T) {
	t.Parallel()
	value := kafkas(t)["OffsetCommitValue 3"]
	l := (&log{t: t}).
		add(batch.Transactional, 1, offsetKey("g", "committed", 0), value).
		add(batch.Transactional, 2, offsetKey("g", "aborted", 0), value).
		add(batch.Transactional, 3, offsetKey("g", "open", 0), value).
		add(batch.Transactional, 4, []byte{0}, nil).
		add(batch.Transactional, 4, offsetKey("g", "beside-a-broken-one", 0), value).
		end(1, batch.Commit).end(2, batch.Abort).end(4, batch.Commit).
		add(0, -1, offsetKey("g", "plain", 0), value)
	fsys := fstest.MapFS{"o/00000000000000000000.log": {Data: l.data}}
	segments, err := partition.Segments(fsys, "o")
	if err != nil {
		t.Fatal(err)
	}
	s := group.New()
	problems, err := s.Read(fsys, segments, batch.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "record at offset 7: malformed group record") {
		t.Errorf("problems %+v", problems)
	}
	var topics []string
	for _, c := range list(s)[0].Offsets {
		topics = append(topics, c.Topic)
	}
	if diff := cmp.Diff([]string{"beside-a-broken-one", "committed", "plain"}, topics); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again := fstest.MapFS{"p/00000000000000000000.log": {Data: (&log{t: t}).end(3, batch.Commit).data}}
	segments, _ = partition.Segments(again, "p")
	if _, err := s.Read(again, segments, batch.Limits{}); err != nil || len(list(s)[0].Offsets) != 3 {
		t.Errorf("a transaction went on in another partition: %v, %+v", err, list(s))
	}
	if _, err := s.Read(fstest.MapFS{}, segments, batch.Limits{}); err == nil {
		t.Error("a segment that is gone was read")
	}
}

func TestGroupsOfARealBroker(t *testing.T) {
	t.Parallel()
	fsys := os.DirFS("../logdir/testdata/single/kafka-log1")
	segments, err := partition.Segments(fsys, "__consumer_offsets-1")
	if err != nil {
		t.Fatal(err)
	}
	s := group.New()
	if problems, err := s.Read(fsys, segments, batch.Limits{}); err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	got := list(s)
	if len(got) != 1 || got[0].ID != "readers" || got[0].Kind != group.Classic || len(got[0].Members) != 0 {
		t.Fatalf("%+v", got)
	}
	want := []group.Commit{{Topic: "s-none", Offset: 40, CommittedAt: 1795510939053, ExpiresAt: -1}}
	if diff := cmp.Diff(want, got[0].Offsets, cmpopts.IgnoreFields(group.Commit{}, "TopicID")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzGroup: any key and value change the groups or are an error, never a panic, and memory is bounded by the input.
func FuzzGroup(f *testing.F) {
	values := kafkas(f)
	for name, v := range values {
		switch {
		case strings.HasPrefix(name, "OffsetCommitValue"):
			f.Add(offsetKey("g", "t", 1), v)
		case strings.HasPrefix(name, "GroupMetadataValue"):
			f.Add(key(group.GroupMetadata, "g"), v)
		case strings.HasPrefix(name, "StreamsGroupMember"):
			f.Add(key(group.StreamsGroupMember, "g", "m"), v)
		default:
			f.Add(key(group.ShareGroup, "g"), v)
		}
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		s := group.New()
		var err error
		used := alloc.Bytes(func() { err = s.Apply(&batch.Batch{}, &batch.Record{Key: key, Value: value}) })
		if used > 64<<10+256*uint64(len(key)+len(value)) {
			t.Errorf("%d and %d bytes made it allocate %d", len(key), len(value), used)
		}
		if err != nil && len(s.List()) > 0 {
			t.Errorf("%v, and yet %+v", err, s.List())
		}
		size := 0
		for _, g := range s.List() {
			size += len(g.ID) + len(g.Protocol) + len(g.ProtocolType) + len(g.Leader)
			for _, m := range g.Members {
				size += len(m.ID) + len(m.ClientID) + len(m.Host) + len(m.InstanceID)
			}
			for _, c := range g.Offsets {
				size += len(c.Topic) + len(c.Metadata)
			}
		}
		if size > len(key)+len(value) {
			t.Errorf("%d bytes of text from %d", size, len(key)+len(value))
		}
	})
}
