// Package statefulset owns what a StatefulSet that runs Kafka is to this tool: its fields, the names of its claims,
// which cluster ID its pods are given, and the commands and patches a person needs. It holds no Kubernetes client.
package statefulset

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/object"
)

// Kind and APIVersion are those of a StatefulSet.
const (
	Kind       = "StatefulSet"
	APIVersion = "apps/v1"
)

// Set is what matters of a StatefulSet.
type Set struct {
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	UID        string `json:"uid,omitempty"`
	Generation int64  `json:"generation,omitempty"`
	// Declared tells that it is a manifest, and that there is no such StatefulSet.
	Declared bool `json:"declared,omitempty"`
	// Replicas is how many pods it asks for, Start the ordinal of the first.
	Replicas int32 `json:"replicas"`
	Start    int32 `json:"start,omitempty"`
	// Templates are its claim templates, in their order.
	Templates []Template `json:"templates,omitempty"`
	// Selector are the labels that its controller puts on every claim it makes.
	Selector map[string]string `json:"selector,omitempty"`
	// WhenDeleted and WhenScaled are what becomes of claims, "Retain" where it does not say.
	WhenDeleted string `json:"whenDeleted,omitempty"`
	WhenScaled  string `json:"whenScaled,omitempty"`
	// ClusterIDs are the places of the pod template that give Kafka a cluster ID.
	ClusterIDs []ClusterID `json:"clusterIds,omitempty"`
	// Voters are the static voters in the environment of its pods, as ID@HOST:PORT; nil where there are none.
	Voters []string `json:"voters,omitempty"`
	// Image is that of the first container that mounts a claim template; it is what its pods run.
	Image string `json:"image,omitempty"`
	// Pods are those of it that are there, whatever they do.
	Pods []string `json:"pods,omitempty"`
	// Pod is the spec of its pod template.
	Pod map[string]any `json:"-"`
}

// Template is one claim template.
type Template struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	AccessModes []string          `json:"accessModes,omitempty"`
	// Class is nil where it names none, so that the default of the Kubernetes cluster is taken.
	Class   *string `json:"storageClass,omitempty"`
	Request string  `json:"request,omitempty"`
}

// maxReplicas bounds what is expected of a set: no Kafka cluster comes near it, and a slip of the pen may.
const maxReplicas = 10_000

// Parse reads a StatefulSet as the API server returned it, or as a manifest has it.
func Parse(o map[string]any) Set {
	s := Set{
		Namespace: object.String(o, "metadata", "namespace"), Name: object.String(o, "metadata", "name"),
		UID: object.String(o, "metadata", "uid"), Replicas: 1, // the API server's default
		Selector:    object.StringMap(o, "spec", "selector", "matchLabels"),
		WhenDeleted: object.String(o, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"),
		WhenScaled:  object.String(o, "spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"),
		Pod:         object.Map(o, "spec", "template", "spec"),
	}
	s.Generation, _ = object.Int(o, "metadata", "generation")
	if n, ok := object.Int32(o, "spec", "replicas"); ok {
		s.Replicas = max(0, min(n, maxReplicas))
	}
	if n, ok := object.Int32(o, "spec", "ordinals", "start"); ok {
		s.Start = max(0, min(n, maxReplicas))
	}
	for _, t := range object.Maps(o, "spec", "volumeClaimTemplates") {
		s.Templates = append(s.Templates, Template{
			Name: object.String(t, "metadata", "name"), Labels: object.StringMap(t, "metadata", "labels"),
			Annotations: object.StringMap(t, "metadata", "annotations"), AccessModes: object.Strings(t, "spec", "accessModes"),
			Class:   object.OptionalString(t, "spec", "storageClassName"),
			Request: object.String(t, "spec", "resources", "requests", "storage"),
		})
	}
	s.readPod()
	return s
}

// Claim is a claim of the set, taken apart.
type Claim struct {
	Template string
	Ordinal  int32
}

// ClaimName is the name that the StatefulSet controller looks for (Kubernetes: getPersistentVolumeClaimName).
func (s *Set) ClaimName(template string, ordinal int32) string {
	return fmt.Sprintf("%s-%s-%d", template, s.Name, ordinal)
}

// PodName is the name of the pod of an ordinal.
func (s *Set) PodName(ordinal int32) string { return fmt.Sprintf("%s-%d", s.Name, ordinal) }

// ParseClaim tells which claim of the set a name is of; ok is false for a name of something else.
func (s *Set) ParseClaim(name string) (c Claim, ok bool) {
	for i := range s.Templates {
		digits, found := strings.CutPrefix(name, s.Templates[i].Name+"-"+s.Name+"-")
		n, err := strconv.ParseInt(digits, 10, 32)
		if found && err == nil && n >= 0 && n <= int64(s.Start)+maxReplicas && strconv.FormatInt(n, 10) == digits {
			return Claim{Template: s.Templates[i].Name, Ordinal: int32(n)}, true
		}
	}
	return Claim{}, false
}

// Ordinals are those of the pods it asks for.
func (s *Set) Ordinals() []int32 {
	var out []int32
	for i := range s.Replicas {
		out = append(out, s.Start+i)
	}
	return out
}

// Expected are the claims of the pods it asks for.
func (s *Set) Expected() []Claim {
	var out []Claim
	for _, ordinal := range s.Ordinals() {
		for i := range s.Templates {
			out = append(out, Claim{Template: s.Templates[i].Name, Ordinal: ordinal})
		}
	}
	return out
}

// Template returns the claim template of that name, or nil.
func (s *Set) Template(name string) *Template {
	i := slices.IndexFunc(s.Templates, func(t Template) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Templates[i]
}

// ClaimLabels are those that the StatefulSet controller puts on a claim: the template's, then the selector's.
func (s *Set) ClaimLabels(template string) map[string]string {
	out := map[string]string{}
	if t := s.Template(template); t != nil {
		for k, v := range t.Labels {
			out[k] = v
		}
	}
	for k, v := range s.Selector {
		out[k] = v
	}
	return out
}

// Ref is how the set is named in output and findings.
func (s *Set) Ref() string { return "statefulset/" + s.Name }

// ScaleCommand has the set have that many pods.
func (s *Set) ScaleCommand(replicas int32) string {
	return fmt.Sprintf("kubectl scale statefulset/%s -n %s --replicas=%d", s.Name, s.Namespace, replicas)
}

// Retains tells whether claims outlive the deletion and the scaling down of the set.
func (s *Set) Retains() bool { return s.WhenDeleted != "Delete" && s.WhenScaled != "Delete" }
