package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// node is a broker or controller.
type node struct {
	id int32
	// host is what it registered with; nil where it did not, or not by a name of Strimzi's.
	host               *strimzi.NodeHost
	broker, controller bool
	// logDirs is how many log directories it registered; 0 where it did not say.
	logDirs int
	disks   []*disk
}

// disk is one volume of a node: read, or known by its claim alone.
type disk struct {
	// slot is what the name says; nil where that is not certain.
	slot  *volume.Slot
	name  string
	claim *KnownClaim
	read  bool
	// used is what the node's log directory takes; metadata where the node's metadata log ends there, nil for none.
	used     int64
	metadata *logdir.OffsetAndEpoch
}

// pool is the nodes of one KafkaNodePool.
type pool struct {
	name  string
	nodes []*node
}

// survey finds the cluster, its nodes and its pools.
func (b *builder) survey() error {
	b.nodes = map[int32]*node{}
	b.registered()
	// Controllers register some time after they first ran, before metadata.version 3.7 never.
	known := strimzi.Known{Pools: map[string][]string{}, Partial: true}
	for _, n := range b.nodes {
		if h := n.host; h != nil {
			known.Clusters = append(known.Clusters, h.Cluster)
			known.Pools[h.Cluster] = append(known.Pools[h.Cluster], h.Pool)
		}
	}
	disks := b.disks(known)
	if err := b.name(disks); err != nil {
		return err
	}
	b.attach(disks)
	return b.group()
}

// node returns a node, made where it is not there.
func (b *builder) node(id int32) *node {
	n := b.nodes[id]
	if n == nil {
		n = &node{id: id}
		b.nodes[id] = n
	}
	return n
}

// registered gathers the nodes that the metadata names. Registered controllers that do not vote were scaled down:
// Kafka keeps their registration.
func (b *builder) registered() {
	for _, r := range b.Image.Brokers() {
		n := b.node(r.ID)
		n.broker, n.logDirs = true, len(r.LogDirs)
		for _, e := range r.EndPoints {
			n.named(e.Host)
		}
	}
	voters := b.Voters
	for _, r := range b.Image.Controllers() {
		if len(b.Voters) == 0 {
			voters = append(slices.Clone(voters), r.ID)
		}
	}
	for _, id := range voters {
		b.node(id).controller = true
	}
	for _, r := range b.Image.Controllers() {
		if n := b.nodes[r.ID]; n != nil {
			for _, e := range r.EndPoints {
				n.named(e.Host)
			}
		}
	}
	if v := b.Image.Voters(); v != nil {
		for _, voter := range v.Voters {
			for _, e := range voter.Endpoints {
				b.node(voter.VoterID).named(e.Host)
			}
		}
	}
}

// named takes the first host that is the node's own.
func (n *node) named(host string) {
	if h, ok := strimzi.ParseNodeHost(host); ok && n.host == nil && h.NodeID == n.id {
		n.host = &h
	}
}

// disks lists the volumes read, each with its claim, and then the claims none of them is.
func (b *builder) disks(known strimzi.Known) []*disk {
	claims := map[string]*KnownClaim{}
	for i := range b.Claims {
		claims[b.Claims[i].Name] = &b.Claims[i]
	}
	var names []string
	for i := range b.Volumes {
		names = append(names, bareName(b.Volumes[i].Name))
	}
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(claims)), func(c string) bool { return slices.Contains(names, c) })
	refs := make([]strimzi.ClaimRef, 0, len(names)+len(rest))
	for _, name := range append(names, rest...) {
		r := strimzi.ClaimRef{Name: name}
		if c := claims[name]; c != nil {
			r.Labels = c.Labels
		}
		refs = append(refs, r)
	}
	out := make([]*disk, len(refs))
	for i, r := range strimzi.Resolve(refs, known) {
		out[i] = &disk{name: r.Name, claim: claims[r.Name], read: i < len(names)}
		if s := r.Slot; s != nil {
			out[i].slot = &volume.Slot{Cluster: s.Cluster, Pool: s.Pool, NodeID: s.NodeID, VolumeID: s.Volume}
		}
	}
	return out
}

// bareName is a volume's name without what it is: dir/NAME, pvc/NAME.
func bareName(name string) string {
	_, bare, found := strings.Cut(name, "/")
	if !found {
		return name
	}
	return bare
}

