package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Kind is the coordinator whose records a log has, by the name of kafka-dump-log's option.
type Kind string

// The kinds.
const (
	Offsets      Kind = "offsets"
	Transactions Kind = "transactions"
	ShareState   Kind = "share-state"
)

// Kinds are all kinds.
func Kinds() []Kind { return []Kind{Offsets, Transactions, ShareState} }

// KindOf is the kind of an internal topic's records; ok is false for other topics.
func KindOf(topic string) (kind Kind, ok bool) {
	switch topic {
	case "__consumer_offsets":
		return Offsets, true
	case "__transaction_state":
		return Transactions, true
	case "__share_group_state":
		return ShareState, true
	}
	return "", false
}

// Decoder shows the records of one kind of log. It is safe for concurrent use.
type Decoder struct {
	kind         Kind
	before40     bool
	keys, values map[int16]*message
	// inside are the schemas of what members of a classic consumer group put into its metadata, by the field's name.
	inside map[string]*message
}

// The types of the classic coordinator; 3.9 has those of the consumer protocol too, and reads the value of the legacy
// type like that of its successor.
const (
	legacyOffsetCommit = 0
	offsetCommit       = 1
	groupMetadata      = 2
	newestBefore40     = 8
)

// New returns a decoder. With before40 set it shows what the tool of Kafka 3.9 does: its types of records at whatever
// version, and its own text for transactions.
func New(kind Kind, before40 bool) (*Decoder, error) {
	messages, err := load(string(kind))
	if err != nil {
		return nil, err
	}
	embedded, err := load("embedded")
	if err != nil {
		return nil, err
	}
	d := &Decoder{
		kind: kind, before40: before40, keys: map[int16]*message{}, values: map[int16]*message{},
		inside: map[string]*message{},
	}
	for _, m := range messages {
		if before40 && m.APIKey > newestBefore40 { // what it does not know it does not print
			continue
		}
		if before40 {
			m.Fields = slices.DeleteFunc(m.Fields, newerThan39)
		}
		if m.Type == "coordinator-key" {
			d.keys[m.APIKey] = m
		} else {
			d.values[m.APIKey] = m
		}
	}
	if before40 && kind == Offsets {
		d.values[legacyOffsetCommit] = d.values[offsetCommit]
	}
	for _, m := range embedded {
		if m.Name == "ConsumerProtocolSubscription" {
			d.inside["subscription"] = m
		} else {
			d.inside["assignment"] = m
		}
	}
	return d, nil
}

// newerThan39 tells whether a field came after 3.9: all tagged ones but one.
func newerThan39(f *field) bool { return f.Tagged.some && f.Name != "classicMemberMetadata" }

// ErrNoKey is returned for a record without a key, at which Kafka's tool ends.
var ErrNoKey = errors.New("the record has no key")

// errUnknownType is wrapped by the error about a type that no known release has.
var errUnknownType = errors.New("unknown type of a record")

// AppendKafka appends what kafka-dump-log prints of a record behind its header keys: " key: …" and " payload: …". An
// error says what is wrong with the record; the text has it in Kafka's words.
func (d *Decoder) AppendKafka(line []byte, offset int64, key, value []byte) ([]byte, error) {
	if key == nil {
		return line, ErrNoKey
	}
	if d.before40 && d.kind == Transactions {
		return appendTransaction39(line, d, key, value)
	}
	mark := len(line)
	line, err := d.appendBoth(line, key, value)
	if err == nil {
		return line, nil
	}
	line = append(line[:mark], " key: "...)
	if errors.Is(err, errUnknownType) {
		line = fmt.Appendf(line, "Unknown record type %d at offset %d, skipping.", typeOf(key), offset)
	} else {
		line = fmt.Appendf(line, "Error at offset %d, skipping. %s", offset, err)
	}
	return line, err
}

// typeOf is the number a key or value begins with.
func typeOf(data []byte) int16 {
	r := reader{b: data}
	return r.int16()
}

func (d *Decoder) appendBoth(line, key, value []byte) ([]byte, error) {
	k, err := d.Key(key)
	if err != nil {
		return line, err
	}
	line = append(append(line, " key: "...), k...)
	if value == nil {
		return append(line, " payload: <DELETE>"...), nil
	}
	v, err := d.Value(typeOf(key), value)
	if err != nil {
		return line, err
	}
	return append(append(line, " payload: "...), v...), nil
}

// Key is a record's key as JSON: {"type":"1","data":{…}}.
func (d *Decoder) Key(key []byte) ([]byte, error) {
	r := reader{b: key}
	typ := r.int16()
	if r.err != nil {
		return nil, errors.New("Could not read version from key's buffer.") //nolint:revive,staticcheck // Kafka's words
	}
	m := d.keys[typ]
	if m == nil {
		return nil, fmt.Errorf("%w: %d", errUnknownType, typ)
	}
	return d.read(&r, m, typ, "key", `{"type":"`)
}

// Value is a record's value as JSON, {"version":"0","data":{…}}; typ is the type in its key.
func (d *Decoder) Value(typ int16, value []byte) ([]byte, error) {
	m := d.values[typ]
	if m == nil {
		return nil, fmt.Errorf("%w: %d", errUnknownType, typ)
	}
	r := reader{b: value}
	version := r.int16()
	if r.err != nil {
		return nil, errors.New("Could not read version from value's buffer.") //nolint:revive,staticcheck // Kafka's words
	}
	if !d.before40 && !m.Valid.has(version) {
		//nolint:revive,staticcheck // Kafka's words
		return nil, fmt.Errorf("Found an unknown record version %d for %d type", version, typ)
	}
	return d.read(&r, m, version, "value", `{"version":"`)
}

func (d *Decoder) read(r *reader, m *message, number int16, part, open string) ([]byte, error) {
	version := max(number, 0) // 3.9 reads one below the lowest like the lowest
	if part == "key" {
		version = 0 // every key has the one version; the number in front of it is its type
	}
	r.version, r.flexible, r.valid = version, m.Flexible.has(version), m.Valid
	if m.APIKey == groupMetadata && d.kind == Offsets {
		r.inside = d.inside
	}
	data := r.object(m.Fields)
	if r.err != nil {
		//nolint:revive,staticcheck // Kafka's words
		return nil, fmt.Errorf("Could not read record with version %d from %s's buffer due to: %w.", number, part, r.err)
	}
	b := strconv.AppendInt([]byte(open), int64(number), 10)
	return append(append(append(b, `","data":`...), data...), '}'), nil
}
