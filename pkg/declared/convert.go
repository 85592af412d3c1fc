package declared

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// ErrNotConvertible tells that a manifest cannot be put into another API version without a decision of a person.
var ErrNotConvertible = errors.New("not convertible")

// Convert puts the cluster's resources into one API version of those that are served: Kafka's own where it is among
// them, else the one this tool prefers. From v1beta2 to v1 it follows Strimzi's own converter (v1-api-conversion of
// Strimzi 1.0.0, removed in 1.1.0): what had no effect any more is left out, and what is told names it; what only a
// person can put in other words is an error that wraps ErrNotConvertible and names the field. The other way nothing but
// the version changes: v1 is v1beta2 without what was deprecated, and a field that an older operator does not know is
// refused by the API server, which is asked to be strict. Kafka gets the annotations without which operators 0.40 to
// 0.45 take it for a cluster of ZooKeeper.
//
// Where no version is served, the cluster stays as it is.
func (c *Cluster) Convert(served []string) (told []string, err error) {
	_, version, _ := strings.Cut(c.Kafka.GetAPIVersion(), "/")
	if !slices.Contains(served, version) {
		i := slices.IndexFunc(strimzi.Versions(), func(v string) bool { return slices.Contains(served, v) })
		if i < 0 {
			return nil, nil
		}
		version = strimzi.Versions()[i]
	}
	var errs []error
	for _, o := range slices.Concat([]*unstructured.Unstructured{c.Kafka}, c.Pools, c.Topics, c.Users) {
		_, from, _ := strings.Cut(o.GetAPIVersion(), "/")
		if from == version {
			continue
		}
		leaves, err := convert(o, from, version)
		if err != nil {
			errs = append(errs, fmt.Errorf("convert %s from %s to %s: %w", Ref(o), from, version, err))
			continue
		}
		told = append(append(told, fmt.Sprintf("%s was converted from %s to %s", Ref(o), from, version)), leaves...)
	}
	return told, errors.Join(errs...)
}

// convert changes one resource in place (it is a copy of the manifest already) and tells what it left out.
func convert(o *unstructured.Unstructured, from, version string) (told []string, err error) {
	if !slices.Contains(olderVersions(o.GetKind()), from) && from != strimzi.V1 {
		return nil, fmt.Errorf("%w: what changed since %s is not known here; Strimzi's own converter of that time is needed",
			ErrNotConvertible, from)
	}
	if !object.Has(o.Object, "spec") {
		return nil, fmt.Errorf("%w: it has no spec, which %s requires", ErrNotConvertible, version)
	}
	if version == strimzi.V1 {
		if told, err = toV1(o); err != nil {
			return nil, err
		}
	} else if from == strimzi.V1 && o.GetKind() == strimzi.KafkaKind {
		annotations := map[string]string{strimzi.KRaftAnnotation: "enabled", strimzi.NodePoolsAnnotation: "enabled"}
		maps.Copy(annotations, o.GetAnnotations())
		o.SetAnnotations(annotations)
	}
	o.SetAPIVersion(strimzi.Group + "/" + version)
	return told, nil
}

// olderVersions are those from which nothing else changed on the way to v1.
func olderVersions(kind string) []string {
	if kind == strimzi.TopicKind || kind == strimzi.UserKind {
		return []string{strimzi.V1beta2, "v1beta1", "v1alpha1"}
	}
	return []string{strimzi.V1beta2}
}

func toV1(o *unstructured.Unstructured) (told []string, err error) {
	switch o.GetKind() {
	case strimzi.KafkaKind:
		return kafkaToV1(o)
	case strimzi.NodePoolKind:
		return poolToV1(o), nil
	case strimzi.UserKind:
		userToV1(o)
	}
	return nil, nil
}

