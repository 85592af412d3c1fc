package cmd

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/progress"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

const partitionLong = `Read topic partitions on volumes, without a JVM and without a running cluster.

--dir names a volume, a folder of volumes, a log directory, a partition's directory or one of its segments. Arguments
choose topics (orders) or partitions (orders-0) by name. In the place of a folder pvc/NAME reads the partitions named
from a claim, kafka/NAME from all claims of a cluster. Reading never writes, and takes no lock.`

func newPartitionCmd(f *Factory) *cobra.Command {
	return branch(&cobra.Command{
		Use:     "partition",
		Short:   "Read topic partitions: offsets, records, soundness",
		Long:    partitionLong,
		GroupID: groupInspect,
	},
		newPartitionListCmd(f),
		newPartitionRecordsCmd(f),
		newPartitionVerifyCmd(f),
	)
}

// partitionOptions are what the commands on partitions have in common.
type partitionOptions struct {
	factory *Factory
	source  volumeSource
	names   []string
}

// Complete implements action.
func (o *partitionOptions) Complete(ctx context.Context, args []string) error {
	o.names = args
	if err := o.source.fetch(ctx, o.factory); err != nil {
		return err
	}
	return o.source.open(true)
}

// addSource adds --dir. Of a claim the partitions named are copied and nothing else.
func (o *partitionOptions) addSource(cmd *cobra.Command) {
	o.source.addFlags(cmd)
	o.source.takeClaims(cmd, func(name string) bool {
		p, ok := logdir.ParsePartitionDir(path.Base(path.Dir(name)))
		return ok && o.chooses(&p) && strings.HasSuffix(name, ".log")
	})
	o.source.claims.needs = func() error {
		if len(o.names) == 0 {
			return usagef("name the topics or partitions to read of a claim, such as orders-0: each is copied whole")
		}
		return nil
	}
}

// Validate implements action.
func (*partitionOptions) Validate() error { return nil }

// chosen lists the places that the arguments choose, all without arguments.
func (o *partitionOptions) chosen() ([]place, []string, error) {
	places, problems := o.source.places()
	places = slices.DeleteFunc(places, func(p place) bool { return !o.chooses(&p.Name) })
	for _, p := range problems {
		o.factory.Progress().Warnf("%s", p)
	}
	if len(places) == 0 {
		err := fmt.Errorf("read partitions: %w", partition.ErrNoPartition)
		if len(o.names) > 0 {
			err = fmt.Errorf("%w named so (%s)", err, joined(o.names))
		}
		return nil, problems, exitcode.With(exitcode.NotFound, err)
	}
	return places, problems, nil
}

func (o *partitionOptions) chooses(p *logdir.Partition) bool {
	return len(o.names) == 0 || slices.ContainsFunc(o.names, func(name string) bool {
		return name == p.Topic || name == p.Topic+"-"+strconv.Itoa(int(p.Partition))
	})
}

const partitionListLong = `List partitions with their offsets, sizes and times.

Only batch headers of the first and last segment are read; --segments reads those of all. LAST is the newest timestamp.
END is what Kafka's own recovery would find if the last segment is sound; "partition verify" proves that. With -o wide
each line names its volume and directory, and segments have their batches and compression.`

type partitionListOptions struct {
	partitionOptions
	segments bool
}

func newPartitionListCmd(f *Factory) *cobra.Command {
	o := &partitionListOptions{partitionOptions: partitionOptions{factory: f}}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:   "ls [TOPIC|TOPIC-PARTITION…]",
		Short: "List partitions with their offsets, sizes and times",
		Long:  partitionListLong,
		Example: "kafkarecover partition ls --dir /mnt/volumes\n" +
			"kafkarecover partition ls --dir /mnt/volumes --segments orders-0",
		RunE: f.do(o, format),
	}
	o.addSource(cmd)
	cmd.Flags().BoolVar(&o.segments, "segments", false, "List every segment")
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.NotFound, exitcode.Incomplete)
}

// Run implements action.
func (o *partitionListOptions) Run(ctx context.Context) (any, error) {
	defer o.source.close()
	places, problems, err := o.chosen()
	if err != nil {
		return nil, err
	}
	list := &PartitionList{TypeMeta: output.Meta("PartitionList"), segments: o.segments}
	for i := range places {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		one, err := o.measure(&places[i])
		if err != nil {
			problem := fmt.Sprintf("%s: %v", places[i].Title(), err)
			o.factory.Progress().Warnf("%s", problem)
			problems = append(problems, problem)
			continue
		}
		list.Partitions = append(list.Partitions, one)
	}
	list.Unread = append(problems, o.source.unread...)
	return list, o.source.incomplete(o.factory, len(problems))
}

