// Package binding ties PersistentVolumes to claims: for good, when a claim is made again for a volume whose claim is
// gone, or for the time it takes to read a volume that no claim holds. A volume is never Available in between, so that
// no claim of anybody else can be bound to it: the volume's claimRef goes from one claim to the other in one write.
// It knows nothing of what is on a volume, nor of Strimzi.
package binding

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// ByControllerAnnotation tells Kubernetes' volume controller that it chose the binding itself and may undo it. On a
// volume that was tied by hand it must not be.
const ByControllerAnnotation = "pv.kubernetes.io/bound-by-controller"

// Claim names one claim, by UID: a claim that is made again under the same name is another one.
type Claim struct {
	Namespace, Name string
	UID             types.UID
}

// Tie is what of a PersistentVolume decides which claim it is bound to. It serialises, so that it can be kept on an
// object or in a journal until it is put back.
type Tie struct {
	// ClaimRef is spec.claimRef as it is; nil for a volume that names no claim.
	ClaimRef map[string]any `json:"claimRef,omitempty"`
	// ByController is the value of the annotation pv.kubernetes.io/bound-by-controller; nil where there is none.
	ByController *string `json:"byController,omitempty"`
}

// TieOf returns the tie of a PersistentVolume as it was looked at.
func TieOf(pv *unstructured.Unstructured) Tie {
	t := Tie{}
	if ref := object.Map(pv.Object, "spec", "claimRef"); ref != nil {
		t.ClaimRef = ref
	}
	if by, found := pv.GetAnnotations()[ByControllerAnnotation]; found {
		t.ByController = &by
	}
	return t
}

// claimRefFields are those of an ObjectReference. A merge patch removes only what it names.
func claimRefFields() []string {
	return []string{"apiVersion", "kind", "namespace", "name", "uid", "resourceVersion", "fieldPath"}
}

// Body is the merge patch that gives a volume this tie, whatever it has.
func (t Tie) Body() map[string]any {
	var ref any
	if t.ClaimRef != nil {
		whole := map[string]any{}
		for _, field := range claimRefFields() {
			whole[field] = t.ClaimRef[field] // null where it has none
		}
		ref = whole
	}
	var by any
	if t.ByController != nil {
		by = *t.ByController
	}
	return map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{ByControllerAnnotation: by}},
		"spec":     map[string]any{"claimRef": ref},
	}
}

// To is the tie to a claim.
func To(c Claim) Tie {
	return Tie{ClaimRef: map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": c.Namespace, "name": c.Name, "uid": string(c.UID),
	}}
}

// Holds tells whether a volume's claimRef names exactly this claim.
func (c Claim) Holds(pv *volume.PersistentVolume) bool {
	return pv.ClaimNamespace == c.Namespace && pv.ClaimName == c.Name && pv.ClaimUID == string(c.UID) && c.UID != ""
}

// NotFreeError says why a volume may not be tied to another claim.
type NotFreeError struct{ Volume, Reason string }

// Error names the volume and the reason.
func (e *NotFreeError) Error() string {
	return fmt.Sprintf("pv %q may not be tied to another claim: %s", e.Volume, e.Reason)
}

// free returns an error where letting go of a volume could lose it, or where a claim holds it.
func free(pv *volume.PersistentVolume) error {
	reason := ""
	switch {
	case pv.Terminating:
		reason = "it is being deleted"
	case pv.ReclaimPolicy != volume.PolicyRetain:
		// With Delete a volume is removed, disk and all, the moment its claim is gone.
		reason = fmt.Sprintf("its reclaim policy is %q, not Retain; `kafkarecover protect pv/%s` sets it", pv.ReclaimPolicy,
			pv.Name)
	case !slices.Contains([]string{volume.PhaseReleased, volume.PhaseAvailable, volume.PhaseFailed}, pv.Phase):
		reason = "it is " + pv.Phase
	}
	if reason == "" {
		return nil
	}
	return &NotFreeError{Volume: pv.Name, Reason: reason}
}

