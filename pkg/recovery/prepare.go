package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// writesAtOnce bounds how many volumes are patched side by side; a hundred take about a second with it.
const writesAtOnce = 16

const retainPolicy = "Retain"

// retainOutcome is what the first step found and did.
type retainOutcome struct {
	patched []string
	already int
}

// retain sets the reclaim policy Retain on every volume of the cluster and reads it back, before anything else (safety
// contract, line 2). It comes before the plan is confirmed: it protects, and is never undone.
func (r *run) retain(ctx context.Context) (retainOutcome, error) {
	var out retainOutcome
	var todo []*volume.PersistentVolume
	for _, pv := range r.before.persistentVolumes(r.RebindClaims) {
		switch {
		case pv == nil:
		case pv.ReclaimPolicy == retainPolicy && slices.Contains(r.retainedFirst, pv.Name):
			out.patched = append(out.patched, pv.Name) // by this run, before the namespace went
		case pv.ReclaimPolicy == retainPolicy:
			out.already++
		default:
			todo = append(todo, pv)
			out.patched = append(out.patched, pv.Name)
		}
	}
	slices.Sort(out.patched)
	if r.DryRun != DryRunNone || len(todo) == 0 {
		return out, nil
	}
	r.touched = true
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writesAtOnce)
	for _, pv := range todo {
		group.Go(func() error { return r.retainOne(ctx, StepRetain, pv) })
	}
	return out, group.Wait()
}

// retainOne sets Retain on one volume in the name of a step, and reads it back.
func (r *run) retainOne(ctx context.Context, step StepID, pv *volume.PersistentVolume) error {
	u, err := r.Kube.Get(ctx, kube.Volumes(), "", pv.Name)
	if err != nil {
		return fmt.Errorf("set Retain: %w", err)
	}
	if string(u.GetUID()) != pv.UID {
		return fmt.Errorf("set Retain: pv %q was replaced by another one since it was looked at", pv.Name)
	}
	_, err = protect.Retain(ctx, r.Kube, pv, func(ctx context.Context, body []byte) error {
		_, err := r.write.patch(ctx, step, kube.Volumes(), u, strimzi.Patch{Body: body})
		return err
	})
	return err
}

// judge reads the volumes and applies the rules. Refusals end the run with everything that was found.
func (r *run) judge(ctx context.Context) error {
	seen, err := r.lookAtVolumes(ctx)
	if err != nil {
		return err
	}
	if r.ClusterID != "" && r.excludeOthers(seen) {
		if err := r.endVigil(); err != nil {
			return err
		}
		// Judged once more: what those volumes held counts as lost from here on.
		if seen, err = r.lookAtVolumes(ctx); err != nil {
			return err
		}
	}
	seen.Findings = r.withHeld(r.withRedeclared(seen.Findings))
	r.before = seen
	r.result.Findings = seen.Findings
	if err := r.judgeAsides(); err != nil {
		r.result.Reason = err.Error()
		return err
	}
	if err := r.findLost(); err != nil {
		return err
	}
	r.weigh(seen.Findings)
	if r.decision.Refused() {
		r.result.Next = append(append(r.result.Next, misplaced(seen.Volumes)...), r.unnamed(seen)...)
	}
	return nil
}

// weigh notes what findings mean for the run: refusals end it.
func (r *run) weigh(findings []finding.Finding) {
	r.decision = finding.Decide(findings, r.Accept)
	for _, l := range r.decision.Unused {
		r.Report.Warn(fmt.Sprintf("--accept %s lifts nothing: there is no such finding now", l))
	}
	if r.decision.Refused() {
		r.result.Outcome, r.result.Refusals = OutcomeRefused, r.decision.Refusals
		r.result.Reason = refusing(r.decision.Refusals)
		if !r.RebindClaims {
			r.result.Next = append(r.result.Next, madeTooEarly(r.decision.Refusals)...)
		}
	}
}

// volumesRequest asks for a look at the volumes, as this run judges them.
func (r *run) volumesRequest() LookRequest {
	return LookRequest{
		Namespace: r.Namespace, Name: r.Name, Depth: Volumes, Excluded: r.excluded, ClusterID: r.ClusterID,
		SetAside: r.leftOut(), Visit: r.visitAsides, Lost: r.Lost,
	}
}

// persistentVolumes are those of the claims, and those that no claim holds where the resources are gone, or where that
// is asked for.
func (o *Observation) persistentVolumes(released bool) []*volume.PersistentVolume {
	var out []*volume.PersistentVolume
	for i := range o.Volumes {
		out = append(out, o.Volumes[i].PV)
	}
	for i := range o.Others {
		if o.Planned || o.Set != nil || released {
			out = append(out, &o.Others[i])
		}
	}
	return out
}

