package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// setPolicy gives every volume of the story's claims a reclaim policy.
func (s *story) setPolicy(policy corev1.PersistentVolumeReclaimPolicy) {
	s.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"persistentVolumeReclaimPolicy":%q}}`, policy)
	for _, volume := range s.before.Layout {
		_, err := s.Client.CoreV1().PersistentVolumes().Patch(s.ctx, volume, types.MergePatchType, patch,
			metav1.PatchOptions{})
		s.must(err)
	}
}

// hasPolicy requires that every volume of the story's claims has a reclaim policy.
func (s *story) hasPolicy(policy corev1.PersistentVolumeReclaimPolicy) {
	s.Helper()
	for claim, volume := range s.before.Layout {
		pv, err := s.Client.CoreV1().PersistentVolumes().Get(s.ctx, volume, metav1.GetOptions{})
		s.must(err)
		if got := pv.Spec.PersistentVolumeReclaimPolicy; got != policy {
			s.Errorf("volume %q of claim %q: want reclaim policy %s, got %s", volume, claim, policy, got)
		}
	}
}

// TestProtectSetsRetainAndUnprotectTakesItBack is the first minute of a disaster, and the day after.
func TestProtectSetsRetainAndUnprotectTakesItBack(t *testing.T) {
	s := idle(t, "protect")
	s.setPolicy(corev1.PersistentVolumeReclaimDelete)
	s.says(s.run(0, "protect", "kafka/my-cluster"), "safe")
	s.hasPolicy(corev1.PersistentVolumeReclaimRetain)
	s.noPods()
	s.run(2, "unprotect", "kafka/my-cluster", "--to", "Delete") // no terminal to confirm on, and no --yes
	s.hasPolicy(corev1.PersistentVolumeReclaimRetain)
	s.run(0, "unprotect", "kafka/my-cluster", "--to", "Delete", "--yes")
	s.hasPolicy(corev1.PersistentVolumeReclaimDelete)
}

// TestRestoreSetsRetainFirst holds the first line of every plan, also where the plan is then refused.
func TestRestoreSetsRetainFirst(t *testing.T) {
	s := newStory(t, "retain-first", quickOperator())
	s.planted(ground.Planting{From: map[string]string{"data-0-my-cluster-controller-3": ""}})
	s.setPolicy(corev1.PersistentVolumeReclaimDelete)
	s.must(s.Create(s.ctx, true))
	s.must(s.WaitFor(s.ctx, "ReconciliationPaused", waitForPause))
	s.run(3, "restore", "kafka/my-cluster", "--yes")
	s.hasPolicy(corev1.PersistentVolumeReclaimRetain)
	s.untouched()
}

// TestAProtectedVolumeOutlivesItsClaim uses the provisioner that removes the directory of a volume it deletes.
func TestAProtectedVolumeOutlivesItsClaim(t *testing.T) {
	s := newStory(t, "provisioner", quickOperator())
	if s.Sandbox == nil {
		t.Fatal("the directories behind volumes cannot be looked at on this cluster")
	}
	claims := s.Client.CoreV1().PersistentVolumeClaims(s.Namespace)
	dirs := map[string]string{}
	for _, name := range []string{"data-0-my-cluster-broker-0", "data-0-my-cluster-broker-1"} {
		dirs[name] = s.provision(name)
	}
	s.says(s.run(0, "protect", "kafka/my-cluster"), "safe")
	const unprotected = "data-0-my-cluster-broker-1"
	s.run(0, "unprotect", "pv/"+s.volumeOf(unprotected), "--to", "Delete", "--yes")
	for name := range dirs {
		s.must(claims.Delete(s.ctx, name, metav1.DeleteOptions{}))
	}
	s.must(ground.Wait(s.ctx, time.Minute, "the unprotected volume is removed", func(context.Context) error {
		if _, err := os.Stat(dirs[unprotected]); !errors.Is(err, os.ErrNotExist) {
			return errors.New("its directory is still there: the provisioner proves nothing")
		}
		return nil
	}))
	kept := filepath.Join(dirs["data-0-my-cluster-broker-0"], "data")
	if raw, err := os.ReadFile(kept); err != nil || string(raw) != "precious" {
		t.Errorf("a protected volume must outlive its claim: %v", err)
	}
}

// provision makes a claim that the host-path provisioner fills, and writes a file on its volume.
func (s *story) provision(name string) (dir string) {
	s.Helper()
	class := "standard"
	_, err := s.Client.CoreV1().PersistentVolumeClaims(s.Namespace).Create(s.ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: &class,
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			},
		},
	}, metav1.CreateOptions{})
	s.must(err)
	s.must(ground.Wait(s.ctx, time.Minute, "the claim is bound", func(context.Context) error {
		if s.volumeOf(name) == "" {
			return fmt.Errorf("claim %q is not", name)
		}
		return nil
	}))
	pv, err := s.Client.CoreV1().PersistentVolumes().Get(s.ctx, s.volumeOf(name), metav1.GetOptions{})
	s.must(err)
	dir = filepath.Join(s.Sandbox.HostPathRoot(), filepath.Base(pv.Spec.HostPath.Path))
	s.must(os.MkdirAll(dir, 0o755))
	s.must(os.WriteFile(filepath.Join(dir, "data"), []byte("precious"), 0o600))
	return dir
}

func (s *story) volumeOf(claim string) string {
	s.Helper()
	c, err := s.Client.CoreV1().PersistentVolumeClaims(s.Namespace).Get(s.ctx, claim, metav1.GetOptions{})
	s.must(err)
	return c.Spec.VolumeName
}
