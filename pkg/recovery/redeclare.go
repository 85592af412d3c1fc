package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/redeclared"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// redeclaring is what became of the volumes that are declared anew.
type redeclaring struct {
	// todo are those that are not there, present those that are there with the same disk.
	todo, present []redeclared.Volume
	findings      []finding.Finding
}

// redeclareVolumes declares the volumes anew that were saved, before anything is read: what is not there cannot be.
// They are no claim's, and Retain, so that nobody can take them and their disks stay whatever happens to the objects;
// and they are taken back where the plan is not confirmed. refused tells that a rule, or what is there, forbids it;
// then nothing was made.
func (r *run) redeclareVolumes(ctx context.Context) (refused bool, err error) {
	if r.Redeclared == nil || r.recorded != nil && r.recorded.Decision != nil { // an earlier run has made them
		return false, nil
	}
	if !r.before.Planned {
		return r.refuse(fmt.Sprintf("kafka/%s is there: volumes are declared anew only where the cluster is made from "+
			"manifests, for its operator makes empty ones in their place otherwise", r.Name)), nil
	}
	list, err := r.Kube.List(ctx, kube.Volumes(), "", kube.ListOptions{})
	if err != nil {
		return false, fmt.Errorf("declare volumes anew: %w", err)
	}
	found := make([]volume.PersistentVolume, 0, len(list.Items))
	for i := range list.Items {
		found = append(found, volume.ParsePersistentVolume(list.Items[i].Object))
	}
	if reason := r.matchFound(found); reason != "" {
		return r.refuse(reason), nil
	}
	if r.redeclaring.findings, err = r.judgeRedeclared(ctx, found); err != nil {
		return false, err
	}
	if d := finding.Decide(r.redeclaring.findings, r.Accept); d.Refused() {
		r.result.Findings, r.result.Refusals = r.redeclaring.findings, d.Refusals
		return r.refuse(refusing(d.Refusals) + ". No volume was declared"), nil
	}
	step := r.planVolumes()
	if step.State == StepSkipped {
		return false, nil
	}
	step.State = StepRunning
	r.Report.Step(*step)
	if err := r.createVolumes(ctx); err != nil {
		step.State, step.Note = StepFailed, err.Error()
		r.Report.Step(*step)
		return false, err
	}
	step.State, step.Note = StepDone, fmt.Sprintf("%d, every one Released", len(r.redeclaring.todo))
	r.Report.Step(*step)
	return false, r.seeVolumes(ctx)
}

// refuse ends the run with a reason of its own.
func (r *run) refuse(reason string) bool {
	r.result.Outcome, r.result.Reason = OutcomeRefused, reason
	return true
}

// matchFound tells apart what is to be made and what is there already. Nothing that exists is overwritten: it says why
// where a volume of the same name is another disk, or is in no state to be taken as it is.
func (r *run) matchFound(found []volume.PersistentVolume) (reason string) {
	for _, v := range r.Redeclared.List {
		i := slices.IndexFunc(found, func(pv volume.PersistentVolume) bool { return pv.Name == v.PV.Name })
		if i < 0 {
			r.redeclaring.todo = append(r.redeclaring.todo, v)
			continue
		}
		is := &found[i]
		switch {
		case r.ownVolume(is):
			r.redeclaring.todo = append(r.redeclaring.todo, v) // by a run that died
		case is.Terminating:
			return fmt.Sprintf("pv/%s is there and is being deleted: wait until it is gone", is.Name)
		case is.Disk() != v.PV.Disk():
			return fmt.Sprintf("pv/%s is there and is another disk: %s %q on %q, and %s %q on %q was saved; nothing that "+
				"exists is overwritten", is.Name, is.Driver, is.Handle, is.Affinity(), v.PV.Driver, v.PV.Handle, v.PV.Affinity())
		case is.ClaimNamespace != r.Namespace || is.ClaimName != v.Claim:
			return fmt.Sprintf("pv/%s is there and names the claim %q, not %q: have it name that claim, or delete the object "+
				"once its policy is Retain", is.Name, is.ClaimNamespace+"/"+is.ClaimName, r.Namespace+"/"+v.Claim)
		default:
			r.redeclaring.present = append(r.redeclaring.present, v)
		}
	}
	return ""
}

