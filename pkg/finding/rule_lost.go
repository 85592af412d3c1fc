package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

const sourceLost = "Kafka: ReplicationControlManager.handleBrokerFenced, PartitionChangeBuilder; KafkaRaftClient, " +
	"Raft section 5.4"

// lostRules judge what is restored without nodes that are lost for good.
func lostRules() []entry {
	return []entry{
		{Rule{
			ID: "lost-volume-is-there", Severity: Error, Refuses: true, Final: true, Without: DataLost,
			Title: "a volume that is named as lost is there",
			What: "Every claim that --lost names against the claims and volumes that are there. One that waits for a volume, " +
				"whose volume is no more, or whose volume was read and holds nothing (but a directory that was formatted with " +
				"another cluster's ID and left empty), is let go of, and passes.",
			Why: "A node that is held back, and then started empty, while its data is there, loses that data. Of a volume " +
				"that was not read, or holds anything, it is not certain that nothing is lost with it.",
			Source: "safety contract, line 2",
			Remedy: "leave it out of --lost; a volume that no claim holds is given up with --exclude pv/NAME beside it",
		}, judgeLostThere},
		{Rule{
			ID: "empty-controller-before-catch-up", Severity: Critical, Refuses: true, Final: true, Without: DataLost,
			Title: "no leader is elected without a controller that is lost",
			What: "The controllers that are left with their metadata log, against the majority of all of them. Those that are " +
				"named as lost take no part until the others have caught up.",
			Why: "The others would wait for ever. With an empty controller's vote they could elect a leader without what was " +
				"committed, and what was committed may have been on the lost ones alone.",
			Source: sourceLost,
			Remedy: "look for the volumes of the controllers; if they are lost for good, start from the newest copy alone: " +
				"see `kafkarecover metadata quorum --help`",
		}, judgeLostControllers},
	}
}

// findLost finds the claims that are named as lost. What is no claim of the cluster is no finding: restore says so.
func (s *scene) findLost() {
	s.lost, s.heldBack = map[string]bool{}, map[int32]bool{}
	if s.in.Cluster == nil || len(s.in.Lost) == 0 {
		return
	}
	claims, err := s.in.Cluster.LostClaims(s.in.Lost)
	if err != nil {
		return
	}
	for _, c := range claims {
		s.lost[c.String()], s.heldBack[c.NodeID] = true, true
	}
}

// judgeLostThere looks for claims, and for volumes that were not given up, in the places that are named as lost.
func judgeLostThere(s *scene) []found {
	var out []found
	for _, v := range s.vols {
		name := v.Slot.ClaimName()
		if !s.lost[name] || v.Claim == nil && v.excluded {
			continue
		}
		f := found{subject: v.Name, evidence: []string{v.Name + ": " + thereText(v)}}
		f.message = "is named as lost, and is there: it is not lost"
		if v.Claim != nil && v.excluded {
			f.message = "is named as lost, but its claim is there, and was not proven to hold nothing"
		}
		for _, d := range v.own {
			f.evidence = append(f.evidence, contentsOf(v.Volume, d)...)
		}
		out = append(out, f)
	}
	return out
}

func thereText(v *vol) string {
	text := string(v.State)
	if v.Claim != nil && v.Claim.Phase != "" {
		text = v.Claim.Phase + ", " + text
	} else if v.PV != nil && v.PV.Phase != "" {
		text = v.PV.Phase + ", " + text
	}
	if v.Reason != "" {
		text += ": " + v.Reason
	}
	if v.Contents != nil && len(v.Contents.Other) > 0 {
		text += ", with " + strings.Join(v.Contents.Other, ", ")
	}
	return text
}

// judgeLostControllers refuses where those that are left are no majority. Where they are one, who of them is elected
// has what may have been committed, or committed-metadata-at-risk refuses: with the lost ones counted as having held
// everything, a majority of the others ends at or below the newest position that counts.
func judgeLostControllers(s *scene) []found {
	q := s.controllers.quorum
	if q == nil || q.Majority == 0 || !s.wasRead() {
		return nil
	}
	var lost, evidence []string
	left := 0
	for _, v := range q.Voters {
		if s.heldBack[v.ID] {
			lost = append(lost, node(v.ID))
			evidence = append(evidence, node(v.ID)+": lost, and held back")
			continue
		}
		line, _ := s.holding(v.ID)
		evidence = append(evidence, line)
		if q.End(v.ID) != nil {
			left++
		}
	}
	if len(lost) == 0 || left >= q.Majority {
		return nil
	}
	return []found{{
		subject: "cluster", evidence: evidence,
		message: fmt.Sprintf("without %s, %d of %d controllers have their metadata, and %d elect a leader",
			strings.Join(lost, " and "), left, len(q.Voters), q.Majority),
	}}
}

// judgeLostBroker judges a broker that is held back until the others have caught up: only partitions of which nobody
// else can be elected are in danger then.
func (s *scene) judgeLostBroker(id int32, newest *volume.Volume, evidence []string) []found {
	lost := newest.Image.Lost[id]
	if lost == nil {
		return []found{{
			subject: node(id), unevaluated: true, evidence: evidence,
			message: "is lost, and nobody looked in which partitions it alone is in sync",
		}}
	}
	alone := lost.Alone - len(lost.Partitions) // those that are not listed
	var lines []string
	for _, p := range lost.Partitions {
		if s.isOn(id, p) {
			continue
		}
		if alone++; len(lines) < shownPartitions {
			lines = append(lines, p.String())
		}
	}
	if alone == 0 {
		return nil
	}
	if more := alone - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return []found{{
		subject: node(id), evidence: append(evidence, lines...),
		message: fmt.Sprintf("is lost, and nobody else can be elected leader of %s, by the metadata on %s up to %s",
			wording.Count(alone, "partition", "partitions"), newest.Name, position(newest.Image.End)),
		remedy: "look for its volumes; accepted, these partitions have no leader until it joins, empty: what only it had " +
			"is gone, and replicas that were not in sync have what they hold cut off where it is elected. With eligible " +
			"leader replicas it is not: they stay without a leader until an unclean election takes what is left",
	}}
}

// isOn tells whether a volume of the node that is there holds a partition.
func (s *scene) isOn(id int32, p volume.InSyncPartition) bool {
	return slices.ContainsFunc(s.nodes[id], func(v *vol) bool {
		return !v.excluded && slices.ContainsFunc(v.own, func(d *logdir.LogDir) bool {
			return slices.ContainsFunc(d.Partitions, func(on logdir.Partition) bool {
				return on.State == logdir.PartitionCurrent && on.Topic == p.Topic && on.Partition == p.Partition
			})
		})
	})
}
