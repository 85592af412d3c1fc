package manifest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/manifest"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

func TestUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scram("alice", 2)
	w.scram("old", 1)
	w.acl("User:alice", topicResource, "orders", literal, readOp, allow)
	w.acl("User:alice", topicResource, "orders", literal, write, allow)
	w.acl("User:alice", topicResource, "orders", literal, create, deny)
	w.acl("User:alice", groupResource, "g-", prefixed, all, allow)
	w.acl("User:CN=app", clusterResource, "kafka-cluster", literal, create, allow)
	w.quota("controller_mutation_rate", 0.5, entity("user", "limited"))
	w.quota("request_percentage", 55, entity("user", "limited"))
	set := w.build()
	if diff := cmp.Diff([]string{"alice", "app", "limited", "old"}, names(set, strimzi.UserKind)); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	rule := func(kind, resource, name, pattern string, operations ...any) map[string]any {
		return map[string]any{
			"type": kind, "host": "*", "operations": operations,
			"resource": map[string]any{"type": resource, "name": name, "patternType": pattern},
		}
	}
	for name, want := range map[string]map[string]any{
		"alice": {
			"authentication": map[string]any{
				"type": "scram-sha-512", "password": map[string]any{"valueFrom": map[string]any{"secretKeyRef": map[string]any{
					"name": "TODO", "key": "password",
				}}},
			},
			"authorization": map[string]any{"type": "simple", "acls": []any{
				rule("allow", "topic", "orders", "literal", "Read", "Write"),
				rule("deny", "topic", "orders", "literal", "Create"),
				rule("allow", "group", "g-", "prefix", "All"),
			}},
		},
		"app": {
			"authentication": map[string]any{"type": "tls"},
			"authorization": map[string]any{"type": "simple", "acls": []any{map[string]any{
				"type": "allow", "host": "*", "operations": []any{"Create"}, "resource": map[string]any{"type": "cluster"},
			}}},
		},
		"limited": {"quotas": map[string]any{"controllerMutationRate": 0.5, "requestPercentage": int64(55)}},
		"old":     {},
	} {
		if diff := cmp.Diff(want, object.Map(find(t, set, "KafkaUser/"+name), "spec")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := items(set.Todos, "mechanism"); len(got) != 1 || !contains(got, "KafkaUser/old", "SCRAM-SHA-256") {
		t.Errorf("a credential that Strimzi cannot make must be told, got %q", got)
	}
	if text(find(t, set, "Kafka/c"), "spec", "kafka", "authorization", "type") != "simple" {
		t.Error("entries are there, so an authorizer was: without one the cluster would come up open")
	}
}

// TestWhatNoKafkaUserCanSay names everything that the User Operator would take away, or that stays behind its back.
func TestWhatNoKafkaUserCanSay(t *testing.T) {
	t.Parallel()
	for title, tc := range map[string]struct {
		change func(w *world)
		list   func(s *manifest.Set) []manifest.Item
		id     string
		words  []string
		users  []string
	}{
		"a principal that is no user": {
			func(w *world) { w.acl("Group:staff", topicResource, "t", literal, readOp, allow) },
			todos, "principal", []string{"Group:staff", "READ"}, nil,
		},
		"everybody": {
			func(w *world) { w.acl("User:*", topicResource, "t", literal, readOp, allow) },
			notes, "everybody", []string{"User:*", "leaves it alone"}, nil,
		},
		"anonymous": {
			func(w *world) { w.acl("User:ANONYMOUS", topicResource, "t", literal, readOp, allow) },
			notes, "everybody", []string{"ANONYMOUS"}, nil,
		},
		"a name that no object can have": {
			func(w *world) { w.scram("Alice_1", 2) },
			todos, "user-name", []string{`"Alice_1"`, "deletes it", "credentials"}, nil,
		},
		"a subject of several parts": {
			func(w *world) { w.acl("User:CN=app,O=acme", topicResource, "t", literal, readOp, allow) },
			todos, "user-name", []string{"CN=app,O=acme", "access control entries"}, nil,
		},
		"a password and a certificate of one name": {
			func(w *world) {
				w.scram("app", 2)
				w.quota("consumer_byte_rate", 1, entity("user", "CN=app"))
			},
			todos, "user-twice", []string{"CN=app", "quotas"}, []string{"app"},
		},
		"a resource that a KafkaUser has not": {
			func(w *world) { w.acl("User:u", tokenResource, "t", literal, readOp, allow) },
			todos, "acl", []string{"KafkaUser/u", "DELEGATION_TOKEN", "deletes"}, []string{"u"},
		},
		"an operation that a KafkaUser has not": {
			func(w *world) { w.acl("User:u", topicResource, "t", literal, twoPhase, allow) },
			todos, "acl", []string{"TWO_PHASE_COMMIT"}, []string{"u"},
		},
		"half a percent": {
			func(w *world) { w.quota("request_percentage", 55.5, entity("user", "u")) },
			todos, "quota", []string{"KafkaUser/u", "55.5", "whole"}, []string{"u"},
		},
		"more than 32 bits": {
			func(w *world) { w.quota("producer_byte_rate", 1<<31, entity("user", "u")) },
			todos, "quota", []string{"2.147483648E9"}, []string{"u"},
		},
		"a quota of another kind": {
			func(w *world) { w.quota("connection_creation_rate", 5, entity("user", "u")) },
			todos, "quota", []string{"connection_creation_rate"}, []string{"u"},
		},
		"quotas of a user's client": {
			func(w *world) { w.quota("producer_byte_rate", 5, entity("client-id", "a"), entity("user", "u")) },
			notes, "quota-of-others", []string{"client-id=a", "user=u"}, nil,
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tc.change(w)
			set := w.build()
			if got := items(tc.list(set), tc.id); !contains(got, tc.words...) {
				t.Errorf("want %q in %q", tc.words, got)
			}
			if got := names(set, strimzi.UserKind); !slices.Equal(got, tc.users) {
				t.Errorf("users %q, want %q", got, tc.users)
			}
		})
	}
}

