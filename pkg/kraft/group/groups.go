package group

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// Topic is the topic that groups are kept in.
const Topic = "__consumer_offsets"

// Protocol tells which kind of group it is.
type Protocol string

// The kinds of groups. A group of which there are only offsets is one whose consumer manages its partitions itself, or
// whose last member left and whose metadata was removed.
const (
	Classic     Protocol = "classic"
	Consumer    Protocol = "consumer" // KIP-848
	Share       Protocol = "share"    // KIP-932
	Streams     Protocol = "streams"  // KIP-1071
	OffsetsOnly Protocol = "offsets"
)

// Group is one group as the log left it.
type Group struct {
	ID   string   `json:"id"`
	Kind Protocol `json:"kind"`
	// Epoch is the group epoch, of a classic group its generation.
	Epoch int32 `json:"epoch"`
	// ProtocolType, Protocol and Leader belong to classic groups.
	ProtocolType string   `json:"protocolType,omitempty"`
	Protocol     string   `json:"protocol,omitempty"`
	Leader       string   `json:"leader,omitempty"`
	Members      []Member `json:"members,omitempty"`
	Offsets      []Commit `json:"offsets,omitempty"`

	members map[string]Member
	offsets map[topicPartition]Commit
}

type topicPartition struct {
	topic     string
	partition int32
}

// Groups replays partitions of __consumer_offsets. It is for one goroutine.
type Groups struct {
	groups  map[string]*Group
	pending map[int64][]record // of open transactions, by producer
	unknown map[RecordType]int
}

// record is a copy of a record that waits for the end of its transaction.
type record struct{ key, value []byte }

// New returns Groups without a group.
func New() *Groups {
	return &Groups{groups: map[string]*Group{}, pending: map[int64][]record{}, unknown: map[RecordType]int{}}
}

// maxPending bounds the records of one transaction that are kept; Kafka's own commits have one a partition.
const maxPending = 1 << 20

// Apply replays one record of a batch. Commits of a transaction count when it is committed. An error is about the
// record, which then changed nothing; the next one can be applied all the same.
func (s *Groups) Apply(b *batch.Batch, r *batch.Record) error {
	switch {
	case b.IsControl():
		return s.marker(b, r)
	case b.IsTransactional():
		waiting := s.pending[b.ProducerID]
		if len(waiting) >= maxPending {
			return fmt.Errorf("%w: the transaction of producer %d has more than %d records", ErrMalformed,
				b.ProducerID, maxPending)
		}
		s.pending[b.ProducerID] = append(waiting, record{slices.Clone(r.Key), slices.Clone(r.Value)})
		return nil
	}
	return s.apply(r.Key, r.Value)
}

// EndPartition forgets transactions that the log of a partition left open: they count for nothing yet.
func (s *Groups) EndPartition() { clear(s.pending) }

func (s *Groups) marker(b *batch.Batch, r *batch.Record) error {
	c, err := batch.ParseControl(r.Key, r.Value)
	if err != nil {
		return fmt.Errorf("end transaction: %w", err)
	}
	waiting := s.pending[b.ProducerID]
	switch c.Type {
	case batch.Commit:
		for _, w := range waiting {
			if err == nil {
				err = s.apply(w.key, w.value)
			} else {
				_ = s.apply(w.key, w.value) // the first error is the one told
			}
		}
		delete(s.pending, b.ProducerID)
	case batch.Abort:
		delete(s.pending, b.ProducerID)
	case batch.LeaderChange, batch.SnapshotHeader, batch.SnapshotFooter, batch.KRaftVersion, batch.KRaftVoters:
	}
	return err
}

