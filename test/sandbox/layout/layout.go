// Package layout owns the names, addresses and paths of one sandbox cluster. Everything is derived from the cluster's
// number and its state directory, so that clusters with different numbers cannot meet: link, cgroups and network carry
// the number, files lie in the state directory. It touches nothing on the machine.
package layout

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Limits of the address plan 10.231.<id>.0/24: .1 is the machine, .2 is node 0, .3 is node 1 and so on.
const (
	MaxID    = 255
	MaxNodes = 64
)

// Addresses that are the same in every cluster: each has a network namespace of its own.
const (
	ServiceCIDR   = "10.96.0.0/16"
	APIServiceIP  = "10.96.0.1"
	PodCIDR       = "10.244.0.0/16"
	APIServerPort = 6443
	// HostPathRoot is where the controller-manager's host-path provisioner makes volumes: hard-coded in
	// k8s.io/kubernetes/pkg/volume/hostpath. Inside the nodes the state directory is mounted there.
	HostPathRoot = "/tmp/hostpath_pv"
	// PauseImage and BusyboxImage are made on this machine; their registry does not exist.
	PauseImage   = "sandbox.test/pause:1"
	BusyboxImage = "sandbox.test/busybox:1"
)

// ErrOutOfRange says that a cluster or node number does not fit the address plan.
var ErrOutOfRange = errors.New("out of range")

// Layout is one cluster: its number and its state directory (absolute).
type Layout struct {
	ID    int
	State string
}

// New checks the number and makes the state directory absolute.
func New(id int, state string) (Layout, error) {
	if id < 0 || id > MaxID {
		return Layout{}, fmt.Errorf("use cluster number %d: %w (0 to %d)", id, ErrOutOfRange, MaxID)
	}
	abs, err := filepath.Abs(state)
	if err != nil {
		return Layout{}, fmt.Errorf("resolve state directory %q: %w", state, err)
	}
	return Layout{ID: id, State: abs}, nil
}

// HostLink is the one network link of the cluster on the machine; its existence is also the claim on the number.
func (l Layout) HostLink() string { return fmt.Sprintf("sbxh%d", l.ID) }

// NodeLink is the other end of HostLink, inside node 0.
func (l Layout) NodeLink() string { return fmt.Sprintf("sbxc%d", l.ID) }

// Cgroup is the name of the cluster's directory in every cgroup hierarchy.
func (l Layout) Cgroup() string { return fmt.Sprintf("sbx%d", l.ID) }

// NodeCgroup is the directory of one node below Cgroup.
func (l Layout) NodeCgroup(i int) string { return fmt.Sprintf("n%d", i) }

// HostIP is the machine's address in the cluster's network.
func (l Layout) HostIP() string { return fmt.Sprintf("10.231.%d.1", l.ID) }

// NodeIP is the address of a node; node 0 carries the API server.
func (l Layout) NodeIP(i int) string { return fmt.Sprintf("10.231.%d.%d", l.ID, i+2) }

// PodSubnet is the range of one node's pods.
func PodSubnet(i int) string { return fmt.Sprintf("10.244.%d.0/24", i) }

// Server is the URL of the API server, the same from the machine and from inside.
func (l Layout) Server() string { return fmt.Sprintf("https://%s:%d", l.NodeIP(0), APIServerPort) }

// NodeName is the Kubernetes name of a node.
func NodeName(i int) string { return fmt.Sprintf("node-%d", i) }

// PKI is the directory of keys, certificates and kubeconfigs.
func (l Layout) PKI() string { return filepath.Join(l.State, "pki") }

// Kubeconfig is the administrator's kubeconfig for use on the machine.
func (l Layout) Kubeconfig() string { return filepath.Join(l.State, "kubeconfig") }

// Etcd is the data directory of etcd.
func (l Layout) Etcd() string { return filepath.Join(l.State, "etcd") }

// PVRoot is where directories of local volumes lie, at the same path on the machine and in the nodes.
func (l Layout) PVRoot() string { return filepath.Join(l.State, "pv") }

// HostPathPVs is where the machine sees what the nodes see below HostPathRoot.
func (l Layout) HostPathPVs() string { return filepath.Join(l.State, "hostpath_pv") }

// Images is where the image archives made for the cluster lie.
func (l Layout) Images() string { return filepath.Join(l.State, "images") }

// Settings is the file with the cluster's settings; its presence marks a directory as a sandbox's state.
func (l Layout) Settings() string { return filepath.Join(l.State, "cluster.json") }

// Record is the file that says which process is the running cluster; absent when it was taken down.
func (l Layout) Record() string { return filepath.Join(l.State, "running.json") }

// Lock is the file that up and down lock against each other.
func (l Layout) Lock() string { return filepath.Join(l.State, "lock") }

// Node is the directory of one node.
func (l Layout) Node(i int) string { return filepath.Join(l.State, NodeName(i)) }

// Logs is the directory of one node's component logs.
func (l Layout) Logs(i int) string { return filepath.Join(l.Node(i), "logs") }

// Log is the log file of one component, for example "kubelet".
func (l Layout) Log(i int, component string) string {
	return filepath.Join(l.Logs(i), component+".log")
}

// Components is the file in which a node's init records its components and their ends.
func (l Layout) Components(i int) string { return filepath.Join(l.Node(i), "components.json") }
