package redeclared_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/redeclared"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

type object = map[string]any

// saved is a volume as the API server had it, dynamically provisioned and Bound, changed as wanted.
func saved(name, claim string, source object, change func(o object)) volume.PersistentVolume {
	o := object{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": object{
			"name": name, "uid": "old-uid", "resourceVersion": "17", "creationTimestamp": "2026-01-01T00:00:00Z",
			"finalizers": []any{"kubernetes.io/pv-protection", "external-provisioner.volume.kubernetes.io/finalizer"},
			"annotations": object{
				"pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com", "pv.kubernetes.io/bound-by-controller": "yes",
				"kafkarecover.io/reclaim-policy-before": "Delete", "kafkarecover.io/created-by": "restore-1",
			},
			"labels": object{"topology.kubernetes.io/zone": "eu-1a", "team": "kafka"},
			"ownerReferences": []any{object{
				"apiVersion": "v1", "kind": "Node", "name": "gone", "uid": "gone",
			}},
		},
		"spec": object{
			"capacity": object{"storage": "10Gi"}, "accessModes": []any{"ReadWriteOnce"}, "storageClassName": "fast",
			"persistentVolumeReclaimPolicy": "Delete", "volumeMode": "Filesystem",
			"claimRef": object{
				"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "kafka", "name": claim, "uid": "claim-uid",
				"resourceVersion": "5",
			},
		},
		"status": object{"phase": "Bound"},
	}
	for kind, fields := range source {
		o["spec"].(object)[kind] = fields
	}
	if change != nil {
		change(o)
	}
	return volume.ParsePersistentVolume(o)
}

func onHost(values ...any) object {
	return object{"required": object{"nodeSelectorTerms": []any{object{"matchExpressions": []any{object{
		"key": "kubernetes.io/hostname", "operator": "In", "values": values,
	}}}}}}
}

const (
	claim0 = "data-0-my-cluster-broker-0"
	claim1 = "data-0-my-cluster-broker-1"
)

func request() redeclared.Request {
	return redeclared.Request{Namespace: "kafka", Cluster: "my-cluster"}
}

func csi(handle string) object {
	return object{"csi": object{
		"driver": "ebs.csi.aws.com", "volumeHandle": handle, "fsType": "ext4",
		"volumeAttributes":   object{"storage.kubernetes.io/csiProvisionerIdentity": "1"},
		"nodeStageSecretRef": object{"name": "stage", "namespace": "kube-system"},
	}}
}

func TestAVolumeIsWrittenAsItWasButForWhatWasOfTheOldCluster(t *testing.T) {
	t.Parallel()
	got, err := redeclared.Write([]volume.PersistentVolume{saved("pvc-1", claim0, csi("vol-1"), nil)}, request())
	if err != nil || len(got) != 1 {
		t.Fatal(err, got)
	}
	want := object{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": object{
			"name": "pvc-1", "labels": object{"topology.kubernetes.io/zone": "eu-1a", "team": "kafka"},
			"annotations": object{"pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com"},
		},
		"spec": object{
			"capacity": object{"storage": "10Gi"}, "accessModes": []any{"ReadWriteOnce"}, "storageClassName": "fast",
			"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem", "csi": csi("vol-1")["csi"],
			"claimRef": object{
				"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "kafka", "name": claim0, "uid": "claim-uid",
			},
		},
	}
	if diff := cmp.Diff(want, got[0].Object.Object); diff != "" {
		t.Error(diff)
	}
	if got[0].Claim != claim0 || got[0].Copied || len(got[0].Mapped) != 0 {
		t.Errorf("%+v", got[0])
	}
}

