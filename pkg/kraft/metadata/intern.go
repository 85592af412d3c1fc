package metadata

// listID names a list of int32 in a listTable; 0 is the empty list.
type listID uint32

// listTable keeps each distinct list of int32 once. Clusters have few distinct replica lists beside their partitions,
// and a partition's in-sync replicas are mostly its replicas. Lists lie one after another in arena, each behind its
// length; slots is an open addressing hash table of list IDs.
type listTable struct {
	arena []int32
	slots []listID
	count int
}

func hash32(seed uint64, v uint32) uint64 {
	seed = (seed ^ uint64(v)) * 0x9E3779B97F4A7C15
	return seed ^ seed>>29
}

func (t *listTable) id(list []int32) listID {
	if len(list) == 0 {
		return 0
	}
	if 2*(t.count+1) > len(t.slots) {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	for at := hashList(list) & mask; ; at = (at + 1) & mask {
		id := t.slots[at]
		if id == 0 {
			id = listID(len(t.arena))
			t.arena = append(append(t.arena, int32(len(list))), list...)
			t.slots[at] = id
			t.count++
			return id
		}
		if equalInts(t.list(id), list) {
			return id
		}
	}
}

func equalInts(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	for i, v := range a {
		if b[i] != v {
			return false
		}
	}
	return true
}

func hashList(list []int32) uint64 {
	h := uint64(len(list))
	for _, v := range list {
		h = hash32(h, uint32(v))
	}
	return h
}

// list is valid until the next call of id and must not be changed.
func (t *listTable) list(id listID) []int32 {
	if id == 0 {
		return nil
	}
	n := listID(t.arena[id])
	return t.arena[id+1 : id+1+n : id+1+n]
}

func (t *listTable) grow() {
	if len(t.arena) == 0 {
		t.arena = append(t.arena, 0) // so that no list has ID 0
	}
	size := max(64, 2*len(t.slots))
	old := t.slots
	t.slots = make([]listID, size)
	mask := uint64(size - 1)
	for _, id := range old {
		if id == 0 {
			continue
		}
		at := hashList(t.list(id)) & mask
		for t.slots[at] != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = id
	}
}

// uuidTable gives each distinct UUID a number, so that lists of directories are lists of int32.
type uuidTable struct {
	uuids []UUID
	slots []int32 // number + 1
}

func hashUUID(u *UUID) uint64 {
	h := uint64(0)
	for i := 0; i < 16; i += 4 {
		h = hash32(h, uint32(u[i])|uint32(u[i+1])<<8|uint32(u[i+2])<<16|uint32(u[i+3])<<24)
	}
	return h
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
	at := hashUUID(u) & mask
	for t.slots[at] != 0 && t.uuids[t.slots[at]-1] != *u {
		at = (at + 1) & mask
	}
	return at
}
