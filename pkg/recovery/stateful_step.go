package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// The steps that only the restore of a StatefulSet has.
const (
	StepBeside      StepID = "beside"       // only where it is gone: what its pods need
	StepStatefulSet StepID = "stateful-set" // only where it is gone
)

// planSet computes the plan from what was observed.
func (r *run) planSet(retained retainOutcome) error {
	id, from, err := r.chooseID()
	if err != nil {
		return err
	}
	origin := r.Kube.Origin()
	in := planInput{
		operation: r.operation, context: origin.Context, server: origin.Server, namespace: r.Namespace, cluster: r.Name,
		resource: setResource, uid: r.pause.uid, id: id, idFrom: from, accepted: r.decision.Accepted,
		excluded: r.excludedText(), retain: retained.patched, alreadyRetain: retained.already,
		retained: r.DryRun == DryRunNone, volumesForbidden: r.before.VolumesForbidden, wait: r.Wait,
		quota: quotaPlan{without: "a StatefulSet"},
	}
	for i := range r.before.Volumes {
		in.claims = append(in.claims, r.before.Volumes[i].Name)
	}
	plan := Plan{
		Operation: in.operation, Context: in.context, Server: in.server, Namespace: in.namespace, Cluster: in.cluster,
		Resource: setResource, KafkaUID: in.uid, ClusterID: in.id, ClusterIDFrom: in.idFrom, Claims: in.claims,
		Excluded: in.excluded, Accepted: in.accepted,
	}
	plan.Steps = []Step{retainStep(in), readStep(in), lockStep(in), claimsStep(r.missingClaims())}
	plan.Steps = append(append(plan.Steps, r.createSetSteps()...), releaseStep(in))
	for i := range plan.Steps {
		if plan.Steps[i].State == "" {
			plan.Steps[i].State = StepPlanned
		}
	}
	r.plan, r.result.Plan, r.result.ClusterID = &plan, &plan, id
	return nil
}

// createSetSteps create what is gone and watch it start; none where the StatefulSet is there, for it is not scaled.
func (r *run) createSetSteps() []Step {
	set := r.before.Set
	if !set.Declared || r.DeclaredSet == nil {
		return nil
	}
	beside := Step{
		ID: StepBeside, Title: "create what its pods need, where it is gone",
		Check: "stored; what is there stays as it is", Undo: "delete what was created",
	}
	for _, o := range r.DeclaredSet.Beside {
		beside.Does = append(beside.Does, "create "+declared.Ref(o))
	}
	if len(beside.Does) == 0 {
		beside.State, beside.Note = StepSkipped, "none of it is among the manifests"
	}
	create := Step{
		ID:       StepStatefulSet,
		Title:    fmt.Sprintf("create %s with %s: the point of no return", r.Named(), replicasText(set.Replicas)),
		NoReturn: true, Does: []string{"create " + r.Named() + ", as its manifest says"},
		Expects: []string{"every claim is Bound to the volume that was judged, by UID"},
		Check:   "the API server has stored it",
		Risk:    "Kafka starts on the volumes; from here on it can be scaled down, but not undone",
	}
	verify := Step{
		ID: StepVerify, Title: "watch the pods start and verify them",
		Check: "every pod ready; every claim bound to its volume and none is new; the volumes, read inside the pods, are " +
			"of the same cluster, nodes and directories; topics and topic IDs as read before",
	}
	if !r.Wait {
		verify.State, verify.Note = StepSkipped, "--wait=false: created, not verified"
	}
	return []Step{beside, create, verify}
}

// setActions are the plan's steps that follow the confirmation, in their order.
func (r *run) setActions() []action {
	all := []action{
		{StepLock, r.stepLock}, {StepClaims, r.stepClaims}, {StepBeside, r.stepBeside}, {StepStatefulSet, r.stepStatefulSet},
		{StepVerify, r.stepVerifySet}, {StepRelease, r.stepReleaseSet},
	}
	return slices.DeleteFunc(all, func(a action) bool { return r.plan.step(a.id) == nil })
}

