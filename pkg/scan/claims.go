package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// claimReader reads the claims of one cluster.
type claimReader struct {
	client  *kube.Client
	opts    Options
	live    *Live
	cluster *Cluster
	// only limits the reading to some claims; nil reads all.
	only map[string]bool

	// volumes are the cluster's by claim.
	volumes map[string]*volume.Volume
	// visits are the errors of whoever visited the volumes.
	visits []error
}

// read reads every claim in the way that fits it. What could not be read is told by the volumes themselves; the error
// is about more than one of them: no image, a look that failed, pods that are left behind, an interrupt.
func (r *claimReader) read(ctx context.Context) error {
	r.volumes = map[string]*volume.Volume{}
	for i := range r.cluster.Volumes {
		r.volumes[r.cluster.Volumes[i].Claim.Name] = &r.cluster.Volumes[i]
	}
	err := r.readAll(ctx)
	return errors.Join(append(r.visits, err)...)
}

func (r *claimReader) readAll(ctx context.Context) error {
	running, rest := r.plan()
	rest = append(rest, r.readRunning(ctx, running)...)
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if len(rest) == 0 {
		return nil
	}
	return r.readInPods(ctx, rest)
}

// plan tells apart the claims to read inside the pods that use them and those for temporary pods. The others are
// marked with why they are not read.
func (r *claimReader) plan() (running []probe.Running, rest []string) {
	for i := range r.cluster.Volumes {
		v := &r.cluster.Volumes[i]
		name := v.Claim.Name
		if r.opts.Via == Objects || r.only != nil && !r.only[name] {
			v.State, v.Via = volume.Skipped, string(Objects)
			continue
		}
		if r.known(v) {
			continue
		}
		pod := runningPod(v)
		switch {
		case pod != nil && r.inside(v, pod):
			running = append(running, probe.Running{
				Claim: name, Pod: pod.Name, Container: pod.Container, MountPath: pod.MountPath, Node: pod.Node,
				Volume: v.Claim.Volume,
			})
		case r.opts.Via == Exec:
			v.State, v.Via = volume.Unread, string(Exec)
			v.Reason = "no running Kafka pod has it mounted; --via auto reads it through a temporary pod"
		default:
			rest = append(rest, name)
		}
	}
	return running, rest
}

// known takes over what an earlier look read of a volume, and tells whether it did.
func (r *claimReader) known(v *volume.Volume) bool {
	if !v.BoundBothWays() || r.opts.Known[v.PV.UID] == nil {
		return false
	}
	was := r.opts.Known[v.PV.UID]
	v.Via, v.State, v.Reason = was.Via, was.State, was.Reason
	v.Contents, v.Image, v.Topics, v.MetadataVersion = was.Contents, was.Image, was.Topics, was.MetadataVersion
	return true
}

// inside tells whether a claim is to be read inside the pod that has it. A pod that is not ready may be one that
// crashes again and again, in which nothing can be run for long; a temporary pod beside it can, unless the claim is
// for one pod alone.
func (r *claimReader) inside(v *volume.Volume, pod *volume.PodRef) bool {
	switch r.opts.Via {
	case Exec:
		return true
	case Auto:
		return pod.Ready || isOncePod(v)
	default:
		return false
	}
}

// What Kubernetes calls an access mode and a pod's phase.
const (
	readWriteOncePod = "ReadWriteOncePod"
	podRunning       = "Running"
)

func isOncePod(v *volume.Volume) bool { return slices.Contains(v.Claim.AccessModes, readWriteOncePod) }

// runningPod returns the Kafka pod that has the volume mounted and runs, or nil.
func runningPod(v *volume.Volume) *volume.PodRef {
	for i := range v.Claim.UsedBy {
		p := &v.Claim.UsedBy[i]
		if p.Phase == podRunning && (p.Container == strimzi.KafkaContainer || ofSet(v)) && p.MountPath != "" {
			return p
		}
	}
	return nil
}

// readRunning reads claims inside running pods, and returns those that may yet be read through temporary pods.
func (r *claimReader) readRunning(ctx context.Context, running []probe.Running) (again []string) {
	if len(running) == 0 {
		return nil
	}
	req := r.request(needs{}, "")
	outcomes := probe.ReadRunning(ctx, r.client, req, running, r.use(Exec))
	for i, o := range outcomes {
		if len(o.Problems) > 0 && o.Err == nil && ctx.Err() == nil {
			// files come and go while Kafka runs: once more, then it stays unknown
			outcomes[i] = probe.ReadRunning(ctx, r.client, req, running[i:i+1], r.use(Exec))[0]
		}
	}
	for _, o := range outcomes {
		r.settle(o, Exec)
		v := r.volumes[o.Claim]
		if v.State == volume.Unread && r.opts.Via == Auto && !isOncePod(v) {
			again = append(again, o.Claim)
		}
	}
	return again
}

