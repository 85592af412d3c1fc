package metadata

import (
	"slices"
	"testing"
)

// TestAssignmentsAreKept fills more than a chunk and more than what is remembered: each is what it was, and one that
// comes again at once is not kept again.
func TestAssignmentsAreKept(t *testing.T) {
	t.Parallel()
	const n = 3*assignmentCache + 5
	var table assignmentTable
	ids := make([]assignmentID, n)
	of := func(i int) assignment {
		return assignment{
			replicas: listID(i), dirs: listID(i / 2), isr: listID(i % 7), removing: listID(i % 3), recovery: int8(i % 2),
		}
	}
	for i := range ids {
		ids[i] = table.id(of(i))
		if again := table.id(of(i)); again != ids[i] {
			t.Fatalf("assignment %d has the numbers %d and %d", i, ids[i], again)
		}
	}
	for i, id := range ids {
		if got := *table.get(id); got != of(i) {
			t.Fatalf("assignment %d: got %+v, want %+v", i, got, of(i))
		}
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(ids))); len(distinct) != n {
		t.Errorf("%d different assignments have %d numbers", n, len(distinct))
	}
}

// TestPartitionsShareTheirAssignment bounds the memory of an image by what is in common: a table of assignments, not one
// for each partition.
func TestPartitionsShareTheirAssignment(t *testing.T) {
	t.Parallel()
	im := NewImage()
	apply := func(m Message, version int16) {
		t.Helper()
		value, err := (&Record{Frame: 1, Version: version, Message: m}).Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := im.Apply(value, Position{}); err != nil {
			t.Fatal(err)
		}
	}
	apply(&TopicRecord{Name: "orders", TopicID: UUID{1}}, 0)
	for i := range 3000 {
		broker := int32(i % 3)
		apply(&PartitionRecord{
			TopicID: UUID{1}, PartitionID: int32(i), Replicas: []int32{broker, broker + 1}, ISR: []int32{broker},
			Leader: broker, Directories: []UUID{{9, byte(broker)}, {9, byte(broker + 1)}},
		}, 1)
	}
	if kept := len(im.topics.assignments.chunks[0]); kept != 3 || len(im.topics.assignments.chunks) != 1 {
		t.Errorf("%d assignments are kept for 3", kept)
	}
	p, _ := im.Topic("orders").Partition(2999)
	if want := []int32{2, 3}; !slices.Equal(p.Replicas, want) || !slices.Equal(p.ISR, want[:1]) ||
		p.Directories[1] != (UUID{9, 3}) {
		t.Errorf("got %+v", p)
	}
}
