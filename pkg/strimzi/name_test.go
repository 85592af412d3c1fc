package strimzi_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// claim is a claim's name in parts; a volume below 0 is none.
func claim(cluster, pool string, node, volume int32) strimzi.ClaimName {
	c := strimzi.ClaimName{Cluster: cluster, Pool: pool, NodeID: node}
	if volume >= 0 {
		c.Volume = &volume
	}
	return c
}

func TestNamesAreThoseOfTheOperator(t *testing.T) {
	t.Parallel()
	zero := int32(0)
	for want, got := range map[string]string{
		"data-my-cluster-broker-0":   claim("my-cluster", "broker", 0, -1).String(),
		"data-1-my-cluster-broker-7": claim("my-cluster", "broker", 7, 1).String(),
		"my-cluster-broker-7":        strimzi.PodName("my-cluster", "broker", 7),
		"my-cluster-broker-8":        strimzi.ConfigMapName("my-cluster", "broker", 8),
		"my-cluster-broker":          strimzi.PodSetName("my-cluster", "broker"),
		"my-cluster-kafka":           strimzi.ComponentName("my-cluster"),
		"kafka-log7":                 strimzi.LogDirName(7),
		"/var/lib/kafka/data":        strimzi.MountPath(nil),
		"/var/lib/kafka/data-0":      strimzi.MountPath(&zero),
		"strimzi.io/kind=Kafka,strimzi.io/component-type=kafka":                      strimzi.SelectKafka(""),
		"strimzi.io/kind=Kafka,strimzi.io/component-type=kafka,strimzi.io/cluster=a": strimzi.SelectKafka("a"),
	} {
		if got != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
}

func TestEveryReadingOfAClaimsName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]strimzi.ClaimName{
		"data-c-p-0":   {claim("c", "p", 0, -1)},
		"data-0-c-p-1": {claim("0", "c-p", 1, -1), claim("0-c", "p", 1, -1), claim("c", "p", 1, 0)},
		"data-a-b-c-2": {claim("a", "b-c", 2, -1), claim("a-b", "c", 2, -1)},
		// no volume: two volume IDs would need leading zeros, or are no number a volume can have
		"data-00-c-p-1":         {claim("00", "c-p", 1, -1), claim("00-c", "p", 1, -1)},
		"data-9999999999-c-p-1": {claim("9999999999", "c-p", 1, -1), claim("9999999999-c", "p", 1, -1)},
		"data-c-p-01":           nil, "data-c-p-": nil, "data-c-0": nil, "data-c-p-2147483648": nil, "logs-c-p-0": nil,
		"data--p-0": nil, "data-c--0": nil, "data-C-p-0": nil, "data-c_x-p-0": nil, "": nil, "data-../x-p-0": nil,
		"data-" + strings.Repeat("c", 250) + "-p-0": nil,
	} {
		if diff := cmp.Diff(want, strimzi.ParseClaimName(name)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzReadingsAreNamesAgain(f *testing.F) {
	for _, name := range []string{
		"data-0-my-cluster-controller-3", "data-c-p-0", "data-0-1-2-3", "data-a.b-c-9", "data-0-c-p-00", "data---0",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, c := range strimzi.ParseClaimName(name) {
			if c.String() != name || c.Cluster == "" || c.Pool == "" || c.NodeID < 0 {
				t.Errorf("%q was read as %+v, which is %q", name, c, c)
			}
		}
		strimzi.Resolve([]strimzi.ClaimRef{{Name: name}, {Name: "data-0-c-p-0"}}, strimzi.Known{}) // must not panic
	})
}

func TestWhatMayBeKafkaData(t *testing.T) {
	t.Parallel()
	labels := func(cluster, name string) map[string]string {
		return map[string]string{strimzi.ClusterLabel: cluster, strimzi.NameLabel: name}
	}
	for _, tc := range []struct {
		name             string
		labels           map[string]string
		kafka, zooKeeper bool
	}{
		{"data-0-c-broker-0", nil, true, false},
		{"data-0-c-broker-0", labels("c", "c-kafka"), true, false},
		{"data-c-zookeeper-0", nil, false, true},
		{"data-c-zookeeper-0", labels("c", "c-zookeeper"), false, true},
		{"data-0-c-zookeeper-0", labels("c", "c-kafka"), true, false}, // a pool of that name: the labels decide
		{"data-connect-0", nil, false, false},
		{"data-c-connect-0", labels("c", "c-connect"), false, false},
		{"anything", labels("c", "c-kafka"), true, false},
		{"www-0", nil, false, false},
	} {
		if got := strimzi.MayBeKafkaClaim(tc.name, tc.labels); got != tc.kafka {
			t.Errorf("%q %v: Kafka %v", tc.name, tc.labels, got)
		}
		if got := strimzi.IsZooKeeperClaim(tc.name, tc.labels); got != tc.zooKeeper {
			t.Errorf("%q %v: ZooKeeper %v", tc.name, tc.labels, got)
		}
	}
	own := labels("c", "c-kafka")
	own[strimzi.KindLabel] = "Kafka"
	if !strimzi.IsKafkaClaim(own, "c") || strimzi.IsKafkaClaim(own, "d") || strimzi.IsKafkaClaim(nil, "c") {
		t.Error("labels of the operator say whose a claim is")
	}
}

func TestResolvingNames(t *testing.T) {
	t.Parallel()
	type pools = map[string][]string
	for title, tc := range map[string]struct {
		refs  []strimzi.ClaimRef
		known strimzi.Known
		// want is "cluster/pool by evidence" for each, "?" where it is not resolved.
		want []string
	}{
		"labels before all": {
			[]strimzi.ClaimRef{{
				Name: "data-a-b-c-0", Labels: map[string]string{strimzi.ClusterLabel: "a", strimzi.PoolLabel: "b-c"},
			}},
			strimzi.Known{Clusters: []string{"a-b"}, Pools: pools{"a-b": {"c"}}}, []string{"a/b-c by labels"},
		},
		"labels of operators that had no pools": {
			[]strimzi.ClaimRef{{Name: "data-0-a-kafka-0", Labels: map[string]string{strimzi.ClusterLabel: "a"}}},
			strimzi.Known{}, []string{"a/kafka by labels"},
		},
		"labels that the name does not fit": {
			[]strimzi.ClaimRef{{Name: "data-a-b-0", Labels: map[string]string{strimzi.ClusterLabel: "z"}}},
			strimzi.Known{}, []string{"?"},
		},
		"a pool of that name": {
			[]strimzi.ClaimRef{{Name: "data-a-b-c-0"}},
			strimzi.Known{Clusters: []string{"a"}, Pools: pools{"a": {"b-c"}}}, []string{"a/b-c by pool"},
		},
		"two pools of that name": {
			[]strimzi.ClaimRef{{Name: "data-a-b-c-0"}},
			strimzi.Known{Clusters: []string{"a", "a-b"}, Pools: pools{"a": {"b-c"}, "a-b": {"c"}}}, []string{"?"},
		},
		"a cluster without pools": {
			[]strimzi.ClaimRef{{Name: "data-a-b-c-0"}}, strimzi.Known{Clusters: []string{"a-b"}},
			[]string{"a-b/c by cluster"},
		},
		"one reading": {
			[]strimzi.ClaimRef{{Name: "data-0-c-p-0"}}, strimzi.Known{}, []string{"c/p by only reading"},
		},
		"what the names have in common": {
			[]strimzi.ClaimRef{{Name: "data-0-my-c-broker-0"}, {Name: "data-0-my-c-controller-1"}}, strimzi.Known{},
			[]string{"my-c/broker by common prefix", "my-c/controller by common prefix"},
		},
		"two nodes of one ID are two clusters": {
			[]strimzi.ClaimRef{{Name: "data-0-my-c-a-0"}, {Name: "data-0-my-c-b-0"}}, strimzi.Known{}, []string{"?", "?"},
		},
		"a cluster of which some pools are known": {
			[]strimzi.ClaimRef{{Name: "data-0-my-c-controller-5"}, {Name: "data-0-my-c-broker-0"}, {Name: "data-0-else-x-y-1"}},
			strimzi.Known{Clusters: []string{"my-c"}, Pools: pools{"my-c": {"broker"}}, Partial: true},
			[]string{"my-c/controller by cluster", "my-c/broker by pool", "?"},
		},
		"a cluster whose pools are all known": {
			[]strimzi.ClaimRef{{Name: "data-0-my-c-controller-5"}},
			strimzi.Known{Clusters: []string{"my-c"}, Pools: pools{"my-c": {"broker"}}}, []string{"?"},
		},
		"nothing tells": {[]strimzi.ClaimRef{{Name: "data-a-b-c-0"}}, strimzi.Known{}, []string{"?"}},
		"no data claim": {[]strimzi.ClaimRef{{Name: "www"}}, strimzi.Known{}, []string{"?"}},
	} {
		var got []string
		for _, r := range strimzi.Resolve(tc.refs, tc.known) {
			if r.By == strimzi.Unresolved {
				got = append(got, "?")
				if r.Problem == "" || (r.Slot != nil && (r.Slot.Cluster != "" || r.Slot.Pool != "")) {
					t.Errorf("%s: what is not resolved says why and names nobody, got %+v", title, r)
				}
				continue
			}
			got = append(got, r.Slot.Cluster+"/"+r.Slot.Pool+" by "+string(r.By))
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", title, diff)
		}
	}
}
