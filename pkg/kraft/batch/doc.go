// Package batch reads and writes Kafka's record batches, message format version 2: framing, CRC-32C, compression,
// records, headers and control records.
//
// A log segment (NNN.log), a KRaft snapshot (OFFSET-EPOCH.checkpoint) and bootstrap.checkpoint are all a plain sequence
// of such batches. The package knows no file names, no directories and no meaning of a record's value: metadata records
// belong to package metadata, directories to package logdir.
//
// The format is Kafka's clients module, org.apache.kafka.common.record: DefaultRecordBatch, DefaultRecord,
// ControlRecordType and the JSON schemas of the control records. Walking follows LogSegment.recover: what Reader
// yields is what Kafka keeps when it recovers a log at start.
//
// All sizes are bytes, all timestamps milliseconds since 1970 (UTC), all offsets Kafka's own. Input is taken to be
// hostile: every length is checked against Limits and against the bytes that are really there before memory is
// allocated for it, and nothing in the package panics on any input.
package batch
