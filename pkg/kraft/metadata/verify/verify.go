// Package verify checks the metadata logs of a cluster's volumes, and the partition directories beside them, against
// each other: every batch and record, every snapshot against the log that led to it, every partition on disk against
// the newest metadata. It says what Kafka will do with them when it starts. It reads and judges; it changes nothing.
package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/batch"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/diff"
)

// Level is how bad an issue is.
type Level string

// The levels. An Error makes Kafka refuse to start or lose data; a Warning is something it repairs or moves aside;
// Info is worth knowing.
const (
	Error   Level = "error"
	Warning Level = "warning"
	Info    Level = "info"
)

// Issue is one thing found.
type Issue struct {
	Level Level `json:"level"`
	// Rule names the kind of issue.
	Rule string `json:"rule"`
	// Subject says where: volume, log directory, file or partition directory.
	Subject string `json:"subject"`
	Message string `json:"message"`
	// Remedy says what to do, where there is something.
	Remedy string `json:"remedy,omitempty"`
}

// Volume is one volume to check.
type Volume struct {
	Name     string
	FS       fs.FS
	Contents *logdir.Contents
}

// Result is what Check found.
type Result struct {
	// Newest is the log that the partitions were held against, End how far it goes.
	Newest  string  `json:"newest,omitempty"`
	End     int64   `json:"end"`
	Files   int     `json:"files"`
	Batches int64   `json:"-"`
	Records int64   `json:"records"`
	Issues  []Issue `json:"issues"`
	// Partitions is how many partition directories were held against the metadata.
	Partitions int `json:"partitions"`
}

func (r *Result) add(level Level, rule, subject, remedy, format string, args ...any) {
	r.Issues = append(r.Issues, Issue{level, rule, subject, fmt.Sprintf(format, args...), remedy})
}

// Worst is the worst level found, empty when there is nothing.
func (r *Result) Worst() Level {
	worst := Level("")
	for _, i := range r.Issues {
		switch {
		case i.Level == Error:
			return Error
		case i.Level == Warning || worst == "":
			worst = i.Level
		}
	}
	return worst
}

// Check checks all volumes of a cluster. The error is one of reading a file system; what is wrong on the volumes is in
// the result.
func Check(volumes []Volume) (*Result, error) {
	r := &Result{End: -1}
	var newest *metadata.Image
	var best logdir.OffsetAndEpoch
	for _, v := range volumes {
		for i := range v.Contents.Dirs {
			d := &v.Contents.Dirs[i]
			if d.Metadata == nil {
				continue
			}
			subject := path.Join(v.Name, d.Path)
			im, err := r.log(v.FS, subject, path.Join(d.Path, metadata.Dir))
			if err != nil {
				return nil, err
			}
			if im != nil && (newest == nil || d.Metadata.End.Compare(best) > 0) {
				newest, best, r.Newest, r.End = im, d.Metadata.End, subject, im.EndOffset()
			}
		}
	}
	for _, v := range volumes {
		r.directories(v)
	}
	if newest == nil {
		r.add(Warning, "no-metadata", "", "name a volume that holds "+metadata.Dir,
			"no volume has a metadata log: partitions were not checked")
		return r, nil
	}
	if newest.Report().Incomplete {
		r.add(Warning, "incomplete", r.Newest, "",
			"the newest metadata is incomplete, so what it says of partitions may be wrong")
	}
	c := checker{result: r, image: newest, found: map[replica]bool{}}
	c.check(volumes)
	return r, nil
}

