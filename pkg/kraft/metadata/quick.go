package metadata

import (
	"bytes"
	"encoding/binary"
)

// Most of a large image is PartitionRecords of partitions at rest. The quick way takes those from their bytes into the
// table without a PartitionRecord between: lists that were seen lately are found by their bytes. Whatever is not
// exactly of that form, or in any way wrong, is left to the decoder, so that there is one judge of what is wrong.

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

// quick applies the value of a PartitionRecord and tells whether it did.
func (t *topicTable) quick(v []byte) bool {
	if len(v) < quickLeast || v[0] != 1 || v[1] != byte((*PartitionRecord)(nil).Type()) || v[2] > quickVersion ||
		t.lists.full() {
		return false
	}
	topic := t.find((*UUID)(v[quickTopicAt:]))
	if topic == nil {
		return false
	}
	be := binary.BigEndian
	f := rawFields{b: v[quickListsAt:]}
	replicas, isr, removing, adding := f.list(4), f.list(4), f.list(4), f.list(4)
	if f.bad || len(removing)+len(adding) > 0 || len(f.b) < 12+1 {
		return false
	}
	p := partition{
		id: int32(be.Uint32(v[quickPartitionAt:])), leader: int32(be.Uint32(f.b)),
		leaderEpoch: int32(be.Uint32(f.b[4:])), epoch: int32(be.Uint32(f.b[8:])),
	}
	f.b = f.b[12:]
	var dirs []byte
	if v[2] >= 1 {
		dirs = f.list(16)
	}
	switch {
	case f.bad, len(f.b) != 1, f.b[0] != 0, len(dirs) > 0 && len(dirs) != 4*len(replicas):
		return false
	case len(dirs) == 0:
		p.dirs = t.migrating(len(replicas) / 4)
	default:
		p.dirs = t.rawDirs(dirs)
	}
	p.replicas = t.lists.rawID(replicas)
	if p.isr = p.replicas; !bytes.Equal(isr, replicas) {
		p.isr = t.lists.rawID(isr)
	}
	t.put(topic, p)
	return true
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

// dirCache is the number of directory lists seen lately, a power of two.
const dirCache = 1024

// seenDirs is a list of directories as it was written, and its ID.
type seenDirs struct {
	raw []byte
	id  listID
}

// rawDirs is dirList of directories as they are written.
func (t *topicTable) rawDirs(raw []byte) listID {
	h := uint64(len(raw))
	for i := 0; i < len(raw); i += 8 {
		h = (h ^ binary.LittleEndian.Uint64(raw[i:])) * 0x9E3779B97F4A7C15
		h ^= h >> 29
	}
	if t.seen == nil {
		t.seen = make([]seenDirs, dirCache)
	}
	slot := &t.seen[h%dirCache]
	if bytes.Equal(slot.raw, raw) {
		return slot.id
	}
	t.ints = t.ints[:0]
	for i := 0; i < len(raw); i += 16 {
		t.ints = append(t.ints, t.dirs.id((*UUID)(raw[i:])))
	}
	slot.raw, slot.id = append(slot.raw[:0], raw...), t.lists.id(t.ints)
	return slot.id
}
