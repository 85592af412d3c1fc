package recovery_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// provision makes an empty volume for each of the claims once it is there, as a provisioner does.
func (g *ground) provision(claims ...string) {
	g.t.Helper()
	for _, name := range claims {
		folder := filepath.Join("provisioned", name)
		if err := os.MkdirAll(filepath.Join(g.disks, folder), 0o755); err != nil {
			g.t.Fatal(err)
		}
		go func() {
			for g.t.Context().Err() == nil {
				claim, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).Get(g.t.Context(), name, metav1.GetOptions{})
				if err == nil {
					err = g.makeDisk(g.ns+"-new-"+name, folder, corev1.PersistentVolumeReclaimRetain, &corev1.ObjectReference{
						APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: g.ns, Name: name, UID: claim.UID,
					})
					if err != nil && g.t.Context().Err() == nil {
						g.t.Errorf("provision a volume for %s: %v", name, err)
					}
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}()
	}
}

// A node's volumes are lost for good: nothing but them is missing. That it may start empty is one decision, that its
// partitions are in sync by the metadata another; then the operator makes its claims, and no other.
func TestANodeWhoseVolumesAreLostStartsEmptyWhereThatIsAccepted(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	g.operator(nil)
	lost := []string{"data-0-my-cluster-broker-2", "data-1-my-cluster-broker-2"}
	for _, name := range lost {
		if err := g.typed.CoreV1().PersistentVolumes().Delete(t.Context(), g.ns+"-"+name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	g.eventually("seven volumes to be left", func() bool { return len(g.volumes()) == 7 })

	result, err := g.restoreReleased(t.Context(), nil)
	if err != nil || result.Outcome != recovery.OutcomeRefused {
		t.Fatal(err, told(result))
	}
	refusals := map[string]bool{}
	for _, f := range result.Refusals {
		refusals[f.Rule+"="+f.Subject] = true
	}
	for _, want := range []string{
		"slot-missing=pvc/" + lost[0], "slot-missing=pvc/" + lost[1], "empty-broker-in-isr=node/2",
	} {
		if !refusals[want] {
			t.Errorf("it does not refuse with %s: %v", want, refusals)
		}
	}

	g.provision(lost...)
	result, err = g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
		for refusal := range refusals {
			rule, subject, _ := strings.Cut(refusal, "=")
			r.Accept = append(r.Accept, finding.Lift{Rule: rule, Subject: subject})
		}
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	claims, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(claims.Items) != 9 {
		t.Fatalf("want nine claims, got %d, %v", len(claims.Items), err)
	}
	for _, c := range claims.Items {
		want := g.ns + "-" + c.Name
		if slices.Contains(lost, c.Name) {
			want = g.ns + "-new-" + c.Name
		}
		if c.Spec.VolumeName != want {
			t.Errorf("claim %s has volume %s, not %s", c.Name, c.Spec.VolumeName, want)
		}
	}
	u, err := g.client.Get(t.Context(), strimzi.NodePoolGVR("v1"), g.ns, "broker")
	if err != nil {
		t.Fatal(err)
	}
	if got := strimzi.ParseNodePool(u.Object).Status.NodeIDs; !slices.Equal(got, []int32{0, 1, 2}) {
		t.Errorf("got nodes %v", got)
	}
	for i := range result.Plan.Steps {
		if s := &result.Plan.Steps[i]; s.ID == recovery.StepQuota && !strings.Contains(s.Note, lost[1]) {
			t.Errorf("the guard must leave room for what was accepted, and say so: %q", s.Note)
		}
	}
	if _, err := os.Stat(filepath.Join(g.disks, "provisioned", lost[0], fmt.Sprintf("kafka-log%d", 2))); err != nil {
		t.Errorf("node 2 did not start on its new volume: %v", err)
	}
}
