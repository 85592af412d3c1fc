package recovery_test

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
)

// savedNamespace is the ground's namespace as somebody saved it.
func (g *ground) savedNamespace() *declared.Namespace {
	g.t.Helper()
	text := strings.ReplaceAll(`
apiVersion: v1
kind: Namespace
metadata:
  name: NAMESPACE
  uid: gone
  labels: {pod-security.kubernetes.io/audit: restricted, istio-injection: disabled}
  annotations: {openshift.io/sa.scc.uid-range: 1000680000/10000}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: team, namespace: NAMESPACE}
spec: {hard: {requests.storage: 1Ti}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: defaults, namespace: NAMESPACE}
spec: {limits: [{type: PersistentVolumeClaim, max: {storage: 100Gi}}]}
`, "NAMESPACE", g.ns)
	objects, err := declared.Load(g.t.Context(), []string{declared.Stdin}, strings.NewReader(text))
	if err != nil {
		g.t.Fatal(err)
	}
	picked, err := declared.PickNamespace(objects, g.ns)
	if err != nil {
		g.t.Fatal(err)
	}
	return picked
}

// loseNamespace deletes the namespace and waits until it is gone.
func (g *ground) loseNamespace() {
	g.t.Helper()
	namespaces := g.typed.CoreV1().Namespaces()
	if err := namespaces.Delete(g.t.Context(), g.ns, metav1.DeleteOptions{}); err != nil {
		g.t.Fatal(err)
	}
	g.eventually("the namespace to be gone", func() bool {
		_, err := namespaces.Get(g.t.Context(), g.ns, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
}

// wantNamespace requires that the namespace is as it was saved.
func (g *ground) wantNamespace() {
	g.t.Helper()
	ns, err := g.typed.CoreV1().Namespaces().Get(g.t.Context(), g.ns, metav1.GetOptions{})
	if err != nil {
		g.t.Fatal(err)
	}
	if ns.Labels["pod-security.kubernetes.io/audit"] != "restricted" || ns.Labels["istio-injection"] != "disabled" ||
		ns.Annotations["openshift.io/sa.scc.uid-range"] != "1000680000/10000" {
		g.t.Errorf("labels %v, annotations %v", ns.Labels, ns.Annotations)
	}
	if _, err := g.typed.CoreV1().ResourceQuotas(g.ns).Get(g.t.Context(), "team", metav1.GetOptions{}); err != nil {
		g.t.Error(err)
	}
	if _, err := g.typed.CoreV1().LimitRanges(g.ns).Get(g.t.Context(), "defaults", metav1.GetOptions{}); err != nil {
		g.t.Error(err)
	}
}

func TestANamespaceIsMadeAsItWasSaved(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	saved := g.lose()
	g.loseNamespace()
	if _, err := g.restoreLost(t.Context(), saved, nil); err == nil ||
		!strings.Contains(err.Error(), "--namespace-manifest FILE") {
		t.Fatalf("want it refused, with what makes the namespace: %v", err)
	}
	_, err := g.restoreLost(t.Context(), saved, func(r *recovery.Request, _ *recovery.Deps) {
		r.NamespaceManifest, r.DryRun = g.savedNamespace(), recovery.DryRunClient
	})
	if err == nil || !strings.Contains(err.Error(), "a dry run does not make it") {
		t.Fatal(err)
	}
	g.wantNoVolumes()
	g.operator(nil)
	var first recovery.Step
	result, err := g.restoreLost(t.Context(), saved, func(r *recovery.Request, d *recovery.Deps) {
		r.NamespaceManifest = g.savedNamespace()
		d.Confirm = func(_ context.Context, plan *recovery.Plan, _ []finding.Finding) (bool, error) {
			first = plan.Steps[0]
			return true, nil
		}
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	does := strings.Join(first.Does, "\n")
	if first.ID != recovery.StepNamespace || !strings.Contains(does, "pod-security.kubernetes.io/audit") ||
		!strings.Contains(does, "create limitrange/defaults") {
		t.Errorf("the plan must begin with the namespace: %+v", first)
	}
	g.wantNamespace()
	g.wantRunningAs(clusterID)
}

func TestANamespaceThatWasMadeStays(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	saved := g.lose()
	g.loseNamespace()
	result, err := g.restoreLost(t.Context(), saved, func(r *recovery.Request, d *recovery.Deps) {
		r.NamespaceManifest = g.savedNamespace()
		d.Confirm = func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) { return false, nil }
	})
	if err != nil || result.Outcome != recovery.OutcomeDeclined ||
		!strings.Contains(strings.Join(result.Next, "\n"), "stays") {
		t.Fatal(err, told(result), result.Next)
	}
	g.wantNamespace()
	g.wantNoVolumes()
}

func TestUndoLeavesTheNamespaceThatWasMade(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	saved := g.lose()
	g.loseNamespace()
	left, operation := g.killLost(saved, recoverytest.FirstOf(recovery.StepClaims, recovery.PhaseDone),
		func(r *recovery.Request) { r.NamespaceManifest = g.savedNamespace() })
	undone, err := g.undo(left, operation, nil)
	if err != nil || undone.Outcome != recovery.OutcomeUndone {
		t.Fatalf("%v %+v", err, undone)
	}
	g.wantNamespace()
	g.wantNoVolumes()
}
