// Package scan takes one look at Kafka clusters: it collects their live objects, reads their volumes from a folder,
// through temporary pods or inside running ones, and has them judged. It changes nothing.
package scan

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/termination"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Live is what the API server has of the Kafka clusters of one namespace.
type Live struct {
	Namespace string
	// Clusters are those with a Kafka resource, sorted by name.
	Clusters []*strimzi.Cluster
	// Volumes are those of all data claims of the namespace, not read yet; Others the volumes that name one of their
	// claims without being bound to it.
	Volumes []volume.Volume
	Others  []volume.PersistentVolume
	// Released are all volumes whose claim was in this namespace and that no claim holds.
	Released []volume.PersistentVolume
	// Unnamed are all volumes that no claim holds and that name none; included are those of them that a person named.
	Unnamed, included []volume.PersistentVolume
	// VolumesForbidden tells that PersistentVolumes may not be listed.
	VolumesForbidden bool
	// Operators are all that can be seen, whatever they watch.
	Operators []strimzi.Operator
	// OperatorsKnown is false when there may be others, in namespaces that may not be looked into.
	OperatorsKnown bool
	// OtherClaims counts the claims that are no Kafka data claims (ZooKeeper, Connect and whatever else).
	OtherClaims int
	// Unlisted are the kinds that may not be listed, with the reason.
	Unlisted []string
	// Going is the namespace where it is being deleted, with what keeps it; nil otherwise, or where it may not be read.
	Going *termination.Namespace

	// known is what claims' names were read with.
	known strimzi.Known
	// left is what is there of the cluster that was named, and planned, where its Kafka resource is not; nil otherwise.
	left *strimzi.Cluster
}

// Named is what a person named, which is looked for whether or not anything else says that it is there.
type Named struct {
	// Cluster settles names of claims that could be read in several ways; so do the pools of Planned, of which some may
	// have been made already.
	Cluster string
	Planned *strimzi.Cluster
	// Claims are taken for data claims whatever they are called.
	Claims []string
	// Held are operators, as NAMESPACE/NAME, that count as being there although they are at zero replicas.
	Held []string
	// Include are PersistentVolumes that name no claim, by name, and are the cluster's all the same.
	Include []string
}

// Cluster returns the cluster of that name, or nil.
func (l *Live) Cluster(name string) *strimzi.Cluster {
	for _, c := range l.Clusters {
		if c.Kafka.Name == name {
			return c
		}
	}
	return nil
}

// lists are the objects of one namespace, as listed.
type lists struct {
	version                                   string
	kafkas, pools, podSets, configs           []unstructured.Unstructured
	pods, claims, volumes, deployments        []unstructured.Unstructured
	operators                                 []strimzi.Operator
	users, topics                             []unstructured.Unstructured
	volumesForbidden, usersKnown, topicsKnown bool
	operatorsKnown                            bool
	unlisted                                  []string
	namespace                                 *unstructured.Unstructured
}

// going tells what keeps the namespace where it is being deleted.
func (l *lists) going() *termination.Namespace {
	return termination.Of(termination.Objects{
		Namespace: l.namespace, Inside: map[string][]unstructured.Unstructured{
			strimzi.KafkaGVR("").Resource: l.kafkas, strimzi.NodePoolGVR("").Resource: l.pools,
			strimzi.PodSetGVR("").Resource: l.podSets, strimzi.TopicGVR("").Resource: l.topics,
			strimzi.UserGVR("").Resource: l.users, kube.Pods().Resource: l.pods, kube.Claims().Resource: l.claims,
		},
	})
}

// Collect lists the objects of one namespace. Kinds that may not be listed are told in Unlisted; only claims, pods, and
// Kafka resources where they are served, are required.
func Collect(ctx context.Context, client *kube.Client, namespace string) (*Live, error) {
	return CollectNamed(ctx, client, namespace, Named{})
}

// CollectNamed is Collect for something that a person named.
func CollectNamed(ctx context.Context, client *kube.Client, namespace string, wanted Named) (*Live, error) {
	l, err := list(ctx, client, namespace)
	if err != nil {
		return nil, err
	}
	live := &Live{
		Namespace: namespace, VolumesForbidden: l.volumesForbidden, Unlisted: l.unlisted, OperatorsKnown: l.operatorsKnown,
		Going: l.going(),
	}
	l.parseOperators(wanted.Held)
	live.Operators = l.operators
	for i := range l.kafkas {
		live.Clusters = append(live.Clusters, l.cluster(&l.kafkas[i], namespace))
	}
	if wanted.Planned != nil && live.Cluster(wanted.Cluster) == nil {
		gone := &unstructured.Unstructured{Object: map[string]any{}}
		gone.SetName(wanted.Cluster)
		live.left = l.cluster(gone, namespace)
	}
	l.match(live, wanted)
	for _, name := range wanted.Include {
		if !l.volumesForbidden && !slices.ContainsFunc(l.volumes, func(u unstructured.Unstructured) bool {
			return u.GetName() == name
		}) {
			return nil, &NoVolumeError{Name: name}
		}
	}
	return live, nil
}

