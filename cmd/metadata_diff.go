package cmd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/diff"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

const metadataDiffLong = `Tell what changed between two metadata logs, two snapshots, or two offsets of one log, object
by object.

A PATH may end in @OFFSET to see it as it was before that offset. The exit code is 3 when they
differ.`

type metadataDiffOptions struct {
	factory *Factory
	secrets bool
	paths   []string
	claims  claimSource
}

func newMetadataDiffCmd(f *Factory) *cobra.Command {
	o := &metadataDiffOptions{factory: f}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:   "diff PATH PATH",
		Short: "Tell what changed between two volumes, snapshots or offsets",
		Long:  metadataDiffLong,
		Example: "kafkarecover metadata diff /mnt/controller-0 /mnt/controller-1\n" +
			"kafkarecover metadata diff /mnt/controller-0@1200 /mnt/controller-0",
		Args: cobra.ExactArgs(2),
		RunE: f.do(o, format),
	}
	cmd.Flags().BoolVar(&o.secrets, "show-secrets", false, "Show SCRAM keys and sensitive configuration values")
	o.claims.wanted = isMetadata
	o.claims.addFlags(cmd)
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Complete implements action.
func (o *metadataDiffOptions) Complete(_ context.Context, args []string) error {
	o.paths = args
	return nil
}

// Validate implements action.
func (*metadataDiffOptions) Validate() error { return nil }

// Run implements action.
func (o *metadataDiffOptions) Run(ctx context.Context) (any, error) {
	var images [2]*metadata.Image
	var incomplete error
	for i, p := range o.paths {
		im, title, err := o.readAt(ctx, p)
		if err != nil {
			return nil, err
		}
		images[i] = im
		incomplete = errors.Join(incomplete, o.factory.tellReport(title, im.Report()))
	}
	result := &MetadataDiff{
		TypeMeta: output.Meta("MetadataDiff"), From: o.paths[0], To: o.paths[1],
		Changes: diff.Images(images[0], images[1], o.secrets),
	}
	if len(result.Changes) > 0 {
		return result, exitcode.With(exitcode.Refused,
			errors.Join(fmt.Errorf("they differ in %d object(s)", len(result.Changes)), incomplete))
	}
	return result, incomplete
}

// readAt reads PATH or PATH@OFFSET.
func (o *metadataDiffOptions) readAt(ctx context.Context, p string) (*metadata.Image, string, error) {
	var until int64
	if i := strings.LastIndexByte(p, '@'); i > 0 {
		if n, err := strconv.ParseInt(p[i+1:], 10, 64); err == nil && n > 0 {
			p, until = p[:i], n
		}
	}
	source := metadataSource{claims: claimSource{read: o.claims.read, wanted: o.claims.wanted}}
	defer source.close()
	if err := source.open(ctx, o.factory, []string{p}); err != nil {
		return nil, "", err
	}
	return source.single(until)
}

// MetadataDiff is what `metadata diff` prints.
type MetadataDiff struct {
	output.TypeMeta
	From    string        `json:"from"`
	To      string        `json:"to"`
	Changes []diff.Change `json:"changes"`
}

// Table implements output.Tabler.
func (d *MetadataDiff) Table(bool) output.Document {
	if len(d.Changes) == 0 {
		return output.Document{{Lines: []output.Line{output.Text("no differences")}}}
	}
	var s output.Section
	for _, c := range d.Changes {
		s.Lines = append(s.Lines, output.Text(string(c.Kind), " ", output.Styled(iostreams.Strong, c.Object)))
		for _, f := range c.Fields {
			text := f.Name + ": " + f.To
			switch c.Kind {
			case diff.Changed:
				text = f.Name + ": " + dash(f.From) + " → " + dash(f.To)
			case diff.Removed:
				text = f.Name + ": " + f.From
			case diff.Added:
			}
			s.Lines = append(s.Lines, output.Indented(4, text))
		}
	}
	return output.Document{s}
}

// Names implements output.Namer.
func (d *MetadataDiff) Names() []string {
	out := make([]string, len(d.Changes))
	for i, c := range d.Changes {
		out[i] = c.Object
	}
	return out
}
