package recovery

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// claimSpec are the fields of a claim's spec that are kept to make it again. What else a claim may have says where a
// new volume is to come from, and there is none to be made.
func claimSpec() []string {
	return []string{
		"accessModes", "resources", "storageClassName", "volumeMode", "volumeName", "volumeAttributesClassName",
	}
}

// keptClaim is a claim as it is made again: without owner, finalizer, or what Kubernetes' volume controller writes on
// it, which would be wrong of another claim (a binding annotation makes it Lost, an owner that is gone has it
// collected).
func keptClaim(u *unstructured.Unstructured) map[string]any {
	spec := map[string]any{}
	for _, key := range claimSpec() {
		if v := object.Get(object.Map(u.Object, "spec"), key); v != nil {
			spec[key] = v
		}
	}
	meta := map[string]any{}
	for key, text := range map[string]map[string]string{"labels": u.GetLabels(), "annotations": u.GetAnnotations()} {
		kept := map[string]any{}
		for k, v := range text {
			if group, _, _ := strings.Cut(k, "/"); key == "labels" || !strings.HasSuffix(group, "kubernetes.io") {
				kept[k] = v
			}
		}
		if len(kept) > 0 {
			meta[key] = kept
		}
	}
	return object.Clone(map[string]any{"metadata": meta, "spec": spec})
}

// keptAs is keptClaim with the phase of a claim that was not bound: it had no volume, whatever volume it names.
func keptAs(claim *unstructured.Unstructured) map[string]any {
	kept := keptClaim(claim)
	if phase := object.String(claim.Object, "status", "phase"); phase != volume.PhaseBound {
		kept["status"] = map[string]any{"phase": phase}
	}
	return kept
}

// removeKept deletes exactly this claim, with what it was in the journal, so that it can be made again.
func (w *writer) removeKept(ctx context.Context, step StepID, claim *unstructured.Unstructured) error {
	change := Change{Object: refOf(claim), Verb: VerbDelete, Before: keptAs(claim)}
	return w.do(ctx, step, change, func() error {
		err := w.kube.Delete(ctx, kube.Claims(), claim.GetNamespace(), claim.GetName(), kube.DeleteOptions{
			UID: claim.GetUID(), ResourceVersion: claim.GetResourceVersion(),
		})
		if kube.IsNotFound(err) {
			return nil
		}
		return err
	})
}

// lettings are the claims that the operation let go, by name, with what they were.
func (r *Recorded) lettings() map[string]Change {
	out := map[string]Change{}
	if r == nil {
		return out
	}
	for i := range r.Entries {
		for _, c := range r.Entries[i].Changes {
			if r.Entries[i].Phase == PhaseIntent && c.Verb == VerbDelete && c.Object.Kind == claimKind && c.Before != nil {
				out[c.Object.Name] = c
			}
		}
	}
	return out
}

// deletes tells whether the operation has deleted exactly this claim, before it was interrupted.
func (r *Recorded) deletes(claim *unstructured.Unstructured) bool {
	if r == nil {
		return false
	}
	for i := range r.Entries {
		for _, c := range r.Entries[i].Changes {
			if c.Verb == VerbDelete && c.Object.Kind == claimKind && c.Object.UID == string(claim.GetUID()) {
				return true
			}
		}
	}
	return false
}

// letGo tells whether a claim is one that the operation let go and that was made again since: it asks for the volume
// that the former one held.
func (r *Recorded) letGo(claim *unstructured.Unstructured) bool {
	was, found := r.lettings()[claim.GetName()]
	return found && claim.GetKind() == claimKind && !isOwn(claim, r.Operation) &&
		asksFor(claim, object.String(was.Before, "spec", "volumeName"))
}

// asksFor tells whether a claim is for a volume; one that was for none in particular may have got any.
func asksFor(claim *unstructured.Unstructured, pv string) bool {
	return pv == "" || object.String(claim.Object, "spec", "volumeName") == pv
}