// leftOutOfKafka are the fields of a v1beta2 Kafka that an operator with node pools and KRaft did not act on any more.
func leftOutOfKafka() []string {
	return []string{
		"spec.zookeeper", "spec.jmxTrans", "spec.cruiseControl.tlsSidecar", "spec.cruiseControl.template.tlsSidecarContainer",
		"spec.cruiseControl.brokerCapacity.cpuUtilization", "spec.cruiseControl.brokerCapacity.disk",
		"spec.kafkaExporter.template.service", "spec.entityOperator.tlsSidecar",
		"spec.entityOperator.template.tlsSidecarContainer",
		"spec.entityOperator.topicOperator.zookeeperSessionTimeoutSeconds",
		"spec.entityOperator.topicOperator.topicMetadataMaxAttempts",
		"spec.entityOperator.userOperator.zookeeperSessionTimeoutSeconds", "spec.kafka.template.statefulset",
		"spec.kafka.replicas", "spec.kafka.storage",
	}
}

func kafkaToV1(o *unstructured.Unstructured) (told []string, err error) {
	if err := needsAPerson(o); err != nil {
		return nil, err
	}
	for _, field := range leftOutOfKafka() {
		path := strings.Split(field, ".")
		if object.Has(o.Object, path...) {
			unstructured.RemoveNestedField(o.Object, path...)
			told = append(told, fmt.Sprintf("%s is left out of %s: v1 does not have it", field, Ref(o)))
		}
	}
	for _, operator := range []string{"topicOperator", "userOperator"} {
		spec := object.Map(o.Object, "spec", "entityOperator", operator)
		if seconds, ok := object.Int(spec, "reconciliationIntervalSeconds"); ok {
			if !object.Has(spec, "reconciliationIntervalMs") {
				spec["reconciliationIntervalMs"] = seconds * 1000
			}
			delete(spec, "reconciliationIntervalSeconds")
		}
	}
	return told, nil
}

// needsAPerson tells the fields of Kafka that v1 does not have and that do something.
func needsAPerson(o *unstructured.Unstructured) error {
	var errs []error
	refuse := func(field, instead string) {
		errs = append(errs, fmt.Errorf("%w: v1 has no %s: %s", ErrNotConvertible, field, instead))
	}
	listeners, _ := object.Get(o.Object, "spec", "kafka", "listeners").([]any)
	for i, l := range listeners {
		listener, _ := l.(map[string]any)
		auth := object.Map(listener, "authentication")
		at := fmt.Sprintf("spec.kafka.listeners[%d].authentication", i)
		switch object.String(auth, "type") {
		case "oauth":
			refuse(at+" of type oauth", "declare it as type custom")
		case "custom":
			if object.Has(auth, "secrets") {
				refuse(at+".secrets", "mount them as additional volumes of the pools' template")
			}
		}
	}
	if t := object.String(o.Object, "spec", "kafka", "authorization", "type"); t == "keycloak" || t == "opa" {
		refuse("spec.kafka.authorization of type "+t, "declare it as type custom")
	}
	if object.Has(o.Object, "spec", "kafka", "resources") {
		refuse("spec.kafka.resources", "declare them in the pools")
	}
	return errors.Join(errs...)
}

// poolToV1 leaves out the storage classes that single brokers had; their volumes have the class they were made with.
func poolToV1(o *unstructured.Unstructured) (told []string) {
	storages := append(object.Maps(o.Object, "spec", "storage", "volumes"), object.Map(o.Object, "spec", "storage"))
	for _, storage := range storages {
		if object.Has(storage, "overrides") {
			delete(storage, "overrides")
			told = append(told, fmt.Sprintf("overrides of the storage are left out of %s: v1 does not have them; a volume "+
				"made later has the class of all", Ref(o)))
		}
	}
	return told
}

// userToV1 puts the one operation of an ACL rule where several go.
func userToV1(o *unstructured.Unstructured) {
	for _, rule := range object.Maps(o.Object, "spec", "authorization", "acls") {
		operation := object.String(rule, "operation")
		if operation != "" && len(object.Strings(rule, "operations")) == 0 {
			rule["operations"] = []any{operation}
		}
		delete(rule, "operation")
	}
}
