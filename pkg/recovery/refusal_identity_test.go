package recovery_test

import (
	"os"

	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// identityRefusals are of rules about which cluster, node and directory a volume is of.
func identityRefusals() []refusing {
	const broker0, second0 = "pvc/data-0-my-cluster-broker-0", "pvc/data-1-my-cluster-broker-0"
	return []refusing{
		{
			rule: "cluster-id-disagreement", state: "one of nine volumes says another", subject: "cluster",
			says: []string{volumes.OtherClusterID, second0 + ":kafka-log0", "--exclude CLAIM"},
			disks: func(d disksOf) {
				d.properties("1-broker-0", "cluster.id", "cluster.id="+volumes.OtherClusterID)
			},
		},
		{
			rule: "cluster-id-empty", state: "nothing behind the equals sign", subject: broker0, says: []string{`cluster.id ""`},
			disks: func(d disksOf) { d.properties("0-broker-0", "cluster.id", "cluster.id=") },
		},
		{
			rule: "cluster-id-not-on-any-volume", state: "mistyped", subject: "cluster/" + volumes.OtherClusterID,
			says:    []string{"no volume that was read says", `"WfgV0zaXR8GWDtKf_rFFyA": pvc/data-0-my-cluster-broker-0`},
			request: func(r *recovery.Request) { r.ClusterID = volumes.OtherClusterID },
		},
		{
			rule: "node-id-mismatch", state: "two brokers' volumes swapped", subject: broker0,
			says: []string{"directory of node 1, and none of node 0", "bind each volume"},
			disks: func(d disksOf) {
				a, b, aside := d.volume("0-broker-0"), d.volume("0-broker-1"), d.dir+"/aside"
				d.must(os.Rename(a, aside))
				d.must(os.Rename(b, a))
				d.must(os.Rename(aside, b))
			},
		},
		{
			rule: "node-id-absent", state: "of version 0, without a broker ID", subject: broker0, says: []string{"no node.id"},
			disks: func(d disksOf) {
				d.properties("0-broker-0", "version", "version=0")
				d.properties("0-broker-0", "node.id", "")
			},
		},
		{
			rule: "duplicate-directory-id", state: "one volume is a copy",
			subject: "directory/sTJgUoTWEIjOMXiBbwWZWg", says: []string{broker0, second0},
			disks: func(d disksOf) {
				d.properties("1-broker-0", "directory.id", "directory.id=sTJgUoTWEIjOMXiBbwWZWg")
			},
		},
		{
			rule: "duplicate-node-id", state: "the metadata log is on both volumes", subject: "node/0",
			says: []string{broker0, second0},
			disks: func(d disksOf) {
				const log = "__cluster_metadata-0"
				d.must(os.CopyFS(d.path("1-broker-0", log), os.DirFS(d.path("0-broker-0", log))))
			},
		},
		{
			rule: "duplicate-partition", state: "the same on both volumes", subject: "node/0",
			says: []string{broker0 + ":kafka-log0/orders-3", second0 + ":kafka-log0/orders-3"},
			disks: func(d disksOf) {
				d.must(os.CopyFS(d.path("1-broker-0", "orders-3"), os.DirFS(d.path("0-broker-0", "orders-3"))))
			},
		},
		{
			rule: "zookeeper-era", state: "meta.properties of version 0", subject: broker0,
			disks: func(d disksOf) { d.properties("0-broker-0", "version", "version=0") },
		},
		{
			rule: "meta-properties-unreadable", state: "cut in the middle of a line", subject: broker0,
			says: []string{"meta.properties"},
			disks: func(d disksOf) {
				d.must(os.WriteFile(d.path("0-broker-0", "meta.properties"), []byte("version=1\nnode.id=zero\nclus"), 0o600))
			},
		},
	}
}
