package kube

import (
	"flag"
	"fmt"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// Flags are kubectl's own connection flags. It implements Config. The zero value loads the kubeconfig as kubectl does:
// $KUBECONFIG, else ~/.kube/config, else the service account of the pod it runs in.
type Flags struct {
	// Kubeconfig is a file that replaces the default lookup.
	Kubeconfig string
	// Overrides are what flags replace in the kubeconfig.
	Overrides clientcmd.ConfigOverrides
}

// AddFlags binds kubectl's connection flags. kubectl's --cluster is left out: here it names a Kafka cluster.
func (f *Flags) AddFlags(fs *pflag.FlagSet) {
	names := clientcmd.RecommendedConfigOverrideFlags("")
	names.ClusterOverrideFlags.APIServer.ShortName = "s"
	names.ContextOverrideFlags.ClusterName = clientcmd.FlagInfo{}
	names.AuthOverrideFlags.Username = clientcmd.FlagInfo{}
	names.AuthOverrideFlags.Password = clientcmd.FlagInfo{}
	fs.StringVar(&f.Kubeconfig, "kubeconfig", f.Kubeconfig, "Path to the kubeconfig file to use")
	clientcmd.BindOverrideFlags(&f.Overrides, fs, names)
}

// ContextName is the context named by a flag, or empty.
func (f *Flags) ContextName() string { return f.Overrides.CurrentContext }

// ToRawKubeConfigLoader implements Config.
func (f *Flags) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.DefaultClientConfig = &clientcmd.DefaultClientConfig
	rules.ExplicitPath = f.Kubeconfig
	rules.WarnIfAllMissing = false
	overrides := f.Overrides
	overrides.ClusterDefaults = clientcmd.ClusterDefaults
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &overrides)
}

// ToRESTConfig implements Config.
func (f *Flags) ToRESTConfig() (*rest.Config, error) {
	return f.ToRawKubeConfigLoader().ClientConfig()
}

// Contexts lists the context names of the kubeconfig, for shell completion.
func (f *Flags) Contexts() ([]string, error) {
	raw, err := f.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil, fmt.Errorf("load kubeconfig: %w", err)
	}
	names := make([]string, 0, len(raw.Contexts))
	for name := range raw.Contexts {
		names = append(names, name)
	}
	return names, nil
}

// SilenceClientLogs stops client-go from writing its own log to stderr, which belongs to the tool's narrative. It is
// to be called once, before any client is built: klog's logger is process-wide and not guarded. A verbosity above 0
// leaves client-go's log on, at that level.
func SilenceClientLogs(verbosity int) {
	if verbosity == 0 {
		klog.SetLogger(logr.Discard())
		return
	}
	fs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(fs)
	_ = fs.Set("v", fmt.Sprint(verbosity)) // the flag exists and takes any integer
}
