package manifest_test

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/quorum"
	"github.com/kafkarecover/kafkarecover/pkg/manifest"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// fixture reads a lost cluster's volumes. What is written is held against what Kafka's own client was told before the
// cluster was ended.
func fixture(t *testing.T, name string) (manifest.Input, volumes.Manifest) {
	t.Helper()
	folder, err := volume.OpenFolder(volumes.Unpack(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close() //nolint:errcheck // nothing was written
	in := manifest.Input{Version: strimzi.V1}
	var copies []quorum.Copy
	for _, v := range folder.Volumes {
		fsys, err := folder.Open(v.Name)
		if err != nil {
			t.Fatal(err)
		}
		if v.Contents, err = logdir.Read(fsys, logdir.Options{}); err != nil {
			t.Fatal(err)
		}
		v.State = volume.Read
		in.Volumes = append(in.Volumes, v)
		copies = append(copies, quorum.FromContents(v.Name, v.Contents)...)
	}
	q := quorum.Judge(copies)
	newest := q.Copies[q.Newest].Name
	fsys, err := folder.Open(path.Dir(newest))
	if err != nil {
		t.Fatal(err)
	}
	if in.Image, err = metadata.ReadImage(fsys, metadata.DirOf(path.Base(newest)), metadata.ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, v := range q.Voters {
		in.Voters = append(in.Voters, v.ID)
	}
	return in, volumes.ReadManifest(t, name)
}

func withMetadata() []string {
	return []string{volumes.SplitRoles, volumes.SplitRoles39, volumes.DualRole, volumes.SingleNode}
}

// TestEveryNodeGetsTheIDItsVolumesHave is the round trip: what the operator will look for, given the manifests, is every
// volume that is there and no other.
func TestEveryNodeGetsTheIDItsVolumesHave(t *testing.T) {
	t.Parallel()
	for _, name := range withMetadata() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, truth := fixture(t, name)
			set, err := manifest.Build(in)
			if err != nil {
				t.Fatal(err)
			}
			c := strimzi.Cluster{Kafka: strimzi.ParseKafka(find(t, set, "Kafka/"+truth.Cluster)), Pools: pools(set)}
			claims, err := c.ExpectedClaims()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, claim := range claims {
				got = append(got, claim.String())
			}
			slices.Sort(got)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(truth.Volumes)), got); diff != "" {
				t.Errorf("claims (-volumes +operator):\n%s", diff)
			}
			voters, err := c.Voters()
			if err != nil {
				t.Fatal(err)
			}
			var want []int32
			for _, v := range truth.Voters {
				want = append(want, int32(v))
			}
			if diff := cmp.Diff(want, voters); diff != "" {
				t.Errorf("voters (-Kafka +operator):\n%s", diff)
			}
			for claim, v := range truth.Volumes {
				p := c.Pool(v.Pool)
				if roles := slices.Sorted(slices.Values(p.Roles)); !slices.Equal(slices.Sorted(slices.Values(v.Roles)), roles) {
					t.Errorf("%s: roles %v, want %v", claim, roles, v.Roles)
				}
				holder := strimzi.ClaimName{Cluster: truth.Cluster, Pool: v.Pool, NodeID: int32(v.Node), Volume: p.Storage.MetadataVolume().ID}
				if (holder.String() == claim) != v.Metadata {
					t.Errorf("%s: the operator will look for the metadata log on %s", claim, holder)
				}
			}
			if !c.Kafka.PauseAnnotated || c.Kafka.UserOperator || c.Kafka.TopicOperator {
				t.Errorf("it must be paused and without operators for topics and users: %+v", c.Kafka)
			}
		})
	}
}

func TestTopicsAndUsersAreThoseKafkaTold(t *testing.T) {
	t.Parallel()
	for _, name := range withMetadata() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, truth := fixture(t, name)
			set, err := manifest.Build(in)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][2]int64{}
			for i := range set.Objects {
				o := set.Objects[i].Object
				if set.Objects[i].Kind != strimzi.TopicKind {
					continue
				}
				partitions, _ := object.Int(o, "spec", "partitions")
				replicas, _ := object.Int(o, "spec", "replicas")
				got[strimzi.ParseTopicName(o)] = [2]int64{partitions, replicas}
				if object.StringMap(o, "metadata", "annotations")["strimzi.io/managed"] != "false" {
					t.Errorf("%s must not be managed", set.Objects[i].Name)
				}
			}
			want, internal := map[string][2]int64{}, 0
			for topic, told := range truth.Topics {
				if strings.HasPrefix(topic, "__") {
					internal++
					continue
				}
				want[topic] = [2]int64{int64(len(told.Partitions)), int64(len(told.Partitions[0].Replicas))}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("topics (-Kafka +manifests):\n%s", diff)
			}
			if len(set.InternalTopics) != internal {
				t.Errorf("%d internal topics are left out, want %d", len(set.InternalTopics), internal)
			}
			if diff := cmp.Diff(truth.SCRAMUsers, names(set, strimzi.UserKind)); diff != "" && len(truth.SCRAMUsers) > 0 {
				t.Errorf("users (-Kafka +manifests):\n%s", diff)
			}
			rules := 0
			for i := range set.Objects {
				for _, rule := range object.Maps(set.Objects[i].Object, "spec", "authorization", "acls") {
					rules += len(object.Strings(rule, "operations"))
				}
			}
			if rules != len(truth.ACLs) {
				t.Errorf("%d access control entries, want %d", rules, len(truth.ACLs))
			}
		})
	}
}

