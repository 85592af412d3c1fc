//go:build cluster

package operator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/test/operator"
)

const otherID = "nj2gpqbHSfmvw-PQucA3Jg"

// up creates the recorded cluster in the ground's namespace.
func (g *ground) up(annotations map[string]string) {
	g.Helper()
	for _, pool := range recorded(g.T, "kafkanodepools.yaml") {
		g.create(pools, pool, nil)
	}
	g.create(kafkas, recorded(g.T, "kafka.yaml")[0], annotations)
}

var paused = map[string]string{"strimzi.io/pause-reconciliation": "true"}

func (g *ground) pool(name string) *unstructured.Unstructured {
	g.Helper()
	found, err := g.dynamic.Resource(pools).Namespace(g.namespace).Get(g.Context(), name, metav1.GetOptions{})
	check(g.T, err)
	return found
}

func (g *ground) pods() []corev1.Pod {
	g.Helper()
	list, err := g.client.CoreV1().Pods(g.namespace).List(g.Context(), metav1.ListOptions{})
	check(g.T, err)
	return list.Items
}

func clusterID(object *unstructured.Unstructured) string {
	id, _, _ := unstructured.NestedString(object.Object, "status", "clusterId")
	return id
}

// remove deletes the Kafka resource and its pools and waits for their pods to go.
func (g *ground) remove() {
	g.Helper()
	check(g.T, g.dynamic.Resource(kafkas).Namespace(g.namespace).Delete(g.Context(), "my-cluster", metav1.DeleteOptions{}))
	for _, name := range []string{"broker", "controller"} {
		check(g.T, g.dynamic.Resource(pools).Namespace(g.namespace).Delete(g.Context(), name, metav1.DeleteOptions{}))
	}
	g.eventually("the pods are gone", func(context.Context) error {
		if pods := g.pods(); len(pods) > 0 {
			return fmt.Errorf("%d are left", len(pods))
		}
		return nil
	})
}

// notReady returns the condition's reason and message once it is there.
func (g *ground) notReady(reason string) (message string) {
	g.Helper()
	g.eventually("NotReady with reason "+reason, func(context.Context) error {
		conditions, _, _ := unstructured.NestedSlice(g.kafka().Object, "status", "conditions")
		for _, c := range conditions {
			condition, _ := c.(map[string]any)
			if condition["type"] == "NotReady" && condition["reason"] == reason {
				message, _ = condition["message"].(string)
				return nil
			}
		}
		return fmt.Errorf("conditions are %v", conditions)
	})
	return message
}

func TestAnIDPatchedBetweenThePausedPathsReadsIsLost(t *testing.T) {
	t.Parallel()
	g := newGround(t, "race-a")
	patched := make(chan struct{})
	g.up(paused)
	g.start(func(o *operator.Options) {
		o.Hooks.PausedRead = func(context.Context, operator.Key) {
			select {
			case <-patched:
			default:
				g.patch(`{"status":{"clusterId":"`+recordedID+`"}}`, "status")
				close(patched)
			}
		}
	})
	<-patched
	if status := g.condition("ReconciliationPaused"); status["clusterId"] != nil {
		t.Errorf("race A: the paused status is built from the read before the patch and must not hold %v", status["clusterId"])
	}
	g.patchID(recordedID)
}

// patchID patches the ID of a paused resource until it stays: the operator answers its own status change with another
// paused reconcile, whose reads leave the same window, only shorter.
func (g *ground) patchID(id string) {
	g.Helper()
	g.eventually("the ID stays", func(context.Context) error {
		g.patch(`{"status":{"clusterId":"`+id+`"}}`, "status")
		g.marker()
		if now := clusterID(g.kafka()); now != id {
			return fmt.Errorf("it is %q", now)
		}
		return nil
	})
}

// marker writes a field the paused path drops and waits until it is dropped.
func (g *ground) marker() {
	g.Helper()
	g.patch(`{"status":{"operatorLastSuccessfulVersion":"marker"}}`, "status")
	g.eventually("the marker is dropped", func(context.Context) error {
		status, _, _ := unstructured.NestedMap(g.kafka().Object, "status")
		if status["operatorLastSuccessfulVersion"] != nil {
			return errors.New("it is still there")
		}
		return nil
	})
}

