package partition

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

// Level is how bad an issue is.
type Level string

// The levels. An Error is data that is lost or cannot be read from this copy; a Warning is something Kafka repairs or
// that may have been lost before.
const (
	Error   Level = "error"
	Warning Level = "warning"
)

// The rules of Verify.
const (
	RuleTorn    = "torn"    // the last append was cut short
	RuleDamaged = "damaged" // bytes that are no sound batch
	RuleRecords = "records" // a sound batch whose records are not
	RuleOrder   = "order"   // offsets that go back, or lie below the segment's name
	RuleUnread  = "unread"  // what could not be read
)

// Issue is one thing found wrong.
type Issue struct {
	Level Level  `json:"level"`
	Rule  string `json:"rule"`
	// Path is the file, or the directory, below the volume's root.
	Path string `json:"path"`
	// Position is the byte in the file and Offset Kafka's offset; -1 where unknown.
	Position int64 `json:"position"`
	Offset   int64 `json:"offset"`
	// Message says what was expected, what was found and what Kafka does about it; Remedy what to do.
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

// Report is what Verify found.
type Report struct {
	Partitions int   `json:"partitions"`
	Files      int   `json:"files"`
	Bytes      int64 `json:"bytes"`
	Batches    int64 `json:"batches"`
	Records    int64 `json:"records"`
	// Issues are at most some thousands; More counts those left out.
	Issues []Issue `json:"issues"`
	More   int     `json:"more,omitempty"`
}

// VerifyOptions set how Verify reads.
type VerifyOptions struct {
	Limits batch.Limits
	// Read is told how many more bytes were read; it may be nil.
	Read func(bytes int64)
}

// progressBytes is how much is read between two calls of VerifyOptions.Read.
const progressBytes = 8 << 20

// Verify reads every segment and snapshot of the places whole: the CRC of each batch, and each record after
// decompression. An error is the context's; all that is wrong with the files is in the report.
func Verify(ctx context.Context, fsys fs.FS, places []Place, opts VerifyOptions) (*Report, error) {
	v := verifier{
		ctx: ctx, fsys: fsys, opts: opts, report: &Report{Issues: []Issue{}}, records: batch.NewDecoder(opts.Limits),
	}
	for i := range places {
		if err := v.place(&places[i]); err != nil {
			return v.report, err
		}
	}
	return v.report, nil
}

type verifier struct {
	ctx     context.Context //nolint:containedctx // lives as long as one Verify
	fsys    fs.FS
	opts    VerifyOptions
	report  *Report
	records *batch.Decoder
	unsaid  int64 // bytes read and not told to opts.Read
	last    bool  // the present segment is the partition's last
	next    int64 // the offset that the next batch may begin at
}

func (v *verifier) add(i Issue) {
	if len(v.report.Issues) >= maxProblems {
		v.report.More++
		return
	}
	v.report.Issues = append(v.report.Issues, i)
}

const otherCopy = "restore from a replica that is sound: verify the other volumes, too"

func (v *verifier) unread(name string, err error) {
	v.add(Issue{
		Level: Error, Rule: RuleUnread, Path: logdir.Escape(name), Position: -1, Offset: -1,
		Message: logdir.EscapeText(err.Error()), Remedy: "repair access to the volume and verify again",
	})
}

func (v *verifier) place(p *Place) error {
	v.report.Partitions++
	segments, err := Segments(v.fsys, p.Path)
	if err != nil {
		v.unread(p.Path, err)
		return nil
	}
	v.next = 0
	for i, s := range segments {
		v.last = i == len(segments)-1
		v.next = max(v.next, s.BaseOffset)
		if err := v.file(s); err != nil {
			return err
		}
	}
	for _, s := range v.snapshots(p.Path) {
		v.last, v.next = true, 0
		if err := v.file(s); err != nil {
			return err
		}
	}
	return nil
}

// snapshots are the .checkpoint files of the metadata log, made of batches too.
func (v *verifier) snapshots(dir string) []Segment {
	entries, err := fs.ReadDir(v.fsys, dir)
	if err != nil {
		return nil // told by place
	}
	var out []Segment
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && strings.HasSuffix(e.Name(), ".checkpoint") {
			out = append(out, Segment{Name: path.Join(dir, e.Name()), Size: info.Size()})
		}
	}
	return out
}

