package metadata

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// ReadOptions set how an image is read. The zero value reads everything.
type ReadOptions struct {
	// Until stops before that offset, to see the cluster as it was then; 0 means the end. A metadata transaction that
	// is not complete by then is left out.
	Until int64
	// SnapshotsBelow leaves out snapshots that end at that offset or later, so that a snapshot can be held against the
	// log that led to it; 0 takes all.
	SnapshotsBelow int64
	// Limits bound the memory that a batch may take.
	Limits batch.Limits
}

// Report says what an image was read from and how sound that was.
type Report struct {
	// Snapshot is the snapshot the image starts from, empty when it starts from the log alone.
	Snapshot string `json:"snapshot,omitempty"`
	// SnapshotEnd is the snapshot's exclusive end offset: everything before it is known to be committed.
	SnapshotEnd int64 `json:"snapshotEnd"`
	// Segments are the log segments read.
	Segments []string `json:"segments,omitempty"`
	// LogEnd is the offset behind the last batch read, whether it is part of the image or not.
	LogEnd  int64 `json:"logEnd"`
	Records int64 `json:"records"`
	// Problems are what could not be read or what Kafka would refuse, at most MaxProblems of them; More counts the rest.
	Problems []Problem `json:"problems,omitempty"`
	More     int       `json:"moreProblems,omitempty"`
	// Torn is set when the last segment ends in an append that was cut short; Kafka cuts it off at start.
	Torn bool `json:"torn,omitempty"`
	// Incomplete is set when the image may lack or hold wrongly what was in the files.
	Incomplete bool `json:"incomplete"`
}

// MaxProblems bounds Report.Problems.
const MaxProblems = 100

// Problem is something wrong in a file of the metadata log.
type Problem struct {
	File string `json:"file"`
	// Position is the byte offset of the batch in the file, -1 where it has no meaning.
	Position int64 `json:"position"`
	// Offset is the record's offset, -1 where it has no meaning.
	Offset  int64  `json:"offset"`
	Message string `json:"message"`
}

func (r *Report) add(p Problem) {
	r.Incomplete = true
	if len(r.Problems) < MaxProblems {
		r.Problems = append(r.Problems, p)
		return
	}
	r.More++
}

// ReadImage replays the metadata log in dir of fsys, a __cluster_metadata-0 directory, as Kafka's MetadataLoader does:
// the newest sound snapshot, then every batch of the log from its end on, up to the first that Kafka would cut off.
//
// It fails, wrapping ErrNoMetadata or the source's error, only when there is nothing to read. What is damaged, missing
// or refused is told by the image's Report.
func ReadImage(fsys fs.FS, dir string, opts ReadOptions) (*Image, error) {
	files, err := Files(fsys, dir)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("read %q: %w", dir, ErrNoMetadata)
	}
	r := &replayer{fsys: fsys, opts: opts, records: batch.NewDecoder(opts.Limits)}
	var segments []File
	for _, f := range files {
		if f.Kind == Segment {
			segments = append(segments, f)
		}
	}
	r.start(files)
	r.log(segments)
	return r.im, nil
}

// ReadFile reads the image of one file alone: a snapshot, or a log segment whose image lacks what was before it.
func ReadFile(fsys fs.FS, name string, opts ReadOptions) (*Image, error) {
	f, ok := ParseName(name)
	if !ok {
		return nil, fmt.Errorf("read %q: %w: want a name like %s", name, ErrNoMetadata,
			"00000000000000000000.log or 00000000000000000100-0000000005.checkpoint")
	}
	if _, err := fs.Stat(fsys, name); err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	r := &replayer{fsys: fsys, opts: opts, records: batch.NewDecoder(opts.Limits), im: NewImage()}
	if f.Kind == Segment {
		r.log([]File{f})
		return r.im, nil
	}
	r.snapshot(f)
	return r.im, nil
}

// replayer fills one image from files.
type replayer struct {
	fsys    fs.FS
	opts    ReadOptions
	records *batch.Decoder
	im      *Image
	next    int64 // the offset expected next
	epoch   int32 // the snapshot's
	stopped bool  // at Until, or where Kafka would cut the log
}

// start fills the image from the newest sound snapshot within Until. When none is sound the newest one stays, with its
// problems, unless the log reaches back to offset 0.
func (r *replayer) start(files []File) {
	var problems []Problem
	fromZero := false
	var damaged *Image
	for _, f := range slices.Backward(files) {
		switch {
		case f.Kind == Segment && f.Offset == 0:
			fromZero = true
		case f.Kind == Snapshot && r.takes(f):
			r.im = NewImage()
			if r.snapshot(f); !r.im.report.Incomplete {
				r.im.report.addAll(problems)
				return
			}
			problems = append(problems, r.im.report.Problems...)
			if damaged == nil {
				damaged = r.im
			}
		}
	}
	if damaged != nil && !fromZero {
		r.im = damaged
		r.next, r.epoch = damaged.report.SnapshotEnd, damaged.provenance.LastEpoch
		return
	}
	r.im, r.next, r.epoch = NewImage(), 0, 0
	r.im.report.addAll(problems)
}

func (r *replayer) takes(f File) bool {
	return (r.opts.Until <= 0 || f.Offset <= r.opts.Until) &&
		(r.opts.SnapshotsBelow <= 0 || f.Offset < r.opts.SnapshotsBelow)
}

func (r *Report) addAll(problems []Problem) {
	for _, p := range problems {
		r.add(p)
	}
}

