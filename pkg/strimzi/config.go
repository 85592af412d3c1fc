package strimzi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/object"
)

// forbiddenConfig are the prefixes of broker configurations that spec.kafka.config may not hold, allowedConfig the
// names below them that it may (KafkaClusterSpec.java, 0.49.1; the resource definition says the same in words). The
// operator leaves a forbidden one out with a warning.
func forbiddenConfig() []string {
	return []string{
		"listeners", "advertised.", "broker.", "listener.", "host.name", "port", "inter.broker.listener.name", "sasl.",
		"ssl.", "security.", "password.", "log.dir", "zookeeper.connect", "zookeeper.set.acl", "zookeeper.ssl",
		"zookeeper.clientCnxnSocket", "authorizer.", "super.user", "cruise.control.metrics.topic",
		"cruise.control.metrics.reporter.bootstrap.servers", "node.id", "process.roles", "controller.", "metadata.log.dir",
		"zookeeper.metadata.migration.enable", "client.quota.callback.static.kafka.admin.",
		"client.quota.callback.static.produce", "client.quota.callback.static.fetch",
		"client.quota.callback.static.storage.per.volume.limit.min.available.",
		"client.quota.callback.static.excluded.principal.name.list", "prometheus.metrics.reporter.",
	}
}

func allowedConfig() []string {
	return []string{
		"zookeeper.connection.timeout.ms", "sasl.server.max.receive.size", "ssl.cipher.suites", "ssl.protocol",
		"ssl.enabled.protocols", "ssl.secure.random.implementation", "cruise.control.metrics.topic.num.partitions",
		"cruise.control.metrics.topic.replication.factor", "cruise.control.metrics.topic.retention.ms",
		"cruise.control.metrics.topic.auto.create.retries", "cruise.control.metrics.topic.auto.create.timeout.ms",
		"cruise.control.metrics.topic.min.insync.replicas", "broker.session.timeout.ms", "broker.heartbeat.interval.ms",
		"controller.socket.timeout.ms", "controller.quorum.election.backoff.max.ms", "controller.quorum.election.timeout.ms",
		"controller.quorum.fetch.timeout.ms",
	}
}

// AllowsConfig tells whether a broker configuration may stand in spec.kafka.config.
func AllowsConfig(name string) bool {
	if slices.Contains(allowedConfig(), name) {
		return true
	}
	return !slices.ContainsFunc(forbiddenConfig(), func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// ConfigAbove is a broker configuration that the operator refuses because there are fewer brokers. Value is as it is
// written; it may be no number, which the operator refuses as well.
type ConfigAbove struct{ Name, Value string }

// ConfigAbove lists those of spec.kafka.config (KafkaCluster.java, validateIntConfigProperty): a reconcile ends with an
// InvalidResourceException before anything is made.
func (k *Kafka) ConfigAbove(brokers int) []ConfigAbove {
	var out []ConfigAbove
	for _, name := range []string{
		"default.replication.factor", "offsets.topic.replication.factor", "transaction.state.log.replication.factor",
		"transaction.state.log.min.isr",
	} {
		value, set := object.Map(k.Object, "spec", "kafka", "config")[name]
		if !set || value == nil {
			continue
		}
		text := fmt.Sprint(value)
		if n, err := strconv.ParseInt(text, 10, 32); err != nil || int(n) > brokers {
			out = append(out, ConfigAbove{Name: name, Value: text})
		}
	}
	return out
}
