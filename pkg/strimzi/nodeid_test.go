package strimzi_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

func pool(name string, replicas int32, ids []int32, annotations map[string]string) strimzi.NodePool {
	return strimzi.NodePool{
		Meta: strimzi.Meta{Name: name, Annotations: annotations}, Replicas: replicas,
		NextNodeIDs: annotations[strimzi.NextNodeIDsAnnotation], Status: strimzi.NodePoolStatus{NodeIDs: ids},
	}
}

func next(s string) map[string]string   { return map[string]string{"strimzi.io/next-node-ids": s} }
func remove(s string) map[string]string { return map[string]string{"strimzi.io/remove-node-ids": s} }

func ids(from, to int32) []int32 {
	var out []int32
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out
}

// The expectations are those of the operator's own tests (NodeIdAssignorTest).
func TestNodeIDsAreAssignedAsTheOperatorDoes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pools []strimzi.NodePool
		want  map[string][]int32
	}{
		"a new pool counts from 0": {
			[]strimzi.NodePool{pool("a", 3, nil, nil)},
			map[string][]int32{"a": {0, 1, 2}},
		},
		"a new pool follows its annotation": {
			[]strimzi.NodePool{pool("a", 3, nil, next("[1000-1999]"))},
			map[string][]int32{"a": {1000, 1001, 1002}},
		},
		"a range too short is filled up from the lowest free ID": {
			[]strimzi.NodePool{pool("a", 5, nil, next("[1000-1002]"))},
			map[string][]int32{"a": {0, 1, 1000, 1001, 1002}},
		},
		"IDs out of sequence are kept": {
			[]strimzi.NodePool{pool("a", 3, []int32{2, 3, 5}, nil)},
			map[string][]int32{"a": {2, 3, 5}},
		},
		"annotations are not looked at without a change of size": {
			[]strimzi.NodePool{pool("a", 3, []int32{1000, 1001, 1002}, next("[2000-2999]"))},
			map[string][]int32{"a": {1000, 1001, 1002}},
		},
		"scaling down takes the highest": {
			[]strimzi.NodePool{pool("a", 3, ids(0, 4), nil)},
			map[string][]int32{"a": {0, 1, 2}},
		},
		"scaling down follows the annotation": {
			[]strimzi.NodePool{pool("a", 3, ids(0, 4), remove("[1-3]"))},
			map[string][]int32{"a": {0, 3, 4}},
		},
		"IDs to remove that are not there are passed over": {
			[]strimzi.NodePool{pool("a", 3, ids(0, 4), remove("[1000-1999]"))},
			map[string][]int32{"a": {0, 1, 2}},
		},
		"scaling up follows the annotation": {
			[]strimzi.NodePool{pool("a", 5, ids(0, 2), next("[1000-1999]"))},
			map[string][]int32{"a": {0, 1, 2, 1000, 1001}},
		},
		"two new pools follow each other by name": {
			[]strimzi.NodePool{pool("controller", 3, nil, nil), pool("broker", 3, nil, nil)},
			map[string][]int32{"broker": {0, 1, 2}, "controller": {3, 4, 5}},
		},
		"scaling up two pools keeps IDs unique": {
			[]strimzi.NodePool{pool("a", 5, ids(0, 2), nil), pool("b", 5, ids(3, 5), nil)},
			map[string][]int32{"a": {0, 1, 2, 6, 7}, "b": {3, 4, 5, 8, 9}},
		},
		"removal ranges of two pools, one descending": {
			[]strimzi.NodePool{pool("a", 3, ids(0, 4), remove("[3, 2, 1]")), pool("b", 3, ids(5, 9), remove("[6-8]"))},
			map[string][]int32{"a": {0, 1, 4}, "b": {5, 8, 9}},
		},
		"IDs removed in one pool are not free for another yet": {
			[]strimzi.NodePool{pool("a", 3, ids(0, 4), nil), pool("b", 5, ids(5, 7), nil)},
			map[string][]int32{"a": {0, 1, 2}, "b": {5, 6, 7, 8, 9}},
		},
		"an annotated pool that comes later finds its IDs taken by one that is not annotated": {
			[]strimzi.NodePool{pool("broker", 3, nil, nil), pool("controller", 3, nil, next("[0-2]"))},
			map[string][]int32{"broker": {0, 1, 2}, "controller": {3, 4, 5}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assigned, err := strimzi.AssignNodeIDs(tt.pools)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]int32{}
			for _, a := range assigned {
				got[a.Pool] = a.Desired
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("node IDs (-operator +predicted):\n%s", diff)
			}
		})
	}
}

