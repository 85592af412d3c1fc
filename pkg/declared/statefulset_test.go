package declared_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
)

const setFile = `
apiVersion: v1
kind: Service
metadata: {name: my-kafka}
spec: {clusterIP: None}
---
apiVersion: v1
kind: Service
metadata: {name: other}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ids, uid: old, resourceVersion: "7"}
data: {CLUSTER_ID: abc}
---
apiVersion: v1
kind: Secret
metadata: {name: passwords}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: my-kafka, uid: old, ownerReferences: [{kind: X, name: y, uid: z, apiVersion: v1}]}
spec:
  serviceName: my-kafka
  replicas: 2
  template:
    spec:
      containers:
      - name: kafka
        envFrom: [{configMapRef: {name: ids}}, {secretRef: {name: passwords}}]
      volumes: [{name: c, configMap: {name: log4j}}]
status: {replicas: 2}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: my-kafka, namespace: elsewhere}
`

func TestWhatIsOfAStatefulSetIsPicked(t *testing.T) {
	t.Parallel()
	objects, err := declared.Load(t.Context(), []string{"-"}, strings.NewReader(setFile))
	if err != nil {
		t.Fatal(err)
	}
	got, err := declared.PickSet(objects, "kafka", "my-kafka")
	if err != nil {
		t.Fatal(err)
	}
	if got.Set.GetNamespace() != "kafka" || got.Set.GetUID() != "" || got.Set.GetOwnerReferences() != nil ||
		got.Set.Object["status"] != nil {
		t.Errorf("what only a live object had must go: %v", got.Set.Object)
	}
	var beside []string
	for _, o := range got.Beside {
		beside = append(beside, declared.Ref(o)+" in "+o.GetNamespace())
		if o.GetResourceVersion() != "" {
			t.Errorf("%s has a resourceVersion, with which nothing is created", declared.Ref(o))
		}
	}
	if diff := cmp.Diff([]string{"service/my-kafka in kafka", "configmap/ids in kafka"}, beside); diff != "" {
		t.Error(diff)
	}
	// A Secret is looked for, and is never created: what is in it is nobody's business here.
	if diff := cmp.Diff([]string{"configmap/log4j", "secret/passwords"}, got.Needed); diff != "" {
		t.Error(diff)
	}
	left := []string{"statefulset/my-kafka in namespace elsewhere", "service/other", "secret/passwords"}
	if diff := cmp.Diff(left, got.Left); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]map[string]string{"ids": {"CLUSTER_ID": "abc"}}, got.Configs()); diff != "" {
		t.Error(diff)
	}
	if set := got.Planned(); !set.Declared || set.Replicas != 2 {
		t.Errorf("planned as %+v", set)
	}
}

func TestAStatefulSetThatIsNotThereIsSaid(t *testing.T) {
	t.Parallel()
	objects, err := declared.Load(t.Context(), []string{"-"}, strings.NewReader(setFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := declared.PickSet(objects, "kafka", "other"); err == nil || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("got %v", err)
	}
	objects[4].SetAPIVersion("apps/v1beta1")
	if _, err := declared.PickSet(objects, "kafka", "my-kafka"); err == nil || !strings.Contains(err.Error(), "v1beta1") {
		t.Errorf("got %v", err)
	}
	objects[4].SetAPIVersion("apps/v1")
	if _, err := declared.PickSet(append(objects, objects[4]), "kafka", "my-kafka"); err == nil ||
		!strings.Contains(err.Error(), "there are two") {
		t.Errorf("got %v", err)
	}
}
