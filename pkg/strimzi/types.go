// Package strimzi is the only place that knows Strimzi's resource versions, labels, annotations and field names. It
// turns unstructured objects into the small typed views that the rest of the tool judges, and builds the patches that
// are written back.
package strimzi

import "time"

// Cluster is a Strimzi Kafka cluster as its live objects tell it.
type Cluster struct {
	// APIVersion is that of the Kafka resource: kafka.strimzi.io/v1 or kafka.strimzi.io/v1beta2.
	APIVersion string `json:"apiVersion"`
	Kafka      Kafka  `json:"kafka"`
	// Pools are sorted by name.
	Pools []NodePool `json:"pools"`
	// NodeConfigs are the per-node ConfigMaps, sorted by node ID.
	NodeConfigs []NodeConfig `json:"nodeConfigs,omitempty"`
	PodSets     []PodSet     `json:"podSets,omitempty"`
	Pods        []Pod        `json:"pods,omitempty"`
	// Operators are those found; OperatorsKnown is false when Deployments could not be listed in every namespace, so
	// that there may be others.
	Operators      []Operator `json:"operators,omitempty"`
	OperatorsKnown bool       `json:"operatorsKnown"`
	// KafkaUsers are the names of the cluster's KafkaUser resources; UsersKnown is false when they could not be listed.
	KafkaUsers []string `json:"kafkaUsers,omitempty"`
	UsersKnown bool     `json:"usersKnown"`
	// KafkaTopics likewise, by Kafka topic name (spec.topicName or metadata.name).
	KafkaTopics []string `json:"kafkaTopics,omitempty"`
	TopicsKnown bool     `json:"topicsKnown"`
}

// Condition is one entry of a status' conditions.
type Condition struct {
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"lastTransitionTime,omitzero"`
}

// Meta is what is kept of an object's metadata.
type Meta struct {
	Namespace       string `json:"namespace"`
	Name            string `json:"name"`
	UID             string `json:"uid"`
	ResourceVersion string `json:"resourceVersion"`
	Generation      int64  `json:"generation"`
	// Created is when the API server stored it, to the second.
	Created     time.Time         `json:"created,omitzero"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Terminating bool              `json:"terminating,omitempty"`
	// Managers are the field managers of the object, newest write last.
	Managers []string `json:"managers,omitempty"`
}

// Kafka is a Kafka custom resource.
type Kafka struct {
	Meta
	// PauseAnnotated tells whether strimzi.io/pause-reconciliation is "true".
	PauseAnnotated bool   `json:"pauseAnnotated"`
	Version        string `json:"version,omitempty"`
	// MetadataVersion is spec.kafka.metadataVersion; empty when unset (the operator then takes Kafka's default).
	MetadataVersion string `json:"metadataVersion,omitempty"`
	Image           string `json:"image,omitempty"`
	// KRaft, NodePools are the annotations strimzi.io/kraft and strimzi.io/node-pools, required by 0.40–0.45.
	KRaft     string `json:"kraft,omitempty"`
	NodePools string `json:"nodePools,omitempty"`
	// UserOperator, TopicOperator tell whether spec.entityOperator asks for them.
	UserOperator  bool        `json:"userOperator"`
	TopicOperator bool        `json:"topicOperator"`
	Status        KafkaStatus `json:"status"`
	// Object is the whole resource as the API server returned it, without managedFields.
	Object map[string]any `json:"object,omitempty"`
}

// KafkaStatus is what matters of Kafka.status.
type KafkaStatus struct {
	// ClusterID is nil when unset; the operator takes an empty string for set.
	ClusterID          *string     `json:"clusterId,omitempty"`
	Conditions         []Condition `json:"conditions,omitempty"`
	ObservedGeneration int64       `json:"observedGeneration"`
	OperatorVersion    string      `json:"operatorLastSuccessfulVersion,omitempty"`
	KafkaVersion       string      `json:"kafkaVersion,omitempty"`
	MetadataVersion    string      `json:"kafkaMetadataVersion,omitempty"`
}

