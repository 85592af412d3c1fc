package finding

import (
	"fmt"
	"path"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

const sourceLogManager = "Kafka: LogManager.loadLog"

// contentRules judge what was read from the volumes, and whether it was read.
func contentRules() []entry {
	return slices.Concat(readingRules(), damageRules(), partitionRules(), tailRules())
}

// readingRules tell what was not read: unread is never empty.
func readingRules() []entry {
	return []entry{
		{Rule{
			ID: "volume-unread", Severity: Error, Refuses: true, Without: DataLost,
			Title: "a volume was not read",
			What:  "Whether anything could be read from the volume.",
			Why: "What was not read may be anything: another cluster's data, the newest metadata, or nothing. It is not " +
				"empty; and what starts on it may be a node that is.",
			Source: "safety contract, lines 5 and 9",
			Remedy: "remove the reason and scan again; `kafkarecover scan --via exec` reads claims that running pods hold",
		}, judgeUnread},
		{Rule{
			ID: "volume-incomplete", Severity: Error, Refuses: true, Without: DataLost,
			Title: "something on a volume could not be read",
			What:  "Files and directories that gave an error, were refused (links, limits), or do not parse.",
			Why: "What could not be read is not known to be absent: a node may start without it, and what it held is " +
				"missing from the cluster.",
			Source: "safety contract, line 9",
			Remedy: "look at the named paths; accept it for the volume where they do not matter",
		}, judgeIncomplete},
		{Rule{
			ID: "volumes-skipped", Severity: Info,
			Title:  "the volumes were not read, as asked",
			What:   "Whether volumes were read at all (--via objects reads none).",
			Why:    "Nothing that is said here rests on what is on the disks.",
			Source: "safety contract, line 9",
			Remedy: "scan without --via objects",
		}, judgeSkipped},
		{Rule{
			ID: "metadata-not-replayed", Severity: Error, Refuses: true, Without: DataLost,
			Title: "the records of the newest metadata log are not known",
			What:  "Whether the records of the most up-to-date metadata log could be decoded.",
			Why: "Deleted topics, users, in-sync replicas, registered brokers and metadata.version cannot be judged " +
				"without them, and what is wrong with these is lost without a word.",
			Source: "safety contract, line 5",
			Remedy: "see what `kafkarecover metadata verify` says of the log",
		}, judgeNotReplayed},
	}
}

// damageRules judge the files that a node starts from.
func damageRules() []entry {
	return []entry{
		{Rule{
			ID: "meta-properties-unreadable", Severity: Critical, Refuses: true, Without: Stuck,
			Title: "meta.properties is there and cannot be read",
			What:  "Whether meta.properties of every log directory parses.",
			Why: "Kafka stops where it is the metadata's directory; any other it leaves aside, so that its partitions are " +
				"missing.",
			Source: "Kafka: MetaPropertiesEnsemble.Loader, KafkaRaftServer",
			Remedy: "write the file anew on a copy of the volume: cluster.id as on the others, node.id as in the directory's " +
				"name, version=1",
		}, judgeMetaUnreadable},
		{Rule{
			ID: "zookeeper-era", Severity: Error, Refuses: true, Without: DataLost,
			Title: "a log directory was last used with ZooKeeper",
			What:  "The version of meta.properties: 0 is that of ZooKeeper's time.",
			Why: "The topics of such a cluster are described in ZooKeeper. Started with KRaft the node has no metadata, " +
				"and sets every partition aside as stray.",
			Source: "Kafka: MetaPropertiesVersion; Strimzi 0.46: ZooKeeper removed",
			Remedy: "if the cluster was migrated, look for its KRaft metadata (__cluster_metadata-0) on the other volumes; " +
				"else recover it with an operator up to 0.45 and ZooKeeper's volumes",
		}, judgeZooKeeper},
		{Rule{
			ID: "metadata-log-damaged", Severity: Error, Refuses: true, Without: DataLost,
			Title: "a metadata log is damaged",
			What:  "Framing and CRC of every batch, gaps between segments, the newest snapshot, the directory's files.",
			Why: "Kafka cuts the log off at the first bad batch, and what came after it is lost unless another controller " +
				"has it; without its newest snapshot it does not start.",
			Source: "Kafka: UnifiedLog recovery, KafkaMetadataLog, Snapshots",
			Remedy: "look with `kafkarecover metadata verify`; if the other controllers hold everything, accept it for this " +
				"volume",
		}, judgeMetadataDamaged},
		{Rule{
			ID: "metadata-log-torn", Severity: Info,
			Title: "the last append to a metadata log was cut short",
			What:  "Bytes after the last whole batch of the last segment, old snapshots and quorum-state that do not parse.",
			Why: "It is what a crash leaves, or a log that was read while it was written. It was never acknowledged, and " +
				"Kafka removes it at start.",
			Source: "Kafka: LogSegment.recover",
			Remedy: "nothing to do",
		}, judgeMetadataTorn},
		{Rule{
			ID: "log-directory-entry", Severity: Error, Refuses: true, Without: Stuck,
			Title:  "a directory that Kafka refuses to load lies in a log directory",
			What:   "Directories of a log directory whose names are not of the form TOPIC-PARTITION.",
			Why:    "Kafka takes the whole log directory for failed, or stops, where it finds one.",
			Source: "Kafka: LocalLog.parseTopicPartitionName",
			Remedy: "move it out of the log directory; lost+found lies there when Kafka's directory is a file system's root",
		}, judgeOther},
	}
}

// partitionRules judge the partition directories.
func partitionRules() []entry {
	return []entry{
		{Rule{
			ID: "pending-deletion", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "data will be erased soon after the start",
			What: "Topics whose removal is in the metadata log while their partitions are still there, and -delete " +
				"directories with data.",
			Why: "Brokers carry out at start what the log says was deleted. The Topic Operator writes such deletions when " +
				"KafkaTopics are deleted with a namespace.",
			Source: "Kafka: BrokerMetadataPublisher, LogManager.deleteLogs; Strimzi: BatchingTopicController",
			Remedy: "copy or snapshot the volumes first if the data may be wanted; then accept it with " +
				"--accept pending-deletion=SUBJECT",
		}, judgePendingDeletion},
		{Rule{
			ID: "stray-directories", Severity: Warning,
			Title: "partitions were set aside as stray",
			What:  "Directories TOPIC-PARTITION.ID-stray.",
			Why: "A broker sets aside what its metadata does not know: what a start with empty controllers leaves. Kafka " +
				"neither uses nor erases them.",
			Source: sourceLogManager + "; tried: docs/strimzi-facts.md, empty controllers",
			Remedy: "look with `kafkarecover metadata topics` whether the topics are still known; keep the directories until " +
				"they are not wanted",
		}, judgeStray},
		{Rule{
			ID: "future-directories", Severity: Info,
			Title:  "partitions were being moved between volumes",
			What:   "Directories TOPIC-PARTITION.ID-future.",
			Why:    "Kafka goes on with the move at start.",
			Source: sourceLogManager,
			Remedy: "nothing to do",
		}, judgeFuture},
		{Rule{
			ID: "unclean-shutdown", Severity: Info,
			Title:  "a node did not stop cleanly",
			What:   "Whether .kafka_cleanshutdown is there in log directories with partitions that no running pod uses.",
			Why:    "The broker reads its logs through at start, which can take long; it is not Ready meanwhile.",
			Source: "Kafka: LogManager.loadLogs",
			Remedy: "allow for it with `kafkarecover restore --timeout`",
		}, judgeUnclean},
	}
}

// wasRead tells whether reading was asked for at all.
func (s *scene) wasRead() bool {
	return slices.ContainsFunc(s.vols, func(v *vol) bool { return v.State != volume.Skipped })
}

// running tells whether a pod that is Ready has the volume: what is read then changes under the reader.
func (v *vol) running() bool {
	return v.Claim != nil && slices.ContainsFunc(v.Claim.UsedBy, func(p volume.PodRef) bool { return p.Ready })
}

func judgeUnread(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		reason := v.Reason
		switch {
		case v.State == volume.Unread || v.State != volume.Skipped && v.Contents == nil:
		case v.State == volume.Skipped && s.wasRead():
			reason = "it was left out"
		default:
			return nil
		}
		if reason == "" {
			reason = "no reason was given"
		}
		return []found{{subject: v.Name, unevaluated: true, message: "was not read: " + reason}}
	})
}

