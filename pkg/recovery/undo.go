package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// StepUndo is what the changes of an undo are journaled under. They are no steps of a plan and are never undone.
const StepUndo StepID = "undo"

// PassedError says that an operation is past its point of no return.
type PassedError struct {
	Operation, Namespace string
	// Irreversible is what was done that no undo takes back.
	Irreversible []string
	// Halt is the command that halts what was started.
	Halt string
}

// Error lists what was irreversible and what can be done.
func (e *PassedError) Error() string {
	return fmt.Sprintf("operation %q is past its point of no return and cannot be undone: %s; to halt the cluster: "+
		"%s", e.Operation, strings.Join(e.Irreversible, "; "), e.Halt)
}

// Undo takes an operation back that has not passed its point of no return: it walks the journal backwards and puts back
// what the operation wrote, on objects that are still as the operation left them. What somebody else has changed since
// is left and named. Retain stays.
func Undo(ctx context.Context, t Target, deps Deps) (*Reversal, error) {
	r, err := loadRun(ctx, t, deps)
	if err != nil {
		return nil, err
	}
	if e := r.recorded.Ended; e != nil && e.Outcome == OutcomeUndone {
		return nil, errors.Join(&EndedError{Operation: r.operation, Outcome: e.Outcome, Next: "nothing of it is left"},
			dropDead(ctx, r.Kube, r.Clock, r.recorded))
	}
	out := &Reversal{
		TypeMeta: output.Meta("Undo"), Operation: r.operation, Folder: r.recorded.Folder, Namespace: r.Namespace,
		Cluster: r.Name, Resource: r.resource(), Outcome: OutcomeLeftPaused,
	}
	if err := r.refusePassed(ctx); err != nil {
		return nil, err
	}
	if _, err := r.recorded.groups(); err != nil { // refused before anything is written, the journal included
		return nil, err
	}
	if err = r.beginUndo(ctx, t.TakeOver); err == nil {
		err = r.undo(ctx, out)
	}
	return out, errors.Join(err, r.endReversal(ctx, out, err))
}

// loadRun prepares a run that goes on with a recorded operation without looking at the cluster's volumes.
func loadRun(ctx context.Context, t Target, deps Deps) (*run, error) {
	rec, err := Load(ctx, deps.Kube, deps.StateDir, t.Namespace, t.Operation)
	if err != nil {
		return nil, err
	}
	_, version, _ := strings.Cut(rec.Began.Kafka.APIVersion, "/")
	r := &run{
		Request: *rec.Began.Request, Deps: deps, excluded: map[string]bool{}, recorded: rec, operation: rec.Operation,
		result: &Result{}, write: &writer{kube: deps.Kube},
	}
	r.pause = &pauser{
		writer: r.write, gvr: strimzi.KafkaGVR(version), namespace: r.Namespace, name: r.Name, uid: rec.kafkaUID(),
		timeout: r.pauseTimeout(nil), say: func(text string) { r.Report.Waiting(StepStop, text) },
	}
	if r.place, err = placeOf(ctx, r.Kube); err != nil {
		return nil, err
	}
	return r, rec.bound(r.place)
}

// refusePassed ends the run where the point of no return was passed.
func (r *run) refusePassed(ctx context.Context) error {
	passed, err := r.recorded.passed(ctx, r.Kube)
	if err == nil && !passed && r.StatefulSet {
		return r.refuseInUse(ctx)
	}
	if err != nil || !passed {
		return err
	}
	halt := fmt.Sprintf("kafkarecover stop %s -n %s", r.operation, r.Namespace)
	if r.StatefulSet {
		halt = haltSet(r.Namespace, r.Name)
	}
	return &PassedError{
		Operation: r.operation, Namespace: r.Namespace, Irreversible: r.recorded.irreversible(), Halt: halt,
	}
}

// irreversible lists what was done from the point of no return on, and what was deleted.
func (r *Recorded) irreversible() []string {
	var out []string
	passed := false
	for i := range r.Entries {
		e := &r.Entries[i]
		passed = passed || r.noReturn(e.Step)
		for _, c := range e.Changes {
			own := isOwnByKind(&c.Object) && c.Before == nil
			if e.Phase != PhaseIntent || isMarker(&c) || (!passed && c.Verb != VerbDelete) || own {
				continue
			}
			text := fmt.Sprintf("%s of %s (step %s)", c.Verb, c.Object, e.Step)
			if !slices.Contains(out, text) && e.Step != string(StepRelease) {
				out = append(out, text)
			}
		}
	}
	if passed {
		out = append(out, "Kafka may have started on the volumes and written to them")
	}
	return out
}

