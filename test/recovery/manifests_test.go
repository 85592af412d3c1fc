package recovery_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// set sets a field of an object.
func (g *ground) set(o *unstructured.Unstructured, value any, path ...string) {
	g.t.Helper()
	if err := unstructured.SetNestedField(o.Object, value, path...); err != nil {
		g.t.Fatal(err)
	}
}

// Only the API server knows Strimzi's definitions. What it does not accept is told before anything is changed, and the
// whole of what was declared is tried, also what is created last.
func TestManifestsThatTheAPIServerDoesNotAcceptChangeNothing(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	before, ties := g.content(), g.ties()
	for name, test := range map[string]struct {
		change func(*declared.Cluster)
		told   []string
	}{
		"a field that is not known": {
			func(c *declared.Cluster) { g.set(c.Kafka, "x", "spec", "kafka", "listenerz") }, []string{"kafka/" + clusterName, "listenerz"},
		},
		"a field of what is created last": {
			func(c *declared.Cluster) { g.set(c.Kafka, int64(7), "spec", "entityOperator", "userOperator") },
			[]string{"kafka/" + clusterName, "userOperator"},
		},
		"a value that is not allowed": {
			func(c *declared.Cluster) { g.set(c.Pools[0], []any{"leader"}, "spec", "roles") },
			[]string{"kafkanodepool/controller", "spec.roles"},
		},
		"what v1 does not have and does something": {
			func(c *declared.Cluster) {
				c.Kafka.SetAPIVersion("kafka.strimzi.io/v1beta2")
				g.set(c.Kafka, map[string]any{"type": "opa"}, "spec", "kafka", "authorization")
			}, []string{"kafka/" + clusterName, "spec.kafka.authorization of type opa"},
		},
	} {
		manifests := g.manifests()
		test.change(manifests)
		result, err := g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) { r.Declared = manifests })
		if err == nil {
			t.Errorf("%s: accepted: %s", name, told(result))
			continue
		}
		for _, part := range test.told {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is not told: %v", name, part, err)
			}
		}
		if strings.HasPrefix(name, "what v1") && !errors.Is(err, declared.ErrNotConvertible) {
			t.Errorf("got %v", err)
		}
	}
	if diff := cmp.Diff(ties, g.ties()); diff != "" {
		t.Errorf("volumes changed:\n%s", diff)
	}
	if diff := cmp.Diff(before, g.content()); diff != "" {
		t.Errorf("something was changed:\n%s", diff)
	}
}

func TestManifestsOfAnOlderVersionAreConverted(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	g.operator(nil)
	manifests := g.manifests(topic("orders", 8, 3, nil))
	manifests.Kafka.SetAPIVersion("kafka.strimzi.io/v1beta2")
	g.set(manifests.Kafka, int64(3), "spec", "kafka", "replicas")
	g.set(manifests.Kafka, map[string]any{"replicas": int64(3)}, "spec", "zookeeper")
	manifests.Topics[0].SetAPIVersion("kafka.strimzi.io/v1beta1")
	for _, pool := range manifests.Pools {
		pool.SetAPIVersion("kafka.strimzi.io/v1beta2")
	}
	result, err := g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) { r.Declared = manifests })
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	kafka, err := g.client.Get(t.Context(), strimzi.KafkaGVR(strimzi.V1), g.ns, clusterName)
	if err != nil {
		t.Fatal(err)
	}
	if _, has, _ := unstructured.NestedMap(kafka.Object, "spec", "zookeeper"); has {
		t.Errorf("got %v", kafka.Object["spec"])
	}
}
