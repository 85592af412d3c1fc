package kubetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

func (s *Server) serve(w http.ResponseWriter, req *http.Request) {
	r, ok := parse(req)
	if !ok {
		s.discover(w, req)
		return
	}
	r.Body, _ = io.ReadAll(req.Body) // a request that breaks off is answered all the same
	s.mu.Lock()
	s.requests = append(s.requests, *r)
	s.mu.Unlock()
	if f := s.refuses(r); f != nil {
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		fail(w, f.Code, f.Reason, f.Message)
		return
	}
	switch {
	case r.Resource == "selfsubjectaccessreviews":
		s.review(w, r)
	case r.Subresource == "log" && s.has(r):
		if s.Log != nil {
			_, _ = io.WriteString(w, s.Log(r)) // a client that went away needs no answer
		}
	case r.Verb == "list":
		s.list(w, r)
	case r.Verb == "watch":
		s.watch(w, req, r)
	case r.Verb == "create":
		s.create(w, r)
	default:
		s.one(w, r)
	}
}

// has tells whether the object that a request is about is there.
func (s *Server) has(r *Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[r.path(r.Name)] != nil
}

// parse reads what a request is about from its path; ok is false for discovery.
func parse(req *http.Request) (*Request, bool) {
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	r := &Request{Query: req.URL.Query(), Accept: req.Header.Get("Accept")}
	switch {
	case parts[0] == "api" && len(parts) > 2:
		r.Version, parts = parts[1], parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		r.Group, r.Version, parts = parts[1], parts[2], parts[3:]
	default:
		return nil, false
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		r.Namespace, parts = parts[1], parts[2:]
	}
	parts = append(parts, "", "")
	r.Resource, r.Name, r.Subresource = parts[0], parts[1], parts[2]
	r.Verb = map[string]string{
		http.MethodGet: "get", http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch",
		http.MethodDelete: "delete",
	}[req.Method]
	if r.Verb == "get" && r.Name == "" {
		r.Verb = "list"
		if w := req.URL.Query().Get("watch"); w == "true" || w == "1" {
			r.Verb = "watch"
		}
	}
	return r, true
}

