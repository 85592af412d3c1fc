package manifest

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kafkarecover/kafkarecover/pkg/progress"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// pool writes one KafkaNodePool.
func (b *builder) pool(p *pool) {
	at := ref(strimzi.NodePoolKind, p.name)
	ids := p.ids()
	out := strimzi.NodePool{
		Meta:     strimzi.Meta{Name: p.name, Namespace: b.set.Namespace},
		Replicas: int32(len(ids)), Roles: b.roles(p, at), NextNodeIDs: strimzi.FormatNodeIDs(ids),
	}
	var undecided []int
	out.Storage, undecided = b.storage(p, at)
	o := out.Manifest(b.Version, b.set.Cluster)
	for _, i := range undecided {
		set(o, strimzi.FieldVolume(out.Storage.Type == strimzi.StorageJBOD, i, "kraftMetadata"), Todo)
	}
	b.todo("resources", at, strimzi.FieldResources, "resources, jvmOptions and template (affinity, tolerations, security "+
		"context) are on no volume")
	b.add(strimzi.NodePoolKind, p.name, o)
}

// roles are those of all nodes of the pool.
func (b *builder) roles(p *pool, at string) []string {
	var brokers, controllers, none []int32
	for _, n := range p.nodes {
		if n.broker {
			brokers = append(brokers, n.id)
		}
		if n.controller {
			controllers = append(controllers, n.id)
		}
		if !n.broker && !n.controller {
			none = append(none, n.id)
		}
	}
	var roles []string
	if len(controllers) > 0 {
		roles = append(roles, strimzi.RoleController)
	}
	if len(brokers) > 0 {
		roles = append(roles, strimzi.RoleBroker)
	}
	switch {
	case len(roles) == 0:
		b.fill("roles", at, strimzi.FieldRoles,
			"node(s) %s are no registered brokers, and nothing read says who the voters are", idText(none))
		return []string{Todo}
	case len(roles) == 2 && len(brokers)+len(controllers) < 2*len(p.nodes):
		b.note("roles-differ", at, "of its nodes %s are brokers and %s controllers; a pool's nodes have the same roles",
			idText(brokers), idText(controllers))
	case len(none) > 0:
		b.note("roles-differ", at, "node(s) %s registered no role; the pool's are those of its other nodes", idText(none))
	}
	return roles
}

// storage is what the names of the pool's volumes say. undecided are the places of volumes of which it is not known
// whether the metadata log is on them: the nodes delete the log wherever it is not to be (kafka_run.sh), so none is
// guessed.
func (b *builder) storage(p *pool, at string) (s strimzi.Storage, undecided []int) {
	byVolume, plain := p.slots()
	switch {
	case len(byVolume) == 0 && len(plain) == 0:
		b.fill("storage", at, strimzi.FieldStorage, "nothing names its claims, so that neither the type of storage nor the "+
			"volumes' IDs are known%s", p.directories())
		return strimzi.Storage{Type: Todo}, nil
	case len(byVolume) > 0 && len(plain) > 0:
		b.fill("storage", at, strimzi.FieldStorage, "some of its volumes are named as those of storage jbod, others (%s) as "+
			"of persistent-claim", names(plain))
		return strimzi.Storage{Type: Todo}, nil
	case len(plain) > 0:
		b.absent(p, at, plain, "")
		return strimzi.Storage{
			Type: strimzi.StoragePersistent, Volumes: []strimzi.StorageVolume{b.volume(at, false, 0, plain)},
		}, nil
	}
	s.Type = strimzi.StorageJBOD
	holders := p.metadataVolumes()
	for i, id := range slices.Sorted(maps.Keys(byVolume)) {
		v := b.volume(at, true, i, byVolume[id])
		v.ID = &id
		v.KRaftMetadata = len(holders) == 1 && holders[0] == id
		s.Volumes = append(s.Volumes, v)
		b.absent(p, at, byVolume[id], " "+idText([]int32{id}))
		if len(holders) != 1 {
			undecided = append(undecided, i)
		}
	}
	b.undecided(at, holders)
	return s, undecided
}

// undecided says why it is not known where the metadata log is.
func (b *builder) undecided(at string, holders []int32) {
	const consequence = "kraftMetadata: shared belongs to the one volume that has it, and to no other: a node deletes " +
		"the log wherever else it finds it"
	switch len(holders) {
	case 0:
		b.fill("metadata-volume", at, strimzi.FieldVolume(true, 0, "kraftMetadata"),
			"no volume of these nodes that was read holds __cluster_metadata-0; %s", consequence)
	case 1:
	default:
		b.fill("metadata-volume", at, strimzi.FieldVolume(true, 0, "kraftMetadata"),
			"the nodes do not agree: the metadata log is on volumes %s; %s", idText(holders), consequence)
	}
}

