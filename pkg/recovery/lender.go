package recovery

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// lender ties volumes to claims in the name of a step: every write is journaled before it is made.
type lender struct {
	write *writer
	step  StepID
	vigil *vigil
}

// lender returns what volumes are lent with. A dry run keeps no journal: it gives back what it borrows.
func (r *run) lender(step StepID) binding.Writer {
	if r.write.journal == nil {
		return binding.Plain{Kube: r.Kube}
	}
	return lender{write: r.write, step: step, vigil: r.vigil}
}

// Create implements binding.Writer.
func (l lender) Create(ctx context.Context, claim *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	stored, err := l.write.create(ctx, l.step, kube.Claims(), claim)
	if err == nil {
		l.vigil.made(stored)
	}
	return stored, err
}

// Tie implements binding.Writer.
func (l lender) Tie(ctx context.Context, pv *unstructured.Unstructured, to binding.Tie) error {
	body := to.Body()
	meta, _ := body["metadata"].(map[string]any)
	meta["resourceVersion"] = pv.GetResourceVersion()
	patch, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("tie pv %q: %w", pv.GetName(), err)
	}
	_, err = l.write.patch(ctx, l.step, kube.Volumes(), pv, strimzi.Patch{Body: patch})
	return err
}

// Nudge implements binding.Writer.
func (l lender) Nudge(ctx context.Context, claim *unstructured.Unstructured, body map[string]any) error {
	patch, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("change claim %q: %w", claim.GetName(), err)
	}
	_, err = l.write.patch(ctx, l.step, kube.Claims(), claim, strimzi.Patch{Body: patch})
	return err
}

// Delete implements binding.Writer.
func (l lender) Delete(ctx context.Context, c binding.Claim) error {
	claim := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "PersistentVolumeClaim"}}
	claim.SetNamespace(c.Namespace)
	claim.SetName(c.Name)
	claim.SetUID(c.UID)
	return l.write.remove(ctx, l.step, kube.Claims(), claim)
}
