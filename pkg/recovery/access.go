package recovery

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// RestoreAccess lists what a restore needs to be allowed in the namespace of the cluster. docs/rbac is generated from
// it.
func RestoreAccess(namespace, version string) []kube.Access {
	kafka, pool := strimzi.KafkaGVR(version), strimzi.NodePoolGVR(version)
	var all []kube.Access
	add := func(group, resource, sub, why string, verbs ...string) {
		for _, v := range verbs {
			all = append(all, kube.Access{
				Verb: v, Group: group, Resource: resource, Subresource: sub, Namespace: namespace, For: why,
			})
		}
	}
	add(kafka.Group, kafka.Resource, "", "pause and un-pause", "get", "list", "watch", "patch")
	add(kafka.Group, kafka.Resource, "status", "write the cluster ID and the marker", "patch")
	add(pool.Group, pool.Resource, "", "compare node IDs and storage", "get", "list")
	add(pool.Group, pool.Resource, "status", "write the cluster ID", "patch")
	add(kafka.Group, strimzi.UserGVR(version).Resource, "", "tell which users the User Operator would delete", "list")
	add(kafka.Group, strimzi.TopicGVR(version).Resource, "", "compare topics", "list")
	add(strimzi.CoreGroup, strimzi.PodSetGVR(version).Resource, "", "see what the operator made", "list")
	add("apps", "deployments", "", "see the operator", "list")
	add("", "persistentvolumeclaims", "", "find the volumes", "get", "list")
	add("", "pods", "", "read volumes through temporary pods", "get", "list", "watch", "create", "delete")
	add("", "pods", "exec", "read volumes", "get", "create") // a WebSocket upgrade is a GET
	add("", "configmaps", "", "keep the journal's copy", "get", "list", "create", "patch", "delete")
	add("", "events", "", "say why a pod does not start", "list")
	add("coordination.k8s.io", "leases", "", "exclude a second run", "get", "create", "patch", "delete")
	return all
}

// SetAsideAccess lists what stopping the pods that use a claim needs, where a log directory on it is renamed.
func SetAsideAccess(namespace, version string) []kube.Access {
	sets := strimzi.PodSetGVR(version)
	var all []kube.Access
	for _, v := range []string{"get", "delete"} {
		all = append(all, kube.Access{
			Verb: v, Group: sets.Group, Resource: sets.Resource, Namespace: namespace,
			For: "stop the pods that use a claim on which a log directory is renamed",
		})
	}
	return all
}

// RebindAccess lists what binding claims to other volumes needs: the pods that hold them are stopped, the claims are
// deleted and made again.
func RebindAccess(namespace, version string) []kube.Access {
	sets := strimzi.PodSetGVR(version)
	var all []kube.Access
	for _, v := range []string{"get", "delete"} {
		all = append(all, kube.Access{
			Verb: v, Group: sets.Group, Resource: sets.Resource, Namespace: namespace,
			For: "stop the pods that hold claims which are bound to other volumes",
		})
	}
	for _, v := range []string{"watch", "create", "patch", "delete"} {
		all = append(all, kube.Access{
			Verb: v, Resource: "persistentvolumeclaims", Namespace: namespace,
			For: "make claims again for the volumes with the data",
		})
	}
	return append(all, kube.Access{Verb: "watch", Resource: "persistentvolumes", For: "see volumes bound"})
}

// HoldBackAccess lists what restoring without lost nodes needs: claims are made that are to have no volume yet, and
// made again for one.
func HoldBackAccess(namespace string) []kube.Access {
	var all []kube.Access
	for _, v := range []string{"create", "delete"} {
		all = append(all, kube.Access{
			Verb: v, Resource: "persistentvolumeclaims", Namespace: namespace,
			For: "hold back the claims of nodes that are lost for good, and make them again",
		})
	}
	return all
}

// VolumeAccess lists what setting Retain needs. Without it a restore goes on only where that is accepted.
func VolumeAccess() []kube.Access {
	var all []kube.Access
	for _, v := range []string{"get", "list", "patch"} {
		all = append(all, kube.Access{Verb: v, Resource: "persistentvolumes", For: "set and read back reclaim policies"})
	}
	return all
}

