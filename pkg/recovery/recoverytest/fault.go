package recoverytest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"syscall"
)

// Fault is one way of an API server, or of the way to it, to fail.
type Fault string

// The faults. Those that are told after the request was made leave open whether it was.
const (
	Conflict     Fault = "409"
	Throttled    Fault = "429"
	Internal     Fault = "500"
	GatewayTime  Fault = "504"
	GatewayAfter Fault = "504 after it was done"
	Reset        Fault = "reset"
	ResetAfter   Fault = "reset after it was done"
	Hang         Fault = "hang"
)

// Faults are all of them.
func Faults() []Fault {
	return []Fault{Conflict, Throttled, Internal, GatewayTime, GatewayAfter, Reset, ResetAfter, Hang}
}

// Faulty answers one request with a fault, and passes all others on.
type Faulty struct {
	Next http.RoundTripper
	// Number is the request that fails, counted from 1; watches and access reviews are not counted.
	Number int
	// Only counts the requests for which it holds; nil counts all.
	Only  func(*http.Request) bool
	Fault Fault

	mu   sync.Mutex
	seen int
	hit  string
}

// Hit tells the request that failed; it is empty when there were fewer.
func (f *Faulty) Hit() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

// RoundTrip implements http.RoundTripper.
func (f *Faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	if !f.isIt(r) {
		return f.Next.RoundTrip(r)
	}
	switch f.Fault {
	case GatewayAfter, ResetAfter:
		response, err := f.Next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if f.Fault == ResetAfter {
			return nil, syscall.ECONNRESET
		}
		return status(r, http.StatusGatewayTimeout, "Timeout"), nil
	case Reset:
		return nil, syscall.ECONNRESET
	case Hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case Conflict:
		return status(r, http.StatusConflict, "Conflict"), nil
	case Throttled:
		return status(r, http.StatusTooManyRequests, "TooManyRequests"), nil
	case Internal:
		return status(r, http.StatusInternalServerError, "InternalError"), nil
	case GatewayTime:
		return status(r, http.StatusGatewayTimeout, "Timeout"), nil
	}
	return nil, fmt.Errorf("no such fault: %q", f.Fault)
}

func (f *Faulty) isIt(r *http.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.URL.Query().Get("watch") != "" || bytes.Contains([]byte(r.URL.Path), []byte("selfsubjectaccessreviews")) {
		return false
	}
	if f.Only != nil && !f.Only(r) {
		return false
	}
	if f.seen++; f.seen != f.Number {
		return false
	}
	f.hit = r.Method + " " + r.URL.Path
	return true
}

func status(r *http.Request, code int, reason string) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"made to fail","reason":%q,`+
		`"code":%d}`, reason, code)
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": []string{"application/json"}},
		Body:   io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)),
	}
}
