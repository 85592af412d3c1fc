package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
)

// setFlag names a StatefulSet that runs Kafka without Strimzi.
const setFlag = "statefulset"

// forKafkaResources are the flags of restore that are about Strimzi's resources. Those that say how long an operator is
// waited for are none of them: a configuration may have them for every restore.
func forKafkaResources() []string {
	return []string{
		"cluster", "cluster-id", "set-aside", "include", "lost", "rebind-claims", "restart-operator", "hold-operator",
		"volumes", "namespace-manifest", "snapshot", "handover",
	}
}

// addSetFlag adds --statefulset, and has what is not for it refused.
func (o *restoreOptions) addSetFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.set, setFlag, "",
		"The StatefulSet `NAME` that runs Kafka without Strimzi, instead of kafka/NAME: its claims are made again for the "+
			"volumes they were of; -f gives its manifest where it is gone; there is no operator that --pause-timeout, "+
			"--settle and --on-alarm could be about")
	for _, flag := range forKafkaResources() {
		if cmd.Flags().Lookup(flag) != nil {
			cmd.MarkFlagsMutuallyExclusive(setFlag, flag)
		}
	}
}

// declaredSet reads the manifest of a StatefulSet; nil where none was given.
func declaredSet(
	ctx context.Context, f *Factory, files []string, namespace, name string,
) (*declared.StatefulSet, error) {
	if len(files) == 0 {
		return nil, nil //nolint:nilnil // none given is no error
	}
	objects, err := declared.Load(ctx, files, f.IO.In)
	if err != nil {
		return nil, exitcode.With(exitcode.Usage, fmt.Errorf("--filename: %w", err))
	}
	set, err := declared.PickSet(objects, namespace, name)
	if err != nil {
		return nil, exitcode.With(exitcode.Usage, fmt.Errorf("--filename: %w", err))
	}
	return set, nil
}

// restoreSet restores a StatefulSet.
func (o *restoreOptions) restoreSet(ctx context.Context, client *kube.Client) (any, error) {
	set, err := declaredSet(ctx, o.factory, o.manifests, client.Namespace(), o.set)
	if err != nil {
		return nil, err
	}
	if set != nil && len(set.Needed) > 0 {
		o.factory.Progress().Warnf("its pods need what is not among the manifests: apply it first where it is gone: %s",
			strings.Join(set.Needed, ", "))
	}
	if set != nil && len(set.Left) > 0 {
		o.factory.Progress().Warnf("left out of the manifests, and for you to apply: %s", strings.Join(set.Left, ", "))
	}
	request := o.request(client.Namespace(), nil, nil)
	request.Name, request.DeclaredSet = o.set, set
	tell, deps, err := o.begin(client)
	if err != nil {
		return nil, err
	}
	defer tell.end()
	result, err := recovery.RestoreSet(ctx, request, deps)
	return result, restoreError(result, setError(err))
}

// setError gives what a look at a StatefulSet ended with its exit code.
func setError(err error) error {
	var missing *scan.NoSetError
	if errors.As(err, &missing) {
		return exitcode.With(exitcode.NotFound, err)
	}
	return err
}

// lookAtSet looks at a StatefulSet for a restore.
func lookAtSet(
	ctx context.Context, client *kube.Client, req recovery.LookRequest, opts scan.Options,
) (*recovery.Observation, error) {
	opts.Place, opts.Released, opts.Lender = true, req.Depth == recovery.Volumes && req.Lender != nil, req.Lender
	if d := req.DeclaredSet; d != nil {
		opts.Set, opts.Configs = d.Planned(), d.Configs()
	}
	seen, err := scan.LookSet(ctx, client, req.Namespace, req.Name, opts)
	if err != nil {
		return nil, err
	}
	return &recovery.Observation{
		Set: seen.Set, Planned: seen.Set.Declared, Volumes: seen.Volumes, Others: seen.Others, Findings: seen.Findings,
		VolumesForbidden: seen.VolumesForbidden, Placements: seen.Placements, Going: seen.Going,
	}, nil
}
