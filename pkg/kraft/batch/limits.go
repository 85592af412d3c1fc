package batch

// Limits bound what hostile input can make this package do. A zero field takes the default.
type Limits struct {
	// BatchBytes is the largest batch that is read, frame included.
	BatchBytes int
	// DecompressedBytes is the most that the records of one batch may decompress to.
	DecompressedBytes int
	// Records is the most records that one batch may claim.
	Records int
}

// The default limits. Kafka's own default for a batch is 1 MiB (message.max.bytes) and 8 MiB in the metadata log
// (KafkaRaftClient.MAX_BATCH_SIZE_BYTES), so these leave two orders of magnitude.
const (
	DefaultBatchBytes        = 256 << 20
	DefaultDecompressedBytes = 256 << 20
	DefaultRecords           = 32 << 20
)

func (l Limits) withDefaults() Limits {
	if l.BatchBytes <= 0 {
		l.BatchBytes = DefaultBatchBytes
	}
	if l.DecompressedBytes <= 0 {
		l.DecompressedBytes = DefaultDecompressedBytes
	}
	if l.Records <= 0 {
		l.Records = DefaultRecords
	}
	return l
}
