package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// usagef is an error in how the command was called: exit code 2, with a pointer to the command's help.
func usagef(format string, args ...any) error {
	return exitcode.With(exitcode.Usage, fmt.Errorf(format, args...))
}

// errorEvent is how --log-format json tells the error that ended a run.
type errorEvent struct {
	Time     time.Time `json:"time"`
	Level    string    `json:"level"`
	Event    string    `json:"event"`
	ExitCode int       `json:"exitCode"`
	Message  string    `json:"message"`
	Hint     string    `json:"hint,omitempty"`
}

// tellError writes the error that ended the run, the only place that does.
func (f *Factory) tellError(err error, code exitcode.Code) {
	message := messageOf(err)
	hint := ""
	if code == exitcode.Usage {
		hint = fmt.Sprintf("see '%s --help'", f.commandPath())
	}
	if f.global.logFormat == logJSON {
		b, _ := json.Marshal(errorEvent{ // times, numbers and strings always marshal
			Time: f.Now().UTC(), Level: "error", Event: "error", ExitCode: int(code), Message: message, Hint: hint,
		})
		fmt.Fprintf(f.IO.ErrOut, "%s\n", b)
		return
	}
	p := f.IO.ErrPalette()
	for i, line := range strings.Split(message, "\n") {
		prefix := "       "
		if i == 0 {
			prefix = p.Paint(iostreams.Bad, "error:") + " "
		}
		fmt.Fprintf(f.IO.ErrOut, "%s%s\n", prefix, output.Escape(line))
	}
	if hint != "" {
		fmt.Fprintln(f.IO.ErrOut, hint)
	}
}

func messageOf(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return strings.TrimSpace(err.Error())
}

func (f *Factory) commandPath() string {
	if f.current == nil {
		return f.Name
	}
	return f.current.CommandPath()
}

// action is what every command's options are.
type action interface {
	// Complete fills in what the command line left out. It may look things up.
	Complete(ctx context.Context, args []string) error
	// Validate is pure: it looks at the options alone. Its errors are usage errors.
	Validate() error
	// Run does the work and returns the result; a result that comes with an error is printed all the same.
	Run(ctx context.Context) (any, error)
}

// finisher is an action that has something to wait for once its result is printed.
type finisher interface {
	// Finish is called whatever Run returned.
	Finish(ctx context.Context) error
}

// finish waits for what o has left, and adds what went wrong with that to err.
func finish(ctx context.Context, o action, err error) error {
	f, ok := o.(finisher)
	if !ok {
		return err
	}
	late := f.Finish(ctx)
	if err == nil || late == nil {
		return errors.Join(err, late)
	}
	return exitcode.With(exitcode.Worst(exitcode.Of(err), exitcode.Of(late)), errors.Join(err, late))
}

// do returns the RunE of a command: complete, validate, run, print, finish.
func (f *Factory) do(o action, format *output.Value) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		f.started = true
		ctx := cmd.Context()
		if err := o.Complete(ctx, args); err != nil {
			return err
		}
		if err := o.Validate(); err != nil {
			return exitcode.With(exitcode.Usage, err)
		}
		result, err := o.Run(ctx)
		f.Progress().Close()
		if result != nil {
			if printErr := f.Print(format.Format, result); printErr != nil {
				err = errors.Join(err, printErr)
			}
		}
		return finish(ctx, o, err)
	}
}

// branch makes a command that only has subcommands: alone it shows its help, and an unknown name below it is an error.
func branch(cmd *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(subs...)
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2 // cobra's own default, which it sets on other paths only
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		message := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			message += "; did you mean " + strings.Join(near, " or ") + "?"
		}
		return usagef("%s", message)
	}
	return cmd
}
