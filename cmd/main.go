// Package cmd owns the command line: one file per verb, each with its options, their completion and validation, and
// the call into the packages that do the work. It holds no knowledge of Kafka, Strimzi or Kubernetes.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
)

var errSignal = errors.New("interrupted")

// Main runs the program: args are those of the process, its own name first. The first interrupting signal cancels ctx,
// so that what was created is cleaned up; the second returns at once.
func Main(ctx context.Context, args []string, streams *iostreams.Streams) exitcode.Code {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // under nohup the run goes on without its terminal
		signal.Notify(signals, syscall.SIGHUP)
	}
	// A reader that goes away (`| head`) must not kill the process before temporary pods are removed: with the signal
	// caught, the write fails instead.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	defer signal.Stop(signals)
	return run(ctx, args, NewFactory(args, streams, os.Getenv), signals)
}

// run is Main with everything that belongs to a process handed in.
func run(ctx context.Context, args []string, f *Factory, signals <-chan os.Signal) exitcode.Code {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() { ended <- f.execute(ctx, args) }()
	signalled := false
	for {
		select {
		case err := <-ended:
			return f.finish(err, signalled)
		case <-signals:
			if signalled {
				f.leaveAtOnce()
				return exitcode.Interrupted
			}
			signalled = true
			f.tellInterrupted()
			cancel(errSignal)
		}
	}
}

func (f *Factory) execute(ctx context.Context, args []string) error {
	root := NewRoot(f)
	root.SetArgs(arguments(args))
	defer f.closeProgress()
	var err error
	f.current, err = root.ExecuteContextC(ctx)
	return err
}

// finish tells an error once, and turns it into the exit code.
func (f *Factory) finish(err error, signalled bool) exitcode.Code {
	if err == nil {
		return exitcode.OK
	}
	code := f.codeOf(err, signalled)
	if errors.Is(err, syscall.EPIPE) { // whoever read the result has gone, and knows
		return code
	}
	f.tellError(err, code)
	return code
}

func (f *Factory) codeOf(err error, signalled bool) exitcode.Code {
	var coded *exitcode.CodedError
	switch {
	case signalled:
		return exitcode.Interrupted
	case !f.started && !errors.As(err, &coded):
		return exitcode.Usage // cobra's own errors: unknown commands, wrong arguments
	default:
		return exitcode.Of(err)
	}
}

func (f *Factory) tellInterrupted() {
	if f.operations.any() {
		f.Progress().Warnf("interrupted: cleaning up; a second interrupt leaves at once")
	}
}

// leaveAtOnce tells what is left behind and how to remove it. It must not wait for anything.
func (f *Factory) leaveAtOnce() {
	for _, command := range f.operations.commands() {
		fmt.Fprintf(f.IO.ErrOut, "\nleft behind; to remove it:\n  %s %s\n", f.Name, command)
	}
}
