package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// unpauseTries bounds how often the pause is proven anew because somebody wrote between the proof and the un-pausing.
const unpauseTries = 5

// stepUnpause removes the pause annotation from exactly the version that was just proven to be paused and right. Any
// write in between, by whomever, makes the API server refuse it, and the proof starts over.
func (r *run) stepUnpause(ctx context.Context) (string, error) {
	err := r.markLogs(ctx)
	if err != nil {
		return "", err
	}
	for range unpauseTries {
		proven, perr := r.pause.prove(ctx, StepUnpause)
		if perr != nil {
			return "", perr
		}
		if err = r.unchanged(ctx); err != nil {
			return "", err
		}
		patch, perr := strimzi.UnpausePatch(proven.GetResourceVersion())
		if perr != nil {
			return "", perr
		}
		if err = r.kafkaUnchanged(proven); err != nil {
			return "", err
		}
		_, err = r.write.patch(ctx, StepUnpause, r.pause.gvr, proven, patch)
		if err == nil || r.unpausedAfterAll(ctx) {
			r.unpaused = true
			return "at version " + proven.GetResourceVersion(), nil
		}
		if !kube.IsConflict(err) {
			return "", err
		}
	}
	return "", fmt.Errorf("un-pause exactly the version that was proven: it was changed each of %d times: %w",
		unpauseTries, err)
}

// unpausedAfterAll tells whether a write that was answered with an error was made all the same, as one that timed out
// or was sent twice. It looks also after an interruption: what is said of the cluster depends on it.
func (r *run) unpausedAfterAll(ctx context.Context) bool {
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	u, err := r.pause.get(detached)
	if err != nil {
		return false
	}
	kafka := strimzi.ParseKafka(u.Object)
	return !kafka.PauseAnnotated && kafka.Status.ClusterID != nil && *kafka.Status.ClusterID == r.plan.ClusterID
}

// look at the starting cluster this often; it is six small lists.
const watchEvery = 2 * time.Second

// stepVerify watches the cluster start and verifies it. Crash-looping pods are deleted on the way, once their
// configuration carries the ID.
func (r *run) stepVerify(ctx context.Context) (string, error) {
	deadline := r.Clock.Now().Add(r.Timeout)
	deleted := map[types.UID]bool{}
	for {
		if err := r.heed(ctx); err != nil {
			return "", err
		}
		checks, err := r.lookAtStart(ctx, deleted)
		if err != nil {
			return "", err
		}
		r.result.Checks = checks
		switch worstState(checks) {
		case CheckPassed:
			return r.verifyContents(ctx)
		case CheckFailed:
			r.result.Outcome = OutcomeWrong
			return "", fmt.Errorf("verify the cluster: %w", failedChecks(checks))
		case CheckPending, CheckUnknown:
		}
		waiting := pendingText(checks)
		r.Report.Waiting(StepVerify, waiting)
		if !r.Clock.Now().Before(deadline) {
			return "", &kube.TimeoutError{
				What: fmt.Sprintf("kafka %q to be ready", r.Namespace+"/"+r.Name), After: r.Timeout, Flag: "--timeout",
				Last: waiting,
			}
		}
		if err := r.sleep(ctx, watchEvery); err != nil {
			return "", err
		}
	}
}

func (r *run) lookAtStart(ctx context.Context, deleted map[types.UID]bool) ([]Check, error) {
	cluster, claims, err := r.attend(ctx, deleted)
	if err != nil {
		return nil, err
	}
	return r.base.checkObjects(cluster, claims), nil
}

