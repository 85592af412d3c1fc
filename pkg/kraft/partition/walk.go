package partition

import (
	"cmp"
	"errors"
	"io/fs"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

// Range is what part of a partition to read. The zero value is all of it.
type Range struct {
	// FromOffset and ToOffset bound offsets, ToOffset exclusive; a ToOffset of 0 means no bound.
	FromOffset, ToOffset int64
	// FromTime and ToTime bound timestamps in milliseconds since 1970, ToTime exclusive; 0 means no bound.
	FromTime, ToTime int64
}

// Contains tells whether a record at an offset and time is in the range.
func (r *Range) Contains(offset, timestamp int64) bool {
	return offset >= r.FromOffset && (r.ToOffset == 0 || offset < r.ToOffset) &&
		(r.FromTime == 0 || timestamp >= r.FromTime) && (r.ToTime == 0 || timestamp < r.ToTime)
}

// skips tells whether no record of a batch can be in the range.
func (r *Range) skips(b *batch.Batch) bool {
	return b.LastOffset() < r.FromOffset || r.ToOffset != 0 && b.BaseOffset >= r.ToOffset ||
		r.FromTime != 0 && b.MaxTimestamp < r.FromTime
}

// Entry is one record met by Walk. It, and what it points to, is valid during the call only.
type Entry struct {
	// Batch is the batch the record is in; its File and Position say where.
	Batch *batch.Batch
	*batch.Record
	// Control is what a record of a control batch says: where a transaction was committed or aborted.
	Control *batch.ControlRecord
}

// Walk calls fn for every record of the segments within the range, in order. Segments and batches outside of it are not
// decoded. It goes on behind damage where a sound batch begins again; what was skipped is in the problems. It stops at
// an error of fn and returns it.
func Walk(
	fsys fs.FS, segments []Segment, within Range, limits batch.Limits, fn func(*Entry) error,
) ([]logdir.Problem, error) {
	w := walk{within: within, records: batch.NewDecoder(limits), fn: fn}
	for i, s := range segments {
		if within.ToOffset != 0 && s.BaseOffset >= within.ToOffset {
			break
		}
		if i+1 < len(segments) && segments[i+1].BaseOffset <= within.FromOffset {
			continue
		}
		if err := each(fsys, s, batch.Options{Limits: limits, Resync: true}, w.segment); err != nil {
			return w.problems, err
		}
	}
	return w.problems, nil
}

// maxProblems bounds what is kept of what was wrong.
const maxProblems = 1000

type walk struct {
	within   Range
	records  *batch.Decoder
	fn       func(*Entry) error
	problems []logdir.Problem
}

func (w *walk) problem(e *batch.Error) {
	if len(w.problems) < maxProblems {
		w.problems = append(w.problems, located(e))
	}
}

func located(e *batch.Error) logdir.Problem {
	return logdir.Problem{Path: e.File, Offset: e.Position, Message: e.Error()}
}

func (w *walk) segment(r *batch.Reader) error {
	for r.Next() {
		b := r.Batch()
		if w.within.skips(b) {
			continue
		}
		if err := w.batch(b); err != nil {
			return err
		}
	}
	for _, gap := range r.Gaps() {
		w.problem(gap.Err)
	}
	var damage *batch.Error
	if err := r.Err(); errors.As(err, &damage) {
		if damage.Kind == batch.ReadFailed {
			return err //nolint:wrapcheck // it says file and place
		}
		w.problem(damage)
	}
	return nil
}

func (w *walk) batch(b *batch.Batch) error {
	it, err := w.records.Records(b)
	if err != nil {
		w.damage(b, err)
		return nil
	}
	for it.Next() {
		r := it.Record()
		if !w.within.Contains(r.Offset, r.Timestamp) {
			continue
		}
		e := Entry{Batch: b, Record: r}
		if b.IsControl() {
			if e.Control, err = batch.ParseControl(r.Key, r.Value); err != nil {
				w.problem(recordError(b, err))
				continue
			}
		}
		if err := w.fn(&e); err != nil {
			return err
		}
	}
	if err := it.Err(); err != nil {
		w.damage(b, err)
	}
	return nil
}

func (w *walk) damage(b *batch.Batch, err error) { w.problem(recordError(b, err)) }

// recordError gives an error of decoding records its place.
func recordError(b *batch.Batch, err error) *batch.Error {
	var e *batch.Error
	if errors.As(err, &e) {
		located := *e
		located.File, located.Position = cmp.Or(located.File, b.File), b.Position
		return &located
	}
	return &batch.Error{
		Kind: batch.BadRecord, File: b.File, Position: b.Position, BaseOffset: b.BaseOffset, Record: -1,
		Expected: "a control record", Found: "another", Err: err, Good: b.Position,
	}
}
