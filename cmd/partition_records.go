package cmd

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/coordinator"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

const partitionRecordsLong = `Print the records of topic partitions.

-o kafka prints the text of kafka-dump-log --print-data-log. -o jsonl prints one object a line: volume, topic,
partition, offset, epoch, timestamp, batch (its base offset), key, value, headers, and control for the end of a
transaction. Null is null; text that is no UTF-8 becomes {"base64":"…"}, so nothing is lost.

Records of __consumer_offsets, __transaction_state and __share_group_state are decoded, with -o kafka to the text of
kafka-dump-log's --offsets-decoder, --transaction-log-decoder and --share-group-state-decoder; those of a type that is
not known are shown as they are. --decode says what the records are where the topic's name does not, none leaves them.

Records of transactions that were not committed, or aborted, are printed too: they are on the disk.`

type partitionRecordsOptions struct {
	partitionOptions
	format      *choice
	keyFormat   *choice
	valueFormat *choice
	decode      *choice
	style       *choice
	from, to    string
	limit       int64
	within      partition.Range
	key, value  partition.ValueFormat
	printed     int64
	// decoders are those made so far.
	decoders  map[coordinator.Kind]*coordinator.Decoder
	undecoded undecoded
}

func newPartitionRecordsCmd(f *Factory) *cobra.Command {
	formats := make([]string, 0, len(partition.ValueFormats()))
	for _, v := range partition.ValueFormats() {
		formats = append(formats, string(v))
	}
	o := &partitionRecordsOptions{
		partitionOptions: partitionOptions{factory: f}, format: newChoice("table", "jsonl", "kafka"),
		keyFormat: newChoice(formats...), valueFormat: newChoice(formats...), style: newChoice("4", "3.9"),
		decode: newChoice(decodeAuto, string(coordinator.Offsets), string(coordinator.Transactions),
			string(coordinator.ShareState), decodeNone),
		decoders: map[coordinator.Kind]*coordinator.Decoder{},
	}
	cmd := &cobra.Command{
		Use:   "records [TOPIC|TOPIC-PARTITION…]",
		Short: "Print the records of partitions",
		Long:  partitionRecordsLong,
		Example: "kafkarecover partition records --dir /mnt/volumes orders-0 --from 2026-05-22T10:00\n" +
			"kafkarecover partition records --dir orders-0/00000000000000000000.log -o kafka\n" +
			"kafkarecover partition records --dir /mnt/volumes -o jsonl __consumer_offsets",
		RunE: f.do(o, output.NewValue()),
	}
	o.addSource(cmd)
	cmd.Flags().VarP(o.format, "output", "o", "How records are printed")
	completeFlag(cmd, "output", o.format.allowed...)
	cmd.Flags().StringVar(&o.from, "from", "", "Only records from this `OFFSET` or time (RFC 3339) on")
	cmd.Flags().StringVar(&o.to, "to", "", "Only records before this `OFFSET` or time")
	cmd.Flags().Int64Var(&o.limit, "limit", 0, "Stop after this `NUMBER` of records (default no limit)")
	cmd.Flags().Var(o.keyFormat, "key-format", "How keys are shown")
	completeFlag(cmd, "key-format", formats...)
	cmd.Flags().Var(o.valueFormat, "value-format", "How values are shown")
	completeFlag(cmd, "value-format", formats...)
	cmd.Flags().Var(o.decode, "decode", "What the records are of; auto goes by the topic")
	completeFlag(cmd, "decode", o.decode.allowed...)
	cmd.Flags().Var(o.style, "style", "Kafka release whose text -o kafka prints")
	completeFlag(cmd, "style", o.style.allowed...)
	return exits(cmd, exitcode.NotFound, exitcode.Incomplete)
}

