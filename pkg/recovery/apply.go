package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// action is one step of a plan with what carries it out.
type action struct {
	id StepID
	do func(context.Context) (note string, err error)
}

// actions are the plan's steps that follow the confirmation, in their order. Each may be run again after a run that
// died in it: what is there already is not written again. Claims are made before the pause, as the operator does not
// know of them; those that are bound to other volumes, or in the places of lost nodes, are let go only when the pause
// is proven and no pod is left: of a Kafka resource that is created, paused, for it where it is gone.
func (r *run) actions() []action {
	before, after := []action{
		{StepHoldOperator, r.stepHold}, {StepClaims, r.stepClaims}, {StepResources, r.awayFor(r.stepResources)},
		{StepScaleBack, r.stepScaleBack},
	}, []action(nil)
	if r.plan.step(StepLetGo) != nil {
		after = []action{{StepStopPods, r.stepStopPods}, {StepLetGo, r.stepLetGo}}
		if r.RebindClaims {
			before = slices.DeleteFunc(before, func(a action) bool { return a.id == StepClaims })
			after = append(after, action{StepClaims, r.stepRebind})
		}
	}
	all := slices.Concat([]action{{StepLock, r.stepLock}}, before, []action{
		{StepPause, r.stepPause},
		{StepSetAside, r.stepSetAside},
		{StepSecrets, r.stepSecrets},
	}, after, []action{
		{StepNodeIDs, r.stepNodeIDs},
		{StepReread, r.stepReread},
		{StepSnapshot, r.stepSnapshot},
		{StepClusterID, r.stepClusterID},
		{StepSettle, r.stepSettle},
		{StepHoldBack, r.stepHoldBack},
		{StepQuota, r.stepQuota},
		{StepUnpause, r.stepUnpause},
		{StepCatchUp, r.stepCatchUp},
		{StepJoin, r.stepJoin},
		{StepVerify, r.stepVerify},
		{StepTopics, r.stepTopics},
		{StepEntityOperator, r.stepEntityOperator},
		{StepRelease, r.stepRelease},
	})
	return slices.DeleteFunc(all, func(a action) bool { return r.plan.step(a.id) == nil })
}

// apply runs the confirmed plan. Every step that fails before un-pausing leaves the resource paused.
func (r *run) apply(ctx context.Context) error {
	r.result.Outcome = OutcomeLeftPaused
	return r.act(ctx, r.actions())
}

// act runs steps in their order. From un-pausing on the cluster is watched: a grave alarm ends the step that runs, and
// the cluster is halted.
func (r *run) act(ctx context.Context, actions []action) error {
	defer r.endWatch()
	for _, a := range actions {
		if r.unpaused && r.Wait && r.watch == nil && !r.StatefulSet {
			r.beginWatch(ctx)
		}
		watched := r.watch.under(ctx)
		err := r.heedBefore(watched, a.id)
		if err == nil {
			err = r.runStep(watched, a.id, a.do)
		}
		if alarms, halt := r.haltsOn(err); halt {
			return r.haltOn(ctx, alarms)
		}
		if err != nil {
			r.afterFailure(a.id, err)
			return err
		}
	}
	return nil
}

// runStep runs one step of the plan and keeps its state, note and time.
func (r *run) runStep(ctx context.Context, id StepID, do func(context.Context) (string, error)) error {
	step := r.plan.step(id)
	if step == nil || step.State == StepSkipped {
		return nil
	}
	started := r.Clock.Now()
	step.State = StepRunning
	r.Report.Step(*step)
	note, err := do(ctx)
	if alarmed := context.Cause(ctx); err != nil && !isAlarm(err) && isAlarm(alarmed) {
		err = alarmed // it is what ended the step
	}
	step.Seconds = r.Clock.Since(started).Round(10 * time.Millisecond).Seconds()
	step.State, step.Note = StepDone, note
	if err != nil {
		step.State, step.Note = StepFailed, err.Error()
	}
	r.Report.Step(*step)
	return err
}