func TestDisksAndNodesAreCalledOtherwise(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pv           volume.PersistentVolume
		nodes, disks map[string]string
		// source and affinity are what of the spec is not as it was saved.
		source, affinity object
		zone             string
		mapped           []string
	}{
		"a copy of a CSI disk": {
			pv: saved("pvc-1", claim0, csi("vol-1"), nil), disks: map[string]string{claim0: "vol-2"},
			source: csi("vol-2"), zone: "eu-1a", mapped: []string{`volumeHandle "vol-2" instead of "vol-1"`},
		},
		"a CSI disk of another zone": {
			pv: saved("pvc-1", claim0, csi("vol-1"), func(o object) {
				o["spec"].(object)["nodeAffinity"] = onHost("eu-1a", "eu-1b")
			}),
			nodes: map[string]string{"eu-1a": "us-2c"}, source: csi("vol-1"), affinity: onHost("us-2c", "eu-1b"),
			zone: "us-2c", mapped: []string{
				"kubernetes.io/hostname us-2c instead of eu-1a", "topology.kubernetes.io/zone us-2c instead of eu-1a",
			},
		},
		"a local disk of a node": {
			pv: saved("local-1", claim0, object{"local": object{"path": "/mnt/a"}}, func(o object) {
				o["spec"].(object)["nodeAffinity"] = onHost("old")
			}),
			nodes: map[string]string{"old": "new"}, disks: map[string]string{"pv/local-1": "/mnt/b"},
			source: object{"local": object{"path": "/mnt/b"}}, affinity: onHost("new"), zone: "eu-1a",
			mapped: []string{`path "/mnt/b" instead of "/mnt/a"`, "kubernetes.io/hostname new instead of old"},
		},
		"a folder of a node": {
			pv:    saved("host-1", claim0, object{"hostPath": object{"path": "/mnt/a", "type": "Directory"}}, nil),
			disks: map[string]string{claim0: "/mnt/b"}, zone: "eu-1a",
			source: object{"hostPath": object{"path": "/mnt/b", "type": "Directory"}},
			mapped: []string{`path "/mnt/b" instead of "/mnt/a"`},
		},
		"an NFS share of the same server": {
			pv:    saved("nfs-1", claim0, object{"nfs": object{"server": "a", "path": "/x"}}, nil),
			disks: map[string]string{claim0: "/y"}, source: object{"nfs": object{"server": "a", "path": "/y"}},
			zone: "eu-1a", mapped: []string{`path "/y" instead of "/x"`},
		},
		"an NFS share of another server": {
			pv:    saved("nfs-1", claim0, object{"nfs": object{"server": "a", "path": "/x"}}, nil),
			disks: map[string]string{claim0: "b:/y"}, source: object{"nfs": object{"server": "b", "path": "/y"}},
			zone: "eu-1a", mapped: []string{`path "/y" instead of "/x"`},
		},
	} {
		req := request()
		req.Nodes, req.Disks = c.nodes, c.disks
		got, err := redeclared.Write([]volume.PersistentVolume{c.pv}, req)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		spec := got[0].Object.Object["spec"].(object)
		for kind, want := range c.source {
			if diff := cmp.Diff(want, spec[kind]); diff != "" {
				t.Errorf("%s:\n%s", name, diff)
			}
		}
		affinity, _ := spec["nodeAffinity"].(object)
		if diff := cmp.Diff(c.affinity, affinity); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if zone := got[0].Object.GetLabels()["topology.kubernetes.io/zone"]; zone != c.zone {
			t.Errorf("%s: zone %q", name, zone)
		}
		if diff := cmp.Diff(c.mapped, got[0].Mapped); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if got[0].Copied != (c.disks != nil) {
			t.Errorf("%s: a disk that was named is a copy, and no other", name)
		}
	}
}

func TestWhatNobodyCanDeclareIsRefused(t *testing.T) {
	t.Parallel()
	local := object{"local": object{"path": "/mnt/a"}}
	without := func(path ...string) func(object) {
		return func(o object) {
			for _, p := range path[:len(path)-1] {
				o = o[p].(object)
			}
			delete(o, path[len(path)-1])
		}
	}
	for want, c := range map[string]struct {
		pvs          []volume.PersistentVolume
		nodes, disks map[string]string
	}{
		"names no claim": {pvs: []volume.PersistentVolume{saved("a", claim0, local, without("spec", "claimRef"))}},
		"without a UID":  {pvs: []volume.PersistentVolume{saved("a", claim0, local, without("spec", "claimRef", "uid"))}},
		"none of kafka":  {pvs: []volume.PersistentVolume{saved("a", "data-0-other-broker-0", local, nil)}},
		"neither csi, local, hostPath nor nfs": {
			pvs: []volume.PersistentVolume{saved("a", claim0, object{"iscsi": object{"iqn": "x"}}, nil)},
		},
		"leads upwards": {
			pvs: []volume.PersistentVolume{saved("a", claim0, object{"hostPath": object{"path": "/mnt/../etc"}}, nil)},
		},
		"is not absolute": {
			pvs: []volume.PersistentVolume{saved("a", claim0, local, nil)}, disks: map[string]string{claim0: "b"},
		},
		"names no disk": {pvs: []volume.PersistentVolume{saved("a", claim0, csi(""), nil)}},
		"--map-node old=new: no saved volume has it": {
			pvs: []volume.PersistentVolume{saved("a", claim0, local, nil)}, nodes: map[string]string{"old": "new"},
		},
		"--map-volume " + claim1 + "=/b: no saved volume has it": {
			pvs: []volume.PersistentVolume{saved("a", claim0, local, nil)}, disks: map[string]string{claim1: "/b"},
		},
		"several saved volumes name that claim": {
			pvs: []volume.PersistentVolume{
				saved("a", claim0, local, nil), saved("b", claim0, csi("vol-1"), nil),
			},
			disks: map[string]string{claim0: "/b"},
		},
		"the whole object was not saved": {pvs: []volume.PersistentVolume{{Name: "a", ClaimName: claim0}}},
		"its object is called": {pvs: func() []volume.PersistentVolume {
			pv := saved("a", claim0, local, nil)
			pv.Name = "another"
			return []volume.PersistentVolume{pv}
		}()},
	} {
		req := request()
		req.Nodes, req.Disks = c.nodes, c.disks
		if got, err := redeclared.Write(c.pvs, req); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v, %v", want, err, got)
		}
	}
}

func TestNothingThatWasSavedIsChanged(t *testing.T) {
	t.Parallel()
	pv := saved("a", claim0, object{"local": object{"path": "/mnt/a"}}, func(o object) {
		o["spec"].(object)["nodeAffinity"] = onHost("old")
	})
	again := saved("a", claim0, object{"local": object{"path": "/mnt/a"}}, func(o object) {
		o["spec"].(object)["nodeAffinity"] = onHost("old")
	})
	req := request()
	req.Nodes, req.Disks = map[string]string{"old": "new"}, map[string]string{claim0: "/mnt/b"}
	if _, err := redeclared.Write([]volume.PersistentVolume{pv, pv}, req); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(again, pv); diff != "" {
		t.Error(diff)
	}
}
