package e2e_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// leastInSync is the broker that the fewest partitions have in sync, by the newest metadata: of a cluster whose pods
// were stopped all at once the last one to go may be the only one in sync of some.
func (s *story) leastInSync() string {
	s.Helper()
	result, err := theTool(s.T).Run(s.ctx, nil, "scan", "kafka/my-cluster", "--namespace", s.Namespace, "-o", "json")
	s.must(err)
	var scan struct {
		Clusters []struct {
			Volumes []struct {
				Image *struct {
					End    struct{ Offset int64 }
					InSync map[string]int
				}
			}
		}
	}
	s.must(json.Unmarshal([]byte(result.Stdout), &scan))
	var newest map[string]int
	end := int64(-1)
	for _, v := range scan.Clusters[0].Volumes {
		if v.Image != nil && v.Image.End.Offset > end {
			newest, end = v.Image.InSync, v.Image.End.Offset
		}
	}
	s.Logf("in sync by the newest metadata: %v", newest)
	brokers := []string{"0", "1", "2"}
	return slices.MinFunc(brokers, func(a, b string) int { return newest[a] - newest[b] })
}

// volumesOf remembers which volumes a claim asks for or has, in their order, until it is called.
func (s *story) volumesOf(claim string) func() []string {
	ctx, cancel := context.WithCancel(s.ctx)
	seen := make(chan []string, 1)
	go func() {
		var list []string
		for ctx.Err() == nil {
			c, err := s.Client.CoreV1().PersistentVolumeClaims(s.Namespace).Get(ctx, claim, metav1.GetOptions{})
			if err == nil && (len(list) == 0 || list[len(list)-1] != c.Spec.VolumeName) {
				list = append(list, c.Spec.VolumeName)
			}
			time.Sleep(50 * time.Millisecond)
		}
		seen <- list
	}()
	return func() []string { cancel(); return <-seen }
}

// TestRestoreWithoutABrokerThatIsLostForGood begins with Released volumes, of which those of a broker are gone with
// their disks, and a few new ones for whoever asks.
func TestRestoreWithoutABrokerThatIsLostForGood(t *testing.T) {
	full(t)
	operator := quickOperator()
	s := newStory(t, "lost", operator)
	s.planted(ground.Planting{})
	broker := s.leastInSync()
	s.namespaceDeleted(operator)
	claims := []string{"data-0-my-cluster-broker-" + broker, "data-1-my-cluster-broker-" + broker}
	for _, claim := range claims {
		s.must(s.Client.CoreV1().PersistentVolumes().Delete(s.ctx, s.before.Layout[claim], metav1.DeleteOptions{}))
	}
	s.must(s.Volumes(s.ctx, 0))
	file := s.manifests()

	s.says(s.run(3, "restore", "kafka/my-cluster", "-f", file, "--dry-run=client"), "slot-missing",
		"restore --lost node/"+broker)
	s.says(s.run(2, "restore", "kafka/my-cluster", "-f", file, "--yes", "--lost", "node/9"), "pvc/"+claims[0])
	others := s.run(3, "restore", "kafka/my-cluster", "-f", file, "--dry-run=client", "--lost", "node/"+broker,
		"--lost", "node/3")
	s.says(others, "lost-volume-is-there", "pvc/data-0-my-cluster-controller-3")

	seen := s.volumesOf(claims[0])
	restored := s.run(0, "restore", "kafka/my-cluster", "-f", file, "--yes", "--lost", "node/"+broker)
	s.says(restored, s.before.ClusterID, "the others do without my-cluster-broker-"+broker,
		"my-cluster-broker-"+broker+" joined, in sync of all their partitions")
	volumes := seen()
	if len(volumes) < 2 || !strings.HasPrefix(volumes[0], "kafkarecover-held-") ||
		strings.HasPrefix(volumes[len(volumes)-1], "kafkarecover-held-") {
		t.Errorf("the claim was to be held back, and then to have a volume: %q", volumes)
	}
	s.Logf("pvc/%s asked for, in this order: %q", claims[0], volumes)

	s.must(s.WaitFor(s.ctx, "Ready", waitForKafka))
	now := s.state()
	if !slices.Equal(slices.Sorted(maps.Keys(s.before.Layout)), slices.Sorted(maps.Keys(now.Layout))) {
		t.Errorf("no claim is to be new, and none to be missing: %v", now.Layout)
	}
	for _, claim := range claims {
		if now.Layout[claim] == s.before.Layout[claim] {
			t.Errorf("pvc/%s cannot have its volume again", claim)
		}
		delete(now.Layout, claim)
		delete(s.before.Layout, claim)
	}
	if diff := cmp.Diff(s.before, now); diff != "" {
		t.Errorf("but for the lost volumes it is to be the cluster that it was (-before +after):\n%s", diff)
	}
	under, err := s.UnderReplicated(s.ctx)
	s.must(err)
	if under != "" {
		t.Errorf("the broker is to be back in sync everywhere:\n%s", under)
	}
}
