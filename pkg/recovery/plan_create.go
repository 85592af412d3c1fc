package recovery

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// The steps of a restore whose resources or claims are gone, between the lock and the pause, and around them.
const (
	StepNamespace      StepID = "namespace" // these two before anything is read
	StepVolumes        StepID = "volumes"
	StepClaims         StepID = "claims"
	StepResources      StepID = "resources"
	StepNodeIDs        StepID = "node-ids"
	StepTopics         StepID = "topics"
	StepEntityOperator StepID = "entity-operator"
)

// createPlan is what is missing and will be made.
type createPlan struct {
	claims    []placement.Placement
	resources []string
	// standing are declared resources that are there.
	standing []string
	// made tells that an earlier run of the operation has made all of it.
	made bool
	// users are declared without their Secret.
	users []string
	// pools maps a pool to the node IDs of its volumes, in the order of names.
	pools []string
	// topics is how many are declared; entityOperator tells that Kafka's manifest asks for one.
	topics         int
	entityOperator bool
	// unknownUsers are in the metadata and have no KafkaUser: the User Operator would delete them.
	unknownUsers []string
}

// createPlan says what will be made; nil where everything is there.
func (r *run) createPlan() *createPlan {
	if !r.before.Planned && (r.recorded == nil || !r.recorded.created()) {
		return nil
	}
	c := &createPlan{
		made:   !r.before.Planned,
		claims: r.missingClaims(), topics: len(r.Declared.Topics), entityOperator: r.Declared.EntityOperator(),
		unknownUsers: r.unknownUsers(),
	}
	for _, o := range r.resources() {
		c.resources = append(c.resources, declared.Ref(o.object))
	}
	_, without := r.Declared.UsersBySecret()
	for _, u := range without {
		if !r.standing[declared.Ref(u)] {
			c.users = append(c.users, u.GetName())
		}
	}
	c.standing = slices.Sorted(maps.Keys(r.standing))
	for _, p := range r.before.Cluster.Pools {
		c.pools = append(c.pools, fmt.Sprintf("kafkanodepool/%s: nodeIds %s, roles %s", p.Name,
			strimzi.FormatNodeIDs(r.nodeIDs(p.Name)), strings.Join(p.Roles, ", ")))
	}
	return c
}

// createSteps are the steps that make what is missing.
func createSteps(in planInput) []Step {
	c := in.create
	if c == nil {
		return nil
	}
	claims := claimsStep(c.claims)
	madeNote := "made by an earlier run"
	resources := Step{
		ID: StepResources, Title: "create what was declared, Kafka last and paused",
		Check: "read back from the API server; Kafka carries " + strimzi.PauseAnnotation,
		Undo:  "delete what was created, Kafka first",
	}
	for _, ref := range c.resources {
		resources.Does = append(resources.Does, "create "+ref)
	}
	for _, ref := range c.standing {
		resources.Expects = append(resources.Expects, ref+" is there, and stays as it is")
	}
	if len(c.users) > 0 {
		resources.Risk = "not created, for without their Secrets they would get new passwords or certificates: kafkauser/" +
			strings.Join(c.users, " kafkauser/")
	}
	if c.made {
		claims.State, claims.Note = StepSkipped, madeNote
		resources.State, resources.Note = StepSkipped, madeNote
	}
	steps := []Step{claims, resources}
	if in.rebind.rebinds() { // they are made once others are let go
		steps = steps[1:]
	}
	return slices.Concat(in.hold, steps, in.scaleBack)
}

// claimsStep makes claims and binds volumes to them.
func claimsStep(todo []placement.Placement) Step {
	claims := Step{
		ID: StepClaims,
		Title: "make " + wording.Count(len(todo), "claim and bind the volume to it",
			"claims and bind the volumes to them"),
		Expects: []string{"every volume is Retain, is held by no claim, and is the one that was judged"},
		Check:   "claim and volume Bound to each other by UID; a volume is never Available in between",
		Undo:    "tie each volume to what it was tied to, then delete the claim",
	}
	for _, p := range todo {
		claims.Does = append(claims.Does, fmt.Sprintf("create pvc/%s and set the claimRef of pv/%s to it (%s)", p.Claim,
			p.Volume, p.From))
	}
	if len(todo) == 0 {
		claims.State, claims.Note = StepSkipped, "every claim is there"
	}
	return claims
}

// nodeIDsStep writes what the volumes say into the pools.
func nodeIDsStep(in planInput) []Step {
	pools := in.rebind.nodeIDs()
	if in.create != nil {
		pools = in.create.pools
	}
	if in.create == nil && in.rebind == nil {
		return nil
	}
	s := Step{
		ID: StepNodeIDs, Title: "write the node IDs of the volumes into the status of every pool",
		Expects: []string{"the pause is proven"},
		Check:   "read back from the API server",
		Undo:    "remove them again, while paused",
	}
	for _, pool := range pools {
		s.Does = append(s.Does, "patch the status of "+pool)
	}
	if len(pools) == 0 {
		s.State, s.Note = StepSkipped, "every pool has those of its volumes"
	}
	return []Step{s}
}

// afterSteps hand the cluster to the Entity Operator, once it is verified.
func afterSteps(in planInput) []Step {
	c := in.create
	if c == nil {
		return nil
	}
	topics := Step{
		ID: StepTopics, Title: "give topics whose manifest is as the metadata says to the Topic Operator",
		Does: []string{"remove " + strimzi.ManagedAnnotation + "=false from each of them"},
		Expects: []string{
			"partitions, replicas and configuration in the manifest are those of the metadata that was copied",
		},
		Check: "read back from the API server",
		Risk:  "none: a topic that differs stays out of its hands, and the result says how it differs",
	}
	if c.topics == 0 {
		topics.State, topics.Note = StepSkipped, "no KafkaTopic was declared"
	}
	entity := Step{
		ID: StepEntityOperator, Title: "add the Entity Operator that the manifest asks for",
		Does:  []string{"patch kafka/" + in.cluster + ": spec.entityOperator as it was declared"},
		Check: "Ready for that generation",
	}
	switch {
	case !c.entityOperator:
		entity.State, entity.Note = StepSkipped, "the manifest asks for none"
	case len(c.unknownUsers) > 0:
		entity.State = StepSkipped
		entity.Note = entityOperatorLeftOut + strings.Join(c.unknownUsers, ", ")
	}
	return []Step{topics, entity}
}
