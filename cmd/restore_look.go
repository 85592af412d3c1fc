package cmd

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/progress"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
)

// looker returns how a restore looks at its cluster: with the same eyes as `scan`.
func (o *restoreOptions) looker(
	client *kube.Client,
) func(context.Context, recovery.LookRequest) (*recovery.Observation, error) {
	var image *probe.ImageOffer
	return func(ctx context.Context, req recovery.LookRequest) (*recovery.Observation, error) {
		operation, err := probe.NewOperation(o.factory.Now(), rand.Reader)
		if err != nil {
			return nil, err
		}
		opts, _ := o.factory.lookOptions(operation, &o.reading)
		tell := &lookProgress{reporter: o.factory.Progress(), title: "read the volumes of " + req.Named()}
		defer tell.settle()
		opts.Observe = tell.observe
		if image != nil {
			opts.OnImage = nil // said once
		} else {
			say := opts.OnImage
			opts.OnImage = func(i probe.ImageOffer) { image = &i; say(i) }
		}
		opts.Excluded, opts.ClusterID, opts.Visit = req.Excluded, req.ClusterID, req.Visit
		opts.SetAside, opts.Held, opts.Known = req.SetAside, req.Held, req.Known
		opts.Planned, opts.Rebind, opts.Lender, opts.Include = req.Planned, req.Rebind, req.Lender, req.Include
		opts.Released = req.Planned != nil || req.Rebind
		if req.Depth == recovery.Objects {
			opts.Via, opts.Released = scan.Objects, false // what is not read is not borrowed either
		}
		opts.Lost = req.Lost
		if req.Depth == recovery.Running { // again and again: what is read when is not told
			opts.Via, opts.Released, opts.Observe = scan.Exec, false, nil
		}
		if req.Leave != nil {
			opts.Removal = &scan.Removal{}
			req.Leave(opts.Removal.Wait)
		}
		if req.StatefulSet {
			return lookAtSet(ctx, client, req, opts)
		}
		seen, err := scan.Look(ctx, client, req.Namespace, req.Name, opts)
		if err != nil {
			return nil, err
		}
		return &recovery.Observation{
			Cluster: seen.Kafka, Volumes: seen.Volumes, Others: seen.Others, Findings: seen.Findings,
			VolumesForbidden: seen.VolumesForbidden, Planned: seen.Planned, Placements: seen.Placements,
			LetGo: seen.LetGo, Displaced: seen.Displaced, Unnamed: seen.Unnamed, Going: seen.Going,
		}, nil
	}
}

// lookProgress tells one of a restore's several looks as one step: which claim was read when matters less there than
// where the restore stands.
type lookProgress struct {
	reporter *progress.Reporter
	title    string

	mu           sync.Mutex
	step         *progress.Step
	read, unread int
}

func (p *lookProgress) observe(ev probe.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.step == nil {
		p.step = p.reporter.Step("read", p.title)
	}
	switch ev.Kind {
	case probe.PodWaiting, probe.GroupSplit:
		p.step.Update("%s: %s", ev.Pod, ev.Message)
	case probe.ClaimRead:
		p.read++
	case probe.ClaimUnread:
		p.unread++
		p.reporter.Warnf("%s", ev.Message)
	case probe.CleanupFailed:
		p.reporter.Warnf("temporary pods may be left behind: %s", ev.Message)
	case probe.PodCreating, probe.PodStarted, probe.ClaimListed, probe.PodRemoving, probe.PodsGone:
	}
}

func (p *lookProgress) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.unread > 0:
		p.step.Fail("%d read, %d not", p.read, p.unread)
	case p.step != nil:
		p.step.Done("%d read", p.read)
	}
}
