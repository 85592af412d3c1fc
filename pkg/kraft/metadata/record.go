package metadata

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Type is the API key of a metadata record.
type Type int16

func unknownTypeName(t Type) string { return "UNKNOWN_RECORD_" + strconv.Itoa(int(t)) }

// Message is the content of a record: a pointer to one of the generated types (*TopicRecord, *PartitionRecord, …) or
// *UnknownRecord. Only this package implements it.
type Message interface {
	// Type is the record's API key.
	Type() Type
	versions() (lowest, highest int16)
	// check refuses to encode what the version has no field for.
	check(version int16) error
	decode(d *decoder, version int16)
	encode(b []byte, version int16) []byte
	json(b []byte, version int16, redact bool) []byte
}

// Record is one metadata record: the value of one record of the metadata log or of a snapshot.
type Record struct {
	// Frame is the frame version: 1 in every release since 3.0, 0 in the 2.8 preview.
	Frame uint8
	// Version is the message's version.
	Version int16
	// Message is never nil after decoding.
	Message Message
}

// UnknownRecord is a record that this package has no schema for, or whose bytes do not follow it. Nothing of it is
// lost: Data is what followed the frame, type and version, or the whole value where those did not parse.
type UnknownRecord struct {
	Key  Type
	Data []byte
	// Err says why; it wraps ErrMalformed, ErrUnknownType, ErrUnknownVersion or ErrUnknownFrame.
	Err error
}

// Why a record is an UnknownRecord, besides ErrMalformed.
var (
	ErrUnknownType    = errors.New("unknown record type")
	ErrUnknownVersion = errors.New("unknown record version")
	ErrUnknownFrame   = errors.New("unknown frame version")
)

// Type is the API key read, 0 when not even that parsed.
func (u *UnknownRecord) Type() Type { return u.Key }

func (*UnknownRecord) versions() (lowest, highest int16) { return 0, math.MaxInt16 }
func (*UnknownRecord) check(int16) error                 { return nil }

func (u *UnknownRecord) decode(d *decoder, _ int16) {
	u.Data = d.own(d.b[d.i:])
	d.i = len(d.b)
}

func (u *UnknownRecord) encode(b []byte, _ int16) []byte { return append(b, u.Data...) }

// json gives the bytes in base64, which may hold a secret: when redacting only their number.
func (u *UnknownRecord) json(b []byte, _ int16, redact bool) []byte {
	b = append(b, `{"unknown":`...)
	b = jsonString(b, u.reason())
	if redact {
		b = append(b, `,"size":`...)
		b = jsonInt(b, int64(len(u.Data)))
		return append(b, '}')
	}
	b = append(b, `,"bytes":`...)
	b = jsonBytes(b, u.Data)
	return append(b, '}')
}

func (u *UnknownRecord) reason() string {
	if u.Err == nil {
		return "not decoded"
	}
	return u.Err.Error()
}

func notInVersion(field string, version int16) error {
	return fmt.Errorf("field %q is set, but version %d has no place for it", field, version)
}

// AppendJSON appends the payload that Kafka's kafka-dump-log --cluster-metadata-decoder prints for the record:
// {"type":…,"version":…,"data":{…}}. With redact, SCRAM salts and keys and values of sensitive configurations (see
// SensitiveConfig) are replaced by "(redacted)".
func (r *Record) AppendJSON(b []byte, redact bool) []byte {
	b = append(b, `{"type":"`...)
	b = append(b, r.Message.Type().String()...)
	b = append(b, `","version":`...)
	b = jsonInt(b, int64(r.Version))
	b = append(b, `,"data":`...)
	b = r.Message.json(b, r.Version, redact)
	return append(b, '}')
}

// MarshalJSON is AppendJSON with secrets redacted.
func (r *Record) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil, true), nil }

// Append appends the record as Kafka's MetadataRecordSerde writes it: frame version, API key and version as unsigned
// varints, then the message. It fails when the version is none of the message's or lacks a field that is set.
func (r *Record) Append(b []byte) ([]byte, error) {
	lowest, highest := r.Message.versions()
	if r.Version < lowest || r.Version > highest {
		return b, fmt.Errorf("encode %s: %w %d, want %d to %d",
			r.Message.Type(), ErrUnknownVersion, r.Version, lowest, highest)
	}
	if err := r.Message.check(r.Version); err != nil {
		return b, fmt.Errorf("encode %s: %w", r.Message.Type(), err)
	}
	if u, ok := r.Message.(*UnknownRecord); ok && errors.Is(u.Err, errHeader) {
		return append(b, u.Data...), nil
	}
	b = append(b, r.Frame)
	b = binary.AppendUvarint(b, uint64(r.Message.Type()))
	b = binary.AppendUvarint(b, uint64(r.Version))
	return r.Message.encode(b, r.Version), nil
}