func (o *partitionListOptions) measure(p *place) (PartitionInfo, error) {
	info := PartitionInfo{Volume: p.volume.Name, LogDir: logdir.Escape(p.LogDir()), Partition: p.Name}
	segments, err := p.segments()
	if err != nil {
		return info, err
	}
	info.SegmentCount = len(segments)
	if info.Extent, err = partition.MeasureLog(p.volume.fsys, segments, false, batch.Limits{}); err != nil {
		return info, err
	}
	if !o.segments {
		info.Batches, info.Records, info.Codecs = 0, 0, nil // of the last segment alone: no one asked for that
		return info, nil
	}
	for _, s := range segments {
		x, err := partition.Measure(p.volume.fsys, s, batch.Limits{})
		if err != nil {
			return info, err
		}
		s.Name = logdir.Escape(s.Name)
		listed := PartitionSegment{Segment: s, Extent: x}
		if x.Damage != nil {
			listed.Problem = x.Damage.Error()
		}
		info.Segments = append(info.Segments, listed)
	}
	return info, nil
}

// PartitionList is what `partition ls` prints.
type PartitionList struct {
	output.TypeMeta
	Partitions []PartitionInfo `json:"partitions"`
	// Unread are volumes and directories that could not be read.
	Unread []string `json:"unread,omitempty"`

	segments bool
}

// PartitionInfo is one partition's copy on one volume.
type PartitionInfo struct {
	Volume string `json:"volume"`
	LogDir string `json:"logDir"`
	logdir.Partition
	SegmentCount int `json:"segmentCount"`
	partition.Extent
	Segments []PartitionSegment `json:"segments,omitempty"`
}

// PartitionSegment is one segment of a partition.
type PartitionSegment struct {
	partition.Segment
	partition.Extent
	// Problem says why reading ended before the segment's end.
	Problem string `json:"problem,omitempty"`
}

// Table implements output.Tabler.
func (l *PartitionList) Table(wide bool) output.Document {
	switch {
	case l.segments && wide:
		return l.wideSegments()
	case l.segments:
		return l.segmentTables()
	case wide:
		return l.widePartitions()
	}
	var doc output.Document
	for i := range l.Partitions {
		p := &l.Partitions[i]
		state := "" // a column only where there is another than current
		if p.State != logdir.PartitionCurrent {
			state = string(p.State)
		}
		row := output.Row(p.shown(), p.Start, p.End, progress.Size(p.Bytes), secondsText(p.Newest), state)
		if title := path.Join(p.Volume, p.LogDir); len(doc) == 0 || doc[len(doc)-1].Title != title {
			columns := output.Columns("PARTITION", ">START", ">END", ">SIZE", "LAST", "STATE")
			doc = append(doc, output.Section{Title: title, Table: &output.Table{Columns: columns}})
		}
		table := doc[len(doc)-1].Table
		table.Rows = append(table.Rows, row)
	}
	return doc
}

// shown names the partition; the directory of one that is not current says more, and wide shows it.
func (p *PartitionInfo) shown() string {
	if p.Topic == "" {
		return p.Dir
	}
	return logdir.Escape(p.Topic) + "-" + strconv.Itoa(int(p.Partition.Partition))
}

// widePartitions has a row for each copy that says all by itself.
func (l *PartitionList) widePartitions() output.Document {
	rows := make([][]output.Cell, 0, len(l.Partitions))
	for i := range l.Partitions {
		p := &l.Partitions[i]
		rows = append(rows, output.Row(p.Dir, p.Start, p.End, progress.Size(p.Bytes), secondsText(p.Newest), p.Volume,
			p.LogDir, p.State, p.SegmentCount, p.Epoch, secondsText(p.Oldest), dash(p.TopicID)))
	}
	return tableOf(output.Columns("PARTITION", ">START", ">END", ">SIZE", "LAST", "VOLUME", "DIRECTORY", "STATE",
		">SEGMENTS", ">EPOCH", "FIRST", "TOPIC ID"), rows)
}

