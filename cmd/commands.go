package cmd

import (
	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
)

// commands are the verbs, in no particular order: help sorts them within their groups.
func commands(f *Factory) []*cobra.Command {
	return []*cobra.Command{
		newExplainCmd(f),
		newMetadataCmd(f),
		newPartitionCmd(f),
		newStorageCmd(f),
		newVolumeCmd(f),
		newOptionsCmd(),
		newRestoreCmd(f),
		newScanCmd(f),
		newVersionCmd(f),
	}
}

// Results returns an empty value of every kind of result, from which docs/schema is generated.
func Results() []any {
	return []any{
		&MetadataACLs{},
		&MetadataBrokers{},
		&MetadataConfigs{},
		&MetadataDiff{},
		&MetadataGroups{},
		&MetadataQuorum{},
		&MetadataSummary{},
		&MetadataTopics{},
		&MetadataUsers{},
		&MetadataVerify{},
		&PartitionList{},
		&PartitionVerify{},
		&StorageFormat{},
		&StorageInfo{},
		&VolumeCopy{},
		&VolumeFiles{},
		&recovery.Result{},
		&scan.Scan{},
		&Rules{},
		&Version{},
	}
}
