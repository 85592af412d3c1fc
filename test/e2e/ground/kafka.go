package ground

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/test/sandbox/cluster"
)

// Kafka is one Kafka cluster.
type Kafka struct {
	*World
	Namespace, Name string
	Pools           []Pool
	// Set is the StatefulSet that runs it without Strimzi; empty where Strimzi does.
	Set string
	// EntityOperator adds one, with a topic and users of its own; the double of the operator runs none.
	EntityOperator bool
}

// NewKafka describes a cluster of the recorded shape.
func (w *World) NewKafka(namespace, name string) *Kafka {
	return &Kafka{World: w, Namespace: namespace, Name: name, Pools: splitRoles()}
}

// Manifests are the resources a person would apply. They carry the annotations Strimzi up to 0.45 asks for.
func (k *Kafka) Manifests(paused bool) string {
	replication := min(3, k.brokers())
	annotations := "strimzi.io/kraft: enabled\n    strimzi.io/node-pools: enabled"
	if paused {
		annotations += "\n    strimzi.io/pause-reconciliation: \"true\""
	}
	pools := ""
	for _, p := range k.Pools {
		pools += k.manifest(p)
	}
	return pools + k.kafkaManifest(annotations, replication) + k.entities()
}

func (k *Kafka) kafkaManifest(annotations string, replication int) string {
	return fmt.Sprintf(`---
apiVersion: kafka.strimzi.io/%s
kind: Kafka
metadata:
  name: %s
  annotations:
    %s
spec:
  kafka:
    version: %s
    metadataVersion: %s
    listeners:
      - {name: plain, port: 9092, type: internal, tls: false}
      - {name: scram, port: %s, type: internal, tls: false, authentication: {type: scram-sha-512}}
%s    config:
      default.replication.factor: %d
      min.insync.replicas: %d
      offsets.topic.replication.factor: %d
      offsets.topic.num.partitions: 6
      transaction.state.log.replication.factor: %d
      transaction.state.log.min.isr: %d
`, k.apiVersion(), k.Name, annotations, k.KafkaVersion, metadataVersion(k.KafkaVersion), scramPort,
		k.tlsListener(), replication,
		max(1, replication-1), replication, replication, max(1, replication-1))
}

// apiVersion is v1 where it is served.
func (w *World) apiVersion() string {
	if _, err := w.mapping("kafka.strimzi.io/v1", "Kafka"); err == nil {
		return "v1"
	}
	return "v1beta2"
}

func metadataVersion(kafka string) string {
	line := strings.Join(strings.SplitN(kafka, ".", 3)[:2], ".")
	if version, ok := map[string]string{"4.1": "4.1-IV1", "4.2": "4.2-IV1", "4.3": "4.3-IV0"}[line]; ok {
		return version
	}
	return line + "-IV0"
}

// Volumes makes local volumes for the cluster's claims, with as many spare ones. Nothing is made when a storage class
// that provisions by itself was named.
func (k *Kafka) Volumes(ctx context.Context, spare int) error {
	if k.StorageClass != "" || k.Sandbox == nil {
		return nil
	}
	_, err := k.makeVolumes(ctx, k.Claims()+spare, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce})
	return err
}

// makeVolumes makes local volumes. They outlive a namespace, so a second run on the same sandbox needs names of its
// own.
func (k *Kafka) makeVolumes(
	ctx context.Context, count int, modes []corev1.PersistentVolumeAccessMode,
) ([]cluster.Volume, error) {
	if k.Sandbox == nil {
		return nil, ErrNoDisks
	}
	v := cluster.Volumes{
		Count: count, Class: "local", Size: "1Gi", Node: "node-0", ReclaimPolicy: "Retain",
		Prefix: fmt.Sprintf("%s-%s", k.Namespace, strconv.FormatInt(time.Now().UnixMilli(), 36)),
	}
	for _, mode := range modes {
		v.AccessModes = append(v.AccessModes, string(mode))
	}
	volumes, err := k.Sandbox.CreateVolumes(ctx, v)
	if err != nil {
		return nil, fmt.Errorf("make volumes: %w", err)
	}
	return volumes, nil
}

// Create applies the resources.
func (k *Kafka) Create(ctx context.Context, paused bool) error {
	return k.ApplyYAML(ctx, k.Namespace, k.Manifests(paused))
}

// DeleteResource deletes the Kafka resource alone. Its pools stay, and with them pods and claims; the Secrets of the
// certificate authorities go with it.
func (k *Kafka) DeleteResource(ctx context.Context) error { return k.deleteAll(ctx, "Kafka") }

func (k *Kafka) deleteAll(ctx context.Context, kind string) error {
	resource, err := k.resource("kafka.strimzi.io/"+k.apiVersion(), kind, k.Namespace)
	if err != nil {
		return err
	}
	if err := resource.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		return fmt.Errorf("delete %s: %w", kind, err)
	}
	return nil
}

// Delete deletes the Kafka resource and its pools, as kubectl delete does, and waits until their pods are gone. The
// claims stay: their deleteClaim is false.
func (k *Kafka) Delete(ctx context.Context) error {
	for _, kind := range []string{"Kafka", "KafkaNodePool"} {
		if err := k.deleteAll(ctx, kind); err != nil {
			return err
		}
	}
	return Wait(ctx, 4*time.Minute, "the pods are gone", func(ctx context.Context) error {
		pods, err := k.Pods(ctx)
		if err != nil {
			return err
		}
		if len(pods) > 0 {
			return fmt.Errorf("%d are left", len(pods))
		}
		return nil
	})
}

