package declared

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Namespace is a namespace as it was saved, with what limits what may be in it: its labels and annotations decide which
// pods are admitted and what is put into them (pod security, meshes, security context constraints).
type Namespace struct {
	Object *unstructured.Unstructured
	// Limits are its ResourceQuotas and LimitRanges.
	Limits []*unstructured.Unstructured
	// Left names the objects of the file that are none of these.
	Left []string
	// Warnings say what may be missing.
	Warnings []string
}

// PickNamespace gathers what is of the namespace. Quotas and limits that name no namespace are taken to be of it. What
// only a live object had is taken off; the manifests themselves are not changed.
func PickNamespace(objects []*unstructured.Unstructured, name string) (*Namespace, error) {
	n := &Namespace{}
	for _, o := range objects {
		ns := o.GetNamespace()
		switch {
		case o.GetAPIVersion() != "v1":
			n.Left = append(n.Left, Ref(o))
		case o.GetKind() == "Namespace" && o.GetName() == name:
			if n.Object != nil {
				return nil, fmt.Errorf("look for namespace %q: there are two", name)
			}
			if o.GetDeletionTimestamp() != nil {
				n.Warnings = append(n.Warnings, fmt.Sprintf("namespace %q was being deleted when it was saved: its labels and "+
					"annotations are whole, quotas and limit ranges may have been deleted already", name))
			}
			n.Object = cleaned(o)
			unstructured.RemoveNestedField(n.Object.Object, "spec") // its finalizer, which the API server sets
		case slices.Contains([]string{"ResourceQuota", "LimitRange"}, o.GetKind()) && (ns == name || ns == ""):
			limit := cleaned(o)
			limit.SetNamespace(name)
			n.Limits = append(n.Limits, limit)
		default:
			n.Left = append(n.Left, Ref(o))
		}
	}
	if n.Object == nil {
		return nil, fmt.Errorf("look for namespace %q: there is no Namespace of that name", name)
	}
	return n, nil
}
