//go:build cluster

package operator_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kafkarecover/kafkarecover/test/operator"
	"github.com/kafkarecover/kafkarecover/test/operator/crds"
)

const kafkaImage = "quay.io/strimzi/kafka:1.2.0-kafka-4.2.0"

// kubeconfigEnv names the cluster the tests with build tag "cluster" run on.
const kubeconfigEnv = "TEST_KUBECONFIG"

// versionsEnv says which generation of Strimzi's API the cluster is to serve: "v1" (the default), "v1,v1beta2" or
// "v1beta2". Definitions belong to the whole cluster, so each generation is a run of its own.
const versionsEnv = "TEST_API_VERSIONS"

func served() crds.Versions {
	if versions := os.Getenv(versionsEnv); versions != "" {
		return crds.Versions(versions)
	}
	return crds.V1
}

// apiVersion is the version the double and the tests use.
func apiVersion() string {
	if served() == crds.V1Beta2 {
		return "v1beta2"
	}
	return "v1"
}

var (
	kafkas  = schema.GroupVersionResource{Group: "kafka.strimzi.io", Version: apiVersion(), Resource: "kafkas"}
	pools   = schema.GroupVersionResource{Group: "kafka.strimzi.io", Version: apiVersion(), Resource: "kafkanodepools"}
	podSets = schema.GroupVersionResource{Group: "core.strimzi.io", Version: apiVersion(), Resource: "strimzipodsets"}
)

// ground is one namespace of a real API server, with its own double.
type ground struct {
	*testing.T
	config    *rest.Config
	client    kubernetes.Interface
	dynamic   dynamic.Interface
	namespace string
	disks     string
}

