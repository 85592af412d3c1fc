package metadata

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// NoLeader is the leader of a partition that has none (Kafka's LeaderConstants).
const NoLeader int32 = -1

// noLeaderChange in a PartitionChangeRecord leaves leader and leader epoch as they are.
const noLeaderChange int32 = -2

// Topic is one topic of an Image. Partitions are kept packed; Partitions gives them one by one.
type Topic struct {
	Name string
	ID   UUID

	parts []partition // sorted by id
	image *topicTable
}

// Partition is one partition of a topic as the controller registered it (Kafka's PartitionRegistration). Its slices
// belong to the image and must not be changed.
type Partition struct {
	ID       int32   `json:"partition"`
	Replicas []int32 `json:"replicas"`
	// Directories are the log directories of the replicas, in their order.
	Directories      []UUID  `json:"directories"`
	ISR              []int32 `json:"isr"`
	RemovingReplicas []int32 `json:"removingReplicas,omitempty"`
	AddingReplicas   []int32 `json:"addingReplicas,omitempty"`
	// ELR and LastKnownELR are the eligible leader replicas of KIP-966.
	ELR          []int32 `json:"elr,omitempty"`
	LastKnownELR []int32 `json:"lastKnownElr,omitempty"`
	// Leader is NoLeader when the partition is offline.
	Leader int32 `json:"leader"`
	// Recovering is set after an unclean election until the leader has recovered.
	Recovering     bool  `json:"recovering,omitempty"`
	LeaderEpoch    int32 `json:"leaderEpoch"`
	PartitionEpoch int32 `json:"partitionEpoch"`
}

// partition is a Partition in 20 bytes.
type partition struct {
	id, leader, leaderEpoch, epoch int32
	assignment                     assignmentID
}

// topicTable is every topic of an image.
type topicTable struct {
	byID        map[UUID]*Topic
	byName      map[string]*Topic
	lists       listTable
	dirs        uuidTable
	assignments assignmentTable
	last        *Topic // the one used last: a topic's partitions follow each other
	count       int    // partitions of all topics
	ints        []int32
	seen        []seenAssignment // assignments seen lately as they were written

	slab []partition // where the partitions of topics read in one go lie one behind another
	tail *Topic      // whose partitions end the slab
}

// slabSize is how many partitions are allocated at once.
const slabSize = 4096

// insert puts a partition in its place. The partitions of a topic that come in order, as they do in snapshots, grow in
// the slab without being copied.
func (t *topicTable) insert(topic *Topic, at int, p partition) {
	t.count++
	n := len(topic.parts)
	if at < n || (n > 0 && t.tail != topic) {
		if t.tail == topic {
			t.tail = nil
		}
		topic.parts = slices.Insert(topic.parts, at, p)
		return
	}
	t.tail = topic
	if len(t.slab) == cap(t.slab) {
		t.slab = append(make([]partition, 0, max(slabSize, 2*n)), topic.parts...)
	}
	t.slab = append(t.slab, p)
	end := len(t.slab)
	topic.parts = t.slab[end-n-1 : end : end]
}

var errNoTopic = errors.New("no topic with that ID was found")

func (t *topicTable) find(id *UUID) *Topic {
	if t.last != nil && t.last.ID == *id {
		return t.last
	}
	topic := t.byID[*id]
	if topic != nil {
		t.last = topic
	}
	return topic
}

func (t *topicTable) create(r *TopicRecord) error {
	if old := t.byID[r.TopicID]; old != nil {
		if old.Name == r.Name {
			return fmt.Errorf("found duplicate TopicRecord for %q with topic ID %s", r.Name, r.TopicID)
		}
		t.remove(&r.TopicID)
	}
	old := t.byName[r.Name]
	topic := &Topic{Name: strings.Clone(r.Name), ID: r.TopicID, image: t}
	if old != nil {
		t.remove(&old.ID)
	}
	t.byID[topic.ID], t.byName[topic.Name], t.last = topic, topic, topic
	if old != nil {
		return fmt.Errorf("topic %q is created with ID %s while it exists with ID %s", r.Name, r.TopicID, old.ID)
	}
	return nil
}

