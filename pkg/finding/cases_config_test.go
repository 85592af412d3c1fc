package finding_test

import "github.com/kafkarecover/kafkarecover/pkg/object"

// config sets a broker configuration in the Kafka resource.
func (w *world) config(name string, value any) {
	w.Cluster.Kafka.Object = object.Clone(w.Cluster.Kafka.Object)
	object.Map(w.Cluster.Kafka.Object, "spec", "kafka")["config"] = map[string]any{name: value}
}

func configCases() []ruleCase {
	const rule = "config-above-brokers"
	kafka := []string{"kafka/my-cluster"}
	return []ruleCase{
		{
			rule: rule, name: "more than there are brokers", want: kafka,
			change: func(w *world) { w.config("offsets.topic.replication.factor", int64(4)) },
			says:   []string{"offsets.topic.replication.factor: 4", "pool broker: 3 brokers"},
		},
		{
			rule: rule, name: "as text", want: kafka,
			change: func(w *world) { w.config("transaction.state.log.min.isr", "4") },
		},
		{
			rule: rule, name: "no number", want: kafka,
			change: func(w *world) { w.config("default.replication.factor", "three") }, says: []string{"three"},
		},
		{rule: rule, name: "as many", change: func(w *world) { w.config("default.replication.factor", int64(3)) }},
		{rule: rule, name: "another setting", change: func(w *world) { w.config("num.partitions", int64(99)) }},
	}
}
