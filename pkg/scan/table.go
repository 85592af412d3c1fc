package scan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/finding/show"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// Table implements output.Tabler.
func (s *Scan) Table(wide bool) output.Document {
	var doc output.Document
	for i := range s.Clusters {
		doc = append(doc, s.Clusters[i].table(wide)...)
	}
	doc = append(doc, s.goingSection(), s.looseSection(), s.unnamedSection())
	if s.Changes != nil {
		doc = append(doc, s.Changes.section())
	}
	return append(doc, s.leftOut())
}

// Names implements output.Namer.
func (s *Scan) Names() []string {
	var out []string
	for i := range s.Clusters {
		for _, v := range s.Clusters[i].looked() {
			out = append(out, v.Name)
		}
	}
	return out
}

func (c *Cluster) table(wide bool) output.Document {
	shown, notes := c.Findings, 0
	if !wide {
		shown = slices.DeleteFunc(slices.Clone(c.Findings), func(f finding.Finding) bool {
			return f.Severity == finding.Info
		})
		notes = len(c.Findings) - len(shown)
	}
	findings := show.Section("Findings", shown, true)
	doc := output.Document{c.headline(), {Table: c.volumes(wide)}, c.unreadSection(), c.others(), findings}
	doc = append(doc, c.Deep.document(wide)...)
	return append(doc, output.Section{Lines: c.summary(notes)})
}

// headline says which cluster it is and which cluster ID its volumes say.
func (c *Cluster) headline() output.Section {
	s := output.Section{Title: c.Title()}
	if c.Kafka == nil && c.Set == nil && c.Namespace != "" && c.Name != "" {
		s.Lines = append(s.Lines, output.Indented(2, output.Styled(iostreams.Notice, "there is no such Kafka resource")))
	}
	switch {
	case len(c.Groups) == 1 && c.ClusterID != "":
		s.Lines = append(s.Lines, output.Indented(2, "cluster ID ", output.Styled(iostreams.Strong, c.ClusterID),
			", said by "+wording.Count(len(c.Groups[0].Dirs), "log directory", "log directories")+", none disagrees"))
	case len(c.Groups) > 0:
		s.Lines = append(s.Lines,
			output.Indented(2, output.Styled(iostreams.Worst, "the volumes say different cluster IDs:")))
		for _, g := range c.Groups {
			s.Lines = append(s.Lines, output.Indented(4, strconv.Quote(g.ID), ": ", strings.Join(g.Dirs, " ")))
		}
	default:
		s.Lines = append(s.Lines, output.Indented(2, "no volume that was read says a cluster ID"))
	}
	if c.Set != nil {
		s.Lines = append(s.Lines, output.Indented(2, setText(c.Set)))
	}
	if c.Kafka != nil {
		s.Lines = append(s.Lines, output.Indented(2, c.statusID()))
	}
	if v := c.newest(); v != nil {
		s.Lines = append(s.Lines, output.Indented(2, fmt.Sprintf("metadata.version %s, %s, by the metadata log of %s",
			metadata.Version(v.MetadataVersion), wording.Count(v.Topics, "topic", "topics"), v.Name)))
	}
	return s
}

// newest is the volume whose metadata log goes furthest, or nil.
func (c *Cluster) newest() *volume.Volume {
	var best *volume.Volume
	for _, one := range c.looked() {
		v := &one
		if v.Image != nil && (best == nil || v.Image.End.Compare(best.Image.End) > 0) {
			best = v
		}
	}
	return best
}

// statusID says what the operator goes by, beside what the volumes say.
func (c *Cluster) statusID() output.Cell {
	id, from, ok := c.Kafka.ChosenClusterID()
	switch {
	case !ok:
		return output.Cell{Text: "no status carries a cluster ID: the operator would make a new one"}
	case id == c.ClusterID:
		return output.Styled(iostreams.Good, "the status of "+from+" carries the same")
	default:
		return output.Styled(iostreams.Bad, "the status of "+from+" carries "+strconv.Quote(id))
	}
}

func (c *Cluster) volumes(wide bool) *output.Table {
	t := &output.Table{Columns: output.Columns("~VOLUME", ">NODE", ">METADATA", ">PARTS", ">SIZE", "STATE")}
	if wide {
		t.Columns = output.Columns("~VOLUME", ">NODE", "ROLES", "CLUSTER ID", ">NODE.ID", "DIRECTORY ID", ">METADATA END",
			">TOPICS/PARTITIONS", ">SIZE", "VIA", "STATE")
	}
	for _, v := range c.looked() {
		t.Rows = append(t.Rows, c.row(&v, wide)...)
	}
	return t
}

