package operator_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/test/operator"
)

// The expectations are those of Strimzi's NodeIdAssignorTest and NodeIdRangeTest.
func TestNodeIDsAreAssignedAsStrimziDoes(t *testing.T) {
	t.Parallel()
	type pool struct {
		name         string
		replicas     int
		current      []int
		next, remove string
	}
	for _, c := range []struct {
		name  string
		pools []pool
		want  map[string][]int
		added map[string][]int
	}{
		{
			"new pools take the lowest IDs in list order",
			[]pool{{"broker", 3, nil, "", ""}, {"controller", 3, nil, "", ""}},
			map[string][]int{"broker": {0, 1, 2}, "controller": {3, 4, 5}},
			map[string][]int{"broker": {0, 1, 2}, "controller": {3, 4, 5}},
		},
		{
			"IDs of the status are kept",
			[]pool{{"broker", 3, []int{3, 4, 5}, "", ""}, {"controller", 3, []int{0, 1, 2}, "", ""}},
			map[string][]int{"broker": {3, 4, 5}, "controller": {0, 1, 2}},
			map[string][]int{"broker": nil, "controller": nil},
		},
		{
			"the annotation decides for new nodes",
			[]pool{{"broker", 3, nil, "[3-5]", ""}, {"controller", 3, nil, "[0, 1, 2]", ""}},
			map[string][]int{"broker": {3, 4, 5}, "controller": {0, 1, 2}},
			map[string][]int{"broker": {3, 4, 5}, "controller": {0, 1, 2}},
		},
		{
			"a pool without annotation that comes first takes the IDs the other one wishes for",
			[]pool{{"broker", 3, nil, "", ""}, {"controller", 3, nil, "[0-2]", ""}},
			map[string][]int{"broker": {0, 1, 2}, "controller": {3, 4, 5}},
			map[string][]int{"broker": {0, 1, 2}, "controller": {3, 4, 5}},
		},
		{
			"an empty list of IDs in the status is a list",
			[]pool{{"broker", 2, []int{}, "", ""}},
			map[string][]int{"broker": {0, 1}},
			map[string][]int{"broker": {0, 1}},
		},
		{
			"gaps are filled first",
			[]pool{{"a", 3, []int{0, 2}, "", ""}, {"b", 1, []int{4}, "", ""}},
			map[string][]int{"a": {0, 1, 2}, "b": {4}},
			map[string][]int{"a": {1}, "b": nil},
		},
		{
			"scaling down takes the highest ID, or the one named",
			[]pool{{"a", 2, []int{0, 1, 2}, "", ""}, {"b", 2, []int{3, 4, 5}, "", "[9, 3]"}},
			map[string][]int{"a": {0, 1}, "b": {4, 5}},
			map[string][]int{"a": nil, "b": nil},
		},
		{
			"an invalid annotation counts as none",
			[]pool{{"a", 2, nil, "7-8", ""}},
			map[string][]int{"a": {0, 1}},
			map[string][]int{"a": {0, 1}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wishes := []operator.IDWish{}
			for _, p := range c.pools {
				wishes = append(wishes, operator.Wish(p.name, p.replicas, p.current, p.next, p.remove))
			}
			got, err := operator.AssignIDs(wishes)
			if err != nil {
				t.Fatal(err)
			}
			for name, assigned := range got {
				if diff := cmp.Diff(c.want[name], assigned.Desired()); diff != "" {
					t.Errorf("IDs of pool %q (-want +got):\n%s", name, diff)
				}
				if diff := cmp.Diff(c.added[name], assigned.Added()); diff != "" {
					t.Errorf("added IDs of pool %q (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

func TestADuplicateNodeIDFailsTheReconcile(t *testing.T) {
	t.Parallel()
	_, err := operator.AssignIDs([]operator.IDWish{
		operator.Wish("a", 1, []int{3}, "", ""), operator.Wish("b", 1, []int{3}, "", ""),
	})
	if err == nil || err.Error() != "Found duplicate node ID 3 in node pool b" {
		t.Errorf("the text of Strimzi's InvalidConfigurationException is expected, got %v", err)
	}
}

func TestRangesOfNodeIDsFollowStrimzisGrammar(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]int{
		"[0, 1, 10-12, 22-20]": {0, 1, 10, 11, 12, 22, 21, 20},
		" [ 5 ] ":              {5},
		"[3 - 4]":              {3, 4},
		"[]":                   nil,
		"":                     nil,
		"1,2":                  nil,
		"[1,,2]":               nil,
		"[-1]":                 nil,
		"[99999999999999]":     nil,
	} {
		if diff := cmp.Diff(want, operator.ParseIDRange(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
