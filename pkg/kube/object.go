package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/dynamic"
)

// pageSize keeps one list answer of large objects (Kafka pods are 20 kB) well below a second of transfer.
const pageSize = 500

// ListOptions select objects.
type ListOptions struct {
	LabelSelector string
	FieldSelector string
}

// PatchType is how a patch's body is applied.
type PatchType = types.PatchType

// The patch types the tool uses. A merge patch may be sent twice; a JSON patch may not, so it is not repeated after a
// failure whose outcome is unknown.
const (
	MergePatch = types.MergePatchType
	JSONPatch  = types.JSONPatchType
)

// Patch is one change of one object.
type Patch struct {
	Type PatchType
	// Body is marshalled to JSON; json.RawMessage and []byte are sent as they are.
	Body any
	// Subresource is "status" or empty.
	Subresource string
	// ResourceVersion and UID are preconditions: where they do not hold, the server answers Conflict and nothing
	// changes. They are written into a merge patch's metadata; a JSON patch gets `test` operations in front.
	ResourceVersion string
	UID             types.UID
	// DryRun asks the server to do everything but store the result.
	DryRun bool
	// FieldManager names the writer in managedFields; empty means the client's user agent.
	FieldManager string
}

// DeleteOptions are preconditions and manner of a deletion.
type DeleteOptions struct {
	// UID and ResourceVersion are preconditions; the server answers Conflict where they do not hold.
	UID             types.UID
	ResourceVersion string
	// GraceSeconds nil means the object's own.
	GraceSeconds *int64
	DryRun       bool
	// Orphan leaves the dependents; otherwise they are collected in the background.
	Orphan bool
}

// As converts an object to a typed struct, such as corev1.Pod.
func As[T any](u *unstructured.Unstructured) (*T, error) {
	into := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, into); err != nil {
		return nil, fmt.Errorf("decode %s %q: %w", u.GetKind(), u.GetName(), err)
	}
	return into, nil
}

// From converts a typed struct to an object; gvk is what it says it is (typed structs usually carry none).
func From(gvk schema.GroupVersionKind, typed any) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", gvk.Kind, err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	unstructured.RemoveNestedField(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	return u, nil
}

// GetAs reads an object into a typed struct.
func GetAs[T any](ctx context.Context, c *Client, gvr schema.GroupVersionResource, ns, name string) (*T, error) {
	u, err := c.Get(ctx, gvr, ns, name)
	if err != nil {
		return nil, err
	}
	return As[T](u)
}

// ListAs lists objects as typed structs.
func ListAs[T any](
	ctx context.Context, c *Client, gvr schema.GroupVersionResource, ns string, opts ListOptions,
) ([]T, error) {
	list, err := c.List(ctx, gvr, ns, opts)
	if err != nil {
		return nil, err
	}
	typed := make([]T, 0, len(list.Items))
	for i := range list.Items {
		one, err := As[T](&list.Items[i])
		if err != nil {
			return nil, err
		}
		typed = append(typed, *one)
	}
	return typed, nil
}

// Get reads one object. ns is empty for cluster-scoped kinds.
func (c *Client) Get(
	ctx context.Context, gvr schema.GroupVersionResource, ns, name string,
) (u *unstructured.Unstructured, err error) {
	at := Error{Verb: "get", Resource: gvr, Namespace: ns, Name: name}
	err = c.do(ctx, at, func() error {
		u, err = c.in(gvr, ns).Get(ctx, name, metav1.GetOptions{})
		return err
	})
	return u, err
}

// List reads all objects of a kind, page by page; an empty ns means all namespaces. The list carries the
// resourceVersion of its first page, from which a watch misses nothing.
func (c *Client) List(
	ctx context.Context, gvr schema.GroupVersionResource, ns string, opts ListOptions,
) (*unstructured.UnstructuredList, error) {
	at := Error{Verb: "list", Resource: gvr, Namespace: ns}
	all := &unstructured.UnstructuredList{}
	page := metav1.ListOptions{
		LabelSelector: opts.LabelSelector, FieldSelector: opts.FieldSelector, Limit: pageSize,
	}
	for {
		var got *unstructured.UnstructuredList
		err := c.do(ctx, at, func() (err error) {
			got, err = c.in(gvr, ns).List(ctx, page)
			return err
		})
		if isExpired(err) && page.Continue != "" { // the pages outlived etcd's compaction: once more, in one piece
			page.Continue, page.Limit = "", 0
			all = &unstructured.UnstructuredList{}
			continue
		}
		if err != nil {
			return nil, err
		}
		if all.Object == nil {
			all.Object = got.Object
		}
		all.Items = append(all.Items, got.Items...)
		if page.Continue = got.GetContinue(); page.Continue == "" {
			all.SetContinue("")
			return all, nil
		}
	}
}