// Pods are the cluster's Kafka pods.
func (k *Kafka) Pods(ctx context.Context) ([]corev1.Pod, error) {
	of := labels.Set{"strimzi.io/cluster": k.Name, "strimzi.io/name": k.Name + "-kafka"}
	if k.Set != "" {
		of = labels.Set{"app": k.Set}
	}
	list, err := k.Client.CoreV1().Pods(k.Namespace).List(ctx, metav1.ListOptions{LabelSelector: of.String()})
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	return list.Items, nil
}

// Get is the Kafka resource.
func (k *Kafka) Get(ctx context.Context) (*unstructured.Unstructured, error) {
	resource, err := k.resource("kafka.strimzi.io/"+k.apiVersion(), "Kafka", k.Namespace)
	if err != nil {
		return nil, err
	}
	object, err := resource.Get(ctx, k.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("get Kafka %q: %w", k.Name, err)
	}
	return object, nil
}

// Snapshots are the VolumeSnapshots of the namespace.
func (k *Kafka) Snapshots(ctx context.Context) ([]unstructured.Unstructured, error) {
	resource, err := k.resource("snapshot.storage.k8s.io/v1", "VolumeSnapshot", k.Namespace)
	if err != nil {
		return nil, err
	}
	list, err := resource.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return list.Items, nil
}

// ClusterID is status.clusterId; empty when there is none.
func (k *Kafka) ClusterID(ctx context.Context) (string, error) {
	object, err := k.Get(ctx)
	if err != nil {
		return "", err
	}
	id, _, _ := unstructured.NestedString(object.Object, "status", "clusterId")
	return id, nil
}

// Condition returns nil when the status has a condition of the type that is "True" for the present generation. A
// paused resource's observedGeneration does not advance, so it is not looked at there.
func (k *Kafka) Condition(ctx context.Context, kind string) error {
	object, err := k.Get(ctx)
	if err != nil {
		return err
	}
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if condition["type"] != kind || condition["status"] != "True" {
			continue
		}
		if kind == "Ready" && observed != object.GetGeneration() {
			return fmt.Errorf("generation %d is Ready, not %d", observed, object.GetGeneration())
		}
		return nil
	}
	return fmt.Errorf("conditions are %v", conditions)
}

// WaitFor waits for a condition.
func (k *Kafka) WaitFor(ctx context.Context, kind string, bound time.Duration) error {
	return Wait(ctx, bound, fmt.Sprintf("Kafka %s/%s is %s", k.Namespace, k.Name, kind),
		func(ctx context.Context) error { return k.Condition(ctx, kind) })
}

// Patch is a merge patch of the Kafka resource.
func (k *Kafka) Patch(ctx context.Context, body string, subresources ...string) error {
	resource, err := k.resource("kafka.strimzi.io/"+k.apiVersion(), "Kafka", k.Namespace)
	if err != nil {
		return err
	}
	_, err = resource.Patch(ctx, k.Name, types.MergePatchType, []byte(body), metav1.PatchOptions{}, subresources...)
	if err != nil {
		return fmt.Errorf("patch Kafka %q: %w", k.Name, err)
	}
	return nil
}

// Layout is which volume each claim is bound to, by claim name.
func (k *Kafka) Layout(ctx context.Context) (map[string]string, error) {
	list, err := k.Client.CoreV1().PersistentVolumeClaims(k.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list claims: %w", err)
	}
	layout := map[string]string{}
	for i := range list.Items {
		layout[list.Items[i].Name] = list.Items[i].Spec.VolumeName
	}
	return layout, nil
}

// PodLog is what a pod's container says, of the run before the present one when there is none now.
func (k *Kafka) PodLog(ctx context.Context, pod string) (string, error) {
	var failed error
	for _, previous := range []bool{false, true} {
		lines := int64(200)
		raw, err := k.Client.CoreV1().Pods(k.Namespace).GetLogs(pod, &corev1.PodLogOptions{
			Container: "kafka", Previous: previous, TailLines: &lines,
		}).DoRaw(ctx)
		if err == nil && len(raw) > 0 {
			return string(raw), nil
		}
		failed = errors.Join(failed, err)
	}
	return "", failed
}

// WaitForCrash waits until a pod of the cluster crashed with the text in its log, and returns that line.
func (k *Kafka) WaitForCrash(ctx context.Context, text string, bound time.Duration) (line string, err error) {
	err = Wait(ctx, bound, fmt.Sprintf("a pod crashes with %q", text), func(ctx context.Context) error {
		pods, err := k.Pods(ctx)
		if err != nil {
			return err
		}
		for i := range pods {
			statuses := pods[i].Status.ContainerStatuses
			if len(statuses) == 0 || statuses[0].RestartCount == 0 {
				continue
			}
			log, _ := k.PodLog(ctx, pods[i].Name)
			for l := range strings.SplitSeq(log, "\n") {
				if strings.Contains(l, text) {
					line = l
					return nil
				}
			}
		}
		return fmt.Errorf("not seen in %d pods", len(pods))
	})
	return line, err
}

// DeletePods deletes all Kafka pods at once; the operator's pod set controller makes them again.
func (k *Kafka) DeletePods(ctx context.Context) error {
	pods, err := k.Pods(ctx)
	if err != nil {
		return err
	}
	for i := range pods {
		err := k.Client.CoreV1().Pods(k.Namespace).Delete(ctx, pods[i].Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete pod %q: %w", pods[i].Name, err)
		}
	}
	return nil
}
