package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// The steps of a restore without nodes that are lost for good.
const (
	StepHoldBack StepID = "hold-back"
	StepCatchUp  StepID = "catch-up"
	StepJoin     StepID = "join"
)

// lostFlag names what is lost.
const lostFlag = "--lost"

// findLost finds the claims of what was named as lost in the cluster as it will be.
func (r *run) findLost() error {
	if len(r.Lost) == 0 {
		return nil
	}
	if !r.Wait {
		return &FlagError{Flag: lostFlag, Why: "a node that is held back is let in once the others have caught up, and " +
			"with --wait=false nobody would be there to do it"}
	}
	if r.before.Cluster == nil {
		return &FlagError{Flag: lostFlag, Why: "it names nodes of a cluster that Strimzi runs"}
	}
	lost, err := r.before.Cluster.LostClaims(r.Lost)
	var unknown *strimzi.LostError
	if errors.As(err, &unknown) {
		return &FlagError{Flag: lostFlag, Why: err.Error()}
	}
	r.lost = lost // a rule refuses where node IDs cannot be told
	if r.before.Planned {
		if err := knownLost(lost, volume.KnownNodes(r.before.Volumes)); err != nil {
			return err
		}
		keepNodes(r.before.Cluster, lost)
	}
	return nil
}

// knownLost refuses a node that nothing on the volumes speaks of, where they speak of any: in a pool that is to be made
// it would take the place of the one that is lost.
func knownLost(lost []strimzi.ClaimName, known []int32) error {
	for _, c := range lost {
		if len(known) > 0 && !slices.Contains(known, c.NodeID) {
			return &FlagError{Flag: lostFlag, Why: fmt.Sprintf("there was no node %d: by the metadata on the volumes the nodes "+
				"are %s", c.NodeID, strimzi.FormatNodeIDs(known))}
		}
	}
	return nil
}

// ParseLost checks the form of what names a lost node or claim.
func ParseLost(ref string) error { return strimzi.ParseLost(ref) }

// keepNodes has pools that are created keep the node IDs of lost volumes too: the operator would give other ones to the
// nodes that are to take their places, where it gives them by itself.
func keepNodes(cluster *strimzi.Cluster, lost []strimzi.ClaimName) {
	for _, c := range lost {
		p := cluster.Pool(c.Pool)
		if !slices.Contains(p.Status.NodeIDs, c.NodeID) {
			p.Status.NodeIDs = append(p.Status.NodeIDs, c.NodeID)
			slices.Sort(p.Status.NodeIDs)
		}
	}
}

// holdBack notes which claims are held back, and what their nodes will format on their volumes.
func (b *baseline) holdBack(lost []strimzi.ClaimName) {
	b.held = lost
	for _, c := range lost {
		b.claims[c.String()] = claimIdentity{}
		b.formatted[c.String()+"/"+strimzi.LogDirName(c.NodeID)] = true
		if b.predicted.Held != nil {
			b.predicted.Held[c.String()] = alarm.HeldNothing
		}
		if !slices.Contains(b.pools[c.Pool], c.NodeID) {
			b.pools[c.Pool] = append(b.pools[c.Pool], c.NodeID)
			slices.Sort(b.pools[c.Pool])
		}
	}
}

