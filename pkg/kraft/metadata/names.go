package metadata

import (
	"slices"
	"strconv"
	"strings"
)

func nameOf(names []string, v int8) string {
	if v >= 0 && int(v) < len(names) {
		return names[v]
	}
	return "UNKNOWN(" + strconv.Itoa(int(v)) + ")"
}

// ACLResourceName is the name of Kafka's ResourceType.
func ACLResourceName(v int8) string {
	return nameOf([]string{
		"UNKNOWN", "ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER",
	}, v)
}

// PatternName is the name of Kafka's PatternType.
func PatternName(v int8) string {
	return nameOf([]string{"UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED"}, v)
}

// OperationName is the name of Kafka's AclOperation.
func OperationName(v int8) string {
	return nameOf([]string{
		"UNKNOWN", "ANY", "ALL", "READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "CLUSTER_ACTION",
		"DESCRIBE_CONFIGS", "ALTER_CONFIGS", "IDEMPOTENT_WRITE", "CREATE_TOKENS", "DESCRIBE_TOKENS", "TWO_PHASE_COMMIT",
	}, v)
}

// PermissionName is the name of Kafka's AclPermissionType.
func PermissionName(v int8) string { return nameOf([]string{"UNKNOWN", "ANY", "DENY", "ALLOW"}, v) }

// MechanismName is the name of Kafka's ScramMechanism.
func MechanismName(v int8) string {
	return nameOf([]string{"UNKNOWN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, v)
}

// ConfigResourceName is the name of Kafka's ConfigResource.Type.
func ConfigResourceName(v int8) string {
	switch v {
	case ConfigTopic:
		return "TOPIC"
	case ConfigBroker:
		return "BROKER"
	case ConfigBrokerLogger:
		return "BROKER_LOGGER"
	case ConfigClientMetrics:
		return "CLIENT_METRICS"
	case ConfigGroup:
		return "GROUP"
	}
	return "UNKNOWN(" + strconv.Itoa(int(v)) + ")"
}

// SecurityProtocolName is the name of Kafka's SecurityProtocol.
func SecurityProtocolName(v int16) string {
	if v < 0 || v > 3 {
		return "UNKNOWN(" + strconv.Itoa(int(v)) + ")"
	}
	return nameOf([]string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}, int8(v))
}

// EntityText names the entity of a quota for people: user=alice, client-id=<default>.
func (q *ClientQuota) EntityText() string {
	parts := make([]string, len(q.Entity))
	for i, e := range q.Entity {
		name := "<default>"
		if e.EntityName != nil {
			name = *e.EntityName
		}
		parts[i] = e.EntityType + "=" + name
	}
	return strings.Join(parts, ", ")
}

// QuotaKeys are the names of the quota's values, sorted.
func (q *ClientQuota) QuotaKeys() []string { return sortedKeys(q.Values) }

// ConfigKeys are the names of a configuration's values, sorted.
func ConfigKeys(config map[string]string) []string { return sortedKeys(config) }

// VoterIDs are the voters known: of the last KRaftVoters record, or of the last leader change with static voters.
func (im *Image) VoterIDs() []int32 {
	var out []int32
	if im.voters != nil {
		for _, v := range im.voters.Voters {
			out = append(out, v.VoterID)
		}
		slices.Sort(out)
		return out
	}
	if im.leader != nil {
		return im.leader.Voters
	}
	return nil
}

// FeatureNames are the names of features, sorted.
func FeatureNames(features map[string]int16) []string { return sortedKeys(features) }
