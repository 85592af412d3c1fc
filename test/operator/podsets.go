package operator

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
)

// podSetController keeps the pods of every StrimziPodSet there. It does not look at the pause annotation at all: a
// pod deleted while the Kafka resource is paused comes back. It stops only when the Kafka resource is gone or the pod
// set is being deleted.
type podSetController struct {
	*Operator
	queue workqueue.TypedRateLimitingInterface[Key]
}

func newPodSetController(o *Operator) *podSetController {
	return &podSetController{o, workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[Key]())}
}

func (c *podSetController) changed(key Key) { c.queue.Add(key) }

func (c *podSetController) podChanged(pod *unstructured.Unstructured) {
	if set := pod.GetLabels()["strimzi.io/controller-name"]; set != "" {
		c.queue.Add(Key{pod.GetNamespace(), set})
	}
}

// clusterChanged looks at the pod sets of a Kafka resource again, for they are ignored while there is none.
func (c *podSetController) clusterChanged(ctx context.Context, key Key) {
	list, err := c.dynamic.Resource(c.at.podSets).Namespace(key.Namespace).
		List(ctx, metav1.ListOptions{LabelSelector: labels.Set{labelCluster: key.Name}.String()})
	if err != nil {
		return
	}
	for i := range list.Items {
		c.queue.Add(keyOf(&list.Items[i]))
	}
}

func (c *podSetController) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, c.queue.ShutDown)
	defer stop()
	for {
		key, done := c.queue.Get()
		if done {
			return
		}
		if err := c.reconcile(ctx, key); err != nil && ctx.Err() == nil {
			c.log.Debug("pod set reconciliation failed", "podset", key.String(), "error", err)
			c.queue.AddRateLimited(key)
		} else {
			c.queue.Forget(key)
		}
		c.queue.Done(key)
	}
}

func (c *podSetController) reconcile(ctx context.Context, key Key) error {
	set, err := c.dynamic.Resource(c.at.podSets).Namespace(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("get StrimziPodSet %q: %w", key, err)
	}
	kafka, err := c.getKafka(ctx, Key{key.Namespace, set.GetLabels()[labelCluster]})
	if err != nil || kafka == nil || set.GetDeletionTimestamp() != nil {
		return err
	}
	status, failed := c.keepPods(ctx, set)
	if err := c.putStatus(ctx, c.at.podSets, set, status); err != nil && !apierrors.IsConflict(err) {
		return err
	}
	return failed
}

// keepPods creates what is missing, removes what is too much, and counts.
func (c *podSetController) keepPods(ctx context.Context, set *unstructured.Unstructured) (map[string]any, error) {
	desired, _, _ := unstructured.NestedSlice(set.Object, "spec", "pods")
	wanted := map[string]bool{}
	var ready, current int64
	var failed error
	for _, value := range desired {
		pod := &corev1.Pod{}
		object, _ := value.(map[string]any)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, pod); err != nil {
			return nil, fmt.Errorf("read a pod of StrimziPodSet %q: %w", set.GetName(), err)
		}
		wanted[pod.Name] = true
		pod.Namespace = set.GetNamespace()
		pod.OwnerReferences = []metav1.OwnerReference{ownedBy(set, true)}
		found, err := c.keepPod(ctx, pod)
		if err != nil {
			failed = err
			continue
		}
		if found != nil && podReady(found) {
			ready++
		}
		if found != nil && found.Annotations[annotationRevision] == pod.Annotations[annotationRevision] {
			current++
		}
	}
	extra, err := c.removeExtra(ctx, set, wanted)
	if err != nil {
		failed = err
	}
	return map[string]any{
		"observedGeneration": set.GetGeneration(), "pods": int64(len(desired)) + extra, "readyPods": ready,
		"currentPods": current,
	}, failed
}

// keepPod returns the pod that was there, or nil when it was created just now.
func (c *podSetController) keepPod(ctx context.Context, desired *corev1.Pod) (*corev1.Pod, error) {
	pods := c.typed.CoreV1().Pods(desired.Namespace)
	found, err := pods.Get(ctx, desired.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = pods.Create(ctx, desired, metav1.CreateOptions{FieldManager: fieldManager})
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	if found.Status.Phase == corev1.PodSucceeded || found.Status.Phase == corev1.PodFailed {
		return nil, pods.Delete(ctx, found.Name, metav1.DeleteOptions{})
	}
	return found, nil
}

func (c *podSetController) removeExtra(
	ctx context.Context, set *unstructured.Unstructured, wanted map[string]bool,
) (int64, error) {
	selector, _, _ := unstructured.NestedStringMap(set.Object, "spec", "selector", "matchLabels")
	if len(selector) == 0 {
		return 0, nil
	}
	pods := c.typed.CoreV1().Pods(set.GetNamespace())
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: labels.Set(selector).String()})
	if err != nil {
		return 0, err
	}
	var extra int64
	for i := range list.Items {
		if wanted[list.Items[i].Name] {
			continue
		}
		extra++
		if err := pods.Delete(ctx, list.Items[i].Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return extra, err
		}
	}
	return extra, nil
}