func TestAnIDPatchedDuringAReconcileIsLostInKafkaAndKeptInThePools(t *testing.T) {
	t.Parallel()
	g := newGround(t, "race-b")
	patched := make(chan struct{})
	g.start(func(o *operator.Options) {
		o.Hooks.Step = func(ctx context.Context, key operator.Key, step string) error {
			select {
			case <-patched:
				return nil
			default:
			}
			if step != "podSet" {
				return nil
			}
			defer close(patched)
			g.patch(`{"status":{"clusterId":"`+otherID+`"}}`, "status")
			for _, pool := range []string{"broker", "controller"} {
				_, err := g.dynamic.Resource(pools).Namespace(key.Namespace).Patch(ctx, pool, types.MergePatchType,
					[]byte(`{"status":{"clusterId":"`+otherID+`"}}`), metav1.PatchOptions{}, "status")
				if err != nil {
					return err
				}
			}
			g.pause("true")
			return errors.New("the reconcile in flight ends here")
		}
	})
	g.up(nil)
	<-patched
	g.condition("ReconciliationPaused")
	if id := clusterID(g.kafka()); id != "" {
		t.Errorf("race B: the final status comes from the snapshot of the start, which had no ID; got %q", id)
	}
	if id := clusterID(g.pool("broker")); id != otherID {
		t.Errorf("pools' statuses are written only at the start of a reconcile, so the patched ID stays; got %q", id)
	}
}

func TestAnEventIsDroppedWhenTheReconcileInFlightHoldsTheLock(t *testing.T) {
	t.Parallel()
	g := newGround(t, "locked")
	held, release := make(chan struct{}), make(chan struct{})
	first := true
	o, _ := g.start(func(o *operator.Options) {
		o.LockTimeout = 50 * time.Millisecond
		o.Hooks.Step = func(context.Context, operator.Key, string) error {
			if first {
				first = false
				close(held)
				<-release
			}
			return nil
		}
	})
	g.up(nil)
	<-held
	err := o.Reconcile(t.Context(), operator.Key{Namespace: g.namespace, Name: "my-cluster"}, "test")
	if !errors.Is(err, operator.ErrLocked) {
		t.Errorf("a second reconcile is dropped after the lock timeout, got %v", err)
	}
	close(release)
	g.condition("Ready")
}

func TestDeletedPodsComeBackWhilePaused(t *testing.T) {
	t.Parallel()
	g := newGround(t, "paused-pods")
	g.start(nil)
	g.up(nil)
	g.condition("Ready")
	g.pause("true")
	g.condition("ReconciliationPaused")
	before, err := g.client.CoreV1().Pods(g.namespace).Get(t.Context(), "my-cluster-broker-0", metav1.GetOptions{})
	check(t, err)
	check(t, g.client.CoreV1().Pods(g.namespace).Delete(t.Context(), before.Name, metav1.DeleteOptions{}))
	g.eventually("the pod set controller, which knows no pause, makes the pod again", func(ctx context.Context) error {
		now, err := g.client.CoreV1().Pods(g.namespace).Get(ctx, before.Name, metav1.GetOptions{})
		if err == nil && now.UID == before.UID {
			return errors.New("it is still the old one")
		}
		return err
	})
}

func TestANaiveRecreationCrashLoopsOnARandomID(t *testing.T) {
	t.Parallel()
	g := newGround(t, "naive")
	g.start(nil)
	g.up(nil)
	status := g.condition("Ready")
	lost := fmt.Sprint(status["clusterId"])
	g.remove()
	g.up(nil)
	g.eventually("a pod crash-loops", func(context.Context) error {
		for _, pod := range g.pods() {
			for _, c := range pod.Status.ContainerStatuses {
				if c.LastTerminationState.Terminated != nil &&
					strings.HasPrefix(c.LastTerminationState.Terminated.Message, "Invalid cluster.id in: ") {
					return nil
				}
			}
		}
		return errors.New("none does")
	})
	random := clusterID(g.pool("broker"))
	if random == "" || random == lost {
		t.Errorf("the pools carry a new random ID early, got %q, lost was %q", random, lost)
	}
	if message := g.notReady("StrimziTimeoutException"); message != "Exceeded timeout of 3000ms while waiting for Pods resource "+
		"my-cluster-broker-0 in namespace naive to be ready" {
		t.Errorf("message is %q", message)
	}
	if id := clusterID(g.kafka()); id != "" {
		t.Errorf("nothing runs, so Kafka.status.clusterId stays empty; got %q", id)
	}
	g.pause("true")
	g.condition("ReconciliationPaused")
	g.patchID(lost)
	g.pause("false")
	if status := g.condition("Ready"); status["clusterId"] != lost {
		t.Errorf("Kafka.status.clusterId wins over the pools' random one: got %v, want %s", status["clusterId"], lost)
	}
	if id := clusterID(g.pool("broker")); id != lost {
		t.Errorf("the pools follow: got %q", id)
	}
}