// undo takes back group by group, the newest first.
func (r *run) undo(ctx context.Context, out *Reversal) error {
	if err := r.refusePassed(ctx); err != nil { // another run may have gone on meanwhile
		return err
	}
	if err := r.adoptHold(ctx); err != nil {
		return err
	}
	if err := r.giveBackLent(ctx, StepUndo); err != nil {
		return err
	}
	groups, err := r.recorded.groups()
	if err != nil {
		return err
	}
	for i := range groups {
		g := &groups[i]
		if g.unpauses() {
			if err := r.settleUndone(ctx, groups[:i]); err != nil {
				return err
			}
			if left := notBack(groups[:i]); left != "" {
				g.state, g.note = UndoLeft, "it stays paused, because of what was left as it is: "+left
				break
			}
		}
		if err := r.undoGroup(ctx, g); err != nil {
			g.state, g.note = UndoFailed, err.Error()
			out.take(groups)
			return fmt.Errorf("undo: %w", err)
		}
	}
	out.take(groups)
	return nil
}

// undoRounds bounds how often what was put back is put back again, because the operator's paused path overwrote it.
const undoRounds = 5

// settleUndone lets the operator's paused path come to rest and sees that what was put back has stayed.
func (r *run) settleUndone(ctx context.Context, groups []group) error {
	for range undoRounds {
		if err := r.sleep(ctx, min(r.Settle, quietTime)); err != nil {
			return err
		}
		again := false
		for i := range groups {
			if groups[i].state != UndoDone {
				continue
			}
			groups[i].wrote = false
			if err := r.undoGroup(ctx, &groups[i]); err != nil {
				return err
			}
			again = again || groups[i].wrote
			groups[i].state = UndoDone
		}
		if !again {
			return nil
		}
	}
	return fmt.Errorf("put back what the operation wrote: %w", errOverwritten)
}

var errOverwritten = errors.New("somebody overwrites it again and again; it is left paused")

// notBack names the first group that could not be put back.
func notBack(groups []group) string {
	for i := range groups {
		if groups[i].state == UndoLeft {
			return groups[i].object.String() + ": " + groups[i].note
		}
	}
	return ""
}

// endReversal ends the run: with nothing left of the operation in the cluster where all of it was taken back.
func (r *run) endReversal(ctx context.Context, out *Reversal, cause error) error {
	if r.write.journal == nil {
		return nil
	}
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if cause != nil && out.Reason == "" {
		out.Reason = cause.Error()
	}
	next, err := r.endHold(detached, StepUndo)
	if next != "" {
		out.Next = append(out.Next, next)
	}
	errs := []error{err, r.write.journal.add(detached, Entry{Phase: PhaseEnd, Ended: &Ending{
		Outcome: out.Outcome, Reason: out.Reason, Next: out.Next,
	}})}
	if r.lock == nil { // there was no namespace to have one in
		return errors.Join(append(errs, r.write.journal.Close())...)
	}
	if out.Outcome == OutcomeUndone && r.lock.isLost() == nil {
		errs = append(errs, r.mirror.remove(detached))
	}
	return errors.Join(append(errs, r.lock.release(detached), r.write.journal.Close())...)
}

// group is what one step of the operation wrote to one object, taken back with one patch.
type group struct {
	object ObjectRef
	kind   kind
	step   StepID
	verb   string
	sub    string
	// created is the object as it was made; nil for what was there, and for Secrets.
	created json.RawMessage
	// fields map a field's path to what it was and what was written.
	fields map[string]*wroteField
	// deleted is what a deleted object was, where it is made again.
	deleted map[string]any
	first   int

	state UndoState
	note  string
	wrote bool
}

type wroteField struct {
	field
	was    any
	values []any
}