// Validate implements action.
func (o *partitionRecordsOptions) Validate() error {
	var err error
	if o.within.FromOffset, o.within.FromTime, err = offsetOrTime(o.from); err != nil {
		return fmt.Errorf("--from %w", err)
	}
	if o.within.ToOffset, o.within.ToTime, err = offsetOrTime(o.to); err != nil {
		return fmt.Errorf("--to %w", err)
	}
	if o.limit < 0 {
		return errors.New("--limit takes a number of records, 0 for all")
	}
	if o.limit > 0 && o.format.value == "kafka" {
		return errors.New("--limit does not go with -o kafka, which prints whole batches; --from and --to do")
	}
	o.key, o.value = partition.ValueFormat(o.keyFormat.value), partition.ValueFormat(o.valueFormat.value)
	return nil
}

// errLimit ends the walk when enough records were printed.
var errLimit = errors.New("enough records")

// metadataTopic is not printed as plain records: only the metadata commands know what in it is secret.
const metadataTopic = "__cluster_metadata"

// Run implements action.
func (o *partitionRecordsOptions) Run(ctx context.Context) (any, error) {
	defer o.source.close()
	places, problems, err := o.chosen()
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriterSize(contextWriter{ctx, o.factory.IO.Out}, 1<<16)
	wrong := len(problems)
	for i := range places {
		if places[i].Name.Topic == metadataTopic {
			o.factory.Progress().Warnf("%s: passed over; \"metadata records\" prints it", places[i].Title())
			continue
		}
		n, err := o.print(out, &places[i])
		wrong += n
		if errors.Is(err, errLimit) {
			break
		}
		if err != nil {
			return nil, errors.Join(err, out.Flush())
		}
	}
	if err := out.Flush(); err != nil {
		return nil, err
	}
	return nil, o.source.incomplete(o.factory, wrong)
}

// print prints one partition and returns how many problems it met.
func (o *partitionRecordsOptions) print(out *bufio.Writer, p *place) (int, error) {
	segments, err := p.segments()
	if err != nil {
		return 0, err
	}
	decoder, err := o.decoder(p.Name.Topic)
	if err != nil {
		return 0, err
	}
	if o.format.value == "kafka" {
		return o.dump(out, p, segments, decoder)
	}
	show := o.row
	if o.format.value == "jsonl" {
		show = o.line
	} else if len(segments) > 0 {
		row, between := o.factory.longRow(recordRow, recordColumns)
		_, err = fmt.Fprintf(out, "%s\n"+row+"%sVALUE\n", output.Escape(p.Title()), "OFFSET", "TIME", "KEY", between)
		if err != nil {
			return 0, err
		}
	}
	problems, err := partition.Walk(p.volume.fsys, segments, o.within, batch.Limits{}, func(e *partition.Entry) error {
		if o.limit > 0 && o.printed >= o.limit {
			return errLimit
		}
		o.printed++
		return show(out, p, e, decoded(decoder, e.Record))
	})
	for _, problem := range problems {
		o.factory.Progress().Warnf("%s: %s", p.volume.Name, problem.Message)
	}
	return len(problems), err
}

// recordRow is how a record begins for people, in recordColumns columns where the key is short.
const (
	recordRow     = "%12v %-24s %-20s"
	recordColumns = 58
)

// row prints a record for people, whatever is in it: one line, or two where a terminal is narrow.
func (o *partitionRecordsOptions) row(out *bufio.Writer, _ *place, e *partition.Entry, d decodedRecord) error {
	key, value := cmp.Or(string(d.key), o.key.Text(e.Key)), cmp.Or(string(d.value), o.value.Text(e.Value))
	if e.Control != nil {
		key, value = "", controlText(e.Control)
	}
	for _, h := range e.Headers {
		value += fmt.Sprintf("  [%s: %s]", h.Key, o.value.Text(h.Value))
	}
	row, between := o.factory.longRow(recordRow, recordColumns)
	_, err := fmt.Fprintf(out, row+"%s%s\n", e.Offset, millisText(e.Timestamp), output.Escape(key), between,
		output.Escape(value))
	return err
}

