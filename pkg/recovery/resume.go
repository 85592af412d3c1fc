package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/redeclared"
)

// Target names an operation to go on with, to undo or to stop.
type Target struct {
	Namespace, Operation string
	// TakeOver names the holder of a Lease that has not expired and is known to be dead.
	TakeOver string
	// Timeout bounds the wait for pods to go, where a cluster is halted.
	Timeout time.Duration
}

// Repeated is what chooses or lifts something, as given on the command line. What a plan or a journal says of it counts
// only where a person has typed the cluster's name below it, or where it is given again (safety contract, line 10).
type Repeated struct {
	// Unattended tells that nobody is asked.
	Unattended bool
	Exclude    []string
	Include    []string
	Accept     []finding.Lift
	ClusterID  string
	SetAside   []LogDirRef
	Lost       []string
	// RestartOperator takes other clusters' operator away for a while.
	RestartOperator bool
	// HoldOperator keeps it away for longer.
	HoldOperator bool
	// RebindClaims stops the cluster that runs and takes its claims away.
	RebindClaims bool
	// Declared are the manifests of resources that are gone. They may hold Secrets, and are neither journaled nor saved.
	Declared    *declared.Cluster
	DeclaredSet *declared.StatefulSet
	// Redeclared are volumes that the operation declares anew.
	Redeclared *redeclared.Volumes
}

// volumesFlag gives them.
const volumesFlag = "--volumes"

// NotRepeatedError lists the flags that must be given again where nobody is asked.
type NotRepeatedError struct{ Flags []string }

// Error lists them as they are to be typed.
func (e *NotRepeatedError) Error() string {
	return "what chooses or lifts something comes from the command line where nobody is asked; give again: " +
		strings.Join(e.Flags, " ")
}

// missing lists what a request has that was not given again, where nobody is asked.
func (g Repeated) missing(req *Request) error {
	var flags []string
	for _, l := range req.Accept {
		if !slices.Contains(g.Accept, l) {
			flags = append(flags, "--accept "+l.String())
		}
	}
	for _, e := range req.Exclude {
		if !slices.Contains(g.Exclude, e) {
			flags = append(flags, "--exclude "+e)
		}
	}
	for _, pv := range req.Include {
		if !slices.Contains(g.Include, pv) {
			flags = append(flags, includeFlag+" pv/"+pv)
		}
	}
	for _, l := range req.Lost {
		if !slices.Contains(g.Lost, l) {
			flags = append(flags, lostFlag+" "+l)
		}
	}
	if req.ClusterID != "" && req.ClusterID != g.ClusterID {
		flags = append(flags, "--cluster-id "+req.ClusterID)
	}
	for _, ref := range req.SetAside {
		if !slices.Contains(g.SetAside, ref) {
			flags = append(flags, "--set-aside "+ref.String())
		}
	}
	if req.RestartOperator && !g.RestartOperator {
		flags = append(flags, "--restart-operator")
	}
	if req.HoldOperator && !g.HoldOperator {
		flags = append(flags, holdFlag)
	}
	if req.RebindClaims && !g.RebindClaims {
		flags = append(flags, "--rebind-claims")
	}
	if g.Unattended && len(flags) > 0 {
		return &NotRepeatedError{Flags: flags}
	}
	return nil
}

// EndedError says that an operation has ended in a way that leaves nothing to go on with.
type EndedError struct {
	Operation string
	Outcome   Outcome
	Next      string
}

// Error says how it ended and what can be done.
func (e *EndedError) Error() string {
	return fmt.Sprintf("operation %q has ended: %s; %s", e.Operation, e.Outcome, e.Next)
}

// Resume goes on with an operation whose run died or stopped, on this machine or another, under the same name and in
// the same journal. Before the point of no return the world is compared with what was confirmed and every step is run
// that has not held yet; after it, the cluster is watched and verified as it would have been.
func Resume(ctx context.Context, t Target, given Repeated, deps Deps) (*Result, error) {
	rec, err := Load(ctx, deps.Kube, deps.StateDir, t.Namespace, t.Operation)
	if err != nil {
		return nil, err
	}
	if err := rec.resumable(); err != nil {
		return nil, errors.Join(err, dropDead(ctx, deps.Kube, deps.Clock, rec))
	}
	if err := given.missing(rec.Began.Request); err != nil {
		return nil, err
	}
	if rec.ofSet() {
		return resumeSet(ctx, t, rec, given, deps)
	}
	if (rec.created() || rec.gaveSecrets()) && given.Declared == nil {
		return nil, &NotRepeatedError{Flags: []string{"--filename"}}
	}
	if rec.Began.Request.Redeclares && rec.Decision == nil && given.Redeclared == nil {
		return nil, &NotRepeatedError{Flags: []string{volumesFlag}}
	}
	r := newRun(*rec.Began.Request, deps)
	r.recorded, r.operation, r.DryRun, r.Declared = rec, rec.Operation, DryRunNone, given.Declared
	r.Redeclared = given.Redeclared
	r.result.Operation, r.result.Folder = rec.Operation, rec.Folder
	if err = r.reopen(ctx, t.TakeOver); err == nil {
		err = r.goOn(ctx)
	}
	if errors.Is(err, errEnded) {
		err = nil
	}
	return r.result, errors.Join(err, r.close(ctx, err))
}

