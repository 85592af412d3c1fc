package strimzi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

func TestPatches(t *testing.T) {
	t.Parallel()
	id := "gRzLIu5CSRWfq1tVk4NJJA"
	build := func(p strimzi.Patch, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(p.Body) {
			t.Errorf("%s is no JSON", p.Body)
		}
		return strings.TrimPrefix(p.Subresource+" "+string(p.Body), " ")
	}
	for want, got := range map[string]string{
		`{"metadata":{"annotations":{"strimzi.io/pause-reconciliation":"true"}}}`: build(
			strimzi.PausePatch("")),
		`{"metadata":{"annotations":{"strimzi.io/pause-reconciliation":"true"},"resourceVersion":"7"}}`: build(
			strimzi.PausePatch("7")),
		`{"metadata":{"annotations":{"strimzi.io/pause-reconciliation":null},"resourceVersion":"7"}}`: build(
			strimzi.UnpausePatch("7")),
		`status {"metadata":{"resourceVersion":"7"},"status":{"operatorLastSuccessfulVersion":"kafkarecover-probe"}}`: build(
			strimzi.MarkerPatch("7")),
		`status {"metadata":{"resourceVersion":"7"},"status":{"clusterId":"gRzLIu5CSRWfq1tVk4NJJA"}}`: build(
			strimzi.ClusterIDPatch("7", &id)),
		`status {"metadata":{"resourceVersion":"7"},"status":{"clusterId":null}}`: build(strimzi.ClusterIDPatch("7", nil)),
		`status {"metadata":{"resourceVersion":"7"},"status":{"nodeIds":[0,1],"roles":["broker"]}}`: build(
			strimzi.NodeIDsPatch("7", []int32{0, 1}, []string{"broker"})),
		`status {"metadata":{"resourceVersion":"7"},"status":{"nodeIds":null,"roles":null}}`: build(
			strimzi.NodeIDsPatch("7", nil, nil)),
		`{"data":{"cluster.id":"gRzLIu5CSRWfq1tVk4NJJA"},"metadata":{"resourceVersion":"7"}}`: build(
			strimzi.ConfigClusterIDPatch("7", id)),
	} {
		if got != want {
			t.Errorf("want %s\ngot  %s", want, got)
		}
	}
}

// An un-pausing that is not bound to what was proven, or an ID that is empty, must not be built at all.
func TestPatchesThatAreNotBuilt(t *testing.T) {
	t.Parallel()
	empty := ""
	for title, build := range map[string]func() (strimzi.Patch, error){
		"un-pause whatever":         func() (strimzi.Patch, error) { return strimzi.UnpausePatch("") },
		"mark whatever":             func() (strimzi.Patch, error) { return strimzi.MarkerPatch("") },
		"an empty ID":               func() (strimzi.Patch, error) { return strimzi.ClusterIDPatch("7", &empty) },
		"an empty ID in a node's":   func() (strimzi.Patch, error) { return strimzi.ConfigClusterIDPatch("7", "") },
		"node IDs without roles":    func() (strimzi.Patch, error) { return strimzi.NodeIDsPatch("7", []int32{1}, nil) },
		"an ID on whatever version": func() (strimzi.Patch, error) { return strimzi.ClusterIDPatch("", nil) },
	} {
		if p, err := build(); err == nil {
			t.Errorf("%s: built %s", title, p.Body)
		}
	}
}

func TestVersionsAndResources(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"v1", "v1beta2"}, strimzi.Versions()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for want, got := range map[string]string{
		"kafka.strimzi.io/v1, Resource=kafkas":              strimzi.KafkaGVR("v1").String(),
		"kafka.strimzi.io/v1beta2, Resource=kafkanodepools": strimzi.NodePoolGVR("v1beta2").String(),
		"core.strimzi.io/v1beta2, Resource=strimzipodsets":  strimzi.PodSetGVR("v1beta2").String(),
		"kafka.strimzi.io/v1, Resource=kafkatopics":         strimzi.TopicGVR("v1").String(),
		"kafka.strimzi.io/v1, Resource=kafkausers":          strimzi.UserGVR("v1").String(),
	} {
		if got != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
	if got := (&strimzi.Cluster{APIVersion: "kafka.strimzi.io/v1beta2"}).Version(); got != "v1beta2" {
		t.Errorf("got %q", got)
	}
	named := parse(t, `{metadata: {name: my-topic---x}, spec: {topicName: My_Topic}}`)
	if got := strimzi.ParseTopicName(named); got != "My_Topic" {
		t.Errorf("got %q", got)
	}
	if got := strimzi.ParseTopicName(parse(t, `{metadata: {name: my-topic}}`)); got != "my-topic" {
		t.Errorf("got %q", got)
	}
}

