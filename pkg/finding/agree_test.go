package finding_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func TestAgreedClusterID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*world)
		id     string
		groups []string // the IDs of the groups, sorted
	}{
		{"all nine", func(*world) {}, clusterID, []string{clusterID}},
		{
			"eight against one are no majority", func(w *world) { w.dir("0-broker-0").Meta.ClusterID = ptr(otherID) },
			"", []string{clusterID, otherID},
		},
		{
			"a fresh directory is no witness", func(w *world) { w.fresh(otherID, "0-broker-0") },
			clusterID, []string{clusterID, otherID},
		},
		{
			"a fresh directory that was not read to the end is one",
			func(w *world) { w.fresh(otherID, "0-broker-0"); w.vol("0-broker-0").State = volume.Incomplete },
			"", []string{clusterID, otherID},
		},
		{
			"nothing but fresh ones that agree",
			func(w *world) {
				w.Volumes = []volume.Volume{*w.vol("0-broker-0"), *w.vol("1-broker-0")}
				w.fresh(otherID, "0-broker-0", "1-broker-0")
			},
			otherID, []string{otherID},
		},
		{"an empty ID is none", func(w *world) { w.allIDs("") }, "", []string{""}},
		{
			"no volume read",
			func(w *world) { w.Volumes = []volume.Volume{{Name: "pvc/a", State: volume.Unread}} }, "", nil,
		},
		{
			"no file that says it",
			func(w *world) {
				w.Volumes = []volume.Volume{{
					Name: "pvc/a", State: volume.Read,
					Contents: &logdir.Contents{Dirs: []logdir.LogDir{{Path: ".", MetaState: logdir.MetaAbsent}}},
				}}
			},
			"", nil,
		},
	} {
		w := retained(t)
		c.change(w)
		id, groups, ok := finding.AgreedClusterID(w.Volumes)
		if id != c.id || ok != (c.id != "") {
			t.Errorf("%s: got %q, %t; want %q", c.name, id, ok, c.id)
		}
		var ids []string
		for _, g := range groups {
			ids = append(ids, g.ID)
		}
		if diff := cmp.Diff(c.groups, ids); diff != "" {
			t.Errorf("%s: groups (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestGroupsSayWhichVolumeSaysWhat(t *testing.T) {
	t.Parallel()
	w := retained(t)
	w.Volumes = []volume.Volume{*w.vol("0-broker-0"), *w.vol("1-broker-0")}
	w.fresh(otherID, "1-broker-0")
	w.bare("0-broker-0")
	_, groups, _ := finding.AgreedClusterID(w.Volumes)
	want := []finding.Group{
		{ID: clusterID, Dirs: []string{pvcB00}},
		{ID: otherID, Dirs: []string{pvcB10 + ":kafka-log0"}, Fresh: []string{pvcB10 + ":kafka-log0"}},
	}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}