// CreateAccess lists what a restore needs besides where the resources and claims are gone: it makes them again. The
// only objects it deletes are claims that borrowed a volume to read it.
func CreateAccess(namespace, version string) []kube.Access {
	var all []kube.Access
	add := func(group, resource, why string, verbs ...string) {
		for _, v := range verbs {
			all = append(all, kube.Access{Verb: v, Group: group, Resource: resource, Namespace: namespace, For: why})
		}
	}
	add("", "persistentvolumeclaims", "make the claims that are gone, and claims that borrow a volume to read it",
		"watch", "create", "patch", "delete")
	kafka := strimzi.KafkaGVR(version)
	add(kafka.Group, kafka.Resource, "create the cluster that is gone", "create")
	add(kafka.Group, strimzi.NodePoolGVR(version).Resource, "create the pools that are gone", "create")
	add(kafka.Group, strimzi.TopicGVR(version).Resource, "create topics", "get", "create", "patch")
	add(kafka.Group, strimzi.UserGVR(version).Resource, "create users", "get", "create")
	return append(all, kube.Access{Verb: "watch", Resource: "persistentvolumes", For: "see volumes bound"})
}

// SecretAccess is what creating the Secrets that were given needs.
func SecretAccess(namespace string) []kube.Access {
	var all []kube.Access
	for _, v := range []string{"get", "create"} {
		all = append(all, kube.Access{
			Verb: v, Resource: "secrets", Namespace: namespace, For: "create the Secrets that were given",
		})
	}
	return all
}

// TakeBackAccess is what undoing a restore that created resources needs besides.
func TakeBackAccess(namespace, version string) []kube.Access {
	var all []kube.Access
	for _, gvr := range []schema.GroupVersionResource{
		strimzi.KafkaGVR(version), strimzi.NodePoolGVR(version), strimzi.TopicGVR(version), strimzi.UserGVR(version),
		kube.Secrets(),
	} {
		all = append(all, kube.Access{
			Verb: "delete", Group: gvr.Group, Resource: gvr.Resource, Namespace: namespace,
			For: "take back what a restore created, before it was un-paused",
		})
	}
	return all
}

// RedeclareAccess lists what declaring volumes anew needs besides: to make them, and to take their objects back where
// the plan is not confirmed, or undone. Their disks stay: they are Retain.
func RedeclareAccess() []kube.Access {
	var all []kube.Access
	for _, v := range []string{"create", "delete"} {
		all = append(all, kube.Access{
			Verb: v, Resource: "persistentvolumes", For: "declare volumes anew, and take the objects back",
		})
	}
	return append(all, kube.Access{Verb: "list", Resource: "nodes", For: "see whether a node can have each volume"})
}

// NamespaceAccess lists what making a namespace as it was saved needs.
func NamespaceAccess(namespace string) []kube.Access {
	all := []kube.Access{
		{Verb: "get", Resource: "namespaces", For: "see when the namespace is gone"},
		{Verb: "create", Resource: "namespaces", For: "make the namespace as it was saved"},
	}
	for _, resource := range []string{"limitranges", "resourcequotas"} {
		all = append(all, kube.Access{
			Verb: "create", Resource: resource, Namespace: namespace, For: "make the namespace's limits as they were saved",
		})
	}
	for _, v := range []string{"get", "list", "watch"} {
		all = append(all, kube.Access{
			Verb: v, Resource: "serviceaccounts", Namespace: namespace, For: "see when pods can be made in the namespace",
		})
	}
	return all
}

// OperatorAccess is what seeing the operators of every namespace needs. Without it a restore wants accepted that there
// may be several.
func OperatorAccess() []kube.Access {
	return []kube.Access{{
		Verb: "list", Group: "apps", Resource: "deployments", For: "see the operators of every namespace",
	}}
}

// AlarmAccess lists what watching the cluster start needs beside what a restore does: to read what its containers log,
// and to halt it. Without it a restore says what it does not see, and that an alarm can only pause.
func AlarmAccess(namespace, version string) []kube.Access {
	sets := strimzi.PodSetGVR(version)
	all := []kube.Access{{
		Verb: "get", Resource: "pods", Subresource: "log", Namespace: namespace,
		For: "watch what the pods log while they start",
	}}
	for _, v := range []string{"get", "delete"} {
		all = append(all, kube.Access{
			Verb: v, Group: sets.Group, Resource: sets.Resource, Namespace: namespace, For: "halt the cluster on an alarm",
		})
	}
	return all
}

