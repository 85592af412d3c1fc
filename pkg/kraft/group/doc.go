// Package group reads what Kafka's group coordinator wrote to __consumer_offsets: the groups, their members and the
// offsets they committed. It replays a partition's log as GroupMetadataManager and GroupCoordinatorShard do when they
// load it, transactions included, and knows nothing of where the log lies.
//
// The key of a record begins with its type, the value with its version, both int16. The schemas are the JSON files of
// Kafka's group-coordinator module (OffsetCommitKey, OffsetCommitValue, GroupMetadataValue, …), releases 0.11 to 4.3.
package group
