package scan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
	"github.com/kafkarecover/kafkarecover/pkg/termination"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// NoSetError says that there is no StatefulSet of a name, and that no manifest of it was given.
type NoSetError struct {
	Namespace, Name string
	// Volumes is how many volumes there are whose claim may have been of it.
	Volumes int
}

// Error names the set and what to do.
func (e *NoSetError) Error() string {
	text := fmt.Sprintf("there is no StatefulSet %q", e.Namespace+"/"+e.Name)
	if e.Volumes > 0 {
		text += ", and " + wording.Count(e.Volumes, "volume whose claim", "volumes whose claims") + " may have been of it"
	}
	return text + ": give its manifest with -f, for its claim templates and replicas say which volumes are its own"
}

// LookSet takes one look at a StatefulSet that runs Kafka, at its claims and volumes, and says what the rules say of
// them. A Cluster that comes with an error was not looked at to the end.
func LookSet(ctx context.Context, client *kube.Client, namespace, name string, opts Options) (*Cluster, error) {
	opts = opts.withDefaults()
	c, err := CollectSet(ctx, client, namespace, name, opts)
	if err != nil {
		return nil, err
	}
	err = readCluster(ctx, claimReader{client: client, opts: opts, live: &Live{Namespace: namespace}, cluster: c})
	return c, err
}

// KubernetesSet is LookSet as `scan` tells it.
func KubernetesSet(
	ctx context.Context, client *kube.Client, namespace, name string, now time.Time, opts Options,
) (*Scan, error) {
	s, err := begin(ctx, client, Targets{Namespace: namespace, Clusters: []string{name}}, now, opts)
	if err != nil {
		return nil, err
	}
	c, err := LookSet(ctx, client, namespace, name, opts)
	if c != nil {
		s.Clusters = append(s.Clusters, *c)
	}
	return s, err
}

