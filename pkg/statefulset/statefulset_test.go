package statefulset_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
)

const manifest = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {namespace: kafka, name: my-kafka, uid: u, generation: 3}
spec:
  replicas: 3
  ordinals: {start: 1}
  selector: {matchLabels: {app: my-kafka}}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain, whenScaled: Delete}
  volumeClaimTemplates:
  - metadata: {name: data, labels: {app: other, tier: db}, annotations: {note: x}}
    spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 10Gi}}}
  - metadata: {name: data-my-kafka}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
  template:
    spec:
      initContainers:
      - name: format
        env:
        - {name: KAFKA_CLUSTER_ID, valueFrom: {configMapKeyRef: {name: ids, key: cluster}}}
      containers:
      - {name: sidecar, image: side:1}
      - name: kafka
        image: kafka:4
        envFrom: [{configMapRef: {name: all}}, {prefix: X_, configMapRef: {name: prefixed}}]
        env:
        - {name: KAFKA_CONTROLLER_QUORUM_VOTERS, value: "0@a:9093,1@b:9093"}
        - {name: CLUSTER_ID, value: abc}
        - {name: KAFKA_KRAFT_CLUSTER_ID, valueFrom: {secretKeyRef: {name: s, key: id}}}
        volumeMounts: [{name: data, mountPath: /data}]
`

func parse(t *testing.T, text string) statefulset.Set {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return statefulset.Parse(o)
}

func TestASetIsRead(t *testing.T) {
	t.Parallel()
	s := parse(t, manifest)
	fast := "fast"
	want := statefulset.Set{
		Namespace: "kafka", Name: "my-kafka", UID: "u", Generation: 3, Replicas: 3, Start: 1,
		Selector: map[string]string{"app": "my-kafka"}, WhenDeleted: "Retain", WhenScaled: "Delete", Image: "kafka:4",
		Voters: []string{"0@a:9093", "1@b:9093"}, Pod: s.Pod, ClusterIDs: s.ClusterIDs,
		Templates: []statefulset.Template{
			{
				Name: "data", Labels: map[string]string{"app": "other", "tier": "db"}, Annotations: map[string]string{"note": "x"},
				AccessModes: []string{"ReadWriteOnce"}, Class: &fast, Request: "10Gi",
			},
			{Name: "data-my-kafka", AccessModes: []string{"ReadWriteOnce"}, Request: "1Gi"},
		},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	if s.Retains() {
		t.Error("claims go when it is scaled down")
	}
	if diff := cmp.Diff([]int32{1, 2, 3}, s.Ordinals()); diff != "" {
		t.Errorf("ordinals begin where the set says:\n%s", diff)
	}
	// Kubernetes: the selector's labels win over those of the template.
	if diff := cmp.Diff(map[string]string{"app": "my-kafka", "tier": "db"}, s.ClaimLabels("data")); diff != "" {
		t.Error(diff)
	}
	if got := parse(t, "spec: {}").Replicas; got != 1 {
		t.Errorf("%d replicas where the manifest does not say: the API server makes it one", got)
	}
	if got := parse(t, "spec: {replicas: 2000000000}").Replicas; got > 100_000 {
		t.Errorf("%d replicas are believed", got)
	}
}

func TestClaimsAreToldByTheirNames(t *testing.T) {
	t.Parallel()
	s := parse(t, manifest)
	for name, want := range map[string]statefulset.Claim{
		"data-my-kafka-2":           {Template: "data", Ordinal: 2},
		"data-my-kafka-my-kafka-10": {Template: "data-my-kafka", Ordinal: 10},
		"data-my-kafka-02":          {}, // the controller writes no zero before the number
		"data-my-kafka-":            {},
		"data-my-kafka--1":          {},
		"data-other-2":              {},
		"data-my-kafka-2147483647":  {},
	} {
		got, ok := s.ParseClaim(name)
		if ok != (want.Template != "") || got != want {
			t.Errorf("%s is read as %+v, %t", name, got, ok)
		}
		if ok && s.ClaimName(got.Template, got.Ordinal) != name {
			t.Errorf("%s is called %s again", name, s.ClaimName(got.Template, got.Ordinal))
		}
	}
}

func TestWhereTheClusterIDComesFrom(t *testing.T) {
	t.Parallel()
	s := parse(t, manifest)
	s.Resolve(func(name string) (map[string]string, error) {
		switch name {
		case "ids":
			return map[string]string{"cluster": "from-map"}, nil
		case "all":
			return map[string]string{"CLUSTER_ID": "from-all", "KAFKA_HEAP_OPTS": "-Xmx1g"}, nil
		}
		return nil, errors.New("forbidden")
	})
	var got []string
	for i := range s.ClusterIDs {
		c := &s.ClusterIDs[i]
		got = append(got, c.String()+" = "+c.Value+c.Unknown)
	}
	want := []string{
		`CLUSTER_ID of container "kafka" = abc`,
		`KAFKA_KRAFT_CLUSTER_ID of container "kafka", from secret/s key id = it is in secret "s", and Secrets are not read`,
		`CLUSTER_ID of container "kafka", from configmap/all key CLUSTER_ID = from-all`,
		`KAFKA_CLUSTER_ID of init container "format", from configmap/ids key cluster = from-map`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	unread := parse(t, manifest)
	unread.Resolve(func(string) (map[string]string, error) { return nil, errors.New("forbidden") })
	if !slices.ContainsFunc(unread.ClusterIDs, func(c statefulset.ClusterID) bool { return c.Unknown == "forbidden" }) {
		t.Errorf("what could not be read must be said: %+v", unread.ClusterIDs)
	}
}

func TestAFixIsExact(t *testing.T) {
	t.Parallel()
	s := parse(t, manifest)
	s.Resolve(func(string) (map[string]string, error) { return map[string]string{"cluster": "x"}, nil })
	fix := func(variable, id string) string {
		i := slices.IndexFunc(s.ClusterIDs, func(c statefulset.ClusterID) bool { return c.Variable == variable })
		return s.Fix(&s.ClusterIDs[i], id)
	}
	const id = "-x3nA7oTQyWv1s5HkQbPfw"
	for _, c := range []struct{ variable, want string }{
		{"CLUSTER_ID", `kubectl patch statefulset/my-kafka -n kafka --type=json -p '[{"op":"test",` +
			`"path":"/spec/template/spec/containers/1/env/1/name","value":"CLUSTER_ID"},{"op":"replace",` +
			`"path":"/spec/template/spec/containers/1/env/1/value","value":"` + id + `"}]'`},
		{"KAFKA_CLUSTER_ID", `kubectl patch configmap/ids -n kafka --type=merge -p '{"data":{"cluster":"` + id + `"}}'`},
	} {
		if got := fix(c.variable, id); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	if got := fix("CLUSTER_ID", "'; rm -rf ~; '"); strings.Contains(got, "kubectl") {
		t.Errorf("what is on a disk must not come into a command line: %s", got)
	}
	s.Declared = true
	if got := fix("CLUSTER_ID", id); !strings.Contains(got, "/spec/template/spec/containers/1/env/1/value") ||
		!strings.Contains(got, `value: "`+id+`"`) {
		t.Errorf("a manifest is changed where it says it: %s", got)
	}
}
