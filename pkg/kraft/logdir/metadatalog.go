package logdir

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/mapped"
)

// metadataDir reads __cluster_metadata-0 as KafkaRaftLog opens it: every segment checked from its start, cut off at
// the first bad batch, everything later gone; then the newest snapshot, where it is ahead.
func (r *reader) metadataDir(d *LogDir, p *place, name string, e fs.DirEntry) {
	w := &metadataWalk{
		reader: r, place: p, dir: name, decoder: batch.NewDecoder(r.opts.Batch),
		log:     &MetadataLog{EndKnown: true, LastTimestamp: -1},
		votedAt: math.MinInt64, versionAt: math.MinInt64,
	}
	d.Metadata = w.log
	if !r.usable(p, name, e) {
		w.log.EndKnown = false
		return
	}
	entries, err := r.list(name)
	if err != nil {
		w.unknown(name, err)
	}
	for _, child := range entries {
		w.entry(d, path.Join(name, child.Name()), child)
	}
	w.walkSnapshots()
	w.walkSegments()
	w.end()
}

// metadataWalk is the state of reading one metadata log.
type metadataWalk struct {
	*reader
	place   *place
	dir     string
	decoder *batch.Decoder
	log     *MetadataLog
	epochs  []epochStart

	batches   int   // sound batches in the log, snapshots not counted
	logEnd    int64 // the log end offset from the segments
	lastEpoch int32 // the highest epoch of a batch in the log, -1 when there is none
	votedAt   int64 // where the voter set was found, as an offset of the log
	versionAt int64
}

// unknown reports a problem after which the end of the log is a lower bound only.
func (w *metadataWalk) unknown(name string, err error) {
	w.log.EndKnown = false
	w.problem(w.place, name, err)
}

// entry sorts one file of the directory and reads the small ones.
func (w *metadataWalk) entry(d *LogDir, name string, e fs.DirEntry) {
	file := e.Name()
	isLog, isSnapshot := strings.HasSuffix(file, logSuffix), isSnapshotFile(file)
	if e.IsDir() {
		w.sum(w.place, name, e)
		return
	}
	size, ok := w.file(w.place, name, e)
	if !ok {
		if isLog || isSnapshot || file == QuorumStateFile || file == LeaderEpochFile {
			w.log.EndKnown = false
		}
		return
	}
	switch {
	case file == QuorumStateFile:
		w.quorumState(d, name, size)
	case file == LeaderEpochFile:
		w.leaderEpochs(name, size)
	case file == PartitionMetadataFile:
		if id := w.topicID(w.place, name, size); id != metadataTopicID {
			w.log.TopicID = id
		}
	case isLog:
		base, err := ParseSegmentName(file)
		if err != nil {
			w.unknown(name, err)
			return
		}
		w.log.Segments = append(w.log.Segments, Segment{Name: file, BaseOffset: base, Bytes: size})
	case isSnapshot:
		id, err := ParseSnapshotName(file)
		if err != nil {
			w.problem(w.place, name, err)
		} else if strings.HasSuffix(file, snapshotSuffix) {
			w.log.Snapshots = append(w.log.Snapshots, Snapshot{Name: file, ID: id, Bytes: size})
		}
	case strings.HasSuffix(file, swapSuffix):
		w.unknown(name, errors.New("is a segment that was being swapped in, which Kafka completes at start; it was not read"))
	}
}

func isSnapshotFile(name string) bool {
	return strings.HasSuffix(name, snapshotSuffix) || strings.HasSuffix(name, snapshotPartSuffix) ||
		strings.HasSuffix(name, snapshotDeletedSuffix)
}

func (w *metadataWalk) quorumState(d *LogDir, name string, size int64) {
	data, ok := w.content(w.place, name, size, maxQuorumState)
	if !ok {
		return
	}
	state, err := ParseQuorumState(data)
	if err != nil {
		w.problem(w.place, name, err)
		return
	}
	d.Quorum = state
}

func (w *metadataWalk) leaderEpochs(name string, size int64) {
	data, ok := w.content(w.place, name, size, maxCheckpoint)
	if !ok {
		w.log.EndKnown = false
		return
	}
	epochs, err := parseLeaderEpochs(data)
	if err != nil {
		w.unknown(name, err)
		return
	}
	w.epochs = epochs
}

// walkSnapshots checks every snapshot, oldest first.
func (w *metadataWalk) walkSnapshots() {
	slices.SortFunc(w.log.Snapshots, func(a, b Snapshot) int { return a.ID.Compare(b.ID) })
	for i := range w.log.Snapshots {
		s := &w.log.Snapshots[i]
		name := path.Join(w.dir, s.Name)
		s.Name = Escape(s.Name)
		c := snapshotCheck{walk: w, id: s.ID, name: name}
		if err := w.each(name, s.Bytes, c.batch); err != nil {
			w.located(name, err)
			continue
		}
		if err := c.complete(); err != nil {
			w.problem(w.place, name, err)
			continue
		}
		s.Valid = true
	}
}

