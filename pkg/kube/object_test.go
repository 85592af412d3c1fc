package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
)

const ns = "kafka"

func configMap(name string, labels kubetest.Object) kubetest.Object {
	return kubetest.Object{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": kubetest.Object{"namespace": ns, "name": name, "uid": "uid-" + name, "labels": labels},
		"data":     kubetest.Object{"key": "value"},
	}
}

func TestReadingObjects(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.PageSize = 2
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		s.Put(kube.ConfigMaps(), configMap(name, kubetest.Object{"name": name}))
	}
	c, ctx := s.Client(t, ns), context.Background()
	u, err := c.Get(ctx, kube.ConfigMaps(), ns, "b")
	if err != nil || u.GetName() != "b" {
		t.Errorf("got %v, %v", u, err)
	}
	list, err := c.List(ctx, kube.ConfigMaps(), ns, kube.ListOptions{})
	if err != nil || len(list.Items) != 5 || list.GetContinue() != "" || list.GetResourceVersion() == "" {
		t.Errorf("want all pages as one list, got %d, %v", len(list.Items), err)
	}
	list, err = c.List(ctx, kube.ConfigMaps(), "", kube.ListOptions{LabelSelector: "name in (a,e)"})
	if err != nil || len(list.Items) != 2 {
		t.Errorf("got %v, %v", list, err)
	}
	typed, err := kube.GetAs[corev1.ConfigMap](ctx, c, kube.ConfigMaps(), ns, "c")
	if err != nil || typed.Data["key"] != "value" {
		t.Errorf("got %v, %v", typed, err)
	}
	one := kube.ListOptions{FieldSelector: "metadata.name=d"}
	all, err := kube.ListAs[corev1.ConfigMap](ctx, c, kube.ConfigMaps(), ns, one)
	if err != nil || len(all) != 1 || all[0].Name != "d" {
		t.Errorf("got %v, %v", all, err)
	}
	names, err := c.Names(ctx, kube.ConfigMaps(), ns)
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, names); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestErrorsSayWhatWasAskedOfWhichObject(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.Put(kube.ConfigMaps(), kubetest.Object{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": kubetest.Object{"namespace": ns, "name": "odd"}, "data": 7,
	})
	c, ctx := s.Client(t, ns), context.Background()
	_, err := c.Get(ctx, kube.ConfigMaps(), ns, "none")
	if !kube.IsNotFound(err) || !strings.HasPrefix(err.Error(), `get configmaps "kafka/none": `) {
		t.Errorf("got %v", err)
	}
	if _, err := kube.GetAs[corev1.ConfigMap](ctx, c, kube.ConfigMaps(), ns, "odd"); err == nil ||
		!strings.Contains(err.Error(), `decode ConfigMap "odd"`) {
		t.Errorf("got %v", err)
	}
	if _, err := kube.ListAs[corev1.ConfigMap](ctx, c, kube.ConfigMaps(), ns, kube.ListOptions{}); err == nil {
		t.Error("an object of a wrong shape was taken")
	}
	s.AnswerWith(kubetest.Forbidden)
	for verb, do := range map[string]func() error{
		"get": func() error { _, err := kube.GetAs[corev1.Node](ctx, c, kube.Nodes(), "", "n"); return err },
		"list": func() error {
			_, err := kube.ListAs[corev1.Pod](ctx, c, kube.Pods(), ns, kube.ListOptions{})
			return err
		},
		"create": func() error { _, err := c.Create(ctx, kube.Leases(), object("x"), false); return err },
		"update": func() error { _, err := c.Update(ctx, kube.Leases(), object("x"), false); return err },
		"patch": func() error {
			_, err := c.Patch(ctx, kube.Pods(), ns, "p", kube.Patch{Type: kube.MergePatch, Subresource: "status"})
			return err
		},
		"delete": func() error { return c.Delete(ctx, kube.Pods(), ns, "p", kube.DeleteOptions{}) },
	} {
		err := do()
		var e *kube.Error
		if !kube.IsForbidden(err) || !errors.As(err, &e) || e.Access().Verb != verb || e.Access().Resource == "" {
			t.Errorf("%s: got %v", verb, err)
		}
	}
	if _, err := c.Names(ctx, kube.Secrets(), ns); !kube.IsForbidden(err) ||
		!strings.HasPrefix(err.Error(), `list secrets in namespace "kafka": `) {
		t.Errorf("got %v", err)
	}
}

func object(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"namespace": ns, "name": name},
	}}
}

