package declared_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// image has topic orders with three partitions of two replicas, and retention.ms.
func image(t *testing.T) *metadata.Image {
	t.Helper()
	im, id, value := metadata.NewImage(), metadata.UUID{1}, "604800000"
	partition := func(n int32, replicas ...int32) *metadata.PartitionRecord {
		return &metadata.PartitionRecord{TopicID: id, PartitionID: n, Replicas: replicas, ISR: replicas}
	}
	for i, message := range []metadata.Message{
		&metadata.TopicRecord{Name: "orders", TopicID: id}, partition(0, 0, 1), partition(1, 0, 1), partition(2, 1, 2),
		&metadata.ConfigRecord{ResourceType: 2, ResourceName: "orders", Name: "retention.ms", Value: &value},
	} {
		record := metadata.Record{Frame: 1, Message: message}
		encoded, err := record.Append(nil)
		if err == nil {
			err = im.Apply(encoded, metadata.Position{Offset: int64(i)})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return im
}

func topic(spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "metadata": map[string]any{"name": "orders"},
		"spec": spec,
	}}
}

func TestTopicDifferences(t *testing.T) {
	t.Parallel()
	same := map[string]any{"retention.ms": int64(604800000)}
	for name, c := range map[string]struct {
		spec map[string]any
		want []string
	}{
		"the same":          {map[string]any{"partitions": int64(3), "replicas": int64(2), "config": same}, nil},
		"as text":           {map[string]any{"config": map[string]any{"retention.ms": "604800000"}}, nil},
		"nothing declared":  {map[string]any{}, []string{"retention.ms was 604800000, and would be removed"}},
		"more partitions":   {map[string]any{"partitions": int64(6), "config": same}, []string{"6 partitions, there are 3"}},
		"other replication": {map[string]any{"replicas": int64(3), "config": same}, []string{"3 replicas, partition 0 has 2"}},
		"other value": {
			map[string]any{"config": map[string]any{"retention.ms": int64(1)}},
			[]string{"retention.ms is 1, was 604800000"},
		},
		"one more": {
			map[string]any{"config": map[string]any{"retention.ms": int64(604800000), "cleanup.policy": "compact"}},
			[]string{"cleanup.policy is compact, and is not set"},
		},
	} {
		if got := declared.TopicDifferences(topic(c.spec), image(t)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	got := declared.TopicDifferences(topic(map[string]any{"topicName": "gone"}), image(t))
	if len(got) != 1 || !strings.Contains(got[0], "would be created, empty") {
		t.Errorf("a topic that is not on the volumes: %q", got)
	}
}
