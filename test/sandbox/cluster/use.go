package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kafkarecover/kafkarecover/test/sandbox/api"
	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
	"github.com/kafkarecover/kafkarecover/test/sandbox/node"
)

// Streams are a command's standard streams; nil ones are empty or discarded.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Exec runs argv in the namespaces of a node ("node-0") as root and returns its exit code. err is for everything that
// is not the command's own failure.
func (c *Cluster) Exec(ctx context.Context, nodeName string, streams Streams, argv ...string) (code int, err error) {
	if len(argv) == 0 {
		return 0, errors.New("run command in node: no command given")
	}
	cmd, err := c.enter(ctx, nodeName, []string{"--mount", "--pid", "--net", "--uts", "--ipc"}, argv)
	if err != nil {
		return 0, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = streams.In, streams.Out, streams.Err
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run %q in %s: %w", argv[0], nodeName, err)
	}
	return 0, nil
}

// enter prepares a command in some of a node's namespaces.
func (c *Cluster) enter(ctx context.Context, nodeName string, namespaces, argv []string) (*exec.Cmd, error) {
	r, err := c.running()
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(strings.TrimPrefix(nodeName, "node-"))
	if err != nil || layout.NodeName(number) != nodeName {
		return nil, fmt.Errorf("find node %q: names are node-0, node-1, …", nodeName)
	}
	pid, err := c.nodePID(r, number)
	if err != nil {
		return nil, err
	}
	args := append([]string{"--target", strconv.Itoa(pid)}, namespaces...)
	cmd := exec.CommandContext(ctx, "nsenter", append(append(args, "--"), argv...)...)
	cmd.Env = nodeEnv()
	if term := os.Getenv("TERM"); term != "" {
		cmd.Env = append(cmd.Env, "TERM="+term)
	}
	return cmd, nil
}

// Load imports OCI archives (or directories of *.tar archives) into every node of the running cluster.
func (c *Cluster) Load(ctx context.Context, paths ...string) error {
	archives, err := expandArchives(paths)
	if err != nil {
		return err
	}
	if _, err := c.running(); err != nil {
		return err
	}
	s, err := node.ReadSettings(c.layout)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range s.Nodes {
		group.Go(func() error {
			for _, archive := range archives {
				if err := c.loadOne(ctx, layout.NodeName(i), archive); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// loadOne feeds the archive through standard input: the node does not see the machine's /tmp.
func (c *Cluster) loadOne(ctx context.Context, nodeName, archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("load image: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	argv := []string{"ctr", "-a", "/run/containerd/containerd.sock", "-n", "k8s.io", "images", "import", "-"}
	cmd, err := c.enter(ctx, nodeName, []string{"--mount"}, argv)
	if err != nil {
		return err
	}
	var output bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = f, &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("load image %q into %s: %w: %s", archive, nodeName, err, strings.TrimSpace(output.String()))
	}
	fmt.Fprintf(c.log, "loaded %s into %s\n", filepath.Base(archive), nodeName)
	return nil
}

// Volumes describe local volumes to make: <Prefix>-0, <Prefix>-1, … with directories of mode 0770 in PVRoot.
type Volumes struct {
	Count         int
	Prefix        string // "pv"
	Class         string // "local"
	Size          string // "1Gi"
	Node          string // "node-0"
	ReclaimPolicy string // "Retain"
	AccessModes   []string
}

// Volume is one volume made.
type Volume struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// CreateVolumes makes directories and PersistentVolumes of kind local for them. A name that exists is an error; the
// volumes made before it stay.
func (c *Cluster) CreateVolumes(ctx context.Context, v Volumes) ([]Volume, error) {
	if _, err := c.running(); err != nil {
		return nil, err
	}
	client, err := api.New(c.layout.Server(), c.layout.PKI())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var made []Volume
	for i := range v.Count {
		volume := Volume{Name: fmt.Sprintf("%s-%d", v.Prefix, i)}
		volume.Path = filepath.Join(c.PVRoot(), volume.Name)
		if filepath.Dir(volume.Path) != c.PVRoot() {
			return made, fmt.Errorf("make volume %q: a prefix is part of a name, not a path", volume.Name)
		}
		if err := os.Mkdir(volume.Path, 0o770); err != nil {
			return made, fmt.Errorf("make directory of volume %q: %w", volume.Name, err)
		}
		if err := os.Chmod(volume.Path, 0o770); err != nil { // whatever the umask
			return made, fmt.Errorf("make directory of volume %q: %w", volume.Name, err)
		}
		err := client.CreateLocalVolume(ctx, api.LocalVolume{
			Name: volume.Name, Class: v.Class, Size: v.Size, Node: v.Node, Path: volume.Path,
			ReclaimPolicy: v.ReclaimPolicy, AccessModes: v.AccessModes,
		})
		if err != nil {
			return made, errors.Join(err, os.Remove(volume.Path))
		}
		made = append(made, volume)
	}
	return made, nil
}

// Log is the path of a component's log, for example Log("node-0", "kubelet"). Components are etcd, apiserver,
// controller-manager, scheduler, clusterdns (node-0 only), containerd, kubelet, kube-proxy, init and import.
func (c *Cluster) Log(nodeName, component string) (string, error) {
	if component != filepath.Base(component) || nodeName != filepath.Base(nodeName) {
		return "", fmt.Errorf("find log of %q on %q: these are names, not paths", component, nodeName)
	}
	path := filepath.Join(c.layout.State, nodeName, "logs", component+".log")
	if !fileExists(path) {
		logs, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.log"))
		for i, log := range logs {
			logs[i] = strings.TrimSuffix(filepath.Base(log), ".log")
		}
		return "", fmt.Errorf("find log of %q on %s: there is none; there are: %s",
			component, nodeName, strings.Join(logs, ", "))
	}
	return path, nil
}
