package batch

import (
	"errors"
	"fmt"
	"math"
)

// Record is one record of a batch. Its byte slices belong to the batch or to the Decoder.
type Record struct {
	Offset int64
	// Timestamp is the record's own, or the batch's maximum when the broker stamps them (LogAppendTime).
	Timestamp int64
	// Attributes are unused by Kafka so far and 0.
	Attributes int8
	// Key and Value are nil for null, which a record tells from empty.
	Key, Value []byte
	Headers    []RecordHeader
	// Sequence is the producer's sequence number of the record, -1 when there is none.
	Sequence int32
	// Size is the record in bytes, its length field included.
	Size int
}

// RecordHeader is one header of a record; a nil Value is null.
type RecordHeader struct {
	Key, Value []byte
}

// Records iterates the records of one batch, in the manner of bufio.Scanner.
type Records struct {
	batch *Batch
	data  []byte
	pos   int
	index int
	count int
	rec   Record
	err   *Error
}

// Next moves to the next record. It returns false after the last one and at the first that is not sound; Err tells
// which. Like Kafka's own iterator it finds damage only when it gets there: the records before it were returned.
func (it *Records) Next() bool {
	if it.err != nil || it.index >= it.count {
		return false
	}
	if !it.plain() {
		if err := it.read(); err != nil {
			it.fail(err)
			return false
		}
	}
	it.index++
	// Kafka refuses the last record when bytes follow it, and does not look at an empty batch.
	if it.index == it.count && it.pos != len(it.data) {
		it.index--
		it.fail(fmt.Errorf("%d bytes after the last record", len(it.data)-it.pos))
		return false
	}
	return true
}

// Record is the record Next moved to. It is reused by Next, its Headers slice included.
func (it *Records) Record() *Record { return &it.rec }

// Err is why Next returned false: nil after the last record.
func (it *Records) Err() error {
	if it.err == nil {
		return nil
	}
	return it.err
}

// Data is the records as one decompressed block.
func (it *Records) Data() []byte { return it.data }

func (it *Records) fail(err error) {
	it.err = recordError(it.batch, it.index, BadRecord, "a record", err.Error())
}

func recordError(b *Batch, index int, kind Kind, expected, found string) *Error {
	return &Error{
		Kind: kind, File: b.File, Position: b.Position, BaseOffset: b.BaseOffset, Record: index,
		Expected: expected, Found: found, Good: b.Position,
	}
}

var (
	errShort  = errors.New("the end of the batch inside a record")
	errVarint = errors.New("a variable-length integer of too many bytes")
)

// plain decodes the record at pos when it is of the form in which controllers write nearly all of theirs, and tells
// whether it is: no key, no header, lengths and deltas of few bytes. Whatever else there is, damage included, is left
// to read, so that there is one judge of what is wrong.
func (it *Records) plain() bool {
	d, b := it.data[it.pos:], it.batch
	if len(d) < 12 || b.Attributes.Has(LogAppendTime) || b.BaseSequence != -1 {
		return false
	}
	size, n := shortVarint(d, 0)
	if n == 0 || size < 0 || size > len(d)-n {
		return false
	}
	d = d[:n+size]
	r := &it.rec
	if len(d) < n+6 || d[n+1] >= 0x80 { // attributes, two deltas, key, value, headers take a byte each at least
		return false
	}
	r.Attributes = int8(d[n])
	timestampDelta := int64(d[n+1]>>1) ^ -int64(d[n+1]&1)
	offsetDelta, n := shortVarint(d, n+2)
	if n == 0 || n+2 >= len(d) || d[n] != 1 { // -1, zigzag: null
		return false
	}
	length, n := shortVarint(d, n+1)
	if n == 0 || length < 0 || n+length+1 != len(d) || d[n+length] != 0 {
		return false
	}
	r.Offset, r.Timestamp, r.Sequence = b.BaseOffset+int64(offsetDelta), b.BaseTimestamp+timestampDelta, -1
	r.Key, r.Value, r.Headers, r.Size = nil, d[n:n+length:n+length], r.Headers[:0], len(d)
	it.pos += len(d)
	return true
}

