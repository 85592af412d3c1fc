package partition

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/mapped"
)

// Segment is one NNN.log file of a partition.
type Segment struct {
	// Name is the path below the volume's root.
	Name string `json:"name"`
	// BaseOffset is the number in the file's name: no record in it is older.
	BaseOffset int64 `json:"baseOffset"`
	Size       int64 `json:"size"`
}

// Segments lists the segments of a partition's directory by base offset. Segments that Kafka is deleting (.deleted),
// cleaning (.cleaned) or swapping in (.swap) are not among them. A name that ends in .log and has no offset, at which
// Kafka refuses to start, is an error.
func Segments(fsys fs.FS, dir string) ([]Segment, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", logdir.Escape(dir), err)
	}
	var out []Segment
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".log") || !e.Type().IsRegular() {
			continue
		}
		name := path.Join(dir, e.Name())
		base, err := logdir.ParseSegmentName(e.Name())
		if err != nil {
			return nil, fmt.Errorf("read segment %q: %w", logdir.Escape(name), err)
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("read segment %q: %w", logdir.Escape(name), err)
		}
		out = append(out, Segment{Name: name, BaseOffset: base, Size: info.Size()})
	}
	slices.SortFunc(out, func(a, b Segment) int { return cmp.Compare(a.BaseOffset, b.BaseOffset) })
	return out, nil
}

// Extent is what the batch headers of one or several segments say.
type Extent struct {
	// Start and End are offsets, End exclusive. Start is the first segment's base offset; records below the one in
	// log-start-offset-checkpoint may be there still, and are no longer served by Kafka.
	Start int64 `json:"startOffset"`
	End   int64 `json:"endOffset"`
	// Epoch is the leader epoch of the last batch, -1 when there is none.
	Epoch int32 `json:"epoch"`
	// Batches and Records count what the headers claim; compaction may have left fewer offsets than End-Start.
	Batches int64 `json:"batches"`
	Records int64 `json:"records"`
	// Oldest and Newest are the first and last of the batches' maximum timestamps, -1 when there is none.
	Oldest int64 `json:"oldestTimestamp"`
	Newest int64 `json:"newestTimestamp"`
	// Codecs are the compressions met, by name.
	Codecs []string `json:"codecs,omitempty"`
	// Sound is how many bytes of the last segment read are whole batches, as far as their lengths tell.
	Sound int64 `json:"-"`
	// Damage is why reading ended before the end of a segment; nil when it did not.
	Damage *batch.Error `json:"-"`
}

func newExtent(start int64) Extent {
	return Extent{Start: start, End: start, Epoch: -1, Oldest: -1, Newest: -1}
}

func (x *Extent) add(b *batch.Batch) {
	x.Batches++
	x.Records += int64(b.RecordCount)
	x.End = max(x.End, b.NextOffset())
	x.Epoch = b.PartitionLeaderEpoch
	if b.MaxTimestamp >= 0 && !b.IsControl() {
		if x.Oldest < 0 {
			x.Oldest = b.MaxTimestamp
		}
		x.Newest = max(x.Newest, b.MaxTimestamp)
	}
	if codec := b.Codec().String(); !slices.Contains(x.Codecs, codec) {
		x.Codecs = append(x.Codecs, codec)
	}
}

// Measure reads the batch headers of a segment, not their content: CRCs are Verify's business.
func Measure(fsys fs.FS, s Segment, limits batch.Limits) (Extent, error) {
	x := newExtent(s.BaseOffset)
	err := each(fsys, s, batch.Options{Limits: limits, FramesOnly: true}, func(r *batch.Reader) error {
		for r.Next() {
			x.add(r.Batch())
		}
		x.Sound = r.Good()
		return r.Err()
	})
	var damage *batch.Error
	if errors.As(err, &damage) && damage.Kind != batch.ReadFailed {
		x.Damage = damage
		return x, nil
	}
	return x, err
}

// MeasureLog reads the batch headers of the last segment, and of the first for the oldest timestamp: enough for where a
// partition begins and ends. Batches, Records and Codecs are those of the last segment; with all set, of every segment.
func MeasureLog(fsys fs.FS, segments []Segment, all bool, limits batch.Limits) (Extent, error) {
	if len(segments) == 0 {
		return newExtent(0), nil
	}
	total := newExtent(segments[0].BaseOffset)
	for i, s := range segments {
		last := i == len(segments)-1
		if !all && i > 0 && !last {
			continue
		}
		x, err := Measure(fsys, s, limits)
		if err != nil {
			return total, err
		}
		total.merge(&x, all || last)
	}
	return total, nil
}

func (x *Extent) merge(o *Extent, counts bool) {
	x.End = max(x.End, o.End)
	if o.Epoch >= 0 {
		x.Epoch = o.Epoch
	}
	if x.Oldest < 0 {
		x.Oldest = o.Oldest
	}
	x.Newest = max(x.Newest, o.Newest)
	x.Sound = o.Sound
	if x.Damage == nil {
		x.Damage = o.Damage
	}
	if !counts {
		return
	}
	x.Batches += o.Batches
	x.Records += o.Records
	for _, codec := range o.Codecs {
		if !slices.Contains(x.Codecs, codec) {
			x.Codecs = append(x.Codecs, codec)
		}
	}
}

// each hands fn a Reader over a segment, mapped into memory where the file allows it.
func each(fsys fs.FS, s Segment, opts batch.Options, fn func(*batch.Reader) error) error {
	if s.Size == 0 {
		return nil
	}
	f, err := fsys.Open(s.Name)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	opts.File = logdir.Escape(s.Name)
	if file, ok := f.(*os.File); ok {
		err := mapped.Use(file, s.Size, func(data []byte) error { return fn(batch.NewBytesReader(data, opts)) })
		if !errors.Is(err, mapped.ErrUnsupported) {
			return err //nolint:wrapcheck // located by the reader
		}
	}
	return fn(batch.NewStreamReader(f, s.Size, opts))
}
