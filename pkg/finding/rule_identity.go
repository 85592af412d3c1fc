package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

const (
	sourceEnsemble = "Kafka: MetaPropertiesEnsemble.verify, Formatter"
	sourceStart    = "Strimzi: kafka_run.sh formats on every start; Kafka: Formatter"
)

// identityRules judge what meta.properties says: which cluster, node and directory.
func identityRules() []entry { return slices.Concat(clusterIDRules(), nodeIDRules()) }

// clusterIDRules judge which cluster the volumes are of.
func clusterIDRules() []entry {
	return []entry{
		{Rule{
			ID: "cluster-id-disagreement", Severity: Critical, Refuses: true, Final: true, Without: Stuck,
			Title: "volumes belong to different clusters",
			What:  "The cluster.id of every log directory that holds data.",
			Why: "Kafka stops with \"Invalid cluster.id\" where it differs. If the wrong ID is written back, the right " +
				"volumes are the ones that are refused. Neither the number of volumes nor their age says which is right.",
			Source: sourceEnsemble + "; tried: docs/strimzi-facts.md, naive re-creation",
			Remedy: "look which volumes say which ID, then name the choice: --exclude CLAIM for a volume that does not " +
				"belong, or --cluster-id ID",
		}, judgeClusterID},
		{Rule{
			ID: "cluster-id-not-on-any-volume", Severity: Error, Refuses: true, Without: Stuck,
			Title:  "the named cluster ID is on no volume",
			What:   "The ID given with --cluster-id against those read.",
			Why:    "Every volume would be refused by Kafka with \"Invalid cluster.id\".",
			Source: sourceEnsemble + "; tried: docs/strimzi-facts.md, naive re-creation",
			Remedy: "give an ID that a volume has",
		}, judgeNamedID},
		{Rule{
			ID: "cluster-id-empty", Severity: Error, Refuses: true, Without: Stuck,
			Title: "a log directory has an empty or no cluster ID",
			What:  "cluster.id in every meta.properties.",
			Why: "The operator takes an empty ID for one that is set, and Kafka then compares every volume with it: no node " +
				"that has an ID starts.",
			Source: "Strimzi: NodePoolUtils.getClusterIdIfSet; Kafka: MetaProperties",
			Remedy: "find out the ID from another volume of the node, and name it with --cluster-id",
		}, judgeEmptyID},
		{Rule{
			ID: "cluster-id-unusual", Severity: Warning,
			Title: "the cluster ID is not the UUID that Kafka's tools make",
			What:  "Whether the cluster ID is 16 bytes in base64url.",
			Why: "Kafka takes any string at format and start, up to 3.8 its storage tool did not: the value may have been " +
				"mistyped or cut.",
			Source: "Kafka: Uuid.fromString; StorageTool up to 3.8",
			Remedy: "compare it with another source: a saved Kafka resource, a broker's log",
		}, judgeUnusualID},
		{Rule{
			ID: "cluster-id-well-known", Severity: Warning,
			Title:  "the cluster ID is the default of a container image",
			What:   "Whether the cluster ID is the constant of Kafka's own container image.",
			Why:    "Many unrelated clusters have it, so that equal IDs do not prove that the volumes belong together.",
			Source: "Kafka: docker/resources/common-scripts/configureDefaults",
			Remedy: "make sure by another way that the volumes are of one cluster: topics, end offsets, directory IDs",
		}, judgeWellKnownID},
	}
}

