package recovery

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

const (
	claimCount = "count/persistentvolumeclaims"
	// quotaWait bounds the wait for the API server's quota controller, which counts within a second or two.
	quotaWait = 30 * time.Second
)

// quotaGuard is a ResourceQuota that allows exactly the claims there are. While it stands, an operator that wants a
// claim nobody planned (shifted node IDs, a wrong storage layout) fails its reconcile before any pod exists, instead of
// silently starting an empty cluster. Tried on the operator itself: the reconcile ends NotReady with "exceeded quota".
type quotaGuard struct {
	write           *writer
	namespace, name string
	stored          *unstructured.Unstructured
}

func quotaObject(namespace, operation, cluster string, claims int) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ResourceQuota",
		"metadata": map[string]any{
			"namespace": namespace, "name": objectName(operation, ""),
			"labels": map[string]any{ManagedByLabel: ManagedBy, OperationLabel: operation, ClusterLabel: cluster},
		},
		"spec": map[string]any{"hard": map[string]any{claimCount: fmt.Sprint(claims)}},
	}}
}

// raise creates the quota and waits until the API server has counted what is there: before that it refuses nothing
// reliably and would refuse everything.
func (g *quotaGuard) raise(ctx context.Context, object *unstructured.Unstructured, claims int) error {
	stored, err := g.write.create(ctx, StepQuota, kube.ResourceQuotas(), object)
	if err != nil {
		return fmt.Errorf("create the quota on claims: %w", err)
	}
	g.stored = stored
	_, err = g.write.kube.WaitFor(ctx, kube.Wait{
		Resource: kube.ResourceQuotas(), Namespace: g.namespace, Name: g.name, Timeout: quotaWait,
		What: fmt.Sprintf("resourcequota %q to be counted", g.namespace+"/"+g.name),
		Condition: func(u *unstructured.Unstructured) (bool, string, error) {
			if u == nil {
				return false, "", fmt.Errorf("resourcequota %q was deleted by somebody else", g.namespace+"/"+g.name)
			}
			used, found, _ := unstructured.NestedString(u.Object, "status", "used", claimCount)
			if !found {
				return false, "not counted yet", nil
			}
			if used != fmt.Sprint(claims) {
				return false, "", fmt.Errorf("the namespace has %s claims, %d were planned for: somebody created or "+
					"deleted one", used, claims)
			}
			return true, used + " claims", nil
		},
	})
	return err
}

// isFull tells whether the quota would refuse one more claim: it counts one that was deleted for a moment. Without a
// guard nothing does.
func (g *quotaGuard) isFull(ctx context.Context) (bool, error) {
	if g == nil || g.stored == nil {
		return false, nil
	}
	u, err := g.write.kube.Get(ctx, kube.ResourceQuotas(), g.namespace, g.name)
	if kube.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the quota on claims: %w", err)
	}
	hard, _, _ := unstructured.NestedString(u.Object, "spec", "hard", claimCount)
	used, _, _ := unstructured.NestedString(u.Object, "status", "used", claimCount)
	return used == hard, nil
}

// lower deletes the quota, if it is still this operation's.
func (g *quotaGuard) lower(ctx context.Context) error {
	if g.stored == nil {
		return nil
	}
	if err := g.write.remove(ctx, StepRelease, kube.ResourceQuotas(), g.stored); err != nil {
		return fmt.Errorf("delete the quota on claims: %w", err)
	}
	g.stored = nil
	return nil
}
