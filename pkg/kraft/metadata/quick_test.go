package metadata_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// atRest is a partition as a controller writes most of them.
func atRest() metadata.PartitionRecord {
	return metadata.PartitionRecord{
		PartitionID: 5, TopicID: id(1), Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}, Leader: 2, LeaderEpoch: 7,
		PartitionEpoch: 9, Directories: []metadata.UUID{id(11), id(12), id(13)},
	}
}

// TestTheQuickWayIsTheLongWay holds the quick way against decoding, for records of every form, each cut off at every
// length and with every bit flipped.
func TestTheQuickWayIsTheLongWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		version int16
		change  func(r *metadata.PartitionRecord)
		quick   bool
	}{
		"at rest":              {2, func(*metadata.PartitionRecord) {}, true},
		"of version 1":         {1, func(*metadata.PartitionRecord) {}, true},
		"before directories":   {0, func(r *metadata.PartitionRecord) { r.Directories = nil }, true},
		"no directories":       {1, func(r *metadata.PartitionRecord) { r.Directories = nil }, true},
		"no replicas":          {0, func(r *metadata.PartitionRecord) { *r = metadata.PartitionRecord{TopicID: id(1)} }, true},
		"out of sync":          {2, func(r *metadata.PartitionRecord) { r.ISR = []int32{2} }, true},
		"offline":              {2, func(r *metadata.PartitionRecord) { r.ISR, r.Leader = nil, -1 }, true},
		"too few directories":  {1, func(r *metadata.PartitionRecord) { r.Directories = r.Directories[:2] }, false},
		"being reassigned":     {2, func(r *metadata.PartitionRecord) { r.AddingReplicas = []int32{3} }, false},
		"losing a replica":     {2, func(r *metadata.PartitionRecord) { r.RemovingReplicas = []int32{3} }, false},
		"recovering":           {2, func(r *metadata.PartitionRecord) { r.LeaderRecoveryState = 1 }, false},
		"with eligible ones":   {2, func(r *metadata.PartitionRecord) { r.EligibleLeaderReplicas = []int32{3} }, false},
		"of a topic not there": {2, func(r *metadata.PartitionRecord) { r.TopicID = id(9) }, false},
		"of many replicas":     {0, func(r *metadata.PartitionRecord) { r.Replicas, r.Directories = make([]int32, 127), nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := atRest()
			c.change(&r)
			value := encode(t, &r, c.version)
			if _, ok := new(metadata.QuickText).Append(nil, value); c.quick && !ok {
				t.Error("not printed the quick way")
			}
			if got := withTopic(t).Quick(value); got != c.quick {
				t.Errorf("taken the quick way: %v, want %v", got, c.quick)
			}
			var text metadata.QuickText
			same := func(t *testing.T, value []byte) {
				t.Helper()
				same(t, value)
				sameText(t, &text, value)
			}
			same(t, value)
			for n := range value {
				same(t, value[:n])
			}
			for bit := range 8 * min(len(value), 200) {
				flipped := slices.Clone(value)
				flipped[bit/8] ^= 1 << (bit % 8)
				same(t, flipped)
			}
			same(t, append(slices.Clone(value), 0))
		})
	}
}

func encode(t *testing.T, m metadata.Message, version int16) []byte {
	t.Helper()
	value, err := (&metadata.Record{Frame: 1, Version: version, Message: m}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// withTopic is an image with one topic that has partition 4 and a partition 5 to be replaced.
func withTopic(t *testing.T) *metadata.Image {
	t.Helper()
	im := metadata.NewImage()
	four, five := atRest(), atRest()
	four.PartitionID, five.Replicas, five.ISR, five.Directories = 4, []int32{8}, nil, []metadata.UUID{id(18)}
	for _, m := range []metadata.Message{topic("orders", 1), &four, &five} {
		if err := im.ApplyDecoded(encode(t, m, version(m)), metadata.Position{}); err != nil {
			t.Fatal(err)
		}
	}
	return im
}

func version(m metadata.Message) int16 {
	if _, ok := m.(*metadata.PartitionRecord); ok {
		return 1
	}
	return 0
}

// same applies a value both ways, twice, so that lists are met that were seen before.
func same(t *testing.T, value []byte) {
	t.Helper()
	quick, long := withTopic(t), withTopic(t)
	for range 2 {
		got, want := quick.Apply(value, metadata.Position{Offset: 3}), long.ApplyDecoded(value, metadata.Position{Offset: 3})
		if (got == nil) != (want == nil) || (got != nil && got.Error() != want.Error()) {
			t.Fatalf("%x: got %v, want %v", value, got, want)
		}
	}
	if quick.OpenTransaction() != nil || quick.TopicCount() != 1 || long.TopicCount() != 1 {
		return // another record by now, which has no quick way
	}
	got := slices.Collect(quick.Topic("orders").Partitions())
	want := slices.Collect(long.Topic("orders").Partitions())
	if !reflect.DeepEqual(want, got) || quick.PartitionCount() != long.PartitionCount() {
		t.Fatalf("%x: (-long way +quick way):\n%s", value, cmp.Diff(want, got))
	}
}

// sameText prints a value both ways.
func sameText(t *testing.T, text *metadata.QuickText, value []byte) {
	t.Helper()
	rec := metadata.Decode(value)
	want := rec.AppendJSON(nil, true)
	if got, ok := text.Append(nil, value); ok && string(got) != string(want) {
		t.Fatalf("%x:\ngot  %s\nwant %s", value, got, want)
	}
}
