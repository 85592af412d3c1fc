package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/test/sandbox/cluster"
)

func newLoad(c *common) *cobra.Command {
	return &cobra.Command{
		Use:   "load ARCHIVE...",
		Short: "Import image archives (or directories of *.tar) into every running node",
		Args:  positional(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			handle, err := c.open(cmd)
			if err != nil {
				return err
			}
			return handle.Load(cmd.Context(), args...)
		},
	}
}

func newExec(c *common) *cobra.Command {
	var nodeName string
	cmd := &cobra.Command{
		Use:     "exec [--node NODE] -- COMMAND [ARGUMENT...]",
		Short:   "Run a command in a node's namespaces",
		Example: "  sandbox exec --node node-1 -- iptables-save -t nat",
		Args:    positional(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			handle, err := c.open(cmd)
			if err != nil {
				return err
			}
			streams := cluster.Streams{In: cmd.InOrStdin(), Out: cmd.OutOrStdout(), Err: cmd.ErrOrStderr()}
			code, err := handle.Exec(cmd.Context(), nodeName, streams, args...)
			if err == nil && code != 0 {
				err = exitStatus(code)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&nodeName, "node", "node-0", "node to run in")
	return cmd
}

func newLogs(c *common) *cobra.Command {
	var nodeName string
	cmd := &cobra.Command{
		Use:   "logs COMPONENT",
		Short: "Print a component's log since the last start",
		Long: `Print a component's log since the last start: etcd, apiserver, controller-manager, scheduler,
clusterdns (node-0 only), containerd, kubelet, kube-proxy, init, import.`,
		Args: positional(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			handle, err := c.open(cmd)
			if err != nil {
				return err
			}
			path, err := handle.Log(nodeName, args[0])
			if err != nil {
				return err
			}
			f, err := os.Open(path)
			if err != nil {
				return fmt.Errorf("open log: %w", err)
			}
			defer f.Close() //nolint:errcheck // opened for reading
			_, err = io.Copy(cmd.OutOrStdout(), f)
			return err
		},
	}
	cmd.Flags().StringVar(&nodeName, "node", "node-0", "node whose log to print")
	return cmd
}

func newVolumes(c *common) *cobra.Command {
	var v cluster.Volumes
	var output string
	create := &cobra.Command{
		Use:   "create",
		Short: "Make directories (mode 0770) and local PersistentVolumes for them",
		Long: `Make directories <prefix>-0, <prefix>-1, … (mode 0770) below the local volume root and a
PersistentVolume of kind local for each. The directories have the same path on the machine
and in the nodes; all nodes share them, only node affinity ties a volume to one.`,
		Example: "  sandbox volumes create --count 3 --prefix pv --size 1Gi --node node-0",
		Args:    positional(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			handle, err := c.open(cmd)
			if err != nil {
				return err
			}
			made, err := handle.CreateVolumes(cmd.Context(), v)
			if output == "json" && err == nil {
				return writeJSON(cmd.OutOrStdout(), made)
			}
			for _, volume := range made {
				fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\n", volume.Name, volume.Path)
			}
			return err
		},
	}
	flags := create.Flags()
	flags.IntVar(&v.Count, "count", 1, "how many")
	flags.StringVar(&v.Prefix, "prefix", "pv", "names are <prefix>-0, <prefix>-1, …")
	flags.StringVar(&v.Class, "class", "local", "storage class")
	flags.StringVar(&v.Size, "size", "1Gi", "capacity to claim; nothing enforces it")
	flags.StringVar(&v.Node, "node", "node-0", "node the volumes are tied to")
	flags.StringVar(&v.ReclaimPolicy, "reclaim", "Retain",
		"reclaim policy; nothing removes local volumes, with Delete they become Failed")
	flags.StringSliceVar(&v.AccessModes, "access-mode", []string{"ReadWriteOnce"}, "access modes")
	outputFlag(create, &output)
	volumes := &cobra.Command{Use: "volumes", Short: "Make volumes of class local", Args: positional(cobra.NoArgs)}
	volumes.AddCommand(create)
	return volumes
}
