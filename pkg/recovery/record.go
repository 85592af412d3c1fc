package recovery

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Place says which Kubernetes cluster something was done in, and as whom.
type Place struct {
	// ServerID is the UID of the namespace kube-system, which a cluster keeps for its life, whatever its API server is
	// called; empty where that namespace may not be read.
	ServerID string `json:"serverId,omitempty"`
	Server   string `json:"server"`
	Context  string `json:"context,omitempty"`
	User     string `json:"user,omitempty"`
}

// placeOf asks the API server who it is.
func placeOf(ctx context.Context, k *kube.Client) (Place, error) {
	origin := k.Origin()
	p := Place{Server: origin.Server, Context: origin.Context, User: origin.User}
	var err error
	p.ServerID, err = k.ServerID(ctx)
	return p, err
}

// ClusterAccess is what telling one Kubernetes cluster from another needs. Without it, plans and journals are bound by
// the UIDs of the objects alone.
func ClusterAccess() []kube.Access {
	return []kube.Access{{
		Verb: "get", Resource: "namespaces", Name: "kube-system", For: "tell one Kubernetes cluster from another",
	}}
}

// Beginning is what a run wrote into the journal when it began, or went on with, an operation.
type Beginning struct {
	Operation string `json:"operation"`
	// Holder is the identity of the run, as in the Lease.
	Holder string `json:"holder"`
	Place
	// Kafka is the very resource that the operation is about.
	Kafka ObjectRef `json:"kafka"`
	// Request is what was asked for; it is nil when an operation is undone or the cluster is stopped.
	Request *Request `json:"request,omitempty"`
}

// Decision is what was confirmed: the plan, what it was decided on, and what must be the same at the end.
type Decision struct {
	Plan     *Plan             `json:"plan"`
	Basis    Basis             `json:"basis"`
	Baseline baseline          `json:"baseline"`
	Findings []finding.Finding `json:"findings,omitempty"`
}

// Ending is how one run of an operation ended.
type Ending struct {
	Outcome Outcome  `json:"outcome"`
	Reason  string   `json:"reason,omitempty"`
	Steps   []Step   `json:"steps,omitempty"`
	Checks  []Check  `json:"checks,omitempty"`
	Next    []string `json:"next,omitempty"`
	// Differences are those for which a plan was not applied, or an operation not gone on with.
	Differences []string `json:"differences,omitempty"`
	// Alarms are what was observed while the cluster started and not predicted; NotWatched says what was not seen.
	Alarms     []alarm.Alarm `json:"alarms,omitempty"`
	NotWatched []string      `json:"notWatched,omitempty"`
}

// Basis is what a plan was decided on. Two that are equal describe the same world, so far as it matters to the plan.
type Basis struct {
	// ServerID binds it to the Kubernetes cluster, as in Place.
	ServerID string `json:"serverId,omitempty"`
	// Objects maps kafka/NAME and kafkanodepool/NAME to what they were.
	Objects map[string]ObjectBasis `json:"objects"`
	// Claims maps a claim's name to the claim and its volume.
	Claims map[string]ClaimBasis `json:"claims"`
	// Contents maps a volume's name to a digest of what is on it: the identity of its log directories and the
	// partitions in them, but not how long the logs are, for a node may be running.
	Contents map[string]string `json:"contents"`
}

// ObjectBasis is one object's identity and version of its spec.
type ObjectBasis struct {
	UID        string `json:"uid"`
	Generation int64  `json:"generation"`
	// NextNodeIDs is a pool's annotation: it decides node IDs and is no part of the spec.
	NextNodeIDs string `json:"nextNodeIds,omitempty"`
	managers    []string
}

// ClaimBasis is a claim's identity and the volume it is bound to.
type ClaimBasis struct {
	UID       string `json:"uid"`
	Volume    string `json:"volume"`
	VolumeUID string `json:"volumeUid,omitempty"`
}

