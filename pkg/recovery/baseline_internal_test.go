package recovery

import (
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

const (
	recoveredID = "gRzLIu5CSRWfq1tVk4NJJA"
	otherID     = "5L6g3nShT-eMCtK--X86sw"
)

// brokerVolume is the volume of broker 0 with one topic.
func brokerVolume() volume.Volume {
	id := recoveredID
	return volume.Volume{
		Name: "pvc/data-0-my-cluster-broker-0", State: volume.Read,
		Slot:  &volume.Slot{Cluster: "my-cluster", Pool: "broker", NodeID: 0},
		Claim: &volume.Claim{Name: "data-0-my-cluster-broker-0", UID: "claim-uid", Volume: "pv-1"},
		Contents: &logdir.Contents{Dirs: []logdir.LogDir{{
			Path: "kafka-log0", Meta: &logdir.MetaProperties{Version: 1, ClusterID: &id, DirectoryID: "dir-a"},
			Partitions: []logdir.Partition{
				{Dir: "orders-0", Topic: "orders", State: logdir.PartitionCurrent, TopicID: "topic-id"},
				{Dir: "old-0.x-stray", Topic: "old", State: logdir.PartitionStray, TopicID: "old-id"},
			},
		}}},
	}
}

func brokerBaseline() baseline {
	return baselineOf(recoveredID, []volume.Volume{brokerVolume()}, nil)
}

// liveCluster is the cluster of brokerVolume, up and right.
func liveCluster() *strimzi.Cluster {
	id := recoveredID
	c := &strimzi.Cluster{APIVersion: "kafka.strimzi.io/v1"}
	c.Kafka.Name, c.Kafka.Generation = "my-cluster", 3
	c.Kafka.Status = strimzi.KafkaStatus{
		ClusterID: &id, ObservedGeneration: 3, Conditions: []strimzi.Condition{{Type: "Ready", Status: "True"}},
	}
	c.Pools = []strimzi.NodePool{{
		Meta: strimzi.Meta{Name: "broker"}, Replicas: 1,
		Status: strimzi.NodePoolStatus{ClusterID: &id, NodeIDs: []int32{0}},
	}}
	c.PodSets = []strimzi.PodSet{{Meta: strimzi.Meta{Name: "my-cluster-broker"}, Pods: []string{"my-cluster-broker-0"}}}
	c.Pods = []strimzi.Pod{{Meta: strimzi.Meta{Name: "my-cluster-broker-0"}, Ready: true, Phase: "Running"}}
	return c
}

func claimsOf(v volume.Volume) []volume.Claim { return []volume.Claim{*v.Claim} }

func TestACompleteRightClusterPassesEveryCheck(t *testing.T) {
	t.Parallel()
	b := brokerBaseline()
	checks := b.checkObjects(liveCluster(), claimsOf(brokerVolume()))
	checks = append(checks, b.checkContents([]volume.Volume{brokerVolume()})...)
	for _, c := range checks {
		if c.State != CheckPassed {
			t.Errorf("%s: %s (%s)", c.Name, c.State, c.Detail)
		}
	}
	if worstState(checks) != CheckPassed {
		t.Error("all checks passed, so the whole did")
	}
}

func TestReadyAloneProvesNothing(t *testing.T) {
	t.Parallel()
	other := otherID
	for name, tc := range map[string]struct {
		change func(*strimzi.Cluster)
		want   CheckState
		says   string
	}{
		"still paused": {func(c *strimzi.Cluster) {
			c.Kafka.Status.Conditions = append(c.Kafka.Status.Conditions,
				strimzi.Condition{Type: "ReconciliationPaused", Status: "True"})
		}, CheckPending, "ReconciliationPaused"},
		"an older generation": {func(c *strimzi.Cluster) { c.Kafka.Status.ObservedGeneration = 2 }, CheckPending, "2 of 3"},
		"not ready": {func(c *strimzi.Cluster) {
			c.Kafka.Status.Conditions = []strimzi.Condition{{Type: "NotReady", Status: "True", Reason: "X", Message: "why"}}
		}, CheckPending, "X: why"},
		"another cluster ID":           {func(c *strimzi.Cluster) { c.Kafka.Status.ClusterID = &other }, CheckFailed, otherID},
		"no cluster ID yet":            {func(c *strimzi.Cluster) { c.Kafka.Status.ClusterID = nil }, CheckPending, "not in the status"},
		"another cluster ID in a pool": {func(c *strimzi.Cluster) { c.Pools[0].Status.ClusterID = &other }, CheckFailed, "broker"},
		"shifted node IDs":             {func(c *strimzi.Cluster) { c.Pools[0].Status.NodeIDs = []int32{10} }, CheckFailed, "[10]"},
		"no node IDs yet":              {func(c *strimzi.Cluster) { c.Pools[0].Status.NodeIDs = nil }, CheckPending, "no node IDs"},
		"no pod set yet":               {func(c *strimzi.Cluster) { c.PodSets = nil }, CheckPending, "StrimziPodSet"},
		"a pod missing":                {func(c *strimzi.Cluster) { c.Pods = nil }, CheckPending, "does not exist"},
		"a pod crash-looping": {func(c *strimzi.Cluster) {
			c.Pods[0].Ready, c.Pods[0].Waiting, c.Pods[0].Restarts = false, "CrashLoopBackOff", 4
		}, CheckPending, "4 restarts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := liveCluster()
			tc.change(c)
			checks := brokerBaseline().checkObjects(c, claimsOf(brokerVolume()))
			if got := worstState(checks); got != tc.want {
				t.Errorf("got %s, want %s: %+v", got, tc.want, checks)
			}
			if !slices.ContainsFunc(checks, func(c Check) bool { return strings.Contains(c.Detail, tc.says) }) {
				t.Errorf("no check says %q: %+v", tc.says, checks)
			}
		})
	}
}

