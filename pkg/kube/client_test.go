package kube_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
)

const kubeconfig = `
apiVersion: v1
kind: Config
current-context: one
clusters: [{name: c, cluster: {server: "https://one.example"}}, {name: d, cluster: {server: "https://two.example"}}]
users: [{name: alice, user: {token: x}}]
contexts:
- {name: one, context: {cluster: c, user: alice, namespace: kafka}}
- {name: two, context: {cluster: d, user: alice}}
`

func configFlags(t *testing.T, args ...string) *kube.Flags {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	f := &kube.Flags{}
	fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
	f.AddFlags(fs)
	if fs.Lookup("cluster") != nil {
		t.Error("--cluster names a Kafka cluster here")
	}
	if err := fs.Parse(append([]string{"--kubeconfig", path}, args...)); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestWhereAClientActs(t *testing.T) {
	t.Parallel()
	for title, tc := range map[string]struct {
		args []string
		want kube.Origin
	}{
		"the current context": {nil, kube.Origin{
			Context: "one", Server: "https://one.example", Namespace: "kafka", User: "alice",
		}},
		"another context": {[]string{"--context", "two"}, kube.Origin{
			Context: "two", Server: "https://two.example", Namespace: "default", User: "alice",
		}},
		"flags go before": {[]string{"-n", "other", "--as", "bob", "-s", "https://three.example"}, kube.Origin{
			Context: "one", Server: "https://three.example", Namespace: "other", User: "bob",
		}},
	} {
		c, err := kube.New(configFlags(t, tc.args...), kube.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, c.Origin()); diff != "" || c.Namespace() != tc.want.Namespace {
			t.Errorf("%s (-want +got):\n%s", title, diff)
		}
	}
	names, err := configFlags(t).Contexts()
	slices.Sort(names)
	if diff := cmp.Diff([]string{"one", "two"}, names); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestKubeconfigsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	if _, err := kube.New(configFlags(t, "--context", "none"), kube.Options{}); err == nil {
		t.Error("there is no such context")
	}
	f := &kube.Flags{Kubeconfig: filepath.Join(t.TempDir(), "none")}
	if _, err := kube.New(f, kube.Options{}); err == nil || !strings.Contains(err.Error(), "kubeconfig") {
		t.Errorf("there is no such file, got %v", err)
	}
	if _, err := f.Contexts(); err == nil {
		t.Error("there is no such file")
	}
	bad := &rest.Config{Host: "https://x", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("x"), Insecure: true}}
	if _, err := kube.NewForConfig(bad, "", kube.Options{}); err == nil {
		t.Error("a CA and no verification contradict each other")
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.Served = map[string][]string{"kafka.strimzi.io": {"v1", "v1beta2"}}
	c, ctx := s.Client(t, ns), context.Background()
	for range 2 { // the second time from memory
		got, err := c.ServedVersions(ctx, "kafka.strimzi.io")
		if diff := cmp.Diff([]string{"v1", "v1beta2"}, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		s.Served = map[string][]string{"later.example": {"v2"}}
	}
	if got, err := c.ServedVersions(ctx, "none.example"); len(got) > 0 || err != nil {
		t.Errorf("a group that is not served is no error, got %v, %v", got, err)
	}
	if got, err := c.ServedVersions(ctx, "later.example"); len(got) != 1 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	got, err := c.ServedResources(ctx, schema.GroupVersion{Version: "v1"})
	if diff := cmp.Diff([]string{"pods", "pods/exec"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := c.ServedResources(ctx, schema.GroupVersion{Group: "x.y", Version: "v1"}); len(got) > 0 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if v, err := c.ServerVersion(ctx); err != nil || v.GitVersion != "v1.34.0" {
		t.Errorf("got %v, %v", v, err)
	}
}

// plainServer answers every request the same way.
func plainServer(t *testing.T, h http.HandlerFunc) *kube.Client {
	t.Helper()
	return plainClient(t, h, kube.Options{Retry: kube.Retry{Attempts: 1}})
}

func plainClient(t *testing.T, h http.HandlerFunc, opts kube.Options) *kube.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := kube.NewForConfig(&rest.Config{Host: s.URL}, ns, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnswersThatAreNoJSON(t *testing.T) {
	t.Parallel()
	c := plainServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("<html>"))
	})
	ctx := context.Background()
	for title, do := range map[string]func() error{
		"versions":  func() error { _, err := c.ServedVersions(ctx, "x"); return err },
		"resources": func() error { _, err := c.ServedResources(ctx, schema.GroupVersion{Version: "v1"}); return err },
		"version":   func() error { _, err := c.ServerVersion(ctx); return err },
		"names":     func() error { _, err := c.Names(ctx, kube.Volumes(), ""); return err },
		"list":      func() error { _, err := c.List(ctx, kube.Volumes(), "", kube.ListOptions{}); return err },
	} {
		if do() == nil {
			t.Errorf("%s: taken", title)
		}
	}
	c = plainServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","status":{}}`))
	})
	if _, err := c.Review(ctx, needed()); err == nil {
		t.Error("a review without an answer allows nothing")
	}
}

