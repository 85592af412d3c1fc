package strimzi_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// elevenTwelve is a cluster that is to be made: pools of three brokers, with IDs that do not start at 0, of which the
// volumes of one are gone, and of two controllers.
func elevenTwelve() *strimzi.Cluster {
	zero, one := int32(0), int32(1)
	disk := func(id *int32) strimzi.StorageVolume { return strimzi.StorageVolume{ID: id, Type: "persistent-claim"} }
	pool := func(name string, replicas int32, ids []int32, volumes ...strimzi.StorageVolume) strimzi.NodePool {
		return strimzi.NodePool{
			Meta: strimzi.Meta{Name: name}, Replicas: replicas, Roles: []string{name},
			Storage: strimzi.Storage{Type: strimzi.StorageJBOD, Volumes: volumes},
			Status:  strimzi.NodePoolStatus{NodeIDs: ids},
		}
	}
	return &strimzi.Cluster{
		Kafka: strimzi.Kafka{Meta: strimzi.Meta{Name: "my-cluster"}},
		Pools: []strimzi.NodePool{
			pool("broker", 3, []int32{11, 12}, disk(&zero), disk(&one)), pool("controller", 2, []int32{3, 4}, disk(&zero)),
		},
	}
}

func TestLostNodesKeepTheirIDs(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{"node/17", "node/my-cluster-broker-17"} {
		c := elevenTwelve()
		c.KeepLost([]string{ref}, []int32{3, 4, 11, 12, 17})
		claims, err := c.LostClaims([]string{ref})
		if err != nil {
			t.Fatalf("%s: %v", ref, err)
		}
		var names []string
		for _, n := range claims {
			names = append(names, n.String())
		}
		if got := strings.Join(names, " "); got != "data-0-my-cluster-broker-17 data-1-my-cluster-broker-17" {
			t.Errorf("%s: %s", ref, got)
		}
		if !slices.Equal(c.Pool("broker").Status.NodeIDs, []int32{11, 12, 17}) {
			t.Errorf("%s: the operator would give another ID than %v", ref, c.Pool("broker").Status.NodeIDs)
		}
	}
}

func TestOneLostClaimOfANodeIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	c := elevenTwelve()
	refs := []string{"pvc/data-1-my-cluster-broker-11", "pvc/data-1-my-cluster-broker-11"}
	c.KeepLost(refs, []int32{3, 4, 11, 12, 17})
	claims, err := c.LostClaims(refs)
	if err != nil || len(claims) != 1 || claims[0].NodeID != 11 || *claims[0].Volume != 1 {
		t.Errorf("%v %v", claims, err)
	}
}

func TestWhatIsNoPartOfTheClusterIsNotLost(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{
		"node/9", "node/my-cluster-other-11", "pvc/data-0-my-cluster-broker-9", "pvc/data-2-my-cluster-broker-11",
		"pvc/my-cluster-broker-11",
	} {
		c := elevenTwelve()
		c.KeepLost([]string{ref}, []int32{3, 4, 11, 12, 17})
		var lost *strimzi.LostError
		if _, err := c.LostClaims([]string{ref}); !errors.As(err, &lost) || lost.Ref != ref ||
			!strings.Contains(err.Error(), "pvc/data-0-my-cluster-controller-3") {
			t.Errorf("%s: it must name what there is: %v", ref, err)
		}
	}
}

func TestTheFormOfALostNode(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]int32{
		"node/2": 2, "node/my-cluster-broker-12": 12, "pvc/data-0-my-cluster-broker-2": 2, "node/": -1, "2": -1,
		"pv/volume-2": -1, "node/worker": -1, "": -1, "pvc/data-x": -1, "node/-2": 2, "node/99999999999": -1,
	} {
		id, ok := strimzi.LostNode(ref)
		if ok != (want >= 0) || ok && id != want || ok != (strimzi.ParseLost(ref) == nil) {
			t.Errorf("%q: %d, %v, %v", ref, id, ok, strimzi.ParseLost(ref))
		}
	}
}
