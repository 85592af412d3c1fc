package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"sync"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// Read mounts claims in temporary pods, as many in one pod as may share a node, and hands each that could be read to
// use. A claim that cannot be mounted or read does not hold up the others: its Outcome says why. All pods are gone when
// Read returns, also after ctx ended, unless the request has a Removal; what could not be removed is an error, as is a
// look at the claims that failed.
// Outcomes come in the order of the request's claims.
func Read(ctx context.Context, c *kube.Client, req Request, use Use) ([]Outcome, error) {
	req = req.withDefaults()
	seen, err := lookAt(ctx, c, req.Namespace, req.Claims)
	if err != nil {
		return nil, err
	}
	r := &reader{client: c, req: req, use: use, slots: make(chan struct{}, req.Parallel), outcomes: map[string]Outcome{}}
	for claim, reason := range seen.refused {
		r.end(Outcome{Claim: claim, Err: &UnreadError{Claim: claim, Reason: reason}})
	}
	volumes, before, err := attachedBefore(ctx, c, seen.candidates)
	if err != nil {
		return nil, err
	}
	for _, g := range groups(seen.candidates, seen.limits, req.PerPod) {
		r.start(ctx, g)
	}
	r.groups.Wait()
	outcomes := make([]Outcome, 0, len(req.Claims))
	for _, claim := range req.Claims {
		outcomes = append(outcomes, r.outcomes[claim])
	}
	sweep := func(ctx context.Context) error { return r.sweep(ctx, volumes, before) }
	if req.Removal != nil {
		req.Removal.add(sweep)
		return outcomes, nil
	}
	return outcomes, sweep(ctx)
}

// attachedBefore returns the volumes that will be attached, and which of them are attached already.
func attachedBefore(
	ctx context.Context, c *kube.Client, candidates []candidate,
) (volumes, before map[string]bool, err error) {
	volumes = map[string]bool{}
	for _, one := range candidates {
		if one.driver != "" {
			volumes[one.volume] = true
		}
	}
	if len(volumes) == 0 {
		return volumes, map[string]bool{}, nil
	}
	before, err = attachments(ctx, c, volumes)
	if err != nil && !kube.IsForbidden(err) {
		return nil, nil, fmt.Errorf("look at the attachments: %w", err)
	}
	return volumes, before, nil
}

// reader is one Read under way.
type reader struct {
	client *kube.Client
	req    Request
	use    Use
	// writable mounts the claims writable: a Rename.
	writable bool
	// slots bound the pods at a time.
	slots  chan struct{}
	groups sync.WaitGroup

	mu       sync.Mutex
	outcomes map[string]Outcome
	pods     int
}

func (r *reader) end(o Outcome) {
	r.mu.Lock()
	r.outcomes[o.Claim] = o
	r.mu.Unlock()
	tellRead(r.req.Observe, o)
}

// start reads a group in a pod of its own as soon as there is a slot, and then what is left of it.
func (r *reader) start(ctx context.Context, g group) {
	r.groups.Go(func() {
		r.slots <- struct{}{}
		rest := r.readGroup(ctx, g)
		<-r.slots
		for _, part := range rest {
			r.start(ctx, part)
		}
	})
}

// readGroup reads the claims of one pod and returns what is to be tried again otherwise.
func (r *reader) readGroup(ctx context.Context, g group) (rest []group) {
	if ctx.Err() != nil {
		r.giveUp(g, nil, Reason{Code: CodeInterrupted, Message: "interrupted"}, context.Cause(ctx))
		return nil
	}
	pod, err := r.startPod(ctx, g)
	if pod != nil {
		defer r.remove(ctx, pod, g)
	}
	if err != nil {
		return r.notStarted(ctx, g, pod, err)
	}
	r.req.Observe(Event{Kind: PodStarted, Claims: g.names(), Pod: pod.name, Node: pod.node})
	return r.readPod(ctx, g, pod)
}

// startPod creates the pod, after a dry run of it, and waits until its container runs. A pod that was created is
// returned even with an error.
func (r *reader) startPod(ctx context.Context, g group) (*temporary, error) {
	spec := podSpec{
		name: r.podName(), namespace: r.req.Namespace, operation: r.req.Operation, claims: g.names(), image: r.req.Image,
		pullSecrets: r.req.PullSecrets, identity: r.identity(g), tolerations: r.req.Tolerations,
		selector: r.req.NodeSelector, node: g.node, writable: r.writable,
		lifetime: r.req.ScheduleTimeout + r.req.ReadTimeout + r.req.CleanupTimeout,
	}
	built := spec.build()
	if err := dryRun(ctx, r.client, built); err != nil {
		return nil, err
	}
	r.req.Observe(Event{Kind: PodCreating, Claims: g.names(), Pod: spec.name})
	pod, err := create(ctx, r.client, built, false)
	if err != nil {
		return pod, err
	}
	s := starter{
		client: r.client, pod: pod, alone: len(g.claims) == 1, timeout: r.req.ScheduleTimeout,
		waiting: func(message string) {
			r.req.Observe(Event{Kind: PodWaiting, Claims: g.names(), Pod: pod.name, Node: pod.node, Message: message})
		},
	}
	return pod, s.wait(ctx)
}

