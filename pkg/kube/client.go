// Package kube talks to the Kubernetes API server: one lazily built client for every kind of object, waits, command
// execution in pods, and reviews of what the user may do. It knows nothing of Strimzi, of Kafka or of temporary pods,
// decides nothing and prints nothing.
//
// It works on unstructured objects over the dynamic client. client-go's typed clientset, discovery client and scheme
// (and cli-runtime's genericclioptions, which brings them) register every API type at start-up, which costs some
// 40 MB of resident memory in every command, `version` included; As converts to a typed struct where one is wanted.
package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Enough for a scan of a hundred claims not to be held up by the client itself; the server's own priority and
// fairness protects it. kubectl uses the same order of magnitude (50 and 300).
const (
	defaultQPS   = 50
	defaultBurst = 300
)

// Config says which API server to talk to and as whom. *Flags implements it; so does genericclioptions.ConfigFlags.
type Config interface {
	ToRESTConfig() (*rest.Config, error)
	ToRawKubeConfigLoader() clientcmd.ClientConfig
}

// Options tune a Client. The zero value is what the tool uses.
type Options struct {
	// UserAgent replaces client-go's default, so that audit logs tell who acted.
	UserAgent string
	// QPS and Burst bound the client's own request rate; 0 means 50 and 300.
	QPS   float32
	Burst int
	// OnRequest is called before every HTTP request is sent, exec and log streams excepted (they are upgrades).
	OnRequest func(method, path string)
	// OnWarning receives the Warning headers of the API server; nil drops them.
	OnWarning func(text string)
	// Retry bounds how failed requests are repeated; the zero value means DefaultRetry.
	Retry Retry
	// Patience bounds one request, watches excepted; 0 means 70 seconds.
	Patience time.Duration
}

// Origin says where a client acts. Plans and prompts show it, and journals are bound to it.
type Origin struct {
	// Context is the kubeconfig context's name; empty inside a pod.
	Context string `json:"context,omitempty"`
	// Server is the API server's URL.
	Server string `json:"server"`
	// Namespace is the one asked for by flag or context, "default" otherwise.
	Namespace string `json:"namespace"`
	// User is the kubeconfig's user entry, or whom the flags impersonate.
	User string `json:"user,omitempty"`
}

// Client reads and writes objects of one API server. It is safe for concurrent use.
type Client struct {
	origin  Origin
	opts    Options
	rest    *rest.Config
	dynamic dynamic.Interface
	raw     rest.Interface

	reached atomic.Bool
	// delegate has writes made by somebody else; nil where all are made by the client.
	delegate Delegate

	mu     sync.Mutex
	served map[string][]string
}

// New builds a client. It reads the kubeconfig but does not contact the server.
func New(cfg Config, opts Options) (*Client, error) {
	rc, err := cfg.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("load kubeconfig: %w", err)
	}
	origin, err := originOf(cfg, rc)
	if err != nil {
		return nil, err
	}
	return newClient(rc, origin, opts)
}

// NewForConfig builds a client for a ready rest.Config, as tests have one.
func NewForConfig(rc *rest.Config, namespace string, opts Options) (*Client, error) {
	return newClient(rest.CopyConfig(rc), Origin{Server: rc.Host, Namespace: namespace}, opts)
}

func newClient(rc *rest.Config, origin Origin, opts Options) (*Client, error) {
	rc = dynamic.ConfigFor(rc)
	if opts.UserAgent != "" {
		rc.UserAgent = opts.UserAgent
	}
	if rc.QPS == 0 {
		rc.QPS, rc.Burst = defaultQPS, defaultBurst
	}
	if opts.QPS != 0 {
		rc.QPS, rc.Burst = opts.QPS, max(opts.Burst, int(opts.QPS))
	}
	if opts.Retry == (Retry{}) {
		opts.Retry = DefaultRetry()
	}
	rc.WarningHandler = warningFunc(opts.OnWarning)
	streams := rest.CopyConfig(rc) // upgrades must not pass through the counting transport
	if opts.OnRequest != nil {
		rc.Wrap(func(next http.RoundTripper) http.RoundTripper { return &observer{next: next, on: opts.OnRequest} })
	}
	if opts.Patience == 0 {
		opts.Patience = defaultPatience
	}
	rc.Wrap(func(next http.RoundTripper) http.RoundTripper { return &patience{next: next, limit: opts.Patience} })
	httpClient, err := rest.HTTPClientFor(rc)
	if err != nil {
		return nil, fmt.Errorf("build HTTP client for %q: %w", rc.Host, err)
	}
	dyn, err := dynamic.NewForConfigAndClient(rc, httpClient)
	if err != nil {
		return nil, fmt.Errorf("build client for %q: %w", rc.Host, err)
	}
	unversioned := rest.CopyConfig(rc)
	unversioned.GroupVersion = &schema.GroupVersion{}
	raw, err := rest.UnversionedRESTClientForConfigAndClient(unversioned, httpClient)
	if err != nil {
		return nil, fmt.Errorf("build client for %q: %w", rc.Host, err)
	}
	return &Client{origin: origin, opts: opts, rest: streams, dynamic: dyn, raw: raw, served: map[string][]string{}}, nil
}

