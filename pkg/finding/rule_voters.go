package finding

import (
	"fmt"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

const quorumTool = "kafka-metadata-quorum.sh --bootstrap-controller HOST:PORT"

// voterRules judge the voters of a quorum that is kept as a set of directories (kraft.version 1).
func voterRules() []entry {
	return []entry{
		{Rule{
			ID: "voter-directory-differs", Severity: Warning,
			Title: "a controller's disk is not the one that votes",
			What: "The directory IDs in the set of voters of the newest metadata log (VotersRecord, kraft.version 1) against " +
				"directory.id on the controllers' volumes.",
			Why: "With dynamic voters it is the directory that votes, and not the node: a disk that was emptied gets a new " +
				"directory ID, follows as an observer, and counts for no majority until it is made a voter. An entry point that " +
				"formats it with --standalone or --initial-controllers would make a set of voters of its own instead.",
			Source: "KIP-853; Kafka: KafkaRaftClient, VoterSet; kafka-metadata-quorum.sh",
			Remedy: "start it as an observer (formatted with --no-initial-controllers), then remove the old voter and add it",
		}, judgeVoterDirectory},
	}
}

func judgeVoterDirectory(s *scene) []found {
	source, ok := recordedVoters(s)
	if !ok {
		return nil
	}
	var out []found
	for _, voter := range source.voters {
		evidence := s.otherDirectories(voter)
		if voter.DirectoryID == "" || len(evidence) == 0 {
			continue
		}
		out = append(out, found{
			subject: node(voter.ID),
			message: fmt.Sprintf("votes with directory %s, which is on none of its volumes: it will be an observer",
				quoted(voter.DirectoryID)),
			evidence: append(evidence, fmt.Sprintf("%s: voter %d, directory %s", source.name, voter.ID,
				quoted(voter.DirectoryID))),
			remedy: fmt.Sprintf("once it follows as an observer: `%s remove-controller --controller-id %d "+
				"--controller-directory-id %s`, then in its pod `%s --command-config CONTROLLER.PROPERTIES add-controller`; "+
				"`%s describe --status` shows who votes", quorumTool, voter.ID, logdir.Escape(voter.DirectoryID), quorumTool,
				quorumTool),
		})
	}
	return out
}

// otherDirectories says what the volumes of a voter hold instead of the directory that votes; nothing where it is
// there, or where not all of them were read.
func (s *scene) otherDirectories(voter logdir.Voter) []string {
	var out []string
	for _, v := range s.nodes[voter.ID] {
		if v.excluded || !v.Known() {
			return nil
		}
		if len(v.own) == 0 {
			out = append(out, v.Name+": no log directory")
		}
		if slices.ContainsFunc(v.own, func(d *logdir.LogDir) bool {
			return d.Meta != nil && d.Meta.DirectoryID == voter.DirectoryID
		}) {
			return nil
		}
		for _, d := range v.own {
			if d.Meta == nil {
				out = append(out, at(v.Volume, d)+": no meta.properties")
			} else {
				out = append(out, at(v.Volume, d)+": directory.id "+quoted(d.Meta.DirectoryID))
			}
		}
	}
	return out
}
