package declared

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// fileAnnotation says which file an object was read from, as tools that pass manifests on say it to each other
// (Kubernetes Resource Model functions specification). It is on what Load returns, and taken off what is picked.
const fileAnnotation = "internal.config.kubernetes.io/path"

// from notes the file of each object. Where its metadata is no map the object is as it was: the API server says so.
func from(file string, objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	for _, o := range objects {
		_ = unstructured.SetNestedField(o.Object, file, "metadata", "annotations", fileAnnotation)
	}
	return objects
}

// noKafka says which Kafka resources the manifests hold instead of the one that was looked for, and what to do.
func noKafka(objects []*unstructured.Unstructured, namespace, name string) error {
	var held, todo []string
	say := func(list *[]string, text string) {
		if !slices.Contains(*list, text) {
			*list = append(*list, text)
		}
	}
	for _, o := range objects {
		if !isKafka(o) {
			continue
		}
		where := "without a namespace"
		ns := o.GetNamespace()
		if ns != "" {
			where = fmt.Sprintf("of namespace %q", ns)
		}
		text := fmt.Sprintf("kafka %q %s", o.GetName(), where)
		if file := object.String(o.Object, "metadata", "annotations", fileAnnotation); file != "" {
			text += fmt.Sprintf(" (%q)", file)
		}
		say(&held, text)
		if ns != "" && ns != namespace {
			say(&todo, fmt.Sprintf("give -n %s where kafka %q is to come back there; take `namespace:` out of the manifests "+
				"where it is to come back in %q", ns, o.GetName(), namespace))
		}
		if o.GetName() != name {
			say(&todo, fmt.Sprintf("name kafka/%s where that is the cluster to bring back", o.GetName()))
		}
	}
	if len(held) == 0 {
		held, todo = []string{"none at all"}, []string{"give the file that holds it too"}
	}
	return fmt.Errorf("look for kafka %q of namespace %q in the manifests: %w; they hold %s: %s", name, namespace,
		ErrNoKafka, strings.Join(held, ", "), strings.Join(todo, "; "))
}

func isKafka(o *unstructured.Unstructured) bool {
	return strings.HasPrefix(o.GetAPIVersion(), strimzi.Group+"/") && o.GetKind() == strimzi.KafkaKind
}
