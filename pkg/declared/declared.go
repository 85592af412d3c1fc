// Package declared owns the manifests a person has of a cluster: it reads them from files, folders and kustomizations,
// tells which objects are of one Kafka cluster, and takes off them what only a live object had. It reads no network.
package declared

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// Cluster is what of the manifests belongs to one Kafka cluster, clean of what only a live object had.
type Cluster struct {
	Kafka  *unstructured.Unstructured
	Pools  []*unstructured.Unstructured
	Topics []*unstructured.Unstructured
	Users  []*unstructured.Unstructured
	// Secrets are those of the cluster's authorities and of its users; others are nobody's business here.
	Secrets []*unstructured.Unstructured
	// Left names the objects of the manifests that are none of these.
	Left []string
	// Warnings say what was taken off the manifests that changes something.
	Warnings []string
}

// ErrNoKafka tells that the manifests hold no Kafka resource of the cluster.
var ErrNoKafka = errors.New("no Kafka resource of that name")

// Pick gathers what is of the cluster name. Objects without a namespace are taken to be of namespace; those that name
// another one are not of this cluster. The manifests themselves are not changed.
func Pick(objects []*unstructured.Unstructured, namespace, name string) (*Cluster, error) {
	c := &Cluster{}
	for _, o := range objects {
		if ns := o.GetNamespace(); ns != "" && ns != namespace {
			c.Left = append(c.Left, Ref(o)+" in namespace "+ns)
			continue
		}
		if err := c.add(o, namespace, name); err != nil {
			return nil, err
		}
	}
	if c.Kafka == nil {
		return nil, noKafka(objects, namespace, name)
	}
	if len(c.Pools) == 0 {
		return nil, fmt.Errorf("look for the pools of kafka %q in the manifests: there is no KafkaNodePool with the label "+
			"%s=%s; without pools the operator makes no node", name, strimzi.ClusterLabel, name)
	}
	c.keepOwnSecrets(name)
	return c, nil
}

func (c *Cluster) add(o *unstructured.Unstructured, namespace, name string) error {
	own := o.GetLabels()[strimzi.ClusterLabel] == name
	strimziKind := strings.HasPrefix(o.GetAPIVersion(), strimzi.Group+"/")
	into := map[string]*[]*unstructured.Unstructured{
		strimzi.NodePoolKind: &c.Pools, strimzi.TopicKind: &c.Topics, strimzi.UserKind: &c.Users,
	}[o.GetKind()]
	switch {
	case isKafka(o) && o.GetName() == name:
		if c.Kafka != nil {
			return fmt.Errorf("look for kafka %q in the manifests: there are two", name)
		}
		c.Kafka = c.clean(o, namespace)
	case strimziKind && into != nil && own:
		if slices.ContainsFunc(*into, func(other *unstructured.Unstructured) bool { return other.GetName() == o.GetName() }) {
			return fmt.Errorf("read the manifests: there are two of %s", Ref(o))
		}
		*into = append(*into, c.clean(o, namespace))
	case o.GetAPIVersion() == "v1" && o.GetKind() == "Secret":
		c.Secrets = append(c.Secrets, c.clean(o, namespace))
	default:
		c.Left = append(c.Left, Ref(o))
	}
	return nil
}

// keepOwnSecrets keeps the Secrets of the cluster's authorities and of users that are declared too, and those that a
// user's manifest names for its password, which carry no label of Strimzi's. A user's Secret without its KafkaUser is
// what has the User Operator delete the user (UserController.java).
func (c *Cluster) keepOwnSecrets(name string) {
	own := strimzi.AuthoritySecrets(name)
	var passwords []string
	for _, u := range c.Users {
		own = append(own, c.userSecret(u))
		if secret := strimzi.PasswordSecret(u.Object); secret != "" {
			passwords = append(passwords, secret)
		}
	}
	c.Secrets = slices.DeleteFunc(c.Secrets, func(s *unstructured.Unstructured) bool {
		labelled := s.GetLabels()[strimzi.ClusterLabel] == name
		keep := labelled && slices.Contains(own, s.GetName()) || slices.Contains(passwords, s.GetName())
		if !keep {
			c.Left = append(c.Left, Ref(s))
		}
		return !keep
	})
}

// liveMetadata is what the API server or a controller put there. An owner that is gone would have the object collected
// at once; a finalizer would hold it for somebody who has nothing to do with it.
func liveMetadata() []string {
	return []string{
		"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink", "ownerReferences",
		"finalizers", "deletionTimestamp", "deletionGracePeriodSeconds",
	}
}

