package verify

import (
	"path"
	"slices"
	"strconv"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// replica is a partition on a node.
type replica struct {
	topic     metadata.UUID
	partition int32
	node      int32
}

// checker holds partition directories against the image.
type checker struct {
	result *Result
	image  *metadata.Image
	found  map[replica]bool
	nodes  []int32 // whose data directories were read
}

func (c *checker) check(volumes []Volume) {
	whole := map[int32]bool{} // nodes whose partitions can be called missing
	for _, v := range volumes {
		for i := range v.Contents.Dirs {
			d := &v.Contents.Dirs[i]
			if d.Meta == nil || d.Meta.NodeID == nil {
				continue
			}
			node := *d.Meta.NodeID
			if _, known := whole[node]; !known {
				whole[node] = true
				c.nodes = append(c.nodes, node)
			}
			if len(d.Problems) > 0 || len(v.Contents.Problems) > 0 {
				whole[node] = false
			}
			for k := range d.Partitions {
				c.partition(path.Join(v.Name, d.Path), node, d, &d.Partitions[k])
			}
		}
	}
	c.nodes = slices.DeleteFunc(c.nodes, func(node int32) bool { return !whole[node] || !c.allDirs(node, volumes) })
	c.missing()
}

// allDirs tells whether every directory that the broker registered was read: only then is a partition missing.
func (c *checker) allDirs(node int32, volumes []Volume) bool {
	b := c.image.Broker(node)
	if b == nil {
		return false
	}
	if len(b.LogDirs) == 0 {
		return true
	}
	for _, id := range b.LogDirs {
		if !slices.ContainsFunc(volumes, func(v Volume) bool {
			return slices.ContainsFunc(v.Contents.Dirs, func(d logdir.LogDir) bool {
				return d.Meta != nil && d.Meta.DirectoryID == id.String()
			})
		}) {
			return false
		}
	}
	return true
}

const strayRemedy = "restore newer metadata before a broker starts, or move the directory aside"

// partition judges one partition directory.
func (c *checker) partition(logDir string, node int32, d *logdir.LogDir, p *logdir.Partition) {
	r := c.result
	r.Partitions++
	subject := logDir + "/" + p.Dir
	switch p.State {
	case logdir.PartitionDelete:
		r.add(Info, "deletes", subject, "", "it is marked for deletion: Kafka erases it soon after the start")
		return
	case logdir.PartitionStray:
		r.add(Warning, "stray-left", subject, "", "Kafka moved it aside as stray earlier; it never erases it by itself")
		return
	case logdir.PartitionFuture, logdir.PartitionCurrent:
	}
	if p.TopicID == "" {
		r.add(Error, "no-topic-id", subject, "restore partition.metadata",
			"partition.metadata is missing: Kafka up to 3.7.0 ends its start, later ones move the partition aside as stray")
		return
	}
	id, err := metadata.ParseUUID(p.TopicID)
	if err != nil {
		r.add(Error, "no-topic-id", subject, "restore partition.metadata", "%v", err)
		return
	}
	topic := c.image.TopicByID(id)
	if topic == nil {
		c.unknown(subject, id, p)
		return
	}
	assigned, ok := topic.Partition(p.Partition)
	at := slices.Index(assigned.Replicas, node)
	switch {
	case topic.Name != p.Topic:
		r.add(Error, "wrong-name", subject, "", "topic ID %s is that of topic %q", id, topic.Name)
		return
	case !ok:
		r.add(Error, "stray", subject, strayRemedy,
			"the metadata has no partition %d of %q: Kafka moves it aside as stray (up to 3.6 it deletes it)",
			p.Partition, topic.Name)
		return
	case at < 0:
		r.add(Error, "stray", subject, strayRemedy,
			"node %d is no replica of it (replicas %v): Kafka moves it aside as stray (up to 3.6 it deletes it)",
			node, assigned.Replicas)
		return
	}
	key := replica{id, p.Partition, node}
	if c.found[key] && p.State == logdir.PartitionCurrent {
		r.add(Error, "duplicate", subject, "move one of them aside",
			"node %d has the partition in two directories: Kafka refuses to start", node)
	}
	c.found[key] = true
	if at < len(assigned.Directories) {
		c.directory(subject, d, assigned.Directories[at], p)
	}
}

func (c *checker) unknown(subject string, id metadata.UUID, p *logdir.Partition) {
	for _, removed := range c.image.RemovedTopics(0) {
		if removed.ID == id {
			c.result.add(Warning, "removed-topic", subject, "read the log as it was before, with --at",
				"topic %q was removed by the record at offset %d: Kafka moves it aside as stray (up to 3.6 it deletes it)",
				removed.Name, removed.Offset)
			return
		}
	}
	if other := c.image.Topic(p.Topic); other != nil {
		c.result.add(Error, "wrong-topic-id", subject, strayRemedy,
			"its topic ID is %s, that of %q in the metadata is %s: Kafka moves it aside as stray (up to 3.6 it deletes it)",
			id, p.Topic, other.ID)
		return
	}
	c.result.add(Error, "stray", subject, strayRemedy,
		"the metadata has no topic with ID %s: Kafka moves it aside as stray (up to 3.6 it deletes it)", id)
}

// directory compares the directory a replica is in with the one assigned.
func (c *checker) directory(subject string, d *logdir.LogDir, assigned metadata.UUID, p *logdir.Partition) {
	if p.State == logdir.PartitionFuture || d.Meta.DirectoryID == "" {
		return
	}
	switch assigned {
	case metadata.DirectoryMigrating, metadata.DirectoryUnassigned:
		return
	case metadata.DirectoryLost:
		c.result.add(Info, "was-lost", subject, "", "the metadata says its directory was lost; the broker corrects that")
		return
	}
	if assigned.String() != d.Meta.DirectoryID {
		c.result.add(Warning, "wrong-directory", subject, "",
			"the metadata has it in directory %s, this is %s: the broker reports where it is when it starts",
			assigned, d.Meta.DirectoryID)
	}
}

// missing lists replicas that should be on a node all of whose directories were read and are not.
func (c *checker) missing() {
	for _, topic := range c.image.Topics() {
		for p := range topic.Partitions() {
			for _, node := range p.Replicas {
				if !slices.Contains(c.nodes, node) || c.found[replica{topic.ID, p.ID, node}] {
					continue
				}
				c.lost(topic, &p, node)
			}
		}
	}
}

func (c *checker) lost(topic *metadata.Topic, p *metadata.Partition, node int32) {
	level, consequence := Warning, "it is copied from the leader"
	switch {
	case len(p.ISR) == 1 && p.ISR[0] == node:
		level, consequence = Error, "it is the only in-sync replica: Kafka starts the partition empty"
	case len(p.ISR) == 0 && (len(p.Replicas) == 1 || slices.Contains(p.ELR, node)):
		level, consequence = Error, "nobody is in sync and it can be elected: Kafka starts the partition empty"
	case p.Leader == node:
		level, consequence = Error, "it is the leader: the others are cut back to an empty log"
	case slices.Contains(p.ISR, node):
		level, consequence = Error, "it counts as in sync: elected leader it would cut the others back to nothing"
	}
	c.result.add(level, "missing", topic.Name+"-"+itoa(p.ID), "find its volume before the broker starts",
		"node %d should hold it and none of its directories does; %s", node, consequence)
}

func itoa(id int32) string { return strconv.Itoa(int(id)) }
