package recovery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// bindTimeout bounds the wait for one claim: nine were seen to be bound within two seconds.
const bindTimeout = time.Minute

// mayCreate refuses at once what would only come out when claims are made already: that there is no such namespace, or
// that the manifests are of a version which is not served.
func (r *run) mayCreate(ctx context.Context) error {
	u, err := r.Kube.Get(ctx, kube.Namespaces(), "", r.Namespace)
	switch {
	case kube.IsNotFound(err):
		if err := r.mayMakeNamespace(); err != nil {
			return err
		}
	case err == nil && r.going != nil:
		r.namespaceMissing = true
	case err == nil && u.GetDeletionTimestamp() != nil: // since it was looked at
		return fmt.Errorf("namespace %q is being deleted: wait until it is gone, then run this again", r.Namespace)
	case err != nil && !kube.IsForbidden(err): // who may not look finds out when the lock is taken
		return fmt.Errorf("look at namespace %q: %w", r.Namespace, err)
	}
	served, err := r.Kube.ServedVersions(ctx, strimzi.Group)
	if err != nil {
		return err
	}
	if r.inconvertible != nil {
		return r.inconvertible
	}
	if version := r.before.Cluster.Version(); !slices.Contains(served, version) {
		return fmt.Errorf("the manifests are of %s/%s, and this cluster serves %v: install the operator they are for",
			strimzi.Group, version, served)
	}
	for _, change := range r.converted {
		r.Report.Warn(change)
	}
	if r.namespaceMissing {
		return nil
	}
	return r.findStanding(ctx)
}

// stepClaims makes the claims that the operator will look for and binds the volumes to them: the claim first, then one
// write that ties the volume to it by UID. The operator takes a claim of the right name as it is (PvcReconciler.java).
func (r *run) stepClaims(ctx context.Context) (string, error) {
	todo := r.missingClaims()
	group, bounded := errgroup.WithContext(ctx)
	group.SetLimit(writesAtOnce)
	for _, p := range todo {
		group.Go(func() error { return r.claim(bounded, p) })
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	r.base.adopt(r.before.Volumes)
	return wording.Count(len(todo), "claim, bound to its volume", "claims, each bound to its volume"),
		r.journalDecision(ctx)
}

// missingClaims are the placements whose claim is not there yet.
func (r *run) missingClaims() []placement.Placement {
	var out []placement.Placement
	for _, p := range r.before.Placements {
		if !p.Exists {
			out = append(out, p)
		}
	}
	return out
}

// placed is the volume of a placement, as it was judged.
func (r *run) placed(p placement.Placement) (*volume.Volume, error) {
	i := slices.IndexFunc(r.before.Volumes, func(v volume.Volume) bool { return v.Name == "pvc/"+p.Claim })
	if i < 0 || r.before.Volumes[i].PV == nil {
		return nil, fmt.Errorf("make claim %q: its volume %q is not among those that were judged", p.Claim, p.Volume)
	}
	return &r.before.Volumes[i], nil
}

// claimObject is the claim that is made for a placement. It says which operation made it.
func (r *run) claimObject(p placement.Placement) (*unstructured.Unstructured, error) {
	if r.before.Set != nil {
		return r.setClaim(r.before.Set, p)
	}
	v, err := r.placed(p)
	if err != nil {
		return nil, err
	}
	made := map[string]string{CreatedAnnotation: r.operation}
	return binding.NewClaim(v.PV, r.Namespace, p.Claim, p.Request, nil, made), nil
}

func (r *run) claim(ctx context.Context, p placement.Placement) error {
	v, err := r.placed(p)
	if err != nil {
		return err
	}
	object, err := r.claimObject(p)
	if err != nil {
		return err
	}
	lender := r.lender(StepClaims)
	stored, err := lender.Create(ctx, object)
	if err != nil {
		return fmt.Errorf("make claim %q: %w", p.Claim, err)
	}
	claim := binding.Claim{Namespace: r.Namespace, Name: p.Claim, UID: stored.GetUID()}
	if err := binding.Bind(ctx, r.Kube, lender, v.PV, claim); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, bindTimeout)
	defer cancel()
	if err := binding.Complete(waiting, r.Kube, lender, claim, v.PV.Name); err != nil {
		return err
	}
	v.Claim.UID, v.PV.ClaimUID = string(claim.UID), string(claim.UID) // each goroutine has its own volume
	return nil
}

