package cmd

import (
	"context"
	"crypto/rand"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
)

// looker returns how a restore looks at its cluster: with the same eyes as `scan`.
func (o *restoreOptions) looker(
	client *kube.Client,
) func(context.Context, recovery.LookRequest) (*recovery.Observation, error) {
	return func(ctx context.Context, req recovery.LookRequest) (*recovery.Observation, error) {
		operation, err := probe.NewOperation(o.factory.Now(), rand.Reader)
		if err != nil {
			return nil, err
		}
		opts, settle := o.factory.lookOptions(operation, &o.reading)
		defer settle()
		opts.Excluded, opts.ClusterID, opts.Visit = req.Excluded, req.ClusterID, req.Visit
		if req.Depth == recovery.Objects {
			opts.Via = scan.Objects
		}
		seen, err := scan.Look(ctx, client, req.Namespace, req.Name, opts)
		if err != nil {
			return nil, err
		}
		return &recovery.Observation{
			Cluster: seen.Kafka, Volumes: seen.Volumes, Others: seen.Others, Findings: seen.Findings,
			VolumesForbidden: seen.VolumesForbidden,
		}, nil
	}
}