// row shows a volume: one line for each log directory, one line where there is none.
func (c *Cluster) row(v *volume.Volume, wide bool) [][]output.Cell {
	name, node := plainName(v.Name), ""
	if v.Slot != nil {
		node = strconv.Itoa(int(v.Slot.NodeID))
	}
	state := output.Styled(stateStyle(v.State), string(v.State))
	if v.Contents == nil || len(v.Contents.Dirs) == 0 {
		size := ""
		if v.Contents != nil {
			size = bytesText(v.Contents.UsedBytes)
			state.Text += ", empty"
		}
		if wide {
			return [][]output.Cell{output.Row(name, node, c.roles(v), "", "", "", "", "", size, v.Via, state)}
		}
		return [][]output.Cell{output.Row(name, node, "", "", size, state)}
	}
	var rows [][]output.Cell
	for i := range v.Contents.Dirs {
		d := &v.Contents.Dirs[i]
		if len(v.Contents.Dirs) > 1 {
			name = plainName(v.Name) + "/" + d.Path
		}
		topics, parts := counts(d)
		if !wide {
			rows = append(rows, output.Row(name, node, endText(d), number(parts), bytesText(d.UsedBytes), state))
			continue
		}
		id, in, directory := said(d)
		total := ""
		if parts > 0 {
			total = fmt.Sprintf("%d/%d", topics, parts)
		}
		rows = append(rows, output.Row(name, node, c.roles(v), id, in, directory, endText(d), total, bytesText(d.UsedBytes),
			v.Via, state))
	}
	return rows
}

func plainName(name string) string {
	if _, plain, found := strings.Cut(name, "/"); found {
		return plain
	}
	return name
}

// roles are those of the slot's pool.
func (c *Cluster) roles(v *volume.Volume) string {
	if c.Kafka == nil || v.Slot == nil {
		return ""
	}
	if p := c.Kafka.Pool(v.Slot.Pool); p != nil {
		return strings.Join(p.Roles, ",")
	}
	return ""
}

// said is what meta.properties says.
func said(d *logdir.LogDir) (clusterID, nodeID, directoryID string) {
	if d.Meta == nil {
		return string(d.MetaState), "", ""
	}
	if d.Meta.ClusterID != nil {
		clusterID = *d.Meta.ClusterID
	}
	if d.Meta.NodeID != nil {
		nodeID = strconv.Itoa(int(*d.Meta.NodeID))
	}
	return clusterID, nodeID, d.Meta.DirectoryID
}

// endText is where the metadata log ends, as OFFSET/EPOCH; a plus where it may go further.
func endText(d *logdir.LogDir) string {
	m := d.Metadata
	switch {
	case m == nil:
		return ""
	case m.Empty && m.EndKnown:
		return "empty"
	}
	text := fmt.Sprintf("%d/%d", m.End.Offset, m.End.Epoch)
	if !m.EndKnown {
		text += "+"
	}
	return text
}

func counts(d *logdir.LogDir) (topics, partitions int) {
	seen := map[string]bool{}
	for _, p := range d.Partitions {
		if p.State == logdir.PartitionCurrent {
			seen[p.Topic] = true
			partitions++
		}
	}
	return len(seen), partitions
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func stateStyle(s volume.ReadState) iostreams.Style {
	switch s {
	case volume.Unread:
		return iostreams.Bad
	case volume.Incomplete:
		return iostreams.Notice
	case volume.Skipped:
		return iostreams.Faint
	case volume.Read:
	}
	return iostreams.Plain
}

func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return strconv.FormatInt(n, 10) + "B"
	}
	value, suffix := float64(n), ""
	for _, suffix = range []string{"Ki", "Mi", "Gi", "Ti", "Pi"} {
		if value /= unit; value < unit {
			break
		}
	}
	return fmt.Sprintf("%.1f%s", value, suffix)
}

// unreadSection says what was not read, the same reason once.
func (c *Cluster) unreadSection() output.Section {
	s := output.Section{Title: "Not read, or not to the end"}
	var reasons []string
	volumes := map[string][]string{}
	for _, v := range c.unread() {
		if volumes[v.Reason] == nil {
			reasons = append(reasons, v.Reason)
		}
		volumes[v.Reason] = append(volumes[v.Reason], v.Name)
	}
	for _, reason := range reasons {
		s.Lines = append(s.Lines, output.Indented(2, strings.Join(volumes[reason], " ")),
			output.Indented(4, output.Styled(iostreams.Bad, reason)))
	}
	if c.VolumesForbidden {
		s.Lines = append(s.Lines, output.Indented(2,
			"PersistentVolumes may not be listed: reclaim policy not checked, and volumes beside the claims not seen"))
	}
	for _, u := range c.Unlisted {
		s.Lines = append(s.Lines, output.Indented(2, u))
	}
	return s
}

