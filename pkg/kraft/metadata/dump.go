package metadata

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
)

// DumpOptions set what Dump prints.
type DumpOptions struct {
	// Title is the name printed behind "Dumping"; empty for the file's own.
	Title string
	// ShowSecrets prints secrets as Kafka's tool does.
	ShowSecrets bool
	// Before40 prints leader changes as releases before 4.0 do, by their type alone.
	Before40 bool
	// Keep, when set, leaves out the records for which it returns false, and batches none of whose records it keeps.
	// The record is valid during the call only; it is nil for a control record. Keep must be safe for concurrent use.
	Keep func(at Position, rec *Record) bool
	// Payload, when set, appends the end of a record's line, for logs whose records are no metadata: what
	// kafka-dump-log --print-data-log prints there. Keep then gets no record. It must be safe for concurrent use.
	Payload func(line []byte, r *batch.Record) []byte
	// Limits bound the memory that a batch may take.
	Limits batch.Limits
}

// DumpResult says what Dump printed and what it met.
type DumpResult struct {
	Batches, Records int64
	// Problems are batches with a wrong CRC, records that do not decode and bytes at the end that are no batch.
	Problems []Problem
	More     int
}

// Dump writes what Kafka's kafka-dump-log --cluster-metadata-decoder prints for one log segment or snapshot, byte for
// byte (releases 3.9 to 4.3): a line for each batch, one for each record. It holds a few batches at a time, whatever
// the size of the file. An error is one of reading or writing; what is damaged is in the result and, as far as
// Kafka's tool shows it, in the text.
func Dump(w io.Writer, fsys fs.FS, name string, opts DumpOptions) (DumpResult, error) {
	file, ok := ParseName(name)
	if !ok {
		return DumpResult{}, fmt.Errorf("dump %q: %w: the name is none of a segment or a snapshot", name, ErrNoMetadata)
	}
	reader, closer, err := openBatches(fsys, name, batch.Options{Limits: opts.Limits, FramesOnly: true})
	if err != nil {
		return DumpResult{}, err
	}
	defer func() { _ = closer.Close() }()
	if info, err := fs.Stat(fsys, name); err == nil {
		file.Size = info.Size()
	}
	p := newDumpPipe(w, name, &opts)
	p.write(dumpTitle(nil, file, opts.Title))
	for !p.failed() && reader.Next() {
		p.add(reader.Batch())
	}
	result, err := p.finish()
	if err != nil {
		return result, fmt.Errorf("dump %q: %w", name, err)
	}
	var damage *batch.Error
	if errors.As(reader.Err(), &damage) {
		if damage.Kind == batch.ReadFailed {
			return result, reader.Err()
		}
		result.add(Problem{name, damage.Position, damage.BaseOffset, damage.Error()})
		_, err = fmt.Fprintf(w, "Found %d invalid bytes at the end of %s\n", file.Size-reader.Good(), path.Base(name))
	}
	return result, err
}

func (r *DumpResult) add(p Problem) {
	if len(r.Problems) < MaxProblems {
		r.Problems = append(r.Problems, p)
		return
	}
	r.More++
}

func dumpTitle(b []byte, f File, title string) []byte {
	if title == "" {
		title = f.Name
	}
	b = append(append(append(b, "Dumping "...), title...), '\n')
	switch f.Kind {
	case Segment:
		b = append(b, "Log starting offset: "...)
		b = strconv.AppendInt(b, f.Offset, 10)
	case Snapshot:
		b = append(b, "Snapshot end offset: "...)
		b = strconv.AppendInt(b, f.Offset, 10)
		b = append(b, ", epoch: "...)
		b = strconv.AppendInt(b, int64(f.Epoch), 10)
	case Bootstrap:
		b = append(b, "KRaft bootstrap snapshot"...)
	}
	return append(b, '\n')
}

// dumper formats batches; each worker has its own.
type dumper struct {
	opts    *DumpOptions
	records *batch.Decoder
	decoder Decoder
	result  DumpResult
	// times is " CreateTime: N keySize: " of the timestamp last seen.
	times     []byte
	timesFor  int64
	timesType batch.Attributes
	redact    bool
	quick     quickText
}

func newDumper(opts *DumpOptions) *dumper {
	return &dumper{opts: opts, records: batch.NewDecoder(opts.Limits), redact: !opts.ShowSecrets, timesFor: -1 << 63}
}

func label(out []byte, name string, v int64) []byte {
	return strconv.AppendInt(append(out, name...), v, 10)
}

