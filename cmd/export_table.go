package cmd

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/manifest"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// Manifests is what `export manifests` prints.
type Manifests struct {
	MetadataOrigin
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace,omitempty"`
	ClusterID string `json:"clusterId"`
	// Version is the API version of the manifests.
	Version   string           `json:"manifestVersion"`
	Manifests []PlacedManifest `json:"manifests"`
	// Todos are what a person has to fill in or decide, Notes what is to be known.
	Todos []manifest.Item `json:"todos"`
	Notes []manifest.Item `json:"notes"`
	// InternalTopics are left out.
	InternalTopics []string `json:"internalTopics,omitempty"`
}

// PlacedManifest is one manifest of Manifests.
type PlacedManifest struct {
	manifest.Object
	// File is where it was written; empty for one that was not.
	File string `json:"file,omitempty"`
}

func (o *exportManifestsOptions) result(set *manifest.Set, read *exportRead) *Manifests {
	m := &Manifests{
		MetadataOrigin: origin("Manifests", read.title, read.input.Image), Cluster: set.Cluster, Namespace: set.Namespace,
		ClusterID: read.clusterID, Version: strimzi.Group + "/" + o.apiVersion.value, Todos: set.Todos,
		Notes: append([]manifest.Item{}, set.Notes...), InternalTopics: set.InternalTopics,
	}
	for _, object := range set.Objects {
		m.Manifests = append(m.Manifests, PlacedManifest{Object: object})
	}
	return m
}

// Table implements output.Tabler.
func (m *Manifests) Table(wide bool) output.Document {
	title := fmt.Sprintf("kafka/%s, cluster ID %s", m.Cluster, m.ClusterID)
	if m.Namespace != "" {
		title = fmt.Sprintf("kafka/%s in namespace %s, cluster ID %s", m.Cluster, m.Namespace, m.ClusterID)
	}
	decide := slices.DeleteFunc(slices.Clone(m.Todos), func(i manifest.Item) bool { return i.Fill })
	fill := slices.DeleteFunc(slices.Clone(m.Todos), func(i manifest.Item) bool { return !i.Fill })
	from := []output.Line{output.Text("from " + m.Source)}
	if m.Incomplete {
		from = append(from, output.Text(output.Styled(iostreams.Bad, "the metadata could not be read whole: manifests, or "+
			"parts of them, may be missing or wrong")))
	}
	return output.Document{
		{Title: title, Lines: from},
		{Table: m.kinds(), Lines: m.written()},
		{Title: "To fill in: TODO stands in the manifests", Lines: itemLines(fill, wide, iostreams.Bad)},
		{Title: "To decide: the volumes do not say it", Lines: itemLines(decide, wide, iostreams.Notice)},
		{Title: "To know", Lines: append(itemLines(m.Notes, wide, iostreams.Strong), m.leftOut()...)},
	}
}

// kinds counts manifests, with the files they are in.
func (m *Manifests) kinds() *output.Table {
	t := &output.Table{Columns: output.Columns("KIND", ">NUMBER", "~NAMES", "FILE")}
	type group struct {
		kind, file string
		names      []string
	}
	var groups []group
	for i := range m.Manifests {
		o := &m.Manifests[i]
		at := slices.IndexFunc(groups, func(g group) bool { return g.kind == o.Kind && g.file == o.File })
		if at < 0 {
			at = len(groups)
			groups = append(groups, group{kind: o.Kind, file: o.File})
		}
		groups[at].names = append(groups[at].names, o.Name)
	}
	for _, g := range groups {
		t.Rows = append(t.Rows, output.Row(g.kind, len(g.names), wording.Few(g.names, fewNames), fileName(g.file)))
	}
	return t
}

func fileName(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Base(path)
}

// written says where the files are.
func (m *Manifests) written() []output.Line {
	if len(m.Manifests) == 0 || m.Manifests[0].File == "" {
		return nil
	}
	return []output.Line{output.Text("written to " + filepath.Dir(m.Manifests[0].File))}
}

func (m *Manifests) leftOut() []output.Line {
	if len(m.InternalTopics) == 0 {
		return nil
	}
	return []output.Line{
		output.Indented(2, output.Styled(iostreams.Strong, "internal-topics"), fmt.Sprintf("  %d", len(m.InternalTopics))),
		output.Indented(4, "left out, because Kafka makes them itself: "+wording.Few(m.InternalTopics, fewNames)),
	}
}

// itemLines lists items, those that say the same of several objects as one. Wide names every object, with the field.
func itemLines(items []manifest.Item, wide bool, style iostreams.Style) []output.Line {
	type said struct{ id, text string }
	where := map[said][]string{}
	var order []said
	for _, i := range items {
		s := said{i.ID, i.Text}
		if where[s] == nil {
			order = append(order, s)
		}
		at := reference(i.Object)
		if wide && i.Field != "" {
			at += " " + i.Field
		}
		if !slices.Contains(where[s], at) {
			where[s] = append(where[s], at)
		}
	}
	var lines []output.Line
	for _, s := range order {
		names := wording.Few(where[s], fewNames)
		if wide {
			names = strings.Join(where[s], ", ")
		}
		lines = append(lines, output.Indented(2, output.Styled(style, s.id), "  ", names), output.Indented(4, s.text))
	}
	return lines
}

// fewNames is how many names of a list are shown.
const fewNames = 3

// Names implements output.Namer.
func (m *Manifests) Names() []string {
	out := make([]string, len(m.Manifests))
	for i := range m.Manifests {
		out[i] = reference(m.Manifests[i].Ref())
	}
	return out
}
