package placement

import (
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Vacate tells which claims that are there again in the places of lost nodes are in the way, and hold nothing: one
// that waits for a volume; one whose volume is no more; one whose volume was read and holds nothing. The last loses its
// volume, which stays. A claim of which none of these is certain keeps its volume, and is left to the rules: it is not
// lost. clusterID is that of the volumes that hold data, and empty where they agree on none. Where unlisted, the
// PersistentVolumes could not be listed, and none is known to be no more.
func Vacate(lost []strimzi.ClaimName, volumes []volume.Volume, clusterID string, unlisted bool) []LetGo {
	var out []LetGo
	for i := range volumes {
		v := &volumes[i]
		if v.Claim == nil || v.Claim.Terminating ||
			!slices.ContainsFunc(lost, func(c strimzi.ClaimName) bool { return c.String() == v.Claim.Name }) {
			continue
		}
		l := LetGo{Claim: v.Claim.Name, ClaimUID: v.Claim.UID, Volume: v.Claim.Volume}
		switch {
		case v.Claim.Volume == "" && v.Claim.Phase == volume.PhasePending:
		case v.Claim.Volume != "" && v.PV == nil && !unlisted && v.Claim.Phase != volume.PhaseBound:
			l.Gone = true
		case v.BoundBothWays() && !v.PV.Terminating && empty(v, clusterID):
			l.Displaced = true
		default:
			continue
		}
		out = append(out, l)
	}
	return out
}

// empty tells whether a volume was proven to hold nothing: all of it was read, and there is no more on it than what
// every new file system of some kinds has (ext4), and directories that a start with a random cluster ID has formatted.
// A name that is not known may be what somebody has kept of a log directory.
func empty(v *volume.Volume, clusterID string) bool {
	return v.Known() && len(v.Contents.Problems) == 0 &&
		!slices.ContainsFunc(v.Contents.Other, func(name string) bool { return name != "lost+found" }) &&
		!slices.ContainsFunc(v.Contents.Dirs, func(d logdir.LogDir) bool {
			return clusterID == "" || !finding.Fresh(&d, clusterID)
		})
}
