package batch

import (
	"encoding/binary"
	"hash/crc32"
)

// Offsets of the fields in a batch, after DefaultRecordBatch.
const (
	lengthOffset          = 8
	epochOffset           = 12
	magicOffset           = 16
	crcOffset             = 17
	attributesOffset      = 21
	lastOffsetDeltaOffset = 23
	baseTimestampOffset   = 27
	maxTimestampOffset    = 35
	producerIDOffset      = 43
	producerEpochOffset   = 51
	baseSequenceOffset    = 53
	recordCountOffset     = 57
)

const (
	// HeaderSize is the size of a batch without records, DefaultRecordBatch.RECORD_BATCH_OVERHEAD.
	HeaderSize = 61
	// Magic is the version of the message format this package reads and writes. Kafka 0.11 and later write it.
	Magic = 2

	frameSize     = 12 // baseOffset and batchLength, which batchLength does not count
	prefixSize    = 17 // up to and including the magic byte
	minLegacySize = 14 // the smallest length that Kafka's log reader accepts for any magic
)

// Codec is a compression type, bits 0 to 2 of a batch's attributes.
type Codec uint8

// The codecs of org.apache.kafka.common.record.CompressionType.
const (
	None   Codec = 0
	Gzip   Codec = 1
	Snappy Codec = 2
	LZ4    Codec = 3
	Zstd   Codec = 4
)

// String returns the name Kafka's tools print: none, gzip, snappy, lz4, zstd, or unknown.
func (c Codec) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Snappy:
		return "snappy"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	}
	return "unknown"
}

// Attributes are the flags of a batch.
type Attributes int16

// The bits of Attributes beside the codec.
const (
	LogAppendTime    Attributes = 1 << 3 // timestamps were set by the broker: every record has the batch's maximum
	Transactional    Attributes = 1 << 4
	Control          Attributes = 1 << 5 // the records are control records, see ParseControl
	HasDeleteHorizon Attributes = 1 << 6 // BaseTimestamp is the delete horizon of a compacted batch

	codecMask Attributes = 0x07
)

// Codec returns the compression of the records.
func (a Attributes) Codec() Codec { return Codec(a & codecMask) }

// WithCodec returns the attributes with another compression.
func (a Attributes) WithCodec(c Codec) Attributes { return a&^codecMask | Attributes(c)&codecMask }

// Has tells whether every bit of flag is set.
func (a Attributes) Has(flag Attributes) bool { return a&flag == flag }

// Header is what a batch says about itself.
type Header struct {
	// BaseOffset is the offset of the first record as it was written; compaction may have removed that record.
	BaseOffset int64
	// PartitionLeaderEpoch is the epoch of the leader that appended the batch. It is not covered by CRC.
	PartitionLeaderEpoch int32
	// Magic is the message format. Values above 2 are read like 2, as Kafka's log recovery does, but their records
	// are refused, as Kafka's readers do.
	Magic int8
	// CRC is the stored CRC-32C of everything from the attributes to the end.
	CRC        uint32
	Attributes Attributes
	// LastOffsetDelta added to BaseOffset is the offset of the last record as it was written.
	LastOffsetDelta int32
	// BaseTimestamp is what the records' timestamps are relative to, or the delete horizon.
	BaseTimestamp int64
	// MaxTimestamp is the largest timestamp in the batch, -1 when there is none.
	MaxTimestamp int64
	// ProducerID, ProducerEpoch and BaseSequence are -1 unless an idempotent or transactional producer wrote it.
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	// RecordCount is the number of records the batch claims to hold. Nothing is allocated from it.
	RecordCount int32
}

// LastOffset is the offset of the last record as it was written.
func (h *Header) LastOffset() int64 { return h.BaseOffset + int64(h.LastOffsetDelta) }

// NextOffset is the offset after the batch: the log end offset when it is the last one.
func (h *Header) NextOffset() int64 { return h.LastOffset() + 1 }

