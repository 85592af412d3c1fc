package group

import (
	"fmt"
	"strconv"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// RecordType is the type of a record of __consumer_offsets: the first two bytes of its key, CoordinatorRecordType.
type RecordType int16

// The record types that are decoded. The others of Kafka 4.3, up to 23, are assignments and subscriptions, which
// groups make again when their members come back.
const (
	LegacyOffsetCommit  RecordType = 0
	OffsetCommit        RecordType = 1
	GroupMetadata       RecordType = 2
	ConsumerGroup       RecordType = 3
	ConsumerGroupMember RecordType = 5
	ShareGroupMember    RecordType = 10
	ShareGroup          RecordType = 11
	StreamsGroup        RecordType = 17
	StreamsGroupMember  RecordType = 19
	newestKnown         RecordType = 23
)

// flexibleValueVersion is the first version of OffsetCommitValue and GroupMetadataValue with compact lengths and tags,
// and the newest.
const flexibleValueVersion = 4

// String returns the number, or the name of a decoded type.
func (t RecordType) String() string {
	switch t {
	case LegacyOffsetCommit, OffsetCommit:
		return "OFFSET_COMMIT"
	case GroupMetadata:
		return "GROUP_METADATA"
	case ConsumerGroup:
		return "CONSUMER_GROUP_METADATA"
	case ConsumerGroupMember:
		return "CONSUMER_GROUP_MEMBER_METADATA"
	case ShareGroup:
		return "SHARE_GROUP_METADATA"
	case ShareGroupMember:
		return "SHARE_GROUP_MEMBER_METADATA"
	case StreamsGroup:
		return "STREAMS_GROUP_METADATA"
	case StreamsGroupMember:
		return "STREAMS_GROUP_MEMBER_METADATA"
	}
	return strconv.Itoa(int(t))
}

// Key is the key of a record.
type Key struct {
	Type  RecordType
	Group string
	// Topic and Partition belong to offset commits, Member to members.
	Topic     string
	Partition int32
	Member    string
}

// ParseKey parses a record's key. A type that is not decoded yields its type and group alone; a type that no known
// release has, its type alone.
func ParseKey(data []byte) (Key, error) {
	r := reader{b: data}
	k := Key{Type: RecordType(r.int16())}
	if r.err != nil || k.Type < 0 || k.Type > newestKnown {
		return k, r.err
	}
	k.Group = r.string("group")
	switch k.Type {
	case LegacyOffsetCommit, OffsetCommit:
		k.Topic, k.Partition = r.string("topic"), r.int32()
	case ConsumerGroupMember, ShareGroupMember, StreamsGroupMember:
		k.Member = r.string("member")
	case GroupMetadata, ConsumerGroup, ShareGroup, StreamsGroup:
	default:
		return k, r.err
	}
	if err := r.end(); err != nil {
		return k, fmt.Errorf("parse key of %s: %w", k.Type, err)
	}
	return k, nil
}

// Commit is a committed offset: the group has read everything before it.
type Commit struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	// LeaderEpoch is that of the last record read, -1 when the client did not say.
	LeaderEpoch int32 `json:"leaderEpoch"`
	// Metadata is what the client wanted kept.
	Metadata string `json:"metadata,omitempty"`
	// CommittedAt and ExpiresAt are milliseconds since 1970; ExpiresAt is -1 but for value version 1 (before 2.1).
	CommittedAt int64 `json:"committedAt"`
	ExpiresAt   int64 `json:"expiresAt"`
	// TopicID is the topic's, known since Kafka 4.1; zero otherwise.
	TopicID metadata.UUID `json:"topicId,omitzero"`
}