func judgeSkipped(s *scene) []found {
	if len(s.vols) == 0 || s.wasRead() {
		return nil
	}
	return []found{{
		subject: "cluster",
		message: "none of " + wording.Count(len(s.vols), "volume", "volumes") + " was read; only objects were looked at",
	}}
}

func judgeIncomplete(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		if v.Contents == nil {
			return nil
		}
		var evidence []string
		for _, p := range v.Contents.AllProblems() {
			base, dir := path.Base(p.Path), path.Base(path.Dir(p.Path))
			if base == logdir.MetaPropertiesFile || base == logdir.MetadataDir || dir == logdir.MetadataDir {
				continue // rules of their own
			}
			evidence = append(evidence, problem(v, p))
		}
		if len(evidence) == 0 && v.State == volume.Incomplete && len(v.Contents.AllProblems()) == 0 {
			evidence = append(evidence, v.Name+": "+v.Reason)
		}
		out := one(v.Name, "was not read completely", evidence)
		for i := range out {
			out[i].unevaluated = true
		}
		return out
	})
}

func problem(v *vol, p logdir.Problem) string {
	if p.Offset < 0 {
		return fmt.Sprintf("%s:%s: %s", v.Name, p.Path, p.Message)
	}
	return fmt.Sprintf("%s:%s: byte %d: %s", v.Name, p.Path, p.Offset, p.Message)
}