func TestRequestsAndWarningsAreTold(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var requests, warnings []string
	c := plainClient(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Warning", `299 - "v1beta2 is deprecated"`)
		w.Header().Add("Warning", `199 - "something of a proxy"`)
		w.Header().Set("Content-Type", "application/json")
		if got := r.Header.Get("User-Agent"); got != "kafkarecover/x" {
			t.Errorf("the audit log must tell who acts, got %q", got)
		}
		_, _ = w.Write([]byte(`{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}`))
	}, kube.Options{
		UserAgent: "kafkarecover/x",
		OnRequest: func(method, path string) {
			mu.Lock()
			defer mu.Unlock()
			requests = append(requests, method+" "+path)
		},
		OnWarning: func(text string) {
			mu.Lock()
			defer mu.Unlock()
			warnings = append(warnings, text)
		},
	})
	if _, err := c.Get(context.Background(), kube.Pods(), ns, "p"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"GET /api/v1/namespaces/kafka/pods/p"}, requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"v1beta2 is deprecated"}, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// container answers an exec as the API server does over WebSocket (the protocol v5.channel.k8s.io: each message begins
// with its channel: 1 stdout, 2 stderr, 3 a Status).
func container(t *testing.T, status string, seen *[]string) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		*seen = append(*seen, r.URL.Path, strings.Join(r.URL.Query()["command"], " "), r.URL.Query().Get("container"))
		up := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		for _, m := range []string{"\x01out", "\x02oh\n", "\x03" + status} {
			if err := conn.WriteMessage(websocket.BinaryMessage, []byte(m)); err != nil {
				t.Error(err)
			}
		}
		_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	}
}

func TestExec(t *testing.T) {
	t.Parallel()
	var seen []string
	c := plainServer(t, container(t, `{"status":"Success"}`, &seen))
	var out, errOut bytes.Buffer
	run := kube.Exec{
		Namespace: ns, Pod: "p", Container: "kafka", Command: []string{"sh", "-c", "x y"}, Stdout: &out, Stderr: &errOut,
	}
	if err := c.Exec(context.Background(), run); err != nil || out.String() != "out" || errOut.String() != "oh\n" {
		t.Errorf("got %q, %q, %v", &out, &errOut, err)
	}
	if diff := cmp.Diff([]string{"/api/v1/namespaces/kafka/pods/p/exec", "sh -c x y", "kafka"}, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c = plainServer(t, container(t, `{"status":"Failure","reason":"NonZeroExitCode","message":"exit 3",
		"details":{"causes":[{"reason":"ExitCode","message":"3"}]}}`, &seen))
	run.Stdout, run.Stderr = nil, nil
	err := c.Exec(context.Background(), run)
	var exit *kube.ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || exit.Stderr != "oh" || !strings.Contains(err.Error(), `"sh"`) {
		t.Errorf("got %v", err)
	}
}

func TestExecThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.AnswerWith(kubetest.Forbidden)
	run := kube.Exec{Namespace: ns, Pod: "p", Stdin: &bytes.Buffer{}}
	err := s.Client(t, ns).Exec(context.Background(), run)
	var e *kube.Error
	if !errors.As(err, &e) || e.Subresource != "exec" || e.Name != "p" {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	mine := errors.New("mine")
	cancel(mine)
	if err := s.Client(t, ns).Exec(ctx, kube.Exec{Namespace: ns, Pod: "p"}); !errors.Is(err, mine) {
		t.Errorf("why it was ended is what is told, got %v", err)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	var query string
	c := plainServer(t, func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.Query().Encode()
		_, _ = w.Write([]byte(strings.Repeat("line\n", 100)))
	})
	got, err := c.Logs(context.Background(), ns, "p",
		kube.LogOptions{Container: "kafka", TailLines: 3, Previous: true, Limit: 10})
	if err != nil || string(got) != "line\nline\n" {
		t.Errorf("a server that sends too much is cut off, got %q, %v", got, err)
	}
	if query != "container=kafka&limitBytes=10&previous=true&tailLines=3" {
		t.Errorf("got %q", query)
	}
	s := kubetest.New(t)
	if _, err := s.Client(t, ns).Logs(context.Background(), ns, "none", kube.LogOptions{}); !kube.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]schema.GroupVersionResource{
		"/v1, Resource=namespaces": kube.Namespaces(), "/v1, Resource=events": kube.Events(),
		"/v1, Resource=services": kube.Services(), "/v1, Resource=resourcequotas": kube.ResourceQuotas(),
		"apps/v1, Resource=deployments":                 kube.Deployments(),
		"storage.k8s.io/v1, Resource=csinodes":          kube.CSINodes(),
		"storage.k8s.io/v1, Resource=csidrivers":        kube.CSIDrivers(),
		"storage.k8s.io/v1, Resource=storageclasses":    kube.StorageClasses(),
		"storage.k8s.io/v1, Resource=volumeattachments": kube.VolumeAttachments(),
		"/v1, Resource=persistentvolumeclaims":          kube.Claims(),
	} {
		if got.String() != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
}

func TestTheClientsOwnLogIsSilent(t *testing.T) { //nolint:paralleltest // klog's logger is process-wide
	kube.SilenceClientLogs(0)
	kube.SilenceClientLogs(0)
}
