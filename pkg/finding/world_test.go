package finding_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// clusterID is that of the recorded cluster.
const (
	clusterID = "gRzLIu5CSRWfq1tVk4NJJA"
	otherID   = "nj2gpqbHSfmvw-PQucA3Jg"
	topicID   = "k7Q0wwbdSUGawRksxCkptQ"
	level42   = 29 // 4.2-IV1, as Kafka numbers it
	// endOfLog is the time of the last record, milliseconds since 1970.
	endOfLog = 1_763_900_000_000
)

// world is an input that a case changes: the cluster as it was recorded on the real operator, with volumes as such a
// cluster leaves them.
type world struct {
	t *testing.T
	finding.Input
}

// recordings are the recorded objects by file, read once: there are hundreds of cases. Nothing changes them.
var recordings = sync.OnceValues(func() (map[string][]map[string]any, error) {
	out := map[string][]map[string]any{}
	for _, file := range []string{"kafka.yaml", "kafkanodepools.yaml", "configmaps.yaml", "pvcs.yaml", "pvs-bound.yaml"} {
		raw, err := os.ReadFile(filepath.Join("..", "strimzi", "testdata", "observed", file))
		if err != nil {
			return nil, err
		}
		var o map[string]any
		if err := yaml.Unmarshal(raw, &o); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out[file] = []map[string]any{o}
		if object.String(o, "kind") == "List" {
			out[file] = object.Maps(o, "items")
		}
	}
	return out, nil
})

func load(t *testing.T, file string) []map[string]any {
	t.Helper()
	all, err := recordings()
	if err != nil || len(all[file]) == 0 {
		t.Fatalf("read recording %q: %v", file, err)
	}
	return all[file]
}

// recorded is the healthy, running cluster, with volumes that were not read.
func recorded(t *testing.T) *world {
	t.Helper()
	c := &strimzi.Cluster{
		APIVersion: "kafka.strimzi.io/v1", Kafka: strimzi.ParseKafka(load(t, "kafka.yaml")[0]),
		OperatorsKnown: true, UsersKnown: true, TopicsKnown: true,
		Operators: []strimzi.Operator{{
			Namespace: "kafka", Deployment: "strimzi-cluster-operator", Version: "1.2.0", Ready: true,
			Image: "quay.io/strimzi/operator:1.2.0", Watched: []string{"kafka"},
			KafkaImages: map[string]string{
				"4.1.2": "quay.io/strimzi/kafka:1.2.0-kafka-4.1.2", "4.2.0": "quay.io/strimzi/kafka:1.2.0-kafka-4.2.0",
			},
		}},
	}
	for _, o := range load(t, "kafkanodepools.yaml") {
		c.Pools = append(c.Pools, strimzi.ParseNodePool(o))
	}
	for _, o := range load(t, "configmaps.yaml") {
		if n, ok := strimzi.ParseNodeConfig(o); ok {
			c.NodeConfigs = append(c.NodeConfigs, n)
		}
	}
	c.Sort()
	objects := volume.Objects{Known: strimzi.Known{
		Clusters: []string{"my-cluster"}, Pools: map[string][]string{"my-cluster": {"broker", "controller"}},
	}}
	for _, o := range load(t, "pvcs.yaml") {
		objects.Claims = append(objects.Claims, volume.ParseClaim(o))
	}
	for _, o := range load(t, "pvs-bound.yaml") {
		objects.Volumes = append(objects.Volumes, volume.ParsePersistentVolume(o))
	}
	w := &world{t: t}
	w.Cluster = c
	w.Volumes, w.Others = volume.FromObjects(objects)
	if len(w.Volumes) != 9 {
		t.Fatalf("the recorded cluster has nine volumes, got %d", len(w.Volumes))
	}
	return w
}

// healthy is the recorded cluster while it runs, its volumes read inside its pods.
func healthy(t *testing.T) *world {
	t.Helper()
	w := recorded(t)
	for i := range w.Volumes {
		v := &w.Volumes[i]
		v.Claim.UsedBy = []volume.PodRef{{
			Name: strimzi.PodName("my-cluster", v.Slot.Pool, v.Slot.NodeID), Node: "node-0", Phase: "Running", Ready: true,
		}}
		fill(v)
		v.Contents.Dirs[0].CleanShutdown = nil
	}
	return w
}

// retained is the picture a restore is for: volumes kept and bound to claims again, the resource created paused and
// never started.
func retained(t *testing.T) *world {
	t.Helper()
	w := recorded(t)
	w.Cluster.Kafka.Status = strimzi.KafkaStatus{
		Conditions: []strimzi.Condition{{Type: strimzi.ConditionPaused, Status: "True"}},
	}
	w.Cluster.Kafka.PauseAnnotated = true
	w.Cluster.NodeConfigs, w.Cluster.PodSets = nil, nil
	for i := range w.Cluster.Pools {
		w.Cluster.Pools[i].Status = strimzi.NodePoolStatus{}
	}
	for i := range w.Volumes {
		fill(&w.Volumes[i])
	}
	return w
}

