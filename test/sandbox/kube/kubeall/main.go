// Command kubeall is one static binary that holds every server of a Kubernetes cluster: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, kubelet and kube-proxy. The first argument (or argv[0]) chooses one; a
// process never runs more than that one. It adds nothing to the components and changes nothing in them: their own
// flags follow the name.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	_ "time/tzdata" // CronJob time zones, as in the official binaries

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics, as in the official binaries
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// etcd is not a cobra command of ours: its main function parses os.Args itself.
const etcd = "etcd"

func command(name string) *cobra.Command {
	switch name {
	case "kube-apiserver":
		return apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		return controllermanager.NewControllerManagerCommand()
	case "kube-scheduler":
		return scheduler.NewSchedulerCommand()
	case "kubelet":
		return kubelet.NewKubeletCommand(context.Background())
	case "kube-proxy":
		return kubeproxy.NewProxyCommand()
	default:
		return nil
	}
}

func main() {
	args := os.Args
	if strings.HasPrefix(filepath.Base(args[0]), "kubeall") {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: kubeall etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kubelet|kube-proxy [flags]")
		os.Exit(2)
	}
	name := filepath.Base(args[0])
	// The components read os.Args themselves and print its first element as their name.
	os.Args = append([]string{name}, args[1:]...)
	if name == etcd {
		etcdmain.Main(os.Args)
		return
	}
	cmd := command(name)
	if cmd == nil {
		fmt.Fprintf(os.Stderr, "kubeall: no component %q\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(cmd))
}
