package protect

import (
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Scope says which volumes are meant: those of a cluster, of a namespace, or the named ones.
type Scope struct {
	Namespace string
	// Cluster narrows it to the volumes of one Kafka cluster.
	Cluster string
	// Volumes are PersistentVolumes by name; Namespace and Cluster are not looked at then.
	Volumes []string
}

// String names the scope as a person types it.
func (s Scope) String() string {
	switch {
	case len(s.Volumes) > 0:
		return strings.Join(s.Volumes, " ")
	case s.Cluster != "":
		return s.Namespace + "/" + s.Cluster
	default:
		return s.Namespace
	}
}

// chosen is a volume in scope. pv is nil where only its name is known.
type chosen struct {
	name  string
	pv    *volume.PersistentVolume
	claim *volume.Claim
	// note says what is not certain about its being in scope.
	note string
}

// world is what was listed, for choosing from.
type world struct {
	volumes []volume.PersistentVolume
	claims  []volume.Claim
	known   strimzi.Known
}

// choose returns the volumes in scope, sorted by name. A volume that may be the cluster's is taken: to keep a disk too
// many costs nothing.
func (w *world) choose(s Scope) []chosen {
	var out []chosen
	switch {
	case len(s.Volumes) > 0:
		out = w.named(s.Volumes)
	default:
		out = w.ofNamespace(s.Namespace)
	}
	if s.Cluster != "" {
		out = w.ofCluster(out, s.Cluster)
	}
	slices.SortFunc(out, func(a, b chosen) int { return strings.Compare(a.name, b.name) })
	return out
}

func (w *world) named(names []string) []chosen {
	var out []chosen
	for _, name := range names {
		if slices.ContainsFunc(out, func(c chosen) bool { return c.name == name }) {
			continue
		}
		c := chosen{name: name, pv: w.volume(name)}
		if c.pv != nil {
			c.claim = w.holder(c.pv)
		}
		out = append(out, c)
	}
	return out
}

func (w *world) volume(name string) *volume.PersistentVolume {
	for i := range w.volumes {
		if w.volumes[i].Name == name {
			return &w.volumes[i]
		}
	}
	return nil
}

// holder is the claim that a volume says it is bound to. A claim of the same name made later is not.
func (w *world) holder(pv *volume.PersistentVolume) *volume.Claim {
	for i := range w.claims {
		c := &w.claims[i]
		if c.Namespace == pv.ClaimNamespace && c.Name == pv.ClaimName && c.UID == pv.ClaimUID && c.UID != "" {
			return c
		}
	}
	return nil
}

// ofNamespace takes every volume that names a claim of the namespace, and every volume that one of its claims names.
func (w *world) ofNamespace(namespace string) []chosen {
	var out []chosen
	taken := map[string]bool{}
	for i := range w.volumes {
		pv := &w.volumes[i]
		if pv.ClaimNamespace == namespace && pv.ClaimName != "" {
			taken[pv.Name] = true
			out = append(out, chosen{name: pv.Name, pv: pv, claim: w.holder(pv)})
		}
	}
	for i := range w.claims {
		c := &w.claims[i]
		if c.Namespace != namespace || c.Volume == "" || taken[c.Volume] {
			continue
		}
		pv := w.volume(c.Volume)
		if pv != nil && pv.ClaimName != "" {
			continue // held by a claim of another namespace: this one will never get it
		}
		taken[c.Volume] = true
		out = append(out, chosen{name: c.Volume, pv: pv, claim: c})
	}
	return out
}

// ofCluster keeps the volumes whose claim belongs to the cluster, or may.
func (w *world) ofCluster(from []chosen, cluster string) []chosen {
	known := w.known
	if !slices.Contains(known.Clusters, cluster) {
		known.Clusters = append(slices.Clone(known.Clusters), cluster)
	}
	refs := make([]strimzi.ClaimRef, len(from))
	for i, c := range from {
		refs[i].Name = c.claimName()
		if c.claim != nil {
			refs[i].Labels = c.claim.Labels
		}
	}
	var out []chosen
	for i, r := range strimzi.Resolve(refs, known) {
		c := from[i]
		belongs, certain := belongsTo(refs[i], r, cluster)
		if !belongs {
			continue
		}
		if !certain {
			c.note = "the name of its claim fits other clusters too"
		}
		out = append(out, c)
	}
	return out
}

func (c *chosen) claimName() string {
	if c.claim != nil {
		return c.claim.Name
	}
	if c.pv != nil {
		return c.pv.ClaimName
	}
	return ""
}

// belongsTo tells whether a claim is the cluster's, and whether that is certain. Labels decide, also for a claim of
// ZooKeeper; else what the name was read as, unless that was only inferred.
func belongsTo(ref strimzi.ClaimRef, r strimzi.Resolution, cluster string) (belongs, certain bool) {
	if owner := ref.Labels[strimzi.ClusterLabel]; owner != "" {
		return owner == cluster, true
	}
	inferred := r.By == strimzi.Unresolved || r.By == strimzi.ByPrefix
	if r.Slot != nil && !inferred {
		return r.Slot.Cluster == cluster, true
	}
	return slices.ContainsFunc(strimzi.ParseClaimName(ref.Name), func(n strimzi.ClaimName) bool {
		return n.Cluster == cluster
	}), false
}

func annotation(pv *volume.PersistentVolume, key string) string {
	return object.StringMap(pv.Object, "metadata", "annotations")[key]
}