// ParseCommit parses the value of an OffsetCommit record, versions 0 to 4. Topic and Partition are those of the key.
func ParseCommit(k Key, value []byte) (Commit, error) {
	r := reader{b: value}
	version := r.int16()
	c := Commit{Topic: k.Topic, Partition: k.Partition, LeaderEpoch: -1, ExpiresAt: -1}
	if err := known(&r, "OffsetCommitValue", version, flexibleValueVersion); err != nil {
		return c, err
	}
	r.compact = version >= flexibleValueVersion
	c.Offset = r.int64()
	if version >= 3 {
		c.LeaderEpoch = r.int32()
	}
	c.Metadata = r.string("metadata")
	c.CommittedAt = r.int64()
	if version == 1 {
		c.ExpiresAt = r.int64()
	}
	r.tags(func(tag int, data []byte) {
		if tag == 0 && len(data) == len(c.TopicID) {
			copy(c.TopicID[:], data)
		}
	})
	if err := r.end(); err != nil {
		return c, fmt.Errorf("parse OffsetCommitValue version %d: %w", version, err)
	}
	return c, nil
}

func known(r *reader, name string, version, highest int16) error {
	switch {
	case r.err != nil:
		return fmt.Errorf("parse %s: %w", name, r.err)
	case version < 0 || version > highest:
		return fmt.Errorf("parse %s: %w: %d, want 0 to %d", name, ErrUnknownVersion, version, highest)
	}
	return nil
}

// Member is a member of a group when the record was written.
type Member struct {
	ID string `json:"id"`
	// InstanceID is group.instance.id, of static members.
	InstanceID string `json:"instanceId,omitempty"`
	ClientID   string `json:"clientId"`
	Host       string `json:"host"`
}

// parseClassic parses GroupMetadataValue, versions 0 to 4.
func parseClassic(g *Group, value []byte) error {
	r := reader{b: value}
	version := r.int16()
	if err := known(&r, "GroupMetadataValue", version, flexibleValueVersion); err != nil {
		return err
	}
	r.compact = version >= flexibleValueVersion
	g.ProtocolType = r.string("protocolType")
	g.Epoch = r.int32()
	g.Protocol, _ = r.nullable()
	g.Leader, _ = r.nullable()
	if version >= 2 {
		r.int64() // when the group came into its present state
	}
	g.members = map[string]Member{}
	for n := r.count(1); n > 0 && r.err == nil; n-- {
		m := classicMember(&r, version)
		g.members[m.ID] = m
	}
	r.tags(nil)
	if err := r.end(); err != nil {
		return fmt.Errorf("parse GroupMetadataValue version %d: %w", version, err)
	}
	return nil
}

func classicMember(r *reader, version int16) Member {
	m := Member{ID: r.string("memberId")}
	if version >= 3 {
		m.InstanceID, _ = r.nullable()
	}
	m.ClientID, m.Host = r.string("clientId"), r.string("clientHost")
	if version >= 1 {
		r.int32() // rebalance timeout
	}
	r.int32() // session timeout
	r.bytes() // subscription
	r.bytes() // assignment
	r.tags(nil)
	return m
}

// parseEpoch reads the group epoch, the first field of the metadata of consumer, share and streams groups. Later fields
// have changed from release to release and are left.
func parseEpoch(t RecordType, value []byte) (int32, error) {
	r := reader{b: value, compact: true}
	version := r.int16()
	if err := known(&r, t.String(), version, 0); err != nil {
		return 0, err
	}
	epoch := r.int32()
	if r.err != nil {
		return 0, fmt.Errorf("parse %s: %w", t, r.err)
	}
	return epoch, nil
}

// parseMember reads the first fields of a member of a consumer, share or streams group.
func parseMember(k Key, value []byte) (Member, error) {
	r := reader{b: value, compact: true}
	version := r.int16()
	m := Member{ID: k.Member}
	if err := known(&r, k.Type.String(), version, 0); err != nil {
		return m, err
	}
	if k.Type != ShareGroupMember {
		m.InstanceID, _ = r.nullable()
	}
	_, _ = r.nullable() // rack
	m.ClientID, m.Host = r.string("clientId"), r.string("clientHost")
	if r.err != nil {
		return m, fmt.Errorf("parse %s: %w", k.Type, r.err)
	}
	return m, nil
}
