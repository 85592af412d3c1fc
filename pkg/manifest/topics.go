package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// internalPrefix begins the names of topics that Kafka and its tools make for themselves.
const internalPrefix = "__"

// topics writes a KafkaTopic for every topic but the internal ones.
func (b *builder) topics() {
	var list []*metadata.Topic
	for _, t := range b.Image.Topics() {
		if strings.HasPrefix(t.Name, internalPrefix) {
			b.set.InternalTopics = append(b.set.InternalTopics, t.Name)
			continue
		}
		list = append(list, t)
	}
	all := make([]string, len(list))
	for i, t := range list {
		all[i] = t.Name
	}
	names := objectNames(all)
	for i, t := range list {
		b.topic(t, names[i])
	}
}

func (b *builder) topic(t *metadata.Topic, name string) {
	at := ref(strimzi.TopicKind, name)
	counts := t.Counts()
	spec := strimzi.TopicSpec{
		Namespace: b.set.Namespace, Name: name, Cluster: b.set.Cluster, Partitions: counts.Partitions,
		Replicas: b.replicas(t, at, &counts), Config: map[string]any{},
	}
	if name != t.Name {
		spec.TopicName = t.Name
	}
	config := b.Image.Config(metadata.ConfigResource{Type: metadata.ConfigTopic, Name: t.Name})
	for _, key := range metadata.ConfigKeys(config) {
		if metadata.SensitiveConfig(metadata.ConfigTopic, key) {
			b.todo("secret-config", at, strimzi.FieldTopicConfig, "%s is set, and its value may be a secret: write it, or the "+
				"Topic Operator takes it off", quoted(key))
			continue
		}
		spec.Config[key] = typed(config[key])
	}
	b.add(strimzi.TopicKind, name, spec.Object(b.Version))
}

// replicas is the number of replicas of every partition; where they differ the largest.
func (b *builder) replicas(t *metadata.Topic, at string, counts *metadata.Counts) int {
	least, odd := counts.MaxReplication, 0
	for p := range t.Partitions() {
		n := len(p.Replicas) - len(p.AddingReplicas) // a reassignment under way is not over
		if len(p.AddingReplicas) > 0 {
			odd++
		}
		least = min(least, n)
	}
	if odd > 0 {
		b.note("reassignment", at, "%d of its partitions were being reassigned", odd)
	}
	if least != counts.MaxReplication {
		b.note("replicas-differ", at, "its partitions have from %d to %d replicas; the largest is written", least,
			counts.MaxReplication)
	}
	return counts.MaxReplication
}

// objectNames gives every name of something in Kafka a name that an object can have: its own where that is one. What
// others have to be turned into may be taken already, and then carries a digest of the name, so that the same name is
// always turned into the same.
func objectNames(names []string) []string {
	taken := map[string]bool{}
	for _, n := range names {
		if strimzi.IsObjectName(n) {
			taken[n] = true
		}
	}
	out := make([]string, len(names))
	for i, n := range names {
		if strimzi.IsObjectName(n) {
			out[i] = n
			continue
		}
		out[i] = objectName(n)
		if out[i] == "" || taken[out[i]] {
			out[i] = withDigest(out[i], n)
		}
		taken[out[i]] = true
	}
	return out
}

// objectName keeps what it can; it is empty where nothing is left.
func objectName(name string) string {
	var sb strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.':
			sb.WriteRune(r)
		default:
			sb.WriteByte('-')
		}
	}
	var labels []string
	for label := range strings.SplitSeq(sb.String(), ".") {
		if label = strings.Trim(label, "-"); label != "" {
			labels = append(labels, label)
		}
	}
	return strings.Join(labels, ".")
}

// digestLength is enough to tell the topics of one cluster apart, and short enough to read.
const digestLength = 8

// maxObjectName is the longest name an object can have.
const maxObjectName = 253

func withDigest(base, name string) string {
	sum := sha256.Sum256([]byte(name))
	digest := hex.EncodeToString(sum[:])[:digestLength]
	if base == "" {
		return "topic-" + digest
	}
	base = strings.TrimRight(base[:min(len(base), maxObjectName-digestLength-1)], ".-")
	return base + "-" + digest
}

// quoted shows a name of Kafka's, which may be anything.
func quoted(name string) string { return fmt.Sprintf("%q", name) }

func quotedList(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quoted(n)
	}
	return strings.Join(out, ", ")
}