func TestAssignmentSaysWhatIsAddedAndRemoved(t *testing.T) {
	t.Parallel()
	a, err := strimzi.AssignNodeIDs([]strimzi.NodePool{
		pool("big", 5000, ids(0, 5001), remove("[10000-19999, 4613, 1919, 1874]")),
		pool("odd", 1, nil, next("[a]")),
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int32{1919, 4613}, a[0].Removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if a[1].Ignored == "" || !slices.Equal(a[1].Added, []int32{5002}) {
		t.Errorf("an invalid annotation is ignored, and this is said: got %+v", a[1])
	}
}

func TestDuplicateNodeIDsAreRefusedAsTheOperatorDoes(t *testing.T) {
	t.Parallel()
	pools := []strimzi.NodePool{pool("a", 1, ids(0, 0), nil), pool("b", 1, ids(0, 0), nil)}
	if _, err := strimzi.AssignNodeIDs(pools); err == nil {
		t.Error("two pools with the same ID stop the operator")
	}
	c := strimzi.Cluster{Pools: pools}
	if _, err := c.ExpectedClaims(); err == nil {
		t.Error("what claims it would look for cannot be told then")
	}
	if _, err := c.Brokers(); err == nil {
		t.Error("nor who the brokers are")
	}
}

// The expectations are those of the operator's own tests (NodeIdRangeTest).
func TestNodeIDRangeGrammar(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"[5]", "[5-10]", "[ 5 ]", "[ 5 - 10    ]", "[0, 1, 2]", "[0,1,2]", "[5,7-9]", "[5 , 7-9, 13]", "[1874-1919]",
		"[0-999, 10000-10999, 20000-20999]", "", "  ", "[]", "[  ]", " [ ] ",
	} {
		if _, err := strimzi.ParseNodeIDRange(s); err != nil {
			t.Errorf("%q is valid: %v", s, err)
		}
	}
	for _, s := range []string{
		"[-5]", "[-5-10]", "[5-]", "[5,]", "[-10]", " 5 - 10 ]", "[0, 1, 2", "[0,,2]", "[0, a, 2]", "[5,7---9]", "foo, bar",
		"[foo-bar]", "[999999999999999999999999999999999]", "[0-999999999999999999999999999999999]",
	} {
		if _, err := strimzi.ParseNodeIDRange(s); err == nil {
			t.Errorf("%q is invalid", s)
		}
	}
	for s, want := range map[string][]int32{
		"[ 1, 3, 2 ]": {1, 3, 2}, "[ 1-3, 10 - 12 ]": {1, 2, 3, 10, 11, 12}, "[ 1-1 ]": {1}, "[ 3-1 ]": {3, 2, 1},
		"[ 1-3, 12 - 10 ]": {1, 2, 3, 12, 11, 10},
	} {
		a, err := strimzi.AssignNodeIDs([]strimzi.NodePool{pool("a", int32(len(want)), nil, next(s))})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a[0].Desired, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: got %v, want %v", s, a[0].Desired, want)
		}
	}
	if got := strimzi.FormatNodeIDs([]int32{3, 4, 5}); got != "[3, 4, 5]" {
		t.Errorf("formatted: got %q", got)
	}
}
