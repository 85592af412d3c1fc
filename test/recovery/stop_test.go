package recovery_test

import (
	"context"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

func (g *ground) stop(
	state, operation string, change func(*recovery.Target, *recovery.Deps),
) (*recovery.Reversal, error) {
	g.t.Helper()
	target, deps := recovery.Target{Namespace: g.ns, Operation: operation}, g.deps()
	deps.StateDir = state
	if change != nil {
		change(&target, &deps)
	}
	stopped, err := recovery.Stop(g.t.Context(), target, deps)
	if stopped != nil {
		g.follows(stopped)
	}
	return stopped, err
}

// wantStopped halts the cluster and requires it to be paused without a Kafka pod, with every claim still there.
func (g *ground) wantStopped(left, operation string) {
	g.t.Helper()
	result, err := g.stop(left, operation, nil)
	if err != nil || result.Outcome != recovery.OutcomeStopped || result.Code() != exitcode.OK {
		g.t.Fatalf("%v %+v", err, result)
	}
	if kafka := g.status(); !kafka.PauseAnnotated || !kafka.Status.IsPaused() {
		g.t.Errorf("it must be paused: %+v", kafka.Status)
	}
	sets, err := g.client.List(g.t.Context(), strimzi.PodSetGVR("v1"), g.ns, kube.ListOptions{})
	if err != nil || len(sets.Items) > 0 || len(g.pods()) > 0 {
		g.t.Errorf("left are %d pod sets and %d pods: %v", len(sets.Items), len(g.pods()), err)
	}
	claims, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).List(g.t.Context(), metav1.ListOptions{})
	if err != nil || len(claims.Items) != 9 {
		g.t.Errorf("%d claims are left of 9: %v", len(claims.Items), err)
	}
	for _, c := range claims.Items {
		if c.DeletionTimestamp != nil {
			g.t.Errorf("claim %s is being deleted", c.Name)
		}
	}
	g.wantRetained(9)
	g.wantNothingLeft()
}

// The operator is in the middle of a reconcile, and makes the pod sets again that are deleted.
func TestARunThatDiedPastItsPointOfNoReturnIsStopped(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	starts["paused"](g)
	left, operation, _ := g.kill(recoverytest.Unpausing(recovery.PhaseDone), false)
	g.eventually("the operator to make pods", func() bool { return len(g.pods()) > 0 })
	g.wantNotUndone(left, operation)
	if _, err := g.resume(left, operation, nil); err == nil || !strings.Contains(err.Error(), "restore") {
		t.Errorf("what was stopped is judged anew, not gone on with: %v", err)
	}
}

func TestARunThatDiedIsNotStoppedWithAClaimThatWouldGo(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	starts["paused"](g)
	left, operation, _ := g.kill(recoverytest.Unpausing(recovery.PhaseDone), false)
	g.eventually("pods to be there", func() bool { return len(g.pods()) == 6 })
	name := "data-0-my-cluster-controller-3"
	claims := g.typed.CoreV1().PersistentVolumeClaims(g.ns)
	hold := []byte(`{"metadata":{"finalizers":["kubernetes.io/pvc-protection","test/hold"]}}`)
	if _, err := claims.Patch(t.Context(), name, types.MergePatchType, hold, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = claims.Patch(context.Background(), name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`),
			metav1.PatchOptions{})
	})
	if err := claims.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	result, err := g.stop(left, operation, nil)
	if err == nil || result.Code() != exitcode.Refused || !strings.Contains(err.Error(), name) {
		t.Fatalf("its claim goes with the pod: %v %+v", err, result)
	}
	if !g.status().PauseAnnotated || len(g.pods()) != 6 {
		t.Errorf("it must be paused, and its pods run on: %d pods", len(g.pods()))
	}
}

// operations names the one operation whose journal is in the namespace.
func (g *ground) operations() (string, error) {
	list, err := g.typed.CoreV1().ConfigMaps(g.ns).List(g.t.Context(),
		metav1.ListOptions{LabelSelector: recovery.OperationLabel})
	if err != nil || len(list.Items) == 0 {
		return "", err
	}
	return list.Items[0].Labels[recovery.OperationLabel], nil
}
