package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

const undoLong = `Take an operation back that has not un-paused the cluster yet.

The journal is walked backwards: what the operation wrote is put back as it was, on objects that are still as the
operation left them. What somebody else has changed since is left as it is, with who changed it, and then the
resource stays paused. Retain stays; ` + "`kafkarecover unprotect`" + ` sets another policy.

Once the resource was un-paused there is no way back: ` + "`kafkarecover stop`" + ` halts the cluster.`

type undoOptions struct {
	operationOptions
	restore restoreOptions
}

func newUndoCmd(f *Factory) *cobra.Command {
	o := &undoOptions{restore: restoreOptions{factory: f}}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:               "undo OPERATION",
		Short:             "Take back what an operation has done, before it un-paused the cluster",
		Long:              undoLong,
		Example:           "kafkarecover undo restore-20261124-031502-9f3a -n kafka",
		GroupID:           groupRecover,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.operationName,
		RunE:              f.do(o, format),
	}
	o.operationOptions.addFlags(cmd)
	o.restore.addHandoverFlag(cmd)
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Complete implements action.
func (o *undoOptions) Complete(_ context.Context, args []string) error { o.complete(args); return nil }

// Validate implements action.
func (o *undoOptions) Validate() error { return o.validate() }

// Run implements action.
func (o *undoOptions) Run(ctx context.Context) (any, error) {
	f := o.restore.factory
	client, err := f.Kube()
	if err != nil {
		return nil, err
	}
	tell, deps, err := o.restore.begin(client)
	if err != nil {
		return nil, err
	}
	defer tell.end()
	result, err := recovery.Undo(ctx, o.target(client), deps)
	if result == nil {
		return nil, operationError(err)
	}
	return result, reversalError(result, err)
}
