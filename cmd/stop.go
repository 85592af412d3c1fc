package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
)

const stopLong = `Halt the cluster of an operation that has un-paused it.

The resource is paused and its pod sets are deleted, again and again, until the operator has shown that it pauses and
no Kafka pod is left. Claims and volumes stay. What was irreversible is listed.`

const defaultStopTimeout = 10 * time.Minute

type stopOptions struct {
	operationOptions
	restore restoreOptions
	timeout time.Duration
}

func newStopCmd(f *Factory) *cobra.Command {
	o := &stopOptions{restore: restoreOptions{factory: f, reading: readFlags{via: newChoice(string(scan.Objects))}}}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:               "stop OPERATION",
		Short:             "Halt the cluster that an operation has started",
		Long:              stopLong,
		Example:           "kafkarecover stop restore-20261124-031502-9f3a -n kafka",
		GroupID:           groupRecover,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.operationName,
		RunE:              f.do(o, format),
	}
	o.operationOptions.addFlags(cmd)
	o.restore.addHandoverFlag(cmd)
	cmd.Flags().DurationVar(&o.timeout, "timeout", defaultStopTimeout, "How long pods may take to go")
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Complete implements action.
func (o *stopOptions) Complete(_ context.Context, args []string) error { o.complete(args); return nil }

// Validate implements action.
func (o *stopOptions) Validate() error {
	if o.timeout <= 0 {
		return usagef("--timeout %s: it must be longer than nothing", o.timeout)
	}
	return o.validate()
}

// Run implements action.
func (o *stopOptions) Run(ctx context.Context) (any, error) {
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
	target := o.target(client)
	target.Timeout = o.timeout
	result, err := recovery.Stop(ctx, target, deps)
	if result == nil {
		return nil, operationError(err)
	}
	return result, reversalError(result, err)
}
