package strimzi

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/object"
)

// ParseMeta reads an object's metadata.
func ParseMeta(o map[string]any) Meta {
	generation, _ := object.Int(o, "metadata", "generation")
	return Meta{
		Namespace:       object.String(o, "metadata", "namespace"),
		Name:            object.String(o, "metadata", "name"),
		UID:             object.String(o, "metadata", "uid"),
		ResourceVersion: object.String(o, "metadata", "resourceVersion"),
		Generation:      generation,
		Created:         object.Time(o, "metadata", "creationTimestamp"),
		Labels:          object.StringMap(o, "metadata", "labels"),
		Annotations:     object.StringMap(o, "metadata", "annotations"),
		Terminating:     object.Terminating(o),
		Managers:        object.Managers(o),
	}
}

// ParseKafka reads a Kafka resource of either version.
func ParseKafka(o map[string]any) Kafka {
	meta := ParseMeta(o)
	return Kafka{
		Meta:            meta,
		PauseAnnotated:  isTrue(meta.Annotations[PauseAnnotation]),
		Version:         object.String(o, "spec", "kafka", "version"),
		MetadataVersion: object.String(o, "spec", "kafka", "metadataVersion"),
		Image:           object.String(o, "spec", "kafka", "image"),
		KRaft:           meta.Annotations[KRaftAnnotation],
		NodePools:       meta.Annotations[NodePoolsAnnotation],
		UserOperator:    object.Map(o, "spec", "entityOperator", "userOperator") != nil,
		TopicOperator:   object.Map(o, "spec", "entityOperator", "topicOperator") != nil,
		Status:          parseKafkaStatus(o),
		Object:          object.Trimmed(o),
	}
}

// isTrue reads a boolean annotation as the operator does (Boolean.parseBoolean).
func isTrue(s string) bool { return strings.EqualFold(s, "true") }

func parseKafkaStatus(o map[string]any) KafkaStatus {
	observed, _ := object.Int(o, "status", "observedGeneration")
	return KafkaStatus{
		ClusterID:          object.OptionalString(o, "status", "clusterId"),
		Conditions:         parseConditions(o),
		ObservedGeneration: observed,
		OperatorVersion:    object.String(o, "status", "operatorLastSuccessfulVersion"),
		KafkaVersion:       object.String(o, "status", "kafkaVersion"),
		MetadataVersion:    object.String(o, "status", "kafkaMetadataVersion"),
	}
}

func parseConditions(o map[string]any) []Condition {
	var out []Condition
	for _, c := range object.Maps(o, "status", "conditions") {
		out = append(out, Condition{
			Type:    object.String(c, "type"),
			Status:  object.String(c, "status"),
			Reason:  object.String(c, "reason"),
			Message: object.String(c, "message"),
			Since:   object.Time(c, "lastTransitionTime"),
		})
	}
	return out
}

// ParseNodePool reads a KafkaNodePool of either version.
func ParseNodePool(o map[string]any) NodePool {
	replicas, _ := object.Int32(o, "spec", "replicas")
	meta := ParseMeta(o)
	return NodePool{
		Meta:        meta,
		Replicas:    max(replicas, 0),
		Roles:       object.Strings(o, "spec", "roles"),
		Storage:     ParseStorage(object.Map(o, "spec", "storage")),
		NextNodeIDs: meta.Annotations[NextNodeIDsAnnotation],
		Status: NodePoolStatus{
			ClusterID: object.OptionalString(o, "status", "clusterId"),
			NodeIDs:   object.Int32s(o, "status", "nodeIds"),
			Roles:     object.Strings(o, "status", "roles"),
		},
		PodTemplate: object.Map(o, "spec", "template", "pod"),
		Object:      object.Trimmed(o),
	}
}

// ParseStorage reads a pool's spec.storage, or the same in the annotation StorageAnnotation of a pod set.
func ParseStorage(s map[string]any) Storage {
	out := Storage{Type: object.String(s, "type")}
	if out.Type != StorageJBOD {
		if s != nil {
			out.Volumes = []StorageVolume{parseStorageVolume(s)}
			out.Volumes[0].ID = nil
		}
		return out
	}
	for _, v := range object.Maps(s, "volumes") {
		out.Volumes = append(out.Volumes, parseStorageVolume(v))
	}
	return out
}

func parseStorageVolume(v map[string]any) StorageVolume {
	out := StorageVolume{
		Type:          object.String(v, "type"),
		Size:          object.String(v, "size"),
		Class:         object.String(v, "class"),
		DeleteClaim:   object.Bool(v, "deleteClaim"),
		KRaftMetadata: object.String(v, "kraftMetadata") == "shared",
	}
	if id, ok := object.Int32(v, "id"); ok {
		out.ID = &id
	}
	return out
}

