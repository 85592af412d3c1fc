// Package coordinator reads the records of Kafka's internal topics, __consumer_offsets, __transaction_state and
// __share_group_state, and shows them as kafka-dump-log does with its decoders: a record's first two bytes are the type
// in the key and the version in the value (CoordinatorRecordSerde), what follows is a message of that schema.
package coordinator
