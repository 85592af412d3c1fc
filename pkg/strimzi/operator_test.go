package strimzi_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// operator parses a Deployment with the label of a Cluster Operator's pods.
func operator(t *testing.T, name, image, env string) strimzi.Operator {
	t.Helper()
	op, ok := strimzi.ParseOperator(parse(t, `
metadata: {namespace: strimzi, name: `+name+`}
spec:
  replicas: 1
  template:
    metadata: {labels: {name: strimzi-cluster-operator, strimzi.io/kind: cluster-operator}}
    spec:
      containers:
      - {name: proxy, image: "proxy:9.9.9"}
      - name: operator
        image: "`+image+`"
        env:
        - {name: STRIMZI_KAFKA_IMAGES, value: "3.9.1=r/kafka:0.47.0-kafka-3.9.1\n4.0.0=r/kafka:0.47.0-kafka-4.0.0\n"}
`+env+`
status: {readyReplicas: 1}
`))
	if !ok {
		t.Fatal("not recognised")
	}
	return op
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// olmField is how the Operator Lifecycle Manager has the namespaces to watch looked up.
const olmField = `valueFrom: {fieldRef: {fieldPath: "metadata.annotations['olm.targetNamespaces']"}}`

func TestOperator(t *testing.T) {
	t.Parallel()
	op := operator(t, "strimzi-cluster-operator", "quay.io/strimzi/operator:0.47.0", `
        - {name: STRIMZI_NAMESPACE, value: " kafka,other "}
        - {name: STRIMZI_OPERATION_TIMEOUT_MS, value: "60000"}
        - {name: STRIMZI_FULL_RECONCILIATION_INTERVAL_MS, value: soon}
        - {name: STRIMZI_IMAGE_PULL_SECRETS, value: "one, two"}
        - {name: STRIMZI_FEATURE_GATES, value: "+A,-B"}`)
	want := strimzi.Operator{
		Namespace: "strimzi", Deployment: "strimzi-cluster-operator", Image: "quay.io/strimzi/operator:0.47.0",
		Version: "0.47.0", Watched: []string{"kafka", "other"}, OperationTimeout: time.Minute, Interval: 2 * time.Minute,
		KafkaImages: map[string]string{"3.9.1": "r/kafka:0.47.0-kafka-3.9.1", "4.0.0": "r/kafka:0.47.0-kafka-4.0.0"},
		PullSecrets: []string{"one", "two"}, FeatureGates: []string{"+A", "-B"}, Ready: true,
	}
	if diff := cmp.Diff(want, op); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if op.Name() != "strimzi/strimzi-cluster-operator" || op.DefaultKafkaVersion() != "4.0.0" {
		t.Errorf("got %q, %q", op.Name(), op.DefaultKafkaVersion())
	}
	both := []string{"r/kafka:0.47.0-kafka-4.0.0", "r/kafka:0.47.0-kafka-3.9.1"}
	for version, images := range map[string][]string{"3.9.1": both[1:], "": both, "1.0": both} {
		if got := op.ImagesFor(version); !slices.Equal(got, images) {
			t.Errorf("images for %q: want %q, got %q", version, images, got)
		}
	}
	if got := (strimzi.Operator{}).ImagesFor("4.0.0"); len(got) > 0 {
		t.Errorf("an image nobody named was made up: %q", got)
	}
}

func TestOperatorsAreToldByTheirLabel(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`, `{spec: {template: {metadata: {labels: {strimzi.io/kind: Kafka}}}}}`,
		`{spec: {template: {metadata: {labels: {strimzi.io/kind: cluster-operator}}, spec: {containers: x}}}}`,
	} {
		if op, ok := strimzi.ParseOperator(parse(t, text)); ok {
			t.Errorf("%s was taken for %+v", text, op)
		}
	}
}

func TestVersionOfTheOperator(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, image, want string }{
		{"strimzi-cluster-operator-v0.43.0", "r/operator@sha256:00", "0.43.0"},
		{"op", "r/operator:0.48.0", "0.48.0"},
		{"op", "r/operator:0.48.0@sha256:00", "0.48.0"},
		{"op", "r:5000/operator:latest", "0.47.0"}, // from the tags of its Kafka images
	} {
		if got := operator(t, tc.name, tc.image, "").Version; got != tc.want {
			t.Errorf("%s, %s: want %q, got %q", tc.name, tc.image, tc.want, got)
		}
	}
}

func TestWhatAnOperatorWatches(t *testing.T) {
	t.Parallel()
	const ns = "        - {name: STRIMZI_NAMESPACE, "
	const selector = "        - {name: STRIMZI_CUSTOM_RESOURCE_SELECTOR, value: "
	for title, tc := range map[string]struct {
		env            string
		labels         map[string]string
		watches, known bool
	}{
		"everything, unset":     {"", nil, true, true},
		"everything, empty":     {ns + `value: ""}`, nil, true, true},
		"everything, a star":    {ns + `value: "*"}`, nil, true, true},
		"this namespace":        {ns + `value: "a,kafka"}`, nil, true, true},
		"another":               {ns + `value: "a,kafka2"}`, nil, false, true},
		"its own":               {ns + `valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}`, nil, false, true},
		"from a ConfigMap":      {ns + `valueFrom: {configMapKeyRef: {name: x, key: y}}}`, nil, false, false},
		"from another field":    {ns + `valueFrom: {fieldRef: {fieldPath: "metadata.labels['x']"}}}`, nil, false, false},
		"from OLM, not told":    {ns + olmField + "}", nil, false, false},
		"only pod sets":         {"        - {name: STRIMZI_POD_SET_RECONCILIATION_ONLY, value: \"true\"}", nil, false, true},
		"a selector that fits":  {selector + `"a=b, c=d"}`, map[string]string{"a": "b", "c": "d"}, true, true},
		"one that does not":     {selector + `"a=b,c=d"}`, map[string]string{"a": "b"}, false, true},
		"a selector, no labels": {selector + `"a=b"}`, nil, false, true},
	} {
		watches, known := operator(t, "op", "r/operator:1.0.0", tc.env).Watches("kafka", tc.labels)
		if watches != tc.watches || known != tc.known {
			t.Errorf("%s: want %v, known %v, got %v, %v", title, tc.watches, tc.known, watches, known)
		}
	}
}

func TestOperatorFromOLMAndScaledDown(t *testing.T) {
	t.Parallel()
	op, ok := strimzi.ParseOperator(parse(t, `
