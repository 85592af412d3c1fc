package logdir

import (
	"path"
	"strings"
)

// WrittenAtFirstStart tells whether a file of a log directory, by its path below it, is one that formatting writes, or
// a first start that never came to hold a partition (Kafka: Formatter, LogManager, FileQuorumStateStore). It goes by
// the name alone: whether the metadata log holds anything is told by MetadataLog.
func WrittenAtFirstStart(name string) bool {
	name = strings.TrimSuffix(name, ".tmp") // CheckpointFile and the like write beside, then rename
	if path.Dir(name) == MetadataDir {
		return writtenIntoEmptyMetadata(path.Base(name))
	}
	switch name {
	case MetaPropertiesFile, BootstrapFile, CleanShutdownFile, ".lock", recoveryPointFile, replicationFile,
		"log-start-offset-checkpoint", "cleaner-offset-checkpoint":
		return true
	}
	return false
}

func writtenIntoEmptyMetadata(name string) bool {
	const first = "00000000000000000000" // the segment of offset 0: a later one was rolled because of records
	switch name {
	case first + ".log", first + ".index", first + ".timeindex", first + ".txnindex", first + ".snapshot",
		first + "-0000000000.checkpoint", "leader-epoch-checkpoint", "partition.metadata", "quorum-state":
		return true
	}
	return false
}
