package kube_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
)

func needed() []kube.Access {
	return []kube.Access{
		{Verb: "list", Resource: "persistentvolumes"},
		{Verb: "patch", Group: "kafka.strimzi.io", Resource: "kafkas", Subresource: "status", Namespace: ns},
		{Verb: "get", Resource: "pods", Namespace: ns, Name: "p"},
		{Verb: "create", Resource: "pods", Namespace: ns, Name: "p"},
		{Verb: "delete", Resource: "pods", Namespace: ns},
		{Verb: "list", Resource: "pods", Namespace: ns},
		{Verb: "list", Resource: "events", Namespace: ns},
		{Verb: "delete", Resource: "events", Namespace: ns},
		{Verb: "list", Resource: "events", Namespace: ns},
	}
}

func TestReviewOfPermissions(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Subresource == "status" || r.Verb == "delete" && r.Resource == "pods" {
			return kubetest.Forbidden(r)
		}
		return nil
	})
	missing, err := s.Client(t, ns).Review(context.Background(), needed())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range missing {
		got = append(got, a.String())
	}
	want := []string{"patch kafkas.kafka.strimzi.io/status in namespace kafka", "delete pods in namespace kafka"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := needed()[2].String(); got != `get pods "p" in namespace kafka` {
		t.Errorf("got %q", got)
	}
	s.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Resource == "selfsubjectaccessreviews" {
			return &kubetest.Failure{Code: http.StatusBadRequest, Reason: "BadRequest", Message: "no"}
		}
		return nil
	})
	if _, err := s.Client(t, ns).Review(context.Background(), needed()); err == nil {
		t.Error("a review that failed allows nothing")
	}
}

func TestRolesGrantExactlyWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	got, err := kube.Roles("kafkarecover", needed())
	if err != nil {
		t.Fatal(err)
	}
	// https://kubernetes.io/docs/reference/access-authn-authz/rbac/: create cannot be restricted to a name
	const want = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: kafkarecover
rules:
- apiGroups:
  - ""
  resources:
  - persistentvolumes
  verbs:
  - list
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: kafkarecover
  namespace: kafka
rules:
- apiGroups:
  - kafka.strimzi.io
  resources:
  - kafkas/status
  verbs:
  - patch
- apiGroups:
  - ""
  resources:
  - events
  verbs:
  - delete
  - list
- apiGroups:
  - ""
  resources:
  - pods
  verbs:
  - create
  - delete
  - list
- apiGroups:
  - ""
  resourceNames:
  - p
  resources:
  - pods
  verbs:
  - get
`
	if sortedRules(want) != sortedRules(got) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
	}
}

// sortedRules leaves the order of rules, which means nothing, out of a comparison.
func sortedRules(text string) string {
	parts := strings.Split(text, "- apiGroups:")
	counts := map[string]int{}
	for _, p := range parts {
		counts[strings.TrimSpace(p)]++
	}
	return fmt.Sprint(counts)
}

// answered is the error of a request that was answered so.
func answered(t *testing.T, f kubetest.Failure) error {
	t.Helper()
	s := kubetest.New(t)
	s.AnswerWith(func(*kubetest.Request) *kubetest.Failure { return &f })
	_, err := s.Client(t, ns).Get(context.Background(), kube.Pods(), ns, "p")
	if err == nil {
		t.Fatal("want an error")
	}
	return err
}

func TestKindsOfErrors(t *testing.T) {
	t.Parallel()
	const rbac = `pods "p" is forbidden: User "u" cannot get resource "pods" in API group "" in the namespace "kafka"`
	const quota = `pods "p" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0`
	for title, tc := range map[string]struct {
		failure kubetest.Failure
		is      string
	}{
		"no permission":      {kubetest.Failure{Code: 403, Reason: "Forbidden", Message: rbac}, "forbidden"},
		"nobody":             {kubetest.Failure{Code: 401, Reason: "Unauthorized"}, "forbidden"},
		"a quota":            {kubetest.Failure{Code: 403, Reason: "Forbidden", Message: quota}, "forbidden denied"},
		"not there":          {kubetest.Failure{Code: 404, Reason: "NotFound"}, "notfound"},
		"a conflict":         {kubetest.Failure{Code: 409, Reason: "Conflict"}, "conflict"},
		"there already":      {kubetest.Failure{Code: 409, Reason: "AlreadyExists"}, "exists"},
		"invalid":            {kubetest.Failure{Code: 422, Reason: "Invalid"}, "invalid"},
		"a bad request":      {kubetest.Failure{Code: 400, Reason: "BadRequest"}, "invalid"},
		"an internal error":  {kubetest.Failure{Code: 500, Reason: "InternalError"}, "transient"},
		"a restarting one":   {kubetest.Failure{Code: 503, Reason: "ServiceUnavailable"}, "transient"},
		"a gateway timeout":  {kubetest.Failure{Code: 504, Reason: "Timeout"}, "transient"},
		"too many requests":  {kubetest.Failure{Code: 429, Reason: "TooManyRequests"}, "transient"},
		"a method not there": {kubetest.Failure{Code: 405, Reason: "MethodNotAllowed"}, ""},
	} {
		err := fmt.Errorf("outer: %w", answered(t, tc.failure))
		var is []string
		for _, k := range []struct {
			name string
			test func(error) bool
		}{
			{"notfound", kube.IsNotFound}, {"forbidden", kube.IsForbidden}, {"denied", kube.IsDenied},
			{"conflict", kube.IsConflict}, {"exists", kube.IsAlreadyExists}, {"invalid", kube.IsInvalid},
			{"transient", kube.IsTransient}, {"timeout", kube.IsTimeout},
		} {
			if k.test(err) {
				is = append(is, k.name)
			}
			if k.test(nil) || k.test(errors.New("other")) {
				t.Errorf("nothing and anything is %s", k.name)
			}
		}
		if got := strings.Join(is, " "); got != tc.is {
			t.Errorf("%s: want %q, got %q", title, tc.is, got)
		}
	}
}

func TestConnectionsThatBreakAreTransient(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		syscall.ECONNRESET: true, syscall.EPIPE: true, syscall.ECONNREFUSED: true, io.ErrUnexpectedEOF: true,
		&url.Error{Op: "Get", URL: "https://x", Err: io.EOF}: true,
		context.Canceled: false, context.DeadlineExceeded: false, errors.New("x509: certificate"): false,
		apierrors.NewTimeoutError("x", 1): true,
	} {
		if got := kube.IsTransient(fmt.Errorf("outer: %w", err)); got != want {
			t.Errorf("%v: want %v", err, want)
		}
	}
}
