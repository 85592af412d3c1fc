package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/handover"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

// operationOptions are those of the verbs that take the name of an operation.
type operationOptions struct {
	operation string
	takeOver  string
}

func (o *operationOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.takeOver, "take-over", "",
		"Take the lease of this `HOLDER`, which you know to be dead, although it has not expired")
}

// operationName completes to the operations that have a folder on this machine.
func (f *Factory) operationName(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, err := recovery.OperationsHere(stateFolder(f.Getenv))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (o *operationOptions) complete(args []string) {
	if len(args) > 0 {
		o.operation = args[0]
	}
}

func (o *operationOptions) validate() error {
	if !recovery.ValidOperationID(o.operation) {
		return fmt.Errorf("%q is no operation's name; they look like restore-20261124-031502-9f3a, and `kafkarecover "+
			"status` lists them", o.operation)
	}
	return nil
}

func (o *operationOptions) target(client *kube.Client) recovery.Target {
	return recovery.Target{Namespace: client.Namespace(), Operation: o.operation, TakeOver: o.takeOver}
}

// begin makes what every verb of the recovery works with. The reporter is to be ended.
func (o *restoreOptions) begin(client *kube.Client) (*restoreReporter, recovery.Deps, error) {
	tell := newRestoreReporter(o.factory, client)
	deps := recovery.Deps{
		Kube: client, Clock: clock.RealClock{}, Random: rand.Reader, StateDir: stateFolder(o.factory.Getenv),
		Look: o.looker(client), Rename: o.renamer(client), Confirm: o.confirm, OnAlarm: o.onAlarm, Report: tell,
	}
	if o.handover == "" {
		return tell, deps, nil
	}
	book, err := handover.Open(client, o.handover, tell.handedOver)
	if err != nil {
		return nil, deps, exitcode.With(exitcode.Usage, fmt.Errorf("--handover: %w", err))
	}
	client.DelegateTo(book)
	tell.book, deps.HandOver = book, book
	return tell, deps, nil
}

// addHandoverFlag adds what has somebody else do what the user may not.
func (o *restoreOptions) addHandoverFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.handover, "handover", "",
		"Where you may not do something yourself, write the exact commands to `FILE`, for somebody who may, wait for what "+
			"they do, and go on")
}

// operationError gives an error of going on with an operation its exit code.
func operationError(err error) error {
	var (
		unknown     *recovery.UnknownOperationError
		unusable    *recovery.JournalError
		passed      *recovery.PassedError
		ended       *recovery.EndedError
		held        *recovery.HeldError
		notRepeated *recovery.NotRepeatedError
		denied      *recovery.AccessError
		replicas    *recovery.ByReplicasError
	)
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &unknown):
		return exitcode.With(exitcode.NotFound, err)
	case errors.As(err, &unusable), errors.As(err, &passed), errors.As(err, &ended), errors.As(err, &held),
		errors.As(err, &replicas):
		return exitcode.With(exitcode.Refused, err)
	case errors.As(err, &denied):
		return exitcode.With(exitcode.Incomplete, err)
	case errors.As(err, &notRepeated):
		return exitcode.With(exitcode.Usage, err)
	}
	return lookError(err)
}

// reversalError gives the end of an undo or a stop its exit code.
func reversalError(result *recovery.Reversal, err error) error {
	switch {
	case result == nil:
		return operationError(err)
	case err == nil && result.Code() != exitcode.OK:
		return exitcode.With(result.Code(), errors.New(result.Reason))
	case err != nil && result.Code() == exitcode.Refused:
		return exitcode.With(exitcode.Refused, err)
	}
	return operationError(err)
}
