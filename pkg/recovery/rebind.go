package recovery

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// Displaced is a volume that loses its claim to another one: what it says it is of, and what was written to it.
type Displaced struct {
	Volume     string   `json:"volume"`
	Claim      string   `json:"claim"`
	ClusterIDs []string `json:"clusterIds,omitempty"`
	// Held are its partitions.
	Held []finding.Held `json:"held,omitempty"`
}

// String tells in a line what the volume has accepted.
func (d *Displaced) String() string {
	of := "no cluster ID"
	if len(d.ClusterIDs) > 0 {
		of = "cluster ID " + strings.Join(d.ClusterIDs, ", ")
	}
	return fmt.Sprintf("pv/%s (pvc/%s): %s, %s", d.Volume, d.Claim, of, acceptedText(d.Held))
}

// acceptedText sums up what partitions have accepted. Several directories may be replicas of one partition: it counts
// once, as the one that goes furthest, but for the bytes on the volumes.
func acceptedText(held []finding.Held) string {
	var topics []string
	var size, offsets int64
	ends := map[string]int64{} // offsets by partition, -1 where nothing was accepted
	for i := range held {
		h := &held[i]
		if !slices.Contains(topics, h.Topic) {
			topics = append(topics, h.Topic)
		}
		size += h.Bytes
		key, accepted := h.Topic+"/"+path.Base(h.Dir), int64(-1)
		if h.Accepted() {
			accepted = max(h.End-h.Start, 0)
		}
		if now, known := ends[key]; !known || accepted > now {
			ends[key] = accepted
		}
	}
	taken := 0
	for _, n := range ends {
		if n >= 0 {
			taken++
			offsets += n
		}
	}
	if len(held) == 0 {
		return "no partition"
	}
	slices.Sort(topics)
	if taken == 0 {
		return wording.Count(len(ends), "partition", "partitions") + " without a record, of " + strings.Join(topics, ", ")
	}
	return fmt.Sprintf("%d of %d partitions have records: %d offsets, %d bytes, of %s", taken, len(ends), offsets, size,
		strings.Join(topics, ", "))
}

// rebindPlan is which claims go, what is bound in their place, and what is displaced.
type rebindPlan struct {
	podSets   []podSetStop
	letGo     []placement.LetGo
	claims    []placement.Placement
	displaced []Displaced
	// pools are those whose status names other nodes than their volumes are of.
	pools []string
	// lost tells that the claims are of nodes that are held back: no other volume takes the place.
	lost bool
	// made tells that an earlier run of the operation has done all of it.
	made bool
}

func (p *rebindPlan) displacement() []Displaced {
	if p == nil {
		return nil
	}
	return p.displaced
}

// rebinds tells whether claims are made in the place of those that go.
func (p *rebindPlan) rebinds() bool { return p != nil && !p.lost }

func (p *rebindPlan) nodeIDs() []string {
	if p == nil {
		return nil
	}
	return p.pools
}

// letsGo tells that the operation lets claims go that others made.
func (r *Recorded) letsGo() bool {
	return r != nil && r.Decision != nil && r.Decision.Plan != nil && r.Decision.Plan.step(StepLetGo) != nil
}

// planRebind puts what is bound to other volumes into the plan, and what is in the places of lost nodes. Pods that are
// stopped for it need no restart later.
func (r *run) planRebind(in *planInput) {
	var todo []placement.Placement
	if r.RebindClaims {
		todo = r.missingClaims() // elsewhere they are made before the pause
	}
	again := r.recorded.letsGo()
	if !again && len(r.before.LetGo) == 0 && len(todo) == 0 {
		return
	}
	p := &rebindPlan{
		letGo: r.before.LetGo, claims: todo, displaced: displacedOf(r.before.Displaced), lost: !r.RebindClaims,
	}
	p.made = len(p.letGo) == 0 && len(todo) == 0
	if again { // what is displaced already is not looked at again
		p.displaced = r.recorded.Decision.Plan.Displaced
	}
	for _, set := range r.before.Cluster.PodSets {
		p.podSets = append(p.podSets, podSetStop{name: set.Name, uid: set.UID, pods: set.Pods})
	}
	for i := range r.before.Cluster.Pools {
		pool := &r.before.Cluster.Pools[i]
		if !p.lost && !slices.Equal(r.nodeIDsBefore[pool.Name], pool.Status.NodeIDs) {
			p.pools = append(p.pools, fmt.Sprintf("kafkanodepool/%s: nodeIds %s (was %s)", pool.Name,
				strimzi.FormatNodeIDs(pool.Status.NodeIDs), strimzi.FormatNodeIDs(r.nodeIDsBefore[pool.Name])))
		}
	}
	in.rebind, in.crashLooping, in.outliving = p, nil, nil
	in.quota.claims += len(todo) - len(p.letGo)
}

