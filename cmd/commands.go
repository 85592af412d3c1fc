package cmd

import (
	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/leftover"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/report"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/status"
)

// commands are the verbs, in no particular order: help sorts them within their groups.
func commands(f *Factory) []*cobra.Command {
	return []*cobra.Command{
		newApplyCmd(f),
		newCleanupCmd(f),
		newExplainCmd(f),
		newExportCmd(f),
		newMetadataCmd(f),
		newPartitionCmd(f),
		newStorageCmd(f),
		newVolumeCmd(f),
		newOptionsCmd(),
		newPlanCmd(f),
		newProtectCmd(f),
		newUnprotectCmd(f),
		newReportCmd(f),
		newRestoreCmd(f),
		newResumeCmd(f),
		newScanCmd(f),
		newStatusCmd(f),
		newStopCmd(f),
		newUndoCmd(f),
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
		&recovery.Reversal{TypeMeta: output.Meta("Stop")},
		&recovery.Reversal{TypeMeta: output.Meta("Undo")},
		&recovery.SavedPlan{TypeMeta: output.Meta("Plan")},
		&report.Report{TypeMeta: output.Meta("Report")},
		&status.Result{TypeMeta: output.Meta("Status")},
		&scan.Scan{},
		&Rules{},
		&Version{},
	}
}
