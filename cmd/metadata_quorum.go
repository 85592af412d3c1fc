package cmd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/quorum"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

const metadataQuorumLong = `Say offline what kafka-metadata-quorum describe --status and --replication say of a running
cluster: voters, leader, epoch, where each copy of the metadata log ends, and beyond that what
is proven to be committed, who could be elected from these volumes alone, and what would be
lost.

Name the volumes of all controllers, and of brokers too: a broker's copy can be the newest. A
voter whose volume is not there counts as having held everything when the possibly committed
offset is computed, and as holding nothing when the election is.`

type metadataQuorumOptions struct {
	factory *Factory
	dirs    []string
	claims  claimSource
}

func newMetadataQuorumCmd(f *Factory) *cobra.Command {
	o := &metadataQuorumOptions{factory: f}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:     "quorum [PATH…]",
		Short:   "Judge the copies of the metadata log: newest, committed, electable",
		Long:    metadataQuorumLong,
		Example: "kafkarecover metadata quorum --dir /mnt/volumes",
		RunE:    f.do(o, format),
	}
	cmd.Flags().StringArrayVar(&o.dirs, "dir", nil, "`PATH` of a volume or folder of volumes; may be repeated")
	o.claims.wanted = isMetadata
	o.claims.addFlags(cmd)
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Complete implements action.
func (o *metadataQuorumOptions) Complete(ctx context.Context, args []string) error {
	if o.dirs = append(o.dirs, args...); len(o.dirs) == 0 {
		return usagef("name the folder of the volumes, for example --dir /mnt/volumes, or the cluster, as kafka/NAME")
	}
	var err error
	o.dirs, err = o.claims.resolve(ctx, o.factory, o.dirs)
	return err
}

// Validate implements action.
func (*metadataQuorumOptions) Validate() error { return nil }

// Run implements action.
func (o *metadataQuorumOptions) Run(ctx context.Context) (result any, err error) {
	defer func() { err = errors.Join(err, o.claims.close()) }()
	return o.run(ctx)
}

func (o *metadataQuorumOptions) run(ctx context.Context) (any, error) {
	var copies []quorum.Copy
	problems := append([]string{}, o.claims.unread...)
	for _, dir := range o.dirs {
		err := eachVolume(ctx, dir, func(name string, c *logdir.Contents, err error) {
			name = o.claims.title(dir, name)
			if err != nil {
				problems = append(problems, fmt.Sprintf("%s: %v", name, err))
				return
			}
			for _, p := range c.AllProblems() {
				problems = append(problems, fmt.Sprintf("%s: %s: %s", name, p.Path, p.Message))
			}
			copies = append(copies, quorum.FromContents(name, c)...)
		})
		if err != nil {
			return nil, err
		}
	}
	if len(copies) == 0 {
		return nil, exitcode.With(exitcode.NotFound, fmt.Errorf("read the volumes: %w", metadata.ErrNoMetadata))
	}
	result := &MetadataQuorum{TypeMeta: output.Meta("MetadataQuorum"), Quorum: *quorum.Judge(copies), Unread: problems}
	result.SafeToStart = result.Quorum.SafeToStart()
	result.Loss, result.CanElect = result.Quorum.Loss()
	switch {
	case len(result.ClusterIDs) > 1:
		return result, exitcode.With(exitcode.Refused, errors.New("the copies are of more than one cluster"))
	case len(problems) > 0:
		return result, exitcode.With(exitcode.Incomplete, fmt.Errorf("%d problem(s): not all was read", len(problems)))
	}
	return result, nil
}

// eachVolume reads every volume of a folder. An error of one volume is told to fn and the others are read all the same.
func eachVolume(ctx context.Context, dir string, fn func(name string, c *logdir.Contents, err error)) error {
	folder, err := openVolumes(dir)
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }()
	for _, v := range folder.Volumes {
		if err := ctx.Err(); err != nil {
			return err
		}
		one, err := readVolume(folder, v)
		fn(v.Name, one.Contents, err)
	}
	return nil
}

func absolutePath(p string) string {
	if abs, err := filepath.Abs(p); err == nil {
		return abs
	}
	return p
}

// MetadataQuorum is what `metadata quorum` prints.
type MetadataQuorum struct {
	output.TypeMeta
	quorum.Quorum
	// CanElect tells whether these volumes alone have a majority; Loss is how many offsets of the newest copy could go
	// when they elect the worst copy that can win.
	CanElect bool  `json:"canElect"`
	Loss     int64 `json:"offsetsAtRisk"`
	// SafeToStart tells that everybody who could be elected has all that may have been committed.
	SafeToStart bool `json:"safeToStart"`
	// Unread are volumes and files that could not be read.
	Unread []string `json:"unread,omitempty"`
}

