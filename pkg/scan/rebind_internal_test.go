package scan

import (
	"slices"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// Of a cluster that is to be created, pools that stayed count with the node IDs they have, as they will once it is
// there; what is created has none but those of its volumes.
func TestWhatIsLeftOfAClusterThatIsGoneCounts(t *testing.T) {
	t.Parallel()
	pool := func(name string, ids ...int32) strimzi.NodePool {
		p := strimzi.NodePool{Roles: []string{"broker"}}
		p.Name, p.Status.NodeIDs = name, ids
		return p
	}
	left := &strimzi.Cluster{Pools: []strimzi.NodePool{pool("stays", 7, 8)}, PodSets: make([]strimzi.PodSet, 2)}
	for _, planned := range []bool{true, false} {
		was := &strimzi.Cluster{Pools: []strimzi.NodePool{pool("new"), pool("stays")}}
		was.Kafka.Name = "my-cluster"
		c := &Cluster{Kafka: was, Planned: planned, left: left}
		if err := c.Rebind("", nil, nil); err != nil {
			t.Fatal(err)
		}
		var ids []int32
		sets := 0
		if planned {
			ids, sets = []int32{7, 8}, 2
		}
		if got := c.Kafka.Pool("stays").Status.NodeIDs; !slices.Equal(got, ids) || len(c.Kafka.PodSets) != sets {
			t.Errorf("planned %v: node IDs %v and %d pod sets, want %v and %d", planned, got, len(c.Kafka.PodSets), ids, sets)
		}
		if got := c.Kafka.Pool("new").Status.NodeIDs; len(got) > 0 {
			t.Errorf("a pool that is created has no volumes here, and got %v", got)
		}
		if was.Pool("stays").Status.NodeIDs != nil {
			t.Error("what is planned must not be changed: it is judged again")
		}
	}
}
