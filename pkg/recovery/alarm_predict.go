package recovery

import (
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata/quorum"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// predicted is what the volumes said of the start, so far as the baseline does not hold it. It is in the journal: a run
// that goes on watches with it.
type predicted struct {
	// Held and Copies are what each claim's volume held, and the metadata log on it.
	Held   map[string]alarm.Held `json:"held,omitempty"`
	Copies map[string]alarm.Copy `json:"copies,omitempty"`
	// Committed is nil where the copies prove nothing.
	Committed *alarm.Committed `json:"committed,omitempty"`
	// Removed are the IDs of topics whose removal is in the metadata.
	Removed []string `json:"removed,omitempty"`
}

// predict takes from what was judged what a start will do.
func (r *run) predict() predicted {
	p := predicted{Held: map[string]alarm.Held{}, Copies: map[string]alarm.Copy{}}
	q := finding.Metadata(finding.Input{
		Volumes: r.before.Volumes, Others: r.before.Others, Cluster: r.before.Cluster, Excluded: r.excluded,
		ClusterID: r.ClusterID, Lost: r.Lost,
	})
	for i := range r.before.Volumes {
		v := &r.before.Volumes[i]
		if v.Claim == nil {
			continue
		}
		p.Held[v.Claim.Name] = heldBy(v, r.excluded[v.Name])
		if c, ok := copyOn(v, q); ok {
			p.Copies[v.Claim.Name] = c
		}
		if v.Image == nil {
			continue
		}
		for _, t := range v.Image.Removed {
			if !slices.Contains(p.Removed, t.TopicID) {
				p.Removed = append(p.Removed, t.TopicID)
			}
		}
	}
	if q != nil && q.Committed > 0 {
		p.Committed = &alarm.Committed{
			Offset: q.Committed, By: q.CommittedBy, Lifted: slices.ContainsFunc(r.decision.Accepted, loses),
		}
	}
	return p
}

// loses tells whether accepting a finding says that committed metadata may be lost.
func loses(f finding.Finding) bool {
	return f.Rule == "committed-metadata-at-risk" || f.Rule == "controllers-behind-brokers"
}

func heldBy(v *volume.Volume, excluded bool) alarm.Held {
	switch {
	case excluded:
		return alarm.HeldGivenUp
	case v.State != volume.Read || v.Contents == nil:
		return alarm.HeldUnknown
	case len(v.Contents.Dirs) > 0:
		return alarm.HeldData
	case len(v.Contents.Problems) > 0:
		return alarm.HeldUnknown
	}
	return alarm.HeldNothing
}

// copyOn is the metadata log on a volume, as it was judged against the others.
func copyOn(v *volume.Volume, q *quorum.Quorum) (c alarm.Copy, ok bool) {
	if v.Contents == nil {
		return c, false
	}
	for _, one := range quorum.FromContents(v.Name, v.Contents) {
		if ok && one.End.Offset <= c.End {
			continue
		}
		c, ok = alarm.Copy{End: one.End.Offset, EndKnown: one.EndKnown, Snapshot: one.SnapshotEnd}, true
		c.MayTruncate = q != nil && slices.ContainsFunc(q.Copies, func(o quorum.Copy) bool {
			return o.MayTruncate && o.Name == one.Name
		})
	}
	return c, ok
}

// prediction is what the watch is held against. Claims of which the journal of an older version does not say what they
// held had data where it lists directories of them.
func (b *baseline) prediction(cluster string) *alarm.Prediction {
	p := &alarm.Prediction{
		Cluster: cluster, ClusterID: b.clusterID, Claims: map[string]alarm.Claim{}, Formatted: b.formatted, Strays: b.strays,
		Removed: map[string]bool{}, Committed: b.predicted.Committed,
	}
	for name, c := range b.claims {
		claim := alarm.Claim{Volume: c.volume, Held: b.predicted.Held[name]}
		if claim.Held == "" {
			claim.Held = alarm.HeldUnknown
			for key := range b.directories {
				if strings.HasPrefix(key, name+"/") {
					claim.Held = alarm.HeldData
				}
			}
		}
		if on, ok := b.predicted.Copies[name]; ok {
			claim.Metadata = &on
		}
		p.Claims[name] = claim
	}
	for _, id := range b.predicted.Removed {
		p.Removed[id] = true
	}
	return p
}
