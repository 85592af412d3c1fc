package storage

import (
	"fmt"
	"maps"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// snapshotWriter builds a snapshot file as RecordsSnapshotWriter does: a control batch that begins with the header,
// data, a control batch with the footer, offsets from 0 on.
type snapshotWriter struct {
	data   []byte
	offset int64
	now    int64
	err    error
}

// append adds one batch.
func (w *snapshotWriter) append(attributes batch.Attributes, records []batch.Record) {
	if w.err != nil {
		return
	}
	for i := range records {
		records[i].Offset, records[i].Timestamp = w.offset+int64(i), w.now
	}
	w.offset += int64(len(records))
	w.data, w.err = batch.Append(w.data, batch.NewHeader(0, attributes, records), records)
}

func controlRecord(kind batch.ControlType, message metadata.ControlMessage) batch.Record {
	const keyVersion = 0
	return batch.Record{
		Key:   []byte{keyVersion, keyVersion, byte(kind >> 8), byte(kind)},
		Value: metadata.AppendControlValue(nil, message),
	}
}

func header(timestamp int64) batch.Record {
	return controlRecord(batch.SnapshotHeader, &metadata.SnapshotHeaderRecord{LastContainedLogTimestamp: timestamp})
}

func footer() batch.Record {
	return controlRecord(batch.SnapshotFooter, &metadata.SnapshotFooterRecord{})
}

// bootstrap is bootstrap.checkpoint: the features, metadata.version first, and the SCRAM credentials.
func (p *plan) bootstrap() ([]byte, error) {
	messages := []metadata.Message{
		&metadata.FeatureLevelRecord{Name: metadata.MetadataVersionFeature, FeatureLevel: p.opts.Release},
	}
	for _, name := range slices.Sorted(maps.Keys(p.levels)) {
		if level := p.levels[name]; level > 0 {
			messages = append(messages, &metadata.FeatureLevelRecord{Name: name, FeatureLevel: level})
		}
	}
	for _, r := range p.scram {
		messages = append(messages, r)
	}
	var records []batch.Record
	for _, m := range messages {
		value, err := (&metadata.Record{Frame: 1, Message: m}).Append(nil)
		if err != nil {
			return nil, fmt.Errorf("encode bootstrap metadata: %w", err)
		}
		records = append(records, batch.Record{Value: value})
	}
	w := &snapshotWriter{now: p.opts.Now().UnixMilli()}
	w.append(batch.Control, []batch.Record{header(0)})
	w.append(0, records)
	w.append(batch.Control, []batch.Record{footer()})
	return w.data, w.err
}

// voterSnapshot is the snapshot 0-0 that holds the voters a dynamic quorum begins with.
func (p *plan) voterSnapshot() ([]byte, error) {
	voters := &metadata.VotersRecord{}
	for _, c := range p.opts.Controllers {
		voters.Voters = append(voters.Voters, metadata.Voter{
			VoterID: c.ID, VoterDirectoryID: c.DirectoryID,
			Endpoints:           []metadata.VoterEndpoint{{Name: p.opts.ListenerName, Host: c.Host, Port: c.Port}},
			KRaftVersionFeature: metadata.KRaftVersionFeature{MaxSupportedVersion: 1},
		})
	}
	w := &snapshotWriter{now: p.opts.Now().UnixMilli()}
	w.append(batch.Control, []batch.Record{
		header(w.now),
		controlRecord(batch.KRaftVersion, &metadata.KRaftVersionRecord{KRaftVersion: 1}),
		controlRecord(batch.KRaftVoters, voters),
	})
	w.append(batch.Control, []batch.Record{footer()})
	return w.data, w.err
}
