package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/progress"
)

const volumeLong = `Look at the plain files of volumes: list, show, copy out. Reading never writes to a volume.

A PATH is below the volume's root. With several volumes it may begin with the volume's name and a colon, as in
data-0-my-cluster-broker-0:kafka-log0/meta.properties. Links are shown and
neither opened nor copied; no path leads out of its volume. --dir also takes pvc/NAME and kafka/NAME.`

func newVolumeCmd(f *Factory) *cobra.Command {
	return branch(&cobra.Command{
		Use:     "volume",
		Short:   "Look at the plain files of volumes",
		Long:    volumeLong,
		GroupID: groupInspect,
	},
		newVolumeListCmd(f),
		newVolumeCatCmd(f),
		newVolumeGetCmd(f),
	)
}

// volumeOptions are what the commands on files have in common.
type volumeOptions struct {
	factory *Factory
	source  volumeSource
	args    []string
}

// Complete implements action.
func (o *volumeOptions) Complete(ctx context.Context, args []string) error {
	o.args = args
	if err := o.source.fetch(ctx, o.factory); err != nil {
		return err
	}
	return o.source.open(false)
}

// takeClaims lets claims stand in the place of folders: the paths named are copied. last tells that the last argument
// is no path on a volume.
func (o *volumeOptions) takeClaims(cmd *cobra.Command, last bool) {
	o.source.takeClaims(cmd, func(name string) bool {
		args := o.args
		if last && len(args) > 0 {
			args = args[:len(args)-1]
		}
		return slices.ContainsFunc(args, func(arg string) bool {
			if _, below, ok := strings.Cut(arg, ":"); ok {
				arg = below
			}
			arg = strings.Trim(path.Clean("/"+arg), "/")
			return arg == "" || name == arg || strings.HasPrefix(name, arg+"/")
		})
	})
}

// Validate implements action.
func (*volumeOptions) Validate() error { return nil }

// located is a file or directory on one of the volumes.
type located struct {
	volume *openVolume
	path   string
	info   fs.FileInfo
}

// Title names the file in output.
func (l *located) Title() string { return path.Join(l.volume.Name, logdir.Escape(l.path)) }

// find returns where an argument lies, on every volume that has it.
func (o *volumeOptions) find(arg string) ([]located, error) {
	volume, name, named := strings.Cut(arg, ":")
	named = named && o.hasVolume(volume)
	if !named {
		name = arg
	}
	clean := path.Clean("/" + name)[1:]
	if clean == "" {
		clean = "."
	}
	if !fs.ValidPath(clean) {
		return nil, usagef("%q is no path below a volume's root", arg)
	}
	var out []located
	for i := range o.source.volumes {
		v := &o.source.volumes[i]
		if named && !v.called(volume) {
			continue
		}
		info, err := fs.Lstat(v.fsys, clean)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at %q on volume %q: %w", clean, v.Name, err)
		}
		out = append(out, located{v, clean, info})
	}
	if len(out) == 0 {
		return nil, exitcode.With(exitcode.NotFound, fmt.Errorf("look at %q: on none of the %d volume(s)", arg,
			len(o.source.volumes)))
	}
	return out, nil
}

func (o *volumeOptions) hasVolume(name string) bool {
	for i := range o.source.volumes {
		if o.source.volumes[i].called(name) {
			return true
		}
	}
	return false
}

// called tells whether the volume goes by the name, with or without what kind of volume it is.
func (v *openVolume) called(name string) bool {
	return v.Name == name || v.short() == name
}

// short is the volume's name without its kind.
func (v *openVolume) short() string {
	return strings.TrimPrefix(strings.TrimPrefix(v.Name, "pvc/"), "dir/")
}

// one is find where only one volume may have the path.
func (o *volumeOptions) one(arg string) (located, error) {
	found, err := o.find(arg)
	if err != nil {
		return located{}, err
	}
	if len(found) > 1 {
		var b strings.Builder
		for i := range found {
			fmt.Fprintf(&b, "\n%s:%s", found[i].volume.short(), logdir.Escape(found[i].path))
		}
		return located{}, exitcode.With(exitcode.Refused, fmt.Errorf(
			"%q is on %d volumes and none is chosen for you; name one:%s", arg, len(found), b.String()))
	}
	return found[0], nil
}

type volumeListOptions struct {
	volumeOptions
	recursive bool
	list      *VolumeFiles
}

func newVolumeListCmd(f *Factory) *cobra.Command {
	o := &volumeListOptions{volumeOptions: volumeOptions{factory: f}}
	format := output.NewValue()
	cmd := &cobra.Command{
		Use:   "ls [PATH…]",
		Short: "List files and directories",
		Long:  "List files and directories.\n\n" + volumeLong,
		Example: "kafkarecover volume ls --dir /mnt/volumes\n" +
			"kafkarecover volume ls --dir /mnt/volumes -R kafka-log0/__cluster_metadata-0",
		RunE: f.do(o, format),
	}
	o.source.addFlags(cmd)
	o.source.listClaims(cmd)
	cmd.Flags().BoolVarP(&o.recursive, "recursive", "R", false, "List directories with all that is in them")
	addOutputFlag(cmd, format)
	return exits(cmd, exitcode.NotFound, exitcode.Incomplete)
}

