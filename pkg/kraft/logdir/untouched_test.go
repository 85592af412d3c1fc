package logdir_test

import (
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

// Names as Kafka 3.7 to 4.4 writes them; docs/on-disk-format.md.
func TestWrittenAtFirstStart(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"meta.properties": true, "meta.properties.tmp": true, "bootstrap.checkpoint": true, ".lock": true,
		".kafka_cleanshutdown": true, "recovery-point-offset-checkpoint": true,
		"replication-offset-checkpoint.tmp": true, "log-start-offset-checkpoint": true,
		"cleaner-offset-checkpoint":                                        true,
		"__cluster_metadata-0/00000000000000000000.log":                    true,
		"__cluster_metadata-0/00000000000000000000.timeindex":              true,
		"__cluster_metadata-0/00000000000000000000-0000000000.checkpoint":  true,
		"__cluster_metadata-0/quorum-state":                                true,
		"__cluster_metadata-0/partition.metadata":                          true,
		"__cluster_metadata-0/00000000000000000120.log":                    false, // rolled: there were records
		"__cluster_metadata-0/00000000000000000120-0000000003.checkpoint":  false,
		"__cluster_metadata-0/notes.txt":                                   false,
		"orders-0/00000000000000000000.log":                                false,
		"orders-0/partition.metadata":                                      false,
		"backup.tar":                                                       false,
		"deep/__cluster_metadata-0/quorum-state":                           false,
		"__cluster_metadata-0/deep/00000000000000000000.log":               false,
		"__cluster_metadata-0/00000000000000000000-0000000000.checkpoint2": false,
	} {
		if got := logdir.WrittenAtFirstStart(name); got != want {
			t.Errorf("%q: got %t, want %t", name, got, want)
		}
	}
}
