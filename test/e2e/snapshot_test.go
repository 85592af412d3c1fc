package e2e_test

import (
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// TestRestoreTakesSnapshots begins with Released volumes that a CSI driver made, and has it take a snapshot of each
// before anything starts on them. It needs a driver that can: docs/real-operator.md says which it was told with.
func TestRestoreTakesSnapshots(t *testing.T) {
	full(t)
	if theWorld(t).StorageClass == "" || os.Getenv(ground.EnvSnapshotClass) == "" {
		t.Skip("told with " + ground.EnvStorageClass + " and " + ground.EnvSnapshotClass + " of a CSI driver only")
	}
	operator := quickOperator()
	s := newStory(t, "snapshots", operator)
	s.running(0)
	s.namespaceDeleted(operator)
	s.says(s.run(3, "restore", "kafka/my-cluster", "-f", s.manifests(), "--snapshot=no-such-class", "--yes"),
		"no-such-class")
	said := s.run(0, "restore", "kafka/my-cluster", "-f", s.manifests(), "--snapshot="+os.Getenv(ground.EnvSnapshotClass),
		"--yes")
	s.says(said, s.before.ClusterID, "9 snapshots, ready to use")
	list, err := s.Snapshots(s.ctx)
	s.must(err)
	taken := map[string]bool{}
	for i := range list {
		claim, _, _ := unstructured.NestedString(list[i].Object, "spec", "source", "persistentVolumeClaimName")
		content, _, _ := unstructured.NestedString(list[i].Object, "status", "boundVolumeSnapshotContentName")
		ready, _, _ := unstructured.NestedBool(list[i].Object, "status", "readyToUse")
		if taken[claim] = ready && content != ""; !taken[claim] {
			t.Errorf("of %s there is %v", claim, list[i].Object["status"])
		}
	}
	if len(list) != len(s.before.Layout) || len(taken) != len(s.before.Layout) {
		t.Errorf("of each of %d volumes a snapshot: %v", len(s.before.Layout), taken)
	}
	s.recovered()
}
