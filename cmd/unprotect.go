package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

const unprotectLong = `Take Retain off volumes again, when the cluster is back and its disks shall be
deleted together with their claims as before. Each volume gets the reclaim policy
it had before it was protected, or the one that --to says.

Only volumes that are Bound to a living claim are changed. On any other the
storage system would delete the disk at once: this is refused, and then nothing is
changed at all. The volumes are shown, and the name is typed, before anything is.`

type unprotectOptions struct {
	volumeScope
	to  string
	yes bool
}

func newUnprotectCmd(f *Factory) *cobra.Command {
	o := &unprotectOptions{volumeScope: volumeScope{factory: f}}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:   "unprotect [kafka/NAME | pv/NAME…]",
		Short: "Take Retain off Bound volumes again",
		Long:  unprotectLong,
		Example: "kafkarecover unprotect kafka/my-cluster -n kafka\n" +
			"kafkarecover unprotect kafka/my-cluster -n kafka --to Delete --yes",
		GroupID: groupRecover,
		RunE:    f.do(o, format),
	}
	o.addFlags(cmd)
	cmd.Flags().StringVar(&o.to, "to", "", "Reclaim `POLICY` to set: Delete (default the one before protect)")
	completeFlag(cmd, "to", policyDelete)
	cmd.Flags().BoolVar(&o.yes, "yes", false, "Do not ask: for scripts")
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// policyDelete is the only policy worth naming: Recycle is gone from Kubernetes, and protect sets Retain.
const policyDelete = "Delete"

// Complete implements action.
func (o *unprotectOptions) Complete(_ context.Context, args []string) error { return o.complete(args) }

// Validate implements action.
func (o *unprotectOptions) Validate() error {
	if o.to != "" && o.to != policyDelete {
		return fmt.Errorf("--to %q: the policy to set is %s; protect sets Retain", o.to, policyDelete)
	}
	if !o.yes && !o.factory.IO.CanPrompt() {
		return errors.New("there is no terminal to confirm on; --yes goes on without asking")
	}
	return nil
}

// Run implements action.
func (o *unprotectOptions) Run(ctx context.Context) (any, error) {
	deps, err := o.deps()
	if err != nil {
		return nil, err
	}
	plan, err := protect.Plan(ctx, deps, o.scope, o.to)
	if err != nil {
		return nil, err
	}
	if err := plan.Err(); err != nil || plan.Count(protect.Planned) == 0 {
		return plan, err
	}
	if err := o.confirm(ctx, plan); err != nil {
		return nil, err
	}
	if err := plan.Apply(ctx, deps); err != nil {
		return plan, err
	}
	return plan, plan.Err()
}

// confirm shows what would be done and has the name typed.
func (o *unprotectOptions) confirm(ctx context.Context, plan *protect.Unprotection) error {
	if o.yes {
		return nil
	}
	if err := o.factory.show(plan); err != nil {
		return err
	}
	want := o.scope.String()
	question := fmt.Sprintf("\nType %s to take Retain off %s: ", want,
		wording.Count(plan.Count(protect.Planned), "volume", "volumes"))
	agreed, err := o.factory.IO.ConfirmByTyping(ctx, question, want)
	if err != nil {
		return err
	}
	if !agreed {
		return errors.New("not confirmed: nothing was changed")
	}
	return nil
}
