package recovery_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/leftover"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/redeclared"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
)

// savedElsewhere is what a scan in another Kubernetes cluster saved of the ground's volumes.
func (g *ground) savedElsewhere() *scan.Scan {
	g.t.Helper()
	seen, err := scan.Kubernetes(g.t.Context(), g.client, scan.Targets{Namespace: g.ns, Clusters: []string{clusterName}},
		time.Now(), scan.Options{Via: scan.Objects})
	if err != nil {
		g.t.Fatal(err)
	}
	if seen.ServerID == "" {
		g.t.Error("the scan does not say which Kubernetes cluster it was of")
	}
	seen.ServerID, seen.Server = "11111111-2222-3333-4444-555555555555", "https://lost.example:6443"
	text, err := json.Marshal(seen)
	if err != nil {
		g.t.Fatal(err)
	}
	saved, err := scan.Read(bytes.NewReader(text))
	if err != nil {
		g.t.Fatal(err)
	}
	return saved
}

// lose leaves the disks and nothing that Kubernetes knows of them, as in a new cluster, and returns what was saved.
func (g *ground) lose() *scan.Scan {
	g.t.Helper()
	saved := g.savedElsewhere()
	g.release()
	err := g.typed.CoreV1().PersistentVolumes().DeleteCollection(g.t.Context(), metav1.DeleteOptions{},
		metav1.ListOptions{LabelSelector: "ground=" + g.ns})
	if err != nil {
		g.t.Fatal(err)
	}
	g.eventually("volumes to be gone", func() bool { return len(g.volumes()) == 0 })
	return saved
}

// redeclare writes the saved volumes anew.
func (g *ground) redeclare(saved *scan.Scan, change func(*redeclared.Request)) *redeclared.Volumes {
	g.t.Helper()
	volumes, err := saved.SavedVolumes(g.ns, clusterName)
	if err != nil {
		g.t.Fatal(err)
	}
	req := redeclared.Request{Namespace: g.ns, Cluster: clusterName}
	if change != nil {
		change(&req)
	}
	list, err := redeclared.Write(volumes, req)
	if err != nil {
		g.t.Fatal(err)
	}
	return &redeclared.Volumes{List: list, Origin: redeclared.Origin{
		Time: saved.Time, ServerID: saved.ServerID, Server: saved.Server,
	}}
}

// oldClusterIsOff accepts that the disks were another Kubernetes cluster's.
func (g *ground) oldClusterIsOff() []finding.Lift {
	return append(g.pendingDeletions(), finding.Lift{Rule: "old-cluster-may-run", Subject: "kafka/" + clusterName})
}

// restoreLost runs a restore of a cluster of which only disks, manifests and a scan are left.
func (g *ground) restoreLost(
	ctx context.Context, saved *scan.Scan, change func(*recovery.Request, *recovery.Deps),
) (*recovery.Result, error) {
	g.t.Helper()
	return g.restoreReleased(ctx, func(r *recovery.Request, d *recovery.Deps) {
		r.Redeclared, r.Accept = g.redeclare(saved, nil), g.oldClusterIsOff()
		if change != nil {
			change(r, d)
		}
	})
}

// wantNoVolumes requires that nothing that was declared is left.
func (g *ground) wantNoVolumes() {
	g.t.Helper()
	g.eventually("no volume to be left", func() bool { return len(g.volumes()) == 0 })
}

func TestAClusterComesBackInAnotherKubernetesCluster(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	was := map[string]corev1.PersistentVolume{}
	for _, pv := range g.volumes() {
		was[pv.Name] = pv
	}
	saved := g.lose()
	g.operator(nil)
	stop := g.phases()
	result, err := g.restoreLost(t.Context(), saved, nil)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	if got := stop(); slices.Contains(got, "Available") {
		t.Errorf("a volume was Available on the way, where any other claim could take it: %v", got)
	}
	g.wantRunningAs(clusterID)
	g.wantRetained(len(was))
	g.wantNothingLeft()
	for _, pv := range g.volumes() {
		want := was[pv.Name].Spec
		if pv.Status.Phase != corev1.VolumeBound || pv.Spec.ClaimRef.Name != want.ClaimRef.Name ||
			pv.Spec.ClaimRef.UID == want.ClaimRef.UID {
			t.Errorf("pv %q is %s to %+v", pv.Name, pv.Status.Phase, pv.Spec.ClaimRef)
		}
		pv.Spec.ClaimRef, want.ClaimRef = nil, nil
		want.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
		if diff := cmp.Diff(want, pv.Spec); diff != "" {
			t.Errorf("pv %q is not as it was saved:\n%s", pv.Name, diff)
		}
	}
}