// Writer makes the writes. Whoever keeps a journal gives one that keeps it around each write; Plain does not.
type Writer interface {
	// Create stores a claim.
	Create(ctx context.Context, claim *unstructured.Unstructured) (*unstructured.Unstructured, error)
	// Tie sends the merge patch of a tie to exactly the version of the volume that is given.
	Tie(ctx context.Context, pv *unstructured.Unstructured, to Tie) error
	// Nudge sends a merge patch to a claim, so that the volume controller looks at it.
	Nudge(ctx context.Context, claim *unstructured.Unstructured, body map[string]any) error
	// Delete removes exactly this claim.
	Delete(ctx context.Context, claim Claim) error
}

// Plain writes without a journal.
type Plain struct{ Kube *kube.Client }

// Create implements Writer.
func (p Plain) Create(ctx context.Context, claim *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return p.Kube.Create(ctx, kube.Claims(), claim, false)
}

// Tie implements Writer.
func (p Plain) Tie(ctx context.Context, pv *unstructured.Unstructured, to Tie) error {
	_, err := p.Kube.Patch(ctx, kube.Volumes(), "", pv.GetName(), kube.Patch{
		Type: kube.MergePatch, Body: to.Body(), ResourceVersion: pv.GetResourceVersion(), UID: pv.GetUID(),
		FieldManager: protect.FieldManager,
	})
	return err
}

// Nudge implements Writer.
func (p Plain) Nudge(ctx context.Context, claim *unstructured.Unstructured, body map[string]any) error {
	_, err := p.Kube.Patch(ctx, kube.Claims(), claim.GetNamespace(), claim.GetName(), kube.Patch{
		Type: kube.MergePatch, Body: body, UID: claim.GetUID(), FieldManager: protect.FieldManager,
	})
	return err
}

// Delete implements Writer.
func (p Plain) Delete(ctx context.Context, c Claim) error {
	return p.Kube.Delete(ctx, kube.Claims(), c.Namespace, c.Name, kube.DeleteOptions{UID: c.UID})
}

// TiedAnnotation says on a claim which volume was tied to it.
const TiedAnnotation = "kafkarecover.io/tied-to"

// maxConflicts bounds how often a write is repeated at a newer version: the volume controller writes a volume a few
// times when its claim goes, then leaves it alone.
const maxConflicts = 10

// Bind ties a volume that no claim holds to a claim that exists and names it. The write carries the version of the
// volume that was looked at; where somebody wrote in between it is looked at again. pv is the volume as the decision
// was made on it: another one of its name is an error, as is one that is not free.
func Bind(ctx context.Context, k *kube.Client, w Writer, pv *volume.PersistentVolume, to Claim) error {
	for attempt := 1; ; attempt++ {
		u, err := k.Get(ctx, kube.Volumes(), "", pv.Name)
		if err != nil {
			return fmt.Errorf("bind pv %q: %w", pv.Name, err)
		}
		now := volume.ParsePersistentVolume(u.Object)
		if now.UID != pv.UID {
			return fmt.Errorf("bind pv %q: it was replaced by another one since it was looked at", pv.Name)
		}
		if to.Holds(&now) {
			return nil
		}
		if err := free(&now); err != nil {
			return err
		}
		err = w.Tie(ctx, u, To(to))
		if err == nil {
			return nil
		}
		if !kube.IsConflict(err) || attempt == maxConflicts {
			return fmt.Errorf("bind pv %q to claim %q: %w", pv.Name, to.Namespace+"/"+to.Name, err)
		}
	}
}

// WaitBound waits until claim and volume are Bound to each other. ctx bounds the wait.
func WaitBound(ctx context.Context, k *kube.Client, c Claim, pv string) error {
	_, err := k.WaitFor(ctx, kube.Wait{
		Resource: kube.Claims(), Namespace: c.Namespace, Name: c.Name,
		What: fmt.Sprintf("claim %q to be bound to pv %q", c.Namespace+"/"+c.Name, pv),
		Condition: func(u *unstructured.Unstructured) (bool, string, error) {
			if u == nil || u.GetUID() != c.UID {
				return false, "", fmt.Errorf("wait for claim %q: %w", c.Namespace+"/"+c.Name, errGone)
			}
			claim := volume.ParseClaim(u.Object)
			return claim.Phase == volume.PhaseBound && claim.Volume == pv, "the claim is " + claim.Phase, nil
		},
	})
	if err != nil {
		return err
	}
	return waitVolume(ctx, k, c, pv)
}

