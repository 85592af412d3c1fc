package recovery_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// unname leaves volumes as the documented procedure does: without a claimRef, Available, in nobody's name. They are of a
// class of their own, so that claims of other tests are not bound to them. It returns the claims that they had.
func (g *ground) unname() map[string]string {
	g.t.Helper()
	g.release()
	had := map[string]string{}
	for _, pv := range g.parsed() {
		had[pv.Name] = pv.ClaimName
		patch := []byte(`{"spec":{"claimRef":null,"storageClassName":"` + g.ns + `"}}`)
		if _, err := g.typed.CoreV1().PersistentVolumes().Patch(g.t.Context(), pv.Name, types.MergePatchType, patch,
			metav1.PatchOptions{}); err != nil {
			g.t.Fatal(err)
		}
	}
	g.eventually("volumes to be Available", func() bool {
		for _, pv := range g.volumes() {
			if pv.Status.Phase != "Available" {
				return false
			}
		}
		return true
	})
	return had
}

// including is a restore of the cluster with volumes that name no claim.
func (g *ground) including(volumes []string) func(*recovery.Request, *recovery.Deps) {
	return func(r *recovery.Request, _ *recovery.Deps) {
		r.Include = volumes
		for _, pool := range r.Declared.Pools {
			for _, v := range object.Maps(pool.Object, "spec", "storage", "volumes") {
				v["class"] = g.ns
			}
		}
	}
}

// Volumes whose claimRef somebody has taken away, as the documented procedure has it, say by what is on them where they
// belong. They are nobody's until they are named, and are given back as they were.
func TestAClusterComesBackFromVolumesThatNameNoClaim(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	had := g.unname()
	g.operator(nil)
	all, before := slices.Sorted(maps.Keys(had)), g.ties()

	result, err := g.restoreReleased(t.Context(), g.including(nil))
	var none *recovery.NoVolumesError
	if !errors.As(err, &none) {
		t.Fatalf("without its volumes: %v %s", err, told(result))
	}
	if next := strings.Join(result.Next, "\n"); !strings.Contains(next, "--include pv/"+strings.Join(all, " --include pv/")) {
		t.Errorf("it does not name the volumes: %v, %q", err, next)
	}
	if diff := cmp.Diff(before, g.ties()); diff != "" {
		t.Errorf("volumes that were not named were touched:\n%s", diff)
	}

	result, err = g.restoreReleased(t.Context(), func(r *recovery.Request, d *recovery.Deps) {
		g.including(all)(r, d)
		d.Confirm = func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) {
			for _, pv := range g.volumes() {
				if pv.Status.Phase == "Available" {
					t.Errorf("pv %q may be taken by any claim while a person thinks about it", pv.Name)
				}
			}
			return false, nil
		}
	})
	if err != nil || result.Outcome != recovery.OutcomeDeclined {
		t.Fatal(err, told(result))
	}
	g.eventually("volumes to be as they were", func() bool { return cmp.Equal(g.ties(), before) })

	result, err = g.restoreReleased(t.Context(), g.including(all))
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result), result.Next)
	}
	for _, s := range result.Plan.Steps {
		if s.ID == recovery.StepInclude && (len(s.Does) != len(all) || !strings.Contains(s.Does[0], "pv/"+all[0]+":")) {
			t.Errorf("the plan is to say of each volume that it is tied: %q", s.Does)
		}
	}
	claims, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	now := map[string]string{}
	for _, c := range claims.Items {
		now[c.Spec.VolumeName] = c.Name
	}
	if diff := cmp.Diff(had, now); diff != "" {
		t.Errorf("every volume is to have the claim it had (-had +has):\n%s", diff)
	}
}

// A run that ends when they have claims already is undone to volumes that name none.
func TestVolumesThatNamedNoClaimNameNoneAfterAnUndo(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	all := slices.Sorted(maps.Keys(g.unname()))
	g.operator(nil)
	before := g.ties()
	ctx, cancel := context.WithCancel(t.Context())
	g.onStep(recovery.StepPause, cancel)
	result, err := g.restoreReleased(ctx, g.including(all))
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err, told(result))
	}
	if got := g.ties(); cmp.Equal(got, before) {
		t.Error("they have no claims yet")
	}
	undone, err := g.undo(g.state, result.Operation, nil)
	if err != nil || undone.Outcome != recovery.OutcomeUndone {
		t.Fatalf("%v %+v", err, undone)
	}
	g.eventually("volumes to be as they were", func() bool { return cmp.Equal(g.ties(), before) })
	if left, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).List(t.Context(), metav1.ListOptions{}); err != nil ||
		len(left.Items) > 0 {
		t.Errorf("claims are left: %v %v", left.Items, err)
	}
}

// Of two volumes that name no claim and hold data of the same place none is chosen.
func TestAVolumeThatNamesNoClaimIsNotGuessed(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	had := g.unname()
	g.operator(nil)
	copied := ""
	for pv, claim := range had {
		if claim == "data-0-my-cluster-broker-0" {
			copied = pv
		}
	}
	u, err := g.typed.CoreV1().PersistentVolumes().Get(t.Context(), copied, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	twin := u.DeepCopy()
	twin.ObjectMeta = metav1.ObjectMeta{Name: u.Name + "-twin", Labels: u.Labels}
	if _, err := g.typed.CoreV1().PersistentVolumes().Create(t.Context(), twin, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	g.eventually("the twin to be Available", func() bool {
		return !slices.ContainsFunc(g.parsed(), func(pv volume.PersistentVolume) bool { return pv.Phase != "Available" })
	})
	result, err := g.restoreReleased(t.Context(), g.including(append(slices.Sorted(maps.Keys(had)), twin.Name)))
	if err != nil || result.Outcome != recovery.OutcomeRefused {
		t.Fatal(err, told(result))
	}
	for _, want := range []string{
		"pv/" + copied + " has no place: it names no claim, and what is on it does not say which of the volumes of node 0",
		"pv/" + twin.Name + " has no place",
	} {
		if next := strings.Join(result.Next, "\n"); !strings.Contains(next, want) {
			t.Errorf("it does not say %q: %q", want, next)
		}
	}
}
