package cmd

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/group"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

const metadataGroupsLong = `List the groups and the offsets they committed, from the partitions of __consumer_offsets on
brokers' volumes.

Of several copies of a partition the one with the newest leader epoch, and with the farthest end among those, is read;
copies that end elsewhere are told. --dir also takes pvc/NAME and kafka/NAME; then only __consumer_offsets is read. END
is the farthest end of the topic's partition on the volumes read, LAG what the group had not read of it. A group counts
as of its last record: members are those it had then.`

type metadataGroupsOptions struct {
	factory *Factory
	source  volumeSource
	groups  []string
	offsets bool
}

func newMetadataGroupsCmd(f *Factory) *cobra.Command {
	o := &metadataGroupsOptions{factory: f}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:   "groups [GROUP…]",
		Short: "List consumer groups and their committed offsets",
		Long:  metadataGroupsLong,
		Example: "kafkarecover metadata groups --dir /mnt/volumes\n" +
			"kafkarecover metadata groups --dir /mnt/volumes --offsets billing",
		RunE: f.do(o, format),
	}
	o.source.addFlags(cmd)
	o.source.takeClaims(cmd, isOffsets)
	cmd.Flags().BoolVar(&o.offsets, "offsets", false, "List every committed offset (default when groups are named)")
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.NotFound, exitcode.Incomplete)
}

// Complete implements action.
func (o *metadataGroupsOptions) Complete(ctx context.Context, args []string) error {
	o.groups = args
	if err := o.source.fetch(ctx, o.factory); err != nil {
		return err
	}
	return o.source.open(true)
}

// Validate implements action.
func (*metadataGroupsOptions) Validate() error { return nil }

// copyOf is a copy of a partition with where it ends.
type copyOf struct {
	*place
	segments []partition.Segment
	extent   partition.Extent
}

func (c *copyOf) key() string { return fmt.Sprintf("%s-%d", c.Name.Topic, c.Name.Partition) }

// Run implements action.
func (o *metadataGroupsOptions) Run(ctx context.Context) (any, error) {
	defer o.source.close()
	places, problems := o.source.places()
	result := &MetadataGroups{TypeMeta: output.Meta("MetadataGroups"), offsets: o.offsets || len(o.groups) > 0}
	copies := map[string][]copyOf{}
	for i := range places {
		c := copyOf{place: &places[i]}
		if c.Name.State != logdir.PartitionCurrent {
			continue
		}
		if err := c.measure(); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", c.Title(), err))
			continue
		}
		if len(c.segments) > 0 { // without any its end is not known
			copies[c.key()] = append(copies[c.key()], c)
		}
	}
	groups := group.New()
	for _, key := range sortedNames(copies) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if copies[key][0].Name.Topic == group.Topic {
			problems = append(problems, result.read(groups, key, copies[key])...)
		}
	}
	result.take(groups, copies, o.groups)
	for _, p := range problems {
		o.factory.Progress().Warnf("%s", p)
	}
	result.Unread = append(problems, o.source.unread...)
	if err := o.source.incomplete(o.factory, len(problems)); err != nil {
		return result, err
	}
	return result, result.found(o.groups)
}