func originOf(cfg Config, rc *rest.Config) (Origin, error) {
	loader := cfg.ToRawKubeConfigLoader()
	ns, _, err := loader.Namespace()
	if err != nil {
		return Origin{}, fmt.Errorf("read the namespace of the kubeconfig context: %w", err)
	}
	o := Origin{Server: rc.Host, Namespace: ns, User: rc.Impersonate.UserName}
	raw, err := loader.RawConfig()
	if err != nil {
		return o, nil //nolint:nilerr // inside a pod there is no kubeconfig, and the rest.Config was good
	}
	o.Context = raw.CurrentContext
	if f, ok := cfg.(interface{ ContextName() string }); ok && f.ContextName() != "" {
		o.Context = f.ContextName()
	}
	if c := raw.Contexts[o.Context]; c != nil && o.User == "" {
		o.User = c.AuthInfo
	}
	return o, nil
}

// Origin says where the client acts.
func (c *Client) Origin() Origin { return c.origin }

// Namespace is the namespace asked for by flag or context.
func (c *Client) Namespace() string { return c.origin.Namespace }

// ServerID is the UID of the namespace kube-system, which a Kubernetes cluster keeps for its life, whatever its API
// server is called; empty where that namespace may not be read.
func (c *Client) ServerID(ctx context.Context) (string, error) {
	u, err := c.Get(ctx, Namespaces(), "", "kube-system")
	switch {
	case err == nil:
		return string(u.GetUID()), nil
	case IsForbidden(err), IsNotFound(err):
		return "", nil
	}
	return "", fmt.Errorf("tell the Kubernetes cluster: %w", err)
}

// ServerVersion asks the API server for its version.
func (c *Client) ServerVersion(ctx context.Context) (*version.Info, error) {
	var info version.Info
	if err := c.getJSON(ctx, "/version", &info); err != nil {
		return nil, fmt.Errorf("read the API server's version: %w", err)
	}
	return &info, nil
}

// ServedVersions lists the versions in which an API group is served, the server's preferred one first. A group that
// is not served has none; that is no error. Answers are remembered.
func (c *Client) ServedVersions(ctx context.Context, group string) ([]string, error) {
	c.mu.Lock()
	known, ok := c.served[group]
	c.mu.Unlock()
	if ok {
		return known, nil
	}
	var answer struct {
		Versions []struct {
			Version string `json:"version"`
		} `json:"versions"`
		PreferredVersion struct {
			Version string `json:"version"`
		} `json:"preferredVersion"`
	}
	if err := c.getJSON(ctx, "/apis/"+group, &answer); err != nil && !IsNotFound(err) {
		return nil, fmt.Errorf("discover API group %q: %w", group, err)
	}
	var versions []string
	if p := answer.PreferredVersion.Version; p != "" {
		versions = append(versions, p)
	}
	for _, v := range answer.Versions {
		if v.Version != answer.PreferredVersion.Version {
			versions = append(versions, v.Version)
		}
	}
	if len(versions) > 0 { // a CRD may be installed while a long command runs
		c.mu.Lock()
		c.served[group] = versions
		c.mu.Unlock()
	}
	return versions, nil
}

// ServedResources lists the plural resource names (subresources as "kafkas/status") of one group and version.
func (c *Client) ServedResources(ctx context.Context, gv schema.GroupVersion) ([]string, error) {
	path := "/apis/" + gv.String()
	if gv.Group == "" {
		path = "/api/" + gv.Version
	}
	var answer struct {
		Resources []struct {
			Name string `json:"name"`
		} `json:"resources"`
	}
	if err := c.getJSON(ctx, path, &answer); err != nil {
		if IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("discover the resources of %q: %w", gv, err)
	}
	names := make([]string, 0, len(answer.Resources))
	for _, r := range answer.Resources {
		names = append(names, r.Name)
	}
	return names, nil
}

func (c *Client) getJSON(ctx context.Context, path string, into any) error {
	return c.repeat(ctx, func() error {
		body, err := c.raw.Get().AbsPath(path).DoRaw(ctx)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(body, into); err != nil {
			return fmt.Errorf("decode the answer to GET %q: %w", path, err)
		}
		return nil
	})
}

type observer struct {
	next http.RoundTripper
	on   func(method, path string)
}

// RoundTrip implements http.RoundTripper.
func (o *observer) RoundTrip(r *http.Request) (*http.Response, error) {
	o.on(r.Method, r.URL.Path)
	return o.next.RoundTrip(r)
}

type warningFunc func(text string)

// HandleWarningHeader implements rest.WarningHandler. Code 299 is the only one the API server sends.
func (w warningFunc) HandleWarningHeader(code int, _, text string) {
	const miscPersistent = 299
	if w != nil && code == miscPersistent && text != "" {
		w(text)
	}
}

// sleep waits for d or until ctx ends, whichever is first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
