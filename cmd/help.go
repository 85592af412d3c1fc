package cmd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

const exitAnnotation = "exit-status"

// exits notes which exit codes a command has besides those that every command has, for its help.
func exits(cmd *cobra.Command, codes ...exitcode.Code) *cobra.Command {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	var b strings.Builder
	for _, code := range append(codes, exitcode.OK, exitcode.Error, exitcode.Usage, exitcode.Interrupted) {
		fmt.Fprintf(&b, "%d ", code)
	}
	cmd.Annotations[exitAnnotation] = b.String()
	return cmd
}

// exitStatus is the section that ends a command's help. All commands take the texts from one table.
func exitStatus(cmd *cobra.Command) string {
	noted := cmd.Annotations[exitAnnotation]
	if noted == "" {
		return ""
	}
	has := map[exitcode.Code]bool{}
	for s := range strings.FieldsSeq(noted) {
		n, _ := strconv.Atoi(s) // written by exits
		has[exitcode.Code(n)] = true
	}
	var b strings.Builder
	b.WriteString("EXIT STATUS\n")
	for _, code := range exitcode.All() {
		if has[code] {
			fmt.Fprintf(&b, "  %3d  %s\n", code, code.Meaning())
		}
	}
	return b.String()
}

// helpText is what --help prints, for a terminal of a width; 0 leaves lines as they were written.
func helpText(cmd *cobra.Command, width int) string {
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	return reflow(strings.TrimSpace(text), width) + "\n\n" + usageText(cmd, width)
}

// reflow breaks paragraphs anew where a line is too long for the terminal. Indented lines stay as they are.
func reflow(text string, width int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		lines := strings.Split(p, "\n")
		long := slices.ContainsFunc(lines, func(l string) bool { return utf8.RuneCountInString(l) > width })
		indented := slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, " ") })
		if width > 0 && long && !indented {
			paragraphs[i] = strings.Join(output.Wrap(strings.Join(lines, " "), width), "\n")
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// usageText is what follows a command's description in its help. Connection flags are kubectl's own and many: they
// are listed by `options` alone, as kubectl does.
func usageText(cmd *cobra.Command, width int) string {
	var b strings.Builder
	section := func(title, body string) {
		if body = strings.TrimRight(body, " \n"); body != "" {
			fmt.Fprintf(&b, "%s\n%s\n\n", title, body)
		}
	}
	switch {
	case cmd.HasAvailableSubCommands():
		section("Usage:", "  "+cmd.CommandPath()+" [command]")
	default:
		section("Usage:", "  "+cmd.UseLine())
	}
	if cmd.HasExample() {
		section("Examples:", indentExample(cmd))
	}
	subcommands(cmd, section)
	section("Flags:", cmd.LocalNonPersistentFlags().FlagUsagesWrapped(width))
	if cmd.HasParent() {
		section("Global flags:", commonFlags)
	}
	fmt.Fprintf(&b, "%q lists all global flags.\n", cmd.Root().CommandPath()+" options")
	if s := exitStatus(cmd); s != "" {
		b.WriteString("\n" + s)
	}
	return b.String()
}

const commonFlags = `  -n, --namespace, --context, --kubeconfig, … as in kubectl
  -q, --quiet, --log-format text|json, --color auto|always|never, --config file`

// indentExample calls the program in examples by the name it was called by.
func indentExample(cmd *cobra.Command) string {
	var lines []string
	for line := range strings.SplitSeq(strings.Trim(cmd.Example, "\n"), "\n") {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, program+" "); ok {
			line = cmd.Root().CommandPath() + " " + rest
		}
		lines = append(lines, "  "+line)
	}
	return strings.Join(lines, "\n")
}

func subcommands(cmd *cobra.Command, section func(title, body string)) {
	list := func(group string) string {
		var b strings.Builder
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() && sub.GroupID == group {
				fmt.Fprintf(&b, "  %-*s  %s\n", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
		return b.String()
	}
	for _, group := range cmd.Groups() {
		section(group.Title, list(group.ID))
	}
	section("Commands:", list(""))
}
