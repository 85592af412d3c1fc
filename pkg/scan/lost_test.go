package scan_test

import (
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// The nodes of the cluster were stopped one after the other, broker 0 first and broker 2 last: by the end nobody else
// can be elected of what broker 2 has a replica of, and of two partitions that are on broker 1 alone.
func TestWhereLostNodesAloneAreInSync(t *testing.T) {
	t.Parallel()
	dir := volumes.Unpack(t, volumes.SplitRoles)
	look := func(lost ...string) *volume.Image {
		t.Helper()
		seen, err := scan.Folder(t.Context(), dir, time.Now(), scan.Options{Lost: lost})
		if err != nil {
			t.Fatal(err)
		}
		var newest *volume.Image
		for i := range seen.Clusters[0].Volumes {
			if im := seen.Clusters[0].Volumes[i].Image; im != nil && (newest == nil || im.End.Compare(newest.End) > 0) {
				newest = im
			}
		}
		return newest
	}
	im := look("node/0", "node/my-cluster-broker-1")
	if zero, one := im.Lost[0], im.Lost[1]; zero.Alone != 0 || zero.InSync != 0 || one.Alone != im.InSync[1] ||
		len(one.Partitions) != 2 || one.Partitions[0].String() !=
		"audit.log_1-0: replicas [1], in sync [], eligible leader replicas [1]" {
		t.Errorf("%+v\n%+v", zero, one)
	}
	if im = look("pvc/data-1-my-cluster-broker-2"); im.Lost[2].Alone != im.InSync[2] || im.InSync[2] != 20 ||
		len(im.Lost) != 1 {
		t.Errorf("%+v", im.Lost)
	}
	if im = look(); im.Lost != nil {
		t.Errorf("nobody asked for %v", im.Lost)
	}
}
