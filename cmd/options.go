package cmd

import (
	"fmt"

	"github.com/spf13/cobra"
)

// newOptionsCmd lists the flags that every command has, as `kubectl options` does.
func newOptionsCmd() *cobra.Command {
	return exits(&cobra.Command{
		Use:     "options",
		Short:   "List the flags that every command has",
		GroupID: groupOther,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "These flags can be given to any command:\n\n%s",
				cmd.Root().PersistentFlags().FlagUsages())
			return err
		},
	})
}