// batchLine is DumpLogSegments.printBatchLevel.
func (d *dumper) batchLine(out []byte, b *batch.Batch, valid bool) []byte {
	out = label(out, "baseOffset: ", b.BaseOffset)
	out = label(out, " lastOffset: ", b.LastOffset())
	out = label(out, " count: ", int64(b.RecordCount))
	out = label(out, " baseSequence: ", int64(b.BaseSequence))
	out = label(out, " lastSequence: ", int64(b.LastSequence()))
	out = label(out, " producerId: ", b.ProducerID)
	out = label(out, " producerEpoch: ", int64(b.ProducerEpoch))
	out = label(out, " partitionLeaderEpoch: ", int64(b.PartitionLeaderEpoch))
	out = strconv.AppendBool(append(out, " isTransactional: "...), b.IsTransactional())
	out = strconv.AppendBool(append(out, " isControl: "...), b.IsControl())
	out = append(out, " deleteHorizonMs: OptionalLong"...)
	if b.Attributes.Has(batch.HasDeleteHorizon) {
		out = append(label(out, "[", b.BaseTimestamp), ']')
	} else {
		out = append(out, ".empty"...)
	}
	out = label(out, " position: ", b.Position)
	out = label(append(append(out, ' '), timestampType(b.Attributes)...), ": ", b.MaxTimestamp)
	out = label(out, " size: ", int64(b.Size()))
	out = label(out, " magic: ", int64(b.Magic))
	out = append(append(out, " compresscodec: "...), b.Codec().String()...)
	out = label(out, " crc: ", int64(b.CRC))
	out = strconv.AppendBool(append(out, " isvalid: "...), valid)
	return append(out, '\n')
}

func timestampType(a batch.Attributes) string {
	if a.Has(batch.LogAppendTime) {
		return "LogAppendTime"
	}
	return "CreateTime"
}

// batch appends the lines of one batch.
func (d *dumper) batch(out []byte, b *batch.Batch) []byte {
	d.result.Batches++
	valid := b.ComputedCRC() == b.CRC
	if !valid {
		d.result.add(Problem{b.File, b.Position, b.BaseOffset, "the batch's CRC is wrong"})
	}
	mark := len(out)
	out = d.batchLine(out, b, valid)
	it, err := d.records.Records(b)
	if err != nil {
		d.result.add(Problem{b.File, b.Position, b.BaseOffset, err.Error()})
		return out
	}
	kept := d.opts.Keep == nil
	for it.Next() {
		var printed bool
		out, printed = d.record(out, b, it.Record())
		kept = kept || printed
	}
	if err := it.Err(); err != nil {
		d.result.add(Problem{b.File, b.Position, b.BaseOffset, err.Error()})
	}
	if !kept {
		return out[:mark]
	}
	return out
}

func sizeOf(p []byte) int64 {
	if p == nil {
		return -1
	}
	return int64(len(p))
}

// record appends the line of one record and tells whether it was kept.
func (d *dumper) record(out []byte, b *batch.Batch, r *batch.Record) ([]byte, bool) {
	control := b.IsControl()
	var rec Record
	opaque := control || d.opts.Payload != nil
	quick := d.opts.Keep == nil && !opaque // a partition has no secrets, and nobody is to be asked
	if !opaque && !quick {
		rec = d.decoder.Decode(r.Value)
	}
	if d.opts.Keep != nil {
		at := Position{Offset: r.Offset, Epoch: b.PartitionLeaderEpoch, Timestamp: r.Timestamp}
		kept := &rec
		if opaque {
			kept = nil
		}
		if !d.opts.Keep(at, kept) {
			return out, false
		}
	}
	d.result.Records++
	if r.Timestamp != d.timesFor || b.Attributes&batch.LogAppendTime != d.timesType {
		d.timesFor, d.timesType = r.Timestamp, b.Attributes&batch.LogAppendTime
		d.times = append(append(d.times[:0], ' '), timestampType(b.Attributes)...)
		d.times = append(label(d.times, ": ", r.Timestamp), " keySize: "...)
	}
	out = label(out, "| offset: ", r.Offset)
	out = append(out, d.times...)
	out = jsonInt(out, sizeOf(r.Key))
	out = jsonInt(append(out, " valueSize: "...), sizeOf(r.Value))
	out = label(out, " sequence: ", int64(r.Sequence))
	out = append(out, " headerKeys: ["...)
	for i := range r.Headers {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, r.Headers[i].Key...)
	}
	out = append(out, ']')
	if control {
		return append(appendControlText(out, r.Key, r.Value, d.opts.Before40), '\n'), true
	}
	if d.opts.Payload != nil {
		return append(d.opts.Payload(out, r), '\n'), true
	}
	out = append(out, " payload: "...)
	if quick {
		if text, ok := d.quick.append(out, r.Value); ok {
			return append(text, '\n'), true
		}
		rec = d.decoder.Decode(r.Value)
	}
	if text := KafkaError(&rec); text != "" {
		d.result.add(Problem{b.File, b.Position, r.Offset, rec.Message.(*UnknownRecord).reason()})
		out = append(label(out, "Error at ", r.Offset), ", skipping. "...)
		return append(append(out, text...), '\n'), true
	}
	return append(rec.AppendJSON(out, d.redact), '\n'), true
}