// resumable refuses an operation that has come to its end.
func (r *Recorded) resumable() error {
	if r.Ended == nil {
		return nil
	}
	switch r.Ended.Outcome {
	case OutcomeLeftPaused, OutcomeUnverified, OutcomeWrong, OutcomePartlyUndone, OutcomeUnfinished:
		return nil
	case OutcomeRefused, OutcomeDeclined:
		if r.Decision != nil || r.recordedHold() != nil { // this run was; an earlier one had changed something
			return nil
		}
	case OutcomeRestored, OutcomeAlreadyRight, OutcomePlanned, OutcomeUndone, OutcomeStopped, OutcomeAlarmed,
		OutcomeBound:
	}
	return &EndedError{Operation: r.Operation, Outcome: r.Ended.Outcome, Next: "there is nothing to go on with; " +
		"`kafkarecover restore` looks anew"}
}

// reopen finds the resource, takes the lock and goes on with the journal.
func (r *run) reopen(ctx context.Context, takeOver string) error {
	r.write = &writer{kube: r.Kube}
	var err error
	if r.place, err = placeOf(ctx, r.Kube); err != nil {
		return err
	}
	if err := r.recorded.bound(r.place); err != nil {
		return err
	}
	if err := r.adoptHold(ctx); err != nil {
		return err
	}
	done, err := r.look(ctx)
	if err != nil {
		return err
	}
	if done {
		return errEnded
	}
	if r.recorded.otherKafka(r.pause.uid) {
		return errReplaced
	}
	return r.continueJournal(ctx, PhaseResume, takeOver, &r.Request)
}

// continueJournal takes the lock first: before that nothing is written, not even into the journal, for its run may be
// alive. What the copy in the cluster says is read again once the lock is held.
func (r *run) continueJournal(ctx context.Context, phase Phase, takeOver string, req *Request) error {
	var err error
	if r.holder, err = NewHolder(r.operation, r.Random); err != nil {
		return err
	}
	lock, err := acquire(ctx, r.Kube, r.Clock, claimant{
		namespace: r.Namespace, cluster: r.Name, operation: r.operation, holder: r.holder, takeOver: takeOver,
	})
	if err != nil {
		return err
	}
	r.holds(lock)
	rec, err := Load(ctx, r.Kube, r.StateDir, r.Namespace, r.operation)
	if err != nil {
		return errors.Join(err, lock.release(ctx))
	}
	*r.recorded = *rec
	journal, err := ContinueJournal(rec.Folder, rec.Entries, rec.copied, r.Clock)
	if err != nil {
		return errors.Join(err, lock.release(ctx))
	}
	r.write.journal, r.mirror, r.touched = journal, rec.mirror, true
	r.result.Folder = journal.Dir()
	r.Report.Begin(r.operation, journal.Dir())
	if err := r.copyJournal(ctx); err != nil {
		return err
	}
	note := fmt.Sprintf("%s by %q on server %q context %q", phase, r.place.User, r.place.Server, r.place.Context)
	return journal.add(ctx, Entry{Phase: phase, Began: r.beginning(req), Note: note})
}

// goOn runs what is left of the operation.
func (r *run) goOn(ctx context.Context) error {
	if err := r.recorded.resumable(); err != nil { // another run may have ended it meanwhile
		return err
	}
	// Whatever the dead run's objects carry is this run's to take away.
	r.marked = true
	if err := r.adoptQuota(ctx); err != nil {
		return err
	}
	passed, err := r.recorded.passed(ctx, r.Kube)
	if err != nil {
		return err
	}
	switch alarms, halting := r.recorded.halting(); {
	case passed && halting:
		r.adopt()
		return r.haltOn(ctx, alarms)
	case passed:
		return r.watchOn(ctx)
	}
	if err := r.giveBackLent(ctx, StepRead); err != nil {
		return err
	}
	if err := r.awaitLetGo(ctx); err != nil {
		return err
	}
	if err := r.settleClaims(ctx); err != nil {
		return err
	}
	if r.quota != nil { // raised again, for the claims there are then
		if err := r.quota.lower(ctx); err != nil {
			return err
		}
	}
	return r.restore(ctx)
}