// heldNodes are the nodes of claims that are held back, heldPods their pods.
func (b *baseline) heldNodes() []int32 {
	var out []int32
	for _, c := range b.held {
		out = append(out, c.NodeID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (b *baseline) heldPods() []string {
	var out []string
	for _, c := range b.held {
		out = append(out, strimzi.PodName(c.Cluster, c.Pool, c.NodeID))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// lostClaim is the claim of a node that is lost, as its pool's storage has it. One that is held back asks for a volume
// that does not exist: it stays Pending, nothing is provisioned for it (the provisioner passes over a claim with a
// volume's name), and the scheduler has its pod wait. The operator keeps the volume's name of a claim that it finds
// (PvcOperator.revertImmutableChanges).
func (r *run) lostClaim(c strimzi.ClaimName, held bool) *unstructured.Unstructured {
	spec := map[string]any{"accessModes": []any{"ReadWriteOnce"}}
	if p := r.before.Cluster.Pool(c.Pool); p != nil {
		if v := p.Storage.Volume(c.Volume); v != nil {
			spec["resources"] = map[string]any{"requests": map[string]any{"storage": v.Size}}
			if v.Class != "" {
				spec["storageClassName"] = v.Class
			}
		}
	}
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": claimKind, "spec": spec,
		"metadata": map[string]any{"namespace": r.Namespace, "name": c.String()},
	}}
	if !held {
		u.SetAnnotations(map[string]string{CreatedAnnotation: r.operation})
		return u
	}
	spec["volumeName"] = volume.HeldBackPrefix + r.operation
	u.SetLabels(map[string]string{ManagedByLabel: ManagedBy, OperationLabel: r.operation, ClusterLabel: r.Name})
	return u
}

// lostToMake are the claims of lost nodes whose names nothing has now: what cannot be tried of the others is whether
// they can be made.
func (r *run) lostToMake() []strimzi.ClaimName {
	return slices.DeleteFunc(slices.Clone(r.lost), func(c strimzi.ClaimName) bool {
		return slices.Contains(r.letGoClaims(), c.String())
	})
}

// lostIsThere tells whether a claim is there that is named as lost, to be let go of where it holds nothing.
func (r *run) lostIsThere() bool {
	lost, err := r.before.Cluster.LostClaims(r.Lost)
	return err == nil && slices.ContainsFunc(r.before.Volumes, func(v volume.Volume) bool {
		return v.Claim != nil && slices.ContainsFunc(lost, func(c strimzi.ClaimName) bool {
			return c.String() == v.Claim.Name
		})
	})
}

// stepHoldBack makes the claims of lost nodes so that they have no volume: nobody else makes them meanwhile. One that
// an earlier operation holds back is taken as it is.
func (r *run) stepHoldBack(ctx context.Context) (string, error) {
	for _, c := range r.base.held {
		u, err := r.Kube.Get(ctx, kube.Claims(), r.Namespace, c.String())
		switch {
		case kube.IsNotFound(err):
			_, err = r.write.create(ctx, StepHoldBack, kube.Claims(), r.lostClaim(c, true))
		case err == nil && !isHeldBack(u):
			err = &ForeignWriteError{Object: refOf(u), What: "it was made by somebody else"}
		}
		if err != nil {
			return "", fmt.Errorf("hold pvc/%s back: %w", c, err)
		}
	}
	return wording.Count(len(r.base.held), "claim", "claims") + ", which no volume is made for", nil
}

func isHeldBack(claim *unstructured.Unstructured) bool {
	parsed := volume.ParseClaim(claim.Object)
	return parsed.HeldBack()
}

// stepJoin lets the lost nodes in: each claim goes, and is made again for a volume of its own. The operator may come
// first with that.
func (r *run) stepJoin(ctx context.Context) (string, error) {
	if err := r.ownHeld(); err != nil {
		return "", err
	}
	for _, c := range r.base.held {
		err := r.waitWhile(ctx, StepJoin, patience{
			what: fmt.Sprintf("pvc/%s to be made for a volume", c), flag: "--timeout", bound: r.Timeout, every: time.Second,
		}, func(ctx context.Context) (string, error) { return r.letIn(ctx, c) })
		if err != nil {
			return "", fmt.Errorf("let node %d in: %w", c.NodeID, err)
		}
	}
	return r.waitJoined(ctx)
}

// ownHeld refuses claims that are of no pool of this cluster: the journal is input, and nothing else is made for it.
func (r *run) ownHeld() error {
	for _, c := range r.base.held {
		if p := r.before.Cluster.Pool(c.Pool); c.Cluster != r.Name || p == nil || p.Storage.Volume(c.Volume) == nil {
			return &JournalError{Operation: r.operation, Reason: fmt.Sprintf("pvc/%s is no claim of kafka %q", c, r.Name)}
		}
	}
	return nil
}

// letIn takes the next step to a claim that is not held back, and says what is left.
func (r *run) letIn(ctx context.Context, c strimzi.ClaimName) (left string, err error) {
	u, err := r.Kube.Get(ctx, kube.Claims(), r.Namespace, c.String())
	switch {
	case kube.IsNotFound(err):
		return r.makeFree(ctx, c)
	case err != nil:
		return "", err
	case u.GetDeletionTimestamp() != nil:
		return fmt.Sprintf("pvc/%s is going", c), nil
	case isHeldBack(u):
		return fmt.Sprintf("pvc/%s, which was held back, is to go", c), r.removeHeldBack(ctx, u)
	}
	return "", nil
}

// removeHeldBack deletes exactly the version of a claim that has no volume. No pod holds it: none that uses it can be
// scheduled, and Kubernetes waits for those that are (pvc_protection_controller).
func (r *run) removeHeldBack(ctx context.Context, claim *unstructured.Unstructured) error {
	err := r.write.do(ctx, StepJoin, Change{Object: refOf(claim), Verb: VerbDelete}, func() error {
		err := r.Kube.Delete(ctx, kube.Claims(), claim.GetNamespace(), claim.GetName(), kube.DeleteOptions{
			UID: claim.GetUID(), ResourceVersion: claim.GetResourceVersion(),
		})
		if kube.IsNotFound(err) || kube.IsConflict(err) {
			return nil // it is looked at again
		}
		return err
	})
	return err
}

// makeFree makes a claim that may have any volume, once the guard on claims has counted that the other one is gone.
func (r *run) makeFree(ctx context.Context, c strimzi.ClaimName) (left string, err error) {
	if full, err := r.quota.isFull(ctx); full || err != nil {
		return "the guard on claims still counts one that is gone", err
	}
	_, err = r.write.create(ctx, StepJoin, kube.Claims(), r.lostClaim(c, false))
	switch {
	case kube.IsAlreadyExists(err):
		return fmt.Sprintf("pvc/%s was made by somebody else", c), nil // looked at again
	case kube.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
		return "the guard on claims still counts one that is gone", nil
	}
	return "", err
}

// holdBackStep is in a plan where nodes are lost.
func holdBackStep(in planInput) []Step {
	if len(in.quota.lost) == 0 {
		return nil
	}
	s := Step{
		ID: StepHoldBack, Title: "hold the nodes back that are lost for good",
		Expects: []string{"the pause is proven, so that nobody makes their claims"},
		Check:   "the claims are there, and ask for a volume that does not exist",
		Undo:    "delete the claims, which never had a volume",
	}
	for _, name := range in.quota.lost {
		s.Does = append(s.Does, "create "+name+", so that it has no volume and its pod is not scheduled")
	}
	return []Step{s}
}

// joinSteps let lost nodes in, once the others do without them.
func joinSteps(in planInput) []Step {
	if len(in.quota.lost) == 0 {
		return nil
	}
	join := Step{
		ID: StepJoin, Title: "let the nodes in that were held back, empty",
		Expects: []string{"the others have caught up"},
		Check:   "their pods are ready; brokers registered and not fenced, controllers have the metadata",
		Risk: "they copy what they lack from the others, which takes as long as it takes; what was on their volumes alone " +
			"is gone",
	}
	for _, name := range in.quota.lost {
		join.Does = append(join.Does, "delete "+name+", which has no volume, and make it again for one of its own")
	}
	return []Step{{
		ID: StepCatchUp, Title: "wait until the others do without the nodes that are held back",
		Check: "a leader elected since the start, every other controller with the metadata it had then, every other broker " +
			"registered and not fenced, and no node that is held back in sync of a partition that another could lead",
	}, join}
}
