package recovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
	"github.com/kafkarecover/kafkarecover/pkg/statefulset"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// kafkaPrefix is in the place of a type where nothing else is said.
const kafkaPrefix = "kafka"

// Named names what an operation is about, as TYPE/NAME: an empty resource is a Kafka resource.
func Named(resource, name string) string { return cmp.Or(resource, kafkaPrefix) + "/" + name }

// Resource is the type of what the operation is about; empty for a Kafka resource.
func (r *Recorded) Resource() string {
	if r.ofSet() {
		return setResource
	}
	return ""
}

// ofSet tells that the operation is about a StatefulSet, and not about a Kafka resource.
func (r *Recorded) ofSet() bool { return r.Began.Kafka.Kind == statefulset.Kind }

// RestoreSet makes the claims of a StatefulSet that runs Kafka again for the volumes they were of, and creates the
// StatefulSet where it is gone and was given. The result is as that of Restore.
func RestoreSet(ctx context.Context, req Request, deps Deps) (*Result, error) {
	req.StatefulSet = true
	r := newRun(req, deps)
	r.result.Resource = setResource
	return r.result, r.executeSet(ctx)
}

// setResource is the type of a StatefulSet as a person types it.
const setResource = "statefulset"

func (r *run) executeSet(ctx context.Context) error {
	if err := r.lookSet(ctx); err != nil {
		return err
	}
	err := r.open(ctx)
	if err == nil {
		err = r.restoreSet(ctx)
	}
	return errors.Join(err, r.close(ctx, err))
}

// setRequest asks for a look at the StatefulSet.
func (r *run) setRequest(depth Depth) LookRequest {
	return LookRequest{
		Namespace: r.Namespace, Name: r.Name, Depth: depth, Excluded: r.excluded, StatefulSet: true,
		DeclaredSet: r.DeclaredSet,
	}
}

// lookSet finds the StatefulSet, and checks permissions before anything is touched.
func (r *run) lookSet(ctx context.Context) error {
	_, err := r.Kube.Get(ctx, kube.Namespaces(), "", r.Namespace)
	switch {
	case kube.IsNotFound(err):
		return fmt.Errorf("namespace %q is not there: make it as it was, then run this again", r.Namespace)
	case err != nil && !kube.IsForbidden(err):
		return fmt.Errorf("look at namespace %q: %w", r.Namespace, err)
	}
	seen, err := r.Look(ctx, r.setRequest(Objects))
	if err != nil {
		return err
	}
	if err := r.mayOutlast(seen); err != nil {
		return err
	}
	r.before = seen
	r.write = &writer{kube: r.Kube}
	r.pause = &pauser{
		writer: r.write, gvr: kube.StatefulSets(), namespace: r.Namespace, name: r.Name, uid: seen.Set.UID,
	}
	needed := SetAccess(r.Namespace)
	if !seen.VolumesForbidden {
		needed = append(needed, VolumeAccess()...)
	}
	if seen.Set.Declared {
		needed = append(needed, CreateSetAccess(r.Namespace)...)
	} else if r.DeclaredSet != nil && r.recorded == nil {
		r.Report.Warn(r.Named() + " is there: its manifest is not needed, and nothing is created")
	}
	return r.require(ctx, needed)
}

// Named names what is looked at, as TYPE/NAME.
func (r *LookRequest) Named() string {
	if r.StatefulSet {
		return Named(setResource, r.Name)
	}
	return Named("", r.Name)
}

// Named names what the request is about, as TYPE/NAME.
func (r *Request) Named() string {
	if r.StatefulSet {
		return Named(setResource, r.Name)
	}
	return Named("", r.Name)
}

// resource is the type of what the run is about; empty for a Kafka resource.
func (r *run) resource() string {
	if r.StatefulSet {
		return setResource
	}
	return ""
}

// ByReplicasError says that something waits for a StatefulSet to be scaled, which no operation does.
type ByReplicasError struct {
	Operation, Reason string
	// Command is what a person types.
	Command string
}

// Error says why, and the command.
func (e *ByReplicasError) Error() string {
	return fmt.Sprintf("operation %q: %s: %s", e.Operation, e.Reason, e.Command)
}

// refuseInUse ends an undo while pods use the claims that the operation made: a volume must not be taken from under
// them.
func (r *run) refuseInUse(ctx context.Context) error {
	var claims []string
	for _, ref := range r.recorded.createdClaims(StepClaims) {
		claims = append(claims, ref.Name)
	}
	users, err := r.claimUsers(ctx, claims)
	if err != nil || len(users) == 0 {
		return err
	}
	return &ByReplicasError{
		Operation: r.operation, Command: haltSet(r.Namespace, r.Name),
		Reason: fmt.Sprintf("the claims that it made are in use by %s, which has to be stopped first", podNames(users)),
	}
}