func (c *copyOf) measure() (err error) {
	if c.segments, err = c.place.segments(); err != nil {
		return err
	}
	c.extent, err = partition.MeasureLog(c.volume.fsys, c.segments, false, batch.Limits{})
	return err
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// MetadataGroups is what `metadata groups` prints.
type MetadataGroups struct {
	output.TypeMeta
	// Partitions is how many partitions of __consumer_offsets were read. Groups of the others are not here.
	Partitions int         `json:"partitions"`
	Groups     []GroupInfo `json:"groups"`
	// Unequal are sentences about copies of a partition that do not end alike.
	Unequal []string `json:"unequalCopies,omitempty"`
	Unread  []string `json:"unread,omitempty"`

	offsets bool
}

// GroupInfo is one group.
type GroupInfo struct {
	group.Group
	Offsets []GroupOffset `json:"offsets,omitempty"`
}

// GroupOffset is a committed offset beside the end of its partition.
type GroupOffset struct {
	group.Commit
	// End is the farthest end of the partition's copies read; nil when none was.
	End *int64 `json:"endOffset,omitempty"`
	Lag *int64 `json:"lag,omitempty"`
}

// read replays the copy of one partition that goes farthest.
func (g *MetadataGroups) read(groups *group.Groups, key string, copies []copyOf) []string {
	best := slices.MaxFunc(copies, func(a, b copyOf) int {
		return cmp.Or(cmp.Compare(a.extent.Epoch, b.extent.Epoch), cmp.Compare(a.extent.End, b.extent.End))
	})
	for i := range copies {
		if c := &copies[i]; c.extent.End != best.extent.End || c.extent.Epoch != best.extent.Epoch {
			g.Unequal = append(g.Unequal, fmt.Sprintf("%s ends at offset %d of epoch %d on %s, at %d of epoch %d on %s, "+
				"which was read", key, c.extent.End, c.extent.Epoch, c.volume.Name, best.extent.End, best.extent.Epoch,
				best.volume.Name))
		}
	}
	g.Partitions++
	problems, err := groups.Read(best.volume.fsys, best.segments, batch.Limits{})
	if err != nil {
		return []string{fmt.Sprintf("%s: %v", best.Title(), err)}
	}
	out := make([]string, len(problems))
	for i, p := range problems {
		out[i] = fmt.Sprintf("%s: byte %d: %s", best.Title(), p.Offset, p.Message)
	}
	return out
}

// take puts the groups asked for into the result, with the ends of the partitions they read.
func (g *MetadataGroups) take(groups *group.Groups, copies map[string][]copyOf, names []string) {
	g.Groups = []GroupInfo{}
	for _, one := range groups.List() {
		if len(names) > 0 && !slices.Contains(names, one.ID) {
			continue
		}
		info := GroupInfo{Group: one}
		for _, c := range one.Offsets {
			offset := GroupOffset{Commit: c}
			if of := copies[fmt.Sprintf("%s-%d", c.Topic, c.Partition)]; len(of) > 0 {
				end := slices.MaxFunc(of, func(a, b copyOf) int { return cmp.Compare(a.extent.End, b.extent.End) }).extent.End
				lag := max(end-c.Offset, 0)
				offset.End, offset.Lag = &end, &lag
			}
			info.Offsets = append(info.Offsets, offset)
		}
		g.Groups = append(g.Groups, info)
	}
}

func (g *MetadataGroups) found(names []string) error {
	switch {
	case g.Partitions == 0:
		return exitcode.With(exitcode.NotFound, fmt.Errorf("read groups: no partition of %s on the volumes", group.Topic))
	case len(g.Groups) < len(names):
		return exitcode.With(exitcode.NotFound, fmt.Errorf("read groups: %d of the %d groups named are not in the %d "+
			"partitions read", len(names)-len(g.Groups), len(names), g.Partitions))
	}
	return nil
}

// Table implements output.Tabler.
func (g *MetadataGroups) Table(wide bool) output.Document {
	doc := g.groupTable()
	if g.offsets || wide {
		doc = g.offsetTable(wide)
	}
	var notes output.Section
	for _, u := range g.Unequal {
		notes.Lines = append(notes.Lines, output.Text(u))
	}
	return append(doc, notes)
}

func (g *MetadataGroups) groupTable() output.Document {
	rows := make([][]output.Cell, 0, len(g.Groups))
	for i := range g.Groups {
		one := &g.Groups[i]
		var lag, last int64
		known := true
		for _, o := range one.Offsets {
			last = max(last, o.CommittedAt)
			if known = known && o.Lag != nil; known {
				lag += *o.Lag
			}
		}
		text := fmt.Sprint(lag)
		if !known {
			text = "-"
		}
		epoch := "" // groups of the old protocol have none
		if one.Epoch > 0 {
			epoch = fmt.Sprint(one.Epoch)
		}
		rows = append(rows, output.Row(one.ID, one.Kind, epoch, len(one.Members), len(one.Offsets), text,
			secondsText(last)))
	}
	return tableOf(output.Columns("GROUP", "KIND", ">EPOCH", ">MEMBERS", ">OFFSETS", ">LAG", "LAST COMMIT"), rows)
}

func (g *MetadataGroups) offsetTable(wide bool) output.Document {
	var rows [][]output.Cell
	for i := range g.Groups {
		one := &g.Groups[i]
		for _, o := range one.Offsets {
			end, lag := "-", "-"
			if o.End != nil {
				end, lag = fmt.Sprint(*o.End), fmt.Sprint(*o.Lag)
			}
			row := output.Row(one.ID, o.Topic, o.Partition, o.Offset, end, lag)
			if wide {
				row = append(row, output.Row(millisText(o.CommittedAt), o.LeaderEpoch, o.Metadata)...)
			} else {
				row = append(row, output.Row(secondsText(o.CommittedAt))...)
			}
			rows = append(rows, row)
		}
	}
	names := []string{"GROUP", "TOPIC", ">PART", ">OFFSET", ">END", ">LAG", "COMMITTED"}
	if wide {
		names = append(names, ">EPOCH", "METADATA")
	}
	return tableOf(output.Columns(names...), rows)
}

// Names implements output.Namer.
func (g *MetadataGroups) Names() []string {
	out := make([]string, len(g.Groups))
	for i := range g.Groups {
		out[i] = "group/" + g.Groups[i].ID
	}
	return out
}
