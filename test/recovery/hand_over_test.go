package recovery_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// ofCluster is an object of the lost cluster, by its label.
func ofCluster(apiVersion, kind, name string, fields map[string]any) map[string]any {
	out := map[string]any{
		"apiVersion": apiVersion, "kind": kind,
		"metadata": map[string]any{"name": name, "labels": map[string]any{strimzi.ClusterLabel: clusterName}},
	}
	for key, value := range fields {
		out[key] = value
	}
	return out
}

func topic(name string, partitions, replicas int64, config map[string]any) map[string]any {
	return ofCluster("kafka.strimzi.io/v1", strimzi.TopicKind, name, map[string]any{
		"spec": map[string]any{"partitions": partitions, "replicas": replicas, "config": config},
	})
}

func user(name string) map[string]any {
	return ofCluster("kafka.strimzi.io/v1", strimzi.UserKind, name, map[string]any{
		"spec": map[string]any{"authentication": map[string]any{"type": "scram-sha-512"}},
	})
}

func secretOf(name string) map[string]any {
	out := ofCluster("v1", "Secret", name, map[string]any{
		"data": map[string]any{"password": base64.StdEncoding.EncodeToString([]byte("not-a-secret-of-" + name))},
	})
	out["metadata"].(map[string]any)["labels"].(map[string]any)[strimzi.KindLabel] = strimzi.UserKind
	return out
}

// whole are the manifests of the lost cluster with an Entity Operator, and with what more there is.
func (g *ground) whole(more ...map[string]any) *declared.Cluster {
	g.t.Helper()
	c := g.manifests(more...)
	operators := map[string]any{"topicOperator": map[string]any{}, "userOperator": map[string]any{}}
	if err := unstructured.SetNestedMap(c.Kafka.Object, operators, "spec", "entityOperator"); err != nil {
		g.t.Fatal(err)
	}
	return c
}

// managed is the annotation of a KafkaTopic that gives it to the Topic Operator or not; "given" where there is none.
func (g *ground) managed(name string) string {
	g.t.Helper()
	u, err := g.client.Get(g.t.Context(), strimzi.TopicGVR("v1"), g.ns, name)
	if err != nil {
		g.t.Fatal(err)
	}
	if value, has := u.GetAnnotations()[strimzi.ManagedAnnotation]; has {
		return value
	}
	return "given"
}

func (g *ground) hasEntityOperator() bool {
	g.t.Helper()
	u, err := g.client.Get(g.t.Context(), strimzi.KafkaGVR("v1"), g.ns, clusterName)
	if err != nil {
		g.t.Fatal(err)
	}
	_, has, _ := unstructured.NestedMap(u.Object, "spec", "entityOperator")
	return has
}

// madeInOrder are the objects that a run created in a step, as its journal tells them.
func (g *ground) madeInOrder(result *recovery.Result, step recovery.StepID) []string {
	g.t.Helper()
	entries, err := recovery.ReadJournal(result.Folder)
	if err != nil {
		g.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		for _, c := range e.Changes {
			if e.Step == string(step) && e.Phase == recovery.PhaseDone && c.Verb == recovery.VerbCreate {
				out = append(out, c.Object.Kind+"/"+c.Object.Name)
			}
		}
	}
	return out
}