// snapshot applies a snapshot. Its records have offsets of their own, so everything in it counts as being at its end.
func (r *replayer) snapshot(f File) {
	report := &r.im.report
	report.Snapshot, report.SnapshotEnd = f.Name, f.Offset
	reader, err := openAhead(r.fsys, f.Name, batch.Options{Limits: r.opts.Limits})
	if err != nil {
		report.add(Problem{f.Name, -1, -1, err.Error()})
		return
	}
	defer func() { _ = reader.Close() }()
	at := Position{Offset: f.Offset - 1, Epoch: f.Epoch, Timestamp: -1}
	footer, first := false, true
	for reader.Next() {
		b := reader.Batch()
		if first && !b.IsControl() {
			report.add(Problem{f.Name, b.Position, -1, "the first batch is not a control batch with a snapshot header"})
		}
		first = false
		r.batch(b, false, func(rec *batch.Record) Position {
			if !b.IsControl() {
				return at
			}
			c, err := DecodeControl(rec.Key, rec.Value)
			if header, ok := c.Message.(*SnapshotHeaderRecord); ok && err == nil {
				at.Timestamp = header.LastContainedLogTimestamp
			}
			footer = footer || c.Type == batch.SnapshotFooter
			return at
		})
	}
	if err := reader.Err(); err != nil {
		report.addBatchError(f.Name, err)
	} else if !footer {
		report.add(Problem{f.Name, f.Size, -1, "snapshot ends without a footer: it was not finished"})
	}
	if f.Kind == Snapshot {
		r.im.advance(at)
	}
	r.next, r.epoch, report.LogEnd = f.Offset, f.Epoch, f.Offset
}

func (r *Report) addBatchError(file string, err error) {
	var e *batch.Error
	if !errors.As(err, &e) {
		r.add(Problem{file, -1, -1, err.Error()})
		return
	}
	r.add(Problem{file, e.Position, e.BaseOffset, err.Error()})
}

// batch applies the records of one batch, of the log only those within bounds; at gives each its position.
func (r *replayer) batch(b *batch.Batch, log bool, at func(*batch.Record) Position) {
	report := &r.im.report
	it, err := r.records.Records(b)
	if err != nil {
		report.addBatchError(b.File, err)
		return
	}
	control := b.IsControl()
	for it.Next() {
		rec := it.Record()
		if log && rec.Offset < r.next {
			continue
		}
		if log && r.opts.Until > 0 && rec.Offset >= r.opts.Until {
			r.stopped = true
			return
		}
		report.Records++
		position := at(rec)
		if control {
			err = r.im.ApplyControl(rec.Key, rec.Value, position)
		} else {
			err = r.im.Apply(rec.Value, position)
		}
		if err != nil {
			report.add(Problem{b.File, b.Position, rec.Offset, err.Error()})
		}
	}
	if err := it.Err(); err != nil {
		report.addBatchError(b.File, err)
	}
}

// log applies the segments behind the snapshot.
func (r *replayer) log(segments []File) {
	for i, f := range segments {
		if i+1 < len(segments) && segments[i+1].Offset <= r.next {
			continue // wholly before the snapshot
		}
		if r.opts.Until > 0 && f.Offset >= r.opts.Until {
			return
		}
		last := i+1 == len(segments)
		if !r.segment(f, last) || r.stopped {
			if !r.stopped && !last {
				r.im.report.add(Problem{
					f.Name, -1, r.next,
					fmt.Sprintf("the log ends here; %d later segment(s), which Kafka deletes when it starts, were not read",
						len(segments)-i-1),
				})
			}
			return
		}
	}
}

// segment applies one segment and tells whether the log goes on behind it.
func (r *replayer) segment(f File, last bool) bool {
	report := &r.im.report
	report.Segments = append(report.Segments, f.Name)
	reader, err := openAhead(r.fsys, f.Name, batch.Options{Limits: r.opts.Limits})
	if err != nil {
		report.add(Problem{f.Name, -1, -1, err.Error()})
		return false
	}
	defer func() { _ = reader.Close() }()
	for !r.stopped && reader.Next() {
		r.logBatch(reader.Batch())
	}
	if r.stopped {
		return true
	}
	if err = reader.Err(); err == nil {
		return true
	}
	var e *batch.Error
	if errors.As(err, &e) && last && (e.Kind == batch.Torn || e.Kind == batch.Zeros) {
		report.Torn = true
		return false
	}
	report.addBatchError(f.Name, err)
	return false
}

func (r *replayer) logBatch(b *batch.Batch) {
	report := &r.im.report
	switch {
	case b.LastOffset() < r.next:
		return
	case b.BaseOffset > r.next:
		report.add(Problem{b.File, b.Position, r.next, fmt.Sprintf(
			"offsets %d to %d are missing: neither a snapshot nor the log has them", r.next, b.BaseOffset-1)})
	case b.PartitionLeaderEpoch < r.epoch:
		report.add(Problem{b.File, b.Position, b.BaseOffset, fmt.Sprintf(
			"the log has epoch %d behind the snapshot of epoch %d: it diverged, and Kafka drops it",
			b.PartitionLeaderEpoch, r.epoch)})
		r.stopped = true
		return
	}
	r.batch(b, true, func(rec *batch.Record) Position {
		return Position{Offset: rec.Offset, Epoch: b.PartitionLeaderEpoch, Timestamp: rec.Timestamp}
	})
	if !r.stopped {
		r.next = b.NextOffset()
		report.LogEnd = r.next
	}
}

// DirOf is the __cluster_metadata-0 directory of a log directory.
func DirOf(logDir string) string { return path.Join(logDir, Dir) }
