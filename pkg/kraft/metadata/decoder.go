package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// maxString is Short.MAX_VALUE, the longest string Kafka writes or reads in a message.
const maxString = 0x7fff

// TaggedField is a tagged field that the schema does not name, kept so that encoding gives it back.
type TaggedField struct {
	Tag  uint32
	Data []byte
}

// ErrMalformed is wrapped by every error that says a record's bytes do not follow its schema.
var ErrMalformed = errors.New("malformed record")

// decoder reads the fields of one message. The first error sticks, later reads return zero values. With alias set,
// strings and byte slices point into the input and live as long as it does.
type decoder struct {
	b     []byte
	i     int
	err   error
	alias bool
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: byte %d: %s", ErrMalformed, d.i, fmt.Sprintf(format, args...))
	}
	d.i = len(d.b)
}

// need reports whether n more bytes are there.
func (d *decoder) need(n int) bool {
	if len(d.b)-d.i < n {
		d.fail("%d more bytes expected, %d left", n, len(d.b)-d.i)
		return false
	}
	return true
}

func (d *decoder) int8() int8 {
	if !d.need(1) {
		return 0
	}
	d.i++
	return int8(d.b[d.i-1])
}

func (d *decoder) boolean() bool { return d.int8() != 0 }

func (d *decoder) uint16() uint16 {
	if !d.need(2) {
		return 0
	}
	d.i += 2
	return binary.BigEndian.Uint16(d.b[d.i-2:])
}

func (d *decoder) int16() int16 { return int16(d.uint16()) }

func (d *decoder) int32() int32 {
	if len(d.b)-d.i < 4 {
		d.need(4)
		return 0
	}
	d.i += 4
	return int32(binary.BigEndian.Uint32(d.b[d.i-4:]))
}

func (d *decoder) int64() int64 {
	if !d.need(8) {
		return 0
	}
	d.i += 8
	return int64(binary.BigEndian.Uint64(d.b[d.i-8:]))
}

func (d *decoder) float64() float64 { return math.Float64frombits(uint64(d.int64())) }

func (d *decoder) uuid() (u UUID) {
	if d.need(16) {
		copy(u[:], d.b[d.i:])
		d.i += 16
	}
	return u
}

// uvarint reads an unsigned varint of at most 32 bits, as Kafka's ByteUtils.readUnsignedVarint.
func (d *decoder) uvarint() uint32 {
	if d.i < len(d.b) && d.b[d.i] < 0x80 {
		d.i++
		return uint32(d.b[d.i-1])
	}
	v, n := binary.Uvarint(d.b[d.i:])
	switch {
	case n == 0:
		d.fail("varint is cut off")
		return 0
	case n < 0 || n > 5 || v > math.MaxUint32:
		d.fail("varint is longer than 32 bits")
		return 0
	}
	d.i += n
	return uint32(v)
}

// length reads a compact length: -1 for null.
func (d *decoder) length() int { return int(d.uvarint()) - 1 }

func (d *decoder) take(n int, field string) []byte {
	if n < 0 {
		if d.err == nil {
			d.fail("field %q is null, which is not allowed", field)
		}
		return nil
	}
	if n > len(d.b)-d.i {
		d.fail("field %q has length %d, %d bytes left", field, n, len(d.b)-d.i)
		return nil
	}
	d.i += n
	return d.b[d.i-n : d.i : d.i]
}

func (d *decoder) text(n int, field string) string {
	if n > maxString {
		d.fail("string field %q has invalid length %d", field, n)
		return ""
	}
	raw := d.take(n, field)
	if !d.alias || len(raw) == 0 {
		return string(raw)
	}
	return unsafe.String(&raw[0], len(raw)) //nolint:gosec // lives as long as the input, see Decoder
}

func (d *decoder) string(field string) string { return d.text(d.length(), field) }

func (d *decoder) nullableString(field string) *string {
	n := d.length()
	if n < 0 {
		return nil
	}
	s := d.text(n, field)
	return &s
}

func (d *decoder) bytes(field string) []byte { return d.own(d.take(d.length(), field)) }

func (d *decoder) own(raw []byte) []byte {
	if d.alias || raw == nil {
		return raw
	}
	return append([]byte{}, raw...)
}

