package finding

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/quorum"
)

// controllers are the nodes that elect the leader of the metadata log, and what their copies of it are worth.
type controllers struct {
	// sources are all that say who the controllers are, the one that is followed first.
	sources []controllerSource
	// quorum judges the copies that a start will find; nil while nobody says who the controllers are.
	quorum *quorum.Quorum
}

// controllerSource is one place that says who the controllers are.
type controllerSource struct {
	name   string
	voters []logdir.Voter
}

func (c controllerSource) ids() []int32 {
	out := make([]int32, 0, len(c.voters))
	for _, v := range c.voters {
		out = append(out, v.ID)
	}
	slices.Sort(out)
	return out
}

// ids are the controllers after the first source; empty while nobody says.
func (c controllers) ids() []int32 {
	if len(c.sources) == 0 {
		return nil
	}
	return c.sources[0].ids()
}

const sourcePools = "roles of the pools"

// findControllers asks, in this order: the pools' roles, which make the voters of the next start; the control records
// of the newest metadata log; quorum-state of version 0, which an observer has too. Nothing is decided by majority.
func findControllers(s *scene) controllers {
	var c controllers
	if s.in.Cluster != nil {
		if ids, err := s.in.Cluster.Voters(); err == nil && len(ids) > 0 {
			c.sources = append(c.sources, controllerSource{name: sourcePools, voters: static(ids)})
		}
	}
	recorded, ok := recordedVoters(s)
	if given := s.givenVoters(); len(given) > 0 && (!ok || recorded.voters[0].DirectoryID == "") {
		// Where the log has a set of voters, what the pods are told is ignored (Kafka: KafkaRaftClient, kraft.version 1).
		c.sources = append(c.sources, controllerSource{name: sourceEnvironment + s.in.Set.Ref(), voters: static(given)})
	}
	if ok {
		c.sources = append(c.sources, recorded)
	}
	if source, ok := quorumStateVoters(s); ok {
		c.sources = append(c.sources, source)
	}
	if len(c.sources) == 0 {
		return c
	}
	voters := c.sources[0].voters
	for _, source := range c.sources[1:] {
		// Where the log names the same nodes with their directories, those are who may vote.
		if slices.Equal(source.ids(), c.ids()) && source.voters[0].DirectoryID != "" {
			voters = source.voters
		}
	}
	c.quorum = quorum.JudgeVoters(s.copies(), voters, c.sources[0].name)
	return c
}

// Metadata judges the copies of the metadata log that a start will find, among the controllers that it will have; nil
// while nobody says who those are.
func Metadata(in Input) *quorum.Quorum { return newScene(in).controllers.quorum }

func static(ids []int32) []logdir.Voter {
	out := make([]logdir.Voter, 0, len(ids))
	for _, id := range ids {
		out = append(out, logdir.Voter{ID: id})
	}
	return out
}

// recordedVoters returns the voters that the newest metadata log with any names; of two that end alike, those of the
// one with a voter set, which says more than a change of leader.
func recordedVoters(s *scene) (source controllerSource, ok bool) {
	var end logdir.OffsetAndEpoch
	inSet := false
	for v, d := range s.used() {
		m := d.Metadata
		if m == nil {
			continue
		}
		voters := static(m.LeaderChangeVoters)
		set := m.Voters != nil && len(m.Voters.Voters) > 0
		if set {
			voters = m.Voters.Voters
		}
		newer := m.End.Compare(end)
		if len(voters) == 0 || ok && (newer < 0 || newer == 0 && (inSet || !set)) {
			continue
		}
		end, ok, inSet = m.End, true, set
		source = controllerSource{name: "metadata log on " + at(v.Volume, d), voters: voters}
	}
	return source, ok
}

// quorumStateVoters returns the voters of the quorum-state with the newest epoch; only version 0 names them.
func quorumStateVoters(s *scene) (source controllerSource, ok bool) {
	var epoch int32
	for v, d := range s.used() {
		if d.Quorum == nil || len(d.Quorum.Voters) == 0 || ok && d.Quorum.LeaderEpoch <= epoch {
			continue
		}
		epoch, ok = d.Quorum.LeaderEpoch, true
		source = controllerSource{name: "quorum-state on " + at(v.Volume, d), voters: static(d.Quorum.Voters)}
	}
	return source, ok
}

// used yields the log directories that a start will use, of the volumes that were not given up.
func (s *scene) used() func(yield func(*vol, *logdir.LogDir) bool) {
	return func(yield func(*vol, *logdir.LogDir) bool) {
		for _, v := range s.vols {
			if v.excluded {
				continue
			}
			for _, d := range v.own {
				if !yield(v, d) {
					return
				}
			}
		}
	}
}

// copies are the copies of the metadata log that a start will find and that were read to their end. What is on another
// node's directory, of another cluster or only partly known is as good as not there: it may have held everything, and
// nothing may be built on it (safety contract, line 5).
func (s *scene) copies() []quorum.Copy {
	var out []quorum.Copy
	for v, d := range s.used() {
		if d.Metadata == nil || !d.Metadata.EndKnown || d.Meta == nil {
			continue
		}
		if s.agreed && d.Meta.ClusterID != nil && *d.Meta.ClusterID != s.clusterID {
			continue
		}
		out = append(out, quorum.FromContents(v.Name, &logdir.Contents{Dirs: []logdir.LogDir{*d}})...)
	}
	return out
}

// holding says what a controller's volumes hold, in a line of evidence; unread tells that some were not read, so that
// it could be more.
func (s *scene) holding(id int32) (line string, unread bool) {
	if c := s.controllers.quorum.End(id); c != nil {
		return fmt.Sprintf("%s: metadata log up to %s (%s)", node(id), position(c.End), c.Name), false
	}
	var why []string
	for _, v := range s.nodes[id] {
		switch {
		case v.excluded:
			why = append(why, v.Name+" was excluded")
		case !v.Known():
			why, unread = append(why, v.Name+" was not read to the end"), true
		case slices.ContainsFunc(v.own, func(d *logdir.LogDir) bool { return d.Metadata != nil && !d.Metadata.EndKnown }):
			why, unread = append(why, v.Name+": its metadata log could not be read to the end"), true
		case len(v.own) == 0:
			why = append(why, v.Name+" has no log directory of this node")
		default:
			why = append(why, v.Name+" holds no metadata that counts")
		}
	}
	if len(why) == 0 {
		why = []string{"no volume of it was found"}
	}
	return node(id) + ": may have held everything and is sure of nothing: " + strings.Join(why, ", "), unread
}

func idList(ids []int32) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = fmt.Sprint(id)
	}
	return strings.Join(parts, ", ")
}
