package recovery

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// giveBackLent gives back what a run that died had borrowed to read it, in the name of a step: as long as a claim of a
// temporary name holds a volume it can neither be read again nor be bound. The pods that read it go first.
func (r *run) giveBackLent(ctx context.Context, step StepID) error {
	stopped := map[string]bool{}
	for _, ref := range r.recorded.createdClaims(StepRead) {
		claim, err := r.Kube.Get(ctx, kube.Claims(), ref.Namespace, ref.Name)
		if kube.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		if _, borrows := claim.GetAnnotations()[binding.LoanAnnotation]; !borrows {
			continue // it was given back, and this one is somebody else's
		}
		if reader := claim.GetLabels()[OperationLabel]; reader != "" && !stopped[reader] {
			stopped[reader] = true
			if err := r.stopReading(ctx, step, reader); err != nil {
				return err
			}
		}
		if err := binding.GiveBack(ctx, r.Kube, lender{write: r.write, step: step}, claim); err != nil {
			return err
		}
	}
	return nil
}

// stopReading deletes the temporary pods of a look, and waits until they are gone.
func (r *run) stopReading(ctx context.Context, step StepID, reader string) error {
	pods, err := r.Kube.List(ctx, kube.Pods(), r.Namespace, kube.ListOptions{
		LabelSelector: ManagedByLabel + "=" + ManagedBy + "," + OperationLabel + "=" + reader,
	})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if err := r.deletePod(ctx, step, pod); err != nil {
			return fmt.Errorf("remove pod %q, which a run that died left: %w", pod.GetName(), err)
		}
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if err := r.waitGone(ctx, kube.Pods(), r.Namespace, pod.GetName(), pod.GetUID()); err != nil {
			return err
		}
	}
	return nil
}

// settleClaims has every claim that a run made before it died either hold its volume or be gone, so that it is made
// again: one that waits for its volume would be judged as a second candidate for its slot.
func (r *run) settleClaims(ctx context.Context) error {
	for _, ref := range r.recorded.createdClaims(StepClaims) {
		u, err := r.Kube.Get(ctx, kube.Claims(), ref.Namespace, ref.Name)
		if kube.IsNotFound(err) || err == nil && !isOwn(u, r.operation) {
			continue
		}
		if err != nil {
			return err
		}
		claim := claimOf(u)
		pv, err := r.Kube.Get(ctx, kube.Volumes(), "", object.String(u.Object, "spec", "volumeName"))
		if kube.IsNotFound(err) {
			continue // the rules say so
		}
		if err != nil {
			return err
		}
		if parsed := volume.ParsePersistentVolume(pv.Object); claim.Holds(&parsed) {
			bounded, cancel := context.WithTimeout(ctx, bindTimeout)
			err = binding.WaitBound(bounded, r.Kube, claim, pv.GetName())
			cancel()
		} else {
			err = r.removeUnbound(ctx, u)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitLetGo waits until the claims that a run let go before it died are gone, and their volumes free. A claim that is
// still going would be judged as one that somebody deletes; a volume whose claim is gone and that is not Released yet
// would not be seen as one to be had.
func (r *run) awaitLetGo(ctx context.Context) error {
	for name, c := range r.recorded.lettings() {
		claim := binding.Claim{Namespace: r.Namespace, Name: name, UID: types.UID(c.Object.UID)}
		u, err := r.Kube.Get(ctx, kube.Claims(), r.Namespace, name)
		switch {
		case err != nil && !kube.IsNotFound(err):
			return err
		case err == nil && u.GetUID() == claim.UID && u.GetDeletionTimestamp() == nil: // the run died before it did so
			continue
		}
		if err := binding.WaitGone(ctx, r.Kube, claim); err != nil {
			return fmt.Errorf("wait for a claim that this operation let go: %w", err)
		}
		if err := r.awaitFreed(ctx, claim, object.String(c.Before, "spec", "volumeName")); err != nil {
			return err
		}
	}
	return nil
}

// awaitFreed waits until a volume that still names a claim which is gone is Released.
func (r *run) awaitFreed(ctx context.Context, former binding.Claim, pv string) error {
	if pv == "" {
		return nil
	}
	u, err := r.Kube.Get(ctx, kube.Volumes(), "", pv)
	if kube.IsNotFound(err) {
		return nil // the rules say so
	}
	if err != nil {
		return err
	}
	if now := volume.ParsePersistentVolume(u.Object); !former.Holds(&now) || now.Phase != volume.PhaseBound {
		return nil
	}
	return r.waitReleased(ctx, pv)
}

// removeUnbound deletes a claim that the operation made and that came to hold no volume. The volume it asks for is read
// back as Retain first all the same (safety contract, line 2).
func (r *run) removeUnbound(ctx context.Context, claim *unstructured.Unstructured) error {
	left, err := r.mayLetGo(ctx, claim)
	if err != nil {
		return err
	}
	if left != "" {
		return fmt.Errorf("make claim %q again: %s", claim.GetName(), left)
	}
	if err := r.write.remove(ctx, StepClaims, kube.Claims(), claim); err != nil {
		return err
	}
	return binding.WaitGone(ctx, r.Kube, claimOf(claim))
}

// createdClaims are the claims that a step was about to create, each once.
func (r *Recorded) createdClaims(step StepID) []ObjectRef {
	var out []ObjectRef
	seen := map[string]bool{}
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Phase != PhaseIntent || e.Step != string(step) {
			continue
		}
		for _, c := range e.Changes {
			if o := c.Object; c.Verb == VerbCreate && o.Kind == claimKind && o.Namespace == r.Began.Kafka.Namespace &&
				objectNamed.MatchString(o.Name) && !seen[o.Name] {
				seen[o.Name] = true
				out = append(out, o)
			}
		}
	}
	return out
}

// goneTimeout bounds the wait for an object that was deleted; what holds it has been taken away before.
const goneTimeout = time.Minute

// waitGone waits until exactly this object is there no more.
func (r *run) waitGone(
	ctx context.Context, gvr schema.GroupVersionResource, namespace, name string, uid types.UID,
) error {
	_, err := r.Kube.WaitFor(ctx, kube.Wait{
		Resource: gvr, Namespace: namespace, Name: name, Timeout: goneTimeout,
		What: fmt.Sprintf("%s %q to be gone", gvr.Resource, name),
		Condition: func(now *unstructured.Unstructured) (bool, string, error) {
			return now == nil || now.GetUID() != uid, "it is still there", nil
		},
	})
	return err
}