func TestAQuotaTurnsShiftedNodeIDsIntoALoudFailure(t *testing.T) {
	t.Parallel()
	g := newGround(t, "quota")
	g.start(nil)
	g.up(nil)
	g.condition("Ready")
	g.remove()
	count := resource.MustParse("9")
	_, err := g.client.CoreV1().ResourceQuotas(g.namespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "guard"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/persistentvolumeclaims": count}},
	}, metav1.CreateOptions{})
	check(t, err)
	g.eventually("the quota counts the claims", func(ctx context.Context) error {
		quota, err := g.client.CoreV1().ResourceQuotas(g.namespace).Get(ctx, "guard", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if used := quota.Status.Used["count/persistentvolumeclaims"]; used.Value() != 9 {
			return fmt.Errorf("it counts %s", used.String())
		}
		return nil
	})
	for i, pool := range recorded(t, "kafkanodepools.yaml") {
		g.create(pools, pool, map[string]string{"strimzi.io/next-node-ids": []string{"[10-12]", "[13-15]"}[i]})
	}
	g.create(kafkas, recorded(t, "kafka.yaml")[0], nil)
	message := g.notReady("CompletionException")
	for _, part := range []string{
		`persistentvolumeclaims "data-`, `is forbidden: exceeded quota: guard`, "used: count/persistentvolumeclaims=9",
		"limited: count/persistentvolumeclaims=9",
	} {
		if !strings.Contains(message, part) {
			t.Errorf("the message lacks %q: %s", part, message)
		}
	}
	if pods := g.pods(); len(pods) > 0 {
		t.Errorf("no pod may exist after a claim was refused, there are %d", len(pods))
	}
}

func TestASuccessfulReconcileDeletesClaimsThatSaySoThemselves(t *testing.T) {
	t.Parallel()
	g := newGround(t, "delete-claims")
	labels := map[string]string{
		"strimzi.io/cluster": "my-cluster", "strimzi.io/kind": "Kafka", "strimzi.io/name": "my-cluster-kafka",
	}
	for name, value := range map[string]string{"data-0-my-cluster-broker-8": "true", "data-0-my-cluster-broker-9": "false"} {
		_, err := g.client.CoreV1().PersistentVolumeClaims(g.namespace).Create(t.Context(), &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{
				Name: name, Labels: labels, Annotations: map[string]string{"strimzi.io/delete-claim": value},
			},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources: corev1.VolumeResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
				},
			},
		}, metav1.CreateOptions{})
		check(t, err)
	}
	g.start(nil)
	g.up(nil)
	g.condition("Ready")
	list, err := g.client.CoreV1().PersistentVolumeClaims(g.namespace).List(t.Context(), metav1.ListOptions{})
	check(t, err)
	for _, c := range list.Items {
		if c.Name == "data-0-my-cluster-broker-8" && c.DeletionTimestamp == nil {
			t.Error(`an unused claim with delete-claim "true" is deleted`)
		}
	}
	if len(list.Items) < 10 {
		t.Errorf(`nine claims of the cluster and the one with delete-claim "false" stay, got %d`, len(list.Items))
	}
}

func TestOnlyTheKafkaResourceDeletedDoesNotHealByItself(t *testing.T) {
	t.Parallel()
	g := newGround(t, "kafka-only")
	g.start(nil)
	g.up(nil)
	lost := fmt.Sprint(g.condition("Ready")["clusterId"])
	check(t, g.dynamic.Resource(kafkas).Namespace(g.namespace).Delete(t.Context(), "my-cluster", metav1.DeleteOptions{}))
	g.eventually("the CA Secrets go with their owner", func(ctx context.Context) error {
		list, err := g.client.CoreV1().Secrets(g.namespace).List(ctx, metav1.ListOptions{})
		if err != nil || len(list.Items) > 0 {
			return fmt.Errorf("%d are left: %w", len(list.Items), err)
		}
		return nil
	})
	if pods := g.pods(); len(pods) != 6 {
		t.Fatalf("pods are owned by the pools' pod sets and keep running, got %d", len(pods))
	}
	g.create(kafkas, recorded(t, "kafka.yaml")[0], nil)
	if m := g.notReady("UnforceableProblem"); m != "An error while trying to determine the active controller" {
		t.Errorf("message is %q", m)
	}
	check(t, g.client.CoreV1().Pods(g.namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	if status := g.condition("Ready"); status["clusterId"] != lost {
		t.Errorf("the pools' statuses bring the ID back: got %v, want %s", status["clusterId"], lost)
	}
}

func TestAnEmptyClusterIDCountsAsSet(t *testing.T) {
	t.Parallel()
	g := newGround(t, "empty-id")
	g.start(nil)
	g.up(paused)
	g.condition("ReconciliationPaused")
	g.patch(`{"status":{"clusterId":""}}`, "status")
	g.marker()
	g.pause("false")
	g.eventually("a ConfigMap carries the empty ID", func(ctx context.Context) error {
		found, err := g.client.CoreV1().ConfigMaps(g.namespace).Get(ctx, "my-cluster-broker-0", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if id, ok := found.Data["cluster.id"]; !ok || id != "" {
			return fmt.Errorf("cluster.id is %q", id)
		}
		return nil
	})
}
