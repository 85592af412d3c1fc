package recovery

import (
	"fmt"
	"slices"
	"sort"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// CheckState is the outcome of one check.
type CheckState string

// The outcomes of a check. Unknown is not passed: what could not be looked at is said so (safety contract, line 9).
const (
	CheckPassed  CheckState = "passed"
	CheckFailed  CheckState = "failed"
	CheckUnknown CheckState = "unknown"
	CheckPending CheckState = "pending"
)

// Check is one thing that was verified after the cluster started.
type Check struct {
	Name   string     `json:"name"`
	State  CheckState `json:"state"`
	Detail string     `json:"detail,omitempty"`
}

// baseline is what was on the volumes and in the objects before anything was changed, so far as it must be the same
// afterwards.
type baseline struct {
	clusterID string
	// claims maps a claim's name to its UID and volume.
	claims map[string]claimIdentity
	// pools maps a pool's name to the node IDs its claims say.
	pools map[string][]int32
	// directories maps claim/logdir to directory.id; empty for one formatted before Kafka 3.7, which gets an ID at its
	// first start with a newer one.
	directories map[string]string
	// topics maps topic ID to name, by partition.metadata of the partition directories.
	topics map[string]string
	// strays are the -stray directories that were there before.
	strays map[string]bool
	// held are the claims that are kept without a volume until the others have caught up; epoch is the newest of the
	// metadata logs: a leader that is elected after the start begins another.
	held  []strimzi.ClaimName
	epoch int32
	// alone is the number of partitions of which none but a held node could be elected when that was accepted.
	alone map[int32]int
	// formatted are the directories that will be new: that they are is what was accepted.
	formatted map[string]bool
	// predicted is what else a start was predicted from.
	predicted predicted
}

// claimIdentity is zero for a claim that is held back, and made again for its volume.
type claimIdentity struct {
	uid, volume string
}

// baselineOf records what the volumes say. Excluded volumes are left out: what becomes of them is in the plan.
func baselineOf(clusterID string, volumes []volume.Volume, excluded map[string]bool) baseline {
	b := baseline{
		clusterID: clusterID, claims: map[string]claimIdentity{}, pools: map[string][]int32{},
		directories: map[string]string{}, topics: map[string]string{}, strays: map[string]bool{},
	}
	for i := range volumes {
		v := &volumes[i]
		if v.Claim == nil {
			continue
		}
		b.claims[v.Claim.Name] = claimIdentity{uid: v.Claim.UID, volume: v.Claim.Volume}
		if v.Slot != nil && !slices.Contains(b.pools[v.Slot.Pool], v.Slot.NodeID) {
			b.pools[v.Slot.Pool] = append(b.pools[v.Slot.Pool], v.Slot.NodeID)
		}
		if v.Contents == nil || excluded[v.Name] {
			continue
		}
		for j := range v.Contents.Dirs {
			b.addDir(v.Claim.Name, &v.Contents.Dirs[j])
		}
	}
	for _, ids := range b.pools {
		slices.Sort(ids)
	}
	return b
}

// adopt takes the UIDs of claims that were planned and are made by now.
func (b *baseline) adopt(now []volume.Volume) {
	for i := range now {
		c := now[i].Claim
		if c == nil {
			continue
		}
		if was, planned := b.claims[c.Name]; planned && was.uid == placement.Planned && was.volume == c.Volume {
			b.claims[c.Name] = claimIdentity{uid: c.UID, volume: c.Volume}
		}
	}
}

func (b *baseline) addDir(claim string, dir *logdir.LogDir) {
	if dir.Meta != nil {
		b.directories[claim+"/"+dir.Path] = dir.Meta.DirectoryID
	}
	for _, p := range dir.Partitions {
		switch p.State {
		case logdir.PartitionStray:
			b.strays[claim+"/"+dir.Path+"/"+p.Dir] = true
		case logdir.PartitionCurrent:
			if p.TopicID != "" {
				b.topics[p.TopicID] = p.Topic
			}
		case logdir.PartitionDelete, logdir.PartitionFuture:
		}
	}
}

// checkObjects compares the live objects with what was planned. claims are all claims of the cluster's namespace that
// are the cluster's own, by label or by name.
func (b baseline) checkObjects(cluster *strimzi.Cluster, claims []volume.Claim) []Check {
	return []Check{
		b.checkReady(cluster), b.checkClusterID(cluster), b.checkPools(cluster), b.checkClaims(claims),
		checkPods(cluster, nil),
	}
}

func (b baseline) checkReady(cluster *strimzi.Cluster) Check {
	c := Check{Name: "kafka ready for this generation"}
	k := &cluster.Kafka
	switch {
	case hasCondition(k.Status.Conditions, "ReconciliationPaused"):
		c.State, c.Detail = CheckPending, "the status still says ReconciliationPaused"
	case k.Status.ObservedGeneration != k.Generation:
		c.State = CheckPending
		c.Detail = fmt.Sprintf("observed generation %d of %d", k.Status.ObservedGeneration, k.Generation)
	case hasCondition(k.Status.Conditions, "Ready"):
		c.State = CheckPassed
	default:
		c.State, c.Detail = CheckPending, conditionText(k.Status.Conditions)
	}
	return c
}

func (b baseline) checkClusterID(cluster *strimzi.Cluster) Check {
	c := Check{Name: "cluster ID as on the volumes", State: CheckPassed, Detail: b.clusterID}
	id := cluster.Kafka.Status.ClusterID
	switch {
	case id == nil:
		c.State, c.Detail = CheckPending, "not in the status yet"
	case *id != b.clusterID:
		c.State, c.Detail = CheckFailed, fmt.Sprintf("the status says %q, the volumes %q", *id, b.clusterID)
	}
	for _, p := range cluster.Pools {
		if p.Status.ClusterID != nil && *p.Status.ClusterID != b.clusterID {
			c.State = CheckFailed
			c.Detail = fmt.Sprintf("kafkanodepool/%s says %q, the volumes %q", p.Name, *p.Status.ClusterID, b.clusterID)
		}
	}
	return c
}

func (b baseline) checkPools(cluster *strimzi.Cluster) Check {
	c := Check{Name: "node IDs of every pool as on the volumes", State: CheckPassed}
	for _, p := range cluster.Pools {
		want := b.pools[p.Name]
		got := slices.Clone(p.Status.NodeIDs)
		slices.Sort(got)
		switch {
		case len(got) == 0 && len(want) > 0:
			c.State, c.Detail = CheckPending, fmt.Sprintf("kafkanodepool/%s has no node IDs yet", p.Name)
		case !slices.Equal(got, want):
			return Check{Name: c.Name, State: CheckFailed,
				Detail: fmt.Sprintf("kafkanodepool/%s has node IDs %v, its volumes %v", p.Name, got, want)}
		}
	}
	return c
}

func (b baseline) checkClaims(claims []volume.Claim) Check {
	c := Check{Name: "the same volume under every claim, and no new claim", State: CheckPassed}
	seen := map[string]bool{}
	for _, claim := range claims {
		seen[claim.Name] = true
		want, planned := b.claims[claim.Name]
		switch {
		case !planned:
			return Check{Name: c.Name, State: CheckFailed, Detail: "claim nobody planned: pvc/" + claim.Name}
		case want == (claimIdentity{}):
			if claim.HeldBack() {
				c.State, c.Detail = CheckPending, "pvc/"+claim.Name+" is held back"
			} else if claim.Volume == "" {
				c.State, c.Detail = CheckPending, "pvc/"+claim.Name+" has no volume yet"
			}
		case want.uid != "" && claim.UID != want.uid: // one that was made by the operation had none yet
			return Check{Name: c.Name, State: CheckFailed, Detail: "pvc/" + claim.Name + " was replaced by another claim"}
		case claim.Volume != want.volume:
			return Check{Name: c.Name, State: CheckFailed, Detail: fmt.Sprintf("pvc/%s is bound to %q, was bound to %q",
				claim.Name, claim.Volume, want.volume)}
		}
	}
	for name, want := range b.claims {
		switch {
		case seen[name]:
		case want == (claimIdentity{}):
			c.State, c.Detail = CheckPending, "pvc/"+name+" is not made yet"
		default:
			return Check{Name: c.Name, State: CheckFailed, Detail: "pvc/" + name + " is gone"}
		}
	}
	return c
}

// checkPods looks whether every pod is ready, but for those that are held back, by name.
func checkPods(cluster *strimzi.Cluster, held []string) Check {
	c := Check{Name: "every pod ready", State: CheckPassed}
	pods := map[string]*strimzi.Pod{}
	for i := range cluster.Pods {
		pods[cluster.Pods[i].Name] = &cluster.Pods[i]
	}
	if len(cluster.PodSets) == 0 {
		return Check{Name: c.Name, State: CheckPending, Detail: "no StrimziPodSet yet"}
	}
	for _, set := range cluster.PodSets {
		for _, name := range set.Pods {
			p := pods[name]
			switch {
			case slices.Contains(held, name):
			case p == nil:
				c.State, c.Detail = CheckPending, "pod/"+name+" does not exist"
			case p.Waiting != "":
				c.State, c.Detail = CheckPending, fmt.Sprintf("pod/%s waits: %s (%d restarts)", name, p.Waiting, p.Restarts)
			case !p.Ready:
				c.State, c.Detail = CheckPending, "pod/"+name+" is not ready"
			}
		}
	}
	return c
}

// checkContents compares what is on the volumes now, read from the running pods, with what was there before.
func (b baseline) checkContents(after []volume.Volume) []Check {
	now := baselineOf(b.clusterID, after, nil)
	unread := unreadNames(after)
	return []Check{b.checkDirectories(now, unread), b.checkTopics(now, unread), b.checkStrays(now, unread)}
}

func (b baseline) checkDirectories(now baseline, unread []string) Check {
	c := Check{Name: "log directories are the ones that were read before"}
	for _, key := range sortedKeys(b.directories) {
		if got, ok := now.directories[key]; ok && b.directories[key] != "" && got != b.directories[key] {
			c.State = CheckFailed
			c.Detail = fmt.Sprintf("%s had directory.id %s and has %s: it was formatted anew", key, b.directories[key], got)
			return c
		}
	}
	for _, key := range sortedKeys(now.directories) {
		if _, known := b.directories[key]; !known && !b.formatted[key] {
			c.State, c.Detail = CheckFailed, key+" is a log directory that was not there before"
			return c
		}
	}
	return passUnless(c, unread, wording.Count(len(b.directories), "directory", "directories"))
}

func (b baseline) checkTopics(now baseline, unread []string) Check {
	c := Check{Name: "topics and topic IDs as before"}
	var missing []string
	for _, id := range sortedKeys(b.topics) {
		if _, ok := now.topics[id]; !ok {
			missing = append(missing, b.topics[id]+" ("+id+")")
		}
	}
	if len(missing) > 0 && len(unread) == 0 {
		c.State, c.Detail = CheckFailed, fmt.Sprintf("no longer on any volume: %v", missing)
		return c
	}
	return passUnless(c, unread, wording.Count(len(b.topics), "topic", "topics"))
}

func (b baseline) checkStrays(now baseline, unread []string) Check {
	c := Check{Name: "no new stray partition directory"}
	for _, key := range sortedKeys(now.strays) {
		if !b.strays[key] {
			c.State, c.Detail = CheckFailed, key+" was renamed away by Kafka: the metadata does not know this partition"
			return c
		}
	}
	return passUnless(c, unread, "")
}

func passUnless(c Check, unread []string, detail string) Check {
	if len(unread) > 0 {
		c.State, c.Detail = CheckUnknown, fmt.Sprintf("could not read %v", unread)
		return c
	}
	c.State, c.Detail = CheckPassed, detail
	return c
}

func unreadNames(volumes []volume.Volume) []string {
	var names []string
	for i := range volumes {
		if volumes[i].State != volume.Read {
			names = append(names, volumes[i].Name)
		}
	}
	return names
}

func hasCondition(conditions []strimzi.Condition, kind string) bool {
	for _, c := range conditions {
		if c.Type == kind && c.Status == "True" {
			return true
		}
	}
	return false
}

func conditionText(conditions []strimzi.Condition) string {
	for _, c := range conditions {
		if c.Type == "NotReady" {
			if c.Message == "" {
				return "NotReady, " + c.Reason
			}
			return "NotReady, " + c.Reason + ": " + c.Message
		}
	}
	return "no condition yet"
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