func (s *Server) discover(w http.ResponseWriter, req *http.Request) {
	group, isGroup := strings.CutPrefix(strings.Trim(req.URL.Path, "/"), "apis/")
	versions := s.Served[group]
	switch {
	case req.URL.Path == "/version":
		answer(w, http.StatusOK, Object{"major": "1", "minor": "34", "gitVersion": "v1.34.0"})
	case strings.HasPrefix(req.URL.Path, "/api/v1"):
		answer(w, http.StatusOK, Object{"resources": []any{Object{"name": "pods"}, Object{"name": "pods/exec"}}})
	case isGroup && len(versions) > 0:
		list := []any{}
		for _, v := range versions {
			list = append(list, Object{"groupVersion": group + "/" + v, "version": v})
		}
		answer(w, http.StatusOK, Object{
			"kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": list, "preferredVersion": list[0],
		})
	default:
		fail(w, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
	}
}

// review allows whatever AnswerWith's function would.
func (s *Server) review(w http.ResponseWriter, r *Request) {
	var review struct {
		Spec struct {
			ResourceAttributes struct{ Verb, Group, Resource, Subresource, Namespace, Name string }
		}
	}
	_ = json.Unmarshal(r.Body, &review) // an empty review asks for nothing
	a := review.Spec.ResourceAttributes
	asked := &Request{
		Verb: a.Verb, Group: a.Group, Resource: a.Resource, Subresource: a.Subresource, Namespace: a.Namespace, Name: a.Name,
	}
	allowed := s.refuses(asked) == nil
	answer(w, http.StatusCreated, Object{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "status": Object{"allowed": allowed},
	})
}

func (r *Request) selects(o Object) bool {
	selector, err := labels.Parse(first(r.Query["labelSelector"]))
	if err != nil {
		return false
	}
	field, err := fields.ParseSelector(first(r.Query["fieldSelector"]))
	if err != nil {
		return false
	}
	set := labels.Set{}
	meta, _ := o["metadata"].(Object)
	own, _ := meta["labels"].(Object)
	for k, v := range own {
		set[k], _ = v.(string)
	}
	return selector.Matches(set) && field.Matches(fields.Set{"metadata.name": text(o, "metadata", "name")})
}

func (s *Server) list(w http.ResponseWriter, r *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []any{}
	from := first(r.Query["continue"])
	meta := Object{"resourceVersion": strconv.Itoa(s.version)}
	for _, path := range s.sorted(r) {
		o := s.objects[path]
		if path <= from || !r.selects(o) {
			continue
		}
		if s.PageSize > 0 && len(items) == s.PageSize {
			break
		}
		meta["continue"] = path
		if strings.Contains(r.Accept, "as=PartialObjectMetadataList") {
			o = Object{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": o["metadata"]}
		}
		items = append(items, o)
	}
	if s.PageSize == 0 || len(items) < s.PageSize {
		delete(meta, "continue")
	}
	apiVersion := strings.TrimPrefix(r.Group+"/"+r.Version, "/")
	answer(w, http.StatusOK, Object{"apiVersion": apiVersion, "kind": "List", "metadata": meta, "items": items})
}

// watch tells every change since a version until the client goes away.
func (s *Server) watch(w http.ResponseWriter, req *http.Request, r *Request) {
	since, _ := strconv.Atoi(first(r.Query["resourceVersion"]))
	w.Header().Set("Content-Type", "application/json")
	flusher, _ := w.(http.Flusher)
	flusher.Flush()
	for {
		s.mu.Lock()
		var events []Object
		for _, c := range s.history {
			if c.version > since && r.covers(c.path) && r.selects(c.object) {
				events = append(events, Object{"type": c.kind, "object": c.object})
			}
		}
		since = s.version
		changed := s.changed
		s.mu.Unlock()
		for _, e := range events {
			b, _ := json.Marshal(e) // made of JSON
			_, _ = w.Write(append(b, '\n'))
		}
		flusher.Flush()
		select {
		case <-req.Context().Done():
			return
		case <-changed:
		}
	}
}

func (s *Server) create(w http.ResponseWriter, r *Request) {
	var o Object
	if err := json.Unmarshal(r.Body, &o); err != nil {
		fail(w, http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path := r.path(text(o, "metadata", "name"))
	if s.objects[path] != nil {
		fail(w, http.StatusConflict, "AlreadyExists",
			fmt.Sprintf("%s %q already exists", r.Resource, text(o, "metadata", "name")))
		return
	}
	if meta, ok := o["metadata"].(Object); ok {
		meta["uid"] = "uid-" + strconv.Itoa(s.version+1)
	}
	if !r.dry() {
		s.store(path, o, "ADDED")
	}
	answer(w, http.StatusCreated, o)
}

// one answers what is about one object that is there.
func (s *Server) one(w http.ResponseWriter, r *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := r.path(r.Name)
	o := s.objects[path]
	if o == nil {
		fail(w, http.StatusNotFound, "NotFound", fmt.Sprintf("%s %q not found", r.Resource, r.Name))
		return
	}
	var body Object
	if len(r.Body) > 0 {
		if err := json.Unmarshal(r.Body, &body); err != nil {
			fail(w, http.StatusUnsupportedMediaType, "UnsupportedMediaType", "this stand-in takes merge patches only")
			return
		}
	}
	expected, _ := body["metadata"].(Object)
	if r.Verb == "delete" {
		expected, _ = body["preconditions"].(Object)
	}
	meta, _ := o["metadata"].(Object)
	for _, key := range []string{"uid", "resourceVersion"} {
		if want, ok := expected[key].(string); ok && want != meta[key] {
			fail(w, http.StatusConflict, "Conflict", fmt.Sprintf("Precondition failed: %s in precondition: %v, in object: %v",
				key, want, meta[key]))
			return
		}
	}
	switch r.Verb {
	case "delete":
		if _, dry := body["dryRun"]; !dry { // a deletion has its options in the body
			s.delete(path, o)
		}
	case "patch", "update":
		changed := body
		if r.Verb == "patch" {
			changed, _ = merge(copied(o), body).(Object)
		}
		if !r.dry() {
			s.store(path, changed, "MODIFIED")
		}
		o = changed
	}
	answer(w, http.StatusOK, o)
}

// delete removes an object, or marks it where finalizers hold it.
func (s *Server) delete(path string, o Object) {
	meta, _ := o["metadata"].(Object)
	held, _ := meta["finalizers"].([]any)
	if len(held) == 0 {
		s.remove(path)
		return
	}
	marked := copied(o)
	m, _ := marked["metadata"].(Object)
	m["deletionTimestamp"] = "2026-11-24T03:15:00Z"
	s.store(path, marked, "MODIFIED")
}

func (r *Request) path(name string) string {
	return strings.Join([]string{r.Group, r.Version, r.Namespace, r.Resource, name}, "|")
}

func (r *Request) dry() bool { return slices.Contains(r.Query["dryRun"], "All") }

// merge applies a JSON merge patch (RFC 7386).
func merge(into, with any) any {
	patch, ok := with.(Object)
	if !ok {
		return with
	}
	target, ok := into.(Object)
	if !ok {
		target = Object{}
	}
	for k, v := range patch {
		if v == nil {
			delete(target, k)
			continue
		}
		target[k] = merge(target[k], v)
	}
	return target
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

func fail(w http.ResponseWriter, code int, reason, message string) {
	answer(w, code, Object{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code,
	})
}

func answer(w http.ResponseWriter, code int, o Object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(o) // a client that went away needs no answer
}
