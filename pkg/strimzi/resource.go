package strimzi

import "k8s.io/apimachinery/pkg/runtime/schema"

// API groups, resources and versions. Kafka and its pools are served as v1beta2 up to 0.48, as both from 0.49 to
// 0.51, and as v1 only since 1.0.0 (Strimzi's CHANGELOG); the fields used here have the same names in both.
const (
	Group     = "kafka.strimzi.io"
	CoreGroup = "core.strimzi.io"
	V1        = "v1"
	V1beta2   = "v1beta2"

	KafkaKind    = "Kafka"
	NodePoolKind = "KafkaNodePool"
	PodSetKind   = "StrimziPodSet"
	TopicKind    = "KafkaTopic"
	UserKind     = "KafkaUser"

	kafkas    = "kafkas"
	nodePools = "kafkanodepools"
	podSets   = "strimzipodsets"
	topics    = "kafkatopics"
	users     = "kafkausers"
)

// Versions are the API versions this tool reads, the preferred one first.
func Versions() []string { return []string{V1, V1beta2} }

// KafkaGVR returns the resource of Kafka at that version.
func KafkaGVR(version string) schema.GroupVersionResource { return gvr(Group, version, kafkas) }

// NodePoolGVR returns the resource of KafkaNodePool at that version.
func NodePoolGVR(version string) schema.GroupVersionResource { return gvr(Group, version, nodePools) }

// PodSetGVR returns the resource of StrimziPodSet at that version; it is of a group of its own.
func PodSetGVR(version string) schema.GroupVersionResource { return gvr(CoreGroup, version, podSets) }

// TopicGVR returns the resource of KafkaTopic at that version.
func TopicGVR(version string) schema.GroupVersionResource { return gvr(Group, version, topics) }

// UserGVR returns the resource of KafkaUser at that version.
func UserGVR(version string) schema.GroupVersionResource { return gvr(Group, version, users) }

func gvr(group, version, resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group, Version: version, Resource: resource}
}

// Labels the operator puts on what it makes (operator-common, Labels.java).
const (
	ClusterLabel        = "strimzi.io/cluster"
	KindLabel           = "strimzi.io/kind"
	NameLabel           = "strimzi.io/name"
	PoolLabel           = "strimzi.io/pool-name"
	ComponentLabel      = "strimzi.io/component-type"
	ControllerRoleLabel = "strimzi.io/controller-role"
	BrokerRoleLabel     = "strimzi.io/broker-role"

	// KafkaComponent is the value of ComponentLabel on the claims, pods and pod sets of brokers and controllers.
	KafkaComponent = "kafka"
	// OperatorKind is the value of KindLabel on the pods of a Cluster Operator.
	OperatorKind = "cluster-operator"
)

// Annotations people and the operator put on resources (api, ResourceAnnotations.java; operator-common,
// Annotations.java).
const (
	PauseAnnotation         = "strimzi.io/pause-reconciliation"
	NextNodeIDsAnnotation   = "strimzi.io/next-node-ids"
	RemoveNodeIDsAnnotation = "strimzi.io/remove-node-ids"
	DeleteClaimAnnotation   = "strimzi.io/delete-claim"
	StorageAnnotation       = "strimzi.io/storage"
	KafkaVersionAnnotation  = "strimzi.io/kafka-version"
	// KRaftAnnotation and NodePoolsAnnotation must be "enabled" with operators 0.40–0.45, or the cluster is taken for
	// one with ZooKeeper.
	KRaftAnnotation     = "strimzi.io/kraft"
	NodePoolsAnnotation = "strimzi.io/node-pools"
	// SkipScaleDownCheck lets the operator scale down brokers that hold partitions.
	SkipScaleDownCheck = "strimzi.io/skip-broker-scaledown-check"
)

// Keys of a per-node ConfigMap (KafkaCluster.java) and the container of a Kafka pod.
const (
	ClusterIDKey       = "cluster.id"
	MetadataVersionKey = "metadata.version"
	KafkaContainer     = "kafka"
	// DataMountPath is where data volumes are mounted below, as <DataMountPath>/data or <DataMountPath>/data-<volume>.
	DataMountPath = "/var/lib/kafka"
)

// Roles of a pool.
const (
	RoleController = "controller"
	RoleBroker     = "broker"
)

// Storage types.
const (
	StorageJBOD       = "jbod"
	StoragePersistent = "persistent-claim"
	StorageEphemeral  = "ephemeral"
)

// DefaultPool is the virtual pool of clusters without node pools (operators up to 0.45).
const DefaultPool = "kafka"