// nodeIDRules judge which node and directory each is.
func nodeIDRules() []entry {
	return []entry{
		{Rule{
			ID: "node-id-mismatch", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "a volume is not that of its slot's node",
			What:  "The node ID in meta.properties, in the directory's name, and in the claim's name.",
			Why: "A node that finds another node's directory does not use it: it formats a new one beside it without a " +
				"word and starts empty. Where file and directory name differ, Kafka stops.",
			Source: sourceStart + "; tried: facts in docs/strimzi-facts.md, swapped volumes",
			Remedy: "bind each volume to the claim of the node that is on it; --exclude CLAIM if the data is given up",
		}, judgeNodeID},
		{Rule{
			ID: "node-id-absent", Severity: Error, Refuses: true, Without: Stuck,
			Title:  "a log directory does not say whose it is",
			What:   "node.id (broker.id in the ZooKeeper-era form) in every meta.properties.",
			Why:    "Kafka stops with \"node.id was not specified\".",
			Source: sourceEnsemble,
			Remedy: "find out the node by other means and write the file by hand on a copy",
		}, judgeNodeIDAbsent},
		{Rule{
			ID: "duplicate-directory-id", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "two log directories have the same directory ID",
			What:  "directory.id of every log directory.",
			Why: "Directory IDs are random: the same one twice means that one volume is a copy of the other. Within a node " +
				"Kafka stops; on two nodes one of them works on the other's data.",
			Source: sourceEnsemble,
			Remedy: "find out which is the copy (newest modification, size) and exclude it",
		}, judgeDirectoryID},
		{Rule{
			ID: "duplicate-node-id", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "a node's metadata is on more than one volume",
			What:  "Which volumes hold __cluster_metadata-0 of the same node, and claims that fill the same slot.",
			Why: "A node has one metadata log. A second one is from another time or a copy; the start script removes the " +
				"one that is not where the pool says.",
			Source: "Strimzi: kafka_run.sh; Kafka: KafkaRaftServer.initializeLogDirs",
			Remedy: "find out which is the right one; exclude the other volume",
		}, judgeDuplicateNode},
		{Rule{
			ID: "duplicate-partition", Severity: Error, Refuses: true, Without: Stuck,
			Title:  "a node has the same partition twice",
			What:   "Partition directories of the same topic and number on two volumes of a node.",
			Why:    "Kafka stops with \"Duplicate log directories\".",
			Source: "Kafka: LogManager",
			Remedy: "find out which copy is the right one (newest, complete) and move the other aside",
		}, judgeDuplicatePartition},
	}
}

func judgeClusterID(s *scene) []found {
	if s.in.ClusterID != "" || s.agreed {
		return nil
	}
	if len(s.groups) == 0 {
		if !s.wasRead() {
			return nil
		}
		return []found{{
			subject: "cluster", unevaluated: true, message: "no volume says which cluster it is of",
			remedy: "read the volumes, or name the ID with --cluster-id",
		}}
	}
	ids := make([]string, 0, len(s.groups))
	for _, g := range s.groups {
		ids = append(ids, quoted(g.ID))
	}
	return []found{{
		subject: "cluster", evidence: saidBy(s.groups),
		message: fmt.Sprintf("the volumes say %d different cluster IDs: %s", len(ids), strings.Join(ids, ", ")),
	}}
}

// saidBy tells which log directory says which cluster ID.
func saidBy(groups []Group) []string {
	var out []string
	for _, g := range groups {
		for _, d := range g.Dirs {
			line := quoted(g.ID) + ": " + d
			if slices.Contains(g.Fresh, d) {
				line += " (formatted, holds nothing)"
			}
			out = append(out, line)
		}
	}
	return out
}

func judgeNamedID(s *scene) []found {
	id := s.in.ClusterID
	if id == "" || slices.ContainsFunc(s.groups, func(g Group) bool { return g.ID == id }) {
		return nil
	}
	_, all, _ := AgreedClusterID(s.in.Volumes) // those that were given up too: it may have been mistyped
	return []found{{
		subject: "cluster/" + id, message: "no volume that was read says " + quoted(id), evidence: saidBy(all),
	}}
}

func judgeEmptyID(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		var evidence []string
		for _, d := range v.own {
			if d.Meta != nil && (d.Meta.ClusterID == nil || *d.Meta.ClusterID == "") {
				evidence = append(evidence, meant(v.Volume, d))
			}
		}
		return one(v.Name, "a log directory on it has no cluster ID", evidence)
	})
}

func judgeUnusualID(s *scene) []found {
	if !s.agreed || s.clusterID == "" || isUUID(s.clusterID) {
		return nil
	}
	return []found{{subject: "cluster/" + s.clusterID, message: quoted(s.clusterID) + " is not 16 bytes in base64url"}}
}

func judgeWellKnownID(s *scene) []found {
	if !s.agreed || s.clusterID != wellKnownID {
		return nil
	}
	return []found{{
		subject: "cluster/" + s.clusterID,
		message: quoted(s.clusterID) + " is what Kafka's container image takes when no ID is given",
	}}
}

func judgeNodeID(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		var evidence []string
		for _, d := range v.allDirs() {
			if d.Meta != nil && d.Meta.NodeID != nil && d.NodeIDInName != nil && *d.Meta.NodeID != *d.NodeIDInName {
				evidence = append(evidence, fmt.Sprintf("%s: node.id %d in a directory named for node %d", at(v.Volume, d),
					*d.Meta.NodeID, *d.NodeIDInName))
			}
		}
		if v.Slot != nil {
			evidence = append(evidence, otherNodes(v)...)
		}
		return one(v.Name, "what is on it and what its name says are different nodes", evidence)
	})
}

