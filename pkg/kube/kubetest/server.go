// Package kubetest is a stand-in for the Kubernetes API server, for tests: it stores objects, and answers lists, gets,
// merge patches, deletions, watches and access reviews as the real one does as far as the tool relies on it. It
// validates nothing and runs no controller; what depends on those is tried on a real API server elsewhere.
package kubetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// Object is an object as it is on the wire.
type Object = map[string]any

// Request is one request that was made, for asking what was and for answering in the server's place.
type Request struct {
	// Verb is the RBAC verb, such as list; empty for what is no object, such as discovery.
	Verb                                      string
	Group, Version, Resource, Namespace, Name string
	Subresource                               string
	Accept                                    string
	Query                                     map[string][]string
	Body                                      []byte
}

// String is the verb and what it is about.
func (r *Request) String() string {
	return strings.Trim(strings.Join([]string{r.Verb, r.Resource, r.Namespace, r.Name, r.Subresource}, " "), " ")
}

// Failure is an answer in place of the real one.
type Failure struct {
	Code            int
	Reason, Message string
	// RetryAfter is the header of that name, in seconds; 0 leaves it out.
	RetryAfter int
}

// Forbidden is the answer to who lacks a permission, with the text of the API server's RBAC.
func Forbidden(r *Request) *Failure {
	return &Failure{
		Code: http.StatusForbidden, Reason: "Forbidden",
		Message: fmt.Sprintf("%s is forbidden: User %q cannot %s resource %q in API group %q", r.Resource, "test", r.Verb,
			r.Resource, r.Group),
	}
}

// Server is the stand-in. Its fields are to be set before the first request.
type Server struct {
	// Served are the versions of API groups, the preferred one first.
	Served map[string][]string
	// Log is what a container of a pod that is there has logged, as the request asks; nil is nothing.
	Log func(*Request) string
	// PageSize bounds the objects of one list answer, whatever the client asks for; 0 does not.
	PageSize int

	server *httptest.Server

	mu       sync.Mutex
	answer   func(*Request) *Failure
	version  int
	objects  map[string]Object // by path
	requests []Request
	history  []change
	changed  chan struct{}
}

type change struct {
	version int
	kind    string
	path    string
	object  Object
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{
		Served:  map[string][]string{"kafka.strimzi.io": {"v1"}, "core.strimzi.io": {"v1"}},
		objects: map[string]Object{}, changed: make(chan struct{}), version: 100,
	}
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Stop)
	return s
}

// AnswerWith sets what may answer a request in the server's place, from the next one on; nil takes it away. Requests of
// before may still be under way: a run that was killed leaves its own. It is called with the lock not held.
func (s *Server) AnswerWith(answer func(*Request) *Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// refuses is how the request is answered in the server's place, if it is.
func (s *Server) refuses(r *Request) *Failure {
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	if answer == nil {
		return nil
	}
	return answer(r)
}

// Stop ends the server; clients find nobody there.
func (s *Server) Stop() {
	s.CutOff() // watches hold their connections open
	s.server.Close()
}

// CutOff breaks every connection there is, as a load balancer does.
func (s *Server) CutOff() { s.server.CloseClientConnections() }

// URL is the server's address.
func (s *Server) URL() string { return s.server.URL }

// Client returns a client for a namespace that repeats nothing, so that failures show at once.
func (s *Server) Client(t testing.TB, namespace string) *kube.Client {
	t.Helper()
	return s.ClientWith(t, namespace, kube.Options{Retry: kube.Retry{Attempts: 1}})
}

// ClientWith returns a client with options.
func (s *Server) ClientWith(t testing.TB, namespace string, opts kube.Options) *kube.Client {
	t.Helper()
	c, err := kube.NewForConfig(&rest.Config{Host: s.server.URL}, namespace, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Put stores an object as it is, made or replaced, and returns its resourceVersion.
func (s *Server) Put(gvr schema.GroupVersionResource, o Object) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := pathOf(gvr, text(o, "metadata", "namespace"), text(o, "metadata", "name"))
	kind := "MODIFIED"
	if s.objects[path] == nil {
		kind = "ADDED"
	}
	return s.store(path, copied(o), kind)
}

// Remove takes an object away.
func (s *Server) Remove(gvr schema.GroupVersionResource, namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(pathOf(gvr, namespace, name))
}

// Get returns an object, nil where there is none.
func (s *Server) Get(gvr schema.GroupVersionResource, namespace, name string) Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.objects[pathOf(gvr, namespace, name)]; o != nil {
		return copied(o)
	}
	return nil
}

// Requests lists the requests made so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Writes lists the requests that change something, as text.
func (s *Server) Writes() []string {
	var out []string
	for _, r := range s.Requests() {
		if slices.Contains([]string{"create", "update", "patch", "delete"}, r.Verb) &&
			r.Resource != "selfsubjectaccessreviews" {
			out = append(out, r.String())
		}
	}
	slices.Sort(out)
	return out
}

// store writes an object under a new version. The lock is held.
func (s *Server) store(path string, o Object, kind string) string {
	s.version++
	version := strconv.Itoa(s.version)
	meta, ok := o["metadata"].(Object)
	if !ok {
		meta = Object{}
		o["metadata"] = meta
	}
	meta["resourceVersion"] = version
	s.objects[path] = o
	s.tell(kind, path, o)
	return version
}

func (s *Server) remove(path string) {
	if o := s.objects[path]; o != nil {
		s.version++
		delete(s.objects, path)
		if meta, ok := o["metadata"].(Object); ok {
			meta["resourceVersion"] = strconv.Itoa(s.version) // that of the deletion, as etcd's watch has it
		}
		s.tell("DELETED", path, o)
	}
}

func (s *Server) tell(kind, path string, o Object) {
	s.history = append(s.history, change{version: s.version, kind: kind, path: path, object: copied(o)})
	close(s.changed)
	s.changed = make(chan struct{})
}

// sorted returns the paths of the objects of a collection.
func (s *Server) sorted(r *Request) []string {
	var out []string
	for _, path := range slices.Sorted(maps.Keys(s.objects)) {
		if r.covers(path) {
			out = append(out, path)
		}
	}
	return out
}

// covers tells whether an object's path is in the collection that was asked for.
func (r *Request) covers(path string) bool {
	group, version, namespace, resource, _ := parsePath(path)
	return group == r.Group && version == r.Version && resource == r.Resource &&
		(r.Namespace == "" || r.Namespace == namespace)
}

func pathOf(gvr schema.GroupVersionResource, namespace, name string) string {
	return strings.Join([]string{gvr.Group, gvr.Version, namespace, gvr.Resource, name}, "|")
}

func parsePath(path string) (group, version, namespace, resource, name string) {
	p := strings.SplitN(path, "|", 5)
	return p[0], p[1], p[2], p[3], p[4]
}

func copied(o Object) Object {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // a test's own object
	}
	var out Object
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err) // it was just encoded
	}
	return out
}

func text(o Object, keys ...string) string {
	var v any = o
	for _, k := range keys {
		m, _ := v.(Object)
		v = m[k]
	}
	s, _ := v.(string)
	return s
}
