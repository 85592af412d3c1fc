package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// reconcileClaims creates or adopts every claim of every node, all at once, and reports the first failure in their
// order (PvcReconciler.resizeAndReconcilePvcs).
func (r *reconciliation) reconcileClaims(ctx context.Context) error {
	for _, n := range r.nodes {
		for _, v := range n.pool.storage.volumes {
			if v.kind != "persistent-claim" {
				continue
			}
			object, err := desiredClaim(n, v, r.key.Namespace)
			if err != nil {
				return err
			}
			r.claims = append(r.claims, object)
		}
	}
	results := make([]error, len(r.claims))
	var group sync.WaitGroup
	var mu sync.Mutex
	for i, c := range r.claims {
		group.Go(func() {
			warning, err := r.reconcileClaim(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			results[i] = err
			if warning != "" {
				r.warnings = append(r.warnings, map[string]any{
					"type": "Warning", "status": "True", "reason": "PvcResizingWarning", "message": warning,
					"lastTransitionTime": r.timestamp(),
				})
			}
		})
	}
	group.Wait()
	for _, err := range results {
		if err != nil {
			return err
		}
	}
	return nil
}

func desiredClaim(n node, v storageVolume, namespace string) (*corev1.PersistentVolumeClaim, error) {
	size, err := resource.ParseQuantity(v.size)
	if err != nil {
		return nil, failf("InvalidResourceException", "the size %q of a volume of pool %s is no quantity",
			v.size, n.pool.name)
	}
	mode := corev1.PersistentVolumeFilesystem
	object := &corev1.PersistentVolumeClaim{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{
			Name: v.claimName(n.podName()), Namespace: namespace, Labels: poolLabels(n.pool),
			Annotations: map[string]string{annotationDeleteClaim: fmt.Sprint(v.deleteClaim)},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: size},
			},
			VolumeMode: &mode,
		},
	}
	if v.class != "" {
		object.Spec.StorageClassName = &v.class
	}
	if v.deleteClaim {
		object.OwnerReferences = []metav1.OwnerReference{ownedBy(n.pool.object, false)}
	}
	return object, nil
}

// keepImmutable asks for what the claim has, where it cannot be changed (PvcOperator.revertImmutableChanges).
func keepImmutable(current, desired *corev1.PersistentVolumeClaim) {
	have, want := &current.Spec, &desired.Spec
	want.VolumeName, want.StorageClassName, want.AccessModes = have.VolumeName, have.StorageClassName, have.AccessModes
	want.Selector, want.DataSource = have.Selector, have.DataSource
}

// reconcileClaim adopts a claim of the right name whatever its labels and owner, or creates an empty one. A different
// size is asked of the API server only where the storage class allows it; else the claim is left alone with a warning.
func (r *reconciliation) reconcileClaim(ctx context.Context, desired *corev1.PersistentVolumeClaim) (string, error) {
	claims := r.typed.CoreV1().PersistentVolumeClaims(desired.Namespace)
	current, err := claims.Get(ctx, desired.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", r.applyClaim(ctx, desired)
	}
	if err != nil {
		return "", apiFailure("GET", claimPath(desired), err)
	}
	keepImmutable(current, desired)
	have, want := current.Spec.Resources.Requests.Storage(), desired.Spec.Resources.Requests.Storage()
	if current.Status.Phase != corev1.ClaimBound || have.Cmp(*want) == 0 {
		return "", r.applyClaim(ctx, desired)
	}
	class := current.Spec.StorageClassName
	if class == nil || *class == "" {
		return fmt.Sprintf("PVC %s does not use any Storage Class and cannot be resized.", desired.Name), nil
	}
	found, err := r.typed.StorageV1().StorageClasses().Get(ctx, *class, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Sprintf("Storage Class %s not found. PVC %s cannot be resized.", *class, desired.Name), nil
	case err != nil:
		return "", apiFailure("GET", "/apis/storage.k8s.io/v1/storageclasses/"+*class, err)
	case found.AllowVolumeExpansion == nil || !*found.AllowVolumeExpansion:
		return fmt.Sprintf("Storage Class %s does not support resizing of volumes. PVC %s cannot be resized.",
			*class, desired.Name), nil
	}
	return "", r.applyClaim(ctx, desired)
}

// applyClaim is a server-side apply, without force first and with force after a conflict.
func (r *reconciliation) applyClaim(ctx context.Context, desired *corev1.PersistentVolumeClaim) error {
	body, err := json.Marshal(desired)
	if err != nil {
		return fmt.Errorf("apply claim %q: %w", desired.Name, err)
	}
	claims := r.typed.CoreV1().PersistentVolumeClaims(desired.Namespace)
	for _, force := range []bool{false, true} {
		_, err = claims.Patch(ctx, desired.Name, types.ApplyPatchType, body,
			metav1.PatchOptions{FieldManager: fieldManager, Force: &force})
		if !apierrors.IsConflict(err) {
			break
		}
	}
	if err != nil {
		return apiFailure("PATCH", claimPath(desired)+"?fieldManager="+fieldManager, err)
	}
	return nil
}

func claimPath(c *corev1.PersistentVolumeClaim) string {
	return fmt.Sprintf("/api/v1/namespaces/%s/persistentvolumeclaims/%s", c.Namespace, c.Name)
}

// deleteClaims removes, at the end of a successful reconcile, claims of the cluster that no node of it has any more
// and that carry strimzi.io/delete-claim: "true" themselves.
func (r *reconciliation) deleteClaims(ctx context.Context) error {
	claims := r.typed.CoreV1().PersistentVolumeClaims(r.key.Namespace)
	list, err := claims.List(ctx, metav1.ListOptions{LabelSelector: labels.Set(selectorLabels(r.key.Name, "")).String()})
	if err != nil {
		return apiFailure("GET", "/api/v1/namespaces/"+r.key.Namespace+"/persistentvolumeclaims", err)
	}
	desired := map[string]bool{}
	for _, c := range r.claims {
		desired[c.Name] = true
	}
	var failed error
	for i := range list.Items {
		found := &list.Items[i]
		if desired[found.Name] || !isTrue(found.Annotations, annotationDeleteClaim) {
			continue
		}
		r.log.Info("deleting claim", "claim", found.Name)
		if err := claims.Delete(ctx, found.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			failed = errors.Join(failed, apiFailure("DELETE", claimPath(found), err))
		}
	}
	return failed
}
