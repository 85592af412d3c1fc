package e2e_test

import (
	"slices"
	"testing"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// TestRestoreOfClustersOfOtherShapes begins with nothing but the volumes of clusters that are not as simple as the one
// that was recorded, and with manifests that do not say which IDs their nodes had.
func TestRestoreOfClustersOfOtherShapes(t *testing.T) {
	full(t)
	broker, controller := []string{"broker"}, []string{"controller"}
	for namespace, pools := range map[string][]ground.Pool{
		// IDs that do not start at 0, with gaps, in pools whose names sort the other way; the metadata on volume 1.
		"gaps": {
			{Name: "z-controllers", Roles: controller, Replicas: 3, Volumes: 1, IDs: "[7, 5, 3]"},
			{Name: "a-brokers", Roles: broker, Replicas: 3, Volumes: 2, Metadata: 1, IDs: "[20, 22, 24]"},
		},
		"dual-role": {{Name: "mixed", Roles: append(broker, controller...), Replicas: 3, Volumes: 2, Metadata: 1}},
	} {
		t.Run(namespace, func(t *testing.T) {
			operator := quickOperator()
			s := newStory(t, namespace, operator)
			s.Pools = pools
			s.running(0)
			s.Pools = slices.Clone(pools)
			for i := range s.Pools {
				s.Pools[i].IDs = ""
			}
			s.namespaceDeleted(operator)
			s.says(s.run(0, "restore", "kafka/my-cluster", "-f", s.manifests(), "--yes"), s.before.ClusterID)
			s.recovered()
		})
	}
}
