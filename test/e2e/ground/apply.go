package ground

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

func groupKind(group, kind string) schema.GroupKind {
	return schema.GroupKind{Group: group, Kind: kind}
}

// documents reads the objects of a YAML stream.
func documents(raw []byte) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
	var found []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read YAML: %w", err)
		}
		if len(object.Object) > 0 {
			found = append(found, object)
		}
	}
}

// Apply creates or changes an object by server-side apply.
func (w *World) Apply(ctx context.Context, object *unstructured.Unstructured) error {
	resource, err := w.resource(object.GetAPIVersion(), object.GetKind(), object.GetNamespace())
	if err != nil {
		return err
	}
	body, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("apply %s %q: %w", object.GetKind(), object.GetName(), err)
	}
	force := true
	_, err = resource.Patch(ctx, object.GetName(), types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: "ground", Force: &force})
	if err != nil {
		return fmt.Errorf("apply %s %q: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}

func (w *World) resource(apiVersion, kind, namespace string) (dynamic.ResourceInterface, error) {
	mapping, err := w.mapping(apiVersion, kind)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return w.Dynamic.Resource(mapping.Resource).Namespace(namespace), nil
	}
	return w.Dynamic.Resource(mapping.Resource), nil
}

// ApplyYAML applies every object of a YAML stream in a namespace.
func (w *World) ApplyYAML(ctx context.Context, namespace, text string) error {
	objects, err := documents([]byte(text))
	if err != nil {
		return err
	}
	for _, object := range objects {
		if namespace != "" {
			object.SetNamespace(namespace)
		}
		if err := w.Apply(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// PolicyWorks waits until a pod that is only tried shows what an admission policy adds to pods of the namespace.
func (w *World) PolicyWorks(ctx context.Context, namespace, adds string) error {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "try-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "try", Image: "sandbox.test/pause:1"}}},
	}
	return Wait(ctx, time.Minute, "the policy adds "+adds, func(ctx context.Context) error {
		got, err := w.Client.CoreV1().Pods(namespace).
			Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			return err
		}
		raw, err := json.Marshal(got.Spec)
		if err != nil || !bytes.Contains(raw, []byte(adds)) {
			return errors.Join(errors.New("it does not yet"), err)
		}
		return nil
	})
}

// Namespace makes a namespace. labels may be nil.
func (w *World) Namespace(ctx context.Context, name string, labels map[string]string) error {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("v1")
	object.SetKind("Namespace")
	object.SetName(name)
	object.SetLabels(labels)
	return w.Apply(ctx, object)
}

// DeleteNamespace deletes a namespace and waits until it is gone. Once no pod is left it takes the Topic Operator's
// finalizer off the KafkaTopics, as a person has to where that operator went before them.
func (w *World) DeleteNamespace(ctx context.Context, name string) error {
	err := w.Client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete namespace %q: %w", name, err)
	}
	return Wait(ctx, 3*time.Minute, "namespace "+name+" is gone", func(ctx context.Context) error {
		_, err := w.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is still there"), err, w.releaseTopics(ctx, name))
	})
}

func (w *World) releaseTopics(ctx context.Context, namespace string) error {
	pods, err := w.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil || len(pods.Items) > 0 {
		return err
	}
	topics, err := w.resource("kafka.strimzi.io/"+w.apiVersion(), "KafkaTopic", namespace)
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := topics.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list KafkaTopics: %w", err)
	}
	for i := range list.Items {
		_, err := topics.Patch(ctx, list.Items[i].GetName(), types.MergePatchType,
			[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("let KafkaTopic %q go: %w", list.Items[i].GetName(), err)
		}
	}
	return nil
}

// Wait looks twice a second until it holds, the bound has passed or ctx ends; the error then tells what was last
// missing.
func Wait(ctx context.Context, bound time.Duration, what string, holds func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	last := holds(ctx)
	for last != nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w after %s: %w", what, ctx.Err(), bound, last)
		case <-time.After(500 * time.Millisecond):
		}
		if err := holds(ctx); ctx.Err() == nil {
			last = err
		}
	}
	return nil
}
