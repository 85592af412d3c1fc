package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Error is a request that failed: what was asked of which object, and what the API server or the connection said.
type Error struct {
	// Verb is the RBAC verb: get, list, watch, create, patch, delete.
	Verb        string
	Resource    schema.GroupVersionResource
	Subresource string
	Namespace   string
	// Name is empty for lists.
	Name string
	Err  error
}

// Error names the object, then the cause.
func (e *Error) Error() string {
	what := e.Resource.Resource
	if e.Subresource != "" {
		what += "/" + e.Subresource
	}
	switch {
	case e.Name != "" && e.Namespace != "":
		what += fmt.Sprintf(" %q", e.Namespace+"/"+e.Name)
	case e.Name != "":
		what += fmt.Sprintf(" %q", e.Name)
	case e.Namespace != "":
		what += fmt.Sprintf(" in namespace %q", e.Namespace)
	}
	return fmt.Sprintf("%s %s: %v", e.Verb, what, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Access is the permission the failed request needed.
func (e *Error) Access() Access {
	return Access{
		Verb: e.Verb, Group: e.Resource.Group, Resource: e.Resource.Resource, Subresource: e.Subresource,
		Namespace: e.Namespace, Name: e.Name,
	}
}

// TimeoutError is a wait that ended before its condition held.
type TimeoutError struct {
	// What was waited for, as a noun phrase: `pod "x" to start`.
	What string
	// After is the budget that ran out.
	After time.Duration
	// Flag is the command line flag that changes the budget, with dashes; empty when there is none.
	Flag string
	// Last is the state last observed, for a person.
	Last string
}

// Error names the budget, what was last seen, and the flag that changes the budget.
func (e *TimeoutError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "timed out after %s waiting for %s", e.After, e.What)
	if e.Last != "" {
		fmt.Fprintf(&b, "; last seen: %s", e.Last)
	}
	if e.Flag != "" {
		fmt.Fprintf(&b, " (%s changes this)", e.Flag)
	}
	return b.String()
}

// Unwrap makes a TimeoutError match context.DeadlineExceeded.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// IsNotFound tells whether the object (or its kind) does not exist.
func IsNotFound(err error) bool { return apierrors.IsNotFound(err) }

// IsForbidden tells whether the user may not do what was asked, or is not known to the server at all. A quota that
// is exceeded, Pod Security and admission policies answer with the same status; see IsDenied.
func IsForbidden(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) }

// IsDenied tells whether a Forbidden answer came from admission (quota, Pod Security, a webhook or policy) and not
// from missing permissions. The API server's RBAC answers always contain `cannot VERB resource`
// (k8s.io/apiserver/pkg/endpoints/handlers/responsewriters: ForbiddenMessage), admission answers never do.
func IsDenied(err error) bool {
	var status *apierrors.StatusError
	if !errors.As(err, &status) || !apierrors.IsForbidden(err) {
		return false
	}
	return !strings.Contains(status.ErrStatus.Message, " cannot ")
}

// IsConflict tells whether a resourceVersion or uid precondition did not hold.
func IsConflict(err error) bool { return apierrors.IsConflict(err) }

// IsAlreadyExists tells whether an object of that name is there already.
func IsAlreadyExists(err error) bool { return apierrors.IsAlreadyExists(err) }

// IsInvalid tells whether the API server refused the object's content.
func IsInvalid(err error) bool { return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) }

// IsTimeout tells whether a wait ran out of its budget.
func IsTimeout(err error) bool {
	var t *TimeoutError
	return errors.As(err, &t)
}

// IsTransient tells whether the same request may succeed a moment later: throttling, a server that is overloaded,
// restarting or has lost its leader, a connection that broke.
func IsTransient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		switch code := status.Status().Code; code {
		case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		default:
			return false
		}
	}
	var timeout net.Error
	return utilnet.IsConnectionReset(err) || utilnet.IsConnectionRefused(err) || utilnet.IsHTTP2ConnectionLost(err) ||
		errors.Is(err, syscall.EPIPE) || // the other side closed it before the request was sent
		utilnet.IsProbableEOF(err) || errors.Is(err, io.ErrUnexpectedEOF) ||
		(errors.As(err, &timeout) && timeout.Timeout())
}

// Retry bounds how often and how fast a request that may safely be sent again is repeated.
type Retry struct {
	// Attempts counts the first one too.
	Attempts int
	// First is the pause before the second attempt; it doubles up to Max.
	First, Max time.Duration
}

// DefaultRetry rides out an API server that restarts (about 10 s), and no more: a person is waiting.
func DefaultRetry() Retry {
	const attempts = 7
	return Retry{Attempts: attempts, First: 200 * time.Millisecond, Max: 4 * time.Second}
}

func (r Retry) do(ctx context.Context, request func() error) error {
	pause := r.First
	for attempt := 1; ; attempt++ {
		err := request()
		if err == nil || attempt >= r.Attempts || !IsTransient(err) {
			return err
		}
		wait := pause
		if after, ok := apierrors.SuggestsClientDelay(err); ok {
			wait = min(max(wait, time.Duration(after)*time.Second), r.Max)
		}
		if sleep(ctx, wait) != nil {
			return err // what the server said is worth more than "context canceled"
		}
		pause = min(2*pause, r.Max)
	}
}
