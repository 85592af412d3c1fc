package finding_test

import (
	"slices"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// redeclared declares two volumes anew: one that asks for a machine and one that any node can have.
func (w *world) redeclared(change func(*finding.Redeclared)) {
	w.t.Helper()
	claimed := map[string]any{"namespace": "kafka", "name": "data-0-my-cluster-broker-0", "uid": "gone"}
	pinned := volume.ParsePersistentVolume(map[string]any{
		"metadata": map[string]any{"name": "pinned"},
		"spec": map[string]any{
			"local": map[string]any{"path": "/mnt/disks/a"}, "claimRef": claimed,
			"nodeAffinity": map[string]any{"required": map[string]any{"nodeSelectorTerms": []any{map[string]any{
				"matchExpressions": []any{map[string]any{
					"key": "kubernetes.io/hostname", "operator": "In", "values": []any{"old-1"},
				}},
			}}}},
		},
	})
	remote := volume.ParsePersistentVolume(map[string]any{
		"metadata": map[string]any{"name": "remote"},
		"spec": map[string]any{
			"csi": map[string]any{"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}, "claimRef": claimed,
		},
	})
	w.Redeclared = &finding.Redeclared{
		Volumes: []volume.PersistentVolume{pinned, remote},
		Nodes:   []volume.Node{{Name: "old-1", Labels: map[string]string{"kubernetes.io/hostname": "old-1"}}},
	}
	change(w.Redeclared)
}

func redeclaredCases() []ruleCase {
	renamed := []volume.Node{{Name: "new-1", Labels: map[string]string{"kubernetes.io/hostname": "new-1"}}}
	return []ruleCase{
		{
			rule: "old-cluster-may-run", name: "saved elsewhere", want: []string{"kafka/my-cluster"},
			change: func(w *world) {
				w.redeclared(func(d *finding.Redeclared) { d.Elsewhere = "https://old.example:6443" })
			},
			says: []string{"2 of its disks", `pv/remote: ebs.csi.aws.com "vol-1"`, "https://old.example:6443"},
		},
		{
			rule: "old-cluster-may-run", name: "one of the disks is a copy", want: []string{"kafka/my-cluster"},
			change: func(w *world) {
				w.redeclared(func(d *finding.Redeclared) {
					d.Elsewhere, d.Copies = "https://old.example:6443", map[string]bool{"remote": true}
				})
			},
			says: []string{"1 of its disks", "pv/pinned"},
		},
		{
			rule: "old-cluster-may-run", name: "all of the disks are copies",
			change: func(w *world) {
				w.redeclared(func(d *finding.Redeclared) {
					d.Elsewhere, d.Copies = "https://old.example:6443", map[string]bool{"remote": true, "pinned": true}
				})
			},
		},
		{
			rule: "old-cluster-may-run", name: "saved in this cluster",
			change: func(w *world) { w.redeclared(func(*finding.Redeclared) {}) },
		},
		{
			rule: "no-node-for-volume", name: "the nodes have other names", want: []string{"pv/pinned"},
			change: func(w *world) { w.redeclared(func(d *finding.Redeclared) { d.Nodes = renamed }) },
			says:   []string{"kubernetes.io/hostname In (old-1)", "nodes: new-1", "--map-node OLD=NEW"},
		},
		{
			rule: "no-node-for-volume", name: "a node has the name",
			change: func(w *world) { w.redeclared(func(*finding.Redeclared) {}) },
		},
		{
			rule: "no-node-for-volume", name: "nodes may not be listed", want: []string{"pv/pinned"}, unevaluated: true,
			change: func(w *world) {
				w.redeclared(func(d *finding.Redeclared) { d.Nodes, d.NodesProblem = nil, "nodes is forbidden" })
			},
			says: []string{"nodes is forbidden", "redeclare-clusterrole.yaml"},
		},
		{
			rule: "same-disk-twice", name: "declared anew beside one that is there", want: []string{"pv/another"},
			change: func(w *world) {
				w.redeclared(func(*finding.Redeclared) {})
				w.Others = append(w.Others, volume.PersistentVolume{
					Name: "another", Phase: "Bound", Driver: "ebs.csi.aws.com", Handle: "vol-1",
				})
			},
			says: []string{"pv/remote", "pv/another: Bound"},
		},
	}
}

func TestVolumesAreJudgedBeforeTheyAreDeclaredAnew(t *testing.T) {
	t.Parallel()
	w := recorded(t)
	w.redeclared(func(d *finding.Redeclared) { d.Elsewhere, d.Nodes = "https://old.example:6443", nil })
	d := w.Redeclared
	d.Volumes = append(d.Volumes, d.Volumes[1])
	d.Volumes[2].Name = "twice"
	var got []string
	for _, f := range finding.JudgeRedeclared(finding.Input{Cluster: w.Cluster, Redeclared: d}) {
		got = append(got, f.Rule+"="+f.Subject)
	}
	// Nothing was read, so that no rule about what is on volumes may have a say.
	want := []string{
		"old-cluster-may-run=kafka/my-cluster", "same-disk-twice=pv/remote", "no-node-for-volume=pv/pinned",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
