package recovery

import (
	"fmt"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// StepID names a step. IDs are stable: journals and scripts refer to them.
type StepID string

// The steps of a restore, in the order they run.
const (
	StepRetain      StepID = "retain"
	StepInclude     StepID = "include" // only where volumes name no claim
	StepRead        StepID = "read"
	StepLock        StepID = "lock"
	StepPause       StepID = "pause"
	StepSetAside    StepID = "set-aside" // only where a directory is renamed
	StepStopPods    StepID = "stop-pods" // only where claims are bound to other volumes
	StepLetGo       StepID = "let-go"    // only where claims are bound to other volumes
	StepReread      StepID = "reread"
	StepClusterID   StepID = "cluster-id"
	StepSettle      StepID = "settle"
	StepQuota       StepID = "quota"
	StepUnpause     StepID = "unpause"
	StepRestartPods StepID = "restart-pods"
	StepVerify      StepID = "verify"
	StepRelease     StepID = "release"
)

// StepState tells what became of a step.
type StepState string

// The states of a step.
const (
	StepPlanned StepState = "planned"
	StepRunning StepState = "running"
	StepDone    StepState = "done"
	StepSkipped StepState = "skipped"
	StepFailed  StepState = "failed"
)

// Step is one step of a plan: what it expects, what it does, how to see that it held, and how to undo it.
type Step struct {
	ID    StepID `json:"id"`
	Title string `json:"title"`
	// Does are the exact effects, one a line; empty for a step that only looks.
	Does []string `json:"does,omitempty"`
	// Expects is what must hold before; the step is not begun otherwise.
	Expects []string `json:"expects,omitempty"`
	// Check is how the step's effect is proven.
	Check string `json:"check"`
	// Undo is what takes it back; empty where nothing needs to be or can be.
	Undo string `json:"undo,omitempty"`
	// NoReturn tells that the operation cannot be undone once this step has changed something.
	NoReturn bool `json:"noReturn,omitempty"`
	// Risk says what may go wrong, in a sentence; empty where nothing can.
	Risk  string    `json:"risk,omitempty"`
	State StepState `json:"state"`
	// Note says what was seen, or why the step was skipped or failed.
	Note string `json:"note,omitempty"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds,omitempty"`
}

// Plan is a restore as data: --dry-run prints exactly the list that is applied.
type Plan struct {
	Operation string `json:"operation"`
	// Context, Server, Namespace and Cluster say where it acts (safety contract, line 10); KafkaUID binds it to the
	// very resource that was looked at.
	Context   string `json:"context"`
	Server    string `json:"server"`
	Namespace string `json:"namespace"`
	Cluster   string `json:"cluster"`
	KafkaUID  string `json:"kafkaUid"`
	// Resource is the type of what Cluster names, "kafka" where it is empty.
	Resource string `json:"resource,omitempty"`
	// ClusterID is the ID that is written back; ClusterIDFrom says how it was established.
	ClusterID     string   `json:"clusterId"`
	ClusterIDFrom string   `json:"clusterIdFrom"`
	Claims        []string `json:"claims"`
	// Excluded are claims given up by --exclude, with what their pods will do.
	Excluded []string `json:"excluded,omitempty"`
	// Accepted are the findings lifted by --accept.
	Accepted []finding.Finding `json:"accepted,omitempty"`
	// SetAside are the log directories that are renamed.
	SetAside []Aside `json:"setAside,omitempty"`
	// Displaced are the volumes that lose their claims to others, with what was written to them.
	Displaced []Displaced `json:"displaced,omitempty"`
	// Snapshots are taken before anything starts, and kept.
	Snapshots []PlannedSnapshot `json:"snapshots,omitempty"`
	// HandedOver is what somebody else does, because the user may not, as `kubectl auth can-i` takes it.
	HandedOver []string `json:"handedOver,omitempty"`
	Steps      []Step   `json:"steps"`
}

// step returns the plan's step of that ID, or nil.
func (p *Plan) step(id StepID) *Step {
	for i := range p.Steps {
		if p.Steps[i].ID == id {
			return &p.Steps[i]
		}
	}
	return nil
}

// planInput is everything the plan is computed from; nothing else may influence it.
type planInput struct {
	operation, context, server string
	namespace, cluster, uid    string
	resource                   string // the type of what cluster names; kafka where empty
	id                         string
	idFrom                     string
	claims, excluded           []string
	accepted                   []finding.Finding
	retain                     []string // volumes whose reclaim policy is not Retain
	alreadyRetain              int
	included                   []string // volumes that name no claim
	retained                   bool     // it was done already: it comes before the plan is confirmed
	volumesForbidden           bool
	pools                      []poolID
	statusID                   *string
	paused                     bool
	crashLooping               []string
	outliving                  []string // pods that run since before the Kafka resource was made
	secrets                    []string // those of authorities, where the Kafka resource is there
	controllers                []string // claims whose metadata is copied
	watched                    bool     // the volumes are watched from before they are read
	asides                     []Aside
	stops                      []podSetStop // pod sets that are deleted for the asides
	quota                      quotaPlan
	settle, pauseTimeout       time.Duration
	wait                       bool
	handedOver                 []string    // permissions that somebody else has
	made                       []Step      // what was made before anything was read
	create                     *createPlan // what is missing; nil where everything is there
	rebind                     *rebindPlan // claims that are bound to other volumes; nil where none is
	watchRisk                  string      // what of the start is not watched
	restartOperator            []string    // operator deployments to restart, with what else they manage
	hold                       []Step      // keeps the operator away, where that is asked for and not done already
	scaleBack                  []Step      // and ends it
	snapshots                  []PlannedSnapshot
	noSnapshots                []string // volumes of which there is none, with the reason
}

type poolID struct {
	name string
	id   *string
}

type quotaPlan struct {
	claims  int      // number of claims in the namespace now
	lost    []string // claims that are made besides, and held back
	without string   // why the guard is left out; empty when it is not
}

// buildPlan computes the steps of a restore whose Kafka resource, pools and claims exist.
func buildPlan(in planInput) Plan {
	p := Plan{
		Operation: in.operation, Context: in.context, Server: in.server, Namespace: in.namespace, Cluster: in.cluster,
		KafkaUID: in.uid, ClusterID: in.id, ClusterIDFrom: in.idFrom, Claims: in.claims, Excluded: in.excluded,
		Accepted: in.accepted, SetAside: in.asides, Displaced: in.rebind.displacement(),
		Snapshots: in.snapshots, HandedOver: in.handedOver,
	}
	p.Steps = append(append(in.made, retainStep(in)), includeStep(in)...)
	p.Steps = append(p.Steps, readStep(in), lockStep(in))
	p.Steps = append(p.Steps, createSteps(in)...)
	p.Steps = append(p.Steps, pauseStep(in))
	p.Steps = append(append(p.Steps, secretsStep(in)...), rebindSteps(in)...)
	p.Steps = append(p.Steps, nodeIDsStep(in)...)
	p.Steps = append(append(p.Steps, rereadStep(in)), snapshotStep(in)...)
	p.Steps = append(p.Steps,
		clusterIDStep(in), settleStep(in))
	p.Steps = append(append(p.Steps, holdBackStep(in)...), quotaStep(in), unpauseStep(in), restartPodsStep(in))
	p.Steps = append(append(append(p.Steps, restartTogetherStep(in)...), joinSteps(in)...), verifyStep(in))
	p.Steps = append(append(p.Steps, afterSteps(in)...), releaseStep(in))
	p.Steps = withSetAside(p.Steps, in)
	for i := range p.Steps {
		if p.Steps[i].State == "" {
			p.Steps[i].State = StepPlanned
		}
	}
	return p
}

func retainStep(in planInput) Step {
	s := Step{
		ID: StepRetain, Title: "set reclaim policy Retain on every volume",
		Check: "every volume read back with policy Retain",
		Undo:  "none: Retain stays; `kafkarecover unprotect` sets another policy later, on Bound volumes only",
	}
	switch {
	case in.volumesForbidden:
		s.State, s.Note = StepSkipped, "volumes may not be read: reclaim policy not checked"
	case len(in.retain) == 0:
		s.State, s.Note = StepSkipped, fmt.Sprintf("all %d are Retain already", in.alreadyRetain)
	}
	for _, v := range in.retain {
		s.Does = append(s.Does, "patch pv/"+v+": persistentVolumeReclaimPolicy Retain, and what it was in the annotation "+
			protect.PolicyAnnotation)
	}
	if in.retained && len(in.retain) > 0 {
		s.State, s.Note = StepDone, fmt.Sprintf("%d set and read back, %d were Retain already", len(in.retain),
			in.alreadyRetain)
	}
	return s
}

func readStep(in planInput) Step {
	return Step{
		ID: StepRead, Title: "read and judge " + wording.Count(len(in.claims), "volume", "volumes"),
		Check: "every volume says the same cluster ID, each fills its own slot, no rule refuses",
		State: StepDone,
	}
}

func lockStep(in planInput) Step {
	return Step{
		ID: StepLock, Title: "take the lock on " + Named(in.resource, in.cluster),
		Does: []string{
			"create lease/" + lockName(in.cluster),
			"create configmap/" + objectName(in.operation, "") + ", the journal's copy in the cluster",
			"annotate " + Named(in.resource, in.cluster) + " and its volumes with " + OperationAnnotation + "=" + in.operation,
		},
		Expects: []string{"no other operation holds the lock"},
		Check:   "the lease names this operation",
		Undo:    "remove the annotations and the lease; the journal stays",
	}
}

func pauseStep(in planInput) Step {
	s := Step{
		ID: StepPause, Title: "pause reconciliation of kafka/" + in.cluster + " and prove it",
		Does: []string{
			"annotate kafka/" + in.cluster + ": strimzi.io/pause-reconciliation=\"true\"",
			"write a marker into its status that the operator's paused path drops",
		},
		Check: "a later version of the status without the marker and with ReconciliationPaused",
		Undo:  "remove the annotation, where it was not there before",
		Risk: fmt.Sprintf("an operator in the middle of a reconcile answers only after its operation timeout "+
			"(waited for up to %s); pods keep running meanwhile", in.pauseTimeout),
	}
	if in.paused {
		s.Does = s.Does[1:]
		s.Note = "annotated already"
	}
	for _, o := range in.restartOperator {
		s.Does = append(s.Does, "delete the pods of "+o+" so that the reconcile in flight ends at once")
	}
	return s
}

func rereadStep(in planInput) Step {
	s := Step{
		ID: StepReread, Title: "read the volumes once more while paused, and copy the controllers' metadata",
		Expects: []string{"nothing that matters on a volume has changed since it was judged"},
		Check:   "copies read back with the same SHA-256",
	}
	if in.watched {
		s.Title = "see that the volumes are as they were read, and keep copies of the controllers' metadata"
		s.Check = "seen all along that nothing else had them, or read once more; " + s.Check
	}
	if len(in.controllers) > 0 {
		s.Does = []string{"copy meta.properties, bootstrap.checkpoint and __cluster_metadata-0 into the operation's " +
			"folder, of pvc/" + strings.Join(in.controllers, " pvc/")}
	}
	return s
}

func clusterIDStep(in planInput) Step {
	was := "none"
	if in.statusID != nil {
		was = fmt.Sprintf("%q", *in.statusID)
	}
	s := Step{
		ID: StepClusterID, Title: "write cluster ID " + in.id + " back",
		Expects: []string{"the pause is proven"},
		Check:   "read back from the API server",
		Undo:    "write the former values back, while paused",
	}
	for _, pool := range in.pools {
		poolWas := "none"
		if pool.id != nil {
			poolWas = fmt.Sprintf("%q", *pool.id)
		}
		s.Does = append(s.Does, fmt.Sprintf("patch the status of kafkanodepool/%s: clusterId (was %s)", pool.name, poolWas))
	}
	s.Does = append(s.Does, fmt.Sprintf("patch the status of kafka/%s: clusterId (was %s)", in.cluster, was))
	return s
}

func settleStep(in planInput) Step {
	return Step{
		ID: StepSettle, Title: fmt.Sprintf("wait %s, prove the pause again, read the ID back", in.settle),
		Does: []string{"write the marker into the status of kafka/" + in.cluster + " once more"},
		Check: "temporary pods gone, ReconciliationPaused, marker gone, clusterId still " + in.id +
			", nobody else wrote to spec, pools or claims",
	}
}

func quotaStep(in planInput) Step {
	s := Step{
		ID: StepQuota, Title: "forbid new claims while the operator starts the cluster",
		Check: "the quota's use is counted by the API server",
		Undo:  "delete the quota",
		Risk:  "other claims of this namespace cannot be created until the quota is removed",
	}
	if in.quota.without != "" {
		s.State, s.Note = StepSkipped, in.quota.without
		return s
	}
	s.Does = []string{fmt.Sprintf("create resourcequota/%s: count/persistentvolumeclaims=%d",
		objectName(in.operation, ""), in.quota.claims+len(in.quota.lost))}
	if len(in.quota.lost) > 0 {
		s.Does = append(s.Does, "which counts "+strings.Join(in.quota.lost, " ")+", which are held back")
	}
	return s
}

func unpauseStep(in planInput) Step {
	s := Step{
		ID: StepUnpause, Title: "un-pause reconciliation: the point of no return", NoReturn: true,
		Does: []string{"remove strimzi.io/pause-reconciliation from kafka/" + in.cluster +
			", only if it is still the version just read"},
		Expects: []string{"pause proven, cluster ID right on Kafka and on every pool, temporary pods gone"},
		Check:   "the API server accepted exactly that version",
		Risk:    "Kafka starts on the volumes; from here on a run can be stopped but not undone",
	}
	return s
}

func restartPodsStep(in planInput) Step {
	s := Step{
		ID: StepRestartPods, Title: "delete crash-looping pods once their ConfigMap carries the ID",
		Expects: []string{"no claim or volume of the cluster is Terminating"},
		Check:   "the pods are created again by the operator",
		Risk:    "none beyond the restart they are waiting for; without it they wait for the back-off of up to 5 minutes",
	}
	if len(in.crashLooping) == 0 {
		s.State, s.Note = StepSkipped, "no pod is crash-looping"
	}
	if !in.wait {
		s.State, s.Note = StepSkipped, "--wait=false"
	}
	for _, pod := range in.crashLooping {
		s.Does = append(s.Does, "delete pod/"+pod)
	}
	return s
}

func verifyStep(in planInput) Step {
	s := Step{
		ID: StepVerify, Title: "watch the cluster start and verify it",
		Check: "Ready for this generation; status.clusterId read by the operator from the live cluster is the recovered " +
			"one; pools have the planned node IDs; every claim is bound to its volume and none is new; all pods ready; " +
			"topics, topic IDs and directory IDs as read before; no new stray directory; nothing logged that was not predicted",
		Does: []string{"only on an alarm: set strimzi.io/pause-reconciliation on kafka/" + in.cluster + ", and delete its " +
			"StrimziPodSets until the operator has shown that it pauses"},
		Risk: in.watchRisk,
	}
	if !in.wait {
		s.State, s.Note = StepSkipped, "--wait=false: un-paused, not verified"
	}
	return s
}

func releaseStep(in planInput) Step {
	s := Step{
		ID: StepRelease, Title: "remove what the operation left in the cluster",
		Does:  []string{"delete lease/" + lockName(in.cluster), "remove the annotation " + OperationAnnotation},
		Check: "gone; the journal stays",
	}
	if in.quota.without == "" {
		s.Does = append(s.Does, "delete resourcequota/"+objectName(in.operation, ""))
	}
	return s
}
