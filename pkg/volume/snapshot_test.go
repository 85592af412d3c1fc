package volume_test

import (
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func TestTheClassOfASnapshotIsNotGuessed(t *testing.T) {
	t.Parallel()
	class := func(name, driver string, standard bool) volume.SnapshotClass {
		annotations := map[string]any{}
		if standard {
			annotations["snapshot.storage.kubernetes.io/is-default-class"] = "true"
		}
		return volume.ParseSnapshotClass(map[string]any{
			"metadata": map[string]any{"name": name, "annotations": annotations}, "driver": driver, "deletionPolicy": "Delete",
		})
	}
	const ebs, rbd = "ebs.csi.aws.com", "rbd.csi.ceph.com"
	for name, tt := range map[string]struct {
		spec       map[string]any
		classes    []volume.SnapshotClass
		named      string
		want, says string
	}{
		"the default one of its driver": {
			csi(ebs), []volume.SnapshotClass{class("a", rbd, true), class("b", ebs, true), class("c", ebs, false)}, "", "b", "",
		},
		"the named one": {
			csi(ebs), []volume.SnapshotClass{class("b", ebs, true), class("c", ebs, false)}, "c", "c", "",
		},
		"two defaults": {
			csi(ebs), []volume.SnapshotClass{class("a", ebs, true), class("b", ebs, true)}, "", "",
			"2 default VolumeSnapshotClasses: name one of a, b",
		},
		"no default": {
			csi(ebs), []volume.SnapshotClass{class("a", ebs, false), class("b", rbd, true)}, "", "",
			"no default VolumeSnapshotClass: name a with",
		},
		"none of its driver": {csi(ebs), []volume.SnapshotClass{class("b", rbd, true)}, "", "", `"ebs.csi.aws.com" has no`},
		"named for another driver": {
			csi(ebs), []volume.SnapshotClass{class("a", ebs, true), class("b", rbd, true)}, "b", "", `"b" is for "rbd.csi`,
		},
		"named and not there": {csi(ebs), []volume.SnapshotClass{class("a", ebs, true)}, "x", "", `no VolumeSnapshotClass "x"`},
		"no CSI volume": {
			map[string]any{"local": map[string]any{"path": "/a"}}, []volume.SnapshotClass{class("a", "local", true)}, "", "",
			"no CSI driver (it is of the kind local)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pv := volume.ParsePersistentVolume(map[string]any{"metadata": map[string]any{"name": "pv"}, "spec": tt.spec})
			got, why := pv.SnapshotClass(tt.classes, tt.named)
			switch {
			case tt.want == "" && (got != nil || !strings.Contains(why, tt.says)):
				t.Errorf("want none, because %q: %+v %q", tt.says, got, why)
			case tt.want != "" && (got == nil || got.Name != tt.want || why != "" || got.DeletionPolicy != "Delete"):
				t.Errorf("want %s: %+v %q", tt.want, got, why)
			}
		})
	}
}

func csi(driver string) map[string]any {
	return map[string]any{"csi": map[string]any{"driver": driver, "volumeHandle": "vol-1"}}
}
