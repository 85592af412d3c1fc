package recovery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// lookRebinding looks as a restore with --rebind-claims does, and reads volumes where they lie on this machine.
func (g *ground) lookRebinding(
	ctx context.Context, live *scan.Live, req recovery.LookRequest,
) (*recovery.Observation, error) {
	c := live.Pick(req.Name, req.Planned)
	c.Others = slices.DeleteFunc(c.Others, func(pv volume.PersistentVolume) bool { return pv.DisplacedBy != "" })
	loan, err := binding.Borrow(ctx, g.client, req.Lender, binding.LoanRequest{
		Operation: "look-20260101-000000-0000", Namespace: g.ns, Volumes: c.Others,
		Labels: map[string]string{recovery.OperationLabel: "look-20260101-000000-0000"},
	})
	if err == nil && len(loan.Refused) > 0 {
		err = fmt.Errorf("borrow: %v", loan.Refused)
	}
	c.Released = live.Lent(c)
	err = errors.Join(err, read(ctx, g.disks, c.Released), read(ctx, g.disks, c.Volumes),
		loan.Return(context.WithoutCancel(ctx)))
	if err != nil {
		return nil, err
	}
	held := map[string]scan.Held{}
	for i := range c.Volumes {
		if v := &c.Volumes[i]; v.Contents != nil {
			held[v.Name] = scan.HeldOn(v.Contents, os.DirFS(dirOf(g.disks, v)))
		}
	}
	if err := c.Rebind(req.ClusterID, req.Excluded, held); err != nil {
		return nil, err
	}
	seen := &recovery.Observation{
		Cluster: c.Kafka, Volumes: c.Volumes, Others: c.Others, VolumesForbidden: c.VolumesForbidden, Planned: c.Planned,
		Placements: c.Placements, LetGo: c.LetGo, Displaced: c.Displaced,
	}
	seen.Findings = finding.Judge(finding.Input{
		Volumes: seen.Volumes, Others: seen.Others, Cluster: seen.Cluster, Excluded: req.Excluded,
		ClusterID: req.ClusterID, Displaced: seen.Displaced,
	})
	return seen, nil
}

// renewed is the picture after everything was made again too early: the old volumes are Released, and a cluster with a
// random ID is Ready on new ones, under the same names. It returns where the new volumes lie, and the new cluster's ID.
func (g *ground) renewed() (disks, id string) {
	g.t.Helper()
	g.release()
	disks = g.t.TempDir()
	names := g.claimNames()
	for _, name := range names {
		dir := filepath.Join(disks, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			g.t.Fatal(err)
		}
		g.claimOn(name, g.ns+"-new-"+name, dir, corev1.PersistentVolumeReclaimDelete)
	}
	g.waitBound(len(names))
	g.operator(nil)
	g.kafka(nil)
	g.eventually("the new cluster to be Ready", func() bool { k := g.status(); return k.Ready() && len(g.pods()) == 6 })
	return disks, *g.status().Status.ClusterID
}

