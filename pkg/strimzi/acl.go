package strimzi

// ACLCluster is the resource type of rules on the Kafka cluster itself.
const ACLCluster = "cluster"

// ACLResource returns the word a KafkaUser has for Kafka's name of a resource type; ok is false where it has none
// (delegation tokens, users).
func ACLResource(kafka string) (word string, ok bool) {
	word, ok = map[string]string{
		"TOPIC": "topic", "GROUP": "group", "CLUSTER": ACLCluster, "TRANSACTIONAL_ID": "transactionalId",
	}[kafka]
	return word, ok
}

// ACLPattern is the same for pattern types.
func ACLPattern(kafka string) (word string, ok bool) {
	word, ok = map[string]string{"LITERAL": "literal", "PREFIXED": "prefix"}[kafka]
	return word, ok
}

// ACLPermission is the same for permission types.
func ACLPermission(kafka string) (word string, ok bool) {
	word, ok = map[string]string{"ALLOW": "allow", "DENY": "deny"}[kafka]
	return word, ok
}

// ACLOperation is the same for operations.
func ACLOperation(kafka string) (word string, ok bool) {
	word, ok = map[string]string{
		"READ": "Read", "WRITE": "Write", "CREATE": "Create", "DELETE": "Delete", "ALTER": "Alter", "DESCRIBE": "Describe",
		"CLUSTER_ACTION": "ClusterAction", "ALTER_CONFIGS": "AlterConfigs", "DESCRIBE_CONFIGS": "DescribeConfigs",
		"IDEMPOTENT_WRITE": "IdempotentWrite", "ALL": "All",
	}[kafka]
	return word, ok
}

// Quota returns the field a KafkaUser has for Kafka's key of a quota, and whether the field is a whole number of 32
// bits (KafkaUserQuotas.java); ok is false where it has none.
func Quota(kafka string) (field string, whole, ok bool) {
	switch kafka {
	case "producer_byte_rate":
		return "producerByteRate", true, true
	case "consumer_byte_rate":
		return "consumerByteRate", true, true
	case "request_percentage":
		return "requestPercentage", true, true
	case "controller_mutation_rate":
		return "controllerMutationRate", false, true
	}
	return "", false, false
}