func TestWhereMetadataLies(t *testing.T) {
	t.Parallel()
	// VolumeUtils.kraftMetadataPath: the first marked as shared, else the lowest ID; a single volume is itself.
	for title, tc := range map[string]struct {
		storage    string
		want       int32
		persistent bool
	}{
		"the one that is marked": {
			`{type: jbod, volumes: [{id: 0, type: persistent-claim}, {id: 2, type: persistent-claim, kraftMetadata: shared},
			  {id: 1, type: persistent-claim, kraftMetadata: shared}]}`, 2, true,
		},
		"else the lowest": {
			`{type: jbod, volumes: [{id: 3, type: persistent-claim}, {id: 1, type: ephemeral},
			  {id: 2, type: persistent-claim}]}`,
			1, false,
		},
		"the only one": {`{type: persistent-claim, size: 1Gi, id: 4}`, -1, true},
		"ephemeral":    {`{type: ephemeral}`, -1, false},
	} {
		s := strimzi.ParseStorage(parse(t, tc.storage))
		v := s.MetadataVolume()
		id := int32(-1)
		if v != nil && v.ID != nil {
			id = *v.ID
		}
		if v == nil || id != tc.want || s.Persistent() != tc.persistent {
			t.Errorf("%s: want %d, persistent %v, got %+v, %v", title, tc.want, tc.persistent, v, s.Persistent())
		}
	}
	none := strimzi.ParseStorage(nil)
	if none.MetadataVolume() != nil || none.Persistent() {
		t.Error("no storage has no volume")
	}
	pool := strimzi.ParseNodePool(parse(t, `
metadata: {name: p}
spec: {storage: {type: jbod, volumes: [{id: 0, type: persistent-claim}, {id: 1, type: ephemeral}]}}`))
	if diff := cmp.Diff([]strimzi.ClaimName{claim("c", "p", 7, 0)}, pool.Claims("c", []int32{7})); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	broken := strimzi.PodSet{Meta: strimzi.Meta{Annotations: map[string]string{"strimzi.io/storage": "{"}}}
	if s, ok := strimzi.PodSetStorage(broken); ok {
		t.Errorf("an annotation that is no JSON says %+v", s)
	}
}

func TestStatusOfAKafka(t *testing.T) {
	t.Parallel()
	status := func(text string) *strimzi.KafkaStatus {
		k := strimzi.ParseKafka(parse(t, "status: "+text))
		return &k.Status
	}
	if !status(`{}`).NeverReconciled() || !status(
		`{conditions: [{type: NotReady, status: "True", reason: Creating}]}`).NeverReconciled() {
		t.Error("no reconcile has ended")
	}
	failed := status(`{observedGeneration: 1, conditions: [{type: NotReady, status: "True", reason: X},
		{type: Warning, status: "True", reason: W}, {type: Warning, status: "False"}, {type: NotReady, status: "False"}]}`)
	if failed.NeverReconciled() || len(failed.NotReady()) != 1 || len(failed.Warnings()) != 1 {
		t.Errorf("got %+v", failed)
	}
}

func TestWhichIDTheOperatorTakes(t *testing.T) {
	t.Parallel()
	kafka := func(status string) *strimzi.Cluster {
		return &strimzi.Cluster{
			Kafka: strimzi.ParseKafka(parse(t, "metadata: {name: c}\nstatus: "+status)),
			Pools: []strimzi.NodePool{
				strimzi.ParseNodePool(parse(t, `{metadata: {name: a}}`)),
				strimzi.ParseNodePool(parse(t, `{metadata: {name: b}, status: {clusterId: of-b}}`)),
			},
		}
	}
	for status, want := range map[string]string{
		`{clusterId: x}`: "x kafka/c", `{clusterId: ""}`: " kafka/c", `{}`: "of-b pool/b", // an empty one is set
	} {
		if id, from, ok := kafka(status).ChosenClusterID(); !ok || id+" "+from != want {
			t.Errorf("%s: want %q, got %q %q %v", status, want, id, from, ok)
		}
	}
	if id, from, ok := (&strimzi.Cluster{}).ChosenClusterID(); ok || id != "" || from != "" {
		t.Errorf("nobody says one, got %q %q", id, from)
	}
}

func TestPodsOfEveryPoolMustBeReady(t *testing.T) {
	t.Parallel()
	c := recorded(t)
	if !c.AllPodsReady() {
		t.Error("the recorded cluster was ready")
	}
	c.PodSets[0].Ready--
	if c.AllPodsReady() {
		t.Error("one pod is not ready")
	}
	c = recorded(t)
	c.PodSets = c.PodSets[1:]
	if c.AllPodsReady() {
		t.Error("one pod set is not there")
	}
	if (&strimzi.Cluster{}).AllPodsReady() {
		t.Error("no pool is no success")
	}
}

func TestPodTemplateOfAPool(t *testing.T) {
	t.Parallel()
	const kafka = `{metadata: {name: c}, spec: {kafka: {template: {pod: {priorityClassName: kafka}}}}}`
	c := &strimzi.Cluster{
		Kafka: strimzi.ParseKafka(parse(t, kafka)),
		Pools: []strimzi.NodePool{
			strimzi.ParseNodePool(parse(t, `{metadata: {name: own}, spec: {template: {pod: {priorityClassName: own}}}}`)),
			strimzi.ParseNodePool(parse(t, `{metadata: {name: none}}`)),
			strimzi.ParseNodePool(parse(t, `{metadata: {name: other}, spec: {template: {podSet: {}}}}`)),
		},
	}
	// a pool's template replaces that of the Kafka resource as a whole (KafkaPool.fromCrd)
	for pool, want := range map[string]any{"own": "own", "none": "kafka", "other": nil, "gone": "kafka"} {
		if got := c.PodTemplate(pool)["priorityClassName"]; got != want {
			t.Errorf("pool %q: want %v, got %v", pool, want, got)
		}
	}
}
