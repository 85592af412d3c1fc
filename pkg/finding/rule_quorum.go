package finding

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

const sourceRaft = "Kafka: KafkaRaftClient, Raft section 5.4; tried: docs/strimzi-facts.md, empty controllers"

// quorumRules judge what the controllers will agree on once they start: the safety contract's line 5.
func quorumRules() []entry { return slices.Concat(electionRules(), copyRules(), lostRules()) }

// electionRules judge who can win the election.
func electionRules() []entry {
	return []entry{
		{Rule{
			ID: "controllers-unknown", Severity: Error, Refuses: true, Without: DataLost,
			Title: "nothing says which nodes are controllers",
			What:  "The roles of the pools, the voters in the metadata log, quorum-state of version 0, in this order.",
			Why: "Without the controllers nobody can tell whether those that start hold what was committed: where a majority " +
				"does not, topics are lost, and the cluster is Ready all the same.",
			Source: sourceRaft,
			Remedy: "create the pools with their roles while the Kafka resource is paused, or add the controllers' volumes",
		}, judgeControllersUnknown},
		{Rule{
			ID: "controllers-disagree", Severity: Error, Refuses: true, Without: DataLost,
			Title: "sources name different controllers",
			What:  "The controllers by the pools' roles, by the newest metadata log and by quorum-state against each other.",
			Why: "The operator makes the pools' nodes the voters. Voters that never held the metadata can elect an empty " +
				"leader.",
			Source: "Strimzi: KafkaBrokerConfigurationBuilder (controller.quorum.voters); " + sourceRaft,
			Remedy: "give the pools the roles and node IDs that the volumes were written with",
		}, judgeControllersDisagree},
		{Rule{
			ID: "committed-metadata-at-risk", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "controllers that can win the election may lack committed metadata",
			What: "Last epoch and end offset of every controller's metadata log. Empty, missing, unread and excluded " +
				"controllers count as having held everything for what may be committed, and as holding nothing for who can be " +
				"elected. One that is named as lost, and held back, votes for nobody.",
			Why: "A majority below what was committed elects a leader without it: the others cut their copies off, topics " +
				"vanish from the metadata, and the brokers set their partitions aside as stray. The cluster is Ready all the " +
				"same.",
			Source: sourceRaft,
			Remedy: "find the volumes of the controllers that are empty or missing; if they are lost for good, start from the " +
				"newest copy alone: see `kafkarecover metadata quorum --help`",
		}, judgeCommitted},
		{Rule{
			ID: "controller-empty", Severity: Error, Refuses: true, Without: DataLost,
			Title:  "a controller holds no metadata while other nodes do",
			What:   "The metadata log on the volumes of every controller.",
			Why:    "It votes like the others. One of three is made up for; with a second one everything is lost.",
			Source: sourceRaft,
			Remedy: "look for the controller's volume; if it is lost, accept it for this node",
		}, judgeControllerEmpty},
	}
}

// copyRules judge the copies of the metadata, and the brokers by it.
func copyRules() []entry {
	return []entry{
		{Rule{
			ID: "controllers-behind-brokers", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "a broker has newer metadata than every controller",
			What:  "The newest metadata log of any node that was stopped against the newest of a controller.",
			Why: "The controllers' volumes are older than the brokers': from a backup, or of another time. Started so, the " +
				"brokers cut off what they know, and delete or set aside partitions made since.",
			Source: "Kafka: KafkaMetadataLog.truncateToEndOffset; BrokerMetadataPublisher",
			Remedy: "look for newer volumes of the controllers; `kafkarecover metadata diff` tells what changed in between",
		}, judgeControllersBehind},
		{Rule{
			ID: "metadata-copies-diverge", Severity: Info,
			Title: "a metadata log ends in an older epoch than the newest",
			What:  "The last epoch of every copy of the metadata log.",
			Why: "What it holds beyond the newest log is cut off when it follows the leader again. That is normal after a " +
				"change of leader, and a trace of lost records otherwise.",
			Source: "Kafka: KafkaRaftClient (diverging epochs)",
			Remedy: "compare them with `kafkarecover metadata diff`",
		}, judgeDiverging},
		{Rule{
			ID: "empty-broker-in-isr", Severity: Critical, Refuses: true, Without: DataLost,
			Title: "a broker without its data is in sync by the metadata",
			What: "The in-sync replicas in the newest metadata of every broker whose volumes are empty, were given up or are " +
				"not there. Of one that is named as lost, and held back: the partitions of which nobody else can be elected.",
			Why:    "It can become leader with nothing in its log, and the other replicas then cut off theirs.",
			Source: "Kafka: ReplicationControlManager; KIP-966",
			Remedy: "bind the volume that holds the broker's data; if it is lost, restore --lost holds the broker back until " +
				"the others are in sync without it",
		}, judgeEmptyBroker},
	}
}

