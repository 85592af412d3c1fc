package recovery

import (
	"context"
	"io"
	"io/fs"
	"time"

	"k8s.io/utils/clock"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/handover"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/redeclared"
	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/termination"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// DryRun tells how far a run goes.
type DryRun string

// The dry runs. None applies the plan; client prints it; server also has the API server check every write, without
// storing one.
const (
	DryRunNone   DryRun = "none"
	DryRunClient DryRun = "client"
	DryRunServer DryRun = "server"
)

// Request says what to restore and how. Everything in it that chooses or lifts something comes from the command line
// (safety contract, line 10).
type Request struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// ClusterID is --cluster-id: the ID to write back where the volumes do not agree; empty otherwise.
	ClusterID string `json:"clusterId,omitempty"`
	// Exclude are claims given up.
	Exclude []string `json:"exclude,omitempty"`
	// Include are PersistentVolumes that name no claim any more, by name, and are this cluster's: what is on them says
	// where they belong.
	Include []string `json:"include,omitempty"`
	// Lost name nodes and claims that are lost for good, as strimzi.ParseLost reads them: their claims are made so that
	// they have no volume until the others have caught up.
	Lost []string `json:"lost,omitempty"`
	// Declared are the manifests of resources that are gone; nil where none were given. Secrets are among them.
	Declared *declared.Cluster `json:"-"`
	// StatefulSet tells that Name is that of a StatefulSet that runs Kafka without Strimzi; DeclaredSet is its manifest.
	StatefulSet bool                  `json:"statefulSet,omitempty"`
	DeclaredSet *declared.StatefulSet `json:"-"`
	// NamespaceManifest is the namespace as it was saved, to be made where it is gone; nil where none was given.
	NamespaceManifest *declared.Namespace `json:"-"`
	// Redeclared are volumes to declare anew, from what an earlier look saved; nil where none are. Neither a journal nor
	// a plan holds them: whoever may write a ConfigMap must not have others declare volumes for him. Redeclares says
	// that there were some.
	Redeclared *redeclared.Volumes `json:"-"`
	Redeclares bool                `json:"redeclares,omitempty"`
	// Accept lifts single rules for single subjects.
	Accept []finding.Lift `json:"accept,omitempty"`
	// SetAside are freshly formatted log directories that are renamed.
	SetAside []LogDirRef `json:"setAside,omitempty"`
	// RebindClaims has claims that hold another volume than that of their node's data made again for the latter.
	RebindClaims bool   `json:"rebindClaims,omitempty"`
	DryRun       DryRun `json:"-"`
	// Wait false returns right after un-pausing.
	Wait bool `json:"wait"`
	// Timeout bounds the wait for the cluster after un-pausing.
	Timeout time.Duration `json:"-"`
	// PauseTimeout bounds the wait for the operator's confirmation; 0 takes the operator's own operation timeout plus
	// its interval, at least ten minutes.
	PauseTimeout time.Duration `json:"-"`
	// Settle is the time between writing the ID and proving that it stayed.
	Settle time.Duration `json:"-"`
	// RestartOperator deletes the operator's pods after annotating, so that a reconcile in flight ends at once.
	RestartOperator bool `json:"restartOperator,omitempty"`
	// HoldOperator keeps the operator at zero replicas from before the namespace or the first resource is made until
	// Kafka is stored paused.
	HoldOperator bool `json:"holdOperator,omitempty"`
	// Snapshot takes a snapshot of every volume that can have one before it un-pauses; SnapshotClass names the class,
	// and is empty for the default one of each volume's driver.
	Snapshot      bool   `json:"snapshot,omitempty"`
	SnapshotClass string `json:"snapshotClass,omitempty"`
}

// Depth tells how far a look goes.
type Depth string

// The depths of a look, from the cheapest.
const (
	Objects Depth = "objects" // the API server's objects; nothing is created
	Volumes Depth = "volumes" // the volumes too, through temporary pods or inside running ones
	Running Depth = "running" // the volumes that running pods have, inside them; no pod is created
)