// ownVolume tells whether this operation declared a volume.
func (r *run) ownVolume(pv *volume.PersistentVolume) bool {
	return isOwn(&unstructured.Unstructured{Object: pv.Object}, r.operation)
}

// judgeRedeclared judges what is to be made, beside every volume that is there.
func (r *run) judgeRedeclared(ctx context.Context, found []volume.PersistentVolume) ([]finding.Finding, error) {
	in := finding.Input{Cluster: r.before.Cluster, Redeclared: &finding.Redeclared{Copies: map[string]bool{}}}
	for _, v := range r.redeclaring.todo {
		in.Redeclared.Volumes = append(in.Redeclared.Volumes, v.PV)
		in.Redeclared.Copies[v.PV.Name] = v.Copied
	}
	for _, pv := range found {
		// Two others that are one disk are nobody's business here.
		if !r.ownVolume(&pv) && slices.ContainsFunc(in.Redeclared.Volumes, func(n volume.PersistentVolume) bool {
			return n.Disk() == pv.Disk()
		}) {
			in.Others = append(in.Others, pv)
		}
	}
	if origin := r.Redeclared.Origin; origin.ServerID == "" || origin.ServerID != r.place.ServerID {
		in.Redeclared.Elsewhere = origin.String()
	}
	nodes, err := r.Kube.List(ctx, kube.Nodes(), "", kube.ListOptions{})
	switch {
	case kube.IsForbidden(err):
		in.Redeclared.NodesProblem = err.Error()
	case err != nil:
		return nil, fmt.Errorf("declare volumes anew: %w", err)
	default:
		for i := range nodes.Items {
			in.Redeclared.Nodes = append(in.Redeclared.Nodes, volume.ParseNode(nodes.Items[i].Object))
		}
	}
	return finding.JudgeRedeclared(in), nil
}