// Codec returns the compression of the records.
func (h *Header) Codec() Codec { return h.Attributes.Codec() }

// IsControl tells whether the batch holds control records.
func (h *Header) IsControl() bool { return h.Attributes.Has(Control) }

// IsTransactional tells whether the batch belongs to a transaction.
func (h *Header) IsTransactional() bool { return h.Attributes.Has(Transactional) }

// LastSequence is BaseSequence advanced to the last record, -1 when there is no sequence. It wraps to 0 after
// 2147483647, as DefaultRecordBatch.incrementSequence does.
func (h *Header) LastSequence() int32 {
	if h.BaseSequence == -1 {
		return -1
	}
	return incrementSequence(h.BaseSequence, h.LastOffsetDelta)
}

func incrementSequence(sequence, by int32) int32 {
	const maxInt32 = 1<<31 - 1
	if sequence > maxInt32-by {
		return by - (maxInt32 - sequence) - 1
	}
	return sequence + by
}

// Batch is one record batch as it lies in its file. Its bytes belong to the Reader that yielded it.
type Batch struct {
	Header
	// Position is the byte offset of the batch in its file.
	Position int64
	// File is the name the caller gave the Reader.
	File string

	raw []byte
}

// Size is the whole batch in bytes, frame included.
func (b *Batch) Size() int { return len(b.raw) }

// Bytes is the whole batch as it was read. It is valid as long as the source for a byte slice, and until the Reader's
// next step otherwise.
func (b *Batch) Bytes() []byte { return b.raw }

// Payload is the records as they were stored, still compressed. It is valid as long as Bytes.
func (b *Batch) Payload() []byte { return b.raw[min(HeaderSize, len(b.raw)):] }

// ComputedCRC returns the CRC-32C of the bytes that Header.CRC covers.
func (b *Batch) ComputedCRC() uint32 { return checksum(b.raw) }

// Clone returns a copy that stays valid when the Reader moves on.
func (b *Batch) Clone() *Batch {
	c := *b
	c.raw = append([]byte(nil), b.raw...)
	return &c
}

// Parse reads one batch from the start of data and checks its length and CRC. The batch shares memory with data.
func Parse(data []byte) (*Batch, error) {
	r := NewBytesReader(data, Options{})
	if r.Next() {
		b := *r.Batch()
		return &b, nil
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return nil, &Error{Kind: Torn, BaseOffset: -1, Expected: "a record batch", Found: "no bytes"}
}

// decode fills the header from raw, which holds at least HeaderSize bytes.
func (h *Header) decode(raw []byte) {
	_ = raw[HeaderSize-1]
	be := binary.BigEndian
	h.BaseOffset = int64(be.Uint64(raw))
	h.PartitionLeaderEpoch = int32(be.Uint32(raw[epochOffset:]))
	h.Magic = int8(raw[magicOffset])
	h.CRC = be.Uint32(raw[crcOffset:])
	h.Attributes = Attributes(be.Uint16(raw[attributesOffset:]))
	h.LastOffsetDelta = int32(be.Uint32(raw[lastOffsetDeltaOffset:]))
	h.BaseTimestamp = int64(be.Uint64(raw[baseTimestampOffset:]))
	h.MaxTimestamp = int64(be.Uint64(raw[maxTimestampOffset:]))
	h.ProducerID = int64(be.Uint64(raw[producerIDOffset:]))
	h.ProducerEpoch = int16(be.Uint16(raw[producerEpochOffset:]))
	h.BaseSequence = int32(be.Uint32(raw[baseSequenceOffset:]))
	h.RecordCount = int32(be.Uint32(raw[recordCountOffset:]))
}

// castagnoli is the polynomial of CRC-32C. MakeTable returns the shared table that the hardware instruction serves.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(raw []byte) uint32 {
	return crc32.Checksum(raw[min(attributesOffset, len(raw)):], castagnoli)
}
