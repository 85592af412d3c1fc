package recovery

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/termination"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// run is one restore under way.
type run struct {
	Request
	Deps

	write     *writer
	pause     *pauser
	operation string
	excluded  map[string]bool
	result    *Result
	plan      *Plan
	// before is what was observed when the plan was made; base is what must be the same at the end.
	before *Observation
	base   baseline
	lock   *lock
	quota  *quotaGuard
	// unpaused tells that the point of no return was passed.
	unpaused bool
	// touched tells that something other than the lock was changed.
	touched bool
	// marked tells that objects carry the operation's annotation.
	marked bool
	// decision is what the findings mean; foreign are the volumes given up because they say another cluster ID.
	decision finding.Decision
	foreign  []string
	// noQuota says why the guard on claims is left out; namespaceClaims is the number it will allow.
	noQuota         string
	namespaceClaims int
	// lost are the claims that are kept without a volume until the others have caught up.
	lost []strimzi.ClaimName
	// asides are the directories to rename, done those that were renamed and stopped the pod sets that were deleted for
	// it; renamed tells that none is left.
	asides, done []Aside
	stopped      []string
	renamed      bool
	asideMu      sync.Mutex
	asideSeen    map[LogDirRef]asideLook
	// rebound tells that every claim holds the volume it is to hold.
	rebound bool
	// nodeIDsBefore are the node IDs in the status of the pools, by name, when the run began.
	nodeIDsBefore map[string][]int32
	// pausing is when the pause was asked for.
	pausing time.Time
	// place is where this run acts, holder its identity in the Lease, mirror the journal's copy.
	place  Place
	holder string
	mirror *configMapMirror
	// leaving waits for the end of the temporary pods of the last reading; nil where they are gone.
	leaving func(context.Context) error
	// reserved are the volumes that named no claim, by name, with the UID of the claim that they name for this run.
	reserved map[string]types.UID
	// vigil watches the volumes since before they were read; nil where they are read again while paused.
	vigil *vigil
	// recorded is the operation that this run goes on with; nil for a new one.
	recorded *Recorded
	// converted tells what was changed in declared resources so that they are of a version that is served;
	// inconvertible what could not be.
	converted     []string
	inconvertible error
	// redeclaring is what became of volumes that are declared anew; confirmed tells that a person said yes to the plan.
	redeclaring redeclaring
	confirmed   bool
	// namespaceMissing tells that the namespace was not there, and is made; going, that it must be gone before.
	namespaceMissing bool
	going            *termination.Namespace
	// retainedFirst are the volumes that were set to Retain before a namespace that was going went.
	retainedFirst []string
	// standing are declared resources that are there although the Kafka resource is not, as KIND/NAME; secretsMade the
	// names of Secrets that were created.
	standing    map[string]bool
	secretsMade []string
	// noLogs says why the containers' logs are not watched, noHalt why an alarm cannot delete pod sets.
	noLogs, noHalt string
	// watch is what sees what the cluster does while it starts; heldFor are the alarms that were not to halt it.
	watch   *watch
	heldFor []alarm.Alarm
	// logs say how far the containers' logs went before the cluster was un-paused.
	logs map[string]LogMark
	// saved is the plan that must be made again, exactly; nil where none was given.
	saved *SavedPlan
	// snapshotClasses are those there are, where snapshots are asked for.
	snapshotClasses []volume.SnapshotClass
	// handedOver are the permissions that somebody else has for this run.
	handedOver []string
	// away is the operator that is kept at zero replicas while resources are made; nil where none is.
	away *holding
}

// Restore gives the cluster ID that is on the volumes back to the operator and has it start the same cluster. The
// result is never nil but for an error that came before anything was looked at. An error says what stopped it; the
// result says how far it came and what to do.
func Restore(ctx context.Context, req Request, deps Deps) (*Result, error) {
	r := newRun(req, deps)
	return r.result, r.execute(ctx)
}

