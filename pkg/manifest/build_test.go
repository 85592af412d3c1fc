package manifest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/manifest"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// contains tells whether one of the texts holds every word.
func contains(texts []string, words ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	})
}

func TestListenersAreThoseRegistered(t *testing.T) {
	t.Parallel()
	for title, tc := range map[string]struct {
		name, host string
		port       uint16
		protocol   int16
		want       map[string]any
		todo       string
		fill       bool
	}{
		"plain": {
			"PLAIN-9092", "", 9092, plaintext,
			map[string]any{"name": "plain", "port": int64(9092), "type": "internal", "tls": false}, "", false,
		},
		"TLS, perhaps with certificates": {
			"TLS-9093", "", 9093, ssl,
			map[string]any{"name": "tls", "port": int64(9093), "type": "internal", "tls": true}, "authentication", false,
		},
		"SASL must not come up open": {
			"SCRAM-9094", "", 9094, saslPlaintext,
			map[string]any{
				"name": "scram", "port": int64(9094), "type": "internal", "tls": false,
				"authentication": map[string]any{"type": "TODO"},
			}, "authentication", true,
		},
		"external: the port registered is the load balancer's": {
			"EXTERNAL-9095", "broker-0.example.com", 443, saslSSL,
			map[string]any{
				"name": "external", "port": int64(9095), "type": "TODO", "tls": true,
				"authentication": map[string]any{"type": "TODO"},
			}, "listener-type", true,
		},
		"a service of its own": {
			"CLUSTER-9096", "c-broker-cluster-0.ns.svc", 9096, plaintext,
			map[string]any{"name": "cluster", "port": int64(9096), "type": "TODO", "tls": false}, "listener-type", true,
		},
		"not named by Strimzi": {
			"EXTERNAL", "", 9097, plaintext,
			map[string]any{"name": "TODO", "port": int64(9097), "type": "internal", "tls": false}, "listener-name", true,
		},
		"a name that no resource can have": {
			"MUCH_TOO_LONG-9098", "", 9098, plaintext,
			map[string]any{"name": "TODO", "port": int64(9098), "type": "internal", "tls": false}, "listener-name", true,
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.listener(tc.name, tc.host, tc.port, tc.protocol)
			set := w.build()
			got := object.Maps(find(t, set, "Kafka/c"), "spec", "kafka", "listeners")
			if diff := cmp.Diff([]map[string]any{tc.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			i := slices.IndexFunc(set.Todos, func(i manifest.Item) bool { return i.ID == tc.todo })
			if (i >= 0) != (tc.todo != "") || i >= 0 && set.Todos[i].Fill != tc.fill {
				t.Errorf("want the TODO %q, to be filled in %v; got %+v", tc.todo, tc.fill, set.Todos)
			}
		})
	}
}

func TestWithoutListenersTheAPIServerRefuses(t *testing.T) {
	t.Parallel()
	set := newWorld(t).build()
	if n := len(object.Maps(find(t, set, "Kafka/c"), "spec", "kafka", "listeners")); n != 0 || len(items(set.Todos, "listeners")) != 1 {
		t.Errorf("%d listeners, todos %+v", n, set.Todos)
	}
}

func TestBrokerConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, value := range map[string]string{
		"log.cleaner.threads": "2", "compression.type": "zstd", "unclean.leader.election.enable": "true",
		"log.retention.ms": "-1", "message.max.bytes": "007", "ssl.keystore.password": "hunter2", "listeners": "X://:1",
		"ssl.cipher.suites": "TLS_AES", "sasl.jaas.config": "secret-jaas", "controller.quorum.fetch.timeout.ms": "9",
	} {
		w.config(metadata.ConfigBroker, "", name, value)
	}
	for _, id := range []string{"0", "1"} {
		w.config(metadata.ConfigBroker, id, "num.io.threads", "16")
		w.config(metadata.ConfigBroker, id, "num.network.threads", id+"1")
	}
	w.config(metadata.ConfigBroker, "1", "background.threads", "4")
	w.config(metadata.ConfigGroup, "g", "consumer.session.timeout.ms", "45000")
	set := w.build()
	want := map[string]any{
		"log.cleaner.threads": int64(2), "compression.type": "zstd", "unclean.leader.election.enable": true,
		"log.retention.ms": int64(-1), "message.max.bytes": "007", "ssl.cipher.suites": "TLS_AES",
		"controller.quorum.fetch.timeout.ms": int64(9), "num.io.threads": int64(16),
	}
	if diff := cmp.Diff(want, object.Map(find(t, set, "Kafka/c"), "spec", "kafka", "config")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for id, names := range map[string][]string{
		"secret-config":    {"ssl.keystore.password", "sasl.jaas.config"},
		"forbidden-config": {"listeners"},
	} {
		for _, name := range names {
			if !contains(items(set.Todos, id), name) {
				t.Errorf("%s: %q is not told: %q", id, name, items(set.Todos, id))
			}
		}
	}
	for _, name := range []string{"num.network.threads", "background.threads"} {
		if !contains(items(set.Notes, "config-of-one-broker"), name) {
			t.Errorf("%q of one broker is not told", name)
		}
	}
	if !contains(items(set.Notes, "no-resource"), "GROUP") {
		t.Errorf("configurations of groups are not told: %+v", set.Notes)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	set := w.build()
	kafka := find(t, set, "Kafka/c")
	if text(kafka, "spec", "kafka", "version") != manifest.Todo || !contains(items(set.Todos, "kafka-version"), "Kafka 4.2.x") {
		t.Errorf("the version is not known, its release is: %q", items(set.Todos, "kafka-version"))
	}
	if text(kafka, "apiVersion") != "kafka.strimzi.io/v1" {
		t.Errorf("got %q", text(kafka, "apiVersion"))
	}
	w.KafkaVersion, w.Version = "4.2.1", strimzi.V1beta2
	set = w.build()
	kafka = find(t, set, "Kafka/c")
	if text(kafka, "spec", "kafka", "version") != "4.2.1" || len(items(set.Todos, "kafka-version")) > 0 {
		t.Errorf("a known version is written, got %q", text(kafka, "spec", "kafka", "version"))
	}
	parsed := strimzi.ParseKafka(kafka)
	if text(kafka, "apiVersion") != "kafka.strimzi.io/v1beta2" || parsed.KRaft != "enabled" || parsed.NodePools != "enabled" {
		t.Errorf("an operator of v1beta2 would take it for a cluster of ZooKeeper: %+v", parsed)
	}
	w.record(0, &metadata.FeatureLevelRecord{Name: metadata.MetadataVersionFeature, FeatureLevel: 999})
	set = w.build()
	if text(find(t, set, "Kafka/c"), "spec", "kafka", "metadataVersion") != manifest.Todo {
		t.Error("a level of no known release has no name")
	}
}

func TestWhatElseIsOnNoVolumeIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rack := "zone-b"
	w.broker(1, &rack, metadata.BrokerEndpoint{Name: "REPLICATION-9091", Host: hostOf("broker", 1), Port: 9091})
	w.topic("strimzi.cruisecontrol.metrics", []int32{0})
	set := w.build()
	for id, word := range map[string]string{
		"rack": "zone-b", "cruise-control": "Cruise Control", "certificate-authorities": "c-clients-ca-cert",
		"entity-operator": "deletes every user", "settings": "logging", "static-config": "default.replication.factor",
		"authorization": "no access control entries", "resources": "jvmOptions",
	} {
		if !contains(items(set.Todos, id), word) {
			t.Errorf("%s does not say %q: %q", id, word, items(set.Todos, id))
		}
	}
}

func TestStorageByTheNamesOfClaims(t *testing.T) {
	t.Parallel()
	jbod := func(volumes ...map[string]any) map[string]any {
		list := make([]any, len(volumes))
		for i, v := range volumes {
			list[i] = v
		}
		return map[string]any{"type": "jbod", "volumes": list}
	}
	v := func(id int64, more ...string) map[string]any {
		out := map[string]any{"id": id, "type": "persistent-claim", "size": "TODO", "deleteClaim": false}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	claim := func(name, size, class string) manifest.KnownClaim {
		return manifest.KnownClaim{Name: name, Size: size, Class: class}
	}
	for title, tc := range map[string]struct {
		change      func(w *world)
		want        map[string]any
		todos, note string
	}{
		"one volume": {
			func(w *world) { w.volume("data-c-broker-0", 0, true); w.volume("data-c-broker-1", 1, true) },
			map[string]any{"type": "persistent-claim", "size": "TODO", "deleteClaim": false}, "3.0 MiB", "",
		},
		"JBOD with the metadata on its second volume": {
			func(w *world) {
				w.volume("data-0-c-broker-0", 0, false)
				w.volume("data-1-c-broker-0", 0, true)
				w.volume("data-0-c-broker-1", 1, false)
				w.volume("data-1-c-broker-1", 1, true)
			},
			jbod(v(0), v(1, "kraftMetadata", "shared")), "", "",
		},
		"IDs with a gap, one volume not seen": {
			func(w *world) { w.volume("data-2-c-broker-0", 0, true); w.volume("data-7-c-broker-1", 1, false) },
			jbod(v(2, "kraftMetadata", "shared"), v(7)), "", "volume 7 of node(s) 0",
		},
		"nodes that disagree on the metadata's volume": {
			func(w *world) {
				w.volume("data-0-c-broker-0", 0, true)
				w.volume("data-1-c-broker-1", 1, true)
			},
			jbod(v(0, "kraftMetadata", "TODO"), v(1, "kraftMetadata", "TODO")), "do not agree", "",
		},
		"both kinds of names": {
			func(w *world) { w.volume("data-0-c-broker-0", 0, true); w.volume("data-c-broker-1", 1, true) },
			map[string]any{"type": "TODO"}, "data-c-broker-1", "",
		},
		"names that say nothing": {
			func(w *world) { w.volume("disk-a", 0, true); w.volume("disk-b", 1, true) },
			map[string]any{"type": "TODO"}, "one log directory each", "",
		},
		"sizes and classes of claims": {
			func(w *world) {
				w.volume("data-0-c-broker-0", 0, true)
				w.Claims = []manifest.KnownClaim{claim("data-0-c-broker-0", "900Mi", "fast"), claim("data-0-c-broker-1", "1Gi", "fast")}
			},
			jbod(v(0, "kraftMetadata", "shared", "size", "1Gi", "class", "fast")), "", "900Mi",
		},
		"classes that differ": {
			func(w *world) {
				w.volume("data-0-c-broker-0", 0, true)
				w.Claims = []manifest.KnownClaim{claim("data-0-c-broker-0", "1Gi", "fast"), claim("data-0-c-broker-1", "1Gi", "slow")}
			},
			jbod(v(0, "kraftMetadata", "shared", "size", "1Gi", "class", "TODO")), "fast, slow", "",
		},
		"a claim of no class, and one whose size is no size": {
			func(w *world) {
				w.volume("data-0-c-broker-0", 0, true)
				w.Claims = []manifest.KnownClaim{claim("data-0-c-broker-0", "much", "")}
			},
			jbod(v(0, "kraftMetadata", "shared")), "the size that the claims asked for", "",
		},
		"the volumes that claims left": {
			func(w *world) {
				w.volume("data-0-c-broker-0", 0, true)
				w.Claims = []manifest.KnownClaim{{Name: "data-0-c-broker-0", Size: "5Gi", Class: "fast", Capacity: true}}
			},
			jbod(v(0, "kraftMetadata", "shared", "size", "5Gi", "class", "fast")), "", "the claims are gone",
		},
		"claims swapped: what is on a volume counts": {
			func(w *world) { w.volume("data-0-c-broker-0", 1, true); w.volume("data-0-c-broker-1", 0, true) },
			jbod(v(0, "kraftMetadata", "shared")), "", "holds node 1's data, though its name is of node 0",
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tc.change(w)
			set := w.build()
			if diff := cmp.Diff(tc.want, object.Map(find(t, set, "KafkaNodePool/broker"), "spec", "storage")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var todos, notes []string
			for _, i := range set.Todos {
				todos = append(todos, i.Text)
			}
			for _, i := range set.Notes {
				notes = append(notes, i.Text)
			}
			if !contains(todos, tc.todos) || tc.note != "" && !contains(notes, tc.note) {
				t.Errorf("want TODO %q, note %q; got %q, %q", tc.todos, tc.note, todos, notes)
			}
		})
	}
}

func TestNodesAndPools(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(0, &metadata.RegisterControllerRecord{ControllerID: 6, EndPoints: []metadata.ControllerEndpoint{
		{Name: "CONTROLPLANE-9090", Host: hostOf("controller", 6), Port: 9090},
	}})
	w.broker(9, nil, metadata.BrokerEndpoint{Name: "PLAIN-9092", Host: "elsewhere.example.com", Port: 9092})
	w.volume("data-0-c-old-7", 7, false)
	w.volume("lost+found", -1, false)
	w.Volumes[1].Contents.Dirs = nil
	set := w.build()
	got := pools(set)
	if len(got) != 2 || got[0].NextNodeIDs != "[0, 1]" || got[1].NextNodeIDs != "[5]" || got[1].Roles[0] != strimzi.RoleController {
		t.Errorf("a controller that does not vote is none of the quorum's, got %+v", got)
	}
	for _, want := range []struct {
		list []manifest.Item
		id   string
		word string
	}{
		{set.Notes, "node-not-registered", "node 7"}, {set.Notes, "volume-without-node", "lost+found"},
		{set.Todos, "pool", "node 9"},
	} {
		if !contains(items(want.list, want.id), want.word) {
			t.Errorf("%s does not name %q: %q", want.id, want.word, items(want.list, want.id))
		}
	}
	w.Voters = nil // nobody says who votes: registered controllers are the next best witness
	if got := pools(w.build()); len(got) != 2 || got[1].NextNodeIDs != "[5, 6]" {
		t.Errorf("got %+v", got)
	}
}

func TestWhereNobodyNamesAClusterOrItsVoters(t *testing.T) {
	t.Parallel()
	w := &world{t: t, Input: manifest.Input{Version: strimzi.V1, Image: metadata.NewImage()}}
	w.volume("disk-a", 0, true)
	if _, err := manifest.Build(w.Input); !errors.Is(err, manifest.ErrNoStrimzi) || !strings.Contains(err.Error(), "data-CLUSTER-POOL-NODE") {
		t.Errorf("got %v", err)
	}
	w.Volumes = nil
	w.volume("data-c-p-0", 0, true)
	set := w.build()
	p := pools(set)[0]
	if p.Roles[0] != manifest.Todo || len(items(set.Todos, "roles")) != 1 || len(items(set.Todos, "namespace")) != 1 {
		t.Errorf("roles %v, todos %+v", p.Roles, set.Todos)
	}
	w.broker(0, nil, metadata.BrokerEndpoint{Name: "REPLICATION-9091", Host: "x-p-0.x-kafka-brokers.ns.svc"})
	w.broker(1, nil, metadata.BrokerEndpoint{Name: "REPLICATION-9091", Host: "y-p-1.y-kafka-brokers.ns.svc"})
	if _, err := manifest.Build(w.Input); err == nil || errors.Is(err, manifest.ErrNoStrimzi) || !strings.Contains(err.Error(), "x, y") {
		t.Errorf("two clusters: got %v", err)
	}
}

// TestControllersThatNeverRegisteredAreFoundByTheNamesOfTheirVolumes is a cluster that was deleted soon after it first
// ran, as one was seen to be, or one of before metadata.version 3.7: its voters are known, and not their hosts.
func TestControllersThatNeverRegisteredAreFoundByTheNamesOfTheirVolumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.record(0, &metadata.UnregisterControllerRecord{ControllerID: 5})
	w.volume("data-0-c-broker-0", 0, false)
	w.volume("data-0-c-the-controllers-5", 5, true)
	set := w.build()
	if got, want := names(set, strimzi.NodePoolKind), []string{"broker", "the-controllers"}; !slices.Equal(got, want) {
		t.Fatalf("got pools %v, want %v; %v", got, want, items(set.Todos, "pool"))
	}
	controllers := pools(set)[1]
	if !slices.Equal(controllers.Roles, []string{strimzi.RoleController}) || controllers.NextNodeIDs != "[5]" {
		t.Errorf("got %+v", controllers)
	}
}