// attend looks at a cluster that starts, and restarts what does not start by itself.
func (r *run) attend(ctx context.Context, deleted map[types.UID]bool) (*strimzi.Cluster, []volume.Claim, error) {
	seen, err := r.Look(ctx, LookRequest{Namespace: r.Namespace, Name: r.Name, Depth: Objects})
	if err != nil {
		return nil, nil, err
	}
	if seen.Cluster == nil || seen.Cluster.Kafka.UID != r.pause.uid {
		return nil, nil, errReplaced
	}
	claims, err := r.clusterClaims(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := r.watch.claims(claims); err != nil {
		return nil, nil, err
	}
	if len(r.heldFor) > 0 { // nothing more is done to the cluster
		return seen.Cluster, claims, nil
	}
	if err := r.restartPods(ctx, seen.Cluster, deleted); err != nil {
		return nil, nil, err
	}
	return seen.Cluster, claims, r.restartTogether(ctx, seen.Cluster)
}

// restartPods deletes the pods that crash-loop although their ConfigMap carries the ID: they would only wait for the
// kubelet's back-off. Never while a claim is Terminating, for a deleted pod is what lets such a claim go (safety
// contract, line 2).
func (r *run) restartPods(ctx context.Context, cluster *strimzi.Cluster, deleted map[types.UID]bool) error {
	step := r.plan.step(StepRestartPods)
	if step == nil || step.State == StepSkipped {
		return nil
	}
	configured := map[int32]bool{}
	for _, c := range cluster.NodeConfigs {
		configured[c.NodeID] = c.ClusterID == r.plan.ClusterID
	}
	var names []string
	for _, pod := range cluster.Pods {
		if !pod.CrashLooping() || !configured[pod.NodeID] || pod.Terminating || deleted[types.UID(pod.UID)] {
			continue
		}
		if err := r.claimsUnchanged(ctx); err != nil {
			return err
		}
		gone, err := r.restartPod(ctx, StepRestartPods, &pod)
		if err != nil {
			return err
		}
		if !gone {
			continue
		}
		deleted[types.UID(pod.UID)] = true
		names = append(names, pod.Name)
	}
	if len(names) > 0 {
		step.State, step.Note = StepDone, "deleted "+strings.Join(names, ", ")
		r.Report.Step(*step)
	}
	return nil
}

// restartPod deletes one pod, as long as it is the one that was seen; it tells whether it did.
func (r *run) restartPod(ctx context.Context, step StepID, pod *strimzi.Pod) (bool, error) {
	u, err := r.Kube.Get(ctx, kube.Pods(), r.Namespace, pod.Name)
	if kube.IsNotFound(err) || (err == nil && string(u.GetUID()) != pod.UID) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := r.deletePod(ctx, step, u); err != nil {
		return false, fmt.Errorf("restart pod %q: %w", pod.Name, err)
	}
	return true, nil
}

// verifyContents reads the volumes from inside the running pods and compares them with what was there before.
func (r *run) verifyContents(ctx context.Context) (string, error) {
	r.Report.Waiting(StepVerify, "reading the volumes once more, inside the running pods")
	seen, err := r.Look(ctx, r.volumesRequest())
	if err != nil {
		return "", fmt.Errorf("read the volumes of the running cluster: %w", err)
	}
	r.result.Checks = append(r.result.Checks, r.base.checkContents(without(seen.Volumes, r.excluded))...)
	switch worstState(r.result.Checks) {
	case CheckFailed:
		r.result.Outcome = OutcomeWrong
		return "", fmt.Errorf("verify the cluster: %w", failedChecks(r.result.Checks))
	case CheckUnknown:
		return "", fmt.Errorf("verify the cluster: %w", errNotAllSeen)
	case CheckPassed, CheckPending:
	}
	if step := r.plan.step(StepRestartPods); step != nil && step.State == StepPlanned {
		step.State, step.Note = StepSkipped, "every pod started by itself"
	}
	if step := r.plan.step(StepRestartTogether); step != nil && step.State == StepPlanned {
		step.State, step.Note = StepSkipped, "the operator reached every pod"
	}
	if err := r.heed(ctx); err != nil {
		return "", err
	}
	if len(r.heldFor) > 0 {
		return "", &HeldBackError{Alarms: r.heldFor}
	}
	r.result.Outcome = OutcomeRestored
	r.result.Reason = fmt.Sprintf("kafka/%s is Ready with its old cluster ID %s; %d checks passed", r.Name,
		r.plan.ClusterID, len(r.result.Checks))
	return fmt.Sprintf("%d checks passed", len(r.result.Checks)), nil
}

var errNotAllSeen = errors.New("not everything could be looked at; see the checks")

// worstState is failed, pending, unknown or passed, in this order.
func worstState(checks []Check) CheckState {
	for _, s := range []CheckState{CheckFailed, CheckPending, CheckUnknown} {
		if slices.ContainsFunc(checks, func(c Check) bool { return c.State == s }) {
			return s
		}
	}
	return CheckPassed
}

func failedChecks(checks []Check) error {
	var errs []error
	for _, c := range checks {
		if c.State == CheckFailed {
			errs = append(errs, fmt.Errorf("%s: %s", c.Name, c.Detail))
		}
	}
	return errors.Join(errs...)
}

func pendingText(checks []Check) string {
	var parts []string
	for _, c := range checks {
		if c.State == CheckPending {
			parts = append(parts, c.Detail)
		}
	}
	return strings.Join(parts, "; ")
}

// stepRelease removes the guard; the rest goes with the end of the run. It says what is left to the person.
func (r *run) stepRelease(ctx context.Context) (string, error) {
	r.result.Next = append(r.result.Next, r.heldBack()...)
	if r.quota != nil {
		if err := r.quota.lower(ctx); err != nil {
			return "", err
		}
	}
	if r.plan.step(StepLetGo) != nil { // twice as many volumes as the end of a run has time for
		if err := r.unmark(ctx); err != nil {
			r.marked = true // once more when the run ends
		}
	}
	r.result.Next = append(r.result.Next, r.afterRebind()...)
	return "the journal stays in " + r.result.Folder, nil
}
