// Package cluster starts, uses and ends real Kubernetes clusters on one Linux machine, without Docker, a registry or a
// virtual machine. It owns the life of a cluster: what is on the machine because of it, and that nothing is left
// afterwards. It ends only processes it started, named by number and start time.
//
// A cluster is a number (network, cgroups) and a state directory (files). Up starts it, Down ends it and keeps the
// state – the next Up is then a reboot –, Wipe removes the state too.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
	"github.com/kafkarecover/kafkarecover/test/sandbox/node"
	"github.com/kafkarecover/kafkarecover/test/sandbox/process"
	"github.com/kafkarecover/kafkarecover/test/sandbox/toolchain"
)

// Errors that decide what a caller does next.
var (
	// ErrUnsupported says that this machine or user cannot run a cluster; the text says why, in one line.
	ErrUnsupported = errors.New("cannot run a cluster here")
	// ErrNotRunning says that the cluster is not running.
	ErrNotRunning = errors.New("cluster is not running")
	// ErrForeign says that a directory, number or setting belongs to something else, which is left alone.
	ErrForeign = errors.New("in use by something else")
)

// Options describe a cluster. The zero value of every field but State is usable.
type Options struct {
	ID    int    // 0 to 255; clusters with different numbers run side by side
	State string // directory for everything the cluster writes; empty means DefaultState
	Nodes int    // real kubelets; 0 means 1
	// Images are OCI archives, or directories of *.tar archives, imported into every node at the start.
	Images        []string
	APIServerArgs []string // appended to kube-apiserver's flags
	ProxyMode     string   // iptables (default) or nftables
	Source        string   // the directory test/sandbox; empty means where this was compiled from
	Cache         string   // of compiled programs; empty means toolchain.DefaultCache
	// Program is the sandbox program that becomes process 1 of the nodes; empty means the one compiled into the cache.
	Program string
	Log     io.Writer        // narrative; nil means none
	Now     func() time.Time // nil means time.Now
}

// Cluster is a handle on one cluster, running or not.
type Cluster struct {
	layout  layout.Layout
	options Options
	log     io.Writer
	now     func() time.Time
}

// record is what the machine is told apart by after the starting process is gone.
type record struct {
	Init      process.Ref `json:"init"`
	LinkIndex int         `json:"linkIndex"` // of the link on the machine; never reused until reboot
	Started   time.Time   `json:"started"`
}

// DefaultState is ${XDG_STATE_HOME:-~/.local/state}/kafkarecover/sandbox/<id>.
func DefaultState(id int) (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find state directory: %w (name one with --state)", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "kafkarecover", "sandbox", fmt.Sprint(id)), nil
}

// Open returns a handle without changing or requiring anything.
func Open(o Options) (*Cluster, error) {
	if o.State == "" {
		state, err := DefaultState(o.ID)
		if err != nil {
			return nil, err
		}
		o.State = state
	}
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.Nodes < 1 || o.Nodes > layout.MaxNodes {
		return nil, fmt.Errorf("use %d nodes: %w (1 to %d)", o.Nodes, layout.ErrOutOfRange, layout.MaxNodes)
	}
	if o.ProxyMode == "" {
		o.ProxyMode = "iptables"
	}
	l, err := layout.New(o.ID, o.State)
	if err != nil {
		return nil, err
	}
	c := &Cluster{layout: l, options: o, log: o.Log, now: o.Now}
	if c.log == nil {
		c.log = io.Discard
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

// Up starts the cluster and returns when pods can be created in it: API server ready, every node Ready by a report of
// this start, default service account and storage classes there. A cluster that runs with the same settings is
// returned as it is; one that crashed is cleaned up and started again with its state.
func Up(ctx context.Context, o Options) (*Cluster, error) {
	c, err := Open(o)
	if err != nil {
		return nil, err
	}
	if err := supported(); err != nil {
		return nil, err
	}
	if err := installMissing(ctx, c.log); err != nil {
		return nil, err
	}
	binaries, err := c.binaries(ctx)
	if err != nil {
		return nil, err
	}
	return c, c.up(ctx, binaries)
}

// Build compiles what is not compiled yet and installs missing system packages; it starts nothing.
func Build(ctx context.Context, o Options) (toolchain.Binaries, error) {
	c, err := Open(o)
	if err != nil {
		return toolchain.Binaries{}, err
	}
	if err := supported(); err != nil {
		return toolchain.Binaries{}, err
	}
	if err := installMissing(ctx, c.log); err != nil {
		return toolchain.Binaries{}, err
	}
	return c.binaries(ctx)
}

// supported is nil on Linux as root.
func supported() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("%w: it needs Linux, this is %s", ErrUnsupported, runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: it needs root (namespaces, mounts, cgroups), this is user %d", ErrUnsupported, os.Geteuid())
	}
	return nil
}

func (c *Cluster) binaries(ctx context.Context) (toolchain.Binaries, error) {
	o := toolchain.Options{Source: c.options.Source, Cache: c.options.Cache, Log: c.log}
	var err error
	if o.Source == "" {
		if o.Source, err = toolchain.FindSource(); err != nil {
			return toolchain.Binaries{}, err
		}
	}
	if o.Cache == "" {
		if o.Cache, err = toolchain.DefaultCache(); err != nil {
			return toolchain.Binaries{}, err
		}
	}
	return toolchain.Ensure(ctx, o)
}

// ID is the cluster's number.
func (c *Cluster) ID() int { return c.layout.ID }

// State is the cluster's directory.
func (c *Cluster) State() string { return c.layout.State }

// Kubeconfig is the path of the administrator's kubeconfig; it works from the machine.
func (c *Cluster) Kubeconfig() string { return c.layout.Kubeconfig() }

// Server is the URL of the API server.
func (c *Cluster) Server() string { return c.layout.Server() }

// PVRoot is the directory with one directory for each volume of CreateVolumes, named as the volume.
func (c *Cluster) PVRoot() string { return c.layout.PVRoot() }

// HostPathRoot is the directory with one directory for each volume of the class standard. A volume's spec.hostPath.path
// is /tmp/hostpath_pv/<name> inside the nodes and HostPathRoot/<name> on the machine.
func (c *Cluster) HostPathRoot() string { return c.layout.HostPathPVs() }

// Kubectl is the path of the kubectl of the cluster's version.
func (c *Cluster) Kubectl() (string, error) {
	s, err := node.ReadSettings(c.layout)
	return s.Kubectl, err
}

// readRecord returns found false when the cluster was never started or was taken down.
func (c *Cluster) readRecord() (r record, found bool, err error) {
	content, err := os.ReadFile(c.layout.Record())
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("read record of running cluster: %w", err)
	}
	if err := json.Unmarshal(content, &r); err != nil {
		return r, false, fmt.Errorf("read record %q: %w", c.layout.Record(), err)
	}
	return r, true, nil
}

// running returns the record of the cluster if its process 1 lives.
func (c *Cluster) running() (record, error) {
	r, found, err := c.readRecord()
	if err != nil {
		return r, err
	}
	if !found || !r.Init.Alive() {
		return r, fmt.Errorf("cluster %d in %q: %w", c.layout.ID, c.layout.State, ErrNotRunning)
	}
	return r, nil
}

// writeJSON replaces path in one step.
func writeJSON(path string, v any) error {
	content, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %q: %w", path, err)
	}
	temp := path + ".tmp"
	if err := os.WriteFile(temp, append(content, '\n'), 0o644); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}
