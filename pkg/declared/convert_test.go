package declared_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/object"
)

// old are the resources of a cluster of 2023, with what v1 does not have any more.
const old = `
apiVersion: kafka.strimzi.io/v1beta2
kind: Kafka
metadata: {name: my-cluster, annotations: {strimzi.io/kraft: enabled, strimzi.io/node-pools: enabled}}
spec:
  kafka:
    version: 3.7.0
    replicas: 3
    storage: {type: ephemeral}
    listeners: [{name: plain, port: 9092, type: internal, tls: false}]
    template: {statefulset: {metadata: {}}, pod: {metadata: {labels: {a: b}}}}
  zookeeper: {replicas: 3, storage: {type: ephemeral}}
  entityOperator:
    tlsSidecar: {}
    topicOperator: {reconciliationIntervalSeconds: 90, topicMetadataMaxAttempts: 6, watchedNamespace: kafka}
    userOperator: {reconciliationIntervalSeconds: 90, reconciliationIntervalMs: 5000}
---
apiVersion: kafka.strimzi.io/v1beta2
kind: KafkaNodePool
metadata: {name: broker, labels: {strimzi.io/cluster: my-cluster}}
spec:
  replicas: 3
  roles: [broker]
  storage:
    type: jbod
    volumes: [{id: 0, type: persistent-claim, size: 1Gi, overrides: [{broker: 0, class: fast}]}]
---
apiVersion: kafka.strimzi.io/v1beta2
kind: KafkaNodePool
metadata: {name: controller, labels: {strimzi.io/cluster: my-cluster}}
spec:
  replicas: 3
  roles: [controller]
  storage: {type: persistent-claim, size: 1Gi, overrides: [{broker: 3, class: fast}]}
---
apiVersion: kafka.strimzi.io/v1beta1
kind: KafkaTopic
metadata: {name: orders, labels: {strimzi.io/cluster: my-cluster}}
spec: {partitions: 3, replicas: 3}
---
apiVersion: kafka.strimzi.io/v1beta2
kind: KafkaUser
metadata: {name: alice, labels: {strimzi.io/cluster: my-cluster}}
spec:
  authorization:
    type: simple
    acls:
    - {resource: {type: topic, name: orders}, operation: Read}
    - {resource: {type: topic, name: orders}, operation: Write, operations: [Describe]}
`

