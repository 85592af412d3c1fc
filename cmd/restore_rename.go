package cmd

import (
	"context"
	"crypto/rand"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
)

// renamer returns how a restore renames a directory on a volume: in a temporary pod like those that read.
func (o *restoreOptions) renamer(client *kube.Client) func(context.Context, recovery.RenameRequest) error {
	return func(ctx context.Context, req recovery.RenameRequest) error {
		operation, err := probe.NewOperation(o.factory.Now(), rand.Reader)
		if err != nil {
			return err
		}
		opts, settle := o.factory.lookOptions(operation, &o.reading)
		defer settle()
		opts.OnImage = nil // said when the volumes were read
		tell := o.factory.Progress()
		opts.Observe = func(ev probe.Event) {
			switch ev.Kind { //nolint:exhaustive // the rest is told by the step
			case probe.PodWaiting:
				tell.Infof("%s: %s", ev.Pod, ev.Message)
			case probe.CleanupFailed:
				tell.Warnf("a temporary pod may be left behind: %s", ev.Message)
			}
		}
		return scan.Rename(ctx, client, scan.Renaming{
			Namespace: req.Namespace, Cluster: req.Cluster, Claim: req.Claim, From: req.From, To: req.To, Check: req.Check,
		}, opts)
	}
}