// stepResources creates what was declared, in the order in which nothing acts on less than all of it: Secrets before
// users, so that no password is made anew; topics out of the Topic Operator's hands; every pool before Kafka; Kafka
// last, paused, and without the Entity Operator, which deletes users it does not know.
func (r *run) stepResources(ctx context.Context) (string, error) {
	made := 0
	for _, o := range r.resources() {
		if err := r.createOne(ctx, o); err != nil {
			return "", err
		}
		made++
	}
	seen, err := r.Look(ctx, LookRequest{Namespace: r.Namespace, Name: r.Name, Depth: Objects})
	if err != nil {
		return "", fmt.Errorf("read back what was created: %w", err)
	}
	if seen.Cluster == nil || seen.Planned {
		return "", fmt.Errorf("read back what was created: kafka %q is not there", r.Name)
	}
	if len(seen.Cluster.Pools) != len(r.before.Cluster.Pools) {
		return "", fmt.Errorf("read back what was created: found %s, not %d",
			wording.Count(len(seen.Cluster.Pools), "pool", "pools"), len(r.before.Cluster.Pools))
	}
	r.before.Cluster, r.before.Planned = seen.Cluster, false
	r.pause.uid, r.plan.KafkaUID = seen.Cluster.Kafka.UID, seen.Cluster.Kafka.UID
	return fmt.Sprintf("%s, kafka/%s paused", wording.Count(made, "resource", "resources"), r.Name), r.journalDecision(ctx)
}

// created is one object to create, with the resource it is of.
type created struct {
	gvr    schema.GroupVersionResource
	object *unstructured.Unstructured
}

// resources are what stepResources creates, in its order; what is there stays as it is.
func (r *run) resources() []created {
	d, version := r.Declared, r.before.Cluster.Version()
	var out []created
	add := func(gvr schema.GroupVersionResource, objects ...*unstructured.Unstructured) {
		for _, o := range objects {
			if !r.standing[declared.Ref(o)] {
				out = append(out, created{gvr, r.stamped(o)})
			}
		}
	}
	add(kube.Secrets(), d.Secrets...)
	users, _ := d.UsersBySecret()
	add(strimzi.UserGVR(version), users...)
	for _, topic := range d.Topics {
		add(strimzi.TopicGVR(version), annotated(topic, strimzi.ManagedAnnotation, "false"))
	}
	for _, pool := range d.Pools {
		ids := r.nodeIDs(pool.GetName())
		add(strimzi.NodePoolGVR(version), annotated(pool, strimzi.NextNodeIDsAnnotation, strimzi.FormatNodeIDs(ids)))
	}
	kafka := annotated(d.WithoutEntityOperator(), strimzi.PauseAnnotation, "true")
	add(r.pause.gvr, annotated(kafka, OperationAnnotation, r.operation))
	return out
}

// nodeIDs are the IDs of the volumes of a pool: as they were planned for, where an earlier run made the pool.
func (r *run) nodeIDs(pool string) []int32 {
	if r.recorded != nil && r.recorded.created() {
		return r.recorded.Decision.Baseline.pools[pool]
	}
	if p := r.before.Cluster.Pool(pool); p != nil {
		return p.Status.NodeIDs
	}
	return nil
}

func annotated(o *unstructured.Unstructured, key, value string) *unstructured.Unstructured {
	out := o.DeepCopy()
	annotations := out.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	out.SetAnnotations(annotations)
	return out
}

// stamped says on an object which operation makes it.
func (r *run) stamped(o *unstructured.Unstructured) *unstructured.Unstructured {
	return annotated(o, CreatedAnnotation, r.operation)
}

// createOne creates one declared object. One that is there already under its name is somebody else's, and stops the
// run, but for what this very operation made before it was interrupted.
func (r *run) createOne(ctx context.Context, c created) error {
	if c.gvr == kube.Secrets() {
		made, err := r.createSecret(ctx, StepResources, c)
		if err == nil && !made && !r.maySecretStand(c.object.GetName()) {
			err = fmt.Errorf("create secret/%s: there is one, and its user is not there: it is not known whose password it "+
				"holds", c.object.GetName())
		}
		return err
	}
	if _, err := r.write.create(ctx, StepResources, c.gvr, c.object); err != nil {
		return fmt.Errorf("create %s/%s: %w", strings.ToLower(c.object.GetKind()), c.object.GetName(), err)
	}
	return nil
}

// stepNodeIDs writes the node IDs of the volumes into the status of every pool, while paused: pools of which some have
// IDs and some have not would be taken for a scale-up.
func (r *run) stepNodeIDs(ctx context.Context) (string, error) {
	gvr := strimzi.NodePoolGVR(r.before.Cluster.Version())
	for i := range r.before.Cluster.Pools {
		pool := &r.before.Cluster.Pools[i]
		ids := r.wantedNodeIDs(pool)
		err := r.atNewest(ctx, func(ctx context.Context) error {
			u, err := r.Kube.Get(ctx, gvr, r.Namespace, pool.Name)
			if err != nil {
				return err
			}
			now := strimzi.ParseNodePool(u.Object)
			if now.UID != pool.UID {
				return fmt.Errorf("kafkanodepool %q was replaced by another one since it was looked at", pool.Name)
			}
			if slices.Equal(now.Status.NodeIDs, ids) {
				return nil
			}
			patch, err := strimzi.NodeIDsPatch(u.GetResourceVersion(), ids, now.Roles)
			if err != nil {
				return err
			}
			_, err = r.write.patch(ctx, StepNodeIDs, gvr, u, patch)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("write the node IDs of kafkanodepool %q: %w", pool.Name, err)
		}
		pool.Status.NodeIDs = ids
	}
	return wording.Count(len(r.before.Cluster.Pools), "pool", "pools"), nil
}
