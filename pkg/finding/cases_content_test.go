package finding_test

import (
	"fmt"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func readingCases() []ruleCase {
	return []ruleCase{
		{
			rule: "volume-unread", name: "not mounted", want: []string{pvcB00}, unevaluated: true,
			change: func(w *world) { w.unread("0-broker-0") }, says: []string{"Multi-Attach error"},
		},
		{
			rule: "volume-unread", name: "left out beside others", want: []string{pvcB00}, unevaluated: true,
			change: func(w *world) { w.unread("0-broker-0"); w.vol("0-broker-0").State = volume.Skipped },
		},
		{rule: "volume-unread", name: "given up", change: func(w *world) { w.unread("0-broker-0"); w.exclude("0-broker-0") }},
		{rule: "volume-unread", name: "empty is not unread", change: func(w *world) { w.empty("0-broker-0") }},
		{
			rule: "volume-incomplete", name: "a link", want: []string{pvcB00}, unevaluated: true,
			change: func(w *world) { w.problem("0-broker-0", "kafka-log0/orders-0/x", -1) },
			says:   []string{pvcB00 + ":kafka-log0/orders-0/x: is broken"},
		},
		{
			rule: "volume-incomplete", name: "said by the reader alone", want: []string{pvcB00}, unevaluated: true,
			change: func(w *world) {
				v := w.vol("0-broker-0")
				v.State, v.Reason = volume.Incomplete, "the connection broke"
			},
			says: []string{"the connection broke"},
		},
		{
			rule: "volume-incomplete", name: "the metadata log has its own rules",
			change: func(w *world) { w.problem("0-broker-0", "kafka-log0/__cluster_metadata-0/quorum-state", -1) },
		},
		{
			rule: "volumes-skipped", name: "--via objects", want: []string{"cluster"},
			change: func(w *world) { w.Input = recorded(w.t).Input },
		},
		{
			rule: "metadata-not-replayed", name: "no log was", want: []string{"cluster"}, unevaluated: true,
			change: func(w *world) {
				for i := range w.Volumes {
					w.Volumes[i].Image = nil
				}
			},
			says: []string{"offset 500, epoch 3"},
		},
		{
			rule: "metadata-not-replayed", name: "the newest was not", want: []string{"cluster"}, unevaluated: true,
			change: func(w *world) {
				w.end("0-controller-4", 600, 3)
				w.vol("0-controller-4").Image = nil
			},
		},
		{
			rule: "metadata-not-replayed", name: "an older one was not",
			change: func(w *world) {
				w.end("0-controller-4", 400, 3)
				w.vol("0-controller-4").Image = nil
			},
		},
	}
}

// problem adds what could not be read.
func (w *world) problem(short, path string, offset int64) {
	d := w.dir(short)
	d.Problems = append(d.Problems, logdir.Problem{Path: path, Offset: offset, Message: "is broken"})
}

const metadataPath = "kafka-log3/__cluster_metadata-0/"

func contentCases() []ruleCase {
	part := func(dir string, state logdir.PartitionState, bytes int64) logdir.Partition {
		return logdir.Partition{Dir: dir, Topic: "orders", State: state, TopicID: topicID, Bytes: bytes}
	}
	add := func(w *world, short string, p logdir.Partition) {
		d := w.dir(short)
		d.Partitions = append(d.Partitions, p)
	}
	return []ruleCase{
		{
			rule: "meta-properties-unreadable", name: "binary junk", want: []string{pvcB00},
			change: func(w *world) {
				d := w.dir("0-broker-0")
				d.Meta, d.MetaState = nil, logdir.MetaUnreadable
				w.problem("0-broker-0", "kafka-log0/meta.properties", 0)
			},
			says: []string{"kafka-log0/meta.properties: byte 0: is broken"},
		},
		{rule: "meta-properties-unreadable", name: "absent", change: func(w *world) { w.noMeta("0-broker-0") }},
		{
			rule: "zookeeper-era", name: "version 0", want: []string{pvcB00},
			change: func(w *world) { w.dir("0-broker-0").Meta.Version = 0 },
		},
		{
			rule: "zookeeper-era", name: "in another node's directory",
			change: func(w *world) { w.beside("0-broker-0", 7); w.vol("0-broker-0").Contents.Dirs[1].Meta.Version = 0 },
		},
		{
			rule: "metadata-log-damaged", name: "a bad batch", want: []string{pvcC3},
			change: func(w *world) {
				w.problem("0-controller-3", metadataPath+"00000000000000000000.log", 100)
				w.dir("0-controller-3").Metadata.EndKnown = false
			},
			says: []string{"byte 100: is broken"},
		},
		{
			rule: "metadata-log-damaged", name: "the newest snapshot", want: []string{pvcC3},
			change: func(w *world) {
				w.dir("0-controller-3").Metadata.Snapshots = []logdir.Snapshot{{Name: "a.checkpoint"}, {Name: "b.checkpoint"}}
				w.problem("0-controller-3", metadataPath+"b.checkpoint", 0)
			},
		},
		{
			rule: "metadata-log-damaged", name: "read in part, and another topic's", want: []string{pvcC3},
			change: func(w *world) {
				m := w.dir("0-controller-3").Metadata
				m.EndKnown, m.TopicID = false, "x"
			},
			says: []string{"read only up to offset 500, epoch 3", `topic "x"`},
		},
		{rule: "metadata-log-damaged", name: "a torn end", change: torn},
		{rule: "metadata-log-torn", name: "a torn end", change: torn, want: []string{pvcC3}},
		{
			rule: "metadata-log-torn", name: "an old snapshot and quorum-state", want: []string{pvcC3},
			change: func(w *world) {
				w.dir("0-controller-3").Metadata.Snapshots = []logdir.Snapshot{{Name: "a.checkpoint"}, {Name: "b.checkpoint"}}
				w.problem("0-controller-3", metadataPath+"a.checkpoint", 0)
				w.problem("0-controller-3", metadataPath+"quorum-state", 0)
			},
			says: []string{"a.checkpoint", "quorum-state"},
		},
		{
			rule: "log-directory-entry", name: "lost+found", want: []string{pvcB00},
			change: func(w *world) { w.dir("0-broker-0").Other = []string{"lost+found"} },
		},
		{
			rule: "log-directory-entry", name: "beside the log directory",
			change: func(w *world) { w.vol("0-broker-0").Contents.Other = []string{"lost+found"} },
		},
		{
			rule: "pending-deletion", name: "a -delete directory", want: []string{pvcB00},
			change: func(w *world) { add(w, "0-broker-0", part("orders-9.aa-delete", logdir.PartitionDelete, 4<<30)) },
			says:   []string{"orders-9.aa-delete: 4.0 GiB"},
		},
		{
			rule: "pending-deletion", name: "an empty one",
			change: func(w *world) { add(w, "0-broker-0", part("orders-9.aa-delete", logdir.PartitionDelete, 0)) },
		},
		{
			rule: "pending-deletion", name: "of a running broker", running: true,
			change: func(w *world) { add(w, "0-broker-0", part("orders-9.aa-delete", logdir.PartitionDelete, 4<<30)) },
		},
		{
			rule: "pending-deletion", name: "removed at the tail of the log", want: []string{"topic/orders"},
			change: func(w *world) { w.remove(volume.RemovedTopic{Name: "orders", TopicID: topicID, Offset: 480}) },
			says:   []string{"offset 480", "kafka-log0/orders-0: 1.0 MiB"},
		},
		{
			rule: "pending-deletion", name: "a topic of many partitions", want: []string{"topic/orders"},
			change: func(w *world) {
				for i := range 30 {
					add(w, "0-broker-0", part(fmt.Sprintf("orders-%d", i+10), logdir.PartitionCurrent, 1))
				}
				w.remove(volume.RemovedTopic{Name: "orders", TopicID: topicID, Offset: 480})
			},
			says: []string{"and 22 more"}, // of 42: twelve there were
		},
		{
			rule: "pending-deletion", name: "a name the log no longer has", want: []string{"topic/" + topicID},
			change: func(w *world) { w.remove(volume.RemovedTopic{TopicID: topicID, Offset: 480}) },
		},
		{
			rule: "pending-deletion", name: "erased long ago",
			change: func(w *world) { w.remove(volume.RemovedTopic{Name: "orders", TopicID: "another", Offset: 480}) },
		},
		{
			rule: "topics-removed-at-tail", name: "and erased", want: []string{"topic/orders"},
			change: func(w *world) { w.remove(removedAt(90 * time.Second)) },
			says:   []string{"offset 480", "1m30s before it ends"},
		},
		{
			rule: "topics-removed-at-tail", name: "a name the log no longer has", want: []string{"topic/another"},
			change: func(w *world) {
				topic := removedAt(0)
				topic.Name = ""
				w.remove(topic)
			},
		},
		{
			rule: "topics-removed-at-tail", name: "of a cluster that runs", running: true,
			change: func(w *world) { w.remove(removedAt(90 * time.Second)) },
		},
		{
			rule: "users-removed-at-tail", name: "of a cluster that runs", running: true,
			change: func(w *world) { w.images(func(im *volume.Image) { im.RemovedUsers = removedUser(time.Second) }) },
		},
		{
			rule: "topics-removed-at-tail", name: "long before the end",
			change: func(w *world) { w.remove(removedAt(11 * time.Minute)) },
		},
		{
			rule: "topics-removed-at-tail", name: "and still there",
			change: func(w *world) {
				topic := removedAt(time.Second)
				topic.TopicID = topicID
				w.remove(topic)
			},
		},
		{
			rule: "topics-removed-at-tail", name: "and marked for deletion", want: []string{"topic/orders"},
			says: []string{"its partitions are marked for deletion"},
			change: func(w *world) {
				w.remove(removedAt(time.Second))
				p := part("orders-9.aa-delete", logdir.PartitionDelete, 4<<30)
				p.TopicID = "another"
				add(w, "0-broker-0", p)
			},
		},
		{
			rule: "topics-removed-at-tail", name: "the end is not known",
			change: func(w *world) {
				w.remove(removedAt(time.Second))
				w.images(func(im *volume.Image) { im.EndTimestamp = -1 })
			},
		},
		{
			rule: "users-removed-at-tail", name: "by the User Operator", want: []string{"user/alice"},
			change: func(w *world) { w.images(func(im *volume.Image) { im.RemovedUsers = removedUser(3 * time.Second) }) },
			says:   []string{"SCRAM-SHA-512", "offset 481", "3s before it ends"},
		},
		{
			rule: "users-removed-at-tail", name: "long before the end",
			change: func(w *world) { w.images(func(im *volume.Image) { im.RemovedUsers = removedUser(time.Hour) }) },
		},
		{
			rule: "stray-directories", name: "many", want: []string{pvcB00},
			change: func(w *world) {
				for i := range 30 {
					add(w, "0-broker-0", part(fmt.Sprintf("orders-%d.aa-stray", i), logdir.PartitionStray, 1024))
				}
			},
			says: []string{"orders-0.aa-stray: 1.0 KiB", "10 more with 10.0 KiB"},
		},
		{
			rule: "future-directories", name: "one", want: []string{pvcB00},
			change: func(w *world) { add(w, "0-broker-0", part("orders-9.aa-future", logdir.PartitionFuture, 1)) },
		},
		{
			rule: "unclean-shutdown", name: "a broker", want: []string{pvcB00},
			change: func(w *world) { w.dir("0-broker-0").CleanShutdown = nil },
		},
	}
}

// torn leaves an append that was cut short at the end of a metadata log.
func torn(w *world) {
	w.dir("0-controller-3").Metadata.Segments[0].ValidBytes = 4000
	w.problem("0-controller-3", metadataPath+"00000000000000000000.log", 4000)
}

// removedAt is a topic of which nothing is left, and that was deleted so long before the end of the log.
func removedAt(before time.Duration) volume.RemovedTopic {
	return volume.RemovedTopic{Name: "orders", TopicID: "another", Offset: 480, Timestamp: endOfLog - before.Milliseconds()}
}

func removedUser(before time.Duration) []volume.RemovedUser {
	return []volume.RemovedUser{{
		Name: "alice", Mechanism: "SCRAM-SHA-512", Offset: 481, Timestamp: endOfLog - before.Milliseconds(),
	}}
}

func (w *world) remove(topic volume.RemovedTopic) {
	w.images(func(im *volume.Image) { im.Removed = []volume.RemovedTopic{topic} })
}

func quorumCases() []ruleCase {
	c345 := []string{"0-controller-3", "0-controller-4", "0-controller-5"}
	risk := func(name string, found bool, change func(*world), says ...string) ruleCase {
		c := ruleCase{rule: "committed-metadata-at-risk", name: name, change: change, says: says}
		if found {
			c.want = []string{"cluster"}
		}
		return c
	}
	unread := risk("two of three unread", true, func(w *world) { w.unread("0-controller-3", "0-controller-4") },
		"was not read to the end")
	unread.unevaluated = true
	damaged := risk("read in part, the others behind", true, func(w *world) {
		w.dir("0-controller-3").Metadata.EndKnown = false
		w.end("0-controller-4", 400, 3)
	}, "its metadata log could not be read to the end")
	damaged.unevaluated = true
	return []ruleCase{
		{
			rule: "controllers-unknown", name: "no pool and no record", want: []string{"cluster"}, unevaluated: true,
			change: func(w *world) { w.folders(); w.noVoters() },
		},
		{rule: "controllers-unknown", name: "the pools say", change: func(w *world) { w.noVoters() }},
		{
			rule: "controllers-unknown", name: "quorum-state says",
			change: func(w *world) {
				w.folders()
				for i := range w.Volumes {
					if m := w.Volumes[i].Contents.Dirs[0].Metadata; m != nil {
						m.LeaderChangeVoters = nil
					}
				}
			},
		},
		{
			rule: "controllers-disagree", name: "another pool has the role", want: []string{"cluster"},
			change: func(w *world) { w.pool("broker").Roles = []string{"broker", "controller"} },
			says:   []string{"roles of the pools: 0, 1, 2, 3, 4, 5", "quorum-state on pvc/"},
		},
		{
			rule: "controllers-disagree", name: "an older log named others",
			change: func(w *world) {
				w.end("0-broker-0", 100, 1)
				w.dir("0-broker-0").Metadata.LeaderChangeVoters = []int32{3}
				w.dir("0-broker-0").Quorum.LeaderEpoch, w.dir("0-broker-0").Quorum.Voters = 1, []int32{3}
			},
		},
		risk("two of three empty", true, func(w *world) { w.empty("0-controller-3", "0-controller-4") }, "2 of 3 controllers",
			"has no log directory of this node", "node/5: metadata log up to offset 500, epoch 3"),
		risk("two of three without a volume", true, func(w *world) { w.drop("0-controller-3", "0-controller-4") },
			"no volume of it was found"),
		risk("two of three given up", true, func(w *world) { w.exclude("0-controller-3", "0-controller-4") }, "was excluded"),
		risk("two of three of another cluster", true, func(w *world) {
			w.ClusterID = clusterID
			w.dir("0-controller-3").Meta.ClusterID, w.dir("0-controller-4").Meta.ClusterID = ptr(otherID), ptr(otherID)
		}, "holds no metadata that counts"),
		unread, damaged,
		risk("one empty", false, func(w *world) { w.empty("0-controller-3") }),
		risk("one empty and one behind", true, func(w *world) { w.empty("0-controller-3"); w.end("0-controller-4", 499, 3) },
			"up to offset 500, epoch 3 may be committed; 2 of 3"),
		risk("one behind", false, func(w *world) { w.end("0-controller-4", 3, 1) }),
		risk("two behind", false, func(w *world) { w.end("0-controller-4", 400, 3); w.end("0-controller-5", 300, 3) }),
		risk("never used", false, func(w *world) {
			for i := range w.Volumes {
				v := &w.Volumes[i]
				v.Contents, v.Image, v.MetadataVersion = &logdir.Contents{}, nil, 0
			}
		}),
		risk("dynamic voters of these directories", false, func(w *world) { w.dynamic(c345, "") }),
		risk("dynamic voters of other directories", true, func(w *world) { w.dynamic(c345, "other-") }),
		{
			rule: "controller-empty", name: "formatted and never used", want: []string{"node/3"},
			change: func(w *world) { w.fresh(clusterID, "0-controller-3") },
			says:   []string{"restore --lost node/3 holds it back, empty, until the others have caught up; or accept it"},
		},
		{rule: "controller-empty", name: "unread", change: func(w *world) { w.unread("0-controller-3") }},
		{
			rule: "controllers-behind-brokers", name: "from an older backup", want: []string{"cluster"},
			change: func(w *world) {
				for _, c := range c345 {
					w.end(c, 300, 2)
				}
			},
			says: []string{"offset 500, epoch 3", "offset 300, epoch 2"},
		},
		{
			rule: "controllers-behind-brokers", name: "read while it runs", running: true,
			change: func(w *world) { w.end("0-broker-2", 510, 3) },
		},
		{
			rule: "metadata-copies-diverge", name: "an older epoch",
			want:   []string{"pvc/data-0-my-cluster-controller-4/kafka-log4"},
			change: func(w *world) { w.end("0-controller-4", 700, 2) },
		},
		{
			rule: "empty-broker-in-isr", name: "a new disk", want: []string{"node/0"},
			change: func(w *world) { w.empty("1-broker-0") }, says: []string{"3 partitions", "would be formatted"},
		},
		{
			rule: "empty-broker-in-isr", name: "formatted, no partition", want: []string{"node/0"},
			change: func(w *world) { w.fresh(clusterID, "0-broker-0", "1-broker-0") }, says: []string{"holds no partition"},
		},
		{
			rule: "empty-broker-in-isr", name: "given up", want: []string{"node/0"},
			change: func(w *world) { w.exclude("1-broker-0") },
		},
		{
			rule: "empty-broker-in-isr", name: "one volume is not there", want: []string{"node/0"},
			change: func(w *world) { w.drop("1-broker-0") }, says: []string{"3 partitions", "would be made, empty"},
		},
		{
			rule: "empty-broker-in-isr", name: "no volume is there", want: []string{"node/0"},
			change: func(w *world) { w.drop("0-broker-0", "1-broker-0") }, says: []string{"would be made, empty"},
		},
		{
			rule: "empty-broker-in-isr", name: "everything on the other volume",
			change: func(w *world) { w.dir("1-broker-0").Partitions = nil },
		},
		{
			rule: "empty-broker-in-isr", name: "in no partition's replicas",
			change: func(w *world) { w.empty("1-broker-0"); w.images(func(im *volume.Image) { im.InSync[0] = 0 }) },
		},
		{rule: "empty-broker-in-isr", name: "unread", change: func(w *world) { w.unread("0-broker-0", "1-broker-0") }},
	}
}

// noVoters takes away what the volumes say of the controllers.
func (w *world) noVoters() {
	for i := range w.Volumes {
		d := &w.Volumes[i].Contents.Dirs[0]
		d.Quorum = nil
		if d.Metadata != nil {
			d.Metadata.LeaderChangeVoters = nil
		}
	}
}

// dynamic makes the controllers voters by their directories, whose IDs get a prefix.
func (w *world) dynamic(shorts []string, prefix string) {
	var voters []logdir.Voter
	for _, short := range shorts {
		m := w.dir(short).Meta
		voters = append(voters, logdir.Voter{ID: *m.NodeID, DirectoryID: prefix + m.DirectoryID})
	}
	for _, short := range shorts {
		w.dir(short).Metadata.Voters = &logdir.VoterSet{Voters: voters}
	}
}