// elements checks an array's length against the bytes left, so that no count in a file decides how much is allocated.
func (d *decoder) elements(n, size int, nullable bool, field string) (int, bool) {
	switch {
	case d.err != nil:
		return 0, false
	case n < 0 && nullable:
		return 0, true
	case n < 0:
		d.fail("field %q is null, which is not allowed", field)
		return 0, false
	case n > (len(d.b)-d.i)/size:
		d.fail("field %q has %d elements of at least %d bytes, %d bytes left", field, n, size, len(d.b)-d.i)
		return 0, false
	}
	return n, false
}

func (d *decoder) arrayLen(size int, field string) int {
	n, _ := d.elements(d.length(), size, false, field)
	return n
}

// sized gives back s with n elements, reusing its memory; every element is to be decoded into afterwards.
func sized[T any](s []T, n int) []T {
	if s == nil {
		return make([]T, n)
	}
	return slices.Grow(s[:0], n)[:n]
}

func (d *decoder) int32s(into []int32, nullable bool, field string) []int32 {
	return d.fillInt32s(into, d.length(), nullable, field)
}

func (d *decoder) fillInt32s(into []int32, n int, nullable bool, field string) []int32 {
	n, null := d.elements(n, 4, nullable, field)
	if null {
		return nil
	}
	into = sized(into, n)
	src := d.b[d.i : d.i+4*n]
	for k := range into {
		into[k] = int32(binary.BigEndian.Uint32(src[4*k:]))
	}
	d.i += 4 * n
	return into
}

func (d *decoder) uuids(into []UUID, nullable bool, field string) []UUID {
	n, null := d.elements(d.length(), 16, nullable, field)
	if null {
		return nil
	}
	into = sized(into, n)
	for k := range into {
		into[k] = d.uuid()
	}
	return into
}

func (d *decoder) strings(into []string, _ bool, field string) []string {
	into = sized(into, d.arrayLen(1, field))
	for k := range into {
		into[k] = d.string(field)
	}
	return into
}

// The forms of the 2.8 preview, which knew no compact encodings.

func (d *decoder) oldString(field string) string { return d.text(int(d.int16()), field) }

func (d *decoder) oldNullableString(field string) *string {
	n := d.int16()
	if n < 0 {
		return nil
	}
	s := d.text(int(n), field)
	return &s
}

func (d *decoder) oldBytes(field string) []byte { return d.own(d.take(int(d.int32()), field)) }

func (d *decoder) oldArrayLen(size int, field string) int {
	n, _ := d.elements(int(d.int32()), size, false, field)
	return n
}

func (d *decoder) oldInt32s(into []int32, nullable bool, field string) []int32 {
	return d.fillInt32s(into, int(d.int32()), nullable, field)
}

func (d *decoder) oldStrings(into []string, _ bool, field string) []string {
	into = sized(into, d.oldArrayLen(2, field))
	for k := range into {
		into[k] = d.oldString(field)
	}
	return into
}

// Tagged fields.

func (d *decoder) tagCount() int {
	n := d.uvarint()
	if int64(n)*2 > int64(len(d.b)-d.i) {
		d.fail("%d tagged fields, %d bytes left", n, len(d.b)-d.i)
		return 0
	}
	return int(n)
}

// tag reads a tag and its size and narrows the input to the field; endTag widens it again.
func (d *decoder) tag() (tag uint32, outer []byte) {
	outer = d.b
	tag = d.uvarint()
	size := int64(d.uvarint())
	if size > int64(len(d.b)-d.i) {
		d.fail("tagged field %d has size %d, %d bytes left", tag, size, len(d.b)-d.i)
		return tag, outer
	}
	d.b = d.b[:d.i+int(size)]
	return tag, outer
}

// notYet fails because of a tagged field that came with a later version.
func (d *decoder) notYet(tag uint32, version int16) {
	d.fail("tagged field %d is not valid for version %d", tag, version)
}

func (d *decoder) rawTag(tag uint32) TaggedField {
	raw := d.b[d.i:]
	d.i = len(d.b)
	return TaggedField{Tag: tag, Data: d.own(raw)}
}

func (d *decoder) endTag(outer []byte) {
	if d.err == nil && d.i != len(d.b) {
		d.fail("%d bytes of a tagged field left over", len(d.b)-d.i)
	}
	d.b = outer
	if d.err != nil {
		d.i = len(d.b)
	}
}

// tags reads the tagged section of a message that names no tagged field.
func (d *decoder) tags() []TaggedField {
	n := d.tagCount()
	if n == 0 {
		return nil
	}
	var out []TaggedField
	for ; n > 0 && d.err == nil; n-- {
		tag, outer := d.tag()
		out = append(out, d.rawTag(tag))
		d.endTag(outer)
	}
	return out
}
