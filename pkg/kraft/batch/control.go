package batch

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// ControlType is the kind of a control record, org.apache.kafka.common.record.ControlRecordType.
type ControlType int16

// The control record types. Any other number is a type this release does not know and Kafka ignores.
const (
	Abort          ControlType = 0
	Commit         ControlType = 1
	LeaderChange   ControlType = 2
	SnapshotHeader ControlType = 3
	SnapshotFooter ControlType = 4
	KRaftVersion   ControlType = 5
	KRaftVoters    ControlType = 6
)

// String returns Kafka's name of the type, as kafka-dump-log prints it.
func (t ControlType) String() string {
	switch t {
	case Abort:
		return "ABORT"
	case Commit:
		return "COMMIT"
	case LeaderChange:
		return "LEADER_CHANGE"
	case SnapshotHeader:
		return "SNAPSHOT_HEADER"
	case SnapshotFooter:
		return "SNAPSHOT_FOOTER"
	case KRaftVersion:
		return "KRAFT_VERSION"
	case KRaftVoters:
		return "KRAFT_VOTERS"
	}
	return "UNKNOWN"
}

// ControlRecord is a parsed control record. Only the fields of its type are set.
type ControlRecord struct {
	Type ControlType
	// Version is the first field of the value: that of the message itself.
	Version int16
	// CoordinatorEpoch belongs to Abort and Commit.
	CoordinatorEpoch int32
	// LeaderID, Voters and GrantingVoters belong to LeaderChange; Voters also to KRaftVoters.
	LeaderID       int32
	Voters         []ControlVoter
	GrantingVoters []ControlVoter
	// LastContainedLogTimestamp belongs to SnapshotHeader, milliseconds since 1970.
	LastContainedLogTimestamp int64
	// KRaftVersion belongs to KRaftVersion: 0 for static voters, 1 for voters kept in the log.
	KRaftVersion int16
}

// ControlVoter is a voter in a control record.
type ControlVoter struct {
	ID int32
	// DirectoryID is the UUID's 16 bytes; zero where the record does not carry it.
	DirectoryID [16]byte
	// Endpoints, MinSupportedVersion and MaxSupportedVersion belong to KRaftVoters.
	Endpoints                                []Endpoint
	MinSupportedVersion, MaxSupportedVersion int16
}

// DirectoryIDString returns the directory ID as Kafka's Uuid.toString does: 22 characters of URL-safe base64.
func (v *ControlVoter) DirectoryIDString() string {
	return base64.RawURLEncoding.EncodeToString(v.DirectoryID[:])
}

// Endpoint is where a voter listens.
type Endpoint struct {
	Name, Host string
	Port       uint16
}

// ParseControlKey returns the type in a control record's key: int16 version, int16 type. Like ControlRecordType.parse
// it reads a newer version of the key as it reads version 0.
func ParseControlKey(key []byte) (ControlType, error) {
	if len(key) < 4 {
		return -1, fmt.Errorf("parse control record key: expected at least 4 bytes, found %d", len(key))
	}
	if v := int16(binary.BigEndian.Uint16(key)); v < 0 {
		return -1, fmt.Errorf("parse control record key: expected a version of at least 0, found %d", v)
	}
	return ControlType(binary.BigEndian.Uint16(key[2:])), nil
}

// ParseControl parses a record of a control batch, after the schemas LeaderChangeMessage, SnapshotHeaderRecord,
// SnapshotFooterRecord, KRaftVersionRecord, VotersRecord and EndTxnMarker. A type it does not know yields a record
// with Type alone. Bytes after the fields of Abort and Commit are left, as Kafka leaves them; elsewhere they are an
// error. Nothing in the result shares memory with the record.
func ParseControl(key, value []byte) (*ControlRecord, error) {
	t, err := ParseControlKey(key)
	if err != nil {
		return nil, err
	}
	c := &ControlRecord{Type: t}
	if c.Type.String() == "UNKNOWN" {
		return c, nil
	}
	p := controlParser{data: value}
	c.Version = p.int16()
	switch t {
	case Abort, Commit:
		c.CoordinatorEpoch = p.int32()
	case LeaderChange:
		c.LeaderID = p.int32()
		c.Voters = p.leaderChangeVoters(c.Version)
		c.GrantingVoters = p.leaderChangeVoters(c.Version)
	case SnapshotHeader:
		c.LastContainedLogTimestamp = p.int64()
	case KRaftVersion:
		c.KRaftVersion = p.int16()
	case KRaftVoters:
		c.Voters = p.voters()
	}
	if t != Abort && t != Commit {
		p.tags()
		p.end()
	}
	if p.err != nil {
		return nil, fmt.Errorf("parse control record %s version %d: %w", t, c.Version, p.err)
	}
	return c, nil
}