// haltSet is the command that stops the pods of a StatefulSet.
func haltSet(namespace, name string) string {
	return (&statefulset.Set{Namespace: namespace, Name: name}).ScaleCommand(0)
}

// restoreSet goes from the first change to the verified pods.
func (r *run) restoreSet(ctx context.Context) error {
	retained, err := r.retain(ctx)
	if err != nil {
		return err
	}
	if err := r.judgeSet(ctx); err != nil || r.decision.Refused() || r.setIsRight() {
		return err
	}
	if err := r.planSet(retained); err != nil {
		return err
	}
	if r.DryRun != DryRunNone {
		r.result.Outcome, r.result.Reason = OutcomePlanned, "dry run: nothing was changed"
		return r.dryRunSet(ctx)
	}
	if !r.asDecided() {
		return nil
	}
	if ok, err := r.confirm(ctx, retained, "no claim was made"); !ok || err != nil {
		return err
	}
	if err := r.decideSet(ctx); err != nil {
		return err
	}
	r.result.Outcome = OutcomeUnfinished
	return r.act(ctx, r.setActions())
}

// judgeSet reads the volumes and applies the rules. Refusals end the run with everything that was found.
func (r *run) judgeSet(ctx context.Context) error {
	req := r.setRequest(Volumes)
	req.Lender = r.lender(StepRead)
	seen, err := r.Look(ctx, req)
	if err != nil {
		return err
	}
	if seen.Set.UID != r.pause.uid {
		return fmt.Errorf("%s was replaced by another one since it was looked at: run this again", r.Named())
	}
	r.before, r.result.Findings = seen, seen.Findings
	r.weigh(seen.Findings)
	return nil
}

// setIsRight ends the run where nothing is to be made.
func (r *run) setIsRight() bool {
	if r.before.Set.Declared || len(r.missingClaims()) > 0 || r.recorded != nil {
		return false
	}
	id, _, err := r.chooseID()
	if err != nil {
		return false
	}
	r.result.Outcome, r.result.ClusterID = OutcomeAlreadyRight, id
	r.result.Reason = fmt.Sprintf("%s is there, and of its claims %s, of cluster %s; no claim was made", r.Named(),
		wording.Count(len(r.before.Volumes), "holds its volume", "hold their volumes"), id)
	return true
}

// setClaim is the claim that the StatefulSet controller would make for a pod, but for the volume, which it names.
func (r *run) setClaim(set *statefulset.Set, p placement.Placement) (*unstructured.Unstructured, error) {
	v, err := r.placed(p)
	if err != nil {
		return nil, err
	}
	annotations := map[string]string{}
	t := set.Template(p.Pool)
	if t != nil {
		for k, text := range t.Annotations {
			annotations[k] = text
		}
	}
	annotations[CreatedAnnotation] = r.operation
	claim := binding.NewClaim(v.PV, r.Namespace, p.Claim, p.Request, set.ClaimLabels(p.Pool), annotations)
	if modes := placement.AccessModes(t, v.PV); modes != nil {
		if err := unstructured.SetNestedStringSlice(claim.Object, modes, "spec", "accessModes"); err != nil {
			return nil, fmt.Errorf("make claim %q: %w", p.Claim, err)
		}
	}
	return claim, nil
}

// decideSet journals what was confirmed.
func (r *run) decideSet(ctx context.Context) error {
	if r.recorded != nil && r.recorded.Decision != nil {
		r.base = r.recorded.Decision.Baseline
		r.base.adopt(r.before.Volumes)
		return r.write.journal.Append(ctx, "", PhaseNote, "confirmed again, as it was decided")
	}
	r.base = baselineOf(r.plan.ClusterID, r.before.Volumes, r.excluded)
	for _, f := range r.decision.Accepted {
		if name, ok := strings.CutPrefix(f.Subject, "pvc/"); ok && f.Rule == ruleOrdinalMissing {
			r.base.claims[name] = claimIdentity{} // the StatefulSet controller makes it
		}
	}
	r.touched = true
	return r.journalDecision(ctx)
}

// ruleOrdinalMissing is the rule whose acceptance says that a pod may start on a new volume.
const ruleOrdinalMissing = "statefulset-ordinal-missing"

