package finding

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// slotRules judge whether each node will find its own directory where it looks.
func slotRules() []entry { return slices.Concat(startRules(), placeRules()) }

// startRules judge what a node would do on its volume.
func startRules() []entry {
	return []entry{
		{Rule{
			ID: "slot-unknown", Severity: Error, Refuses: true, Without: DataLost,
			Title: "a claim's name does not say which node it is of",
			What:  "Claims whose labels are missing or contradict the name, or whose name can be read in several ways.",
			Why: "Without the node nothing can be said about what will start on the volume: it may be a node whose data is " +
				"elsewhere, which starts empty, or none.",
			Source: "Strimzi: PersistentVolumeClaimUtils, VolumeUtils",
			Remedy: "name the cluster with --cluster, or exclude the claim",
		}, judgeSlotUnknown},
		{Rule{
			ID: "would-be-formatted", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "a node would start empty on this volume",
			What:  "Whether kafka-log<N>/meta.properties of the slot's node N is there.",
			Why: "A directory without meta.properties is formatted as new at every start, without a warning; what else is " +
				"on the volume lies unused beside it. On a majority of controllers this destroys the metadata of the others too.",
			Source: sourceStart + "; tried: docs/strimzi-facts.md, swapped volumes and empty controllers",
			Remedy: "bind the volume that holds this node's data to the claim; if the data is lost, accept it for this volume",
		}, judgeWouldFormat},
		{Rule{
			ID: "excluded-volume-would-start", Severity: Error, Refuses: true, Without: DataLost,
			Title:  "a node would start on a volume that was given up",
			What:   "What the pod of an excluded volume will do: stop, because the volume is of another cluster, or start.",
			Why:    "A volume that counts as lost but joins with what is on it can outvote the others with a log nobody judged.",
			Source: sourceEnsemble,
			Remedy: "do not exclude it, or detach the volume from its claim first",
		}, judgeExcluded},
		{Rule{
			ID: "metadata-volume-moved", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "the metadata log is not on the volume the pool's storage names",
			What: "Which volume of a node holds __cluster_metadata-0, against the volume with kraftMetadata: shared, else " +
				"the lowest ID.",
			Why: "The start script removes the metadata log (rm -rf) that is on any other volume: on every controller in " +
				"the same start.",
			Source: "Strimzi: kafka_run.sh since 0.41; VolumeUtils.kraftMetadataPath",
			Remedy: "set kraftMetadata: shared in the pool's storage on the volume that holds it",
		}, judgeMetadataMoved},
	}
}

