package recovery_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/test/operator"
	"github.com/kafkarecover/kafkarecover/test/operator/crds"
)

const snapshotDriver = "double.csi.test"

// snapshotDefinition is a double of the definition that kubernetes-csi/external-snapshotter installs: group, version,
// scope and status are those; the schema takes anything.
func snapshotDefinition(kind, plural, scope string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{
			"name": plural + ".snapshot.storage.k8s.io",
			// The group is Kubernetes' own, for which the API server wants to be told that this is known.
			"annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, a double for tests"},
		},
		"spec": map[string]any{
			"group": "snapshot.storage.k8s.io", "scope": scope,
			"names": map[string]any{"kind": kind, "plural": plural, "singular": strings.ToLower(kind)},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "x-kubernetes-preserve-unknown-fields": true,
				}},
			}},
		},
	}}
}

// snapshotDefinitions installs the doubles of the definitions.
func (g *ground) snapshotDefinitions() {
	g.t.Helper()
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := crds.Install(g.t.Context(), dyn, []*unstructured.Unstructured{
		snapshotDefinition("VolumeSnapshot", "volumesnapshots", "Namespaced"),
		snapshotDefinition("VolumeSnapshotClass", "volumesnapshotclasses", "Cluster"),
	}); err != nil {
		g.t.Fatal(err)
	}
}

// snapshotClass makes the class of the driver, which is not its default one.
func (g *ground) snapshotClass() string {
	g.t.Helper()
	name := "class-" + g.ns
	_, err := g.client.Create(g.t.Context(), kube.VolumeSnapshotClasses(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
		"metadata": map[string]any{"name": name}, "driver": snapshotDriver, "deletionPolicy": "Retain",
	}}, false)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		_ = g.client.Delete(context.Background(), kube.VolumeSnapshotClasses(), "", name, kube.DeleteOptions{})
	})
	return name
}

// snapshotter is a double of the driver's controller: a snapshot can be used a moment after it was made.
func (g *ground) snapshotter() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			for _, s := range g.snapshots() {
				if !s.Ready {
					_, _ = g.client.Patch(ctx, kube.VolumeSnapshots(), g.ns, s.Name, kube.Patch{
						Type: kube.MergePatch, Subresource: "status", Body: []byte(`{"status":{"readyToUse":true}}`),
					})
				}
			}
			time.Sleep(200 * time.Millisecond)
		}
	}()
	g.t.Cleanup(func() { cancel(); <-ended })
}

func (g *ground) snapshots() map[string]volume.Snapshot {
	list, err := g.client.List(context.Background(), kube.VolumeSnapshots(), g.ns, kube.ListOptions{})
	if err != nil {
		return nil
	}
	out := map[string]volume.Snapshot{}
	for i := range list.Items {
		s := volume.ParseSnapshot(list.Items[i].Object)
		out[s.Name] = s
	}
	return out
}

// handles are the folders of CSI volumes, for the nodes that the double of the operator plays.
func (g *ground) handles(_ context.Context, claim *corev1.PersistentVolumeClaim) (string, error) {
	pv, err := g.typed.CoreV1().PersistentVolumes().Get(context.Background(), claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if pv.Spec.CSI == nil {
		return "", fmt.Errorf("volume %q is of no CSI driver", pv.Name)
	}
	return pv.Spec.CSI.VolumeHandle, nil
}

func TestSnapshotsAreKeptWhateverBecomesOfTheRun(t *testing.T) {
	t.Parallel()
	g := newGroundOf(t, snapshotDriver, nil)
	g.snapshotDefinitions()
	g.kafka(map[string]string{"strimzi.io/pause-reconciliation": "true"})
	g.operator(func(o *operator.Options) {
		nodes, _ := o.Nodes.(*operator.Simulated)
		nodes.Disks = g.handles
	})
	refused, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { r.Snapshot = true })
	if err != nil || refused.Code() != exitcode.Refused ||
		!strings.Contains(refused.Reason, `its driver "double.csi.test" has no VolumeSnapshotClass`) {
		t.Fatal(err, told(refused))
	}
	class := g.snapshotClass()
	g.snapshotter()
	ask := func(r *recovery.Request) { r.Snapshot, r.SnapshotClass = true, class }
	left, operation, died := g.killAsked(recoverytest.FirstOf(recovery.StepClusterID, recovery.PhaseIntent), false, ask)
	if died == "" {
		t.Fatal("it was to die")
	}
	if undone, err := g.undo(left, operation, nil); err != nil || undone.Outcome != recovery.OutcomeUndone {
		t.Fatalf("%v %+v", err, undone)
	}
	kept := len(g.snapshots())
	if kept == 0 {
		t.Error("a run that is undone keeps the copies that were made")
	}
	g.onStep(recovery.StepUnpause, func() {
		for name, s := range g.snapshots() {
			if !s.Ready {
				t.Errorf("it goes on although %s cannot be used yet", name)
			}
		}
	})
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { ask(r) })
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	g.wantRunningAs(clusterID)
	all := g.snapshots()
	if len(all) != 2*kept || len(result.Plan.Snapshots) != kept {
		t.Errorf("each of two runs makes a snapshot of each volume: %d, of %d planned", len(all), len(result.Plan.Snapshots))
	}
	for _, p := range result.Plan.Snapshots {
		if s := all[p.Name]; s.Claim != p.Claim || !s.Ready || p.Class != class {
			t.Errorf("planned %+v, and there is %+v", p, s)
		}
	}
}
