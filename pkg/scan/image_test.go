package scan_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
)

func TestTheImageOfTemporaryPods(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change  func(w *world)
		flag    string
		want    string
		origin  string
		secrets []string
	}{
		"named": {
			func(*world) {}, "mirror.test/busybox:1", "mirror.test/busybox:1", "named by --image or the configuration", nil,
		},
		"what the pods run": {func(*world) {}, "", operatorImage, `what pod "my-cluster-broker-0" runs`, nil},
		"not what a pod cannot pull": {func(w *world) {
			set(w.lists["pods"][0], "Pending", "status", "phase")
			set(w.lists["kafkas"][0], "mirror.test/own:1", "spec", "kafka", "image")
		}, "", "mirror.test/own:1", `spec.kafka.image of kafka "my-cluster"`, nil},
		"of the Kafka resource": {func(w *world) {
			set(w.without("pods").lists["kafkas"][0], "mirror.test/own:1", "spec", "kafka", "image")
		}, "", "mirror.test/own:1", `spec.kafka.image of kafka "my-cluster"`, nil},
		"of the operator": {func(w *world) { w.without("pods") }, "", operatorImage,
			`the Kafka image of operator "operators/strimzi-cluster-operator"`, []string{"mirror"}},
		"one of the operator's that a node has": {func(w *world) {
			set(w.without("pods").lists["kafkas"][0], nil, "spec", "kafka", "version")
			set(w.lists["kafkas"][0], nil, "status", "kafkaVersion")
			w.lists["nodes"] = []map[string]any{{
				"metadata": map[string]any{"name": "worker-1"},
				"status": map[string]any{"images": []any{map[string]any{"names": []any{
					"quay.io/strimzi/kafka@sha256:0", "quay.io/strimzi/kafka:1.2.0-kafka-4.1.1",
				}}}},
			}}
		}, "", "quay.io/strimzi/kafka:1.2.0-kafka-4.1.1",
			`the Kafka image of operator "operators/strimzi-cluster-operator", which node "worker-1" has`, []string{"mirror"}},
		"the operator's newest where no node has one": {func(w *world) {
			set(w.without("pods").lists["kafkas"][0], nil, "spec", "kafka", "version")
			set(w.lists["kafkas"][0], nil, "status", "kafkaVersion")
		}, "", operatorImage, `the Kafka image of operator "operators/strimzi-cluster-operator"`, []string{"mirror"}},
		"on a node": {func(w *world) {
			w.without("pods", "deployments").lists["nodes"] = []map[string]any{{
				"metadata": map[string]any{"name": "worker-1"},
				"status": map[string]any{"images": []any{
					map[string]any{"names": []any{"registry.test/nginx:1"}},
					map[string]any{"names": []any{"registry.test/mirrored/kafka:1.2.0-kafka-4.2.0"}},
				}},
			}}
		}, "", "registry.test/mirrored/kafka:1.2.0-kafka-4.2.0", `found on node "worker-1"`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := recording(t)
			tc.change(w)
			var sent map[string]any
			w.admit = func(pod map[string]any) (int, map[string]any) {
				sent = pod
				return http.StatusForbidden, failure(http.StatusForbidden, "Forbidden", "admission says no")
			}
			var told probe.ImageOffer
			s := look(t, w, scan.Targets{Namespace: "kafka"}, scan.Options{
				Via: scan.Pod, Operation: operation, Image: tc.flag, Parallel: 1,
				OnImage: func(i probe.ImageOffer) { told = i },
			})
			want := probe.ImageOffer{Image: tc.want, Origin: tc.origin, PullSecrets: tc.secrets}
			if diff := cmp.Diff(&want, s.Clusters[0].Image); diff != "" {
				t.Errorf("image (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if got := object.String(object.Maps(sent, "spec", "containers")[0], "image"); got != tc.want {
				t.Errorf("the pod runs %q, want %q", got, tc.want)
			}
			if len(s.Clusters[0].Changed) > 0 {
				t.Errorf("a policy that refuses changes nothing, got %q", s.Clusters[0].Changed)
			}
		})
	}
	t.Run("nowhere", func(t *testing.T) {
		t.Parallel()
		w := recording(t).without("pods", "deployments")
		_, err := scan.Kubernetes(t.Context(), w.client(), scan.Targets{Namespace: "kafka"}, at(),
			scan.Options{Operation: operation})
		if !errors.Is(err, probe.ErrNoImage) || !strings.Contains(err.Error(), "--image") {
			t.Errorf("a public image is never taken unasked: got %v", err)
		}
	})
}