// NoVolumeError says that a PersistentVolume that was named does not exist.
type NoVolumeError struct{ Name string }

// Error names the volume.
func (e *NoVolumeError) Error() string {
	return fmt.Sprintf("pv %q, which was to be included, does not exist: look for its name with `kubectl get pv`, or "+
		"leave it out", e.Name)
}

func list(ctx context.Context, client *kube.Client, namespace string) (*lists, error) {
	l := &lists{}
	version, err := servedVersion(ctx, client, strimzi.Group)
	if err != nil {
		return nil, err
	}
	core, err := servedVersion(ctx, client, strimzi.CoreGroup)
	if err != nil {
		return nil, err
	}
	l.version = version
	var volumesErr, usersErr, topicsErr, optional error
	group, ctx := errgroup.WithContext(ctx)
	get := func(into *[]unstructured.Unstructured, gvr schema.GroupVersionResource, ns, labels string, soft *error) {
		group.Go(func() error {
			got, err := client.List(ctx, gvr, ns, kube.ListOptions{LabelSelector: labels})
			if err == nil {
				*into = got.Items
				return nil
			}
			if soft != nil && (kube.IsForbidden(err) || kube.IsNotFound(err)) {
				*soft = err
				return nil
			}
			return err
		})
	}
	get(&l.claims, kube.Claims(), namespace, "", nil)
	get(&l.pods, kube.Pods(), namespace, "", nil)
	get(&l.volumes, kube.Volumes(), "", "", &volumesErr)
	var configsErr, podSetsErr error
	get(&l.configs, kube.ConfigMaps(), namespace, strimzi.KindLabel+"="+strimzi.KafkaKind, &configsErr)
	if version != "" {
		get(&l.kafkas, strimzi.KafkaGVR(version), namespace, "", nil)
		get(&l.pools, strimzi.NodePoolGVR(version), namespace, "", &optional)
		get(&l.users, strimzi.UserGVR(version), namespace, "", &usersErr)
		get(&l.topics, strimzi.TopicGVR(version), namespace, "", &topicsErr)
	}
	if core != "" {
		get(&l.podSets, strimzi.PodSetGVR(core), namespace, "", &podSetsErr)
	}
	group.Go(func() (err error) {
		l.deployments, l.operatorsKnown, err = operators(ctx, client, namespace)
		return err
	})
	group.Go(func() (err error) {
		l.namespace, err = namespaceOf(ctx, client, namespace)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	l.volumesForbidden = volumesErr != nil
	l.usersKnown, l.topicsKnown = version != "" && usersErr == nil, version != "" && topicsErr == nil
	for _, err := range []error{volumesErr, configsErr, optional, usersErr, topicsErr, podSetsErr} {
		if kube.IsForbidden(err) { // a kind that is not served holds nothing
			l.unlisted = append(l.unlisted, err.Error())
		}
	}
	return l, nil
}

// namespaceOf is a namespace; nil where there is none, or it may not be read.
func namespaceOf(ctx context.Context, client *kube.Client, name string) (*unstructured.Unstructured, error) {
	u, err := client.Get(ctx, kube.Namespaces(), "", name)
	if kube.IsForbidden(err) || kube.IsNotFound(err) {
		return nil, nil //nolint:nilnil // nothing is known of it, and nothing is asked
	}
	return u, err
}

// servedVersion is the version of a Strimzi API group to read; empty when the group is not served.
func servedVersion(ctx context.Context, client *kube.Client, group string) (string, error) {
	served, err := client.ServedVersions(ctx, group)
	if err != nil {
		return "", err
	}
	for _, v := range strimzi.Versions() {
		if slices.Contains(served, v) {
			return v, nil
		}
	}
	if len(served) > 0 {
		return "", fmt.Errorf("API group %q is served as %v, this program reads %v", group, served, strimzi.Versions())
	}
	return "", nil
}

// operators lists the deployments of all namespaces, or of this one where that is all that may be seen; all tells
// which.
func operators(
	ctx context.Context, client *kube.Client, namespace string,
) (deployments []unstructured.Unstructured, all bool, err error) {
	everywhere, err := client.List(ctx, kube.Deployments(), "", kube.ListOptions{})
	if err == nil {
		return everywhere.Items, true, nil
	}
	if !kube.IsForbidden(err) {
		return nil, false, err
	}
	own, err := client.List(ctx, kube.Deployments(), namespace, kube.ListOptions{})
	if kube.IsForbidden(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return own.Items, false, nil
}

// parseOperators finds the operators among the deployments.
func (l *lists) parseOperators(held []string) {
	for i := range l.deployments {
		op, ok := strimzi.ParseOperator(l.deployments[i].Object)
		if !ok {
			continue
		}
		if slices.Contains(held, op.Name()) {
			op = op.Hold()
		}
		l.operators = append(l.operators, op)
	}
}

// cluster gathers the objects that belong to one Kafka resource.
func (l *lists) cluster(kafka *unstructured.Unstructured, namespace string) *strimzi.Cluster {
	c := &strimzi.Cluster{
		APIVersion: kafka.GetAPIVersion(), Kafka: strimzi.ParseKafka(kafka.Object),
		UsersKnown: l.usersKnown, TopicsKnown: l.topicsKnown, OperatorsKnown: l.operatorsKnown,
	}
	name := kafka.GetName()
	own := func(u *unstructured.Unstructured) bool { return u.GetLabels()[strimzi.ClusterLabel] == name }
	each(l.pools, own, func(o map[string]any) { c.Pools = append(c.Pools, strimzi.ParseNodePool(o)) })
	each(l.podSets, own, func(o map[string]any) {
		if set := strimzi.ParsePodSet(o); set.Labels[strimzi.NameLabel] == strimzi.ComponentName(name) {
			c.PodSets = append(c.PodSets, set)
		}
	})
	each(l.configs, own, func(o map[string]any) {
		if config, ok := strimzi.ParseNodeConfig(o); ok {
			c.NodeConfigs = append(c.NodeConfigs, config)
		}
	})
	each(l.pods, own, func(o map[string]any) {
		if pod, ok := strimzi.ParsePod(o); ok {
			c.Pods = append(c.Pods, pod)
		}
	})
	each(l.users, own, func(o map[string]any) { c.KafkaUsers = append(c.KafkaUsers, strimzi.ParseMeta(o).Name) })
	each(l.topics, own, func(o map[string]any) { c.KafkaTopics = append(c.KafkaTopics, strimzi.ParseTopicName(o)) })
	for _, op := range l.operators {
		if watches, known := op.Watches(namespace, c.Kafka.Labels); watches || !known {
			c.Operators = append(c.Operators, op)
		}
	}
	c.Sort()
	return c
}

func each(
	list []unstructured.Unstructured, keep func(*unstructured.Unstructured) bool, use func(map[string]any),
) {
	for i := range list {
		if keep(&list[i]) {
			use(list[i].Object)
		}
	}
}

// match makes the volumes of the namespace's data claims.
func (l *lists) match(live *Live, wanted Named) {
	live.known = l.known(live.Clusters, wanted)
	in := volume.Objects{Known: live.known}
	for i := range l.claims {
		claim := volume.ParseClaim(l.claims[i].Object)
		if !strimzi.MayBeKafkaClaim(claim.Name, claim.Labels) && !slices.Contains(wanted.Claims, claim.Name) {
			live.OtherClaims++
			continue
		}
		if claim.HeldBack() {
			continue // a restore keeps it without a volume: there is nothing of it yet
		}
		in.Claims = append(in.Claims, claim)
	}
	for i := range l.volumes {
		pv := volume.ParsePersistentVolume(l.volumes[i].Object)
		in.Volumes = append(in.Volumes, pv)
		if pv.ClaimNamespace == live.Namespace && pv.Phase != "Bound" && len(strimzi.ParseClaimName(pv.ClaimName)) > 0 {
			live.Released = append(live.Released, pv)
		}
		if pv.Unnamed() && !pv.Terminating { // one that names a claim by now goes by that
			live.Unnamed = append(live.Unnamed, pv)
			if slices.Contains(wanted.Include, pv.Name) {
				live.included = append(live.included, pv)
			}
		}
	}
	for i := range l.pods {
		in.Uses = append(in.Uses, volume.ClaimUses(l.pods[i].Object)...)
	}
	live.Volumes, live.Others = volume.FromObjects(in)
}

// known are the names of clusters and pools that exist or were named, for telling claims apart.
func (l *lists) known(clusters []*strimzi.Cluster, wanted Named) strimzi.Known {
	known := strimzi.Known{Pools: map[string][]string{}}
	for _, c := range clusters {
		known.Clusters = append(known.Clusters, c.Kafka.Name)
	}
	for i := range l.pools {
		cluster := l.pools[i].GetLabels()[strimzi.ClusterLabel]
		known.Pools[cluster] = append(known.Pools[cluster], l.pools[i].GetName())
		if cluster != "" && !slices.Contains(known.Clusters, cluster) {
			known.Clusters = append(known.Clusters, cluster)
		}
	}
	if name := wanted.Cluster; name != "" && !slices.Contains(known.Clusters, name) {
		known.Clusters = append(known.Clusters, name)
	}
	if wanted.Planned != nil && wanted.Cluster != "" {
		for i := range wanted.Planned.Pools {
			if pool := wanted.Planned.Pools[i].Name; !slices.Contains(known.Pools[wanted.Cluster], pool) {
				known.Pools[wanted.Cluster] = append(known.Pools[wanted.Cluster], pool)
			}
		}
	}
	return known
}
