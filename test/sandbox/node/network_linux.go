package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
)

// PeerLink is the name of the other nodes' link inside them.
const peerLink = "eth0"

// linkCommands are the ip(8) batch lines that set up node i's side of the network. Node 0 holds the bridge that joins
// the machine and the other nodes. There is no default route: nothing in here can reach beyond machine and nodes, and
// pulling an unknown image fails at once.
func linkCommands(l layout.Layout, nodes, i int) []string {
	commands := []string{"link set lo up"}
	device := peerLink
	if i == 0 {
		device = "br0"
		commands = append(commands, "link add br0 type bridge", "link set "+l.NodeLink()+" master br0 up")
	}
	commands = append(commands, fmt.Sprintf("addr add %s/24 dev %s", l.NodeIP(i), device), "link set "+device+" up")
	for other := range nodes {
		if other != i {
			commands = append(commands, fmt.Sprintf("route add %s via %s", layout.PodSubnet(other), l.NodeIP(other)))
		}
	}
	return commands
}

func arrangeNetwork(s *supervisor, l layout.Layout, nodes, i int) error {
	batch := filepath.Join(l.Node(i), "ip.batch")
	text := strings.Join(linkCommands(l, nodes, i), "\n") + "\n"
	if err := os.WriteFile(batch, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write network commands: %w", err)
	}
	if err := s.run(l.Log(i, "init"), "ip", "-batch", batch); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1\n"), 0o644); err != nil {
		return fmt.Errorf("allow forwarding: %w", err)
	}
	// Present only with br_netfilter; bridged traffic between nodes must not meet the Services' rules twice.
	_ = os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-iptables", []byte("0\n"), 0o644)
	return nil
}
