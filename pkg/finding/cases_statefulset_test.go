package finding_test

import (
	"fmt"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

const setRef = "statefulset/my-kafka"

// setManifest is a StatefulSet as people write it for Kafka's own image, scaled to zero.
func setManifest() map[string]any {
	return map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet",
		"metadata": map[string]any{"namespace": "kafka", "name": "my-kafka", "uid": "set-uid"},
		"spec": map[string]any{
			"replicas": int64(0), "serviceName": "my-kafka",
			"volumeClaimTemplates": []any{map[string]any{"metadata": map[string]any{"name": "data"}}},
			"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
				"name": "kafka", "env": []any{
					map[string]any{"name": "KAFKA_PROCESS_ROLES", "value": "controller"},
					map[string]any{"name": "CLUSTER_ID", "value": clusterID},
				},
			}}}},
		},
	}
}

// plain makes a StatefulSet's pods of the controllers: ordinals 0 to 2 are the nodes 3 to 5.
func (w *world) plain(change func(*statefulset.Set)) {
	w.drop("0-broker-0", "1-broker-0", "0-broker-1", "1-broker-1", "0-broker-2", "1-broker-2")
	set := statefulset.Parse(setManifest())
	if w.Cluster, w.Set = nil, &set; change != nil {
		change(&set)
	}
	for i := range w.Volumes {
		v := &w.Volumes[i]
		pv, claim := *v.PV, *v.Claim
		claim.Name = fmt.Sprintf("data-my-kafka-%d", v.Slot.NodeID-3)
		pv.ClaimName = claim.Name
		v.Name, v.PV, v.Claim = "pvc/"+claim.Name, &pv, &claim
		v.Slot = &volume.Slot{Cluster: "my-kafka", Pool: "data", NodeID: v.Slot.NodeID, Claim: claim.Name}
	}
}

func (w *world) ordinal(n int) *volume.Volume {
	for i := range w.Volumes {
		if w.Volumes[i].Claim != nil && w.Volumes[i].Claim.Name == fmt.Sprintf("data-my-kafka-%d", n) {
			return &w.Volumes[i]
		}
	}
	w.t.Fatalf("there is no volume of ordinal %d", n)
	return nil
}

// without takes the volume of an ordinal away.
func (w *world) without(n int) {
	gone := w.ordinal(n).Name
	var kept []volume.Volume
	for _, v := range w.Volumes {
		if v.Name != gone {
			kept = append(kept, v)
		}
	}
	w.Volumes = kept
}

func replicas(n int32) func(*statefulset.Set) { return func(s *statefulset.Set) { s.Replicas = n } }

// given has the pods be given that ID.
func given(id statefulset.ClusterID) func(*statefulset.Set) {
	return func(s *statefulset.Set) { s.ClusterIDs = []statefulset.ClusterID{id} }
}

// votingBy has the metadata logs name voters with these directories; an empty one is that of the controller's volume.
func (w *world) votingBy(directories ...string) {
	var set []logdir.Voter
	for n, directory := range directories {
		v := w.ordinal(n)
		if directory == "" {
			directory = v.Contents.Dirs[0].Meta.DirectoryID
		}
		set = append(set, logdir.Voter{ID: v.Slot.NodeID, DirectoryID: directory})
	}
	for i := range w.Volumes {
		w.Volumes[i].Contents.Dirs[0].Metadata.Voters = &logdir.VoterSet{Voters: set}
	}
}

