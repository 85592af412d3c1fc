package placement

import (
	"cmp"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// OfSet places volumes under the claims of a StatefulSet: those that no claim holds, and those of claims that are
// there. The name of the claim that a volume had says which one it is for, and what is on it must not contradict that.
// excluded are volumes given up, by name.
func OfSet(set *statefulset.Set, volumes []volume.Volume, excluded map[string]bool) Result {
	var out Result
	taken := map[string][]*volume.Volume{}
	for i := range volumes {
		v := &volumes[i]
		switch {
		case excluded[v.Name] || v.PV == nil:
		case v.Slot == nil || v.Slot.Claim == "" || v.Claim == nil && contradicts(v):
			out.Left = append(out.Left, v.Name)
		default:
			taken[v.Slot.Claim] = append(taken[v.Slot.Claim], v)
		}
	}
	for claim, all := range taken {
		if len(all) > 1 { // neither age nor number decides
			for _, v := range all {
				out.Left = append(out.Left, v.Name)
			}
			continue
		}
		v := all[0]
		from := "what is on it and the name of the claim it had agree"
		if _, known := finding.NodeOn(v.Contents); !known {
			from = "the name of the claim it had; no node's data is on it"
		}
		out.Placements = append(out.Placements, Placement{
			Volume: v.PV.Name, Claim: claim, Cluster: v.Slot.Cluster, Pool: v.Slot.Pool, NodeID: v.Slot.NodeID,
			Request: requestOf(set.Template(v.Slot.Pool), v.PV), From: from, Exists: v.Claim != nil, ofSet: true,
		})
	}
	slices.SortFunc(out.Placements, func(a, b Placement) int {
		return cmp.Or(cmp.Compare(a.NodeID, b.NodeID), cmp.Compare(a.Claim, b.Claim))
	})
	slices.Sort(out.Left)
	return out
}

func contradicts(v *volume.Volume) bool {
	id, known := finding.NodeOn(v.Contents)
	return known && id != v.Slot.NodeID
}

// requestOf is the size that a claim asks for: the template's, and no more than the volume has.
func requestOf(t *statefulset.Template, pv *volume.PersistentVolume) string {
	if t == nil {
		return ""
	}
	if order, ok := strimzi.CompareSizes(t.Request, pv.Capacity); !ok || order > 0 {
		return ""
	}
	return t.Request
}

// AccessModes are those of a claim template where the volume has all of them, else none: a claim that asks for more is
// never bound.
func AccessModes(t *statefulset.Template, pv *volume.PersistentVolume) []string {
	has := object.Strings(pv.Object, "spec", "accessModes")
	if t == nil || len(t.AccessModes) == 0 ||
		slices.ContainsFunc(t.AccessModes, func(m string) bool { return !slices.Contains(has, m) }) {
		return nil
	}
	return t.AccessModes
}