// What Kafka's own tools say of the volumes: orders has 8 partitions, 3 replicas and a retention of 14 days, payments
// has 3 partitions, 2 replicas and min.insync.replicas 1, empty has 1 partition and 3 replicas.
func TestTopicsAndUsersAreHandedOverOnceTheClusterIsVerified(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	g.operator(nil)
	kept, asked := topic("empty", 1, 3, nil), topic("compacted", 2, 3, map[string]any{
		"cleanup.policy": "compact", "segment.bytes": int64(1048576),
	})
	kept["metadata"].(map[string]any)["annotations"] = map[string]any{strimzi.ManagedAnnotation: "false"}
	asked["metadata"].(map[string]any)["annotations"] = map[string]any{strimzi.ManagedAnnotation: "true"}
	manifests := g.whole(
		topic("orders", 8, 3, map[string]any{"retention.ms": int64(1209600000)}), kept, asked,
		topic("payments", 4, 2, map[string]any{"min.insync.replicas": int64(1)}), topic("new", 1, 1, nil),
		user("alice"), user("bob"), user("carol"), secretOf("alice"), secretOf("bob"),
	)
	for _, step := range []recovery.StepID{
		recovery.StepPause, recovery.StepUnpause, recovery.StepVerify, recovery.StepTopics, recovery.StepEntityOperator,
	} {
		g.onStep(step, func() {
			if g.hasEntityOperator() {
				t.Errorf("at step %q there is an Entity Operator already: it acts on less than all of it", step)
			}
			want := "false"
			if step == recovery.StepEntityOperator {
				want = "given"
			}
			if got := g.managed("orders"); got != want {
				t.Errorf("at step %q the Topic Operator's part in orders is %q, want %q", step, got, want)
			}
		})
	}
	result, err := g.restoreIn(t.Context(), func(r *recovery.Request, _ *recovery.Deps) { r.Declared = manifests })
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	if !g.hasEntityOperator() {
		t.Error("the manifest asks for an Entity Operator, and there is none at the end")
	}
	for name, want := range map[string]string{
		"orders": "given", "compacted": "true", "payments": "false", "new": "false", "empty": "false",
	} {
		if got := g.managed(name); got != want {
			t.Errorf("kafkatopic/%s: %s is %q, want %q", name, strimzi.ManagedAnnotation, got, want)
		}
	}
	wantOrder := []string{
		"Secret/alice", "Secret/bob", "KafkaUser/alice", "KafkaUser/bob", "KafkaTopic/orders", "KafkaTopic/empty",
		"KafkaTopic/compacted", "KafkaTopic/payments", "KafkaTopic/new", "KafkaNodePool/controller",
		"KafkaNodePool/broker", "Kafka/my-cluster",
	}
	if diff := cmp.Diff(wantOrder, g.madeInOrder(result, recovery.StepResources)); diff != "" {
		t.Errorf("Secrets before users, so that no password is made anew, and Kafka last:\n%s", diff)
	}
	next := strings.Join(result.Next, "\n")
	for _, want := range []string{
		"kafkatopic/payments is not as the topic on the volumes (4 partitions, there are 3)",
		`kafkatopic/new is not as the topic on the volumes (the metadata has no topic "new"`, "kafkauser/carol",
	} {
		if !strings.Contains(next, want) {
			t.Errorf("%q must be said at the end:\n%s", want, next)
		}
	}
	for _, fine := range []string{"kafkatopic/orders", "kafkatopic/compacted", "kafkatopic/empty", "kafkauser/alice"} {
		if strings.Contains(next, fine) {
			t.Errorf("nothing is left to do for %s:\n%s", fine, next)
		}
	}
	g.wantPasswords("alice", "bob")
	if _, err := g.client.Get(t.Context(), strimzi.UserGVR("v1"), g.ns, "carol"); !kube.IsNotFound(err) {
		t.Errorf("without its Secret the user would get a new password, and yet it was created: %v", err)
	}
}

// wantPasswords requires users with the password that they had.
func (g *ground) wantPasswords(names ...string) {
	g.t.Helper()
	for _, name := range names {
		secret, err := g.client.Get(g.t.Context(), kube.Secrets(), g.ns, name)
		if err != nil {
			g.t.Fatal(err)
		}
		got, _, _ := unstructured.NestedString(secret.Object, "data", "password")
		if want := base64.StdEncoding.EncodeToString([]byte("not-a-secret-of-" + name)); got != want {
			g.t.Errorf("secret %q has password %q, want %q", name, got, want)
		}
		if _, err := g.client.Get(g.t.Context(), strimzi.UserGVR("v1"), g.ns, name); err != nil {
			g.t.Error(err)
		}
	}
}

// The User Operator deletes from Kafka what has no KafkaUser: bob is on the volumes, and his Secret is lost.
func TestTheEntityOperatorIsLeftOutWhereItWouldDeleteUsers(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	g.operator(nil)
	result, err := g.restoreIn(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
		r.Declared = g.whole(user("alice"), user("bob"), secretOf("alice"))
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	if g.hasEntityOperator() {
		t.Error("there is an Entity Operator, which deletes bob from Kafka")
	}
	if !slices.ContainsFunc(result.Next, func(s string) bool {
		return strings.Contains(s, "would delete users that have no KafkaUser: bob;")
	}) {
		t.Errorf("who would be deleted, and what to do, must be said at the end: %q", result.Next)
	}
}
