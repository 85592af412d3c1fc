// Package storage does offline what Kafka's kafka-storage does: say how log directories are formatted, make IDs, and
// format empty directories with the very bytes that Kafka's tool writes. It formats nothing that is not empty, and
// knows nothing of Kubernetes or of how a volume is reached.
//
// The rules are those of Kafka's org.apache.kafka.metadata.storage.Formatter, of releases 3.9 to 4.3.
package storage
