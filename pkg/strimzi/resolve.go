package strimzi

import (
	"fmt"
	"slices"
	"strings"
)

// ClaimRef is a claim to be told apart: its name, and its labels where it has any.
type ClaimRef struct {
	Name   string
	Labels map[string]string
}

// Known is what is known of the clusters in a namespace: the names of Kafka resources (or of what else survived, or
// what the person named), and of their pools.
type Known struct {
	Clusters []string
	Pools    map[string][]string
	// Partial tells that a cluster may have pools that are not among Pools, as where only those are known whose nodes
	// registered: a name of that cluster with another pool is then of that pool.
	Partial bool
}

// Evidence tells what a claim's reading rests on.
type Evidence string

// The kinds of evidence, the strongest first.
const (
	ByLabels   Evidence = "labels"        // the operator's own labels
	ByPools    Evidence = "pool"          // cluster and pool of that name exist
	ByCluster  Evidence = "cluster"       // the cluster is known, and no pools of it, or not all
	ByForm     Evidence = "only reading"  // the name can be read in one way only
	ByPrefix   Evidence = "common prefix" // inferred from the names of the other claims
	Unresolved Evidence = ""
)

// Resolution is a claim's name, read.
type Resolution struct {
	Name string
	// Slot is what the claim is; where By is Unresolved only the node and volume IDs in it are certain, and cluster
	// and pool are empty. It is nil where not even those are certain, or the name is no data claim's.
	Slot *ClaimName
	By   Evidence
	// Problem says why By is Unresolved, or what contradicts the name.
	Problem string
}

// Resolve reads the names of all data claims (or claimRefs of volumes) of one namespace: by their labels, else by the
// clusters and pools that are known, else by what the names have in common. A name that has several readings left is
// reported as such and never guessed.
func Resolve(claims []ClaimRef, known Known) []Resolution {
	out := make([]Resolution, len(claims))
	var open []int
	for i, c := range claims {
		readings := ParseClaimName(c.Name)
		out[i].Name = c.Name
		if len(readings) == 0 {
			out[i].Problem = "not the name of a Strimzi data claim"
			continue
		}
		if resolveOne(&out[i], c, readings, known) {
			continue
		}
		open = append(open, i)
	}
	resolveByPrefix(out, open)
	return out
}

// resolveOne tells whether nothing is left to find out about the claim.
func resolveOne(r *Resolution, c ClaimRef, readings []ClaimName, known Known) bool {
	if cluster := c.Labels[ClusterLabel]; cluster != "" {
		resolveByLabels(r, c, readings)
		return true
	}
	byPool := matching(readings, func(n ClaimName) bool { return slices.Contains(known.Pools[n.Cluster], n.Pool) })
	if len(byPool) == 1 {
		r.Slot, r.By = &byPool[0], ByPools
		return true
	}
	byCluster := matching(readings, func(n ClaimName) bool {
		return slices.Contains(known.Clusters, n.Cluster) && (known.Partial || len(known.Pools[n.Cluster]) == 0)
	})
	if len(byPool) == 0 && len(byCluster) == 1 {
		r.Slot, r.By = &byCluster[0], ByCluster
		return true
	}
	if len(byPool) > 1 {
		r.Problem = ambiguous(byPool)
		r.Slot = common(byPool)
		return true
	}
	plain := matching(readings, func(n ClaimName) bool { return !startsWithDigit(n.Cluster) })
	if len(plain) == 1 {
		r.Slot, r.By = &plain[0], ByForm
		return true
	}
	return false
}

func resolveByLabels(r *Resolution, c ClaimRef, readings []ClaimName) {
	cluster, pool := c.Labels[ClusterLabel], c.Labels[PoolLabel]
	if pool == "" {
		pool = DefaultPool // claims last written by operators up to 0.35 carry no pool
	}
	fit := matching(readings, func(n ClaimName) bool { return n.Cluster == cluster && n.Pool == pool })
	if len(fit) == 1 {
		r.Slot, r.By = &fit[0], ByLabels
		return
	}
	r.Problem = fmt.Sprintf("the labels say cluster %q, pool %q, which the name does not fit", cluster, pool)
	r.Slot = common(readings)
}