func TestVolumesOfAnotherKubernetesClusterAreRefusedUntilAccepted(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	saved := g.lose()
	var asked bool
	result, err := g.restoreLost(t.Context(), saved, func(r *recovery.Request, d *recovery.Deps) {
		r.Accept = g.pendingDeletions()
		d.Confirm = func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) { asked = true; return true, nil }
	})
	if err != nil || result.Outcome != recovery.OutcomeRefused || asked {
		t.Fatal(err, told(result), asked)
	}
	if len(result.Refusals) != 1 || result.Refusals[0].Rule != "old-cluster-may-run" ||
		!strings.Contains(strings.Join(result.Refusals[0].Evidence, "\n"), "https://lost.example:6443") {
		t.Errorf("want it refused for the other cluster, which is named: %+v", result.Refusals)
	}
	g.wantNoVolumes()
}

func TestVolumesAskForNodesThatAreThere(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	saved := g.lose()
	away := g.redeclare(saved, func(r *redeclared.Request) { r.Nodes = map[string]string{"node-0": "node-of-old"} })
	result, err := g.restoreLost(t.Context(), saved, func(r *recovery.Request, _ *recovery.Deps) { r.Redeclared = away })
	if err != nil || result.Outcome != recovery.OutcomeRefused || len(result.Refusals) != 9 {
		t.Fatal(err, told(result))
	}
	for _, f := range result.Refusals {
		if f.Rule != "no-node-for-volume" || !strings.Contains(strings.Join(f.Evidence, "\n"), "node-of-old") {
			t.Errorf("%+v", f)
		}
	}
	g.wantNoVolumes()
}

func TestADiskThatAnotherVolumeHasIsNotDeclaredAgain(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	saved := g.lose()
	volumes := g.redeclare(saved, nil)
	other := volumes.List[0].Object.DeepCopy()
	other.SetName(g.ns + "-by-hand")
	if _, err := g.client.Create(t.Context(), kube.Volumes(), other, false); err != nil {
		t.Fatal(err)
	}
	result, err := g.restoreLost(t.Context(), saved, nil)
	if err != nil || result.Outcome != recovery.OutcomeRefused || len(result.Refusals) != 1 ||
		result.Refusals[0].Rule != "same-disk-twice" {
		t.Fatal(err, told(result))
	}
	if got := g.volumes(); len(got) != 1 {
		t.Errorf("nothing may be declared beside it: %d volumes", len(got))
	}
}

