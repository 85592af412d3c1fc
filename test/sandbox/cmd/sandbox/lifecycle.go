package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/test/sandbox/cluster"
	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
)

func newUp(c *common) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the cluster (or restart a crashed one) and wait until pods can be created",
		Long: `Start the cluster and wait until pods can be created. Kept state makes this a reboot:
objects and volumes are there again, pods are restarted. A cluster that runs already is
left alone; one that crashed is cleaned up and started again.`,
		Example: `  sandbox up --nodes 3
  sandbox up --id 1 --state /tmp/other
  sandbox up --apiserver-arg=--feature-gates=MutatingAdmissionPolicy=true \
    --apiserver-arg=--runtime-config=admissionregistration.k8s.io/v1beta1=true`,
		Args: positional(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find own program: %w", err)
			}
			c.Program, c.Log = program, cmd.ErrOrStderr()
			up, err := cluster.Up(cmd.Context(), c.Options)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "export KUBECONFIG=%s\n", up.Kubeconfig())
			return err
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&c.Nodes, "nodes", 1, fmt.Sprintf("number of nodes, 1 to %d", layout.MaxNodes))
	flags.StringArrayVar(&c.Images, "image", nil,
		"image archive, or directory of *.tar, to import into every node (repeatable)")
	flags.StringArrayVar(&c.APIServerArgs, "apiserver-arg", nil, "argument to append to kube-apiserver's (repeatable)")
	flags.StringVar(&c.ProxyMode, "proxy-mode", "iptables", "kube-proxy's mode: iptables or nftables")
	return cmd
}

func newDown(c *common) *cobra.Command {
	var wipe bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "End the cluster; keep its state unless --wipe",
		Args:  positional(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			handle, err := c.open(cmd)
			if err != nil {
				return err
			}
			if wipe {
				return handle.Wipe(cmd.Context())
			}
			return handle.Down(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&wipe, "wipe", false, "remove the state directory as well")
	return cmd
}

func newBuild(c *common) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Compile what is not in the cache and install missing system packages, nothing else",
		Args:  positional(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Log = cmd.ErrOrStderr()
			b, err := cluster.Build(cmd.Context(), c.Options)
			if err != nil {
				return err
			}
			programs := []string{b.Kubeall, b.Kubectl, b.ClusterDNS, b.Pause, b.Sandbox}
			if output == "json" {
				return writeJSON(cmd.OutOrStdout(), b)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.Join(programs, "\n"))
			return err
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func newStatus(c *common) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say whether the cluster runs, its nodes, processes and paths",
		Args:  positional(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			handle, err := c.open(cmd)
			if err != nil {
				return err
			}
			status, err := handle.Status(cmd.Context())
			if err != nil {
				return err
			}
			if output == "json" {
				return writeJSON(cmd.OutOrStdout(), status)
			}
			return printStatus(cmd.OutOrStdout(), status)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func printStatus(w io.Writer, s cluster.Status) error {
	condition := "ready"
	if !s.Ready {
		condition = s.Problem
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "cluster\t%d\t%s\n", s.ID, condition)
	fmt.Fprintf(table, "state\t%s\nkubeconfig\t%s\nserver\t%s\n", s.State, s.Kubeconfig, s.Server)
	fmt.Fprintf(table, "local volumes\t%s\nhost-path volumes\t%s\n", s.PVRoot, s.HostPathRoot)
	for _, n := range s.Nodes {
		fmt.Fprintf(table, "%s\t%s\tpid %d\n", n.Name, n.IP, n.PID)
		for _, component := range n.Components {
			end := component.Ended
			if end == "" {
				end = fmt.Sprintf("pid %d", component.PID)
			}
			fmt.Fprintf(table, "  %s\t\t%s\n", component.Name, end)
		}
	}
	return table.Flush()
}

func newKubeconfig(c *common) *cobra.Command {
	var contents bool
	cmd := &cobra.Command{
		Use:     "kubeconfig",
		Short:   "Print the path of the administrator's kubeconfig",
		Example: "  export KUBECONFIG=$(sandbox kubeconfig --id 1)",
		Args:    positional(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			handle, err := c.open(cmd)
			if err != nil {
				return err
			}
			content, err := os.ReadFile(handle.Kubeconfig())
			if err != nil {
				return fmt.Errorf("read kubeconfig: %w (was the cluster ever started?)", err)
			}
			if !contents {
				content = []byte(handle.Kubeconfig() + "\n")
			}
			_, err = cmd.OutOrStdout().Write(content)
			return err
		},
	}
	cmd.Flags().BoolVar(&contents, "contents", false, "print the file instead of its path")
	return cmd
}

func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "text", "output format: text or json")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if *output != "text" && *output != "json" {
			return usageError{fmt.Errorf("output format %q is neither text nor json", *output)}
		}
		return nil
	}
}

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