// Create stores a new object, or with dryRun has the server do everything but store it: admission runs, and the
// returned object is what would have been stored. It is not repeated after a failure whose outcome is unknown.
func (c *Client) Create(
	ctx context.Context, gvr schema.GroupVersionResource, obj *unstructured.Unstructured, dryRun bool,
) (*unstructured.Unstructured, error) {
	ns := obj.GetNamespace()
	w := Write{Verb: "create", Resource: gvr, Namespace: ns, Name: obj.GetName(), Object: obj}
	if u, done, err := c.delegated(ctx, &w, dryRun); done {
		return u, err
	}
	// Strict: a field that the server does not know would be dropped without a word, with what it was to say.
	opts := metav1.CreateOptions{DryRun: dryRunAll(dryRun), FieldValidation: metav1.FieldValidationStrict}
	u, err := c.in(gvr, ns).Create(ctx, obj, opts)
	if err != nil {
		return nil, &Error{Verb: "create", Resource: gvr, Namespace: ns, Name: obj.GetName(), Err: err}
	}
	return u, nil
}

// Update replaces an object; the resourceVersion in it is the precondition.
func (c *Client) Update(
	ctx context.Context, gvr schema.GroupVersionResource, obj *unstructured.Unstructured, dryRun bool,
) (*unstructured.Unstructured, error) {
	ns := obj.GetNamespace()
	u, err := c.in(gvr, ns).Update(ctx, obj, metav1.UpdateOptions{DryRun: dryRunAll(dryRun)})
	if err != nil {
		return nil, &Error{Verb: "update", Resource: gvr, Namespace: ns, Name: obj.GetName(), Err: err}
	}
	return u, nil
}

// Patch changes one object and returns it as stored.
func (c *Client) Patch(
	ctx context.Context, gvr schema.GroupVersionResource, ns, name string, p Patch,
) (u *unstructured.Unstructured, err error) {
	at := Error{Verb: "patch", Resource: gvr, Subresource: p.Subresource, Namespace: ns, Name: name}
	body, err := p.encode()
	if err != nil {
		at.Err = err
		return nil, &at
	}
	w := Write{
		Verb: at.Verb, Resource: gvr, Subresource: p.Subresource, Namespace: ns, Name: name, Type: p.Type, Body: body,
		UID: p.UID, ResourceVersion: p.ResourceVersion, FieldManager: p.FieldManager,
	}
	if u, done, err := c.delegated(ctx, &w, p.DryRun); done {
		return u, err
	}
	var sub []string
	if p.Subresource != "" {
		sub = append(sub, p.Subresource)
	}
	opts := metav1.PatchOptions{DryRun: dryRunAll(p.DryRun), FieldManager: p.FieldManager}
	send := func() error {
		u, err = c.in(gvr, ns).Patch(ctx, name, p.Type, body, opts, sub...)
		return err
	}
	if p.Type == JSONPatch && !p.DryRun {
		if err := send(); err != nil {
			at.Err = err
			return nil, &at
		}
		return u, nil
	}
	err = c.do(ctx, at, send)
	return u, err
}

