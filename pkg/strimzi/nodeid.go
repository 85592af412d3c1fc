package strimzi

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The grammar of strimzi.io/next-node-ids and remove-node-ids (NodeIdRange.java): numbers and ranges, ascending or
// descending, in brackets, used in the order written: [0, 1, 10-15, 200-190].
var (
	rangePattern = regexp.MustCompile(`^\s*\[(\s*[0-9]+(\s*-\s*[0-9]+)?\s*,)*\s*[0-9]+(\s*-\s*[0-9]+)?\s*\]\s*$`)
	emptyPattern = regexp.MustCompile(`^\s*\[\s*\]\s*$`)
)

// NodeIDRange yields the node IDs an annotation asks for, in its order. The zero value yields none.
type NodeIDRange struct{ spans []span }

type span struct{ from, to int64 }

// ParseNodeIDRange reads such an annotation. For an error the operator only logs a warning and goes on as if the
// annotation were not there.
func ParseNodeIDRange(s string) (NodeIDRange, error) {
	if strings.TrimSpace(s) == "" || emptyPattern.MatchString(s) {
		return NodeIDRange{}, nil
	}
	if !rangePattern.MatchString(s) {
		return NodeIDRange{}, fmt.Errorf("parse node IDs %q: want a form such as [0, 1, 10-15]", s)
	}
	s = strings.TrimSpace(s)
	var r NodeIDRange
	for item := range strings.SplitSeq(s[1:len(s)-1], ",") {
		from, to, found := strings.Cut(item, "-")
		if !found {
			to = from
		}
		f, err := parseNodeID(from)
		if err != nil {
			return NodeIDRange{}, fmt.Errorf("parse node IDs %q: %w", s, err)
		}
		t, err := parseNodeID(to)
		if err != nil {
			return NodeIDRange{}, fmt.Errorf("parse node IDs %q: %w", s, err)
		}
		r.spans = append(r.spans, span{f, t})
	}
	return r, nil
}

func parseNodeID(s string) (int64, error) {
	s = strings.TrimSpace(s)
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no node ID", s)
	}
	return n, nil
}

// next takes the next ID off the range; ok is false when it is used up.
func (r *NodeIDRange) next() (id int32, ok bool) {
	if len(r.spans) == 0 {
		return 0, false
	}
	s := &r.spans[0]
	v := s.from
	switch {
	case s.from < s.to:
		s.from++
	case s.from > s.to:
		s.from--
	default:
		r.spans = r.spans[1:]
	}
	return int32(v), true //nolint:gosec // bounded to 31 bits by parseNodeID
}

// FormatNodeIDs writes IDs as the value of strimzi.io/next-node-ids.
func FormatNodeIDs(ids []int32) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.Itoa(int(id))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Assignment is the node IDs the operator will work with for one pool.
type Assignment struct {
	Pool string `json:"pool"`
	// Current are the IDs in the pool's status, Desired those it will have.
	Current []int32 `json:"current"`
	Desired []int32 `json:"desired"`
	Added   []int32 `json:"added,omitempty"`
	Removed []int32 `json:"removed,omitempty"`
	// Ignored says why an annotation with node IDs is not followed; the operator only logs it.
	Ignored string `json:"ignored,omitempty"`
}

// AssignNodeIDs predicts the node IDs the operator will give the pools at its next reconcile (NodeIdAssignor.java):
// IDs in a pool's status are kept; what is missing is taken from strimzi.io/next-node-ids, else the lowest free ID of
// the whole cluster, pool after pool in list order; what is too much goes by strimzi.io/remove-node-ids, else the
// highest. List order is that of the API server: by name. The error is the operator's own refusal of two pools with
// the same ID.
func AssignNodeIDs(pools []NodePool) ([]Assignment, error) {
	pools = slices.Clone(pools)
	slices.SortStableFunc(pools, func(a, b NodePool) int { return strings.Compare(a.Name, b.Name) })
	used := idSet{}
	for _, p := range pools {
		for _, id := range p.Status.NodeIDs {
			if used[id] {
				return nil, fmt.Errorf("assign node IDs: pool %q has node ID %d, which is already used", p.Name, id)
			}
			used[id] = true
		}
	}
	out := make([]Assignment, 0, len(pools))
	for _, p := range pools {
		out = append(out, assignPool(p, used))
	}
	return out, nil
}

func assignPool(p NodePool, used idSet) Assignment {
	a := Assignment{Pool: p.Name, Current: slices.Sorted(slices.Values(p.Status.NodeIDs))}
	desired := slices.Clone(a.Current)
	missing := int(p.Replicas) - len(desired)
	switch {
	case missing > 0:
		ids := annotatedIDs(&a, NextNodeIDsAnnotation, p.NextNodeIDs)
		for range min(missing, maxReplicas) {
			id := used.take(&ids)
			a.Added = append(a.Added, id)
			desired = append(desired, id)
		}
	case missing < 0:
		ids := annotatedIDs(&a, RemoveNodeIDsAnnotation, p.Annotations[RemoveNodeIDsAnnotation])
		for range -missing {
			var id int32
			id, desired = removeID(desired, &ids)
			a.Removed = append(a.Removed, id)
		}
	}
	slices.Sort(desired)
	slices.Sort(a.Added)
	slices.Sort(a.Removed)
	a.Desired = desired
	return a
}

// maxReplicas bounds what a hostile or mistyped spec.replicas can make this tool allocate.
const maxReplicas = 100_000

func annotatedIDs(a *Assignment, annotation, value string) NodeIDRange {
	r, err := ParseNodeIDRange(value)
	if err != nil {
		a.Ignored = annotation + ": " + err.Error()
		return NodeIDRange{}
	}
	return r
}

type idSet map[int32]bool

// take returns the next ID of the range that is not used, else the lowest that is not, and marks it used.
func (s idSet) take(r *NodeIDRange) int32 {
	for {
		id, ok := r.next()
		if !ok {
			break
		}
		if !s[id] {
			s[id] = true
			return id
		}
	}
	for id := int32(0); id < math.MaxInt32; id++ {
		if !s[id] {
			s[id] = true
			return id
		}
	}
	return math.MaxInt32
}

// removeID takes the next ID of the range that is there, else the highest.
func removeID(ids []int32, r *NodeIDRange) (int32, []int32) {
	for {
		id, ok := r.next()
		if !ok {
			break
		}
		if i := slices.Index(ids, id); i >= 0 {
			return id, slices.Delete(ids, i, i+1)
		}
	}
	highest := slices.Max(ids)
	i := slices.Index(ids, highest)
	return highest, slices.Delete(ids, i, i+1)
}