// resolveByPrefix settles what is left: owners (<cluster>-<pool>) that share a prefix belong to one cluster, unless
// two of them would then hold the same node and volume.
func resolveByPrefix(out []Resolution, open []int) {
	owners := map[string][]ClaimName{} // by <cluster>-<pool>
	for _, i := range open {
		for _, n := range likely(out[i].Name) {
			owner := n.Cluster + "-" + n.Pool
			if !slices.ContainsFunc(owners[owner], func(o ClaimName) bool {
				return o.NodeID == n.NodeID && volumeOrMinus(o.Volume) == volumeOrMinus(n.Volume)
			}) {
				owners[owner] = append(owners[owner], n)
			}
		}
	}
	for _, i := range open {
		readings := likely(out[i].Name)
		if best := longestShared(readings, owners); best != nil {
			out[i].Slot, out[i].By = best, ByPrefix
			continue
		}
		out[i].Slot, out[i].Problem = common(readings), ambiguous(readings)
	}
}

// likely leaves out readings whose cluster begins with a digit: the operator makes Services of that name, and
// Kubernetes refuses Services whose name begins with a digit. Only labels or a resource of that name say otherwise.
func likely(name string) []ClaimName {
	all := ParseClaimName(name)
	if plain := matching(all, func(n ClaimName) bool { return !startsWithDigit(n.Cluster) }); len(plain) > 0 {
		return plain
	}
	return all
}

// longestShared returns the reading with the longest cluster name that another owner has too, or nil.
func longestShared(readings []ClaimName, owners map[string][]ClaimName) *ClaimName {
	var best *ClaimName
	for i := range readings {
		n := &readings[i]
		if best != nil && len(n.Cluster) <= len(best.Cluster) {
			continue
		}
		if sharesCluster(n, owners) {
			best = n
		}
	}
	return best
}

func sharesCluster(n *ClaimName, owners map[string][]ClaimName) bool {
	self := n.Cluster + "-" + n.Pool
	seen := map[claimNode]bool{}
	shared := false
	for owner, slots := range owners {
		if !strings.HasPrefix(owner, n.Cluster+"-") {
			continue
		}
		shared = shared || owner != self
		for _, s := range slots {
			node := claimNode{s.NodeID, volumeOrMinus(s.Volume)}
			if seen[node] {
				return false // a node's ID is unique in its cluster, so these are two clusters
			}
			seen[node] = true
		}
	}
	return shared
}

// claimNode is a node's volume: the volume is -1 for storage of type persistent-claim.
type claimNode struct{ Node, Volume int32 }

// common returns what all readings agree on, with cluster and pool left empty, or nil.
func common(readings []ClaimName) *ClaimName {
	if len(readings) == 0 {
		return nil
	}
	first := ClaimName{NodeID: readings[0].NodeID, Volume: readings[0].Volume}
	for _, n := range readings[1:] {
		if volumeOrMinus(n.Volume) != volumeOrMinus(first.Volume) {
			return nil
		}
	}
	return &first
}

func ambiguous(readings []ClaimName) string {
	var list []string
	for _, n := range readings {
		s := fmt.Sprintf("cluster %q pool %q", n.Cluster, n.Pool)
		if n.Volume != nil {
			s += fmt.Sprintf(" volume %d", *n.Volume)
		}
		list = append(list, s)
	}
	return "the name may be " + strings.Join(list, ", or ")
}

func matching(readings []ClaimName, keep func(ClaimName) bool) []ClaimName {
	var out []ClaimName
	for _, n := range readings {
		if keep(n) {
			out = append(out, n)
		}
	}
	return out
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
