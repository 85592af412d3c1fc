package probe

import (
	"slices"
	"strings"
)

// cautiousLimit is how many CSI volumes share a pod when nodes do not say what they can take: the smallest cloud
// instances take about this many beside their own disks.
const cautiousLimit = 12

// group is the claims of one pod.
type group struct {
	claims []candidate
	// node pins the pod; empty leaves it to the scheduler.
	node string
	// identity differs from the request's where that could not read; nil otherwise.
	identity *Identity
}

func (g group) names() []string {
	names := make([]string, len(g.claims))
	for i, c := range g.claims {
		names[i] = c.claim
	}
	return names
}

// groups puts claims that can be mounted on one node into one pod, as many as the node can attach and perPod allows.
// Groups are as even as they can be, so that none takes much longer than the others.
func groups(candidates []candidate, limits map[string]map[string]int, perPod int) []group {
	together := map[string][]candidate{}
	for _, c := range candidates {
		key := c.node + "\x00" + c.place
		if c.node != "" { // one node has only one place
			key = c.node
		}
		together[key] = append(together[key], c)
	}
	var all []group
	for _, key := range sortedKeys(together) {
		claims := together[key]
		slices.SortFunc(claims, func(a, b candidate) int { return strings.Compare(a.claim, b.claim) })
		most := min(perPod, attachable(claims, limits))
		parts := (len(claims) + most - 1) / most
		for i := range parts {
			part := claims[i*len(claims)/parts : (i+1)*len(claims)/parts]
			all = append(all, group{claims: part, node: part[0].node})
		}
	}
	return all
}

// attachable is how many of the claims one pod may have, by the attach limit of each of their CSI drivers.
func attachable(claims []candidate, limits map[string]map[string]int) int {
	perDriver := map[string]int{}
	for _, c := range claims {
		if c.driver != "" {
			perDriver[c.driver]++
		}
	}
	most := len(claims)
	for driver, count := range perDriver {
		limit := cautiousLimit
		if of, known := limits[claims[0].node][driver]; known {
			limit = of
		} else if limits != nil && !known {
			limit = count // the nodes answered and set no limit
		}
		if count > limit {
			most = min(most, max(1, limit*len(claims)/count))
		}
	}
	return most
}

// split divides a group after a failure. Where the failure names volumes those go alone, each in a pod of its own, so
// that the others can be read at once; otherwise the group is halved. node is where its pod was, so that attachable
// volumes that are there already are not asked for from elsewhere.
func (g group) split(r Reason, node string) []group {
	pin := g.node
	if pin == "" {
		pin = node
	}
	var named, rest []candidate
	for i, c := range g.claims {
		if slices.Contains(r.Volumes, c.volume) || slices.Contains(r.Volumes, volumeName(i)) {
			named = append(named, c)
		} else {
			rest = append(rest, c)
		}
	}
	if len(named) == 0 || len(rest) == 0 {
		half := len(g.claims) / 2
		return []group{
			{claims: g.claims[:half], node: g.node, identity: g.identity},
			{claims: g.claims[half:], node: g.node, identity: g.identity},
		}
	}
	parts := []group{{claims: rest, node: pin, identity: g.identity}}
	for _, c := range named {
		parts = append(parts, group{claims: []candidate{c}, node: g.node, identity: g.identity})
	}
	return parts
}