func judgeNotReplayed(s *scene) []found {
	newest := s.newestImage()
	var evidence []string
	for v, d := range s.used() {
		if m := d.Metadata; m != nil && !m.Empty && (newest == nil || v.Image == nil && m.End.Compare(newest.Image.End) > 0) {
			evidence = append(evidence, at(v.Volume, d)+": metadata log up to "+position(m.End)+", not replayed")
		}
	}
	out := one("cluster", "what the newest metadata log says is not known", evidence)
	for i := range out {
		out[i].unevaluated = true
	}
	return out
}

func judgeMetaUnreadable(s *scene) []found {
	return s.eachDir(func(v *vol, d *logdir.LogDir) []string {
		if d.MetaState != logdir.MetaUnreadable {
			return nil
		}
		evidence := []string{meant(v.Volume, d)}
		for _, p := range d.Problems {
			if path.Base(p.Path) == logdir.MetaPropertiesFile {
				evidence = append(evidence, problem(v, p))
			}
		}
		return evidence
	}, "has a meta.properties that cannot be read")
}

func judgeZooKeeper(s *scene) []found {
	return s.eachDir(func(v *vol, d *logdir.LogDir) []string {
		if d.Meta == nil || d.Meta.Version != 0 {
			return nil
		}
		return []string{meant(v.Volume, d) + ", version 0"}
	}, "was last used by a cluster with ZooKeeper")
}

func judgeMetadataDamaged(s *scene) []found {
	return s.eachDir(func(v *vol, d *logdir.LogDir) []string {
		damaged, _ := metadataProblems(v, d)
		return damaged
	}, "has a damaged metadata log")
}

func judgeMetadataTorn(s *scene) []found {
	return s.eachDir(func(v *vol, d *logdir.LogDir) []string {
		_, torn := metadataProblems(v, d)
		return torn
	}, "has leftovers of a crash in its metadata log")
}

// metadataProblems sorts what is wrong in __cluster_metadata-0 into damage and what Kafka takes away by itself.
func metadataProblems(v *vol, d *logdir.LogDir) (damaged, harmless []string) {
	m := d.Metadata
	if m == nil {
		return nil, nil
	}
	for _, p := range d.Problems {
		base := path.Base(p.Path)
		if base != logdir.MetadataDir && path.Base(path.Dir(p.Path)) != logdir.MetadataDir {
			continue
		}
		if base == logdir.QuorumStateFile || isOldSnapshot(m, base) || m.EndKnown && isTail(m, base, p.Offset) {
			harmless = append(harmless, problem(v, p))
		} else {
			damaged = append(damaged, problem(v, p))
		}
	}
	if !m.EndKnown && len(damaged) == 0 {
		damaged = append(damaged, at(v.Volume, d)+": read only up to "+position(m.End))
	}
	if m.TopicID != "" {
		damaged = append(damaged, at(v.Volume, d)+": partition.metadata says topic "+quoted(m.TopicID))
	}
	return damaged, harmless
}

// isTail tells whether a problem is the cut-off end of the last segment.
func isTail(m *logdir.MetadataLog, file string, offset int64) bool {
	if len(m.Segments) == 0 {
		return false
	}
	last := m.Segments[len(m.Segments)-1]
	return last.Name == file && last.ValidBytes < last.Bytes && offset == last.ValidBytes
}

