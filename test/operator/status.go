package operator

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Failure is why a reconcile ended NotReady: Reason is the simple name of the exception the real operator throws.
type Failure struct{ Reason, Message string }

// Error returns the message as the condition carries it.
func (f *Failure) Error() string { return f.Message }

func failf(reason, format string, args ...any) error {
	return &Failure{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// apiFailure is how an answer of the API server arrives in a condition: fabric8's exception wrapped by the completion
// of a future (recorded with an exceeded quota).
func apiFailure(verb, path string, err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return failf("CompletionException", "io.fabric8.kubernetes.client.KubernetesClientException: %s", err)
	}
	return failf("CompletionException", "io.fabric8.kubernetes.client.KubernetesClientException: Failure executing: "+
		"%s at: %s. Message: %s.", verb, path, status.Status().Message)
}

func failureOf(err error) *Failure {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure
	}
	return &Failure{Reason: "CompletionException", Message: err.Error()}
}

func (o *Operator) timestamp() string { return o.clock.Now().UTC().Format(time.RFC3339Nano) }

func (o *Operator) condition(kind, reason, message string) map[string]any {
	c := map[string]any{"type": kind, "status": "True", "lastTransitionTime": o.timestamp()}
	if reason != "" {
		c["reason"], c["message"] = reason, message
	}
	return c
}

// getKafka returns nil when there is none.
func (o *Operator) getKafka(ctx context.Context, key Key) (*unstructured.Unstructured, error) {
	kafka, err := o.dynamic.Resource(o.at.kafkas).Namespace(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get Kafka %q: %w", key, err)
	}
	return kafka, nil
}

// writeStatus is AbstractOperator.updateStatus: it reads the resource again, by name, and replaces the whole status
// unless nothing but times would change. The resourceVersion is that of this second read, so whatever was written
// between the caller's read and this one is overwritten without a conflict.
func (o *Operator) writeStatus(ctx context.Context, key Key, desired map[string]any) error {
	current, err := o.getKafka(ctx, key)
	if err != nil {
		return err
	}
	if current == nil {
		return fmt.Errorf("write the status: current Kafka resource with name %s not found", key.Name)
	}
	return o.putStatus(ctx, o.at.kafkas, current, desired)
}

func (o *Operator) putStatus(
	ctx context.Context, gvr schema.GroupVersionResource, current *unstructured.Unstructured, desired map[string]any,
) error {
	have, _, _ := unstructured.NestedMap(current.Object, "status")
	if sameStatus(have, desired) {
		return nil
	}
	current = current.DeepCopy()
	current.Object["status"] = desired
	_, err := o.dynamic.Resource(gvr).Namespace(current.GetNamespace()).
		UpdateStatus(ctx, current, metav1.UpdateOptions{FieldManager: fieldManager})
	if err != nil {
		return fmt.Errorf("write the status of %s %q: %w", current.GetKind(), current.GetName(), err)
	}
	return nil
}

// sameStatus compares two statuses but for conditions' times (StatusDiff.java).
func sameStatus(a, b map[string]any) bool {
	return reflect.DeepEqual(timeless(a), timeless(b))
}

func timeless(status map[string]any) map[string]any {
	if status == nil {
		return map[string]any{}
	}
	status = runtime.DeepCopyJSON(status)
	conditions, _ := status["conditions"].([]any)
	for _, c := range conditions {
		if condition, ok := c.(map[string]any); ok {
			delete(condition, "lastTransitionTime")
		}
	}
	return status
}
