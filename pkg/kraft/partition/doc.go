// Package partition reads the logs of topic partitions where Kafka left them: which partitions a volume holds, from
// where to where each goes, its batches and records, and whether every byte of it is sound. It reads through fs.FS,
// never writes, and knows neither what a record's key and value mean nor Kubernetes.
//
// A partition is a directory TOPIC-N with segments NNN.log, each a sequence of record batches (package batch) whose
// name is its base offset in 20 digits. Indexes are not read: Kafka rebuilds them. Sources in Kafka:
// org.apache.kafka.storage.internals.log.{LocalLog,LogSegment,UnifiedLog,LogLoader}.
//
// Offsets are Kafka's own, positions and sizes bytes, timestamps milliseconds since 1970 (UTC).
package partition
