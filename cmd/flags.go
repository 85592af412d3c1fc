package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// addOutputFlag adds -o.
func addOutputFlag(cmd *cobra.Command, format *output.Value) {
	cmd.Flags().VarP(format, "output", "o", "How the result is printed")
	completeFlag(cmd, "output", strings.Split(format.Type(), "|")...)
}

// completeFlag makes a flag complete to one of a fixed set of values.
func completeFlag(cmd *cobra.Command, flag string, values ...string) {
	complete := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag was not added first: every command is built in every test
	}
}

// choice is a flag that takes one of a fixed set of values; it implements pflag.Value.
type choice struct {
	value   string
	allowed []string
}

// newChoice returns a choice that starts at the first of the allowed values.
func newChoice(allowed ...string) *choice { return &choice{value: allowed[0], allowed: allowed} }

// String implements pflag.Value.
func (c *choice) String() string { return c.value }

// Type implements pflag.Value; it is what help shows.
func (c *choice) Type() string { return strings.Join(c.allowed, "|") }

// Set implements pflag.Value.
func (c *choice) Set(s string) error {
	for _, a := range c.allowed {
		if a == s {
			c.value = s
			return nil
		}
	}
	return fmt.Errorf("%q is none of %s", s, strings.Join(c.allowed, ", "))
}
