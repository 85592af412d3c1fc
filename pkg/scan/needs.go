package scan

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// needs is what a temporary pod must have to run where the pods of a pool do, and to read what they wrote.
type needs struct {
	PullSecrets  []string            `json:"pullSecrets"`
	Tolerations  []corev1.Toleration `json:"tolerations"`
	NodeSelector map[string]string   `json:"nodeSelector"`
	Identity     probe.Identity      `json:"identity"`
}

// podTemplate is what is used of a pod template of Strimzi's resources, whose fields are those of Kubernetes.
type podTemplate struct {
	ImagePullSecrets []corev1.LocalObjectReference `json:"imagePullSecrets"`
	SecurityContext  *corev1.PodSecurityContext    `json:"securityContext"`
	Tolerations      []corev1.Toleration           `json:"tolerations"`
	Affinity         *corev1.Affinity              `json:"affinity"`
	NodeSelector     map[string]string             `json:"nodeSelector"` // of a StatefulSet alone
}

// needsOf follows the template of a pool's pods.
func needsOf(cluster *strimzi.Cluster, pool string) (needs, error) {
	n := needs{Identity: probe.DefaultIdentity()}
	if cluster == nil {
		return n, nil
	}
	raw := cluster.PodTemplate(pool)
	if raw == nil {
		return n, nil
	}
	n, err := needsBy(raw)
	if err != nil {
		return n, fmt.Errorf("read the pod template of pool %q of kafka %q: %w", pool,
			cluster.Kafka.Name, err)
	}
	return n, nil
}

// needsBy follows a pod template, or the spec of one.
func needsBy(raw map[string]any) (needs, error) {
	n := needs{Identity: probe.DefaultIdentity()}
	var t podTemplate
	encoded, err := json.Marshal(raw)
	if err == nil {
		err = json.Unmarshal(encoded, &t)
	}
	if err != nil {
		return n, err
	}
	for _, s := range t.ImagePullSecrets {
		n.PullSecrets = append(n.PullSecrets, s.Name)
	}
	n.Tolerations = t.Tolerations
	n.NodeSelector = nodeSelector(t.Affinity)
	if len(t.NodeSelector) > 0 {
		n.NodeSelector = t.NodeSelector
	}
	n.Identity = identityOf(t.SecurityContext)
	return n, nil
}

// identityOf reads with the user and groups that the pods write with. Their fsGroup is what the kubelet gave the files
// to: it becomes one of the groups, for as fsGroup it would have the kubelet write to the volume.
func identityOf(s *corev1.PodSecurityContext) probe.Identity {
	id := probe.DefaultIdentity()
	if s == nil {
		return id
	}
	if s.RunAsUser != nil && *s.RunAsUser != 0 { // root is never asked for
		id.User = s.RunAsUser
	}
	if s.RunAsGroup != nil {
		id.Group = s.RunAsGroup
	}
	id.Groups = slices.Clone(s.SupplementalGroups)
	if s.FSGroup != nil && !slices.Contains(id.Groups, *s.FSGroup) {
		id.Groups = append(id.Groups, *s.FSGroup)
	}
	return id
}

// nodeSelector keeps of a node affinity what a selector can say: one term of labels that must have one value each.
// Strimzi's templates have no node selector of their own.
func nodeSelector(a *corev1.Affinity) map[string]string {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	terms := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(terms) != 1 {
		return nil
	}
	selector := map[string]string{}
	for _, e := range terms[0].MatchExpressions {
		if e.Operator == corev1.NodeSelectorOpIn && len(e.Values) == 1 {
			selector[e.Key] = e.Values[0]
		}
	}
	if len(selector) == 0 {
		return nil
	}
	return selector
}

// key tells apart the needs of different pools.
func (n needs) key() string {
	b, _ := json.Marshal(n) // strings, numbers, maps and slices of them always marshal
	return string(b)
}

// imageOffers are the images known without looking at nodes, the best first, each with who names it.
func imageOffers(flag string, c *strimzi.Cluster, live *Live) []probe.ImageOffer {
	offers := []probe.ImageOffer{{Image: flag, Origin: "named by --image or the configuration"}}
	clusters := []*strimzi.Cluster{}
	if c != nil {
		clusters = append(clusters, c)
	}
	for _, other := range live.Clusters {
		if other != c {
			clusters = append(clusters, other)
		}
	}
	for _, one := range clusters {
		for _, p := range one.Pods {
			if p.Phase != podRunning { // its image may be what it waits for
				continue
			}
			offers = append(offers, probe.ImageOffer{Image: p.Image, Origin: fmt.Sprintf("what pod %q runs", p.Name)})
		}
	}
	if c != nil {
		offers = append(offers, probe.ImageOffer{
			Image: c.Kafka.Image, Origin: fmt.Sprintf("spec.kafka.image of kafka %q", c.Kafka.Name),
		})
	}
	for _, op := range operatorsFor(c, live) {
		images := op.ImagesFor(kafkaVersion(c))
		for _, image := range images {
			offers = append(offers, probe.ImageOffer{
				Image: image, PullSecrets: op.PullSecrets, OneOfSeveral: len(images) > 1,
				Origin: fmt.Sprintf("the Kafka image of operator %q", op.Name()),
			})
		}
	}
	return offers
}

// operatorsFor are the operators of the cluster, then all others.
func operatorsFor(c *strimzi.Cluster, live *Live) []strimzi.Operator {
	var out []strimzi.Operator
	if c != nil {
		out = append(out, c.Operators...)
	}
	for _, op := range live.Operators {
		if !slices.ContainsFunc(out, func(o strimzi.Operator) bool { return o.Name() == op.Name() }) {
			out = append(out, op)
		}
	}
	return out
}

func kafkaVersion(c *strimzi.Cluster) string {
	switch {
	case c == nil:
		return ""
	case c.Kafka.Version != "":
		return c.Kafka.Version
	default:
		return c.Kafka.Status.KafkaVersion
	}
}
