package logdir

import "github.com/kafkarecover/kafkarecover/pkg/kraft/batch"

// The largest small files that are read. Kafka's own are below 1 KiB; partition.metadata has 43 bytes.
const (
	maxMetaProperties    = 64 << 10
	maxQuorumState       = 64 << 10
	maxCheckpoint        = 1 << 20 // leader-epoch-checkpoint: a line for every epoch that still has records
	maxPartitionMetadata = 4 << 10
	maxCleanShutdown     = 4 << 10
)

// The default limits of Options.
const (
	DefaultEntries       = 4 << 20
	DefaultDepth         = 16
	DefaultPathBytes     = 4096
	DefaultMetadataBytes = 16 << 30
	DefaultProblems      = 1000
)

// Options bound what Read does on a hostile or broken volume. A zero field takes the default.
type Options struct {
	// Entries is the most files and directories that are looked at on the volume.
	Entries int
	// Depth is how many directories below the volume's root are entered.
	Depth int
	// PathBytes is the longest path, relative to the root, that is looked at.
	PathBytes int
	// MetadataBytes is the largest file of the metadata log that is walked.
	MetadataBytes int64
	// Problems is the most problems kept for the volume and for each of its log directories.
	Problems int
	// AnyName takes every folder at the top for a log directory that holds what only a log directory holds, whatever it is
	// called, and no number in a name for a node: outside of Strimzi log.dirs names any folder.
	AnyName bool
	// Batch bounds memory while batches are read.
	Batch batch.Limits
}

func (o Options) withDefaults() Options {
	if o.Entries <= 0 {
		o.Entries = DefaultEntries
	}
	if o.Depth <= 0 {
		o.Depth = DefaultDepth
	}
	if o.PathBytes <= 0 {
		o.PathBytes = DefaultPathBytes
	}
	if o.MetadataBytes <= 0 {
		o.MetadataBytes = DefaultMetadataBytes
	}
	if o.Problems <= 0 {
		o.Problems = DefaultProblems
	}
	return o
}
