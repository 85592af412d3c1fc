package placement_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func id(n int32) *int32 { return &n }

// cluster has controllers 3 to 5 with one volume and brokers 0 to 2 with two.
func cluster() *strimzi.Cluster {
	one := []strimzi.StorageVolume{{ID: id(0), Type: "persistent-claim"}}
	two := []strimzi.StorageVolume{{ID: id(0), Type: "persistent-claim"}, {ID: id(1), Type: "persistent-claim"}}
	pool := func(name string, volumes []strimzi.StorageVolume, ids ...int32) strimzi.NodePool {
		return strimzi.NodePool{
			Meta: strimzi.Meta{Name: name}, Replicas: 3, Roles: []string{name},
			Storage: strimzi.Storage{Type: strimzi.StorageJBOD, Volumes: volumes},
			Status:  strimzi.NodePoolStatus{NodeIDs: ids},
		}
	}
	return &strimzi.Cluster{
		Kafka: strimzi.Kafka{Meta: strimzi.Meta{Name: "my-cluster"}},
		Pools: []strimzi.NodePool{pool("broker", two, 0, 1, 2), pool("controller", one, 3, 4, 5)},
	}
}

// released is a volume whose claim was of that slot; on is the node whose data is on it, -1 for none.
func released(name, claim string, on int32) volume.Volume {
	pv := volume.PersistentVolume{Name: name, Phase: volume.PhaseReleased, ClaimNamespace: "kafka", ClaimName: claim}
	v := volume.FromReleased([]volume.PersistentVolume{pv}, strimzi.Known{
		Clusters: []string{"my-cluster"}, Pools: map[string][]string{"my-cluster": {"broker", "controller"}},
	})[0]
	v.State, v.Contents = volume.Read, &logdir.Contents{}
	if on >= 0 {
		v.Contents.Dirs = []logdir.LogDir{{Path: fmt.Sprintf("kafka-log%d", on), NodeIDInName: &on}}
	}
	return v
}

func TestVolumesGoWhereWhatIsOnThemSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		volumes []volume.Volume
		// want maps volumes to claims; left are the ones that stay over.
		want map[string]string
		left []string
	}{
		{
			name: "name and contents agree",
			volumes: []volume.Volume{
				released("a", "data-0-my-cluster-broker-2", 2), released("b", "data-1-my-cluster-broker-2", 2),
				released("c", "data-0-my-cluster-controller-4", 4),
			},
			want: map[string]string{
				"a": "data-0-my-cluster-broker-2", "b": "data-1-my-cluster-broker-2", "c": "data-0-my-cluster-controller-4",
			},
		},
		{
			name:    "another node's data under the name",
			volumes: []volume.Volume{released("a", "data-0-my-cluster-broker-2", 1)},
			left:    []string{"pv/a"},
		},
		{
			name: "two volumes of one name",
			volumes: []volume.Volume{
				released("old", "data-0-my-cluster-controller-4", 4), released("new", "data-0-my-cluster-controller-4", 4),
			},
			left: []string{"pv/new", "pv/old"},
		},
		{
			name:    "a claim whose name says nothing, a node with one volume",
			volumes: []volume.Volume{released("a", "kafka-data", 4)},
			want:    map[string]string{"a": "data-0-my-cluster-controller-4"},
		},
		{
			name:    "a claim whose name says nothing, a node with two",
			volumes: []volume.Volume{released("a", "kafka-data", 2)},
			left:    []string{"pv/a"},
		},
		{
			name:    "an empty volume keeps its name",
			volumes: []volume.Volume{released("a", "data-1-my-cluster-broker-0", -1)},
			want:    map[string]string{"a": "data-1-my-cluster-broker-0"},
		},
		{
			name:    "a volume that no pool has a place for",
			volumes: []volume.Volume{released("a", "data-2-my-cluster-broker-0", 0)},
			left:    []string{"pv/a"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := placement.Of(cluster(), c.volumes, nil)
			if err != nil {
				t.Fatal(err)
			}
			placed := map[string]string{}
			for _, p := range got.Placements {
				placed[p.Volume] = p.Claim
			}
			if c.want == nil {
				c.want = map[string]string{}
			}
			if diff := cmp.Diff(c.want, placed); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.left, got.Left); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAVolumeThatIsGivenUpHasNoPlace(t *testing.T) {
	t.Parallel()
	both := []volume.Volume{
		released("old", "data-0-my-cluster-controller-4", 4), released("new", "data-0-my-cluster-controller-4", 4),
	}
	got, err := placement.Of(cluster(), both, map[string]bool{"pv/old": true})
	if err != nil || len(got.Placements) != 1 || got.Placements[0].Volume != "new" {
		t.Errorf("%v %+v", err, got)
	}
}

func TestAPlacedVolumeIsJudgedAsItWillBe(t *testing.T) {
	t.Parallel()
	v := released("a", "data-0-my-cluster-controller-4", 4)
	got, err := placement.Of(cluster(), []volume.Volume{v}, nil)
	if err != nil {
		t.Fatal(err)
	}
	as := got.Placements[0].As(v, "kafka")
	if as.Name != "pvc/data-0-my-cluster-controller-4" || !as.BoundBothWays() || as.Slot.NodeID != 4 {
		t.Errorf("%+v", as)
	}
	if v.PV.Phase != volume.PhaseReleased || v.Claim != nil {
		t.Error("the volume as it is must stay as it is")
	}
}

func TestNodesOfPools(t *testing.T) {
	t.Parallel()
	got := placement.Nodes([]volume.Volume{
		released("a", "data-0-my-cluster-broker-12", 12), released("b", "data-1-my-cluster-broker-12", 12),
		released("c", "data-0-my-cluster-broker-10", 10), released("d", "data-0-my-cluster-controller-4", 4),
	})
	if diff := cmp.Diff(map[string][]int32{"broker": {10, 12}, "controller": {4}}, got); diff != "" {
		t.Error(diff)
	}
}

// TestAClaimAsksForWhatThePoolDoes keeps the operator from resizing: volumes are often larger than what was asked for.
func TestAClaimAsksForWhatThePoolDoes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pool, capacity, request, claim string }{
		{"10Gi", "16Gi", "10Gi", "10Gi"},
		{"16384Mi", "16Gi", "16384Mi", "16384Mi"},
		{"20Gi", "16Gi", "", "16Gi"}, // more than the volume has would never be bound
		{"", "16Gi", "", "16Gi"},
		{"TODO", "16Gi", "", "16Gi"},
	} {
		of := cluster()
		of.Pools[1].Storage.Volumes[0].Size = c.pool
		v := released("a", "data-0-my-cluster-controller-4", 4)
		v.PV.Capacity = c.capacity
		got, err := placement.Of(of, []volume.Volume{v}, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := got.Placements[0]
		if as := p.As(v, "kafka"); p.Request != c.request || as.Claim.Request != c.claim {
			t.Errorf("pool %q, volume %q: got request %q, judged as %q", c.pool, c.capacity, p.Request, as.Claim.Request)
		}
	}
}
