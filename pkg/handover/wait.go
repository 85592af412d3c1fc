package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// Make implements kube.Delegate: it hands a write over and waits for its effect, however long that takes. What the API
// server would have refused is refused here as soon as it is seen, with the error that it gives.
func (b *Book) Make(ctx context.Context, w *kube.Write) (*unstructured.Unstructured, error) {
	shows, err := effect(w)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e := b.add(w)
	defer b.drop(e)
	go func() {
		select {
		case err := <-e.failed:
			cancel(err)
		case <-ctx.Done():
		}
	}()
	u, err := b.kube.WaitFor(ctx, kube.Wait{
		Resource: w.Resource, Namespace: w.Namespace, Name: w.Name,
		What: fmt.Sprintf("somebody else to %s %s %q", w.Verb, w.Resource.Resource, w.Name),
		Condition: func(u *unstructured.Unstructured) (bool, string, error) {
			done, err := shows(u)
			return done, "", err
		},
	})
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return nil, cause
	}
	return u, err
}

// effect returns what tells whether a write was made, by the object as it is, nil where it is not there. An error is
// that of a write that cannot be made any more.
func effect(w *kube.Write) (func(u *unstructured.Unstructured) (bool, error), error) {
	switch w.Verb {
	case "create":
		return func(u *unstructured.Unstructured) (bool, error) { return created(w, u) }, nil
	case "delete":
		return func(u *unstructured.Unstructured) (bool, error) {
			return u == nil || (w.UID != "" && u.GetUID() != w.UID) || u.GetDeletionTimestamp() != nil, nil
		}, nil
	}
	var patch map[string]any
	if err := utiljson.Unmarshal(w.Body, &patch); err != nil || w.Type != kube.MergePatch {
		return nil, errors.Join(fmt.Errorf("hand over a patch of %q: only merge patches can be", w.Name), err)
	}
	if meta, ok := patch["metadata"].(map[string]any); ok {
		delete(meta, "resourceVersion")
		delete(meta, "uid")
	}
	return func(u *unstructured.Unstructured) (bool, error) { return patched(w, patch, u) }, nil
}

// created tells whether the object is there, by all the labels and annotations that it was to have, the operation's
// among them: values elsewhere may have been written in another form by the server.
func created(w *kube.Write, u *unstructured.Unstructured) (bool, error) {
	if u == nil {
		return false, nil
	}
	if within(w.Object.GetLabels(), u.GetLabels()) && within(w.Object.GetAnnotations(), u.GetAnnotations()) {
		return true, nil
	}
	return false, apierrors.NewAlreadyExists(w.Resource.GroupResource(), w.Name)
}

func within(wanted, there map[string]string) bool {
	for k, v := range wanted {
		if got, ok := there[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// errChanged is why a patch that has a precondition cannot be made any more.
var errChanged = errors.New("the object was changed since it was handed over")

func patched(w *kube.Write, patch map[string]any, u *unstructured.Unstructured) (bool, error) {
	switch {
	case u == nil:
		return false, apierrors.NewNotFound(w.Resource.GroupResource(), w.Name)
	case w.UID != "" && u.GetUID() != w.UID:
		return false, apierrors.NewConflict(w.Resource.GroupResource(), w.Name, errChanged)
	case shown(patch, u.Object):
		return true, nil
	case w.ResourceVersion != "" && u.GetResourceVersion() != w.ResourceVersion:
		return false, apierrors.NewConflict(w.Resource.GroupResource(), w.Name, errChanged)
	}
	return false, nil
}

// shown tells whether an object is as a merge patch leaves it (RFC 7396): null means absent.
func shown(patch, object map[string]any) bool {
	for key, want := range patch {
		got, there := object[key]
		switch want := want.(type) {
		case nil:
			if there && got != nil {
				return false
			}
		case map[string]any:
			below, isMap := got.(map[string]any)
			if there && !isMap || !shown(want, below) {
				return false
			}
		default:
			if !there || !same(want, got) {
				return false
			}
		}
	}
	return true
}

func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
