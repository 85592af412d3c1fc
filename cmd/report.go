package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/report"
)

const reportLong = `Write what an operation found, decided and did, by whom and when, from its journal.

The page of -o html loads nothing else: it can be kept, sent and printed.`

// The forms of a report.
const (
	reportMarkdown = "md"
	reportHTML     = "html"
	reportJSON     = "json"
)

type reportOptions struct {
	operationOptions
	factory *Factory
	form    *choice
}

func newReportCmd(f *Factory) *cobra.Command {
	o := &reportOptions{factory: f, form: newChoice(reportMarkdown, reportHTML, reportJSON)}
	cmd := &cobra.Command{
		Use:               "report OPERATION",
		Short:             "Write what an operation found, decided and did",
		Long:              reportLong,
		Example:           "kafkarecover report restore-20261124-031502-9f3a -n kafka -o html > report.html",
		GroupID:           groupRecover,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.operationName,
		RunE:              f.do(o, output.NewValue()),
	}
	cmd.Flags().VarP(o.form, "output", "o", "How the report is written")
	completeFlag(cmd, "output", o.form.allowed...)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Complete implements action.
func (o *reportOptions) Complete(_ context.Context, args []string) error {
	o.complete(args)
	return nil
}

// Validate implements action.
func (o *reportOptions) Validate() error { return o.validate() }

// Run implements action. A journal of this machine is enough: a report is also wanted where the cluster is gone.
func (o *reportOptions) Run(ctx context.Context) (any, error) {
	rec, err := o.load(ctx)
	if err != nil {
		return nil, operationError(err)
	}
	r := report.Of(rec)
	var text []byte
	switch o.form.value {
	case reportJSON:
		return nil, o.factory.Print(output.FormatJSON, r)
	case reportHTML:
		if text, err = r.HTML(); err != nil {
			return nil, err
		}
	default:
		text = r.Markdown()
	}
	_, err = o.factory.IO.Out.Write(text)
	return nil, err
}

func (o *reportOptions) load(ctx context.Context) (*recovery.Recorded, error) {
	state := stateFolder(o.factory.Getenv)
	client, err := o.factory.Kube()
	if err == nil {
		var rec *recovery.Recorded
		if rec, err = recovery.Load(ctx, client, state, client.Namespace(), o.operation); err == nil {
			return rec, nil
		}
	}
	if here, hereErr := recovery.LoadHere(state, o.operation); hereErr == nil {
		o.factory.Progress().Warnf("from this machine alone: %v", err)
		return here, nil
	}
	return nil, err
}
