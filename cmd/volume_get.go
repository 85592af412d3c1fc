package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/progress"
)

type volumeGetOptions struct{ volumeOptions }

func newVolumeGetCmd(f *Factory) *cobra.Command {
	o := &volumeGetOptions{volumeOptions{factory: f}}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:   "get PATH DESTINATION",
		Short: "Copy a file or directory out of a volume",
		Long: "Copy a file or directory out of a volume. DESTINATION must not exist yet: nothing is ever replaced.\n" +
			"Links and special files are passed over and told, and make the copy incomplete.\n\n" + volumeLong,
		Example: "kafkarecover volume get --dir /mnt/controller-0 kafka-log3/__cluster_metadata-0 ./metadata",
		Args:    cobra.ExactArgs(2),
		RunE:    f.do(o, format),
	}
	o.source.addFlags(cmd)
	o.takeClaims(cmd, true)
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Run implements action.
func (o *volumeGetOptions) Run(ctx context.Context) (any, error) {
	defer o.source.close()
	at, err := o.one(o.args[0])
	if err != nil {
		return nil, err
	}
	to := o.args[1]
	if _, err := os.Lstat(to); err == nil {
		return nil, exitcode.With(exitcode.Refused, fmt.Errorf("copy to %q: it exists already, and nothing is replaced", to))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("copy to %q: %w", to, err)
	}
	c := &VolumeCopy{TypeMeta: output.Meta("VolumeCopy"), From: at.Title(), To: to}
	step := o.factory.Progress().Step("copy", "Copy "+at.Title())
	if err := c.copy(ctx, &at, to, step); err != nil {
		step.Fail("%v", err)
		return nil, err
	}
	step.Done("%d files, %s", c.Files, progress.Size(c.Bytes))
	for _, p := range c.Left {
		o.factory.Progress().Warnf("%s", p)
	}
	return c, o.source.incomplete(o.factory, len(c.Left))
}

// VolumeCopy is what `volume get` prints.
type VolumeCopy struct {
	output.TypeMeta
	From  string `json:"from"`
	To    string `json:"to"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
	// Left are files that were not copied, with the reason.
	Left []string `json:"left,omitempty"`
}

// Table implements output.Tabler.
func (c *VolumeCopy) Table(bool) output.Document {
	return output.Document{{Lines: []output.Line{
		output.Text(fmt.Sprintf("copied %d files, %s, from %s to %s", c.Files, progress.Size(c.Bytes), c.From, c.To)),
	}}}
}

// Names implements output.Namer.
func (c *VolumeCopy) Names() []string { return []string{c.To} }

// copy copies a file or a directory with all that is in it.
func (c *VolumeCopy) copy(ctx context.Context, at *located, to string, step *progress.Step) error {
	if !at.info.IsDir() {
		return c.file(ctx, at, to, step)
	}
	return fs.WalkDir(at.volume.fsys, at.path, func(name string, e fs.DirEntry, err error) error {
		here := &located{volume: at.volume, path: name}
		if err == nil {
			here.info, err = e.Info()
		}
		below := strings.TrimPrefix(strings.TrimPrefix(name, at.path), "/")
		if at.path == "." {
			below = name
		}
		dest := filepath.Join(to, filepath.FromSlash(below))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			c.leave(here, err.Error())
			return nil
		case below != "" && !filepath.IsLocal(filepath.FromSlash(below)):
			c.leave(here, "has a name that this system cannot have")
			return nil
		case e.IsDir():
			return os.MkdirAll(dest, 0o755) //nolint:gosec // the person's own copy, as cp makes it
		case !here.info.Mode().IsRegular():
			c.leave(here, "is a link or special file ("+here.info.Mode().String()+")")
			return nil
		}
		return c.file(ctx, here, dest, step)
	})
}

func (c *VolumeCopy) leave(at *located, why string) {
	c.Left = append(c.Left, at.Title()+": "+logdir.EscapeText(why))
}

// file copies one file, with its time. The copy has the name only once it is whole and on the disk.
func (c *VolumeCopy) file(ctx context.Context, at *located, to string, step *progress.Step) (err error) {
	from, err := openRegular(at)
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // nothing was written
	part := to + ".part"
	out, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // as cp makes it
	if err != nil {
		return fmt.Errorf("copy %q: %w", at.Title(), err)
	}
	n, err := io.Copy(contextWriter{ctx, out}, from)
	if err == nil {
		err = out.Sync()
	}
	err = errors.Join(err, out.Close())
	if err == nil {
		err = errors.Join(os.Chtimes(part, at.info.ModTime(), at.info.ModTime()), os.Rename(part, to))
	}
	if err != nil {
		return fmt.Errorf("copy %q: %w", at.Title(), errors.Join(err, os.Remove(part)))
	}
	c.Files++
	c.Bytes += n
	step.Count(c.Bytes, 0, progress.Bytes)
	return nil
}