func TestAVolumeThatIsThereIsNotOverwritten(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	saved := g.lose()
	there := g.redeclare(saved, nil).List
	for _, v := range there[:2] { // the first as it was saved, the second another disk under its name
		o := v.Object.DeepCopy()
		if v.PV.Name == there[1].PV.Name {
			path := filepath.Join(g.disks, "somebody-elses")
			if err := unstructured.SetNestedField(o.Object, path, "spec", "local", "path"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := g.client.Create(t.Context(), kube.Volumes(), o, false); err != nil {
			t.Fatal(err)
		}
	}
	result, err := g.restoreLost(t.Context(), saved, nil)
	if err != nil || result.Outcome != recovery.OutcomeRefused || !strings.Contains(result.Reason, "is another disk") ||
		!strings.Contains(result.Reason, there[1].PV.Name) {
		t.Fatal(err, told(result))
	}
	if got := g.volumes(); len(got) != 2 {
		t.Fatalf("nothing may be declared: %d volumes", len(got))
	}
	if err := g.client.Delete(t.Context(), kube.Volumes(), "", there[1].PV.Name, kube.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	g.eventually("the volume in the way to be gone", func() bool { return len(g.volumes()) == 1 })
	uid := g.volumes()[0].UID
	g.operator(nil)
	result, err = g.restoreLost(t.Context(), saved, nil)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	for _, pv := range g.volumes() {
		if pv.Name == there[0].PV.Name && pv.UID != uid {
			t.Error("a volume that is there with the same disk is taken as it is")
		}
	}
}

func TestWhatWasDeclaredIsTakenBackWhenThePlanIsNotConfirmed(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	saved := g.lose()
	stop := g.phases()
	result, err := g.restoreLost(t.Context(), saved, func(_ *recovery.Request, d *recovery.Deps) {
		d.Confirm = func(_ context.Context, plan *recovery.Plan, _ []finding.Finding) (bool, error) {
			if first := plan.Steps[0]; first.ID != recovery.StepVolumes || len(first.Does) != 9 {
				t.Errorf("the plan must begin with the volumes it declares: %+v", first)
			}
			if n := len(g.volumes()); n != 9 {
				t.Errorf("%d volumes, which must be there to be read", n)
			}
			return false, nil
		}
	})
	if err != nil || result.Outcome != recovery.OutcomeDeclined {
		t.Fatal(err, told(result))
	}
	g.wantNoVolumes()
	for _, dry := range []recovery.DryRun{recovery.DryRunClient, recovery.DryRunServer} {
		result, err = g.restoreLost(t.Context(), saved, func(r *recovery.Request, _ *recovery.Deps) { r.DryRun = dry })
		if err != nil || result.Outcome != recovery.OutcomePlanned {
			t.Fatal(err, told(result))
		}
		g.wantNoVolumes()
	}
	if got := stop(); slices.Contains(got, "Available") || !slices.Contains(got, "Bound") {
		t.Errorf("the volumes were to be read, and never Available: %v", got)
	}
}

// A dry run that is killed takes nothing back: what it declared is found by its mark. What a restore declares has none.
func TestWhatADryRunDeclaredIsFoundWhereItIsKilled(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	saved := g.lose()
	killed := errors.New("killed")
	for _, dry := range []recovery.DryRun{recovery.DryRunNone, recovery.DryRunServer} {
		_, err := g.restoreLost(t.Context(), saved, func(r *recovery.Request, d *recovery.Deps) {
			r.DryRun = dry
			d.Look = func(ctx context.Context, req recovery.LookRequest) (*recovery.Observation, error) {
				if req.Depth == recovery.Objects {
					return g.look(ctx, req)
				}
				found, err := leftover.FindAll(ctx, g.client, time.Now(), g.ns, "")
				if err != nil {
					t.Fatal(err)
				}
				g.follows(found)
				named := 0
				for i := range found.Operations {
					named += len(found.Operations[i].Volumes)
				}
				if dry == recovery.DryRunNone {
					if named > 0 || len(g.volumes()) != 9 {
						t.Errorf("what a restore declares is for its undo, and %d volumes are named", named)
					}
					return nil, killed
				}
				if named != 9 || len(found.Operations) != 1 || found.Operations[0].Life != leftover.Unknown {
					t.Errorf("nine volumes of one operation must be named: %+v", found.Operations)
				}
				if err := found.Remove(ctx, g.client, time.Minute); err != nil {
					t.Error(err)
				}
				g.wantNoVolumes()
				return nil, killed
			}
		})
		if !errors.Is(err, killed) {
			t.Fatal(err)
		}
		g.wantNoVolumes()
	}
}

func TestAPlanWithDeclaredVolumesIsApplied(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	saved := g.lose()
	plan, _, err := recovery.MakePlan(t.Context(), recovery.Request{
		Namespace: g.ns, Name: clusterName, Declared: g.manifests(), Redeclared: g.redeclare(saved, nil),
		Accept: g.oldClusterIsOff(), Wait: true, Timeout: time.Minute, PauseTimeout: 20 * time.Second,
		Settle: 300 * time.Millisecond,
	}, g.deps())
	if err != nil || plan == nil {
		t.Fatal(err)
	}
	g.follows(plan)
	g.wantNoVolumes()
	g.operator(nil)
	given := recovery.Repeated{Declared: g.manifests()}
	var again *recovery.NotRepeatedError
	if _, err := recovery.Apply(t.Context(), plan, given, g.deps()); !errors.As(err, &again) {
		t.Errorf("a plan does not hold the volumes; they must be given: %v", err)
	}
	given.Redeclared = g.redeclare(saved, nil)
	result, err := recovery.Apply(t.Context(), plan, given, g.deps())
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result), result.Differences)
	}
	g.wantRunningAs(clusterID)
}

