package metadata

import (
	"encoding/binary"
	"math"
)

// noTag lies above every tag.
const noTag = math.MaxUint32

func appendInt8(b []byte, v int8) []byte       { return append(b, byte(v)) }
func appendUint16(b []byte, v uint16) []byte   { return binary.BigEndian.AppendUint16(b, v) }
func appendInt16(b []byte, v int16) []byte     { return binary.BigEndian.AppendUint16(b, uint16(v)) }
func appendInt32(b []byte, v int32) []byte     { return binary.BigEndian.AppendUint32(b, uint32(v)) }
func appendInt64(b []byte, v int64) []byte     { return binary.BigEndian.AppendUint64(b, uint64(v)) }
func appendFloat64(b []byte, v float64) []byte { return appendInt64(b, int64(math.Float64bits(v))) }
func appendUUID(b []byte, v UUID) []byte       { return append(b, v[:]...) }
func appendUvarint(b []byte, v uint64) []byte  { return binary.AppendUvarint(b, v) }

func appendBoolean(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendArrayLen(b []byte, n int) []byte { return appendUvarint(b, uint64(n)+1) }

func appendString(b []byte, v string) []byte { return append(appendArrayLen(b, len(v)), v...) }

func appendNullableString(b []byte, v *string) []byte {
	if v == nil {
		return append(b, 0)
	}
	return appendString(b, *v)
}

func appendBytes(b, v []byte) []byte { return append(appendArrayLen(b, len(v)), v...) }

func appendInt32s(b []byte, v []int32, nullable bool) []byte {
	if v == nil && nullable {
		return append(b, 0)
	}
	b = appendArrayLen(b, len(v))
	for _, x := range v {
		b = appendInt32(b, x)
	}
	return b
}

func appendUUIDs(b []byte, v []UUID, nullable bool) []byte {
	if v == nil && nullable {
		return append(b, 0)
	}
	b = appendArrayLen(b, len(v))
	for _, x := range v {
		b = append(b, x[:]...)
	}
	return b
}

func appendStrings(b []byte, v []string, _ bool) []byte {
	b = appendArrayLen(b, len(v))
	for _, x := range v {
		b = appendString(b, x)
	}
	return b
}

func appendOldArrayLen(b []byte, n int) []byte { return appendInt32(b, int32(n)) }

func appendOldString(b []byte, v string) []byte { return append(appendInt16(b, int16(len(v))), v...) }

func appendOldNullableString(b []byte, v *string) []byte {
	if v == nil {
		return appendInt16(b, -1)
	}
	return appendOldString(b, *v)
}

func appendOldBytes(b, v []byte) []byte { return append(appendInt32(b, int32(len(v))), v...) }

func appendOldInt32s(b []byte, v []int32, nullable bool) []byte {
	if v == nil && nullable {
		return appendInt32(b, -1)
	}
	b = appendOldArrayLen(b, len(v))
	for _, x := range v {
		b = appendInt32(b, x)
	}
	return b
}

func appendOldStrings(b []byte, v []string, _ bool) []byte {
	b = appendOldArrayLen(b, len(v))
	for _, x := range v {
		b = appendOldString(b, x)
	}
	return b
}

func appendTags(b []byte, tags []TaggedField) []byte {
	b = appendUvarint(b, uint64(len(tags)))
	for _, t := range tags {
		b = appendTag(b, t)
	}
	return b
}

func appendTag(b []byte, t TaggedField) []byte {
	b = appendUvarint(appendUvarint(b, uint64(t.Tag)), uint64(len(t.Data)))
	return append(b, t.Data...)
}

// appendTagsBelow writes the unknown fields that sort before a known one and returns the others.
func appendTagsBelow(b []byte, tags []TaggedField, below uint32) ([]byte, []TaggedField) {
	for len(tags) > 0 && (below == noTag || tags[0].Tag < below) {
		b = appendTag(b, tags[0])
		tags = tags[1:]
	}
	return b, tags
}

// tagHeader puts tag and size in front of the field data that starts at mark.
func tagHeader(b []byte, mark int, tag uint32) []byte {
	size := len(b) - mark
	var head [2 * binary.MaxVarintLen32]byte
	n := binary.PutUvarint(head[:], uint64(tag))
	n += binary.PutUvarint(head[n:], uint64(size))
	b = append(b, head[:n]...)
	copy(b[mark+n:], b[mark:mark+size])
	copy(b[mark:], head[:n])
	return b
}