// name finds the cluster's name and namespace: the hosts say it, else the names of the volumes do.
func (b *builder) name(disks []*disk) error {
	clusters, namespaces := map[string]bool{}, map[string]bool{}
	for _, n := range b.nodes {
		if n.host != nil {
			clusters[n.host.Cluster], namespaces[n.host.Namespace] = true, true
		}
	}
	if len(clusters) == 0 {
		for _, d := range disks {
			if d.slot != nil && d.slot.Cluster != "" {
				clusters[d.slot.Cluster] = true
			}
		}
	}
	switch names := slices.Sorted(maps.Keys(clusters)); len(names) {
	case 0:
		return fmt.Errorf("find the cluster's name: %w; name the folders as the claims were named, "+
			"data-CLUSTER-POOL-NODE or data-VOLUME-CLUSTER-POOL-NODE", ErrNoStrimzi)
	case 1:
		b.set.Cluster = names[0]
	default:
		return fmt.Errorf("find the cluster's name: the nodes are of clusters %s", strings.Join(names, ", "))
	}
	switch names := slices.Sorted(maps.Keys(namespaces)); len(names) {
	case 1:
		b.set.Namespace = names[0]
	case 0:
		b.todo("namespace", ref(strimzi.KafkaKind, b.set.Cluster), strimzi.FieldNamespace,
			"the namespace is not known; give it with kubectl -n")
	default:
		b.todo("namespace", ref(strimzi.KafkaKind, b.set.Cluster), strimzi.FieldNamespace,
			"the nodes registered from namespaces %s", strings.Join(names, ", "))
	}
	return nil
}

// attach gives the disks to their nodes: by what is on them where that was read, else by their names.
func (b *builder) attach(disks []*disk) {
	votersKnown := slices.ContainsFunc(slices.Collect(maps.Values(b.nodes)), func(n *node) bool { return n.controller })
	for i, d := range disks {
		if !d.read {
			if s := d.slot; s != nil && s.Cluster == b.set.Cluster && b.nodes[s.NodeID] != nil {
				b.nodes[s.NodeID].disks = append(b.nodes[s.NodeID].disks, d)
			}
			continue
		}
		owner, content := nodeOn(&b.Volumes[i], d)
		switch {
		case owner < 0:
			b.note("volume-without-node", "", "%q holds nothing of a node, and its name does not say whose it is", d.name)
			continue
		case b.nodes[owner] == nil && votersKnown:
			b.note("node-not-registered", "", "%q is of node %d, which is neither a registered broker nor a voter: it is left "+
				"out, as after a scale-down", d.name, owner)
			continue
		}
		if content && d.slot != nil && d.slot.NodeID != owner {
			b.note("volume-of-another-node", "", "%q holds node %d's data, though its name is of node %d; what is on it counts",
				d.name, owner, d.slot.NodeID)
		}
		b.node(owner).disks = append(b.node(owner).disks, d)
	}
}

// nodeOn tells the node whose data is on a volume, -1 for nobody's, and whether its content says so. Where it holds
// several nodes' the one that its name says is taken, else the one whose directory was written last.
func nodeOn(v *volume.Volume, d *disk) (id int32, content bool) {
	id = -1
	if d.slot != nil {
		id = d.slot.NodeID
	}
	var best *logdir.LogDir
	var of int32
	if v.Contents != nil {
		for i := range v.Contents.Dirs {
			dir := &v.Contents.Dirs[i]
			owner, ok := ownerOf(dir)
			if !ok {
				continue
			}
			if best == nil || owner == id && of != id || of != id && dir.Newest.After(best.Newest) {
				best, of = dir, owner
			}
		}
	}
	if best == nil {
		return id, false
	}
	d.used = best.UsedBytes
	if best.Metadata != nil && !best.Metadata.Empty {
		d.metadata = &best.Metadata.End
	}
	return of, true
}

// ownerOf tells whose log directory it is: what meta.properties says counts, as for Kafka.
func ownerOf(d *logdir.LogDir) (int32, bool) {
	if d.Meta != nil && d.Meta.NodeID != nil {
		return *d.Meta.NodeID, true
	}
	if d.NodeIDInName != nil {
		return *d.NodeIDInName, true
	}
	return 0, false
}

// group puts the nodes into their pools.
func (b *builder) group() error {
	byName := map[string]*pool{}
	for _, id := range slices.Sorted(maps.Keys(b.nodes)) {
		n := b.nodes[id]
		name := n.pool(b.set.Cluster)
		if name == "" {
			b.todo("pool", "", "", "the pool of node %d is not known: it registered no host name of Strimzi's, and no volume "+
				"named after it was read; it is in no manifest", id)
			continue
		}
		if byName[name] == nil {
			byName[name] = &pool{name: name}
		}
		byName[name].nodes = append(byName[name].nodes, n)
	}
	if len(byName) == 0 {
		return fmt.Errorf("find the pools: %w", ErrNoStrimzi)
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		b.pools = append(b.pools, byName[name])
	}
	return nil
}

// pool is the name of the node's pool: as it registered, else as its volumes are named.
func (n *node) pool(cluster string) string {
	if n.host != nil {
		return n.host.Pool
	}
	for _, d := range n.disks {
		if d.slot != nil && d.slot.Cluster == cluster && d.slot.Pool != "" && d.slot.NodeID == n.id {
			return d.slot.Pool
		}
	}
	return ""
}

// ids are the node IDs of the pool, ascending.
func (p *pool) ids() []int32 {
	out := make([]int32, len(p.nodes))
	for i, n := range p.nodes {
		out[i] = n.id
	}
	return out
}

// idText lists node IDs for people.
func idText(ids []int32) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(parts, ", ")
}