// placeRules judge what is where a node will not look, or not where it will.
func placeRules() []entry {
	return []entry{
		{Rule{
			ID: "storage-type-mismatch", Severity: Error, Refuses: true, Without: DataLost,
			Title: "the pool's storage names other claims than those there are",
			What:  "JBOD storage against claims named for a single volume and the other way round, and JBOD volume IDs.",
			Why: "Claims are found by name alone: the operator creates new, empty ones beside them, on which the nodes start " +
				"empty.",
			Source: "Strimzi: VolumeUtils, con-config-storage-kraft",
			Remedy: "give the pool the storage type and volume IDs that the claims were made with",
		}, judgeStorageType},
		{Rule{
			ID: "storage-size-smaller", Severity: Error, Refuses: true, Without: Stuck,
			Title: "the pool's storage asks for less than a claim does",
			What: "The size in the pool's storage against what each claim asks for, where the claim has a class that may " +
				"allow it to grow.",
			Why: "A claim cannot become smaller: every reconcile of the operator fails with \"field can not be less than " +
				"previous value\", and what protects a running cluster from it is not there after a deletion.",
			Source: "Strimzi: PvcReconciler.resizePvc, StorageDiff; strimzi-kafka-operator issue 10818",
			Remedy: "give the pool's storage the size of its claims; where the class does not allow growing, the operator " +
				"only warns: accept it",
		}, judgeSmaller},
		{Rule{
			ID: "storage-size-larger", Severity: Warning,
			Title: "the pool's storage asks for more than a claim does",
			What:  "The size in the pool's storage against what each claim asks for.",
			Why: "The operator has the volume grown as soon as it is un-paused, where the class allows it, and nothing makes " +
				"it smaller again.",
			Source: "Strimzi: PvcReconciler.resizePvc",
			Remedy: "give the pool's storage the size of its claims, and let volumes grow another day",
		}, judgeLarger},
		{Rule{
			ID: "slot-missing", Severity: Error, Refuses: true, Without: DataLost,
			Title: "a volume is missing from the sequence",
			What: "Gaps in the JBOD volumes of a pool's nodes, in a pool's node IDs where nothing else explains them, and " +
				"registered brokers without a volume.",
			Why: "A volume that was not found is a volume whose data would be missing; a registered broker that does not " +
				"come back is unregistered by the operator.",
			Source: "Strimzi: KafkaReconciler.nodeUnregistration",
			Remedy: "look for the volume (Released, another zone, another cluster); if the node is gone for good, and no pool " +
				"has it, accept it",
		}, judgeSlotMissing},
		{Rule{
			ID: "foreign-log-directory", Severity: Error, Refuses: true, Without: DataLost,
			Title: "another node's log directory is on the volume",
			What:  "Log directories of other nodes beside that of the slot's node.",
			Why: "It is what a start on a swapped volume leaves: the directory Kafka uses may be the new, empty one, and " +
				"the data lies in the other, which nothing uses; the cluster is Ready all the same.",
			Source: "tried: docs/strimzi-facts.md, swapped volumes",
			Remedy: "compare both directories; the one with the data may belong to another node's claim",
		}, judgeForeignDirectory},
		{Rule{
			ID: "formatted-beside-data", Severity: Critical, Refuses: true, Without: Stuck,
			Title: "a log directory was newly formatted with another cluster's ID",
			What: "Directories that hold nothing and say another cluster ID than the volumes that hold data: on a volume " +
				"of their own, or beside another node's directory.",
			Why: "It is what a start with a random ID leaves on a volume that was not the node's. With the recovered ID " +
				"that node stops with \"Invalid cluster.id\"; beside the data of another node it is what a next mistake " +
				"starts on.",
			Source: "Strimzi: NodePoolUtils.getOrGenerateKRaftClusterId; " + sourceEnsemble,
			Remedy: "restore --set-aside pvc/CLAIM:DIRECTORY renames the directory, which is never removed; what the " +
				"volume holds without it is judged before anything is confirmed",
		}, judgeFreshlyFormatted},
	}
}

func judgeSlotUnknown(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		if v.isFolder() || v.Slot != nil && v.Slot.Cluster != "" {
			return nil
		}
		return []found{{subject: v.Name, message: "its slot is not known: " + v.SlotProblem}}
	})
}

func judgeWouldFormat(s *scene) []found {
	var out []found
	for _, v := range s.vols {
		if v.Contents == nil {
			continue // unread: a rule of its own refuses
		}
		if f := wouldFormat(v); f != nil {
			f.remedy = s.exchangedRemedy(v)
			out = append(out, *f)
		}
	}
	return out
}

// wouldFormat returns what a start would format on the volume, or nil.
func wouldFormat(v *vol) *found {
	for _, d := range v.own {
		if d.MetaState == logdir.MetaAbsent {
			f := found{subject: v.Name, message: "has no meta.properties, so that it would be formatted as new"}
			f.evidence = append(contentsOf(v.Volume, d), at(v.Volume, d)+": no meta.properties")
			return &f
		}
	}
	if len(v.own) > 0 {
		return nil
	}
	f := found{subject: v.Name, message: "holds no log directory, so that one would be made and formatted as new"}
	if v.hasNode {
		f.message = fmt.Sprintf("holds no %s, so that node %d would start empty on it", strimzi.LogDirName(v.node), v.node)
	} else if len(v.Contents.Dirs) > 0 {
		return nil // several nodes' directories, or an unnamed one: other rules
	}
	for _, d := range v.foreign {
		f.evidence = append(f.evidence, meant(v.Volume, d))
		f.evidence = append(f.evidence, contentsOf(v.Volume, d)...)
	}
	if len(v.Contents.Dirs) == 0 {
		f.evidence = append(f.evidence, v.Name+": no log directory, "+bytes(v.Contents.UsedBytes)+" used")
	}
	f.unevaluated = !v.Known()
	return &f
}

// contentsOf says what would lie unused, in lines of evidence.
func contentsOf(v *volume.Volume, d *logdir.LogDir) []string {
	if !holdsData(d) {
		return nil
	}
	line := fmt.Sprintf("%s: %s, %s", at(v, d), wording.Count(len(d.Partitions), "partition", "partitions"),
		bytes(d.UsedBytes))
	if d.Metadata != nil {
		line += ", metadata log up to " + position(d.Metadata.End)
	}
	return []string{line}
}

