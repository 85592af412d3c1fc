package coordinator

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// maxString is the longest string Kafka reads in a message.
const maxString = math.MaxInt16

// errUnderflow has the message of Java's BufferUnderflowException: none.
var errUnderflow = errors.New("null")

// reader takes fields off the front of a message and returns them as JSON. The first error sticks.
type reader struct {
	b        []byte
	version  int16
	flexible bool
	valid    versions
	err      error
	// inside are the schemas of the bytes in fields of these names, used once the group's protocol is the consumers'.
	inside   map[string]*message
	consumer bool
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) fixed(n int) []byte {
	if len(r.b) < n {
		r.fail(errUnderflow)
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) int16() int16 {
	if b := r.fixed(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.fixed(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// uvarint is ByteUtils.readUnsignedVarint: 32 bits, the highest of which makes it negative.
func (r *reader) uvarint() int32 {
	var v uint32
	for shift := 0; ; shift += 7 {
		b := r.fixed(1)
		switch {
		case b == nil:
			return 0
		case b[0] < 0x80:
			return int32(v | uint32(b[0])<<shift)
		case shift == 28:
			//nolint:revive,staticcheck // Kafka's words
			r.fail(fmt.Errorf("Varint is too long, the most significant bit in the 5th byte is set, converted value: %x",
				v|uint32(b[0]&0x7f)<<28))
			return 0
		}
		v |= uint32(b[0]&0x7f) << shift
	}
}

// take takes as many bytes as a length in the message says.
func (r *reader) take(n int32) []byte {
	if int(n) > len(r.b) {
		//nolint:revive,staticcheck // Kafka's words
		r.fail(fmt.Errorf("Error reading byte array of %d byte(s): only %d byte(s) available", n, len(r.b)))
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

// length is that of an array, of bytes or of a string; null is negative.
func (r *reader) length(short bool) int32 {
	switch {
	case r.flexible:
		return r.uvarint() - 1
	case short:
		return int32(r.int16())
	}
	return r.int32()
}

// isNull takes care of a length that is null: nothing more is to be read, whether it may be or not.
func (r *reader) isNull(f *field, n int32) bool {
	if n < 0 && !f.Nullable.has(r.version) {
		r.fail(fmt.Errorf("non-nullable field %s was serialized as null", f.Name))
	}
	return n < 0 || r.err != nil
}

// object is a message or a structure: its fields in the order of the schema, tagged ones among them when they are not
// as they are by default.
func (r *reader) object(fields []*field) []byte {
	texts := make([][]byte, len(fields))
	for i, f := range fields {
		switch {
		case !f.Versions.has(r.version):
		case r.flexible && f.Tagged.has(r.version):
			texts[i] = initial(f)
		default:
			texts[i] = r.value(f)
		}
	}
	if r.flexible {
		r.tags(fields, texts)
	}
	b := []byte{'{'}
	for i, f := range fields {
		if texts[i] == nil || f.Tagged.has(r.version) && omitted(f, texts[i]) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), f.Name...), `":`...)
		b = append(b, texts[i]...)
	}
	return append(b, '}')
}

func (r *reader) tags(fields []*field, texts [][]byte) {
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		tag, size := uint32(r.uvarint()), r.uvarint()
		known := false
		for i, f := range fields {
			if f.Tagged.has(r.version) && f.Tag == tag {
				known, texts[i] = true, r.value(f) // Kafka goes by the schema, not by the size
			}
		}
		if !known && size >= 0 {
			r.take(size)
		}
	}
}

// value is a field's value: an array, or one.
func (r *reader) value(f *field) []byte {
	if !f.Array {
		return r.one(f)
	}
	n := r.length(false)
	if r.isNull(f, n) {
		return []byte("null")
	}
	if int(n) > len(r.b) {
		//nolint:revive,staticcheck // Kafka's words
		r.fail(fmt.Errorf("Tried to allocate a collection of size %d, but there are only %d bytes remaining.", n, len(r.b)))
		return nil
	}
	element := *f
	element.Array, element.Name, element.Nullable = false, f.Name+" element", versions{}
	b := []byte{'['}
	for i := int32(0); i < n && r.err == nil; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, r.one(&element)...)
	}
	return append(b, ']')
}

