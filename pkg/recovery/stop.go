package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// StepStop is what the changes of halting a cluster are journaled under.
const StepStop StepID = "stop"

// StopAccess lists what halting a cluster needs beside what a restore does.
func StopAccess(namespace, version string) []kube.Access {
	sets := strimzi.PodSetGVR(version)
	var all []kube.Access
	for _, v := range []string{"get", "list", "delete"} {
		all = append(all, kube.Access{
			Verb: v, Group: sets.Group, Resource: sets.Resource, Namespace: namespace, For: "halt the cluster's pods",
		})
	}
	return all
}

// StatusAccess lists what telling of operations needs beside what a restore does.
func StatusAccess(namespace string) []kube.Access {
	return []kube.Access{{
		Verb: "list", Group: "coordination.k8s.io", Resource: "leases", Namespace: namespace, For: "see which operations run",
	}}
}

// Stop halts the cluster of an operation: it pauses the resource and deletes the pod sets, again and again, until the
// operator has shown that it pauses and no Kafka pod is left. Claims and volumes stay.
func Stop(ctx context.Context, t Target, deps Deps) (*Reversal, error) {
	r, err := loadRun(ctx, t, deps)
	if err != nil {
		return nil, err
	}
	if r.StatefulSet {
		return nil, &ByReplicasError{
			Operation: r.operation, Command: haltSet(r.Namespace, r.Name),
			Reason: r.Named() + " starts and stops with its replicas",
		}
	}
	if t.Timeout > 0 {
		r.Timeout = t.Timeout
	}
	if err := r.require(ctx, StopAccess(r.Namespace, r.pause.gvr.Version)); err != nil {
		return nil, err
	}
	out := &Reversal{
		TypeMeta: output.Meta("Stop"), Operation: r.operation, Folder: r.recorded.Folder, Namespace: r.Namespace,
		Cluster: r.Name, Outcome: OutcomeUnverified, Irreversible: r.recorded.irreversible(),
	}
	if err = r.continueJournal(ctx, PhaseStop, t.TakeOver, nil); err == nil {
		err = r.stop(ctx, out)
	}
	r.result.Outcome, r.result.Reason, r.result.Next = out.Outcome, out.Reason, out.Next
	return out, errors.Join(err, r.close(ctx, err))
}

func (r *run) stop(ctx context.Context, out *Reversal) error {
	seen, err := r.lookAgain(ctx)
	if err != nil {
		return err
	}
	r.before, r.marked = seen, true
	if r.pause.timeout = r.pauseTimeout(seen.Cluster.Operators); r.Request.PauseTimeout > 0 {
		r.pause.timeout = r.Request.PauseTimeout
	}
	if err := r.pauseAgain(ctx); err != nil {
		return err
	}
	if err := r.scaleBackToStop(ctx); err != nil {
		return err
	}
	deleted, err := r.haltCluster(ctx, seen)
	var going *goingError
	switch {
	case errors.As(err, &going):
		out.Outcome = OutcomeRefused
		return err
	case err != nil:
		out.Next = append(out.Next, fmt.Sprintf("kafka/%s is annotated as paused; once the reason is gone, again: "+
			"kafkarecover stop %s -n %s", r.Name, r.operation, r.Namespace))
		return err
	}
	out.Outcome = OutcomeStopped
	out.Reason = haltedText(deleted)
	out.Next = append(out.Next, r.startAnew())
	return nil
}

func haltedText(deleted int) string {
	return "paused, as the operator has shown, and no Kafka pod is left; " +
		wording.Count(deleted, "pod set was", "pod sets were") + " deleted; claims and volumes stay"
}

func (r *run) startAnew() string {
	return "to judge the volumes anew and start again: kafkarecover restore kafka/" + r.Name + " -n " + r.Namespace
}

// pauseTries bounds how often the annotation is sent again where the API server is for a moment not there.
const pauseTries = 10

// pauseAgain annotates the pause of a cluster that was un-paused, before anything else is done.
func (r *run) pauseAgain(ctx context.Context) error {
	for try := 1; ; try++ {
		err := r.pause.annotate(ctx, StepStop)
		if err == nil || try == pauseTries || !kube.IsTransient(err) && !kube.IsConflict(err) {
			return err
		}
		if err := r.sleep(ctx, haltEvery); err != nil {
			return err
		}
	}
}