func TestWritingObjects(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	c, ctx := s.Client(t, ns), context.Background()
	if _, err := c.Create(ctx, kube.Leases(), object("dry"), true); err != nil || s.Get(kube.Leases(), ns, "dry") != nil {
		t.Errorf("a dry run stores nothing; %v", err)
	}
	u, err := c.Create(ctx, kube.Leases(), object("x"), false)
	if err != nil || u.GetUID() == "" {
		t.Fatalf("got %v, %v", u, err)
	}
	if _, err := c.Create(ctx, kube.Leases(), object("x"), false); !kube.IsAlreadyExists(err) {
		t.Errorf("got %v", err)
	}
	patch := kube.Patch{
		Type: kube.MergePatch, Body: map[string]any{"spec": map[string]any{"holderIdentity": "me"}},
		UID: u.GetUID(), ResourceVersion: u.GetResourceVersion(),
	}
	stored, err := c.Patch(ctx, kube.Leases(), ns, "x", patch)
	if holder, _, _ := unstructured.NestedString(stored.Object, "spec", "holderIdentity"); err != nil || holder != "me" {
		t.Errorf("got %q, %v", holder, err)
	}
	if _, err := c.Patch(ctx, kube.Leases(), ns, "x", patch); !kube.IsConflict(err) {
		t.Errorf("the version is not current any more, got %v", err)
	}
	u.SetResourceVersion("1")
	if _, err := c.Update(ctx, kube.Leases(), u, false); !kube.IsConflict(err) {
		t.Errorf("got %v", err)
	}
	u.SetResourceVersion(stored.GetResourceVersion())
	if _, err := c.Update(ctx, kube.Leases(), u, false); err != nil {
		t.Error(err)
	}
	remove := func(opts kube.DeleteOptions) error { return c.Delete(ctx, kube.Leases(), ns, "x", opts) }
	if err := remove(kube.DeleteOptions{UID: "another"}); !kube.IsConflict(err) {
		t.Errorf("got %v", err)
	}
	if err := remove(kube.DeleteOptions{ResourceVersion: "1", Orphan: true}); !kube.IsConflict(err) {
		t.Errorf("got %v", err)
	}
	if err := remove(kube.DeleteOptions{DryRun: true}); err != nil || s.Get(kube.Leases(), ns, "x") == nil {
		t.Errorf("a dry run deletes nothing; %v", err)
	}
	if err := remove(kube.DeleteOptions{UID: u.GetUID()}); err != nil || s.Get(kube.Leases(), ns, "x") != nil {
		t.Errorf("got %v", err)
	}
}

// sent returns the body of the patch that was sent.
func sent(t *testing.T, p kube.Patch) string {
	t.Helper()
	s := kubetest.New(t)
	var body string
	s.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		body = string(r.Body)
		return &kubetest.Failure{Code: http.StatusNotFound, Reason: "NotFound"}
	})
	if _, err := s.Client(t, ns).Patch(context.Background(), kube.Pods(), ns, "p", p); err != nil && body == "" {
		return "error: " + err.Error()
	}
	return body
}

func TestPreconditionsOfPatches(t *testing.T) {
	t.Parallel()
	for title, tc := range map[string]struct {
		patch kube.Patch
		want  string
	}{
		"a merge patch as it is": {kube.Patch{Type: kube.MergePatch, Body: []byte(`{"a":1}`)}, `{"a":1}`},
		"beside its own metadata": {
			kube.Patch{
				Type: kube.MergePatch, Body: json.RawMessage(`{"metadata":{"labels":{}}}`), UID: "u", ResourceVersion: "7",
			},
			`{"metadata":{"labels":{},"resourceVersion":"7","uid":"u"}}`,
		},
		"a JSON patch": {
			kube.Patch{
				Type: kube.JSONPatch, Body: []byte(`[{"op":"add","path":"/a","value":1}]`), UID: "u", ResourceVersion: "7",
			},
			`[{"op":"test","path":"/metadata/uid","value":"u"},` +
				`{"op":"replace","path":"/metadata/resourceVersion","value":"7"},{"op":"add","path":"/a","value":1}]`,
		},
		"no object": {kube.Patch{Type: kube.MergePatch, Body: []byte(`[]`), UID: "u"}, "error: patch pods"},
		"no list":   {kube.Patch{Type: kube.JSONPatch, Body: []byte(`{}`), UID: "u"}, "error: patch pods"},
		"no JSON":   {kube.Patch{Type: kube.MergePatch, Body: func() {}}, "error: patch pods"},
	} {
		if got := sent(t, tc.patch); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: want %s, got %s", title, tc.want, got)
		}
	}
}

func TestTypedObjects(t *testing.T) {
	t.Parallel()
	gvk := schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
	u, err := kube.From(gvk, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: corev1.PodStatus{Phase: "x"}})
	want := map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "p"}, "spec": map[string]any{"containers": nil},
	}
	if diff := cmp.Diff(want, u.Object); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := kube.From(gvk, 7); err == nil {
		t.Error("a number is no object")
	}
}

