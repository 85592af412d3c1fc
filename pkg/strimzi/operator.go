package strimzi

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/object"
)

// The operator's own defaults (ClusterOperatorConfig.java).
const (
	DefaultOperationTimeout = 300 * time.Second
	DefaultInterval         = 120 * time.Second
	AllNamespaces           = "*"
)

// Environment of a Cluster Operator.
const (
	envNamespace        = "STRIMZI_NAMESPACE"
	envSelector         = "STRIMZI_CUSTOM_RESOURCE_SELECTOR"
	envKafkaImages      = "STRIMZI_KAFKA_IMAGES"
	envPullSecrets      = "STRIMZI_IMAGE_PULL_SECRETS" //nolint:gosec // the name of a variable
	envOperationTimeout = "STRIMZI_OPERATION_TIMEOUT_MS"
	envInterval         = "STRIMZI_FULL_RECONCILIATION_INTERVAL_MS"
	envPodSetsOnly      = "STRIMZI_POD_SET_RECONCILIATION_ONLY"
	envFeatureGates     = "STRIMZI_FEATURE_GATES"
)

// olmTargets is the annotation that the Operator Lifecycle Manager puts on an operator's pods: the namespaces to
// watch, comma-separated, empty for all.
const olmTargets = "olm.targetNamespaces"

// ParseOperator reads a Deployment; ok is false when it is no Cluster Operator. It is recognised by the label its
// pods carry, whatever it is named: by the Operator Lifecycle Manager the name carries the version
// (strimzi-cluster-operator-v0.43.0).
func ParseOperator(o map[string]any) (op Operator, ok bool) {
	labels := object.StringMap(o, "spec", "template", "metadata", "labels")
	if labels[KindLabel] != OperatorKind {
		return Operator{}, false
	}
	container, env := operatorContainer(o)
	if container == nil {
		return Operator{}, false
	}
	op = Operator{
		Namespace:        object.String(o, "metadata", "namespace"),
		Deployment:       object.String(o, "metadata", "name"),
		Image:            object.String(container, "image"),
		Selector:         env[envSelector].value,
		OperationTimeout: duration(env[envOperationTimeout], DefaultOperationTimeout),
		Interval:         duration(env[envInterval], DefaultInterval),
		KafkaImages:      parseMap(env[envKafkaImages].value),
		PullSecrets:      fields(env[envPullSecrets].value),
		PodSetsOnly:      isTrue(env[envPodSetsOnly].value),
		FeatureGates:     fields(env[envFeatureGates].value),
	}
	op.Version = operatorVersion(op)
	op.Watched, op.WatchedUnknown = watched(o, env[envNamespace], op.Namespace)
	ready, _ := object.Int(o, "status", "readyReplicas")
	op.Ready = ready > 0
	replicas, set := object.Int(o, "spec", "replicas")
	op.ScaledToZero = set && replicas == 0
	return op, true
}

// variable is one of a container's environment: a literal, a field of the pod, or something that is not on the
// Deployment.
type variable struct {
	value string
	field string
	// elsewhere names where the value comes from when it is in another object.
	elsewhere string
	set       bool
}

// operatorContainer returns the container with the Kafka images (the operator's own; others may be injected), else the
// first, with its environment.
func operatorContainer(o map[string]any) (first map[string]any, firstEnv map[string]variable) {
	for _, c := range object.Maps(o, "spec", "template", "spec", "containers") {
		env := map[string]variable{}
		for _, e := range object.Maps(c, "env") {
			v := variable{value: object.String(e, "value"), set: true}
			v.field = object.String(e, "valueFrom", "fieldRef", "fieldPath")
			if v.field == "" && object.Has(e, "valueFrom") {
				v.elsewhere = "a ConfigMap or Secret"
			}
			env[object.String(e, "name")] = v
		}
		if _, found := env[envNamespace]; !found && object.Has(c, "envFrom") {
			env[envNamespace] = variable{elsewhere: "a ConfigMap or Secret", set: true}
		}
		if _, found := env[envKafkaImages]; found {
			return c, env
		}
		if first == nil {
			first, firstEnv = c, env
		}
	}
	return first, firstEnv
}