// basisOf records what was observed. A volume that the operation itself declares has no UID that counts: a plan
// declares it to read it, and takes it back.
func basisOf(serverID, operation string, seen *Observation) Basis {
	b := Basis{
		ServerID: serverID, Objects: map[string]ObjectBasis{}, Claims: map[string]ClaimBasis{},
		Contents: map[string]string{},
	}
	if set := seen.Set; set != nil {
		b.Objects[set.Ref()] = ObjectBasis{UID: set.UID, Generation: set.Generation}
		b.addVolumes(operation, seen)
		return b
	}
	kafka := &seen.Cluster.Kafka
	b.Objects["kafka/"+kafka.Name] = objectBasis(&kafka.Meta, "")
	for i := range seen.Cluster.Pools {
		pool := &seen.Cluster.Pools[i]
		b.Objects["kafkanodepool/"+pool.Name] = objectBasis(&pool.Meta, pool.NextNodeIDs)
	}
	b.addVolumes(operation, seen)
	return b
}

func (b *Basis) addVolumes(operation string, seen *Observation) {
	for i := range seen.Volumes {
		v := &seen.Volumes[i]
		if v.Claim != nil {
			claim := ClaimBasis{UID: v.Claim.UID, Volume: v.Claim.Volume}
			if claim.UID == placement.Planned { // it has none yet
				claim.UID = ""
			}
			if v.PV != nil && !isOwn(&unstructured.Unstructured{Object: v.PV.Object}, operation) {
				claim.VolumeUID = v.PV.UID
			}
			b.Claims[v.Claim.Name] = claim
		}
		b.Contents[v.Name] = contentDigest(v)
	}
}

func objectBasis(m *strimzi.Meta, next string) ObjectBasis {
	return ObjectBasis{UID: m.UID, Generation: m.Generation, NextNodeIDs: next, managers: m.Managers}
}

// unread is the digest of a volume that was not read; it says nothing about what is on it.
const unread = "unread"

