// Command kubectl is the ordinary kubectl of the same Kubernetes version as the cluster, with the same command tree as
// the official binary. It is a program of its own so that measurements against it are not coloured by kubeall's size.
package main

import (
	"os"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // exec and OIDC credentials, as in the official binary
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	// Verbosity is needed before cobra parses flags: plugins and .kuberc are handled during construction.
	_, _ = logs.GlogSetter(cmd.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
