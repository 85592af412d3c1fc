package logdir

import (
	"io/fs"
	"path"
	"strings"
)

// Need is how many bytes of a file Read uses, from its start; 0 for a file of which its name, size and modification
// time are enough.
type Need int64

// None tells that the content is not used.
func (n Need) None() bool { return n == 0 }

// Wanted tells how much of the content of a regular file Read needs. The path is slash-separated and relative to the
// volume's root, the size in bytes. A source that fetches files one by one, such as a temporary pod, lists all of them
// and streams only what Wanted asks for; its file system may answer fs.ErrNotExist when any other is opened.
//
// Files that are over Read's limits are not needed: Read reports them by their size.
func Wanted(name string, size int64) Need { return wanted(name, size, isLogDirName) }

// WantedOfAny is Wanted for Options.AnyName.
func WantedOfAny(name string, size int64) Need {
	return wanted(name, size, func(string) bool { return true })
}

func wanted(name string, size int64, mayBeLogDir func(string) bool) Need {
	if size <= 0 || !fs.ValidPath(name) {
		return 0
	}
	dir, file := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	parents := strings.Split(dir, "/")
	if dir == "" {
		parents = nil
	}
	need := within(limitOf(parents, file), size)
	if len(parents) > 0 && mayBeLogDir(parents[0]) {
		need = max(need, within(limitOf(parents[1:], file), size))
	}
	return need
}

func within(limit, size int64) Need {
	if size > limit {
		return 0
	}
	return Need(size)
}

// limitOf returns the largest size at which a file is read; 0 for one that never is. The parents are the directories
// between the log directory and the file.
func limitOf(parents []string, file string) int64 {
	switch {
	case len(parents) == 0:
		switch file {
		case MetaPropertiesFile:
			return maxMetaProperties
		case CleanShutdownFile:
			return maxCleanShutdown
		case BootstrapFile:
			return maxSmallBootstrap
		}
	case len(parents) == 1 && parents[0] == MetadataDir:
		return metadataFileLimit(file)
	case len(parents) == 1 && file == PartitionMetadataFile:
		if _, ok := ParsePartitionDir(parents[0]); ok {
			return maxPartitionMetadata
		}
	}
	return 0
}

func metadataFileLimit(file string) int64 {
	switch file {
	case QuorumStateFile:
		return maxQuorumState
	case LeaderEpochFile:
		return maxCheckpoint
	case PartitionMetadataFile:
		return maxPartitionMetadata
	}
	if strings.HasSuffix(file, logSuffix) {
		if _, err := ParseSegmentName(file); err == nil {
			return DefaultMetadataBytes
		}
	}
	if strings.HasSuffix(file, snapshotSuffix) {
		if _, err := ParseSnapshotName(file); err == nil {
			return DefaultMetadataBytes
		}
	}
	return 0
}
