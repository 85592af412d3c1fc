package cmd

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/coordinator"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
)

// undecoded is counted by several goroutines.
type undecoded struct {
	sync.Mutex
	count int
	first string
}

func (u *undecoded) add(offset int64, err error) {
	u.Lock()
	defer u.Unlock()
	if u.count++; u.first == "" {
		u.first = fmt.Sprintf("offset %d: %v", offset, err)
	}
}

// Values of --decode beside the decoders' own.
const (
	decodeAuto = "auto"
	decodeNone = "none"
)

// decoder is the one for a topic's records; nil for records that are shown as they are.
func (o *partitionRecordsOptions) decoder(topic string) (*coordinator.Decoder, error) {
	kind := coordinator.Kind(o.decode.value)
	switch o.decode.value {
	case decodeNone:
		return nil, nil
	case decodeAuto:
		var ok bool
		// Who asks for another format wants the bytes.
		if kind, ok = coordinator.KindOf(topic); !ok || o.key != partition.FormatString || o.value != partition.FormatString {
			return nil, nil
		}
	}
	if d := o.decoders[kind]; d != nil {
		return d, nil
	}
	d, err := coordinator.New(kind, o.style.value == "3.9")
	o.decoders[kind] = d
	return d, err
}

// decodedRecord is a record's key and value as JSON; nil for what stays as it is.
type decodedRecord struct{ key, value []byte }

// decoded decodes a record as far as its key and its value are of a known type and version.
func decoded(d *coordinator.Decoder, r *batch.Record) decodedRecord {
	var out decodedRecord
	if d == nil || len(r.Key) < 2 {
		return out
	}
	key, err := d.Key(r.Key)
	if err != nil {
		return out
	}
	out.key = key
	if r.Value != nil {
		if value, err := d.Value(int16(binary.BigEndian.Uint16(r.Key)), r.Value); err == nil {
			out.value = value
		}
	}
	return out
}

func orDecoded(b []byte, format partition.ValueFormat, data, decoded []byte) []byte {
	if decoded != nil {
		return append(b, decoded...)
	}
	return format.AppendJSON(b, data)
}

// payload appends what DumpLogSegments prints of a record behind its header keys.
func (o *partitionRecordsOptions) payload(decoder *coordinator.Decoder) func([]byte, *batch.Record) []byte {
	if decoder == nil {
		return o.dumpPayload
	}
	return func(b []byte, r *batch.Record) []byte {
		b, err := decoder.AppendKafka(b, r.Offset, r.Key, r.Value)
		if err != nil {
			o.undecoded.add(r.Offset, err)
		}
		return b
	}
}