func newGround(t *testing.T, namespace string) *ground {
	t.Helper()
	path := os.Getenv(kubeconfigEnv)
	if path == "" {
		t.Fatalf("%s names no kubeconfig: these tests need a real API server (make test brings one up)", kubeconfigEnv)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	check(t, err)
	config.QPS, config.Burst = 500, 1000
	g := &ground{T: t, config: config, namespace: namespace, disks: t.TempDir()}
	g.client, err = kubernetes.NewForConfig(config)
	check(t, err)
	g.dynamic, err = dynamic.NewForConfig(config)
	check(t, err)
	objects, err := crds.Generate(t.Context(), "", served())
	check(t, err)
	check(t, crds.Install(t.Context(), g.dynamic, objects))
	_, err = g.client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	check(t, err)
	t.Cleanup(func() {
		_ = g.client.CoreV1().Namespaces().Delete(context.Background(), namespace, metav1.DeleteOptions{})
		g.eventually("the namespace is gone", func(ctx context.Context) error {
			_, err := g.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("still there: %w", err)
		})
	})
	return g
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually tries until it holds. The bound only tells a hang from a slow machine: while Kafka clusters started beside
// it, a crash-loop took longer than 90 s to show.
func (g *ground) eventually(what string, holds func(context.Context) error) {
	g.Helper()
	if err := within(5*time.Minute, holds); err != nil {
		g.Fatalf("%s: never held: %v", what, err)
	}
}

// within returns nil as soon as it holds, else the last error.
func within(bound time.Duration, holds func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	last := holds(ctx)
	for last != nil {
		select {
		case <-ctx.Done():
			return last
		case <-time.After(20 * time.Millisecond):
		}
		if err := holds(ctx); ctx.Err() == nil {
			last = err
		}
	}
	return nil
}

// start runs a double with simulated nodes; the function returned stops it.
func (g *ground) start(adjust func(*operator.Options)) (*operator.Operator, context.CancelFunc) {
	g.Helper()
	options := operator.Options{
		Config: g.config, Namespaces: []string{g.namespace},
		KafkaImages:      map[string]string{"4.2.0": kafkaImage},
		OperationTimeout: 3 * time.Second, Interval: 2 * time.Second, LockTimeout: time.Second,
		Latency: time.Millisecond,
		Nodes: &operator.Simulated{
			Client: g.client, Disks: operator.FolderDisks(g.disks), BackOff: 200 * time.Millisecond,
			Poll: 20 * time.Millisecond,
		},
	}
	if served() == crds.V1Beta2 {
		options.Version = "0.48.0"
	}
	if adjust != nil {
		adjust(&options)
	}
	o, err := operator.New(options)
	check(g.T, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	stop := func() {
		cancel()
		if err := <-done; err != nil {
			g.Errorf("the double failed: %v", err)
		}
		done <- nil
	}
	g.Cleanup(stop)
	return o, stop
}

// volumes makes a volume for each claim named, bound to it beforehand: whatever the class "local" of the cluster waits
// for, such a claim binds at once.
func (g *ground) volumes(claims ...string) {
	g.Helper()
	for _, claim := range claims {
		name := g.namespace + "-" + claim
		_, err := g.client.CoreV1().PersistentVolumes().Create(g.Context(), &corev1.PersistentVolume{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.PersistentVolumeSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Capacity:    corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
				ClaimRef:    &corev1.ObjectReference{Namespace: g.namespace, Name: claim},
				PersistentVolumeSource: corev1.PersistentVolumeSource{
					HostPath: &corev1.HostPathVolumeSource{Path: "/tmp/never-mounted/" + name},
				},
				PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain, StorageClassName: "local",
			},
		}, metav1.CreateOptions{})
		check(g.T, err)
		g.Cleanup(func() {
			_ = g.client.CoreV1().PersistentVolumes().Delete(context.Background(), name, metav1.DeleteOptions{})
		})
	}
}

func (g *ground) kafka() *unstructured.Unstructured {
	g.Helper()
	found, err := g.dynamic.Resource(kafkas).Namespace(g.namespace).Get(g.Context(), "my-cluster", metav1.GetOptions{})
	check(g.T, err)
	return found
}

// create makes an object of a recording anew: without status and what the API server adds.
func (g *ground) create(gvr schema.GroupVersionResource, recorded map[string]any, annotations map[string]string) {
	g.Helper()
	fresh := &unstructured.Unstructured{Object: map[string]any{"spec": recorded["spec"]}}
	old := &unstructured.Unstructured{Object: recorded}
	fresh.SetAPIVersion(gvr.GroupVersion().String())
	fresh.SetKind(old.GetKind())
	fresh.SetName(old.GetName())
	fresh.SetNamespace(g.namespace)
	fresh.SetLabels(old.GetLabels())
	fresh.SetAnnotations(annotations)
	_, err := g.dynamic.Resource(gvr).Namespace(g.namespace).Create(g.Context(), fresh, metav1.CreateOptions{})
	check(g.T, err)
}

func (g *ground) pause(value string) {
	g.Helper()
	g.patch(fmt.Sprintf(`{"metadata":{"annotations":{"strimzi.io/pause-reconciliation":%q}}}`, value))
}

func (g *ground) patch(body string, subresources ...string) {
	g.Helper()
	_, err := g.dynamic.Resource(kafkas).Namespace(g.namespace).Patch(g.Context(), "my-cluster", types.MergePatchType,
		[]byte(body), metav1.PatchOptions{}, subresources...)
	check(g.T, err)
}

// condition waits until the Kafka resource's status shows the condition type as its only one and returns the status.
func (g *ground) condition(kind string) map[string]any {
	g.Helper()
	var status map[string]any
	g.eventually("condition "+kind, func(context.Context) error {
		status, _, _ = unstructured.NestedMap(g.kafka().Object, "status")
		conditions, _ := status["conditions"].([]any)
		for _, c := range conditions {
			if condition, _ := c.(map[string]any); condition["type"] == kind {
				return nil
			}
		}
		return fmt.Errorf("status is %v", status)
	})
	return status
}
