package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/kafkarecover/kafkarecover/test/sandbox/api"
	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
	"github.com/kafkarecover/kafkarecover/test/sandbox/node"
	"github.com/kafkarecover/kafkarecover/test/sandbox/process"
	"github.com/kafkarecover/kafkarecover/test/sandbox/toolchain"
)

// Status is what is known of a cluster. Paths are there whether it runs or not.
type Status struct {
	ID      int    `json:"id"`
	Running bool   `json:"running"`           // its process 1 lives
	Ready   bool   `json:"ready"`             // and its API server and every component work
	Problem string `json:"problem,omitempty"` // why it is not ready
	State   string `json:"state"`
	// Version is the Kubernetes version.
	Version    string `json:"version"`
	Server     string `json:"server"`
	Kubeconfig string `json:"kubeconfig"`
	Kubectl    string `json:"kubectl,omitempty"`
	// PVRoot holds a directory for each volume made by "volumes create"; the same path in the nodes.
	PVRoot string `json:"pvRoot"`
	// HostPathRoot holds a directory for each volume of the classes standard and standard-retain; /tmp/hostpath_pv in
	// the nodes.
	HostPathRoot string       `json:"hostPathRoot"`
	Nodes        []NodeStatus `json:"nodes,omitempty"`
}

// NodeStatus is one node of a running cluster.
type NodeStatus struct {
	Name       string            `json:"name"`
	IP         string            `json:"ip"`
	PID        int               `json:"pid"` // its process 1, as this machine numbers it
	Components []ComponentStatus `json:"components"`
}

// ComponentStatus is one component; PID is this machine's number, 0 when it has ended.
type ComponentStatus struct {
	Name  string `json:"name"`
	PID   int    `json:"pid,omitempty"`
	Ended string `json:"ended,omitempty"`
	Log   string `json:"log"`
}

// Status looks at the cluster; it changes nothing and takes no lock.
func (c *Cluster) Status(ctx context.Context) (Status, error) {
	l := c.layout
	st := Status{
		ID: l.ID, State: l.State, Version: toolchain.Version, Server: l.Server(), Kubeconfig: l.Kubeconfig(),
		PVRoot: l.PVRoot(), HostPathRoot: l.HostPathPVs(),
	}
	s, err := node.ReadSettings(l)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return st, err
	}
	st.Kubectl = s.Kubectl
	r, err := c.running()
	if errors.Is(err, ErrNotRunning) {
		st.Problem = "not running"
		return st, nil
	}
	if err != nil {
		return st, err
	}
	st.Running = true
	for i := range s.Nodes {
		status, err := c.nodeStatus(r, i)
		if err != nil {
			return st, err
		}
		st.Nodes = append(st.Nodes, status)
	}
	st.Problem = c.problem(ctx, st)
	st.Ready = st.Problem == ""
	return st, nil
}

// problem is the first reason why a running cluster is not usable.
func (c *Cluster) problem(ctx context.Context, st Status) string {
	for _, n := range st.Nodes {
		for _, component := range n.Components {
			if component.Ended != "" {
				return fmt.Sprintf("%s of %s %s", component.Name, n.Name, component.Ended)
			}
		}
		// kube-proxy is what a node starts last.
		if n.PID == 0 || len(n.Components) == 0 || n.Components[len(n.Components)-1].Name != node.KubeProxy {
			return n.Name + " is starting"
		}
	}
	client, err := api.New(c.layout.Server(), c.layout.PKI())
	if err != nil {
		return err.Error()
	}
	defer client.Close()
	if !client.Ready(ctx) {
		return "the API server is not ready"
	}
	return ""
}

func (c *Cluster) nodeStatus(r record, i int) (NodeStatus, error) {
	st := NodeStatus{Name: layout.NodeName(i), IP: c.layout.NodeIP(i), Components: []ComponentStatus{}}
	pid, err := c.nodePID(r, i)
	if errors.Is(err, ErrNotRunning) {
		return st, nil
	}
	if err != nil {
		return st, err
	}
	st.PID = pid
	states, err := node.ReadComponents(c.layout, i)
	if err != nil {
		return st, err
	}
	for _, state := range states {
		component := ComponentStatus{Name: state.Name, Ended: state.Ended, Log: c.layout.Log(i, state.Name)}
		if state.Ended == "" {
			component.PID = childByNumber(pid, state.PID)
		}
		st.Components = append(st.Components, component)
	}
	return st, nil
}

// nodePID is the machine's number of node i's process 1. Other nodes are children of node 0's process 1, which recorded
// them by the numbers of its own namespace.
func (c *Cluster) nodePID(r record, i int) (int, error) {
	if i == 0 {
		return r.Init.PID, nil
	}
	states, err := node.ReadComponents(c.layout, 0)
	if err != nil {
		return 0, err
	}
	for _, state := range states {
		if state.Name == layout.NodeName(i) && state.Ended == "" {
			if pid := childByNumber(r.Init.PID, state.PID); pid != 0 {
				return pid, nil
			}
		}
	}
	return 0, fmt.Errorf("find %s of cluster %d: %w", layout.NodeName(i), c.layout.ID, ErrNotRunning)
}

// childByNumber finds the child of parent (a process 1) that has the given number in parent's PID namespace; 0 if none.
func childByNumber(parent, number int) int {
	depth, err := process.Numbers(parent)
	if err != nil {
		return 0
	}
	children, err := process.Children(parent)
	if err != nil {
		return 0
	}
	for _, child := range children {
		// A child that is process 1 of a nested namespace has one number more than its parent.
		numbers, err := process.Numbers(child)
		if at := len(depth) - 1; err == nil && at < len(numbers) && numbers[at] == number {
			return child
		}
	}
	return 0
}
