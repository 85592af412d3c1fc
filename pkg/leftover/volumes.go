package leftover

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// FindAll is Find with the volumes that dry runs declared to read them and did not take back. They are objects of the
// whole Kubernetes cluster, told by the namespace of the claim they name; where they may not be listed this is told.
func FindAll(ctx context.Context, k *kube.Client, now time.Time, namespace, operation string) (*Result, error) {
	f, err := find(ctx, k, now, namespace, operation)
	if err != nil {
		return nil, err
	}
	list, err := k.List(ctx, kube.Volumes(), "", kube.ListOptions{LabelSelector: selector(operation)})
	switch {
	case kube.IsForbidden(err):
		f.forbidden = append(f.forbidden, err.Error())
	case err != nil:
		return nil, fmt.Errorf("list what operations left: %w", err)
	default:
		for i := range list.Items {
			if err := f.volume(ctx, &list.Items[i], namespace); err != nil {
				return nil, err
			}
		}
	}
	return f.result(namespace), nil
}

// volume notes one that may go: nobody has it, or only a claim that has borrowed it and gives it back first.
func (f *finder) volume(ctx context.Context, u *unstructured.Unstructured, namespace string) error {
	pv := volume.ParsePersistentVolume(u.Object)
	if namespace != "" && pv.ClaimNamespace != namespace || !mayGo(u) {
		return nil
	}
	if !untouched(u) {
		if lent, err := f.lent(ctx, &pv); !lent || err != nil {
			return err
		}
	}
	o := f.of(u.GetLabels()[recovery.OperationLabel], pv.ClaimNamespace)
	o.Volumes, o.declared = append(o.Volumes, pv.Name), append(o.declared, u)
	if until := u.GetCreationTimestamp().Add(borrowTime); f.now.Before(until) {
		o.lives(Unknown, until)
	}
	return nil
}

// lent tells whether a claim that borrows volumes has this one: it is given back when what the look left is removed,
// which is an operation of its own.
func (f *finder) lent(ctx context.Context, pv *volume.PersistentVolume) (bool, error) {
	if pv.ClaimName == "" {
		return false, nil
	}
	claim, err := f.kube.Get(ctx, kube.Claims(), pv.ClaimNamespace, pv.ClaimName)
	if kube.IsNotFound(err) || kube.IsForbidden(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list what operations left: %w", err)
	}
	_, borrows := claim.GetAnnotations()[binding.LoanAnnotation]
	return borrows && string(claim.GetUID()) == pv.ClaimUID, nil
}

// mayGo tells whether a volume is as a dry run declared it, no restore holds it, and its disk outlives its object.
func mayGo(u *unstructured.Unstructured) bool {
	pv := volume.ParsePersistentVolume(u.Object)
	_, declared := recovery.DeclaredToBeRead(u)
	return declared && u.GetAnnotations()[recovery.OperationAnnotation] == "" &&
		pv.ReclaimPolicy == volume.PolicyRetain && !pv.Terminating
}

// untouched tells whether a volume still names the claim that it was declared with, and that nobody has: whoever binds
// it ties it to another one.
func untouched(u *unstructured.Unstructured) bool {
	uid, _ := recovery.DeclaredToBeRead(u)
	return volume.ParsePersistentVolume(u.Object).ClaimUID == uid
}

// forget deletes the objects of volumes that a dry run declared, each as it was looked at just before: one that
// somebody has bound, or taken in hand, since it was found stays.
func (o *Operation) forget(ctx context.Context, k *kube.Client, timeout time.Duration) error {
	for _, was := range o.declared {
		name := was.GetName()
		u, err := k.Get(ctx, kube.Volumes(), "", name)
		if kube.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("remove what operation %q declared: %w", o.Operation, err)
		}
		stays := u.GetUID() != was.GetUID() || !mayGo(u) || !untouched(u)
		if !stays {
			stays, err = claimAlive(ctx, k, u)
		}
		switch {
		case err != nil:
			return fmt.Errorf("remove what operation %q declared: %w", o.Operation, err)
		case stays:
			pv := volume.ParsePersistentVolume(u.Object)
			return fmt.Errorf("remove what operation %q declared: pv %q stays, for claim %q or somebody else has it; where the "+
				"claim only borrows it, remove what the operation of that claim left, then this again", o.Operation, name,
				pv.ClaimNamespace+"/"+pv.ClaimName)
		}
		err = k.Delete(ctx, kube.Volumes(), "", name, kube.DeleteOptions{
			UID: u.GetUID(), ResourceVersion: u.GetResourceVersion(),
		})
		if err == nil {
			_, err = k.WaitFor(ctx, kube.Wait{
				Resource: kube.Volumes(), Name: name, Timeout: timeout, Flag: "--timeout",
				What: fmt.Sprintf("pv %q to be gone", name),
				Condition: func(now *unstructured.Unstructured) (bool, string, error) {
					return now == nil || now.GetUID() != u.GetUID(), "it is still there", nil
				},
			})
		}
		if err != nil && !kube.IsNotFound(err) {
			return fmt.Errorf("remove what operation %q declared: %w", o.Operation, err)
		}
		o.Removed = append(o.Removed, "persistentvolume/"+name)
	}
	o.Volumes, o.declared = nil, nil
	return nil
}

// claimAlive tells whether the very claim that a volume names is there.
func claimAlive(ctx context.Context, k *kube.Client, u *unstructured.Unstructured) (bool, error) {
	pv := volume.ParsePersistentVolume(u.Object)
	claim, err := k.Get(ctx, kube.Claims(), pv.ClaimNamespace, pv.ClaimName)
	if kube.IsNotFound(err) {
		return false, nil
	}
	return err == nil && string(claim.GetUID()) == pv.ClaimUID, err
}
