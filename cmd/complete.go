package cmd

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// completionTimeout bounds what a person waits after pressing TAB.
const completionTimeout = 3 * time.Second

// lookup lists names for completion. It is only called when a shell asks.
type lookup func(ctx context.Context, client *kube.Client) ([]string, error)

// fromCluster turns a lookup into cobra's form. A cluster that does not answer completes to nothing, silently: an
// error message would land in the command line being typed.
func (f *Factory) fromCluster(find lookup) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		client, err := f.Kube()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		ctx, cancel := context.WithTimeout(ctx, completionTimeout)
		defer cancel()
		names, err := find(ctx, client)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return startingWith(names, typed), cobra.ShellCompDirectiveNoFileComp
	}
}

func startingWith(names []string, typed string) []string {
	var out []string
	for _, n := range names {
		if strings.HasPrefix(n, typed) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

func (f *Factory) completeGlobals(root *cobra.Command) {
	completeFlag(root, "log-format", string(logText), string(logJSON))
	completeFlag(root, "color", "auto", "always", "never")
	contexts := func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		names, err := f.KubeFlags.Contexts()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return startingWith(names, typed), cobra.ShellCompDirectiveNoFileComp
	}
	for flag, complete := range map[string]cobra.CompletionFunc{
		"context": contexts, "namespace": f.fromCluster(namespaceNames),
	} {
		if err := root.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic(err) // the flag was not added first: the root is built in every test
		}
	}
}

func namespaceNames(ctx context.Context, client *kube.Client) ([]string, error) {
	return objectNames(ctx, client, kube.Namespaces(), "", "")
}

// objectNames lists the names of objects of a kind with a prefix, as in "pvc/".
func objectNames(
	ctx context.Context, client *kube.Client, gvr schema.GroupVersionResource, namespace, prefix string,
) ([]string, error) {
	list, err := client.List(ctx, gvr, namespace, kube.ListOptions{})
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(list.Items))
	for i := range list.Items {
		names = append(names, prefix+list.Items[i].GetName())
	}
	return names, nil
}

// clusterNames lists the Kafka resources of the namespace asked for.
func clusterNames(prefix string) lookup {
	return func(ctx context.Context, client *kube.Client) ([]string, error) {
		for _, version := range strimzi.Versions() {
			names, err := objectNames(ctx, client, strimzi.KafkaGVR(version), client.Namespace(), prefix)
			if !kube.IsNotFound(err) {
				return names, err
			}
		}
		return nil, nil
	}
}

// targetNames lists what a TYPE/NAME argument can name: Kafka resources and claims of the namespace.
func targetNames(ctx context.Context, client *kube.Client) ([]string, error) {
	names, err := clusterNames("kafka/")(ctx, client)
	if err != nil {
		return nil, err
	}
	claims, err := objectNames(ctx, client, kube.Claims(), client.Namespace(), "pvc/")
	return append(names, claims...), err
}

// claimNames lists the claims of the namespace, without a prefix.
func claimNames(ctx context.Context, client *kube.Client) ([]string, error) {
	return objectNames(ctx, client, kube.Claims(), client.Namespace(), "")
}
