package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

const applyLong = `Carry out a plan that ` + "`plan -o yaml`" + ` has written.

The volumes are read again and the plan is made again. If it would do anything else, or was decided on anything else
(another cluster, other resources, claims or volumes, other log directories on them), it is refused and the
differences are listed: exit code 3. A plan is applied once; its name becomes the operation's.

What the plan lifts or chooses is shown and confirmed by typing the cluster's name; with --yes it must be given again,
with the cluster's name.`

type applyOptions struct {
	restore restoreOptions
	file    string
}

func newApplyCmd(f *Factory) *cobra.Command {
	o := &applyOptions{restore: restoreOptions{factory: f}}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:   "apply [kafka/NAME] -f PLAN",
		Short: "Carry out a saved plan, if it is still the right one",
		Long:  applyLong,
		Example: `kafkarecover apply -n kafka -f plan.yaml
kafkarecover apply kafka/my-cluster -n kafka -f plan.yaml --yes`,
		GroupID:           groupRecover,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: f.fromCluster(clusterNames("kafka/")),
		RunE:              f.do(o, format),
	}
	cmd.Flags().StringVarP(&o.file, "filename", "f", "", "The plan: `FILE`, or - for standard input")
	cmd.Flags().StringArrayVar(&o.restore.manifests, "manifests", nil,
		"Manifests of resources that are gone, where the plan was made with some: Secrets are kept in no plan")
	o.restore.volumes.addFlags(cmd, "Volumes that are declared anew, where the plan was made with some")
	o.restore.addRepeatedFlags(cmd)
	o.restore.reading.addFlags(cmd)
	o.restore.alarm.addFlag(cmd)
	o.restore.addHandoverFlag(cmd)
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Complete implements action.
func (o *applyOptions) Complete(_ context.Context, args []string) error {
	targets, err := parseTargets(args, targetKafka)
	if err != nil {
		return exitcode.With(exitcode.Usage, err)
	}
	if len(targets) == 1 {
		o.restore.name = targets[0].Name
	}
	return errors.Join(o.restore.parseLifts(), o.restore.volumes.complete())
}

// Validate implements action.
func (o *applyOptions) Validate() error {
	switch {
	case o.file == "":
		return errors.New("name the plan with -f; `kafkarecover plan kafka/NAME -o yaml` writes one")
	case !o.restore.yes && !o.restore.factory.IO.CanPrompt():
		return errNobodyToAsk
	case o.restore.yes && o.restore.name == "":
		return errors.New("name the cluster, as kafka/NAME: with --yes it is not taken from the plan")
	case o.file == "-" && !o.restore.yes:
		return errors.New("-f - leaves no terminal to confirm on: give --yes, or the plan as a file")
	}
	return o.restore.reading.validate()
}

// Run implements action.
func (o *applyOptions) Run(ctx context.Context) (any, error) {
	plan, err := o.read()
	if err != nil {
		return nil, exitcode.With(exitcode.Usage, err)
	}
	f := o.restore.factory
	client, err := f.Kube()
	if err != nil {
		return nil, err
	}
	if name := plan.Request.Name; o.restore.name != "" && o.restore.name != name {
		return nil, usagef("the plan is for kafka/%s, not for kafka/%s", name, o.restore.name)
	}
	if ns := plan.Request.Namespace; ns != client.Namespace() {
		return nil, usagef("the plan is for namespace %q, and this acts in %q: give -n %s", ns, client.Namespace(), ns)
	}
	o.restore.name = plan.Request.Name
	given := o.restore.repeated()
	if given.Declared, err = o.restore.declared(ctx, client.Namespace()); err != nil {
		return nil, err
	}
	if given.Redeclared, err = o.restore.redeclared(client.Namespace()); err != nil {
		return nil, err
	}
	tell, deps, err := o.restore.begin(client)
	if err != nil {
		return nil, err
	}
	defer tell.end()
	result, err := recovery.Apply(ctx, plan, given, deps)
	if result == nil {
		return nil, operationError(err)
	}
	return result, restoreError(result, err)
}

// maxPlan bounds what is read of a plan; one of a hundred volumes has some hundred KiB.
const maxPlan = 64 << 20

func (o *applyOptions) read() (*recovery.SavedPlan, error) {
	from := o.restore.factory.IO.In
	if o.file != "-" {
		file, err := os.Open(o.file)
		if err != nil {
			return nil, fmt.Errorf("read the plan: %w", err)
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, maxPlan))
	if err != nil {
		return nil, fmt.Errorf("read the plan %q: %w", o.file, err)
	}
	plan, err := recovery.ReadPlan(text)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", o.file, err)
	}
	return plan, nil
}
