package metadata

import (
	"hash/maphash"
	"slices"
)

// listID names a list of int32 in a listTable; 0 is the empty list.
type listID uint32

// listTable keeps lists of int32 one behind another in chunks, each behind its length; a listID is the chunk's number
// and the place in it. A list seen lately is not kept
// again: small clusters have few distinct replica lists, a partition's in-sync replicas are mostly its replicas. What
// the cache misses is kept twice, which costs less memory than an index of all lists and far less time, for looking one
// up in a large index is a cache miss or two.
type listTable struct {
	chunks [][]int32
	recent [listCache]struct {
		hash uint32
		id   listID
	}
}

const (
	chunkBits = 16
	// maxChunks bounds what a listID can name: 2^32 numbers, far above what a cluster can have.
	maxChunks = 1 << (32 - chunkBits)
)

// full tells whether no more lists can be kept.
func (t *listTable) full() bool { return len(t.chunks) >= maxChunks }

// listCache is the number of lists seen lately, a power of two.
const listCache = 4096

func hash32(seed uint64, v uint32) uint64 {
	seed = (seed ^ uint64(v)) * 0x9E3779B97F4A7C15
	return seed ^ seed>>29
}

func (t *listTable) id(list []int32) listID {
	if len(list) == 0 {
		return 0
	}
	h := uint64(len(list))
	for _, v := range list {
		h = hash32(h, uint32(v))
	}
	slot := &t.recent[h%listCache]
	tag := uint32(h >> 32)
	if slot.hash == tag && slot.id != 0 && slices.Equal(t.list(slot.id), list) {
		return slot.id
	}
	slot.hash, slot.id = tag, t.keep(list)
	return slot.id
}

func (t *listTable) keep(list []int32) listID {
	last := len(t.chunks) - 1
	if last < 0 || cap(t.chunks[last])-len(t.chunks[last]) < len(list)+1 {
		last++
		t.chunks = append(t.chunks, make([]int32, 0, max(1<<chunkBits, len(list)+2)))
		if last == 0 {
			t.chunks[0] = append(t.chunks[0], 0) // so that no list has ID 0
		}
	}
	id := listID(last<<chunkBits | len(t.chunks[last]))
	t.chunks[last] = append(append(t.chunks[last], int32(len(list))), list...)
	return id
}

// list must not be changed.
func (t *listTable) list(id listID) []int32 {
	if id == 0 {
		return nil
	}
	chunk, at := t.chunks[id>>chunkBits], int(id&(1<<chunkBits-1))
	end := at + 1 + int(chunk[at])
	return chunk[at+1 : end : end]
}

// uuidTable gives each distinct UUID a number, so that lists of directories are lists of int32.
type uuidTable struct {
	uuids []UUID
	slots []int32      // number + 1
	seed  maphash.Seed // random, so that no file can make all UUIDs fall into one place
}

func (t *uuidTable) id(u *UUID) int32 {
	if 2*(len(t.uuids)+1) > len(t.slots) {
		t.slots = make([]int32, max(64, 2*len(t.slots)))
		for i := range t.uuids {
			t.slots[t.find(&t.uuids[i])] = int32(i + 1)
		}
	}
	at := t.find(u)
	if t.slots[at] == 0 {
		t.uuids = append(t.uuids, *u)
		t.slots[at] = int32(len(t.uuids))
	}
	return t.slots[at] - 1
}

// find is the slot that holds u, or the free one where it belongs.
func (t *uuidTable) find(u *UUID) uint64 {
	mask := uint64(len(t.slots) - 1)
	at := maphash.Bytes(t.seed, u[:]) & mask
	for t.slots[at] != 0 && t.uuids[t.slots[at]-1] != *u {
		at = (at + 1) & mask
	}
	return at
}