// haltCluster stops the pods of a cluster that was annotated as paused, and proves that it pauses.
func (r *run) haltCluster(ctx context.Context, seen *Observation) (deleted int, err error) {
	if err := r.retained(ctx, seen); err != nil {
		return 0, err
	}
	if err := r.adoptQuota(ctx); err != nil {
		return 0, err
	}
	if err := noneTerminating(seen); err != nil {
		return 0, err
	}
	return r.halt(ctx)
}

// lookAgain looks at the objects of this very resource.
func (r *run) lookAgain(ctx context.Context) (*Observation, error) {
	seen, err := r.Look(ctx, LookRequest{Namespace: r.Namespace, Name: r.Name, Depth: Objects})
	if err != nil {
		return nil, err
	}
	if seen.Cluster == nil || seen.Cluster.Kafka.UID != r.pause.uid {
		return nil, errReplaced
	}
	return seen, nil
}

// retained reads the policy of every volume back before a pod goes, and sets Retain where somebody has taken it away.
func (r *run) retained(ctx context.Context, seen *Observation) error {
	for i := range seen.Volumes {
		pv := seen.Volumes[i].PV
		if pv == nil || pv.ReclaimPolicy == volume.PolicyRetain {
			continue
		}
		if err := r.retainOne(ctx, StepStop, pv); err != nil {
			return err
		}
	}
	return nil
}

// goingError says that a claim waits for its pod to go.
type goingError struct{ claim string }

// Error says what would happen.
func (e *goingError) Error() string {
	return fmt.Sprintf("delete the pod sets: pvc %q is being deleted and goes as soon as its pod does; the cluster is "+
		"paused and its pods run on", e.claim)
}

// noneTerminating refuses to delete pods while a claim waits for its pod to go: it would go with it (safety contract,
// line 2).
func noneTerminating(seen *Observation) error {
	for i := range seen.Volumes {
		if c := seen.Volumes[i].Claim; c != nil && c.Terminating {
			return &goingError{claim: c.Namespace + "/" + c.Name}
		}
	}
	return nil
}

const haltEvery = time.Second

// halt deletes pod sets until the operator has shown that it pauses: a reconcile that was under way makes them again.
// Then it waits until neither a pod set nor a pod is left.
func (r *run) halt(ctx context.Context) (deleted int, err error) {
	proving, cancel := context.WithCancel(ctx)
	defer cancel()
	proof := make(chan error, 1)
	go func() {
		_, err := r.pause.prove(proving, StepStop)
		proof <- err
	}()
	for {
		n, _, err := r.deletePodSets(ctx, StepStop)
		deleted += n
		if err != nil {
			cancel()
			<-proof
			return deleted, err
		}
		select {
		case err := <-proof:
			if err != nil {
				return deleted, err
			}
			more, err := r.waitHalted(ctx, StepStop)
			return deleted + more, err
		default:
		}
		if err := r.sleep(ctx, haltEvery); err != nil {
			cancel()
			<-proof
			return deleted, err
		}
	}
}

// waitHalted deletes what the last reconcile has made and waits for the pods.
func (r *run) waitHalted(ctx context.Context, step StepID) (deleted int, err error) {
	err = r.waitWhile(ctx, step, patience{
		what: "the pods to go", flag: "--timeout", bound: r.Timeout, every: haltEvery,
	}, func(ctx context.Context) (string, error) {
		n, left, err := r.deletePodSets(ctx, step)
		deleted += n
		if err != nil || left == 0 {
			return "", err
		}
		return fmt.Sprintf("%d Kafka pods and pod sets are left", left), nil
	})
	return deleted, err
}

// deletePodSets deletes the cluster's pod sets and counts the sets and pods that are there.
func (r *run) deletePodSets(ctx context.Context, step StepID) (deleted, left int, err error) {
	seen, err := r.lookAgain(ctx)
	if err != nil {
		return 0, 0, err
	}
	gvr := strimzi.PodSetGVR(seen.Cluster.Version())
	for i := range seen.Cluster.PodSets {
		set := &seen.Cluster.PodSets[i]
		if set.Terminating {
			continue
		}
		u, err := r.Kube.Get(ctx, gvr, r.Namespace, set.Name)
		if kube.IsNotFound(err) || (err == nil && u.GetUID() != types.UID(set.UID)) {
			continue
		}
		if err != nil {
			return deleted, 0, err
		}
		if err := r.write.remove(ctx, step, gvr, u); err != nil {
			return deleted, 0, err
		}
		deleted++
	}
	return deleted, len(seen.Cluster.PodSets) + len(seen.Cluster.Pods), nil
}
