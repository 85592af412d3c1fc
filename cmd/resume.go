package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

const resumeLong = `Go on with an operation whose run died or stopped, on this machine or another.

The journal is read from this machine and from the cluster, and gone on with under the same name. Before the
resource was un-paused the volumes are read and judged again, the world is compared with what was confirmed, and the
plan is shown and confirmed again; every step that has held already is left as it is. After it was un-paused, the
cluster is watched and verified as it would have been.

A run that lives is never gone on with: its lease is renewed. One that died is left alone until its lease has
expired, a minute later, unless --take-over names it.`

type resumeOptions struct {
	operationOptions
	restore restoreOptions
}

func newResumeCmd(f *Factory) *cobra.Command {
	o := &resumeOptions{restore: restoreOptions{factory: f}}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:               "resume OPERATION",
		Short:             "Go on with an operation whose run died or stopped",
		Long:              resumeLong,
		Example:           "kafkarecover resume restore-20261124-031502-9f3a -n kafka",
		GroupID:           groupRecover,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.operationName,
		RunE:              f.do(o, format),
	}
	o.operationOptions.addFlags(cmd)
	o.restore.addRepeatedFlags(cmd)
	cmd.Flags().StringArrayVarP(&o.restore.manifests, "filename", "f", nil,
		"Manifests of resources that are gone, where the operation began with some: Secrets are kept in no journal")
	o.restore.volumes.addFlags(cmd, "Volumes that are declared anew, where the operation began with some and died before "+
		"its plan was confirmed")
	o.restore.reading.addFlags(cmd)
	o.restore.alarm.addFlag(cmd)
	o.restore.addHandoverFlag(cmd)
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// addRepeatedFlags adds what chooses or lifts something, for the verbs that take it from a plan or a journal: where
// nobody is asked it must be given again.
func (o *restoreOptions) addRepeatedFlags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&o.clusterID, "cluster-id", "", "The cluster `ID` that was asked for; to be given again with --yes")
	fs.StringArrayVar(&o.exclude, "exclude", nil, "`CLAIM` that was given up; to be given again with --yes")
	fs.StringArrayVar(&o.include, "include", nil, "`pv/NAME` that named no claim; to be given again with --yes")
	fs.StringArrayVar(&o.accept, "accept", nil, "`RULE=SUBJECT` that was lifted; to be given again with --yes")
	fs.StringArrayVar(&o.setAside, "set-aside", nil,
		"`pvc/CLAIM:DIRECTORY` that is renamed; to be given again with --yes")
	fs.StringArrayVar(&o.lost, "lost", nil, "`node/ID` or pvc/CLAIM that is lost for good; to be given again with --yes")
	fs.BoolVar(&o.restartOperator, "restart-operator", false,
		"Delete the operator's pod, as was asked for; to be given again with --yes")
	fs.BoolVar(&o.holdOperator, "hold-operator", false,
		"Keep the operator at zero replicas, as was asked for; to be given again with --yes")
	fs.BoolVar(&o.rebindClaims, "rebind-claims", false,
		"Make claims again for other volumes, as was asked for; to be given again with --yes")
	fs.BoolVarP(&o.yes, "yes", "y", false, "Do not ask for confirmation")
}

func (o *restoreOptions) repeated() recovery.Repeated {
	return recovery.Repeated{
		Unattended: o.yes, Exclude: o.exclude, Include: o.include, Accept: o.accepts, ClusterID: o.clusterID,
		SetAside: o.asides, Lost: o.lost,
		RestartOperator: o.restartOperator, HoldOperator: o.holdOperator, RebindClaims: o.rebindClaims,
	}
}

var errNobodyToAsk = errors.New("there is no terminal to confirm on: give --yes")

// Complete implements action.
func (o *resumeOptions) Complete(_ context.Context, args []string) error {
	o.complete(args)
	return errors.Join(o.restore.parseLifts(), o.restore.volumes.complete())
}

// Validate implements action.
func (o *resumeOptions) Validate() error {
	if !o.restore.yes && !o.restore.factory.IO.CanPrompt() {
		return errNobodyToAsk
	}
	return errors.Join(o.validate(), o.restore.reading.validate())
}

// Run implements action.
func (o *resumeOptions) Run(ctx context.Context) (any, error) {
	f := o.restore.factory
	client, err := f.Kube()
	if err != nil {
		return nil, err
	}
	given := o.restore.repeated()
	if len(o.restore.manifests) > 0 || o.restore.volumes.file != "" {
		rec, err := recovery.Load(ctx, client, stateFolder(f.Getenv), client.Namespace(), o.operation)
		if err != nil {
			return nil, operationError(err)
		}
		o.restore.name = rec.Began.Kafka.Name
		if rec.Began.Request.StatefulSet {
			given.DeclaredSet, err = declaredSet(ctx, f, o.restore.manifests, client.Namespace(), o.restore.name)
			o.restore.manifests = nil
		}
		if err != nil {
			return nil, err
		}
		if given.Declared, err = o.restore.declared(ctx, client.Namespace()); err != nil {
			return nil, err
		}
		if given.Redeclared, err = o.restore.redeclared(client.Namespace()); err != nil {
			return nil, err
		}
	}
	tell, deps, err := o.restore.begin(client)
	if err != nil {
		return nil, err
	}
	defer tell.end()
	result, err := recovery.Resume(ctx, o.target(client), given, deps)
	if result == nil {
		return nil, operationError(err)
	}
	return result, restoreError(result, err)
}