// fill puts on a volume what a clean stop leaves: every node has a copy of the metadata on volume 0, brokers have two
// partitions on each volume.
func fill(v *volume.Volume) {
	id, node := clusterID, v.Slot.NodeID
	d := logdir.LogDir{
		Path: strimzi.LogDirName(node), NodeIDInName: &node, MetaState: logdir.MetaOK, HasBootstrap: true,
		Meta: &logdir.MetaProperties{
			Version: 1, ClusterID: &id, NodeID: &node, DirectoryID: fmt.Sprintf("directory-%s", v.Claim.UID),
		},
		CleanShutdown: &logdir.CleanShutdown{BrokerEpoch: 7},
	}
	if *v.Slot.VolumeID == 0 {
		d.Metadata = &logdir.MetadataLog{
			Segments: []logdir.Segment{{Name: "00000000000000000000.log", Bytes: 4096, ValidBytes: 4096, Batches: 9}},
			End:      logdir.OffsetAndEpoch{Offset: 500, Epoch: 3}, EndKnown: true, LeaderChangeVoters: []int32{3, 4, 5},
		}
		d.Quorum = &logdir.QuorumState{LeaderID: 4, LeaderEpoch: 3, VotedID: -1, Voters: []int32{3, 4, 5}}
		v.MetadataVersion, v.Topics = level42, 1
		v.Image = &volume.Image{
			End: d.Metadata.End, EndTimestamp: endOfLog, Brokers: []int32{0, 1, 2}, InSync: map[int32]int{0: 3, 1: 3, 2: 3},
		}
	}
	if v.Slot.Pool == "broker" {
		for _, n := range []int32{*v.Slot.VolumeID, *v.Slot.VolumeID + 2} {
			d.Partitions = append(d.Partitions, logdir.Partition{
				Dir: fmt.Sprintf("orders-%d", n), Topic: "orders", Partition: n, State: logdir.PartitionCurrent, TopicID: topicID,
				Bytes: 1 << 20,
			})
		}
	}
	v.State, v.Via = volume.Read, "pod"
	v.Contents = &logdir.Contents{Dirs: []logdir.LogDir{d}, UsedBytes: 4096, Newest: time.Unix(1_763_900_000, 0)}
}

// vol returns the volume of that name without data- and the cluster: "0-broker-1".
func (w *world) vol(short string) *volume.Volume {
	w.t.Helper()
	name := "pvc/data-" + short[:2] + "my-cluster-" + short[2:]
	for i := range w.Volumes {
		if w.Volumes[i].Name == name {
			return &w.Volumes[i]
		}
	}
	w.t.Fatalf("there is no volume %q", name)
	return nil
}

// dir returns the log directory on that volume.
func (w *world) dir(short string) *logdir.LogDir { return &w.vol(short).Contents.Dirs[0] }

// pool returns that pool.
func (w *world) pool(name string) *strimzi.NodePool { return w.Cluster.Pool(name) }

// empty makes volumes what a new disk is.
func (w *world) empty(shorts ...string) {
	for _, short := range shorts {
		v := w.vol(short)
		v.Contents = &logdir.Contents{Other: []string{"lost+found"}}
		v.Image, v.MetadataVersion, v.Topics = nil, 0, -1
	}
}

// fresh makes volumes what a first start leaves: formatted, and nothing on them.
func (w *world) fresh(id string, shorts ...string) {
	for _, short := range shorts {
		d := w.dir(short)
		d.Meta.ClusterID, d.Partitions, d.Metadata, d.Quorum, d.CleanShutdown = &id, nil, nil, nil, nil
		v := w.vol(short)
		v.Image, v.MetadataVersion, v.Topics = nil, 0, -1
	}
}

// unread makes volumes such that could not be mounted.
func (w *world) unread(shorts ...string) {
	for _, short := range shorts {
		v := w.vol(short)
		v.State, v.Reason, v.Contents, v.Image, v.MetadataVersion = volume.Unread, "Multi-Attach error", nil, nil, 0
	}
}

// drop takes volumes out, as if they had not been found.
func (w *world) drop(shorts ...string) {
	for _, short := range shorts {
		name := w.vol(short).Name
		var kept []volume.Volume
		for _, v := range w.Volumes {
			if v.Name != name {
				kept = append(kept, v)
			}
		}
		w.Volumes = kept
	}
}

// folders makes of the volumes what a copy of them in a folder is: no object of Kubernetes.
func (w *world) folders() {
	w.Cluster, w.Others = nil, nil
	for i := range w.Volumes {
		v := &w.Volumes[i]
		v.Name, v.Claim, v.PV, v.Via = "dir/"+v.Name[len("pvc/"):], nil, nil, "dir"
	}
}

func (w *world) exclude(shorts ...string) {
	w.Excluded = map[string]bool{}
	for _, short := range shorts {
		w.Excluded[w.vol(short).Name] = true
	}
}

// judgedAndGivenUp adds a volume that no claim holds, with the data of broker 0 on it, and gives it up.
func (w *world) judgedAndGivenUp(pv volume.PersistentVolume) {
	v := *w.vol("0-broker-0")
	v.Name, v.PV, v.Claim = "pv/"+pv.Name, &pv, nil
	w.Volumes = append(w.Volumes, v)
	w.Excluded = map[string]bool{v.Name: true}
}

// images changes what every replayed metadata log says.
func (w *world) images(change func(*volume.Image)) {
	for i := range w.Volumes {
		if w.Volumes[i].Image != nil {
			change(w.Volumes[i].Image)
		}
	}
}

// end changes where the metadata log of a volume ends.
func (w *world) end(short string, offset int64, epoch int32) {
	end := logdir.OffsetAndEpoch{Offset: offset, Epoch: epoch}
	w.dir(short).Metadata.End = end
	w.vol(short).Image.End = end
}
