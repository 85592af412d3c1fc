package protect

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// requestsAtOnce bounds how many requests are under way; a hundred volumes take about a second with it.
const requestsAtOnce = 16

// gathering collects what the API server still has. A kind that may not be listed does not hold up the others: in the
// first minute of a disaster whatever can be kept is kept.
type gathering struct {
	kube *kube.Client

	mu sync.Mutex
	// objects are what was listed, by kind and namespace; they are saved as they are.
	objects map[listing][]unstructured.Unstructured
	// secrets are names alone, by namespace.
	secrets map[string][]string
	// spaces are the namespaces with their quotas and limit ranges: what `restore --namespace-manifest` takes.
	spaces map[string][]unstructured.Unstructured
	// hidden are the kinds that may not be listed, failed the lists that went wrong otherwise.
	hidden []string
	failed []error
	// blind tells that volumes or claims may not be listed, so that some in scope may be missing; volumesListed, that
	// a volume which is not among them does not exist.
	blind         error
	volumesListed bool
}

// listing is one kind in one namespace; namespace is empty for cluster-scoped kinds.
type listing struct {
	gvr       schema.GroupVersionResource
	namespace string
}

func newGathering(k *kube.Client) *gathering {
	return &gathering{
		kube: k, objects: map[listing][]unstructured.Unstructured{}, secrets: map[string][]string{},
		spaces: map[string][]unstructured.Unstructured{},
	}
}

// find lists what is needed to know which volumes are in scope.
func (g *gathering) find(ctx context.Context, scope Scope) (*world, error) {
	var group errgroup.Group
	group.Go(func() error { g.volumes(ctx, scope.Volumes); return nil })
	if len(scope.Volumes) == 0 {
		group.Go(func() error { g.identities(ctx, scope.Namespace); return nil })
	}
	_ = group.Wait() // what fails is told in blind, hidden and failed
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(scope.Volumes) > 0 {
		for _, ns := range g.namespaces(scope) {
			g.identities(ctx, ns)
		}
		g.blind = nil // the volumes are known by name, whatever else may not be listed
	}
	return g.world(), ctx.Err()
}

// volumes lists all PersistentVolumes. Where that is forbidden the named ones are read one by one: a role may grant
// just those.
func (g *gathering) volumes(ctx context.Context, names []string) {
	err := g.list(ctx, kube.Volumes(), "")
	g.mu.Lock()
	g.volumesListed = err == nil
	if err != nil && len(names) == 0 {
		g.blind = err
	}
	g.mu.Unlock()
	if err != nil {
		g.read(ctx, names)
	}
}

// read reads volumes one by one.
func (g *gathering) read(ctx context.Context, names []string) {
	var group errgroup.Group
	group.SetLimit(requestsAtOnce)
	for _, name := range names {
		group.Go(func() error {
			g.readOne(ctx, name)
			return nil
		})
	}
	_ = group.Wait() // readOne keeps its errors itself
}

func (g *gathering) readOne(ctx context.Context, name string) {
	u, err := g.kube.Get(ctx, kube.Volumes(), "", name)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.missed(err)
		return
	}
	at := listing{gvr: kube.Volumes()}
	g.objects[at] = append(g.objects[at], *u)
}

// identities lists a namespace's claims, and what tells whose they are.
func (g *gathering) identities(ctx context.Context, namespace string) {
	var group errgroup.Group
	group.Go(func() error {
		if err := g.list(ctx, kube.Claims(), namespace); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.blind = err
		}
		return nil
	})
	group.Go(func() error {
		if version := g.served(ctx, strimzi.Group); version != "" {
			_ = g.list(ctx, strimzi.KafkaGVR(version), namespace)
			_ = g.list(ctx, strimzi.NodePoolGVR(version), namespace)
		}
		return nil
	})
	_ = group.Wait() // lists keep their errors themselves
}

