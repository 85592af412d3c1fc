package group

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by every error that says a record does not follow its schema.
var ErrMalformed = errors.New("malformed group record")

// ErrUnknownVersion is wrapped by errors about a value of a version that no known release writes.
var ErrUnknownVersion = errors.New("unknown version of a group record")

// reader takes fields off the front of a message. The first error sticks; later reads return zero values. With compact
// set, lengths are those of Kafka's flexible versions.
type reader struct {
	b       []byte
	compact bool
	err     error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s, %d bytes left", ErrMalformed, what, len(r.b))
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail(fmt.Sprintf("%d more bytes expected", n))
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) uvarint() int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 5 || v > 1<<31-1 {
		r.fail("a varint of at most 32 bits expected")
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

// nullable reads a string; ok is false for null.
func (r *reader) nullable() (s string, ok bool) {
	var n int
	if r.compact {
		n = r.uvarint() - 1
	} else {
		n = int(r.int16())
	}
	if n < 0 {
		return "", false
	}
	return string(r.take(n)), true
}

func (r *reader) string(field string) string {
	s, ok := r.nullable()
	if !ok && r.err == nil {
		r.fail(field + " is null, which is not allowed")
	}
	return s
}

// bytes passes over a byte field.
func (r *reader) bytes() {
	if r.compact {
		r.take(max(r.uvarint()-1, 0))
		return
	}
	r.take(max(int(r.int32()), 0))
}

// count reads an array's length and checks it against what is left, so that no count decides what is allocated.
func (r *reader) count(least int) int {
	var n int
	if r.compact {
		n = r.uvarint() - 1
	} else {
		n = int(r.int32())
	}
	if n < 0 || n > len(r.b)/least {
		r.fail(fmt.Sprintf("an array of %d elements", n))
		return 0
	}
	return n
}

// tags passes over the tagged fields of a flexible version and hands each to fn, which may be nil.
func (r *reader) tags(fn func(tag int, data []byte)) {
	if !r.compact {
		return
	}
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		tag := r.uvarint()
		data := r.take(r.uvarint())
		if fn != nil && r.err == nil {
			fn(tag, data)
		}
	}
}

// end returns the first error, or one about bytes left over.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%w: %d bytes left over", ErrMalformed, len(r.b))
	}
	return r.err
}