func newRun(req Request, deps Deps) *run {
	req.Redeclares = req.Redeclares || req.Redeclared != nil
	r := &run{
		Request: req, Deps: deps, excluded: map[string]bool{},
		result: &Result{
			TypeMeta: output.Meta("Restore"), Namespace: req.Namespace, Cluster: req.Name, Outcome: OutcomeRefused,
		},
	}
	for _, name := range req.Exclude {
		r.excluded[volume.NameOf("pvc/", name)] = true
	}
	r.Look = func(ctx context.Context, req LookRequest) (*Observation, error) {
		req.Held = r.heldOperators()
		return deps.Look(ctx, req)
	}
	return r
}

func (r *run) execute(ctx context.Context) error {
	done, err := r.look(ctx)
	if done || err != nil {
		return err
	}
	if err = r.open(ctx); err == nil {
		err = r.restore(ctx)
	}
	if errors.Is(err, errEnded) {
		err = nil
	}
	return errors.Join(err, r.close(ctx, err))
}

// look checks permissions, finds the resource, and ends the run where nothing is wrong.
func (r *run) look(ctx context.Context) (done bool, err error) {
	if r.Declared != nil {
		if err := r.convertManifests(ctx); err != nil {
			return false, err
		}
	}
	seen, err := r.Look(ctx, r.objectsRequest())
	if err != nil {
		return false, err
	}
	if err := r.mayOutlast(seen); err != nil {
		return false, err
	}
	if seen.Cluster == nil {
		return false, &NotFoundError{Namespace: r.Namespace, Name: r.Name, Volumes: len(seen.Volumes) + len(seen.Others)}
	}
	r.bind(seen)
	if err := r.mayInclude(); err != nil {
		return false, err
	}
	if seen.Planned {
		if err := r.mayCreate(ctx); err != nil {
			return false, err
		}
	} else if r.recorded == nil {
		r.warnOfManifests()
	}
	if done, err := r.chooseHold(); done || err != nil {
		return done, err
	}
	if err := r.reviewAccess(ctx); err != nil {
		return false, err
	}
	if seen.Planned {
		if err := r.tryManifests(ctx); err != nil {
			return false, err
		}
	}
	if done, err := r.judgeHold(ctx); done || err != nil {
		return done, err
	}
	if done, err := r.judgeSnapshots(ctx); done || err != nil {
		return done, err
	}
	id := seen.Cluster.Kafka.Status.ClusterID
	if r.recorded != nil || id == nil || *id == "" || !seen.Cluster.RecoveredAs(*id) || !seen.Cluster.AllPodsReady() {
		return false, nil
	}
	return r.alreadyRight(ctx, *id)
}

// objectsRequest asks for a look that reads no volume.
func (r *run) objectsRequest() LookRequest {
	req := LookRequest{Namespace: r.Namespace, Name: r.Name, Depth: Objects, Excluded: r.excluded}
	if r.Declared != nil {
		req.Planned, req.Include = r.Declared.Planned(), r.Include
	}
	return req
}

// bind sets what every later step addresses: this very resource in this API version.
func (r *run) bind(seen *Observation) {
	r.before = seen
	kafka := &seen.Cluster.Kafka
	r.pause = &pauser{
		writer: &writer{kube: r.Kube},
		gvr:    strimzi.KafkaGVR(seen.Cluster.Version()), namespace: kafka.Namespace, name: kafka.Name, uid: kafka.UID,
		timeout: r.pauseTimeout(seen.Cluster.Operators),
		say:     func(text string) { r.Report.Waiting(StepPause, r.busyText(text)) },
	}
	r.write = r.pause.writer
	r.nodeIDsBefore = map[string][]int32{}
	for _, p := range seen.Cluster.Pools {
		r.nodeIDsBefore[p.Name] = p.Status.NodeIDs
	}
}

// minPauseTimeout is the least that --pause-timeout defaults to. The operator that was observed needed 258 s with its
// default operation timeout of 300 s and an interval of 120 s.
const minPauseTimeout = 10 * time.Minute

func (r *run) pauseTimeout(operators []strimzi.Operator) time.Duration {
	if r.PauseTimeout > 0 {
		return r.PauseTimeout
	}
	timeout := minPauseTimeout
	for _, o := range operators {
		timeout = max(timeout, o.OperationTimeout+o.Interval)
	}
	return timeout
}