// QuotaAccess is what the guard on claims needs.
func QuotaAccess(namespace string) []kube.Access {
	var all []kube.Access
	for _, v := range []string{"get", "list", "watch", "create", "delete"} {
		all = append(all, kube.Access{
			Verb: v, Resource: "resourcequotas", Namespace: namespace, For: "forbid new claims while the cluster starts",
		})
	}
	return all
}

// reviewAccess asks the API server for every permission the plan needs, before anything is touched.
func (r *run) reviewAccess(ctx context.Context) error {
	needed := RestoreAccess(r.Namespace, r.before.Cluster.Version())
	if !r.before.VolumesForbidden {
		needed = append(needed, VolumeAccess()...)
	}
	if r.before.Planned {
		needed = append(needed, CreateAccess(r.Namespace, r.before.Cluster.Version())...)
		if len(r.Declared.Secrets) > 0 {
			needed = append(needed, SecretAccess(r.Namespace)...)
		}
		if r.HoldOperator {
			needed = append(needed, OperatorAccess()...)
		}
		if r.away != nil {
			needed = append(needed, HoldAccess(r.away.operator.Namespace, r.away.operator.Deployment)...)
		}
		if r.namespaceMissing {
			needed = append(needed, NamespaceAccess(r.Namespace)...)
		}
		if r.Redeclared != nil {
			needed = append(needed, slices.DeleteFunc(RedeclareAccess(), func(a kube.Access) bool {
				return a.Resource == kube.Nodes().Resource // without it a rule refuses, which can be accepted
			})...)
		}
	}
	if r.RebindClaims || len(r.Lost) > 0 && r.lostIsThere() {
		needed = append(needed, RebindAccess(r.Namespace, r.before.Cluster.Version())...)
	}
	if len(r.Lost) > 0 && !r.before.Planned { // making the cluster needs the same
		needed = append(needed, HoldBackAccess(r.Namespace)...)
	}
	if !r.before.Planned && len(r.authorities()) > 0 {
		needed = append(needed, SecretAccess(r.Namespace)...)
	}
	if r.Snapshot {
		needed = append(needed, SnapshotAccess(r.Namespace)...)
	}
	if len(r.SetAside) > 0 {
		needed = append(needed, SetAsideAccess(r.Namespace, r.before.Cluster.Version())...)
	}
	if err := r.require(ctx, needed); err != nil {
		return err
	}
	if err := r.reviewAlarm(ctx); err != nil {
		return err
	}
	return r.reviewQuota(ctx)
}

// require asks the API server for permissions. What is missing is listed with the Role that grants it.
func (r *run) require(ctx context.Context, needed []kube.Access) error {
	missing, err := r.Kube.Review(ctx, needed)
	if err != nil {
		return err
	}
	if missing = r.handOver(missing); len(missing) == 0 {
		return nil
	}
	roles, err := kube.Roles(accessName(r.Namespace), missing)
	if err != nil {
		return err
	}
	return &AccessError{Missing: missing, Roles: roles}
}

// reviewQuota decides whether the guard on claims can be raised, and counts the claims it will allow.
func (r *run) reviewQuota(ctx context.Context) error {
	claims, err := r.Kube.List(ctx, kube.Claims(), r.Namespace, kube.ListOptions{})
	if err != nil {
		return err
	}
	r.namespaceClaims = len(claims.Items)
	missing, err := r.Kube.Review(ctx, QuotaAccess(r.Namespace))
	if err != nil {
		return err
	}
	if missing = r.handOver(missing); len(missing) > 0 {
		r.noQuota = fmt.Sprintf("left out: you may not %s; an unplanned claim will be seen only after it is made", missing[0])
	}
	return nil
}

// reviewAlarm decides what of the start can be watched, and what can be done on an alarm.
func (r *run) reviewAlarm(ctx context.Context) error {
	missing, err := r.Kube.Review(ctx, AlarmAccess(r.Namespace, r.before.Cluster.Version()))
	if err != nil {
		return err
	}
	for _, a := range missing {
		if a.Subresource == "log" {
			r.noLogs = fmt.Sprintf("what the pods log while they start: you may not %s", a)
		} else {
			r.noHalt = fmt.Sprintf("an alarm can pause the cluster, but not stop its pods: you may not %s", a)
		}
	}
	return nil
}
