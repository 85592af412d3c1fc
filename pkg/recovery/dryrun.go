package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// dryRun ends a run that changes nothing. A server dry run has the API server check every write whose content is known
// now: permissions, admission and schema.
func (r *run) dryRun(ctx context.Context) error {
	r.result.Reason = "dry run: nothing was changed"
	if n := len(r.redeclaring.todo); n > 0 {
		r.result.Next = append(r.result.Next, wording.Count(n, "volume was declared to be read; its object is",
			"volumes were declared to be read; their objects are")+" taken back as the dry run ends")
	}
	if r.DryRun != DryRunServer {
		return nil
	}
	if r.before.Planned {
		return r.dryRunCreates(ctx)
	}
	cluster := r.before.Cluster
	u, err := r.pause.get(ctx)
	if err != nil {
		return err
	}
	pause, err := strimzi.PausePatch("")
	if err != nil {
		return err
	}
	id, err := strimzi.ClusterIDPatch(u.GetResourceVersion(), &r.plan.ClusterID)
	if err != nil {
		return err
	}
	errs := []error{
		r.tryPatch(ctx, r.Name, pause, "pause"), r.tryPatch(ctx, r.Name, id, "write the cluster ID"),
	}
	for _, pool := range cluster.Pools {
		patch, err := strimzi.ClusterIDPatch(pool.ResourceVersion, &r.plan.ClusterID)
		if err != nil {
			return err
		}
		_, err = r.Kube.Patch(ctx, strimzi.NodePoolGVR(cluster.Version()), r.Namespace, pool.Name, kube.Patch{
			Type: kube.MergePatch, Body: json.RawMessage(patch.Body), Subresource: patch.Subresource, DryRun: true,
			FieldManager: FieldManager,
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("server dry run, write the cluster ID: %w", err))
		}
	}
	errs = append(errs, r.tryLetGo(ctx)...)
	for _, c := range r.lostToMake() {
		if _, err := r.Kube.Create(ctx, kube.Claims(), r.lostClaim(c, true), true); err != nil {
			errs = append(errs, fmt.Errorf("server dry run, hold pvc/%s back: %w", c, err))
		}
	}
	for _, s := range r.plan.Snapshots {
		if _, err := r.Kube.Create(ctx, kube.VolumeSnapshots(), r.snapshotObject(s), true); err != nil {
			errs = append(errs, fmt.Errorf("server dry run, snapshot: %w", err))
		}
	}
	if r.noQuota == "" {
		_, err := r.Kube.Create(ctx, kube.ResourceQuotas(),
			quotaObject(r.Namespace, r.operation, r.Name, r.namespaceClaims), true)
		if err != nil {
			errs = append(errs, fmt.Errorf("server dry run, quota: %w", err))
		}
	}
	r.result.Reason = "server dry run: the API server accepts every write; nothing was changed"
	return errors.Join(errs...)
}

// dryRunCreates has the API server check what would be created: the claims and the declared resources. What is written
// to them afterwards cannot be tried on what is not there, nor a claim whose name another one has until it goes.
func (r *run) dryRunCreates(ctx context.Context) error {
	errs, going := r.tryLetGo(ctx), r.letGoClaims()
	try := func(gvr schema.GroupVersionResource, object *unstructured.Unstructured) {
		if _, err := r.Kube.Create(ctx, gvr, object, true); err != nil {
			errs = append(errs, fmt.Errorf("server dry run, create %s: %w", declared.Ref(object), err))
		}
	}
	for _, p := range r.missingClaims() {
		if slices.Contains(going, p.Claim) {
			continue
		}
		object, err := r.claimObject(p)
		if err != nil {
			return err
		}
		try(kube.Claims(), object)
	}
	for _, c := range r.lostToMake() {
		try(kube.Claims(), r.lostClaim(c, true))
	}
	for _, c := range r.resources() {
		try(c.gvr, c.object)
	}
	if err := r.tryHold(ctx); err != nil {
		errs = append(errs, err)
	}
	for _, s := range r.plan.Snapshots {
		try(kube.VolumeSnapshots(), r.snapshotObject(s))
	}
	r.result.Reason = "server dry run: the API server accepts what would be created; nothing was changed"
	return errors.Join(errs...)
}

// tryLetGo has the API server check that the claims may go which hold other volumes.
func (r *run) tryLetGo(ctx context.Context) []error {
	var errs []error
	for _, l := range r.before.LetGo {
		err := r.Kube.Delete(ctx, kube.Claims(), r.Namespace, l.Claim, kube.DeleteOptions{
			UID: types.UID(l.ClaimUID), DryRun: true,
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("server dry run, let claim %q go: %w", l.Claim, err))
		}
	}
	return errs
}

func (r *run) tryPatch(ctx context.Context, name string, p strimzi.Patch, what string) error {
	_, err := r.Kube.Patch(ctx, r.pause.gvr, r.Namespace, name, kube.Patch{
		Type: kube.MergePatch, Body: json.RawMessage(p.Body), Subresource: p.Subresource, DryRun: true,
		FieldManager: FieldManager,
	})
	if err != nil {
		return fmt.Errorf("server dry run, %s: %w", what, err)
	}
	return nil
}
