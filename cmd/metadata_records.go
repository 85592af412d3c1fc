package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

const metadataRecordsLong = `Print the records of metadata logs and snapshots.

-o kafka prints the text of kafka-dump-log --cluster-metadata-decoder, byte for byte. -o jsonl prints one object a
line: file, offset, epoch, timestamp, batch (its base offset) and payload, which is the dump tool's payload. Snapshots
number their records from 0.`

type metadataRecordsOptions struct {
	factory  *Factory
	source   metadataSource
	format   *choice
	types    []string
	from, to string
	topics   []string
	keys     []string
	style    *choice
	filter   metadata.Filter
}

func newMetadataRecordsCmd(f *Factory) *cobra.Command {
	o := &metadataRecordsOptions{factory: f, format: newChoice("table", "jsonl", "kafka"), style: newChoice("4", "3.9")}
	cmd := &cobra.Command{
		Use:   "records [PATH…]",
		Short: "Print the records of metadata logs and snapshots",
		Long:  metadataRecordsLong,
		Example: "kafkarecover metadata records --dir /mnt/controller-0 --topic orders\n" +
			"kafkarecover metadata records -o kafka 00000000000000000000.log",
		RunE: f.do(o, output.NewValue()),
	}
	o.source.addFlags(cmd)
	cmd.Flags().VarP(o.format, "output", "o", "How records are printed")
	completeFlag(cmd, "output", o.format.allowed...)
	cmd.Flags().StringSliceVar(&o.types, "type", nil, "Only records of this `TYPE`, such as topic or PARTITION_RECORD")
	cmd.Flags().StringVar(&o.from, "from", "", "Only records from this `OFFSET` or time (RFC 3339) on")
	cmd.Flags().StringVar(&o.to, "to", "", "Only records before this `OFFSET` or time")
	cmd.Flags().StringSliceVar(&o.topics, "topic", nil, "Only records about this topic, by `NAME` or ID")
	cmd.Flags().StringArrayVar(&o.keys, "key", nil, "Only records one field of which is this `VALUE`")
	cmd.Flags().Var(o.style, "style", "Kafka release whose text -o kafka prints; 3.9 leaves out what leader changes say")
	completeFlag(cmd, "style", o.style.allowed...)
	completeFlag(cmd, "type", recordTypeNames()...)
	return exits(cmd, exitcode.NotFound, exitcode.Incomplete)
}

func recordTypeNames() []string {
	var names []string
	for _, t := range metadata.Types() {
		names = append(names, t.String())
	}
	return names
}

// Complete implements action.
func (o *metadataRecordsOptions) Complete(ctx context.Context, args []string) error {
	for _, name := range o.types {
		t, ok := metadata.ParseType(name)
		if !ok {
			return usagef("--type %q: no record has that type", name)
		}
		o.filter.Types = append(o.filter.Types, t)
	}
	var err error
	if o.filter.FromOffset, o.filter.FromTime, err = offsetOrTime(o.from); err != nil {
		return usagef("--from %w", err)
	}
	if o.filter.ToOffset, o.filter.ToTime, err = offsetOrTime(o.to); err != nil {
		return usagef("--to %w", err)
	}
	o.filter.Topics, o.filter.Keys = o.topics, o.keys
	return o.source.open(ctx, o.factory, args)
}

func offsetOrTime(s string) (offset, millis int64, err error) {
	if s == "" {
		return 0, 0, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		return n, 0, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return 0, t.UnixMilli(), nil
		}
	}
	return 0, 0, fmt.Errorf("%q is neither an offset nor a time like 2026-05-22T10:00:00Z", s)
}

// Validate implements action.
func (*metadataRecordsOptions) Validate() error { return nil }

