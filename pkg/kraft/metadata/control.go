package metadata

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// ControlType is the type in the key of a control record (Kafka's ControlRecordType).
type ControlType int16

// The control records of KRaft.
const (
	ControlAbort          ControlType = 0
	ControlCommit         ControlType = 1
	ControlLeaderChange   ControlType = 2
	ControlSnapshotHeader ControlType = 3
	ControlSnapshotFooter ControlType = 4
	ControlKRaftVersion   ControlType = 5
	ControlKRaftVoters    ControlType = 6
)

// String is the name Kafka prints.
func (t ControlType) String() string {
	names := [...]string{
		"ABORT", "COMMIT", "LEADER_CHANGE", "SNAPSHOT_HEADER", "SNAPSHOT_FOOTER", "KRAFT_VERSION", "KRAFT_VOTERS",
	}
	if t < 0 || int(t) >= len(names) {
		return "UNKNOWN"
	}
	return names[t]
}

// ControlMessage is the content of a control record: *LeaderChangeMessage, *SnapshotHeaderRecord,
// *SnapshotFooterRecord, *KRaftVersionRecord, *VotersRecord or *EndTxnMarker.
type ControlMessage interface {
	decode(d *decoder, version int16)
	encode(b []byte, version int16) []byte
	json(b []byte, version int16, redact bool) []byte
}

// Control is one record of a control batch.
type Control struct {
	Type ControlType
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
	if len(key) < 4 {
		return Control{Type: -1}, fmt.Errorf("%w: control record key of %d bytes, want 4", ErrMalformed, len(key))
	}
	c := Control{Type: ControlType(int16(binary.BigEndian.Uint16(key[2:])))}
	d := decoder{b: value}
	switch c.Type {
	case ControlAbort, ControlCommit:
		c.Message = &EndTxnMarker{}
		if v := d.int16(); v < 0 && d.err == nil {
			d.fail("end transaction marker version %d", v)
		}
	case ControlLeaderChange:
		c.Message = &LeaderChangeMessage{}
	case ControlSnapshotHeader:
		c.Message = &SnapshotHeaderRecord{}
	case ControlSnapshotFooter:
		c.Message = &SnapshotFooterRecord{}
	case ControlKRaftVersion:
		c.Message = &KRaftVersionRecord{}
	case ControlKRaftVoters:
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
		case ControlAbort, ControlCommit:
			marker, _ := c.Message.(*EndTxnMarker)
			b = append(b, " endTxnMarker: "...)
			b = append(b, c.Type.String()...)
			b = append(b, " coordinatorEpoch: "...)
			return jsonInt(b, int64(marker.CoordinatorEpoch))
		case ControlSnapshotHeader:
			return c.AppendJSON(append(b, " SnapshotHeader "...))
		case ControlSnapshotFooter:
			return c.AppendJSON(append(b, " SnapshotFooter "...))
		case ControlKRaftVersion:
			return c.AppendJSON(append(b, " KRaftVersion "...))
		case ControlKRaftVoters:
			return c.AppendJSON(append(b, " KRaftVoters "...))
		case ControlLeaderChange:
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
