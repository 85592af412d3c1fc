package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

const planLong = `Plan the restore of a cluster, and change nothing.

The volumes are read and judged as ` + "`restore`" + ` does, through temporary pods. With -o yaml the plan can be
reviewed, kept, and carried out by ` + "`apply -f`" + `, which refuses when it would be another one by then.
` + "`restore --dry-run=client`" + ` shows the same plan as its result.`

type planOptions struct{ restoreOptions }

func newPlanCmd(f *Factory) *cobra.Command {
	o := &planOptions{restoreOptions{
		factory: f,
		dryRun:  newChoice(string(recovery.DryRunClient), string(recovery.DryRunNone), string(recovery.DryRunServer)),
	}}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:               "plan kafka/NAME",
		Short:             "Plan a restore without changing anything, for review or for apply",
		Long:              planLong,
		Example:           "kafkarecover plan kafka/my-cluster -n kafka -o yaml > plan.yaml",
		GroupID:           groupRecover,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: f.fromCluster(clusterNames("kafka/")),
		RunE:              f.do(o, format),
	}
	o.addRequestFlags(cmd)
	o.reading.addFlags(cmd)
	o.addHandoverFlag(cmd)
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Run implements action.
func (o *planOptions) Run(ctx context.Context) (any, error) {
	client, err := o.factory.Kube()
	if err != nil {
		return nil, err
	}
	declaration, err := o.declared(ctx, client.Namespace())
	if err != nil {
		return nil, err
	}
	volumes, err := o.redeclared(client.Namespace())
	if err != nil {
		return nil, err
	}
	tell, deps, err := o.begin(client)
	if err != nil {
		return nil, err
	}
	defer tell.end()
	plan, result, err := recovery.MakePlan(ctx, o.request(client.Namespace(), declaration, volumes), deps)
	if plan != nil && err == nil {
		return plan, nil
	}
	return result, restoreError(result, err)
}
