package scan_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
)

// world is a stand-in for an API server: it serves lists of objects, which are recordings of a real one, and answers
// the creation of pods as a test says. It stores nothing; every write is noted.
type world struct {
	t *testing.T
	// lists are the objects by resource, forbidden the resources that may not be listed, in all namespaces under
	// "resource" and in one under "namespace/resource".
	lists     map[string][]map[string]any
	forbidden map[string]bool
	unserved  map[string]bool
	// admit turns a pod that is to be created into what the API server says; nil refuses.
	admit func(pod map[string]any) (code int, answer map[string]any)

	mu     sync.Mutex
	writes []string
}

// observed are the recordings of operator 1.2.0 with Kafka 4.2.0: a running cluster, of whose pods one was recorded.
const observed = "../strimzi/testdata/observed"

func recording(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, lists: map[string][]map[string]any{}, forbidden: map[string]bool{}, unserved: map[string]bool{}}
	for resource, file := range map[string]string{
		"kafkas": "kafka.yaml", "kafkanodepools": "kafkanodepools.yaml", "strimzipodsets": "strimzipodsets.yaml",
		"configmaps": "configmaps.yaml", "persistentvolumeclaims": "pvcs.yaml", "persistentvolumes": "pvs-bound.yaml",
		"pods": "pod-broker-0.yaml",
	} {
		w.lists[resource] = load(t, file)
	}
	w.lists["deployments"] = []map[string]any{operator()}
	return w
}

func load(t *testing.T, file string) []map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(observed, file))
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err := yaml.Unmarshal(raw, &o); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if object.String(o, "kind") == "List" {
		return object.Maps(o, "items")
	}
	return []map[string]any{o}
}

const operatorImage = "quay.io/strimzi/kafka:1.2.0-kafka-4.2.0"

// operator is a Cluster Operator's deployment, with the fields that matter here.
func operator() map[string]any {
	return map[string]any{
		"metadata": map[string]any{"name": "strimzi-cluster-operator", "namespace": "operators"},
		"spec": map[string]any{"replicas": int64(1), "template": map[string]any{
			"metadata": map[string]any{"labels": map[string]any{"strimzi.io/kind": "cluster-operator"}},
			"spec": map[string]any{"containers": []any{map[string]any{
				"name": "operator", "image": "quay.io/strimzi/operator:1.2.0", "env": []any{
					map[string]any{"name": "STRIMZI_NAMESPACE", "value": "*"},
					map[string]any{"name": "STRIMZI_KAFKA_IMAGES", "value": "4.1.1=quay.io/strimzi/kafka:1.2.0-kafka-4.1.1 4.2.0=" +
						operatorImage},
					map[string]any{"name": "STRIMZI_IMAGE_PULL_SECRETS", "value": "mirror"},
				},
			}}},
		}},
		"status": map[string]any{"readyReplicas": int64(1)},
	}
}

// without removes the objects of a kind.
func (w *world) without(resources ...string) *world {
	for _, r := range resources {
		w.lists[r] = nil
	}
	return w
}

// client returns a client of the world's API server.
func (w *world) client() *kube.Client {
	w.t.Helper()
	server := httptest.NewServer(w)
	w.t.Cleanup(server.Close)
	c, err := kube.NewForConfig(&rest.Config{Host: server.URL}, "kafka", kube.Options{
		Retry: kube.Retry{Attempts: 1, First: time.Millisecond, Max: time.Millisecond},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// ServeHTTP answers as an API server does.
func (w *world) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	path := strings.Trim(in.URL.Path, "/")
	if group, ok := strings.CutPrefix(path, "apis/"); ok && !strings.Contains(group, "/") {
		w.group(out, group)
		return
	}
	namespace, resource := "", path[strings.LastIndex(path, "/")+1:]
	if parts := strings.Split(path, "/"); slices.Contains(parts, "namespaces") && len(parts) > 4 {
		namespace = parts[slices.Index(parts, "namespaces")+1]
	}
	switch {
	case in.Method == http.MethodPost && resource == "pods":
		w.create(out, in)
	case in.Method != http.MethodGet:
		w.note(in)
		status(out, http.StatusMethodNotAllowed, "MethodNotAllowed", "this world is not changed")
	case w.forbidden[resource] || w.forbidden[namespace+"/"+resource]:
		status(out, http.StatusForbidden, "Forbidden",
			fmt.Sprintf(`%s is forbidden: User "someone" cannot list resource %q`, resource, resource))
	default:
		w.list(out, in, namespace, resource)
	}
}

func (w *world) group(out http.ResponseWriter, group string) {
	if w.unserved[group] || !strings.HasSuffix(group, "strimzi.io") {
		status(out, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
		return
	}
	answer(out, http.StatusOK, map[string]any{
		"kind": "APIGroup", "apiVersion": "v1", "name": group,
		"versions": []any{map[string]any{"version": "v1"}}, "preferredVersion": map[string]any{"version": "v1"},
	})
}

func (w *world) list(out http.ResponseWriter, in *http.Request, namespace, resource string) {
	selector, err := labels.Parse(in.URL.Query().Get("labelSelector"))
	if err != nil {
		w.t.Errorf("selector: %v", err)
	}
	items := []any{}
	for _, o := range w.lists[resource] {
		if namespace != "" && object.String(o, "metadata", "namespace") != namespace {
			continue
		}
		if selector.Matches(labels.Set(object.StringMap(o, "metadata", "labels"))) {
			items = append(items, o)
		}
	}
	answer(out, http.StatusOK, map[string]any{
		"kind": "List", "apiVersion": "v1", "metadata": map[string]any{"resourceVersion": "1"}, "items": items,
	})
}

func (w *world) create(out http.ResponseWriter, in *http.Request) {
	if in.URL.Query().Get("dryRun") != "All" {
		w.note(in)
	}
	var pod map[string]any
	if err := json.NewDecoder(in.Body).Decode(&pod); err != nil {
		w.t.Errorf("decode the pod: %v", err)
	}
	if w.admit == nil {
		w.t.Error("a pod was to be created")
		status(out, http.StatusInternalServerError, "InternalError", "no pod was expected")
		return
	}
	code, o := w.admit(pod)
	answer(out, code, o)
}

func (w *world) note(in *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, in.Method+" "+in.URL.Path)
}

func status(out http.ResponseWriter, code int, reason, message string) {
	answer(out, code, failure(code, reason, message))
}

func failure(code int, reason, message string) map[string]any {
	return map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": int64(code),
	}
}

func answer(out http.ResponseWriter, code int, body any) {
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(code)
	_ = json.NewEncoder(out).Encode(body) // the client went away
}

// set changes a field of an object.
func set(o map[string]any, value any, fields ...string) {
	for _, f := range fields[:len(fields)-1] {
		next, ok := o[f].(map[string]any)
		if !ok {
			next = map[string]any{}
			o[f] = next
		}
		o = next
	}
	o[fields[len(fields)-1]] = value
}