func (r *reader) one(f *field) []byte {
	switch f.Type {
	case "bool":
		if b := r.fixed(1); b != nil {
			return strconv.AppendBool(nil, b[0] != 0)
		}
		return nil
	case "int8":
		if b := r.fixed(1); b != nil {
			return strconv.AppendInt(nil, int64(int8(b[0])), 10)
		}
		return nil
	case "int16":
		return strconv.AppendInt(nil, int64(r.int16()), 10)
	case "uint16":
		return strconv.AppendInt(nil, int64(uint16(r.int16())), 10)
	case "int32":
		return strconv.AppendInt(nil, int64(r.int32()), 10)
	case "int64":
		if b := r.fixed(8); b != nil {
			return strconv.AppendInt(nil, int64(binary.BigEndian.Uint64(b)), 10)
		}
		return nil
	case "uuid":
		var id metadata.UUID
		copy(id[:], r.fixed(len(id)))
		return []byte(`"` + id.String() + `"`)
	case "string":
		return r.text(f)
	case "bytes":
		return r.bytes(f)
	}
	return r.structure(f)
}

func (r *reader) text(f *field) []byte {
	n := r.length(true)
	if r.isNull(f, n) {
		return []byte("null")
	}
	if n > maxString {
		r.fail(fmt.Errorf("string field %s had invalid length %d", f.Name, n))
		return nil
	}
	text := metadata.AppendJSONString(nil, string(r.take(n)))
	if f.Name == "protocolType" {
		r.consumer = string(text) == `"consumer"`
	}
	return text
}

func (r *reader) bytes(f *field) []byte {
	n := r.length(false)
	if r.isNull(f, n) {
		return []byte("null")
	}
	data := r.take(n)
	if m := r.inside[f.Name]; m != nil && r.consumer {
		in := reader{b: data, valid: m.Valid}
		in.version = max(in.int16(), 0)
		if text := in.object(m.Fields); in.err == nil {
			return text
		}
	}
	return append(base64.StdEncoding.AppendEncode([]byte{'"'}, data), '"')
}

func (r *reader) structure(f *field) []byte {
	// One that may be null has a byte in front, its size and one more where it is tagged.
	switch {
	case !f.Nullable.has(r.version):
	case f.Tagged.has(r.version):
		if r.uvarint() <= 0 {
			return []byte("null")
		}
	default:
		if b := r.fixed(1); b == nil || int8(b[0]) < 0 {
			return []byte("null")
		}
	}
	if r.version > r.valid.last {
		//nolint:revive,staticcheck // Kafka's words
		r.fail(fmt.Errorf("Can't read version %d of %s", r.version, f.Type))
		return nil
	}
	return r.object(f.Fields)
}

// initial is what a field is before it is read.
func initial(f *field) []byte {
	switch {
	case f.Default == "null":
		return []byte("null")
	case f.Array:
		return []byte("[]")
	}
	switch f.Type {
	case "string":
		return metadata.AppendJSONString(nil, f.Default)
	case "bytes":
		return []byte(`""`)
	case "uuid":
		return []byte(`"` + metadata.UUID{}.String() + `"`)
	case "bool":
		return strconv.AppendBool(nil, f.Default == "true")
	case "int8", "int16", "uint16", "int32", "int64":
		if f.Default == "" {
			return []byte("0")
		}
		return []byte(f.Default)
	}
	return structInitial(f)
}

func structInitial(f *field) []byte {
	b := []byte{'{'}
	for i, inner := range f.Fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), inner.Name...), `":`...)
		b = append(b, initial(inner)...)
	}
	return append(b, '}')
}

// omitted tells whether Kafka's converter leaves a tagged field out. A structure that is null it does not leave out,
// but one whose fields are as they are by default.
func omitted(f *field, text []byte) bool {
	if f.Fields != nil && !f.Array {
		return bytes.Equal(text, structInitial(f))
	}
	return bytes.Equal(text, initial(f))
}