// controlParser reads Kafka's flexible encoding. After the first error it returns zeros.
type controlParser struct {
	data []byte
	pos  int
	err  error
}

func (p *controlParser) take(n int) []byte {
	if p.err != nil {
		return nil
	}
	if n < 0 || n > len(p.data)-p.pos {
		p.err = fmt.Errorf("expected %d bytes at %d, found %d", n, p.pos, len(p.data)-p.pos)
		return nil
	}
	b := p.data[p.pos : p.pos+n]
	p.pos += n
	return b
}

func (p *controlParser) int16() int16 {
	if b := p.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (p *controlParser) int32() int32 {
	if b := p.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (p *controlParser) int64() int64 {
	if b := p.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (p *controlParser) uuid() (id [16]byte) {
	copy(id[:], p.take(16))
	return id
}

func (p *controlParser) uvarint() int {
	var u uint64
	for i := range 5 {
		b := p.take(1)
		if b == nil {
			return 0
		}
		u |= uint64(b[0]&0x7f) << (7 * i)
		if b[0] < 0x80 {
			return int(uint32(u))
		}
	}
	p.err = errVarint
	return 0
}

// count reads a compact array's length; no element is shorter than least bytes, so what is claimed has to fit.
func (p *controlParser) count(least int) int {
	n := p.uvarint() - 1
	if p.err == nil && (n < 0 || n > (len(p.data)-p.pos)/least) {
		p.err = fmt.Errorf("an array of %d elements at %d with %d bytes left", n, p.pos, len(p.data)-p.pos)
	}
	if p.err != nil {
		return 0
	}
	return n
}

func (p *controlParser) string() string {
	return string(p.take(p.uvarint() - 1))
}

// tags skips a tagged field section: none of the control records has tagged fields.
func (p *controlParser) tags() {
	for range p.tagCount() {
		p.uvarint()
		p.take(p.uvarint())
	}
}

func (p *controlParser) tagCount() int {
	n := p.uvarint()
	if p.err == nil && n > (len(p.data)-p.pos)/2 {
		p.err = fmt.Errorf("%d tagged fields at %d with %d bytes left", n, p.pos, len(p.data)-p.pos)
	}
	if p.err != nil {
		return 0
	}
	return n
}

func (p *controlParser) end() {
	if p.err == nil && p.pos != len(p.data) {
		p.err = fmt.Errorf("%d bytes after the last field", len(p.data)-p.pos)
	}
}

func (p *controlParser) leaderChangeVoters(version int16) []ControlVoter {
	const least = 5 // ID and tagged fields
	n := p.count(least)
	if n == 0 {
		return nil
	}
	voters := make([]ControlVoter, 0, n)
	for i := 0; i < n && p.err == nil; i++ {
		v := ControlVoter{ID: p.int32()}
		if version >= 1 {
			v.DirectoryID = p.uuid()
		}
		p.tags()
		voters = append(voters, v)
	}
	return voters
}

func (p *controlParser) voters() []ControlVoter {
	const least = 4 + 16 + 1 + 5 + 1
	n := p.count(least)
	if n == 0 {
		return nil
	}
	voters := make([]ControlVoter, 0, n)
	for i := 0; i < n && p.err == nil; i++ {
		v := ControlVoter{ID: p.int32(), DirectoryID: p.uuid()}
		const leastEndpoint = 1 + 1 + 2 + 1
		endpoints := p.count(leastEndpoint)
		for j := 0; j < endpoints && p.err == nil; j++ {
			v.Endpoints = append(v.Endpoints, Endpoint{
				Name: p.string(), Host: p.string(), Port: uint16(p.int16()),
			})
			p.tags()
		}
		v.MinSupportedVersion, v.MaxSupportedVersion = p.int16(), p.int16()
		p.tags()
		p.tags()
		voters = append(voters, v)
	}
	return voters
}