func todos(s *manifest.Set) []manifest.Item { return s.Todos }
func notes(s *manifest.Set) []manifest.Item { return s.Notes }

func TestTopicsHaveNamesThatObjectsCanHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := strings.Repeat("l", 240) + "_"
	topics := []string{
		"a.b", "a_b", "A-b", "a-b", "__internal", "_", "..", "orders.", "Ω", "true", long, strings.ToUpper(long),
	}
	for _, name := range topics {
		w.topic(name, []int32{0})
	}
	set := w.build()
	seen := map[string]string{}
	for i := range set.Objects {
		o := &set.Objects[i]
		if o.Kind != strimzi.TopicKind {
			continue
		}
		if !strimzi.IsObjectName(o.Name) || seen[o.Name] != "" {
			t.Errorf("%q cannot be an object's name, or is one already", o.Name)
		}
		seen[o.Name] = strimzi.ParseTopicName(o.Object)
		if has := object.Has(o.Object, "spec", "topicName"); has == (o.Name == seen[o.Name]) {
			t.Errorf("%q: topicName stands where the names differ, and only there", o.Name)
		}
	}
	var got []string
	for _, topic := range seen {
		got = append(got, topic)
	}
	got = append(got, set.InternalTopics...)
	slices.Sort(got)
	slices.Sort(topics)
	if diff := cmp.Diff(topics, got); diff != "" {
		t.Errorf("every topic has one manifest (-want +got):\n%s", diff)
	}
	if seen["a.b"] != "a.b" || seen["a-b"] != "a-b" || seen["orders"] != "orders." {
		t.Errorf("a name that can be kept is kept: %v", seen)
	}
}

func TestTopicsWhosePartitionsDiffer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.topic("uneven", []int32{0, 1}, []int32{0})
	w.topic("even", []int32{0}, []int32{1})
	w.config(2, "even", "some.password", "hunter2")
	set := w.build()
	if n, _ := object.Int(find(t, set, "KafkaTopic/uneven"), "spec", "replicas"); n != 2 {
		t.Errorf("%d replicas", n)
	}
	if got := items(set.Notes, "replicas-differ"); len(got) != 1 || !contains(got, "KafkaTopic/uneven", "from 1 to 2") {
		t.Errorf("got %q", got)
	}
	if !contains(items(set.Todos, "secret-config"), "KafkaTopic/even", "some.password") {
		t.Errorf("got %+v", set.Todos)
	}
}