// busyText says what was seen of the operator, and until when the reconcile it may be busy with can last: it waits for
// pods up to its operation timeout before it looks at the annotation.
func (r *run) busyText(seen string) string {
	var longest time.Duration
	for _, o := range r.before.Cluster.Operators {
		longest = max(longest, o.OperationTimeout)
	}
	if longest == 0 || r.pausing.IsZero() || seen == pausedText {
		return seen
	}
	return fmt.Sprintf("%s; a reconcile in flight can keep the operator busy for its operation timeout of %s, until %s",
		seen, longest, r.pausing.Add(longest).Format(time.TimeOnly))
}

// alreadyRight reads the volumes of a cluster that is Ready and ends the run when they say the same ID.
func (r *run) alreadyRight(ctx context.Context, id string) (bool, error) {
	seen, err := r.Look(ctx, r.volumesRequest())
	if err != nil {
		return false, err
	}
	agreed, _, ok := finding.AgreedClusterID(seen.Volumes)
	if !ok || agreed != id || finding.Decide(seen.Findings, r.Accept).Refused() || r.asidesLeft(seen.Volumes) {
		return false, nil
	}
	r.result.Findings = seen.Findings
	r.result.Outcome, r.result.ClusterID = OutcomeAlreadyRight, id
	r.result.Reason = fmt.Sprintf("kafka/%s is Ready with cluster ID %s, which is what %s; nothing was "+
		"touched", r.Name, id, wording.Count(len(seen.Volumes), "volume of it says", "volumes of it say"))
	return true, nil
}

// open starts the operation: its folder and journal, and, but for a dry run, the lock.
func (r *run) open(ctx context.Context) error {
	operation, err := NewOperationID(r.Clock.Now(), r.Random)
	if err != nil {
		return err
	}
	if r.saved != nil {
		operation = r.saved.Plan.Operation // a plan is applied once, under its own name
	}
	r.operation = operation
	if r.place, err = placeOf(ctx, r.Kube); err != nil || r.DryRun != DryRunNone {
		return err
	}
	if r.holder, err = NewHolder(operation, r.Random); err != nil {
		return err
	}
	journal, err := OpenJournal(filepath.Join(r.StateDir, operation), r.Clock)
	if err != nil {
		return err
	}
	r.write.journal = journal
	r.result.Operation, r.result.Folder = operation, journal.Dir()
	r.Report.Begin(operation, journal.Dir())
	if err := journal.add(ctx, Entry{Phase: PhaseBegin, Note: r.describe(), Began: r.beginning(&r.Request)}); err != nil {
		return err
	}
	if err := r.holdFirst(ctx); err != nil {
		return err
	}
	if err := r.makeNamespace(ctx); err != nil {
		return err
	}
	r.mirror = &configMapMirror{kube: r.Kube, namespace: r.Namespace, cluster: r.Name, operation: operation}
	return r.hold(ctx)
}

// hold takes the lock, and then has the journal copied to the cluster.
func (r *run) hold(ctx context.Context) error {
	lock, err := acquire(ctx, r.Kube, r.Clock, claimant{
		namespace: r.Namespace, cluster: r.Name, operation: r.operation, holder: r.holder,
	})
	if err != nil {
		return err
	}
	r.holds(lock)
	return r.copyJournal(ctx)
}

// copyJournal has the journal copied to the cluster for as long as this run has the lock.
func (r *run) copyJournal(ctx context.Context) error {
	r.mirror.lock = r.lock
	return r.write.journal.SetMirror(ctx, r.mirror)
}

// beginning is what this run writes into the journal before anything else.
func (r *run) beginning(req *Request) *Beginning {
	kind := strimzi.KafkaKind
	if r.StatefulSet {
		kind = statefulset.Kind
	}
	return &Beginning{
		Operation: r.operation, Holder: r.holder, Place: r.place, Request: req,
		Kafka: ObjectRef{
			APIVersion: r.pause.gvr.GroupVersion().String(), Kind: kind, Namespace: r.Namespace, Name: r.Name,
			UID: r.pause.uid,
		},
	}
}

func (r *run) describe() string {
	return fmt.Sprintf("restore %s of %q uid %s on server %q context %q as %q; excluded %v, included %v, "+
		"accepted %v, cluster ID asked for %q", r.Named(), r.Namespace, r.pause.uid, r.place.Server, r.place.Context,
		r.place.User, r.Exclude, r.Include, r.Accept, r.ClusterID)
}

