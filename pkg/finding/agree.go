package finding

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Group is one cluster ID with the log directories that say it.
type Group struct {
	// ID may be the empty string: `cluster.id=` is in the file then.
	ID string `json:"clusterId"`
	// Dirs name the log directories, as VOLUME or VOLUME:DIRECTORY.
	Dirs []string `json:"directories"`
	// Fresh are those of Dirs that were formatted and have held nothing since.
	Fresh []string `json:"freshlyFormatted,omitempty"`
}

// AgreedClusterID tells which cluster ID the volumes are of, and which of them says which. ok is true when every log
// directory that holds data says the same ID; directories that were formatted and never held anything are no witness
// against it (they may come from a start with a random ID), but they stay in the groups, and a rule of their own
// names them. An equal ID does not prove that the volumes are of one cluster. Groups are sorted by ID; nothing in
// them is a vote.
func AgreedClusterID(volumes []volume.Volume) (id string, groups []Group, ok bool) {
	byID := map[string]*Group{}
	for i := range volumes {
		v := &volumes[i]
		if v.Contents == nil {
			continue
		}
		for j := range v.Contents.Dirs {
			d := &v.Contents.Dirs[j]
			if d.Meta == nil || d.Meta.ClusterID == nil {
				continue
			}
			g := byID[*d.Meta.ClusterID]
			if g == nil {
				g = &Group{ID: *d.Meta.ClusterID}
				byID[g.ID] = g
			}
			g.add(v, d)
		}
	}
	for _, g := range byID {
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(a.ID, b.ID) })
	witnesses := slices.DeleteFunc(slices.Clone(groups), func(g Group) bool { return len(g.Fresh) == len(g.Dirs) })
	if len(witnesses) == 0 {
		witnesses = groups // nothing holds data: a cluster that was never used
	}
	if len(witnesses) != 1 || witnesses[0].ID == "" {
		return "", groups, false
	}
	return witnesses[0].ID, groups, true
}

func (g *Group) add(v *volume.Volume, d *logdir.LogDir) {
	g.Dirs = append(g.Dirs, at(v, d))
	if v.State == volume.Read && freshlyFormatted(d) {
		g.Fresh = append(g.Fresh, at(v, d))
	}
}

// wellKnownID is the CLUSTER_ID that Kafka's own container image takes when none is given, so that unrelated clusters
// share it (docker/resources/common-scripts/configureDefaults).
const wellKnownID = "5L6g3nShT-eMCtK--X86sw"

// isUUID tells whether an ID is the base64url form of 16 bytes that Kafka's tools generate. Kafka itself takes any
// string.
func isUUID(id string) bool {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(id, "="))
	return err == nil && len(b) == 16
}