func (r *run) stepBeside(ctx context.Context) (string, error) {
	made := 0
	for _, c := range r.besideObjects() {
		_, err := r.write.create(ctx, StepBeside, c.gvr, c.object)
		switch {
		case kube.IsAlreadyExists(err):
		case err != nil:
			return "", fmt.Errorf("create %s: %w", declared.Ref(c.object), err)
		default:
			made++
		}
	}
	return fmt.Sprintf("%d created, %d were there", made, len(r.DeclaredSet.Beside)-made), nil
}

// stepStatefulSet looks once more that every claim holds its volume, and creates the StatefulSet.
func (r *run) stepStatefulSet(ctx context.Context) (string, error) {
	for i := range r.before.Volumes {
		v := &r.before.Volumes[i]
		if err := r.stillBound(ctx, v); err != nil {
			return "", err
		}
	}
	set := r.setObjects()
	stored, err := r.write.create(ctx, StepStatefulSet, kube.StatefulSets(), set[len(set)-1].object)
	if err != nil {
		return "", fmt.Errorf("create %s: %w", r.Named(), err)
	}
	r.unpaused, r.result.Outcome = true, OutcomeUnverified
	r.pause.uid, r.plan.KafkaUID = string(stored.GetUID()), string(stored.GetUID())
	r.before.Set.UID, r.before.Set.Declared, r.before.Planned = r.pause.uid, false, false
	return fmt.Sprintf("uid %s", r.pause.uid), r.journalDecision(ctx)
}

// stillBound requires that a claim and its volume are Bound to each other, as they were judged or made.
func (r *run) stillBound(ctx context.Context, v *volume.Volume) error {
	if v.Claim == nil || v.PV == nil {
		return nil // a rule was accepted that says so
	}
	claim, err := r.Kube.Get(ctx, kube.Claims(), r.Namespace, v.Claim.Name)
	if err != nil {
		return fmt.Errorf("look at claim %q once more: %w", v.Claim.Name, err)
	}
	pv, err := r.Kube.Get(ctx, kube.Volumes(), "", v.PV.Name)
	if err != nil {
		return fmt.Errorf("look at pv %q once more: %w", v.PV.Name, err)
	}
	now, tied := volume.ParseClaim(claim.Object), volume.ParsePersistentVolume(pv.Object)
	both := volume.Volume{Claim: &now, PV: &tied}
	if !both.BoundBothWays() || now.UID != v.Claim.UID || tied.UID != v.PV.UID {
		return &ForeignWriteError{Object: refOf(claim), What: fmt.Sprintf("it does not hold pv %q any more", v.PV.Name)}
	}
	return nil
}

// stepVerifySet waits until every pod is ready and compares the volumes, read inside the pods, with what was there.
func (r *run) stepVerifySet(ctx context.Context) (string, error) {
	err := r.waitWhile(ctx, StepVerify, patience{
		what: r.Named() + " to be ready", flag: "--timeout", bound: r.Timeout, every: watchEvery,
	}, r.setNotReady)
	if err != nil {
		return "", err
	}
	r.Report.Waiting(StepVerify, "reading the volumes once more, inside the running pods")
	seen, err := r.Look(ctx, r.setRequest(Volumes))
	if err != nil {
		return "", fmt.Errorf("read the volumes of the running pods: %w", err)
	}
	claims := make([]volume.Claim, 0, len(seen.Volumes))
	for i := range seen.Volumes {
		if c := seen.Volumes[i].Claim; c != nil {
			claims = append(claims, *c)
		}
	}
	r.result.Checks = []Check{
		{Name: "every pod ready", State: CheckPassed, Detail: fmt.Sprintf("%d", seen.Set.Replicas)},
		r.base.checkSetID(seen.Volumes), r.base.checkClaims(claims),
	}
	r.result.Checks = append(r.result.Checks, r.base.checkContents(r.known(seen.Volumes))...)
	switch worstState(r.result.Checks) {
	case CheckFailed:
		r.result.Outcome = OutcomeWrong
		return "", fmt.Errorf("verify the pods: %w", failedChecks(r.result.Checks))
	case CheckUnknown, CheckPending:
		return "", fmt.Errorf("verify the pods: %w", errNotAllSeen)
	case CheckPassed:
	}
	r.result.Outcome = OutcomeRestored
	r.result.Reason = fmt.Sprintf("%s runs on its old volumes, of cluster %s; %d checks passed", r.Named(),
		r.plan.ClusterID, len(r.result.Checks))
	return fmt.Sprintf("%d checks passed", len(r.result.Checks)), nil
}

