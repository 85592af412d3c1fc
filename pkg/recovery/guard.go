package recovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// ForeignWriteError says that somebody else changed something a decision was based on. Nothing was un-paused.
type ForeignWriteError struct {
	Object ObjectRef
	What   string
	// Managers are the object's writers, newest last, as managedFields tell them.
	Managers []string
}

// Error names the object, the change and who writes to it.
func (e *ForeignWriteError) Error() string {
	who := ""
	if len(e.Managers) > 0 {
		who = fmt.Sprintf("; its writers, newest last: %s", strings.Join(e.Managers, ", "))
	}
	return fmt.Sprintf("%s: %s since it was looked at%s; somebody or something (GitOps?) is at work on this cluster",
		e.Object, e.What, who)
}

var errIDOverwritten = errors.New("the cluster ID that was written is no longer there")

// unchanged looks again at everything the decision was based on: the resource's and the pools' spec, the claims and
// what they are bound to. It is called before each step that could start something.
func (r *run) unchanged(ctx context.Context) error {
	u, err := r.pause.get(ctx)
	if err != nil {
		return err
	}
	return errors.Join(r.kafkaUnchanged(u), r.poolsUnchanged(ctx), r.claimsUnchanged(ctx))
}

func (r *run) kafkaUnchanged(u *unstructured.Unstructured) error {
	kafka := strimzi.ParseKafka(u.Object)
	was := &r.before.Cluster.Kafka
	switch {
	case !kafka.PauseAnnotated:
		return errUnpausedByOther
	case kafka.Generation != was.Generation:
		return &ForeignWriteError{Object: refOf(u), What: "the spec was changed", Managers: kafka.Managers}
	case kafka.Terminating:
		return &ForeignWriteError{Object: refOf(u), What: "it is being deleted", Managers: kafka.Managers}
	case kafka.Status.ClusterID == nil || *kafka.Status.ClusterID != r.plan.ClusterID:
		return fmt.Errorf("kafka %q: %w", r.Name, errIDOverwritten)
	}
	return nil
}

func (r *run) poolsUnchanged(ctx context.Context) error {
	list, err := r.Kube.List(ctx, strimzi.NodePoolGVR(r.before.Cluster.Version()), r.Namespace,
		kube.ListOptions{LabelSelector: strimzi.ClusterLabel + "=" + r.Name})
	if err != nil {
		return err
	}
	was := map[string]*strimzi.NodePool{}
	for i := range r.before.Cluster.Pools {
		was[r.before.Cluster.Pools[i].Name] = &r.before.Cluster.Pools[i]
	}
	for i := range list.Items {
		u := &list.Items[i]
		now := strimzi.ParseNodePool(u.Object)
		before := was[now.Name]
		delete(was, now.Name)
		switch {
		case before == nil:
			return &ForeignWriteError{Object: refOf(u), What: "it was created", Managers: now.Managers}
		case before.UID != now.UID || before.Generation != now.Generation:
			return &ForeignWriteError{Object: refOf(u), What: "the spec was changed", Managers: now.Managers}
		case now.Terminating:
			return &ForeignWriteError{Object: refOf(u), What: "it is being deleted", Managers: now.Managers}
		case now.NextNodeIDs != before.NextNodeIDs:
			return &ForeignWriteError{Object: refOf(u), What: "its next node IDs were changed", Managers: now.Managers}
		case now.Status.ClusterID == nil || *now.Status.ClusterID != r.plan.ClusterID:
			return fmt.Errorf("kafkanodepool %q: %w", now.Name, errIDOverwritten)
		case !slices.Equal(now.Status.NodeIDs, before.Status.NodeIDs):
			return &ForeignWriteError{Object: refOf(u), What: "its node IDs were changed", Managers: now.Managers}
		}
	}
	for _, name := range sortedKeys(was) {
		return &ForeignWriteError{
			Object: ObjectRef{Kind: strimzi.NodePoolKind, Namespace: r.Namespace, Name: name}, What: "it was deleted",
		}
	}
	return nil
}

// claimsUnchanged compares the claims with the baseline: the same claims, bound to the same volumes, none Terminating.
func (r *run) claimsUnchanged(ctx context.Context) error {
	claims, err := r.clusterClaims(ctx)
	if err != nil {
		return err
	}
	for i := range claims {
		if claims[i].Terminating {
			return &ForeignWriteError{
				Object: ObjectRef{Kind: "PersistentVolumeClaim", Namespace: r.Namespace, Name: claims[i].Name},
				What:   "it is being deleted",
			}
		}
	}
	if check := r.base.checkClaims(claims); check.State == CheckFailed {
		return fmt.Errorf("look at the claims again: %s", check.Detail)
	}
	return nil
}

// clusterClaims are the claims the baseline knows, as they are now, and any other that carries the cluster's label.
func (r *run) clusterClaims(ctx context.Context) ([]volume.Claim, error) {
	list, err := r.Kube.List(ctx, kube.Claims(), r.Namespace, kube.ListOptions{})
	if err != nil {
		return nil, err
	}
	var claims []volume.Claim
	known := maps.Clone(r.base.claims)
	for i := range list.Items {
		claim := volume.ParseClaim(list.Items[i].Object)
		_, planned := known[claim.Name]
		if planned || strimzi.IsKafkaClaim(claim.Labels, r.Name) {
			claims = append(claims, claim)
		}
	}
	return claims, nil
}