// afterFailure says how things stand and what can be done now.
func (r *run) afterFailure(id StepID, err error) {
	if r.StatefulSet {
		r.afterSetFailure(id, err)
		return
	}
	if r.unpaused {
		r.result.Reason = fmt.Sprintf("un-paused, not verified: %v", err)
		if r.result.Outcome == OutcomeWrong { // a check that failed does not come right with time
			r.result.Reason = fmt.Sprintf("un-paused, and not as it was: %v", err)
		} else {
			r.result.Outcome = OutcomeUnverified
		}
		r.result.Next = append(r.result.Next, stopCommands(r.operation, r.Namespace)...)
		return
	}
	r.result.Reason = fmt.Sprintf("step %q: %v", id, err)
	if id == StepLock {
		r.result.Outcome = OutcomeRefused
		return
	}
	r.result.Outcome = OutcomeLeftPaused
	stands := "is left paused"
	if r.before.Planned {
		stands = "is not created yet"
	}
	r.result.Next = append(r.result.Next,
		fmt.Sprintf("kafka/%s %s and no Kafka pod was started by this run; to go on, once the reason is gone: "+
			"kafkarecover resume %s -n %s", r.Name, stands, r.operation, r.Namespace),
		fmt.Sprintf("or give it up: kafkarecover undo %s -n %s", r.operation, r.Namespace))
	r.result.Next = append(r.result.Next, r.afterAsides()...)
	if s := r.plan.step(StepStopPods); s != nil && s.State == StepDone {
		next := fmt.Sprintf("the pods of kafka/%s were stopped for it; the operator makes them again once it is un-paused",
			r.Name)
		if r.plan.step(StepResources) != nil {
			next += ", and nobody where it is given up: there was no Kafka resource"
		}
		r.result.Next = append(r.result.Next, next)
	}
	var notProven *NotProvenError
	if errors.As(err, &notProven) {
		r.result.Next = append(r.result.Next, r.pauseCauses()...)
	}
}

// pauseCauses are the likely reasons why nobody confirmed the pause.
func (r *run) pauseCauses() []string {
	operators := r.before.Cluster.Operators
	causes := []string{"likely: a reconcile under way takes longer than its operation timeout; look at the operator's " +
		"log for \"Reconciliation is in progress\", or use --restart-operator"}
	switch len(operators) {
	case 0:
		causes = append([]string{"likely: no Cluster Operator is running, or it could not be seen with your permissions"},
			causes...)
	case 1:
		causes = append(causes, fmt.Sprintf("likely: operator %s does not watch namespace %q, or its resource selector "+
			"leaves this resource out", operators[0].Name(), r.Namespace))
	default:
		causes = append([]string{"likely: several operators are installed and none of them watches this resource"}, causes...)
	}
	return causes
}

// stopCommands halt a cluster that must not go on, or look at it once more.
func stopCommands(operation, namespace string) []string {
	return []string{
		fmt.Sprintf("to wait for it and verify it: kafkarecover resume %s -n %s", operation, namespace),
		fmt.Sprintf("to halt it: kafkarecover stop %s -n %s", operation, namespace),
	}
}

func (r *run) stepLock(ctx context.Context) (string, error) {
	r.marked, r.touched = true, true
	return "operation " + r.operation, r.mark(ctx)
}

func (r *run) stepPause(ctx context.Context) (string, error) {
	if err := r.pause.annotate(ctx, StepPause); err != nil {
		return "", err
	}
	if err := r.restartOperators(ctx); err != nil {
		return "", err
	}
	r.pausing = r.Clock.Now()
	if _, err := r.pause.prove(ctx, StepPause); err != nil {
		return "", err
	}
	return fmt.Sprintf("confirmed by the operator after %s", r.Clock.Since(r.pausing).Round(100*time.Millisecond)), nil
}

// restartOperators deletes the operators' pods, where that was asked for: the reconcile in flight ends with its
// process.
func (r *run) restartOperators(ctx context.Context) error {
	if !r.RestartOperator {
		return nil
	}
	for _, o := range r.before.Cluster.Operators {
		pods, err := r.Kube.List(ctx, kube.Pods(), o.Namespace, kube.ListOptions{LabelSelector: strimzi.OperatorPodSelector})
		if err != nil {
			return fmt.Errorf("restart operator %s: %w", o.Name(), err)
		}
		for i := range pods.Items {
			if err := r.deletePod(ctx, StepPause, &pods.Items[i]); err != nil {
				return fmt.Errorf("restart operator %s: %w", o.Name(), err)
			}
		}
	}
	return nil
}

func (r *run) deletePod(ctx context.Context, step StepID, pod *unstructured.Unstructured) error {
	return r.write.remove(ctx, step, kube.Pods(), pod)
}