func TestClaimsMustBeTheSameOnTheSameVolumes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func([]volume.Claim) []volume.Claim
		says   string
	}{
		"one more": {func(c []volume.Claim) []volume.Claim {
			return append(c, volume.Claim{Name: "data-0-my-cluster-broker-10"})
		}, "nobody planned"},
		"replaced":             {func(c []volume.Claim) []volume.Claim { c[0].UID = "new"; return c }, "replaced"},
		"bound elsewhere":      {func(c []volume.Claim) []volume.Claim { c[0].Volume = "pv-9"; return c }, "pv-9"},
		"gone":                 {func([]volume.Claim) []volume.Claim { return nil }, "is gone"},
		"unbound from its own": {func(c []volume.Claim) []volume.Claim { c[0].Volume = ""; return c }, `bound to ""`},
	} {
		c := brokerBaseline().checkClaims(tc.change(claimsOf(brokerVolume())))
		if c.State != CheckFailed || !strings.Contains(c.Detail, tc.says) {
			t.Errorf("%s: want a failure that says %q, got %+v", name, tc.says, c)
		}
	}
}

func TestWhatKafkaDidToTheVolumesIsSeen(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*logdir.LogDir)
		says   string
	}{
		"formatted anew":       {func(d *logdir.LogDir) { d.Meta.DirectoryID = "dir-b" }, "formatted anew"},
		"topic gone":           {func(d *logdir.LogDir) { d.Partitions = d.Partitions[1:] }, "orders (topic-id)"},
		"topic with a new ID":  {func(d *logdir.LogDir) { d.Partitions[0].TopicID = "new" }, "orders (topic-id)"},
		"partition made stray": {func(d *logdir.LogDir) { d.Partitions[0].State = logdir.PartitionStray }, "renamed away"},
	} {
		v := brokerVolume()
		tc.change(&v.Contents.Dirs[0])
		checks := brokerBaseline().checkContents([]volume.Volume{v})
		if worstState(checks) != CheckFailed ||
			!slices.ContainsFunc(checks, func(c Check) bool { return strings.Contains(c.Detail, tc.says) }) {
			t.Errorf("%s: want a failure that says %q, got %+v", name, tc.says, checks)
		}
	}
}

func TestADirectoryWithoutAnIDMayGetOne(t *testing.T) {
	t.Parallel()
	before, after := brokerVolume(), brokerVolume()
	before.Contents.Dirs[0].Meta.DirectoryID = ""
	b := baselineOf(recoveredID, []volume.Volume{before}, nil)
	if got := worstState(b.checkContents([]volume.Volume{after})); got != CheckPassed {
		t.Errorf("Kafka 3.7 and newer write the missing ID at start: got %s", got)
	}
}

func TestASecondLogDirectoryThatAppearsIsAFailure(t *testing.T) {
	t.Parallel()
	v := brokerVolume()
	extra := v.Contents.Dirs[0]
	extra.Path, extra.Partitions = "kafka-log7", nil
	v.Contents.Dirs = append(v.Contents.Dirs, extra)
	if got := worstState(brokerBaseline().checkContents([]volume.Volume{v})); got != CheckFailed {
		t.Errorf("a wrong volume in the slot shows as a new directory beside the data: got %s", got)
	}
}

func TestWhatCouldNotBeReadIsUnknownAndNotPassed(t *testing.T) {
	t.Parallel()
	for _, state := range []volume.ReadState{volume.Unread, volume.Incomplete, volume.Skipped} {
		v := brokerVolume()
		v.State, v.Contents = state, nil
		checks := brokerBaseline().checkContents([]volume.Volume{v})
		if got := worstState(checks); got != CheckUnknown {
			t.Errorf("%s: got %s", state, got)
		}
	}
}

func TestAnExcludedVolumeIsNotHeldToWhatItWas(t *testing.T) {
	t.Parallel()
	v := brokerVolume()
	b := baselineOf(recoveredID, []volume.Volume{v}, map[string]bool{v.Name: true})
	if len(b.directories)+len(b.topics) != 0 {
		t.Error("what was on an excluded volume is given up")
	}
	if _, ok := b.claims[v.Claim.Name]; !ok {
		t.Error("its claim must still be there, bound as it was")
	}
}