func controlText(c *batch.ControlRecord) string { return "(" + strings.ToLower(c.Type.String()) + ")" }

// line prints a record as one JSON object.
func (o *partitionRecordsOptions) line(out *bufio.Writer, p *place, e *partition.Entry, d decodedRecord) error {
	number := func(b []byte, name string, v int64) []byte {
		return strconv.AppendInt(append(append(append(b, `,"`...), name...), `":`...), v, 10)
	}
	b := partition.FormatString.AppendJSON([]byte(`{"volume":`), []byte(p.volume.Name))
	b = partition.FormatString.AppendJSON(append(b, `,"topic":`...), []byte(p.Name.Topic))
	b = number(b, "partition", int64(p.Name.Partition))
	b = number(b, "offset", e.Offset)
	b = number(b, "epoch", int64(e.Batch.PartitionLeaderEpoch))
	b = number(b, "timestamp", e.Timestamp)
	b = number(b, "batch", e.Batch.BaseOffset)
	if e.Batch.IsTransactional() {
		b = number(b, "producerId", e.Batch.ProducerID)
	}
	if e.Control != nil {
		b = append(append(append(b, `,"control":"`...), e.Control.Type.String()...), `"}`+"\n"...)
		_, err := out.Write(b)
		return err
	}
	b = orDecoded(append(b, `,"key":`...), o.key, e.Key, d.key)
	b = orDecoded(append(b, `,"value":`...), o.value, e.Value, d.value)
	if len(e.Headers) > 0 {
		b = append(b, `,"headers":[`...)
		for i, h := range e.Headers {
			if i > 0 {
				b = append(b, ',')
			}
			b = partition.FormatString.AppendJSON(append(b, `{"key":`...), h.Key)
			b = append(o.value.AppendJSON(append(b, `,"value":`...), h.Value), '}')
		}
		b = append(b, ']')
	}
	_, err := out.Write(append(b, "}\n"...))
	return err
}

// dump prints the text of Kafka's tool.
func (o *partitionRecordsOptions) dump(
	out *bufio.Writer, p *place, segments []partition.Segment, decoder *coordinator.Decoder,
) (int, error) {
	problems := 0
	o.undecoded = undecoded{}
	for _, s := range segments {
		opts := metadata.DumpOptions{
			Title: path.Join(p.volume.Name, logdir.Escape(s.Name)), Payload: o.payload(decoder),
			Before40: o.style.value == "3.9",
		}
		if o.within != (partition.Range{}) {
			opts.Keep = func(at metadata.Position, _ *metadata.Record) bool {
				return o.within.Contains(at.Offset, at.Timestamp)
			}
		}
		result, err := metadata.Dump(out, p.volume.fsys, s.Name, opts)
		if err != nil {
			return problems, err
		}
		for _, problem := range result.Problems {
			o.factory.Progress().Warnf("%s: %s", p.volume.Name, problemText(problem))
		}
		problems += len(result.Problems) + result.More
	}
	if o.undecoded.count > 0 {
		o.factory.Progress().Warnf("%s: %d record(s) were not decoded; the first: %s", p.Title(), o.undecoded.count,
			o.undecoded.first)
	}
	return problems + o.undecoded.count, nil
}

// dumpPayload appends what DumpLogSegments prints of a record behind its header keys: nothing without a value.
func (o *partitionRecordsOptions) dumpPayload(b []byte, r *batch.Record) []byte {
	if r.Value == nil {
		return b
	}
	if r.Key != nil {
		b = appendDumped(append(b, " key: "...), o.key, r.Key)
	}
	return appendDumped(append(b, " payload: "...), o.value, r.Value)
}

func appendDumped(b []byte, format partition.ValueFormat, data []byte) []byte {
	if format == partition.FormatString {
		return partition.AppendJavaText(b, data)
	}
	return append(b, format.Text(data)...)
}