// stepClusterID writes the ID into the pools first and Kafka last: while paused nobody rewrites a pool's status, and
// Kafka's is the one that the operator reads first.
func (r *run) stepClusterID(ctx context.Context) (string, error) {
	// The operator answers its own status write with one more round of its paused path, which would take away what is
	// written during it. It was seen to need 80 to 240 ms.
	if err := r.sleep(ctx, min(r.Settle, quietTime)); err != nil {
		return "", err
	}
	poolGVR := strimzi.NodePoolGVR(r.before.Cluster.Version())
	for _, pool := range r.before.Cluster.Pools {
		if err := r.atNewest(ctx, func(ctx context.Context) error {
			u, err := r.Kube.Get(ctx, poolGVR, r.Namespace, pool.Name)
			if err != nil {
				return err
			}
			if string(u.GetUID()) != pool.UID {
				return fmt.Errorf("kafkanodepool %q was replaced by another one since it was looked at", pool.Name)
			}
			return r.patchID(u, func(p strimzi.Patch) error {
				_, err := r.write.patch(ctx, StepClusterID, poolGVR, u, p)
				return err
			})
		}); err != nil {
			return "", fmt.Errorf("write the cluster ID into kafkanodepool %q: %w", pool.Name, err)
		}
	}
	err := r.atNewest(ctx, func(ctx context.Context) error {
		u, err := r.stillPaused(ctx)
		if err != nil {
			return err
		}
		return r.patchID(u, func(p strimzi.Patch) error {
			_, err := r.write.patch(ctx, StepClusterID, r.pause.gvr, u, p)
			return err
		})
	})
	if err != nil {
		return "", fmt.Errorf("write the cluster ID into kafka %q: %w", r.Name, err)
	}
	return fmt.Sprintf("kafka/%s and %s", r.Name, wording.Count(len(r.before.Cluster.Pools), "pool", "pools")), nil
}

// atNewest repeats a conditional write that met a newer version.
func (r *run) atNewest(ctx context.Context, write func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		err := write(ctx)
		if err == nil || !kube.IsConflict(err) || attempt == maxConflicts {
			return err
		}
	}
}

func (r *run) patchID(u *unstructured.Unstructured, send func(strimzi.Patch) error) error {
	was, found, _ := unstructured.NestedString(u.Object, "status", "clusterId")
	if found && was == r.plan.ClusterID {
		return nil
	}
	patch, err := strimzi.ClusterIDPatch(u.GetResourceVersion(), &r.plan.ClusterID)
	if err != nil {
		return err
	}
	return send(patch)
}

// quietTime is given to the operator to finish its round before the ID is written.
const quietTime = time.Second

// idTries bounds how often the ID is written again because the operator's paused path overwrote it: that path reads the
// resource twice and loses what was written in between, without a conflict.
const idTries = 5

// stepSettle waits, proves the pause once more and requires the ID to be still there, everywhere.
func (r *run) stepSettle(ctx context.Context) (string, error) {
	for try := 1; ; try++ {
		r.Report.Waiting(StepSettle, fmt.Sprintf("giving the operator %s to overwrite it", r.Settle))
		if err := r.sleep(ctx, r.Settle); err != nil {
			return "", err
		}
		if err := r.readersGone(ctx); err != nil {
			return "", err
		}
		if _, err := r.pause.prove(ctx, StepSettle); err != nil {
			return "", err
		}
		err := r.unchanged(ctx)
		if err == nil {
			return fmt.Sprintf("the pause holds, the ID stayed (written %d×)", try), nil
		}
		if !errors.Is(err, errIDOverwritten) || try == idTries {
			return "", err
		}
		// The write that overwrote it begins the operator's work anew, in the middle of which the next one would be lost as
		// well: it has to come when the operator rests. One that was not given long enough to is given twice as long.
		if err := r.sleep(ctx, r.Settle<<(try-1)); err != nil {
			return "", err
		}
		if _, err := r.stepClusterID(ctx); err != nil {
			return "", err
		}
	}
}

// readersGone returns once the temporary pods of the last reading are gone, with their attachments: no pod of Kafka may
// start beside them (safety contract, line 7). Where they stay, it is said once.
func (r *run) readersGone(ctx context.Context) error {
	wait := r.leaving
	r.leaving = nil
	if wait == nil {
		return nil
	}
	return wait(ctx)
}

func (r *run) sleep(ctx context.Context, d time.Duration) error { return sleepOn(ctx, r.Clock, d) }

func sleepOn(ctx context.Context, clk clock.WithTicker, d time.Duration) error {
	timer := clk.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C():
		return nil
	}
}

func (r *run) stepQuota(ctx context.Context) (string, error) {
	claims, err := r.Kube.List(ctx, kube.Claims(), r.Namespace, kube.ListOptions{})
	if err != nil {
		return "", err
	}
	there := len(claims.Items)
	r.quota = &quotaGuard{write: r.write, namespace: r.Namespace, name: objectName(r.operation, "")}
	err = r.quota.raise(ctx, quotaObject(r.Namespace, r.operation, r.Name, there), there)
	return fmt.Sprintf("no claim beyond the %d there are", there), err
}
