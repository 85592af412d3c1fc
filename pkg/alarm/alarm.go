// Package alarm judges what a cluster is seen to do to its volumes while it starts: what was observed and not predicted
// is an alarm. It takes lines and names and a prediction, and knows no client, no clock and no file.
package alarm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// Kind tells what an alarm is about. Kinds are stable: journals and scripts refer to them.
type Kind string

// The kinds. The first three are grave: data is being lost, or what starts is another cluster than the planned one.
const (
	FormattedOverData    Kind = "formatted-over-data"
	CommittedTruncated   Kind = "committed-metadata-truncated"
	UnplannedClaim       Kind = "unplanned-claim"
	FormattedUnpredicted Kind = "formatted-unpredicted"  // nobody knows what the volume held, or it was empty
	TruncatedUnpredicted Kind = "truncated-unpredicted"  // it is not certain that what is cut off was committed
	MetadataLogDeleted   Kind = "metadata-log-deleted"   // by the container's start script
	StrayPartition       Kind = "stray-partition"        // the metadata does not know a partition that was on the volume
	OtherClusterID       Kind = "other-cluster-id"       // a volume that says another ID than the recovered one
	LogDirectoryLeftOut  Kind = "log-directory-left-out" // a node goes on without one of its volumes
)

// Grave tells whether the cluster is halted for an alarm of that kind without asking anybody.
func (k Kind) Grave() bool {
	return k == FormattedOverData || k == CommittedTruncated || k == UnplannedClaim
}

// Alarm is one thing that was observed and not predicted.
type Alarm struct {
	Kind  Kind `json:"kind"`
	Grave bool `json:"grave"`
	// Pod and Line are whose container said what; empty where it was not a line of a log.
	Pod  string `json:"pod,omitempty"`
	Line string `json:"line,omitempty"`
	// Claim and Volume are the PersistentVolumeClaim and the PersistentVolume it is about, where that is known.
	Claim  string `json:"claim,omitempty"`
	Volume string `json:"volume,omitempty"`
	// Message says what was predicted instead, Lost what may be lost.
	Message string `json:"message"`
	Lost    string `json:"lost"`
}

// Key tells one alarm from another: the same thing said twice is one.
func (a *Alarm) Key() string {
	return strings.Join([]string{string(a.Kind), a.Pod, a.Claim, a.Line}, "\x00")
}

// Where names the pod, the claim and the volume.
func (a *Alarm) Where() string {
	var at []string
	for _, one := range [][2]string{{"pod/", a.Pod}, {"pvc/", a.Claim}, {"pv/", a.Volume}} {
		if one[1] != "" {
			at = append(at, one[0]+one[1])
		}
	}
	return strings.Join(at, ", ")
}

// String says what was seen, where, and what may be lost, in one sentence.
func (a *Alarm) String() string {
	text := fmt.Sprintf("%s (%s): %s; what may be lost: %s", a.Kind, a.Where(), a.Message, a.Lost)
	if a.Line != "" {
		text += fmt.Sprintf("; the line was %q", a.Line)
	}
	return text
}

// Held tells what a volume held when it was judged.
type Held string

// What a volume held.
const (
	HeldData    Held = "data"     // at least one log directory
	HeldNothing Held = "nothing"  // it was read, and has none
	HeldUnknown Held = "unknown"  // it was not read, or not wholly
	HeldGivenUp Held = "given-up" // it was excluded: what becomes of it was accepted
)

// Claim is what was known of one claim of the cluster.
type Claim struct {
	Volume string
	Held   Held
	// Metadata is the copy of the metadata log on it; nil where there is none that counts.
	Metadata *Copy
}

// Copy is one copy of the metadata log, as it was judged against the others.
type Copy struct {
	// End is the offset that it ends at; a lower bound where EndKnown is false.
	End      int64 `json:"end"`
	EndKnown bool  `json:"endKnown"`
	// MayTruncate tells that it ends in an older epoch than the newest copy: where they differ it is cut off, which loses
	// nothing that was committed.
	MayTruncate bool `json:"mayTruncate,omitempty"`
	// Snapshot is the end of its newest sound snapshot: everything before it is committed, on whatever copy.
	Snapshot int64 `json:"snapshot,omitempty"`
}

// Committed is what the copies of the metadata log proved to be committed.
type Committed struct {
	// Offset is the one up to which (exclusive) everything is, By how that was proven.
	Offset int64  `json:"offset"`
	By     string `json:"by,omitempty"`
	// Lifted tells that a person accepted that what was committed may be lost.
	Lifted bool `json:"lifted,omitempty"`
}

// Prediction is what the volumes and the plan say that a start will do.
type Prediction struct {
	Cluster   string
	ClusterID string
	// Claims are the planned ones, by name.
	Claims map[string]Claim
	// Formatted are the log directories, as CLAIM/DIRECTORY, that a start makes: that they are new was accepted.
	Formatted map[string]bool
	// Strays are the directories, as CLAIM/DIRECTORY/PARTITION, that were set aside as stray before.
	Strays map[string]bool
	// Removed are the IDs of topics whose removal is in the metadata: what is left of them is set aside.
	Removed map[string]bool
	// Committed is nil where the copies prove nothing.
	Committed *Committed
}

// Claim judges a claim that is there, with the volume it is bound to; nil means that it is planned, or another's.
func (j *Judge) Claim(name, volume string, labels map[string]string) *Alarm {
	p := j.prediction
	if _, planned := p.Claims[name]; planned || !p.isOfCluster(name, labels) {
		return nil
	}
	return p.alarm(UnplannedClaim, "", "", name, volume,
		"a claim that nobody planned was made: the operator wants other node IDs or another storage layout than the "+
			"volumes have",
		"a node starts empty on it, beside its data; empty nodes elect a leader without the metadata, and have the others "+
			"cut theirs off")
}

// isOfCluster tells whether a claim belongs to the cluster by its labels, or by its name where it carries none: that
// must then name a pool that has planned claims, for another cluster's name may begin with this one's.
func (p *Prediction) isOfCluster(name string, labels map[string]string) bool {
	if strimzi.IsKafkaClaim(labels, p.Cluster) {
		return true
	}
	return labels[strimzi.ClusterLabel] == "" && slices.ContainsFunc(strimzi.ParseClaimName(name), p.ofKnownPool)
}

func (p *Prediction) ofKnownPool(reading strimzi.ClaimName) bool {
	if reading.Cluster != p.Cluster {
		return false
	}
	for name := range p.Claims {
		if slices.ContainsFunc(strimzi.ParseClaimName(name), func(known strimzi.ClaimName) bool {
			return known.Cluster == reading.Cluster && known.Pool == reading.Pool
		}) {
			return true
		}
	}
	return false
}

func (p *Prediction) alarm(kind Kind, pod, line, claim, volume, message, lost string) *Alarm {
	if volume == "" {
		volume = p.Claims[claim].Volume
	}
	return &Alarm{
		Kind: kind, Grave: kind.Grave(), Pod: pod, Line: bounded(line), Claim: claim, Volume: volume, Message: message,
		Lost: lost,
	}
}

// maxLine bounds what is kept of a line.
const maxLine = 500

func bounded(line string) string {
	if len(line) <= maxLine {
		return line
	}
	return strings.ToValidUTF8(line[:maxLine], "") + "…"
}