// adoptQuota takes the guard of the run that died for this run's own.
func (r *run) adoptQuota(ctx context.Context) error {
	u, err := r.Kube.Get(ctx, kube.ResourceQuotas(), r.Namespace, objectName(r.operation, ""))
	switch {
	case kube.IsNotFound(err), kube.IsForbidden(err):
		return nil
	case err != nil:
		return err
	case u.GetLabels()[OperationLabel] == r.operation:
		r.quota = &quotaGuard{write: r.write, namespace: r.Namespace, name: u.GetName(), stored: u}
	}
	return nil
}

// watchOn verifies a cluster that an earlier run has un-paused, against what that run had found before.
func (r *run) watchOn(ctx context.Context) error {
	plan := r.adopt()
	all := r.actions()
	at := slices.IndexFunc(all, func(a action) bool { return r.recorded.noReturn(string(a.id)) })
	for _, a := range all[:at+1] {
		if s := plan.step(a.id); s != nil && s.State != StepSkipped {
			s.State, s.Note = StepDone, "by an earlier run"
		}
	}
	return r.act(ctx, all[at+1:])
}

// adopt takes over what an earlier run, which has un-paused the cluster, was confirmed for.
func (r *run) adopt() *Plan {
	d := r.recorded.Decision
	plan := *d.Plan
	r.plan, r.base, r.unpaused, r.rebound = &plan, d.Baseline, true, true
	r.result.Plan, r.result.ClusterID, r.result.Outcome = r.plan, plan.ClusterID, OutcomeUnverified
	return r.plan
}

// asDecided compares the world with the one that an earlier run, or a saved plan, was confirmed for. Where it is
// another the run ends, with the differences in its result.
func (r *run) asDecided() bool {
	var differences []string
	now := basisOf(r.place.ServerID, r.operation, r.before)
	if r.saved != nil {
		differences = r.saved.differences(r.plan, now)
	}
	if r.recorded != nil && r.recorded.Decision != nil {
		d := r.recorded.Decision
		differences = append(differences, d.Basis.Differences(now)...)
		if d.Plan.ClusterID != r.plan.ClusterID {
			differences = append(differences, fmt.Sprintf("the volumes say cluster ID %s, said %s", r.plan.ClusterID,
				d.Plan.ClusterID))
		}
	}
	if len(differences) == 0 {
		return true
	}
	r.result.Outcome, r.result.Differences = OutcomeRefused, differences
	r.result.Reason = fmt.Sprintf("the world is not the one that was planned for: %d differences, %s", len(differences),
		differences[0])
	if r.recorded != nil {
		r.result.Next = append(r.result.Next, fmt.Sprintf("to take back what was done: kafkarecover undo %s -n %s",
			r.operation, r.Namespace), "then plan anew: kafkarecover restore kafka/"+r.Name+" -n "+r.Namespace)
	}
	return false
}

// decide journals what was confirmed, so that anybody can go on from here.
func (r *run) decide(ctx context.Context) error {
	if r.recorded != nil && r.recorded.Decision != nil {
		r.base = r.recorded.Decision.Baseline
		r.base.adopt(r.before.Volumes)
		return r.write.journal.Append(ctx, "", PhaseNote, "confirmed again, as it was decided")
	}
	r.base = baselineOf(r.plan.ClusterID, r.before.Volumes, r.excluded)
	r.base.formatted = formattedAnew(r.before.Volumes, r.decision.Accepted)
	r.base.predicted = r.predict()
	r.base.holdBack(r.lost)
	r.base.epoch, r.base.alone = newestEpoch(r.before.Volumes), aloneOn(r.before.Volumes)
	r.touched = true
	return r.journalDecision(ctx)
}

// journalDecision writes down what was confirmed, and what the world is that it was decided on. It is written again
// when things were made that the plan spoke of: they have UIDs from then on.
func (r *run) journalDecision(ctx context.Context) error {
	return r.write.journal.add(ctx, Entry{Phase: PhaseDecide, Decided: &Decision{
		Plan: r.plan, Basis: basisOf(r.place.ServerID, r.operation, r.before), Baseline: r.base, Findings: r.before.Findings,
	}})
}

// gaveSecrets tells whether the plan creates Secrets beside a Kafka resource that was there.
func (r *Recorded) gaveSecrets() bool {
	return r.Decision != nil && r.Decision.Plan != nil && r.Decision.Plan.step(StepSecrets) != nil
}

// created tells that the operation makes what was gone, from manifests that neither the journal nor a plan holds.
func (r *Recorded) created() bool {
	return r.Decision != nil && r.Decision.Plan != nil && r.Decision.Plan.step(StepResources) != nil
}