// otherNodes says which other node's directories are on a volume that has none of its own slot's, or one with another
// node's ID in it.
func otherNodes(v *vol) []string {
	var out []string
	for _, d := range v.own {
		if d.NodeIDInName == nil && d.Meta != nil && d.Meta.NodeID != nil && *d.Meta.NodeID != v.Slot.NodeID {
			out = append(out, fmt.Sprintf("%s: node.id %d on the volume of node %d", at(v.Volume, d), *d.Meta.NodeID,
				v.Slot.NodeID))
		}
	}
	if len(v.own) > 0 {
		return out
	}
	for _, d := range v.foreign {
		if n, ok := dirNode(d); ok && n != v.Slot.NodeID {
			out = append(out, fmt.Sprintf("%s: directory of node %d, and none of node %d", at(v.Volume, d), n, v.Slot.NodeID))
		}
	}
	return out
}

func judgeNodeIDAbsent(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		var evidence []string
		for _, d := range v.allDirs() {
			if d.Meta != nil && d.Meta.NodeID == nil {
				evidence = append(evidence, meant(v.Volume, d))
			}
		}
		return one(v.Name, "a log directory on it has no node ID", evidence)
	})
}

func judgeDirectoryID(s *scene) []found {
	places := map[string][]string{}
	for _, v := range s.vols {
		for _, d := range v.allDirs() {
			if !v.excluded && d.Meta != nil && d.Meta.DirectoryID != "" {
				places[d.Meta.DirectoryID] = append(places[d.Meta.DirectoryID], at(v.Volume, d))
			}
		}
	}
	var out []found
	for id, where := range places {
		if len(where) > 1 {
			out = append(out, found{
				subject: "directory/" + id, evidence: where,
				message: fmt.Sprintf("directory ID %s is on %d log directories", quoted(id), len(where)),
			})
		}
	}
	return out
}

func judgeDuplicateNode(s *scene) []found {
	var out []found
	logs := map[int32][]string{}
	slots := map[string][]string{}
	for _, v := range s.vols {
		if v.excluded {
			continue
		}
		for _, d := range v.allDirs() {
			if s.leftByRandomStart(d) {
				continue // formatted-beside-data says so
			}
			if n, ok := dirNode(d); ok && d.Metadata != nil {
				logs[n] = append(logs[n], at(v.Volume, d))
			}
		}
		if name := v.Slot.ClaimName(); name != "" {
			slots[name] = append(slots[name], v.Name)
		}
	}
	for n, where := range logs {
		if len(where) > 1 {
			out = append(out, found{
				subject: node(n), evidence: where,
				message: fmt.Sprintf("metadata logs of node %d are on %d log directories", n, len(where)),
			})
		}
	}
	for name, where := range slots {
		if len(where) > 1 {
			out = append(out, found{
				subject: "slot/" + name, evidence: where,
				message: fmt.Sprintf("%d volumes are of the slot %s", len(where), name),
			})
		}
	}
	return out
}

func judgeDuplicatePartition(s *scene) []found {
	var out []found
	for _, id := range s.nodeIDs {
		places := map[string][]string{}
		for _, v := range s.nodes[id] {
			for _, d := range v.own {
				for _, p := range d.Partitions {
					if p.State == logdir.PartitionCurrent && !v.excluded {
						places[p.Dir] = append(places[p.Dir], at(v.Volume, d)+"/"+p.Dir)
					}
				}
			}
		}
		var evidence []string
		for _, where := range places {
			if len(where) > 1 {
				evidence = append(evidence, where...)
			}
		}
		slices.Sort(evidence)
		out = append(out, one(node(id), "has the same partition on two volumes", evidence)...)
	}
	return out
}

// allDirs are the log directories of a volume, those of its own node first.
func (v *vol) allDirs() []*logdir.LogDir { return slices.Concat(v.own, v.foreign) }

// eachVolume judges every volume that was not given up.
func (s *scene) eachVolume(judge func(*vol) []found) []found {
	var out []found
	for _, v := range s.vols {
		if !v.excluded {
			out = append(out, judge(v)...)
		}
	}
	return out
}

// one returns a finding when there is evidence for it.
func one(subject, message string, evidence []string) []found {
	if len(evidence) == 0 {
		return nil
	}
	return []found{{subject: subject, message: message, evidence: evidence}}
}
