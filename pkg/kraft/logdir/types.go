// Package logdir reads what Kafka wrote beside its topic data: the log directories of one volume, their
// meta.properties, quorum-state, metadata log, checkpoints and partition directories. It reads through fs.FS, never
// writes, and knows nothing of Kubernetes. Formats and their sources: docs/on-disk-format.md.
package logdir

import "time"

// Contents is everything that was read from one volume.
type Contents struct {
	// Dirs are the log directories found: every kafka-log* folder, or the volume's root when meta.properties or
	// __cluster_metadata-0 lies there. Sorted by Path.
	Dirs []LogDir `json:"dirs"`
	// Other are top-level names that are no log directory (lost+found, .snapshot, …), control characters escaped.
	Other []string `json:"other,omitempty"`
	// UsedBytes is the sum of file sizes seen on the volume (apparent size, not blocks).
	UsedBytes int64 `json:"usedBytes"`
	// Newest is the newest modification time of any file seen, in whole seconds; zero when there is none.
	Newest time.Time `json:"newest,omitzero"`
	// Problems are what could not be read or was refused (limits, links), each located. A volume with problems is
	// not a volume that was proven empty.
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is one thing that could not be read or did not parse.
type Problem struct {
	// Path is slash-separated and relative to the volume's root, control characters escaped.
	Path string `json:"path"`
	// Offset is the byte offset in the file, or -1 where it has no meaning.
	Offset int64 `json:"offset"`
	// Message says what was expected and what was found.
	Message string `json:"message"`
}

// LogDir is one log directory.
type LogDir struct {
	// Path is relative to the volume's root: "kafka-log3", or "." for a bare log directory.
	Path string `json:"path"`
	// NodeIDInName is N of kafka-log<N>; nil for any other name, and with Options.AnyName.
	NodeIDInName *int32 `json:"nodeIdInName,omitempty"`
	// Meta is meta.properties; nil when the file is absent or did not parse.
	Meta *MetaProperties `json:"meta,omitempty"`
	// MetaState says which of the two it was.
	MetaState MetaState `json:"metaState"`
	// Quorum is __cluster_metadata-0/quorum-state; nil when absent or unreadable.
	Quorum *QuorumState `json:"quorumState,omitempty"`
	// Metadata is __cluster_metadata-0; nil when there is no such directory.
	Metadata *MetadataLog `json:"metadataLog,omitempty"`
	// HasBootstrap tells whether bootstrap.checkpoint is there.
	HasBootstrap bool `json:"hasBootstrapCheckpoint"`
	// Partitions are the topic partition directories, sorted by directory name.
	Partitions []Partition `json:"partitions,omitempty"`
	// CleanShutdown is .kafka_cleanshutdown; nil when absent (the node did not stop cleanly, or holds no partitions).
	CleanShutdown *CleanShutdown `json:"cleanShutdown,omitempty"`
	// Other are names in the log directory that Kafka would refuse to load (KafkaException "is not in the form of
	// topic-partition"), such as lost+found in a bare log directory.
	Other []string `json:"other,omitempty"`
	// UsedBytes is the sum of file sizes below the log directory.
	UsedBytes int64 `json:"usedBytes"`
	// Newest is the newest modification time below the log directory.
	Newest time.Time `json:"newest,omitzero"`
	// Problems are located below the volume's root, like Contents.Problems.
	Problems []Problem `json:"problems,omitempty"`
}

// MetaState tells what became of meta.properties.
type MetaState string

// The states of meta.properties. Kafka formats a directory whose file is absent as new, silently, and goes on without
// a data directory whose file does not parse.
const (
	MetaOK         MetaState = "ok"
	MetaAbsent     MetaState = "absent"
	MetaUnreadable MetaState = "unreadable"
)

// MetaProperties is a parsed meta.properties, version 0 (ZooKeeper era) or 1 (KRaft).
type MetaProperties struct {
	Version int `json:"version"`
	// ClusterID is nil when the key is absent (allowed in version 0 only); it may be the empty string.
	ClusterID *string `json:"clusterId,omitempty"`
	// NodeID is node.id (version 1) or broker.id (version 0); nil when absent (version 0 only).
	NodeID *int32 `json:"nodeId,omitempty"`
	// DirectoryID is the 22 character base64url form; empty when absent (formatted before Kafka 3.7).
	DirectoryID string `json:"directoryId,omitempty"`
}

// QuorumState is __cluster_metadata-0/quorum-state, data_version 0 or 1.
type QuorumState struct {
	DataVersion      int    `json:"dataVersion"`
	LeaderID         int32  `json:"leaderId"`
	LeaderEpoch      int32  `json:"leaderEpoch"`
	VotedID          int32  `json:"votedId"`
	VotedDirectoryID string `json:"votedDirectoryId,omitempty"`
	// Voters are the IDs of data_version 0; nil in version 1, where voters are in the log.
	Voters []int32 `json:"voters,omitempty"`
}

// OffsetAndEpoch orders copies of the metadata log as Kafka's voters do: by epoch, then by offset.
type OffsetAndEpoch struct {
	Offset int64 `json:"offset"`
	Epoch  int32 `json:"epoch"`
}

// Compare returns -1, 0 or 1 by (Epoch, Offset), Kafka's OffsetAndEpoch.compareTo.
func (o OffsetAndEpoch) Compare(p OffsetAndEpoch) int {
	switch {
	case o.Epoch != p.Epoch:
		if o.Epoch < p.Epoch {
			return -1
		}
		return 1
	case o.Offset < p.Offset:
		return -1
	case o.Offset > p.Offset:
		return 1
	}
	return 0
}

// MetadataLog is what walking __cluster_metadata-0 showed: framing and CRC of every batch, no record decoded but
// control records.
type MetadataLog struct {
	Segments  []Segment  `json:"segments,omitempty"`
	Snapshots []Snapshot `json:"snapshots,omitempty"`
	// StartOffset is the base offset of the first segment (or of the newest snapshot when there is no segment).
	StartOffset int64 `json:"startOffset"`
	// End is the log end as Kafka would see it after its own recovery at start: the exclusive end offset and the
	// epoch of the last valid batch, or the newest snapshot's where that is ahead. Offset 0 and Epoch 0 when the
	// directory holds nothing.
	End OffsetAndEpoch `json:"end"`
	// EndKnown is false when something could not be read, so that End is only a lower bound.
	EndKnown bool `json:"endKnown"`
	// Empty is true when there is neither a valid batch nor a snapshot with an offset above 0.
	Empty bool `json:"empty"`
	// LastTimestamp is the newest append time seen, milliseconds since 1970; -1 when there is none.
	LastTimestamp int64 `json:"lastTimestamp"`
	// Voters is the voter set of the last KRaftVoters control record (kraft.version 1), with where it was.
	Voters *VoterSet `json:"voters,omitempty"`
	// LeaderChangeVoters are the voter IDs of the last LeaderChange control record; with static voters the best
	// witness of who the controllers were.
	LeaderChangeVoters []int32 `json:"leaderChangeVoters,omitempty"`
	// KRaftVersion is the last KRaftVersion control record; 0 when there is none.
	KRaftVersion int16 `json:"kraftVersion"`
	// TopicID is that of partition.metadata when it is not the fixed metadata topic ID.
	TopicID string `json:"topicId,omitempty"`
}

// Segment is one NNN.log file.
type Segment struct {
	Name string `json:"name"`
	// BaseOffset is the number in the file's name.
	BaseOffset int64 `json:"baseOffset"`
	// Bytes is the file's size, ValidBytes the part before the first batch Kafka would cut off.
	Bytes      int64 `json:"bytes"`
	ValidBytes int64 `json:"validBytes"`
	Batches    int   `json:"batches"`
}

// Snapshot is one complete OFFSET-EPOCH.checkpoint file.
type Snapshot struct {
	Name string `json:"name"`
	// ID is the exclusive end offset and epoch in the file's name.
	ID    OffsetAndEpoch `json:"id"`
	Bytes int64          `json:"bytes"`
	// Valid is true when every batch is sound and the file ends with a SnapshotFooter. Kafka does not check the
	// footer; a file without one is incomplete all the same.
	Valid bool `json:"valid"`
}

// VoterSet is a KRaftVoters control record.
type VoterSet struct {
	// Source is the file the record was in.
	Source string  `json:"source"`
	Offset int64   `json:"offset"`
	Voters []Voter `json:"voters"`
}

// Voter is one member of a VoterSet.
type Voter struct {
	ID          int32  `json:"id"`
	DirectoryID string `json:"directoryId"`
	// Endpoints are NAME://HOST:PORT.
	Endpoints []string `json:"endpoints,omitempty"`
}

// PartitionState is what a partition directory's name says about it.
type PartitionState string

// The states of a partition directory. Kafka erases -delete soon after start, never erases -stray by itself, and swaps
// -future in when the metadata says so.
const (
	PartitionCurrent PartitionState = "current"
	PartitionDelete  PartitionState = "delete"
	PartitionFuture  PartitionState = "future"
	PartitionStray   PartitionState = "stray"
)

// Partition is one topic partition directory.
type Partition struct {
	// Dir is the directory's name, control characters escaped.
	Dir string `json:"dir"`
	// Topic may be cut short in -delete and -stray names longer than 255 bytes.
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	State     PartitionState `json:"state"`
	// TopicID is that of partition.metadata; empty when the file is absent or unreadable.
	TopicID string `json:"topicId,omitempty"`
	Bytes   int64  `json:"bytes"`
}

// CleanShutdown is .kafka_cleanshutdown.
type CleanShutdown struct {
	// BrokerEpoch is -1 for the empty file of Kafka 3.6 and older.
	BrokerEpoch int64 `json:"brokerEpoch"`
}