// others shows the volumes beside the claims.
func (c *Cluster) others() output.Section {
	t := &output.Table{Columns: output.Columns("~VOLUME", "~CLAIM", "STATE", "POLICY")}
	for _, pv := range c.Others {
		t.Rows = append(t.Rows, output.Row("pv/"+pv.Name, pv.ClaimName, pv.Phase, pv.ReclaimPolicy))
	}
	return output.Section{Title: "Volumes that name a claim of this cluster and are not bound to it", Table: t}
}

// summary counts what was found.
func (c *Cluster) summary(notes int) []output.Line {
	found := map[finding.Severity]int{}
	for _, f := range c.Findings {
		found[f.Severity]++
	}
	read := 0
	looked := c.looked()
	for i := range looked {
		if looked[i].State == volume.Read {
			read++
		}
	}
	text := fmt.Sprintf("%d of %s read", read, wording.Count(len(looked), "volume", "volumes"))
	for _, s := range finding.Severities() {
		if found[s] > 0 {
			text += fmt.Sprintf(", %d %s", found[s], s)
		}
	}
	if len(c.Findings) == 0 {
		text += ", nothing found wrong"
	}
	lines := []output.Line{output.Text(text)}
	if notes > 0 {
		lines = append(lines, output.Text("shown with -o wide: "+wording.Count(notes, "note", "notes")+" of severity info"))
	}
	if c.Ignored > 0 {
		lines = append(lines, output.Text(
			"left out by --ignore: "+wording.Count(c.Ignored, "finding", "findings")+"; what refuses a restore still does"))
	}
	return lines
}

// goingSection comes before what goes with a namespace.
func (s *Scan) goingSection() output.Section {
	var section output.Section
	for i := range s.Going {
		section.Title = "Namespaces that are being deleted"
		for _, line := range s.Going[i].Lines() {
			section.Lines = append(section.Lines, output.Text(line))
		}
	}
	return section
}

func (s *Scan) looseSection() output.Section {
	section := output.Section{
		Title: "Volumes that Kubernetes has let go or is about to",
		Table: &output.Table{Columns: output.Columns("NAMESPACE", "~NAME", "~CLAIM", "STATE", "POLICY")},
	}
	var namespaces []string
	for _, l := range s.Loose {
		namespace := ""
		if s.scope.All {
			namespace = l.Namespace
		}
		section.Table.Rows = append(section.Table.Rows,
			output.Row(namespace, l.Name, l.Claim, output.Styled(iostreams.Notice, l.State), l.ReclaimPolicy))
		namespaces = append(namespaces, l.Namespace)
	}
	slices.Sort(namespaces)
	for _, ns := range slices.Compact(namespaces) {
		section.Lines = append(section.Lines,
			output.Text("→ `kafkarecover protect -n "+ns+"` keeps them, before anything else"))
	}
	return section
}

// shownUnnamed bounds the volumes that are named to a person: a machine's unused local disks may be many.
const shownUnnamed = 20

func (s *Scan) unnamedSection() output.Section {
	if len(s.Unnamed) == 0 {
		return output.Section{}
	}
	names := s.Unnamed[:min(len(s.Unnamed), shownUnnamed)]
	text := wording.Count(len(s.Unnamed), "volume names", "volumes name") +
		" no claim, as after a claimRef was taken away, and may be of any cluster or unused: pv/" +
		strings.Join(names, " pv/")
	if n := len(s.Unnamed) - len(names); n > 0 {
		text += fmt.Sprintf(" (and %d more: -o json)", n)
	}
	return output.Section{Lines: []output.Line{
		output.Text(text),
		output.Text("→ `kafkarecover restore -f FILE --include pv/NAME` reads those that are named, and what is on them " +
			"says where they belong"),
	}}
}

// leftOut counts what is no Kafka volume.
func (s *Scan) leftOut() output.Section {
	var section output.Section
	if s.OtherClaims > 0 {
		section.Lines = append(section.Lines, output.Text(
			"left out: "+wording.Count(s.OtherClaims, "other claim", "other claims")+
				" without data of Kafka brokers or controllers"))
	}
	if len(s.Left) > 0 {
		section.Lines = append(section.Lines, output.Text("left out, no volumes: "+strings.Join(s.Left, " ")))
	}
	return section
}
