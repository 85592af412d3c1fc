package kube

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// EventType tells what an Event reports.
type EventType string

// What a followed set of objects can report. Reset means that what was known is forgotten: the objects that exist now
// follow as Added, then Synced; one that did not follow by then was deleted while nobody watched.
const (
	Reset    EventType = "RESET"
	Synced   EventType = "SYNCED"
	Added    EventType = "ADDED"
	Modified EventType = "MODIFIED"
	Deleted  EventType = "DELETED"
)

// Event is one change of a followed object; Object is nil for Reset and Synced.
type Event struct {
	Type   EventType
	Object *unstructured.Unstructured
}

const (
	pollEvery     = time.Second // where watching is forbidden or not served
	shortestPause = 100 * time.Millisecond
	longestPause  = 5 * time.Second
)

// Handler is called for each event, one at a time. Returning true or an error ends the following.
type Handler func(Event) (done bool, err error)

// Follow lists the selected objects and then watches them, re-listing whenever the watch cannot be resumed, until
// handle returns true, handle or a list fails, or ctx ends. Closed watches, expired resource versions and a
// restarting API server are normal and invisible to handle, but for a Reset. Where watching is forbidden it lists
// once a second instead.
func (c *Client) Follow(
	ctx context.Context, gvr schema.GroupVersionResource, ns string, opts ListOptions, handle Handler,
) error {
	for {
		list, err := c.List(ctx, gvr, ns, opts)
		if err != nil {
			return err
		}
		if done, err := replay(list, handle); done || err != nil {
			return err
		}
		done, err := c.watchOn(ctx, gvr, ns, opts, list.GetResourceVersion(), handle)
		if isWatchForbidden(err) {
			err = sleep(ctx, pollEvery)
		}
		if done || err != nil {
			return err
		}
	}
}

// ErrInterrupted says that a watch ended: what comes after that is not seen, or late.
var ErrInterrupted = errors.New("the watch was interrupted")

// FollowUnbroken is Follow for whoever must not miss anything, nor see it late: it ends with ErrInterrupted where the
// first watch does, for whatever reason.
func (c *Client) FollowUnbroken(
	ctx context.Context, gvr schema.GroupVersionResource, ns string, opts ListOptions, handle Handler,
) error {
	list, err := c.List(ctx, gvr, ns, opts)
	if err != nil {
		return err
	}
	if done, err := replay(list, handle); done || err != nil {
		return err
	}
	_, done, err := c.watchFrom(ctx, gvr, ns, opts, list.GetResourceVersion(), handle)
	switch {
	case done || err != nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return ErrInterrupted
}

func replay(list *unstructured.UnstructuredList, handle Handler) (bool, error) {
	if done, err := handle(Event{Type: Reset}); done || err != nil {
		return done, err
	}
	for i := range list.Items {
		if done, err := handle(Event{Type: Added, Object: &list.Items[i]}); done || err != nil {
			return done, err
		}
	}
	return handle(Event{Type: Synced})
}

// watchOn watches from a version on, resuming closed watches, until it cannot be resumed (false, nil).
func (c *Client) watchOn(
	ctx context.Context, gvr schema.GroupVersionResource, ns string, opts ListOptions, version string, handle Handler,
) (done bool, err error) {
	pause := shortestPause
	for version != "" {
		from := version
		version, done, err = c.watchFrom(ctx, gvr, ns, opts, version, handle)
		switch {
		case ctx.Err() != nil && !done && err == nil:
			return false, ctx.Err()
		case done || err != nil:
			return done, err
		case version == from: // nothing came of it: the server is busy or restarting
			pause = min(2*pause, longestPause)
		default:
			pause = shortestPause
		}
		if err := sleep(ctx, pause); err != nil {
			return false, err
		}
	}
	return false, nil
}

// watchFrom runs one watch. It returns the version to resume from, or "" when only a new list can go on. An error is
// returned when handle failed or the watch is forbidden.
func (c *Client) watchFrom(
	ctx context.Context, gvr schema.GroupVersionResource, ns string, opts ListOptions, version string,
	handle Handler,
) (resume string, done bool, err error) {
	w, err := c.in(gvr, ns).Watch(ctx, metav1.ListOptions{
		LabelSelector: opts.LabelSelector, FieldSelector: opts.FieldSelector,
		ResourceVersion: version, AllowWatchBookmarks: true,
	})
	if err != nil {
		switch {
		case isWatchForbidden(err):
			return "", false, &Error{Verb: "watch", Resource: gvr, Namespace: ns, Err: err}
		case isExpired(err):
			return "", false, nil
		}
		return version, false, nil
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", false, nil
		case ev, open := <-w.ResultChan():
			if !open {
				return version, false, nil
			}
			obj, ok := ev.Object.(*unstructured.Unstructured)
			if ev.Type == watch.Error || !ok {
				return "", false, nil // 410 Gone above all; the new list tells whatever it was
			}
			version = obj.GetResourceVersion()
			if ev.Type == watch.Bookmark {
				continue
			}
			if done, err := handle(Event{Type: EventType(ev.Type), Object: obj}); done || err != nil {
				return "", done, err
			}
		}
	}
}