// createVolumes makes the volumes and waits until each is Released.
func (r *run) createVolumes(ctx context.Context) error {
	for _, v := range r.redeclaring.todo {
		// The volume controller would bind it at once.
		claim := object.Map(v.Object.Object, "spec", "claimRef")
		held, err := r.claimLives(ctx, claim)
		if err != nil {
			return fmt.Errorf("declare pv %q anew: %w", v.PV.Name, err)
		}
		if held {
			return fmt.Errorf("declare pv %q anew: claim %q, which it was bound to, is there with the same UID: it would be "+
				"bound before it was read", v.PV.Name, v.Claim)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writesAtOnce)
	for _, v := range r.redeclaring.todo {
		group.Go(func() error { return r.createVolume(ctx, v) })
	}
	return group.Wait()
}

func (r *run) createVolume(ctx context.Context, v redeclared.Volume) error {
	var err error
	if r.write.journal == nil { // a dry run takes it back
		var marked *unstructured.Unstructured
		if marked, err = r.declaredToBeRead(v.Object); err == nil {
			_, err = createOwn(ctx, r.Kube, kube.Volumes(), marked)
		}
	} else {
		_, err = r.write.create(ctx, StepVolumes, kube.Volumes(), r.stamped(v.Object))
	}
	if err != nil {
		return fmt.Errorf("declare pv %q anew: %w", v.PV.Name, err)
	}
	if err := r.waitReleased(ctx, v.PV.Name); err != nil {
		return fmt.Errorf("declare pv %q anew: %w", v.PV.Name, err)
	}
	return nil
}

// declaredToBeRead says on a volume that a dry run declares what it is there for. A dry run keeps no journal: where it
// is killed nothing else tells that the object may go (pkg/leftover).
func (r *run) declaredToBeRead(pv *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	spec, err := json.Marshal(object.Map(pv.Object, "spec"))
	if err != nil {
		return nil, fmt.Errorf("mark it as declared to be read: %w", err)
	}
	out := annotated(r.stamped(pv), DeclaredAnnotation, string(spec))
	labels := out.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[ManagedByLabel], labels[OperationLabel] = ManagedBy, r.operation
	out.SetLabels(labels)
	return out, nil
}

// seeVolumes looks at the objects once more, now that the volumes are among them.
func (r *run) seeVolumes(ctx context.Context) error {
	seen, err := r.Look(ctx, LookRequest{
		Namespace: r.Namespace, Name: r.Name, Depth: Objects, Excluded: r.excluded, Planned: r.Declared.Planned(),
		Include: r.Include,
	})
	if err != nil {
		return err
	}
	if !seen.Planned {
		return errReplaced
	}
	r.before = seen
	return nil
}

// claimLives tells whether the very claim of a claimRef is there.
func (r *run) claimLives(ctx context.Context, ref map[string]any) (bool, error) {
	if ref == nil {
		return false, nil
	}
	u, err := r.Kube.Get(ctx, kube.Claims(), object.String(ref, "namespace"), object.String(ref, "name"))
	if kube.IsNotFound(err) {
		return false, nil
	}
	return err == nil && string(u.GetUID()) == object.String(ref, "uid"), err
}

// mayForget says why the object of a volume that the operation declared must not be taken back; created is what was
// declared. With Retain the disk stays; with another policy it would go, and what a claim holds, or somebody has
// changed, is not the operation's any more.
func (r *run) mayForget(ctx context.Context, u *unstructured.Unstructured, created map[string]any) (string, error) {
	pv := volume.ParsePersistentVolume(u.Object)
	if pv.ReclaimPolicy != volume.PolicyRetain {
		return fmt.Sprintf("its reclaim policy is %q: the disk would go with it; `kafkarecover protect pv/%s`",
			pv.ReclaimPolicy, pv.Name), nil
	}
	held, err := r.claimLives(ctx, object.Map(u.Object, "spec", "claimRef"))
	if err != nil || held {
		return fmt.Sprintf("claim %q holds it", pv.ClaimNamespace+"/"+pv.ClaimName), err
	}
	return changedSince(u, object.Map(created, "spec")), nil
}

// changedSince says what of a volume is another than it was declared with; who may have it is told by the claims.
func changedSince(u *unstructured.Unstructured, declared map[string]any) string {
	spec := object.Clone(declared)
	delete(spec, "claimRef")
	for _, f := range leaves([]string{"spec"}, spec) {
		if !f.equals(u.Object, f.value) {
			return fmt.Sprintf("%s is %s, and was declared as %s: %s", f, valueText(f.of(u.Object)), valueText(f.value),
				whoWrote(u, f.path))
		}
	}
	return ""
}

// DeclaredToBeRead tells whether a volume is as a dry run declared it to read it, and the UID of the claim that it
// names as long as nobody has bound it.
func DeclaredToBeRead(u *unstructured.Unstructured) (claimUID string, is bool) {
	var spec map[string]any
	mark := u.GetAnnotations()[DeclaredAnnotation]
	if mark == "" || json.Unmarshal([]byte(mark), &spec) != nil {
		return "", false
	}
	claimUID = object.String(spec, "claimRef", "uid")
	return claimUID, claimUID != "" && changedSince(u, spec) == ""
}

// forget deletes the object of a volume, only as it was looked at: nobody changes its policy in between.
func (r *run) forget(ctx context.Context, step StepID, u *unstructured.Unstructured) error {
	remove := func() error {
		err := r.Kube.Delete(ctx, kube.Volumes(), "", u.GetName(), kube.DeleteOptions{
			UID: u.GetUID(), ResourceVersion: u.GetResourceVersion(),
		})
		if kube.IsNotFound(err) {
			return nil
		}
		return err
	}
	if r.write.journal == nil {
		return remove()
	}
	return r.write.do(ctx, step, Change{Object: refOf(u), Verb: VerbDelete}, remove)
}

// takeBackVolumes takes back what was declared for a plan that was not confirmed, as what is lent is given back. What
// was confirmed once is for undo.
func (r *run) takeBackVolumes(ctx context.Context) error {
	if r.confirmed || r.recorded != nil && r.recorded.Decision != nil {
		return nil
	}
	errs := make([]error, len(r.redeclaring.todo)) // each volume has its own
	var group errgroup.Group
	group.SetLimit(writesAtOnce)
	for i, v := range r.redeclaring.todo {
		group.Go(func() error {
			err := r.atNewest(ctx, func(ctx context.Context) error { return r.takeBackVolume(ctx, v) })
			if err != nil {
				errs[i] = fmt.Errorf("take back pv %q, which was declared: %w", v.PV.Name, err)
			}
			return nil
		})
	}
	_ = group.Wait()
	err := errors.Join(errs...)
	if err != nil {
		r.touched = true // so that the journal's copy stays, and undo can be tried
	}
	return err
}

func (r *run) takeBackVolume(ctx context.Context, v redeclared.Volume) error {
	u, err := r.Kube.Get(ctx, kube.Volumes(), "", v.PV.Name)
	if kube.IsNotFound(err) || err == nil && !isOwn(u, r.operation) {
		return nil
	}
	if err != nil {
		return err
	}
	left, err := r.mayForget(ctx, u, v.Object.Object)
	if err != nil {
		return err
	}
	if left != "" {
		return errors.New(left)
	}
	if err := r.forget(ctx, StepVolumes, u); err != nil {
		return err
	}
	return r.waitGone(ctx, kube.Volumes(), "", v.PV.Name, u.GetUID())
}

// undoVolume takes back a volume that the operation declared.
func (r *run) undoVolume(ctx context.Context, g *group, u *unstructured.Unstructured) error {
	var created map[string]any
	if err := json.Unmarshal(g.created, &created); err != nil {
		g.state, g.note = UndoLeft, "the journal does not say how it was declared: "+err.Error()
		return nil //nolint:nilerr // it is told of the group; the others are taken back
	}
	left, err := r.mayForget(ctx, u, created)
	if left != "" || err != nil {
		g.state, g.note = UndoLeft, left
		return err
	}
	g.state, g.note, g.wrote = UndoDone, "the object deleted, its disk kept", true
	return r.forget(ctx, StepUndo, u)
}

// planVolumes is the step that declares volumes anew; nil where none are.
func (r *run) planVolumes() *Step {
	if r.Redeclared == nil {
		return nil
	}
	s := &Step{
		ID: StepVolumes, Title: fmt.Sprintf("declare %s anew, as saved on %s",
			wording.Count(len(r.redeclaring.todo), "volume", "volumes"), r.Redeclared.Origin.Time.UTC().Format(time.RFC3339)),
		Check: "every one Released and Retain, bound to no claim; a volume is never Available in between",
		Undo:  "delete the objects where they are still as they were declared and no claim holds them; the disks stay",
		Risk: "a PersistentVolume is an object of the whole cluster; another Kubernetes cluster that has these disks must " +
			"not run on them",
	}
	for _, v := range r.redeclaring.todo {
		text := fmt.Sprintf("create pv/%s: %s %q, policy Retain, for claim %s", v.PV.Name, v.PV.Driver, v.PV.Handle, v.Claim)
		for _, m := range v.Mapped {
			text += "; " + m
		}
		s.Does = append(s.Does, text)
	}
	switch present := len(r.redeclaring.present); {
	case len(s.Does) == 0:
		s.State, s.Note = StepSkipped, fmt.Sprintf("all %d are there already, with the same disks", present)
	case r.DryRun == DryRunNone:
		s.State, s.Note = StepDone, fmt.Sprintf("%d declared, %d were there already", len(s.Does), present)
	}
	return s
}

// withRedeclared adds what was found of the volumes before they were declared. That two are one disk is found again
// once they are there.
func (r *run) withRedeclared(findings []finding.Finding) []finding.Finding {
	for _, f := range r.redeclaring.findings {
		again := func(o finding.Finding) bool { return o.Rule == f.Rule && o.Subject == f.Subject }
		if !slices.ContainsFunc(findings, again) {
			findings = append(findings, f)
		}
	}
	finding.Sort(findings)
	return findings
}
