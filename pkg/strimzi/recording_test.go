package strimzi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// load reads a recording of the real operator 1.2.0 with Kafka 4.2.0 as the API server returned it.
func load(t *testing.T, file string) []map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "observed", file))
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err := yaml.Unmarshal(raw, &o); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if object.String(o, "kind") == "List" {
		return object.Maps(o, "items")
	}
	return []map[string]any{o}
}

// recorded returns the whole recorded cluster.
func recorded(t *testing.T) *strimzi.Cluster {
	t.Helper()
	c := &strimzi.Cluster{APIVersion: "kafka.strimzi.io/v1", Kafka: strimzi.ParseKafka(load(t, "kafka.yaml")[0])}
	for _, o := range load(t, "kafkanodepools.yaml") {
		c.Pools = append(c.Pools, strimzi.ParseNodePool(o))
	}
	for _, o := range load(t, "strimzipodsets.yaml") {
		c.PodSets = append(c.PodSets, strimzi.ParsePodSet(o))
	}
	for _, o := range load(t, "configmaps.yaml") {
		if n, ok := strimzi.ParseNodeConfig(o); ok {
			c.NodeConfigs = append(c.NodeConfigs, n)
		}
	}
	c.Sort()
	return c
}

const recordedID = "gRzLIu5CSRWfq1tVk4NJJA"

func TestKafkaAsRecorded(t *testing.T) {
	t.Parallel()
	k := recorded(t).Kafka
	if k.Name != "my-cluster" || k.Namespace != "kafka" || k.Generation != 1 || k.UID == "" {
		t.Errorf("metadata: got %+v", k.Meta)
	}
	if k.PauseAnnotated {
		t.Error(`the annotation is "false", so the resource is not annotated paused`)
	}
	if k.Version != "4.2.0" || k.MetadataVersion != "4.2-IV1" {
		t.Errorf("versions: got %q, %q", k.Version, k.MetadataVersion)
	}
	if k.Status.ClusterID == nil || *k.Status.ClusterID != recordedID {
		t.Errorf("status.clusterId: got %v", k.Status.ClusterID)
	}
	if !k.Ready() || k.Status.IsPaused() {
		t.Error("the recorded cluster is Ready and not paused")
	}
	if k.UserOperator || k.TopicOperator {
		t.Error("the recorded resource asks for no entity operator")
	}
}

func TestPoolsAsRecorded(t *testing.T) {
	t.Parallel()
	c := recorded(t)
	if len(c.Pools) != 2 || c.Pools[0].Name != "broker" || c.Pools[1].Name != "controller" {
		t.Fatalf("pools: got %d", len(c.Pools))
	}
	b := c.Pools[0]
	if diff := cmp.Diff([]int32{0, 1, 2}, b.Status.NodeIDs); diff != "" {
		t.Errorf("node IDs (-want +got):\n%s", diff)
	}
	zero, one := int32(0), int32(1)
	want := strimzi.Storage{Type: "jbod", Volumes: []strimzi.StorageVolume{
		{ID: &zero, Type: "persistent-claim", Size: "1Gi", Class: "local", KRaftMetadata: true},
		{ID: &one, Type: "persistent-claim", Size: "1Gi", Class: "local"},
	}}
	if diff := cmp.Diff(want, b.Storage); diff != "" {
		t.Errorf("storage (-want +got):\n%s", diff)
	}
	if s, ok := strimzi.PodSetStorage(c.PodSets[0]); !ok || s.MetadataVolume() == nil || *s.MetadataVolume().ID != 0 {
		t.Errorf("the pod set's annotation tells the storage: got %+v, %v", s, ok)
	}
	if !c.RecoveredAs(recordedID) || c.RecoveredAs("another") {
		t.Error("the recorded cluster is Ready as its own ID and no other")
	}
	if id, from, ok := c.ChosenClusterID(); !ok || id != recordedID || from != "kafka/my-cluster" {
		t.Errorf("chosen ID: got %q from %q", id, from)
	}
}

func TestNodeConfigsAsRecorded(t *testing.T) {
	t.Parallel()
	c := recorded(t)
	var nodes []int32
	for _, n := range c.NodeConfigs {
		nodes = append(nodes, n.NodeID)
		if n.ClusterID != recordedID || n.MetadataVersion != "4.2-IV1" {
			t.Errorf("node %d: got ID %q, version %q", n.NodeID, n.ClusterID, n.MetadataVersion)
		}
		if n.Name != strimzi.ConfigMapName("my-cluster", n.Pool, n.NodeID) {
			t.Errorf("node %d: its ConfigMap is named %q", n.NodeID, n.Name)
		}
	}
	if len(nodes) == 0 || !slices.IsSorted(nodes) {
		t.Errorf("nodes: got %v", nodes)
	}
}