func judgeControllersUnknown(s *scene) []found {
	if len(s.vols) == 0 || !s.wasRead() || len(s.controllers.sources) > 0 {
		return nil
	}
	var evidence []string
	if c := s.in.Cluster; c != nil {
		for i := range c.Pools {
			p := &c.Pools[i]
			evidence = append(evidence, fmt.Sprintf("pool/%s: roles %s", p.Name, quoted(strings.Join(p.Roles, ", "))))
		}
	}
	return []found{{
		subject: "cluster", unevaluated: true, evidence: evidence,
		message: "neither pools nor volumes say which nodes are controllers, so that the election cannot be judged",
	}}
}

func judgeControllersDisagree(s *scene) []found {
	ids := s.controllers.ids()
	var evidence []string
	differ := false
	for _, source := range s.controllers.sources {
		evidence = append(evidence, source.name+": "+idList(source.ids()))
		differ = differ || !slices.Equal(source.ids(), ids)
	}
	if !differ {
		return nil
	}
	return []found{{
		subject: "cluster", evidence: evidence,
		message: fmt.Sprintf("controllers are %s by the %s, but not by every source", idList(ids),
			s.controllers.sources[0].name),
	}}
}

// judgeCommitted is line 5 of the safety contract: the k-th largest end of the voters, those that are not known first,
// is what may be committed; a majority below it can elect a leader without it.
func judgeCommitted(s *scene) []found {
	q := s.controllers.quorum
	if q == nil || !s.wasRead() || q.Majority == 0 {
		return nil
	}
	var evidence []string
	below, unread := 0, false
	for _, v := range q.Voters {
		line, notRead := s.holding(v.ID)
		evidence, unread = append(evidence, line), unread || notRead
		if s.heldBack[v.ID] {
			continue // it takes no part in the election
		}
		if c := q.End(v.ID); c == nil || q.MayBeCommitted != nil && c.End.Compare(*q.MayBeCommitted) < 0 {
			below++
		}
	}
	never := q.Newest < 0 && !unread && !s.anyMetadata()
	if never || q.MayBeCommitted != nil && below < q.Majority {
		return nil
	}
	f := found{subject: "cluster", evidence: evidence, unevaluated: unread}
	if q.MayBeCommitted == nil {
		f.message = fmt.Sprintf("%d of %d controllers are empty, missing or unknown, and could have committed anything; %d "+
			"elect a leader", len(q.Missing), len(q.Voters), q.Majority)
	} else {
		f.message = fmt.Sprintf("up to %s may be committed; %d of %d controllers are below it, and %d elect a leader",
			position(*q.MayBeCommitted), below, len(q.Voters), q.Majority)
	}
	return []found{f}
}

// anyMetadata tells whether any log directory, used or not, holds metadata.
func (s *scene) anyMetadata() bool {
	return slices.ContainsFunc(s.vols, func(v *vol) bool {
		return slices.ContainsFunc(v.allDirs(), func(d *logdir.LogDir) bool {
			return d.Metadata != nil && !(d.Metadata.Empty && d.Metadata.EndKnown)
		})
	})
}

func judgeControllerEmpty(s *scene) []found {
	q := s.controllers.quorum
	if q == nil || !s.anyMetadata() {
		return nil
	}
	var out []found
	for _, id := range s.controllers.ids() {
		vols := s.nodes[id]
		unknown := slices.ContainsFunc(vols, func(v *vol) bool { return v.excluded || !v.Known() })
		if q.End(id) != nil || len(vols) == 0 || unknown || s.heldBack[id] {
			continue // what is not known, or held back, is judged elsewhere
		}
		if line, unread := s.holding(id); !unread {
			f := found{
				subject: node(id), message: "is a controller and holds no metadata", evidence: []string{line},
				remedy: s.exchangedOf(id),
			}
			if how := s.letInLater(id); f.remedy == "" && how != "" {
				f.remedy = "look for the controller's volume; if it is lost, " + how + "; or accept it for this node"
			}
			out = append(out, f)
		}
	}
	return out
}