// undoLetGo makes a claim again that was let go, and ties its volume to it: one that still says that it was bound to
// exactly the claim that is gone. The journal is input, so nothing else is bound for it.
func (r *run) undoLetGo(ctx context.Context, g *group) error {
	pv := object.String(g.deleted, "spec", "volumeName")
	u, err := r.Kube.Get(ctx, kube.Claims(), g.object.Namespace, g.object.Name)
	// Made in its place and undone just now; or itself, and still going.
	if err == nil && u.GetDeletionTimestamp() != nil && (isOwn(u, r.operation) || string(u.GetUID()) == g.object.UID) {
		if err = binding.WaitGone(ctx, r.Kube, claimOf(u)); err != nil {
			return err
		}
		u, err = r.Kube.Get(ctx, kube.Claims(), g.object.Namespace, g.object.Name)
	}
	switch {
	case kube.IsNotFound(err):
		u = nil
	case err != nil:
		return err
	case string(u.GetUID()) == g.object.UID:
		g.state, g.note = UndoNothing, "it was not deleted"
		return nil
	case !asksFor(u, pv) || isOwn(u, r.operation):
		g.state, g.note = UndoLeft, "another claim has its name: "+whoWrote(u, []string{"metadata", "labels"})
		return nil
	}
	none, err := r.hadNone(ctx, g, pv)
	if err != nil {
		return err
	}
	if !none {
		return r.makeAgain(ctx, g, u, pv)
	}
	g.state, g.note = UndoDone, "made again"
	if u == nil {
		g.wrote = true
		_, err = r.lender(StepUndo).Create(ctx, madeAgain(g))
		return err
	}
	return nil
}

// hadNone tells whether a claim that was let go had no volume, whatever volume it asked for, and has none to be bound
// to now.
func (r *run) hadNone(ctx context.Context, g *group, pv string) (bool, error) {
	if pv == "" {
		return true, nil
	}
	if phase := object.String(g.deleted, "status", "phase"); phase == "" || phase == volume.PhaseBound {
		return false, nil
	}
	_, err := r.Kube.Get(ctx, kube.Volumes(), "", pv)
	if kube.IsNotFound(err) {
		return true, nil
	}
	return false, err
}

func claimOf(u *unstructured.Unstructured) binding.Claim {
	return binding.Claim{Namespace: u.GetNamespace(), Name: u.GetName(), UID: u.GetUID()}
}

// makeAgain creates the claim, where there is none yet, and binds its volume to it.
func (r *run) makeAgain(ctx context.Context, g *group, claim *unstructured.Unstructured, name string) error {
	u, err := r.Kube.Get(ctx, kube.Volumes(), "", name)
	switch {
	case kube.IsNotFound(err):
		g.state, g.note = UndoLeft, fmt.Sprintf("its volume %q is gone", name)
		return nil
	case err != nil:
		return err
	}
	pv := volume.ParsePersistentVolume(u.Object)
	former := binding.Claim{Namespace: g.object.Namespace, Name: g.object.Name, UID: types.UID(g.object.UID)}
	tied := claim != nil && claimOf(claim).Holds(&pv)
	if !tied && !former.Holds(&pv) {
		g.state = UndoLeft
		g.note = fmt.Sprintf("its volume %q is tied to claim %q by now: %s", name, pv.ClaimNamespace+"/"+pv.ClaimName,
			whoWrote(u, []string{"spec", "claimRef"}))
		return nil
	}
	if tied && pv.Phase == volume.PhaseBound {
		g.state, g.note = UndoDone, "made again, and bound to its volume"
		return nil
	}
	r.Report.Waiting(StepUndo, "making pvc/"+g.object.Name+" again")
	lender := r.lender(StepUndo)
	if claim == nil {
		if claim, err = lender.Create(ctx, madeAgain(g)); err != nil {
			return err
		}
	}
	g.state, g.note, g.wrote = UndoDone, "made again, and bound to its volume", true
	if !tied {
		if err := r.waitReleased(ctx, name); err != nil {
			return err
		}
	}
	if err := binding.Bind(ctx, r.Kube, lender, &pv, claimOf(claim)); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, bindTimeout)
	defer cancel()
	if err := binding.Complete(waiting, r.Kube, lender, claimOf(claim), name); err != nil {
		return err
	}
	return lender.Nudge(ctx, claim, map[string]any{ // the claim did not have it
		"metadata": map[string]any{"annotations": map[string]any{binding.TiedAnnotation: nil}},
	})
}

// madeAgain is the claim that is made for one that was let go. Of what the journal says only labels, annotations and
// the known fields of the spec are taken.
func madeAgain(g *group) *unstructured.Unstructured {
	kept := keptClaim(&unstructured.Unstructured{Object: g.deleted})
	meta := map[string]any{"namespace": g.object.Namespace, "name": g.object.Name}
	maps.Copy(meta, object.Map(kept, "metadata"))
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": claimKind, "metadata": meta, "spec": object.Map(kept, "spec"),
	}}
}
