package recovery

import (
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// logOf is a volume of a running node with a metadata log up to there.
func logOf(node int32, offset int64, epoch int32, im *volume.Image) volume.Volume {
	end := logdir.OffsetAndEpoch{Offset: offset, Epoch: epoch}
	if im != nil {
		with := *im
		with.End = end
		im = &with
	}
	return volume.Volume{
		Image: im,
		Contents: &logdir.Contents{Dirs: []logdir.LogDir{{
			Meta:     &logdir.MetaProperties{NodeID: &node},
			Metadata: &logdir.MetadataLog{End: end, EndKnown: true, Empty: offset == 0},
		}}},
	}
}

// Brokers 0 to 2 and controllers 3 to 5, of which 2 and 5 are held back; epoch 4 was the newest, and everything up to
// offset 100 committed.
func TestOthersHaveCaughtUp(t *testing.T) {
	t.Parallel()
	done := &volume.Image{
		Brokers: []int32{0, 1, 2}, Fenced: []int32{2},
		Lost: map[int32]*volume.LostNode{2: {Replicas: 20, Alone: 1}},
	}
	image := func(change func(*volume.Image)) *volume.Image {
		im := *done
		change(&im)
		return &im
	}
	inSync := func(n int) *volume.Image {
		return image(func(im *volume.Image) { im.Lost = map[int32]*volume.LostNode{2: {Replicas: 20, InSync: n}} })
	}
	for _, tc := range []struct {
		name, left string
		volumes    []volume.Volume
	}{
		{"done", "", []volume.Volume{logOf(3, 121, 5, done), logOf(4, 121, 5, done)}},
		{"one was not read", "controller 4 was not read", []volume.Volume{logOf(3, 120, 5, done)}},
		{"no election yet", "no controller was elected", []volume.Volume{logOf(3, 120, 4, done), logOf(4, 120, 4, done)}},
		{"one did not follow", "controller 4 is at offset 120 of epoch 4",
			[]volume.Volume{logOf(3, 121, 5, done), logOf(4, 120, 4, nil)}},
		{"one is behind", "controller 4 is at offset 90", []volume.Volume{logOf(3, 121, 5, done), logOf(4, 90, 5, nil)}},
		{"less than was committed", "up to offset 100 was committed",
			[]volume.Volume{logOf(3, 90, 5, done), logOf(4, 90, 5, done)}},
		{"not replayed", "not known yet", []volume.Volume{logOf(3, 120, 5, nil), logOf(4, 120, 5, nil)}},
		{"a broker is not there", "broker 1 is not registered", []volume.Volume{
			logOf(3, 120, 5, image(func(im *volume.Image) { im.Brokers = []int32{0, 2} })), logOf(4, 120, 5, nil)}},
		{"a broker is fenced", "broker 1 is still fenced", []volume.Volume{
			logOf(3, 120, 5, image(func(im *volume.Image) { im.Fenced = []int32{1, 2} })), logOf(4, 120, 5, nil)}},
		{"the newest counts", "2 of 20 partitions still have node 2 in sync",
			[]volume.Volume{logOf(3, 121, 5, nil), logOf(4, 121, 5, inSync(2)), logOf(0, 110, 5, done)}},
		{"it is not fenced", "node 2 is not fenced",
			[]volume.Volume{logOf(3, 120, 5, image(func(im *volume.Image) { im.Fenced = nil })), logOf(4, 120, 5, nil)}},
		{"it was never registered", "", []volume.Volume{
			logOf(3, 120, 5, image(func(im *volume.Image) { im.Brokers, im.Fenced = []int32{0, 1}, nil })),
			logOf(4, 120, 5, nil)}},
		{"nobody counted", "where node 2 is in sync is not known", []volume.Volume{
			logOf(3, 120, 5, image(func(im *volume.Image) { im.Lost = nil })), logOf(4, 120, 5, nil)}},
	} {
		c := &caughtUp{
			voters: []int32{3, 4}, brokers: []int32{0, 1}, heldVoters: []int32{5}, heldBrokers: []int32{2}, epoch: 4,
			committed: 100,
		}
		if got := c.left(tc.volumes); tc.left == "" && got != "" || !strings.Contains(got, tc.left) {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.left)
		}
	}
}

