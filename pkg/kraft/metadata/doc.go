// Package metadata reads the records of Kafka's KRaft metadata log without a JVM: it decodes and prints every record
// type and version from 3.0 on, and the 2.8 preview's, replays snapshot and log into an image of the cluster, and
// writes what Kafka's own dump tool prints. It reads through fs.FS, never writes, and knows nothing of Kubernetes.
//
// The types named zz_*.go are generated from the schema tables in internal/gen. Sources in Kafka: the modules metadata
// (MetadataRecordSerde, the Delta and Image classes), server-common and raft. Timestamps are milliseconds since 1970
// (UTC), offsets Kafka's own, positions bytes.
package metadata
