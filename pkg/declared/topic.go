package declared

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// topicResource is the type of a topic in configuration records (ConfigResource.Type in Kafka).
const topicResource = 2

// TopicDifferences says in what a KafkaTopic differs from the topic in the metadata, as far as the Topic Operator would
// act on it; nothing where it would change nothing.
func TopicDifferences(topic *unstructured.Unstructured, image *metadata.Image) []string {
	name := strimzi.ParseTopicName(topic.Object)
	there := image.Topic(name)
	if there == nil {
		return []string{fmt.Sprintf("the metadata has no topic %q: it would be created, empty", name)}
	}
	var out []string
	if n, set := object.Int(topic.Object, "spec", "partitions"); set && n != int64(there.PartitionCount()) {
		out = append(out, fmt.Sprintf("%d partitions, there are %d", n, there.PartitionCount()))
	}
	if n, set := object.Int(topic.Object, "spec", "replicas"); set {
		for p := range there.Partitions() {
			if int64(len(p.Replicas)) != n {
				out = append(out, fmt.Sprintf("%d replicas, partition %d has %d", n, p.ID, len(p.Replicas)))
				break
			}
		}
	}
	was := image.Config(metadata.ConfigResource{Type: topicResource, Name: name})
	return append(out, configDifferences(object.Map(topic.Object, "spec", "config"), was)...)
}

func configDifferences(manifest map[string]any, was map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(manifest)) {
		want := text(manifest[key])
		if got, set := was[key]; !set {
			out = append(out, fmt.Sprintf("%s is %s, and is not set", key, want))
		} else if got != want {
			out = append(out, fmt.Sprintf("%s is %s, was %s", key, want, got))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(was)) {
		if _, kept := manifest[key]; !kept {
			out = append(out, fmt.Sprintf("%s was %s, and would be removed", key, was[key]))
		}
	}
	return out
}

// text is a value as Kafka stores it: manifests have numbers and booleans where Kafka has text.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}
