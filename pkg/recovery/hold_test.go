package recovery_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// passing sends requests on, but for those that answer answers.
type passing struct {
	next   http.RoundTripper
	answer func(*http.Request) *http.Response
}

func (p *passing) RoundTrip(r *http.Request) (*http.Response, error) {
	if answer := p.answer(r); answer != nil {
		return answer, nil
	}
	return p.next.RoundTrip(r)
}

// answered has some requests of a client answered in the server's place.
func (s *stand) answered(answer func(*http.Request) *http.Response) *kube.Client {
	s.t.Helper()
	return s.clientThrough(func(next http.RoundTripper) http.RoundTripper { return &passing{next, answer} })
}

func reply(r *http.Request, code int, body string) *http.Response {
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": []string{"application/json"}}, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)),
	}
}

// creates tells whether a request stores a new object of a kind.
func creates(r *http.Request, resource string) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/"+resource) && r.URL.Query().Get("dryRun") == ""
}

func forbidden(r *http.Request) *http.Response {
	return reply(r, http.StatusForbidden, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden",`+
		`"message":"made to fail","code":403}`)
}

// closedTo answers lists of one namespace as somebody gets them who may not look into it.
func closedTo(namespace string) func(*http.Request) *http.Response {
	return func(r *http.Request) *http.Response {
		if strings.HasSuffix(r.URL.Path, "/namespaces/"+namespace+"/kafkas") {
			return forbidden(r)
		}
		return nil
	}
}

func (l *lost) depsThrough(answer func(*http.Request) *http.Response) recovery.Deps {
	deps := l.deps()
	deps.Kube = l.answered(answer)
	return deps
}

// writes are those of the tool that are stored. It replaces nothing: that is how the stand-in for the operator writes.
func (l *lost) writes() []string {
	var out []string
	for _, r := range l.server.Requests() {
		if slices.Contains([]string{"create", "patch", "delete"}, r.Verb) && len(r.Query["dryRun"]) == 0 &&
			r.Resource != "selfsubjectaccessreviews" {
			out = append(out, r.String())
		}
	}
	return out
}

// writesTo are the writes to objects of a kind.
func (l *lost) writesTo(resource string) []string {
	return slices.DeleteFunc(l.writes(), func(w string) bool { return !strings.Contains(w, " "+resource+" ") })
}

func (l *lost) kafkaThere() bool {
	return l.server.Get(strimzi.KafkaGVR("v1"), standNamespace, standCluster) != nil
}

func TestTheOperatorIsAwayUntilKafkaIsStoredPaused(t *testing.T) {
	t.Parallel()
	l := newLost(t, unpackDisks(t), true)
	var plan *recovery.Plan
	deps := l.depsThrough(func(r *http.Request) *http.Response {
		if creates(r, "kafkanodepools") &&
			(l.replicas() != 0 || l.server.Get(kube.Pods(), operatorNamespace, "operator-0") != nil) {
			t.Error("a resource is created while the operator, or a reconcile of its last pod, may be there")
		}
		return closedTo("closed")(r)
	})
	deps.Confirm = func(_ context.Context, p *recovery.Plan, _ []finding.Finding) (bool, error) {
		plan = p
		if l.replicas() != 1 {
			t.Error("the operator was scaled before that was confirmed")
		}
		return true, nil
	}
	result, err := recovery.Restore(t.Context(), l.hold(), deps)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %s %s", err, result.Outcome, refusal(result))
	}
	l.wantRunning()
	l.wantHeldNoMore()
	var order []string
	for _, s := range plan.Steps {
		order = append(order, string(s.ID))
	}
	if got := strings.Join(order, " "); !strings.Contains(got, "lock hold-operator claims resources scale-back pause") {
		t.Errorf("the steps are %s", got)
	}
	for _, want := range []string{"strimzi/strimzi-cluster-operator", "kafka other/neighbour", "namespace closed could not"} {
		if !strings.Contains(plan.Meanwhile(), want) {
			t.Errorf("the prompt does not say %q: %s", want, plan.Meanwhile())
		}
	}
	if strings.Contains(plan.Meanwhile(), standNamespace+"/"+standCluster) {
		t.Errorf("the cluster itself is none of the others: %s", plan.Meanwhile())
	}
}

