package strimzi

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// LostError says that what was named as lost for good is nothing of the cluster.
type LostError struct {
	Ref, Why string
	// There are the claims that may be named.
	There []string
}

// Error says what there is instead.
func (e *LostError) Error() string {
	return fmt.Sprintf("%q: %s; the cluster's claims are %s", e.Ref, e.Why, strings.Join(e.There, ", "))
}

const (
	nodeRef  = "node/"
	claimRef = "pvc/"
)

// LostNode reads the node ID out of what names a lost node or one of its claims: node/ID, node/POD or pvc/CLAIM. Both
// names end in the ID (Strimzi: KafkaPool.nodes).
func LostNode(ref string) (id int32, ok bool) {
	name, isNode := strings.CutPrefix(ref, nodeRef)
	name, isClaim := strings.CutPrefix(name, claimRef)
	if isNode == isClaim {
		return 0, false
	}
	n, err := parseNodeID(name[strings.LastIndex(name, "-")+1:])
	return int32(n), err == nil //nolint:gosec // bounded to 31 bits by parseNodeID
}

// LostNodes are the node IDs of all that are named and can be read.
func LostNodes(refs []string) []int32 {
	var out []int32
	for _, ref := range refs {
		if id, ok := LostNode(ref); ok && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// KeepLost has the pools keep the IDs of nodes of which nothing is left: the operator would give other ones to the
// nodes that take their places, where it gives them by itself. An ID that is not known to have been one of the cluster,
// or that several pools could have, is left to it.
func (c *Cluster) KeepLost(refs []string, known []int32) {
	for _, ref := range refs {
		id, ok := LostNode(ref)
		if !ok || !slices.Contains(known, id) ||
			slices.ContainsFunc(c.Pools, func(p NodePool) bool { return slices.Contains(p.Status.NodeIDs, id) }) {
			continue
		}
		var may []*NodePool
		for i := range c.Pools {
			p := &c.Pools[i]
			if len(p.Status.NodeIDs) < int(p.Replicas) && c.namesNode(ref, p, id) {
				may = append(may, p)
			}
		}
		if len(may) == 1 {
			may[0].Status.NodeIDs = append(slices.Clone(may[0].Status.NodeIDs), id)
			slices.Sort(may[0].Status.NodeIDs)
		}
	}
}

// namesNode tells whether a reference can be one to that node of that pool.
func (c *Cluster) namesNode(ref string, p *NodePool, id int32) bool {
	pod := PodName(c.Kafka.Name, p.Name, id)
	if name, isNode := strings.CutPrefix(ref, nodeRef); isNode {
		return name == pod || name == strconv.Itoa(int(id))
	}
	return slices.ContainsFunc(p.Claims(c.Kafka.Name, []int32{id}), func(n ClaimName) bool {
		return ref == claimRef+n.String()
	})
}

// LostClaims are the claims of the nodes, and the claims, that were named as lost for good. The error is a *LostError,
// or the one of AssignNodeIDs.
func (c *Cluster) LostClaims(refs []string) ([]ClaimName, error) {
	wanted, err := c.ExpectedClaims()
	if err != nil {
		return nil, err
	}
	var out []ClaimName
	for _, ref := range refs {
		found := false
		for _, claim := range wanted {
			if p := c.Pool(claim.Pool); ref != claimRef+claim.String() && !(strings.HasPrefix(ref, nodeRef) &&
				c.namesNode(ref, p, claim.NodeID)) {
				continue
			}
			if found = true; !slices.ContainsFunc(out, func(n ClaimName) bool { return n.String() == claim.String() }) {
				out = append(out, claim)
			}
		}
		if !found {
			return nil, lostError(ref, wanted)
		}
	}
	sortClaims(out)
	return out, nil
}

func lostError(ref string, wanted []ClaimName) *LostError {
	e := &LostError{Ref: ref, Why: "the cluster has no such claim"}
	if strings.HasPrefix(ref, nodeRef) {
		e.Why = "the cluster has no Kafka node of that ID or pod name with a claim"
	}
	for _, claim := range wanted {
		e.There = append(e.There, claimRef+claim.String())
	}
	if len(e.There) == 0 {
		e.There = []string{"none"}
	}
	return e
}

// ParseLost checks the form of what names a lost node or claim.
func ParseLost(ref string) error {
	if _, ok := LostNode(ref); ok {
		return nil
	}
	return fmt.Errorf("parse %q: name a Kafka node by its ID or pod, or one of its claims: node/2, "+
		"node/my-cluster-broker-2 or pvc/data-0-my-cluster-broker-2", cmp.Or(ref, "nothing"))
}