// shortVarint is the zigzag varint of at most three bytes at a place, and the place behind it; 0 when it is longer.
func shortVarint(d []byte, at int) (v, end int) {
	if at+3 > len(d) {
		return 0, 0
	}
	u := uint(d[at])
	end = at + 1
	if u >= 0x80 {
		u = u&0x7f | uint(d[at+1])<<7
		end++
		if u >= 0x80<<7 {
			if d[at+2] >= 0x80 {
				return 0, 0
			}
			u = u&0x3fff | uint(d[at+2])<<14
			end++
		}
	}
	return int(u>>1) ^ -int(u&1), end
}

// read decodes the record at pos, after DefaultRecord.readFrom.
func (it *Records) read() error {
	start := it.pos
	size, err := it.varint()
	if err != nil {
		return err
	}
	if size < 0 || int(size) > len(it.data)-it.pos {
		return fmt.Errorf("a record size of %d with %d bytes left", size, len(it.data)-it.pos)
	}
	// A record may not reach beyond its own size, so the rest is decoded from that part alone.
	end := it.pos + int(size)
	whole := it.data
	it.data = whole[:end]
	err = it.body()
	it.data = whole
	if err != nil {
		return err
	}
	if it.pos != end {
		return fmt.Errorf("a record size of %d whose fields take %d bytes", size, int(size)-(end-it.pos))
	}
	it.rec.Size = end - start
	return nil
}

func (it *Records) body() error {
	if it.pos >= len(it.data) {
		return errShort
	}
	r, b := &it.rec, it.batch
	r.Attributes = int8(it.data[it.pos])
	it.pos++
	timestampDelta, err := it.varlong()
	if err != nil {
		return err
	}
	offsetDelta, err := it.varint()
	if err != nil {
		return err
	}
	r.Offset = b.BaseOffset + int64(offsetDelta)
	r.Timestamp = b.BaseTimestamp + timestampDelta
	if b.Attributes.Has(LogAppendTime) {
		r.Timestamp = b.MaxTimestamp
	}
	r.Sequence = -1
	if b.BaseSequence != -1 {
		r.Sequence = incrementSequence(b.BaseSequence, offsetDelta)
	}
	if r.Key, err = it.bytes(); err != nil {
		return err
	}
	if r.Value, err = it.bytes(); err != nil {
		return err
	}
	return it.headers()
}

func (it *Records) headers() error {
	it.rec.Headers = it.rec.Headers[:0]
	count, err := it.varint()
	if err != nil {
		return err
	}
	if count == 0 {
		return nil
	}
	// A header takes two bytes at least, so this bounds what append allocates by the bytes that are there.
	if count < 0 || int(count) > len(it.data)-it.pos {
		return fmt.Errorf("%d record headers with %d bytes left", count, len(it.data)-it.pos)
	}
	for range count {
		key, err := it.bytes()
		if err != nil {
			return err
		}
		if key == nil {
			return errors.New("a record header without a key")
		}
		value, err := it.bytes()
		if err != nil {
			return err
		}
		it.rec.Headers = append(it.rec.Headers, RecordHeader{Key: key, Value: value})
	}
	return nil
}

// bytes reads a length and that many bytes; a negative length is null, as in Kafka.
func (it *Records) bytes() ([]byte, error) {
	n, err := it.varint()
	if err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, nil
	}
	if int(n) > len(it.data)-it.pos {
		return nil, errShort
	}
	p := it.data[it.pos : it.pos+int(n) : it.pos+int(n)]
	it.pos += int(n)
	return p, nil
}

// varint reads a zigzag varint of at most 5 bytes, after ByteUtils.readVarint: bits beyond the 32nd are dropped.
func (it *Records) varint() (int32, error) {
	if it.pos < len(it.data) && it.data[it.pos] < 0x80 {
		u := uint32(it.data[it.pos])
		it.pos++
		return int32(u>>1) ^ -int32(u&1), nil
	}
	u, err := it.uvarint(5)
	v := uint32(u & math.MaxUint32)
	return int32(v>>1) ^ -int32(v&1), err
}

// varlong reads a zigzag varint of at most 10 bytes.
func (it *Records) varlong() (int64, error) {
	u, err := it.uvarint(10)
	return int64(u>>1) ^ -int64(u&1), err
}

func (it *Records) uvarint(most int) (uint64, error) {
	var u uint64
	for i := range most {
		if it.pos >= len(it.data) {
			return 0, errShort
		}
		c := it.data[it.pos]
		it.pos++
		u |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return u, nil
		}
	}
	return 0, errVarint
}
