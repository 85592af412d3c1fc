package placement_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

const (
	oldID = "WfgV0zaXR8GWDtKf_rFFyA"
	newID = "nj2gpqbHSfmvw-PQucA3Jg"
)

// of has a volume say that it is of a cluster, and hold something of it.
func of(id string, v volume.Volume) volume.Volume {
	for i := range v.Contents.Dirs {
		d := &v.Contents.Dirs[i]
		d.MetaState, d.Meta = logdir.MetaOK, &logdir.MetaProperties{ClusterID: &id}
		d.Partitions = []logdir.Partition{{Dir: "orders-0", Topic: "orders"}}
	}
	return v
}

// bound is a volume that the claim of that name holds.
func bound(name, claim string, on int32) volume.Volume {
	v := released(name, claim, on)
	uid := "uid-" + claim
	v.PV.Phase, v.PV.ClaimUID, v.Name = volume.PhaseBound, uid, "pvc/"+claim
	v.Claim = &volume.Claim{Namespace: "kafka", Name: claim, UID: uid, Phase: volume.PhaseBound, Volume: name}
	return v
}

// startedOn has another node's directory on a volume, as the start of that node's pod with a cluster ID leaves it.
func startedOn(id string, node int32, v volume.Volume) volume.Volume {
	v.Contents.Dirs = append(v.Contents.Dirs, logdir.LogDir{
		Path: fmt.Sprintf("kafka-log%d", node), NodeIDInName: &node, MetaState: logdir.MetaOK,
		Meta: &logdir.MetaProperties{ClusterID: &id},
	})
	return v
}

// waiting is a claim that no volume was found for yet.
func waiting(claim string) volume.Volume {
	v := bound("none", claim, -1)
	v.PV, v.Contents, v.State = nil, nil, volume.Unread
	v.Claim.Phase, v.Claim.Volume = volume.PhasePending, ""
	return v
}

