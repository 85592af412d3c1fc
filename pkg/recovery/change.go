package recovery

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// writer makes every write of an operation: it refuses when the lock is lost, journals the change before it is made and
// its result after, and names itself as field manager. Nothing else in this package writes to the API server, but for
// the lock and the journal's own copy.
type writer struct {
	kube    *kube.Client
	journal *Journal
	lock    *lock
}

// patch applies a merge patch to one object and returns it as stored. before are the fields that the patch touches.
func (w *writer) patch(
	ctx context.Context, step StepID, gvr schema.GroupVersionResource, object *unstructured.Unstructured,
	p strimzi.Patch, before map[string]any,
) (*unstructured.Unstructured, error) {
	change := Change{
		Object: refOf(object), Verb: "patch", Subresource: p.Subresource, Before: before, Patch: json.RawMessage(p.Body),
	}
	var stored *unstructured.Unstructured
	err := w.do(ctx, step, change, func() (err error) {
		stored, err = w.kube.Patch(ctx, gvr, object.GetNamespace(), object.GetName(), kube.Patch{
			Type: kube.MergePatch, Body: json.RawMessage(p.Body), Subresource: p.Subresource, UID: object.GetUID(),
			FieldManager: FieldManager,
		})
		return err
	})
	return stored, err
}

// do journals change as an intent, makes it, and journals how it ended.
func (w *writer) do(ctx context.Context, step StepID, change Change, act func() error) error {
	if err := w.mayWrite(ctx); err != nil {
		return err
	}
	if err := w.journal.Append(ctx, string(step), PhaseIntent, "", change); err != nil {
		return fmt.Errorf("not done, because it could not be journaled: %w", err)
	}
	if err := act(); err != nil {
		// Recorded also when the run was interrupted: whoever goes on must not take it for done.
		_ = w.journal.Append(context.WithoutCancel(ctx), string(step), PhaseFailed, err.Error(), Change{
			Object: change.Object, Verb: change.Verb, Subresource: change.Subresource,
		})
		return err
	}
	return w.journal.Append(context.WithoutCancel(ctx), string(step), PhaseDone, "", Change{
		Object: change.Object, Verb: change.Verb, Subresource: change.Subresource,
	})
}

func (w *writer) mayWrite(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.lock == nil {
		return nil
	}
	if err := w.lock.held(); err != nil {
		return fmt.Errorf("stop before the next change: %w", err)
	}
	return nil
}

func refOf(u *unstructured.Unstructured) ObjectRef {
	return ObjectRef{
		APIVersion: u.GetAPIVersion(), Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName(),
		UID: string(u.GetUID()), ResourceVersion: u.GetResourceVersion(),
	}
}