func TestPodAsRecorded(t *testing.T) {
	t.Parallel()
	p, ok := strimzi.ParsePod(load(t, "pod-broker-0.yaml")[0])
	if !ok || p.NodeID != 0 || p.Pool != "broker" || p.Node != "node-0" || !p.Ready || p.CrashLooping() {
		t.Errorf("got %+v, %v", p, ok)
	}
	if p.Image != "quay.io/strimzi/kafka:1.2.0-kafka-4.2.0" {
		t.Errorf("image: got %q", p.Image)
	}
	if p.Name != strimzi.PodName("my-cluster", "broker", 0) {
		t.Errorf("name: got %q", p.Name)
	}
}

func TestExpectedClaimsAreTheRecordedOnes(t *testing.T) {
	t.Parallel()
	var want []string
	for _, o := range load(t, "pvcs.yaml") {
		want = append(want, object.String(o, "metadata", "name"))
	}
	slices.Sort(want)
	claims, err := recorded(t).ExpectedClaims()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range claims {
		got = append(got, c.String())
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims the operator looks for (-recorded +computed):\n%s", diff)
	}
}

func TestVotersOfTheRecordedCluster(t *testing.T) {
	t.Parallel()
	c := recorded(t)
	voters, err := c.Voters()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int32{3, 4, 5}, voters); diff != "" {
		t.Errorf("voters (-want +got):\n%s", diff)
	}
	// Created anew, both pools without status: the observed assignment, by name of the pool.
	for i := range c.Pools {
		c.Pools[i].Status = strimzi.NodePoolStatus{}
	}
	slices.Reverse(c.Pools)
	again, err := c.Voters()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int32{3, 4, 5}, again); diff != "" {
		t.Errorf("voters of new pools (-want +got):\n%s", diff)
	}
}

func TestPauseIsProvenOnlyByWhatTheOperatorWrites(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("testdata", "observed", "status-while-pausing.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	// By resource version of the recording: annotated but not yet seen by the operator, paused, annotation removed but
	// not yet seen, ready again.
	paused := map[string]bool{"2856": false, "3064": false, "3065": true, "3073": true, "3075": false}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	n := 0
	for lines.Scan() {
		var o map[string]any
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		n++
		rv := object.String(o, "rv")
		k := strimzi.ParseKafka(o)
		if k.Status.IsPaused() != paused[rv] || k.Status.PauseProven() != paused[rv] {
			t.Errorf("version %s: paused %v, proven %v", rv, k.Status.IsPaused(), k.Status.PauseProven())
		}
		if object.Has(o, "status", "kafkaVersion") == paused[rv] {
			t.Errorf("version %s: the paused path drops every field but the cluster ID and security", rv)
		}
		// The marker on top of it is no proof, whatever condition is there.
		object.Map(o, "status")["operatorLastSuccessfulVersion"] = strimzi.Marker
		k = strimzi.ParseKafka(o)
		if k.Status.PauseProven() || !k.Status.HasMarker() {
			t.Errorf("version %s with the marker: a condition that was there before proves nothing", rv)
		}
	}
	if n != len(paused) {
		t.Fatalf("the recording has %d versions, want %d", n, len(paused))
	}
}

func TestClaimsAndReleasedVolumesResolveAsRecorded(t *testing.T) {
	t.Parallel()
	var bare, labelled []strimzi.ClaimRef
	for _, o := range load(t, "pvcs.yaml") {
		labelled = append(labelled, strimzi.ClaimRef{
			Name: object.String(o, "metadata", "name"), Labels: object.StringMap(o, "metadata", "labels"),
		})
	}
	for _, o := range load(t, "pvs-released.yaml") {
		if name := object.String(o, "spec", "claimRef", "name"); name != "" {
			bare = append(bare, strimzi.ClaimRef{Name: name})
		}
	}
	if len(bare) != 9 || len(labelled) != 9 {
		t.Fatalf("the recording has nine of each, got %d and %d", len(bare), len(labelled))
	}
	for _, r := range strimzi.Resolve(labelled, strimzi.Known{}) {
		if r.By != strimzi.ByLabels || r.Slot.Cluster != "my-cluster" || r.Slot.String() != r.Name {
			t.Errorf("%s: got %+v", r.Name, r)
		}
	}
	for _, r := range strimzi.Resolve(bare, strimzi.Known{}) {
		if r.By != strimzi.ByPrefix || r.Slot == nil || r.Slot.Cluster != "my-cluster" || r.Slot.String() != r.Name {
			t.Errorf("%s, names only: got %+v", r.Name, r)
		}
	}
}
