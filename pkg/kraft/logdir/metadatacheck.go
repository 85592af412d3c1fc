package logdir

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// segmentCheck follows the batches of one segment.
type segmentCheck struct {
	walk    *metadataWalk
	segment *Segment
	name    string
	gap     bool // a jump in the offsets was reported
}

func (c *segmentCheck) batch(b *batch.Batch) error {
	w := c.walk
	// LogSegment.ensureOffsetInRange: an index entry has 32 bits for the offset relative to the segment's.
	if relative := b.LastOffset() - c.segment.BaseOffset; relative < 0 || relative > math.MaxInt32 {
		return &batch.Error{
			Kind: batch.BadRecord, Position: b.Position, BaseOffset: b.BaseOffset, Record: -1,
			Expected: fmt.Sprintf("offsets from %d on", c.segment.BaseOffset),
			Found:    fmt.Sprintf("offset %d, which cannot lie in this segment", b.LastOffset()), Good: b.Position,
		}
	}
	if b.BaseOffset != w.logEnd && !c.gap {
		c.gap = true
		w.problemAt(w.place, c.name, b.Position,
			fmt.Errorf("expected a batch that begins at offset %d, found one that begins at %d", w.logEnd, b.BaseOffset))
	}
	w.batches++
	c.segment.Batches++
	c.segment.ValidBytes = b.Position + int64(b.Size())
	w.logEnd = b.NextOffset()
	w.lastEpoch = max(w.lastEpoch, b.PartitionLeaderEpoch)
	w.log.LastTimestamp = max(w.log.LastTimestamp, b.MaxTimestamp)
	if b.IsControl() {
		w.control(b, c.name, func(r *batch.Record) int64 { return r.Offset })
	}
	return nil
}

// control reads the control records of a batch; at gives the log offset that a record stands for. A record that does
// not parse is reported and does not end the walk: Kafka's recovery does not look into it either.
func (w *metadataWalk) control(b *batch.Batch, name string, at func(*batch.Record) int64) []batch.ControlType {
	records, err := w.decoder.Records(b)
	if err != nil {
		w.located(name, err)
		return nil
	}
	var types []batch.ControlType
	for records.Next() {
		r := records.Record()
		c, err := batch.ParseControl(r.Key, r.Value)
		if err != nil {
			w.problemAt(w.place, name, b.Position, fmt.Errorf("record at offset %d: %w", r.Offset, err))
			continue
		}
		types = append(types, c.Type)
		w.apply(c, name, at(r))
	}
	if err := records.Err(); err != nil {
		w.located(name, err)
	}
	return types
}

// apply keeps what the newest control records say.
func (w *metadataWalk) apply(c *batch.ControlRecord, name string, offset int64) {
	switch c.Type {
	case batch.LeaderChange:
		w.log.LeaderChangeVoters = nil
		for _, v := range c.Voters {
			w.log.LeaderChangeVoters = append(w.log.LeaderChangeVoters, v.ID)
		}
	case batch.SnapshotHeader:
		w.log.LastTimestamp = max(w.log.LastTimestamp, c.LastContainedLogTimestamp)
	case batch.KRaftVersion:
		if offset >= w.versionAt {
			w.log.KRaftVersion, w.versionAt = c.KRaftVersion, offset
		}
	case batch.KRaftVoters:
		if offset >= w.votedAt {
			w.votedAt = offset
			w.log.Voters = &VoterSet{Source: Escape(name), Offset: offset, Voters: votersOf(c)}
		}
	case batch.Abort, batch.Commit, batch.SnapshotFooter:
	}
}

func votersOf(c *batch.ControlRecord) []Voter {
	voters := make([]Voter, 0, len(c.Voters))
	for _, v := range c.Voters {
		voter := Voter{ID: v.ID, DirectoryID: v.DirectoryIDString()}
		for _, e := range v.Endpoints {
			voter.Endpoints = append(voter.Endpoints,
				Escape(e.Name)+"://"+net.JoinHostPort(Escape(e.Host), strconv.Itoa(int(e.Port))))
		}
		voters = append(voters, voter)
	}
	return voters
}

// snapshotCheck follows the batches of one snapshot.
type snapshotCheck struct {
	walk    *metadataWalk
	id      OffsetAndEpoch
	name    string
	batches int
	header  bool
	footer  bool // the last batch ended with the footer
}

func (c *snapshotCheck) batch(b *batch.Batch) error {
	c.batches++
	c.footer = false
	if !b.IsControl() {
		return nil
	}
	types := c.walk.control(b, c.name, func(*batch.Record) int64 { return c.id.Offset - 1 })
	if len(types) == 0 {
		return nil
	}
	c.header = c.header || c.batches == 1 && types[0] == batch.SnapshotHeader
	c.footer = types[len(types)-1] == batch.SnapshotFooter
	return nil
}

// complete tells what a whole snapshot would have that this one has not.
func (c *snapshotCheck) complete() error {
	switch {
	case c.batches == 0:
		return errors.New("expected a snapshot header, found no record batch")
	case !c.header:
		return errors.New("expected a snapshot header in the first batch, found none; Kafka fails to load it")
	case !c.footer:
		return errors.New("expected a snapshot footer at the end, found none; the snapshot is incomplete")
	}
	return nil
}