func setCases() []ruleCase {
	empty := func(n int) func(w *world) {
		return func(w *world) {
			v := w.ordinal(n)
			v.Contents, v.Image, v.MetadataVersion = &logdir.Contents{Other: []string{"lost+found"}}, nil, 0
		}
	}
	then := func(set func(*statefulset.Set), more ...func(w *world)) func(w *world) {
		return func(w *world) {
			w.plain(set)
			for _, change := range more {
				change(w)
			}
		}
	}
	planned := func(w *world) { w.ordinal(1).Claim.UID = volume.PlannedUID }
	return []ruleCase{
		{
			rule: "statefulset-would-make-claims", name: "three replicas, one claim to make", want: []string{setRef},
			change: then(replicas(3), planned),
			says:   []string{"data-my-kafka-1", "kubectl scale statefulset/my-kafka -n kafka --replicas=0"},
		},
		{
			rule: "statefulset-would-make-claims", name: "at zero, with pods that still go", want: []string{setRef},
			change: then(func(s *statefulset.Set) { s.Pods = []string{"my-kafka-2"} }, planned),
			says:   []string{"pod/my-kafka-2"},
		},
		{rule: "statefulset-would-make-claims", name: "at zero", change: then(nil, planned)},
		{rule: "statefulset-would-make-claims", name: "every claim is there", change: then(replicas(3))},
		{
			rule: "statefulset-would-make-claims", name: "a manifest has no pods",
			change: then(func(s *statefulset.Set) { s.Replicas, s.Declared = 3, true }, planned),
		},
		{
			rule: "statefulset-ordinal-missing", name: "one of three", want: []string{"pvc/data-my-kafka-1"},
			change: then(replicas(3), func(w *world) { w.without(1) }),
			says:   []string{"pod/my-kafka-1", "node 4 is a controller"},
		},
		{
			rule: "statefulset-ordinal-missing", name: "a gap below the last volume of a set at zero",
			want: []string{"pvc/data-my-kafka-1"}, change: then(nil, func(w *world) { w.without(1) }),
		},
		{
			rule: "statefulset-ordinal-missing", name: "fewer replicas than volumes",
			change: then(replicas(1), func(w *world) { w.without(1) }),
		},
		{
			rule: "statefulset-node-ids", name: "one of another set", want: []string{setRef},
			says: []string{"ordinal 2, node.id 17"},
			change: then(nil, func(w *world) {
				other := int32(17)
				d := &w.ordinal(2).Contents.Dirs[0]
				d.Path, d.NodeIDInName, d.Meta.NodeID = "logs", nil, &other
			}),
		},
		{rule: "statefulset-node-ids", name: "three more than the ordinals", change: then(nil)},
		{
			rule: "node-id-mismatch", name: "two of a StatefulSet swapped",
			want: []string{"pvc/data-my-kafka-0", "pvc/data-my-kafka-1"},
			change: then(nil, func(w *world) {
				a, b := w.ordinal(0), w.ordinal(1)
				a.Contents, b.Contents = b.Contents, a.Contents
				for _, v := range []*volume.Volume{a, b} {
					v.Contents.Dirs[0].Path, v.Contents.Dirs[0].NodeIDInName = "logs", nil
				}
				if offset, ok := finding.NodeOffset(w.Set, w.Volumes); !ok || offset != 3 {
					w.t.Errorf("all together still say which nodes they are: %d, %t", offset, ok)
				}
			}),
		},
		{
			rule: "statefulset-disk-empty", name: "one of three", want: []string{"pvc/data-my-kafka-2"},
			change: then(nil, empty(2)),
		},
		{rule: "statefulset-disk-empty", name: "all of them", change: then(nil, empty(0), empty(1), empty(2))},
		{
			rule: "statefulset-cluster-id", name: "written out, live", want: []string{setRef},
			change: then(given(statefulset.ClusterID{Container: "kafka", Variable: "CLUSTER_ID", Env: 1, Value: otherID})),
			says: []string{otherID, `kubectl patch statefulset/my-kafka -n kafka --type=json -p '[{"op":"test",` +
				`"path":"/spec/template/spec/containers/0/env/1/name","value":"CLUSTER_ID"},{"op":"replace",` +
				`"path":"/spec/template/spec/containers/0/env/1/value","value":"` + clusterID + `"}]'`},
		},
		{rule: "statefulset-cluster-id", name: "the same", change: then(nil)},
		{
			rule: "statefulset-cluster-id-unknown", name: "in a Secret", want: []string{setRef},
			change: then(given(statefulset.ClusterID{
				Container: "kafka", Variable: "KAFKA_KRAFT_CLUSTER_ID", Kind: "Secret", Object: "ids", Key: "id",
				Unknown: "not read",
			})),
			says: []string{"kubectl get secret/ids -n kafka -o jsonpath='{.data.id}'", clusterID},
		},
		{
			rule: "statefulset-deletes-claims", name: "when scaled", want: []string{setRef},
			change: then(func(s *statefulset.Set) { s.WhenScaled = "Delete" }),
		},
		{
			rule: "statefulset-without-controllers", name: "the voters are others", want: []string{setRef},
			change: then(nil, func(w *world) {
				for i := range w.Volumes {
					w.Volumes[i].Contents.Dirs[0].Metadata.LeaderChangeVoters = []int32{100, 101, 102}
					w.Volumes[i].Contents.Dirs[0].Quorum.Voters = nil
				}
			}),
			says: []string{"100, 101, 102"},
		},
		{
			rule: "committed-metadata-at-risk", name: "the controllers are another StatefulSet's",
			change: then(nil, func(w *world) {
				for i := range w.Volumes {
					w.Volumes[i].Contents.Dirs[0].Metadata.LeaderChangeVoters = []int32{100, 101, 102}
					w.Volumes[i].Contents.Dirs[0].Quorum.Voters = nil
				}
			}),
		},
		{
			rule: "voter-directory-differs", name: "a disk that was formatted again", want: []string{"node/4"},
			change: then(nil, func(w *world) { w.votingBy("", "AnotherDirectory", "") }),
			says:   []string{"remove-controller --controller-id 4 --controller-directory-id AnotherDirectory", "add-controller"},
		},
		{
			rule: "voter-directory-differs", name: "a disk that was emptied", want: []string{"node/5"},
			change: then(nil, func(w *world) { w.votingBy("", "", "") }, empty(2)), says: []string{"no log directory"},
		},
		{
			rule: "voter-directory-differs", name: "every voter is there",
			change: then(nil, func(w *world) { w.votingBy("", "", "") }),
		},
		{
			rule: "controllers-disagree", name: "the pods of a StatefulSet are told of others", want: []string{"cluster"},
			change: then(func(s *statefulset.Set) { s.Voters = []string{"3@a:9093", "4@b:9093", "6@c:9093"} }),
			says:   []string{"environment of statefulset/my-kafka"},
		},
		{
			rule: "controllers-disagree", name: "dynamic voters, whatever the pods are told",
			change: then(func(s *statefulset.Set) { s.Voters = []string{"3@a:9093"} },
				func(w *world) { w.votingBy("", "", "") }),
		},
	}
}
