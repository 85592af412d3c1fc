package strimzi_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

func TestHostsOfNodes(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]strimzi.NodeHost{
		"my-cluster-broker-0.my-cluster-kafka-brokers.kafka.svc":              {Cluster: "my-cluster", Pool: "broker", Namespace: "kafka"},
		"a-b-c-d-12.a-b-kafka-brokers.ns.svc.cluster.local":                   {Cluster: "a-b", Pool: "c-d", NodeID: 12, Namespace: "ns"},
		"x-kafka-0.x-kafka-brokers.ns.svc":                                    {Cluster: "x", Pool: "kafka", Namespace: "ns"},
		"kafka-brokers-kafka-0.kafka-brokers-kafka-brokers.ns.svc":            {Cluster: "kafka-brokers", Pool: "kafka", Namespace: "ns"},
		"other-broker-0.my-cluster-kafka-brokers.kafka.svc":                   {},
		"my-cluster-0.my-cluster-kafka-brokers.kafka.svc":                     {},
		"my-cluster-broker-x.my-cluster-kafka-brokers.kafka.svc":              {},
		"my-cluster-broker--1.my-cluster-kafka-brokers.kafka.svc":             {},
		"my-cluster-../../etc-0.my-cluster-kafka-brokers.kafka.svc":           {},
		"my-cluster-broker-0.my-cluster-kafka-brokers.kafka.example":          {},
		"my-cluster-broker-4294967296.my-cluster-kafka-brokers.kafka.svc":     {},
		"broker-0.example.com":                                                {},
		"my-cluster-broker-ext-0.kafka.svc":                                   {},
		"-broker-0.-kafka-brokers.kafka.svc":                                  {},
		"my-cluster-broker-0.my-cluster-kafka-brokers.KAFKA\n---\nkind: .svc": {},
		"": {},
	} {
		got, ok := strimzi.ParseNodeHost(host)
		if ok != (want.Cluster != "") || ok && got != want {
			t.Errorf("%q: got %+v, %v, want %+v", host, got, ok, want)
		}
	}
	for host, want := range map[string]bool{
		"c-broker-ext-0.ns.svc": true, "c-broker-0.c-kafka-brokers.ns.svc.cluster.local": true, "broker-0.example.com": false,
		"svc": false, "10.0.0.1": false,
	} {
		if got := strimzi.IsServiceHost(host); got != want {
			t.Errorf("%q is a service's: got %v", host, got)
		}
	}
}

func TestNamesOfListeners(t *testing.T) {
	t.Parallel()
	for registered, want := range map[string]struct {
		name    string
		port    int32
		own, ok bool
	}{
		"PLAIN-9092": {"plain", 9092, false, true}, "EXTERNAL1-9094": {"external1", 9094, false, true},
		"CONTROLPLANE-9090": {"", 0, true, true}, "REPLICATION-9091": {"", 0, true, true},
		"PLAIN": {}, "PLAIN-": {}, "-9092": {}, "PLAIN-99999": {}, "TWELVECHARSX-1": {}, "SASL_SSL-9092": {}, "": {},
	} {
		name, port, own, ok := strimzi.ParseListener(registered)
		if name != want.name || port != want.port || own != want.own || ok != want.ok {
			t.Errorf("%q: got %q, %d, %v, %v", registered, name, port, own, ok)
		}
	}
	if strimzi.IsListenerPort(9091) || !strimzi.IsListenerPort(9092) {
		t.Error("the resource definition takes ports from 9092 on")
	}
}

func TestNamesThatObjectsCanHave(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"orders": true, "a.b-c.0": true, "0": true, "": false, "A": false, "a_b": false, "a..b": false, ".a": false, "a-": false,
		"a.-b": false, "a/b": false, "ä": false, string(make([]byte, 254)): false,
	} {
		if got := strimzi.IsObjectName(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
}

func TestConfigurationsThatAResourceMayHold(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"min.insync.replicas": true, "log.retention.ms": true, "log.dirs": false, "log.dir": false, "listeners": false,
		"listener.name.tls.ssl.keystore.location": false, "ssl.cipher.suites": true, "ssl.keystore.location": false,
		"sasl.server.max.receive.size": true, "controller.quorum.voters": false, "controller.quorum.fetch.timeout.ms": true,
		"port": false, "super.users": false, "broker.session.timeout.ms": true, "broker.id": false,
	} {
		if got := strimzi.AllowsConfig(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
}

// TestAPoolIsReadAsItWasWritten holds what is written against what is read of a pool.
func TestAPoolIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	id := func(n int32) *int32 { return &n }
	for title, storage := range map[string]strimzi.Storage{
		"JBOD": {Type: strimzi.StorageJBOD, Volumes: []strimzi.StorageVolume{
			{ID: id(0), Type: strimzi.StoragePersistent, Size: "1Gi", Class: "fast", KRaftMetadata: true},
			{ID: id(3), Type: strimzi.StoragePersistent, Size: "2Gi"},
		}},
		"one volume": {Type: strimzi.StoragePersistent, Volumes: []strimzi.StorageVolume{
			{Type: strimzi.StoragePersistent, Size: "1Gi", DeleteClaim: true},
		}},
	} {
		want := strimzi.NodePool{
			Meta: strimzi.Meta{Name: "p", Namespace: "ns"}, Replicas: 2, Roles: []string{strimzi.RoleBroker},
			NextNodeIDs: "[3, 7]", Storage: storage,
		}
		o := want.Manifest(strimzi.V1, "c")
		got := strimzi.ParseNodePool(o)
		if got.Labels[strimzi.ClusterLabel] != "c" || object.String(o, "apiVersion") != "kafka.strimzi.io/v1" {
			t.Errorf("%s: got %v", title, o)
		}
		got.Labels, got.Annotations, got.Object = nil, nil, nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-written +read):\n%s", title, diff)
		}
	}
}
