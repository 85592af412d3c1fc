package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/test/sandbox/api"
	"github.com/kafkarecover/kafkarecover/test/sandbox/cgroup"
	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
	"github.com/kafkarecover/kafkarecover/test/sandbox/node"
	"github.com/kafkarecover/kafkarecover/test/sandbox/toolchain"
)

const (
	readyLimit   = 2 * time.Minute
	pollInterval = 25 * time.Millisecond
	stopLimit    = 30 * time.Second
)

// up holds the lock of the state directory from the first look until the cluster is ready.
func (c *Cluster) up(ctx context.Context, b toolchain.Binaries) error {
	if err := os.MkdirAll(c.layout.State, 0o755); err != nil {
		return fmt.Errorf("make state directory: %w", err)
	}
	// Before the lock file is made: a directory that is not ours stays as it is.
	if _, err := c.ownsState(); err != nil {
		return err
	}
	unlock, err := c.lockState()
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.claimState(); err != nil {
		return err
	}
	if done, err := c.reuse(ctx); done || err != nil {
		return err
	}
	tree, err := cgroup.Machine()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err := c.clean(ctx, tree); err != nil {
		return err
	}
	if err := c.writeState(ctx, b); err != nil {
		return err
	}
	started := c.now()
	if err := c.launch(ctx, b, tree, started); errors.Is(err, ErrForeign) {
		return err // the other cluster's link and cgroups must stay
	} else if err != nil {
		return errors.Join(err, c.giveUp(ctx, tree))
	}
	if err := c.awaitReady(ctx, started); err != nil {
		return errors.Join(err, c.giveUp(ctx, tree))
	}
	return nil
}

// giveUp ends what a failed start left, also when the caller has been cancelled.
func (c *Cluster) giveUp(ctx context.Context, tree cgroup.Tree) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	return c.clean(ctx, tree)
}

// reuse is done when the cluster runs and works. Settings that differ from the running cluster's are an error, since
// applying them would mean ending it. A cluster that runs but does not work is left to be cleaned up.
func (c *Cluster) reuse(ctx context.Context) (done bool, err error) {
	if _, err := c.running(); errors.Is(err, ErrNotRunning) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	s, err := node.ReadSettings(c.layout)
	if err != nil {
		return false, err
	}
	if s.Nodes != c.options.Nodes || s.ProxyMode != c.options.ProxyMode ||
		!slices.Equal(s.APIServerArgs, c.options.APIServerArgs) {
		return false, fmt.Errorf("cluster %d runs with other settings (%d nodes, proxy mode %s, API server arguments %q): "+
			"%w; take it down first", c.layout.ID, s.Nodes, s.ProxyMode, s.APIServerArgs, ErrForeign)
	}
	status, err := c.Status(ctx)
	if err != nil {
		return false, err
	}
	if !status.Ready {
		fmt.Fprintf(c.log, "cluster %d runs but does not work (%s); starting it again\n", c.layout.ID, status.Problem)
		return false, nil
	}
	fmt.Fprintf(c.log, "cluster %d is already running\n", c.layout.ID)
	if len(c.options.Images) == 0 {
		return true, nil
	}
	return true, c.Load(ctx, c.options.Images...)
}

// awaitReady reports each step with the time since the start.
func (c *Cluster) awaitReady(ctx context.Context, started time.Time) error {
	client, err := api.New(c.layout.Server(), c.layout.PKI())
	if err != nil {
		return err
	}
	defer client.Close()
	steps := []struct {
		what string
		done func(context.Context) (bool, error)
	}{
		{"API server ready", func(ctx context.Context) (bool, error) { return client.Ready(ctx), nil }},
		{"storage classes created", func(ctx context.Context) (bool, error) { return createClasses(ctx, client) }},
		{"default service account exists", client.HasDefaultServiceAccount},
		{fmt.Sprintf("%d node(s) Ready", c.options.Nodes), func(ctx context.Context) (bool, error) {
			return c.nodesReady(ctx, client, started)
		}},
	}
	for _, step := range steps {
		if err := c.await(ctx, step.what, step.done); err != nil {
			return err
		}
		fmt.Fprintf(c.log, "%s after %.1f s\n", step.what, c.now().Sub(started).Seconds())
	}
	return nil
}

// await polls until done, failing at once when a component or the whole cluster ended.
func (c *Cluster) await(ctx context.Context, what string, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	var last error
	for {
		ok, err := done(ctx)
		if ok && err == nil {
			return nil
		}
		last = err
		if broken := c.broken(); broken != nil {
			return fmt.Errorf("wait for %q: %w", what, broken)
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait %s for %q: %w; see the logs in %q", readyLimit, what, ctx.Err(),
				c.layout.Logs(0)), last)
		case <-time.After(pollInterval):
		}
	}
}

// broken says which component ended, with the end of its log.
func (c *Cluster) broken() error {
	if _, err := c.running(); err != nil {
		return fmt.Errorf("%w:\n%s", err, tail(c.layout.Log(0, "init")))
	}
	s, err := node.ReadSettings(c.layout)
	if err != nil {
		return err
	}
	for i := range s.Nodes {
		states, err := node.ReadComponents(c.layout, i)
		if err != nil {
			return err
		}
		for _, state := range states {
			if state.Ended == "" {
				continue
			}
			log := c.layout.Log(i, state.Name)
			if state.Name != layout.NodeName(i) && strings.HasPrefix(state.Name, "node-") {
				log = filepath.Join(c.layout.State, state.Name, "logs", "init.log")
			}
			return fmt.Errorf("%s of %s %s:\n%s", state.Name, layout.NodeName(i), state.Ended, tail(log))
		}
	}
	return nil
}

// tail is the end of a log, for error messages.
func tail(path string) string {
	const limit = 1500
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(string(content[max(0, len(content)-limit):]))
	if text == "" {
		return "(its log is empty)"
	}
	return text
}

func (c *Cluster) nodesReady(ctx context.Context, client *api.Client, since time.Time) (bool, error) {
	for i := range c.options.Nodes {
		if ready, err := client.NodeReady(ctx, layout.NodeName(i), since); !ready || err != nil {
			return false, err
		}
	}
	return true, nil
}

// createClasses creates the storage classes that every cluster has. The directories of standard volumes are removed
// with the claim, those of standard-retain stay; volumes of local are made by CreateVolumes.
func createClasses(ctx context.Context, client *api.Client) (bool, error) {
	const hostPath, none = "kubernetes.io/host-path", "kubernetes.io/no-provisioner"
	for _, class := range []api.StorageClass{
		{Name: "standard", Provisioner: hostPath, ReclaimPolicy: "Delete", BindingMode: "Immediate", Default: true},
		{Name: "standard-retain", Provisioner: hostPath, ReclaimPolicy: "Retain", BindingMode: "Immediate"},
		{Name: "local", Provisioner: none, ReclaimPolicy: "Retain", BindingMode: "WaitForFirstConsumer"},
	} {
		if err := client.CreateStorageClass(ctx, class); err != nil && !errors.Is(err, api.ErrExists) {
			return false, err
		}
	}
	return true, nil
}