func contentDigest(v *volume.Volume) string {
	if v.Contents == nil {
		return unread
	}
	type partition struct {
		Dir, TopicID string
		State        logdir.PartitionState
	}
	type directory struct {
		Path       string
		Meta       *logdir.MetaProperties
		Partitions []partition
	}
	var dirs []directory
	for i := range v.Contents.Dirs {
		d := &v.Contents.Dirs[i]
		one := directory{Path: d.Path, Meta: d.Meta}
		for _, p := range d.Partitions {
			one.Partitions = append(one.Partitions, partition{Dir: p.Dir, TopicID: p.TopicID, State: p.State})
		}
		dirs = append(dirs, one)
	}
	text, err := json.Marshal(dirs)
	if err != nil {
		return unread
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Differences says in what the world now is another than the one a plan was decided on; none when it is the same.
func (b Basis) Differences(now Basis) []string {
	var out []string
	if b.ServerID != "" && now.ServerID != "" && b.ServerID != now.ServerID {
		out = append(out, fmt.Sprintf("another Kubernetes cluster: namespace kube-system has uid %s, had %s", now.ServerID,
			b.ServerID))
	}
	out = append(out, differences(b.Objects, now.Objects, func(was, is ObjectBasis) string {
		switch {
		case was.UID == "": // planned for, and created since
			return ""
		case was.UID != is.UID:
			return fmt.Sprintf("was replaced: uid %s, was %s", is.UID, was.UID)
		case was.Generation != is.Generation:
			return fmt.Sprintf("its spec was changed: generation %d, was %d%s", is.Generation, was.Generation,
				writers(is.managers))
		case was.NextNodeIDs != is.NextNodeIDs:
			return fmt.Sprintf("its next node IDs are %q, were %q%s", is.NextNodeIDs, was.NextNodeIDs, writers(is.managers))
		}
		return ""
	})...)
	out = append(out, differences(prefixed("pvc/", b.Claims), prefixed("pvc/", now.Claims),
		func(was, is ClaimBasis) string {
			switch {
			case was.UID != "" && was.UID != is.UID:
				return fmt.Sprintf("was replaced: uid %s, was %s", is.UID, was.UID)
			case was.Volume != is.Volume || was.VolumeUID != is.VolumeUID:
				return fmt.Sprintf("is bound to %q (uid %s), was bound to %q (uid %s)", is.Volume, is.VolumeUID, was.Volume,
					was.VolumeUID)
			}
			return ""
		})...)
	return append(out, differences(b.Contents, now.Contents, func(was, is string) string {
		if was != is {
			return fmt.Sprintf("has other log directories or partitions: %s, had %s", is, was)
		}
		return ""
	})...)
}

func differences[V any](was, is map[string]V, compare func(was, is V) string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(was)) {
		now, there := is[key]
		if !there {
			out = append(out, key+" is gone")
		} else if text := compare(was[key], now); text != "" {
			out = append(out, key+" "+text)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if _, there := was[key]; !there {
			out = append(out, key+" is new")
		}
	}
	return out
}

func prefixed[V any](prefix string, m map[string]V) map[string]V {
	out := make(map[string]V, len(m))
	for k, v := range m {
		out[prefix+k] = v
	}
	return out
}

// writers names who writes to an object; empty where that is not known.
func writers(managers []string) string {
	if len(managers) == 0 {
		return ""
	}
	return fmt.Sprintf(" (its writers, newest last: %v)", managers)
}

// storedBaseline is a baseline as the journal keeps it.
type storedBaseline struct {
	ClusterID   string                 `json:"clusterId"`
	Claims      map[string]storedClaim `json:"claims,omitempty"`
	Pools       map[string][]int32     `json:"pools,omitempty"`
	Directories map[string]string      `json:"directories,omitempty"`
	Topics      map[string]string      `json:"topics,omitempty"`
	Strays      map[string]bool        `json:"strays,omitempty"`
	Formatted   map[string]bool        `json:"formatted,omitempty"`
	Held        []strimzi.ClaimName    `json:"held,omitempty"`
	Epoch       int32                  `json:"epoch,omitempty"`
	Alone       map[int32]int          `json:"alone,omitempty"`
	Predicted   predicted              `json:"predicted,omitzero"`
}

type storedClaim struct {
	UID    string `json:"uid"`
	Volume string `json:"volume"`
}

// MarshalJSON writes the baseline for the journal.
func (b baseline) MarshalJSON() ([]byte, error) {
	s := storedBaseline{
		ClusterID: b.clusterID, Claims: map[string]storedClaim{}, Pools: b.pools, Directories: b.directories,
		Topics: b.topics, Strays: b.strays, Formatted: b.formatted, Predicted: b.predicted,
		Held: b.held, Epoch: b.epoch, Alone: b.alone,
	}
	for name, c := range b.claims {
		s.Claims[name] = storedClaim{UID: c.uid, Volume: c.volume}
	}
	return json.Marshal(s)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (b *baseline) UnmarshalJSON(text []byte) error {
	var s storedBaseline
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	*b = baseline{
		clusterID: s.ClusterID, claims: map[string]claimIdentity{}, pools: s.Pools, directories: s.Directories,
		topics: s.Topics, strays: s.Strays, formatted: s.Formatted, predicted: s.Predicted,
		held: s.Held, epoch: s.Epoch, alone: s.Alone,
	}
	for name, c := range s.Claims {
		b.claims[name] = claimIdentity{uid: c.UID, volume: c.Volume}
	}
	return nil
}

// requestTimes are the durations of a Request as people write them.
type requestTimes struct {
	Timeout      string `json:"timeout"`
	PauseTimeout string `json:"pauseTimeout"`
	Settle       string `json:"settle"`
}

// MarshalJSON writes a request for the journal and for plans, with durations such as "30m0s".
func (r Request) MarshalJSON() ([]byte, error) {
	type plain Request
	return json.Marshal(struct {
		plain
		requestTimes
	}{plain(r), requestTimes{r.Timeout.String(), r.PauseTimeout.String(), r.Settle.String()}})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Request) UnmarshalJSON(text []byte) error {
	type plain Request
	var s struct {
		*plain
		requestTimes
	}
	s.plain = (*plain)(r)
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	for _, one := range []struct {
		text string
		into *time.Duration
	}{{s.requestTimes.Timeout, &r.Timeout}, {s.requestTimes.PauseTimeout, &r.PauseTimeout},
		{s.requestTimes.Settle, &r.Settle}} {
		d, err := time.ParseDuration(one.text)
		if err != nil {
			return fmt.Errorf("read a duration: %w", err)
		}
		*one.into = d
	}
	return nil
}