// groups are what the operation changed, the newest first by when each was first written. What an undo wrote is left
// out: it is the same fields.
func (r *Recorded) groups() ([]group, error) {
	seen := map[string]*group{}
	owner := map[string]*group{} // field of an object → the group that wrote it first
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Phase != PhaseIntent || e.Step == string(StepUndo) {
			continue
		}
		for j := range e.Changes {
			if err := r.group(seen, owner, e, &e.Changes[j]); err != nil {
				return nil, err
			}
		}
	}
	all := make([]group, 0, len(seen))
	for _, g := range seen {
		all = append(all, *g)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].first > all[j].first })
	return all, nil
}

func (r *Recorded) group(seen, owner map[string]*group, e *Entry, c *Change) error {
	k, err := kindOf(r.Began, &c.Object)
	if err != nil {
		return err
	}
	if c.Verb == VerbPatch && k.leaves(c) {
		return nil // the object goes as a whole, with it
	}
	if c.Verb == VerbPatch && len(k.back) == 0 {
		return &JournalError{Operation: r.Operation, Reason: fmt.Sprintf("no operation patches %s", &c.Object)}
	}
	object := strings.Join([]string{c.Object.Kind, c.Object.Namespace, c.Object.Name, c.Object.UID, c.Subresource}, "|")
	at := func(key string) *group {
		if seen[key] == nil {
			seen[key] = &group{
				object: c.Object, kind: k, step: StepID(e.Step), verb: c.Verb, sub: c.Subresource, first: e.Seq,
				fields: map[string]*wroteField{},
			}
		}
		return seen[key]
	}
	if c.Verb != VerbPatch {
		one := at(strings.Join([]string{object, c.Verb}, "|"))
		one.created = c.Patch
		if c.Verb == VerbDelete && c.Object.Kind == claimKind {
			one.deleted = c.Before
		}
		return nil
	}
	for _, f := range written(c) {
		key := object + "|" + f.String()
		if owner[key] == nil {
			owner[key] = at(object + "|" + e.Step)
			owner[key].fields[f.String()] = &wroteField{field: f, was: f.of(c.Before)}
		}
		one := owner[key].fields[f.String()]
		one.values = append(one.values, f.value)
	}
	return nil
}

// unpauses tells whether taking the group back lets the operator go on.
func (g *group) unpauses() bool {
	return g.fields["metadata.annotations."+strimzi.PauseAnnotation] != nil
}

// undoGroup takes one group back, at whatever version its object has.
func (r *run) undoGroup(ctx context.Context, g *group) error {
	for attempt := 1; ; attempt++ {
		err := r.undoOnce(ctx, g)
		if err == nil || !kube.IsConflict(err) || attempt == maxConflicts {
			return err
		}
	}
}

func (r *run) undoOnce(ctx context.Context, g *group) error {
	if g.deleted != nil {
		return r.undoLetGo(ctx, g)
	}
	u, err := r.Kube.Get(ctx, g.kind.gvr, g.object.Namespace, g.object.Name)
	switch {
	case kube.IsNotFound(err):
		g.state, g.note = UndoNothing, "it is gone"
		return nil
	case err != nil:
		return err
	case g.object.Kind == deploymentKind:
		return r.undoHold(ctx, g, u)
	case g.verb == VerbRename:
		g.state = UndoNothing
		g.note = "a directory on its volume was renamed aside; rename it back by hand where it is wanted"
		return nil
	case g.verb == VerbDelete:
		g.state, g.note = UndoNothing, "it was deleted and made again by its owner"
		return nil
	case g.verb == VerbCreate:
		return r.undoCreate(ctx, g, u)
	case g.object.UID != "" && string(u.GetUID()) != g.object.UID:
		g.state, g.note = UndoNothing, "it was replaced by another one, which the operation did not touch"
		return nil
	}
	body, err := g.takeBack(u)
	if err != nil || body == nil {
		return err
	}
	r.Report.Waiting(StepUndo, "putting back "+g.object.String())
	g.state, g.wrote = UndoDone, true
	_, err = r.write.patch(ctx, StepUndo, g.kind.gvr, u, strimzi.Patch{Subresource: g.sub, Body: body})
	return err
}