// errHeader marks a value whose frame, type and version did not parse; its UnknownRecord holds all of it.
var errHeader = errors.New("no record header")

// Decode decodes one record value. It never fails: what cannot be decoded is a Record with an *UnknownRecord, whose
// Err says why. The result shares no memory with value.
func Decode(value []byte) Record {
	return decode(&decoder{b: value}, newMessage)
}

// Decoder decodes many records without allocating for each. The Record it returns, strings and slices included, is
// valid until the next Decode and only while the value's memory is unchanged. It is not safe for concurrent use.
type Decoder struct {
	pool pool
	d    decoder
}

// Decode is the function Decode, reusing memory.
func (d *Decoder) Decode(value []byte) Record {
	d.d = decoder{b: value, alias: true}
	return decode(&d.d, d.pool.get)
}

func decode(d *decoder, newest func(Type) Message) Record {
	value := d.b
	frame, key, version := d.header("frame version"), d.header("type"), d.header("version")
	switch {
	case frame > 1:
		err := fmt.Errorf("%w: %w %d", errHeader, ErrUnknownFrame, frame)
		return whole(value, &parseError{err, "Could not deserialize metadata record due to unknown frame version " +
			strconv.Itoa(int(frame)) + "(only frame version 1 is supported)"}, d.alias)
	case d.err != nil:
		return whole(value, d.err, d.alias)
	}
	rec := Record{Frame: uint8(frame), Version: int16(version)}
	t := Type(key)
	start := d.i
	var first error
	for attempt := range 2 {
		m := layout(t, rec.Frame, attempt, newest)
		if m == nil {
			continue
		}
		err := body(d, m, start, rec.Version)
		if err == nil {
			rec.Message = m
			return rec
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = fmt.Errorf("%w %d", ErrUnknownType, key)
	}
	d.i, d.err = start, nil
	u := &UnknownRecord{Key: t, Err: first}
	u.decode(d, rec.Version)
	rec.Message = u
	return rec
}

// layout is the message to try: the current layout first, then the one that was replaced without a new version number.
func layout(t Type, frame uint8, attempt int, newest func(Type) Message) Message {
	switch {
	case frame == 0 && attempt == 0:
		return new28(t)
	case frame == 0:
		return nil
	case attempt == 0:
		return newest(t)
	}
	return new32(t)
}

// header reads one of the three numbers in front of the message.
func (d *decoder) header(name string) uint32 {
	if d.err != nil {
		return 0
	}
	v := d.uvarint()
	switch {
	case d.err != nil:
		d.err = &parseError{fmt.Errorf("%w: %s: %w", errHeader, name, d.err), "Error while reading " + name}
	case v > math.MaxInt16:
		d.err = &parseError{
			fmt.Errorf("%w: %s %d: %w: too large", errHeader, name, v, ErrMalformed), "Value for " + name + " was too large.",
		}
	}
	return v
}

// body decodes into m and requires that all bytes are used, which is what tells the layouts of one version apart.
func body(d *decoder, m Message, start int, version int16) error {
	if _, highest := m.versions(); version > highest {
		return fmt.Errorf("%w: %s version %d, newest known is %d", ErrUnknownVersion, m.Type(), version, highest)
	}
	d.i, d.err = start, nil
	m.decode(d, version)
	if d.err == nil && d.i != len(d.b) {
		left := len(d.b) - d.i
		return &parseError{
			fmt.Errorf("%w: found %d byte(s) of garbage after %s", ErrMalformed, left, m.Type()),
			fmt.Sprintf("Found %d byte(s) of garbage after %d", left, m.Type()),
		}
	}
	return d.err
}

func whole(value []byte, err error, alias bool) Record {
	d := decoder{b: value, alias: alias}
	u := &UnknownRecord{Err: err}
	u.decode(&d, 0)
	return Record{Message: u}
}

// KafkaError is the message of the MetadataParseException that Kafka throws for a record it cannot read, empty for a
// record that was decoded.
func KafkaError(r *Record) string {
	u, ok := r.Message.(*UnknownRecord)
	if !ok {
		return ""
	}
	var parse *parseError
	switch {
	case r.Frame == 0 && !errors.Is(u.Err, errHeader):
		return "Could not deserialize metadata record with frame version 0. Note that upgrades from the preview release " +
			"of KRaft in 2.8 to newer versions are not supported."
	case errors.As(u.Err, &parse):
		return parse.kafka
	case errors.Is(u.Err, ErrUnknownType):
		return "org.apache.kafka.common.errors.UnsupportedVersionException: Unknown metadata id " + strconv.Itoa(int(u.Key))
	}
	return "Failed to deserialize record with type " + strconv.Itoa(int(u.Key))
}

// parseError is an error that carries Kafka's words for it.
type parseError struct {
	err   error
	kafka string
}

func (e *parseError) Error() string { return e.err.Error() }
func (e *parseError) Unwrap() error { return e.err }