// walkSegments walks the segments in order and stops where Kafka's recovery does.
func (w *metadataWalk) walkSegments() {
	w.lastEpoch = -1
	slices.SortFunc(w.log.Segments, func(a, b Segment) int { return cmp.Compare(a.BaseOffset, b.BaseOffset) })
	if len(w.log.Segments) > 0 {
		w.log.StartOffset = w.log.Segments[0].BaseOffset
		w.logEnd = w.log.StartOffset
	}
	cut := false
	for i := range w.log.Segments {
		s := &w.log.Segments[i]
		raw := s.Name
		s.Name = Escape(raw)
		name := path.Join(w.dir, raw)
		if cut {
			w.unknown(name, errors.New("is not sound to keep: Kafka deletes it at start, because the segment before it "+
				"is damaged"))
			continue
		}
		if s.BaseOffset != w.logEnd {
			w.problem(w.place, name, fmt.Errorf("expected a segment that begins at offset %d, found one that begins at %d",
				w.logEnd, s.BaseOffset))
		}
		w.logEnd = s.BaseOffset
		last := i == len(w.log.Segments)-1
		cut = !w.walkSegment(s, name, last)
	}
}

// walkSegment walks one segment and returns false when Kafka would cut it.
func (w *metadataWalk) walkSegment(s *Segment, name string, last bool) bool {
	c := segmentCheck{walk: w, segment: s, name: name}
	err := w.each(name, s.Bytes, c.batch)
	if err == nil {
		return true
	}
	w.located(name, err)
	// A batch cut short, or zeros, at the very end is what a crash leaves of an append that was never acknowledged.
	// Anything else may have held records that were.
	tail := errors.Is(err, &batch.Error{Kind: batch.Torn}) || errors.Is(err, &batch.Error{Kind: batch.Zeros})
	if !tail || !last {
		w.log.EndKnown = false
	}
	return false
}

// located reports an error of reading batches with its place in the file.
func (w *metadataWalk) located(name string, err error) {
	var e *batch.Error
	if !errors.As(err, &e) {
		w.problem(w.place, name, err)
		return
	}
	message := fmt.Sprintf("expected %s, found %s; %d bytes before it are sound", e.Expected, e.Found, e.Good)
	if e.Err != nil {
		message += ": " + cause(e.Err).Error()
	}
	if e.BaseOffset >= 0 {
		message = fmt.Sprintf("record batch at offset %d: %s", e.BaseOffset, message)
	}
	w.problemAt(w.place, name, e.Position, errors.New(message))
}

// each calls fn with every sound batch of a file, as far as Kafka would read it.
func (w *metadataWalk) each(name string, size int64, fn func(*batch.Batch) error) error {
	if size > w.opts.MetadataBytes {
		return fmt.Errorf("expected at most %d bytes, found %d; it was not read", w.opts.MetadataBytes, size)
	}
	if size == 0 {
		return nil
	}
	f, err := w.fsys.Open(name)
	if err != nil {
		return cause(err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	opts := batch.Options{Limits: w.opts.Batch}
	if file := osFile(f); file != nil {
		err := mapped.Use(file, size, func(data []byte) error {
			return forEach(batch.NewBytesReader(data, opts), fn)
		})
		if !errors.Is(err, mapped.ErrUnsupported) {
			return err
		}
	}
	return forEach(batch.NewStreamReader(f, size, opts), fn)
}

func forEach(r *batch.Reader, fn func(*batch.Batch) error) error {
	for r.Next() {
		if err := fn(r.Batch()); err != nil {
			return err
		}
	}
	return r.Err()
}

// end works out the end of the log, after KafkaRaftLog.truncateToLatestSnapshot and LeaderEpochFileCache.
func (w *metadataWalk) end() {
	log := w.log
	epoch := w.lastEpoch
	// Epochs that begin at or behind the end are dropped from the end of the file's list, which is sorted by epoch.
	slices.SortFunc(w.epochs, func(a, b epochStart) int { return cmp.Compare(a.epoch, b.epoch) })
	for i := len(w.epochs) - 1; i >= 0; i-- {
		e := w.epochs[i]
		if e.start >= w.logEnd {
			continue
		}
		if e.epoch > epoch && w.batches > 0 {
			w.problem(w.place, path.Join(w.dir, LeaderEpochFile), fmt.Errorf(
				"expected no epoch above %d, the last in the log, found %d, which Kafka will believe", epoch, e.epoch))
		}
		epoch = max(epoch, e.epoch)
		break
	}
	log.End = OffsetAndEpoch{Offset: w.logEnd, Epoch: max(epoch, 0)}
	if n := len(log.Snapshots); n > 0 {
		newest := log.Snapshots[n-1]
		latest := slices.MaxFunc(log.Snapshots, func(a, b Snapshot) int {
			return cmp.Or(cmp.Compare(a.ID.Offset, b.ID.Offset), cmp.Compare(a.ID.Epoch, b.ID.Epoch))
		})
		if len(log.Segments) == 0 {
			log.StartOffset = latest.ID.Offset
		}
		if newest.ID.Compare(log.End) > 0 {
			log.End = newest.ID
			log.EndKnown = log.EndKnown && newest.Valid
		}
	}
	if log.StartOffset > 0 && !slices.ContainsFunc(log.Snapshots, func(s Snapshot) bool {
		return s.ID.Offset >= log.StartOffset
	}) {
		w.problem(w.place, w.dir, fmt.Errorf("expected a snapshot that covers the log up to its start at offset %d, "+
			"found none; Kafka does not start without it", log.StartOffset))
	}
	log.Empty = w.batches == 0 && !slices.ContainsFunc(log.Snapshots, func(s Snapshot) bool { return s.ID.Offset > 0 })
}