// lastApplied is kubectl's own copy of the manifest, with which the next `kubectl apply` would compare.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// clean returns a copy without status and what else only a live object has.
func (c *Cluster) clean(o *unstructured.Unstructured, namespace string) *unstructured.Unstructured {
	if o.GetDeletionTimestamp() != nil {
		c.Warnings = append(c.Warnings, Ref(o)+" was being deleted when its manifest was saved")
	}
	out := cleaned(o)
	out.SetNamespace(namespace)
	return out
}

func cleaned(o *unstructured.Unstructured) *unstructured.Unstructured {
	out := o.DeepCopy()
	unstructured.RemoveNestedField(out.Object, "status")
	for _, field := range liveMetadata() {
		unstructured.RemoveNestedField(out.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(out.Object, "metadata", "annotations", lastApplied)
	unstructured.RemoveNestedField(out.Object, "metadata", "annotations", fileAnnotation)
	if len(out.GetAnnotations()) == 0 {
		unstructured.RemoveNestedField(out.Object, "metadata", "annotations")
	}
	return out
}

// Secret returns the Secret of that name, or nil.
func (c *Cluster) Secret(name string) *unstructured.Unstructured {
	i := slices.IndexFunc(c.Secrets, func(s *unstructured.Unstructured) bool { return s.GetName() == name })
	if i < 0 {
		return nil
	}
	return c.Secrets[i]
}

// UsersBySecret tells apart the users that come back as they were, and those that would get a new password or
// certificate.
func (c *Cluster) UsersBySecret() (with, without []*unstructured.Unstructured) {
	for _, u := range c.Users {
		if c.KeepsCredentials(u) {
			with = append(with, u)
		} else {
			without = append(without, u)
		}
	}
	return with, without
}

// KeepsCredentials tells whether a Secret with a user's password or certificate is declared too, or that the user
// needs none.
func (c *Cluster) KeepsCredentials(user *unstructured.Unstructured) bool {
	if !strimzi.HasOwnSecret(user.Object) || c.Secret(c.userSecret(user)) != nil {
		return true
	}
	password := strimzi.PasswordSecret(user.Object)
	return password != "" && c.Secret(password) != nil
}

// userSecret is the name of the Secret that the User Operator keeps for a user.
func (c *Cluster) userSecret(user *unstructured.Unstructured) string {
	return strimzi.UserSecretPrefix(c.Kafka.Object) + user.GetName()
}

// MayStand tells whether a declared Secret may be there before anything is created: one with a password that a user's
// manifest names, which a person may have put there, and one of a user that is there.
func (c *Cluster) MayStand(secret string, stands func(ref string) bool) bool {
	return slices.ContainsFunc(c.Users, func(u *unstructured.Unstructured) bool {
		return strimzi.PasswordSecret(u.Object) == secret || c.userSecret(u) == secret && stands(Ref(u))
	})
}

// EntityOperator tells whether Kafka's manifest asks for an Entity Operator.
func (c *Cluster) EntityOperator() bool { return object.Has(c.Kafka.Object, "spec", "entityOperator") }

// WithoutEntityOperator is Kafka's manifest as it is created first: the User Operator deletes users of which it knows
// no KafkaUser, so that it may only come when the cluster is whole.
func (c *Cluster) WithoutEntityOperator() *unstructured.Unstructured {
	out := c.Kafka.DeepCopy()
	unstructured.RemoveNestedField(out.Object, "spec", "entityOperator")
	return out
}

// Planned is the cluster as the rules judge it: its resources as they are created first, with no status.
func (c *Cluster) Planned() *strimzi.Cluster {
	out := &strimzi.Cluster{
		APIVersion: c.Kafka.GetAPIVersion(), Kafka: strimzi.ParseKafka(c.WithoutEntityOperator().Object), UsersKnown: true,
		TopicsKnown: true,
	}
	for _, p := range c.Pools {
		out.Pools = append(out.Pools, strimzi.ParseNodePool(p.Object))
	}
	for _, u := range c.Users {
		out.KafkaUsers = append(out.KafkaUsers, u.GetName())
	}
	for _, t := range c.Topics {
		out.KafkaTopics = append(out.KafkaTopics, strimzi.ParseTopicName(t.Object))
	}
	out.Sort()
	return out
}

// Ref names an object as kubectl does.
func Ref(o *unstructured.Unstructured) string {
	return strings.ToLower(o.GetKind()) + "/" + o.GetName()
}