func TestClustersThatCouldNotBeReadAreNotNone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		watched, says, not string
		answer             func(*http.Request) *http.Response
	}{
		"none":           {standNamespace, "no other Kafka cluster.", "", closedTo("none")},
		"all namespaces": {"*", "kafka other/neighbour", "could not", closedTo("none")},
		"all namespaces, which may not be read": {"*", "clusters that are not known (those of other", "no other",
			func(r *http.Request) *http.Response {
				if strings.HasSuffix(r.URL.Path, "/v1/kafkas") {
					return forbidden(r)
				}
				return nil
			}},
		"its only other namespace": {standNamespace + ",closed", "clusters that are not known", "no other",
			closedTo("closed")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLost(t, unpackDisks(t), true)
			l.watch(tt.watched)
			req := l.hold()
			req.DryRun = recovery.DryRunServer
			result, err := recovery.Restore(t.Context(), req, l.depsThrough(tt.answer))
			if err != nil || result.Outcome != recovery.OutcomePlanned {
				t.Fatalf("%v %s", err, refusal(result))
			}
			if got := result.Plan.Meanwhile(); !strings.Contains(got, tt.says) ||
				tt.not != "" && strings.Contains(got, tt.not) {
				t.Errorf("want %q and not %q in: %s", tt.says, tt.not, got)
			}
			l.wantHeldNoMore()
		})
	}
}

func TestTheOperatorIsHeldOnlyWhereTheClusterIsMade(t *testing.T) {
	t.Parallel()
	s := newStand(t, unpackDisks(t), true)
	req := s.request()
	req.HoldOperator = true
	var flag *recovery.FlagError
	if _, err := recovery.Restore(t.Context(), req, s.deps()); !errors.As(err, &flag) || flag.Flag != "--hold-operator" ||
		!strings.Contains(flag.Error(), "is there") {
		t.Errorf("want the flag refused, with the reason: %v", err)
	}
	for _, w := range s.server.Writes() {
		if strings.Contains(w, " deployments ") {
			t.Errorf("%s", w)
		}
	}
}

// watch has the operator watch other namespaces.
func (l *lost) watch(namespaces string) {
	l.changeOperator(func(o kubetest.Object) { operatorEnv(o)[0]["value"] = namespaces })
}

func annotate(meta string, key, value string) func(*lost) {
	return func(l *lost) {
		l.changeOperator(func(o kubetest.Object) {
			o["metadata"].(kubetest.Object)[meta] = kubetest.Object{key: value}
		})
	}
}

func ownedBy(owner kubetest.Object) func(*lost) {
	return func(l *lost) {
		l.changeOperator(func(o kubetest.Object) {
			o["metadata"].(kubetest.Object)["ownerReferences"] = []any{owner}
		})
	}
}

func TestAnOperatorThatSomethingElseScalesIsNotHeld(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	const subject = "operator/strimzi/strimzi-cluster-operator"
	for name, tt := range map[string]struct {
		change func(*lost)
		says   string
		accept string // lifts it
	}{
		"OLM": {
			ownedBy(kubetest.Object{"kind": "ClusterServiceVersion", "name": "strimzi-cluster-operator.v1.2.0"}),
			"clusterserviceversions.operators.coreos.com strimzi-cluster-operator.v1.2.0", "operator-scaled-by-other",
		},
		"OLM, by its label": {
			annotate("labels", "olm.owner", "strimzi-cluster-operator.v1.2.0"), `"strimzi-cluster-operator.v1.2.0"`,
			"operator-scaled-by-other",
		},
		"another controller": {
			ownedBy(kubetest.Object{"kind": "Wrapper", "name": "w", "controller": true}), `stop Wrapper "w"`,
			"operator-scaled-by-other",
		},
		"Argo CD": {
			annotate("annotations", "argocd.argoproj.io/tracking-id", "strimzi:apps/Deployment:strimzi/op"),
			"applications.argoproj.io strimzi", "gitops-active",
		},
		"Flux": {
			annotate("labels", "helm.toolkit.fluxcd.io/name", "strimzi"), "helmreleases.helm.toolkit.fluxcd.io strimzi",
			"gitops-active",
		},
		"autoscaler": {
			func(l *lost) {
				l.server.Put(kube.Autoscalers(), kubetest.Object{
					"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
					"metadata": kubetest.Object{"namespace": operatorNamespace, "name": "more"},
					"spec": kubetest.Object{"scaleTargetRef": kubetest.Object{
						"kind": "Deployment", "name": operatorName,
					}},
				})
			}, "delete horizontalpodautoscaler more", "operator-scaled-by-other",
		},
		"none of them": {func(l *lost) {
			l.changeOperator(func(o kubetest.Object) { o["spec"].(kubetest.Object)["replicas"] = 0 })
		}, "no operator was found", ""},
		"two": {func(l *lost) {
			o := l.server.Get(kube.Deployments(), operatorNamespace, operatorName)
			o["metadata"] = kubetest.Object{"namespace": "second", "name": "op", "uid": "uid-second"}
			l.server.Put(kube.Deployments(), o)
		}, "2 operators may manage", ""},
		"too many": {func(l *lost) {
			l.changeOperator(func(o kubetest.Object) { o["spec"].(kubetest.Object)["replicas"] = 17 })
		}, "17 replicas", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLost(t, d, true)
			tt.change(l)
			result, err := recovery.Restore(t.Context(), l.hold(), l.deps())
			if err != nil || result.Code() != exitcode.Refused || !strings.Contains(refusal(result), tt.says) {
				t.Fatalf("want %q: %v %s", tt.says, err, refusal(result))
			}
			if w := l.writes(); len(w) > 0 {
				t.Errorf("it must be refused before anything is touched: %q", w)
			}
			if tt.accept == "" {
				return
			}
			req := l.hold()
			req.Accept = append(slices.Clone(req.Accept), finding.Lift{Rule: tt.accept, Subject: subject})
			if result, err = recovery.Restore(t.Context(), req, l.deps()); err != nil ||
				result.Outcome != recovery.OutcomeRestored {
				t.Fatalf("%v %s", err, refusal(result))
			}
			l.wantHeldNoMore()
		})
	}
}

