package metadata

// assignment is what a partition has in common with many others of its cluster: which brokers and directories hold it.
type assignment struct {
	replicas, dirs, isr, removing, adding, elr, lastKnown listID
	recovery                                              int8
}

// assignmentID names an assignment in an assignmentTable.
type assignmentID uint32

// assignmentTable keeps assignments in chunks. One that was met lately is not kept again, as in a listTable: most
// partitions of a cluster share theirs, so that each is a number. The zero value is empty.
type assignmentTable struct {
	chunks [][]assignment
	recent []assignmentID // by hash, plus one; 0 is a free slot
}

const (
	assignmentBits = 12
	// assignmentCache is the number of assignments met lately, a power of two. Kafka spreads the replicas of a topic over
	// n brokers in n·(n-1) ways at most when there are no racks.
	assignmentCache = 1 << 14
)

// get is valid until the next call of id.
func (t *assignmentTable) get(id assignmentID) *assignment {
	return &t.chunks[id>>assignmentBits][id&(1<<assignmentBits-1)]
}

// id keeps an assignment.
func (t *assignmentTable) id(a assignment) assignmentID {
	if t.recent == nil {
		t.recent = make([]assignmentID, assignmentCache)
	}
	h := hash32(uint64(a.replicas), uint32(a.dirs))
	h = hash32(hash32(h, uint32(a.isr)), uint32(a.removing)^uint32(a.adding)<<8^uint32(a.elr)<<16)
	slot := &t.recent[h%assignmentCache]
	if *slot != 0 && *t.get(*slot - 1) == a {
		return *slot - 1
	}
	last := len(t.chunks) - 1
	if last < 0 || len(t.chunks[last]) == cap(t.chunks[last]) {
		last++
		t.chunks = append(t.chunks, make([]assignment, 0, 1<<assignmentBits))
	}
	id := assignmentID(last<<assignmentBits | len(t.chunks[last]))
	t.chunks[last] = append(t.chunks[last], a)
	*slot = id + 1
	return id
}