// isOldSnapshot tells whether a file is a snapshot that is not the newest: Kafka loads the newest only.
func isOldSnapshot(m *logdir.MetadataLog, file string) bool {
	i := slices.IndexFunc(m.Snapshots, func(s logdir.Snapshot) bool { return s.Name == file })
	return i >= 0 && i < len(m.Snapshots)-1
}

func judgeOther(s *scene) []found {
	return s.eachDir(func(v *vol, d *logdir.LogDir) []string {
		var evidence []string
		for _, name := range d.Other {
			evidence = append(evidence, at(v.Volume, d)+": "+name)
		}
		return evidence
	}, "holds directories that Kafka does not load")
}

func judgePendingDeletion(s *scene) []found {
	out := s.eachVolume(func(v *vol) []found {
		if v.running() {
			return nil // the running broker erases them whatever happens
		}
		return one(v.Name, "holds partitions that are marked for deletion",
			v.partitions(func(p *logdir.Partition) bool { return p.State == logdir.PartitionDelete && p.Bytes > 0 }))
	})
	return append(out, removedTopics(s)...)
}

// removedTopics are topics that the newest metadata log says were deleted, with partitions still there.
func removedTopics(s *scene) []found {
	newest := s.newestImage()
	if newest == nil {
		return nil // metadata-not-replayed says so
	}
	left := map[string][]string{} // of removed topics, what is left
	for _, topic := range newest.Image.Removed {
		left[topic.TopicID] = nil
	}
	for v, d := range s.used() {
		for i := range d.Partitions {
			p := &d.Partitions[i]
			lines, removed := left[p.TopicID]
			if removed && !v.running() && p.State != logdir.PartitionDelete && p.State != logdir.PartitionStray {
				left[p.TopicID] = append(lines, at(v.Volume, d)+"/"+p.Dir+": "+bytes(p.Bytes))
			}
		}
	}
	var out []found
	for _, topic := range newest.Image.Removed {
		evidence := left[topic.TopicID]
		if more := len(evidence) - shownPartitions; more > 0 {
			evidence = append(evidence[:shownPartitions:shownPartitions], fmt.Sprintf("and %d more", more))
		}
		out = append(out, one(topicSubject(topic), fmt.Sprintf("was deleted at offset %d of the metadata log on %s, and "+
			"brokers have not erased it yet", topic.Offset, newest.Name), evidence)...)
	}
	return out
}

func judgeStray(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		return one(v.Name, "holds partitions that were set aside",
			v.partitions(func(p *logdir.Partition) bool { return p.State == logdir.PartitionStray }))
	})
}

func judgeFuture(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		return one(v.Name, "holds partitions that are being moved",
			v.partitions(func(p *logdir.Partition) bool { return p.State == logdir.PartitionFuture }))
	})
}

func judgeUnclean(s *scene) []found {
	return s.eachDir(func(v *vol, d *logdir.LogDir) []string {
		if len(d.Partitions) == 0 || d.CleanShutdown != nil || v.running() {
			return nil
		}
		return []string{fmt.Sprintf("%s: %s, no .kafka_cleanshutdown", at(v.Volume, d),
			wording.Count(len(d.Partitions), "partition", "partitions"))}
	}, "was not left by a clean stop")
}

// shownPartitions bounds the evidence: a broker can have thousands of partitions.
const shownPartitions = 20

// partitions lists the partition directories of the volume that match, in lines of evidence.
func (v *vol) partitions(match func(*logdir.Partition) bool) []string {
	var out []string
	more, size := 0, int64(0)
	for _, d := range v.allDirs() {
		for i := range d.Partitions {
			p := &d.Partitions[i]
			if !match(p) {
				continue
			}
			if len(out) < shownPartitions {
				out = append(out, at(v.Volume, d)+"/"+p.Dir+": "+bytes(p.Bytes))
			} else {
				more, size = more+1, size+p.Bytes
			}
		}
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("%s: %d more with %s", v.Name, more, bytes(size)))
	}
	return out
}

// eachDir judges every log directory that a start will use, of the volumes that were not given up.
func (s *scene) eachDir(judge func(*vol, *logdir.LogDir) []string, message string) []found {
	return s.eachVolume(func(v *vol) []found {
		var evidence []string
		for _, d := range v.own {
			evidence = append(evidence, judge(v, d)...)
		}
		return one(v.Name, message, evidence)
	})
}
