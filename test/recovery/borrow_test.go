package recovery_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// release sets Retain and deletes the claims, as a deleted namespace does, and waits until the volumes are Released.
func (g *ground) release() {
	g.t.Helper()
	ctx := g.t.Context()
	for _, pv := range g.volumes() {
		patch := []byte(`{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}`)
		if _, err := g.typed.CoreV1().PersistentVolumes().Patch(ctx, pv.Name, types.MergePatchType, patch,
			metav1.PatchOptions{}); err != nil {
			g.t.Fatal(err)
		}
	}
	claims := g.typed.CoreV1().PersistentVolumeClaims(g.ns)
	if err := claims.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		g.t.Fatal(err)
	}
	g.eventually("volumes to be Released", func() bool {
		return !slices.ContainsFunc(g.volumes(), func(pv corev1.PersistentVolume) bool {
			return pv.Status.Phase != corev1.VolumeReleased
		})
	})
}

// volumes are the ground's PersistentVolumes.
func (g *ground) volumes() []corev1.PersistentVolume {
	g.t.Helper()
	list, err := g.typed.CoreV1().PersistentVolumes().List(g.t.Context(), metav1.ListOptions{LabelSelector: "ground=" + g.ns})
	if err != nil {
		g.t.Fatal(err)
	}
	return list.Items
}

// parsed are the ground's volumes as the tool sees them.
func (g *ground) parsed() []volume.PersistentVolume {
	g.t.Helper()
	var out []volume.PersistentVolume
	for _, pv := range g.volumes() {
		u, err := g.client.Get(g.t.Context(), kube.Volumes(), "", pv.Name)
		if err != nil {
			g.t.Fatal(err)
		}
		out = append(out, volume.ParsePersistentVolume(u.Object))
	}
	return out
}

// phases watches the ground's volumes until stop, which returns every phase that any of them had.
func (g *ground) phases() (stop func() []string) {
	g.t.Helper()
	watch, err := g.typed.CoreV1().PersistentVolumes().Watch(g.t.Context(), metav1.ListOptions{
		LabelSelector: "ground=" + g.ns,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for event := range watch.ResultChan() {
			if pv, ok := event.Object.(*corev1.PersistentVolume); ok {
				mu.Lock()
				seen[string(pv.Status.Phase)] = true
				mu.Unlock()
			}
		}
	}()
	return func() []string {
		watch.Stop()
		<-ended
		var out []string
		for phase := range seen {
			out = append(out, phase)
		}
		slices.Sort(out)
		return out
	}
}

// ties is what decides which claim each volume is bound to.
func (g *ground) ties() map[string]string {
	g.t.Helper()
	out := map[string]string{}
	for _, pv := range g.volumes() {
		u, err := g.client.Get(g.t.Context(), kube.Volumes(), "", pv.Name)
		if err != nil {
			g.t.Fatal(err)
		}
		text, err := json.Marshal(binding.TieOf(u))
		if err != nil {
			g.t.Fatal(err)
		}
		out[pv.Name] = fmt.Sprintf("%s %s", pv.Status.Phase, text)
	}
	return out
}

func (g *ground) borrow(ctx context.Context, operation string) (*binding.Loan, error) {
	return binding.Borrow(ctx, g.client, binding.Plain{Kube: g.client}, binding.LoanRequest{
		Operation: operation, Namespace: g.ns, Volumes: g.parsed(), Timeout: 30 * time.Second,
	})
}

func TestBorrowedVolumesAreBoundAndGivenBackAsTheyWere(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	before := g.ties()
	stop := g.phases()
	loan, err := g.borrow(t.Context(), "scan-20260101-000000-0000")
	if err != nil || len(loan.Refused) > 0 {
		t.Fatalf("%v %v", err, loan.Refused)
	}
	for _, pv := range g.parsed() {
		name, lent := loan.Claim(pv.Name)
		if !lent || pv.ClaimName != name || pv.Phase != volume.PhaseBound || strings.HasPrefix(name, "data-") {
			t.Errorf("pv %q: %v %q, %s to %q", pv.Name, lent, name, pv.Phase, pv.ClaimName)
		}
	}
	if err := loan.Return(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.eventually("volumes to be as they were", func() bool { return cmp.Equal(g.ties(), before) })
	claims, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(claims.Items) != 0 {
		t.Errorf("%v, %d claims are left", err, len(claims.Items))
	}
	if got := stop(); !slices.Equal(got, []string{"Bound", "Released"}) {
		t.Errorf("while borrowed and given back the volumes were %v; Available is what another claim could take", got)
	}
}

func TestAVolumeThatWouldBeLostIsNotBorrowed(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	volumes := g.volumes()
	patch := []byte(`{"spec":{"persistentVolumeReclaimPolicy":"Recycle"}}`)
	if _, err := g.typed.CoreV1().PersistentVolumes().Patch(t.Context(), volumes[0].Name, types.MergePatchType, patch,
		metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	loan, err := g.borrow(t.Context(), "scan-20260101-000000-0001")
	if err != nil {
		t.Fatal(err)
	}
	if len(loan.Refused) != 1 || !strings.Contains(fmt.Sprint(loan.Refused[volumes[0].Name]), "not Retain") {
		t.Errorf("only the volume that is not Retain is to be refused: %v", loan.Refused)
	}
	if _, lent := loan.Claim(volumes[1].Name); !lent {
		t.Error("one volume must not hold up the others")
	}
	if err := loan.Return(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWhatAKilledRunBorrowedIsGivenBackFromItsClaim(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	before := g.ties()
	if _, err := g.borrow(t.Context(), "scan-20260101-000000-0002"); err != nil {
		t.Fatal(err)
	}
	// Nothing of the run is left but its claims.
	list, err := g.client.List(t.Context(), kube.Claims(), g.ns, kube.ListOptions{})
	if err != nil || len(list.Items) != len(before) {
		t.Fatalf("%v, %d claims", err, len(list.Items))
	}
	for i := range list.Items {
		if err := binding.GiveBack(t.Context(), g.client, binding.Plain{Kube: g.client}, &list.Items[i]); err != nil {
			t.Error(err)
		}
	}
	g.eventually("volumes to be as they were", func() bool { return cmp.Equal(g.ties(), before) })
}
