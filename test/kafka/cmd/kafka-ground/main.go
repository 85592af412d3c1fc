// Command kafka-ground makes what tests with real Kafka stand on: jars, the container image of a node, and volumes that
// real clusters left.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	kafka "github.com/kafkarecover/kafkarecover/test/kafka"
	"github.com/kafkarecover/kafkarecover/test/kafka/cache"
	"github.com/kafkarecover/kafkarecover/test/kafka/image"
)

// Exit codes.
const (
	exitOK          = 0
	exitError       = 1
	exitUnsupported = 2 // also wrong usage
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError marks what the person typed wrong.
type usageError struct{ error }

func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(errOut, "kafka-ground: %v\n", err)
	var usage usageError
	if errors.Is(err, image.ErrUnsupported) || errors.As(err, &usage) {
		return exitUnsupported
	}
	return exitError
}

// common are the flags of every command.
type common struct{ cache string }

// store is the cache whose narrative goes to the command's standard error.
func (c *common) store(cmd *cobra.Command) (cache.Store, error) {
	if c.cache != "" {
		return cache.Store{Dir: c.cache, Log: cmd.ErrOrStderr()}, nil
	}
	return cache.Default(cmd.ErrOrStderr())
}

func newRoot() *cobra.Command {
	c := &common{}
	root := &cobra.Command{
		Use:   "kafka-ground",
		Short: "Real Kafka for tests: jars, the image of a node, volumes of lost clusters",
		Long: `Real Kafka for tests: jars, the image of a node, volumes of lost clusters.

Needs Maven, a JDK of version 17 or newer and network access for what is not in the cache yet;
the image also needs Linux, root and Debian's mmdebstrap, which is installed when it is missing.

EXIT STATUS
  0  done
  1  error
  2  wrong usage, or this machine or user cannot build the image`,
		SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&c.cache, "cache", "",
		"directory of what was made before\n(default ~/.cache/kafkarecover/kafka)")
	root.AddCommand(newImage(c), newLibs(c), newVolumes(c))
	return root
}

// versionFlag adds --kafka.
func versionFlag(cmd *cobra.Command, version *string) {
	versions := kafka.Versions()
	cmd.Flags().StringVar(version, "kafka", versions[0], "Kafka version: "+strings.Join(versions, ", "))
}

func newImage(c *common) *cobra.Command {
	var o image.Options
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Make the OCI archive of a Kafka node's image and print its path and name",
		Args:  positional(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := c.store(cmd)
			if err != nil {
				return err
			}
			if o.Name == "" {
				o.Name = image.Name(o.Version)
			}
			archive, err := image.Archive(cmd.Context(), store, o)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\n", archive, o.Name)
			return err
		},
	}
	versionFlag(cmd, &o.Version)
	cmd.Flags().StringVar(&o.Name, "name", "", "image name with tag (default: the name of Strimzi's image)")
	return cmd
}

func newLibs(c *common) *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use:   "libs",
		Short: "Resolve the jars of a Kafka version and print their class path",
		Args:  positional(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := c.store(cmd)
			if err != nil {
				return err
			}
			jars, err := kafka.Jars(cmd.Context(), store, version)
			if err != nil {
				return err
			}
			classPath, err := kafka.ClassPath("", jars)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), classPath)
			return err
		},
	}
	versionFlag(cmd, &version)
	return cmd
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
