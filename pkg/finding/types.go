// Package finding owns the rules: what may be wrong with the volumes and objects of a Kafka cluster, and how to say so.
// Judges are pure: they take volumes and objects and return findings; no client, clock, environment or printing.
package finding

import (
	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Severity is fixed per rule.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical"
	Error    Severity = "error"
	Warning  Severity = "warning"
	Info     Severity = "info"
)

// Consequence is what comes of going on all the same where a rule refuses.
type Consequence string

// The consequences, worst first.
const (
	// DataLost is data that is erased or overwritten, or left out of a cluster that is Ready all the same.
	DataLost Consequence = "lost"
	// Irreversible is a change that nothing takes back.
	Irreversible Consequence = "irreversible"
	// Stuck is a cluster, or a part of it, that does not start, or stays away, until it is put right.
	Stuck Consequence = "stuck"
)

// Text says it to a person; empty for none.
func (c Consequence) Text() string {
	switch c {
	case DataLost:
		return "at worst, data is lost"
	case Irreversible:
		return "at worst, something changes that nothing takes back"
	case Stuck:
		return "at worst, the cluster or a part of it stays away until it is put right"
	}
	return ""
}

// Rule is one thing that can be found. Rules are documented by `kafkarecover explain RULE` and docs/rules.md.
type Rule struct {
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`
	// What the rule looks at, Why it matters (the consequence), Source of the fact, and the Remedy.
	What   string `json:"what"`
	Why    string `json:"why"`
	Source string `json:"source"`
	Remedy string `json:"remedy"`
	// Refuses tells that restore refuses on this rule unless --accept RULE=SUBJECT lifts it.
	Refuses bool `json:"refuses"`
	// Final tells that --accept cannot lift it.
	Final bool `json:"final,omitempty"`
	// Without is the worst that may come of going on where it refuses; empty where it does not refuse.
	Without Consequence `json:"without,omitempty"`
}

// Finding is one rule found true (or not evaluable) for one subject.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// Subject is what --ignore and --accept name: a volume's Name (pvc/NAME, pv/NAME, dir/NAME), kafka/NAME, pool/NAME,
	// configmap/NAME, operator/NAMESPACE/NAME, node/ID, slot/CLAIM, topic/NAME, cluster/ID, or cluster for all of it.
	Subject string `json:"subject"`
	Message string `json:"message"`
	// Evidence are observed facts, one a line: where, and what was there.
	Evidence []string `json:"evidence,omitempty"`
	Remedy   string   `json:"remedy,omitempty"`
	Refuses  bool     `json:"refuses"`
	// Unevaluated tells that the rule could not be evaluated; for a rule that refuses that is a refusal.
	Unevaluated bool `json:"unevaluated,omitempty"`
}

// Input is everything a judge may look at.
type Input struct {
	// Volumes are those of one Kafka cluster (or of one --dir).
	Volumes []volume.Volume
	// Others are Released, Available or Failed volumes whose claimRef names a claim of this cluster.
	Others []volume.PersistentVolume
	// Cluster is nil when there is no Kafka resource or nothing but folders was looked at.
	Cluster *strimzi.Cluster
	// Set is the StatefulSet whose pods run Kafka, there or declared; nil under Strimzi. The rules that are about Strimzi
	// are left out where it is given.
	Set *statefulset.Set
	// Excluded are volumes the person has given up: they count as lost.
	Excluded map[string]bool
	// Lost name the nodes and claims that the person says are lost for good, as strimzi.ParseLost reads them: they are
	// held back until the others have caught up.
	Lost []string
	// ClusterID is the ID the person named with --cluster-id; empty when it is to be found out.
	ClusterID string
	// VolumesForbidden tells that PersistentVolumes could not be listed, so reclaim policies are unknown.
	VolumesForbidden bool
	// Redeclared is what is to be declared anew from an earlier look; nil where nothing is.
	Redeclared *Redeclared
	// Held is the operator that is to be kept at zero replicas for a while; nil where none is.
	Held *HeldOperator
	// Displaced are volumes that claims hold now and that will lose them to others.
	Displaced []Displaced
}
