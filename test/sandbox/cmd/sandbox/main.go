// Command sandbox runs real Kubernetes clusters on one Linux machine for tests and demonstrations. It is a thin shell
// over package cluster; run again with a hidden verb it is process 1 of a cluster's nodes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/test/sandbox/cluster"
	"github.com/kafkarecover/kafkarecover/test/sandbox/node"
)

// Exit codes; exec passes on the code of its command instead.
const (
	exitOK          = 0
	exitError       = 1
	exitUnsupported = 2 // also wrong usage
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == node.Verb {
		os.Exit(runNode(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// runNode ignores nothing and cleans nothing: when process 1 ends, the kernel ends everything in its namespaces.
func runNode(args []string) int {
	l, i, err := node.ParseInitArgs(args)
	if err == nil {
		err = node.Main(context.Background(), l, i)
	}
	fmt.Fprintf(os.Stderr, "node: %v\n", err)
	return exitError
}

// usageError marks what the person typed wrong.
type usageError struct{ error }

// exitStatus is the code of a command that ran in a node and failed.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("command exited with code %d", int(e)) }

func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	var status exitStatus
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintf(errOut, "sandbox: %v\n", err)
	if errors.Is(err, cluster.ErrUnsupported) || errors.As(err, &usage) {
		return exitUnsupported
	}
	return exitError
}

// common are the flags of every command that means a cluster.
type common struct {
	cluster.Options
}

func newRoot() *cobra.Command {
	c := &common{}
	root := &cobra.Command{
		Use:   "sandbox",
		Short: "Real Kubernetes clusters on one Linux machine, without Docker or a registry",
		Long: `Real Kubernetes clusters on one Linux machine, without Docker or a registry.

Needs Linux, root, Go and network access to the Go module proxy for the first build.
A cluster is a number (--id) and a state directory (--state); clusters with different
numbers run side by side.

EXIT STATUS
  0  done (also: up on a running cluster, down on none)
  1  error
  2  wrong usage, or this machine or user cannot run a cluster
  exec exits with the code of its command.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := root.PersistentFlags()
	flags.IntVar(&c.ID, "id", 0, "number of the cluster, 0 to 255")
	flags.StringVar(&c.State, "state", "",
		"directory of everything the cluster writes\n(default ~/.local/state/kafkarecover/sandbox/<id>)")
	flags.StringVar(&c.Source, "source", "", "directory test/sandbox (default: where this program was compiled from)")
	root.AddCommand(
		newUp(c), newDown(c), newBuild(c), newStatus(c), newKubeconfig(c),
		newLoad(c), newExec(c), newLogs(c), newVolumes(c), newImage(),
	)
	return root
}

// open returns a handle whose narrative goes to the command's standard error.
func (c *common) open(cmd *cobra.Command) (*cluster.Cluster, error) {
	c.Log = cmd.ErrOrStderr()
	return cluster.Open(c.Options)
}

// positional wraps cobra's argument checks, so that their errors count as wrong usage.
func positional(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
