package cmd

import (
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/progress"
)

// Factory hands every command what it works with. What is costly or can fail is a function, so that a command which
// does not need it does not pay for it: help, completion and offline commands never read a kubeconfig.
type Factory struct {
	IO *iostreams.Streams
	// Name is how the program was called: "kafkarecover", or "kubectl kafkarecover" for the plugin.
	Name string
	// Getenv looks up the environment.
	Getenv func(string) string
	// Now is the clock.
	Now func() time.Time

	// KubeFlags are kubectl's connection flags; Kube builds the client from them, once.
	KubeFlags *kube.Flags
	Kube      func() (*kube.Client, error)
	// Progress is where the narrative goes, chosen by --quiet, --log-format and the terminal, once.
	Progress func() *progress.Reporter

	global     globalOptions
	operations *operations
	// started tells that a command's own code was reached: errors before that are usage errors.
	started bool
	// current is the command that was run, known once it has ended.
	current *cobra.Command
}

// globalOptions are the flags every command has.
type globalOptions struct {
	config    string
	logFormat logFormat
	quiet     bool
	verbosity int
	colour    colour
}

// NewFactory returns the Factory of a run. args are those of the process, its own name first.
func NewFactory(args []string, streams *iostreams.Streams, getenv func(string) string) *Factory {
	f := &Factory{
		IO: streams, Name: programName(args), Getenv: getenv, Now: time.Now,
		KubeFlags:  &kube.Flags{},
		operations: &operations{},
	}
	f.global.logFormat = logText
	f.global.colour = colour(streams.Colour)
	f.Kube = sync.OnceValues(func() (*kube.Client, error) {
		kube.SilenceClientLogs(f.global.verbosity)
		return kube.New(f.KubeFlags, kube.Options{
			UserAgent: "kafkarecover/" + buildVersion(),
			OnWarning: func(text string) { f.Progress().Warnf("the API server says: %s", text) },
		})
	})
	f.Progress = sync.OnceValue(f.newProgress)
	return f
}

func (f *Factory) newProgress() *progress.Reporter {
	opts := progress.Options{
		Mode: progress.Plain, Palette: f.IO.ErrPalette(), Width: f.IO.Width, Now: f.Now,
	}
	switch {
	case f.global.quiet:
		opts.Mode = progress.Quiet
	case f.global.logFormat == logJSON:
		opts.Mode = progress.JSON
	case f.IO.ErrTTY:
		opts.Mode = progress.Terminal
	}
	return progress.New(f.IO.ErrOut, opts)
}

func (f *Factory) closeProgress() {
	if f.started {
		f.Progress().Close()
	}
}

// Print prints a command's result in the format asked for.
func (f *Factory) Print(format output.Format, result any) error {
	return output.Printer{IO: f.IO, Format: format}.Print(result)
}

// show prints something a person should see before the result, in the narrative.
func (f *Factory) show(shown output.Tabler) error {
	narrative := *f.IO
	narrative.Out, narrative.OutTTY = f.IO.ErrOut, f.IO.ErrTTY
	return output.Printer{IO: &narrative, Format: output.FormatTable}.Print(shown)
}

const (
	program          = "kafkarecover"
	pluginProgram    = "kubectl-" + program
	pluginCompletion = "kubectl_complete-" + program
)

// programName is how help and hints should call the program.
func programName(args []string) string {
	if called := calledAs(args); called == pluginProgram || called == pluginCompletion {
		return "kubectl " + program
	}
	return program
}

func calledAs(args []string) string {
	if len(args) == 0 {
		return program
	}
	return strings.TrimSuffix(filepath.Base(args[0]), ".exe")
}

// arguments are those for cobra. kubectl asks kubectl_complete-PLUGIN for completions of a plugin's command line.
func arguments(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	if calledAs(args) == pluginCompletion {
		return append([]string{"__complete"}, args[1:]...)
	}
	return args[1:]
}

// operations are those under way that leave something behind when the run ends at once.
type operations struct {
	mu    sync.Mutex
	lines []string
}

// UnderWay registers an operation that has created, or is about to create, something that must be removed. The
// arguments are those of the cleanup command. The function returned takes it back once all of it is gone.
func (f *Factory) UnderWay(operation string, flags ...string) (gone func()) {
	line := strings.Join(append([]string{"cleanup", operation}, flags...), " ")
	o := f.operations
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, line)
	return sync.OnceFunc(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if i := slices.Index(o.lines, line); i >= 0 {
			o.lines = slices.Delete(o.lines, i, i+1)
		}
	})
}

func (o *operations) commands() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lines)
}

func (o *operations) any() bool { return len(o.commands()) > 0 }
