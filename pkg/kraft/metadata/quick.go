package metadata

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Most of a large image is PartitionRecords of partitions at rest. The quick way takes those from their bytes into the
// table, or into text, without a PartitionRecord between: lists that were seen lately are found by their bytes.
// Whatever is not exactly of that form, or in any way wrong, is left to the decoder, so that there is one judge of what
// is wrong.

// Offsets in the value of a PartitionRecord whose frame version, type and version take one byte each.
const (
	quickPartitionAt = 3
	quickTopicAt     = quickPartitionAt + 4
	quickListsAt     = quickTopicAt + 16
	quickLeast       = quickListsAt + 4 + 12 + 1 // four empty lists, three numbers, no tagged field
	// quickVersion is the newest version of the record whose layout is known here.
	quickVersion = 2
)

// rawFields reads the fields of a value whose lengths take one byte each. After a field that is not there or of
// another form, bad is set and what is returned means nothing.
type rawFields struct {
	b   []byte
	bad bool
}

// list is the elements of an array, size bytes each, as they are written.
func (f *rawFields) list(size int) []byte {
	if len(f.b) == 0 || f.b[0] == 0 || f.b[0] >= 0x80 {
		f.bad = true
		return nil
	}
	n := int(f.b[0]-1) * size
	if n >= len(f.b) {
		f.bad = true
		return nil
	}
	elements := f.b[1 : 1+n]
	f.b = f.b[1+n:]
	return elements
}

// rawPartition is the value of a PartitionRecord without tagged fields, its lists as they are written.
type rawPartition struct {
	version                               uint8
	id, leader, leaderEpoch, epoch        int32
	topic                                 *UUID
	replicas, isr, removing, adding, dirs []byte
}

// rawPartitionOf takes the value of a PartitionRecord of that form apart and tells whether it is one.
func rawPartitionOf(v []byte) (p rawPartition, ok bool) {
	if len(v) < quickLeast || v[0] != 1 || v[1] != byte((*PartitionRecord)(nil).Type()) || v[2] > quickVersion {
		return p, false
	}
	be := binary.BigEndian
	p.version, p.id, p.topic = v[2], int32(be.Uint32(v[quickPartitionAt:])), (*UUID)(v[quickTopicAt:])
	f := rawFields{b: v[quickListsAt:]}
	p.replicas, p.isr, p.removing, p.adding = f.list(4), f.list(4), f.list(4), f.list(4)
	if f.bad || len(f.b) < 12+1 {
		return p, false
	}
	p.leader, p.leaderEpoch, p.epoch = int32(be.Uint32(f.b)), int32(be.Uint32(f.b[4:])), int32(be.Uint32(f.b[8:]))
	f.b = f.b[12:]
	if p.version >= 1 {
		p.dirs = f.list(16)
	}
	return p, !f.bad && len(f.b) == 1 && f.b[0] == 0
}

// quick applies the value of a PartitionRecord and tells whether it did.
func (t *topicTable) quick(v []byte) bool {
	raw, ok := rawPartitionOf(v)
	if !ok || len(raw.removing)+len(raw.adding) > 0 || t.lists.full() ||
		(len(raw.dirs) > 0 && len(raw.dirs) != 4*len(raw.replicas)) {
		return false
	}
	topic := t.find(raw.topic)
	if topic == nil {
		return false
	}
	t.put(topic, partition{
		id: raw.id, leader: raw.leader, leaderEpoch: raw.leaderEpoch, epoch: raw.epoch, assignment: t.rawAssignment(&raw),
	})
	return true
}

// seenAssignment is the hash of an assignment as it was written, and its number plus one.
type seenAssignment struct {
	tag uint32
	id  assignmentID
}

// rawAssignment keeps the assignment of a partition at rest.
func (t *topicTable) rawAssignment(raw *rawPartition) assignmentID {
	if t.seen == nil {
		t.seen = make([]seenAssignment, assignmentCache)
	}
	h := raw.hash()
	slot := &t.seen[h%assignmentCache]
	if slot.id != 0 && slot.tag == uint32(h>>32) && t.isRaw(t.assignments.get(slot.id-1), raw) {
		return slot.id - 1
	}
	a := assignment{replicas: t.lists.rawID(raw.replicas)}
	if a.isr = a.replicas; !bytes.Equal(raw.isr, raw.replicas) {
		a.isr = t.lists.rawID(raw.isr)
	}
	if len(raw.dirs) == 0 {
		a.dirs = t.migrating(len(raw.replicas) / 4)
	} else {
		a.dirs = t.rawDirs(raw.dirs)
	}
	id := t.assignments.id(a)
	slot.tag, slot.id = uint32(h>>32), id+1
	return id
}

// isRaw tells whether an assignment is that of a partition as it is written.
func (t *topicTable) isRaw(a *assignment, raw *rawPartition) bool {
	if a.removing|a.adding|a.elr|a.lastKnown != 0 || a.recovery != 0 || !sameRaw(t.lists.list(a.replicas), raw.replicas) {
		return false
	}
	if a.isr == a.replicas {
		if !bytes.Equal(raw.isr, raw.replicas) {
			return false
		}
	} else if !sameRaw(t.lists.list(a.isr), raw.isr) {
		return false
	}
	dirs := t.lists.list(a.dirs)
	if len(raw.dirs) == 0 {
		return len(dirs) == len(raw.replicas)/4 &&
			!slices.ContainsFunc(dirs, func(n int32) bool { return t.dirs.uuids[n] != DirectoryMigrating })
	}
	if len(raw.dirs) != 16*len(dirs) {
		return false
	}
	for i, n := range dirs {
		if *(*UUID)(raw.dirs[16*i:]) != t.dirs.uuids[n] {
			return false
		}
	}
	return true
}

