// Package volume owns what a Kafka volume is to this tool: which claim, PersistentVolume or folder it is, which slot of
// a Kafka cluster its name says it fills, and what was read from it. It holds no Kubernetes client: sources hand it
// objects and fs.FS.
package volume

import (
	"fmt"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// ReadState tells how far a volume was read.
type ReadState string

// The read states. Unread is never to be taken for empty (safety contract, lines 5 and 9).
const (
	Read       ReadState = "read"       // all that was asked for was read
	Incomplete ReadState = "incomplete" // something on it could not be read; Contents.Problems says what
	Unread     ReadState = "unread"     // nothing could be read; Reason says why
	Skipped    ReadState = "skipped"    // reading was not asked for (--via objects)
)

// Volume is one volume of a Kafka node: what names it, what Kubernetes says of it, and what is on it.
type Volume struct {
	// Name identifies the volume in output and findings: "pvc/NAME", "pv/NAME", or "dir/NAME" for a folder.
	Name string `json:"name"`
	// Slot is what the claim's (or folder's) name says; nil when the name is no Strimzi name or is ambiguous.
	Slot *Slot `json:"slot,omitempty"`
	// SlotProblem says why Slot is nil or was not certain.
	SlotProblem string `json:"slotProblem,omitempty"`
	// Claim, PV describe the Kubernetes objects; nil for a folder.
	Claim *Claim            `json:"claim,omitempty"`
	PV    *PersistentVolume `json:"persistentVolume,omitempty"`

	State  ReadState `json:"state"`
	Reason string    `json:"reason,omitempty"`
	// Via tells how it was read: "dir", "pod", "exec", "objects".
	Via string `json:"via,omitempty"`
	// Contents is what is on it; nil when State is Unread or Skipped.
	Contents *logdir.Contents `json:"contents,omitempty"`
	// MetadataVersion is the finalized metadata.version feature level replayed from this volume's metadata log;
	// 0 when there is none or it was not replayed.
	MetadataVersion int16 `json:"metadataVersion,omitempty"`
	// Topics is the number of topics in the replayed metadata; -1 when it was not replayed.
	Topics int `json:"topics"`
	// Image is what else the replayed metadata says; nil when it was not replayed.
	Image *Image `json:"image,omitempty"`
}

// Image is what replaying a volume's metadata log showed, as far as a recovery depends on it.
type Image struct {
	// End is where the replay ended: what is on the log up to there, committed or not.
	End logdir.OffsetAndEpoch `json:"end"`
	// EndTimestamp is the append time of the last record's batch, milliseconds since 1970.
	EndTimestamp int64 `json:"endTimestamp"`
	// Brokers are the registered brokers.
	Brokers []int32 `json:"brokers,omitempty"`
	// InSync is the number of partitions that have the broker in their in-sync replicas, or in their eligible leader
	// replicas (KIP-966): what was acknowledged is on both, and both are elected.
	InSync map[int32]int `json:"inSync,omitempty"`
	// Users are the principals with SCRAM credentials, quotas or ACLs, without "User:"; sorted.
	Users []string `json:"users,omitempty"`
	// Removed are the topics whose removal is in the log that is left, oldest first.
	Removed []RemovedTopic `json:"removedTopics,omitempty"`
	// RemovedUsers are the SCRAM credentials whose removal is in the log that is left, oldest first.
	RemovedUsers []RemovedUser `json:"removedUsers,omitempty"`
	// Hosts are the names that nodes registered with, by node; those that are no names of a node's own are left out.
	Hosts map[int32]strimzi.NodeHost `json:"-"`
	// Fenced are the registered brokers that are fenced; Lost is what the log says of nodes that are named as lost for
	// good. Only a restore asks for these.
	Fenced []int32             `json:"-"`
	Lost   map[int32]*LostNode `json:"-"`
}

// LostNode is what a metadata log says of a node that is named as lost for good.
type LostNode struct {
	// Replicas is the number of partitions that have a leader, and a replica on it; InSync those that have it in their
	// in-sync replicas although a node that is left can be elected.
	Replicas, InSync int
	// Alone is the number of partitions of which nobody else can be elected: none of their in-sync replicas and eligible
	// leader replicas, or where there are neither the last known leader, is on a node that is left. Partitions are the
	// first of them.
	Alone      int
	Partitions []InSyncPartition
}

// InSyncPartition is a partition with its replicas, as the metadata log has them.
type InSyncPartition struct {
	Topic              string
	Partition          int32
	Replicas, ISR, ELR []int32
}

// String returns the partition with its replicas, in a line of evidence.
func (p InSyncPartition) String() string {
	text := fmt.Sprintf("%s-%d: replicas %v, in sync %v", p.Topic, p.Partition, p.Replicas, p.ISR)
	if len(p.ELR) > 0 {
		text += fmt.Sprintf(", eligible leader replicas %v", p.ELR)
	}
	return text
}

// RemovedTopic is a topic that the metadata log says was deleted.
type RemovedTopic struct {
	// Name is empty where the log no longer says what it was.
	Name    string `json:"name,omitempty"`
	TopicID string `json:"topicId"`
	Offset  int64  `json:"offset"`
	// Timestamp is the append time of the record's batch, milliseconds since 1970.
	Timestamp int64 `json:"timestamp"`
}

// RemovedUser is a user whose SCRAM credential the metadata log says was deleted, and not made again.
type RemovedUser struct {
	Name      string `json:"name"`
	Mechanism string `json:"mechanism"`
	Offset    int64  `json:"offset"`
	// Timestamp is the append time of the record's batch, milliseconds since 1970.
	Timestamp int64 `json:"timestamp"`
}

// Slot is the place a volume has in a Strimzi cluster, after its claim's name
// (data-<cluster>-<pool>-<id> or data-<volume id>-<cluster>-<pool>-<id>).
type Slot struct {
	Cluster string `json:"cluster,omitempty"`
	// Pool is "kafka" for the virtual pool of clusters that had no node pools.
	Pool   string `json:"pool,omitempty"`
	NodeID int32  `json:"nodeId"`
	// VolumeID is the JBOD volume's ID; nil for storage of type persistent-claim.
	VolumeID *int32 `json:"volumeId,omitempty"`
	// Claim is the name of the slot's claim where it is a StatefulSet's, named otherwise: Cluster is then the set and Pool
	// the claim template.
	Claim string `json:"claim,omitempty"`
}

// Claim is what matters of a PersistentVolumeClaim.
type Claim struct {
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	UID       string            `json:"uid"`
	Phase     string            `json:"phase"`
	Volume    string            `json:"volume,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	// DeleteClaim is the annotation strimzi.io/delete-claim.
	DeleteClaim  bool     `json:"deleteClaim"`
	AccessModes  []string `json:"accessModes,omitempty"`
	StorageClass string   `json:"storageClass,omitempty"`
	// Request is the size that the claim asks for, a Kubernetes quantity.
	Request string `json:"request,omitempty"`
	// Terminating tells that a deletion timestamp is set; Finalizers are what holds the object.
	Terminating bool     `json:"terminating,omitempty"`
	Finalizers  []string `json:"finalizers,omitempty"`
	// UsedBy are the running or pending pods that mount the claim, with their nodes.
	UsedBy []PodRef `json:"usedBy,omitempty"`
	// Object is the whole claim as the API server returned it, without managedFields.
	Object map[string]any `json:"object,omitempty"`
}

// HeldBackPrefix begins the name of the volume that a claim asks for which is to stay without one for a while. There is
// no such volume: nothing is provisioned for the claim, and no pod that uses it is scheduled.
const HeldBackPrefix = "kafkarecover-held-"

// HeldBack tells whether the claim is one that is kept without a volume.
func (c *Claim) HeldBack() bool {
	return strings.HasPrefix(c.Volume, HeldBackPrefix) && c.Phase != PhaseBound
}

// PodRef names a pod that uses a claim.
type PodRef struct {
	Name string `json:"name"`
	Node string `json:"node,omitempty"`
	// Phase is the pod's phase; Ready tells whether its Ready condition is true.
	Phase string `json:"phase"`
	Ready bool   `json:"ready"`
	// Container, MountPath say where the claim is mounted for reading through exec.
	Container string `json:"container,omitempty"`
	MountPath string `json:"mountPath,omitempty"`
}

// PlannedUID is in place of the UID of a claim that is not made yet.
const PlannedUID = "planned"

// DisplacedAnnotation is on a volume whose claim was made again for another one, and names the operation that did it.
const DisplacedAnnotation = "kafkarecover.io/displaced-by"

// PersistentVolume is what matters of a PersistentVolume.
type PersistentVolume struct {
	Name          string `json:"name"`
	UID           string `json:"uid"`
	Phase         string `json:"phase"`
	ReclaimPolicy string `json:"reclaimPolicy"`
	// ClaimNamespace, ClaimName, ClaimUID are spec.claimRef.
	ClaimNamespace string `json:"claimNamespace,omitempty"`
	ClaimName      string `json:"claimName,omitempty"`
	ClaimUID       string `json:"claimUid,omitempty"`
	StorageClass   string `json:"storageClass,omitempty"`
	Capacity       string `json:"capacity,omitempty"`
	// Driver is the CSI driver or the in-tree type (local, hostPath, nfs); Handle its volume handle or path.
	Driver string `json:"driver,omitempty"`
	Handle string `json:"handle,omitempty"`
	// Nodes are the host names of the node affinity, where it is by kubernetes.io/hostname; Zone its zone.
	Nodes       []string `json:"nodes,omitempty"`
	Zone        string   `json:"zone,omitempty"`
	Terminating bool     `json:"terminating,omitempty"`
	Finalizers  []string `json:"finalizers,omitempty"`
	// DisplacedBy is the operation that took the volume's claim for another one: no restore wants it since.
	DisplacedBy string `json:"displacedBy,omitempty"`
	// Object is the whole volume as the API server returned it, without managedFields.
	Object map[string]any `json:"object,omitempty"`
}
