package strimzi

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
)

// MetadataVolume returns the volume that holds __cluster_metadata-0 of every node of the pool, brokers included: with
// JBOD the first with kraftMetadata: shared, else the one with the lowest ID; otherwise the only one
// (VolumeUtils.kraftMetadataPath). It is nil where the storage has no volume.
func (s Storage) MetadataVolume() *StorageVolume {
	if len(s.Volumes) == 0 {
		return nil
	}
	if s.Type != StorageJBOD {
		return &s.Volumes[0]
	}
	best := 0
	for i := range s.Volumes {
		if s.Volumes[i].KRaftMetadata {
			return &s.Volumes[i]
		}
		if volumeOrMinus(s.Volumes[i].ID) < volumeOrMinus(s.Volumes[best].ID) {
			best = i
		}
	}
	return &s.Volumes[best]
}

// Persistent tells whether every volume of the storage is a claim.
func (s Storage) Persistent() bool {
	return len(s.Volumes) > 0 && !slices.ContainsFunc(s.Volumes, func(v StorageVolume) bool {
		return v.Type == StorageEphemeral
	})
}

// Volume returns the volume of that ID, of type persistent-claim the only one; nil where there is none.
func (s Storage) Volume(id *int32) *StorageVolume {
	for i := range s.Volumes {
		if v := &s.Volumes[i]; v.ID == nil && id == nil || v.ID != nil && id != nil && *v.ID == *id {
			return v
		}
	}
	return nil
}

// CompareSizes compares two sizes of storage as Kubernetes reads them (1Gi, 1024Mi, 1e9), as cmp.Compare does; ok is
// false where one of them is no quantity.
func CompareSizes(a, b string) (order int, ok bool) {
	qa, errA := resource.ParseQuantity(a)
	qb, errB := resource.ParseQuantity(b)
	if errA != nil || errB != nil {
		return 0, false
	}
	return qa.Cmp(qb), true
}

// HasRole tells whether the pool's nodes have that role.
func (p NodePool) HasRole(role string) bool { return slices.Contains(p.Roles, role) }

// Claims returns the claims the operator will look for, for the given nodes of the pool.
func (p NodePool) Claims(cluster string, nodes []int32) []ClaimName {
	var out []ClaimName
	for _, node := range nodes {
		for _, v := range p.Storage.Volumes {
			if v.Type == StorageEphemeral {
				continue
			}
			out = append(out, ClaimName{Cluster: cluster, Pool: p.Name, NodeID: node, Volume: v.ID})
		}
	}
	return out
}

// Pool returns the pool of that name, or nil.
func (c *Cluster) Pool(name string) *NodePool {
	for i := range c.Pools {
		if c.Pools[i].Name == name {
			return &c.Pools[i]
		}
	}
	return nil
}

// ExpectedClaims returns the claims the operator will look for at its next reconcile, with the node IDs it will
// assign; those that do not exist it creates, empty. The error is the one of AssignNodeIDs.
func (c *Cluster) ExpectedClaims() ([]ClaimName, error) {
	assigned, err := AssignNodeIDs(c.Pools)
	if err != nil {
		return nil, err
	}
	var out []ClaimName
	for _, a := range assigned {
		out = append(out, c.Pool(a.Pool).Claims(c.Kafka.Name, a.Desired)...)
	}
	sortClaims(out)
	return out, nil
}

// Voters returns the controllers the operator will configure as controller.quorum.voters: the nodes of all pools with
// the controller role (KafkaBrokerConfigurationBuilder.java; voters are static up to 1.3). The error is the one of
// AssignNodeIDs.
func (c *Cluster) Voters() ([]int32, error) { return c.nodesWith(RoleController) }

// Brokers returns the nodes of all pools with the broker role.
func (c *Cluster) Brokers() ([]int32, error) { return c.nodesWith(RoleBroker) }

func (c *Cluster) nodesWith(role string) ([]int32, error) {
	assigned, err := AssignNodeIDs(c.Pools)
	if err != nil {
		return nil, err
	}
	var out []int32
	for _, a := range assigned {
		if c.Pool(a.Pool).HasRole(role) {
			out = append(out, a.Desired...)
		}
	}
	slices.Sort(out)
	return out, nil
}
