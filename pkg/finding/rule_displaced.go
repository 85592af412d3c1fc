package finding

import (
	"fmt"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// Displaced is a volume that a claim holds now and that will lose it to another one, with what its cluster has taken.
type Displaced struct {
	volume.Volume
	// Held are its partitions, those without a record too.
	Held []Held
	// Problem says why not all of them are known; empty where they are.
	Problem string
}

// Held is one partition of a displaced volume.
type Held struct {
	// Dir is its directory below the volume's root.
	Dir     string `json:"dir"`
	Topic   string `json:"topic"`
	TopicID string `json:"topicId,omitempty"`
	// Bytes are those of its segments; Start is the base offset of the first.
	Bytes int64 `json:"bytes"`
	Start int64 `json:"startOffset"`
	// End is the high watermark, as Kafka last wrote it down; -1 where it is not there.
	End int64 `json:"highWatermark"`
}

// Accepted tells whether a record was ever written to it.
func (h *Held) Accepted() bool { return h.Bytes > 0 || h.Start > 0 || h.End > 0 }

// String tells in a line what was accepted.
func (h *Held) String() string {
	offsets := fmt.Sprintf("offsets %d to %d", h.Start, h.End)
	if h.End < 0 {
		offsets = fmt.Sprintf("offsets from %d on", h.Start)
	}
	return fmt.Sprintf("%s: %s, %s", h.Dir, bytes(h.Bytes), offsets)
}

// displacedRules judge what would be left behind where claims are bound to other volumes.
func displacedRules() []entry {
	return []entry{
		{Rule{
			ID: "new-volumes-hold-records", Severity: Error, Refuses: true, Without: DataLost,
			Title: "the volumes that are to be set aside have accepted records",
			What: "The partitions on the volumes that claims hold now and that --rebind-claims gives to others: the size of " +
				"their segments, and the high watermarks Kafka has written down.",
			Why: "A cluster that was made anew is used by whoever finds it. What was written to it is kept on its volumes, " +
				"but it is in no cluster once the old volumes are back.",
			Source: "Kafka: replication-offset-checkpoint, LogSegment",
			Remedy: "stop what writes to it; copy what is wanted elsewhere while it runs; then accept it, for the whole " +
				"cluster: the volumes stay, Retain",
		}, judgeDisplaced},
	}
}

func judgeDisplaced(s *scene) []found {
	var held, unknown []string
	topics := map[string]bool{}
	for i := range s.in.Displaced {
		d := &s.in.Displaced[i]
		name := d.Name
		if d.PV != nil {
			name += " (pv/" + d.PV.Name + ")"
		}
		switch {
		case d.Problem != "":
			unknown = append(unknown, name+": "+d.Problem)
		case !d.Known():
			unknown = append(unknown, name+": "+d.Reason)
		}
		for j := range d.Held {
			if h := &d.Held[j]; h.Accepted() {
				topics[h.Topic] = true
				held = append(held, name+":"+h.String())
			}
		}
	}
	slices.Sort(held)
	slices.Sort(unknown)
	switch {
	case len(held) > 0:
		return []found{{
			subject: "cluster", evidence: append(held, unknown...),
			message: fmt.Sprintf("%s taken records on the volumes that will lose their claims, of %s",
				wording.Count(len(held), "partition directory has", "partition directories have"),
				wording.Count(len(topics), "topic", "topics")),
		}}
	case len(unknown) > 0:
		return []found{{
			subject: "cluster", evidence: unknown, unevaluated: true,
			message: "not everything is known of the volumes that will lose their claims",
		}}
	}
	return nil
}
