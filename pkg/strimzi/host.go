package strimzi

import (
	"strconv"
	"strings"
)

// NodeHost is what a broker's or controller's own host name says: Strimzi registers nodes as
// <cluster>-<pool>-<id>.<cluster>-kafka-brokers.<namespace>.svc (DnsNameGenerator.java). Unlike a claim's name it can
// be read in one way only, because the service repeats the cluster.
type NodeHost struct {
	Cluster   string
	Pool      string
	NodeID    int32
	Namespace string
}

// brokersSuffix ends the name of the headless service of a cluster's nodes (KafkaResources.brokersServiceName).
const brokersSuffix = "-kafka-brokers"

// ParseNodeHost reads a registered host name; ok is false for any other host, such as that of an external listener.
func ParseNodeHost(host string) (h NodeHost, ok bool) {
	labels := strings.Split(host, ".")
	if len(labels) < 4 || labels[3] != "svc" {
		return NodeHost{}, false
	}
	cluster, found := strings.CutSuffix(labels[1], brokersSuffix)
	rest, owned := strings.CutPrefix(labels[0], cluster+"-")
	dash := strings.LastIndexByte(rest, '-')
	if !found || !owned || dash < 1 {
		return NodeHost{}, false
	}
	id, err := strconv.ParseInt(rest[dash+1:], 10, 32)
	h = NodeHost{Cluster: cluster, Pool: rest[:dash], NodeID: int32(id), Namespace: labels[2]}
	if err != nil || id < 0 || !isName(h.Cluster) || !isName(h.Pool) || !isName(h.Namespace) {
		return NodeHost{}, false
	}
	return h, true
}

// IsServiceHost tells whether a host is a Kubernetes service's, so that it is reached from inside the cluster alone.
func IsServiceHost(host string) bool {
	labels := strings.Split(host, ".")
	return len(labels) >= 3 && labels[2] == "svc" || len(labels) >= 4 && labels[3] == "svc"
}

// Listener types, of which only the first is told by a host name alone.
const (
	ListenerInternal  = "internal"
	ListenerClusterIP = "cluster-ip"
)

// ownListeners are those that Strimzi makes for itself and that no resource names (KafkaCluster.java): 9090 between
// controllers, 9091 between brokers.
func ownListeners() []string { return []string{"CONTROLPLANE-9090", "REPLICATION-9091"} }

// ParseListener reads a registered listener's name, NAME-PORT with the name in capitals (ListenersUtils.identifier):
// the port is the one in the pod, which a registered port of an external listener is not. own tells Strimzi's own
// listeners; ok is false for a name of another form.
func ParseListener(registered string) (name string, port int32, own, ok bool) {
	for _, o := range ownListeners() {
		if registered == o {
			return "", 0, true, true
		}
	}
	dash := strings.LastIndexByte(registered, '-')
	if dash < 0 {
		return "", 0, false, false
	}
	n, err := strconv.ParseUint(registered[dash+1:], 10, 16)
	name = strings.ToLower(registered[:dash])
	if err != nil || !isListenerName(name) {
		return "", 0, false, false
	}
	return name, int32(n), false, true
}

// maxListenerName and minListenerPort are limits of the resource definition.
const (
	maxListenerName = 11
	minListenerPort = 9092
)

func isListenerName(s string) bool {
	if s == "" || len(s) > maxListenerName {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// IsListenerPort tells whether a listener may have that port in a resource.
func IsListenerPort(port int32) bool { return port >= minListenerPort }

// IsObjectName tells whether s can be the name of an object: a DNS-1123 subdomain.
func IsObjectName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isName(label) {
			return false
		}
	}
	return true
}
