package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/quorum"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/verify"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// Deep is what the metadata logs of all volumes say when they are held against each other and against the partitions.
type Deep struct {
	// Quorum judges the copies of the metadata log; nil where there is none.
	Quorum *quorum.Quorum `json:"quorum,omitempty"`
	// Verify is what every batch, record and partition directory was checked for.
	Verify *verify.Result `json:"verify"`
}

// deepReader keeps what Deep needs of each volume, until all have been read.
type deepReader struct {
	// copies is where the metadata logs are copied to; empty where volumes stay open until the end.
	copies string

	mu      sync.Mutex
	volumes []verify.Volume
	roots   []*os.Root
}

// newDeepReader returns a reader that copies metadata logs below tempDir, because a volume in a pod can be read for a
// moment only.
func newDeepReader(tempDir string) (*deepReader, error) {
	dir, err := os.MkdirTemp(tempDir, "kafkarecover-deep-") // 0700
	if err != nil {
		return nil, fmt.Errorf("make a folder for the copies of metadata logs: %w", err)
	}
	return &deepReader{copies: dir}, nil
}

func (d *deepReader) close() error {
	var errs []error
	for _, r := range d.roots {
		errs = append(errs, r.Close())
	}
	if d.copies != "" {
		errs = append(errs, os.RemoveAll(d.copies))
	}
	return errors.Join(errs...)
}

// visiting returns a Visit that keeps the volume and then calls another, which may be nil.
func (d *deepReader) visiting(then Visit) Visit {
	return func(ctx context.Context, v *volume.Volume, fsys fs.FS) error {
		if err := d.keep(ctx, v, fsys); err != nil {
			return err
		}
		if then == nil {
			return nil
		}
		return then(ctx, v, fsys)
	}
}

func (d *deepReader) keep(ctx context.Context, v *volume.Volume, fsys fs.FS) error {
	kept := verify.Volume{Name: v.Name, FS: fsys, Contents: v.Contents}
	if d.copies != "" {
		root, err := d.copy(ctx, v, fsys)
		if err != nil {
			return fmt.Errorf("copy the metadata log: %w", err)
		}
		kept.FS = root.FS()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.IndexFunc(d.volumes, func(o verify.Volume) bool { return o.Name == v.Name }); i >= 0 {
		d.volumes[i] = kept // it was read again
		return nil
	}
	d.volumes = append(d.volumes, kept)
	return nil
}

// copy copies the metadata logs of a volume into a folder of its own.
func (d *deepReader) copy(ctx context.Context, v *volume.Volume, fsys fs.FS) (*os.Root, error) {
	d.mu.Lock()
	dir := filepath.Join(d.copies, strconv.Itoa(len(d.roots)))
	err := os.Mkdir(dir, 0o700)
	var root *os.Root
	if err == nil {
		root, err = os.OpenRoot(dir)
	}
	if err == nil {
		d.roots = append(d.roots, root)
	}
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	for i := range v.Contents.Dirs {
		from := &v.Contents.Dirs[i]
		if from.Metadata == nil {
			continue
		}
		if err := copyLog(ctx, root, fsys, path.Join(from.Path, metadata.Dir)); err != nil {
			return nil, err
		}
	}
	return root, nil
}

func copyLog(ctx context.Context, to *os.Root, from fs.FS, dir string) error {
	if err := to.MkdirAll(filepath.FromSlash(dir), 0o700); err != nil {
		return err
	}
	files, err := metadata.Files(from, dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := copyFile(to, from, f.Name); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to *os.Root, from fs.FS, name string) (err error) {
	in, err := from.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // nothing was written
	out, err := to.OpenFile(filepath.FromSlash(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

// judge holds the volumes that were read against each other.
func (d *deepReader) judge() (*Deep, error) {
	slices.SortFunc(d.volumes, func(a, b verify.Volume) int { return strings.Compare(a.Name, b.Name) })
	checked, err := verify.Check(d.volumes)
	if err != nil {
		return nil, fmt.Errorf("verify the metadata logs: %w", err)
	}
	out := &Deep{Verify: checked}
	var copies []quorum.Copy
	for _, v := range d.volumes {
		copies = append(copies, quorum.FromContents(v.Name, v.Contents)...)
	}
	if len(copies) > 0 {
		out.Quorum = quorum.Judge(copies)
	}
	return out, nil
}

// fails tells whether an issue is at or above the limit of --fail-on.
func (d *Deep) fails(limit finding.Severity) int {
	if d == nil || limit == "" {
		return 0
	}
	n := 0
	for _, i := range d.Verify.Issues {
		if severityOf(i.Level).AtLeast(limit) {
			n++
		}
	}
	return n
}

func severityOf(l verify.Level) finding.Severity {
	switch l {
	case verify.Error:
		return finding.Error
	case verify.Warning:
		return finding.Warning
	case verify.Info:
	}
	return finding.Info
}

func (d *Deep) document(wide bool) output.Document {
	if d == nil {
		return nil
	}
	t := &output.Table{Columns: output.Columns("LEVEL", "RULE", "~SUBJECT", "~MESSAGE", "~REMEDY")}
	for _, i := range d.Verify.Issues {
		style := iostreams.Plain
		switch i.Level {
		case verify.Error:
			style = iostreams.Bad
		case verify.Warning:
			style = iostreams.Notice
		case verify.Info:
			if !wide {
				continue
			}
		}
		t.Rows = append(t.Rows, output.Row(output.Styled(style, string(i.Level)), i.Rule, i.Subject, i.Message, i.Remedy))
	}
	lines := []output.Line{output.Text(fmt.Sprintf(
		"verified: %s with %d records, %s; %s", wording.Count(d.Verify.Files, "metadata file", "metadata files"),
		d.Verify.Records,
		wording.Count(d.Verify.Partitions, "partition directory", "partition directories"),
		wording.Count(len(d.Verify.Issues), "issue", "issues")))}
	return output.Document{{Title: "Metadata and partitions", Table: t, Lines: append(lines, d.quorumLines()...)}}
}

func (d *Deep) quorumLines() []output.Line {
	q := d.Quorum
	if q == nil {
		return nil
	}
	var lines []output.Line
	if q.Newest >= 0 {
		c := &q.Copies[q.Newest]
		lines = append(lines, output.Text(fmt.Sprintf(
			"newest copy of the metadata: %s, up to %s; proven committed up to offset %d", c.Name, endOf(c.End), q.Committed)))
	}
	loss, can := q.Loss()
	switch {
	case !can:
		lines = append(lines, output.Text(output.Styled(iostreams.Bad, fmt.Sprintf(
			"these volumes alone elect nobody: %d of %d voters are needed", q.Majority, len(q.Voters)))))
	case !q.SafeToStart():
		lines = append(lines, output.Text(output.Styled(iostreams.Bad, fmt.Sprintf(
			"an election is possible and not proven safe; up to %d offsets of the newest copy could be lost", loss))))
	default:
		lines = append(lines,
			output.Text("an election is possible, and whoever wins it has all that may have been committed"))
	}
	return lines
}

func endOf(e logdir.OffsetAndEpoch) string {
	return fmt.Sprintf("offset %d of epoch %d", e.Offset, e.Epoch)
}