// slots sorts the pool's disks by the volume ID that their names say; plain are those that have none.
func (p *pool) slots() (byVolume map[int32][]*disk, plain []*disk) {
	byVolume = map[int32][]*disk{}
	for _, n := range p.nodes {
		for _, d := range n.disks {
			switch {
			case d.slot == nil:
			case d.slot.VolumeID == nil:
				plain = append(plain, d)
			default:
				byVolume[*d.slot.VolumeID] = append(byVolume[*d.slot.VolumeID], d)
			}
		}
	}
	return byVolume, plain
}

// metadataVolumes are the IDs of the volumes that hold a node's metadata log. Of a node with several the one that goes
// furthest counts; the other is a leftover.
func (p *pool) metadataVolumes() []int32 {
	found := map[int32]bool{}
	for _, n := range p.nodes {
		var best *disk
		for _, d := range n.disks {
			if d.metadata != nil && (best == nil || d.metadata.Compare(*best.metadata) > 0) {
				best = d
			}
		}
		if best != nil && best.slot != nil && best.slot.VolumeID != nil {
			found[*best.slot.VolumeID] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// directories says what the brokers' registrations tell of the storage.
func (p *pool) directories() string {
	most := 0
	for _, n := range p.nodes {
		most = max(most, n.logDirs)
	}
	switch {
	case most > 1:
		return "; a broker registered " + idText([]int32{int32(most)}) + " log directories, so that it was jbod"
	case most == 1:
		return "; the brokers registered one log directory each: persistent-claim, or jbod of one volume"
	}
	return ""
}

// absent notes the nodes none of whose claims or volumes is such a one.
func (b *builder) absent(p *pool, at string, disks []*disk, which string) {
	var missing []int32
	for _, n := range p.nodes {
		if !slices.ContainsFunc(n.disks, func(d *disk) bool { return slices.Contains(disks, d) }) {
			missing = append(missing, n.id)
		}
	}
	if len(missing) > 0 {
		b.note("volume-not-seen", at, "volume%s of node(s) %s was neither read nor is its claim known", which,
			idText(missing))
	}
}

// volume is one volume of the storage, the same for all nodes: the largest size asked for, since the operator refuses
// to go on where a claim asks for more than its pool (a claim cannot shrink).
func (b *builder) volume(at string, jbod bool, i int, disks []*disk) strimzi.StorageVolume {
	v := strimzi.StorageVolume{Type: strimzi.StoragePersistent}
	sizes, classes := map[string]string{}, map[string]string{}
	capacity, known := false, false
	for _, d := range disks {
		if d.claim == nil {
			continue
		}
		known = true
		capacity = capacity || d.claim.Capacity
		if d.claim.Size != "" {
			sizes[d.claim.Size] = d.name
		}
		classes[d.claim.Class] = d.name
	}
	v.Size = largest(slices.Sorted(maps.Keys(sizes)))
	if v.Size == "" {
		v.Size = Todo
		b.fill("storage-size", at, strimzi.FieldVolume(jbod, i, "size"), "the size that the claims asked for%s. With more "+
			"the operator grows the volumes, with less it stops", usedText(disks))
	}
	if len(sizes) > 1 {
		b.note("sizes-differ", at, "the claims of %s ask for different sizes (%s); the largest is written, and the operator "+
			"grows the others", names(disks), strings.Join(slices.Sorted(maps.Keys(sizes)), ", "))
	}
	if capacity {
		b.note("size-of-volume", at, "the claims are gone: the size written is the capacity of the volumes that are left")
	}
	switch all := slices.Sorted(maps.Keys(classes)); {
	case !known:
		b.todo("storage-class", at, strimzi.FieldVolume(jbod, i, "class"), "the storage class of the claims; without one "+
			"the default class of the Kubernetes cluster is taken")
	case len(all) == 1:
		v.Class = all[0]
	default:
		v.Class = Todo
		b.fill("storage-class", at, strimzi.FieldVolume(jbod, i, "class"), "the claims are of different classes: %s",
			strings.Join(all, ", "))
	}
	return v
}

// usedText says how much is on the volumes: no volume is smaller than that.
func usedText(disks []*disk) string {
	var most *disk
	for _, d := range disks {
		if d.read && (most == nil || d.used > most.used) {
			most = d
		}
	}
	if most == nil {
		return ""
	}
	return "; at least the " + progress.Size(most.used) + " in use on " + most.name
}

// largest returns the largest of the sizes that are quantities, "" where none is.
func largest(sizes []string) string {
	best := ""
	var most resource.Quantity
	for _, s := range sizes {
		q, err := resource.ParseQuantity(s)
		if err == nil && (best == "" || q.Cmp(most) > 0) {
			best, most = s, q
		}
	}
	return best
}

func names(disks []*disk) string {
	list := make([]string, len(disks))
	for i, d := range disks {
		list[i] = d.name
	}
	return strings.Join(list, ", ")
}
