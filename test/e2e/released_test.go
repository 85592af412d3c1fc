package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// namespaceDeleted deletes the namespace with everything in it but the volumes, and makes it and its operator again.
func (s *story) namespaceDeleted(operator ground.Operator) {
	s.Helper()
	s.run(0, "protect")
	s.must(s.DeleteNamespace(s.ctx, s.Namespace))
	s.must(s.World.Namespace(s.ctx, s.Namespace, nil))
	s.must(s.InstallOperator(s.ctx, s.Namespace, operator))
}

// manifests writes the resources to a file, as somebody has them in git.
func (s *story) manifests() string {
	s.Helper()
	return s.savedAs(s.Manifests(false))
}

// savedAs is a file with manifests.
func (s *story) savedAs(text string) string {
	s.Helper()
	file := filepath.Join(s.TempDir(), "my-cluster.yaml")
	s.must(os.WriteFile(file, []byte(text), 0o600))
	return file
}

// ties are the claims that the story's volumes name, and their phases.
func (s *story) ties() map[string]string {
	s.Helper()
	list, err := s.Client.CoreV1().PersistentVolumes().List(s.ctx, metav1.ListOptions{})
	s.must(err)
	out := map[string]string{}
	for i := range list.Items {
		pv := &list.Items[i]
		if pv.Spec.ClaimRef == nil || pv.Spec.ClaimRef.Namespace != s.Namespace {
			continue
		}
		text, err := json.Marshal(pv.Spec.ClaimRef)
		s.must(err)
		out[pv.Name] = string(pv.Status.Phase) + " " + string(pv.Spec.PersistentVolumeReclaimPolicy) + " " + string(text)
	}
	return out
}

// TestRestoreOfADeletedNamespace begins with nothing but Released volumes, and manifests from git.
func TestRestoreOfADeletedNamespace(t *testing.T) {
	full(t)
	operator := quickOperator()
	s := newStory(t, "namespace-deleted", operator)
	s.planted(ground.Planting{})
	s.namespaceDeleted(operator)
	released := s.ties()
	for name, tie := range released {
		if phase := corev1.PersistentVolumePhase(tie[:len(corev1.VolumeReleased)]); phase != corev1.VolumeReleased {
			t.Errorf("pv %q: %s", name, tie)
		}
	}
	s.says(s.run(4, "restore", "kafka/my-cluster", "--yes"), "give its manifests with -f")

	s.says(s.run(3, "scan", "kafka/my-cluster", "--released"), s.before.ClusterID, "volume-without-claim")
	if diff := cmp.Diff(released, s.ties()); diff != "" {
		t.Errorf("reading must leave every volume tied to what it was (-before +after):\n%s", diff)
	}
	file := s.manifests()
	s.says(s.run(0, "restore", "kafka/my-cluster", "-f", file, "--dry-run=client"), "make 9 claims", s.before.ClusterID)
	if diff := cmp.Diff(released, s.ties()); diff != "" {
		t.Errorf("a dry run must leave every volume tied to what it was (-before +after):\n%s", diff)
	}
	s.says(s.run(0, "restore", "kafka/my-cluster", "-f", file, "--yes"), s.before.ClusterID)
	s.recovered()
}