// hash is of what is in an assignment. Of a directory it takes the first half: UUIDs are random.
func (p *rawPartition) hash() uint64 {
	be := binary.BigEndian
	h := uint64(len(p.replicas))<<8 | uint64(len(p.isr))
	for i := 0; i+4 <= len(p.replicas); i += 4 {
		h = hash32(h, be.Uint32(p.replicas[i:]))
	}
	if len(p.isr) != len(p.replicas) {
		for i := 0; i+4 <= len(p.isr); i += 4 {
			h = hash32(h, be.Uint32(p.isr[i:]))
		}
	}
	var dirs uint64
	for i := 0; i+16 <= len(p.dirs); i += 16 {
		dirs = dirs<<1 ^ be.Uint64(p.dirs[i:])
	}
	return (h ^ dirs) * 0x9E3779B97F4A7C15
}

// rawID is id of a list of numbers as they are written.
func (t *listTable) rawID(raw []byte) listID {
	if len(raw) == 0 {
		return 0
	}
	be := binary.BigEndian
	h := uint64(len(raw) / 4)
	for i := 0; i < len(raw); i += 4 {
		h = hash32(h, be.Uint32(raw[i:]))
	}
	slot := &t.recent[h%listCache]
	tag := uint32(h >> 32)
	if slot.hash == tag && slot.id != 0 && sameRaw(t.list(slot.id), raw) {
		return slot.id
	}
	list := make([]int32, len(raw)/4)
	for i := range list {
		list[i] = int32(be.Uint32(raw[4*i:]))
	}
	slot.hash, slot.id = tag, t.keep(list)
	return slot.id
}

func sameRaw(list []int32, raw []byte) bool {
	if 4*len(list) != len(raw) {
		return false
	}
	for i, v := range list {
		if uint32(v) != binary.BigEndian.Uint32(raw[4*i:]) {
			return false
		}
	}
	return true
}

func hashDirs(raw []byte) uint64 {
	h := uint64(len(raw))
	for i := 0; i < len(raw); i += 8 {
		h = (h ^ binary.LittleEndian.Uint64(raw[i:])) * 0x9E3779B97F4A7C15
		h ^= h >> 29
	}
	return h
}

// rawDirs is dirList of directories as they are written.
func (t *topicTable) rawDirs(raw []byte) listID {
	t.ints = t.ints[:0]
	for i := 0; i < len(raw); i += 16 {
		t.ints = append(t.ints, t.dirs.id((*UUID)(raw[i:])))
	}
	return t.lists.id(t.ints)
}

// dirCache is the number of directory lists whose text is kept, a power of two.
const dirCache = 1024

// quickText prints PartitionRecords from their bytes. It remembers what it printed last, for the partitions of a topic
// follow each other and few sets of directories hold all partitions of a cluster.
type quickText struct {
	topic     UUID
	topicText []byte
	dirs      []seenText
}

// seenText is a list of directories as it was written, and its text.
type seenText struct{ raw, text []byte }

// append appends what Record.AppendJSON gives for the value of a PartitionRecord and tells whether it did.
func (q *quickText) append(b, v []byte) ([]byte, bool) {
	p, ok := rawPartitionOf(v)
	if !ok {
		return b, false
	}
	b = append(b, `{"type":"PARTITION_RECORD","version":`...)
	b = append(b, '0'+p.version)
	b = append(b, `,"data":{"partitionId":`...)
	b = jsonInt(b, int64(p.id))
	if q.topicText == nil || q.topic != *p.topic {
		q.topic, q.topicText = *p.topic, p.topic.AppendText22(q.topicText[:0])
	}
	b = append(append(append(b, `,"topicId":"`...), q.topicText...), '"')
	b = rawInts(append(b, `,"replicas":[`...), p.replicas)
	b = rawInts(append(b, `],"isr":[`...), p.isr)
	b = rawInts(append(b, `],"removingReplicas":[`...), p.removing)
	b = rawInts(append(b, `],"addingReplicas":[`...), p.adding)
	b = jsonInt(append(b, `],"leader":`...), int64(p.leader))
	b = jsonInt(append(b, `,"leaderEpoch":`...), int64(p.leaderEpoch))
	b = jsonInt(append(b, `,"partitionEpoch":`...), int64(p.epoch))
	if p.version >= 1 {
		b = append(append(b, `,"directories":`...), q.dirsText(p.dirs)...)
	}
	return append(b, "}}"...), true
}

func rawInts(b, raw []byte) []byte {
	for i := 0; i < len(raw); i += 4 {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonInt(b, int64(int32(binary.BigEndian.Uint32(raw[i:]))))
	}
	return b
}

// dirsText is the JSON of a list of directories.
func (q *quickText) dirsText(raw []byte) []byte {
	if q.dirs == nil {
		q.dirs = make([]seenText, dirCache)
	}
	slot := &q.dirs[hashDirs(raw)%dirCache]
	if slot.text != nil && bytes.Equal(slot.raw, raw) {
		return slot.text
	}
	text := append(slot.text[:0], '[')
	for i := 0; i < len(raw); i += 16 {
		if i > 0 {
			text = append(text, ',')
		}
		text = append((*UUID)(raw[i:]).AppendText22(append(text, '"')), '"')
	}
	slot.raw, slot.text = append(slot.raw[:0], raw...), append(text, ']')
	return slot.text
}
