package tree

import (
	"slices"
	"strconv"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

func (v *view) topicsByName() *Node {
	return listing(func() []string {
		topics := v.im.Topics()
		names := make([]string, len(topics))
		for i, t := range topics {
			names[i] = t.Name
		}
		return names
	}, func(name string) *Node { return v.topic(v.im.Topic(name)) })
}

func (v *view) topicsByID() *Node {
	return listing(v.topicIDs, func(name string) *Node { return v.topic(v.topicByID(name)) })
}

func (v *view) topicIDs() []string {
	topics := v.im.Topics()
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.ID.String()
	}
	return names
}

func (v *view) topicByID(name string) *metadata.Topic {
	id, err := metadata.ParseUUID(name)
	if err != nil || id.String() != name {
		return nil
	}
	return v.im.TopicByID(id)
}

func (v *view) topic(t *metadata.Topic) *Node {
	if t == nil {
		return nil
	}
	return v.topicNode(t, func(id int32) *Node {
		p, ok := t.Partition(id)
		if !ok {
			return nil
		}
		return &Node{text: func() string { return partitionText(&p) }}
	})
}

// topicNode is a topic's directory: id, name and one node for each partition.
func (v *view) topicNode(t *metadata.Topic, partition func(id int32) *Node) *Node {
	return listing(func() []string {
		names := []string{"id", "name"}
		for id := range t.PartitionIDs() {
			names = append(names, strconv.Itoa(int(id)))
		}
		return names
	}, func(name string) *Node {
		switch name {
		case "id":
			return leaf(t.ID.String())
		case "name":
			return leaf(t.Name)
		}
		id, err := strconv.ParseInt(name, 10, 32)
		if err != nil || strconv.FormatInt(id, 10) != name {
			return nil
		}
		return partition(int32(id))
	})
}

// short finds the directories of the layout before 3.5.
func (v *view) short(name string) *Node {
	switch name {
	case "brokers":
		return v.shortBrokers()
	case "topics":
		return listing(func() []string { return v.topicsByName().Names() }, func(name string) *Node {
			return v.shortTopic(v.im.Topic(name))
		})
	case "topicIds":
		return listing(v.topicIDs, func(name string) *Node { return v.shortTopic(v.topicByID(name)) })
	case "configs":
		return v.configs()
	case "metadataQuorum":
		return v.shortQuorum()
	}
	return nil
}

func (v *view) shortBrokers() *Node {
	children := map[string]*Node{}
	for _, b := range v.im.Brokers() {
		children[strconv.Itoa(int(b.ID))] = fixed(map[string]*Node{
			"registration": {text: func() string { return v.brokerText(b) }},
			"isFenced":     leaf(strconv.FormatBool(b.Fenced)),
		})
	}
	return fixed(children)
}

func (v *view) shortQuorum() *Node {
	children := map[string]*Node{"offset": leaf(strconv.FormatInt(v.im.Provenance().LastOffset, 10))}
	if l := v.im.LastLeaderChange(); l != nil {
		children["leader"] = leaf("LeaderAndEpoch(leaderId=OptionalInt[" + strconv.Itoa(int(l.Leader)) + "], epoch=" +
			strconv.Itoa(int(l.Epoch)) + ")")
	}
	return fixed(children)
}

func (v *view) shortTopic(t *metadata.Topic) *Node {
	if t == nil {
		return nil
	}
	return v.topicNode(t, func(id int32) *Node {
		p, ok := t.Partition(id)
		if !ok {
			return nil
		}
		return fixed(map[string]*Node{"data": {text: func() string { return partitionJSON(t.ID, &p) }}})
	})
}

// partitionJSON is a partition as the old shell printed its record, in Jackson's pretty form.
func partitionJSON(topic metadata.UUID, p *metadata.Partition) string {
	b := []byte("{\n  \"partitionId\" : ")
	b = strconv.AppendInt(b, int64(p.ID), 10)
	b = append(b, ",\n  \"topicId\" : \""...)
	b = append(topic.AppendText22(b), '"')
	for _, list := range []struct {
		name string
		ids  []int32
	}{
		{"replicas", p.Replicas},
		{"isr", p.ISR},
		{"removingReplicas", p.RemovingReplicas},
		{"addingReplicas", p.AddingReplicas},
	} {
		b = append(append(append(b, ",\n  \""...), list.name...), "\" : ["...)
		for i, id := range list.ids {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(append(b, ' '), int64(id), 10)
		}
		b = append(b, " ]"...)
	}
	for _, number := range []struct {
		name  string
		value int32
	}{{"leader", p.Leader}, {"leaderEpoch", p.LeaderEpoch}, {"partitionEpoch", p.PartitionEpoch}} {
		b = append(append(append(b, ",\n  \""...), number.name...), "\" : "...)
		b = strconv.AppendInt(b, int64(number.value), 10)
	}
	return string(append(b, "\n}"...))
}

// partitionText is Kafka's PartitionRegistration.toString.
func partitionText(p *metadata.Partition) string {
	b := appendInts([]byte("PartitionRegistration(replicas="), p.Replicas)
	b = appendUUIDs(append(b, ", directories="...), p.Directories)
	b = appendInts(append(b, ", isr="...), p.ISR)
	b = appendInts(append(b, ", removingReplicas="...), p.RemovingReplicas)
	b = appendInts(append(b, ", addingReplicas="...), p.AddingReplicas)
	b = appendInts(append(b, ", elr="...), p.ELR)
	b = appendInts(append(b, ", lastKnownElr="...), p.LastKnownELR)
	b = strconv.AppendInt(append(b, ", leader="...), int64(p.Leader), 10)
	state := "RECOVERED"
	if p.Recovering {
		state = "RECOVERING"
	}
	b = append(append(b, ", leaderRecoveryState="...), state...)
	b = strconv.AppendInt(append(b, ", leaderEpoch="...), int64(p.LeaderEpoch), 10)
	b = strconv.AppendInt(append(b, ", partitionEpoch="...), int64(p.PartitionEpoch), 10)
	return string(append(b, ')'))
}

func appendInts(b []byte, list []int32) []byte {
	b = append(b, '[')
	for i, id := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return append(b, ']')
}

func appendUUIDs(b []byte, list []metadata.UUID) []byte {
	b = append(b, '[')
	for i, id := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = id.AppendText22(b)
	}
	return append(b, ']')
}

// sortedBy is a copy of list in the order of a key.
func sortedBy[T any](list []T, key func(T) string) []T {
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(a, b T) int {
		switch x, y := key(a), key(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return out
}
