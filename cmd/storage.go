package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/storage"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

func newStorageCmd(f *Factory) *cobra.Command {
	return branch(&cobra.Command{
		Use:   "storage",
		Short: "Say how log directories are formatted; format empty ones",
		Long: "Do offline what Kafka's kafka-storage does, over the volumes of many nodes at once. Only \"format\"\n" +
			"writes, and only to empty directories.",
		GroupID: groupInspect,
	},
		newStorageInfoCmd(f),
		newStorageRandomCmd(f),
		newStorageFormatCmd(f),
	)
}

type storageInfoOptions struct {
	factory *Factory
	source  volumeSource
}

func newStorageInfoCmd(f *Factory) *cobra.Command {
	o := &storageInfoOptions{factory: f}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:   "info [PATH…]",
		Short: "Say how the log directories of volumes are formatted, and what is wrong",
		Long: "Say how the log directories of all volumes are formatted: cluster ID, node ID, directory ID. They are held\n" +
			"against each other as Kafka does when it starts. A PATH is as with --dir; both also take pvc/NAME and\n" +
			"kafka/NAME. The exit code is 3 when something is wrong.",
		Example: "kafkarecover storage info /mnt/volumes",
		RunE:    f.do(o, format),
	}
	o.source.addFlags(cmd)
	o.source.takeClaims(cmd, func(string) bool { return false })
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Complete implements action.
func (o *storageInfoOptions) Complete(ctx context.Context, args []string) error {
	o.source.dirs = append(o.source.dirs, args...)
	if err := o.source.fetch(ctx, o.factory); err != nil {
		return err
	}
	return o.source.open(false)
}

// Validate implements action.
func (*storageInfoOptions) Validate() error { return nil }

// Run implements action.
func (o *storageInfoOptions) Run(ctx context.Context) (any, error) {
	defer o.source.close()
	result := &StorageInfo{TypeMeta: output.Meta("StorageInfo"), Info: storage.Info{Problems: []string{}}}
	for _, v := range o.source.volumes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		contents, err := logdir.Read(v.fsys, logdir.Options{})
		if err != nil {
			o.source.unread = append(o.source.unread, fmt.Sprintf("%s: %v", v.Name, err))
			continue
		}
		result.Add(v.Name, contents)
	}
	result.Check()
	result.Unread = o.source.unread
	err := o.source.incomplete(o.factory, 0)
	if n := len(result.Problems); n > 0 {
		err = exitcode.With(exitcode.Refused, errors.Join(fmt.Errorf("%d problem(s)", n), err))
	}
	return result, err
}

// StorageInfo is what `storage info` prints.
type StorageInfo struct {
	output.TypeMeta
	storage.Info
	// Unread are the volumes that could not be read.
	Unread []string `json:"unread,omitempty"`
}

// Table implements output.Tabler.
func (i *StorageInfo) Table(wide bool) output.Document {
	one := i.clusterID()
	rows := make([][]output.Cell, 0, len(i.Dirs))
	for k := range i.Dirs {
		d := &i.Dirs[k]
		state := output.Styled(iostreams.Plain, string(d.State))
		if d.State != logdir.MetaOK {
			state.Style = iostreams.Bad
		}
		cluster, node, directory, version := "-", "-", "-", "-"
		if m := d.Meta; m != nil {
			directory, version = dash(m.DirectoryID), strconv.Itoa(m.Version)
			if m.ClusterID != nil {
				cluster = *m.ClusterID
			}
			if one != "" && !wide {
				cluster = ""
			}
			if m.NodeID != nil {
				node = strconv.Itoa(int(*m.NodeID))
			}
		}
		row := output.Row(path.Join(d.Volume, d.Path), state, node, directory, cluster)
		if wide {
			row = append(row, output.Row(yes(d.HasMetadata), d.Partitions, yes(d.HasBootstrap), version)...)
		}
		rows = append(rows, row)
	}
	names := []string{"~DIRECTORY", "STATE", ">NODE", "DIRECTORY ID", "CLUSTER ID"}
	if wide {
		names = append(names, "METADATA", ">PARTITIONS", "BOOTSTRAP", ">VERSION")
	}
	problems := output.Section{}
	for _, p := range i.Problems {
		problems.Lines = append(problems.Lines, output.Text(p))
	}
	if len(i.Problems) > 0 {
		problems.Title = "Found problems:"
	}
	doc := tableOf(output.Columns(names...), rows)
	if one != "" && !wide {
		doc[0].Lines = []output.Line{output.Text("cluster ID " + one)}
	}
	return append(doc, problems)
}

// clusterID is the cluster ID that every directory has; empty where they differ or one has none.
func (i *StorageInfo) clusterID() string {
	id := ""
	for k := range i.Dirs {
		m := i.Dirs[k].Meta
		if m == nil || m.ClusterID == nil || (id != "" && *m.ClusterID != id) {
			return ""
		}
		id = *m.ClusterID
	}
	return id
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "-"
}

// Names implements output.Namer.
func (i *StorageInfo) Names() []string {
	out := make([]string, len(i.Dirs))
	for k := range i.Dirs {
		out[k] = "logdir/" + i.Dirs[k].Volume + "/" + i.Dirs[k].Path
	}
	return out
}

func newStorageRandomCmd(f *Factory) *cobra.Command {
	return exits(&cobra.Command{
		Use:     "random-uuid",
		Short:   "Print a random ID, as for a new cluster or directory",
		Example: "kafkarecover storage random-uuid",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			f.started = true
			id, err := storage.RandomUUID(rand.Reader)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(f.IO.Out, id)
			return err
		},
	})
}