func pickedOf(t *testing.T, text string) *declared.Cluster {
	t.Helper()
	c, err := declared.Pick(loaded(t, text), "kafka", "my-cluster")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestOldManifestsAreConverted holds the result against what Strimzi's own converter does with each field.
func TestOldManifestsAreConverted(t *testing.T) {
	t.Parallel()
	c := pickedOf(t, old)
	told, err := c.Convert([]string{"v1"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"kafka": map[string]any{
			"version": "3.7.0", "template": map[string]any{"pod": map[string]any{"metadata": map[string]any{
				"labels": map[string]any{"a": "b"},
			}}},
			"listeners": []any{map[string]any{"name": "plain", "port": float64(9092), "type": "internal", "tls": false}},
		},
		"entityOperator": map[string]any{
			"topicOperator": map[string]any{"reconciliationIntervalMs": int64(90000), "watchedNamespace": "kafka"},
			"userOperator":  map[string]any{"reconciliationIntervalMs": float64(5000)},
		},
	}
	if diff := cmp.Diff(want, c.Kafka.Object["spec"]); diff != "" {
		t.Error(diff)
	}
	volumes := []any{map[string]any{"id": float64(0), "type": "persistent-claim", "size": "1Gi"}}
	for i, want := range []map[string]any{
		{"type": "jbod", "volumes": volumes}, {"type": "persistent-claim", "size": "1Gi"},
	} {
		if diff := cmp.Diff(want, object.Get(c.Pools[i].Object, "spec", "storage")); diff != "" {
			t.Error(diff)
		}
	}
	rules := []any{
		map[string]any{"resource": map[string]any{"type": "topic", "name": "orders"}, "operations": []any{"Read"}},
		map[string]any{"resource": map[string]any{"type": "topic", "name": "orders"}, "operations": []any{"Describe"}},
	}
	if diff := cmp.Diff(rules, object.Get(c.Users[0].Object, "spec", "authorization", "acls")); diff != "" {
		t.Error(diff)
	}
	for _, o := range slices.Concat(c.Pools, c.Topics, c.Users) {
		if o.GetAPIVersion() != "kafka.strimzi.io/v1" {
			t.Errorf("%s is of %s", declared.Ref(o), o.GetAPIVersion())
		}
	}
	text := strings.Join(told, "\n")
	for _, part := range []string{
		"kafka/my-cluster was converted from v1beta2 to v1", "kafkatopic/orders was converted from v1beta1 to v1",
		"spec.zookeeper is left out of kafka/my-cluster", "spec.kafka.storage is left out", "spec.kafka.replicas is left out",
		"spec.kafka.template.statefulset", "topicMetadataMaxAttempts", "spec.entityOperator.tlsSidecar",
		"overrides of the storage are left out of kafkanodepool/broker", "left out of kafkanodepool/controller",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("it is not told that %q:\n%s", part, text)
		}
	}
	if again, err := c.Convert([]string{"v1beta2", "v1"}); err != nil || len(again) > 0 {
		t.Errorf("what is served already is converted again: %v, %v", again, err)
	}
}

// TestNothingIsConvertedWhereItsVersionIsServed leaves even what v1 does not have.
func TestNothingIsConvertedWhereItsVersionIsServed(t *testing.T) {
	t.Parallel()
	c := pickedOf(t, old)
	told, err := c.Convert([]string{"v1", "v1beta2"})
	if err != nil || c.Kafka.GetAPIVersion() != "kafka.strimzi.io/v1beta2" || !object.Has(c.Kafka.Object, "spec", "zookeeper") {
		t.Errorf("got %s, %v", c.Kafka.GetAPIVersion(), err)
	}
	if want := []string{"kafkatopic/orders was converted from v1beta1 to v1beta2"}; !slices.Equal(told, want) {
		t.Errorf("all are created in Kafka's version, got %q", told)
	}
	if told, err := c.Convert(nil); err != nil || len(told) > 0 {
		t.Errorf("where no version is served, got %q, %v", told, err)
	}
}

// TestAnOlderOperatorIsToldWhatTheClusterIs converts the other way: without its annotations Kafka is taken for a cluster
// of ZooKeeper by operators 0.40 to 0.45.
func TestAnOlderOperatorIsToldWhatTheClusterIs(t *testing.T) {
	t.Parallel()
	c := picked(t)
	if _, err := c.Convert([]string{"v1beta2"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"strimzi.io/kraft": "enabled", "strimzi.io/node-pools": "enabled", "team": "data"}
	if diff := cmp.Diff(want, c.Kafka.GetAnnotations()); diff != "" || c.Kafka.GetAPIVersion() != "kafka.strimzi.io/v1beta2" {
		t.Errorf("%s: %s", c.Kafka.GetAPIVersion(), diff)
	}
	if len(c.Pools[0].GetAnnotations()) > 0 || c.Users[0].GetAPIVersion() != "kafka.strimzi.io/v1beta2" {
		t.Errorf("got %v, %s", c.Pools[0].GetAnnotations(), c.Users[0].GetAPIVersion())
	}
}

// TestWhatOnlyAPersonCanConvert are the fields at which Strimzi's own converter stops.
func TestWhatOnlyAPersonCanConvert(t *testing.T) {
	t.Parallel()
	const listener = "listeners: [{name: plain, port: 9092, type: internal, tls: false}]"
	for name, test := range map[string]struct{ from, to, field string }{
		"OAuth": {
			listener, "listeners: [{name: a}, {name: b, authentication: {type: oauth}}]",
			"spec.kafka.listeners[1].authentication of type oauth",
		},
		"Secrets of a custom authentication": {
			listener, "listeners: [{name: a, authentication: {type: custom, secrets: [{key: k}]}}]",
			"spec.kafka.listeners[0].authentication.secrets",
		},
		"Keycloak":     {listener, "authorization: {type: keycloak}", "spec.kafka.authorization of type keycloak"},
		"OPA":          {listener, "authorization: {type: opa}", "spec.kafka.authorization of type opa"},
		"resources":    {listener, "resources: {}", "spec.kafka.resources"},
		"no spec":      {"spec: {partitions: 3, replicas: 3}", "other: 1", "kafkatopic/orders from v1beta1 to v1"},
		"Kafka of old": {"v1beta2\nkind: Kafka\n", "v1beta1\nkind: Kafka\n", "kafka/my-cluster from v1beta1 to v1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(old, test.from) {
				t.Fatalf("the manifests have no %q", test.from)
			}
			c := pickedOf(t, strings.Replace(old, test.from, test.to, 1))
			_, err := c.Convert([]string{"v1"})
			if !errors.Is(err, declared.ErrNotConvertible) || !strings.Contains(err.Error(), test.field) {
				t.Errorf("got %v, want the field %q named", err, test.field)
			}
		})
	}
}