// Run implements action.
func (o *volumeListOptions) Run(ctx context.Context) (any, error) {
	defer o.source.close()
	args := o.args
	if len(args) == 0 {
		args = []string{"."}
	}
	o.list = &VolumeFiles{TypeMeta: output.Meta("VolumeFiles"), Files: []VolumeFile{}}
	for _, arg := range args {
		found, err := o.find(arg)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if err := o.walk(ctx, &found[i]); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range o.list.Unread {
		o.factory.Progress().Warnf("%s", p)
	}
	problems := len(o.list.Unread)
	o.list.Unread = append(o.list.Unread, o.source.unread...)
	return o.list, o.source.incomplete(o.factory, problems)
}

// walk lists one argument: a directory's entries, or the file itself.
func (o *volumeListOptions) walk(ctx context.Context, at *located) error {
	if !at.info.IsDir() {
		o.list.add(at, at.path, at.info)
		return nil
	}
	return fs.WalkDir(at.volume.fsys, at.path, func(name string, e fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			o.list.unread(at, name, err)
			return nil
		}
		if name == at.path {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			o.list.unread(at, name, err)
			return nil
		}
		o.list.add(at, name, info)
		if e.IsDir() && !o.recursive {
			return fs.SkipDir
		}
		return nil
	})
}

// VolumeFiles is what `volume ls` prints.
type VolumeFiles struct {
	output.TypeMeta
	Files []VolumeFile `json:"files"`
	// Unread are directories and volumes that could not be read.
	Unread []string `json:"unread,omitempty"`
}

// VolumeFile is one file or directory.
type VolumeFile struct {
	Volume string `json:"volume"`
	// Path is below the volume's root, control characters escaped.
	Path     string    `json:"path"`
	Mode     string    `json:"mode"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

func (l *VolumeFiles) add(at *located, name string, info fs.FileInfo) {
	l.Files = append(l.Files, VolumeFile{
		Volume: at.volume.Name, Path: logdir.Escape(name), Mode: info.Mode().String(), Size: info.Size(),
		Modified: info.ModTime().UTC().Truncate(time.Second),
	})
}

func (l *VolumeFiles) unread(at *located, name string, err error) {
	l.Unread = append(l.Unread, fmt.Sprintf("%s/%s: %v", at.volume.Name, logdir.Escape(name), err))
}

// Table implements output.Tabler.
func (l *VolumeFiles) Table(wide bool) output.Document {
	rows := make([][]output.Cell, 0, len(l.Files))
	for i := range l.Files {
		f := &l.Files[i]
		size := progress.Size(f.Size)
		if wide {
			size = fmt.Sprint(f.Size)
		}
		if strings.HasPrefix(f.Mode, "d") {
			size = ""
		}
		rows = append(rows, output.Row(f.Mode, size, f.Modified.Format(time.RFC3339), f.Volume+"/"+f.Path))
	}
	return tableOf(output.Columns("MODE", ">SIZE", "MODIFIED", "NAME"), rows)
}

// Names implements output.Namer.
func (l *VolumeFiles) Names() []string {
	out := make([]string, len(l.Files))
	for i := range l.Files {
		out[i] = l.Files[i].Volume + "/" + l.Files[i].Path
	}
	return out
}

type volumeCatOptions struct{ volumeOptions }

func newVolumeCatCmd(f *Factory) *cobra.Command {
	o := &volumeCatOptions{volumeOptions{factory: f}}
	cmd := &cobra.Command{
		Use:     "cat PATH…",
		Short:   "Print files as they are",
		Long:    "Print files as they are; on a terminal control characters are escaped.\n\n" + volumeLong,
		Example: "kafkarecover volume cat --dir /mnt/controller-0 kafka-log3/meta.properties",
		Args:    cobra.MinimumNArgs(1),
		RunE:    f.do(o, output.NewValue()),
	}
	o.source.addFlags(cmd)
	o.takeClaims(cmd, false)
	return exits(cmd, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete)
}

// Run implements action.
func (o *volumeCatOptions) Run(ctx context.Context) (any, error) {
	defer o.source.close()
	for _, arg := range o.args {
		at, err := o.one(arg)
		if err != nil {
			return nil, err
		}
		if err := o.print(ctx, &at); err != nil {
			return nil, err
		}
	}
	return nil, o.source.incomplete(o.factory, 0)
}

func (o *volumeCatOptions) print(ctx context.Context, at *located) error {
	file, err := openRegular(at)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // nothing was written
	var out io.Writer = contextWriter{ctx, o.factory.IO.Out}
	if o.factory.IO.OutTTY {
		out = escapingWriter{out}
	}
	if _, err := io.Copy(out, file); err != nil {
		return fmt.Errorf("print %q: %w", at.Title(), err)
	}
	return nil
}

func openRegular(at *located) (fs.File, error) {
	if !at.info.Mode().IsRegular() {
		return nil, fmt.Errorf("open %q: it is no regular file (%s)", at.Title(), at.info.Mode())
	}
	file, err := at.volume.fsys.Open(at.path)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", at.Title(), err)
	}
	return file, nil
}

// escapingWriter keeps what is in a file from acting on a terminal; lines stay lines.
type escapingWriter struct{ w io.Writer }

// Write implements io.Writer.
func (w escapingWriter) Write(p []byte) (int, error) {
	lines := strings.SplitAfter(string(p), "\n")
	for i, line := range lines {
		text, end := strings.CutSuffix(line, "\n")
		lines[i] = output.Escape(text)
		if end {
			lines[i] += "\n"
		}
	}
	if _, err := io.WriteString(w.w, strings.Join(lines, "")); err != nil {
		return 0, err
	}
	return len(p), nil
}
