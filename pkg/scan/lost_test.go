package scan_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
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

// A look that reads judges without a lost node's claim that waits for a volume; one that reads nothing does not, and
// neither does one into running pods, which may just be about to format theirs.
func TestALostNodesClaimThatHoldsNothingIsLeftOutWhereVolumesAreRead(t *testing.T) {
	t.Parallel()
	const claim = "data-0-my-cluster-broker-2"
	for via, gone := range map[scan.Via]bool{scan.Pod: true, scan.Auto: true, scan.Objects: false, scan.Exec: false} {
		t.Run(string(via), func(t *testing.T) {
			t.Parallel()
			w := recording(t).without("pods")
			w.admit = func(map[string]any) (int, map[string]any) {
				return http.StatusForbidden, failure(http.StatusForbidden, "Forbidden", "no pods here")
			}
			uid := ""
			for _, o := range w.lists["persistentvolumeclaims"] {
				if object.String(o, "metadata", "name") == claim {
					uid = object.String(o, "metadata", "uid")
					set(o, "", "spec", "volumeName")
					set(o, volume.PhasePending, "status", "phase")
				}
			}
			c, err := scan.Look(t.Context(), w.client(), "kafka", "my-cluster", scan.Options{
				Via: via, Operation: operation, Lost: []string{"pvc/" + claim, "pvc/data-0-my-cluster-broker-1"},
			})
			if err != nil {
				t.Fatal(err)
			}
			there := slices.ContainsFunc(c.Volumes, func(v volume.Volume) bool { return v.Name == "pvc/"+claim })
			want := []placement.LetGo{{Claim: claim, ClaimUID: uid}}
			if there == gone || gone && !slices.Equal(c.LetGo, want) || !gone && c.LetGo != nil {
				t.Errorf("there %t, let go %+v: the other one was not read, and stays", there, c.LetGo)
			}
		})
	}
}