func (s *Groups) apply(key, value []byte) error {
	k, err := ParseKey(key)
	if err != nil {
		return err
	}
	switch k.Type {
	case LegacyOffsetCommit, OffsetCommit:
		return s.commit(k, value)
	case GroupMetadata:
		return s.classic(k, value)
	case ConsumerGroup:
		return s.epoch(k, Consumer, value)
	case ShareGroup:
		return s.epoch(k, Share, value)
	case StreamsGroup:
		return s.epoch(k, Streams, value)
	case ConsumerGroupMember:
		return s.member(k, Consumer, value)
	case ShareGroupMember:
		return s.member(k, Share, value)
	case StreamsGroupMember:
		return s.member(k, Streams, value)
	}
	if k.Type < 0 || k.Type > newestKnown {
		s.unknown[k.Type]++
	}
	return nil
}

func (s *Groups) group(id string) *Group {
	g := s.groups[id]
	if g == nil {
		g = &Group{ID: id, Kind: OffsetsOnly, members: map[string]Member{}, offsets: map[topicPartition]Commit{}}
		s.groups[id] = g
	}
	return g
}

// drop forgets a group of which nothing is left.
func (s *Groups) drop(g *Group) {
	if g.Kind == OffsetsOnly && len(g.offsets)+len(g.members) == 0 {
		delete(s.groups, g.ID)
	}
}

func (s *Groups) commit(k Key, value []byte) error {
	at := topicPartition{k.Topic, k.Partition}
	if value == nil {
		if g := s.groups[k.Group]; g != nil {
			delete(g.offsets, at)
			s.drop(g)
		}
		return nil
	}
	c, err := ParseCommit(k, value)
	if err == nil {
		s.group(k.Group).offsets[at] = c
	}
	return err
}

// forget is a tombstone of a group's metadata.
func (s *Groups) forget(id string) error {
	if g := s.groups[id]; g != nil {
		g.Kind, g.Epoch, g.ProtocolType, g.Protocol, g.Leader = OffsetsOnly, 0, "", "", ""
		clear(g.members)
		s.drop(g)
	}
	return nil
}

func (s *Groups) classic(k Key, value []byte) error {
	if value == nil {
		return s.forget(k.Group)
	}
	read := Group{}
	if err := parseClassic(&read, value); err != nil {
		return err
	}
	g := s.group(k.Group)
	g.Kind, g.Epoch, g.ProtocolType, g.Protocol = Classic, read.Epoch, read.ProtocolType, read.Protocol
	g.Leader, g.members = read.Leader, read.members
	return nil
}

func (s *Groups) epoch(k Key, kind Protocol, value []byte) error {
	if value == nil {
		return s.forget(k.Group)
	}
	epoch, err := parseEpoch(k.Type, value)
	if err != nil {
		return err
	}
	g := s.group(k.Group)
	if g.Kind != kind { // a classic group was upgraded: its members are given anew
		g.ProtocolType, g.Protocol, g.Leader = "", "", ""
	}
	g.Kind, g.Epoch = kind, epoch
	return nil
}

func (s *Groups) member(k Key, kind Protocol, value []byte) error {
	if value == nil {
		if g := s.groups[k.Group]; g != nil {
			delete(g.members, k.Member)
			s.drop(g)
		}
		return nil
	}
	m, err := parseMember(k, value)
	if err != nil {
		return err
	}
	g := s.group(k.Group)
	if g.Kind == OffsetsOnly {
		g.Kind = kind
	}
	g.members[m.ID] = m
	return nil
}

// Unknown counts the records of types that no known release writes, by type. They were passed over.
func (s *Groups) Unknown() map[RecordType]int { return maps.Clone(s.unknown) }

// List returns the groups by ID, their offsets by topic and partition.
func (s *Groups) List() []Group {
	out := make([]Group, 0, len(s.groups))
	for _, g := range s.groups {
		listed := *g
		listed.Members = slices.SortedFunc(maps.Values(g.members), func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
		listed.Offsets = slices.SortedFunc(maps.Values(g.offsets), func(a, b Commit) int {
			return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
		})
		out = append(out, listed)
	}
	slices.SortFunc(out, func(a, b Group) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