// ParsePodSet reads a StrimziPodSet.
func ParsePodSet(o map[string]any) PodSet {
	out := PodSet{Meta: ParseMeta(o)}
	out.Ready, _ = object.Int(o, "status", "readyPods")
	for _, p := range object.Maps(o, "spec", "pods") {
		out.Pods = append(out.Pods, object.String(p, "metadata", "name"))
	}
	slices.Sort(out.Pods)
	return out
}

// PodSetStorage reads the storage that a pod set was made with; ok is false where it does not say. It survives the
// deletion of the Kafka resource and shows how the volumes were laid out before.
func PodSetStorage(s PodSet) (storage Storage, ok bool) {
	var m map[string]any
	if err := json.Unmarshal([]byte(s.Annotations[StorageAnnotation]), &m); err != nil || m == nil {
		return Storage{}, false
	}
	return ParseStorage(m), true
}

// ParseNodeConfig reads a per-node ConfigMap; ok is false for any other ConfigMap of the cluster.
func ParseNodeConfig(o map[string]any) (c NodeConfig, ok bool) {
	c.Meta = ParseMeta(o)
	c.Pool = c.Labels[PoolLabel]
	id := object.OptionalString(o, "data", ClusterIDKey)
	node, isNode := nodeOf(c.Meta)
	if id == nil || !isNode {
		return NodeConfig{}, false
	}
	c.NodeID, c.ClusterID = node, *id
	c.MetadataVersion = object.String(o, "data", MetadataVersionKey)
	return c, true
}

// nodeOf returns the node ID of an object named <cluster>-<pool>-<id> by its labels.
func nodeOf(m Meta) (int32, bool) {
	prefix := PodSetName(m.Labels[ClusterLabel], m.Labels[PoolLabel]) + "-"
	rest, found := strings.CutPrefix(m.Name, prefix)
	if !found {
		return 0, false
	}
	n, err := strconv.ParseInt(rest, 10, 32)
	if err != nil || n < 0 {
		return 0, false
	}
	return int32(n), true
}

// ParsePod reads a pod of a broker or controller; ok is false for any other pod.
func ParsePod(o map[string]any) (p Pod, ok bool) {
	p.Meta = ParseMeta(o)
	p.Pool = p.Labels[PoolLabel]
	p.NodeID, ok = nodeOf(p.Meta)
	if !ok || p.Labels[ComponentLabel] != KafkaComponent && p.Labels[NameLabel] != ComponentName(p.Labels[ClusterLabel]) {
		return Pod{}, false
	}
	p.Node = object.String(o, "spec", "nodeName")
	p.Phase = object.String(o, "status", "phase")
	p.Ready = podReady(o)
	for _, c := range object.Maps(o, "spec", "containers") {
		if object.String(c, "name") == KafkaContainer {
			p.Image = object.String(c, "image")
		}
	}
	for _, c := range object.Maps(o, "status", "containerStatuses") {
		if object.String(c, "name") != KafkaContainer {
			continue
		}
		p.Restarts, _ = object.Int32(c, "restartCount")
		p.Waiting = object.String(c, "state", "waiting", "reason")
		p.LastMessage = object.String(c, "lastState", "terminated", "message")
	}
	return p, true
}

func podReady(o map[string]any) bool {
	return slices.ContainsFunc(object.Maps(o, "status", "conditions"), func(c map[string]any) bool {
		return object.String(c, "type") == ConditionReady && object.String(c, "status") == "True"
	})
}

// CrashLooping tells whether the pod's Kafka container ends again and again.
func (p Pod) CrashLooping() bool {
	return p.Waiting == "CrashLoopBackOff" || !p.Ready && p.Restarts > 0 && p.Phase == "Running"
}

// Sort puts the cluster's objects in the order their documentation gives.
func (c *Cluster) Sort() {
	slices.SortFunc(c.Pools, func(a, b NodePool) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.NodeConfigs, func(a, b NodeConfig) int { return int(a.NodeID) - int(b.NodeID) })
	slices.SortFunc(c.PodSets, func(a, b PodSet) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Pods, func(a, b Pod) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Operators, func(a, b Operator) int {
		return strings.Compare(a.Namespace+"/"+a.Deployment, b.Namespace+"/"+b.Deployment)
	})
	slices.Sort(c.KafkaUsers)
	slices.Sort(c.KafkaTopics)
}

// ParseTopicName reads the name a KafkaTopic has in Kafka.
func ParseTopicName(o map[string]any) string {
	if n := object.String(o, "spec", "topicName"); n != "" {
		return n
	}
	return object.String(o, "metadata", "name")
}
