package kube

import (
	"context"
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Write is one change of one object, as it would be sent: what somebody else needs to make it.
type Write struct {
	// Verb is the RBAC verb: create, patch or delete.
	Verb        string
	Resource    schema.GroupVersionResource
	Subresource string
	// Namespace is empty for cluster-scoped kinds.
	Namespace, Name string
	// Object is what is created.
	Object *unstructured.Unstructured
	// Type and Body are a patch, with its preconditions in it.
	Type PatchType
	Body json.RawMessage
	// UID and ResourceVersion are the preconditions of a patch or a deletion; empty for none.
	UID             types.UID
	ResourceVersion string
	// FieldManager names the writer of a patch in managedFields; empty for the client's own default.
	FieldManager string
}

// Access is the permission that the write needs.
func (w *Write) Access() Access {
	return Access{
		Verb: w.Verb, Group: w.Resource.Group, Resource: w.Resource.Resource, Subresource: w.Subresource,
		Namespace: w.Namespace,
	}
}

// Delegate has writes made by somebody else.
type Delegate interface {
	// Takes tells whether a write is made by somebody else.
	Takes(ctx context.Context, w *Write) (bool, error)
	// Make has it made and returns the object as it was then stored, nil for one that was deleted. Its errors are those
	// that the API server gives: Conflict where a precondition does not hold any more, AlreadyExists, NotFound.
	Make(ctx context.Context, w *Write) (*unstructured.Unstructured, error)
}

// DelegateTo has the writes that d takes made by it, from now on. It is called before the client is used.
func (c *Client) DelegateTo(d Delegate) { c.delegate = d }

// delegated has a write made by the delegate. done is false where the client makes it itself. A dry run of a write that
// somebody else makes is not sent: nobody asks him to try.
func (c *Client) delegated(
	ctx context.Context, w *Write, dryRun bool,
) (u *unstructured.Unstructured, done bool, err error) {
	if c.delegate == nil {
		return nil, false, nil
	}
	takes, err := c.delegate.Takes(ctx, w)
	switch {
	case err != nil:
		return nil, true, err
	case !takes:
		return nil, false, nil
	case dryRun && w.Object != nil:
		return w.Object.DeepCopy(), true, nil
	case dryRun:
		u, err = c.Get(ctx, w.Resource, w.Namespace, w.Name)
		return u, true, err
	}
	u, err = c.delegate.Make(ctx, w)
	if err != nil && ctx.Err() == nil {
		err = &Error{
			Verb: w.Verb, Resource: w.Resource, Subresource: w.Subresource, Namespace: w.Namespace, Name: w.Name, Err: err,
		}
	}
	return u, true, err
}
