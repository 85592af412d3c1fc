package declared_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
)

// manifests are a cluster as `kubectl get -o yaml` saved it, with what else lies beside it.
const manifests = `
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata:
  name: my-cluster
  namespace: kafka
  uid: 0001
  resourceVersion: "12"
  generation: 3
  creationTimestamp: "2026-01-01T00:00:00Z"
  finalizers: [somebody/holds-it]
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: "{}"
    team: data
spec:
  kafka: {version: 4.2.0, listeners: []}
  entityOperator: {topicOperator: {}, userOperator: {}}
status: {clusterId: other}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata:
  name: broker
  labels: {strimzi.io/cluster: my-cluster}
  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: gone, uid: gone}]
spec: {replicas: 3, roles: [broker], storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi}]}}
status: {nodeIds: [0, 1, 2]}
---
# nothing
---
apiVersion: v1
kind: List
items:
- apiVersion: kafka.strimzi.io/v1
  kind: KafkaUser
  metadata: {name: alice, labels: {strimzi.io/cluster: my-cluster}}
  spec: {}
- apiVersion: v1
  kind: Secret
  metadata: {name: alice, labels: {strimzi.io/cluster: my-cluster, strimzi.io/kind: KafkaUser}}
- apiVersion: v1
  kind: Secret
  metadata: {name: bob, labels: {strimzi.io/cluster: my-cluster, strimzi.io/kind: KafkaUser}}
- apiVersion: v1
  kind: Secret
  metadata: {name: my-cluster-cluster-ca, labels: {strimzi.io/cluster: my-cluster}}
- apiVersion: kafka.strimzi.io/v1
  kind: KafkaTopic
  metadata: {name: other-topic, labels: {strimzi.io/cluster: other}}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: dashboards}
`

func loaded(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := declared.Load(t.Context(), []string{declared.Stdin}, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func picked(t *testing.T) *declared.Cluster {
	t.Helper()
	c, err := declared.Pick(loaded(t, manifests), "kafka", "my-cluster")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPickTakesWhatIsOfTheCluster(t *testing.T) {
	t.Parallel()
	c := picked(t)
	var secrets []string
	for _, s := range c.Secrets {
		secrets = append(secrets, s.GetName())
	}
	if want := []string{"alice", "my-cluster-cluster-ca"}; !slices.Equal(secrets, want) {
		t.Errorf("Secrets of the authorities and of declared users, got %v", secrets)
	}
	want := []string{"kafkatopic/other-topic", "configmap/dashboards", "secret/bob"}
	if diff := cmp.Diff(want, c.Left); diff != "" {
		t.Errorf("a Secret without its KafkaUser has the User Operator delete the user, so it is left out too:\n%s", diff)
	}
	if c.Secret("alice") == nil || c.Secret("bob") != nil || len(c.Users) != 1 || len(c.Pools) != 1 {
		t.Errorf("%+v", c)
	}
}

func TestWhatOnlyALiveObjectHasIsTakenOff(t *testing.T) {
	t.Parallel()
	c := picked(t)
	want := map[string]any{"name": "my-cluster", "namespace": "kafka", "annotations": map[string]any{"team": "data"}}
	if diff := cmp.Diff(want, c.Kafka.Object["metadata"]); diff != "" {
		t.Error(diff)
	}
	if _, has := c.Kafka.Object["status"]; has {
		t.Error("the status of another day is still there")
	}
	want = map[string]any{
		"name": "broker", "namespace": "kafka", "labels": map[string]any{"strimzi.io/cluster": "my-cluster"},
	}
	if diff := cmp.Diff(want, c.Pools[0].Object["metadata"]); diff != "" {
		t.Errorf("an owner that is gone has the object collected at once:\n%s", diff)
	}
}

func TestTheEntityOperatorIsHeldBack(t *testing.T) {
	t.Parallel()
	c := picked(t)
	if !c.EntityOperator() || !c.Planned().UsersKnown || c.Planned().Kafka.UserOperator {
		t.Errorf("declared, and not planned: %+v", c.Planned().Kafka)
	}
	if _, has, _ := unstructured.NestedMap(c.WithoutEntityOperator().Object, "spec", "entityOperator"); has {
		t.Error("it is still in the manifest that is created first")
	}
	if !c.EntityOperator() {
		t.Error("the declared manifest itself must keep it, for later")
	}
}

func TestPickRefusesWhatIsNotClear(t *testing.T) {
	t.Parallel()
	if _, err := declared.Pick(loaded(t, manifests), "kafka", "no-such"); !errors.Is(err, declared.ErrNoKafka) {
		t.Errorf("got %v", err)
	}
	if _, err := declared.Pick(loaded(t, manifests), "elsewhere", "my-cluster"); !errors.Is(err, declared.ErrNoKafka) {
		t.Errorf("the manifest names another namespace, got %v", err)
	}
	for what, text := range map[string]string{
		"there are two": manifests + "---" + strings.SplitN(manifests, "---", 2)[0],
		"KafkaNodePool": strings.ReplaceAll(manifests, "kind: KafkaNodePool", "kind: Gone"),
	} {
		if _, err := declared.Pick(loaded(t, text), "kafka", "my-cluster"); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want %q, got %v", what, err)
		}
	}
}

func TestLoadReadsFilesAndFolders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.yaml": manifests, "below/b.yml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n",
		"c.json": `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}`, "notes.txt": "no manifest",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	objects, err := declared.Load(t.Context(), []string{dir}, nil)
	if err != nil || len(objects) != 10 {
		t.Errorf("%v, %d objects", err, len(objects))
	}
	if objects, err = declared.Load(t.Context(), []string{filepath.Join(dir, "a.yaml")}, nil); err != nil || len(objects) != 8 {
		t.Errorf("%v, %d objects", err, len(objects))
	}
}

func TestLoadSaysWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"bad.yaml": "a: [", "kindless.yaml": "apiVersion: v1\nmetadata: {}\n", "empty.yaml": "---\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "bad.yaml"):      "read document 1",
		filepath.Join(dir, "kindless.yaml"): "no Kubernetes object",
		filepath.Join(dir, "empty.yaml"):    "they hold no object",
		filepath.Join(dir, "missing.yaml"):  "no such file",
		"https://example.org/cluster.yaml":  "it is an address",
	} {
		_, err := declared.Load(t.Context(), []string{path}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("want %q and the path, got %v", want, err)
		}
	}
}

func TestAKustomizationIsBuiltByTheProgramPeopleDeployItWith(t *testing.T) {
	dir, bin := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte("resources: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	if _, err := declared.Load(t.Context(), []string{dir}, nil); err == nil || !strings.Contains(err.Error(), "-f -") {
		t.Errorf("with neither program there is another way to be told of, got %v", err)
	}
	script := "#!/bin/sh\n[ \"$1\" = build ] || exit 9\necho 'apiVersion: v1'\necho 'kind: ConfigMap'\n" +
		"echo \"metadata: {name: built}\"\n"
	if err := os.WriteFile(filepath.Join(bin, "kustomize"), []byte(script), 0o700); err != nil { //nolint:gosec // run below
		t.Fatal(err)
	}
	objects, err := declared.Load(t.Context(), []string{dir}, nil)
	if err != nil || len(objects) != 1 || objects[0].GetName() != "built" {
		t.Errorf("%v %v", err, objects)
	}
}
