package finding

import (
	"fmt"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// configRules judge what the Kafka resource sets for its brokers.
func configRules() []entry {
	return []entry{
		{Rule{
			ID: "config-above-brokers", Severity: Error, Refuses: true, Without: Stuck,
			Title: "a replication factor is above the number of brokers",
			What: "default.replication.factor, offsets.topic.replication.factor, transaction.state.log.replication.factor and " +
				"transaction.state.log.min.isr of spec.kafka.config against the brokers that the pools will have.",
			Why: "The operator refuses the resource (\"should be set to N or less because this cluster has only N Kafka " +
				"broker(s)\") and makes nothing: un-paused, the cluster stays down. Where the factors are those of before, " +
				"pools or replicas are missing.",
			Source: "Strimzi: KafkaCluster.java, validateIntConfigProperty",
			Remedy: "add the pools or replicas that are missing; where there never were that many brokers, lower the value",
		}, judgeConfigAbove},
	}
}

func judgeConfigAbove(s *scene) []found {
	c := s.in.Cluster
	if c == nil || s.assignProblem != "" {
		return nil // another rule says so
	}
	brokers := 0
	var counted []string
	for _, a := range s.assigned {
		if p := c.Pool(a.Pool); p != nil && p.HasRole(strimzi.RoleBroker) {
			brokers += len(a.Desired)
			counted = append(counted, fmt.Sprintf("pool %s: %s", a.Pool, wording.Count(len(a.Desired), "broker", "brokers")))
		}
	}
	above := c.Kafka.ConfigAbove(brokers)
	if len(above) == 0 {
		return nil
	}
	f := found{subject: "kafka/" + c.Kafka.Name}
	for _, v := range above {
		f.evidence = append(f.evidence, fmt.Sprintf("spec.kafka.config: %s: %s", v.Name, v.Value))
	}
	f.evidence = append(f.evidence, counted...)
	f.message = fmt.Sprintf("%d of its settings are no number up to %d, the brokers there will be", len(above), brokers)
	return []found{f}
}
