package metadata

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// Entry is one record met by Walk. It is valid during the call only.
type Entry struct {
	Position
	// File, BatchPosition and BatchOffset say where the record lies: the file, the byte offset of its batch in it and
	// that batch's base offset. Offsets in a snapshot count its own records from 0.
	File          string
	BatchPosition int64
	BatchOffset   int64
	// Record is the metadata record; nil for a control record, which is Control.
	Record  *Record
	Control *Control
}

// TypeName is the record's type as Kafka prints it.
func (e *Entry) TypeName() string {
	if e.Record == nil {
		return e.Control.Type.String()
	}
	return e.Record.Message.Type().String()
}

// AppendPayload appends {"type":…,"version":…,"data":{…}}, for control records too.
func (e *Entry) AppendPayload(b []byte, redact bool) []byte {
	if e.Record != nil {
		return e.Record.AppendJSON(b, redact)
	}
	b = append(append(append(b, `{"type":"`...), e.Control.Type.String()...), `","version":0,"data":`...)
	return append(e.Control.AppendJSON(b), '}')
}

// AppendJSON appends one object for the record, as metadata records -o jsonl prints it.
func (e *Entry) AppendJSON(b []byte, redact bool) []byte {
	b = jsonString(append(b, `{"file":`...), e.File)
	b = jsonInt(append(b, `,"offset":`...), e.Offset)
	b = jsonInt(append(b, `,"epoch":`...), int64(e.Epoch))
	b = jsonInt(append(b, `,"timestamp":`...), e.Timestamp)
	b = jsonInt(append(b, `,"batch":`...), e.BatchOffset)
	b = e.AppendPayload(append(b, `,"payload":`...), redact)
	return append(b, '}')
}

// Walk calls fn for every record of a segment or snapshot, in order. It goes on behind damage where a sound batch
// begins again; what was skipped is in the problems returned. It stops at an error of fn and returns it.
func Walk(fsys fs.FS, name string, limits batch.Limits, fn func(*Entry) error) ([]Problem, error) {
	reader, closer, err := openBatches(fsys, name, batch.Options{Limits: limits, Resync: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = closer.Close() }()
	w := walker{records: batch.NewDecoder(limits), fn: fn}
	for reader.Next() {
		if err := w.batch(reader.Batch()); err != nil {
			return w.result.Problems, err
		}
	}
	for _, gap := range reader.Gaps() {
		w.result.add(Problem{name, gap.From, gap.Err.BaseOffset, gap.Err.Error()})
	}
	var damage *batch.Error
	if err := reader.Err(); errors.As(err, &damage) {
		if damage.Kind == batch.ReadFailed {
			return w.result.Problems, err
		}
		w.result.add(Problem{name, damage.Position, damage.BaseOffset, damage.Error()})
	}
	return w.result.Problems, nil
}

type walker struct {
	records *batch.Decoder
	decoder Decoder
	fn      func(*Entry) error
	result  DumpResult
}

func (w *walker) batch(b *batch.Batch) error {
	it, err := w.records.Records(b)
	if err != nil {
		w.result.add(Problem{b.File, b.Position, b.BaseOffset, err.Error()})
		return nil //nolint:nilerr // a batch that does not decode is a problem of the file, not of the walk
	}
	for it.Next() {
		r := it.Record()
		e := Entry{
			Position: Position{Offset: r.Offset, Epoch: b.PartitionLeaderEpoch, Timestamp: r.Timestamp},
			File:     b.File, BatchPosition: b.Position, BatchOffset: b.BaseOffset,
		}
		if b.IsControl() {
			c, err := DecodeControl(r.Key, r.Value)
			if err != nil {
				w.result.add(Problem{b.File, b.Position, r.Offset, err.Error()})
			}
			e.Control = &c
		} else {
			rec := w.decoder.Decode(r.Value)
			if u, ok := rec.Message.(*UnknownRecord); ok {
				w.result.add(Problem{b.File, b.Position, r.Offset, u.reason()})
			}
			e.Record = &rec
		}
		if err := w.fn(&e); err != nil {
			return err
		}
	}
	if err := it.Err(); err != nil {
		w.result.add(Problem{b.File, b.Position, b.BaseOffset, err.Error()})
	}
	return nil
}

// FindDirs lists the metadata log directories of a volume, of a log directory, or fsys itself when it is one.
func FindDirs(fsys fs.FS) ([]string, error) {
	files, err := Files(fsys, ".")
	if err != nil {
		return nil, err
	}
	if len(files) > 0 {
		return []string{"."}, nil
	}
	var out []string
	for _, pattern := range []string{Dir, path.Join("*", Dir)} {
		found, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, err //nolint:wrapcheck // only a bad pattern fails
		}
		out = append(out, found...)
	}
	return out, nil
}

// ParseType reads a record type in any of the ways people write it: TOPIC_RECORD, TopicRecord, topic-record, topic.
func ParseType(s string) (Type, bool) {
	want := plainType(s)
	for _, t := range Types() {
		if name := plainType(t.String()); name == want || name == want+"record" {
			return t, true
		}
	}
	return 0, false
}

func plainType(s string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
}
