package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

const (
	// stopTimeout bounds the wait for the operator's pods: they have 30 s to end, unless their Deployment says otherwise.
	stopTimeout = 2 * time.Minute
	stopEvery   = time.Second
)

// planHold is the step that keeps the operator away; nil where that was not asked for.
func (r *run) planHold() *Step {
	h := r.away
	if h == nil {
		return nil
	}
	s := &Step{
		ID: StepHoldOperator, Title: fmt.Sprintf("keep %s at zero replicas", h),
		Does: []string{
			fmt.Sprintf("scale %s from %d to 0 replicas, and wait until its pods are gone", h, h.was), h.unmanaged(),
		},
		Check: "no pod of the operator is there: a reconcile in flight has ended with it",
		Undo:  fmt.Sprintf("scale it back to %d", h.was),
		Risk: "nothing of the other clusters is changed, and nobody looks after them meanwhile; a run that is killed " +
			"leaves the operator at zero until `resume` or `undo`, or: " + h.command(),
	}
	if !r.before.Planned {
		s.State, s.Note = StepSkipped, "kafka is stored already"
	}
	return s
}

// planScaleBack is the step that ends it.
func (r *run) planScaleBack() Step {
	h := r.away
	return Step{
		ID: StepScaleBack, Title: fmt.Sprintf("scale %s back to what it was", h),
		Does:    []string{fmt.Sprintf("scale %s from 0 to %s", h, replicasText(h.was))},
		Expects: []string{"kafka/" + r.Name + " is stored, and paused"},
		Check:   "read back from the API server",
	}
}

// Meanwhile says whom the plan leaves without an operator for a while; empty where nobody. It is said at the prompt.
func (p *Plan) Meanwhile() string {
	s := p.step(StepHoldOperator)
	if s == nil || s.State == StepSkipped {
		return ""
	}
	return fmt.Sprintf("%s; this will %s.", s.Title, s.Does[1])
}

// errEnded ends a run whose result says why; it is no error of the command.
var errEnded = errors.New("the run has ended")

// holdFirst keeps the operator away before the namespace is made: whatever is applied to that as soon as it is there is
// seen by nobody. It is asked for on its own, for the plan is made later, from what is on the volumes.
func (r *run) holdFirst(ctx context.Context) error {
	if r.away == nil || !r.namespaceMissing {
		return nil
	}
	step, namespace, origin := r.planHold(), *r.planNamespace(), r.Kube.Origin()
	step.State, namespace.State = StepPlanned, StepPlanned
	first := &Plan{
		Operation: r.operation, Context: origin.Context, Server: origin.Server, Namespace: r.Namespace, Cluster: r.Name,
		Steps: []Step{*step, namespace},
	}
	ok, err := r.Confirm(ctx, first, r.away.findings)
	if err != nil {
		return err
	}
	if !ok {
		r.result.Outcome, r.result.Reason = OutcomeDeclined, "not confirmed; nothing was touched"
		return errEnded
	}
	step.State = StepRunning
	r.Report.Step(*step)
	step.Note, err = r.stepHold(ctx)
	step.State = StepDone
	if err != nil {
		step.State, step.Note = StepFailed, err.Error()
	}
	r.Report.Step(*step)
	return err
}

// stepHold scales the operator to zero and waits until its pods are gone: until then a reconcile in flight may go on.
// One that an earlier run, or an earlier step, has left at zero is looked at again.
func (r *run) stepHold(ctx context.Context) (string, error) {
	h := r.away
	if !h.active {
		err := r.scale(ctx, StepHoldOperator, 0, func(u *unstructured.Unstructured) error {
			if n := replicasOf(u); n != h.was {
				return fmt.Errorf("%s asks for %s, and %d when it was looked at", h, replicasText(n), h.was)
			}
			h.active = true // from the moment it is announced
			return nil
		})
		if err != nil {
			return "", fmt.Errorf("keep the operator away: %w", err)
		}
	}
	if err := r.waitStopped(ctx); err != nil {
		return "", fmt.Errorf("keep the operator away: %w", err)
	}
	return fmt.Sprintf("%s has 0 replicas (it had %d), and no pod of it is left", h, h.was), nil
}

