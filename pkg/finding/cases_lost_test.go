package finding_test

import (
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// lose takes volumes away and names what they are of as lost for good.
func (w *world) lose(ref string, shorts ...string) {
	w.drop(shorts...)
	w.Lost = append(w.Lost, ref)
}

// inSync has every metadata log say of a lost broker that it is in sync of three partitions, and alone in some.
func (w *world) inSync(id int32, alone ...volume.InSyncPartition) {
	w.images(func(im *volume.Image) {
		if im.Lost == nil {
			im.Lost = map[int32]*volume.LostNode{}
		}
		im.Lost[id] = &volume.LostNode{Replicas: 3, InSync: 3 - len(alone), Alone: len(alone), Partitions: alone}
	})
}

// lostCases are of nodes that are held back until the others have caught up.
func lostCases() []ruleCase {
	const there, controllers, broker = "lost-volume-is-there", "empty-controller-before-catch-up", "empty-broker-in-isr"
	only := volume.InSyncPartition{Topic: "orders", Partition: 3, Replicas: []int32{0, 1}, ISR: []int32{0}}
	elr := volume.InSyncPartition{Topic: "audit", Replicas: []int32{0, 1}, ELR: []int32{0}}
	return []ruleCase{
		{
			rule: there, name: "both of its volumes", want: []string{pvcB00, pvcB10},
			change: func(w *world) { w.Lost = []string{"node/0"} }, says: []string{"it is not lost", "2 partitions"},
		},
		{
			rule: there, name: "one of them", want: []string{pvcB00},
			change: func(w *world) { w.lose("node/my-cluster-broker-0", "1-broker-0") },
		},
		{
			rule: there, name: "unread is not lost either", want: []string{pvcB00},
			change: func(w *world) { w.unread("0-broker-0"); w.Lost = []string{pvcB00} }, says: []string{"Multi-Attach error"},
		},
		{
			rule: there, name: "its claim, which was given up", want: []string{pvcB00},
			change: func(w *world) { w.exclude("0-broker-0"); w.Lost = []string{pvcB00} },
			says:   []string{"not proven to hold nothing"},
		},
		{rule: there, name: "nothing of it", change: func(w *world) { w.lose("node/0", "0-broker-0", "1-broker-0") }},
		{
			rule: there, name: "a volume that no claim holds was given up",
			change: func(w *world) {
				w.judgedAndGivenUp(volume.PersistentVolume{Name: "pv-old", Phase: "Released"})
				w.lose("node/0", "0-broker-0", "1-broker-0")
			},
		},
		{rule: there, name: "nothing is named", change: func(*world) {}},

		{
			rule: "slot-missing", name: "lost for good",
			change: func(w *world) { w.lose("node/0", "0-broker-0", "1-broker-0") },
		},
		{
			rule: "slot-missing", name: "beside one that is", want: []string{pvcB10},
			change: func(w *world) { w.lose(pvcB00, "0-broker-0", "1-broker-0") }, says: []string{"restore --lost node/0"},
		},

		{
			rule: controllers, name: "two of three", want: []string{"cluster"},
			change: func(w *world) {
				w.lose("node/3", "0-controller-3")
				w.lose("node/4", "0-controller-4")
			},
			says: []string{"without node/3 and node/4, 1 of 3 controllers", "2 elect a leader", "node/5: metadata log up to"},
		},
		{
			rule: controllers, name: "one of three, and another is empty", want: []string{"cluster"},
			change: func(w *world) { w.lose("node/3", "0-controller-3"); w.empty("0-controller-4") },
		},
		{rule: controllers, name: "one of three", change: func(w *world) { w.lose("node/3", "0-controller-3") }},
		{rule: controllers, name: "two of three are there and empty", change: func(w *world) { w.empty("0-controller-3") }},

		// The one that is behind cannot win without the vote of the other, who has more.
		{
			rule: "committed-metadata-at-risk", name: "one lost, another behind",
			change: func(w *world) { w.lose("node/3", "0-controller-3"); w.end("0-controller-4", 490, 3) },
		},
		{
			rule: "committed-metadata-at-risk", name: "one missing that votes, another behind", want: []string{"cluster"},
			change: func(w *world) { w.drop("0-controller-3"); w.end("0-controller-4", 490, 3) },
		},
		{
			rule: "committed-metadata-at-risk", name: "one lost, another empty", want: []string{"cluster"},
			change: func(w *world) { w.lose("node/3", "0-controller-3"); w.empty("0-controller-4") },
		},

		{
			rule: broker, name: "lost, others in sync",
			change: func(w *world) { w.lose("node/0", "0-broker-0", "1-broker-0"); w.inSync(0) },
		},
		{
			rule: broker, name: "lost, and alone in sync", want: []string{"node/0"},
			change: func(w *world) { w.lose("node/0", "0-broker-0", "1-broker-0"); w.inSync(0, only, elr) },
			says: []string{
				"elected leader of 2 partitions", "orders-3: replicas [0 1], in sync [0]",
				"audit-0: replicas [0 1], in sync [], eligible leader replicas [0]", pvcB10 + ": is lost",
			},
		},
		{
			rule: broker, name: "lost with one volume, alone in sync on the other",
			change: func(w *world) {
				w.lose(pvcB00, "0-broker-0")
				on := only
				on.Partition = 1 // which lies on volume 1
				w.inSync(0, on)
			},
		},
		{
			rule: broker, name: "lost, and not looked at", want: []string{"node/0"}, unevaluated: true,
			change: func(w *world) { w.lose("node/0", "0-broker-0", "1-broker-0") },
		},
	}
}

func TestAnEmptyClaimBesideTheOthersIsNotAccepted(t *testing.T) {
	t.Parallel()
	if _, err := finding.ParseAccept("slot-missing=" + pvcB00); err == nil {
		t.Error("it is to name --lost")
	}
	if _, err := finding.ParseAccept("slot-missing=node/9"); err != nil {
		t.Errorf("a node that no pool has is accepted: %v", err)
	}
	w := retained(t)
	w.drop("0-broker-0")
	w.images(func(im *volume.Image) { im.InSync = nil })
	if d := finding.Decide(finding.Judge(w.Input), []finding.Lift{{Rule: "slot-missing", Subject: pvcB00}}); !d.Refused() {
		t.Error("however the acceptance was made")
	}
}
