package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// defaultPatience bounds one request. An API server that works answers a list of five hundred objects within a few
// seconds, and gives up by itself after a minute (--request-timeout).
const defaultPatience = 70 * time.Second

// patience ends requests that are not answered: a connection through a dead load balancer hangs for a quarter of an
// hour otherwise. Watches last, and have their own bounds.
type patience struct {
	next  http.RoundTripper
	limit time.Duration
}

// unansweredError is a request that was given up. It is a timeout in the sense of net.Error, and may be sent again.
type unansweredError struct{ after time.Duration }

// Error says how long was waited.
func (e *unansweredError) Error() string {
	return fmt.Sprintf("the API server did not answer within %s", e.after)
}

// Timeout implements net.Error.
func (e *unansweredError) Timeout() bool { return true }

// Temporary implements net.Error.
func (e *unansweredError) Temporary() bool { return true }

// RoundTrip implements http.RoundTripper.
func (p *patience) RoundTrip(r *http.Request) (*http.Response, error) {
	if q := r.URL.Query(); q.Has("watch") || q.Has("follow") {
		return p.next.RoundTrip(r)
	}
	gaveUp := &unansweredError{after: p.limit}
	ctx, cancel := context.WithTimeoutCause(r.Context(), p.limit, gaveUp)
	response, err := p.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		defer cancel()
		if errors.Is(context.Cause(ctx), gaveUp) {
			return nil, gaveUp
		}
		return nil, err
	}
	response.Body = &boundBody{ReadCloser: response.Body, cancel: cancel}
	return response, nil
}

// boundBody ends the bound once an answer was read.
type boundBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close implements io.Closer.
func (b *boundBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