func TestConfigurationOfTheCluster(t *testing.T) {
	t.Parallel()
	in, _ := fixture(t, volumes.SplitRoles)
	set, err := manifest.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	kafka := find(t, set, "Kafka/my-cluster")
	want := map[string]any{"log.cleaner.threads": int64(2), "min.insync.replicas": int64(1)}
	if diff := cmp.Diff(want, object.Map(kafka, "spec", "kafka", "config")); diff != "" {
		t.Errorf("config (-Kafka +manifest):\n%s", diff)
	}
	if got := text(kafka, "spec", "kafka", "metadataVersion"); got != "4.2-IV1" {
		t.Errorf("metadataVersion %q: Kafka 4.2.0 formats with 4.2-IV1", got)
	}
	if got := items(set.Notes, "config-of-one-broker"); len(got) != 1 || !strings.Contains(got[0], "log.cleaner.backoff.ms") {
		t.Errorf("what is set on broker 1 alone must be told, got %q", got)
	}
	want = map[string]any{"cleanup.policy": "compact", "segment.bytes": int64(1048576)}
	if diff := cmp.Diff(want, object.Map(find(t, set, "KafkaTopic/compacted"), "spec", "config")); diff != "" {
		t.Errorf("topic's config (-Kafka +manifest):\n%s", diff)
	}
	quotas := object.Map(find(t, set, "KafkaUser/alice"), "spec", "quotas")
	if diff := cmp.Diff(map[string]any{"producerByteRate": int64(1048576)}, quotas); diff != "" {
		t.Errorf("quotas (-Kafka +manifest):\n%s", diff)
	}
	if text(find(t, set, "KafkaTopic/audit.log-1"), "spec", "topicName") != "audit.log_1" {
		t.Error("a topic keeps its own name")
	}
}

// TestVolumesOfControllersAloneAreEnough names the brokers' pools by what they registered, and asks for their storage.
func TestVolumesOfControllersAloneAreEnough(t *testing.T) {
	t.Parallel()
	in, _ := fixture(t, volumes.SplitRoles)
	in.Volumes = slices.DeleteFunc(in.Volumes, func(v volume.Volume) bool { return v.Slot.Pool != "controller" })
	set, err := manifest.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	broker := find(t, set, "KafkaNodePool/broker")
	if got := text(broker, "spec", "storage", "type"); got != manifest.Todo {
		t.Errorf("storage %q was guessed", got)
	}
	if got := object.StringMap(broker, "metadata", "annotations")[strimzi.NextNodeIDsAnnotation]; got != "[0, 1, 2]" {
		t.Errorf("node IDs %q", got)
	}
	if got := items(set.Todos, "storage"); len(got) != 1 || !strings.Contains(got[0], "registered 2 log directories") {
		t.Errorf("got %q", got)
	}
	for _, v := range []int32{0, 1} { // the claims of an earlier scan say it
		for id := range int32(3) {
			name := strimzi.ClaimName{Cluster: "my-cluster", Pool: "broker", NodeID: id, Volume: &v}
			in.Claims = append(in.Claims, manifest.KnownClaim{Name: name.String(), Size: "7Gi", Class: "fast"})
		}
	}
	if set, err = manifest.Build(in); err != nil {
		t.Fatal(err)
	}
	storage := strimzi.ParseNodePool(find(t, set, "KafkaNodePool/broker")).Storage
	if storage.Type != strimzi.StorageJBOD || len(storage.Volumes) != 2 || storage.Volumes[1].Size != "7Gi" ||
		storage.Volumes[1].Class != "fast" {
		t.Errorf("got %+v", storage)
	}
	for i := range 2 {
		v := object.Maps(find(t, set, "KafkaNodePool/broker"), "spec", "storage", "volumes")[i]
		if v["kraftMetadata"] != manifest.Todo {
			t.Errorf("volume %d: kraftMetadata %v was guessed: the wrong one deletes metadata logs", i, v["kraftMetadata"])
		}
	}
}
