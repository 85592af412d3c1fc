package probe

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// Running is a claim that a running pod has mounted, and where.
type Running struct {
	Claim, Pod, Container, MountPath string
	Node, Volume                     string
}

// ReadRunning reads claims inside the pods that use them, through exec; it creates nothing. What is read is a moment of
// a volume that changes. Outcomes come in the order of the claims given. Of the request it takes Namespace, Wanted,
// Limits, Parallel, ReadTimeout, TempDir and Observe.
func ReadRunning(ctx context.Context, c *kube.Client, req Request, claims []Running, use Use) []Outcome {
	req = req.withDefaults()
	byContainer := map[string][]int{}
	for i, r := range claims {
		key := r.Pod + "/" + r.Container
		byContainer[key] = append(byContainer[key], i)
	}
	outcomes := make([]Outcome, len(claims))
	var all errgroup.Group
	all.SetLimit(req.Parallel)
	for _, key := range sortedKeys(byContainer) {
		indexes := byContainer[key]
		all.Go(func() error {
			readContainer(ctx, c, req, claims, indexes, outcomes, use)
			return nil
		})
	}
	_ = all.Wait() // every outcome has its own error
	return outcomes
}

func readContainer(
	ctx context.Context, c *kube.Client, req Request, claims []Running, indexes []int, outcomes []Outcome, use Use,
) {
	for len(indexes) > 0 {
		first := claims[indexes[0]]
		s := session{
			exec: execIn(c, req.Namespace, first.Pod, first.Container), root: "/", wanted: req.Wanted, limits: req.Limits,
			tempDir: req.TempDir, live: true, observe: req.Observe, pod: first.Pod,
		}
		for _, i := range indexes {
			s.folders, s.claims = append(s.folders, cleanFolder(claims[i].MountPath)), append(s.claims, claims[i].Claim)
		}
		bounded, cancel := context.WithTimeout(ctx, req.ReadTimeout)
		results := s.read(bounded, use)
		cancel()
		var again []int
		for k, i := range indexes {
			if !results[k].listed && results[k].err == nil {
				again = append(again, i) // one before it could not be listed to its end
				continue
			}
			r := claims[i]
			outcomes[i] = Outcome{
				Claim: r.Claim, Pod: r.Pod, Node: r.Node, Volume: r.Volume, Problems: results[k].problems,
				Err: unread(ctx, r.Claim, results[k], req),
			}
			tellRead(req.Observe, outcomes[i])
		}
		if len(again) == len(indexes) { // no way on
			for _, i := range again {
				outcomes[i] = Outcome{Claim: claims[i].Claim, Err: &UnreadError{
					Claim: claims[i].Claim, Reason: Reason{Code: CodeRead, Message: "the listing came to no end"},
				}}
				tellRead(req.Observe, outcomes[i])
			}
			return
		}
		indexes = again
	}
}

// unread turns a reading's error into the reason it stands for; an error of the caller's own use stays as it is.
func unread(ctx context.Context, claim string, r reading, req Request) error {
	switch {
	case r.err == nil:
		return nil
	case ctx.Err() != nil:
		return &UnreadError{Claim: claim, Reason: Reason{Code: CodeInterrupted, Message: "interrupted"}, Err: r.err}
	case r.used:
		return r.err
	case errors.Is(r.err, context.DeadlineExceeded):
		return &UnreadError{Claim: claim, Err: r.err, Reason: Reason{
			Code: CodeTimeout, Message: fmt.Sprintf("not read within %s; see --read-timeout", req.ReadTimeout),
		}}
	case isPermission(r):
		reason := Reason{Code: CodePermission, Message: "the volume does not let the pod's user read it"}
		if r.denied != nil {
			reason.Message = fmt.Sprintf("files of user %d and group %d do not let the pod's user read them",
				r.denied.UID, r.denied.GID)
		}
		return &UnreadError{Claim: claim, Reason: reason, Err: r.err}
	}
	return &UnreadError{Claim: claim, Reason: Reason{Code: CodeRead, Message: r.err.Error()}, Err: r.err}
}

func tellRead(observe func(Event), o Outcome) {
	ev := Event{Kind: ClaimRead, Claims: []string{o.Claim}, Pod: o.Pod, Node: o.Node}
	var unread *UnreadError
	switch {
	case errors.As(o.Err, &unread):
		ev.Kind, ev.Message = ClaimUnread, unread.why()
	case o.Err != nil:
		ev.Kind, ev.Message = ClaimUnread, o.Err.Error()
	}
	observe(ev)
}
