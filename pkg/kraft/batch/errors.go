package batch

import (
	"fmt"
	"strings"
)

// Kind is the class of an Error, for decisions.
type Kind string

// The kinds of errors.
const (
	// Torn: the file ends inside a batch. An append was cut short, or the file was.
	Torn Kind = "torn"
	// Zeros: from here to the end of the file there are only zero bytes, as preallocation or a power cut leaves them.
	Zeros Kind = "zeros"
	// BadLength: the length field cannot be that of a batch.
	BadLength Kind = "length"
	// BadCRC: the stored and the computed CRC differ.
	BadCRC Kind = "crc"
	// BadMagic: a message format Kafka does not have, met where records are read.
	BadMagic Kind = "magic"
	// Legacy: message format 0 or 1, which Kafka 0.10 and older wrote and no metadata log contains.
	Legacy Kind = "legacy"
	// BadRecord: the batch is sound, its records are not.
	BadRecord Kind = "record"
	// BadCompression: the records do not decompress.
	BadCompression Kind = "compression"
	// OverLimit: sound perhaps, but larger than Limits allow.
	OverLimit Kind = "limit"
	// ReadFailed: the source returned an error; Err is it.
	ReadFailed Kind = "read"
)

// Error is a located error: which file, where in it, what was expected and what was found, how much before was good.
type Error struct {
	Kind Kind
	// File is the name given to the Reader; it may be empty.
	File string
	// Position is the byte offset of the batch in the file.
	Position int64
	// BaseOffset is the base offset in the batch's header; -1 where there are not enough bytes for one.
	BaseOffset int64
	// Record is the index of the record in the batch; -1 when the error is about the batch. Its offset is not
	// necessarily BaseOffset+Record.
	Record int
	// Expected and Found complete the sentence "expected …, found …".
	Expected, Found string
	// Good is how many bytes before Position were sound without a gap.
	Good int64
	// Err is the cause, where there is one: of the source, or of a decompressor.
	Err error
}

// Error returns one line with everything that is known.
func (e *Error) Error() string {
	var sb strings.Builder
	sb.WriteString("read record batch")
	if e.File != "" {
		fmt.Fprintf(&sb, " in %q", e.File)
	}
	fmt.Fprintf(&sb, " at byte %d", e.Position)
	if e.BaseOffset >= 0 {
		fmt.Fprintf(&sb, " (base offset %d", e.BaseOffset)
		if e.Record > 0 || e.Kind == BadRecord {
			fmt.Fprintf(&sb, ", record %d", e.Record)
		}
		sb.WriteByte(')')
	}
	fmt.Fprintf(&sb, ": expected %s, found %s", e.Expected, e.Found)
	if e.Err != nil {
		fmt.Fprintf(&sb, ": %v", e.Err)
	}
	fmt.Fprintf(&sb, "; %d bytes before it are sound", e.Good)
	return sb.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error of the same Kind, so that errors.Is(err, &Error{Kind: Torn}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.File == "" && t.Expected == "" && t.Found == ""
}