// known leaves out the volumes that were to be new or were given up: that they were formatted was accepted.
func (r *run) known(volumes []volume.Volume) []volume.Volume {
	had := map[string]bool{}
	for key := range r.base.directories {
		claim, _, _ := strings.Cut(key, "/")
		had[claim] = true
	}
	return slices.DeleteFunc(slices.Clone(volumes), func(v volume.Volume) bool {
		return v.Claim == nil || !had[v.Claim.Name] || r.excluded[v.Name]
	})
}

// checkSetID compares the cluster ID on every volume with the one that was there before.
func (b baseline) checkSetID(volumes []volume.Volume) Check {
	c := Check{Name: "cluster ID as before", State: CheckPassed, Detail: b.clusterID}
	for i := range volumes {
		v := &volumes[i]
		if v.Contents == nil {
			continue // the other checks say that it was not read
		}
		for j := range v.Contents.Dirs {
			m := v.Contents.Dirs[j].Meta
			if m != nil && m.ClusterID != nil && *m.ClusterID != b.clusterID {
				c.State, c.Detail = CheckFailed, fmt.Sprintf("%s says %q, and the cluster is %q", v.Name, *m.ClusterID, b.clusterID)
			}
		}
	}
	return c
}

// setNotReady says what of the StatefulSet is not ready yet.
func (r *run) setNotReady(ctx context.Context) (string, error) {
	u, err := r.Kube.Get(ctx, kube.StatefulSets(), r.Namespace, r.Name)
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", r.Named(), err)
	}
	if string(u.GetUID()) != r.pause.uid {
		return "", fmt.Errorf("%s was replaced by another one", r.Named())
	}
	want, ready := r.before.Set.Replicas, object.Get(u.Object, "status", "readyReplicas")
	n, _ := object.Int32(u.Object, "status", "readyReplicas")
	observed, _ := object.Int(u.Object, "status", "observedGeneration")
	if n >= want && observed >= u.GetGeneration() {
		return "", nil
	}
	if ready == nil {
		n = 0
	}
	return fmt.Sprintf("%d of %d pods are ready%s", n, want, r.waitingPods(ctx)), nil
}

