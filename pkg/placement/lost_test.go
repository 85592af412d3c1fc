package placement_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func TestClaimsOfLostNodesThatHoldNothingGo(t *testing.T) {
	t.Parallel()
	const claim = "data-0-my-cluster-controller-4"
	lost := []strimzi.ClaimName{{Cluster: "my-cluster", Pool: "controller", NodeID: 4, Volume: new(int32)}}
	for name, c := range map[string]struct {
		change func(*volume.Volume)
		// hidden is that volumes may not be listed, disagree that they are of no one cluster.
		hidden, disagree bool
		want             *placement.LetGo
	}{
		"its volume is empty": {want: &placement.LetGo{Volume: "new", Displaced: true}},
		"its file system is new": {
			change: func(v *volume.Volume) { v.Contents.Other = []string{"lost+found"} },
			want:   &placement.LetGo{Volume: "new", Displaced: true},
		},
		"it waits for a volume": {
			change: func(v *volume.Volume) { *v = waiting(claim) }, hidden: true, want: &placement.LetGo{},
		},
		"its volume is no more": {
			change: func(v *volume.Volume) { *v = without(*v, volume.PhaseLost) },
			want:   &placement.LetGo{Volume: "new", Gone: true},
		},
		"it waits for a volume that is no more": {
			change: func(v *volume.Volume) { *v = without(*v, volume.PhasePending) },
			want:   &placement.LetGo{Volume: "new", Gone: true},
		},
		"nobody could see whether it has a volume": {
			change: func(v *volume.Volume) { *v = without(*v, volume.PhaseLost) }, hidden: true,
		},
		"it is bound to a volume that was not seen": {
			change: func(v *volume.Volume) { *v = without(*v, volume.PhaseBound) },
		},
		"its volume was formatted with a random ID": {
			change: func(v *volume.Volume) { *v = startedOn(newID, 4, *v) },
			want:   &placement.LetGo{Volume: "new", Displaced: true},
		},
		"its volume was formatted with the right ID": {
			change: func(v *volume.Volume) { *v = startedOn(oldID, 4, *v) },
		},
		"nobody knows with which ID its volume was to be formatted": {
			change: func(v *volume.Volume) { *v = startedOn(newID, 4, *v) }, disagree: true,
		},
		"its volume holds data of another cluster": {
			change: func(v *volume.Volume) { *v = of(newID, bound("new", claim, 4)) },
		},
		"its volume holds data": {change: func(v *volume.Volume) { *v = bound("new", claim, 4) }},
		"its volume was kept under another name": {
			change: func(v *volume.Volume) { v.Contents.Other = []string{"kafka-log4.old"} },
		},
		"its volume was not read": {
			change: func(v *volume.Volume) { v.State, v.Contents = volume.Unread, nil },
		},
		"not all of its volume was read": {change: func(v *volume.Volume) { v.State = volume.Incomplete }},
		"there is a problem with it": {
			change: func(v *volume.Volume) { v.Contents.Problems = []logdir.Problem{{Path: "kafka-log4"}} },
		},
		"its volume is of another claim": {change: func(v *volume.Volume) { v.PV.ClaimUID = "other" }},
		"its volume is being deleted":    {change: func(v *volume.Volume) { v.PV.Terminating = true }},
		"it is being deleted":            {change: func(v *volume.Volume) { v.Claim.Terminating = true }},
		"it is of another node": {
			change: func(v *volume.Volume) { *v = bound("new", "data-0-my-cluster-controller-3", -1) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := bound("new", claim, -1)
			if c.change != nil {
				c.change(&v)
			}
			var want []placement.LetGo
			if c.want != nil {
				c.want.Claim, c.want.ClaimUID = claim, "uid-"+claim
				want = append(want, *c.want)
			}
			id := oldID
			if c.disagree {
				id = ""
			}
			if diff := cmp.Diff(want, placement.Vacate(lost, []volume.Volume{v}, id, c.hidden)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// without is a claim whose volume is not there.
func without(v volume.Volume, phase string) volume.Volume {
	v.PV, v.Contents, v.State, v.Claim.Phase = nil, nil, volume.Unread, phase
	return v
}
