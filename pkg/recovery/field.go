package recovery

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// field is one value that a merge patch writes: nil removes it.
type field struct {
	path  []string
	value any
}

func (f field) String() string { return strings.Join(f.path, ".") }

// of returns the value of the field in an object, nil where there is none.
func (f field) of(object map[string]any) any {
	value, found, err := unstructured.NestedFieldNoCopy(object, f.path...)
	if err != nil || !found {
		return nil
	}
	return value
}

// equals tells whether the object has that value in the field. Numbers are compared as JSON has them: the journal reads
// them as floating point.
func (f field) equals(object map[string]any, value any) bool {
	return sameJSON(f.of(object), value)
}

func sameJSON(a, b any) bool {
	return reflect.DeepEqual(plainJSON(a), plainJSON(b))
}

func plainJSON(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		return v
	}
	return out
}

// written are the fields that the patch of a change writes, sorted by path.
func written(c *Change) []field {
	if c.Verb != VerbPatch {
		return nil
	}
	var body map[string]any
	if err := json.Unmarshal(c.Patch, &body); err != nil {
		return nil
	}
	if meta, ok := body["metadata"].(map[string]any); ok {
		delete(meta, "resourceVersion")
		delete(meta, "uid")
	}
	return leaves(nil, body)
}

func leaves(path []string, body map[string]any) []field {
	var out []field
	for _, key := range slices.Sorted(maps.Keys(body)) {
		at := append(slices.Clone(path), key)
		if below, ok := body[key].(map[string]any); ok {
			out = append(out, leaves(at, below)...)
			continue
		}
		out = append(out, field{path: at, value: body[key]})
	}
	return out
}

// kind is one kind of object that operations write to, with what may be taken back of it. The journal is input: nothing
// is put back that no operation writes.
type kind struct {
	gvr        schema.GroupVersionResource
	namespaced bool
	// back are the fields that are put back as they were, as paths; a path ends everything below it.
	back []string
	// stays are fields that are left as they are on purpose, with the reason.
	stays map[string]string
	// created tells that one that was created is deleted again.
	created bool
}

// leaves tells whether a patch of a kind of which nothing is put back writes only what stays.
func (k *kind) leaves(c *Change) bool {
	wrote := written(c)
	return len(k.back) == 0 && len(wrote) > 0 && !slices.ContainsFunc(wrote, func(f field) bool {
		_, stays := k.stays[f.String()]
		return !stays
	})
}

// kinds are all of them, by kind. version is that of the Kafka resource.
func kinds(version string) map[string]kind {
	const annotations = "metadata.annotations."
	return map[string]kind{
		strimzi.KafkaKind: {
			gvr: strimzi.KafkaGVR(version), namespaced: true, created: true,
			back: []string{
				annotations + strimzi.PauseAnnotation, annotations + OperationAnnotation, "status.clusterId",
				"status.operatorLastSuccessfulVersion",
			},
		},
		strimzi.NodePoolKind: {
			gvr: strimzi.NodePoolGVR(version), namespaced: true, created: true,
			back: []string{
				annotations + strimzi.NextNodeIDsAnnotation, annotations + OperationAnnotation, "status.clusterId",
				"status.nodeIds", "status.roles",
			},
		},
		volumeKind: {
			gvr: kube.Volumes(), created: true, // its object; the disk is Retain
			// What a volume was tied to comes back after the claim it was tied to is gone: it is Released all the while.
			back: []string{
				annotations + OperationAnnotation, annotations + binding.ByControllerAnnotation, "spec.claimRef",
				annotations + volume.DisplacedAnnotation,
			},
			stays: map[string]string{
				"spec.persistentVolumeReclaimPolicy":   "Retain stays; `kafkarecover unprotect` sets another policy",
				annotations + protect.PolicyAnnotation: "what the policy was stays noted, for `kafkarecover unprotect`",
			},
		},
		claimKind: {
			gvr: kube.Claims(), namespaced: true, created: true, // or a directory on its volume was renamed
			stays: map[string]string{annotations + binding.TiedAnnotation: "which volume was tied to a claim stays noted"},
		},
		"Secret":         {gvr: kube.Secrets(), namespaced: true, created: true},
		strimzi.UserKind: {gvr: strimzi.UserGVR(version), namespaced: true, created: true},
		strimzi.TopicKind: {
			gvr: strimzi.TopicGVR(version), namespaced: true, created: true,
			back: []string{annotations + strimzi.ManagedAnnotation},
		},
		// One that was created may have started Kafka, and is never deleted; what was made beside it is.
		statefulset.Kind: {
			gvr: kube.StatefulSets(), namespaced: true, back: []string{annotations + OperationAnnotation},
		},
		"Service":                 {gvr: kube.Services(), namespaced: true, created: true},
		statefulset.KindConfigMap: {gvr: kube.ConfigMaps(), namespaced: true, created: true},

		"Namespace":        {gvr: kube.Namespaces()},
		limitRangeKind:     {gvr: kube.LimitRanges(), namespaced: true},
		"ResourceQuota":    {gvr: kube.ResourceQuotas(), namespaced: true, created: true},
		deploymentKind:     {gvr: kube.Deployments(), namespaced: true, back: []string{"spec.replicas"}}, // of the operator
		snapshotKind:       {gvr: kube.VolumeSnapshots(), namespaced: true},
		"Pod":              {gvr: kube.Pods(), namespaced: true},
		strimzi.PodSetKind: {gvr: strimzi.PodSetGVR(version), namespaced: true},
	}
}

// The kinds of a claim and of a volume.
const (
	claimKind  = "PersistentVolumeClaim"
	volumeKind = "PersistentVolume"
)

// kindOf returns the kind of an object in a journal, and refuses objects that no operation writes to.
func kindOf(began *Beginning, o *ObjectRef) (kind, error) {
	_, version, _ := strings.Cut(began.Kafka.APIVersion, "/")
	k, known := kinds(version)[o.Kind]
	switch {
	case !known:
		return kind{}, &JournalError{Operation: began.Operation, Reason: fmt.Sprintf("no operation writes to %s", o)}
	case !objectNamed.MatchString(o.Name), k.namespaced == (o.Namespace == ""):
		return kind{}, &JournalError{Operation: began.Operation, Reason: fmt.Sprintf("%q is no object's name", o)}
	case k.namespaced && o.Kind != "Pod" && o.Kind != deploymentKind && o.Namespace != began.Kafka.Namespace:
		return kind{}, &JournalError{Operation: began.Operation, Reason: fmt.Sprintf(
			"%s is not in the namespace of kafka %q", o, began.Kafka.Namespace+"/"+began.Kafka.Name)}
	}
	return k, nil
}
