package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// reviewsAtOnce bounds how many access reviews are under way; each costs the server an authorizer round.
const reviewsAtOnce = 8

// Access is one thing a command must be allowed to do.
type Access struct {
	Verb     string `json:"verb"`
	Group    string `json:"group,omitempty"`
	Resource string `json:"resource"`
	// Subresource is such as "status" or "exec".
	Subresource string `json:"subresource,omitempty"`
	// Namespace is empty for cluster-scoped kinds, and for a namespaced kind in all namespaces.
	Namespace string `json:"namespace,omitempty"`
	// Name restricts it to one object; empty means any.
	Name string `json:"name,omitempty"`
	// For says what it is needed for, in a few words.
	For string `json:"for,omitempty"`
}

// String is the access as `kubectl auth can-i` takes it: "patch kafkas.kafka.strimzi.io/status in namespace ns".
func (a Access) String() string {
	what := a.Resource
	if a.Group != "" {
		what += "." + a.Group
	}
	if a.Subresource != "" {
		what += "/" + a.Subresource
	}
	if a.Name != "" {
		what += fmt.Sprintf(" %q", a.Name)
	}
	if a.Namespace != "" {
		what += " in namespace " + a.Namespace
	}
	return a.Verb + " " + what
}

// Review asks the API server which of the accesses the user lacks, in the order given. The server's answer comes from
// its authorizers; admission may still refuse an allowed request.
func (c *Client) Review(ctx context.Context, needed []Access) (missing []Access, err error) {
	allowed := make([]bool, len(needed))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(reviewsAtOnce)
	for i, a := range needed {
		g.Go(func() (err error) {
			allowed[i], err = c.reviewOne(ctx, a)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, ok := range allowed {
		if !ok {
			missing = append(missing, needed[i])
		}
	}
	return missing, nil
}

func (c *Client) reviewOne(ctx context.Context, a Access) (bool, error) {
	attributes := map[string]any{"verb": a.Verb, "resource": a.Resource}
	for key, value := range map[string]string{
		"group": a.Group, "subresource": a.Subresource, "namespace": a.Namespace, "name": a.Name,
	} {
		if value != "" {
			attributes[key] = value
		}
	}
	review := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": attributes},
	}}
	var answer *unstructured.Unstructured
	err := c.do(ctx, Error{Verb: "create", Resource: group("authorization.k8s.io", "selfsubjectaccessreviews")},
		func() (err error) {
			answer, err = c.in(group("authorization.k8s.io", "selfsubjectaccessreviews"), "").
				Create(ctx, review, metav1.CreateOptions{})
			return err
		})
	if err != nil {
		return false, fmt.Errorf("review access to %s: %w", a, err)
	}
	ok, found, err := unstructured.NestedBool(answer.Object, "status", "allowed")
	if err != nil || !found {
		return false, fmt.Errorf("review access to %s: %w", a, errNoAnswer)
	}
	return ok, nil
}

var errNoAnswer = errors.New("the API server's answer has no status.allowed")

type policyRule struct {
	APIGroups     []string `json:"apiGroups"`
	Resources     []string `json:"resources"`
	ResourceNames []string `json:"resourceNames,omitempty"`
	Verbs         []string `json:"verbs"`
}

type role struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]string `json:"metadata"`
	Rules      []policyRule      `json:"rules"`
}

// Roles renders the Role of each namespace, and the ClusterRole for what has none, that grant the accesses: a YAML
// stream that `kubectl apply -f -` takes. Binding them to a user is left to whoever may.
func Roles(name string, accesses []Access) (string, error) {
	byNamespace := map[string][]Access{}
	for _, a := range accesses {
		byNamespace[a.Namespace] = append(byNamespace[a.Namespace], a)
	}
	namespaces := make([]string, 0, len(byNamespace))
	for ns := range byNamespace {
		namespaces = append(namespaces, ns)
	}
	sort.Strings(namespaces)
	var docs []string
	for _, ns := range namespaces {
		r := role{
			APIVersion: "rbac.authorization.k8s.io/v1", Kind: "Role",
			Metadata: map[string]string{"name": name, "namespace": ns}, Rules: rules(byNamespace[ns]),
		}
		if ns == "" {
			r.Kind, r.Metadata = "ClusterRole", map[string]string{"name": name}
		}
		doc, err := yaml.Marshal(r)
		if err != nil {
			return "", fmt.Errorf("render %s %q: %w", r.Kind, name, err)
		}
		docs = append(docs, string(doc))
	}
	return strings.Join(docs, "---\n"), nil
}

// rules gathers the verbs of each resource, then the resources of each group with equal verbs and names.
func rules(accesses []Access) []policyRule {
	type key struct{ group, resource, name string }
	verbs := map[key][]string{}
	for _, a := range accesses {
		k := key{group: a.Group, resource: a.Resource, name: a.Name}
		if a.Verb == "create" { // the name of an object to be created is not known to RBAC
			k.name = ""
		}
		if a.Subresource != "" {
			k.resource += "/" + a.Subresource
		}
		if !slices.Contains(verbs[k], a.Verb) {
			verbs[k] = append(verbs[k], a.Verb)
		}
	}
	merged := map[string]*policyRule{}
	for k, v := range verbs {
		sort.Strings(v)
		id := k.group + "|" + k.name + "|" + strings.Join(v, ",")
		if merged[id] == nil {
			merged[id] = &policyRule{APIGroups: []string{k.group}, Verbs: v}
			if k.name != "" {
				merged[id].ResourceNames = []string{k.name}
			}
		}
		merged[id].Resources = append(merged[id].Resources, k.resource)
	}
	list := make([]policyRule, 0, len(merged))
	for _, r := range merged {
		sort.Strings(r.Resources)
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b policyRule) int {
		return strings.Compare(sortKey(a), sortKey(b))
	})
	return list
}

func sortKey(r policyRule) string {
	return strings.Join(r.APIGroups, ",") + "|" + strings.Join(r.Resources, ",") + "|" + strings.Join(r.ResourceNames, ",")
}
