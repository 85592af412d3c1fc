package strimzi

import (
	"strconv"
)

// ManagedAnnotation on a KafkaTopic is "false" where the Topic Operator is to leave the topic in Kafka alone.
const ManagedAnnotation = "strimzi.io/managed"

// Fields of the resources, as comments and reports name them.
const (
	FieldNamespace       = "metadata.namespace"
	FieldVersion         = "spec.kafka.version"
	FieldMetadataVersion = "spec.kafka.metadataVersion"
	FieldListeners       = "spec.kafka.listeners"
	FieldConfig          = "spec.kafka.config"
	FieldAuthorization   = "spec.kafka.authorization"
	FieldRack            = "spec.kafka.rack"
	FieldResources       = "spec.resources"
	FieldKafkaSettings   = "spec.kafka.template"
	FieldAuthorities     = "spec.clusterCa"
	FieldEntityOperator  = "spec.entityOperator"
	FieldCruiseControl   = "spec.cruiseControl"
	FieldRoles           = "spec.roles"
	FieldStorage         = "spec.storage"
	FieldTopicConfig     = "spec.config"
	FieldReplicas        = "spec.replicas"
	FieldAuthentication  = "spec.authentication"
	FieldPassword        = "spec.authentication.password"
	FieldQuotas          = "spec.quotas"
	FieldACLs            = "spec.authorization"
)

// FieldListener names a field of the listener at that place in the list; name "" is the listener itself.
func FieldListener(i int, name string) string { return indexed(FieldListeners, i, name) }

// FieldVolume names a field of a pool's volume: that of the storage itself, or of a JBOD volume.
func FieldVolume(jbod bool, i int, name string) string {
	if jbod {
		return indexed(FieldStorage+".volumes", i, name)
	}
	return FieldStorage + "." + name
}

func indexed(list string, i int, name string) string {
	list += "." + strconv.Itoa(i)
	if name == "" {
		return list
	}
	return list + "." + name
}

// KafkaSpec is what is written of a Kafka resource. Empty fields are left out.
type KafkaSpec struct {
	Name, Namespace          string
	Version, MetadataVersion string
	Listeners                []ListenerSpec
	Config                   map[string]any
	// Authorization is the type of spec.kafka.authorization.
	Authorization string
}

// ListenerSpec is one entry of spec.kafka.listeners; Authentication is the type of its authentication.
type ListenerSpec struct {
	Name           string
	Port           int32
	Type           string
	TLS            bool
	Authentication string
}

// Object returns a paused Kafka resource of that API version: the operator looks at it and does nothing, so that it can
// be applied before everything else is in its place. In v1beta2 the annotations stand that operators 0.40 to 0.45 take
// a resource without for a cluster of ZooKeeper; newer ones pass over them.
func (s *KafkaSpec) Object(version string) map[string]any {
	annotations := map[string]any{PauseAnnotation: "true"}
	if version == V1beta2 {
		annotations[KRaftAnnotation] = "enabled"
		annotations[NodePoolsAnnotation] = "enabled"
	}
	listeners := make([]any, len(s.Listeners))
	for i, l := range s.Listeners {
		o := map[string]any{"name": l.Name, "port": int64(l.Port), "type": l.Type, "tls": l.TLS}
		if l.Authentication != "" {
			o["authentication"] = map[string]any{"type": l.Authentication}
		}
		listeners[i] = o
	}
	kafka := map[string]any{"listeners": listeners}
	setText(kafka, "version", s.Version)
	setText(kafka, "metadataVersion", s.MetadataVersion)
	if len(s.Config) > 0 {
		kafka["config"] = s.Config
	}
	if s.Authorization != "" {
		kafka["authorization"] = map[string]any{"type": s.Authorization}
	}
	return objectOf(version, KafkaKind, s.Namespace, s.Name, nil, annotations, map[string]any{"kafka": kafka})
}

// Manifest returns a pool as a resource of that API version, as it is applied: without a status.
func (p NodePool) Manifest(version, cluster string) map[string]any {
	roles := make([]any, len(p.Roles))
	for i, r := range p.Roles {
		roles[i] = r
	}
	annotations := map[string]any{}
	setText(annotations, NextNodeIDsAnnotation, p.NextNodeIDs)
	return objectOf(version, NodePoolKind, p.Namespace, p.Name, map[string]any{ClusterLabel: cluster}, annotations,
		map[string]any{"replicas": int64(p.Replicas), "roles": roles, "storage": p.Storage.manifest()})
}

func (s Storage) manifest() map[string]any {
	if s.Type != StorageJBOD {
		out := map[string]any{"type": s.Type}
		if len(s.Volumes) > 0 {
			out = s.Volumes[0].manifest()
		}
		return out
	}
	volumes := make([]any, len(s.Volumes))
	for i, v := range s.Volumes {
		volumes[i] = v.manifest()
	}
	return map[string]any{"type": s.Type, "volumes": volumes}
}

