package finding

import (
	"fmt"
	"slices"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// tailRules judge what the metadata log says was deleted shortly before it ends. The Entity Operator does that in Kafka
// when a namespace goes with its KafkaTopics and KafkaUsers, for as long as it and Kafka are still there.
func tailRules() []entry {
	return []entry{
		{Rule{
			ID: "topics-removed-at-tail", Severity: Warning,
			Title: "topics were deleted shortly before the end",
			What: "Topics whose removal is among the last ten minutes of the metadata log, and of which no volume that was " +
				"read has a partition, or only what brokers have marked for deletion. Those with others, and what is marked, are " +
				"pending-deletion, which refuses.",
			Why: "They do not come back with the cluster. The Topic Operator deletes topics whose KafkaTopics are deleted " +
				"with their namespace, and brokers erase them a minute later.",
			Source: "Strimzi: BatchingTopicController; Kafka: LogManager.deleteLogs",
			Remedy: "if they are wanted: only a mirror, a backup, or a snapshot or copy of the volumes from before has their " +
				"records; a volume that was not read may still have a partition",
		}, judgeTopicsRemovedAtTail},
		{Rule{
			ID: "users-removed-at-tail", Severity: Warning,
			Title: "credentials of users were deleted shortly before the end",
			What: "SCRAM credentials whose removal is among the last ten minutes of the metadata log, and that were not made " +
				"again.",
			Why: "Who logs in with them is turned away by the cluster that comes back. The User Operator deletes users whose " +
				"KafkaUsers are deleted with their namespace.",
			Source: "Strimzi: UserController, ScramCredentialsOperator",
			Remedy: "give their KafkaUsers with their Secrets to restore, or apply them afterwards: the User Operator makes " +
				"the credentials again",
		}, judgeUsersRemovedAtTail},
	}
}

// tail is how long before the end of the metadata log a deletion is taken to belong to it: longer than a namespace
// takes to stop what runs in it.
const tail = 10 * time.Minute

// atTail tells how long before the end of a replayed log something was, and whether that belongs to the end.
func atTail(im *volume.Image, timestamp int64) (before time.Duration, yes bool) {
	before = time.Duration(im.EndTimestamp-timestamp) * time.Millisecond
	return before, im.EndTimestamp > 0 && before <= tail
}

// runs tells whether a node runs on the volume. One that has started beside the others, on an empty disk, has another.
func (s *scene) runs(v *volume.Volume) bool {
	return slices.ContainsFunc(s.vols, func(other *vol) bool { return other.Volume == v && other.running() })
}

func judgeTopicsRemovedAtTail(s *scene) []found {
	newest := s.newestImage()
	if newest == nil || s.runs(newest) {
		return nil // metadata-not-replayed says so; of a cluster that runs nothing is to come back
	}
	there, marked := s.partitionsLeft()
	var out []found
	for _, topic := range newest.Image.Removed {
		before, atEnd := atTail(newest.Image, topic.Timestamp)
		if !atEnd || there[topic.TopicID] {
			continue
		}
		left := "no volume that was read has anything of it"
		if marked[topic.TopicID] {
			left = "its partitions are marked for deletion"
		}
		out = append(out, found{
			subject: topicSubject(topic),
			message: fmt.Sprintf("was deleted at offset %d of the metadata log on %s, %s before it ends; %s", topic.Offset,
				newest.Name, before.Round(time.Second), left),
		})
	}
	return out
}

// partitionsLeft are the IDs of the topics that log directories in use have partitions of, and of those that they have
// partitions of which brokers have marked for deletion.
func (s *scene) partitionsLeft() (there, marked map[string]bool) {
	there, marked = map[string]bool{}, map[string]bool{}
	for _, d := range s.used() {
		for i := range d.Partitions {
			switch p := &d.Partitions[i]; p.State {
			case logdir.PartitionStray:
			case logdir.PartitionDelete:
				marked[p.TopicID] = true
			default:
				there[p.TopicID] = true
			}
		}
	}
	return there, marked
}

// topicSubject names a topic that was deleted; by its ID where the log no longer says its name.
func topicSubject(topic volume.RemovedTopic) string {
	if topic.Name == "" {
		return "topic/" + topic.TopicID
	}
	return "topic/" + topic.Name
}

func judgeUsersRemovedAtTail(s *scene) []found {
	newest := s.newestImage()
	if newest == nil || s.runs(newest) {
		return nil
	}
	var out []found
	for _, user := range newest.Image.RemovedUsers {
		if before, atEnd := atTail(newest.Image, user.Timestamp); atEnd {
			out = append(out, found{
				subject: "user/" + user.Name,
				message: fmt.Sprintf("lost its %s credential at offset %d of the metadata log on %s, %s before it ends",
					user.Mechanism, user.Offset, newest.Name, before.Round(time.Second)),
			})
		}
	}
	return out
}
