package recovery_test

import (
	"io/fs"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// clusterID is the one in the volumes.
const clusterID = "WfgV0zaXR8GWDtKf_rFFyA"

// unpackVolumes gives a folder for each claim of a lost cluster: controllers 3 to 5, brokers 0 to 2 of two volumes.
func unpackVolumes(t *testing.T) string {
	t.Helper()
	if got := volumes.ReadManifest(t, volumes.SplitRoles).ClusterID; got != clusterID {
		t.Fatalf("the volumes are of cluster %q, want %q", got, clusterID)
	}
	return volumes.Unpack(t, volumes.SplitRoles)
}

func inspect(v *volume.Volume, fsys fs.FS) {
	c, err := logdir.Read(fsys, logdir.Options{})
	if err != nil {
		v.State, v.Reason = volume.Unread, err.Error()
		return
	}
	v.State, v.Contents, v.Via = volume.Read, c, "pod"
}
