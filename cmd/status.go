package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/status"
)

const statusLong = `List the operations that are known on this machine and in the cluster: which run, which died, which
left a cluster paused, and what can be done with each.

An operation runs while its lease is renewed. One that has not ended, and whose lease is not renewed any more, is
dead: its run was killed, or lost the cluster.`

type statusOptions struct {
	operationOptions
	factory       *Factory
	allNamespaces bool
}

func newStatusCmd(f *Factory) *cobra.Command {
	o := &statusOptions{factory: f}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:               "status [OPERATION]",
		Short:             "List operations, how things stand with them, and what can be done",
		Long:              statusLong,
		Example:           "kafkarecover status -A\nkafkarecover status restore-20261124-031502-9f3a -n kafka -o wide",
		GroupID:           groupRecover,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: f.operationName,
		RunE:              f.do(o, format),
	}
	cmd.Flags().BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "Look in all namespaces")
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.NotFound, exitcode.Incomplete)
}

// Complete implements action.
func (o *statusOptions) Complete(_ context.Context, args []string) error {
	o.complete(args)
	return nil
}

// Validate implements action.
func (o *statusOptions) Validate() error {
	if o.operation == "" {
		return nil
	}
	return o.validate()
}

// Run implements action.
func (o *statusOptions) Run(ctx context.Context) (any, error) {
	client, err := o.factory.Kube()
	if err != nil {
		return nil, err
	}
	namespace := client.Namespace()
	if o.allNamespaces {
		namespace = ""
	}
	found, err := status.Find(ctx, client, o.factory.Now(), stateFolder(o.factory.Getenv), namespace, o.operation)
	if err != nil {
		return nil, lookError(err)
	}
	if err := found.Err(o.operation); err != nil {
		return found, exitcode.With(exitcode.NotFound, err)
	}
	if len(found.NotSeen) > 0 {
		return found, exitcode.With(exitcode.Incomplete, errNotAllSeen)
	}
	return found, nil
}

var errNotAllSeen = errors.New("not everything could be looked at")