const storageFormatLong = `Format empty log directories of one node, with the bytes that kafka-storage format of Kafka
3.9 to 4.3 writes.

A directory that holds anything at all is refused before anything is written, and there is no flag that lifts that: a
node that starts on a freshly formatted volume beside the others' data can lose the cluster's metadata.`

type storageFormatOptions struct {
	factory  *Factory
	format   storage.FormatOptions
	release  string
	features []string
	// standalone is HOST:PORT of the only controller; controllers what the quorum begins with; join neither.
	standalone  string
	controllers string
	join        bool
}

func newStorageFormatCmd(f *Factory) *cobra.Command {
	o := &storageFormatOptions{factory: f}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:   "format",
		Short: "Format empty log directories, with the bytes Kafka writes",
		Long:  storageFormatLong,
		Example: "kafkarecover storage format --dir /mnt/new --cluster-id 5L6g3nShT-eMCtK--X86sw --node-id 3 " +
			"--release-version 4.2",
		Args: cobra.NoArgs,
		RunE: f.do(o, format),
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.format.Dirs, "dir", nil, "`PATH` of an empty or absent log directory; may be repeated")
	flags.StringVar(&o.format.MetadataDir, "metadata-dir", "", "The one for the metadata log (default the first --dir)")
	flags.StringVar(&o.format.ClusterID, "cluster-id", "", "The cluster's `ID`")
	flags.Int32Var(&o.format.NodeID, "node-id", -1, "The node's `NUMBER`")
	flags.StringVar(&o.release, "release-version", "", "Kafka `RELEASE` whose metadata.version to write: 4.2 or 4.2-IV1")
	flags.StringArrayVar(&o.features, "feature", nil, "A feature's level, as `NAME=LEVEL`; may be repeated")
	flags.StringArrayVar(&o.format.Scram, "add-scram", nil,
		"A user's SCRAM `CREDENTIAL`: SCRAM-SHA-256=[name=alice,password=…]; may be repeated")
	flags.StringVar(&o.controllers, "initial-controllers", "",
		"Dynamic quorum: `ID@HOST:PORT:DIRECTORY_ID,…` it begins with")
	flags.StringVar(&o.standalone, "standalone", "", "Dynamic quorum that begins with this node alone, at `HOST:PORT`")
	flags.BoolVar(&o.join, "no-initial-controllers", false, "Dynamic quorum that is there already, for this node to join")
	flags.StringVar(&o.format.ListenerName, "controller-listener", "CONTROLLER", "`NAME` of the controllers' listener")
	for _, name := range []string{"dir", "cluster-id", "node-id", "release-version"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was added above
		}
	}
	cmd.MarkFlagsMutuallyExclusive("initial-controllers", "standalone", "no-initial-controllers")
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused)
}

// Complete implements action.
func (o *storageFormatOptions) Complete(context.Context, []string) error {
	o.format.Now, o.format.Random = o.factory.Now, rand.Reader
	return nil
}

// Validate implements action.
func (o *storageFormatOptions) Validate() error {
	var err error
	if o.format.Release, err = storage.ParseRelease(o.release); err != nil {
		return err
	}
	o.format.Features = map[string]int16{}
	for _, text := range o.features {
		name, level, err := storage.ParseFeature(text)
		if err != nil {
			return err
		}
		o.format.Features[name] = level
	}
	o.format.Dynamic = o.join
	if o.controllers != "" {
		o.format.Dynamic = true
		if o.format.Controllers, err = storage.ParseControllers(o.controllers); err != nil {
			return err
		}
	}
	if o.standalone != "" {
		return o.alone()
	}
	return nil
}

// alone makes this node the only voter, with a directory ID of its own.
func (o *storageFormatOptions) alone() error {
	host, port, err := storage.ParseEndpoint(o.standalone)
	if err != nil {
		return err
	}
	id, err := storage.RandomUUID(o.format.Random)
	if err != nil {
		return err
	}
	o.format.Dynamic = true
	o.format.Controllers = []storage.Controller{{ID: o.format.NodeID, DirectoryID: id, Host: host, Port: port}}
	return nil
}

// Run implements action.
func (o *storageFormatOptions) Run(context.Context) (any, error) {
	formatted, err := storage.Format(o.format)
	if errors.Is(err, storage.ErrNotEmpty) {
		err = exitcode.With(exitcode.Refused, err)
	}
	if formatted == nil {
		return nil, err
	}
	return &StorageFormat{TypeMeta: output.Meta("StorageFormat"), Formatted: *formatted}, err
}

// StorageFormat is what `storage format` prints.
type StorageFormat struct {
	output.TypeMeta
	storage.Formatted
}

// Table implements output.Tabler.
func (s *StorageFormat) Table(bool) output.Document {
	var section output.Section
	for _, d := range s.Dirs {
		section.Lines = append(section.Lines, output.Text(fmt.Sprintf(
			"Formatted %s %s with metadata.version %s, directory ID %s.", d.Type, d.Path, s.MetadataVersion, d.DirectoryID)))
	}
	return output.Document{section}
}

// Names implements output.Namer.
func (s *StorageFormat) Names() []string {
	out := make([]string, len(s.Dirs))
	for i, d := range s.Dirs {
		out[i] = "logdir/" + d.Path
	}
	return out
}
