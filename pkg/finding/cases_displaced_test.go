package finding_test

import (
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// displacedCases are of volumes that will lose their claims to others.
func displacedCases() []ruleCase {
	const rule = "new-volumes-hold-records"
	displaced := func(change func(*finding.Displaced)) func(*world) {
		return func(w *world) {
			d := finding.Displaced{Volume: volume.Volume{
				Name: pvcB00, State: volume.Read, Contents: &logdir.Contents{},
				PV: &volume.PersistentVolume{Name: "pv-new", Phase: "Bound", ReclaimPolicy: "Retain"},
			}}
			change(&d)
			w.Displaced = []finding.Displaced{d}
		}
	}
	holding := func(h finding.Held) func(*world) {
		return displaced(func(d *finding.Displaced) {
			h.Dir, h.Topic = "kafka-log0/orders-0", "orders"
			d.Held = []finding.Held{h}
		})
	}
	return []ruleCase{
		{rule: rule, name: "no volume loses its claim", change: func(*world) {}},
		{rule: rule, name: "nothing was made on it", change: displaced(func(*finding.Displaced) {})},
		{rule: rule, name: "a partition without a record", change: holding(finding.Held{})},
		{rule: rule, name: "a partition without a record, no checkpoint yet", change: holding(finding.Held{End: -1})},
		{
			rule: rule, name: "records", want: []string{"cluster"}, change: holding(finding.Held{Bytes: 2048, End: 12}),
			says: []string{
				"1 partition directory has taken records", "of 1 topic",
				pvcB00 + " (pv/pv-new):kafka-log0/orders-0: 2.0 KiB, offsets 0 to 12",
			},
		},
		{
			rule: rule, name: "records, no checkpoint yet", want: []string{"cluster"},
			change: holding(finding.Held{Bytes: 1, End: -1}), says: []string{"offsets from 0 on"},
		},
		{
			rule: rule, name: "records that retention has removed", want: []string{"cluster"},
			change: holding(finding.Held{Start: 40, End: 40}),
		},
		{
			rule: rule, name: "a volume that was not read", want: []string{"cluster"}, unevaluated: true,
			change: displaced(func(d *finding.Displaced) { d.State, d.Reason = volume.Unread, "no node for it" }),
			says:   []string{"no node for it"},
		},
		{
			rule: rule, name: "a partition that could not be listed", want: []string{"cluster"}, unevaluated: true,
			change: displaced(func(d *finding.Displaced) { d.Problem = "orders-0: permission denied" }),
			says:   []string{"permission denied"},
		},
	}
}