// claimNames are those of the lost cluster.
func (g *ground) claimNames() []string {
	g.t.Helper()
	entries, err := os.ReadDir(g.disks)
	if err != nil {
		g.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func rebind(r *recovery.Request) { r.RebindClaims = true }

func rebinding(r *recovery.Request, _ *recovery.Deps) { rebind(r) }

// layout is the volume under each claim.
func (g *ground) layout() map[string]string {
	g.t.Helper()
	list, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).List(g.t.Context(), metav1.ListOptions{})
	if err != nil {
		g.t.Fatal(err)
	}
	out := map[string]string{}
	for _, c := range list.Items {
		out[c.Name] = c.Spec.VolumeName
	}
	return out
}

func (g *ground) wantLayout(prefix string) {
	g.t.Helper()
	want := map[string]string{}
	for _, name := range g.claimNames() {
		want[name] = g.ns + prefix + name
	}
	if diff := cmp.Diff(want, g.layout()); diff != "" {
		g.t.Errorf("every claim must have its volume, and no other claim be there (-want +got):\n%s", diff)
	}
}

// noneLost watches the ground's volumes: none may be deleted, or be Available for anybody's claim to take.
func (g *ground) noneLost() (stop func()) {
	g.t.Helper()
	seen, err := g.typed.CoreV1().PersistentVolumes().Watch(g.t.Context(), metav1.ListOptions{
		LabelSelector: "ground=" + g.ns,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	var ended sync.WaitGroup
	events := 0
	ended.Go(func() {
		for e := range seen.ResultChan() {
			pv, ok := e.Object.(*corev1.PersistentVolume)
			if !ok {
				continue
			}
			events++
			switch {
			case e.Type == watch.Deleted || pv.DeletionTimestamp != nil:
				g.t.Errorf("%s was deleted", pv.Name)
			case pv.Status.Phase == corev1.VolumeAvailable || pv.Spec.ClaimRef == nil:
				g.t.Errorf("%s was %s, where any other claim could take it", pv.Name, pv.Status.Phase)
			}
		}
	})
	return func() {
		g.t.Helper()
		seen.Stop()
		ended.Wait()
		if events == 0 {
			g.t.Error("nothing was seen of the volumes: the watch proves nothing")
		}
	}
}

// wantDisplaced requires the new volumes to be kept: Released, Retain, marked, and with what was on them.
func (g *ground) wantDisplaced(disks, operation string, was map[string]string) {
	g.t.Helper()
	n := 0
	for _, pv := range g.volumes() {
		if !strings.HasPrefix(pv.Name, g.ns+"-new-") {
			continue
		}
		n++
		if pv.Status.Phase != corev1.VolumeReleased || pv.Annotations[volume.DisplacedAnnotation] != operation ||
			pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain {
			g.t.Errorf("%s is %s, %s, %v", pv.Name, pv.Status.Phase, pv.Spec.PersistentVolumeReclaimPolicy, pv.Annotations)
		}
	}
	if n != 9 {
		g.t.Errorf("%d new volumes are left of 9", n)
	}
	if diff := cmp.Diff(was, bytesBelow(g.t, disks)); diff != "" {
		g.t.Errorf("what was on the new volumes must stay (-before +after):\n%s", diff)
	}
}

func TestOldVolumesTakeThePlaceOfNewOnes(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	disks, random := g.renewed()
	refused, err := g.restore(nil)
	if err != nil || !slices.Contains(refusedBy(refused), "shadowed-by-new-volume=pvc/"+brokerClaim) {
		t.Fatalf("%v %s %q", err, refused.Outcome, refusedBy(refused))
	}
	was := bytesBelow(t, disks)
	stop := g.noneLost()
	result, err := g.restore(rebinding)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	stop()
	g.wantRunningAs(clusterID)
	g.wantLayout("-")
	g.wantDisplaced(disks, result.Operation, was)
	g.wantRetained(18)
	g.wantNothingLeft()
	g.wantJournaled(result)
	if n := len(result.Plan.Displaced); n != 9 {
		t.Fatalf("the plan must tell of nine new volumes: %+v", result.Plan.Displaced)
	}
	for _, d := range result.Plan.Displaced {
		if !slices.Equal(d.ClusterIDs, []string{random}) || !strings.Contains(d.Volume, "-new-") {
			t.Errorf("it is of cluster %s: %+v", random, d)
		}
	}
	again, err := g.restore(nil)
	if err != nil || again.Outcome != recovery.OutcomeAlreadyRight {
		t.Errorf("volumes that were displaced on purpose must not be in the way: %v %s", err, told(again))
	}
}

// What was written to the new cluster is in no cluster afterwards: that is for somebody to decide.
func TestNewVolumesThatHoldRecordsAreNotDisplacedUnlessThatIsAccepted(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	disks, _ := g.renewed()
	dir := filepath.Join(disks, brokerClaim, "kafka-log0")
	for name, content := range map[string]string{
		"orders-0/00000000000000000000.log": "records", "orders-0/partition.metadata": "version: 0\ntopic_id: " + otherID,
		"replication-offset-checkpoint": "0\n1\norders 0 12\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := g.status()
	refused, err := g.restore(rebinding)
	if err != nil || !slices.Equal(refusedBy(refused), []string{"new-volumes-hold-records=cluster"}) {
		t.Fatalf("%v %s", err, told(refused))
	}
	written := strings.Join(refused.Refusals[0].Evidence, "\n")
	if !strings.Contains(written, "kafka-log0/orders-0: 7 B, offsets 0 to 12") {
		t.Errorf("it must say what was written: %q", written)
	}
	if after := g.status(); after.PauseAnnotated != before.PauseAnnotated || len(g.pods()) != 6 {
		t.Error("a refusal must not touch the cluster")
	}
	g.wantLayout("-new-")
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) {
		rebind(r)
		r.Accept = append(r.Accept, finding.Lift{Rule: "new-volumes-hold-records", Subject: "cluster"})
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	g.wantRunningAs(clusterID)
	g.wantLayout("-")
	var told string
	for i := range result.Plan.Displaced {
		told += result.Plan.Displaced[i].String() + "\n"
	}
	if want := "1 of 1 partitions have records: 12 offsets, 7 bytes, of orders"; !strings.Contains(told, want) {
		t.Errorf("the result must say %q:\n%s", want, told)
	}
}

func TestARebindingThatDiedIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for title, at := range map[string]recoverytest.When{
		"the pods stopped":          recoverytest.FirstOf(recovery.StepStopPods, recovery.PhaseDone),
		"the first volume marked":   recoverytest.FirstOf(recovery.StepLetGo, recovery.PhaseDone),
		"a claim about to go":       recoverytest.OfKind(recovery.StepLetGo, recovery.PhaseIntent, "PersistentVolumeClaim"),
		"the first claim made":      recoverytest.FirstOf(recovery.StepClaims, recovery.PhaseDone),
		"the first volume tied":     recoverytest.OfKind(recovery.StepClaims, recovery.PhaseDone, "PersistentVolume"),
		"the cluster ID in a pool":  recoverytest.FirstOf(recovery.StepClusterID, recovery.PhaseDone),
		"un-paused, not journaled":  recoverytest.Unpausing(recovery.PhaseIntent),
		"un-paused, and journaled ": recoverytest.Unpausing(recovery.PhaseDone),
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			disks, _ := g.renewed()
			was := bytesBelow(t, disks)
			stop := g.noneLost()
			_, operation, died := g.killAsked(at, false, rebind)
			if died == "" {
				t.Fatal("it must have died")
			}
			result, err := g.resume(elsewhere(t), operation, nil)
			if err != nil || result.Outcome != recovery.OutcomeRestored {
				t.Fatal(err, told(result), result.Differences)
			}
			stop()
			g.wantRunningAs(clusterID)
			g.wantLayout("-")
			g.wantDisplaced(disks, operation, was)
			g.wantRetained(18)
			g.wantNothingLeft()
		})
	}
}

func TestARebindingThatDiedIsUndone(t *testing.T) {
	t.Parallel()
	for title, at := range map[string]recoverytest.When{
		"the first volume marked":  recoverytest.FirstOf(recovery.StepLetGo, recovery.PhaseDone),
		"a claim about to go":      recoverytest.OfKind(recovery.StepLetGo, recovery.PhaseIntent, "PersistentVolumeClaim"),
		"the first claim made":     recoverytest.FirstOf(recovery.StepClaims, recovery.PhaseDone),
		"the cluster ID in a pool": recoverytest.FirstOf(recovery.StepClusterID, recovery.PhaseDone),
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			_, random := g.renewed()
			before := g.contentButClaims()
			stop := g.noneLost()
			_, operation, died := g.killAsked(at, false, rebind)
			if died == "" {
				t.Fatal("it must have died")
			}
			undone, err := g.undo(elsewhere(t), operation, nil)
			if err != nil || undone.Outcome != recovery.OutcomeUndone {
				t.Fatalf("%v %+v", err, undone)
			}
			stop()
			g.wantLayout("-new-")
			g.eventually("the new cluster to be Ready again", func() bool {
				k := g.status()
				return k.Ready() && len(g.pods()) == 6
			})
			g.wantRunningAs(random)
			if diff := cmp.Diff(before, g.contentButClaims()); diff != "" {
				t.Errorf("before the operation and after its undo (-before +after):\n%s", diff)
			}
		})
	}
}

