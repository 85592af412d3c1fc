package finding

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

// Fresh tells whether a log directory was formatted with another cluster ID than the given one and has held nothing
// since: what a start with a random ID leaves. Only such a directory may be renamed aside.
func Fresh(d *logdir.LogDir, clusterID string) bool {
	return freshlyFormatted(d) && d.Meta.ClusterID != nil && *d.Meta.ClusterID != clusterID && len(d.Other) == 0
}

// leftByRandomStart tells whether a start with a random ID left the directory, beside volumes that hold data.
func (s *scene) leftByRandomStart(d *logdir.LogDir) bool { return s.agreed && Fresh(d, s.clusterID) }

// setAsideOption is the option of restore that names a log directory on a volume.
func setAsideOption(v *vol, d *logdir.LogDir) string { return "--set-aside " + v.Name + ":" + d.Path }

func judgeFreshlyFormatted(s *scene) []found {
	return s.eachVolume(func(v *vol) []found {
		var out []found
		for _, d := range v.own {
			if s.leftByRandomStart(d) {
				out = append(out, freshInUse(s, v, d))
			}
		}
		for _, d := range v.foreign {
			if s.besideOwn(v, d) {
				out = append(out, freshUnused(s, v, d))
			}
		}
		return out
	})
}

// besideOwn tells whether a start with a random ID left another node's directory beside the volume's own. Without one
// of its own the volume would be formatted anew, and would-be-formatted says so.
func (s *scene) besideOwn(v *vol, d *logdir.LogDir) bool {
	return len(v.own) > 0 && s.leftByRandomStart(d)
}

// freshInUse is a directory that its node will look into and be refused by.
func freshInUse(s *scene, v *vol, d *logdir.LogDir) found {
	f := found{
		subject: v.Name, message: "was newly formatted and is not of cluster " + quoted(s.clusterID),
		evidence: []string{meant(v.Volume, d) + ", holds nothing"},
	}
	if v.isFolder() {
		return f
	}
	f.remedy = cmp.Or(s.exchangedRemedy(v), s.lostDataRemedy(v, d))
	for _, other := range v.foreign {
		f.evidence = append(f.evidence, contentsOf(v.Volume, other)...)
	}
	return f
}

// lostDataRemedy says what to do with a directory that its node will be refused by, and that holds nothing.
func (s *scene) lostDataRemedy(v *vol, d *logdir.LogDir) string {
	text := "bind the volume that holds this node's data to the claim; where that data is lost, "
	if how := s.letInLater(v.node); how != "" {
		text += how + "; or "
	}
	return text + setAsideOption(v, d) + " has the directory formatted again with the right ID"
}

// letInLater says how a node that has lost its data comes back without harm; empty where Strimzi does not run it. Where
// another volume of the node holds data, the claims that hold none are named: the node is not lost as a whole.
func (s *scene) letInLater(id int32) string {
	if s.in.Cluster == nil {
		return ""
	}
	var lost []string
	for _, v := range s.nodes[id] {
		if !slices.ContainsFunc(v.own, holdsData) {
			lost = append(lost, v.Name)
		}
	}
	if len(lost) == len(s.nodes[id]) {
		lost = []string{node(id)}
	}
	return "restore --lost " + strings.Join(lost, " --lost ") + " holds it back, empty, until the others have caught up"
}

// freshUnused is a directory of another node beside the one that this volume's node uses.
func freshUnused(s *scene, v *vol, d *logdir.LogDir) found {
	f := found{
		subject:  v.Name,
		message:  "holds a newly formatted log directory of another node, which is not of cluster " + quoted(s.clusterID),
		evidence: []string{meant(v.Volume, d) + ", holds nothing"},
	}
	if !v.isFolder() {
		f.remedy = setAsideOption(v, d) + " renames it, so that nothing will ever take it for this cluster's; where the " +
			"volume gets this claim by --rebind-claims, accept it: nothing uses it there"
	}
	for _, own := range v.own {
		f.evidence = append(f.evidence, contentsOf(v.Volume, own)...)
	}
	return f
}
