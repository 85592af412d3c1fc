package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/verify"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

const metadataVerifyLong = `Check every batch and record of every metadata log and snapshot, each snapshot against the
log that led to it, and every partition directory against the newest metadata. What is found is what
Kafka will do with these volumes when it starts: delete, move aside, refuse or format.

Name all volumes of the cluster, so that missing partitions can be told from unread ones.`

type metadataVerifyOptions struct {
	factory *Factory
	dirs    []string
	claims  claimSource
}

func newMetadataVerifyCmd(f *Factory) *cobra.Command {
	o := &metadataVerifyOptions{factory: f}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:     "verify [PATH…]",
		Short:   "Check metadata logs and partitions: what Kafka will do with them",
		Long:    metadataVerifyLong,
		Example: "kafkarecover metadata verify --dir /mnt/volumes",
		RunE:    f.do(o, format),
	}
	cmd.Flags().StringArrayVar(&o.dirs, "dir", nil, "`PATH` of a volume or folder of volumes; may be repeated")
	o.claims.wanted = isMetadata
	o.claims.addFlags(cmd)
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Complete implements action.
func (o *metadataVerifyOptions) Complete(ctx context.Context, args []string) error {
	if o.dirs = append(o.dirs, args...); len(o.dirs) == 0 {
		return usagef("name the folder of the volumes, for example --dir /mnt/volumes, or the cluster, as kafka/NAME")
	}
	var err error
	o.dirs, err = o.claims.resolve(ctx, o.factory, o.dirs)
	return err
}

// Validate implements action.
func (*metadataVerifyOptions) Validate() error { return nil }

// Run implements action.
func (o *metadataVerifyOptions) Run(ctx context.Context) (result any, err error) {
	defer func() { err = errors.Join(err, o.claims.close()) }()
	return o.run(ctx)
}

func (o *metadataVerifyOptions) run(ctx context.Context) (any, error) {
	var volumes []verify.Volume
	unread := o.unread()
	for _, dir := range o.dirs {
		folder, err := openVolumes(dir)
		if err != nil {
			return nil, err
		}
		defer func() { _ = folder.Close() }()
		for _, v := range folder.Volumes {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			one, err := readVolume(folder, v)
			one.Name = o.claims.title(dir, v.Name)
			if err != nil {
				unread = append(unread, verify.Issue{
					Level: verify.Error, Rule: "unread", Subject: one.Name, Message: err.Error(),
				})
				continue
			}
			volumes = append(volumes, one)
		}
	}
	checked, err := verify.Check(volumes)
	if err != nil {
		return nil, err
	}
	checked.Issues = append(checked.Issues, unread...)
	result := &MetadataVerify{TypeMeta: output.Meta("MetadataVerify"), Volumes: len(volumes), Result: *checked}
	switch {
	case result.Worst() == verify.Error || result.Worst() == verify.Warning:
		err = exitcode.With(exitcode.Refused, fmt.Errorf("%d issue(s)", len(result.Issues)))
	case result.Newest == "":
		err = exitcode.With(exitcode.NotFound, metadata.ErrNoMetadata)
	}
	if len(unread) > 0 {
		err = exitcode.With(exitcode.Worst(exitcode.Of(err), exitcode.Incomplete), errors.Join(err,
			fmt.Errorf("%d volume(s) could not be read", len(unread))))
	}
	return result, err
}

// unread are the claims that could not be read.
func (o *metadataVerifyOptions) unread() []verify.Issue {
	var out []verify.Issue
	for _, u := range o.claims.unread {
		name, reason, _ := strings.Cut(u, ": ")
		out = append(out, verify.Issue{Level: verify.Error, Rule: "unread", Subject: name, Message: reason})
	}
	return out
}

// openVolumes opens a volume or folder of volumes; a metadata log directory stands for the log directory it is in.
func openVolumes(dir string) (*volume.Folder, error) {
	if info, err := os.Stat(dir); err == nil && info.IsDir() && filepath.Base(absolutePath(dir)) == metadata.Dir {
		dir = filepath.Dir(absolutePath(dir))
	}
	folder, err := volume.OpenFolder(dir)
	if errors.Is(err, volume.ErrNoVolume) || errors.Is(err, os.ErrNotExist) {
		return nil, exitcode.With(exitcode.NotFound, err)
	}
	return folder, err
}

func readVolume(folder *volume.Folder, v volume.Volume) (verify.Volume, error) {
	if v.State == volume.Unread {
		return verify.Volume{}, errors.New(v.Reason)
	}
	fsys, err := folder.Open(v.Name)
	if err != nil {
		return verify.Volume{}, err
	}
	contents, err := logdir.Read(fsys, logdir.Options{})
	return verify.Volume{Name: v.Name, FS: fsys, Contents: contents}, err
}

// MetadataVerify is what `metadata verify` prints.
type MetadataVerify struct {
	output.TypeMeta
	Volumes int `json:"volumes"`
	verify.Result
}

// Table implements output.Tabler.
func (v *MetadataVerify) Table(bool) output.Document {
	issues := make([]shownIssue, 0, len(v.Issues))
	for _, i := range v.Issues {
		issues = append(issues, shownIssue{string(i.Level), i.Rule, i.Subject, i.Message, i.Remedy})
	}
	summary := fmt.Sprintf("%s, %s with %s, %s; newest metadata: %s", wording.Count(v.Volumes, "volume", "volumes"),
		wording.Count(v.Files, "metadata file", "metadata files"), wording.Count(v.Records, "record", "records"),
		wording.Count(v.Partitions, "partition directory", "partition directories"), dash(v.Newest))
	if len(issues) == 0 {
		summary += "; nothing is wrong"
	}
	return output.Document{issueSection(issues), {Lines: []output.Line{output.Text(summary)}}}
}

// shownIssue is what people are shown of an issue of verify.
type shownIssue struct{ level, rule, subject, message, remedy string }

// issueSection shows issues one below the other, as findings are shown; those that differ in their subject alone as one
// with all its subjects.
func issueSection(issues []shownIssue) output.Section {
	var s output.Section
	for len(issues) > 0 {
		first := issues[0]
		s.Lines = append(s.Lines, output.Text(levelCell(first.level), " ", output.Styled(iostreams.Strong, first.rule)))
		for len(issues) > 0 {
			next := issues[0]
			if next.subject = first.subject; next != first {
				break
			}
			s.Lines = append(s.Lines, output.Indented(2, issues[0].subject))
			issues = issues[1:]
		}
		s.Lines = append(s.Lines, output.Indented(4, first.message))
		if first.remedy != "" {
			s.Lines = append(s.Lines, output.Indented(4, "→ ", first.remedy))
		}
	}
	return s
}

// Names implements output.Namer.
func (v *MetadataVerify) Names() []string {
	out := make([]string, len(v.Issues))
	for i, issue := range v.Issues {
		out[i] = issue.Rule + "/" + issue.Subject
	}
	return out
}

func levelCell(level string) output.Cell {
	style := iostreams.Plain
	switch level {
	case string(verify.Error):
		style = iostreams.Bad
	case string(verify.Warning):
		style = iostreams.Notice
	}
	return output.Styled(style, level)
}
