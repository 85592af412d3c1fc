package finding

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// scene is the input, looked at from the side the rules need: by node, by log directory, by what Kafka will use.
type scene struct {
	in   Input
	vols []*vol
	// nodes are the volumes by the node that will start on them, nodeIDs its keys, sorted.
	nodes   map[int32][]*vol
	nodeIDs []int32
	// clusterID is the ID the volumes agree on, or the person named; agreed is false where there is none.
	clusterID string
	agreed    bool
	groups    []Group
	// assigned are the node IDs the operator will give each pool; assignProblem says why they cannot be told.
	assigned      []strimzi.Assignment
	assignProblem string
	controllers   controllers
	// lost are the claims that are held back, by name; heldBack the nodes that they are of, which take no part until the
	// others have caught up.
	lost     map[string]bool
	heldBack map[int32]bool
}

// vol is a volume with its log directories told apart.
type vol struct {
	*volume.Volume
	excluded bool
	// node is the node that will start on it: the slot's, else the one that is on it. hasNode is false where neither
	// says.
	node    int32
	hasNode bool
	// own are the log directories that node will use, foreign the others: Kafka will not see them there.
	own, foreign []*logdir.LogDir
}

func newScene(in Input) *scene {
	s := &scene{in: in, nodes: map[int32][]*vol{}}
	for i := range in.Volumes {
		v := newVol(&in.Volumes[i], in.Excluded[in.Volumes[i].Name], in.Set != nil)
		if in.Set != nil && !holdsKafka(in, v.Volume) {
			v.hasNode = false // it is the pod's, and nothing that Kafka looks into
		}
		s.vols = append(s.vols, v)
		if v.hasNode {
			s.nodes[v.node] = append(s.nodes[v.node], v)
		}
	}
	for id := range s.nodes {
		s.nodeIDs = append(s.nodeIDs, id)
	}
	slices.Sort(s.nodeIDs)
	s.clusterID, s.groups, s.agreed = AgreedClusterID(s.included())
	if in.ClusterID != "" {
		s.clusterID, s.agreed = in.ClusterID, true
	}
	if in.Cluster != nil {
		var err error
		if s.assigned, err = strimzi.AssignNodeIDs(in.Cluster.Pools); err != nil {
			s.assignProblem = err.Error()
		}
	}
	s.findLost()
	s.controllers = findControllers(s)
	return s
}

// newVol tells the log directories of a volume apart; plain tells that the node uses whatever directory is on it, as
// outside of Strimzi.
func newVol(v *volume.Volume, excluded, plain bool) *vol {
	out := &vol{Volume: v, excluded: excluded}
	if v.Slot != nil {
		out.node, out.hasNode = v.Slot.NodeID, true
	} else if id, ok := NodeOn(v.Contents); ok {
		out.node, out.hasNode = id, true
	}
	if v.Contents == nil {
		return out
	}
	for i := range v.Contents.Dirs {
		d := &v.Contents.Dirs[i]
		if plain || out.uses(d) {
			out.own = append(out.own, d)
		} else {
			out.foreign = append(out.foreign, d)
		}
	}
	return out
}

// uses tells whether the node that starts on the volume will look into that directory. In a Strimzi pod it is
// kafka-log<N> and no other; a folder may be a log directory itself.
func (v *vol) uses(d *logdir.LogDir) bool {
	if !v.hasNode {
		return false
	}
	if d.Path == strimzi.LogDirName(v.node) {
		return true
	}
	return d.Path == "." && v.isFolder()
}

// isFolder tells whether the volume is one of a --dir, with no Kubernetes object behind it.
func (v *vol) isFolder() bool { return v.Claim == nil && v.PV == nil }

// NodeOn returns the node that all log directories of a volume are of, by their names, else by what is in them.
func NodeOn(c *logdir.Contents) (id int32, ok bool) {
	if c == nil {
		return 0, false
	}
	for i := range c.Dirs {
		n, has := dirNode(&c.Dirs[i])
		if !has || ok && n != id {
			return 0, false
		}
		id, ok = n, true
	}
	return id, ok
}

