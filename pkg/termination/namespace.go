// Package termination tells what keeps a namespace that is being deleted, and what a person can do about each.
package termination

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// Namespace is one that is being deleted. Nothing can be created in it, and nothing stops it from going.
type Namespace struct {
	Name string `json:"name"`
	// Since is when its deletion was asked for.
	Since time.Time `json:"since,omitzero"`
	// Holders are what is seen to keep it; there may be others, of kinds that were not looked at.
	Holders []Holder `json:"holders,omitempty"`
	// Says is what Kubernetes' namespace controller says that is left, from the namespace's conditions.
	Says []string `json:"says,omitempty"`
}

// Holder are objects of one kind that are not gone, for one reason.
type Holder struct {
	// Resource is the kind as kubectl takes it, as kafkatopics.
	Resource string   `json:"resource"`
	Names    []string `json:"names"`
	// Finalizer is what has to be taken away before they go; empty for pods that have not ended.
	Finalizer string `json:"finalizer,omitempty"`
	// Why says who would let go of them.
	Why string `json:"why"`
	// Command is what a person can type where nobody does; empty where there is only waiting.
	Command string `json:"command,omitempty"`
}

// Objects are a namespace and what is in it. Inside are objects by resource, as kubectl takes it.
type Objects struct {
	Namespace *unstructured.Unstructured
	Inside    map[string][]unstructured.Unstructured
}

const (
	pods   = "pods"
	topics = "kafkatopics"
	// topicFinalizer is on every KafkaTopic that the Topic Operator has seen. It takes it away once it has deleted the
	// topic in Kafka (BatchingTopicController.java); with the operator gone, so is whoever would (Strimzi's documentation,
	// "Removing finalizers on topics").
	topicFinalizer = "strimzi.io/topic-operator"
	// claimFinalizer is taken away when no pod uses the claim (Kubernetes, "Storage Object in Use Protection").
	claimFinalizer = "kubernetes.io/pvc-protection"
	// entityOperator is the end of the name that Strimzi gives the Entity Operator in the label of its pods.
	entityOperator = "-entity-operator"
)

// Of tells what keeps a namespace; nil where it is not being deleted, or is not known.
func Of(in Objects) *Namespace {
	if in.Namespace == nil || in.Namespace.GetDeletionTimestamp() == nil {
		return nil
	}
	n := &Namespace{
		Name: in.Namespace.GetName(), Since: in.Namespace.GetDeletionTimestamp().UTC(), Says: Says(in.Namespace),
	}
	for resource, objects := range in.Inside {
		n.add(resource, objects)
	}
	slices.SortFunc(n.Holders, func(a, b Holder) int {
		return strings.Compare(a.Resource+" "+a.Finalizer, b.Resource+" "+b.Finalizer)
	})
	operator := ""
	for i := range in.Inside[pods] {
		if p := &in.Inside[pods][i]; strings.HasSuffix(p.GetLabels()[strimzi.NameLabel], entityOperator) {
			operator = p.GetName()
		}
	}
	for i := range n.Holders {
		n.explain(&n.Holders[i], operator)
	}
	return n
}

// Says is what Kubernetes says that is left in a namespace (the namespace controller's conditions).
func Says(namespace *unstructured.Unstructured) []string {
	var out []string
	for _, c := range object.Maps(namespace.Object, "status", "conditions") {
		if message := object.String(c, "message"); object.String(c, "status") == "True" && message != "" {
			out = append(out, message)
		}
	}
	slices.Sort(out)
	return out
}

// add notes the objects of a kind that a finalizer keeps, and pods, which keep what they use.
func (n *Namespace) add(resource string, objects []unstructured.Unstructured) {
	by := map[string][]string{}
	for i := range objects {
		o := &objects[i]
		finalizers := o.GetFinalizers()
		if len(finalizers) == 0 && resource == pods {
			by[""] = append(by[""], o.GetName())
		}
		for _, f := range finalizers {
			by[f] = append(by[f], o.GetName())
		}
	}
	for finalizer, names := range by {
		slices.Sort(names)
		n.Holders = append(n.Holders, Holder{Resource: resource, Names: names, Finalizer: finalizer})
	}
}

// explain says who lets go of what is held, and what a person can do. The pod is that of the Entity Operator, empty
// where there is none.
func (n *Namespace) explain(h *Holder, operator string) {
	switch {
	case h.Finalizer == topicFinalizer && operator != "":
		h.Why = fmt.Sprintf("the Topic Operator in pod/%s is still there, and takes it away together with the topic in "+
			"Kafka, where a broker answers", operator)
	case h.Finalizer == topicFinalizer:
		h.Why = "only the Topic Operator takes it away, and its pod is gone; while no other one watches this namespace, " +
			"taking it away deletes nothing in Kafka"
		h.Command = fmt.Sprintf(`kubectl get %s -n %s -o name | xargs kubectl patch -n %s --type=merge `+
			`-p '{"metadata":{"finalizers":null}}'`, topics, n.Name, n.Name)
	case h.Finalizer == claimFinalizer:
		h.Why = "it goes with the last pod that uses the claim"
	case h.Finalizer == "":
		h.Why = "they end by themselves, unless their machine is off; only where it is off for good, for otherwise they go " +
			"on writing"
		h.Command = fmt.Sprintf("kubectl delete pod %s -n %s --force --grace-period=0", strings.Join(h.Names, " "), n.Name)
	default:
		h.Why = "whoever set it takes it away"
		h.Command = fmt.Sprintf("kubectl get %s -n %s -o yaml", h.Resource, n.Name)
	}
}

// shownNames bounds the names of one holder that a person is shown.
const shownNames = 5

// Lines tell a person what keeps the namespace, and what can be done about each.
func (n *Namespace) Lines() []string {
	lines := []string{fmt.Sprintf("namespace %q is being deleted since %s, and everything in it with it", n.Name,
		n.Since.Format(time.RFC3339))}
	for i := range n.Holders {
		h := &n.Holders[i]
		what := "finalizer " + h.Finalizer
		if h.Finalizer == "" {
			what = "not ended"
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s; %s", h.Resource, wording.Few(h.Names, shownNames), what, h.Why))
		if h.Command != "" {
			lines = append(lines, "→ `"+h.Command+"`")
		}
	}
	for _, said := range n.Says {
		lines = append(lines, "Kubernetes says: "+said)
	}
	if len(n.Holders) == 0 {
		lines = append(lines, fmt.Sprintf("→ what is left in it: `kubectl api-resources --verbs=list --namespaced -o name | "+
			"xargs -n 1 kubectl get --show-kind --ignore-not-found -n %s`", n.Name))
	}
	return lines
}
