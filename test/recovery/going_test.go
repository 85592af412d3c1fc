package recovery_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// stuckNamespace deletes the namespace of a cluster whose Topic Operator is gone: its KafkaTopic keeps the namespace, and
// one claim is still there. Volumes have the policy Delete. It returns what lets the topic and the claim go.
func (g *ground) stuckNamespace() (release func()) {
	g.t.Helper()
	const claim = "data-0-my-cluster-broker-0"
	topic := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kafka.strimzi.io/v1", "kind": strimzi.TopicKind,
		"metadata": map[string]any{
			"name": "orders", "namespace": g.ns, "finalizers": []any{"strimzi.io/topic-operator"},
			"labels": map[string]any{strimzi.ClusterLabel: clusterName},
		},
		"spec": map[string]any{"partitions": int64(3), "replicas": int64(3)},
	}}
	if _, err := g.client.Create(g.t.Context(), strimzi.TopicGVR("v1"), topic, false); err != nil {
		g.t.Fatal(err)
	}
	free := g.protectClaim(claim)
	for _, pv := range g.volumes() {
		patch := []byte(`{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}`)
		if _, err := g.typed.CoreV1().PersistentVolumes().Patch(g.t.Context(), pv.Name, types.MergePatchType, patch,
			metav1.PatchOptions{}); err != nil {
			g.t.Fatal(err)
		}
	}
	if err := g.typed.CoreV1().Namespaces().Delete(g.t.Context(), g.ns, metav1.DeleteOptions{}); err != nil {
		g.t.Fatal(err)
	}
	g.eventually("the other claims to be gone", func() bool {
		claims, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).List(g.t.Context(), metav1.ListOptions{})
		return err == nil && len(claims.Items) == 1 && claims.Items[0].DeletionTimestamp != nil
	})
	return func() {
		free()
		// What the command does that a person is given.
		_, err := g.client.Patch(context.Background(), strimzi.TopicGVR("v1"), g.ns, "orders",
			kube.Patch{Type: types.MergePatchType, Body: []byte(`{"metadata":{"finalizers":null}}`)})
		if err != nil {
			g.t.Error(err)
		}
	}
}

// namespaceWaiter does something as soon as a run waits for the namespace.
type namespaceWaiter struct {
	*ground
	do   func()
	once sync.Once
}

// Waiting implements recovery.Reporter.
func (w *namespaceWaiter) Waiting(step recovery.StepID, text string) {
	w.ground.Waiting(step, text)
	if step == recovery.StepNamespace {
		w.once.Do(w.do)
	}
}

// A namespace whose Topic Operator went before its topics stays, being deleted, for good. Whoever restores is told what
// keeps it and how it goes, and may wait; nothing that goes with it takes a volume along.
func TestARestoreOutlastsANamespaceThatIsBeingDeleted(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	release := g.stuckNamespace()
	refuses := func(title string, change func(*recovery.Request), want ...string) {
		t.Helper()
		_, err := g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) { change(r) })
		var going *recovery.GoingError
		if !errors.As(err, &going) {
			t.Fatalf("%s: %v", title, err)
		}
		for _, w := range append(want, "kafkatopics orders: finalizer strimzi.io/topic-operator; only the Topic Operator",
			"kubectl get kafkatopics -n "+g.ns+" -o name | xargs kubectl patch -n "+g.ns+" --type=merge",
			"persistentvolumeclaims data-0-my-cluster-broker-0: finalizer example.org/slow",
			"9 volumes are not Retain", "kafkarecover protect -n "+g.ns, "Some content in the namespace has finalizers") {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: want %q in:\n%s", title, w, err)
			}
		}
	}
	g.eventually("Kubernetes to say what is left", func() bool {
		ns, err := g.typed.CoreV1().Namespaces().Get(t.Context(), g.ns, metav1.GetOptions{})
		return err == nil && slices.ContainsFunc(ns.Status.Conditions, func(c corev1.NamespaceCondition) bool {
			return c.Type == corev1.NamespaceFinalizersRemaining && c.Status == corev1.ConditionTrue
		})
	})
	refuses("without a manifest", func(*recovery.Request) {}, "--namespace-manifest FILE")
	refuses("dry run", func(r *recovery.Request) {
		r.NamespaceManifest, r.DryRun = g.savedNamespace(), recovery.DryRunServer
	}, "without the dry run this waits")
	for _, pv := range g.volumes() {
		if pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
			t.Errorf("a refusal must not touch pv %q", pv.Name)
		}
	}

	g.operator(nil)
	result, err := g.restoreReleased(t.Context(), func(r *recovery.Request, d *recovery.Deps) {
		r.NamespaceManifest = g.savedNamespace()
		d.Report = &namespaceWaiter{ground: g, do: func() { g.wantRetained(9); release() }}
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result), g.waits)
	}
	if first := result.Plan.Steps[0]; first.ID != recovery.StepNamespace ||
		!strings.Contains(first.Title, "is gone, and make it again") {
		t.Errorf("the plan must say what was waited for: %+v", first)
	}
	i := slices.IndexFunc(result.Plan.Steps, func(s recovery.Step) bool { return s.ID == recovery.StepRetain })
	if i < 0 || result.Plan.Steps[i].State != recovery.StepDone || len(result.Plan.Steps[i].Does) != 9 {
		t.Errorf("the plan must say of which volumes the policy was set: %+v", result.Plan.Steps)
	}
	if waits := strings.Join(g.waits, "\n"); !strings.Contains(waits, "it is being deleted") {
		t.Errorf("it does not say what it waits for:\n%s", waits)
	}
	if warned := strings.Join(g.warns, "\n"); !strings.Contains(warned, "kubectl get kafkatopics -n "+g.ns) {
		t.Errorf("it does not say how the namespace goes:\n%s", warned)
	}
	g.wantNamespace()
	g.wantRunningAs(clusterID)
	g.wantRetained(9)
}

// Where it does not go, the run ends and has changed nothing but Retain; another one may wait again.
func TestARestoreDoesNotWaitForANamespaceForever(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	release := g.stuckNamespace()
	t.Cleanup(release)
	result, err := g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
		r.NamespaceManifest, r.Timeout = g.savedNamespace(), 3*time.Second
	})
	var late *kube.TimeoutError
	if !errors.As(err, &late) || !strings.Contains(err.Error(), "--timeout") || result.Outcome == recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	g.wantRetained(9)
	_, err = g.restoreReleased(t.Context(), nil)
	var going *recovery.GoingError
	if !errors.As(err, &going) || going.Unprotected != 0 {
		t.Errorf("its volumes are protected by now: %v", err)
	}
}
