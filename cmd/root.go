package cmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kafkarecover/kafkarecover/pkg/config"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
)

const rootLong = `Bring Strimzi Kafka clusters back from retained volumes.

When the Kafka resource, its namespace or the whole Kubernetes cluster is gone
and the disks are left, this program reads the disks, proves what is on them,
and brings the same cluster back. Reading never writes, no volume is ever
deleted or formatted, and what would be silent loss is refused.

The first minute of a disaster:

  protect     sets every volume to Retain and saves what is still visible
  scan        reads the volumes and says what is wrong
  restore     brings the cluster back`

// The groups of commands in the help of the root.
const (
	groupRecover = "recover"
	groupInspect = "inspect"
	groupOther   = "other"
)

// NewRoot returns the whole command tree.
func NewRoot(f *Factory) *cobra.Command {
	root := &cobra.Command{
		Use:           program,
		Short:         "Bring Strimzi Kafka clusters back from retained volumes",
		Long:          rootLong,
		SilenceErrors: true,
		SilenceUsage:  true,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: f.Name},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return exitcode.With(exitcode.Usage, f.configure(cmd))
		},
	}
	root.SetIn(f.IO.In)
	root.SetOut(f.IO.Out)
	root.SetErr(f.IO.ErrOut)
	root.AddGroup(
		&cobra.Group{ID: groupRecover, Title: "Recover a cluster:"},
		&cobra.Group{ID: groupInspect, Title: "Look at what is on volumes, without a JVM:"},
		&cobra.Group{ID: groupOther, Title: "Other commands:"},
	)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	f.addGlobalFlags(root.PersistentFlags())
	f.KubeFlags.AddFlags(root.PersistentFlags())
	root.AddCommand(commands(f)...)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exitcode.With(exitcode.Usage, err) })
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		_, err := io.WriteString(cmd.OutOrStderr(), usageText(cmd, 0))
		return err
	})
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		width := 0
		if f.IO.OutTTY {
			width = f.IO.Width()
		}
		_, _ = io.WriteString(cmd.OutOrStdout(), helpText(cmd, width)) // a reader that went away needs no help
	})
	f.completeGlobals(root)
	return root
}

func (f *Factory) addGlobalFlags(fs *pflag.FlagSet) {
	fs.StringVar(&f.global.config, "config", "",
		"Configuration `file` (default $XDG_CONFIG_HOME/kafkarecover/config.yaml)")
	fs.Var(&f.global.logFormat, "log-format", "How progress and errors are told on stderr")
	fs.BoolVarP(&f.global.quiet, "quiet", "q", false, "Tell nothing on stderr but errors")
	fs.IntVarP(&f.global.verbosity, "v", "v", 0, "Verbosity of the Kubernetes client's own log")
	fs.Var(&f.global.colour, "color", "When to use colour")
}

// configure gives flags that the command line left alone their values from the environment and the configuration file.
func (f *Factory) configure(cmd *cobra.Command) error {
	if takesNoConfig(cmd) {
		return nil
	}
	source := config.Source{Getenv: f.Getenv, Path: f.global.config}
	settings, err := source.Load(func() config.Known { return known(cmd.Root()) })
	if err != nil {
		return err
	}
	path := strings.Fields(cmd.CommandPath())
	if err := settings.Apply(cmd.Flags(), strings.Join(path[len(strings.Fields(f.Name)):], ".")); err != nil {
		return err
	}
	f.IO.Colour = iostreams.Colour(f.global.colour)
	return nil
}

// takesNoConfig tells the commands that must work even when the configuration does not.
func takesNoConfig(cmd *cobra.Command) bool {
	for c := cmd; c.HasParent(); c = c.Parent() {
		switch c.Name() {
		case "help", "completion", "version", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
			return true
		}
	}
	return false
}

// known collects what a configuration file may set.
func known(root *cobra.Command) config.Known {
	k := config.Known{Flags: map[string]bool{}, Commands: map[string]bool{}}
	var visit func(cmd *cobra.Command, path string)
	visit = func(cmd *cobra.Command, path string) {
		add := func(fl *pflag.Flag) { k.Flags[fl.Name] = true }
		cmd.Flags().VisitAll(add)
		cmd.PersistentFlags().VisitAll(add)
		for _, sub := range cmd.Commands() {
			name := strings.TrimPrefix(path+"."+sub.Name(), ".")
			k.Commands[name] = true
			visit(sub, name)
		}
	}
	visit(root, "")
	return k
}

type logFormat string

const (
	logText logFormat = "text"
	logJSON logFormat = "json"
)

// String implements pflag.Value.
func (l *logFormat) String() string { return string(*l) }

// Type implements pflag.Value.
func (l *logFormat) Type() string { return "text|json" }

// Set implements pflag.Value.
func (l *logFormat) Set(s string) error {
	if s != string(logText) && s != string(logJSON) {
		return fmt.Errorf("%q is none of text, json", s)
	}
	*l = logFormat(s)
	return nil
}

type colour string

// String implements pflag.Value.
func (c *colour) String() string { return string(*c) }

// Type implements pflag.Value.
func (c *colour) Type() string { return "auto|always|never" }

// Set implements pflag.Value.
func (c *colour) Set(s string) error {
	switch iostreams.Colour(s) {
	case iostreams.ColourAuto, iostreams.ColourAlways, iostreams.ColourNever:
		*c = colour(s)
		return nil
	default:
		return fmt.Errorf("%q is none of auto, always, never", s)
	}
}
