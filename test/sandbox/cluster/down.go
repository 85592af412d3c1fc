package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/test/sandbox/cgroup"
)

// linkGone bounds the wait for the kernel to take down the network of a cluster that has ended.
const linkGone = 5 * time.Second

// Down ends the cluster and keeps its state. Ending one that does not run only removes what a crash left.
func (c *Cluster) Down(ctx context.Context) error { return c.down(ctx, false) }

// Wipe is Down and removes the state directory.
func (c *Cluster) Wipe(ctx context.Context) error { return c.down(ctx, true) }

func (c *Cluster) down(ctx context.Context, wipe bool) error {
	if err := supported(); err != nil {
		return err
	}
	tree, err := cgroup.Machine()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if _, err := os.Stat(c.layout.State); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(c.log, "cluster %d is not running\n", c.layout.ID)
		return c.clean(ctx, tree)
	}
	if _, err := c.ownsState(); err != nil {
		return err
	}
	unlock, err := c.lockState()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := c.running(); errors.Is(err, ErrNotRunning) {
		fmt.Fprintf(c.log, "cluster %d is not running\n", c.layout.ID)
	}
	if err := c.clean(ctx, tree); err != nil {
		return err
	}
	if !wipe {
		return nil
	}
	return c.removeState()
}

// clean ends the cluster's process 1, which ends everything in its namespaces, and removes what stays on the machine:
// link, cgroups, record. What belongs to another cluster with the same number is left alone.
func (c *Cluster) clean(ctx context.Context, tree cgroup.Tree) error {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	if err := c.end(ctx); err != nil {
		return err
	}
	link := c.layout.HostLink()
	for deadline := time.Now().Add(linkGone); linkIndex(link) != 0; {
		if time.Now().After(deadline) {
			fmt.Fprintf(c.log, "link %q belongs to another cluster with number %d; it and its cgroups are left alone\n",
				link, c.layout.ID)
			return c.forget()
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("wait for link %q to go: %w", link, err)
		}
	}
	for {
		left, err := tree.Remove(c.layout.Cgroup())
		if err != nil {
			return err
		}
		if len(left) == 0 {
			return c.forget()
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("remove cgroups (a process is still in %s): %w", strings.Join(left, ", "), err)
		}
	}
}

// end ends the recorded process 1 and waits until it is gone.
func (c *Cluster) end(ctx context.Context) error {
	r, found, err := c.readRecord()
	if err != nil || !found || !r.Init.Alive() {
		return err
	}
	if err := r.Init.Kill(); err != nil && r.Init.Alive() {
		return err
	}
	for r.Init.Alive() {
		if err := pause(ctx); err != nil {
			return fmt.Errorf("wait for process %d to end: %w", r.Init.PID, err)
		}
	}
	// The link goes with the network namespace, but only after a while; an index is not used twice.
	link := c.layout.HostLink()
	if index := linkIndex(link); index == 0 || index != r.LinkIndex {
		return nil
	}
	if err := ip(ctx, "link", "del", link); err != nil && linkIndex(link) == r.LinkIndex {
		return err
	}
	return nil
}

// forget removes the record of the running cluster.
func (c *Cluster) forget() error {
	if err := os.Remove(c.layout.Record()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove record of running cluster: %w", err)
	}
	return nil
}

// removeState removes the state directory if it is a sandbox's and nothing is mounted in it.
func (c *Cluster) removeState() error {
	state := c.layout.State
	owned, err := c.ownsState()
	if err != nil {
		return err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("look for mounts in %q: %w", state, err)
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4]+"/", state+"/") {
			return fmt.Errorf("remove state directory %q: %q is mounted in it: %w", state, fields[4], ErrForeign)
		}
	}
	if !owned {
		// Only a lock is in it: made by this call or by one that never got further.
		if err := os.Remove(c.layout.Lock()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove lock: %w", err)
		}
		if err := os.Remove(state); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove state directory: %w", err)
		}
		return nil
	}
	if err := os.RemoveAll(state); err != nil {
		return fmt.Errorf("remove state directory: %w", err)
	}
	return nil
}

// pause waits for the next look at the machine.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pollInterval):
		return nil
	}
}