// Wait says what WaitFor waits for.
type Wait struct {
	Resource  schema.GroupVersionResource
	Namespace string
	Name      string
	// What is a noun phrase for the timeout error, such as `kafka "ns/name" to be paused`.
	What string
	// Timeout is the budget; 0 means only ctx bounds the wait. Flag is the command line flag that sets it.
	Timeout time.Duration
	Flag    string
	// Condition looks at the object, nil when it does not exist, and says whether the wait is over, and what it saw
	// (for the timeout error and for progress). An error ends the wait.
	Condition func(u *unstructured.Unstructured) (done bool, seen string, err error)
	// OnChange is called with what Condition saw whenever that differs from before; it may be nil.
	OnChange func(seen string)
}

// WaitFor waits until one object satisfies a condition and returns the object as it was then; nil when the condition
// held for an object that does not exist. It watches, and re-reads whenever the watch breaks.
func (c *Client) WaitFor(ctx context.Context, w Wait) (*unstructured.Unstructured, error) {
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if w.Timeout > 0 {
		bounded, cancel = context.WithTimeout(ctx, w.Timeout)
	}
	defer cancel()
	var current *unstructured.Unstructured
	var last string
	check := func() (bool, error) {
		done, seen, err := w.Condition(current)
		if seen != last && w.OnChange != nil {
			w.OnChange(seen)
		}
		last = seen
		return done, err
	}
	current, err := c.Get(bounded, w.Resource, w.Namespace, w.Name)
	if err == nil || IsNotFound(err) {
		if done, cerr := check(); done || cerr != nil {
			return current, cerr
		}
		err = c.follow(bounded, w, &current, check)
	}
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return current, &TimeoutError{What: w.What, After: w.Timeout, Flag: w.Flag, Last: last}
	}
	return current, err
}

func (c *Client) follow(
	ctx context.Context, w Wait, current **unstructured.Unstructured, check func() (bool, error),
) error {
	one := ListOptions{FieldSelector: "metadata.name=" + w.Name}
	listed := false
	err := c.Follow(ctx, w.Resource, w.Namespace, one, func(ev Event) (bool, error) {
		switch ev.Type {
		case Reset:
			listed = false
			return false, nil
		case Synced:
			if listed {
				return false, nil
			}
			*current = nil
		case Deleted:
			*current = nil
		default:
			listed, *current = true, ev.Object
		}
		return check()
	})
	var e *Error
	if errors.As(err, &e) && e.Verb == "list" && IsForbidden(err) {
		return c.poll(ctx, w, current, check) // a Role with resourceNames grants get, and never list
	}
	return err
}

func (c *Client) poll(
	ctx context.Context, w Wait, current **unstructured.Unstructured, check func() (bool, error),
) error {
	for {
		u, err := c.Get(ctx, w.Resource, w.Namespace, w.Name)
		if err != nil && !IsNotFound(err) {
			return err
		}
		*current = u
		if done, err := check(); done || err != nil {
			return err
		}
		if err := sleep(ctx, pollEvery); err != nil {
			return err
		}
	}
}

func isExpired(err error) bool { return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) }

func isWatchForbidden(err error) bool {
	var e *Error
	if errors.As(err, &e) && e.Verb != "watch" {
		return false
	}
	return IsForbidden(err) || apierrors.IsMethodNotSupported(err)
}
