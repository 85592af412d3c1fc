package recovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// stepStopPods deletes the pod sets and waits until nothing holds a claim. Deleting pods is not enough: the controller
// of pod sets goes on while reconciliation is paused (Strimzi: StrimziPodSetController has no pause check).
func (r *run) stepStopPods(ctx context.Context) (string, error) {
	if _, err := r.stillPaused(ctx); err != nil {
		return "", err
	}
	if err := r.volumesStay(ctx); err != nil {
		return "", err
	}
	deleted, err := r.waitHalted(ctx, StepStopPods)
	if err != nil {
		return "", err
	}
	if err := r.waitUnused(ctx, StepStopPods, r.letGoClaims()); err != nil {
		return "", err
	}
	attached, err := r.waitDetached(ctx)
	if err != nil {
		return "", err
	}
	return wording.Count(deleted, "pod set", "pod sets") + " deleted, no pod holds a claim, " + attached, nil
}

func (r *run) letGoClaims() []string {
	out := make([]string, 0, len(r.before.LetGo))
	for _, l := range r.before.LetGo {
		out = append(out, l.Claim)
	}
	return out
}

// volumesStay reads back of every volume that it is Retain and not going, and looks that no claim is being deleted: one
// goes with the last pod that uses it. What this very operation has deleted before it was interrupted is none.
func (r *run) volumesStay(ctx context.Context) error {
	for _, name := range r.held(false) {
		u, err := r.Kube.Get(ctx, kube.Volumes(), "", name)
		if err != nil {
			return fmt.Errorf("read the reclaim policy back: %w", err)
		}
		if err := stays(u); err != nil {
			return err
		}
	}
	list, err := r.Kube.List(ctx, kube.Claims(), r.Namespace, kube.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		u := &list.Items[i]
		claim := volume.ParseClaim(u.Object)
		_, planned := r.base.claims[claim.Name]
		if claim.Terminating && (planned || strimzi.IsKafkaClaim(claim.Labels, r.Name)) && !r.recorded.deletes(u) {
			return &ForeignWriteError{Object: refOf(u), What: "it is being deleted"}
		}
	}
	return nil
}

// stays tells whether a volume can be let go of without being lost.
func stays(pv *unstructured.Unstructured) error {
	now := volume.ParsePersistentVolume(pv.Object)
	switch {
	case now.Terminating:
		return &ForeignWriteError{Object: refOf(pv), What: "it is being deleted"}
	case now.ReclaimPolicy != retainPolicy:
		return &ForeignWriteError{Object: refOf(pv), What: "its reclaim policy became " + now.ReclaimPolicy}
	}
	return nil
}

// waitDetached waits until no volume of the cluster is attached to a machine. Where attachments may not be read,
// nothing is known of them, and this is said.
func (r *run) waitDetached(ctx context.Context) (note string, err error) {
	volumes := r.held(false)
	note = "no volume is attached"
	err = r.waitWhile(ctx, StepStopPods, patience{
		what: "the volumes to be detached", flag: "--timeout", bound: min(podsGone, r.Timeout), every: time.Second,
	}, func(ctx context.Context) (string, error) {
		list, err := kube.ListAs[storagev1.VolumeAttachment](ctx, r.Kube, kube.VolumeAttachments(), "", kube.ListOptions{})
		if kube.IsForbidden(err) {
			note = "attachments may not be read"
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("look for attachments: %w", err)
		}
		var attached []string
		for i := range list {
			if pv := list[i].Spec.Source.PersistentVolumeName; pv != nil && slices.Contains(volumes, *pv) {
				attached = append(attached, *pv+" on "+list[i].Spec.NodeName)
			}
		}
		if len(attached) == 0 {
			return "", nil
		}
		return "still attached: " + strings.Join(attached, ", "), nil
	})
	return note, err
}

