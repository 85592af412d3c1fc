package declared

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
)

// StatefulSet is what of the manifests belongs to a StatefulSet that runs Kafka, clean of what only a live object had.
type StatefulSet struct {
	Set *unstructured.Unstructured
	// Beside are the objects that its pods cannot start without: its headless Service, and the ConfigMaps that its pod
	// template names.
	Beside []*unstructured.Unstructured
	// Left names the objects of the manifests that are none of these; Needed are ConfigMaps and Secrets that the pod
	// template names and that are not among the manifests.
	Left, Needed []string
}

// PickSet gathers what is of the StatefulSet name. Objects without a namespace are taken to be of namespace; those that
// name another one are not of this set. The manifests themselves are not changed.
func PickSet(objects []*unstructured.Unstructured, namespace, name string) (*StatefulSet, error) {
	out := &StatefulSet{}
	own := slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool {
		other := o.GetNamespace() != "" && o.GetNamespace() != namespace
		if other {
			out.Left = append(out.Left, Ref(o)+" in namespace "+o.GetNamespace())
		}
		return other
	})
	for _, o := range own {
		if o.GetKind() != statefulset.Kind || o.GetName() != name {
			continue
		}
		if o.GetAPIVersion() != statefulset.APIVersion {
			return nil, fmt.Errorf("read the manifest of statefulset %q: it is of %q, and only %q is served", name,
				o.GetAPIVersion(), statefulset.APIVersion)
		}
		if out.Set != nil {
			return nil, fmt.Errorf("look for statefulset %q in the manifests: there are two", name)
		}
		out.Set = of(o, namespace)
	}
	if out.Set == nil {
		return nil, fmt.Errorf("look for statefulset %q of namespace %q in the manifests: there is none of that name", name,
			namespace)
	}
	out.Needed = needs(out.Set)
	for _, o := range own {
		switch ref := Ref(o); {
		case o.GetKind() == statefulset.Kind && o.GetName() == name:
		case slices.Contains(out.Needed, ref) && o.GetAPIVersion() == "v1" && o.GetKind() != statefulset.KindSecret:
			out.Beside = append(out.Beside, of(o, namespace))
			out.Needed = slices.DeleteFunc(out.Needed, func(n string) bool { return n == ref })
		default:
			out.Left = append(out.Left, ref)
		}
	}
	return out, nil
}

func of(o *unstructured.Unstructured, namespace string) *unstructured.Unstructured {
	out := cleaned(o)
	out.SetNamespace(namespace)
	return out
}

// needs are the objects without which the pods of a StatefulSet do not start, as Ref names them.
func needs(set *unstructured.Unstructured) []string {
	var out []string
	add := func(kind, name string) {
		if ref := kind + "/" + name; name != "" && !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	add("service", object.String(set.Object, "spec", "serviceName"))
	pod := object.Map(set.Object, "spec", "template", "spec")
	for _, v := range object.Maps(pod, "volumes") {
		add("configmap", object.String(v, "configMap", "name"))
		add("secret", object.String(v, "secret", "secretName"))
		for _, source := range object.Maps(v, "projected", "sources") {
			add("configmap", object.String(source, "configMap", "name"))
			add("secret", object.String(source, "secret", "name"))
		}
	}
	for _, list := range []string{"containers", "initContainers"} {
		for _, c := range object.Maps(pod, list) {
			for _, from := range object.Maps(c, "envFrom") {
				add("configmap", object.String(from, "configMapRef", "name"))
				add("secret", object.String(from, "secretRef", "name"))
			}
			for _, e := range object.Maps(c, "env") {
				add("configmap", object.String(e, "valueFrom", "configMapKeyRef", "name"))
				add("secret", object.String(e, "valueFrom", "secretKeyRef", "name"))
			}
		}
	}
	return out
}

// Planned is the StatefulSet as the rules judge it.
func (s *StatefulSet) Planned() *statefulset.Set {
	out := statefulset.Parse(s.Set.Object)
	out.Declared = true
	return &out
}

// Configs are the data of the ConfigMaps among the manifests, by name.
func (s *StatefulSet) Configs() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, o := range s.Beside {
		if o.GetKind() == statefulset.KindConfigMap {
			out[o.GetName()] = object.StringMap(o.Object, "data")
		}
	}
	return out
}
