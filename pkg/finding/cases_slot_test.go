package finding_test

import (
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

func ptr[T any](v T) *T { return &v }

const (
	pvcB00 = "pvc/data-0-my-cluster-broker-0"
	pvcB01 = "pvc/data-0-my-cluster-broker-1"
	pvcB10 = "pvc/data-1-my-cluster-broker-0"
	pvcC3  = "pvc/data-0-my-cluster-controller-3"
	pvcC4  = "pvc/data-0-my-cluster-controller-4"
	kafka  = "kafka/my-cluster"
)

func identityCases() []ruleCase {
	return []ruleCase{
		{
			rule: "cluster-id-disagreement", name: "one of nine", want: []string{"cluster"},
			change: func(w *world) { w.dir("1-broker-2").Meta.ClusterID = ptr(otherID) },
			says:   []string{otherID, clusterID, "pvc/data-1-my-cluster-broker-2:kafka-log2"},
		},
		{
			rule: "cluster-id-disagreement", name: "a fresh directory is no witness",
			change: func(w *world) { w.fresh(otherID, "1-broker-2") },
		},
		{
			rule: "cluster-id-disagreement", name: "given up",
			change: func(w *world) { w.dir("1-broker-2").Meta.ClusterID = ptr(otherID); w.exclude("1-broker-2") },
		},
		{
			rule: "cluster-id-disagreement", name: "nothing was read", want: []string{"cluster"}, unevaluated: true,
			change: func(w *world) {
				for i := range w.Volumes {
					w.Volumes[i].State, w.Volumes[i].Contents = volume.Unread, nil
				}
			},
		},
		{
			rule: "cluster-id-not-on-any-volume", name: "mistyped", want: []string{"cluster/" + otherID},
			change: func(w *world) { w.ClusterID = otherID },
		},
		{rule: "cluster-id-not-on-any-volume", name: "right", change: func(w *world) { w.ClusterID = clusterID }},
		{
			rule: "cluster-id-empty", name: "empty and absent", want: []string{pvcB00, pvcB01},
			change: func(w *world) { w.dir("0-broker-0").Meta.ClusterID = ptr(""); w.dir("0-broker-1").Meta.ClusterID = nil },
		},
		{
			rule: "cluster-id-empty", name: "other ID",
			change: func(w *world) { w.dir("0-broker-0").Meta.ClusterID = ptr(otherID) },
		},
		{
			rule: "cluster-id-unusual", name: "no UUID", want: []string{"cluster/prod"},
			change: func(w *world) { w.allIDs("prod") },
		},
		{
			rule: "cluster-id-well-known", name: "of the container image", want: []string{"cluster/5L6g3nShT-eMCtK--X86sw"},
			change: func(w *world) { w.allIDs("5L6g3nShT-eMCtK--X86sw") },
		},
		{
			rule: "node-id-mismatch", name: "in the file", want: []string{pvcB00},
			change: func(w *world) { w.dir("0-broker-0").Meta.NodeID = ptr(int32(1)) },
			says:   []string{"node.id 1 in a directory named for node 0"},
		},
		{
			rule: "node-id-mismatch", name: "swapped volumes", want: []string{pvcB00, pvcB01},
			change: func(w *world) { w.swap("0-broker-0", "0-broker-1") },
		},
		{
			rule: "node-id-mismatch", name: "a bare log directory", want: []string{pvcB00},
			change: func(w *world) {
				w.bare("0-broker-0")
				w.dir("0-broker-0").Meta.NodeID = ptr(int32(2))
			},
		},
		{
			rule: "node-id-mismatch", name: "another node's leftover beside it",
			change: func(w *world) { w.beside("0-broker-0", 7) },
		},
		{
			rule: "node-id-absent", name: "version 0 without broker.id", want: []string{pvcB00},
			change: func(w *world) { w.dir("0-broker-0").Meta.NodeID = nil },
		},
		{rule: "node-id-absent", name: "no file at all", change: func(w *world) { w.noMeta("0-broker-0") }},
		{
			rule: "duplicate-directory-id", name: "a copied volume", want: []string{"directory/same"},
			change: func(w *world) {
				w.dir("0-broker-0").Meta.DirectoryID, w.dir("0-broker-1").Meta.DirectoryID = "same", "same"
			},
			says: []string{pvcB00 + ":kafka-log0", pvcB01 + ":kafka-log1"},
		},
		{
			rule: "duplicate-directory-id", name: "formatted before 3.7",
			change: func(w *world) { w.dir("0-broker-0").Meta.DirectoryID, w.dir("0-broker-1").Meta.DirectoryID = "", "" },
		},
		{
			rule: "duplicate-node-id", name: "metadata on both volumes", want: []string{"node/0"},
			change: func(w *world) { w.dir("1-broker-0").Metadata = w.dir("0-broker-0").Metadata },
		},
		{
			rule: "duplicate-node-id", name: "two volumes of one slot", want: []string{"slot/data-0-my-cluster-broker-0"},
			change: func(w *world) {
				v := *w.vol("0-broker-0")
				v.Name, v.Claim, v.Contents = "pv/old", nil, &logdir.Contents{}
				w.Volumes = append(w.Volumes, v)
			},
		},
		{
			rule: "duplicate-node-id", name: "one of them given up",
			change: func(w *world) {
				w.dir("1-broker-0").Metadata = w.dir("0-broker-0").Metadata
				w.exclude("1-broker-0")
			},
		},
		{
			rule: "duplicate-partition", name: "on both volumes", want: []string{"node/0"},
			change: func(w *world) { w.dir("1-broker-0").Partitions = w.dir("0-broker-0").Partitions },
			says:   []string{pvcB00 + ":kafka-log0/orders-0", pvcB10 + ":kafka-log0/orders-0"},
		},
		{
			rule: "duplicate-partition", name: "one is being moved",
			change: func(w *world) {
				w.dir("1-broker-0").Partitions = []logdir.Partition{{
					Dir: "orders-0.aa-future", Topic: "orders", State: logdir.PartitionFuture,
				}}
			},
		},
	}
}

// allIDs gives every volume another cluster ID.
func (w *world) allIDs(id string) {
	for i := range w.Volumes {
		w.Volumes[i].Contents.Dirs[0].Meta.ClusterID = &id
	}
}

// swap puts each of two volumes under the other's claim.
func (w *world) swap(a, b string) {
	va, vb := w.vol(a), w.vol(b)
	va.Contents, vb.Contents = vb.Contents, va.Contents
	va.Image, vb.Image = vb.Image, va.Image
}

// bare makes the log directory the volume's own root; in a folder, where such volumes are met.
func (w *world) bare(short string) {
	d := w.dir(short)
	d.Path, d.NodeIDInName = ".", nil
	v := w.vol(short)
	v.Claim, v.PV = nil, nil
}

// beside adds an empty log directory of another node.
func (w *world) beside(short string, node int32) { w.besideOf(short, node, clusterID) }

// besideOf adds an empty log directory of another node and of the cluster of that ID.
func (w *world) besideOf(short string, node int32, id string) {
	v := w.vol(short)
	v.Contents.Dirs = append(v.Contents.Dirs, logdir.LogDir{
		Path: strimzi.LogDirName(node), NodeIDInName: &node, MetaState: logdir.MetaOK,
		Meta: &logdir.MetaProperties{Version: 1, ClusterID: &id, NodeID: &node},
	})
}

func (w *world) noMeta(short string) {
	d := w.dir(short)
	d.Meta, d.MetaState = nil, logdir.MetaAbsent
}

func slotCases() []ruleCase {
	return []ruleCase{
		{
			rule: "slot-unknown", name: "ambiguous name", want: []string{pvcB00},
			change: func(w *world) {
				v := w.vol("0-broker-0")
				v.Slot, v.SlotProblem = nil, "two readings"
			},
			says: []string{"two readings"},
		},
		{rule: "slot-unknown", name: "a folder needs none", change: func(w *world) { w.folders(); w.Volumes[0].Slot = nil }},
		{
			rule: "would-be-formatted", name: "two new disks", want: []string{pvcC3, pvcC4},
			change: func(w *world) { w.empty("0-controller-3", "0-controller-4") },
			says:   []string{"node 3 would start empty", "no log directory"},
		},
		{
			rule: "would-be-formatted", name: "swapped volumes", want: []string{pvcB00, pvcB01},
			change: func(w *world) { w.swap("0-broker-0", "0-broker-1") },
			says: []string{
				"holds no kafka-log0", "node.id 1", "what node 0 had is on " + pvcB01 + ": `kafkarecover restore kafka/my-cluster " +
					"-n kafka --rebind-claims` binds each claim to the volume of its node",
			},
		},
		{
			rule: "would-be-formatted", name: "meta.properties is gone", want: []string{pvcB00},
			change: func(w *world) { w.noMeta("0-broker-0") }, says: []string{"2 partitions, 0 B"},
		},
		{
			rule: "would-be-formatted", name: "not all was seen", want: []string{pvcB00}, unevaluated: true,
			change: func(w *world) { w.empty("0-broker-0"); w.vol("0-broker-0").State = volume.Incomplete },
		},
		{rule: "would-be-formatted", name: "unread is not empty", change: func(w *world) { w.unread("0-broker-0") }},
		{
			rule: "excluded-volume-would-start", name: "of the same cluster", want: []string{pvcB00},
			change: func(w *world) { w.exclude("0-broker-0") },
		},
		{
			rule: "excluded-volume-would-start", name: "unread", want: []string{pvcB00}, unevaluated: true,
			change: func(w *world) { w.unread("0-broker-0"); w.exclude("0-broker-0") },
		},
		{
			rule: "excluded-volume-would-start", name: "of another cluster",
			change: func(w *world) { w.dir("0-broker-0").Meta.ClusterID = ptr(otherID); w.exclude("0-broker-0") },
		},
		{
			rule: "excluded-volume-would-start", name: "no claim holds it",
			change: func(w *world) {
				w.judgedAndGivenUp(volume.PersistentVolume{Name: "old", Phase: "Released", ClaimName: "data-0-my-cluster-broker-0"})
			},
		},
		{
			rule: "metadata-volume-moved", name: "kraftMetadata on another volume",
			want: []string{pvcB00, pvcB01, "pvc/data-0-my-cluster-broker-2"},
			change: func(w *world) {
				volumes := w.pool("broker").Storage.Volumes
				volumes[0].KRaftMetadata, volumes[1].KRaftMetadata = false, true
			},
			says: []string{"set kraftMetadata: shared on volume 0 of pool/broker"},
		},
		{
			rule: "metadata-volume-moved", name: "unset, and the lowest volume has it",
			change: func(w *world) { w.pool("broker").Storage.Volumes[0].KRaftMetadata = false },
		},
		{
			rule: "storage-type-mismatch", name: "a single volume in the pool",
			want: []string{pvcC3, pvcC4, "pvc/data-0-my-cluster-controller-5"},
			change: func(w *world) {
				w.pool("controller").Storage = strimzi.Storage{
					Type: strimzi.StoragePersistent, Volumes: []strimzi.StorageVolume{{Type: strimzi.StoragePersistent}},
				}
			},
			says: []string{"(the only one)"},
		},
		{
			rule: "storage-type-mismatch", name: "more volumes than claims",
			change: func(w *world) {
				st := &w.pool("controller").Storage
				st.Volumes = append(st.Volumes, strimzi.StorageVolume{ID: ptr(int32(9)), Type: strimzi.StoragePersistent})
			},
		},
		{
			rule: "storage-size-smaller", name: "half of what the claims ask for",
			want:   []string{pvcC3, pvcC4, "pvc/data-0-my-cluster-controller-5"},
			change: func(w *world) { w.pool("controller").Storage.Volumes[0].Size = "512Mi" },
			says:   []string{`"1Gi"`, `"512Mi"`, "pool/controller"},
		},
		{
			rule: "storage-size-smaller", name: "the same in other words",
			change: func(w *world) { w.pool("controller").Storage.Volumes[0].Size = "1024Mi" },
		},
		{
			rule: "storage-size-smaller", name: "no class, so that nothing is ever resized",
			change: func(w *world) {
				w.pool("controller").Storage.Volumes[0].Size = "1Mi"
				for _, name := range []string{"0-controller-3", "0-controller-4", "0-controller-5"} {
					w.vol(name).Claim.StorageClass = ""
				}
			},
		},
		{
			rule: "storage-size-larger", name: "twice what the claims ask for",
			want:   []string{pvcC3, pvcC4, "pvc/data-0-my-cluster-controller-5"},
			change: func(w *world) { w.pool("controller").Storage.Volumes[0].Size = "2Gi" }, says: []string{`"2Gi"`},
		},
		{
			rule: "storage-size-larger", name: "a size that is none",
			change: func(w *world) { w.pool("controller").Storage.Volumes[0].Size = "TODO" },
		},
		{
			rule: "foreign-log-directory", name: "beside the right one", want: []string{pvcB00},
			change: func(w *world) { w.beside("0-broker-0", 7) }, says: []string{"kafka-log7"},
		},
		{
			rule: "foreign-log-directory", name: "only another's",
			change: func(w *world) { w.swap("0-broker-0", "0-broker-1") },
		},
		{
			rule: "formatted-beside-data", name: "started with a random ID", want: []string{pvcB00},
			change: func(w *world) { w.fresh(otherID, "0-broker-0") },
			says:   []string{"--set-aside " + pvcB00 + ":kafka-log0", "where that data is lost, restore --lost " + pvcB00 + " holds"},
		},
		{
			rule: "formatted-beside-data", name: "both volumes of a node", want: []string{pvcB00, "pvc/data-1-my-cluster-broker-0"},
			change: func(w *world) { w.fresh(otherID, "0-broker-0", "1-broker-0") },
			says:   []string{"where that data is lost, restore --lost node/0 holds"},
		},
		{
			rule: "controller-empty", name: "two that are exchanged, and started with a random ID",
			want: []string{"node/3", "node/4"}, says: []string{"what node 3 had is on " + pvcC4, "--rebind-claims"},
			change: func(w *world) {
				w.swap("0-controller-3", "0-controller-4")
				w.besideOf("0-controller-3", 3, otherID)
				w.besideOf("0-controller-4", 4, otherID)
			},
		},
		{
			rule: "formatted-beside-data", name: "beside the right one", want: []string{pvcB00},
			change: func(w *world) { w.besideOf("0-broker-0", 7, otherID) },
			says:   []string{"--set-aside " + pvcB00 + ":kafka-log7", "2 partitions", "of another node"},
		},
		{
			rule: "foreign-log-directory", name: "formatted beside, with a random ID: a rule of its own",
			change: func(w *world) { w.besideOf("0-broker-0", 7, otherID) },
		},
		{
			rule: "formatted-beside-data", name: "swapped volumes, started with a random ID", want: []string{pvcB00, pvcB01},
			change: func(w *world) { w.startedSwapped(false) },
			says:   []string{"what node 1 had is on " + pvcB00, "--rebind-claims"},
		},
		{
			rule: "empty-broker-in-isr", name: "swapped volumes, started with a random ID",
			want: []string{"node/0", "node/1"}, change: func(w *world) { w.startedSwapped(false); w.empty("1-broker-0", "1-broker-1") },
			says: []string{"what node 0 had is on " + pvcB01, "--rebind-claims"},
		},
		{
			rule: "foreign-log-directory", name: "swapped volumes, started with a random ID", want: []string{pvcB00, pvcB01},
			change: func(w *world) { w.startedSwapped(false) },
			says:   []string{"what node 0 had is on " + pvcB01, "--rebind-claims"},
		},
		{
			rule: "duplicate-node-id", name: "swapped volumes, started with a random ID: of one log directory of two",
			change: func(w *world) {
				w.startedSwapped(false)
				for _, short := range []string{"0-broker-0", "0-broker-1"} {
					w.vol(short).Contents.Dirs[1].Metadata = &logdir.MetadataLog{Empty: true, EndKnown: true}
				}
			},
		},
		{
			rule: "foreign-log-directory", name: "swapped volumes, and filled again", want: []string{pvcB00, pvcB01},
			change: func(w *world) { w.startedSwapped(true) },
			says:   []string{"compare both directories"}, // nobody can tell which is wanted
		},
		{
			rule: "formatted-beside-data", name: "in another node's slot, beside its data",
			change: func(w *world) { w.swap("0-broker-0", "0-broker-1"); w.besideOf("0-broker-0", 7, otherID) },
		},
		{
			rule: "foreign-log-directory", name: "beside, with a random ID and something in it", want: []string{pvcB00},
			change: func(w *world) {
				w.besideOf("0-broker-0", 7, otherID)
				dirs := w.vol("0-broker-0").Contents.Dirs
				dirs[1].Other = []string{"backup"}
			},
		},
		{
			rule: "formatted-beside-data", name: "given up",
			change: func(w *world) { w.fresh(otherID, "0-broker-0"); w.exclude("0-broker-0") },
		},
		{
			rule: "formatted-beside-data", name: "with the right ID",
			change: func(w *world) { w.fresh(clusterID, "0-broker-0") },
		},
	}
}

func assignCases() []ruleCase {
	return []ruleCase{
		{
			rule: "slot-missing", name: "a claim the operator would create", want: []string{"pvc/data-1-my-cluster-broker-2"},
			change: func(w *world) {
				w.drop("1-broker-2")
				w.Others = []volume.PersistentVolume{{Name: "old", Phase: "Released", ClaimName: "data-1-my-cluster-broker-2"}}
			},
			says: []string{"for node 2 of pool/broker", "pv/old: Released"},
		},
		{
			rule: "slot-missing", name: "a registered broker that no pool has", want: []string{"node/2"}, running: true,
			change: func(w *world) { w.drop("0-broker-2", "1-broker-2"); w.two("broker") },
			says:   []string{"registered broker"},
		},
		{
			rule: "slot-missing", name: "scaled away and still registered", running: true,
			change: func(w *world) {
				w.drop("0-broker-2", "1-broker-2")
				w.two("broker")
				w.images(func(im *volume.Image) { delete(im.InSync, 2) })
			},
		},
		{
			rule: "slot-missing", name: "ephemeral nodes have none",
			change: func(w *world) {
				w.drop("0-broker-0", "1-broker-0", "0-broker-1", "1-broker-1", "0-broker-2", "1-broker-2")
				w.pool("broker").Storage = strimzi.Storage{
					Type: strimzi.StorageEphemeral, Volumes: []strimzi.StorageVolume{{Type: strimzi.StorageEphemeral}},
				}
			},
		},
		{
			rule: "slot-missing", name: "in a folder, a volume other nodes have",
			want:   []string{"slot/data-1-my-cluster-broker-2"},
			change: func(w *world) { w.drop("1-broker-2"); w.folders() },
		},
		{
			rule: "slot-missing", name: "in a folder, a registered broker and a controller", want: []string{"node/1", "node/4"},
			change: func(w *world) { w.drop("0-broker-1", "1-broker-1", "0-controller-4"); w.folders() },
		},
		{
			rule: "slot-missing", name: "in a folder, a gap nothing explains", want: []string{"node/1"}, unevaluated: true,
			change: func(w *world) {
				w.drop("0-broker-1", "1-broker-1")
				w.folders()
				for i := range w.Volumes {
					w.Volumes[i].Image = nil
				}
			},
		},
		{
			rule: "node-ids-shifted", name: "pools by another order of names",
			want:   []string{"pool/controller", "pool/x-broker"},
			change: func(w *world) { w.rename("x-broker") },
			says:   []string{"strimzi.io/next-node-ids='[0, 1, 2]'", "strimzi.io/next-node-ids='[3, 4, 5]'"},
		},
		{
			rule: "node-ids-shifted", name: "next-node-ids sets it right",
			change: func(w *world) {
				w.rename("x-broker")
				w.pool("x-broker").NextNodeIDs, w.pool("controller").NextNodeIDs = "[0-2]", "[3-5]"
			},
		},
		{
			rule: "node-ids-shifted", name: "the status has other nodes", want: []string{"pool/broker"}, running: true,
			change: func(w *world) { w.pool("broker").Status.NodeIDs = []int32{10, 11, 12} },
			says:   []string{"--subresource status", "[0, 1, 2]"},
		},
		{
			rule: "node-ids-shifted", name: "a new cluster has started beside the data", want: []string{"pool/broker"},
			running: true,
			change: func(w *world) {
				w.pool("broker").Status.NodeIDs = []int32{10, 11, 12}
				w.images(func(im *volume.Image) { im.Brokers, im.InSync = []int32{10, 11, 12}, nil })
				v := *w.vol("0-broker-0")
				v.Name, v.Slot = "pvc/data-0-my-cluster-broker-10", &volume.Slot{
					Cluster: "my-cluster", Pool: "broker", NodeID: 10, VolumeID: ptr(int32(0)),
				}
				w.Volumes = append(w.Volumes, v)
			},
			says: []string{"its claims are of the nodes 0, 1, 2, 10", "which 3 of the nodes hold the data"},
		},
		{
			rule: "node-ids-shifted", name: "two pools with one ID", want: []string{kafka}, unevaluated: true, running: true,
			change: func(w *world) { w.pool("broker").Status.NodeIDs = []int32{0, 1, 3} },
		},
		{
			rule: "pool-missing", name: "brokers", want: []string{"pool/broker"},
			change: func(w *world) { w.Cluster.Pools = w.Cluster.Pools[1:] },
		},
		{
			rule: "pool-missing", name: "of another cluster",
			change: func(w *world) {
				w.vol("0-broker-0").Slot = &volume.Slot{Cluster: "other", Pool: "gone", VolumeID: ptr(int32(0))}
			},
		},
		{
			rule: "claim-unused", name: "left by scaling down", running: true,
			want: []string{"pvc/data-0-my-cluster-broker-2", "pvc/data-1-my-cluster-broker-2"},
			change: func(w *world) {
				w.two("broker")
				w.images(func(im *volume.Image) { im.Brokers = []int32{0, 1}; delete(im.InSync, 2) })
				w.dir("0-broker-2").Partitions, w.dir("1-broker-2").Partitions = nil, nil
			},
		},
	}
}

// two makes the pool one of nodes 0 and 1.
func (w *world) two(pool string) {
	p := w.pool(pool)
	p.Replicas, p.Status.NodeIDs = 2, []int32{0, 1}
}

// rename gives the pool of brokers another name, in its claims too: one that is listed after the controllers'.
func (w *world) rename(name string) {
	for i := range w.Cluster.Pools {
		if w.Cluster.Pools[i].Name == "broker" {
			w.Cluster.Pools[i].Name = name
		}
	}
	w.Cluster.Sort()
	for i := range w.Volumes {
		if w.Volumes[i].Slot.Pool == "broker" {
			w.Volumes[i].Slot.Pool = name
		}
	}
}

// startedSwapped has two brokers started on each other's volumes; filled tells that they have fetched their partitions.
func (w *world) startedSwapped(filled bool) {
	w.swap("0-broker-0", "0-broker-1")
	for n, short := range []string{"0-broker-0", "0-broker-1"} {
		id := otherID
		if filled {
			id = clusterID
		}
		w.besideOf(short, int32(n), id)
		if dirs := w.vol(short).Contents.Dirs; filled {
			dirs[1].Partitions = dirs[0].Partitions
		}
	}
}