// stepLetGo reads everything once more, now that nothing writes, and lets the claims go that hold other volumes.
func (r *run) stepLetGo(ctx context.Context) (string, error) {
	if err := r.judgeStopped(ctx); err != nil {
		return "", err
	}
	if err := r.volumesStay(ctx); err != nil {
		return "", err
	}
	for i := range r.before.LetGo { // all of them before the first claim goes: whoever goes on tells them by it
		if l := &r.before.LetGo[i]; l.Displaced {
			if err := r.displace(ctx, l); err != nil {
				return "", err
			}
		}
	}
	group, bounded := errgroup.WithContext(ctx)
	group.SetLimit(writesAtOnce)
	for _, l := range r.before.LetGo {
		group.Go(func() error {
			return r.atNewest(bounded, func(ctx context.Context) error { return r.letGo(ctx, l) })
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	note := wording.Count(len(r.before.LetGo), "claim is gone, its volume is kept",
		"claims are gone, their volumes are kept")
	if n := len(r.plan.Displaced); n > 0 && r.RebindClaims {
		var held []finding.Held
		for _, d := range r.plan.Displaced {
			held = append(held, d.Held...)
		}
		note += fmt.Sprintf("; on the %d displaced ones: %s", n, acceptedText(held))
	}
	return note, nil
}

// judgeStopped judges the volumes once more while no pod runs. A cluster that was used on until it was stopped may have
// taken records since the plan was confirmed.
func (r *run) judgeStopped(ctx context.Context) error {
	seen, err := r.lookAtVolumes(ctx)
	if err != nil {
		return err
	}
	if d := finding.Decide(seen.Findings, r.Accept); d.Refused() {
		r.result.Refusals = d.Refusals
		return fmt.Errorf("judge the volumes again while no pod runs: %s: %s", d.Refusals[0].Rule, d.Refusals[0].Message)
	}
	was, now := basisOf(r.place.ServerID, r.operation, r.before), basisOf(r.place.ServerID, r.operation, seen)
	differences := was.Differences(now)
	if was, is := places(r.before.Placements), places(seen.Placements); r.RebindClaims && !maps.Equal(was, is) {
		differences = append(differences, fmt.Sprintf("the volumes would go to %v, and were to go to %v", is, was))
	}
	if !slices.Equal(r.before.LetGo, seen.LetGo) {
		differences = append(differences, fmt.Sprintf("the claims to let go are %v, and were %v", seen.LetGo, r.before.LetGo))
	}
	if len(differences) > 0 {
		r.result.Differences = differences
		return fmt.Errorf("judge the volumes again while no pod runs: it is not what was confirmed: %s", differences[0])
	}
	r.plan.Displaced = measuredAgain(r.plan.Displaced, displacedOf(seen.Displaced))
	return nil
}

// measuredAgain are the displaced volumes with what was seen on them just now. Those whose claims an earlier run of the
// operation has let go are not looked at again, and stay among them.
func measuredAgain(was, now []Displaced) []Displaced {
	out := slices.Clone(now)
	for _, d := range was {
		if !slices.ContainsFunc(now, func(n Displaced) bool { return n.Volume == d.Volume }) {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b Displaced) int { return strings.Compare(a.Claim, b.Claim) })
	return out
}

func places(placements []placement.Placement) map[string]string {
	out := map[string]string{}
	for _, p := range placements {
		out[p.Volume] = p.Claim
	}
	return out
}

// displace notes on a volume that this operation gives its claim to another one.
func (r *run) displace(ctx context.Context, l *placement.LetGo) error {
	err := r.atNewest(ctx, func(ctx context.Context) error {
		u, err := r.Kube.Get(ctx, kube.Volumes(), "", l.Volume)
		if err != nil {
			return err
		}
		if u.GetAnnotations()[volume.DisplacedAnnotation] == r.operation {
			return nil
		}
		body := fmt.Sprintf(`{"metadata":{"resourceVersion":%q,"annotations":{%q:%q}}}`, u.GetResourceVersion(),
			volume.DisplacedAnnotation, r.operation)
		_, err = r.write.patch(ctx, StepLetGo, kube.Volumes(), u, strimzi.Patch{Body: []byte(body)})
		return err
	})
	if err != nil {
		return fmt.Errorf("mark pv %q as displaced: %w", l.Volume, err)
	}
	return nil
}

// letGo deletes one claim, after its volume was read back (safety contract, line 2), and waits until the volume is
// free.
func (r *run) letGo(ctx context.Context, l placement.LetGo) error {
	u, err := r.Kube.Get(ctx, kube.Claims(), r.Namespace, l.Claim)
	switch {
	case kube.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("let claim %q go: %w", l.Claim, err)
	case string(u.GetUID()) != l.ClaimUID:
		return &ForeignWriteError{Object: refOf(u), What: "it was replaced by another one"}
	}
	if err := r.mayLose(ctx, u, l); err != nil {
		return err
	}
	users, err := r.claimUsers(ctx, []string{l.Claim})
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return fmt.Errorf("let claim %q go: %s uses it", l.Claim, podNames(users))
	}
	if u.GetDeletionTimestamp() == nil { // else by a run that was interrupted
		if err := r.write.removeKept(ctx, StepLetGo, u); err != nil {
			return fmt.Errorf("let claim %q go: %w", l.Claim, err)
		}
	}
	if err := binding.WaitGone(ctx, r.Kube, claimOf(u)); err != nil || l.Volume == "" || l.Gone {
		return err
	}
	return r.waitReleased(ctx, l.Volume)
}

// mayLose looks right before a claim is deleted that it holds the volume that was judged, and that this one stays; one
// that waited for a volume must have none by now, and a volume that was no more must not have come back.
func (r *run) mayLose(ctx context.Context, claim *unstructured.Unstructured, l placement.LetGo) error {
	if now := volume.ParseClaim(claim.Object); now.Volume != l.Volume {
		return &ForeignWriteError{Object: refOf(claim), What: fmt.Sprintf("it became bound to pv %q", now.Volume)}
	}
	if l.Volume == "" {
		return nil
	}
	pv, err := r.Kube.Get(ctx, kube.Volumes(), "", l.Volume)
	switch {
	case l.Gone && kube.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("let claim %q go: %w", claim.GetName(), err)
	case l.Gone:
		return &ForeignWriteError{Object: refOf(pv), What: "it is there again"}
	}
	if err := stays(pv); err != nil {
		return err
	}
	if now := volume.ParsePersistentVolume(pv.Object); !claimOf(claim).Holds(&now) {
		return &ForeignWriteError{Object: refOf(pv), What: "it was bound to another claim"}
	}
	return nil
}

// waitReleased waits until the volume controller has seen that nothing holds a volume: its claim is gone, or was never
// there. It may be tied to another one from then on.
func (r *run) waitReleased(ctx context.Context, pv string) error {
	_, err := r.Kube.WaitFor(ctx, kube.Wait{
		Resource: kube.Volumes(), Name: pv, Timeout: bindTimeout, What: fmt.Sprintf("pv %q to be Released", pv),
		Condition: func(u *unstructured.Unstructured) (bool, string, error) {
			if u == nil {
				return false, "", fmt.Errorf("pv %q: %w", pv, errVolumeGone)
			}
			now := volume.ParsePersistentVolume(u.Object)
			return now.Phase == volume.PhaseReleased, "it is " + now.Phase, nil
		},
	})
	return err
}

var errVolumeGone = errors.New("it was deleted meanwhile")

// stepRebind makes the claims again for the volumes with the data.
func (r *run) stepRebind(ctx context.Context) (string, error) {
	note, err := r.stepClaims(ctx)
	r.rebound = err == nil
	return note, err
}

// afterRebind says what became of the cluster that is replaced, and of its volumes.
func (r *run) afterRebind() []string {
	if r.plan.step(StepLetGo) == nil || len(r.plan.Displaced) == 0 {
		return nil
	}
	var names []string
	for _, d := range r.plan.Displaced {
		names = append(names, "pv/"+d.Volume)
	}
	if !r.RebindClaims {
		return []string{fmt.Sprintf("the empty volumes in the places of the lost nodes are kept, Retain, and are left alone "+
			"by every restore: %s; delete them yourself when nobody wants them", strings.Join(names, " "))}
	}
	return []string{fmt.Sprintf("the volumes of the cluster that was made meanwhile are kept, Retain, with what was "+
		"written to them, and are left alone by every restore: %s; delete them yourself when nobody wants that",
		strings.Join(names, " "))}
}
