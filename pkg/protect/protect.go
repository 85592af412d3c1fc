// Package protect owns the first minute of a disaster: Retain on every volume of a cluster or namespace, and whatever
// the API server still has saved into a folder; and the way back, for volumes that are Bound. It reads no disk, makes
// no pod, deletes nothing and takes no finalizer away.
package protect

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Deps are what this package needs from outside.
type Deps struct {
	Kube *kube.Client
	// Now is the clock; Random yields the tail of an operation's name.
	Now    func() time.Time
	Random io.Reader
	// StateDir is the folder that operations keep their own folder in.
	StateDir string
	// OnVolume is called when a volume has been dealt with; it may be nil.
	OnVolume func(done, total int)
}

// operationName returns a name such as protect-20261124-031502-9f3a: sortable by start time (UTC).
func (d *Deps) operationName(verb string) (string, error) {
	var tail [2]byte
	if _, err := io.ReadFull(d.Random, tail[:]); err != nil {
		return "", fmt.Errorf("name the operation: %w", err)
	}
	return verb + "-" + d.Now().UTC().Format("20060102-150405") + "-" + hex.EncodeToString(tail[:]), nil
}

// Run sets Retain on every volume in scope and saves everything that is still visible, side by side. The result tells
// what became of each volume, also when the run was interrupted. Nothing that cannot be seen, and no folder that cannot
// be written, keeps it from protecting what it can.
func Run(ctx context.Context, d Deps, scope Scope) (*Result, error) {
	operation, err := d.operationName("protect")
	if err != nil {
		return nil, err
	}
	r := &Result{
		TypeMeta: output.Meta("Protection"), Operation: operation, Started: d.Now().UTC(), Origin: d.Kube.Origin(),
		Cluster: scope.Cluster, Volumes: []Volume{},
	}
	if len(scope.Volumes) == 0 {
		r.Namespace = scope.Namespace
	}
	g := newGathering(d.Kube)
	w, err := g.find(ctx, scope)
	if err != nil {
		return nil, err
	}
	todo := w.choose(scope)
	for _, c := range todo {
		r.Volumes = append(r.Volumes, described(c))
	}
	if len(todo) == 0 {
		r.gathered(g)
		return r, nil
	}
	f := r.open(d)
	var group errgroup.Group
	group.Go(func() error { g.rest(ctx, g.namespaces(scope)); return nil })
	group.Go(func() error { r.protect(ctx, d, todo, g.volumesListed); return nil })
	_ = group.Wait() // what became of each volume is in the result, what was not listed in the gathering
	r.gathered(g)
	r.close(f, g)
	return r, ctx.Err()
}

// open makes the folder and writes the record of what is about to be done.
func (r *Result) open(d Deps) *folder {
	f, err := newFolder(d.StateDir, r.Operation)
	if err != nil {
		r.fail(err)
		return nil
	}
	r.Folder = f.path
	if err := f.record(r); err != nil {
		r.fail(err)
	}
	return f
}

func (r *Result) close(f *folder, g *gathering) {
	if f == nil {
		return
	}
	saved, err := f.save(g)
	r.Saved = saved
	if err != nil {
		r.fail(err)
	}
	if err := errors.Join(f.record(r), f.close()); err != nil {
		r.fail(err)
	}
}

func (r *Result) fail(err error) {
	r.failed = true
	r.Problems = append(r.Problems, err.Error())
}

// gathered notes what could not be listed.
func (r *Result) gathered(g *gathering) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.NotVisible, r.blind = g.hidden, g.blind != nil
	for _, err := range g.failed {
		r.fail(err)
	}
}

// protect sets Retain on the volumes, as many side by side as the API server can be asked to take.
func (r *Result) protect(ctx context.Context, d Deps, todo []chosen, listed bool) {
	var group errgroup.Group
	group.SetLimit(requestsAtOnce)
	var mu sync.Mutex
	done := 0
	for i, c := range todo {
		group.Go(func() error {
			r.Volumes[i].protect(ctx, d.Kube, c, listed)
			mu.Lock()
			defer mu.Unlock()
			if done++; d.OnVolume != nil {
				d.OnVolume(done, len(todo))
			}
			return nil
		})
	}
	_ = group.Wait() // every outcome is in its volume
}

// protect sets Retain on one volume and says what became of it.
func (v *Volume) protect(ctx context.Context, k *kube.Client, c chosen, listed bool) {
	before := c.pv
	if before == nil && !listed {
		u, err := k.Get(ctx, kube.Volumes(), "", c.name)
		if err != nil && !kube.IsNotFound(err) {
			v.State, v.Reason = Unprotected, err.Error()
			return
		}
		if err == nil {
			pv := volume.ParsePersistentVolume(u.Object)
			before = &pv
			*v = described(chosen{name: c.name, pv: before, claim: c.claim, note: c.note})
		}
	}
	if before == nil {
		v.State, v.Reason = Gone, "there is no such volume"
		return
	}
	after := before
	if before.ReclaimPolicy != volume.PolicyRetain {
		var err error
		if after, err = Retain(ctx, k, before, nil); err != nil {
			v.refused(err, after)
			return
		}
	}
	v.fill(after)
	v.Held = held(after, c.claim)
	v.State, v.Reason = judge(before, after)
}

// refused says why Retain is not on a volume. back is the volume as read back, where it was.
func (v *Volume) refused(err error, back *volume.PersistentVolume) {
	v.State, v.Reason = Unprotected, err.Error()
	if back != nil {
		v.fill(back)
	}
	switch {
	case kube.IsNotFound(err):
		v.State, v.Reason = Gone, "it was removed before Retain was set"
	case kube.IsConflict(err):
		v.State, v.Reason = Gone, "another volume of the same name has taken its place"
	}
}

// judge tells a volume that is safe from one that something was already deleting. Retain makes the volume controller
// and the provisioner leave the disk alone from then on, and does not call back what they were told before.
func judge(before, after *volume.PersistentVolume) (State, string) {
	switch {
	case after.UID != before.UID:
		return Gone, "another volume of the same name has taken its place"
	case after.Phase == volume.PhaseFailed:
		return InFlight, "deleting its disk was tried and failed: look whether the disk is whole"
	case before.ReclaimPolicy != volume.PolicyRetain && after.Phase == volume.PhaseReleased:
		return InFlight, fmt.Sprintf("it was %s with the policy %s: its disk may be being deleted already, look for it",
			after.Phase, before.ReclaimPolicy)
	case after.Terminating:
		return InFlight, "the volume is being deleted: Retain keeps the disk, and its description is saved"
	default:
		return Safe, ""
	}
}