// waitingPods says why pods of the set do not start, as far as they say it.
func (r *run) waitingPods(ctx context.Context) string {
	pods, err := r.Kube.List(ctx, kube.Pods(), r.Namespace, kube.ListOptions{})
	if err != nil {
		return ""
	}
	var out []string
	for i := range pods.Items {
		if reason := waitingReason(&pods.Items[i], r.pause.uid); reason != "" {
			out = append(out, "pod/"+pods.Items[i].GetName()+" "+reason)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return ": " + strings.Join(out, ", ")
}

func waitingReason(pod *unstructured.Unstructured, set string) string {
	owners := pod.GetOwnerReferences()
	if len(owners) == 0 || string(owners[0].UID) != set {
		return ""
	}
	for _, list := range []string{"initContainerStatuses", "containerStatuses"} {
		for _, c := range object.Maps(pod.Object, "status", list) {
			if reason := object.String(c, "state", "waiting", "reason"); reason != "" {
				return reason
			}
		}
	}
	for _, c := range object.Maps(pod.Object, "status", "conditions") {
		if object.String(c, "type") == "PodScheduled" && object.String(c, "status") == "False" {
			return object.String(c, "message")
		}
	}
	return ""
}

// stepReleaseSet says what is left to the person.
func (r *run) stepReleaseSet(context.Context) (string, error) {
	set := r.before.Set
	switch {
	case r.unpaused && !r.Wait:
		r.result.Reason = r.Named() + " was created, and not verified"
		r.result.Next = append(r.result.Next, fmt.Sprintf("to verify it: kafkarecover resume %s -n %s", r.operation,
			r.Namespace))
	case !r.unpaused:
		r.result.Outcome = OutcomeBound
		r.result.Checks = []Check{{
			Name: "every claim bound to its volume, by UID", State: CheckPassed,
			Detail: wording.Count(len(r.before.Volumes), "claim", "claims"),
		}}
		r.result.Reason = fmt.Sprintf("%s, of cluster %s; %s has %s and was not scaled",
			wording.Count(len(r.before.Volumes), "claim holds its volume", "claims hold their volumes"), r.plan.ClusterID,
			r.Named(), replicasText(set.Replicas))
		r.result.Next = append(r.result.Next, "to start it: "+set.ScaleCommand(r.scaleTo()),
			fmt.Sprintf("then see that every pod works on its own volume: kafkarecover scan --statefulset %s -n %s", r.Name,
				r.Namespace))
	}
	return "the journal stays in " + r.result.Folder, nil
}

// resumeSet goes on with the restore of a StatefulSet: as it began, or verifying what was created already.
func resumeSet(ctx context.Context, t Target, rec *Recorded, given Repeated, deps Deps) (*Result, error) {
	createsSet := rec.Decision != nil && rec.Decision.Plan.step(StepStatefulSet) != nil
	if createsSet && given.DeclaredSet == nil && !rec.Announced() {
		return nil, &NotRepeatedError{Flags: []string{"--filename"}}
	}
	r := newRun(*rec.Began.Request, deps)
	r.recorded, r.operation, r.DryRun, r.DeclaredSet = rec, rec.Operation, DryRunNone, given.DeclaredSet
	r.result.Operation, r.result.Folder, r.result.Resource = rec.Operation, rec.Folder, setResource
	err := r.reopenSet(ctx, t.TakeOver)
	if err == nil {
		err = r.goOnSet(ctx)
	}
	return r.result, errors.Join(err, r.close(ctx, err))
}

func (r *run) reopenSet(ctx context.Context, takeOver string) error {
	var err error
	if r.place, err = placeOf(ctx, r.Kube); err != nil {
		return err
	}
	if err := r.recorded.bound(r.place); err != nil {
		return err
	}
	if err := r.lookSet(ctx); err != nil {
		return err
	}
	if r.recorded.otherKafka(r.pause.uid) {
		return fmt.Errorf("%s was replaced by another one since the operation began", r.Named())
	}
	return r.continueJournal(ctx, PhaseResume, takeOver, &r.Request)
}

func (r *run) goOnSet(ctx context.Context) error {
	if err := r.recorded.resumable(); err != nil { // another run may have ended it meanwhile
		return err
	}
	r.marked = true
	passed, err := r.recorded.passed(ctx, r.Kube)
	if err != nil {
		return err
	}
	if passed {
		r.adopt()
		return r.act(ctx, slices.DeleteFunc(r.setActions(), func(a action) bool {
			return a.id != StepVerify && a.id != StepRelease
		}))
	}
	if err := r.giveBackLent(ctx, StepRead); err != nil {
		return err
	}
	if err := r.settleClaims(ctx); err != nil {
		return err
	}
	return r.restoreSet(ctx)
}