func displacedOf(volumes []finding.Displaced) []Displaced {
	var out []Displaced
	for i := range volumes {
		v := &volumes[i]
		d := Displaced{Volume: v.PV.Name, Claim: v.Claim.Name, Held: v.Held}
		_, groups, _ := finding.AgreedClusterID([]volume.Volume{v.Volume})
		for _, g := range groups {
			d.ClusterIDs = append(d.ClusterIDs, g.ID)
		}
		out = append(out, d)
	}
	return out
}

// rebindSteps free the claims that hold other volumes and bind those that are right in their place.
func rebindSteps(in planInput) []Step {
	p := in.rebind
	if p == nil {
		return nil
	}
	stop := Step{
		ID: StepStopPods, Title: "stop every Kafka pod, so that none holds a claim",
		Expects: []string{
			"the pause is proven", "the volumes are Retain, read back", "no claim or volume of the cluster is Terminating",
		},
		Check: "no pod uses a claim of the cluster, and no volume is attached",
		Undo:  "none needed: the operator makes them again when reconciliation is un-paused",
		Risk:  "the cluster that runs now is stopped, and does not come back unless this is undone",
	}
	switch {
	case p.lost:
		stop.Risk = "what runs now is stopped, until reconciliation is un-paused"
	case in.create != nil && len(p.podSets) == 0:
		stop.Undo, stop.Risk = "none needed", ""
	case in.create != nil:
		stop.Undo = "none: with their Kafka resource gone nobody starts them again"
		stop.Risk = "what runs now without its Kafka resource is stopped, and does not come back"
	}
	for _, set := range p.podSets {
		stop.Does = append(stop.Does, fmt.Sprintf("delete strimzipodset/%s, which stops %s", set.name, podNames(set.pods)))
	}
	steps := []Step{stop, letGoStep(in)}
	if !p.lost {
		steps = append(steps, claimsStep(p.claims))
	}
	for i := range steps {
		if p.made {
			steps[i].State, steps[i].Note = StepSkipped, "done by an earlier run"
		}
	}
	return steps
}

func letGoStep(in planInput) Step {
	p := in.rebind
	s := Step{
		ID: StepLetGo,
		Title: "let " + wording.Count(len(p.letGo), "claim go that holds another volume",
			"claims go that hold other volumes"),
		Expects: []string{
			"read once more, now that no pod writes: every volume is what was judged",
			"right before its claim is deleted, each volume is Retain, not Terminating, and used by no pod",
		},
		Check: "the claims are gone; their volumes are there, Retain, and hold what they held",
		Undo:  "make the claims again as they were, and tie their volumes to them; they have other UIDs then",
	}
	if p.lost {
		s.Title = "let " + wording.Count(len(p.letGo), "claim go that is in the place of a lost node, and holds nothing",
			"claims go that are in the places of lost nodes, and hold nothing")
	}
	for _, l := range p.letGo {
		s.Does = append(s.Does, letGoText(l)...)
	}
	if n := len(p.displaced); n > 0 && !p.lost {
		var held []finding.Held
		for _, d := range p.displaced {
			held = append(held, d.Held...)
		}
		s.Risk = fmt.Sprintf("what was written to %s, and is in no cluster: %s",
			wording.Count(n, "volume stays on it", "volumes stays on them"), acceptedText(held))
	}
	return s
}

func letGoText(l placement.LetGo) []string {
	switch {
	case l.Volume == "":
		return []string{fmt.Sprintf("delete pvc/%s, which waits for a volume", l.Claim)}
	case l.Gone:
		return []string{fmt.Sprintf("delete pvc/%s, whose volume pv/%s is no more", l.Claim, l.Volume)}
	}
	does := fmt.Sprintf("delete pvc/%s, which holds pv/%s; the volume stays", l.Claim, l.Volume)
	if !l.Displaced {
		return []string{does}
	}
	return []string{fmt.Sprintf("annotate pv/%s as displaced by this operation", l.Volume), does}
}

// wantedNodeIDs are the node IDs that a pool is given: those of its volumes, where it has been made again; those it was
// judged with, where its claims are bound to other volumes.
func (r *run) wantedNodeIDs(pool *strimzi.NodePool) []int32 {
	if r.plan.step(StepLetGo) != nil && r.plan.step(StepResources) == nil {
		return pool.Status.NodeIDs
	}
	return r.base.pools[pool.Name]
}

// held are the names of the volumes that carry the operation's annotation: those of claims, and those that lose theirs.
// Where the annotation is taken away, they are all that may have it.
func (r *run) held(taken bool) []string {
	var out []string
	add := func(name string) {
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for i := range r.before.Volumes {
		if pv := r.before.Volumes[i].PV; pv != nil {
			add(pv.Name)
		}
	}
	for i := range r.before.Displaced {
		add(r.before.Displaced[i].PV.Name)
	}
	if !taken {
		return out
	}
	for i := range r.before.Others {
		if r.RebindClaims {
			add(r.before.Others[i].Name)
		}
	}
	if r.plan != nil {
		for _, d := range r.plan.Displaced {
			add(d.Volume)
		}
	}
	return out
}