func (r *reader) podName() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pods++
	return "kafkarecover-" + r.req.Operation + "-" + strconv.Itoa(r.pods)
}

func (r *reader) identity(g group) Identity {
	if g.identity != nil {
		return *g.identity
	}
	return r.req.Identity
}

// notStarted divides a group one of whose volumes may be to blame, and gives up otherwise.
func (r *reader) notStarted(ctx context.Context, g group, pod *temporary, err error) []group {
	reason := Reason{Code: CodeRead, Message: err.Error()}
	var failed *startError
	switch {
	case ctx.Err() != nil:
		reason = Reason{Code: CodeInterrupted, Message: "interrupted"}
	case errors.As(err, &failed):
		reason, err = failed.reason, failed.err
		if len(g.claims) > 1 && reason.ofVolume() {
			r.req.Observe(Event{Kind: GroupSplit, Claims: g.names(), Node: failed.node, Message: reason.String()})
			return g.split(reason, failed.node)
		}
	}
	r.giveUp(g, pod, reason, err)
	return nil
}

func (r *reader) giveUp(g group, pod *temporary, reason Reason, err error) {
	for _, c := range g.claims {
		o := Outcome{
			Claim: c.claim, Volume: c.volume, Err: &UnreadError{Claim: c.claim, Reason: reason, Err: causeBeyond(reason, err)},
		}
		if pod != nil {
			o.Pod, o.Node = pod.name, pod.node
		}
		r.end(o)
	}
}

// causeBeyond leaves out an error whose text the reason has already.
func causeBeyond(reason Reason, err error) error {
	if err == nil || err.Error() == reason.Message {
		return nil
	}
	return err
}

func (r *reader) readPod(ctx context.Context, g group, pod *temporary) (rest []group) {
	identity := r.identity(g)
	s := session{
		exec: execIn(r.client, r.req.Namespace, pod.name, containerName), root: mountRoot,
		folders: folderNames(len(g.claims)), claims: g.names(), wanted: r.req.Wanted, limits: r.req.Limits,
		tempDir: r.req.TempDir, identity: &identity, observe: r.req.Observe, pod: pod.name,
		retryDenied: r.mayChangeIdentity(g),
	}
	bounded, cancel := context.WithTimeout(ctx, r.req.ReadTimeout)
	defer cancel()
	results := s.read(bounded, r.use)
	unlisted := group{node: g.node, identity: g.identity}
	denied := map[Owner][]candidate{}
	for i, c := range g.claims {
		res := results[i]
		switch {
		case !res.listed && res.err == nil && ctx.Err() == nil:
			unlisted.claims = append(unlisted.claims, c)
		case !res.used && res.denied != nil && s.retryDenied && s.mayBecome(*res.denied):
			denied[*res.denied] = append(denied[*res.denied], c)
		default:
			r.end(Outcome{
				Claim: c.claim, Pod: pod.name, Node: pod.node, Volume: c.volume, Problems: res.problems,
				Err: unread(ctx, c.claim, res, r.req),
			})
		}
	}
	for owner, claims := range denied {
		rest = append(rest, group{claims: claims, node: g.node, identity: &Identity{
			User: new(owner.UID), Group: new(owner.GID), Groups: r.req.Identity.Groups,
		}})
	}
	if len(unlisted.claims) == len(g.claims) { // no way on: the same again would end the same
		r.giveUp(unlisted, pod, Reason{Code: CodeRead, Message: "the listing came to no end"}, nil)
		return rest
	}
	if len(unlisted.claims) > 0 {
		rest = append(rest, unlisted)
	}
	return rest
}

// mayChangeIdentity tells whether what could not be read may be tried once more as its owner.
func (r *reader) mayChangeIdentity(g group) bool { return g.identity == nil && !r.req.FixedIdentity }

// isPermission tells whether mode bits kept the session from a volume.
func isPermission(r reading) bool { return errors.Is(r.err, fs.ErrPermission) }

// removeTimeout bounds the request that deletes a pod.
const removeTimeout = 10 * time.Second

// remove asks for the pod's deletion; sweep waits for it. It works after Ctrl-C too.
func (r *reader) remove(ctx context.Context, pod *temporary, g group) {
	r.req.Observe(Event{Kind: PodRemoving, Claims: g.names(), Pod: pod.name, Node: pod.node})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	// A failure is met again by sweep, which deletes what is left and reports what stays.
	_ = r.client.Delete(ctx, kube.Pods(), pod.namespace, pod.name, kube.DeleteOptions{UID: pod.uid})
}

// sweep waits until no pod of the operation is left and what they attached is detached again.
func (r *reader) sweep(ctx context.Context, volumes, before map[string]bool) error {
	if r.pods == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.req.CleanupTimeout)
	defer cancel()
	_, err := Cleanup(ctx, r.client, r.req.Namespace, r.req.Operation, r.req.CleanupTimeout)
	if err == nil && len(volumes) > 0 {
		err = detached(ctx, r.client, volumes, before)
	}
	if err != nil {
		r.req.Observe(Event{Kind: CleanupFailed, Message: err.Error()})
		return fmt.Errorf("remove the temporary pods of operation %q: %w", r.req.Operation, err)
	}
	r.req.Observe(Event{Kind: PodsGone})
	return nil
}
