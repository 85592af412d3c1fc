package cmd

import (
	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/leftover"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
)

// commands are the verbs, in no particular order: help sorts them within their groups.
func commands(f *Factory) []*cobra.Command {
	return []*cobra.Command{
		newCleanupCmd(f),
		newExplainCmd(f),
		newExportCmd(f),
		newMetadataCmd(f),
		newPartitionCmd(f),
		newStorageCmd(f),
		newVolumeCmd(f),
		newOptionsCmd(),
		newProtectCmd(f),
		newUnprotectCmd(f),
		newRestoreCmd(f),
		newScanCmd(f),
		newVersionCmd(f),
	}
}

// Results returns an empty value of every kind of result, from which docs/schema is generated.
func Results() []any {
	return []any{
		&Manifests{},
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
		&leftover.Result{TypeMeta: output.Meta("Leftovers")},
		&protect.Result{TypeMeta: output.Meta("Protection")},
		&protect.Unprotection{TypeMeta: output.Meta("Unprotection")},
		&recovery.Result{TypeMeta: output.Meta("Restore")},
		&scan.Scan{},
		&Rules{},
		&Version{},
	}
}