// dirNode returns the node a log directory is of: by its name, else by its meta.properties.
func dirNode(d *logdir.LogDir) (int32, bool) {
	if d.NodeIDInName != nil {
		return *d.NodeIDInName, true
	}
	if d.Meta != nil && d.Meta.NodeID != nil {
		return *d.Meta.NodeID, true
	}
	return 0, false
}

// included are the volumes that were not given up.
func (s *scene) included() []volume.Volume {
	out := make([]volume.Volume, 0, len(s.vols))
	for _, v := range s.vols {
		if !v.excluded {
			out = append(out, *v.Volume)
		}
	}
	return out
}

// inKubernetes tells whether any volume is more than a folder.
func (s *scene) inKubernetes() bool {
	return slices.ContainsFunc(s.vols, func(v *vol) bool { return !v.isFolder() })
}

// pool returns the pool of the volume's slot, or nil where there is none or it is not known.
func (s *scene) pool(v *vol) *strimzi.NodePool {
	if s.in.Cluster == nil || v.Slot == nil || v.Slot.Pool == "" {
		return nil
	}
	return s.in.Cluster.Pool(v.Slot.Pool)
}

// freshlyFormatted tells whether a log directory was formatted and has held nothing since: no partition, no metadata.
func freshlyFormatted(d *logdir.LogDir) bool {
	return d.MetaState == logdir.MetaOK && holdsNothing(d) && len(d.Problems) == 0
}

func holdsNothing(d *logdir.LogDir) bool {
	return len(d.Partitions) == 0 && (d.Metadata == nil || d.Metadata.Empty && d.Metadata.EndKnown)
}

// holdsData tells whether a log directory holds something that formatting or ignoring it would lose.
func holdsData(d *logdir.LogDir) bool {
	return len(d.Partitions) > 0 || d.Metadata != nil && !(d.Metadata.Empty && d.Metadata.EndKnown)
}

// at names a log directory in a message.
func at(v *volume.Volume, d *logdir.LogDir) string {
	if d.Path == "." {
		return v.Name
	}
	return v.Name + ":" + d.Path
}

func node(id int32) string { return "node/" + strconv.Itoa(int(id)) }

// quoted shows a text that came from a disk or an object: control characters escaped.
func quoted(s string) string { return strconv.Quote(s) }

// meant says what a log directory is, in a line of evidence.
func meant(v *volume.Volume, d *logdir.LogDir) string {
	switch {
	case d.MetaState == logdir.MetaAbsent:
		return at(v, d) + ": no meta.properties"
	case d.Meta == nil:
		return at(v, d) + ": meta.properties does not parse"
	}
	id := "no cluster.id"
	if d.Meta.ClusterID != nil {
		id = "cluster.id " + quoted(*d.Meta.ClusterID)
	}
	n := "no node.id"
	if d.Meta.NodeID != nil {
		n = fmt.Sprintf("node.id %d", *d.Meta.NodeID)
	}
	return at(v, d) + ": " + id + ", " + n
}

// newestImage returns the replayed metadata of the most up-to-date volume that was not given up, or nil.
func (s *scene) newestImage() *volume.Volume {
	var best *volume.Volume
	for _, v := range s.vols {
		if v.excluded || v.Image == nil {
			continue
		}
		if best == nil || v.Image.End.Compare(best.Image.End) > 0 {
			best = v.Volume
		}
	}
	return best
}

// metadataLevel returns the finalized metadata.version level of the most up-to-date volume; 0 where it is not known.
func (s *scene) metadataLevel() (level int16, from string) {
	if v := s.newestImage(); v != nil && v.MetadataVersion > 0 {
		return v.MetadataVersion, v.Name
	}
	for _, v := range s.vols {
		if !v.excluded && v.MetadataVersion > level {
			level, from = v.MetadataVersion, v.Name
		}
	}
	return level, from
}
