package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/quorum"
	"github.com/kafkarecover/kafkarecover/pkg/manifest"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// exportRead is what was read for manifests.
type exportRead struct {
	input     manifest.Input
	clusterID string
	// title says which copy of the metadata was read.
	title string
	notes []manifest.Item
}

// read reads the volumes, chooses the newest copy of the metadata and gathers what is known of claims.
func (o *exportManifestsOptions) read() (*exportRead, error) {
	out := &exportRead{input: manifest.Input{Version: o.apiVersion.value}}
	if err := o.source.claims.oneVolumeEach(); err != nil {
		return nil, err
	}
	var copies []quorum.Copy
	logs := map[string]metadataLog{} // by the copy's name
	for i := range o.source.volumes {
		v := &o.source.volumes[i]
		contents, err := o.contents(v)
		if err != nil {
			o.source.unread = append(o.source.unread, fmt.Sprintf("%s: %v", v.Name, err))
			continue
		}
		read := volume.Volume{Name: o.source.claims.claimOf(v.Name), State: volume.Read, Contents: contents}
		if len(contents.AllProblems()) > 0 {
			read.State = volume.Incomplete
		}
		out.input.Volumes = append(out.input.Volumes, read)
		for j := range contents.Dirs {
			d := &contents.Dirs[j]
			of := quorum.FromContents(v.Name, &logdir.Contents{Dirs: []logdir.LogDir{*d}})
			for _, c := range of {
				logs[c.Name] = metadataLog{Title: c.Name, fsys: v.fsys, dir: metadata.DirOf(d.Path)}
			}
			copies = append(copies, of...)
		}
	}
	var err error
	if out.clusterID, err = agreedID(out.input.Volumes); err != nil {
		return nil, err
	}
	if err := out.metadata(copies, logs, len(o.source.volumes)); err != nil {
		return nil, err
	}
	return out, o.claims(out)
}

// contents is what is on a volume. A claim was read in its place: what was copied of it does not tell what it holds.
func (o *exportManifestsOptions) contents(v *openVolume) (*logdir.Contents, error) {
	if read := o.source.claims.seenAs(v.Name); read != nil && read.Contents != nil {
		return read.Contents, nil
	}
	return logdir.Read(v.fsys, logdir.Options{})
}

// bare is a volume's name without what it is.
func bare(name string) string {
	_, rest, found := strings.Cut(name, "/")
	if !found {
		return name
	}
	return rest
}

// agreedID is the cluster ID that the volumes are of; where they disagree nothing is chosen.
func agreedID(volumes []volume.Volume) (string, error) {
	id, groups, ok := finding.AgreedClusterID(volumes)
	if ok || len(groups) == 0 {
		return id, nil
	}
	var lines []string
	for _, g := range groups {
		lines = append(lines, fmt.Sprintf("%q: %s", g.ID, strings.Join(g.Dirs, ", ")))
	}
	return "", exitcode.With(exitcode.Refused, fmt.Errorf("the volumes do not agree on one cluster ID, and none is "+
		"chosen for you; name those of one cluster:\n%s", strings.Join(lines, "\n")))
}

// metadata reads the newest copy, by the order in which Kafka elects leaders.
func (r *exportRead) metadata(copies []quorum.Copy, logs map[string]metadataLog, volumes int) error {
	q := quorum.Judge(slices.DeleteFunc(slices.Clone(copies), func(c quorum.Copy) bool { return c.Empty }))
	if q.Newest < 0 {
		return exitcode.With(exitcode.NotFound, fmt.Errorf("read the metadata: %w on %d volume(s); a cluster with ZooKeeper "+
			"kept its metadata there, and one with KRaft has it on the controllers and on one volume of every broker",
			metadata.ErrNoMetadata, volumes))
	}
	l := logs[q.Copies[q.Newest].Name]
	r.title = bare(l.Title)
	if n := len(q.Copies); n > 1 {
		r.title += fmt.Sprintf(" (the newest of %d copies)", n)
	}
	var err error
	r.input.Image, err = metadata.ReadImage(l.fsys, l.dir, metadata.ReadOptions{})
	switch {
	case errors.Is(err, metadata.ErrNoMetadata), errors.Is(err, fs.ErrNotExist):
		return exitcode.With(exitcode.NotFound, fmt.Errorf("read the metadata of %s: %w", r.title, err))
	case err != nil:
		return exitcode.With(exitcode.Incomplete, fmt.Errorf("read the metadata of %s: %w", r.title, err))
	}
	for _, v := range q.Voters {
		r.input.Voters = append(r.input.Voters, v.ID)
	}
	if len(r.input.Voters) == 0 {
		r.input.Voters = r.input.Image.VoterIDs()
	}
	return nil
}

// claims takes what live claims and an earlier scan say: sizes, classes and the version of Kafka.
func (o *exportManifestsOptions) claims(r *exportRead) error {
	if o.earlier != nil {
		clusters, err := clustersOf(o.earlier, r.clusterID)
		if err != nil {
			return exitcode.With(exitcode.Refused, fmt.Errorf("-f %q: %w", o.earlierFile, err))
		}
		r.known(clusters, o.earlierFile)
	}
	if seen := o.source.claims.seen; seen != nil {
		r.known(seen.Clusters, "the namespace")
	}
	return nil
}

// clustersOf are those of an earlier scan that the volumes are of: by cluster ID, else the only one whose ID that scan
// did not find out.
func clustersOf(s *scan.Scan, id string) ([]scan.Cluster, error) {
	var same, open []scan.Cluster
	for i := range s.Clusters {
		switch s.Clusters[i].ClusterID {
		case id:
			same = append(same, s.Clusters[i])
		case "":
			open = append(open, s.Clusters[i])
		}
	}
	switch {
	case len(same) > 0:
		return same, nil
	case len(open) == 1:
		return open, nil
	}
	return nil, fmt.Errorf("none of the %d clusters in it can be told to be that of these volumes, %q",
		len(s.Clusters), id)
}

func (r *exportRead) known(clusters []scan.Cluster, from string) {
	for i := range clusters {
		c := &clusters[i]
		r.input.Claims = append(r.input.Claims, manifest.KnownClaims(c.Volumes, c.Others)...)
		if c.Kafka == nil {
			continue
		}
		for _, version := range []string{c.Kafka.Kafka.Version, c.Kafka.Kafka.Status.KafkaVersion} {
			if r.input.KafkaVersion == "" {
				r.input.KafkaVersion = version
			}
		}
		r.notes = append(r.notes, manifest.Item{ID: "resource-known", Text: fmt.Sprintf(
			"%s holds the Kafka resource and %s of it: they say more than volumes can", from,
			wording.Count(len(c.Kafka.Pools), "pool", "pools"))})
	}
}
