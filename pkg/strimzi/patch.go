package strimzi

import (
	"encoding/json"
	"fmt"
)

// Marker is written into a field of Kafka.status that the operator's paused path drops (createStatus keeps clusterId
// and clusterSecurity only), so that a later status without it was written by an operator that was pausing by then.
const Marker = "kafkarecover-probe"

// Patch is a change to an object as data: a JSON merge patch.
type Patch struct {
	// Subresource is "status" or empty.
	Subresource string `json:"subresource,omitempty"`
	// Body is the merge patch. Where it carries metadata.resourceVersion, the API server refuses it with a conflict
	// when the object has changed since.
	Body []byte `json:"body"`
}

// PausePatch annotates a resource so that the operator stops reconciling it. An empty resourceVersion makes it
// unconditional: pausing is right whatever else changed.
func PausePatch(resourceVersion string) (Patch, error) {
	return mergePatch("", resourceVersion, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{PauseAnnotation: "true"}},
	})
}

// UnpausePatch removes the pause annotation, from exactly that version of the resource.
func UnpausePatch(resourceVersion string) (Patch, error) {
	if resourceVersion == "" {
		return Patch{}, fmt.Errorf("build un-pause patch: %w", errNoVersion)
	}
	return mergePatch("", resourceVersion, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{PauseAnnotation: nil}},
	})
}

// MarkerPatch writes Marker into the status of a Kafka resource.
func MarkerPatch(resourceVersion string) (Patch, error) {
	return statusPatch(resourceVersion, map[string]any{"operatorLastSuccessfulVersion": Marker})
}

// ClusterIDPatch writes a cluster ID into the status of a Kafka resource or pool; nil removes it.
func ClusterIDPatch(resourceVersion string, id *string) (Patch, error) {
	var value any
	if id != nil {
		if *id == "" {
			return Patch{}, errEmptyID
		}
		value = *id
	}
	return statusPatch(resourceVersion, map[string]any{"clusterId": value})
}

// NodeIDsPatch writes node IDs and roles into the status of a pool. They go together: the operator reads the roles of
// a pool that has node IDs without testing whether there are any (KafkaClusterCreator.java). No IDs at all remove both.
func NodeIDsPatch(resourceVersion string, ids []int32, roles []string) (Patch, error) {
	if len(ids) == 0 {
		return statusPatch(resourceVersion, map[string]any{"nodeIds": nil, "roles": nil})
	}
	if len(roles) == 0 {
		return Patch{}, fmt.Errorf("build node IDs patch: %w", errNoRoles)
	}
	return statusPatch(resourceVersion, map[string]any{"nodeIds": ids, "roles": roles})
}

// ConfigClusterIDPatch writes a cluster ID into a per-node ConfigMap.
func ConfigClusterIDPatch(resourceVersion, id string) (Patch, error) {
	if id == "" {
		return Patch{}, errEmptyID
	}
	return mergePatch("", resourceVersion, map[string]any{"data": map[string]any{ClusterIDKey: id}})
}

var (
	errNoVersion = fmt.Errorf("a resource version is required")
	errNoRoles   = fmt.Errorf("roles are required with node IDs")
	errEmptyID   = fmt.Errorf("build cluster ID patch: the operator takes an empty ID for one that is set")
)

func statusPatch(resourceVersion string, fields map[string]any) (Patch, error) {
	if resourceVersion == "" {
		return Patch{}, fmt.Errorf("build status patch: %w", errNoVersion)
	}
	return mergePatch("status", resourceVersion, map[string]any{"status": fields})
}

func mergePatch(subresource, resourceVersion string, body map[string]any) (Patch, error) {
	if resourceVersion != "" {
		meta, ok := body["metadata"].(map[string]any)
		if !ok {
			meta = map[string]any{}
			body["metadata"] = meta
		}
		meta["resourceVersion"] = resourceVersion
	}
	b, err := json.Marshal(body)
	if err != nil {
		return Patch{}, fmt.Errorf("build patch: %w", err)
	}
	return Patch{Subresource: subresource, Body: b}, nil
}