// CollectSet gathers what the API server has of a StatefulSet, without reading a volume.
func CollectSet(ctx context.Context, client *kube.Client, namespace, name string, opts Options) (*Cluster, error) {
	var claims, pods, volumes []unstructured.Unstructured
	var set *statefulset.Set
	c := &Cluster{Namespace: namespace, Name: name, Volumes: []volume.Volume{}}
	group, bounded := errgroup.WithContext(ctx)
	var ns *unstructured.Unstructured
	group.Go(func() (err error) {
		ns, err = namespaceOf(bounded, client, namespace)
		return err
	})
	group.Go(func() (err error) {
		set, err = findSet(bounded, client, namespace, name, opts)
		return err
	})
	for _, one := range []struct {
		into *[]unstructured.Unstructured
		list func() (*unstructured.UnstructuredList, error)
	}{
		{&claims, func() (*unstructured.UnstructuredList, error) {
			return client.List(bounded, kube.Claims(), namespace, kube.ListOptions{})
		}},
		{&pods, func() (*unstructured.UnstructuredList, error) {
			return client.List(bounded, kube.Pods(), namespace, kube.ListOptions{})
		}},
		{&volumes, func() (*unstructured.UnstructuredList, error) {
			list, err := client.List(bounded, kube.Volumes(), "", kube.ListOptions{})
			if kube.IsForbidden(err) {
				c.VolumesForbidden, c.Unlisted = true, append(c.Unlisted, err.Error())
				return &unstructured.UnstructuredList{}, nil
			}
			return list, err
		}},
	} {
		group.Go(func() error {
			list, err := one.list()
			if err == nil {
				*one.into = list.Items
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	c.Going = termination.Of(termination.Objects{Namespace: ns, Inside: map[string][]unstructured.Unstructured{
		kube.Pods().Resource: pods, kube.Claims().Resource: claims,
	}})
	if set == nil {
		return nil, &NoSetError{Namespace: namespace, Name: name, Volumes: mayBeOf(volumes, namespace, name)}
	}
	c.Set = set
	c.ownSet(claims, pods, volumes)
	return c, nil
}

// findSet finds the StatefulSet, or takes the manifest where there is none; nil where there is neither.
func findSet(
	ctx context.Context, client *kube.Client, namespace, name string, opts Options,
) (*statefulset.Set, error) {
	u, err := client.Get(ctx, kube.StatefulSets(), namespace, name)
	var set statefulset.Set
	switch {
	case kube.IsNotFound(err) && opts.Set == nil:
		return nil, nil //nolint:nilnil // the caller says so
	case kube.IsNotFound(err):
		set = *opts.Set
	case err != nil:
		return nil, fmt.Errorf("look at statefulset %q: %w", namespace+"/"+name, err)
	default:
		set = statefulset.Parse(u.Object)
	}
	set.Resolve(func(config string) (map[string]string, error) {
		u, err := client.Get(ctx, kube.ConfigMaps(), namespace, config)
		if data, given := opts.Configs[config]; given && set.Declared && kube.IsNotFound(err) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		return object.StringMap(u.Object, "data"), nil
	})
	return &set, nil
}

func mayBeOf(volumes []unstructured.Unstructured, namespace, name string) int {
	n := 0
	for i := range volumes {
		pv := volume.ParsePersistentVolume(volumes[i].Object)
		if prefix, _, _ := cutLast(pv.ClaimName, "-"); pv.ClaimNamespace == namespace && strings.HasSuffix(prefix, "-"+name) {
			n++
		}
	}
	return n
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// ownSet takes what is of the set from what there is in its namespace.
func (c *Cluster) ownSet(claims, pods, volumes []unstructured.Unstructured) {
	in := volume.Objects{}
	for i := range claims {
		if _, ok := c.Set.ParseClaim(claims[i].GetName()); ok {
			in.Claims = append(in.Claims, volume.ParseClaim(claims[i].Object))
		}
	}
	for i := range pods {
		in.Uses = append(in.Uses, volume.ClaimUses(pods[i].Object)...)
		if ownedBy(&pods[i], c.Set) {
			c.Set.Pods = append(c.Set.Pods, pods[i].GetName())
		}
	}
	slices.Sort(c.Set.Pods)
	for i := range volumes {
		in.Volumes = append(in.Volumes, volume.ParsePersistentVolume(volumes[i].Object))
	}
	c.Volumes, c.Others = volume.FromObjects(in)
	named := map[string]bool{}
	for i := range c.Others {
		named[c.Others[i].Name] = true
	}
	for _, pv := range in.Volumes {
		_, own := c.Set.ParseClaim(pv.ClaimName)
		if own && !named[pv.Name] && pv.ClaimNamespace == c.Namespace && pv.Phase != volume.PhaseBound {
			c.Others = append(c.Others, pv)
		}
	}
	slices.SortFunc(c.Others, func(a, b volume.PersistentVolume) int { return strings.Compare(a.Name, b.Name) })
	c.slots(c.Volumes)
}

func ownedBy(pod *unstructured.Unstructured, set *statefulset.Set) bool {
	return slices.ContainsFunc(object.Maps(pod.Object, "metadata", "ownerReferences"), func(o map[string]any) bool {
		return object.String(o, "kind") == statefulset.Kind && object.String(o, "name") == set.Name
	})
}

// slots gives the volumes of a StatefulSet their places, by the names of the claims that they have or had. Their nodes
// are the ordinals, and as much more as what is on all of them together says.
func (c *Cluster) slots(volumes []volume.Volume) {
	if c.Set == nil {
		return
	}
	offset, _ := finding.NodeOffset(c.Set, slices.Concat(c.Volumes, c.Released)) // where they do not fit a rule says so
	for i := range volumes {
		v := &volumes[i]
		name := ""
		switch {
		case v.Claim != nil:
			name = v.Claim.Name
		case v.PV != nil:
			name = v.PV.ClaimName
		}
		claim, ok := c.Set.ParseClaim(name)
		if v.Slot, v.SlotProblem = nil, ""; !ok {
			v.SlotProblem = fmt.Sprintf("%q is no claim of %s", name, c.Set.Ref())
			continue
		}
		v.Slot = &volume.Slot{
			Cluster: c.Set.Name, Pool: claim.Template, NodeID: claim.Ordinal + offset, Claim: name,
		}
	}
	volume.Sort(volumes)
}

// ofSet tells whether a volume is a StatefulSet's.
func ofSet(v *volume.Volume) bool { return v.Slot != nil && v.Slot.Claim != "" }

// ArrangeSet settles whose node's each volume is, now that they were read, and where that is asked for puts those that
// no claim holds under the claims they are for.
func (c *Cluster) ArrangeSet(opts Options) {
	c.slots(c.Volumes)
	c.slots(c.Released)
	if !opts.Place {
		return
	}
	all := slices.Concat(c.Volumes, c.Released)
	c.Placements = placement.OfSet(c.Set, all, opts.Excluded).Placements
	c.place(all)
}

// setImage is what the pods of a StatefulSet run.
func (c *Cluster) setImage() []probe.ImageOffer {
	if c.Set == nil {
		return nil
	}
	return []probe.ImageOffer{{Image: c.Set.Image, Origin: "the pod template of " + c.Set.Ref()}}
}

// needsOf is what temporary pods need that read the volumes of a pool, or of a StatefulSet.
func (r *claimReader) needsOf(pool string) (needs, error) {
	if set := r.cluster.Set; set != nil {
		n, err := needsBy(set.Pod)
		if err != nil {
			return n, fmt.Errorf("read the pod template of %s: %w", set.Ref(), err)
		}
		return n, nil
	}
	return needsOf(r.cluster.Kafka, pool)
}

// wanted tells a source which files are opened.
func (r *claimReader) wanted() func(name string, size int64) bool {
	if r.cluster.Set == nil {
		return wanted
	}
	return func(name string, size int64) bool { return !logdir.WantedOfAny(name, size).None() }
}

// setText says in a line what a StatefulSet asks for.
func setText(set *statefulset.Set) output.Cell {
	text := wording.Count(set.Replicas, "replica", "replicas") + ", " + wording.Count(len(set.Pods), "pod", "pods")
	if set.Declared {
		text = "there is no such StatefulSet; its manifest asks for " +
			wording.Count(set.Replicas, "replica", "replicas")
	}
	var ids []string
	for i := range set.ClusterIDs {
		if id := &set.ClusterIDs[i]; id.Unknown == "" && !slices.Contains(ids, id.Value) {
			ids = append(ids, id.Value)
		}
	}
	if len(ids) > 0 {
		text += "; its pods are given cluster ID " + logdir.EscapeText(strings.Join(ids, ", "))
	}
	return output.Cell{Text: text}
}
