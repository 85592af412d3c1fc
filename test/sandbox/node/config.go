// Package node is what runs inside a node's namespaces: process 1, which arranges mounts and network, starts the
// components and reaps. Node 0 also carries the control plane and starts the other nodes inside its own PID namespace,
// so that ending node 0's process 1 ends everything. It never touches the machine outside its namespaces.
package node

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
)

// Settings are everything a node needs to know, stored in the state directory. They are decided once per start.
type Settings struct {
	ID            int      `json:"id"`
	Nodes         int      `json:"nodes"`
	Kubeall       string   `json:"kubeall"`
	ClusterDNS    string   `json:"clusterDNS"`
	Kubectl       string   `json:"kubectl"`
	Images        []string `json:"images"`        // archives to import, absolute paths
	APIServerArgs []string `json:"apiServerArgs"` // appended to kube-apiserver's own
	ProxyMode     string   `json:"proxyMode"`     // iptables or nftables
}

// ReadSettings reads the settings of the cluster.
func ReadSettings(l layout.Layout) (Settings, error) {
	var s Settings
	content, err := os.ReadFile(l.Settings())
	if err != nil {
		return s, fmt.Errorf("read settings: %w", err)
	}
	if err := json.Unmarshal(content, &s); err != nil {
		return s, fmt.Errorf("read settings %q: %w", l.Settings(), err)
	}
	return s, nil
}

// containerdConfig is containerd 1.6's. restrict_oom_score_adj: without CAP_SYS_RESOURCE runc cannot lower a score and
// every pod fails with "can't get final child's PID from pipe: EOF".
const containerdConfig = `version = 2
root = %q
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  disable_apparmor = true
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "/usr/sbin/runc"
        SystemdCgroup = false
`

// cniConfig gives every pod a link of its own and routes; there is nothing to masquerade, because nothing leaves.
const cniConfig = `{"cniVersion":"0.4.0","name":"sbx","plugins":[
 {"type":"ptp","ipMasq":false,"mtu":1500,"ipam":{"type":"host-local","dataDir":"/run/cni-ipam",
  "ranges":[[{"subnet":%q}]],"routes":[{"dst":"0.0.0.0/0"}]}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
`

// kubeletConfig: values are JSON, which is YAML. Image garbage collection is off, since nothing could be pulled again;
// rates are unlimited, since nobody else shares the API server.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: %q
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %q}}
authorization: {mode: Webhook}
tlsCertFile: %q
tlsPrivateKeyFile: %q
clusterDomain: cluster.local
clusterDNS: [%q]
resolvConf: %q
failSwapOn: false
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 100Mi, nodefs.available: 1%%, imagefs.available: 1%%, nodefs.inodesFree: 1%%}
serializeImagePulls: false
registryPullQPS: 0
eventRecordQPS: 0
kubeAPIQPS: 500
kubeAPIBurst: 1000
syncFrequency: 10s
nodeStatusReportFrequency: 1m
podLogsDir: /var/log/pods
volumePluginDir: /var/lib/kubelet/volume-plugins
address: %q
healthzBindAddress: 127.0.0.1
`

// proxyConfig leaves the machine's connection tracking limits alone: they are not namespaced.
const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: %q
clientConnection: {kubeconfig: %q}
clusterCIDR: %q
hostnameOverride: %q
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`

// corefile: names outside the cluster do not exist, said at once instead of after a timeout.
const corefile = `.:53 {
  bind %s
  errors
  cache 5
  kubernetes cluster.local in-addr.arpa {
    kubeconfig %s sandbox
    pods verified
    ttl 5
  }
  template IN ANY . {
    rcode NXDOMAIN
  }
}
`

// configFiles are the configuration files of node i, by path.
func configFiles(l layout.Layout, s Settings, i int) map[string]string {
	dir, name, pki := l.Node(i), layout.NodeName(i), l.PKI()
	in := func(elem ...string) string { return filepath.Join(append([]string{dir}, elem...)...) }
	files := map[string]string{
		in("containerd.toml"):        fmt.Sprintf(containerdConfig, in("containerd"), layout.PauseImage, in("cni")),
		in("cni", "10-sbx.conflist"): fmt.Sprintf(cniConfig, layout.PodSubnet(i)),
		in("kubelet.yaml"): fmt.Sprintf(
			kubeletConfig, "/"+l.Cgroup()+"/"+l.NodeCgroup(i), filepath.Join(pki, "ca.crt"),
			filepath.Join(pki, "kubelet-server-"+name+".crt"), filepath.Join(pki, "kubelet-server-"+name+".key"),
			l.NodeIP(0), in("resolv.conf"), l.NodeIP(i),
		),
		in("proxy.yaml"): fmt.Sprintf(
			proxyConfig, s.ProxyMode, filepath.Join(pki, "kube-proxy.kubeconfig"), layout.PodCIDR, name,
		),
	}
	if i == 0 {
		files[in("Corefile")] = fmt.Sprintf(corefile, l.NodeIP(0), l.Kubeconfig())
	}
	return files
}
