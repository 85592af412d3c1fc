package statefulset

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/object"
)

// ClusterID is one place of the pod template that gives Kafka a cluster ID: a variable of a container's environment, by
// value or by reference, or a ConfigMap or Secret whose keys become variables.
type ClusterID struct {
	// Container is the container's name; Init tells that it is an init container. Index and Env are their places in the
	// lists of the pod template, for a patch.
	Container string `json:"container"`
	Init      bool   `json:"init,omitempty"`
	Index     int    `json:"-"`
	Env       int    `json:"-"`
	// Variable is the variable's name; empty for a whole ConfigMap or Secret.
	Variable string `json:"variable,omitempty"`
	// Value is the ID, where it is known.
	Value string `json:"value,omitempty"`
	// Kind, Object and Key say where the value is, where it is not written out: ConfigMap or Secret.
	Kind   string `json:"kind,omitempty"`
	Object string `json:"object,omitempty"`
	Key    string `json:"key,omitempty"`
	// Optional tells that the pod starts without it.
	Optional bool `json:"optional,omitempty"`
	// Unknown says why Value is not known; empty where it is.
	Unknown string `json:"unknown,omitempty"`
}

// Variables are the names of the variables with which images are given a cluster ID: Kafka's own image and Confluent's
// (docker/resources/common-scripts, KafkaDockerWrapper), then those of Bitnami's, which were renamed once.
func Variables() []string {
	return []string{"CLUSTER_ID", "KAFKA_CLUSTER_ID", "KAFKA_KRAFT_CLUSTER_ID"}
}

// voterVariables carry controller.quorum.voters, in Kafka's own image and in Bitnami's.
func voterVariables() []string {
	return []string{"KAFKA_CONTROLLER_QUORUM_VOTERS", "KAFKA_CFG_CONTROLLER_QUORUM_VOTERS"}
}

// The kinds that a variable can come from.
const (
	KindConfigMap = "ConfigMap"
	KindSecret    = "Secret"
)

// readPod finds in the pod template what Kafka is told.
func (s *Set) readPod() {
	for _, list := range []struct {
		field string
		init  bool
	}{{"containers", false}, {"initContainers", true}} {
		for i, c := range object.Maps(s.Pod, list.field) {
			name := object.String(c, "name")
			if !list.init && s.Image == "" && s.mountsTemplate(c) {
				s.Image = object.String(c, "image")
			}
			for j, e := range object.Maps(c, "env") {
				s.readVariable(ClusterID{Container: name, Init: list.init, Index: i, Env: j}, e)
			}
			for _, from := range object.Maps(c, "envFrom") {
				s.readWhole(ClusterID{Container: name, Init: list.init, Index: i}, from)
			}
		}
	}
}

func (s *Set) mountsTemplate(container map[string]any) bool {
	return slices.ContainsFunc(object.Maps(container, "volumeMounts"), func(m map[string]any) bool {
		return s.Template(object.String(m, "name")) != nil
	})
}

func (s *Set) readVariable(at ClusterID, env map[string]any) {
	at.Variable, at.Value = object.String(env, "name"), object.String(env, "value")
	if slices.Contains(voterVariables(), at.Variable) && s.Voters == nil && at.Value != "" {
		s.Voters = strings.Split(at.Value, ",")
	}
	if !slices.Contains(Variables(), at.Variable) {
		return
	}
	for field, kind := range map[string]string{"configMapKeyRef": KindConfigMap, "secretKeyRef": KindSecret} {
		if ref := object.Map(env, "valueFrom", field); ref != nil {
			at.Kind, at.Object, at.Key = kind, object.String(ref, "name"), object.String(ref, "key")
			at.Optional = object.Bool(ref, "optional")
			at.Unknown = "it was not looked at"
		}
	}
	switch {
	case at.Kind == "" && object.Has(env, "valueFrom"):
		at.Unknown = "it comes from a field of the pod"
	case at.Kind == "" && strings.Contains(at.Value, "$("):
		at.Unknown = fmt.Sprintf("it is put together from other variables: %q", at.Value)
		at.Value = ""
	}
	s.ClusterIDs = append(s.ClusterIDs, at)
}