func judgeExcluded(s *scene) []found {
	var out []found
	for _, v := range s.vols {
		if !v.excluded || (v.Claim == nil && v.PV != nil) { // no pod has a volume that no claim holds
			continue
		}
		if !v.Known() {
			out = append(out, found{
				subject: v.Name, unevaluated: true, message: "was not read, so that nobody knows what its node will do with it",
			})
			continue
		}
		var evidence []string
		for _, d := range v.own {
			if d.Meta == nil || d.Meta.ClusterID == nil || !s.agreed || *d.Meta.ClusterID == s.clusterID {
				evidence = append(evidence, meant(v.Volume, d))
			}
		}
		out = append(out, one(v.Name, "was excluded, but its node will start on it and join the cluster", evidence)...)
	}
	return out
}

func judgeMetadataMoved(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		p := s.pool(v)
		if p == nil {
			return nil
		}
		want := p.Storage.MetadataVolume()
		if want == nil || sameID(want.ID, v.Slot.VolumeID) {
			return nil
		}
		var evidence []string
		for _, d := range v.own {
			if d.Metadata != nil {
				evidence = append(evidence, fmt.Sprintf("%s: __cluster_metadata-0 up to %s", at(v.Volume, d),
					position(d.Metadata.End)))
			}
		}
		out := one(v.Name, "holds the metadata log, but pool/"+p.Name+" keeps it on volume "+idOrOnly(want.ID), evidence)
		for i := range out {
			out[i].remedy = "set kraftMetadata: shared on volume " + idOrOnly(v.Slot.VolumeID) + " of pool/" + p.Name
		}
		return out
	})
}

func judgeStorageType(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		p := s.pool(v)
		if p == nil || p.Storage.Volume(v.Slot.VolumeID) != nil {
			return nil
		}
		return []found{{
			subject: v.Name,
			message: fmt.Sprintf("is volume %s of its node, which the storage of pool/%s does not have",
				idOrOnly(v.Slot.VolumeID), p.Name),
			evidence: []string{
				"pool/" + p.Name + ": storage of type " + quoted(p.Storage.Type) + " with " + volumeIDs(p.Storage),
			},
		}}
	})
}

func judgeSmaller(s *scene) []found { return s.sizes(-1, "less") }

func judgeLarger(s *scene) []found { return s.sizes(1, "more") }

// sizes are the claims whose pool asks for less (-1) or more (1) than they do. Without a class nothing is ever resized.
func (s *scene) sizes(order int, than string) []found {
	return s.eachVolume(func(v *vol) []found {
		p := s.pool(v)
		if p == nil || v.Claim == nil || v.Claim.StorageClass == "" || v.excluded {
			return nil
		}
		sv := p.Storage.Volume(v.Slot.VolumeID)
		if sv == nil {
			return nil // storage-type-mismatch says so
		}
		if got, ok := strimzi.CompareSizes(sv.Size, v.Claim.Request); !ok || got != order {
			return nil
		}
		return []found{{
			subject: v.Name,
			message: fmt.Sprintf("asks for %s, and the storage of pool/%s for %s: %s", quoted(v.Claim.Request), p.Name,
				quoted(sv.Size), than),
		}}
	})
}

func volumeIDs(st strimzi.Storage) string {
	var ids []string
	for _, v := range st.Volumes {
		ids = append(ids, idOrOnly(v.ID))
	}
	return "volumes " + strings.Join(ids, ", ")
}

func sameID(a, b *int32) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func idOrOnly(id *int32) string {
	if id == nil {
		return "(the only one)"
	}
	return strconv.Itoa(int(*id))
}

func judgeForeignDirectory(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		if len(v.own) == 0 && (v.hasNode || len(v.foreign) < 2) {
			return nil // would-be-formatted and node-id-mismatch say so
		}
		var evidence []string
		for _, d := range v.foreign {
			if s.besideOwn(v, d) {
				continue // formatted-beside-data says so
			}
			evidence = append(evidence, meant(v.Volume, d))
			evidence = append(evidence, contentsOf(v.Volume, d)...)
		}
		out := one(v.Name, "holds log directories that its node will not use", evidence)
		for i := range out {
			out[i].remedy = s.exchangedRemedy(v)
		}
		return out
	})
}

func bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, suffix := float64(n), ""
	for _, suffix = range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		value /= unit
		if value < unit {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", value, suffix)
}

func position(p logdir.OffsetAndEpoch) string {
	return fmt.Sprintf("offset %d, epoch %d", p.Offset, p.Epoch)
}