// dryRunSet has the API server check what would be created.
func (r *run) dryRunSet(ctx context.Context) error {
	if r.DryRun != DryRunServer {
		return nil
	}
	var errs []error
	for _, p := range r.missingClaims() {
		object, err := r.claimObject(p)
		if err != nil {
			return err
		}
		if _, err := r.Kube.Create(ctx, kube.Claims(), object, true); err != nil {
			errs = append(errs, fmt.Errorf("server dry run, create %s: %w", declared.Ref(object), err))
		}
	}
	for _, c := range r.setObjects() {
		if _, err := r.Kube.Create(ctx, c.gvr, c.object, true); err != nil && !kube.IsAlreadyExists(err) {
			errs = append(errs, fmt.Errorf("server dry run, create %s: %w", declared.Ref(c.object), err))
		}
	}
	r.result.Reason = "server dry run: the API server accepts what would be created; nothing was changed"
	return errors.Join(errs...)
}

// setObjects are what is created where the StatefulSet is gone: what its pods need, then itself.
func (r *run) setObjects() []created {
	if !r.before.Set.Declared || r.DeclaredSet == nil {
		return nil
	}
	out := r.besideObjects()
	set := annotated(r.stamped(r.DeclaredSet.Set), OperationAnnotation, r.operation)
	return append(out, created{kube.StatefulSets(), set})
}

func (r *run) besideObjects() []created {
	var out []created
	for _, o := range r.DeclaredSet.Beside {
		gvr := kube.Services()
		if o.GetKind() == statefulset.KindConfigMap {
			gvr = kube.ConfigMaps()
		}
		out = append(out, created{gvr, r.stamped(o)})
	}
	return out
}

// scaleTo is how many pods the set needs for its volumes.
func (r *run) scaleTo() int32 {
	set, n := r.before.Set, int32(0)
	for i := range r.before.Volumes {
		if claim, ok := set.ParseClaim(strings.TrimPrefix(r.before.Volumes[i].Name, "pvc/")); ok {
			n = max(n, claim.Ordinal-set.Start+1)
		}
	}
	return n
}

// afterSetFailure says how things stand and what can be done now.
func (r *run) afterSetFailure(id StepID, err error) {
	r.result.Reason = fmt.Sprintf("step %q: %v", id, err)
	switch {
	case r.unpaused && r.result.Outcome == OutcomeWrong:
		r.result.Reason = fmt.Sprintf("%s was created, and is not as it was: %v", r.Named(), err)
		r.result.Next = append(r.result.Next, "to stop its pods: "+r.before.Set.ScaleCommand(0))
	case r.unpaused:
		r.result.Outcome = OutcomeUnverified
		r.result.Reason = fmt.Sprintf("%s was created, and is not verified: %v", r.Named(), err)
		r.result.Next = append(r.result.Next, fmt.Sprintf("to wait for it and verify it: kafkarecover resume %s -n %s",
			r.operation, r.Namespace), "to stop its pods: "+r.before.Set.ScaleCommand(0))
	case id == StepLock:
		r.result.Outcome = OutcomeRefused
	default:
		r.result.Outcome = OutcomeUnfinished
		r.result.Next = append(r.result.Next, fmt.Sprintf("no pod was started by this run; to go on, once the reason is "+
			"gone: kafkarecover resume %s -n %s", r.operation, r.Namespace),
			fmt.Sprintf("or give it up: kafkarecover undo %s -n %s", r.operation, r.Namespace))
	}
}

// SetAccess lists what restoring a StatefulSet needs to be allowed in its namespace. docs/rbac is generated from it.
func SetAccess(namespace string) []kube.Access {
	var all []kube.Access
	add := func(group, resource, sub, why string, verbs ...string) {
		for _, v := range verbs {
			all = append(all, kube.Access{
				Verb: v, Group: group, Resource: resource, Subresource: sub, Namespace: namespace, For: why,
			})
		}
	}
	own := slices.DeleteFunc(RestoreAccess(namespace, strimzi.Versions()[0]), func(a kube.Access) bool {
		return a.Group != "" && a.Group != "coordination.k8s.io"
	})
	all = append(all, own...)
	add("apps", "statefulsets", "", "see the StatefulSet, and mark it with the operation", "get", "patch")
	add("", "persistentvolumeclaims", "", "make the claims that are gone, and claims that borrow a volume to read it",
		"watch", "create", "patch", "delete")
	return append(all, kube.Access{Verb: "watch", Resource: "persistentvolumes", For: "see volumes bound"})
}

// CreateSetAccess lists what creating a StatefulSet that is gone needs besides, and taking back what was made for it.
func CreateSetAccess(namespace string) []kube.Access {
	var all []kube.Access
	add := func(group, resource string, verbs ...string) {
		for _, v := range verbs {
			all = append(all, kube.Access{
				Verb: v, Group: group, Resource: resource, Namespace: namespace, For: "create the StatefulSet that is gone",
			})
		}
	}
	add("apps", "statefulsets", "create")
	add("", "services", "get", "create", "delete")
	return all
}
