package operator

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pollInterval is how often the real operator looks at a pod it waits for.
const pollInterval = time.Second

// waitForPods waits for all at the same time, each for the operation timeout, and fails with the first in order that
// did not become ready.
func (r *reconciliation) waitForPods(ctx context.Context, names []string) error {
	deadline := r.clock.Now().Add(r.options.OperationTimeout)
	for {
		late := ""
		for _, name := range names {
			if pod, err := r.getPod(ctx, name); err == nil && pod != nil && podReady(pod) {
				continue
			}
			late = name
			break
		}
		if late == "" {
			return nil
		}
		if !r.clock.Now().Before(deadline) {
			return failf("StrimziTimeoutException",
				"Exceeded timeout of %dms while waiting for Pods resource %s in namespace %s to be ready",
				r.options.OperationTimeout.Milliseconds(), late, r.key.Namespace)
		}
		if !r.sleep(ctx, pollInterval) {
			return ctx.Err()
		}
	}
}

// getPod returns nil when there is none.
func (r *reconciliation) getPod(ctx context.Context, name string) (*corev1.Pod, error) {
	pod, err := r.typed.CoreV1().Pods(r.key.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return pod, err
}

func podReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// podStuck is KafkaRoller.isPodStuck.
func podStuck(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse &&
			c.Reason == corev1.PodReasonUnschedulable && pod.Status.Phase == corev1.PodPending {
			return true
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == "kafka" && c.State.Waiting != nil {
			return slices.Contains(
				[]string{"CrashLoopBackOff", "ImagePullBackOff", "ContainerCreating", "InvalidImageName"},
				c.State.Waiting.Reason)
		}
	}
	return false
}

// rollingUpdate goes through all pods, controllers first, and restarts those whose revision is old (KafkaRoller.java).
// A pod that runs with a certificate of another authority cannot be asked who leads, so nothing can be rolled: this is
// how a cluster stays NotReady whose Kafka resource alone was deleted and made again.
func (r *reconciliation) rollingUpdate(ctx context.Context) error {
	order := controllers(r.nodes)
	for _, n := range r.nodes {
		if !n.pool.hasRole("controller") {
			order = append(order, n)
		}
	}
	for _, n := range order {
		if err := r.rollIfNeeded(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (r *reconciliation) rollIfNeeded(ctx context.Context, n node) error {
	name := n.podName()
	pod, err := r.getPod(ctx, name)
	if err != nil || pod == nil {
		return nil //nolint:nilerr // the real one leaves a missing pod to the pod set controller, and the wait after this
	}
	desired, err := r.pod(n)
	if err != nil {
		return err
	}
	annotations, _ := desired["metadata"].(map[string]any)["annotations"].(map[string]any)
	oldRevision := pod.Annotations[annotationRevision] != annotations[annotationRevision]
	foreignCert := pod.Annotations[annotationServerCert] != annotations[annotationServerCert]
	if podStuck(pod) {
		if !oldRevision {
			return failf("FatalProblem", "Pod is unschedulable or is not starting")
		}
		return r.restart(ctx, pod)
	}
	if err := r.waitForPods(ctx, []string{name}); err != nil {
		r.log.Warn("pod is not ready; looking whether it needs a restart", "pod", name)
		if !oldRevision && !foreignCert {
			return failf("FatalProblem", "Error while waiting for non-restarted pod %s to become ready", name)
		}
	}
	switch {
	case foreignCert:
		return failf("UnforceableProblem", "An error while trying to determine the active controller")
	case oldRevision:
		return r.restart(ctx, pod)
	}
	return nil
}

// restart deletes the pod and waits until the pod set controller's new one is ready.
func (r *reconciliation) restart(ctx context.Context, pod *corev1.Pod) error {
	r.log.Info("rolling pod", "pod", pod.Name)
	uid := pod.UID
	err := r.typed.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return apiFailure("DELETE", fmt.Sprintf("/api/v1/namespaces/%s/pods/%s", pod.Namespace, pod.Name), err)
	}
	return r.waitForPods(ctx, []string{pod.Name})
}

func (r *reconciliation) podsReady(ctx context.Context) error {
	return r.waitForPods(ctx, podNames(r.nodes))
}