// contentButClaims is content without what a claim that was made again cannot have back: its UID and age, and what only
// its creator and Kubernetes' volume controller have to say of it.
func (g *ground) contentButClaims() map[string]string {
	g.t.Helper()
	out := g.content()
	for name, text := range out {
		var o map[string]any
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			g.t.Fatal(err)
		}
		for _, f := range [][]string{
			{"metadata", "uid"}, {"metadata", "creationTimestamp"}, {"spec", "claimRef", "uid"},
			{"spec", "claimRef", "resourceVersion"}, {"metadata", "annotations", "pv.kubernetes.io/bound-by-controller"},
			{"metadata", "annotations", "pv.kubernetes.io/bind-completed"}, {"spec", "claimRef", "apiVersion"},
			{"spec", "claimRef", "kind"},
		} {
			unstructured.RemoveNestedField(o, f...)
		}
		u := unstructured.Unstructured{Object: o}
		if len(u.GetAnnotations()) == 0 {
			u.SetAnnotations(nil)
		}
		again, err := json.Marshal(o)
		if err != nil {
			g.t.Fatal(err)
		}
		out[name] = string(again)
	}
	return out
}

// Claims that hold each other's volumes are made again; what is on a volume says which node it is of.
func TestClaimsThatHoldEachOthersVolumesArePutRight(t *testing.T) {
	t.Parallel()
	const zero, one = "data-0-my-cluster-broker-0", "data-0-my-cluster-broker-1"
	g := newGround(t, func(disks string) { swap(t, disks, zero, one) })
	g.operator(nil)
	starts["paused"](g)
	accept := func(r *recovery.Request, _ *recovery.Deps) {
		for _, claim := range []string{zero, one} {
			r.Accept = append(r.Accept, finding.Lift{Rule: "pending-deletion", Subject: "pvc/" + claim})
		}
	}
	refused, err := g.restore(accept)
	if err != nil || refused.Outcome != recovery.OutcomeRefused {
		t.Fatal(err, told(refused))
	}
	stop := g.noneLost()
	result, err := g.restore(func(r *recovery.Request, d *recovery.Deps) { accept(r, d); rebind(r) })
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	stop()
	g.wantRunningAs(clusterID)
	want := map[string]string{zero: g.ns + "-" + one, one: g.ns + "-" + zero}
	for _, name := range g.claimNames() {
		if want[name] == "" {
			want[name] = g.ns + "-" + name
		}
	}
	if diff := cmp.Diff(want, g.layout()); diff != "" {
		t.Errorf("only the two are exchanged (-want +got):\n%s", diff)
	}
	if len(result.Plan.Displaced) > 0 {
		t.Errorf("no volume is without a claim afterwards: %+v", result.Plan.Displaced)
	}
	g.wantRetained(9)
	g.wantNothingLeft()
}

// The new cluster never came up: its claims wait for volumes that nobody makes.
func TestClaimsThatWaitForAVolumeGetTheOldOnes(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	g.operator(nil)
	g.kafka(nil)
	g.eventually("the claims of the new cluster", func() bool { return len(g.layout()) == 9 })
	stop := g.noneLost()
	result, err := g.restore(rebinding)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	stop()
	g.wantRunningAs(clusterID)
	g.wantLayout("-")
	g.wantRetained(9)
	g.wantNothingLeft()
}
