package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/test/sandbox/cgroup"
	"github.com/kafkarecover/kafkarecover/test/sandbox/node"
	"github.com/kafkarecover/kafkarecover/test/sandbox/process"
	"github.com/kafkarecover/kafkarecover/test/sandbox/toolchain"
)

// nodeEnv is all a node gets of the environment: proxies, kubeconfigs and Go settings of the caller stay outside.
func nodeEnv() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
}

// launch starts node 0. The node does nothing until it gets a byte through the pipe, and ends when the pipe closes
// without: should this process be killed on the way, nothing runs that is not on record. The network link comes first,
// because making it is what claims the cluster's number: the kernel lets only one caller have the name.
func (c *Cluster) launch(ctx context.Context, b toolchain.Binaries, tree cgroup.Tree, started time.Time) error {
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	defer write.Close() //nolint:errcheck // closing is the signal to give up, or comes after the go
	pid, err := c.startInit(b, read)
	_ = read.Close()
	if err != nil {
		return err
	}
	ref, err := process.Identify(pid)
	if err != nil {
		return fmt.Errorf("start node: %w:\n%s", err, tail(c.layout.Log(0, "init")))
	}
	index, err := c.link(ctx, pid)
	if err != nil {
		return err
	}
	var children []string
	for i := range c.options.Nodes {
		children = append(children, c.layout.NodeCgroup(i))
	}
	if err := tree.Create(c.layout.Cgroup(), children); err != nil {
		return err
	}
	if err := writeJSON(c.layout.Record(), record{Init: ref, LinkIndex: index, Started: started}); err != nil {
		return err
	}
	if _, err := write.Write([]byte{1}); err != nil {
		return fmt.Errorf("let the node go: %w", err)
	}
	return nil
}

// startInit starts the sandbox program as process 1 of new namespaces, detached from this process's session.
func (c *Cluster) startInit(b toolchain.Binaries, pipe *os.File) (int, error) {
	program := c.options.Program
	if program == "" {
		program = b.Sandbox
	}
	log, err := os.OpenFile(c.layout.Log(0, "init"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return 0, fmt.Errorf("open log of node: %w", err)
	}
	defer log.Close() //nolint:errcheck // the node has its own descriptor
	cmd := exec.Command(program, node.InitArgs(c.layout, 0)...)
	cmd.Env = nodeEnv()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{pipe}
	cmd.SysProcAttr = node.Namespaces()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start node: %w", err)
	}
	// Reaps it should it end while this process lives; afterwards the machine's process 1 does.
	go func() { _ = cmd.Wait() }()
	return cmd.Process.Pid, nil
}

// link makes the pair of links that joins machine and node 0 and returns the index of the machine's end.
func (c *Cluster) link(ctx context.Context, pid int) (int, error) {
	host := c.layout.HostLink()
	if linkIndex(host) != 0 {
		return 0, fmt.Errorf("cluster number %d: link %q exists already, so another state directory uses it: %w",
			c.layout.ID, host, ErrForeign)
	}
	err := ip(ctx, "link", "add", host, "type", "veth", "peer", "name", c.layout.NodeLink(), "netns", strconv.Itoa(pid))
	if err != nil {
		return 0, err
	}
	index := linkIndex(host)
	if err := ip(ctx, "addr", "add", c.layout.HostIP()+"/24", "dev", host); err != nil {
		return 0, err
	}
	return index, ip(ctx, "link", "set", host, "up")
}

// linkIndex is 0 when there is no link of that name.
func linkIndex(name string) int {
	text, err := os.ReadFile("/sys/class/net/" + name + "/ifindex")
	if err != nil {
		return 0
	}
	index, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return index
}

func ip(ctx context.Context, args ...string) error {
	output, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("run \"ip %s\": %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(output)))
	}
	return nil
}
