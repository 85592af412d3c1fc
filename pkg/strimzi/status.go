package strimzi

import "slices"

// Types and reasons of a Kafka resource's conditions. The operator writes a failure as NotReady=True, not as
// Ready=False (KafkaAssemblyOperator.java).
const (
	ConditionReady    = "Ready"
	ConditionNotReady = "NotReady"
	ConditionPaused   = "ReconciliationPaused"
	ConditionWarning  = "Warning"
	reasonCreating    = "Creating"
)

// Condition returns the condition of that type with status True, or nil.
func (s *KafkaStatus) Condition(kind string) *Condition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == kind && s.Conditions[i].Status == "True" {
			return &s.Conditions[i]
		}
	}
	return nil
}

// IsPaused tells whether the operator says that it has paused the resource. It stays to be seen until the end of the
// first reconcile after un-pausing, and a copied status may carry it too: only PauseProven is proof.
func (s *KafkaStatus) IsPaused() bool { return s.Condition(ConditionPaused) != nil }

// PauseProven tells whether this status, read after the marker was written, proves that an operator is watching and
// has paused the resource: its paused path writes a status without the marker's field and with ReconciliationPaused.
// A reconcile that was in flight also drops the marker, but writes no such condition.
func (s *KafkaStatus) PauseProven() bool { return s.OperatorVersion != Marker && s.IsPaused() }

// HasMarker tells whether the marker that was written is still there, so that the operator has not yet answered.
func (s *KafkaStatus) HasMarker() bool { return s.OperatorVersion == Marker }

// NeverReconciled tells whether no reconcile of the resource has ended yet: there is no status, or only the one that
// the operator writes when it begins.
func (s *KafkaStatus) NeverReconciled() bool {
	if len(s.Conditions) == 0 {
		return s.ObservedGeneration == 0
	}
	c := s.Condition(ConditionNotReady)
	return c != nil && c.Reason == reasonCreating && s.ObservedGeneration == 0
}

// NotReady returns the reasons and messages why the cluster is not ready; empty when it does not say so.
func (s *KafkaStatus) NotReady() []Condition {
	var out []Condition
	for _, c := range s.Conditions {
		if c.Type == ConditionNotReady && c.Status == "True" {
			out = append(out, c)
		}
	}
	return out
}

// Warnings returns the Warning conditions.
func (s *KafkaStatus) Warnings() []Condition {
	var out []Condition
	for _, c := range s.Conditions {
		if c.Type == ConditionWarning && c.Status == "True" {
			out = append(out, c)
		}
	}
	return out
}

// Ready tells whether the operator has ended a reconcile of this very generation with success and is not pausing.
// It does not prove that the cluster is the one that was recovered.
func (k *Kafka) Ready() bool {
	return k.Status.Condition(ConditionReady) != nil && !k.Status.IsPaused() &&
		k.Status.ObservedGeneration == k.Generation
}

// RecoveredAs tells whether the cluster is Ready and reports that ID, which the operator reads from the live cluster
// at the end of a reconcile, and whether every pool carries it.
func (c *Cluster) RecoveredAs(id string) bool {
	return c.Kafka.Ready() && is(c.Kafka.Status.ClusterID, id) &&
		!slices.ContainsFunc(c.Pools, func(p NodePool) bool { return !is(p.Status.ClusterID, id) })
}

// AllPodsReady tells whether every pod set is there for its pool and has as many ready pods as it has pods.
func (c *Cluster) AllPodsReady() bool {
	for _, p := range c.Pools {
		i := slices.IndexFunc(c.PodSets, func(s PodSet) bool { return s.Name == PodSetName(c.Kafka.Name, p.Name) })
		if i < 0 || c.PodSets[i].Ready != int64(len(c.PodSets[i].Pods)) || len(c.PodSets[i].Pods) != int(p.Replicas) {
			return false
		}
	}
	return len(c.Pools) > 0
}

// ChosenClusterID returns the ID the operator will use at its next reconcile and where it comes from: Kafka.status,
// else the first pool in list order that has one; "" and "" when it will make a new, random one. An empty string
// counts as set (NodePoolUtils.getClusterIdIfSet).
func (c *Cluster) ChosenClusterID() (id, from string, ok bool) {
	if c.Kafka.Status.ClusterID != nil {
		return *c.Kafka.Status.ClusterID, "kafka/" + c.Kafka.Name, true
	}
	for _, p := range c.Pools {
		if p.Status.ClusterID != nil {
			return *p.Status.ClusterID, "pool/" + p.Name, true
		}
	}
	return "", "", false
}

func is(p *string, s string) bool { return p != nil && *p == s }