// rest lists what is only saved.
func (g *gathering) rest(ctx context.Context, namespaces []string) {
	var group errgroup.Group
	group.SetLimit(requestsAtOnce)
	add := func(gvr schema.GroupVersionResource, ns string) {
		group.Go(func() error { _ = g.list(ctx, gvr, ns); return nil })
	}
	add(kube.VolumeAttachments(), "")
	version, core := g.served(ctx, strimzi.Group), g.served(ctx, strimzi.CoreGroup)
	for _, ns := range namespaces {
		add(kube.ConfigMaps(), ns)
		if core != "" {
			add(strimzi.PodSetGVR(core), ns)
		}
		if version != "" {
			add(strimzi.TopicGVR(version), ns)
			add(strimzi.UserGVR(version), ns)
		}
		group.Go(func() error { g.secretNames(ctx, ns); return nil })
		group.Go(func() error { g.space(ctx, ns); return nil })
	}
	_ = group.Wait() // lists keep their errors themselves
}

func (g *gathering) list(ctx context.Context, gvr schema.GroupVersionResource, ns string) error {
	got, err := g.kube.List(ctx, gvr, ns, kube.ListOptions{})
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.missed(err)
		return err
	}
	g.objects[listing{gvr, ns}] = got.Items
	return nil
}

func (g *gathering) secretNames(ctx context.Context, ns string) {
	names, err := g.kube.Names(ctx, kube.Secrets(), ns)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err != nil {
		g.missed(err)
		return
	}
	g.secrets[ns] = names
}

// space reads a namespace, and what limits what may be in it.
func (g *gathering) space(ctx context.Context, ns string) {
	var found []unstructured.Unstructured
	var errs []error
	if u, err := g.kube.Get(ctx, kube.Namespaces(), "", ns); err != nil {
		errs = append(errs, err)
	} else {
		found = append(found, *u)
	}
	for _, gvr := range []schema.GroupVersionResource{kube.ResourceQuotas(), kube.LimitRanges()} {
		list, err := g.kube.List(ctx, gvr, ns, kube.ListOptions{})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, list.Items...)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spaces[ns] = found
	for _, err := range errs {
		g.missed(err)
	}
}

// missed notes a list that did not come. A kind that is not served holds nothing.
func (g *gathering) missed(err error) {
	switch {
	case kube.IsNotFound(err):
	case kube.IsForbidden(err):
		g.hidden = append(g.hidden, err.Error())
	default:
		g.failed = append(g.failed, err)
	}
}

// served is the version of a Strimzi API group to list; empty where it is not served or that cannot be told.
func (g *gathering) served(ctx context.Context, group string) string {
	served, err := g.kube.ServedVersions(ctx, group)
	if err != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.missed(fmt.Errorf("find the version of %q: %w", group, err))
		return ""
	}
	for _, v := range strimzi.Versions() {
		if slices.Contains(served, v) {
			return v
		}
	}
	return ""
}

// namespaces are those whose objects are of interest.
func (g *gathering) namespaces(scope Scope) []string {
	if len(scope.Volumes) == 0 {
		return []string{scope.Namespace}
	}
	var out []string
	for i := range g.objects[listing{gvr: kube.Volumes()}] {
		u := &g.objects[listing{gvr: kube.Volumes()}][i]
		ns := object.String(u.Object, "spec", "claimRef", "namespace")
		if namespaceForm.MatchString(ns) && slices.Contains(scope.Volumes, u.GetName()) && !slices.Contains(out, ns) {
			out = append(out, ns)
		}
	}
	slices.Sort(out)
	return out
}

func (g *gathering) world() *world {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := &world{known: strimzi.Known{Pools: map[string][]string{}}}
	for at, items := range g.objects {
		for i := range items {
			o := items[i].Object
			switch {
			case at.gvr == kube.Volumes():
				w.volumes = append(w.volumes, volume.ParsePersistentVolume(o))
			case at.gvr == kube.Claims():
				w.claims = append(w.claims, volume.ParseClaim(o))
			case at.gvr == strimzi.KafkaGVR(at.gvr.Version):
				w.addCluster(items[i].GetName())
			case at.gvr == strimzi.NodePoolGVR(at.gvr.Version):
				if cluster := items[i].GetLabels()[strimzi.ClusterLabel]; cluster != "" {
					w.addCluster(cluster)
					w.known.Pools[cluster] = append(w.known.Pools[cluster], items[i].GetName())
				}
			}
		}
	}
	return w
}

func (w *world) addCluster(name string) {
	if !slices.Contains(w.known.Clusters, name) {
		w.known.Clusters = append(w.known.Clusters, name)
	}
}