// restore goes from the first change to the verified cluster.
func (r *run) restore(ctx context.Context) error {
	if refused, err := r.redeclareVolumes(ctx); refused || err != nil {
		return err
	}
	retained, err := r.retain(ctx)
	if err != nil {
		return err
	}
	if err := r.reserve(ctx); err != nil {
		return err
	}
	if err := r.judge(ctx); err != nil || r.decision.Refused() {
		return err
	}
	if r.before.Planned && len(r.before.Volumes) == 0 {
		r.result.Next = append(r.result.Next, r.unnamed(r.before)...)
		return &NoVolumesError{Namespace: r.Namespace, Name: r.Name}
	}
	if err := r.makePlan(retained); err != nil {
		return err
	}
	if r.DryRun != DryRunNone {
		r.result.Outcome = OutcomePlanned
		return r.dryRun(ctx)
	}
	if !r.asDecided() {
		return nil
	}
	if ok, err := r.confirm(ctx, retained, "the cluster was not touched"); !ok || err != nil {
		return err
	}
	if err := r.decide(ctx); err != nil {
		return err
	}
	return r.apply(ctx)
}

// confirm has the plan confirmed. Where it is not, the result says what was changed all the same, or that it is
// untouched.
func (r *run) confirm(ctx context.Context, retained retainOutcome, untouched string) (bool, error) {
	var err error
	if r.confirmed, err = r.Confirm(ctx, r.plan, r.before.Findings); r.confirmed || err != nil {
		return r.confirmed, err
	}
	r.result.Outcome, r.result.Reason = OutcomeDeclined, "not confirmed; "+untouched
	if n := len(retained.patched); n > 0 {
		r.result.Reason = fmt.Sprintf("not confirmed; %s so, nothing else was changed",
			wording.Count(n, "volume was set to Retain and stays", "volumes were set to Retain and stay"))
	}
	return false, nil
}

// close ends the run: what it left in the cluster is removed, whatever happened, and the journal is closed.
func (r *run) close(ctx context.Context, cause error) error {
	errs := []error{r.readersGone(ctx)} // works after Ctrl-C, and has a time of its own: what follows needs all of its own
	errs = append(errs, r.endVigil())
	// Cleaning up must also work after Ctrl-C, but not hang a terminal.
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if r.write.journal == nil {
		if r.away != nil && r.away.active {
			r.result.Next = append(r.result.Next, r.away.left())
		}
		return errors.Join(r.release(detached), r.takeBackVolumes(detached))
	}
	if r.lock != nil {
		if r.quota != nil {
			errs = append(errs, r.quota.lower(detached))
		}
		err := r.unmark(detached)
		if err != nil { // once more: what was unmarked is passed over
			r.marked = true
			err = r.unmark(detached)
		}
		errs = append(errs, err, r.release(detached), r.takeBackVolumes(detached))
	}
	next, err := r.endHold(detached, StepScaleBack)
	if errs = append(errs, err); next != "" {
		r.result.Next = append(r.result.Next, next)
	}
	errs = append(errs, r.write.journal.add(detached, Entry{Phase: PhaseEnd, Ended: r.ending(cause)}))
	if r.lock != nil {
		if !r.touched && r.heldOperators() == nil && r.lock.isLost() == nil { // there is nothing for anybody to go on with
			errs = append(errs, r.mirror.remove(detached))
		}
		errs = append(errs, r.lock.release(detached))
	}
	errs = append(errs, r.write.journal.Close())
	return errors.Join(errs...)
}

// closeTimeout bounds the cleaning up at the end of a run.
const closeTimeout = 30 * time.Second

func (r *run) ending(cause error) *Ending {
	e := &Ending{
		Outcome: r.result.Outcome, Reason: r.result.Reason, Checks: r.result.Checks, Next: r.result.Next,
		Differences: r.result.Differences, Alarms: r.result.Alarms, NotWatched: r.result.NotWatched,
	}
	if cause != nil && e.Reason == "" {
		e.Reason = cause.Error()
	}
	if r.plan != nil {
		e.Steps = r.plan.Steps
	}
	return e
}