// secondsText is a time as a list shows it.
func secondsText(ms int64) string {
	if ms <= 0 {
		return "-"
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

// segmentTables has a table for each partition's copy.
func (l *PartitionList) segmentTables() output.Document {
	var doc output.Document
	for i := range l.Partitions {
		p := &l.Partitions[i]
		t := &output.Table{Columns: output.Columns("SEGMENT", ">END", ">RECORDS", ">SIZE", "LAST")}
		section := output.Section{Title: path.Join(p.Volume, p.LogDir, p.Dir), Table: t}
		for k := range p.Segments {
			s := &p.Segments[k]
			t.Rows = append(t.Rows, output.Row(path.Base(s.Name), s.End, s.Records, progress.Size(s.Size),
				secondsText(s.Newest)))
			if s.Problem != "" {
				section.Lines = append(section.Lines, output.Text(s.Problem))
			}
		}
		doc = append(doc, section)
	}
	return doc
}

// wideSegments has a row for each segment that says all by itself.
func (l *PartitionList) wideSegments() output.Document {
	var rows [][]output.Cell
	var notes output.Section
	for i := range l.Partitions {
		p := &l.Partitions[i]
		for k := range p.Segments {
			s := &p.Segments[k]
			rows = append(rows, output.Row(p.Volume+"/"+s.Name, s.Start, s.End, s.Batches, s.Records,
				progress.Size(s.Size), joined(s.Codecs), secondsText(s.Newest)))
			if s.Problem != "" {
				notes.Lines = append(notes.Lines, output.Text(s.Problem))
			}
		}
	}
	return append(tableOf(output.Columns("SEGMENT", ">START", ">END", ">BATCHES", ">RECORDS", ">SIZE", "CODEC", "LAST"),
		rows), notes)
}

// Names implements output.Namer.
func (l *PartitionList) Names() []string {
	out := make([]string, len(l.Partitions))
	for i := range l.Partitions {
		out[i] = "partition/" + l.Partitions[i].Dir
	}
	return out
}

const partitionVerifyLong = `Read every segment and snapshot of the volumes whole: the CRC of each batch,
each record after decompression, the order of offsets. What is found says what Kafka does
about it. The exit code is 3 when there is any.`

type partitionVerifyOptions struct{ partitionOptions }

func newPartitionVerifyCmd(f *Factory) *cobra.Command {
	o := &partitionVerifyOptions{partitionOptions{factory: f}}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:     "verify [TOPIC|TOPIC-PARTITION…]",
		Short:   "Check the CRC of every batch and decode every record",
		Long:    partitionVerifyLong,
		Example: "kafkarecover partition verify --dir /mnt/volumes",
		RunE:    f.do(o, format),
	}
	o.addSource(cmd)
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Run implements action.
func (o *partitionVerifyOptions) Run(ctx context.Context) (any, error) {
	defer o.source.close()
	places, problems, err := o.chosen()
	if err != nil {
		return nil, err
	}
	result := &PartitionVerify{TypeMeta: output.Meta("PartitionVerify"), Issues: []PartitionIssue{}}
	var total, done int64
	for i := range places {
		total += places[i].Name.Bytes
	}
	step := o.factory.Progress().Step("verify", "Verify partitions")
	for i := range places {
		p := &places[i]
		report, err := partition.Verify(ctx, p.volume.fsys, []partition.Place{p.Place}, partition.VerifyOptions{
			Read: func(n int64) { done += n; step.Count(done, total, progress.Bytes) },
		})
		if err != nil {
			step.Fail("interrupted")
			return nil, err
		}
		result.add(p.volume.Name, report)
	}
	step.Done("%s in %d files", progress.Size(result.Bytes), result.Files)
	result.Unread = append(problems, o.source.unread...)
	err = o.source.incomplete(o.factory, len(problems))
	if n := len(result.Issues) + result.More; n > 0 {
		err = exitcode.With(exitcode.Refused, errors.Join(fmt.Errorf("%d issue(s)", n), err))
	}
	return result, err
}

// PartitionVerify is what `partition verify` prints.
type PartitionVerify struct {
	output.TypeMeta
	Partitions int              `json:"partitions"`
	Files      int              `json:"files"`
	Bytes      int64            `json:"bytes"`
	Batches    int64            `json:"batches"`
	Records    int64            `json:"records"`
	Issues     []PartitionIssue `json:"issues"`
	More       int              `json:"more,omitempty"`
	Unread     []string         `json:"unread,omitempty"`
}

// PartitionIssue is one issue with the volume it is on.
type PartitionIssue struct {
	Volume string `json:"volume"`
	partition.Issue
}

func (v *PartitionVerify) add(volume string, r *partition.Report) {
	v.Partitions += r.Partitions
	v.Files += r.Files
	v.Bytes += r.Bytes
	v.Batches += r.Batches
	v.Records += r.Records
	v.More += r.More
	for _, i := range r.Issues {
		v.Issues = append(v.Issues, PartitionIssue{volume, i})
	}
}

// Table implements output.Tabler.
func (v *PartitionVerify) Table(bool) output.Document {
	issues := make([]shownIssue, 0, len(v.Issues))
	for _, i := range v.Issues {
		issues = append(issues, shownIssue{string(i.Level), i.Rule, i.Volume + "/" + i.Path, i.Message, i.Remedy})
	}
	summary := fmt.Sprintf("%s, %s, %s in %s with %s", wording.Count(v.Partitions, "partition", "partitions"),
		wording.Count(v.Files, "file", "files"), progress.Size(v.Bytes), wording.Count(v.Batches, "batch", "batches"),
		wording.Count(v.Records, "record", "records"))
	if len(issues) == 0 && len(v.Unread) == 0 {
		summary += "; nothing is wrong"
	}
	return output.Document{issueSection(issues), {Lines: []output.Line{output.Text(summary)}}}
}

// Names implements output.Namer.
func (v *PartitionVerify) Names() []string {
	out := make([]string, len(v.Issues))
	for i := range v.Issues {
		out[i] = v.Issues[i].Rule + "/" + v.Issues[i].Path
	}
	return out
}