// readWhole notes a ConfigMap or Secret of which every key becomes a variable: it may hold one.
func (s *Set) readWhole(at ClusterID, from map[string]any) {
	if object.String(from, "prefix") != "" {
		return // no image has a variable of such a name by accident, and a prefix that makes one is not guessed
	}
	for field, kind := range map[string]string{"configMapRef": KindConfigMap, "secretRef": KindSecret} {
		if ref := object.Map(from, field); ref != nil {
			at.Kind, at.Object, at.Optional = kind, object.String(ref, "name"), object.Bool(ref, "optional")
			at.Unknown = "it was not looked at"
			s.ClusterIDs = append(s.ClusterIDs, at)
		}
	}
}

// plainID is what Kafka's tools make: 16 bytes in base64url.
var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}={0,2}$`)

// Resolve fills in values that are in ConfigMaps. data returns a ConfigMap's data, or why they are not known. Secrets
// are not read (safety contract, line 8): the person is told how to compare them.
func (s *Set) Resolve(data func(configMap string) (map[string]string, error)) {
	var out []ClusterID
	for _, id := range s.ClusterIDs {
		switch id.Kind {
		case KindSecret:
			id.Unknown = fmt.Sprintf("it is in secret %q, and Secrets are not read", id.Object)
			out = append(out, id)
		case KindConfigMap:
			values, err := data(id.Object)
			out = append(out, id.among(values, err)...)
		default:
			out = append(out, id)
		}
	}
	s.ClusterIDs = out
}

// among returns the places that a reference to a ConfigMap stands for.
func (c ClusterID) among(values map[string]string, err error) []ClusterID {
	if err != nil {
		c.Unknown = err.Error()
		return []ClusterID{c}
	}
	if c.Variable != "" {
		var there bool
		if c.Value, there = values[c.Key]; !there {
			c.Unknown = fmt.Sprintf("configmap %q has no key %q", c.Object, c.Key)
		} else {
			c.Unknown = ""
		}
		return []ClusterID{c}
	}
	var out []ClusterID
	for _, name := range Variables() {
		if value, there := values[name]; there {
			one := c
			one.Variable, one.Key, one.Value, one.Unknown = name, name, value, ""
			out = append(out, one)
		}
	}
	return out
}

// String says where it is.
func (c *ClusterID) String() string {
	kind := "container"
	if c.Init {
		kind = "init container"
	}
	name := c.Variable
	if name == "" {
		name = "the environment"
	}
	text := fmt.Sprintf("%s of %s %q", name, kind, c.Container)
	if c.Kind != "" {
		text += fmt.Sprintf(", from %s/%s", strings.ToLower(c.Kind), c.Object)
		if c.Key != "" {
			text += " key " + c.Key
		}
	}
	return text
}

// Fix is what a person has to do so that a place says the given ID: a command for what is live, a line to change for a
// manifest.
func (s *Set) Fix(c *ClusterID, id string) string {
	if !plainID.MatchString(id) { // it is from a disk, and would be in a shell's command line
		return fmt.Sprintf("give %s the ID %q", c, id)
	}
	if c.Kind == KindConfigMap {
		if s.Declared {
			return fmt.Sprintf("in the manifest of configmap %q write %s: %q", c.Object, c.Key, id)
		}
		body, _ := json.Marshal(map[string]any{"data": map[string]string{c.Key: id}}) // strings always marshal
		return fmt.Sprintf("kubectl patch configmap/%s -n %s --type=merge -p '%s'", c.Object, s.Namespace, body)
	}
	list := "containers"
	if c.Init {
		list = "initContainers"
	}
	path := fmt.Sprintf("/spec/template/spec/%s/%d/env/%d/value", list, c.Index, c.Env)
	if s.Declared {
		return fmt.Sprintf("in the manifest of %s, at %s (variable %s of %q), write value: %q", s.Ref(), path, c.Variable,
			c.Container, id)
	}
	// A list has places, not names: the test fails where somebody has put another variable there meanwhile.
	body, _ := json.Marshal([]map[string]any{
		{"op": "test", "path": strings.TrimSuffix(path, "value") + "name", "value": c.Variable},
		{"op": "replace", "path": path, "value": id},
	})
	return fmt.Sprintf("kubectl patch %s -n %s --type=json -p '%s'", s.Ref(), s.Namespace, body)
}
