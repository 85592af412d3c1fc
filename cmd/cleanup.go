package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/leftover"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
)

const cleanupLong = `List what operations left in a namespace, or with the name of one remove its temporary pods and
its quota on claims, and give back the volumes that its claims of a temporary name borrowed to be read. The objects of
PersistentVolumes that a dry run with --volumes declared to read them, and did not come to take back, are deleted where
they are Retain and nobody has bound them: their disks stay.

What an operation that is alive still needs is left alone: a restore renews its lease while it runs. A scan only has
pods and what it borrowed, which tell from outside only how long it may go on. Journals stay, and no other volume or
claim, nor any Kafka resource, is touched: what a restore made or wrote is taken back by ` + "`kafkarecover undo`" + `.`

const cleanupTimeout = time.Minute

type cleanupOptions struct {
	factory       *Factory
	operation     string
	allNamespaces bool
	timeout       time.Duration
}

func newCleanupCmd(f *Factory) *cobra.Command {
	o := &cleanupOptions{factory: f}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:     "cleanup [OPERATION]",
		Short:   "List, or remove, what interrupted operations left behind",
		Long:    cleanupLong,
		Example: "kafkarecover cleanup -A\nkafkarecover cleanup scan-20261124-031502-9f3a -n kafka",
		GroupID: groupRecover,
		Args:    cobra.MaximumNArgs(1),
		RunE:    f.do(o, format),
	}
	cmd.ValidArgsFunction = f.fromCluster(operationNames)
	cmd.Flags().BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "Look in all namespaces")
	cmd.Flags().DurationVar(&o.timeout, "timeout", cleanupTimeout, "How long to wait until pods are gone")
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// operationNames lists the operations of the namespace asked for that have pods.
func operationNames(ctx context.Context, client *kube.Client) ([]string, error) {
	pods, err := probe.Leftovers(ctx, client, client.Namespace(), "")
	if err != nil {
		return nil, err
	}
	var names []string
	seen := map[string]bool{}
	for _, p := range pods {
		if !seen[p.Operation] {
			seen[p.Operation] = true
			names = append(names, p.Operation)
		}
	}
	return names, nil
}

// Complete implements action.
func (o *cleanupOptions) Complete(_ context.Context, args []string) error {
	if len(args) > 0 {
		o.operation = args[0]
	}
	return nil
}

// Validate implements action.
func (o *cleanupOptions) Validate() error {
	if o.operation != "" && !probe.ValidOperation(o.operation) {
		return fmt.Errorf("%q is no operation's name; they look like scan-20261124-031502-9f3a", o.operation)
	}
	if o.timeout <= 0 {
		return fmt.Errorf("--timeout %s: it must be longer than nothing", o.timeout)
	}
	return nil
}

// Run implements action.
func (o *cleanupOptions) Run(ctx context.Context) (any, error) {
	client, err := o.factory.Kube()
	if err != nil {
		return nil, err
	}
	namespace := client.Namespace()
	if o.allNamespaces {
		namespace = ""
	}
	found, err := leftover.FindAll(ctx, client, o.factory.Now(), namespace, o.operation)
	if err != nil {
		return nil, o.coded(err)
	}
	if o.operation == "" {
		return found, nil
	}
	if len(found.Operations) == 0 {
		where := "in any namespace"
		if !o.allNamespaces {
			where = fmt.Sprintf("in namespace %q; -A looks in all", namespace)
		}
		return found, exitcode.With(exitcode.NotFound, fmt.Errorf("nothing of operation %q was found %s", o.operation, where))
	}
	step := o.factory.Progress().Step("cleanup", "removing what operation "+o.operation+" left")
	if err := found.Remove(ctx, client, o.timeout); err != nil {
		step.Fail("")
		return found, o.coded(err)
	}
	step.Done("")
	return found, nil
}

// coded gives an error the exit code it stands for.
func (*cleanupOptions) coded(err error) error {
	var alive *leftover.AliveError
	switch {
	case errors.As(err, &alive):
		return exitcode.With(exitcode.Refused, err)
	case kube.IsForbidden(err), errors.Is(err, context.DeadlineExceeded):
		return exitcode.With(exitcode.Incomplete, err)
	}
	return err
}
