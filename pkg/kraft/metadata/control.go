package metadata

import (
	"fmt"
	"strconv"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// ControlMessage is the content of a control record: *LeaderChangeMessage, *SnapshotHeaderRecord,
// *SnapshotFooterRecord, *KRaftVersionRecord, *VotersRecord or *EndTxnMarker.
type ControlMessage interface {
	decode(d *decoder, version int16)
	encode(b []byte, version int16) []byte
	json(b []byte, version int16, redact bool) []byte
}

// Control is one record of a control batch.
type Control struct {
	Type batch.ControlType
	// Message is nil for a type of no known release.
	Message ControlMessage
}

// AppendJSON appends the content as Kafka's JSON converters print it.
func (c *Control) AppendJSON(b []byte) []byte {
	if c.Message == nil {
		return append(b, "null"...)
	}
	return c.Message.json(b, 0, false)
}

// DecodeControl decodes a control record: the key is version and type, the value the message at version 0, without the
// frame of metadata records (Kafka's ControlRecordUtils).
func DecodeControl(key, value []byte) (Control, error) {
	t, err := batch.ParseControlKey(key)
	if err != nil {
		return Control{Type: -1}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	c := Control{Type: t}
	d := decoder{b: value}
	switch c.Type {
	case batch.Abort, batch.Commit:
		c.Message = &EndTxnMarker{}
		if v := d.int16(); v < 0 && d.err == nil {
			d.fail("end transaction marker version %d", v)
		}
	case batch.LeaderChange:
		c.Message = &LeaderChangeMessage{}
	case batch.SnapshotHeader:
		c.Message = &SnapshotHeaderRecord{}
	case batch.SnapshotFooter:
		c.Message = &SnapshotFooterRecord{}
	case batch.KRaftVersion:
		c.Message = &KRaftVersionRecord{}
	case batch.KRaftVoters:
		c.Message = &VotersRecord{}
	default:
		return c, fmt.Errorf("%w: control record type %d", ErrUnknownType, c.Type)
	}
	c.Message.decode(&d, 0)
	if d.err != nil {
		return Control{Type: c.Type}, fmt.Errorf("control record %s: %w", c.Type, d.err)
	}
	return c, nil
}

// AppendControlValue appends the value of a control record as Kafka writes it.
func AppendControlValue(b []byte, m ControlMessage) []byte {
	if _, ok := m.(*EndTxnMarker); ok {
		b = appendInt16(b, 0)
	}
	return m.encode(b, 0)
}

// appendControlText appends what kafka-dump-log prints behind a control record's offset and sizes. Releases before 4.0
// do not print what a leader change says.
func appendControlText(b, key, value []byte, before40 bool) []byte {
	c, err := DecodeControl(key, value)
	if err == nil {
		switch c.Type {
		case batch.Abort, batch.Commit:
			marker, _ := c.Message.(*EndTxnMarker)
			b = append(b, " endTxnMarker: "...)
			b = append(b, c.Type.String()...)
			b = append(b, " coordinatorEpoch: "...)
			return jsonInt(b, int64(marker.CoordinatorEpoch))
		case batch.SnapshotHeader:
			return c.AppendJSON(append(b, " SnapshotHeader "...))
		case batch.SnapshotFooter:
			return c.AppendJSON(append(b, " SnapshotFooter "...))
		case batch.KRaftVersion:
			return c.AppendJSON(append(b, " KRaftVersion "...))
		case batch.KRaftVoters:
			return c.AppendJSON(append(b, " KRaftVoters "...))
		case batch.LeaderChange:
			if !before40 {
				return c.AppendJSON(append(b, " LeaderChange: "...))
			}
		}
	}
	b = append(b, " controlType: "...)
	b = append(b, c.Type.String()...)
	b = append(b, '(')
	b = strconv.AppendInt(b, int64(c.Type), 10)
	return append(b, ')')
}