func (t *topicTable) remove(id *UUID) *Topic {
	topic := t.byID[*id]
	if topic == nil {
		return nil
	}
	delete(t.byID, *id)
	if t.byName[topic.Name] == topic {
		delete(t.byName, topic.Name)
	}
	t.count -= len(topic.parts)
	t.last = nil
	return topic
}

// search finds the place of a partition; most topics have partitions 0 to n-1, so it looks there first.
func (t *Topic) search(id int32) (int, bool) {
	if id >= 0 && int(id) < len(t.parts) && t.parts[id].id == id {
		return int(id), true
	}
	if n := len(t.parts); n == 0 || t.parts[n-1].id < id {
		return n, false
	}
	return slices.BinarySearchFunc(t.parts, id, func(p partition, id int32) int { return cmp.Compare(p.id, id) })
}

func (t *topicTable) dirList(uuids []UUID) listID {
	t.ints = t.ints[:0]
	for i := range uuids {
		t.ints = append(t.ints, t.dirs.id(&uuids[i]))
	}
	return t.lists.id(t.ints)
}

// migrating is the directory list of n replicas for which none is known.
func (t *topicTable) migrating(n int) listID {
	t.ints = t.ints[:0]
	number := t.dirs.id(&DirectoryMigrating)
	for range n {
		t.ints = append(t.ints, number)
	}
	return t.lists.id(t.ints)
}

func (t *topicTable) partition(r *PartitionRecord) error {
	topic := t.find(&r.TopicID)
	if topic == nil {
		return fmt.Errorf("tried to create partition %s:%d: %w", r.TopicID, r.PartitionID, errNoTopic)
	}
	a := assignment{replicas: t.lists.id(r.Replicas), recovery: r.LeaderRecoveryState}
	if a.isr = a.replicas; !slices.Equal(r.ISR, r.Replicas) {
		a.isr = t.lists.id(r.ISR)
	}
	a.removing, a.adding = t.lists.id(r.RemovingReplicas), t.lists.id(r.AddingReplicas)
	a.elr, a.lastKnown = t.lists.id(r.EligibleLeaderReplicas), t.lists.id(r.LastKnownELR)
	var err error
	if len(r.Directories) == 0 {
		a.dirs = t.migrating(len(r.Replicas))
	} else {
		a.dirs = t.dirList(r.Directories)
		err = sameLength(topic, r.PartitionID, len(r.Replicas), len(r.Directories))
	}
	t.put(topic, partition{
		id: r.PartitionID, leader: r.Leader, leaderEpoch: r.LeaderEpoch, epoch: r.PartitionEpoch,
		assignment: t.assignments.id(a),
	})
	return err
}

// put makes or replaces a partition.
func (t *topicTable) put(topic *Topic, p partition) {
	at, exists := topic.search(p.id)
	if exists {
		topic.parts[at] = p
		return
	}
	t.insert(topic, at, p)
}

func sameLength(t *Topic, id int32, replicas, dirs int) error {
	if replicas == dirs {
		return nil
	}
	return fmt.Errorf("partition %s-%d has %d replicas in %d directories", t.Name, id, replicas, dirs)
}

// change merges a PartitionChangeRecord as Kafka's PartitionRegistration.merge does: what is null stays, the leader
// epoch grows whenever the record names a leader, the partition epoch always.
func (t *topicTable) change(r *PartitionChangeRecord) error {
	topic := t.find(&r.TopicID)
	if topic == nil {
		return fmt.Errorf("unable to find partition %s:%d: %w", r.TopicID, r.PartitionID, errNoTopic)
	}
	at, exists := topic.search(r.PartitionID)
	if !exists {
		return fmt.Errorf("unable to find partition %s-%d of topic ID %s", topic.Name, r.PartitionID, r.TopicID)
	}
	p := &topic.parts[at]
	a := *t.assignments.get(p.assignment)
	for _, f := range [...]struct {
		into *listID
		list []int32
	}{
		{&a.replicas, r.Replicas},
		{&a.isr, r.ISR},
		{&a.removing, r.RemovingReplicas},
		{&a.adding, r.AddingReplicas},
		{&a.elr, r.EligibleLeaderReplicas},
		{&a.lastKnown, r.LastKnownELR},
	} {
		if f.list != nil {
			*f.into = t.lists.id(f.list)
		}
	}
	replicas := len(t.lists.list(a.replicas))
	switch {
	case len(r.Directories) > 0:
		a.dirs = t.dirList(r.Directories)
	case r.Directories != nil:
		a.dirs = t.migrating(replicas)
	}
	if r.Leader != noLeaderChange {
		p.leader = r.Leader
		p.leaderEpoch++
	}
	if r.LeaderRecoveryState != -1 {
		a.recovery = r.LeaderRecoveryState
	}
	p.epoch++
	p.assignment = t.assignments.id(a)
	return sameLength(topic, p.id, replicas, len(t.lists.list(a.dirs)))
}

