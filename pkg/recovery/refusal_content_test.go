package recovery_test

import (
	"os"

	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// placeRefusals are of rules about whether each node will find its own directory where it looks.
func placeRefusals() []refusing {
	const broker0 = "pvc/data-0-my-cluster-broker-0"
	return []refusing{
		{
			rule: "would-be-formatted", state: "the volume is empty", subject: broker0,
			says:  []string{"node 0 would start empty", "bind the volume"},
			disks: func(d disksOf) { d.empty("0-broker-0") },
		},
		{
			rule: "would-be-formatted", state: "meta.properties is gone", subject: broker0, says: []string{"partitions"},
			disks: func(d disksOf) { d.must(os.Remove(d.path("0-broker-0", "meta.properties"))) },
		},
		{
			rule: "excluded-volume-would-start", state: "of the same cluster", subject: broker0,
			request: func(r *recovery.Request) { r.Exclude = []string{claimOf("0-broker-0")} },
		},
		{
			rule: "foreign-log-directory", state: "a start on another node's volume left it", subject: broker0,
			says: []string{"kafka-log1", "partitions"},
			disks: func(d disksOf) {
				d.must(os.CopyFS(d.logDir("0-broker-0", "1"), os.DirFS(d.path("0-broker-1"))))
			},
		},
		{
			rule: "formatted-beside-data", state: "a start with a random ID left it", subject: broker0,
			says:  []string{"--set-aside " + broker0 + ":kafka-log7"},
			disks: func(d disksOf) { d.fresh("0-broker-0", "7") },
		},
	}
}

// contentRefusals are of rules about what could be read, and what is to be erased.
func contentRefusals() []refusing {
	const broker0, controller3 = "pvc/data-0-my-cluster-broker-0", "pvc/data-0-my-cluster-controller-3"
	const segment = "__cluster_metadata-0/00000000000000000000.log"
	return []refusing{
		{
			rule: "volume-unread", state: "its pod could not mount it", subject: broker0,
			says: []string{"Multi-Attach error"},
			seen: func(v *volume.Volume) {
				if v.Name == broker0 {
					*v = volume.Volume{
						Name: v.Name, Slot: v.Slot, Claim: v.Claim, PV: v.PV, State: volume.Unread,
						Reason: `Multi-Attach error for volume "pv-6"`,
					}
				}
			},
		},
		{
			rule: "volume-incomplete", state: "a link leads out of it", subject: broker0, says: []string{"orders-3"},
			disks: func(d disksOf) {
				d.must(os.RemoveAll(d.path("0-broker-0", "orders-3")))
				d.must(os.Symlink("/etc", d.path("0-broker-0", "orders-3")))
			},
		},
		{
			rule: "log-directory-entry", state: "lost+found in Kafka's directory", subject: broker0,
			says:  []string{"lost+found"},
			disks: func(d disksOf) { d.must(os.Mkdir(d.path("0-broker-0", "lost+found"), 0o700)) },
		},
		{
			rule: "pending-deletion", state: "a topic was deleted just before the end", subject: broker0,
			says: []string{"deleted-topic-0", "-delete"},
		},
		{
			rule: "metadata-log-damaged", state: "a byte is another one", subject: controller3,
			says: []string{"kafka-log3/" + segment},
			disks: func(d disksOf) {
				path := d.path("0-controller-3", segment)
				raw, err := os.ReadFile(path)
				d.must(err)
				raw[len(raw)/2] ^= 0xff
				d.must(os.WriteFile(path, raw, 0o600))
			},
		},
		{
			rule: "metadata-not-replayed", state: "the records of no log were read", subject: "cluster",
			seen: func(v *volume.Volume) { v.Image = nil },
		},
		{
			rule: "metadata-version-unknown", state: "a level of no known release", subject: "kafka/my-cluster",
			says: []string{"level 9999"},
			seen: func(v *volume.Volume) {
				if v.Image != nil {
					v.MetadataVersion = 9999
				}
			},
		},
	}
}

// quorumRefusals are of rules about what may have been committed, and who is elected.
func quorumRefusals() []refusing {
	return []refusing{
		{
			rule: "committed-metadata-at-risk", state: "two of three controllers empty", subject: "cluster",
			says:  []string{"2 of 3 controllers"},
			disks: func(d disksOf) { d.empty("0-controller-3", "0-controller-4") },
		},
		{
			rule: "controller-empty", state: "one of three", subject: "node/3",
			disks: func(d disksOf) { d.empty("0-controller-3") },
		},
		{
			rule: "controllers-behind-brokers", state: "controllers from an earlier backup", subject: "cluster",
			disks: func(d disksOf) {
				for _, c := range []string{"0-controller-3", "0-controller-4", "0-controller-5"} {
					d.older(c, 20)
				}
			},
		},
		{
			rule: "controllers-unknown", state: "no pool has the role, and no metadata log is left", subject: "cluster",
			says: []string{`pool/controller: roles "broker"`},
			disks: func(d disksOf) {
				for _, short := range []string{
					"0-broker-0", "0-broker-1", "0-broker-2", "0-controller-3", "0-controller-4", "0-controller-5",
				} {
					d.must(os.RemoveAll(d.path(short, "__cluster_metadata-0")))
				}
			},
			objects: func(s *refused) { s.poolSpec("controller", "roles", []any{"broker"}) },
		},
		{
			rule: "controllers-disagree", state: "another pool has the role too", subject: "cluster",
			says:    []string{"roles of the pools: 0, 1, 2, 3, 4, 5"},
			objects: func(s *refused) { s.poolSpec("broker", "roles", []any{"broker", "controller"}) },
		},
		{
			rule: "empty-broker-in-isr", state: "one of two volumes empty", subject: "node/0",
			fixture: volumes.SplitRoles39, disks: func(d disksOf) { d.empty("1-broker-0") },
		},
	}
}
