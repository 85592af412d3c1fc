package metadata_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// logBuilder makes files of a metadata log, one batch for each call of add.
type logBuilder struct {
	t      *testing.T
	offset int64
	epoch  int32
	data   []byte
}

func newLog(t *testing.T) *logBuilder { t.Helper(); return &logBuilder{t: t, epoch: 1} }

func value(t *testing.T, version int16, m metadata.Message) []byte {
	t.Helper()
	rec := metadata.Record{Frame: 1, Version: version, Message: m}
	b, err := rec.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (l *logBuilder) append(attributes batch.Attributes, records []batch.Record) {
	l.t.Helper()
	for i := range records {
		records[i].Offset, records[i].Timestamp = l.offset, 1_700_000_000_000+l.offset
		l.offset++
	}
	for i := range records {
		records[i].Timestamp = records[0].Timestamp
	}
	out, err := batch.Append(l.data, batch.NewHeader(l.epoch, attributes, records), records)
	if err != nil {
		l.t.Fatal(err)
	}
	l.data = out
}

// add appends one batch with the highest version of each message.
func (l *logBuilder) add(messages ...metadata.Message) *logBuilder {
	l.t.Helper()
	var records []batch.Record
	for _, m := range messages {
		_, highest := metadata.VersionsOf(m)
		records = append(records, batch.Record{Value: value(l.t, highest, m)})
	}
	l.append(0, records)
	return l
}

// raw appends one batch of values as they are.
func (l *logBuilder) raw(values ...[]byte) *logBuilder {
	l.t.Helper()
	var records []batch.Record
	for _, v := range values {
		records = append(records, batch.Record{Value: v})
	}
	l.append(0, records)
	return l
}

func (l *logBuilder) control(kind batch.ControlType, m metadata.ControlMessage) *logBuilder {
	l.t.Helper()
	key := []byte{0, 0, 0, byte(kind)}
	l.append(batch.Control, []batch.Record{{Key: key, Value: metadata.AppendControlValue(nil, m)}})
	return l
}

// file is what the builder holds, as a file.
func (l *logBuilder) file() *fstest.MapFile { return &fstest.MapFile{Data: l.data, Mode: 0o644} }

// snapshot frames messages as a snapshot.
func snapshot(t *testing.T, messages ...metadata.Message) *fstest.MapFile {
	t.Helper()
	l := newLog(t).control(batch.SnapshotHeader, &metadata.SnapshotHeaderRecord{LastContainedLogTimestamp: 1_699_999_999_000})
	if len(messages) > 0 {
		l.add(messages...)
	}
	return l.control(batch.SnapshotFooter, &metadata.SnapshotFooterRecord{}).file()
}

func segmentName(base int64) string { return fmt.Sprintf("%020d.log", base) }

func snapshotName(end int64, epoch int32) string {
	return fmt.Sprintf("%020d-%010d.checkpoint", end, epoch)
}

func read(t *testing.T, fsys fstest.MapFS, opts metadata.ReadOptions) *metadata.Image {
	t.Helper()
	im, err := metadata.ReadImage(fsys, ".", opts)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func id(n byte) metadata.UUID { return metadata.UUID{0: n, 15: n} }

func ptr[T any](v T) *T { return &v }

func topic(name string, n byte) *metadata.TopicRecord {
	return &metadata.TopicRecord{Name: name, TopicID: id(n)}
}

func partition(n byte, p int32, replicas ...int32) *metadata.PartitionRecord {
	return &metadata.PartitionRecord{
		TopicID: id(n), PartitionID: p, Replicas: replicas, ISR: replicas, Leader: replicas[0],
		Directories: make([]metadata.UUID, len(replicas)),
	}
}