// A log that grows while the copies are read one after the other is no reason to wait: what was known at first counts.
func TestAMarkThatStays(t *testing.T) {
	t.Parallel()
	c := &caughtUp{voters: []int32{3, 4}}
	if got := c.behind([]volume.Volume{logOf(3, 120, 5, nil), logOf(4, 110, 5, nil)}, c.voters); got == "" {
		t.Error("controller 4 lacks what 3 has")
	}
	if got := c.behind([]volume.Volume{logOf(3, 140, 5, nil), logOf(4, 120, 5, nil)}, c.voters); got != "" {
		t.Errorf("it has all that was known at first: %q", got)
	}
}

// Broker 0, which was in sync with the lost broker 2, was not stopped cleanly: as it starts Kafka takes it out of the
// replicas that can be elected, and only the lost one is left. It was seen on Kafka 4.2.0.
func TestANodeThatAloneCouldBeElectedDoesNotJoin(t *testing.T) {
	t.Parallel()
	of := func(alone int) []volume.Volume {
		return []volume.Volume{logOf(3, 120, 5, &volume.Image{
			Brokers: []int32{0, 1, 2}, Fenced: []int32{2},
			Lost: map[int32]*volume.LostNode{2: {Alone: alone, Partitions: []volume.InSyncPartition{{Topic: "orders"}}}},
		})}
	}
	accepted := aloneOn(of(2))
	for alone, bad := range map[int]bool{0: false, 2: false, 3: true} {
		c := &caughtUp{voters: []int32{3}, brokers: []int32{0, 1}, heldBrokers: []int32{2}, alone: accepted}
		if err := c.mayJoin(of(alone)); (err != nil) != bad || bad && !strings.Contains(err.Error(), "orders-0") {
			t.Errorf("%d, where 2 were accepted: %v", alone, err)
		}
	}
	if err := (&caughtUp{heldBrokers: []int32{2}}).mayJoin(of(12)); err == nil {
		t.Error("nothing was accepted")
	}
}

func TestHeldBackNodesHaveJoined(t *testing.T) {
	t.Parallel()
	im := func(fenced []int32, inSync int) *volume.Image {
		return &volume.Image{
			Brokers: []int32{0, 2}, Fenced: fenced,
			Lost: map[int32]*volume.LostNode{2: {Replicas: 20, InSync: inSync, Alone: 1}},
		}
	}
	for _, tc := range []struct {
		name, left, copying string
		volumes             []volume.Volume
	}{
		{"all of it", "", "", []volume.Volume{logOf(3, 120, 5, im(nil, 19)), logOf(5, 120, 5, nil)}},
		{"it copies", "", "node 2 is in sync of 8 of 20 partitions",
			[]volume.Volume{logOf(3, 120, 5, im(nil, 7)), logOf(5, 120, 5, nil)}},
		{"the broker is fenced", "broker 2 is not registered again", "in sync of 8",
			[]volume.Volume{logOf(3, 120, 5, im([]int32{2}, 7)), logOf(5, 120, 5, nil)}},
		{"the controller has nothing", "controller 5 is at offset 0", "", []volume.Volume{logOf(3, 120, 5, im(nil, 19))}},
	} {
		c := &caughtUp{voters: []int32{3}, brokers: []int32{0}, heldVoters: []int32{5}, heldBrokers: []int32{2}, epoch: 4}
		if got := c.notJoined(tc.volumes); tc.left == "" && got != "" || !strings.Contains(got, tc.left) {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.left)
		}
		if got := c.copying(tc.volumes); tc.copying == "" && got != "" || !strings.Contains(got, tc.copying) {
			t.Errorf("%s: copying %q, want %q", tc.name, got, tc.copying)
		}
	}
}
