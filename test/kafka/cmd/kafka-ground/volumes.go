package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/test/kafka/fixture"
)

func newVolumes(c *common) *cobra.Command {
	var out string
	var again bool
	cmd := &cobra.Command{
		Use:   "volumes --out DIR [FIXTURE...]",
		Short: "Run real clusters, end them, and pack their volumes",
		Long: `Run real clusters on the loopback interface (127.0.0.20 and up), end them, and pack their volumes and
what Kafka's own programs say about them. testdata/volumes was made with it. IDs of topics and
directories, and times, are new each time; everything else stays.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usageError{errors.New("--out is required")}
			}
			store, err := c.store(cmd)
			if err != nil {
				return err
			}
			if again {
				return fixture.Ask(cmd.Context(), store, out, args...)
			}
			return fixture.Generate(cmd.Context(), store, out, args...)
		},
	}
	cmd.Flags().BoolVar(&again, "ask-again", false,
		"keep the volumes that are there, and only write anew what Kafka's programs say about them")
	cmd.Flags().StringVar(&out, "out", "", "directory to write to")
	return cmd
}