func (t *topicTable) clearELR(name string) error {
	if name == "" {
		for _, topic := range t.byID {
			topic.clearELR()
		}
		return nil
	}
	topic := t.byName[name]
	if topic == nil {
		return fmt.Errorf("unable to clear elr for topic with name %q: no such topic found", name)
	}
	topic.clearELR()
	return nil
}

// clearELR is TopicDelta.replay(ClearElrRecord): a change of the partitions that have eligible leaders, and no others.
func (t *Topic) clearELR() {
	for i := range t.parts {
		p := &t.parts[i]
		if a := *t.image.assignments.get(p.assignment); a.elr != 0 || a.lastKnown != 0 {
			a.elr, a.lastKnown = 0, 0
			p.assignment = t.image.assignments.id(a)
			p.epoch++
		}
	}
}

// PartitionCount is the number of partitions.
func (t *Topic) PartitionCount() int { return len(t.parts) }

// Partition gives one partition by its number.
func (t *Topic) Partition(id int32) (Partition, bool) {
	at, exists := t.search(id)
	if !exists {
		return Partition{}, false
	}
	return t.unpack(&t.parts[at]), true
}

// Partitions goes through the partitions by number. Each costs a slice for its directories; Replicas is cheaper.
func (t *Topic) Partitions() iter.Seq[Partition] {
	return func(yield func(Partition) bool) {
		for i := range t.parts {
			if !yield(t.unpack(&t.parts[i])) {
				return
			}
		}
	}
}

// PartitionIDs goes through the numbers of the partitions in order.
func (t *Topic) PartitionIDs() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for i := range t.parts {
			if !yield(t.parts[i].id) {
				return
			}
		}
	}
}

// Counts are totals over the partitions of a topic or an image.
type Counts struct {
	Partitions int `json:"partitions"`
	// Offline have no leader, UnderReplicated have fewer in-sync replicas than replicas.
	Offline         int `json:"offline"`
	UnderReplicated int `json:"underReplicated"`
	// MaxReplication is the largest number of replicas.
	MaxReplication int `json:"replicationFactor"`
}

// Counts goes through the partitions without unpacking them.
func (t *Topic) Counts() Counts {
	c := Counts{Partitions: len(t.parts)}
	for i := range t.parts {
		p := &t.parts[i]
		a := t.image.assignments.get(p.assignment)
		replicas := len(t.image.lists.list(a.replicas))
		c.MaxReplication = max(c.MaxReplication, replicas)
		if p.leader == NoLeader {
			c.Offline++
		}
		if a.isr != a.replicas && len(t.image.lists.list(a.isr)) < replicas {
			c.UnderReplicated++
		}
	}
	return c
}

func (t *Topic) unpack(p *partition) Partition {
	lists, a := &t.image.lists, t.image.assignments.get(p.assignment)
	numbers := lists.list(a.dirs)
	dirs := make([]UUID, len(numbers))
	for i, n := range numbers {
		dirs[i] = t.image.dirs.uuids[n]
	}
	return Partition{
		ID: p.id, Replicas: lists.list(a.replicas), Directories: dirs, ISR: lists.list(a.isr),
		RemovingReplicas: lists.list(a.removing), AddingReplicas: lists.list(a.adding),
		ELR: lists.list(a.elr), LastKnownELR: lists.list(a.lastKnown), Leader: p.leader,
		Recovering: a.recovery != 0, LeaderEpoch: p.leaderEpoch, PartitionEpoch: p.epoch,
	}
}
