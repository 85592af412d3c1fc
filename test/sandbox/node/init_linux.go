package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kafkarecover/kafkarecover/test/sandbox/api"
	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
)

const (
	containerdSocket = "/run/containerd/containerd.sock"
	containerdLimit  = 30 * time.Second
	apiLimit         = 2 * time.Minute
	pollInterval     = 20 * time.Millisecond
)

var (
	errNoGo     = errors.New("the starting process ended before it was ready")
	errTimedOut = errors.New("timed out")
)

// Namespaces are those a node has for itself; see namespaces(7).
func Namespaces() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Setsid:     true,
	}
}

// Main is process 1 of node i. It returns only when the node could not start; otherwise it stays until it is ended.
func Main(ctx context.Context, l layout.Layout, i int) error {
	if err := awaitGo(os.NewFile(3, "go")); err != nil {
		return err
	}
	settings, err := ReadSettings(l)
	if err != nil {
		return err
	}
	n := &node{layout: l, settings: settings, index: i}
	if err := n.prepare(); err != nil {
		return err
	}
	if err := n.startAll(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func awaitGo(pipe *os.File) error {
	defer pipe.Close() //nolint:errcheck // read once
	if _, err := io.ReadFull(pipe, make([]byte, 1)); err != nil {
		return errNoGo
	}
	return nil
}

type node struct {
	layout   layout.Layout
	settings Settings
	index    int
	super    *supervisor
}

func (n *node) log(name string) string { return n.layout.Log(n.index, name) }

func (n *node) prepare() error {
	if err := raiseFileLimit(); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(layout.NodeName(n.index))); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if err := arrangeMounts(n.layout, n.settings, n.index); err != nil {
		return err
	}
	if err := os.Chdir(n.layout.Node(n.index)); err != nil {
		return fmt.Errorf("enter node directory: %w", err)
	}
	for _, dir := range []string{"/run/containerd", "/run/lock", "/run/netns", "/var/lib/kubelet", "/var/lib/containerd"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make %q: %w", dir, err)
		}
	}
	var err error
	if n.super, err = newSupervisor(n.layout.Components(n.index)); err != nil {
		return err
	}
	return arrangeNetwork(n.super, n.layout, n.settings.Nodes, n.index)
}

// raiseFileLimit sets it explicitly: Go would give children the low limit of whoever ran the sandbox, and containers
// would inherit that.
func raiseFileLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read file limit: %w", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise file limit: %w", err)
	}
	return nil
}

func (n *node) startAll(ctx context.Context) error {
	l, s := n.layout, n.settings
	if n.index == 0 {
		if err := n.start(etcd(l, s), apiServer(l, s)); err != nil {
			return err
		}
		for i := 1; i < s.Nodes; i++ {
			if err := n.startNode(i); err != nil {
				return fmt.Errorf("start %s: %w", layout.NodeName(i), err)
			}
		}
	}
	for path, content := range configFiles(l, s, n.index) {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	if err := n.start(containerd(l, n.index)); err != nil {
		return err
	}
	if err := n.importImages(ctx); err != nil {
		return err
	}
	if err := n.awaitAPI(ctx); err != nil {
		return err
	}
	if n.index == 0 {
		if err := n.start(controllerManager(l, s), scheduler(l, s), clusterDNS(l, s)); err != nil {
			return err
		}
	}
	return n.start(kubelet(l, s, n.index), kubeProxy(l, s, n.index))
}

func (n *node) start(components ...component) error {
	for _, c := range components {
		if err := n.super.component(c, n.log(c.name)); err != nil {
			return err
		}
	}
	return nil
}

// startNode starts node i in namespaces of its own, nested in this node's PID namespace, and links it to the bridge.
func (n *node) startNode(i int) error {
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	defer write.Close() //nolint:errcheck // closing tells the node to give up, if it was not told to go
	argv := append([]string{"/proc/self/exe"}, InitArgs(n.layout, i)...)
	c := component{name: layout.NodeName(i), argv: argv}
	pid, err := n.super.nodeComponent(c, n.layout.Log(i, "init"), read)
	_ = read.Close()
	if err != nil {
		return err
	}
	veth := fmt.Sprintf("vn%d", i)
	steps := [][]string{
		{"ip", "link", "add", veth, "type", "veth", "peer", "name", peerLink, "netns", strconv.Itoa(pid)},
		{"ip", "link", "set", veth, "master", "br0", "up"},
	}
	for _, argv := range steps {
		if err := n.super.run(n.log("init"), argv...); err != nil {
			return err
		}
	}
	if _, err := write.Write([]byte{1}); err != nil {
		return fmt.Errorf("let it go: %w", err)
	}
	return nil
}

func (n *node) awaitAPI(ctx context.Context) error {
	client, err := api.New(n.layout.Server(), n.layout.PKI())
	if err != nil {
		return err
	}
	defer client.Close()
	return poll(ctx, apiLimit, "the API server to be ready", func() bool { return client.Ready(ctx) })
}

func (n *node) awaitContainerd(ctx context.Context) error {
	return poll(ctx, containerdLimit, "containerd to listen", func() bool {
		c, err := net.Dial("unix", containerdSocket)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func poll(ctx context.Context, limit time.Duration, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait %s for %s: %w", limit, what, errTimedOut)
		case <-time.After(pollInterval):
		}
	}
	return nil
}

// importImages imports archives that this node's containerd has not imported as they are now.
func (n *node) importImages(ctx context.Context) error {
	if err := n.awaitContainerd(ctx); err != nil {
		return err
	}
	stamps := filepath.Join(n.layout.Node(n.index), "imported.json")
	done := readStamps(stamps)
	for _, archive := range n.settings.Images {
		stamp, err := stampOf(archive)
		if err != nil {
			return err
		}
		if done[archive] == stamp {
			continue
		}
		err = n.super.run(n.log("import"), "ctr", "-a", containerdSocket, "-n", "k8s.io", "images", "import", archive)
		if err != nil {
			return fmt.Errorf("import image %q: %w", archive, err)
		}
		done[archive] = stamp
	}
	return writeStamps(stamps, done)
}