func TestClaimsAreGivenTheVolumesOfTheirNodes(t *testing.T) {
	t.Parallel()
	const (
		c3, c4, b0, b1 = "data-0-my-cluster-controller-3", "data-0-my-cluster-controller-4", "data-0-my-cluster-broker-0",
			"data-0-my-cluster-broker-1"
	)
	for _, c := range []struct {
		name    string
		volumes []volume.Volume
		wanted  string
		give    map[string]bool // given up
		// want maps volumes to claims, letGo claims to what becomes of their volumes, nodes pools to other node IDs.
		want  map[string]string
		letGo map[string]string
		nodes map[string][]int32
		left  []string
	}{
		{
			name: "a new cluster stands on new volumes", want: map[string]string{"old-3": c3, "old-4": c4},
			volumes: []volume.Volume{
				of(newID, bound("new-3", c3, 3)), of(newID, bound("new-4", c4, 4)),
				of(oldID, released("old-3", c3, 3)), of(oldID, released("old-4", c4, 4)),
			},
			letGo: map[string]string{c3: "displaced", c4: "displaced"},
		},
		{
			name: "the new volumes hold nothing at all", want: map[string]string{"old-3": c3},
			volumes: []volume.Volume{bound("new-3", c3, -1), of(oldID, released("old-3", c3, 3))},
			letGo:   map[string]string{c3: "displaced"},
		},
		{
			name: "one volume was replaced, the others are there", want: map[string]string{"old-3": c3, "is-4": c4},
			volumes: []volume.Volume{
				of(newID, bound("new-3", c3, 3)), of(oldID, bound("is-4", c4, 4)), of(oldID, released("old-3", c3, 3)),
			},
			letGo: map[string]string{c3: "displaced"},
		},
		{
			name: "two claims hold each other's volumes", want: map[string]string{"zero": b0, "one": b1},
			volumes: []volume.Volume{of(oldID, bound("one", b0, 1)), of(oldID, bound("zero", b1, 0))},
			letGo:   map[string]string{b0: "moved", b1: "moved"},
		},
		{
			name: "two claims hold each other's volumes, and pods have started with a random ID",
			want: map[string]string{"zero": b0, "one": b1},
			volumes: []volume.Volume{
				startedOn(newID, 0, of(oldID, bound("one", b0, 1))), startedOn(newID, 1, of(oldID, bound("zero", b1, 0))),
			},
			letGo: map[string]string{b0: "moved", b1: "moved"},
		},
		{
			name: "two claims hold each other's volumes, and pods have filled them anew",
			want: map[string]string{"one": b0, "zero": b1},
			volumes: []volume.Volume{
				startedOn(oldID, 0, of(oldID, bound("one", b0, 1))), startedOn(oldID, 1, of(oldID, bound("zero", b1, 0))),
			},
		},
		{
			name: "nothing is wrong", want: map[string]string{"zero": b0, "one": b1},
			volumes: []volume.Volume{of(oldID, bound("zero", b0, 0)), of(oldID, bound("one", b1, 1))},
		},
		{
			name: "the new cluster has other node IDs", nodes: map[string][]int32{"controller": {13, 14, 15}},
			volumes: []volume.Volume{
				of(newID, bound("new-3", c3, 3)),
				of(oldID, released("old-13", "data-0-my-cluster-controller-13", 13)),
				of(oldID, released("old-14", "data-0-my-cluster-controller-14", 14)),
				of(oldID, released("old-15", "data-0-my-cluster-controller-15", 15)),
			},
			want: map[string]string{
				"old-13": "data-0-my-cluster-controller-13", "old-14": "data-0-my-cluster-controller-14",
				"old-15": "data-0-my-cluster-controller-15",
			},
			letGo: map[string]string{c3: "displaced"},
		},
		{
			name: "two generations of old volumes disagree: nobody guesses by age", want: map[string]string{},
			volumes: []volume.Volume{
				of(newID, bound("new-3", c3, 3)), of(oldID, released("old-3", c3, 3)), of("x", released("older-3", c3, 3)),
			},
		},
		{
			name: "two generations, and one is named", wanted: oldID, want: map[string]string{"old-3": c3},
			volumes: []volume.Volume{
				of(newID, bound("new-3", c3, 3)), of(oldID, released("old-3", c3, 3)), of("x", released("older-3", c3, 3)),
			},
			letGo: map[string]string{c3: "displaced"},
		},
		{
			name: "both are of the cluster that is wanted: neither is taken", want: map[string]string{},
			volumes: []volume.Volume{of(oldID, bound("is-3", c3, 3)), of(oldID, released("old-3", c3, 3))},
			left:    []string{"pv/old-3", "pvc/" + c3},
		},
		{
			name: "a claim that waits for a volume", want: map[string]string{"old-3": c3},
			volumes: []volume.Volume{waiting(c3), of(oldID, released("old-3", c3, 3)), waiting(c4)},
			letGo:   map[string]string{c3: "moved"},
		},
		{
			name: "one of two is given up", want: map[string]string{"is-3": c3}, give: map[string]bool{"pv/old-3": true},
			volumes: []volume.Volume{of(oldID, bound("is-3", c3, 3)), of(oldID, released("old-3", c3, 3))},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cl := cluster()
			got, err := placement.Rebind(cl, c.volumes, c.wanted, c.give)
			if err != nil {
				t.Fatal(err)
			}
			placed, letGo := map[string]string{}, map[string]string{}
			for _, p := range got.Placements {
				placed[p.Volume] = p.Claim
			}
			for _, l := range got.LetGo {
				letGo[l.Claim] = map[bool]string{true: "displaced", false: "moved"}[l.Displaced]
				if l.ClaimUID != "uid-"+l.Claim {
					t.Errorf("the claim that goes is bound by its UID: %+v", l)
				}
			}
			for what, diff := range map[string]string{
				"places": cmp.Diff(c.want, placed), "left": cmp.Diff(c.left, got.Left),
				"let go": cmp.Diff(orEmpty(c.letGo), letGo), "nodes": cmp.Diff(orEmpty(c.nodes), got.Nodes),
			} {
				if diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
			}
			for pool, ids := range c.nodes {
				if diff := cmp.Diff(ids, cl.Pool(pool).Status.NodeIDs); diff != "" {
					t.Errorf("the pool must get the node IDs of its volumes:\n%s", diff)
				}
			}
		})
	}
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// A volume that moves is judged under the claim that it is for, one that stays as it is.
func TestAVolumeThatMovesIsJudgedWhereItWillBe(t *testing.T) {
	t.Parallel()
	const b0, b1 = "data-0-my-cluster-broker-0", "data-0-my-cluster-broker-1"
	one := of(oldID, bound("one", b0, 1))
	got, err := placement.Rebind(cluster(), []volume.Volume{one, of(oldID, bound("zero", b1, 0))}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range got.Placements {
		if p.Volume != "one" {
			continue
		}
		if as := p.As(one, "kafka"); as.Name != "pvc/"+b1 || as.Claim.UID != placement.Planned || !as.BoundBothWays() {
			t.Errorf("%+v", as)
		}
		if p.Exists {
			t.Error("its claim is to be made again")
		}
	}
	if one.Claim.Name != b0 || one.PV.ClaimName != b0 {
		t.Error("the volume as it is must stay as it is")
	}
}
