package crds

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

func definitions() schema.GroupVersionResource {
	return schema.GroupVersionResource{
		Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
	}
}

// Install applies the definitions and waits until the cluster serves them.
func Install(ctx context.Context, client dynamic.Interface, objects []*unstructured.Unstructured) error {
	force := true
	for _, object := range objects {
		body, err := json.Marshal(object)
		if err != nil {
			return fmt.Errorf("install %q: %w", object.GetName(), err)
		}
		_, err = client.Resource(definitions()).Patch(ctx, object.GetName(), types.ApplyPatchType, body,
			metav1.PatchOptions{FieldManager: "crds", Force: &force})
		if err != nil {
			return fmt.Errorf("install %q: %w", object.GetName(), err)
		}
	}
	for _, object := range objects {
		if err := established(ctx, client, object.GetName()); err != nil {
			return err
		}
	}
	return nil
}

func established(ctx context.Context, client dynamic.Interface, name string) error {
	for {
		found, err := client.Resource(definitions()).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("wait for %q: %w", name, err)
		}
		conditions, _, _ := unstructured.NestedSlice(found.Object, "status", "conditions")
		for _, c := range conditions {
			condition, _ := c.(map[string]any)
			if condition["type"] == "Established" && condition["status"] == "True" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %q: %w", name, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
