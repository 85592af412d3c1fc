package manifest_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/manifest"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// world is a cluster put together for one case: what is in its metadata, and its volumes.
type world struct {
	t *testing.T
	manifest.Input
	offset int64
}

// newWorld has brokers 0 and 1 of pool "broker" and controller 5 of pool "controller", and no volume.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, Input: manifest.Input{Version: strimzi.V1, Image: metadata.NewImage(), Voters: []int32{5}}}
	w.record(0, &metadata.FeatureLevelRecord{Name: metadata.MetadataVersionFeature, FeatureLevel: 29})
	for id := range int32(2) {
		w.broker(id, nil, metadata.BrokerEndpoint{
			Name: "REPLICATION-9091", Host: hostOf("broker", id), Port: 9091, SecurityProtocol: ssl,
		})
	}
	w.record(0, &metadata.RegisterControllerRecord{
		ControllerID: 5, EndPoints: []metadata.ControllerEndpoint{{
			Name: "CONTROLPLANE-9090", Host: hostOf("controller", 5), Port: 9090, SecurityProtocol: ssl,
		}},
	})
	return w
}

// Kafka's SecurityProtocol.
const (
	plaintext int16 = iota
	ssl
	saslPlaintext
	saslSSL
)

func hostOf(pool string, id int32) string {
	return fmt.Sprintf("c-%s-%d.c-kafka-brokers.ns.svc", pool, id)
}

// broker registers a broker; its listeners are those of clients.
func (w *world) broker(id int32, rack *string, listeners ...metadata.BrokerEndpoint) {
	w.record(3, &metadata.RegisterBrokerRecord{
		BrokerID: id, BrokerEpoch: w.offset, EndPoints: listeners, Rack: rack, LogDirs: []metadata.UUID{{byte(id + 1)}},
		Features: []metadata.BrokerFeature{{
			Name: metadata.MetadataVersionFeature, MinSupportedVersion: 1, MaxSupportedVersion: 29,
		}},
	})
}

// listener registers both brokers with one listener more.
func (w *world) listener(name, host string, port uint16, protocol int16) {
	for id := range int32(2) {
		own := metadata.BrokerEndpoint{Name: "REPLICATION-9091", Host: hostOf("broker", id), Port: 9091}
		at := host
		if at == "" {
			at = hostOf("broker", id)
		}
		w.broker(id, nil, own, metadata.BrokerEndpoint{Name: name, Host: at, Port: port, SecurityProtocol: protocol})
	}
}

func (w *world) record(version int16, m metadata.Message) {
	w.t.Helper()
	r := metadata.Record{Frame: 1, Version: version, Message: m}
	value, err := r.Append(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.Image.Apply(value, metadata.Position{Offset: w.offset}); err != nil {
		w.t.Fatal(err)
	}
	w.offset++
}

// topic adds a topic whose partitions have these replicas.
func (w *world) topic(name string, partitions ...[]int32) {
	id := metadata.UUID{1: byte(w.offset), 2: byte(w.offset >> 8), 15: 1}
	w.record(0, &metadata.TopicRecord{Name: name, TopicID: id})
	for i, replicas := range partitions {
		w.record(0, &metadata.PartitionRecord{
			PartitionID: int32(i), TopicID: id, Replicas: replicas, ISR: replicas, Leader: replicas[0],
		})
	}
}

func (w *world) config(kind int8, resource, name, value string) {
	w.record(0, &metadata.ConfigRecord{ResourceType: kind, ResourceName: resource, Name: name, Value: &value})
}

// Kafka's numbers in access control entries.
const (
	topicResource, groupResource, clusterResource, tokenResource int8 = 2, 3, 4, 6
	literal, prefixed                                            int8 = 3, 4
	all, readOp, write, create, twoPhase                         int8 = 2, 3, 4, 5, 15
	deny, allow                                                  int8 = 2, 3
)

func (w *world) acl(principal string, resource int8, name string, pattern, operation, permission int8) {
	w.record(0, &metadata.AccessControlEntryRecord{
		ID: metadata.UUID{0: byte(w.offset), 1: byte(w.offset >> 8), 15: 2}, ResourceType: resource, ResourceName: name,
		PatternType: pattern, Principal: principal, Host: "*", Operation: operation, PermissionType: permission,
	})
}

func (w *world) scram(user string, mechanism int8) {
	w.record(0, &metadata.UserScramCredentialRecord{
		Name: user, Mechanism: mechanism, Salt: []byte("secret-salt"), StoredKey: []byte("secret-stored"),
		ServerKey: []byte("secret-server"), Iterations: 4096,
	})
}

func (w *world) quota(key string, value float64, entity ...metadata.EntityData) {
	w.record(0, &metadata.ClientQuotaRecord{Entity: entity, Key: key, Value: value})
}

func entity(kind, name string) metadata.EntityData {
	return metadata.EntityData{EntityType: kind, EntityName: &name}
}

// volume adds a volume that was read: a node's, with its metadata log or without.
func (w *world) volume(name string, node int32, withMetadata bool) {
	d := logdir.LogDir{
		Path: strimzi.LogDirName(node), NodeIDInName: &node, UsedBytes: 3 << 20,
		Meta: &logdir.MetaProperties{Version: 1, NodeID: &node}, MetaState: logdir.MetaOK,
	}
	if withMetadata {
		d.Metadata = &logdir.MetadataLog{End: logdir.OffsetAndEpoch{Offset: 9, Epoch: 1}, EndKnown: true}
	}
	w.Volumes = append(w.Volumes, volume.Volume{
		Name: "dir/" + name, State: volume.Read, Contents: &logdir.Contents{Dirs: []logdir.LogDir{d}},
	})
}

func (w *world) build() *manifest.Set {
	w.t.Helper()
	set, err := manifest.Build(w.Input)
	if err != nil {
		w.t.Fatal(err)
	}
	return set
}

// find returns a manifest's object.
func find(t *testing.T, set *manifest.Set, ref string) map[string]any {
	t.Helper()
	for i := range set.Objects {
		if set.Objects[i].Ref() == ref {
			return set.Objects[i].Object
		}
	}
	t.Fatalf("no manifest %s", ref)
	return nil
}

// items lists what was said under an ID, as OBJECT FIELD: TEXT.
func items(list []manifest.Item, id string) []string {
	var out []string
	for _, i := range list {
		if i.ID == id {
			out = append(out, fmt.Sprintf("%s %s: %s", i.Object, i.Field, i.Text))
		}
	}
	return out
}

// pools reads the pools of a set as the operator would find them.
func pools(set *manifest.Set) []strimzi.NodePool {
	var out []strimzi.NodePool
	for i := range set.Objects {
		if set.Objects[i].Kind == strimzi.NodePoolKind {
			out = append(out, strimzi.ParseNodePool(set.Objects[i].Object))
		}
	}
	return out
}

func names(set *manifest.Set, kind string) []string {
	var out []string
	for i := range set.Objects {
		if set.Objects[i].Kind == kind {
			out = append(out, set.Objects[i].Name)
		}
	}
	slices.Sort(out)
	return out
}

func text(o map[string]any, path ...string) string { return object.String(o, path...) }
