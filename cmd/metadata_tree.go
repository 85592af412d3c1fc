package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/tree"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

const metadataTreeLong = `The tree is that of kafka-metadata-shell (image/topics/byName, image/cluster/brokers, …; the
short layout of releases before 3.5, such as topics/NAME/0/data, is found too), but of snapshot
and log together. Paths may have *, ?, [abc] and {a,b}.`

type metadataTreeOptions struct {
	factory *Factory
	command string
	source  metadataSource
	at      int64
	style   *choice
	args    []string
}

// newMetadataTreeCmd makes one of ls, cat, find and tree.
func newMetadataTreeCmd(f *Factory, command, short string) *cobra.Command {
	o := &metadataTreeOptions{factory: f, command: command}
	cmd := &cobra.Command{
		Use:     command + " [NODE…]",
		Short:   short,
		Long:    short + ".\n\n" + metadataTreeLong,
		Example: "kafkarecover metadata " + command + " --dir /mnt/controller-0 image/topics/byName",
		RunE:    f.do(o, output.NewValue()),
	}
	o.addFlags(cmd)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

func newMetadataShellCmd(f *Factory) *cobra.Command {
	o := &metadataTreeOptions{factory: f, command: "shell"}
	cmd := &cobra.Command{
		Use:   "shell",
		Short: "Walk the metadata as a tree, interactively or from a pipe",
		Long: "Walk the metadata as a tree, interactively (history, completion with TAB) or from a pipe.\n\n" +
			metadataTreeLong,
		Example: "kafkarecover metadata shell --dir /mnt/controller-0\necho ls image | kafkarecover metadata shell --dir .",
		Args:    cobra.NoArgs,
		RunE:    f.do(o, output.NewValue()),
	}
	o.addFlags(cmd)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

func newMetadataManCmd(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "man [COMMAND]",
		Short: "Explain a command of the metadata shell",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s := tree.Shell{Out: f.IO.Out}
			if err := s.Run(append([]string{"man"}, args...)...); err != nil {
				return err
			}
			if s.Missing() > 0 {
				return exitcode.With(exitcode.NotFound, errors.New("the shell has no such command"))
			}
			return nil
		},
	}
	return exits(cmd, exitcode.NotFound)
}

func (o *metadataTreeOptions) addFlags(cmd *cobra.Command) {
	o.source.addFlags(cmd)
	cmd.Flags().Int64Var(&o.at, "at", 0, "Show the cluster as it was before this `OFFSET` of the log (default its end)")
	names := []string{"auto"}
	for _, s := range tree.Styles() {
		names = append(names, string(s))
	}
	o.style = newChoice(names...)
	cmd.Flags().Var(o.style, "style", "Kafka release whose texts are printed; auto follows metadata.version")
	completeFlag(cmd, "style", names...)
}

// Complete implements action. Without --dir the first argument is the file or folder to read.
func (o *metadataTreeOptions) Complete(ctx context.Context, args []string) error {
	if len(o.source.dirs) == 0 && len(args) > 0 {
		o.args = args[1:]
		return o.source.open(ctx, o.factory, args[:1])
	}
	o.args = args
	return o.source.open(ctx, o.factory, nil)
}

// Validate implements action.
func (o *metadataTreeOptions) Validate() error {
	if o.command == "cat" && len(o.args) == 0 {
		return errors.New("name the nodes to show, such as image/features/metadataVersion")
	}
	if o.at < 0 {
		return errors.New("--at takes an offset of the log, 0 or more")
	}
	return nil
}

// Run implements action.
func (o *metadataTreeOptions) Run(ctx context.Context) (any, error) {
	defer o.source.close()
	im, title, err := o.source.single(o.at)
	if err != nil {
		return nil, err
	}
	opts := tree.Options{ShowSecrets: o.source.secrets, Version: buildVersion(), Commit: "-"}
	if o.style.value != "auto" {
		opts.Style = tree.Style(o.style.value)
	}
	shell := &tree.Shell{Root: tree.New(im, opts), Out: contextWriter{ctx, o.factory.IO.Out}, Escape: o.escape()}
	if o.factory.IO.OutTTY {
		shell.Width = o.factory.IO.Width()
	}
	if o.command == "shell" {
		err = o.interact(ctx, shell)
	} else if err = shell.Run(append([]string{o.command}, o.args...)...); err == nil && shell.Missing() > 0 {
		err = exitcode.With(exitcode.NotFound, fmt.Errorf("%d path(s) not found", shell.Missing()))
	}
	return nil, errors.Join(err, o.factory.tellReport(title, im.Report()))
}

// escape keeps control characters of names and values from a terminal; a pipe gets the bytes as Kafka's shell gives
// them.
func (o *metadataTreeOptions) escape() func(string) string {
	if o.factory.IO.OutTTY {
		return output.Escape
	}
	return nil
}

// interact reads commands until the end of input or exit.
func (o *metadataTreeOptions) interact(ctx context.Context, shell *tree.Shell) error {
	streams := o.factory.IO
	if streams.InTTY && streams.OutTTY {
		return o.terminal(ctx, shell)
	}
	lines := bufio.NewScanner(streams.In)
	for lines.Scan() && ctx.Err() == nil {
		if err := shell.Run(strings.Fields(lines.Text())...); errors.Is(err, tree.ErrExit) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return errors.Join(lines.Err(), ctx.Err())
}

// terminal gives line editing, history and completion.
func (o *metadataTreeOptions) terminal(ctx context.Context, shell *tree.Shell) error {
	restore, err := rawInput(o.factory.IO.In)
	if err != nil {
		return err
	}
	defer restore()
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{o.factory.IO.In, o.factory.IO.Out}, ">> ")
	t.AutoCompleteCallback = func(typed string, pos int, key rune) (string, int, bool) {
		if key != '\t' {
			return "", 0, false
		}
		completed := completeLine(typed[:pos], shell.Complete(typed[:pos]))
		return completed + typed[pos:], len(completed), true
	}
	shell.Out = t
	for ctx.Err() == nil {
		typed, err := t.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read command: %w", err)
		}
		if err := shell.Run(strings.Fields(typed)...); errors.Is(err, tree.ErrExit) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// completeLine extends the last word to what all candidates begin with, and ends it when there is only one.
func completeLine(typed string, candidates []string) string {
	if len(candidates) == 0 {
		return typed
	}
	common := candidates[0]
	for _, c := range candidates[1:] {
		for !strings.HasPrefix(c, common) {
			common = common[:len(common)-1]
		}
	}
	if len(candidates) == 1 && !strings.HasSuffix(common, "/") {
		common += " "
	}
	start := strings.LastIndexByte(typed, ' ') + 1
	return typed[:start] + common
}

// rawInput puts a terminal into raw mode and returns what puts it back.
func rawInput(in io.Reader) (restore func(), err error) {
	file, ok := in.(interface{ Fd() uintptr })
	if !ok {
		return func() {}, nil
	}
	fd := int(file.Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("prepare terminal: %w", err)
	}
	return func() { _ = term.Restore(fd, state) }, nil
}
