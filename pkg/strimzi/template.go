package strimzi

import (
	"maps"
	"regexp"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/object"
)

// PodTemplate returns what the resources ask of the pods of a pool (raw Kubernetes JSON), or nil. A pool without a
// template of its own takes that of the Kafka resource (KafkaPool.fromCrd).
func (c *Cluster) PodTemplate(pool string) map[string]any {
	if p := c.Pool(pool); p != nil && object.Map(p.Object, "spec", "template") != nil {
		return p.PodTemplate
	}
	return object.Map(c.Kafka.Object, "spec", "kafka", "template", "pod")
}

// ImagesFor returns the image the operator would run for that Kafka version, or all of its images, the newest first,
// where the version is empty or it has none for it; none where its images are not known.
func (o Operator) ImagesFor(version string) []string {
	if image := o.KafkaImages[version]; image != "" {
		return []string{image}
	}
	versions := slices.SortedFunc(maps.Keys(o.KafkaImages), func(a, b string) int { return CompareVersions(b, a) })
	images := make([]string, len(versions))
	for i, v := range versions {
		images[i] = o.KafkaImages[v]
	}
	return images
}

// kafkaImage is the form of the tags of Strimzi's Kafka images, which stays when they are mirrored:
// quay.io/strimzi/kafka:0.48.0-kafka-4.1.0.
var kafkaImage = regexp.MustCompile(`/kafka:[^/]*-kafka-[0-9]+\.[0-9]+`)

// IsKafkaImage tells whether an image's name is that of one of Strimzi's Kafka images.
func IsKafkaImage(name string) bool { return kafkaImage.MatchString(name) }