// Table implements output.Tabler.
func (q *MetadataQuorum) Table(wide bool) output.Document {
	doc := output.Document{
		{Table: &output.Table{Columns: output.Columns("", "~"), Rows: q.status()}},
		{Table: q.replication(wide)},
	}
	for _, group := range [][]string{q.Problems, q.Unread} {
		var section output.Section
		for _, p := range group {
			section.Lines = append(section.Lines, output.Text(p))
		}
		doc = append(doc, section)
	}
	return doc
}

func (q *MetadataQuorum) status() [][]output.Cell {
	leader := "-"
	if q.LeaderID >= 0 {
		leader = fmt.Sprint(q.LeaderID)
	}
	kind := "static"
	if q.Dynamic {
		kind = "dynamic"
	}
	may := "unknown: voters that were not read could hold anything"
	if q.MayBeCommitted != nil {
		may = fmt.Sprintf("offset %d of epoch %d at most", q.MayBeCommitted.Offset, q.MayBeCommitted.Epoch)
	}
	election := "nobody: " + fmt.Sprintf("%d of %d voters are needed", q.Majority, len(q.Voters))
	if q.CanElect {
		election = "possible, and safe: whoever can be elected has all that may have been committed"
		switch {
		case !q.SafeToStart:
			election = fmt.Sprintf("possible, but not proven safe; up to %d offsets of the newest copy could be lost", q.Loss)
		case q.Loss > 0:
			election += fmt.Sprintf("; up to %d uncommitted offsets could be cut off", q.Loss)
		}
	}
	rows := [][]output.Cell{
		output.Row("ClusterId:", dash(joined(q.ClusterIDs))),
		output.Row("LeaderId:", leader),
		output.Row("LeaderEpoch:", q.LeaderEpoch),
		output.Row("Proven committed:", fmt.Sprintf("offset %d (%s)", q.Committed, q.CommittedBy)),
		output.Row("May be committed:", may),
		output.Row("CurrentVoters:", fmt.Sprintf("%s (%s, after %s)", dash(voterText(q.Voters)), kind, dash(q.VotersFrom))),
		output.Row("Missing voters:", dash(idsText(q.Missing))),
		output.Row("Election:", election),
	}
	if q.Newest >= 0 {
		c := &q.Copies[q.Newest]
		rows = append(rows, output.Row("Newest copy:", fmt.Sprintf("%s, offset %d of epoch %d, %s",
			c.Name, c.End.Offset, c.End.Epoch, millisText(c.LastTimestamp))))
	}
	return rows
}

func voterText(voters []logdir.Voter) string {
	out := ""
	for i, v := range voters {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprint(v.ID)
		if v.DirectoryID != "" {
			out += "@" + v.DirectoryID
		}
	}
	return out
}

func joined(list []string) string {
	out := ""
	for i, s := range list {
		if i > 0 {
			out += ", "
		}
		out += s
	}
	return out
}

func (q *MetadataQuorum) replication(wide bool) *output.Table {
	rows := make([][]output.Cell, 0, len(q.Copies))
	for i := range q.Copies {
		c := &q.Copies[i]
		node := "-"
		if c.NodeID != nil {
			node = fmt.Sprint(*c.NodeID)
		}
		end := fmt.Sprint(c.End.Offset)
		switch {
		case !c.EndKnown:
			end += "+"
		case c.Empty:
			end = "empty"
		}
		elected := "-"
		if c.Role == quorum.Voter {
			elected = map[bool]string{true: "yes", false: "no"}[c.Electable]
		}
		if wide {
			rows = append(rows, output.Row(node, c.DirectoryID, end, c.End.Epoch, c.Behind, c.SnapshotEnd,
				millisText(c.LastTimestamp), string(c.Role), elected, c.Name, c.Votes, c.RoleReason))
			continue
		}
		if !c.Empty {
			end += fmt.Sprintf("/%d", c.End.Epoch) // as scan has it
		}
		rows = append(rows, output.Row(node, end, c.Behind, string(c.Role), elected, c.Name))
	}
	names := []string{">NodeId", ">LogEnd", ">Lag", "Status", "Electable", "~Copy"}
	if wide {
		names = []string{
			">NodeId", "DirectoryId", ">LogEndOffset", ">Epoch", ">Lag", ">Snapshot", "LastTimestamp", "Status",
			"Electable", "Copy", ">Votes", "Reason",
		}
	}
	return &output.Table{Columns: output.Columns(names...), Rows: rows}
}

// Names implements output.Namer.
func (q *MetadataQuorum) Names() []string {
	out := make([]string, len(q.Copies))
	for i := range q.Copies {
		out[i] = "copy/" + q.Copies[i].Name
	}
	return out
}
