package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// NewHeader returns the header that a producer without idempotence gives the records: no producer ID, offsets and
// timestamps spanning exactly these records.
func NewHeader(epoch int32, attributes Attributes, records []Record) Header {
	h := Header{
		PartitionLeaderEpoch: epoch, Magic: Magic, Attributes: attributes,
		MaxTimestamp: -1, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1,
	}
	if len(records) == 0 {
		return h
	}
	h.BaseOffset, h.BaseTimestamp = records[0].Offset, records[0].Timestamp
	h.LastOffsetDelta = int32(records[len(records)-1].Offset - h.BaseOffset)
	for i := range records {
		h.MaxTimestamp = max(h.MaxTimestamp, records[i].Timestamp)
	}
	return h
}

// Append appends the batch of these records to dst: the header as it is given but for Magic, CRC and RecordCount,
// which are computed, and the records relative to its BaseOffset and BaseTimestamp, compressed with its codec.
//
// Uncompressed, the bytes are those Kafka writes: reading a batch that Kafka wrote and appending it again yields the
// same bytes. Compressed, they decompress to the same; compressors of different make need not agree on bytes.
func Append(dst []byte, h Header, records []Record) ([]byte, error) {
	var data []byte
	var err error
	for i := range records {
		if data, err = appendRecord(data, &h, &records[i]); err != nil {
			return nil, fmt.Errorf("encode record %d of batch at offset %d: %w", i, h.BaseOffset, err)
		}
	}
	payload, err := compress(h.Codec(), data)
	if err != nil {
		return nil, fmt.Errorf("encode batch at offset %d: %w", h.BaseOffset, err)
	}
	if len(payload) > math.MaxInt32-HeaderSize || len(records) > math.MaxInt32 {
		return nil, fmt.Errorf("encode batch at offset %d: %d bytes do not fit in one batch", h.BaseOffset, len(payload))
	}
	start := len(dst)
	be := binary.BigEndian
	dst = be.AppendUint64(dst, uint64(h.BaseOffset))
	dst = be.AppendUint32(dst, uint32(HeaderSize-frameSize+len(payload)))
	dst = be.AppendUint32(dst, uint32(h.PartitionLeaderEpoch))
	dst = append(dst, Magic, 0, 0, 0, 0)
	dst = be.AppendUint16(dst, uint16(h.Attributes))
	dst = be.AppendUint32(dst, uint32(h.LastOffsetDelta))
	dst = be.AppendUint64(dst, uint64(h.BaseTimestamp))
	dst = be.AppendUint64(dst, uint64(h.MaxTimestamp))
	dst = be.AppendUint64(dst, uint64(h.ProducerID))
	dst = be.AppendUint16(dst, uint16(h.ProducerEpoch))
	dst = be.AppendUint32(dst, uint32(h.BaseSequence))
	dst = be.AppendUint32(dst, uint32(len(records)))
	dst = append(dst, payload...)
	be.PutUint32(dst[start+crcOffset:], checksum(dst[start:]))
	return dst, nil
}

func appendRecord(dst []byte, h *Header, r *Record) ([]byte, error) {
	offsetDelta := r.Offset - h.BaseOffset
	if offsetDelta < 0 || offsetDelta > int64(h.LastOffsetDelta) {
		return nil, fmt.Errorf("offset %d is outside of the batch's %d to %d", r.Offset, h.BaseOffset, h.LastOffset())
	}
	timestampDelta := r.Timestamp - h.BaseTimestamp
	if h.Attributes.Has(LogAppendTime) {
		timestampDelta = 0 // the record's own timestamp is not kept
	}
	var body []byte
	body = append(body, byte(r.Attributes))
	body = appendVarint(body, timestampDelta)
	body = appendVarint(body, offsetDelta)
	body = appendBytes(body, r.Key)
	body = appendBytes(body, r.Value)
	body = appendVarint(body, int64(len(r.Headers)))
	for _, rh := range r.Headers {
		if rh.Key == nil {
			return nil, fmt.Errorf("a record header without a key")
		}
		body = appendBytes(body, rh.Key)
		body = appendBytes(body, rh.Value)
	}
	dst = appendVarint(dst, int64(len(body)))
	return append(dst, body...), nil
}

func appendBytes(dst, p []byte) []byte {
	if p == nil {
		return appendVarint(dst, -1)
	}
	return append(appendVarint(dst, int64(len(p))), p...)
}

// appendVarint appends a zigzag varint; for 32 bit values the bytes are those of ByteUtils.writeVarint.
func appendVarint(dst []byte, v int64) []byte {
	return binary.AppendUvarint(dst, uint64(v<<1)^uint64(v>>63))
}

// compress returns the records as a batch stores them.
func compress(codec Codec, data []byte) ([]byte, error) {
	var out bytes.Buffer
	switch codec {
	case None:
		return data, nil
	case Gzip:
		w := gzip.NewWriter(&out)
		_, err := w.Write(data)
		return finish(&out, err, w.Close)
	case Snappy:
		return xerial(data), nil
	case LZ4:
		w := lz4.NewWriter(&out)
		// Kafka's Lz4BlockOutputStream: independent blocks of 64 KiB, no content checksum.
		if err := w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false)); err != nil {
			return nil, err
		}
		_, err := w.Write(data)
		return finish(&out, err, w.Close)
	case Zstd:
		w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		_, err = w.Write(data)
		return finish(&out, err, w.Close)
	}
	return nil, fmt.Errorf("compression type %d does not exist", codec)
}

func finish(out *bytes.Buffer, err error, closeWriter func() error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if err := closeWriter(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func xerial(data []byte) []byte {
	out := append([]byte(xerialMagic), 0, 0, 0, 1, 0, 0, 0, 1)
	for len(data) > 0 {
		n := min(len(data), xerialBlockSize)
		block := snappy.Encode(nil, data[:n])
		out = binary.BigEndian.AppendUint32(out, uint32(len(block)))
		out = append(out, block...)
		data = data[n:]
	}
	return out
}
