package scan_test

import (
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func TestSavedVolumesAreThoseOfOneCluster(t *testing.T) {
	t.Parallel()
	bound, released := volume.PersistentVolume{Name: "bound"}, volume.PersistentVolume{Name: "released"}
	s := &scan.Scan{Clusters: []scan.Cluster{
		{Namespace: "other", Name: "my-cluster", Volumes: []volume.Volume{{PV: &volume.PersistentVolume{Name: "others"}}}},
		{
			Namespace: "kafka", Name: "my-cluster", Others: []volume.PersistentVolume{released},
			Volumes: []volume.Volume{{PV: &bound}, {Claim: &volume.Claim{Name: "lost"}}},
		},
		{Namespace: "kafka", Name: "forbidden", VolumesForbidden: true},
		{Namespace: "kafka", Name: "empty"},
	}}
	got, err := s.SavedVolumes("kafka", "my-cluster")
	if err != nil || len(got) != 2 || got[0].Name != "bound" || got[1].Name != "released" {
		t.Errorf("%v %+v", err, got)
	}
	for name, want := range map[string]string{
		"forbidden": "not allowed to list", "empty": "holds no PersistentVolume", "unknown": "other/my-cluster",
	} {
		if _, err := s.SavedVolumes("kafka", name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
