package placement_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// unnamed is a volume that names no claim, with the data of a node on it, -1 for none; with the metadata log or without.
func unnamed(name string, on int32, metadata bool) volume.Volume {
	v := released(name, "", on)
	v.PV.Phase = volume.PhaseAvailable
	if metadata {
		v.Contents.Dirs[0].Metadata = &logdir.MetadataLog{}
	}
	return v
}

// saying is a volume whose metadata log says the pool of each node.
func saying(v volume.Volume, cluster string, pools map[int32]string) volume.Volume {
	v.Image = &volume.Image{Hosts: map[int32]strimzi.NodeHost{}}
	for node, pool := range pools {
		v.Image.Hosts[node] = strimzi.NodeHost{Cluster: cluster, Pool: pool, NodeID: node, Namespace: "kafka"}
	}
	return v
}

func TestVolumesThatNameNoClaimAreKnownByWhatIsOnThem(t *testing.T) {
	t.Parallel()
	pools := map[int32]string{0: "broker", 1: "broker", 2: "broker", 3: "controller", 4: "controller", 5: "controller"}
	for _, c := range []struct {
		name    string
		volumes []volume.Volume
		want    map[string]string
		// says is in the problem of each volume that has no place.
		says string
	}{
		{
			name: "each of a node's volumes",
			volumes: []volume.Volume{
				saying(unnamed("a", 3, true), "my-cluster", pools), unnamed("b", 0, true), unnamed("c", 0, false),
			},
			want: map[string]string{
				"a": "data-0-my-cluster-controller-3", "b": "data-0-my-cluster-broker-0", "c": "data-1-my-cluster-broker-0",
			},
		},
		{
			name: "one of two names its claim still",
			volumes: []volume.Volume{
				saying(unnamed("a", 3, true), "my-cluster", pools), released("b", "data-0-my-cluster-broker-1", 1),
				unnamed("c", 1, false),
			},
			want: map[string]string{
				"a": "data-0-my-cluster-controller-3", "b": "data-0-my-cluster-broker-1", "c": "data-1-my-cluster-broker-1",
			},
		},
		{
			name:    "the metadata log of a single volume is gone",
			volumes: []volume.Volume{saying(unnamed("a", 3, true), "my-cluster", pools), unnamed("b", 4, false)},
			want:    map[string]string{"a": "data-0-my-cluster-controller-3", "b": "data-0-my-cluster-controller-4"},
		},
		{
			name: "one is left of two places",
			volumes: []volume.Volume{
				saying(unnamed("a", 3, true), "my-cluster", pools), unnamed("b", 2, false),
			},
			want: map[string]string{"a": "data-0-my-cluster-controller-3"}, says: "which of the volumes of node 2",
		},
		{
			name: "two with the metadata log",
			volumes: []volume.Volume{
				saying(unnamed("a", 3, true), "my-cluster", pools), unnamed("b", 3, true),
			},
			want: map[string]string{}, says: "which of the volumes of node 3",
		},
		{
			name:    "the metadata is of another cluster",
			volumes: []volume.Volume{saying(unnamed("a", 3, true), "other", pools)},
			want:    map[string]string{}, says: "no metadata says which pool of kafka/my-cluster node 3 is of",
		},
		{
			name: "copies of the metadata disagree",
			volumes: []volume.Volume{
				saying(unnamed("a", 3, true), "my-cluster", pools),
				saying(unnamed("b", 3, false), "my-cluster", map[int32]string{3: "broker"}),
			},
			want: map[string]string{}, says: "put node 3 into several pools",
		},
		{
			name:    "a pool that is not among the manifests",
			volumes: []volume.Volume{saying(unnamed("a", 3, true), "my-cluster", map[int32]string{3: "old"})},
			want:    map[string]string{}, says: `there is no pool "old"`,
		},
		{
			name:    "nothing is on it",
			volumes: []volume.Volume{unnamed("a", -1, false)},
			want:    map[string]string{}, says: "no node's data is on it",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			placement.Recognize(cluster(), c.volumes)
			result, err := placement.Of(cluster(), c.volumes, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, p := range result.Placements {
				got[p.Volume] = p.Claim
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, v := range c.volumes {
				if _, placed := got[v.PV.Name]; !placed && (c.says == "" || !strings.Contains(v.SlotProblem, c.says)) {
					t.Errorf("%s has no place: %q", v.Name, v.SlotProblem)
				}
			}
		})
	}
}
