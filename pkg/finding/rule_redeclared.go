package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// Redeclared are PersistentVolumes that are to be declared anew, from what an earlier look saved of them, and the
// Kubernetes cluster they are to be declared in.
type Redeclared struct {
	// Volumes are as they will be created.
	Volumes []volume.PersistentVolume
	// Copies are the names of those for which a person named another disk than the one that was saved.
	Copies map[string]bool
	// Elsewhere says which other Kubernetes cluster the earlier look was at; empty where it was this one.
	Elsewhere string
	// Nodes are those of this Kubernetes cluster; NodesProblem says why they could not be listed.
	Nodes        []volume.Node
	NodesProblem string
}

const (
	oldClusterMayRun = "old-cluster-may-run"
	noNodeForVolume  = "no-node-for-volume"
	sameDiskTwice    = "same-disk-twice"
)

// redeclaredRules judge volumes before they are declared anew.
func redeclaredRules() []entry {
	return []entry{
		{Rule{
			ID: oldClusterMayRun, Severity: Critical, Refuses: true, Without: DataLost,
			Title: "the disks may still be in use in another Kubernetes cluster",
			What: "Whether volumes that are declared anew were saved in another Kubernetes cluster than this one, by the UID " +
				"of its namespace kube-system. Disks that --map-volume replaced by copies do not count.",
			Why: "Nothing in this cluster knows of pods in the other one. Two Kafka nodes that write to one disk destroy " +
				"each other's data, and no access mode forbids it across clusters.",
			Source: "Kubernetes: ReadWriteOnce and volume attachments are per cluster",
			Remedy: "make sure that no Kafka pod of the other cluster runs or can start again (its nodes are off, or its " +
				"disks are detached), then accept it",
		}, judgeOldCluster},
		{Rule{
			ID: noNodeForVolume, Severity: Error, Refuses: true, Without: Stuck,
			Title: "no node of this cluster can have the volume",
			What:  "The node affinity of volumes that are declared anew, against the labels and names of the nodes.",
			Why: "The node affinity of a PersistentVolume cannot be changed once it is there, and no pod that uses the volume " +
				"would ever be scheduled.",
			Source: "Kubernetes: VolumeBinding scheduler plugin; spec.nodeAffinity is immutable",
			Remedy: "name what the old node or zone is called here with --map-node OLD=NEW",
		}, judgeNoNode},
	}
}

// JudgeRedeclared evaluates what can be said of volumes before they are declared anew and read.
func JudgeRedeclared(in Input) []Finding {
	s := newScene(in)
	var out []Finding
	for _, e := range entries() {
		if !slices.Contains([]string{oldClusterMayRun, noNodeForVolume, sameDiskTwice}, e.ID) {
			continue
		}
		for _, f := range e.judge(s) {
			out = append(out, e.finding(f))
		}
	}
	Sort(out)
	return out
}

func judgeOldCluster(s *scene) []found {
	d := s.in.Redeclared
	if d == nil || d.Elsewhere == "" {
		return nil
	}
	var evidence []string
	for i := range d.Volumes {
		if pv := &d.Volumes[i]; !d.Copies[pv.Name] {
			evidence = append(evidence, fmt.Sprintf("pv/%s: %s %s, saved in %s", pv.Name, pv.Driver, quoted(pv.Handle),
				d.Elsewhere))
		}
	}
	subject := "cluster"
	if s.in.Cluster != nil {
		subject = s.kafkaSubject()
	}
	return one(subject, fmt.Sprintf("%d of its disks were used by another Kubernetes cluster, which may still write to "+
		"them", len(evidence)), evidence)
}

func judgeNoNode(s *scene) []found {
	d := s.in.Redeclared
	if d == nil {
		return nil
	}
	var out []found
	for i := range d.Volumes {
		pv := &d.Volumes[i]
		asked := pv.Affinity()
		switch {
		case asked == "": // it can be had everywhere
		case d.NodesProblem != "":
			out = append(out, found{
				subject: "pv/" + pv.Name, message: "it cannot be told whether a node can have it", unevaluated: true,
				evidence: []string{"the nodes could not be listed: " + d.NodesProblem}, remedy: "grant the ClusterRole of " +
					"docs/rbac/redeclare-clusterrole.yaml, or make sure of it and accept it",
			})
		case !slices.ContainsFunc(d.Nodes, pv.ReachableFrom):
			out = append(out, found{
				subject:  "pv/" + pv.Name,
				message:  "none of " + wording.Count(len(d.Nodes), "node", "nodes") + " matches its node affinity",
				evidence: []string{"pv/" + pv.Name + " asks for " + asked, "nodes: " + nodeNames(d.Nodes)},
			})
		}
	}
	return out
}

// maxNodesTold bounds how many nodes a finding names.
const maxNodesTold = 20

func nodeNames(nodes []volume.Node) string {
	names := make([]string, 0, len(nodes))
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	slices.Sort(names)
	if more := len(names) - maxNodesTold; more > 0 {
		names = append(names[:maxNodesTold], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