// waitVolume waits until a volume that is tied to a claim is Bound.
func waitVolume(ctx context.Context, k *kube.Client, c Claim, pv string) error {
	_, err := k.WaitFor(ctx, kube.Wait{
		Resource: kube.Volumes(), Name: pv, What: fmt.Sprintf("pv %q to be bound to claim %q", pv, c.Namespace+"/"+c.Name),
		Condition: func(u *unstructured.Unstructured) (bool, string, error) {
			if u == nil {
				return false, "", fmt.Errorf("wait for pv %q: %w", pv, errGone)
			}
			now := volume.ParsePersistentVolume(u.Object)
			if !c.Holds(&now) {
				return false, "", fmt.Errorf("wait for pv %q: it was tied to another claim meanwhile", pv)
			}
			return now.Phase == volume.PhaseBound, "the volume is " + now.Phase, nil
		},
	})
	return err
}

// Complete waits until a claim and the volume that was just tied to it are Bound to each other, and has the volume
// controller see to that now. Of a volume that is tied to a claim which names it in turn, the controller only sets the
// volume's phase (syncVolume in pv_controller.go: "all is bound"); the claim stays Pending until it is looked at for
// another reason, at the latest when the controller looks at all of them, every 15 seconds. A change of the claim is
// such a reason, once the controller knows of the tie. ctx bounds the wait.
func Complete(ctx context.Context, k *kube.Client, w Writer, c Claim, pv string) error {
	if err := waitVolume(ctx, k, c, pv); err != nil {
		return err
	}
	claim, err := k.Get(ctx, kube.Claims(), c.Namespace, c.Name)
	if err == nil && claim.GetUID() == c.UID && volume.ParseClaim(claim.Object).Phase != volume.PhaseBound {
		err = w.Nudge(ctx, claim, map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{TiedAnnotation: pv}},
		})
	}
	if err != nil && !kube.IsNotFound(err) && !kube.IsConflict(err) { // what became of it the wait below says
		return fmt.Errorf("bind pv %q to claim %q: %w", pv, c.Namespace+"/"+c.Name, err)
	}
	return WaitBound(ctx, k, c, pv)
}

var errGone = errors.New("it is gone, or was replaced by another one")

// NewClaim is the claim that stands for a volume: the volume's own access modes, mode and class, and its size where
// request is empty, so that the volume controller finds nothing that does not match, and no owner, finalizer or
// annotation that a former claim had (an owner that is gone has the claim collected, and a binding annotation of
// another binding makes it Lost).
func NewClaim(
	pv *volume.PersistentVolume, namespace, name, request string, labels, annotations map[string]string,
) *unstructured.Unstructured {
	spec := object.Map(pv.Object, "spec")
	claim := map[string]any{
		"volumeName":       pv.Name,
		"storageClassName": pv.StorageClass, // "" too: without it the default class would be filled in
		"accessModes":      object.Get(object.Clone(spec), "accessModes"),
		"resources":        map[string]any{"requests": map[string]any{"storage": cmp.Or(request, pv.Capacity)}},
	}
	for _, same := range []string{"volumeMode", "volumeAttributesClassName"} {
		if v := object.String(spec, same); v != "" {
			claim[same] = v
		}
	}
	out := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": claim,
		"metadata": map[string]any{"namespace": namespace, "name": name},
	}}
	out.SetLabels(labels)
	out.SetAnnotations(annotations)
	return out
}

// encode writes a tie as the value of an annotation.
func (t Tie) encode() (string, error) {
	b, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("encode what a volume was tied to: %w", err)
	}
	return string(b), nil
}
