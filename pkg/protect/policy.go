package protect

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

const (
	// PolicyAnnotation keeps, on the volume itself, the reclaim policy that Retain replaced: what `unprotect` sets back,
	// from whatever machine.
	PolicyAnnotation = "kafkarecover.io/reclaim-policy-before"
	// OperationAnnotation is on every volume that an operation under way holds.
	OperationAnnotation = "kafkarecover.io/operation"
	// FieldManager is sent with every write, so that managedFields tell who wrote.
	FieldManager = "kafkarecover"
)

// Write sends one merge patch to the volume it was made for. Who keeps a journal keeps it around the sending.
type Write func(ctx context.Context, body []byte) error

// Retain sets the reclaim policy Retain on a volume as it was looked at, and reads it back. A nil write sends the patch
// plainly. It is the only way the tool sets Retain. The volume is returned as it was read back.
func Retain(
	ctx context.Context, k *kube.Client, pv *volume.PersistentVolume, write Write,
) (*volume.PersistentVolume, error) {
	body, err := retainPatch(pv.ReclaimPolicy)
	if err != nil {
		return nil, err
	}
	if write == nil {
		write = func(ctx context.Context, body []byte) error {
			return patch(ctx, k, pv, kube.Patch{Body: json.RawMessage(body)})
		}
	}
	if err := write(ctx, body); err != nil {
		return nil, fmt.Errorf("set Retain: %w", err)
	}
	u, err := k.Get(ctx, kube.Volumes(), "", pv.Name)
	if err != nil {
		return nil, fmt.Errorf("read the reclaim policy back: %w", err)
	}
	back := volume.ParsePersistentVolume(u.Object)
	if back.ReclaimPolicy != volume.PolicyRetain {
		return &back, fmt.Errorf("read the reclaim policy back: pv %q has %q, somebody sets it again", pv.Name,
			back.ReclaimPolicy)
	}
	return &back, nil
}

// retainPatch sets Retain and notes what was there. A volume that had no policy at all gets no note: the API server
// fills one in, and it is not known which.
func retainPatch(before string) ([]byte, error) {
	body := map[string]any{"spec": map[string]any{"persistentVolumeReclaimPolicy": volume.PolicyRetain}}
	if before != "" && before != volume.PolicyRetain {
		body["metadata"] = map[string]any{"annotations": map[string]any{PolicyAnnotation: before}}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("build the patch to Retain: %w", err)
	}
	return b, nil
}

// patch sends a merge patch to exactly this volume: another one of its name answers Conflict.
func patch(ctx context.Context, k *kube.Client, pv *volume.PersistentVolume, p kube.Patch) error {
	p.Type, p.UID, p.FieldManager = kube.MergePatch, types.UID(pv.UID), FieldManager
	_, err := k.Patch(ctx, kube.Volumes(), "", pv.Name, p)
	return err
}

// policyNoted is the policy the volume's own annotation tells; empty when there is none.
func policyNoted(pv *volume.PersistentVolume) string {
	return annotation(pv, PolicyAnnotation)
}
