package logdir

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// The names Kafka and Strimzi give files and directories.
const (
	MetaPropertiesFile          = "meta.properties"
	BootstrapFile               = "bootstrap.checkpoint"
	MetadataDir                 = "__cluster_metadata-0"
	QuorumStateFile             = "quorum-state"
	LeaderEpochFile             = "leader-epoch-checkpoint"
	PartitionMetadataFile       = "partition.metadata"
	CleanShutdownFile           = ".kafka_cleanshutdown"
	metadataTopicID             = "AAAAAAAAAAAAAAAAAAAAAQ"
	remoteIndexCache            = "remote-log-index-cache"
	logDirPrefix                = "kafka-log" // Strimzi: kafka-log<node id> on every volume
	logSuffix                   = ".log"
	snapshotSuffix              = ".checkpoint"
	snapshotPartSuffix          = ".checkpoint.part"
	snapshotDeletedSuffix       = ".checkpoint.deleted"
	swapSuffix                  = ".swap"
	recoveryPointFile           = "recovery-point-offset-checkpoint"
	replicationFile             = "replication-offset-checkpoint"
	maxSmallBootstrap     int64 = 1 << 20
)

// ParseSegmentName returns the base offset in the name of a log segment. Kafka takes every name that ends in .log and
// reads the number before the first dot (LogFileUtils.offsetFromFileName); it does not start when that is no number.
func ParseSegmentName(name string) (int64, error) {
	digits, _, _ := strings.Cut(name, ".")
	offset, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || offset < 0 {
		return 0, fmt.Errorf("expected an offset and .log, found %q, on which Kafka fails to start", Escape(name))
	}
	return offset, nil
}

// ParseSnapshotName returns the end offset and epoch in the name of a KRaft snapshot, %020d-%010d.checkpoint. Kafka
// reads the numbers at fixed places (Snapshots.parse) and does not start when a name does not have them.
func ParseSnapshotName(name string) (OffsetAndEpoch, error) {
	bad := fmt.Errorf("expected 20 digits, a dash, 10 digits and .checkpoint, found %q, on which Kafka fails to start",
		Escape(name))
	if len(name) < 31 || name[20] != '-' {
		return OffsetAndEpoch{}, bad
	}
	offset, err := strconv.ParseInt(name[:20], 10, 64)
	if err != nil || offset < 0 {
		return OffsetAndEpoch{}, bad
	}
	epoch, err := strconv.ParseInt(name[21:31], 10, 32)
	if err != nil || epoch < 0 {
		return OffsetAndEpoch{}, bad
	}
	return OffsetAndEpoch{Offset: offset, Epoch: int32(epoch)}, nil
}

// Java's \S: anything but space, tab, newline, vertical tab, form feed and carriage return.
var (
	deletePattern = regexp.MustCompile(`^([^ \t\n\v\f\r]+)-([^ \t\n\v\f\r]+)\.([^ \t\n\v\f\r]+)-delete$`)
	futurePattern = regexp.MustCompile(`^([^ \t\n\v\f\r]+)-([^ \t\n\v\f\r]+)\.([^ \t\n\v\f\r]+)-future$`)
	strayPattern  = regexp.MustCompile(`^([^ \t\n\v\f\r]+)-([^ \t\n\v\f\r]+)\.([^ \t\n\v\f\r]+)-stray$`)
)

// ParsePartitionDir takes apart the name of a topic partition's directory as LocalLog.parseTopicPartitionName does.
// It returns false for a name that makes Kafka refuse the whole log directory ("is not in the form of
// topic-partition"). The topic's name is not checked for legal characters, as Kafka does not either.
func ParsePartitionDir(name string) (Partition, bool) {
	state, rest := PartitionCurrent, name
	for _, suffix := range []struct {
		state   PartitionState
		text    string
		pattern *regexp.Regexp
	}{
		{PartitionDelete, "-delete", deletePattern},
		{PartitionFuture, "-future", futurePattern},
		{PartitionStray, "-stray", strayPattern},
	} {
		if !strings.HasSuffix(name, suffix.text) {
			continue
		}
		if !suffix.pattern.MatchString(name) {
			return Partition{}, false
		}
		state, rest = suffix.state, name[:strings.LastIndexByte(name, '.')]
	}
	dash := strings.LastIndexByte(rest, '-')
	if dash <= 0 {
		return Partition{}, false
	}
	number, err := strconv.ParseInt(rest[dash+1:], 10, 32)
	if err != nil {
		return Partition{}, false
	}
	return Partition{
		Dir: Escape(name), Topic: Escape(rest[:dash]), Partition: int32(number), State: state,
	}, true
}

// nodeIDInName returns N of kafka-log<N>.
func nodeIDInName(name string) *int32 {
	digits := strings.TrimPrefix(path.Base(name), logDirPrefix)
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || strconv.FormatInt(n, 10) != digits || n < 0 {
		return nil
	}
	id := int32(n)
	return &id
}

// isLogDirName tells whether a top-level directory is one of Strimzi's log directories.
func isLogDirName(name string) bool { return strings.HasPrefix(name, logDirPrefix) }

// marksLogDir tells whether a name shows that the directory it lies in is a log directory itself.
func marksLogDir(name string, isDir bool) bool {
	if isDir {
		return name == MetadataDir
	}
	switch name {
	case MetaPropertiesFile, BootstrapFile, CleanShutdownFile, recoveryPointFile, replicationFile:
		return true
	}
	return false
}