// watched returns the namespaces the operator watches, or why that is not known.
func watched(o map[string]any, v variable, own string) (namespaces []string, unknown string) {
	switch {
	case !v.set:
		return []string{AllNamespaces}, ""
	case v.elsewhere != "":
		return nil, envNamespace + " comes from " + v.elsewhere
	case v.field == "metadata.namespace":
		return []string{own}, ""
	case strings.Contains(v.field, olmTargets):
		targets, found := object.StringMap(o, "spec", "template", "metadata", "annotations")[olmTargets]
		if !found {
			return nil, envNamespace + " comes from the annotation " + olmTargets + ", which is not on the Deployment"
		}
		return namespaceList(targets), ""
	case v.field != "":
		return nil, envNamespace + " comes from the field " + v.field
	}
	return namespaceList(v.value), ""
}

func namespaceList(s string) []string {
	out := fields(s)
	if len(out) == 0 || slices.Contains(out, AllNamespaces) {
		return []string{AllNamespaces}
	}
	return out
}

// fields splits at commas and white space, as the operator does.
func fields(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
}

// parseMap reads version=image tokens (Util.parseMap).
func parseMap(s string) map[string]string {
	out := map[string]string{}
	for _, token := range fields(s) {
		if k, v, found := strings.Cut(token, "="); found {
			out[k] = v
		}
	}
	return out
}

func duration(v variable, otherwise time.Duration) time.Duration {
	if d, ok := object.Milliseconds(v.value); ok {
		return d
	}
	return otherwise
}

var (
	imageVersion = regexp.MustCompile(`:v?([0-9]+\.[0-9]+\.[0-9]+)(?:[-@]|$)`)
	kafkaVersion = regexp.MustCompile(`:v?([0-9]+\.[0-9]+\.[0-9]+)-kafka-`)
	nameVersion  = regexp.MustCompile(`-v([0-9]+\.[0-9]+\.[0-9]+)$`)
)

// operatorVersion reads the operator's version where it is told: in the Deployment's name (Operator Lifecycle
// Manager), in its image's tag, else in the tags of its Kafka images. It is empty where none of them says.
func operatorVersion(op Operator) string {
	if m := nameVersion.FindStringSubmatch(op.Deployment); m != nil {
		return m[1]
	}
	if m := imageVersion.FindStringSubmatch(op.Image); m != nil {
		return m[1]
	}
	for _, v := range slices.Sorted(mapKeys(op.KafkaImages)) {
		if m := kafkaVersion.FindStringSubmatch(op.KafkaImages[v]); m != nil {
			return m[1]
		}
	}
	return ""
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Watches tells whether the operator reconciles Kafka resources of that namespace with those labels; known is false
// where that cannot be told from its Deployment. Several selector terms must all hold.
func (o Operator) Watches(namespace string, labels map[string]string) (watches, known bool) {
	if o.PodSetsOnly || o.ScaledToZero {
		return false, true
	}
	for term := range strings.SplitSeq(o.Selector, ",") {
		k, v, found := strings.Cut(strings.TrimSpace(term), "=")
		if found && labels[strings.TrimSpace(k)] != strings.TrimSpace(v) {
			return false, true
		}
	}
	if o.WatchedUnknown != "" {
		return false, false
	}
	return slices.Contains(o.Watched, AllNamespaces) || slices.Contains(o.Watched, namespace), true
}

// Hold has an operator that is at zero replicas count as one that will be there again.
func (o Operator) Hold() Operator {
	o.Held, o.ScaledToZero = o.ScaledToZero, false
	return o
}

// Name returns namespace/deployment.
func (o Operator) Name() string { return o.Namespace + "/" + o.Deployment }

// DefaultKafkaVersion returns the newest Kafka version the operator has an image for, which is what Strimzi's
// releases take for a Kafka resource without spec.kafka.version; empty where the images are not known.
func (o Operator) DefaultKafkaVersion() string {
	best := ""
	for v := range o.KafkaImages {
		if best == "" || CompareVersions(v, best) > 0 {
			best = v
		}
	}
	return best
}

// CompareVersions compares dotted versions number by number; what is no number counts as 0.
func CompareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		if c := versionPart(as, i) - versionPart(bs, i); c != 0 {
			return c
		}
	}
	return 0
}

func versionPart(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n := 0
	for _, c := range parts[i] {
		if c < '0' || c > '9' || n > 1_000_000 {
			break
		}
		n = n*10 + int(c-'0')
	}
	return n
}