// NodePool is a KafkaNodePool custom resource.
type NodePool struct {
	Meta
	Replicas int32    `json:"replicas"`
	Roles    []string `json:"roles"`
	Storage  Storage  `json:"storage"`
	// NextNodeIDs is the annotation strimzi.io/next-node-ids, as written.
	NextNodeIDs string         `json:"nextNodeIds,omitempty"`
	Status      NodePoolStatus `json:"status"`
	// Scheduling and identity of the pool's pods, for temporary pods to follow (raw Kubernetes JSON).
	PodTemplate map[string]any `json:"podTemplate,omitempty"`
	Object      map[string]any `json:"object,omitempty"`
}

// NodePoolStatus is what matters of KafkaNodePool.status.
type NodePoolStatus struct {
	ClusterID *string `json:"clusterId,omitempty"`
	// NodeIDs is nil when unset: the operator then assigns new ones.
	NodeIDs []int32  `json:"nodeIds,omitempty"`
	Roles   []string `json:"roles,omitempty"`
}

// Storage is a pool's spec.storage.
type Storage struct {
	// Type is jbod, persistent-claim or ephemeral.
	Type    string          `json:"type"`
	Volumes []StorageVolume `json:"volumes,omitempty"`
}

// StorageVolume is one volume of a pool's storage. For type persistent-claim there is exactly one, with ID nil.
type StorageVolume struct {
	ID            *int32 `json:"id,omitempty"`
	Type          string `json:"type"`
	Size          string `json:"size,omitempty"`
	Class         string `json:"class,omitempty"`
	DeleteClaim   bool   `json:"deleteClaim"`
	KRaftMetadata bool   `json:"kraftMetadata"`
}

// NodeConfig is a per-node ConfigMap <cluster>-<pool>-<id>.
type NodeConfig struct {
	Meta
	NodeID          int32  `json:"nodeId"`
	Pool            string `json:"pool"`
	ClusterID       string `json:"clusterId"`
	MetadataVersion string `json:"metadataVersion,omitempty"`
}

// PodSet is a StrimziPodSet.
type PodSet struct {
	Meta
	Pods  []string `json:"pods"`
	Ready int64    `json:"readyPods"`
}

// Pod is a Kafka pod of the cluster.
type Pod struct {
	Meta
	NodeID  int32  `json:"nodeId"`
	Pool    string `json:"pool"`
	Node    string `json:"node,omitempty"`
	Phase   string `json:"phase"`
	Ready   bool   `json:"ready"`
	Image   string `json:"image,omitempty"`
	Waiting string `json:"waiting,omitempty"`
	// Restarts is the container's restart count, LastMessage its last termination message or log line where known.
	Restarts    int32  `json:"restarts"`
	LastMessage string `json:"lastMessage,omitempty"`
}

// Operator is a Cluster Operator deployment that may manage the cluster.
type Operator struct {
	Namespace  string `json:"namespace"`
	Deployment string `json:"deployment"`
	Image      string `json:"image,omitempty"`
	Version    string `json:"version,omitempty"`
	// Watched is STRIMZI_NAMESPACE split; ["*"] for all namespaces.
	Watched []string `json:"watched"`
	// WatchedUnknown says why Watched could not be told from the Deployment; empty when it could.
	WatchedUnknown string `json:"watchedUnknown,omitempty"`
	// Selector is STRIMZI_CUSTOM_RESOURCE_SELECTOR.
	Selector         string            `json:"selector,omitempty"`
	OperationTimeout time.Duration     `json:"operationTimeoutNs"`
	Interval         time.Duration     `json:"fullReconciliationIntervalNs"`
	KafkaImages      map[string]string `json:"kafkaImages,omitempty"`
	PullSecrets      []string          `json:"pullSecrets,omitempty"`
	Ready            bool              `json:"ready"`
	// PodSetsOnly is STRIMZI_POD_SET_RECONCILIATION_ONLY: such an operator reconciles no Kafka resource.
	PodSetsOnly  bool     `json:"podSetsOnly,omitempty"`
	ScaledToZero bool     `json:"scaledToZero,omitempty"`
	FeatureGates []string `json:"featureGates,omitempty"`
	// Held tells that it is at zero replicas for a while, and counts as one that will be there again.
	Held bool `json:"held,omitempty"`
}