// log checks the files of one metadata log and returns its image, nil for an empty one.
func (r *Result) log(fsys fs.FS, subject, dir string) (*metadata.Image, error) {
	files, err := metadata.Files(fsys, dir)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the directory
	}
	im, err := metadata.ReadImage(fsys, dir, metadata.ReadOptions{})
	if err != nil && !errors.Is(err, metadata.ErrNoMetadata) {
		return nil, err //nolint:wrapcheck // names the directory
	}
	none := err != nil
	for i, f := range files {
		last := i+1 == len(files) || files[i+1].Kind != metadata.Segment
		r.file(fsys, subject, f, last && !none && im.Report().Torn)
	}
	r.snapshots(fsys, subject, dir, files)
	if none {
		return nil, nil //nolint:nilerr // no metadata in the log: its files were told of above
	}
	report := im.Report()
	for _, p := range report.Problems {
		r.add(Error, "replay", subject+"/"+path.Base(p.File), "use another node's copy of the metadata log",
			"offset %d: %s", p.Offset, p.Message)
	}
	if report.Torn {
		r.add(Warning, "torn-tail", subject, "", "the log ends in an append that was cut short; Kafka cuts it off")
	}
	if t := im.OpenTransaction(); t != nil {
		r.add(Warning, "open-transaction", subject, "",
			"metadata transaction %q begun at offset %d does not end; its %d records are aborted by the next controller",
			t.Name, t.Offset, t.Records)
	}
	return im, nil
}

// file walks one file. The torn tail of the last segment is told of once, as what it is.
func (r *Result) file(fsys fs.FS, subject string, f metadata.File, torn bool) {
	r.Files++
	at := subject + "/" + path.Base(f.Name)
	problems, err := metadata.Walk(fsys, f.Name, batch.Limits{}, func(*metadata.Entry) error {
		r.Records++
		return nil
	})
	if err != nil {
		r.add(Error, "unreadable", at, "", "%v", err)
	}
	if torn && f.Kind == metadata.Segment && len(problems) > 0 {
		problems = problems[:len(problems)-1]
	}
	for _, p := range problems {
		r.add(Error, "damaged-"+string(f.Kind), at, "use another node's copy of the metadata log", "%s", p.Message)
	}
}

// snapshots holds each snapshot against the log and the snapshot before it, where the log still reaches back so far.
func (r *Result) snapshots(fsys fs.FS, subject, dir string, files []metadata.File) {
	for _, f := range files {
		if f.Kind != metadata.Snapshot || f.Offset == 0 {
			continue
		}
		opts := metadata.ReadOptions{Until: f.Offset, SnapshotsBelow: f.Offset}
		replayed, err := metadata.ReadImage(fsys, dir, opts)
		if err != nil || replayed.Report().Incomplete || replayed.Report().LogEnd != f.Offset {
			continue // the log does not reach from one to the other
		}
		snapshot, err := metadata.ReadFile(fsys, f.Name, metadata.ReadOptions{})
		if err != nil {
			continue // told of by Walk
		}
		for _, c := range diff.Images(replayed, snapshot, false) {
			if c.Object == "quorum/voters" || c.Object == "quorum/kraft.version" {
				continue
			}
			r.add(Error, "snapshot-differs", subject+"/"+path.Base(f.Name),
				"compare with another node's snapshot before starting this one",
				"%s is %s against the log that led to the snapshot", c.Object, c.Kind)
		}
	}
}

// directories checks what Kafka looks at before it looks at partitions.
func (r *Result) directories(v Volume) {
	for i := range v.Contents.Dirs {
		d := &v.Contents.Dirs[i]
		subject := path.Join(v.Name, d.Path)
		switch {
		case d.MetaState == logdir.MetaAbsent && (len(d.Partitions) > 0 || d.Metadata != nil):
			r.add(Error, "formats", subject, "restore meta.properties before anything starts",
				"meta.properties is missing beside data: Kafka formats the directory as new, with a new directory ID")
		case d.MetaState == logdir.MetaUnreadable:
			r.add(Error, "meta-unreadable", subject, "restore meta.properties",
				"meta.properties does not parse: a data directory goes offline, a metadata directory ends the start")
		}
		for _, name := range d.Other {
			r.add(Error, "refused-directory", subject+"/"+name, "move it out of the log directory",
				`Kafka refuses to load a log directory with it ("is not in the form of topic-partition")`)
		}
		for _, p := range d.Problems {
			r.add(Warning, "unread", path.Join(v.Name, p.Path), "", "%s", p.Message)
		}
	}
}