// failing answers the first n requests with a failure.
func failing(n int64, f kubetest.Failure) func(*kubetest.Request) *kubetest.Failure {
	var seen atomic.Int64
	return func(*kubetest.Request) *kubetest.Failure {
		if seen.Add(1) <= n {
			return &f
		}
		return nil
	}
}

func TestWhatIsRepeated(t *testing.T) {
	t.Parallel()
	busy := kubetest.Failure{Code: http.StatusServiceUnavailable, Reason: "ServiceUnavailable"}
	for title, tc := range map[string]struct {
		failure  kubetest.Failure
		attempts int
		requests int
		fails    bool
	}{
		"a server that is starting":      {busy, 3, 3, false},
		"one that takes too long":        {busy, 2, 2, true},
		"throttling, as long as is said": {kubetest.Failure{Code: http.StatusTooManyRequests, RetryAfter: 1}, 3, 3, false},
		"what will not change":           {kubetest.Failure{Code: http.StatusForbidden, Reason: "Forbidden"}, 3, 1, true},
	} {
		s := kubetest.New(t)
		s.Put(kube.ConfigMaps(), configMap("a", nil))
		s.AnswerWith(failing(2, tc.failure))
		c := s.ClientWith(t, ns, kube.Options{
			QPS: 1000, Retry: kube.Retry{Attempts: tc.attempts, First: time.Millisecond, Max: time.Millisecond},
		})
		_, err := c.Get(context.Background(), kube.ConfigMaps(), ns, "a")
		if (err != nil) != tc.fails || len(s.Requests()) < tc.requests {
			t.Errorf("%s: got %d requests, %v", title, len(s.Requests()), err)
		}
	}
	// a creation may have happened: it is not sent again
	s := kubetest.New(t)
	s.AnswerWith(failing(1, busy))
	c := s.ClientWith(t, ns, kube.Options{})
	if _, err := c.Create(context.Background(), kube.Leases(), object("x"), false); err == nil {
		t.Error("a creation was repeated")
	}
	s = kubetest.New(t)
	s.AnswerWith(failing(1, busy))
	_, err := s.ClientWith(t, ns, kube.Options{}).Patch(context.Background(), kube.Pods(), ns, "p",
		kube.Patch{Type: kube.JSONPatch, Body: []byte("[]")})
	if err == nil || len(s.Requests()) != 1 {
		t.Errorf("a JSON patch was repeated: %d requests, %v", len(s.Requests()), err)
	}
}

func TestAnInterruptionEndsRepeating(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	s.AnswerWith(func(*kubetest.Request) *kubetest.Failure {
		cancel()
		return &kubetest.Failure{Code: http.StatusServiceUnavailable, Reason: "ServiceUnavailable"}
	})
	c := s.ClientWith(t, ns, kube.Options{Retry: kube.Retry{Attempts: 5, First: time.Hour, Max: time.Hour}})
	if _, err := c.Get(ctx, kube.ConfigMaps(), ns, "a"); err == nil {
		t.Error("want an error")
	}
}

func TestADeadlineThatTheLimiterForesees(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	c := s.ClientWith(t, ns, kube.Options{QPS: 0.001, Burst: 1, Retry: kube.Retry{Attempts: 1}})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, _ = c.Get(ctx, kube.ConfigMaps(), ns, "a") // takes the only token for a quarter of an hour
	if _, err := c.Get(ctx, kube.ConfigMaps(), ns, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want the end of the time allowed, got %v", err)
	}
}

func TestAServerThatWasNeverReachedIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	c := s.ClientWith(t, ns, kube.Options{Retry: kube.Retry{Attempts: 5, First: time.Hour, Max: time.Hour}})
	s.Stop()
	_, err := c.Get(context.Background(), kube.ConfigMaps(), ns, "a")
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("want what the connection said, got %v", err)
	}
}

func TestPagesThatOutliveCompaction(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.PageSize = 2
	for _, name := range []string{"a", "b", "c"} {
		s.Put(kube.ConfigMaps(), configMap(name, nil))
	}
	s.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if len(r.Query["continue"]) > 0 {
			return &kubetest.Failure{Code: http.StatusGone, Reason: "Expired"}
		}
		if len(r.Query["limit"]) == 0 {
			s.PageSize = 0
		}
		return nil
	})
	list, err := s.Client(t, ns).List(context.Background(), kube.ConfigMaps(), ns, kube.ListOptions{})
	if err != nil || len(list.Items) != 3 {
		t.Errorf("want every object once, got %v, %v", list, err)
	}
}
