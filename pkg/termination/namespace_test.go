package termination_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/termination"
)

func parsed(t *testing.T, text string) unstructured.Unstructured {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return unstructured.Unstructured{Object: o}
}

func named(t *testing.T, name, rest string) unstructured.Unstructured {
	t.Helper()
	return parsed(t, "metadata: {name: "+name+rest+"}")
}

// going is a namespace as the API server of 1.34 shows one that waits for a finalizer.
const going = `
metadata: {name: kafka, deletionTimestamp: "2026-11-27T05:00:00Z"}
status:
  phase: Terminating
  conditions:
  - {type: NamespaceDeletionDiscoveryFailure, status: "False", message: All resources successfully discovered}
  - type: NamespaceContentRemaining
    status: "True"
    message: "Some resources are remaining: kafkatopics.kafka.strimzi.io has 2 resource instances"
`

func TestANamespaceThatIsThereIsNotGoing(t *testing.T) {
	t.Parallel()
	there := named(t, "kafka", "")
	if got := termination.Of(termination.Objects{Namespace: &there}); got != nil {
		t.Errorf("got %+v", got)
	}
	if got := termination.Of(termination.Objects{}); got != nil {
		t.Errorf("one that may not be looked at is not known to go, got %+v", got)
	}
}

func TestWhatKeepsANamespace(t *testing.T) {
	t.Parallel()
	ns := parsed(t, going)
	held := ", finalizers: [strimzi.io/topic-operator]"
	in := termination.Objects{Namespace: &ns, Inside: map[string][]unstructured.Unstructured{
		"kafkatopics": {named(t, "payments", held), named(t, "orders", held), named(t, "free", "")},
		"persistentvolumeclaims": {
			named(t, "data-0-my-cluster-broker-0", ", finalizers: [kubernetes.io/pvc-protection]"),
		},
		"kafkas":     {named(t, "my-cluster", ", finalizers: [example.org/mine]")},
		"kafkausers": {named(t, "somebody", "")},
		"pods":       {named(t, "my-cluster-broker-0", "")},
	}}
	got := termination.Of(in)
	text := strings.Join(got.Lines(), "\n")
	for _, want := range []string{
		`namespace "kafka" is being deleted since 2026-11-27T05:00:00Z`,
		"kafkatopics orders, payments: finalizer strimzi.io/topic-operator; only the Topic Operator takes it away",
		"→ `kubectl get kafkatopics -n kafka -o name | xargs kubectl patch -n kafka --type=merge " +
			`-p '{"metadata":{"finalizers":null}}'` + "`",
		"persistentvolumeclaims data-0-my-cluster-broker-0: finalizer kubernetes.io/pvc-protection; it goes with the last pod",
		"kafkas my-cluster: finalizer example.org/mine; whoever set it takes it away\n" +
			"→ `kubectl get kafkas -n kafka -o yaml`",
		"only where it is off for good, for otherwise they go on writing\n" +
			"→ `kubectl delete pod my-cluster-broker-0 -n kafka --force --grace-period=0`",
		"Kubernetes says: Some resources are remaining: kafkatopics.kafka.strimzi.io has 2 resource instances",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in:\n%s", want, text)
		}
	}
	for _, not := range []string{"somebody", "free", "successfully discovered", "api-resources"} {
		if strings.Contains(text, not) {
			t.Errorf("%q is not in the way:\n%s", not, text)
		}
	}
}

// While the Topic Operator is there its finalizers are its own business: it deletes the topics themselves with them.
func TestTheTopicOperatorThatIsStillThereLetsGoItself(t *testing.T) {
	t.Parallel()
	ns := parsed(t, going)
	got := termination.Of(termination.Objects{Namespace: &ns, Inside: map[string][]unstructured.Unstructured{
		"kafkatopics": {named(t, "orders", ", finalizers: [strimzi.io/topic-operator]")},
		"pods":        {named(t, "my-cluster-entity-operator-7d", ", labels: {strimzi.io/name: my-cluster-entity-operator}")},
	}})
	if h := got.Holders[0]; h.Command != "" || !strings.Contains(h.Why, "pod/my-cluster-entity-operator-7d is still there") {
		t.Errorf("got %+v", h)
	}
}

func TestWhatIsNotSeenIsLookedForWithACommand(t *testing.T) {
	t.Parallel()
	ns := parsed(t, going)
	lines := termination.Of(termination.Objects{Namespace: &ns}).Lines()
	want := []string{
		`namespace "kafka" is being deleted since 2026-11-27T05:00:00Z, and everything in it with it`,
		"Kubernetes says: Some resources are remaining: kafkatopics.kafka.strimzi.io has 2 resource instances",
		"→ what is left in it: `kubectl api-resources --verbs=list --namespaced -o name | xargs -n 1 kubectl get " +
			"--show-kind --ignore-not-found -n kafka`",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
