package node

import (
	"path/filepath"

	"github.com/kafkarecover/kafkarecover/test/sandbox/layout"
)

// component is one long-running program of a node; name is also its log's name.
type component struct {
	name string
	argv []string
}

// Names of the components; node 0 runs all, others the last three.
const (
	Etcd              = "etcd"
	APIServer         = "apiserver"
	ControllerManager = "controller-manager"
	Scheduler         = "scheduler"
	ClusterDNS        = "clusterdns"
	Containerd        = "containerd"
	Kubelet           = "kubelet"
	KubeProxy         = "kube-proxy"
)

func etcd(l layout.Layout, s Settings) component {
	const client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	return component{Etcd, []string{
		s.Kubeall, "etcd", "--name", "sbx", "--data-dir", l.Etcd(),
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "sbx=" + peer,
		// A crash of the machine may lose the cluster's objects; a crash of the cluster does not.
		"--unsafe-no-fsync", "--log-level", "warn",
		// The most that etcd supports. Sweeps with hundreds of runs were seen to fill the default 2 GiB within 24 minutes;
		// every write fails from then on.
		"--quota-backend-bytes", "8589934592",
	}}
}

func apiServer(l layout.Layout, s Settings) component {
	in := func(file string) string { return filepath.Join(l.PKI(), file) }
	argv := []string{
		s.Kubeall, "kube-apiserver", "--etcd-servers", "http://127.0.0.1:2379",
		"--bind-address", "0.0.0.0", "--advertise-address", l.NodeIP(0), "--secure-port", "6443",
		"--service-cluster-ip-range", layout.ServiceCIDR, "--client-ca-file", in("ca.crt"),
		"--tls-cert-file", in("apiserver.crt"), "--tls-private-key-file", in("apiserver.key"),
		"--kubelet-certificate-authority", in("ca.crt"),
		"--kubelet-client-certificate", in("apiserver-kubelet-client.crt"),
		"--kubelet-client-key", in("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types", "InternalIP",
		"--service-account-issuer", "https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file", in("sa.pub"), "--service-account-signing-key-file", in("sa.key"),
		"--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction",
		"--allow-privileged=true", "--anonymous-auth=false",
		"--requestheader-client-ca-file", in("ca.crt"), "--requestheader-allowed-names", "front-proxy-client",
		"--requestheader-username-headers", "X-Remote-User", "--requestheader-group-headers", "X-Remote-Group",
		"--requestheader-extra-headers-prefix", "X-Remote-Extra-",
		"--proxy-client-cert-file", in("front-proxy-client.crt"), "--proxy-client-key-file", in("front-proxy-client.key"),
	}
	return component{APIServer, append(argv, s.APIServerArgs...)}
}

// fastClient: with the default 20 requests a second the service account controller starts seconds late.
func fastClient() []string { return []string{"--kube-api-qps", "500", "--kube-api-burst", "1000"} }

func controllerManager(l layout.Layout, s Settings) component {
	in := func(file string) string { return filepath.Join(l.PKI(), file) }
	argv := []string{
		s.Kubeall, "kube-controller-manager", "--kubeconfig", in("controller-manager.kubeconfig"),
		"--leader-elect=false", "--use-service-account-credentials",
		"--service-account-private-key-file", in("sa.key"), "--root-ca-file", in("ca.crt"),
		"--cluster-signing-cert-file", in("ca.crt"), "--cluster-signing-key-file", in("ca.key"),
		"--service-cluster-ip-range", layout.ServiceCIDR, "--enable-hostpath-provisioner",
		"--bind-address", "127.0.0.1", "--cluster-name", "sbx",
	}
	return component{ControllerManager, append(argv, fastClient()...)}
}

func scheduler(l layout.Layout, s Settings) component {
	argv := []string{
		s.Kubeall, "kube-scheduler", "--kubeconfig", filepath.Join(l.PKI(), "scheduler.kubeconfig"),
		"--leader-elect=false", "--bind-address", "127.0.0.1",
	}
	return component{Scheduler, append(argv, fastClient()...)}
}

func containerd(l layout.Layout, i int) component {
	return component{Containerd, []string{"/usr/bin/containerd", "-c", filepath.Join(l.Node(i), "containerd.toml")}}
}

func kubelet(l layout.Layout, s Settings, i int) component {
	name := layout.NodeName(i)
	return component{Kubelet, []string{
		s.Kubeall, "kubelet", "--config", filepath.Join(l.Node(i), "kubelet.yaml"),
		"--kubeconfig", filepath.Join(l.PKI(), "kubelet-"+name+".kubeconfig"),
		"--root-dir", "/var/lib/kubelet", "--cert-dir", l.Node(i), "--hostname-override", name, "--node-ip", l.NodeIP(i),
	}}
}

func kubeProxy(l layout.Layout, s Settings, i int) component {
	return component{KubeProxy, []string{s.Kubeall, "kube-proxy", "--config", filepath.Join(l.Node(i), "proxy.yaml")}}
}

func clusterDNS(l layout.Layout, s Settings) component {
	return component{ClusterDNS, []string{s.ClusterDNS, "-conf", filepath.Join(l.Node(0), "Corefile")}}
}
