package operator

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// assignment is what one pool's nodes are to be (NodeIdAssignor.java).
type assignment struct {
	desired []int
	// added are the IDs that were in no status: the operator waits for them before it goes on.
	added, removed []int
}

// idWish is what a pool brings to the assignment. current is nil when the status has no nodeIds.
type idWish struct {
	pool        string
	replicas    int
	current     []int
	next, remov string
}

// assignIDs gives every pool its node IDs: those of the statuses first, then, in the order of the pools, the ones
// wished for by annotation and the lowest free ones.
func assignIDs(wishes []idWish) (map[string]assignment, error) {
	used := map[int]bool{}
	for _, w := range wishes {
		for _, id := range w.current {
			if used[id] {
				return nil, failf("InvalidConfigurationException", "Found duplicate node ID %d in node pool %s", id, w.pool)
			}
			used[id] = true
		}
	}
	assignments := map[string]assignment{}
	for _, w := range wishes {
		assignments[w.pool] = assign(w, used)
	}
	return assignments, nil
}

func assign(w idWish, used map[int]bool) assignment {
	a := assignment{desired: slices.Clone(w.current)}
	next, remove := parseIDRange(w.next), parseIDRange(w.remov)
	for len(a.desired) < w.replicas {
		id := takeID(&next, used)
		used[id] = true
		a.desired, a.added = append(a.desired, id), append(a.added, id)
	}
	for len(a.desired) > w.replicas {
		id := takeRemoval(&remove, a.desired)
		a.desired = slices.DeleteFunc(a.desired, func(have int) bool { return have == id })
		a.removed = append(a.removed, id)
	}
	slices.Sort(a.desired)
	return a
}

// takeID takes the first unused ID of the range, else the lowest free one of the whole cluster.
func takeID(ids *[]int, used map[int]bool) int {
	for len(*ids) > 0 {
		id := (*ids)[0]
		*ids = (*ids)[1:]
		if !used[id] {
			return id
		}
	}
	id := 0
	for used[id] {
		id++
	}
	return id
}

func takeRemoval(ids *[]int, desired []int) int {
	for len(*ids) > 0 {
		id := (*ids)[0]
		*ids = (*ids)[1:]
		if slices.Contains(desired, id) {
			return id
		}
	}
	return slices.Max(desired)
}

// idRange is the grammar of the annotations (NodeIdRange.java).
var idRange = regexp.MustCompile(`^\s*\[(\s*([0-9]+|[0-9]+\s*-\s*[0-9]+)\s*,)*\s*([0-9]+|[0-9]+\s*-\s*[0-9]+)\s*]\s*$`)

// parseIDRange reads "[0, 1, 10-15, 200-190]" in the order written. What is invalid counts as absent: the real
// operator only logs it.
func parseIDRange(s string) []int {
	if !idRange.MatchString(s) {
		return nil
	}
	var ids []int
	s = strings.Trim(strings.TrimSpace(s), "[]")
	for item := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(item, "-")
		first, err := strconv.ParseInt(strings.TrimSpace(from), 10, 32)
		if err != nil {
			return nil
		}
		last := first
		if isRange {
			if last, err = strconv.ParseInt(strings.TrimSpace(to), 10, 32); err != nil {
				return nil
			}
		}
		ids = append(ids, expand(int(first), int(last))...)
	}
	return ids
}

// rangeLimit bounds what is expanded of one range; no pool has more nodes.
const rangeLimit = 10_000

func expand(first, last int) []int {
	step := 1
	if last < first {
		step = -1
	}
	ids := []int{first}
	for id := first; id != last && len(ids) < rangeLimit; {
		id += step
		ids = append(ids, id)
	}
	return ids
}
