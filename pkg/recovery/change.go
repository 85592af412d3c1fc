package recovery

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
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

// patch applies a merge patch to one object and returns it as stored. What the fields it touches were is journaled with
// it, so that it can be taken back.
func (w *writer) patch(
	ctx context.Context, step StepID, gvr schema.GroupVersionResource, object *unstructured.Unstructured,
	p strimzi.Patch,
) (*unstructured.Unstructured, error) {
	before, err := inverse(p.Body, object.Object)
	if err != nil {
		return nil, fmt.Errorf("patch %s: %w", refOf(object), err)
	}
	change := Change{
		Object: refOf(object), Verb: VerbPatch, Subresource: p.Subresource, Before: before, Patch: json.RawMessage(p.Body),
	}
	var stored *unstructured.Unstructured
	err = w.do(ctx, step, change, func() (err error) {
		stored, err = w.kube.Patch(ctx, gvr, object.GetNamespace(), object.GetName(), kube.Patch{
			Type: kube.MergePatch, Body: json.RawMessage(p.Body), Subresource: p.Subresource, UID: object.GetUID(),
			FieldManager: FieldManager,
		})
		return err
	})
	return stored, err
}

// createTries bounds how often a create whose outcome is unknown is sent again.
const createTries = 4

// create stores an object that carries the operation's label or annotation. One of that name with the same is this
// operation's own, made by a request whose answer was lost or by a run that died: it is taken as it is. The stored
// object is returned.
func (w *writer) create(
	ctx context.Context, step StepID, gvr schema.GroupVersionResource, object *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	body, err := json.Marshal(object.Object)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", refOf(object), err)
	}
	change := Change{Object: refOf(object), Verb: VerbCreate, Patch: body}
	var stored *unstructured.Unstructured
	err = w.change(ctx, step, &change, func() (err error) {
		if stored, err = createOwn(ctx, w.kube, gvr, object); err == nil {
			change.Object.UID = string(stored.GetUID())
		}
		return err
	})
	return stored, err
}

// createOwn creates an object, or finds the one of this operation that is there already.
func createOwn(
	ctx context.Context, k *kube.Client, gvr schema.GroupVersionResource, object *unstructured.Unstructured,
) (*unstructured.Unstructured, error) {
	for try := 1; ; try++ {
		stored, err := k.Create(ctx, gvr, object, false)
		if err == nil {
			return stored, nil
		}
		if !kube.IsAlreadyExists(err) && !kube.IsTransient(err) {
			return nil, err
		}
		found, gerr := k.Get(ctx, gvr, object.GetNamespace(), object.GetName())
		switch {
		case gerr == nil && sameOperation(found, object):
			return found, nil
		case gerr == nil, !kube.IsNotFound(gerr), try == createTries:
			return nil, err
		}
	}
}

// sameOperation tells whether two objects were made by one operation: by the label, or, on what stays when it is over,
// by the annotation.
func sameOperation(a, b *unstructured.Unstructured) bool {
	if of := b.GetLabels()[OperationLabel]; of != "" {
		return a.GetLabels()[OperationLabel] == of
	}
	of := b.GetAnnotations()[CreatedAnnotation]
	return of != "" && a.GetAnnotations()[CreatedAnnotation] == of
}

// remove deletes exactly this object, by its UID. One that is gone, or of which there is another by now, is no error.
func (w *writer) remove(
	ctx context.Context, step StepID, gvr schema.GroupVersionResource, object *unstructured.Unstructured,
) error {
	return w.do(ctx, step, Change{Object: refOf(object), Verb: VerbDelete}, func() error {
		err := w.kube.Delete(ctx, gvr, object.GetNamespace(), object.GetName(), kube.DeleteOptions{UID: object.GetUID()})
		if kube.IsNotFound(err) || kube.IsConflict(err) {
			return nil
		}
		return err
	})
}

// inverse returns what a merge patch would have to write to take it back: the values that the object has where the
// patch writes, nil where it has none. The preconditions in the metadata are no writes.
func inverse(patch []byte, object map[string]any) (map[string]any, error) {
	var body map[string]any
	if err := json.Unmarshal(patch, &body); err != nil {
		return nil, fmt.Errorf("read the patch: %w", err)
	}
	if meta, ok := body["metadata"].(map[string]any); ok {
		delete(meta, "resourceVersion")
		delete(meta, "uid")
		if len(meta) == 0 {
			delete(body, "metadata")
		}
	}
	return inverseOf(body, object), nil
}

func inverseOf(patch, object map[string]any) map[string]any {
	out := map[string]any{}
	for key, value := range patch {
		was, there := object[key]
		into, nested := value.(map[string]any)
		within, isMap := was.(map[string]any)
		switch {
		case nested && (isMap || !there):
			out[key] = inverseOf(into, within)
		case there:
			out[key] = runtime.DeepCopyJSONValue(was)
		default:
			out[key] = nil
		}
	}
	return out
}

// do journals change as an intent, makes it, and journals how it ended.
func (w *writer) do(ctx context.Context, step StepID, change Change, act func() error) error {
	return w.change(ctx, step, &change, act)
}

// change is do for an act that completes what is journaled of the object, such as the UID it was given.
func (w *writer) change(ctx context.Context, step StepID, change *Change, act func() error) error {
	if err := w.mayWrite(ctx); err != nil {
		return err
	}
	if change.Object.Kind == "Secret" {
		change.Before, change.Patch = nil, nil // safety contract, line 8
	}
	if err := w.journal.Append(ctx, string(step), PhaseIntent, "", *change); err != nil {
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
	if err := w.lock.held(ctx); err != nil {
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

// isOwn tells whether an object says that this operation made it.
func isOwn(u *unstructured.Unstructured, operation string) bool {
	return u.GetLabels()[OperationLabel] == operation || u.GetAnnotations()[CreatedAnnotation] == operation
}