func (v *verifier) file(s Segment) error {
	v.report.Files++
	err := each(v.fsys, s, batch.Options{Limits: v.opts.Limits, Resync: true}, v.read)
	v.tell(0)
	var damage *batch.Error
	switch {
	case v.ctx.Err() != nil:
		return fmt.Errorf("verify %q: %w", logdir.Escape(s.Name), v.ctx.Err())
	case errors.As(err, &damage) && damage.Kind != batch.ReadFailed:
		v.damage(damage)
	case err != nil:
		v.unread(s.Name, err)
	}
	return nil
}

func (v *verifier) tell(atLeast int64) {
	if v.unsaid > atLeast && v.opts.Read != nil {
		v.opts.Read(v.unsaid)
		v.unsaid = 0
	}
}

func (v *verifier) read(r *batch.Reader) error {
	for r.Next() {
		b := r.Batch()
		v.report.Batches++
		v.report.Bytes += int64(b.Size())
		if v.unsaid += int64(b.Size()); v.unsaid > progressBytes {
			if err := v.ctx.Err(); err != nil {
				return err //nolint:wrapcheck // file says which file
			}
			v.tell(progressBytes)
		}
		v.order(b)
		v.decode(b)
	}
	for _, gap := range r.Gaps() {
		v.damage(gap.Err)
	}
	return r.Err()
}

// order checks what LogSegment.recover and UnifiedLog.analyzeAndValidateRecords rely on. Gaps are fine: compaction and
// transactions leave them.
func (v *verifier) order(b *batch.Batch) {
	if b.BaseOffset < v.next {
		v.add(Issue{
			Level: Error, Rule: RuleOrder, Path: b.File, Position: b.Position, Offset: b.BaseOffset,
			Message: fmt.Sprintf("expected an offset of %d or more, found a batch at offset %d", v.next, b.BaseOffset),
			Remedy:  otherCopy,
		})
	}
	v.next = max(v.next, b.NextOffset())
}

func (v *verifier) decode(b *batch.Batch) {
	it, err := v.records.Records(b)
	previous := b.BaseOffset - 1
	for err == nil && it.Next() {
		v.report.Records++
		if offset := it.Record().Offset; offset <= previous || offset > b.LastOffset() {
			err = recordError(b, fmt.Errorf("record offset %d is outside of %d to %d", offset, previous+1, b.LastOffset()))
			break
		}
		previous = it.Record().Offset
		if b.IsControl() {
			_, err = batch.ParseControl(it.Record().Key, it.Record().Value)
		}
	}
	if err == nil {
		err = it.Err()
	}
	if err == nil {
		return
	}
	e := recordError(b, err)
	v.add(Issue{
		Level: Error, Rule: RuleRecords, Path: e.File, Position: b.Position, Offset: b.BaseOffset,
		Message: e.Error() + "; the CRC is right, so it was written like this: consumers stop here",
		Remedy:  "skip it in the consumers: seek behind its last offset, " + fmt.Sprint(b.LastOffset()),
	})
}

func (v *verifier) damage(e *batch.Error) {
	issue := Issue{
		Level: Error, Rule: RuleDamaged, Path: e.File, Position: e.Position, Offset: e.BaseOffset, Remedy: otherCopy,
		Message: e.Error() + "; after an unclean stop Kafka cuts the log off here, after a clean one readers stop here",
	}
	if (e.Kind == batch.Torn || e.Kind == batch.Zeros) && v.last {
		issue.Level, issue.Rule = Warning, RuleTorn
		issue.Message = e.Error() + "; an append cut short by a crash looks like this, and Kafka cuts it off when it starts"
		issue.Remedy = ""
	}
	v.add(issue)
}
