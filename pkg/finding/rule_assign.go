package finding

import (
	"fmt"
	"maps"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

const sourceAssign = "Strimzi: NodeIdAssignor; tried: docs/strimzi-facts.md, shifted node IDs"

// assignRules judge whether the operator will look for the claims that are there.
func assignRules() []entry {
	return []entry{
		{Rule{
			ID: "node-ids-shifted", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "the operator would give a pool other node IDs than its volumes have",
			What: "The node IDs the operator will assign each pool (status.nodeIds, strimzi.io/next-node-ids, else the " +
				"lowest free ones in the order of names) against the claims.",
			Why: "Claims are found by name, and the name has the node ID. The operator makes new, empty claims beside the " +
				"old ones; the cluster is Ready, and empty.",
			Source: sourceAssign,
			Remedy: "set strimzi.io/next-node-ids on every pool, to the IDs of its claims, before anything is un-paused",
		}, judgeShifted},
		{Rule{
			ID: "pool-missing", Severity: Error, Refuses: true, Without: Irreversible,
			Title:  "the pool of some claims does not exist",
			What:   "The pools that the claims' names tell against the KafkaNodePools.",
			Why:    "The cluster would start without those nodes, and the operator unregisters brokers that are in no pool.",
			Source: "Strimzi: KafkaReconciler.nodeUnregistration",
			Remedy: "create the KafkaNodePool with its roles, storage and number of nodes while the Kafka resource is paused",
		}, judgePoolMissing},
		{Rule{
			ID: "claim-unused", Severity: Warning,
			Title: "no node will use the claim",
			What:  "Claims of nodes that are in no pool, where nothing shows that they still matter.",
			Why: "It is what scaling down leaves. The operator deletes it where it carries strimzi.io/delete-claim: " +
				"\"true\".",
			Source: "Strimzi: PvcReconciler.deletePersistentClaims",
			Remedy: "keep it until the cluster is proven whole",
		}, judgeUnused},
	}
}

// assignment returns what the operator will assign to that pool; ok is false where it is not known.
func (s *scene) assignment(pool string) (a strimzi.Assignment, ok bool) {
	i := slices.IndexFunc(s.assigned, func(a strimzi.Assignment) bool { return a.Pool == pool })
	if i < 0 {
		return strimzi.Assignment{}, false
	}
	return s.assigned[i], true
}

// ofPool are the volumes whose claims are of that pool, and that were not given up.
func (s *scene) ofPool(pool string) []*vol {
	var out []*vol
	for _, v := range s.vols {
		if !v.excluded && v.Slot != nil && v.Slot.Pool == pool && v.Slot.Cluster == s.in.Cluster.Kafka.Name {
			out = append(out, v)
		}
	}
	return out
}

// leftOver tells whether a claim whose node is in no pool is what scaling down left: the pool has its node IDs, and
// the volume holds no partition and is of no registered broker.
func (s *scene) leftOver(v *vol, p *strimzi.NodePool) bool {
	if p == nil || len(p.Status.NodeIDs) == 0 {
		return false
	}
	if newest := s.newestImage(); newest != nil && slices.Contains(newest.Image.Brokers, v.node) {
		return false
	}
	return !slices.ContainsFunc(v.allDirs(), func(d *logdir.LogDir) bool { return len(d.Partitions) > 0 })
}

func judgeShifted(s *scene) []found {
	if s.in.Cluster == nil {
		return nil
	}
	if s.assignProblem != "" {
		return []found{{subject: s.kafkaSubject(), unevaluated: true, message: s.assignProblem}}
	}
	var out []found
	for i := range s.in.Cluster.Pools {
		p := &s.in.Cluster.Pools[i]
		a, _ := s.assignment(p.Name)
		nodes := map[int32]bool{}
		var evidence []string
		for _, v := range s.ofPool(p.Name) {
			nodes[v.node] = true
			if !slices.Contains(a.Desired, v.node) && !s.leftOver(v, p) {
				evidence = append(evidence, fmt.Sprintf("%s: of node %d", v.Name, v.node))
			}
		}
		if len(evidence) == 0 {
			continue
		}
		if a.Ignored != "" {
			evidence = append(evidence, "pool/"+p.Name+": "+a.Ignored)
		}
		have := slices.Sorted(maps.Keys(nodes))
		out = append(out, found{
			subject: "pool/" + p.Name, evidence: evidence, remedy: s.assignRemedy(p, have),
			message: fmt.Sprintf("would get the nodes %s, its claims are of the nodes %s", idList(a.Desired), idList(have)),
		})
	}
	return out
}

// assignRemedy is the command that makes the operator assign the nodes that the claims have. For a pool that has node
// IDs the annotation does nothing: its status must be given other ones.
func (s *scene) assignRemedy(p *strimzi.NodePool, have []int32) string {
	if len(p.Status.NodeIDs) > 0 && len(have) > int(p.Replicas) {
		return fmt.Sprintf("find out which %d of the nodes hold the data (a start with the wrong IDs has made new claims), "+
			"then set status.nodeIds of pool/%s to them while Kafka is paused", p.Replicas, p.Name)
	}
	if len(p.Status.NodeIDs) > 0 {
		return fmt.Sprintf("the pool's status names the wrong nodes; while Kafka is paused: %s",
			s.kubectl(fmt.Sprintf(`patch kafkanodepool %s --subresource status --type merge -p '{"status":{"nodeIds":%s}}'`,
				p.Name, strimzi.FormatNodeIDs(have))))
	}
	remedy := s.kubectl(fmt.Sprintf(`annotate kafkanodepool %s strimzi.io/next-node-ids='%s' --overwrite`, p.Name,
		strimzi.FormatNodeIDs(have)))
	if int(p.Replicas) != len(have) {
		remedy += fmt.Sprintf("; and set its replicas to %d", len(have))
	}
	return remedy + "; the same for every other pool"
}

func judgePoolMissing(s *scene) []found {
	if s.in.Cluster == nil {
		return nil
	}
	claims := map[string][]string{}
	for _, v := range s.vols {
		if v.excluded || v.Slot == nil || v.Slot.Pool == "" || v.Slot.Cluster != s.in.Cluster.Kafka.Name {
			continue
		}
		if s.in.Cluster.Pool(v.Slot.Pool) == nil {
			claims[v.Slot.Pool] = append(claims[v.Slot.Pool], fmt.Sprintf("%s: of node %d", v.Name, v.node))
		}
	}
	var out []found
	for _, pool := range slices.Sorted(maps.Keys(claims)) {
		out = append(out, one("pool/"+pool, "does not exist, and has claims", claims[pool])...)
	}
	return out
}

func judgeUnused(s *scene) []found {
	if s.in.Cluster == nil || s.assignProblem != "" {
		return nil
	}
	var out []found
	for i := range s.in.Cluster.Pools {
		p := &s.in.Cluster.Pools[i]
		a, _ := s.assignment(p.Name)
		for _, v := range s.ofPool(p.Name) {
			if !slices.Contains(a.Desired, v.node) && s.leftOver(v, p) {
				out = append(out, found{
					subject: v.Name, message: fmt.Sprintf("is of node %d, which pool/%s does not have", v.node, p.Name),
				})
			}
		}
	}
	return out
}

// judgeSlotMissing looks for volumes that ought to be there: claims the operator will look for, else gaps in what
// there is; and registered brokers and controllers of which nothing was found.
func judgeSlotMissing(s *scene) []found {
	if len(s.vols) == 0 {
		return nil
	}
	told := map[int32]bool{} // nodes of which something is said to be missing
	var out []found
	if s.in.Cluster != nil {
		out = s.missingClaims(told)
	} else {
		out = s.missingVolumes(told)
	}
	expected := s.expectedNodes()
	for _, id := range slices.Sorted(maps.Keys(expected)) {
		if len(s.nodes[id]) == 0 && !told[id] {
			told[id] = true
			out = append(out, found{
				subject: node(id), message: "no volume of it was found", evidence: []string{node(id) + " " + expected[id]},
			})
		}
	}
	if s.in.Cluster == nil {
		out = append(out, s.gaps()...)
	}
	return out
}

// missingClaims are the claims that the operator will create, empty, for pools that keep their node IDs.
func (s *scene) missingClaims(told map[int32]bool) []found {
	var out []found
	for _, claim := range s.absentClaims() {
		told[claim.NodeID] = true
		if s.lost[claim.String()] {
			continue // it is held back, and other rules judge whether the cluster can do without it
		}
		f := found{
			remedy: "look for the volume (Released, another zone, another cluster); if it is lost for good, restore --lost " +
				node(claim.NodeID) + " starts the node, empty, once the others have caught up",
			subject: "pvc/" + claim.String(),
			message: fmt.Sprintf("does not exist: the operator would create it, empty, for node %d of pool/%s", claim.NodeID,
				claim.Pool),
		}
		for j := range s.in.Others {
			if pv := &s.in.Others[j]; pv.ClaimName == claim.String() {
				f.evidence = append(f.evidence, fmt.Sprintf("pv/%s: %s, was of this claim", pv.Name, pv.Phase))
			}
		}
		out = append(out, f)
	}
	return out
}

// absentClaims are the claims that pools which keep their node IDs want and that are not there.
func (s *scene) absentClaims() []strimzi.ClaimName {
	if s.in.Cluster == nil {
		return nil
	}
	have := map[string]bool{}
	for _, v := range s.vols {
		if name := v.Slot.ClaimName(); name != "" && !(s.lost[name] && v.Claim == nil && v.excluded) {
			have[name] = true
		}
	}
	var out []strimzi.ClaimName
	for i := range s.in.Cluster.Pools {
		p := &s.in.Cluster.Pools[i]
		a, ok := s.assignment(p.Name)
		if !ok || s.isShifted(p, a) {
			continue // node-ids-shifted says so
		}
		for _, claim := range p.Claims(s.in.Cluster.Kafka.Name, a.Desired) {
			if !have[claim.String()] {
				out = append(out, claim)
			}
		}
	}
	return out
}

func (s *scene) isShifted(p *strimzi.NodePool, a strimzi.Assignment) bool {
	return slices.ContainsFunc(s.ofPool(p.Name), func(v *vol) bool {
		return !slices.Contains(a.Desired, v.node) && !s.leftOver(v, p)
	})
}

// missingVolumes are JBOD volumes that other nodes of the same pool have.
func (s *scene) missingVolumes(told map[int32]bool) []found {
	type pool struct{ cluster, name string }
	nodes := map[pool]map[int32]map[int32]bool{} // of each pool, the volumes of each node
	ids := map[pool]map[int32]bool{}
	for _, v := range s.vols {
		if v.Slot == nil || v.Slot.Pool == "" || v.Slot.VolumeID == nil {
			continue
		}
		key := pool{v.Slot.Cluster, v.Slot.Pool}
		if nodes[key] == nil {
			nodes[key], ids[key] = map[int32]map[int32]bool{}, map[int32]bool{}
		}
		if nodes[key][v.node] == nil {
			nodes[key][v.node] = map[int32]bool{}
		}
		nodes[key][v.node][*v.Slot.VolumeID], ids[key][*v.Slot.VolumeID] = true, true
	}
	var out []found
	for key, byNode := range nodes {
		for id, have := range byNode {
			for volumeID := range ids[key] {
				if have[volumeID] {
					continue
				}
				told[id] = true
				claim := strimzi.ClaimName{Cluster: key.cluster, Pool: key.name, NodeID: id, Volume: &volumeID}
				out = append(out, found{
					subject: "slot/" + claim.String(),
					message: fmt.Sprintf("no volume %d of node %d was found, which other nodes of its pool have", volumeID, id),
				})
			}
		}
	}
	return out
}

// expectedNodes are the nodes that have to have volumes, with the reason.
func (s *scene) expectedNodes() map[int32]string {
	out := map[int32]string{}
	desired := map[int32]bool{}
	for _, a := range s.assigned {
		p := s.in.Cluster.Pool(a.Pool)
		for _, id := range a.Desired {
			desired[id] = p == nil || p.Storage.Persistent()
		}
	}
	if newest := s.newestImage(); newest != nil {
		for _, id := range newest.Image.Brokers {
			persistent, wanted := desired[id]
			// A broker that was scaled away stays registered with older operators; it has no partition in sync.
			if wanted && !persistent || s.in.Cluster != nil && !wanted && newest.Image.InSync[id] == 0 {
				continue
			}
			out[id] = "is a registered broker by the metadata on " + newest.Name
		}
	}
	if s.in.Cluster == nil && len(s.controllers.sources) > 0 {
		for _, id := range s.controllers.ids() {
			out[id] = "is a controller by the " + s.controllers.sources[0].name
		}
	}
	return out
}

// gaps are node IDs left out between those there are, where the metadata does not say who is registered.
func (s *scene) gaps() []found {
	if s.newestImage() != nil {
		return nil
	}
	var out []found
	for i := 1; i < len(s.nodeIDs); i++ {
		if from, to := s.nodeIDs[i-1], s.nodeIDs[i]; to-from > 1 {
			out = append(out, found{
				subject: node(from + 1), unevaluated: true,
				message: fmt.Sprintf("no volume was found of %s between %d and %d, and nothing says whether there was any",
					wording.Count(to-from-1, "node", "nodes"), from, to),
			})
		}
	}
	return out
}