// Run implements action.
func (o *metadataRecordsOptions) Run(ctx context.Context) (any, error) {
	defer o.source.close()
	files, err := o.source.allFiles()
	if err != nil {
		return nil, err
	}
	if len(o.filter.Topics) > 0 {
		for _, file := range files {
			if err := o.filter.ResolveTopics(file.fsys, []string{file.name}, batch.Limits{}); err != nil {
				return nil, err
			}
		}
	}
	out := bufio.NewWriterSize(contextWriter{ctx, o.factory.IO.Out}, 1<<16)
	problems := 0
	for _, file := range files {
		n, err := o.print(out, file)
		if err != nil {
			return nil, errors.Join(err, out.Flush())
		}
		problems += n
	}
	if err := out.Flush(); err != nil {
		return nil, err
	}
	if problems > 0 {
		return nil, exitcode.With(exitcode.Incomplete, fmt.Errorf("%d problem(s) in the files: not all was read", problems))
	}
	return nil, nil
}

// print prints one file and returns how many problems it met.
func (o *metadataRecordsOptions) print(out *bufio.Writer, file metadataFile) (int, error) {
	var problems []metadata.Problem
	var err error
	if o.format.value == "kafka" {
		opts := metadata.DumpOptions{Title: file.Title, ShowSecrets: o.source.secrets, Before40: o.style.value == "3.9"}
		if !o.unfiltered() {
			opts.Keep = o.filter.Match
		}
		var result metadata.DumpResult
		result, err = metadata.Dump(out, file.fsys, file.name, opts)
		problems = result.Problems
	} else {
		problems, err = metadata.Walk(file.fsys, file.name, batch.Limits{}, o.printer(out, file))
	}
	for _, p := range problems {
		o.factory.Progress().Warnf("%s: %s", file.Title, problemText(p))
	}
	return len(problems), err
}

func (o *metadataRecordsOptions) unfiltered() bool {
	f := &o.filter
	return len(f.Types)+len(f.Topics)+len(f.Keys) == 0 && f.FromOffset+f.ToOffset+f.FromTime+f.ToTime == 0
}

func (o *metadataRecordsOptions) printer(out *bufio.Writer, file metadataFile) func(*metadata.Entry) error {
	var line []byte
	first := true
	row, between := o.factory.longRow("%10v %6v %-24s %-32s", 76)
	return func(e *metadata.Entry) error {
		if !o.filter.Match(e.Position, e.Record) {
			return nil
		}
		e.File = file.Title
		if o.format.value == "jsonl" {
			line = append(e.AppendJSON(line[:0], !o.source.secrets), '\n')
			_, err := out.Write(line)
			return err
		}
		if first {
			first = false
			if _, err := fmt.Fprintf(out, "%s\n"+row+"%sDATA\n", output.Escape(file.Title),
				"OFFSET", "EPOCH", "TIME", "TYPE", between); err != nil {
				return err
			}
		}
		line = e.AppendPayload(line[:0], !o.source.secrets)
		_, err := fmt.Fprintf(out, row+"%s%s\n", e.Offset, e.Epoch, millisText(e.Timestamp), e.TypeName(), between,
			output.Escape(string(payloadData(line))))
		return err
	}
}

// longRow is the format of a row that takes so many columns, and what stands between it and its last, long field. On a
// terminal with little room behind the row that field has a line of its own: the terminal breaks it there, and it is
// copied whole.
func (f *Factory) longRow(row string, columns int) (format, between string) {
	const least = 40
	if f.IO.OutTTY && f.IO.Width()-columns < least {
		return row[:strings.LastIndexByte(row, '%')] + "%s", "\n    "
	}
	return row, " "
}

// payloadData cuts {"type":…,"version":…,"data":X} down to X.
func payloadData(payload []byte) []byte {
	const key = `,"data":`
	for i := 0; i+len(key) < len(payload); i++ {
		if string(payload[i:i+len(key)]) == key {
			return payload[i+len(key) : len(payload)-1]
		}
	}
	return payload
}

// millisText shows a Kafka timestamp in UTC, a dash for none (snapshots written by tools have 0).
func millisText(ms int64) string {
	if ms <= 0 {
		return "-"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// contextWriter ends writing when the run is interrupted.
type contextWriter struct {
	ctx context.Context //nolint:containedctx // lives as long as one Run
	w   io.Writer
}

// Write implements io.Writer.
func (w contextWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}