metadata: {namespace: operators, name: strimzi-cluster-operator-v0.45.0}
spec:
  replicas: 0
  template:
    metadata:
      labels: {strimzi.io/kind: cluster-operator}
      annotations: {olm.targetNamespaces: ""}
    spec:
      containers:
      - env: [{name: STRIMZI_NAMESPACE, `+olmField+`}]
`))
	if !ok || !op.ScaledToZero || op.Ready || !cmp.Equal(op.Watched, []string{"*"}) {
		t.Errorf("got %+v, %v", op, ok)
	}
	if watches, known := op.Watches("kafka", nil); watches || !known {
		t.Error("an operator with no pods watches nothing")
	}
	op, _ = strimzi.ParseOperator(parse(t, `
spec:
  template:
    metadata: {labels: {strimzi.io/kind: cluster-operator}}
    spec: {containers: [{envFrom: [{configMapRef: {name: x}}]}]}
`))
	if op.WatchedUnknown == "" {
		t.Error("what comes from elsewhere is not known")
	}
}

func TestVersionsAreComparedAsNumbers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b string
		sign int
	}{
		{"3.10.0", "3.9.1", 1}, {"4.0", "4.0.0", 0}, {"4.0.0", "4.0.1", -1}, {"", "0.0", 0}, {"x", "1", -1},
		{"4.2.0-rc1", "4.2.0", 0}, {"99999999999999999999", "1", 1},
	} {
		if got := strimzi.CompareVersions(tc.a, tc.b); (got > 0) != (tc.sign > 0) || (got < 0) != (tc.sign < 0) {
			t.Errorf("%q and %q: want the sign of %d, got %d", tc.a, tc.b, tc.sign, got)
		}
	}
}

func TestKafkaImages(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"quay.io/strimzi/kafka:0.48.0-kafka-4.1.0": true, "mirror:5000/x/kafka:0.48.0-kafka-4.1.0": true,
		"quay.io/strimzi/operator:0.48.0": false, "apache/kafka:4.1.0": false, "": false,
	} {
		if got := strimzi.IsKafkaImage(name); got != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}