// killLost runs a restore of a lost cluster until it dies at a line.
func (g *ground) killLost(
	saved *scan.Scan, at recoverytest.When, change ...func(*recovery.Request),
) (left, operation string) {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.t.Context())
	defer cancel()
	k := &recoverytest.Killer{At: at, State: g.state, Left: g.t.TempDir(), Cancel: cancel}
	client := clientThrough(g.t, func(next http.RoundTripper) http.RoundTripper { k.Next = next; return k })
	result, err := g.restoreLost(ctx, saved, func(r *recovery.Request, d *recovery.Deps) {
		d.Kube, r.Timeout = client, 3*time.Minute
		for _, c := range change {
			c(r)
		}
	})
	if k.Died() == "" {
		g.t.Fatalf("the run ended by itself: %v %s", err, told(result))
	}
	g.expireLease()
	return k.Left, result.Operation
}

// deaths are moments at which a run may die that declares volumes.
func deaths() map[string]recoverytest.When {
	return map[string]recoverytest.When{
		"with one volume announced": recoverytest.FirstOf(recovery.StepVolumes, recovery.PhaseIntent),
		"with one volume made":      recoverytest.FirstOf(recovery.StepVolumes, recovery.PhaseDone),
		"with volumes lent":         recoverytest.OfKind(recovery.StepRead, recovery.PhaseDone, "PersistentVolume"),
		"with the first claim made": recoverytest.FirstOf(recovery.StepClaims, recovery.PhaseDone),
		"with the resources made":   recoverytest.FirstOf(recovery.StepPause, recovery.PhaseIntent),
	}
}

func TestARunThatDeclaredVolumesAndDiedIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for title, at := range deaths() {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			saved := g.lose()
			g.operator(nil)
			stop := g.phases()
			left, operation := g.killLost(saved, at)
			result, err := g.resume(left, operation, func(_ *recovery.Target, given *recovery.Repeated, _ *recovery.Deps) {
				given.Declared, given.Redeclared = g.manifests(), g.redeclare(saved, nil)
			})
			if err != nil || result.Outcome != recovery.OutcomeRestored {
				t.Fatal(err, told(result), result.Differences)
			}
			g.wantRunningAs(clusterID)
			g.wantRetained(9)
			if got := stop(); slices.Contains(got, "Available") {
				t.Errorf("a volume was Available on the way: %v", got)
			}
		})
	}
}

func TestARunThatDeclaredVolumesAndDiedIsUndone(t *testing.T) {
	t.Parallel()
	for title, at := range deaths() {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			saved := g.lose()
			g.operator(nil)
			before := g.content()
			stop := g.phases()
			left, operation := g.killLost(saved, at)
			undone, err := g.undo(left, operation, nil)
			if err != nil || undone.Outcome != recovery.OutcomeUndone {
				t.Fatalf("%v %+v", err, undone)
			}
			g.wantNoVolumes()
			g.eventually("everything to be as it was", func() bool { return cmp.Equal(before, g.content()) })
			if got := stop(); slices.Contains(got, "Available") {
				t.Errorf("a volume was Available on the way: %v", got)
			}
		})
	}
}

func TestADeclaredVolumeThatSomebodyChangedIsNotTakenBack(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	saved := g.lose()
	left, operation := g.killLost(saved, recoverytest.FirstOf(recovery.StepClaims, recovery.PhaseDone))
	changed := g.volumes()[0].Name
	patch := []byte(`{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}`)
	if _, err := g.typed.CoreV1().PersistentVolumes().Patch(t.Context(), changed, types.MergePatchType, patch,
		metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	undone, err := g.undo(left, operation, nil)
	if err != nil || undone.Outcome != recovery.OutcomePartlyUndone {
		t.Fatalf("%v %+v", err, undone)
	}
	g.eventually("the others to be gone", func() bool { return len(g.volumes()) == 1 })
	if g.volumes()[0].Name != changed {
		t.Error("with the policy Delete the disk would go with the object")
	}
}