// undoCreate deletes what the operation created, where it is still the operation's.
func (r *run) undoCreate(ctx context.Context, g *group, u *unstructured.Unstructured) error {
	if state, note := r.staysMade(g, u); note != "" {
		g.state, g.note = state, note
		return nil
	}
	if g.object.Kind == volumeKind {
		return r.undoVolume(ctx, g, u)
	}
	if g.object.Kind == claimKind {
		if left, err := r.mayLetGo(ctx, u); left != "" || err != nil {
			g.state, g.note = UndoLeft, left
			return err
		}
	}
	g.state, g.note, g.wrote = UndoDone, "deleted", true
	return r.write.remove(ctx, StepUndo, g.kind.gvr, u)
}

// staysMade says why something that the operation created is not deleted; the note is empty for what is.
func (r *run) staysMade(g *group, u *unstructured.Unstructured) (state UndoState, note string) {
	switch {
	case g.step == StepNamespace:
		return UndoNothing, "it stays, as does what else is in the namespace"
	case g.object.Kind == snapshotKind:
		return UndoNothing, "it is kept, as the copy of a volume: delete it when it is no longer wanted"
	case r.recorded.letGo(u):
		return UndoNothing, "it is gone, and the claim that was there is made again"
	case !isOwn(u, r.operation) && !r.recorded.made(&g.object):
		return UndoNothing, "it is somebody else's: the operation did not come to create it"
	case !isOwn(u, r.operation):
		return UndoLeft, "it does not carry the operation's mark: " + whoWrote(u, []string{"metadata", "labels"})
	case !g.kind.created:
		return UndoLeft, "objects of this kind are not deleted"
	}
	return "", ""
}

// mayLetGo says why a claim must not be deleted: with any other policy than Retain its volume would go with it.
func (r *run) mayLetGo(ctx context.Context, claim *unstructured.Unstructured) (left string, err error) {
	name, _, _ := unstructured.NestedString(claim.Object, "spec", "volumeName")
	if name == "" {
		return "", nil
	}
	u, err := r.Kube.Get(ctx, kube.Volumes(), "", name)
	if kube.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	policy, _, _ := unstructured.NestedString(u.Object, "spec", "persistentVolumeReclaimPolicy")
	if policy == retainPolicy {
		return "", nil
	}
	return fmt.Sprintf("its volume %q has the reclaim policy %q and would go with it; `kafkarecover protect pv/%s`", name,
		policy, name), nil
}

// takeBack builds the patch that puts the group's fields back, and sets the group's state. It is nil where nothing is
// to be written.
func (g *group) takeBack(u *unstructured.Unstructured) ([]byte, error) {
	body := map[string]any{}
	var notes, left []string
	for _, name := range sortedKeys(g.fields) {
		f := g.fields[name]
		now := f.of(u.Object)
		ours := slices.ContainsFunc(f.values, func(v any) bool { return sameJSON(v, now) })
		reason, stays := g.kind.stays[name]
		switch {
		case stays:
			notes = append(notes, reason)
		case sameJSON(now, f.was):
		case now == nil && slices.Contains(f.values, any(strimzi.Marker)):
			notes = append(notes, name+": the operator has answered it")
		case !ours:
			left = append(left, fmt.Sprintf("%s is %s, neither what it was (%s) nor what was written: %s", name, valueText(now),
				valueText(f.was), whoWrote(u, f.path)))
		case !g.kind.mayPutBack(name):
			left = append(left, name+" is never put back")
		default:
			if err := unstructured.SetNestedField(body, plainJSON(f.was), f.path...); err != nil {
				return nil, err
			}
			notes = append(notes, fmt.Sprintf("%s put back to %s", name, valueText(f.was)))
		}
	}
	g.note = strings.Join(append(notes, left...), "; ")
	switch {
	case len(left) > 0:
		g.state = UndoLeft
	case len(body) == 0:
		g.state = UndoNothing
	default:
		g.state = UndoDone
	}
	if len(body) == 0 {
		return nil, nil
	}
	_ = unstructured.SetNestedField(body, u.GetResourceVersion(), "metadata", "resourceVersion")
	return json.Marshal(body)
}

func (k kind) mayPutBack(name string) bool {
	return slices.ContainsFunc(k.back, func(b string) bool { return name == b || strings.HasPrefix(name, b+".") })
}

func valueText(v any) string {
	if v == nil {
		return "none"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