// scale writes the number of replicas, as long as may allows it.
func (r *run) scale(
	ctx context.Context, step StepID, to int64, may func(*unstructured.Unstructured) error,
) error {
	return r.atNewest(ctx, func(ctx context.Context) error {
		u, err := r.operatorNow(ctx)
		if err != nil {
			return err
		}
		if err := may(u); err != nil {
			return err
		}
		body := fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"spec":{"replicas":%d}}`, u.GetResourceVersion(), to)
		patch := strimzi.Patch{Subresource: scaleResource, Body: []byte(body)}
		_, err = r.write.patch(ctx, step, kube.Deployments(), u, patch)
		return err
	})
}

// waitStopped waits until no pod of the operator is left, and requires that nobody scales it back meanwhile.
func (r *run) waitStopped(ctx context.Context) error {
	return r.waitWhile(ctx, StepHoldOperator, patience{
		what: "the operator's pods to go", bound: stopTimeout, every: stopEvery,
	}, r.stillHeld)
}

// stillHeld requires that the operator is at zero, and says what is left of it.
func (r *run) stillHeld(ctx context.Context) (left string, err error) {
	u, err := r.operatorNow(ctx)
	if err != nil {
		return "", err
	}
	if n := replicasOf(u); n > 0 {
		return "", fmt.Errorf("somebody has scaled %s to %d meanwhile: %s", r.away, n,
			whoWrote(u, []string{"spec", "replicas"}))
	}
	selector := &unstructured.Unstructured{Object: object.Map(u.Object, "spec", "selector")}
	selects, err := kube.As[metav1.LabelSelector](selector)
	if err != nil {
		return "", err
	}
	pods, err := r.Kube.List(ctx, kube.Pods(), u.GetNamespace(), kube.ListOptions{
		LabelSelector: metav1.FormatLabelSelector(selects),
	})
	if err != nil {
		return "", fmt.Errorf("see whether the operator's pods are gone: %w", err)
	}
	if n := len(pods.Items); n > 0 {
		return wording.Count(n, "pod of the operator is", "pods of the operator are") + " left: " +
			pods.Items[0].GetName(), nil
	}
	return "", nil
}

// awayFor runs a step that makes resources only while the operator is away, where that was asked for.
func (r *run) awayFor(do func(context.Context) (string, error)) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if r.away == nil || !r.before.Planned {
			return do(ctx)
		}
		left, err := r.stillHeld(ctx)
		if err == nil && left != "" {
			err = errors.New(left)
		}
		if err != nil {
			return "", fmt.Errorf("make resources while the operator is away: %w", err)
		}
		return do(ctx)
	}
}

// stepScaleBack gives the operator back as many replicas as it had.
func (r *run) stepScaleBack(ctx context.Context) (string, error) {
	note, err := r.scaleBack(ctx, StepScaleBack)
	if err != nil {
		return "", fmt.Errorf("scale the operator back: %w", err)
	}
	return note, nil
}

// scaleBack scales the operator back where it is still at zero, and says what became of it.
func (r *run) scaleBack(ctx context.Context, step StepID) (note string, err error) {
	h := r.away
	if h == nil || !h.active {
		return "it was scaled back before", nil
	}
	note = fmt.Sprintf("%s has %s again", h, replicasText(h.was))
	err = r.scale(ctx, step, h.was, func(u *unstructured.Unstructured) error {
		if n := replicasOf(u); n > 0 {
			note = fmt.Sprintf("%s has %s", h, replicasText(n))
			return errScaledBack
		}
		return nil
	})
	switch {
	case errors.Is(err, errScaledBack):
	case kube.IsNotFound(err), errors.Is(err, errOtherOperator):
		note = fmt.Sprintf("%s is gone, or another one by now", h)
	case err != nil:
		return "", err
	}
	h.active = false
	return note, nil
}

var errScaledBack = errors.New("it is not at zero replicas")

// endHold gives the operator back when a run ends before it has come to that, where nothing would start by it. What
// cannot be given back is said with the command that does it: no operator is left at zero in silence.
func (r *run) endHold(ctx context.Context, step StepID) (next string, err error) {
	h := r.away
	if h == nil || !h.active {
		return "", nil
	}
	if why := r.unsafeToScaleBack(ctx); why != "" {
		return fmt.Sprintf("%s is left at zero replicas: %s; then scale it back: %s", h, why, h.command()), nil
	}
	note, err := r.scaleBack(ctx, step)
	if err != nil {
		return fmt.Sprintf("%s may still be at zero replicas, and then nobody manages its clusters; scale it back: %s", h,
			h.command()), fmt.Errorf("scale the operator back: %w", err)
	}
	return note, nil
}

// scaleBackToStop gives the operator back that an earlier run has left at zero: it is what proves the pause, which is
// asked for by then.
func (r *run) scaleBackToStop(ctx context.Context) error {
	if err := r.adoptHold(ctx); err != nil {
		return err
	}
	_, err := r.scaleBack(ctx, StepStop)
	return err
}

// left says that an earlier run has not given the operator back.
func (h *holding) left() string {
	return fmt.Sprintf("%s was scaled to zero replicas, and by this operation not back: go on with it, undo it, or scale "+
		"it back: %s", h, h.command())
}

// unsafeToScaleBack says what an operator that comes back would start, or what keeps it from being known.
func (r *run) unsafeToScaleBack(ctx context.Context) string {
	u, err := r.Kube.Get(ctx, r.pause.gvr, r.Namespace, r.Name)
	switch {
	case kube.IsNotFound(err):
		return ""
	case err != nil:
		return fmt.Sprintf("kafka/%s could not be read (%v): see that it is paused, or not there", r.Name, err)
	}
	if kafka := strimzi.ParseKafka(u.Object); !kafka.PauseAnnotated {
		return fmt.Sprintf("kafka/%s is there and not paused, and would be started on whatever volumes there are: pause or "+
			"delete it first", r.Name)
	}
	return ""
}

// undoHold scales the operator back, as the last of what is undone: what the operation made is gone by then.
func (r *run) undoHold(ctx context.Context, g *group, u *unstructured.Unstructured) error {
	h := r.away
	if h == nil || !h.active || h.uid != g.object.UID {
		g.state, g.note = UndoNothing, "it was scaled back, by the operation or by somebody else"
		if replicasOf(u) == 0 && r.recorded.recordedHold() != nil {
			g.state, g.note = UndoLeft, "it is at zero replicas, and is not the operator that was scaled to zero: look at it"
		}
		return nil
	}
	if why := r.unsafeToScaleBack(ctx); why != "" {
		g.state, g.note = UndoLeft, fmt.Sprintf("%s; then scale it back: %s", why, h.command())
		return nil
	}
	note, err := r.scaleBack(ctx, StepUndo)
	if err != nil {
		return fmt.Errorf("scale it back: %w; by hand: %s", err, h.command())
	}
	g.state, g.note, g.wrote = UndoDone, note, true
	return nil
}

// beforeNamespace tells whether the run died, or ended, before the namespace that it was to make was there: its journal
// is on this machine alone, and there is nothing to take a lock in.
func (r *run) beforeNamespace(ctx context.Context) (bool, error) {
	if r.recorded.InCluster || !slices.ContainsFunc(r.recorded.Entries, func(e Entry) bool {
		return e.Step == string(StepHoldOperator)
	}) {
		return false, nil
	}
	_, err := r.Kube.Get(ctx, kube.Namespaces(), "", r.Namespace)
	if kube.IsNotFound(err) {
		return true, nil
	}
	if err != nil && !kube.IsForbidden(err) {
		return false, fmt.Errorf("look at namespace %q: %w", r.Namespace, err)
	}
	return false, nil
}

// beginUndo goes on with the journal, under the lock where there can be one.
func (r *run) beginUndo(ctx context.Context, takeOver string) error {
	alone, err := r.beforeNamespace(ctx)
	if err != nil {
		return err
	}
	if !alone {
		return r.continueJournal(ctx, PhaseUndo, takeOver, nil)
	}
	journal, err := ContinueJournal(r.recorded.Folder, r.recorded.Entries, 0, r.Clock)
	if err != nil {
		return err
	}
	r.write.journal = journal
	r.Report.Begin(r.operation, journal.Dir())
	return journal.add(ctx, Entry{
		Phase: PhaseUndo, Began: r.beginning(nil), Note: "namespace " + r.Namespace + " is not there: no lock, no copy",
	})
}

// tryHold has the API server check what scales the operator to zero.
func (r *run) tryHold(ctx context.Context) error {
	if r.away == nil {
		return nil
	}
	o := r.away.operator
	_, err := r.Kube.Patch(ctx, kube.Deployments(), o.Namespace, o.Deployment, kube.Patch{
		Type: kube.MergePatch, Body: []byte(`{"spec":{"replicas":0}}`), Subresource: scaleResource, DryRun: true,
		FieldManager: FieldManager,
	})
	if err != nil {
		return fmt.Errorf("server dry run, hold the operator: %w", err)
	}
	return nil
}