// readInPods reads claims through temporary pods, those of pools with the same needs together. One after the other:
// the pods of an operation share its name, so that all are gone before the next group is read.
func (r *claimReader) readInPods(ctx context.Context, claims []string) (err error) {
	offers := append(imageOffers(r.opts.Image, r.cluster.Kafka, r.live), r.cluster.setImage()...)
	image, err := probe.ChooseImage(ctx, r.client, offers, strimzi.IsKafkaImage)
	if err != nil {
		return err
	}
	r.cluster.Image = &image
	r.opts.OnImage(image)
	groups, order, err := r.byNeeds(claims)
	if err != nil {
		return err
	}
	removal := r.opts.Removal
	if removal == nil {
		removal = &Removal{}
		defer func() { err = errors.Join(err, removal.Wait(ctx)) }()
	}
	for _, key := range order {
		if err := removal.Wait(ctx); err != nil {
			return err
		}
		g := groups[key]
		g.needs.PullSecrets = merge(g.needs.PullSecrets, image.PullSecrets)
		req := r.request(g.needs, image.Image)
		req.Claims, req.Removal = g.claims, &removal.pods
		removal.underWay(r.opts.UnderWay(r.opts.Operation, r.cluster.Namespace))
		outcomes, err := probe.Read(ctx, r.client, req, r.use(Pod))
		for _, o := range outcomes {
			r.settle(o, Pod)
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// Removal is the wait for the end of temporary pods, apart from the look that made them: what was seen can be told
// meanwhile. The zero value is ready for use; one is for one look at a time.
type Removal struct {
	pods probe.Removal
	gone []func()
}

func (r *Removal) underWay(gone func()) { r.gone = append(r.gone, gone) }

// Wait returns once all pods are gone, also after ctx ended. The error is a LeftBehindError; what is left behind stays
// announced as under way.
func (r *Removal) Wait(ctx context.Context) error {
	gone := r.gone
	r.gone = nil
	if err := r.pods.Wait(ctx); err != nil {
		return &LeftBehindError{err}
	}
	for _, g := range gone {
		g()
	}
	return nil
}

// LeftBehindError says that temporary pods could not be removed, or what they attached is not detached.
type LeftBehindError struct{ Err error }

// Error is that of the removal.
func (e *LeftBehindError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *LeftBehindError) Unwrap() error { return e.Err }

func merge(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// needing is claims whose temporary pods may be alike.
type needing struct {
	needs  needs
	claims []string
}

func (r *claimReader) byNeeds(claims []string) (groups map[string]*needing, order []string, err error) {
	groups = map[string]*needing{}
	for _, name := range claims {
		pool := ""
		if s := r.volumes[name].Slot; s != nil {
			pool = s.Pool
		}
		n, err := r.needsOf(pool)
		if err != nil {
			return nil, nil, err
		}
		key := n.key()
		if groups[key] == nil {
			groups[key] = &needing{needs: n}
			order = append(order, key)
		}
		groups[key].claims = append(groups[key].claims, name)
	}
	return groups, order, nil
}

func (r *claimReader) request(n needs, image string) probe.Request {
	req := probe.Request{
		Operation: r.opts.Operation, Namespace: r.cluster.Namespace, Image: image, PullSecrets: n.PullSecrets,
		Identity: n.Identity, Tolerations: n.Tolerations, NodeSelector: n.NodeSelector, Wanted: r.wanted(),
		Parallel: r.opts.Parallel, ScheduleTimeout: r.opts.ScheduleTimeout, ReadTimeout: r.opts.ReadTimeout,
		TempDir: r.opts.TempDir, Observe: r.opts.Observe,
	}
	if r.opts.Identity != nil {
		req.Identity, req.FixedIdentity = *r.opts.Identity, true
	}
	return req
}

// use reads one claim. Each claim has a volume of its own, so that several may be read at once.
func (r *claimReader) use(via Via) probe.Use {
	return func(ctx context.Context, claim string, fsys fs.FS) error {
		return readVolume(ctx, r.volumes[claim], string(via), fsys, r.opts)
	}
}

// settle writes down what became of a claim.
func (r *claimReader) settle(o probe.Outcome, via Via) {
	v := r.volumes[o.Claim]
	v.Via = string(via)
	var unread *probe.UnreadError
	switch {
	case errors.As(o.Err, &unread):
		v.State, v.Reason, v.Contents, v.Image = volume.Unread, unread.Reason.String(), nil, nil
		if unread.Err != nil {
			v.Reason += ": " + logdir.EscapeText(unread.Err.Error())
		}
		// A refusal of the API server names it in From; without it, it was this program that refused what admission
		// made of the pod.
		if unread.Reason.Code == probe.CodeAdmission && unread.Reason.From == "" {
			r.cluster.Changed = merge(r.cluster.Changed, []string{unread.Reason.Message})
		}
	case o.Err != nil: // whoever visited the volume failed, not the reading
		v.State, v.Reason = volume.Incomplete, o.Err.Error()
		r.visits = append(r.visits, fmt.Errorf("%s: %w", v.Name, o.Err))
	case len(o.Problems) > 0 && v.Contents != nil:
		for _, p := range o.Problems {
			v.Contents.Problems = append(v.Contents.Problems, logdir.Problem{
				Path: ".", Offset: -1, Message: logdir.EscapeText(p),
			})
		}
		v.State, v.Reason = volume.Incomplete, firstProblem(v.Contents)
	}
}