// LookRequest asks for one look at a cluster.
type LookRequest struct {
	Namespace, Name string
	Depth           Depth
	// Excluded are the names of volumes given up, ClusterID the ID named by the person; the rules judge with both.
	Excluded  map[string]bool
	ClusterID string
	// Lost are those of the Request: they are judged as held back.
	Lost []string
	// SetAside are log directories that are looked past, by the volume's name, as if they were renamed already. Visit
	// sees them.
	SetAside map[string][]string
	// StatefulSet looks at a StatefulSet instead of a Kafka resource, at DeclaredSet where there is none. Volumes that no
	// claim holds are lent by Lender, read and placed; without a Lender they are left alone.
	StatefulSet bool
	DeclaredSet *declared.StatefulSet
	// Planned are resources to judge by where there is no Kafka resource; volumes that no claim holds are then lent to
	// claims of a temporary name by Lender, read and placed.
	Planned *strimzi.Cluster
	Lender  binding.Writer
	// Include are those of the Request, looked at beside those that name a claim of Planned.
	Include []string
	// Rebind looks at the cluster as it will be once its claims hold the volumes with its data; those that no claim holds
	// are lent to be read, as with Planned.
	Rebind bool
	// Held are operators, as NAMESPACE/NAME, that count as being there although they are at zero replicas.
	Held []string
	// Known are volumes as an earlier look read them, by the UID of the PersistentVolume: they are judged as they are, and
	// not read.
	Known map[string]*volume.Volume
	// Visit is called with every volume that is being read, while it can be; it may be nil.
	Visit func(ctx context.Context, v *volume.Volume, fsys fs.FS) error
	// Leave is handed what waits for the end of the temporary pods, so that this goes on beside them; nil has the look
	// wait. It is called before any pod is made, whatever becomes of the look.
	Leave func(wait func(context.Context) error)
}

// Observation is what one look showed.
type Observation struct {
	// Cluster is nil when there is no such Kafka resource.
	Cluster *strimzi.Cluster
	// Set is the StatefulSet, where that was looked at instead.
	Set      *statefulset.Set
	Volumes  []volume.Volume
	Others   []volume.PersistentVolume
	Findings []finding.Finding
	// Planned tells that Cluster is what was planned, and not there yet; Placements say which volume goes to which claim.
	Planned    bool
	Placements []placement.Placement
	// LetGo are the claims that will go because they hold other volumes than their places are for, Displaced the volumes
	// that will have no claim then.
	LetGo     []placement.LetGo
	Displaced []finding.Displaced
	// Unnamed are volumes, by name, that name no claim and were not included; some may be the cluster's.
	Unnamed []string
	// Going is the namespace where it is being deleted, with what keeps it.
	Going *termination.Namespace
	// VolumesForbidden tells that PersistentVolumes may not be read.
	VolumesForbidden bool
}

// Deps are what a restore needs from outside.
type Deps struct {
	Kube  *kube.Client
	Clock clock.WithTicker
	// Random yields the operation ID's tail.
	Random io.Reader
	// StateDir is the folder that operations keep their own folder in.
	StateDir string
	// Look looks at a cluster; see pkg/scan.
	Look func(ctx context.Context, req LookRequest) (*Observation, error)
	// Rename renames a directory on a volume that no pod uses; see pkg/scan.
	Rename func(ctx context.Context, req RenameRequest) error
	// Confirm shows the plan and asks; false means declined.
	Confirm func(ctx context.Context, plan *Plan, findings []finding.Finding) (bool, error)
	// OnAlarm decides what is done about alarms that are not grave; nil holds. Its context ends where a grave one makes
	// the question needless.
	OnAlarm func(ctx context.Context, alarms []alarm.Alarm) (AlarmAction, error)
	// HandOver has what the user may not do himself done by somebody who may; nil where it is then not done. The client
	// delegates to it.
	HandOver *handover.Book
	// Report receives what happens, as it happens.
	Report Reporter
}

// Reporter receives the narrative of a run.
type Reporter interface {
	// Begin announces the operation, before anything is changed, so that an interrupted person knows its name.
	Begin(operation, folder string)
	// Step announces a change of state of a step.
	Step(step Step)
	// Waiting says what is being waited for in a step; it is called again whenever that changes.
	Waiting(step StepID, text string)
	// Warn says something the person should know that ends nothing.
	Warn(text string)
}
