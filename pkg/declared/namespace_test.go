package declared_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
)

const savedNamespace = `
apiVersion: v1
kind: Namespace
metadata:
  name: kafka
  uid: gone
  resourceVersion: "9"
  creationTimestamp: "2026-01-01T00:00:00Z"
  labels: {kubernetes.io/metadata.name: kafka, pod-security.kubernetes.io/enforce: restricted, istio-injection: disabled}
  annotations: {openshift.io/sa.scc.uid-range: 1000680000/10000, kubectl.kubernetes.io/last-applied-configuration: "{}"}
spec: {finalizers: [kubernetes]}
status: {phase: Active}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ResourceQuota
  metadata: {name: team, namespace: kafka, uid: gone}
  spec: {hard: {requests.storage: 1Ti}}
  status: {used: {requests.storage: 10Gi}}
- {apiVersion: v1, kind: LimitRange, metadata: {name: defaults}, spec: {limits: [{type: Container}]}}
- {apiVersion: v1, kind: LimitRange, metadata: {name: others, namespace: elsewhere}, spec: {limits: []}}
- {apiVersion: v1, kind: Namespace, metadata: {name: elsewhere}}
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: builder, namespace: kafka}}
`

func TestANamespaceIsPickedWithItsLimits(t *testing.T) {
	t.Parallel()
	got, err := declared.PickNamespace(loaded(t, savedNamespace), "kafka")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{
		"name": "kafka",
		"labels": map[string]any{
			"kubernetes.io/metadata.name": "kafka", "pod-security.kubernetes.io/enforce": "restricted",
			"istio-injection": "disabled",
		},
		"annotations": map[string]any{"openshift.io/sa.scc.uid-range": "1000680000/10000"},
	}}
	if diff := cmp.Diff(want, got.Object.Object); diff != "" {
		t.Error(diff)
	}
	var limits []string
	for _, l := range got.Limits {
		limits = append(limits, declared.Ref(l)+" in "+l.GetNamespace())
		if _, live := l.Object["status"]; live || l.GetUID() != "" {
			t.Errorf("%s still has what only a live object had", declared.Ref(l))
		}
	}
	if diff := cmp.Diff([]string{"resourcequota/team in kafka", "limitrange/defaults in kafka"}, limits); diff != "" {
		t.Error(diff)
	}
	left := []string{"limitrange/others", "namespace/elsewhere", "serviceaccount/builder"}
	if diff := cmp.Diff(left, got.Left); diff != "" {
		t.Error(diff)
	}
}

// TestANamespaceThatWasGoingIsPickedAllTheSame: what is saved in the first minute of a disaster often was.
func TestANamespaceThatWasGoingIsPickedAllTheSame(t *testing.T) {
	t.Parallel()
	going := strings.Replace(savedNamespace, "uid: gone", `deletionTimestamp: "2026-01-02T00:00:00Z"`, 1)
	got, err := declared.PickNamespace(loaded(t, going), "kafka")
	if err != nil || got.Object.GetDeletionTimestamp() != nil {
		t.Fatal(err, got)
	}
	if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "being deleted") {
		t.Errorf("want it told, got %q", got.Warnings)
	}
}

func TestANamespaceThatIsNotThereIsNotPicked(t *testing.T) {
	t.Parallel()
	for want, text := range map[string]string{
		"there is no Namespace": strings.Replace(savedNamespace, "name: kafka\n", "name: other\n", 1),
		"there are two":         savedNamespace + "\n---\n" + savedNamespace,
	} {
		if got, err := declared.PickNamespace(loaded(t, text), "kafka"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v, %v", want, err, got)
		}
	}
}
