// Package probe reads claims through temporary pods, or inside Kafka pods that run already, and hands each one up as an
// fs.FS. It owns the pod's specification and life cycle, why a pod did not start, the conversation with the shell in
// it, and the teardown. It knows nothing of what Kafka writes and nothing of Strimzi: callers say which files they want
// and judge what they get.
//
// Reading never writes (safety contract, lines 1 and 7): claims are mounted read-only at both places, never with
// fsGroup, only when they are Bound both ways, and only in a pod whose dry run came back from admission as it was sent.
package probe

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Labels of temporary pods. They are the tool's own: a strimzi.io/ label would make the operator's pod
// set controller delete the pod.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "kafkarecover"
	LabelOperation = "kafkarecover.io/operation"
)

// Identity is the user and groups a temporary pod runs as. It must be able to read what Kafka wrote; no fsGroup is
// ever set, because the kubelet would change the group of every file.
type Identity struct {
	// User nil leaves the user to admission (OpenShift assigns one of the namespace's range).
	User *int64
	// Group is the primary group; nil leaves it to the image.
	Group  *int64
	Groups []int64
}

// DefaultIdentity is how Strimzi's Kafka image runs: user 1001 in group 0.
func DefaultIdentity() Identity {
	const strimziUser = 1001
	user, group := int64(strimziUser), int64(0)
	return Identity{User: &user, Group: &group}
}

// Request says what to read and how.
type Request struct {
	// Operation names the run in the pods' labels; NewOperation makes one. Cleanup takes it.
	Operation string
	Namespace string
	// Claims are names of PersistentVolumeClaims in Namespace.
	Claims []string

	// Image is the image of the temporary pods, as ChooseImage found it.
	Image       string
	PullSecrets []string
	// Identity is tried first. Where it cannot read a volume, the owner of what it could not read is tried once,
	// unless FixedIdentity is set or that owner is root.
	Identity      Identity
	FixedIdentity bool
	// Tolerations and NodeSelector are those of the cluster's own pods.
	Tolerations  []corev1.Toleration
	NodeSelector map[string]string

	// Wanted says which files are fetched at once; others are read when they are opened. Nil fetches none.
	Wanted func(path string, size int64) bool
	Limits Limits

	// Parallel bounds the pods at a time, PerPod the claims in one pod.
	Parallel, PerPod int
	// ScheduleTimeout bounds the time from a pod's creation to its start (scheduling, attaching, mounting, image),
	// ReadTimeout the reading of one pod's claims, CleanupTimeout the wait until the pods are gone.
	ScheduleTimeout, ReadTimeout, CleanupTimeout time.Duration

	// TempDir is where large files are spooled, in a folder of their own that is removed afterwards; empty means the
	// system's.
	TempDir string
	// Removal takes over the wait for the end of the pods, all of which were told to end when Read returns. The next Read
	// of the operation comes after that wait: its pods have the same names. Nil has Read wait.
	Removal *Removal
	// Observe is told what happens; it may be called from several goroutines at once. It may be nil.
	Observe func(Event)
}

// Limits bound what a volume can make the reader do. A volume that exceeds one is an error, never cut short silently.
type Limits struct {
	// Entries is the number of files and directories of one volume, PathBytes the length of one path.
	Entries, PathBytes int
	// FileBytes is the size of one file that is fetched, VolumeBytes of all that are fetched of one volume.
	FileBytes, VolumeBytes int64
}

// DefaultLimits leave room for a broker with tens of thousands of partitions and a metadata log of several segments.
func DefaultLimits() Limits {
	const (
		entries = 4_000_000
		path    = 4096
		file    = 4 << 30
		volume  = 16 << 30
	)
	return Limits{Entries: entries, PathBytes: path, FileBytes: file, VolumeBytes: volume}
}

// The defaults of a Request. A hundred volumes take a kubelet about nine seconds to mount, in one pod or in many.
const (
	defaultParallel        = 8
	defaultPerPod          = 100
	defaultScheduleTimeout = 2 * time.Minute
	defaultReadTimeout     = 5 * time.Minute
	defaultCleanupTimeout  = time.Minute
)

func (r Request) withDefaults() Request {
	if r.Parallel <= 0 {
		r.Parallel = defaultParallel
	}
	if r.PerPod <= 0 {
		r.PerPod = defaultPerPod
	}
	if r.ScheduleTimeout <= 0 {
		r.ScheduleTimeout = defaultScheduleTimeout
	}
	if r.ReadTimeout <= 0 {
		r.ReadTimeout = defaultReadTimeout
	}
	if r.CleanupTimeout <= 0 {
		r.CleanupTimeout = defaultCleanupTimeout
	}
	if r.Limits == (Limits{}) {
		r.Limits = DefaultLimits()
	}
	if r.Identity.User == nil && r.Identity.Group == nil && !r.FixedIdentity {
		r.Identity = DefaultIdentity()
	}
	if r.Observe == nil {
		r.Observe = func(Event) {}
	}
	return r
}

// Use is given each claim that could be read, as a file system that is valid until Use returns. It may be called from
// several goroutines at once, once for each claim. Its error becomes the claim's Outcome.
type Use func(ctx context.Context, claim string, volume fs.FS) error

// Outcome is what became of one claim.
type Outcome struct {
	Claim string
	// Err is nil when the claim was read and used. An *UnreadError says why it could not be read.
	Err error
	// Pod and Node are where it was read; Volume is its PersistentVolume.
	Pod, Node, Volume string
	// Problems are parts of the volume that could not be listed (directories without permission, entries that went
	// away under a running Kafka); what lies there is unknown, not absent.
	Problems []string
}

// EventKind names a step of a reading.
type EventKind string

// The steps. Each claim ends with ClaimRead or ClaimUnread.
const (
	PodCreating   EventKind = "pod-creating"   // dry run passed, the pod is being created
	PodWaiting    EventKind = "pod-waiting"    // what Kubernetes says it is waiting for changed
	PodStarted    EventKind = "pod-started"    // its container runs
	GroupSplit    EventKind = "group-split"    // some claims go on without the one that cannot be mounted
	ClaimListed   EventKind = "claim-listed"   // all names on the volume are known
	ClaimRead     EventKind = "claim-read"     // the wanted files were read and used
	ClaimUnread   EventKind = "claim-unread"   // given up; Message says why
	PodRemoving   EventKind = "pod-removing"   // deletion asked for
	PodsGone      EventKind = "pods-gone"      // no pod of the operation is left
	CleanupFailed EventKind = "cleanup-failed" // something was left behind; Message says what
)

// Event is one step of a reading, for progress.
type Event struct {
	Kind    EventKind `json:"kind"`
	Claims  []string  `json:"claims,omitempty"`
	Pod     string    `json:"pod,omitempty"`
	Node    string    `json:"node,omitempty"`
	Message string    `json:"message,omitempty"`
}

// UnreadError says why a claim could not be read.
type UnreadError struct {
	Claim  string
	Reason Reason
	Err    error
}

// Error names the claim and the reason.
func (e *UnreadError) Error() string {
	return fmt.Sprintf("claim %q was not read: %s", e.Claim, e.why())
}

// why is the reason without the claim's name.
func (e *UnreadError) why() string {
	if e.Err != nil {
		return e.Reason.String() + ": " + e.Err.Error()
	}
	return e.Reason.String()
}

// Unwrap returns the underlying error, if any.
func (e *UnreadError) Unwrap() error { return e.Err }