func judgeControllersBehind(s *scene) []found {
	q := s.controllers.quorum
	if q == nil || q.NewestVoter < 0 || q.Newest == q.NewestVoter ||
		slices.ContainsFunc(s.vols, func(v *vol) bool { return v.running() }) {
		return nil // volumes of a running cluster are read one after another: the later one is ahead
	}
	newest, voter := &q.Copies[q.Newest], &q.Copies[q.NewestVoter]
	if newest.End.Compare(voter.End) <= 0 {
		return nil
	}
	return []found{{
		subject: "cluster",
		message: fmt.Sprintf("%s has metadata up to %s, the newest controller only up to %s", newest.Name,
			position(newest.End), position(voter.End)),
		evidence: []string{newest.Name + ": " + position(newest.End), voter.Name + ": " + position(voter.End)},
	}}
}

func judgeDiverging(s *scene) []found {
	q := s.controllers.quorum
	if q == nil {
		return nil
	}
	var out []found
	for i := range q.Copies {
		c := &q.Copies[i]
		if c.MayTruncate {
			out = append(out, found{
				subject: c.Name,
				message: fmt.Sprintf("ends at %s, the newest metadata log (%s) at %s", position(c.End), q.Copies[q.Newest].Name,
					position(q.Copies[q.Newest].End)),
			})
		}
	}
	return out
}

func judgeEmptyBroker(s *scene) []found {
	newest := s.newestImage()
	if newest == nil {
		return nil // metadata-not-replayed says so
	}
	var out []found
	for _, id := range slices.Sorted(maps.Keys(newest.Image.InSync)) {
		partitions := newest.Image.InSync[id]
		if partitions <= 0 {
			continue
		}
		evidence, unevaluated := s.emptiness(id)
		if len(evidence) == 0 {
			continue
		}
		if s.heldBack[id] {
			out = append(out, s.judgeLostBroker(id, newest, evidence)...)
			continue
		}
		out = append(out, found{
			subject: node(id), unevaluated: unevaluated, remedy: s.exchangedOf(id),
			message: fmt.Sprintf("is in the in-sync replicas of %s",
				wording.Count(partitions, "partition, without its data", "partitions, without the data of them")),
			evidence: append(evidence, fmt.Sprintf("%s: metadata up to %s has broker %d in sync", newest.Name,
				position(newest.Image.End), id)),
		})
	}
	return out
}

// emptiness says which volumes of a broker hold nothing, where that means that data is missing: a volume that was
// given up or would be formatted, a claim that would be made, or all of them without a partition.
func (s *scene) emptiness(id int32) (evidence []string, unevaluated bool) {
	partitions := 0
	for _, claim := range s.absentClaims() {
		switch {
		case claim.NodeID != id:
		case s.lost[claim.String()]:
			evidence = append(evidence, "pvc/"+claim.String()+": is lost, and made, empty, once the others have caught up")
		default:
			evidence = append(evidence, "pvc/"+claim.String()+": does not exist, and would be made, empty")
		}
	}
	for _, v := range s.nodes[id] {
		switch {
		case v.excluded:
			evidence = append(evidence, v.Name+": was excluded")
		case v.State == "" || v.Contents == nil:
			return nil, false // unread: a rule of its own refuses
		case wouldFormat(v) != nil:
			evidence = append(evidence, v.Name+": would be formatted as new")
			unevaluated = unevaluated || !v.Known()
		}
		for _, d := range v.own {
			for i := range d.Partitions {
				if d.Partitions[i].State == logdir.PartitionCurrent {
					partitions++
				}
			}
		}
	}
	if len(evidence) == 0 && partitions == 0 && len(s.nodes[id]) > 0 {
		for _, v := range s.nodes[id] {
			evidence = append(evidence, v.Name+": holds no partition")
			unevaluated = unevaluated || !v.Known()
		}
	}
	return evidence, unevaluated
}