func (v StorageVolume) manifest() map[string]any {
	out := map[string]any{"type": v.Type, "deleteClaim": v.DeleteClaim}
	if v.ID != nil {
		out["id"] = int64(*v.ID)
	}
	setText(out, "size", v.Size)
	setText(out, "class", v.Class)
	if v.KRaftMetadata {
		out["kraftMetadata"] = MetadataShared
	}
	return out
}

// MetadataShared is the value of a volume's kraftMetadata that says the metadata log is on it.
const MetadataShared = "shared"

// TopicSpec is what is written of a KafkaTopic; TopicName is empty where it is Name.
type TopicSpec struct {
	Namespace, Name, Cluster, TopicName string
	Partitions, Replicas                int
	Config                              map[string]any
}

// Object returns an unmanaged KafkaTopic of that API version: the Topic Operator neither makes nor changes the topic,
// until a person has compared it and takes the annotation off.
func (s *TopicSpec) Object(version string) map[string]any {
	spec := map[string]any{}
	setText(spec, "topicName", s.TopicName)
	if s.Partitions > 0 {
		spec["partitions"] = int64(s.Partitions)
	}
	if s.Replicas > 0 {
		spec["replicas"] = int64(s.Replicas)
	}
	if len(s.Config) > 0 {
		spec["config"] = s.Config
	}
	return objectOf(version, TopicKind, s.Namespace, s.Name, map[string]any{ClusterLabel: s.Cluster},
		map[string]any{ManagedAnnotation: "false"}, spec)
}

// Types of a KafkaUser's authentication.
const (
	UserScram = "scram-sha-512"
	UserTLS   = "tls"
)

// UserSpec is what is written of a KafkaUser. The User Operator takes Name for the user's name in Kafka, with CN=
// before it where the authentication is by TLS.
type UserSpec struct {
	Namespace, Name, Cluster string
	// Authentication is empty for a user that Strimzi makes no credentials for.
	Authentication string
	// PasswordSecret is the Secret, PasswordKey the key in it, that the password is read from.
	PasswordSecret, PasswordKey string
	ACLs                        []ACLRule
	// Quotas are by the field's name.
	Quotas map[string]any
}

// ACLRule is one entry of spec.authorization.acls, in the words of the resource.
type ACLRule struct {
	Type                                    string
	ResourceType, ResourceName, PatternType string
	Host                                    string
	Operations                              []string
}

// Object returns a KafkaUser of that API version.
func (s *UserSpec) Object(version string) map[string]any {
	spec := map[string]any{}
	if s.Authentication != "" {
		authentication := map[string]any{"type": s.Authentication}
		if s.PasswordSecret != "" {
			authentication["password"] = map[string]any{"valueFrom": map[string]any{"secretKeyRef": map[string]any{
				"name": s.PasswordSecret, "key": s.PasswordKey,
			}}}
		}
		spec["authentication"] = authentication
	}
	if len(s.ACLs) > 0 {
		acls := make([]any, len(s.ACLs))
		for i := range s.ACLs {
			acls[i] = s.ACLs[i].object()
		}
		spec["authorization"] = map[string]any{"type": AuthorizationSimple, "acls": acls}
	}
	if len(s.Quotas) > 0 {
		spec["quotas"] = s.Quotas
	}
	return objectOf(version, UserKind, s.Namespace, s.Name, map[string]any{ClusterLabel: s.Cluster}, nil, spec)
}

// AuthorizationSimple is the authorization that keeps access control entries in Kafka's metadata.
const AuthorizationSimple = "simple"

func (r *ACLRule) object() map[string]any {
	resource := map[string]any{"type": r.ResourceType}
	if r.ResourceType != ACLCluster { // there is one cluster: the rule has no name for it (AclRuleClusterResource.java)
		resource["name"] = r.ResourceName
		resource["patternType"] = r.PatternType
	}
	operations := make([]any, len(r.Operations))
	for i, o := range r.Operations {
		operations[i] = o
	}
	return map[string]any{"type": r.Type, "resource": resource, "host": r.Host, "operations": operations}
}

func objectOf(
	version, kind, namespace, name string, labels, annotations, spec map[string]any,
) map[string]any {
	meta := map[string]any{"name": name}
	setText(meta, "namespace", namespace)
	if len(labels) > 0 {
		meta["labels"] = labels
	}
	if len(annotations) > 0 {
		meta["annotations"] = annotations
	}
	return map[string]any{"apiVersion": Group + "/" + version, "kind": kind, "metadata": meta, "spec": spec}
}

func setText(m map[string]any, key, value string) {
	if value != "" {
		m[key] = value
	}
}
