package operator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const dataMount = "/var/lib/kafka"

// pool is a KafkaNodePool with the node IDs it is to have.
type pool struct {
	object        *unstructured.Unstructured
	cluster, name string
	roles         []string
	storage       storage
	ids           assignment
}

// storage is a pool's spec.storage.
type storage struct {
	kind    string
	volumes []storageVolume
}

// storageVolume is one volume; id is -1 for storage of type persistent-claim.
type storageVolume struct {
	id                         int
	kind, size, class          string
	deleteClaim, kraftMetadata bool
}

func (p *pool) hasRole(role string) bool { return slices.Contains(p.roles, role) }

// podName is the name of a node's pod, ConfigMap and Secret.
func (p *pool) podName(id int) string { return fmt.Sprintf("%s-%s-%d", p.cluster, p.name, id) }

// node is one Kafka node of the model.
type node struct {
	pool *pool
	id   int
}

func (n node) podName() string { return n.pool.podName(n.id) }

// nodesOf lists the nodes of all pools, pool by pool.
func nodesOf(pools []*pool) []node {
	var nodes []node
	for _, p := range pools {
		for _, id := range p.ids.desired {
			nodes = append(nodes, node{p, id})
		}
	}
	return nodes
}

func controllers(nodes []node) []node {
	var found []node
	for _, n := range nodes {
		if n.pool.hasRole("controller") {
			found = append(found, n)
		}
	}
	slices.SortFunc(found, func(a, b node) int { return cmp.Compare(a.id, b.id) })
	return found
}

// volumeName is the name of the volume in the pod and of its mount directory.
func (v storageVolume) volumeName() string {
	if v.id < 0 {
		return "data"
	}
	return fmt.Sprintf("data-%d", v.id)
}

func (v storageVolume) logDir(id int) string {
	return fmt.Sprintf("%s/%s/kafka-log%d", dataMount, v.volumeName(), id)
}

// claimName is the name by which an existing claim is adopted, whatever its labels and owner.
func (v storageVolume) claimName(podName string) string { return v.volumeName() + "-" + podName }

// metadataVolume is VolumeUtils.kraftMetadataPath: the first volume marked shared, else the one with the lowest ID.
func (s storage) metadataVolume() storageVolume {
	for _, v := range s.volumes {
		if v.kraftMetadata && s.kind == "jbod" {
			return v
		}
	}
	return slices.MinFunc(s.volumes, func(a, b storageVolume) int { return cmp.Compare(a.id, b.id) })
}

// json is the annotation strimzi.io/storage, in the order in which Strimzi's classes serialise.
func (s storage) json() string {
	if s.kind != "jbod" {
		return s.volumes[0].json()
	}
	volumes := make([]string, len(s.volumes))
	for i, v := range s.volumes {
		volumes[i] = v.json()
	}
	return `{"type":"jbod","volumes":[` + strings.Join(volumes, ",") + `]}`
}

func (v storageVolume) json() string {
	var fields []string
	if v.id >= 0 {
		fields = append(fields, fmt.Sprintf(`"id":%d`, v.id))
	}
	fields = append(fields, fmt.Sprintf(`"type":%q`, v.kind))
	if v.size != "" {
		fields = append(fields, fmt.Sprintf(`"size":%q`, v.size))
	}
	if v.kraftMetadata {
		fields = append(fields, `"kraftMetadata":"shared"`)
	}
	if v.class != "" {
		fields = append(fields, fmt.Sprintf(`"class":%q`, v.class))
	}
	if v.deleteClaim {
		fields = append(fields, `"deleteClaim":true`)
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// readPools turns the listed KafkaNodePools, in list order, into the model of the cluster's nodes.
func readPools(cluster string, items []unstructured.Unstructured) ([]*pool, error) {
	if len(items) == 0 {
		return nil, failf("InvalidConfigurationException", "No KafkaNodePools found for Kafka cluster %s", cluster)
	}
	pools := make([]*pool, 0, len(items))
	wishes := make([]idWish, 0, len(items))
	for i := range items {
		p, wish, err := readPool(cluster, &items[i])
		if err != nil {
			return nil, err
		}
		pools, wishes = append(pools, p), append(wishes, wish)
	}
	assignments, err := assignIDs(wishes)
	if err != nil {
		return nil, err
	}
	for _, p := range pools {
		p.ids = assignments[p.name]
	}
	for _, role := range []string{"controller", "broker"} {
		if !slices.ContainsFunc(pools, func(p *pool) bool { return p.hasRole(role) && len(p.ids.desired) > 0 }) {
			return nil, failf("InvalidResourceException", "The Kafka cluster %s is invalid: [At least one KafkaNodePool "+
				"with the %s role and at least one replica is required when KRaft mode is enabled]", cluster, role)
		}
	}
	return pools, nil
}

func readPool(cluster string, object *unstructured.Unstructured) (*pool, idWish, error) {
	p := &pool{object: object, cluster: cluster, name: object.GetName()}
	replicas, _, _ := unstructured.NestedInt64(object.Object, "spec", "replicas")
	p.roles, _, _ = unstructured.NestedStringSlice(object.Object, "spec", "roles")
	spec, _, _ := unstructured.NestedMap(object.Object, "spec", "storage")
	if spec == nil {
		// v1beta2 allows a pool without storage; the real operator then takes that of the Kafka resource, which
		// nobody recovers with.
		return nil, idWish{}, failf("InvalidResourceException", "KafkaNodePool %s has no storage", p.name)
	}
	p.storage = readStorage(spec)
	if len(p.storage.volumes) == 0 {
		return nil, idWish{}, failf("InvalidResourceException", "Cannot find any data volumes for storing KRaft metadata.")
	}
	annotations := object.GetAnnotations()
	return p, idWish{
		pool: p.name, replicas: int(replicas), current: statusIDs(object),
		next: annotations[annotationNextIDs], remov: annotations[annotationRemoveIDs],
	}, nil
}

func statusIDs(object *unstructured.Unstructured) []int {
	raw, found, _ := unstructured.NestedSlice(object.Object, "status", "nodeIds")
	if !found {
		return nil
	}
	ids := []int{}
	for _, value := range raw {
		if id, ok := value.(int64); ok {
			ids = append(ids, int(id))
		}
	}
	return ids
}

func readStorage(spec map[string]any) storage {
	kind, _ := spec["type"].(string)
	if kind != "jbod" {
		return storage{kind: kind, volumes: []storageVolume{readVolume(spec, -1)}}
	}
	s := storage{kind: kind}
	raw, _ := spec["volumes"].([]any)
	for _, value := range raw {
		volume, ok := value.(map[string]any)
		if !ok {
			continue
		}
		id, _ := volume["id"].(int64)
		s.volumes = append(s.volumes, readVolume(volume, int(id)))
	}
	return s
}

func readVolume(spec map[string]any, id int) storageVolume {
	v := storageVolume{id: id}
	v.kind, _ = spec["type"].(string)
	v.size, _ = spec["size"].(string)
	v.class, _ = spec["class"].(string)
	v.deleteClaim, _ = spec["deleteClaim"].(bool)
	v.kraftMetadata = spec["kraftMetadata"] == "shared"
	return v
}
