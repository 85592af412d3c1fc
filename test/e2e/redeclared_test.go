package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// scannedElsewhere scans the story's cluster, keeps the result in a file, and has it say that it was made in another
// Kubernetes cluster: the suite has but one.
func (s *story) scannedElsewhere() string {
	s.Helper()
	result, err := theTool(s.T).Run(s.ctx, nil, "scan", "kafka/my-cluster", "--namespace", s.Namespace, "-o", "json")
	s.must(err) // whatever it found: what it saved is what counts
	var saved map[string]any
	s.must(json.Unmarshal([]byte(result.Stdout), &saved))
	if saved["serverId"] == nil {
		s.Fatal("the scan does not say which Kubernetes cluster it is of")
	}
	saved["serverId"], saved["server"] = "5d3b8c1e-0000-4000-8000-0000000000ff", "https://lost.example:6443"
	text, err := json.Marshal(saved)
	s.must(err)
	file := filepath.Join(s.TempDir(), "tonight.json")
	s.must(os.WriteFile(file, text, 0o600))
	return file
}

// kubernetesLost leaves the disks, and nothing that Kubernetes knows of them; then there is a namespace with an
// operator again, as in a new Kubernetes cluster.
func (s *story) kubernetesLost(operator ground.Operator) {
	s.Helper()
	s.run(0, "protect")
	names := s.ties()
	s.must(s.DeleteNamespace(s.ctx, s.Namespace))
	for name := range names {
		s.must(s.Client.CoreV1().PersistentVolumes().Delete(s.ctx, name, metav1.DeleteOptions{}))
	}
	for end := time.Now().Add(time.Minute); len(s.ties()) > 0; time.Sleep(time.Second) {
		if time.Now().After(end) {
			s.Fatalf("volumes are still there: %v", s.ties())
		}
	}
	s.must(s.World.Namespace(s.ctx, s.Namespace, nil))
	s.must(s.InstallOperator(s.ctx, s.Namespace, operator))
}

// TestRestoreInAnotherKubernetesCluster begins with nothing but disks, manifests from git, and a scan made before.
func TestRestoreInAnotherKubernetesCluster(t *testing.T) {
	full(t)
	operator := quickOperator()
	s := newStory(t, "kubernetes-lost", operator)
	s.planted(ground.Planting{})
	saved := s.scannedElsewhere()
	s.kubernetesLost(operator)
	night := s.as("night", "namespaced-role.yaml", "volumes-clusterrole.yaml", "quota-role.yaml",
		"operators-clusterrole.yaml", "cluster-clusterrole.yaml", "volumes-alone-role.yaml", "redeclare-clusterrole.yaml")
	command := []string{
		"restore", "kafka/my-cluster", "--volumes", saved, "-f", s.manifests(), "--kubeconfig", night,
		"--image", s.kafkaImage(),
	}
	restore := func(code int, more ...string) ground.Result {
		return s.run(code, append(slices.Clone(command), more...)...)
	}
	const accept = "--accept=old-cluster-may-run=kafka/my-cluster"
	s.says(restore(3, "--yes"), "old-cluster-may-run", "https://lost.example:6443")
	s.says(restore(3, "--yes", accept, "--map-node", "node-0=rack-7"), "no-node-for-volume", "rack-7")
	if left := s.ties(); len(left) > 0 {
		t.Errorf("what is refused declares nothing: %v", left)
	}
	s.says(restore(0, "--dry-run=client", accept), "declare 9 volumes anew", "make 9 claims", s.before.ClusterID)
	if left := s.ties(); len(left) > 0 {
		t.Errorf("a dry run takes back what it declared: %v", left)
	}
	s.says(restore(0, "--yes", accept), s.before.ClusterID)
	s.recovered()
}