func TestHoldingTheOperatorIsReviewedBeforehand(t *testing.T) {
	t.Parallel()
	l := newLost(t, unpackDisks(t), true)
	_, err := recovery.Restore(t.Context(), l.hold(), l.depsThrough(func(r *http.Request) *http.Response {
		if !strings.Contains(r.URL.Path, "selfsubjectaccessreviews") {
			return nil
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !bytes.Contains(body, []byte(`"scale"`)) {
			return nil
		}
		return reply(r, http.StatusCreated, `{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1",`+
			`"status":{"allowed":false}}`)
	}))
	var denied *recovery.AccessError
	if !errors.As(err, &denied) || len(denied.Missing) != 1 || !strings.Contains(denied.Roles, "deployments/scale") ||
		!strings.Contains(denied.Roles, "namespace: strimzi") {
		t.Fatal(err)
	}
	if w := l.writes(); len(w) > 0 {
		t.Errorf("%q", w)
	}
}

// What ends a run before Kafka is stored gives the operator back, where nothing would start by it; where it cannot be
// given back the command that does it is said.
func TestAnOperatorIsNotLeftAwayInSilence(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	const command = "kubectl -n strimzi scale deployment strimzi-cluster-operator --replicas=1"
	for name, tt := range map[string]struct {
		answer func(*lost, *http.Request) *http.Response
		says   string
		stays  bool
	}{
		"Kafka is not accepted": {func(_ *lost, r *http.Request) *http.Response {
			if creates(r, "kafkas") {
				return forbidden(r)
			}
			return nil
		}, "has 1 replica again", false},
		"nor may it be scaled back": {func(l *lost, r *http.Request) *http.Response {
			if creates(r, "kafkas") ||
				strings.HasSuffix(r.URL.Path, "/scale") && l.replicas() == 0 {
				return forbidden(r)
			}
			return nil
		}, command, true},
		"somebody has applied Kafka without a pause": {func(l *lost, r *http.Request) *http.Response {
			if creates(r, "kafkas") {
				l.other(standNamespace, standCluster)
			}
			return nil
		}, "would be started on whatever volumes there are: pause or delete it first; then scale it back: " + command, true},
		"somebody has scaled it back": {func(l *lost, r *http.Request) *http.Response {
			if creates(r, "kafkanodepools") {
				t.Error("it comes back and reconciles what is made")
			}
			if l.replicas() == 0 && l.server.Get(kube.Pods(), operatorNamespace, "operator-0") == nil {
				l.changeOperator(func(o kubetest.Object) { o["spec"].(kubetest.Object)["replicas"] = 1 })
			}
			return nil
		}, "has 1 replica", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLost(t, d, true)
			result, err := recovery.Restore(t.Context(), l.hold(), l.depsThrough(func(r *http.Request) *http.Response {
				return tt.answer(l, r)
			}))
			if err == nil || result.Outcome != recovery.OutcomeLeftPaused {
				t.Fatalf("%v %s %s", err, result.Outcome, refusal(result))
			}
			if next := strings.Join(result.Next, "\n"); !strings.Contains(next, tt.says) {
				t.Errorf("want %q in:\n%s\n%v", tt.says, next, err)
			}
			if stays := l.replicas() == 0; stays != tt.stays {
				t.Errorf("it has %d replicas", l.replicas())
			}
		})
	}
}