func (r *run) lookAtVolumes(ctx context.Context) (*Observation, error) {
	req := r.volumesRequest()
	r.beginVigil(ctx, &req)
	if r.before.Planned {
		req.Planned, req.Include, req.Lender = r.Declared.Planned(), r.Include, r.lender(StepRead)
	}
	if r.RebindClaims && !r.rebound {
		req.Rebind, req.Lender = true, r.lender(StepRead)
	}
	seen, err := r.Look(ctx, req)
	if err != nil {
		return nil, err
	}
	if seen.Cluster == nil || seen.Cluster.Kafka.UID != r.pause.uid {
		return nil, errReplaced
	}
	return seen, nil
}

// excludeOthers gives up the volumes that say another cluster ID than --cluster-id: Kafka will refuse to start on them
// ("Invalid cluster.id"), and what they hold must not be counted on. It tells whether there are any.
func (r *run) excludeOthers(seen *Observation) bool {
	more := false
	for i := range seen.Volumes {
		v := &seen.Volumes[i]
		if v.Contents == nil || r.excluded[v.Name] {
			continue
		}
		for j := range v.Contents.Dirs {
			meta := v.Contents.Dirs[j].Meta
			if meta != nil && meta.ClusterID != nil && *meta.ClusterID != r.ClusterID {
				r.excluded[v.Name], more = true, true
				r.foreign = append(r.foreign, v.Name+" says "+*meta.ClusterID)
			}
		}
	}
	return more
}

// chooseID settles the ID that is written back: what all volumes agree on, or the one asked for.
func (r *run) chooseID() (id, from string, err error) {
	volumes := without(r.before.Volumes, r.excluded)
	agreed, groups, ok := finding.AgreedClusterID(volumes)
	switch {
	case r.ClusterID == "" && ok:
		return agreed, "meta.properties of " + wording.Count(len(volumes), "volume says it", "volumes agree"), nil
	case r.ClusterID == "":
		return "", "", errNoID
	}
	for _, g := range groups {
		if g.ID == r.ClusterID {
			return g.ID, fmt.Sprintf("--cluster-id, as %d log directories say", len(g.Dirs)), nil
		}
	}
	if slices.Contains(r.Accept, finding.Lift{Rule: ruleNotOnAnyVolume, Subject: "cluster/" + r.ClusterID}) {
		return r.ClusterID, "--cluster-id alone, as accepted: none of the volumes that were read says it", nil
	}
	return "", "", fmt.Errorf("--cluster-id %q is on none of the volumes that were read: %w", r.ClusterID, errNoID)
}

const ruleNotOnAnyVolume = "cluster-id-not-on-any-volume"

var errNoID = errors.New("no cluster ID is established by the volumes")

func without(volumes []volume.Volume, excluded map[string]bool) []volume.Volume {
	var kept []volume.Volume
	for i := range volumes {
		if !excluded[volumes[i].Name] {
			kept = append(kept, volumes[i])
		}
	}
	return kept
}

// mark annotates the resource and its volumes with the operation, so that other tools and people see who holds them.
func (r *run) mark(ctx context.Context) error {
	return r.annotate(ctx, StepLock, r.operation)
}

// unmark removes the annotation again, where it is still this operation's.
func (r *run) unmark(ctx context.Context) error {
	if !r.marked {
		return nil
	}
	r.marked = false
	return r.annotate(ctx, StepRelease, "")
}

func (r *run) annotate(ctx context.Context, step StepID, value string) error {
	type target struct {
		gvr      schema.GroupVersionResource
		ns, name string
	}
	var targets []target
	if !r.before.Planned { // what is created is created with it
		targets = append(targets, target{r.pause.gvr, r.pause.namespace, r.pause.name})
	}
	for _, pv := range r.held(value == "") {
		targets = append(targets, target{kube.Volumes(), "", pv})
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writesAtOnce)
	for _, t := range targets {
		group.Go(func() error { return r.annotateOne(ctx, step, t.gvr, t.ns, t.name, value) })
	}
	return group.Wait()
}

func (r *run) annotateOne(
	ctx context.Context, step StepID, gvr schema.GroupVersionResource, ns, name, value string,
) error {
	u, err := r.Kube.Get(ctx, gvr, ns, name)
	if err != nil {
		return fmt.Errorf("mark with the operation: %w", err)
	}
	was := u.GetAnnotations()[OperationAnnotation]
	body := []byte(fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, OperationAnnotation, value))
	switch {
	case value == "" && was != r.operation:
		return nil // not ours: a later operation holds it
	case value == was:
		return nil // by a run of this operation that died
	case value == "":
		body = []byte(fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, OperationAnnotation))
	}
	_, err = r.write.patch(ctx, step, gvr, u, strimzi.Patch{Body: body})
	if err != nil {
		return fmt.Errorf("mark with the operation: %w", err)
	}
	return nil
}