// Delete removes one object. An object that is gone already is an error that IsNotFound knows.
func (c *Client) Delete(
	ctx context.Context, gvr schema.GroupVersionResource, ns, name string, opts DeleteOptions,
) error {
	w := Write{
		Verb: "delete", Resource: gvr, Namespace: ns, Name: name, UID: opts.UID, ResourceVersion: opts.ResourceVersion,
	}
	if _, done, err := c.delegated(ctx, &w, opts.DryRun); done {
		return err
	}
	propagation := metav1.DeletePropagationBackground
	if opts.Orphan {
		propagation = metav1.DeletePropagationOrphan
	}
	o := metav1.DeleteOptions{
		GracePeriodSeconds: opts.GraceSeconds, DryRun: dryRunAll(opts.DryRun), PropagationPolicy: &propagation,
	}
	if opts.UID != "" || opts.ResourceVersion != "" {
		o.Preconditions = &metav1.Preconditions{}
	}
	if opts.UID != "" {
		o.Preconditions.UID = &opts.UID
	}
	if opts.ResourceVersion != "" {
		o.Preconditions.ResourceVersion = &opts.ResourceVersion
	}
	at := Error{Verb: "delete", Resource: gvr, Namespace: ns, Name: name}
	return c.do(ctx, at, func() error { return c.in(gvr, ns).Delete(ctx, name, o) })
}

func (c *Client) in(gvr schema.GroupVersionResource, ns string) dynamic.ResourceInterface {
	if ns == "" {
		return c.dynamic.Resource(gvr)
	}
	return c.dynamic.Resource(gvr).Namespace(ns)
}

// do repeats a request that may safely be sent twice, and says in the error which object it was about.
func (c *Client) do(ctx context.Context, at Error, request func() error) error {
	if at.Err = c.repeat(ctx, request); at.Err != nil {
		return &at
	}
	return nil
}

// repeat sends a request that may safely be sent twice. A server that was never reached is not waited for: the address
// is more likely wrong than the server restarting.
func (c *Client) repeat(ctx context.Context, request func() error) error {
	err := c.opts.Retry.do(ctx, func() error {
		err := request()
		if err == nil || !utilnet.IsConnectionRefused(err) {
			c.reached.Store(true)
		} else if !c.reached.Load() {
			return permanent{err}
		}
		return err
	})
	if p, ok := err.(permanent); ok { //nolint:errorlint // set just above, never wrapped
		return p.error
	}
	if err != nil && outOfTime(err) {
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// outOfTime tells whether the client's own rate limiter refused to wait past the deadline of the context: it has no
// error value for that (golang.org/x/time/rate: Limiter.Wait), and it may say so a moment before the deadline.
func outOfTime(err error) bool { return strings.Contains(err.Error(), "would exceed context deadline") }

// permanent hides an error from IsTransient.
type permanent struct{ error }

func (p Patch) encode() ([]byte, error) {
	raw, err := rawBody(p.Body)
	if err != nil {
		return nil, err
	}
	if p.ResourceVersion == "" && p.UID == "" {
		return raw, nil
	}
	if p.Type == JSONPatch {
		return p.encodeTests(raw)
	}
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil {
		return nil, fmt.Errorf("a merge patch with preconditions must be a JSON object: %w", err)
	}
	meta, _ := body["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
	}
	if p.ResourceVersion != "" {
		meta["resourceVersion"] = p.ResourceVersion
	}
	if p.UID != "" {
		meta["uid"] = string(p.UID)
	}
	body["metadata"] = meta
	return json.Marshal(body)
}

func (p Patch) encodeTests(raw []byte) ([]byte, error) {
	var ops []json.RawMessage
	if err := json.Unmarshal(raw, &ops); err != nil {
		return nil, fmt.Errorf("a JSON patch must be a list of operations: %w", err)
	}
	var all []any
	if p.UID != "" {
		all = append(all, map[string]any{"op": "test", "path": "/metadata/uid", "value": string(p.UID)})
	}
	if p.ResourceVersion != "" {
		// replace, not test: the server turns a resourceVersion that is not current into Conflict, where a failed
		// test would be Invalid and could not be told from a wrong patch.
		all = append(all, map[string]any{
			"op": "replace", "path": "/metadata/resourceVersion", "value": p.ResourceVersion,
		})
	}
	for _, op := range ops {
		all = append(all, op)
	}
	return json.Marshal(all)
}

func rawBody(body any) ([]byte, error) {
	switch b := body.(type) {
	case json.RawMessage:
		return b, nil
	case []byte:
		return b, nil
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode patch: %w", err)
		}
		return raw, nil
	}
}

func dryRunAll(dry bool) []string {
	if dry {
		return []string{metav1.DryRunAll}
	}
	return nil
}
