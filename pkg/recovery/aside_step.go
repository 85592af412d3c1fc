package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// RenameRequest asks for one directory at the root of a claim's volume to be renamed.
type RenameRequest struct {
	Namespace, Cluster, Claim string
	From, To                  string
	// Check looks at the directory on the volume, right before under its old name, where an error stops the renaming,
	// and right after under its new one.
	Check func(fsys fs.FS, dir string) error
}

// podSetStop is a pod set that is deleted so that no pod uses a claim, with the pods that this stops.
type podSetStop struct {
	name, uid string
	pods      []string
}

// podsGone bounds the wait for pods to end, as --timeout does; Strimzi gives Kafka 30 seconds, templates may give more.
const podsGone = 5 * time.Minute

// stopsFor are the pod sets whose pods use, or would come back to use, the claims of what is renamed. Deleting a pod is
// not enough: the controller of pod sets goes on while reconciliation is paused and makes it again (Strimzi:
// StrimziPodSetController has no pause check). The operator makes the pod set again once it is un-paused.
func (r *run) stopsFor(asides []Aside) []podSetStop {
	var out []podSetStop
	for _, set := range r.before.Cluster.PodSets {
		uses := slices.ContainsFunc(asides, func(a Aside) bool {
			return slices.ContainsFunc(a.Pods, func(p string) bool { return slices.Contains(set.Pods, p) }) ||
				r.poolSet(a.Claim) == set.Name
		})
		if uses {
			out = append(out, podSetStop{name: set.Name, uid: set.UID, pods: set.Pods})
		}
	}
	return out
}

// poolSet is the pod set of the pool that a claim is of.
func (r *run) poolSet(claim string) string {
	for i := range r.before.Volumes {
		if v := &r.before.Volumes[i]; v.Claim != nil && v.Claim.Name == claim && v.Slot != nil {
			return strimzi.PodSetName(r.Name, v.Slot.Pool)
		}
	}
	return ""
}

// planAsides puts what is renamed into the plan. Pods that are stopped for it need no restart later.
func (r *run) planAsides(in *planInput) {
	if len(r.asides) == 0 {
		return
	}
	in.asides, in.stops = r.asides, r.stopsFor(r.asides)
	in.crashLooping = slices.DeleteFunc(in.crashLooping, func(pod string) bool {
		return slices.ContainsFunc(in.stops, func(s podSetStop) bool { return slices.Contains(s.pods, pod) })
	})
}

// withSetAside puts the step after the pause, where there is something to rename.
func withSetAside(steps []Step, in planInput) []Step {
	if len(in.asides) == 0 {
		return steps
	}
	after := slices.IndexFunc(steps, func(s Step) bool { return s.ID == StepPause })
	return slices.Insert(steps, after+1, setAsideStep(in))
}

func setAsideStep(in planInput) Step {
	s := Step{
		ID: StepSetAside, Title: fmt.Sprintf("rename %d log directories aside, which hold nothing", len(in.asides)),
		Expects: []string{
			"the pause is proven", "the volumes are Retain, read back", "no claim or volume of the cluster is Terminating",
			"no pod uses the claims", "the directories are what was judged",
		},
		Check: "read again under the new name: the same files, byte for byte; then every volume is judged again",
		Undo: "rename them back by hand while no pod uses the claims; their pods come back when " +
			"reconciliation is un-paused",
	}
	for _, stop := range in.stops {
		s.Does = append(s.Does, fmt.Sprintf("delete strimzipodset/%s, which stops %s", stop.name, podNames(stop.pods)))
	}
	if len(in.stops) > 0 {
		s.Risk = "these pods stay away until reconciliation is un-paused, which has the operator make them again"
	}
	for _, a := range in.asides {
		s.Does = append(s.Does, fmt.Sprintf("rename %s to %s, in a temporary pod that mounts the claim writable "+
			"(cluster.id %q, directory.id %q, %s)", a.LogDirRef, a.To, a.ClusterID, a.DirectoryID, a.Digest))
	}
	return s
}

func podNames(pods []string) string {
	if len(pods) == 0 {
		return "no pod"
	}
	return "pod/" + strings.Join(pods, " pod/")
}

// stepSetAside stops what uses the claims, and renames.
func (r *run) stepSetAside(ctx context.Context) (string, error) {
	if err := r.asidesMayBegin(ctx); err != nil {
		return "", err
	}
	for _, stop := range r.stopsFor(r.asides) {
		if err := r.stopPodSet(ctx, stop); err != nil {
			return "", err
		}
	}
	var claims []string
	for _, a := range r.asides {
		claims = append(claims, a.Claim)
	}
	if err := r.waitUnused(ctx, StepSetAside, claims); err != nil {
		return "", err
	}
	for i := range r.asides {
		r.Report.Waiting(StepSetAside, "renaming "+r.asides[i].String())
		if err := r.renameAside(ctx, &r.asides[i]); err != nil {
			return "", err
		}
	}
	r.renamed = true
	return fmt.Sprintf("%d renamed, %s stopped for it", len(r.asides),
		wording.Count(len(r.stopped), "pod set", "pod sets")), nil
}

// asidesMayBegin looks again at what was decided on: reconciliation paused, claims and volumes as they were, none of
// them going away (a deleted pod is what lets a Terminating claim go), and every volume concerned Retain.
func (r *run) asidesMayBegin(ctx context.Context) error {
	if _, err := r.stillPaused(ctx); err != nil {
		return err
	}
	if err := r.claimsUnchanged(ctx); err != nil {
		return err
	}
	for _, a := range r.asides {
		was := r.volumeOf(a.Claim)
		u, err := r.Kube.Get(ctx, kube.Volumes(), "", was.Name)
		if err != nil {
			return fmt.Errorf("read the reclaim policy back: %w", err)
		}
		now := volume.ParsePersistentVolume(u.Object)
		switch {
		case now.UID != was.UID || now.ClaimUID != was.ClaimUID:
			return &ForeignWriteError{Object: refOf(u), What: "it was replaced or bound to another claim"}
		case now.Terminating:
			return &ForeignWriteError{Object: refOf(u), What: "it is being deleted"}
		case now.ReclaimPolicy != retainPolicy:
			return &ForeignWriteError{Object: refOf(u), What: "its reclaim policy became " + now.ReclaimPolicy}
		}
	}
	return nil
}

func (r *run) volumeOf(claim string) volume.PersistentVolume {
	for i := range r.before.Volumes {
		if v := &r.before.Volumes[i]; v.Claim != nil && v.Claim.Name == claim && v.PV != nil {
			return *v.PV
		}
	}
	return volume.PersistentVolume{}
}

func (r *run) stopPodSet(ctx context.Context, stop podSetStop) error {
	gvr := strimzi.PodSetGVR(r.before.Cluster.Version())
	u, err := r.Kube.Get(ctx, gvr, r.Namespace, stop.name)
	if kube.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stop the pods of strimzipodset %q: %w", stop.name, err)
	}
	if string(u.GetUID()) != stop.uid {
		return &ForeignWriteError{Object: refOf(u), What: "it was replaced by another one"}
	}
	r.stopped = append(r.stopped, stop.name)
	if err := r.write.remove(ctx, StepSetAside, gvr, u); err != nil {
		return fmt.Errorf("stop the pods of strimzipodset %q: %w", stop.name, err)
	}
	return nil
}

// waitUnused waits until no pod uses the claims, whoever's it is: a writing mount is never beside another.
func (r *run) waitUnused(ctx context.Context, step StepID, claims []string) error {
	return r.waitWhile(ctx, step, patience{
		what: "no pod to use the claims", flag: "--timeout", bound: min(podsGone, r.Timeout), every: time.Second,
	}, func(ctx context.Context) (string, error) {
		users, err := r.claimUsers(ctx, claims)
		if err != nil || len(users) == 0 {
			return "", err
		}
		return "still there: " + podNames(users), nil
	})
}

func (r *run) claimUsers(ctx context.Context, claims []string) ([]string, error) {
	list, err := r.Kube.List(ctx, kube.Pods(), r.Namespace, kube.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("look for pods that use the claims: %w", err)
	}
	var users []string
	for i := range list.Items {
		u := &list.Items[i]
		for _, use := range volume.ClaimUses(u.Object) {
			if slices.Contains(claims, use.Claim) {
				users = append(users, u.GetName())
				break
			}
		}
	}
	return users, nil
}

// renameAside renames one directory, announced in the journal like every other change.
func (r *run) renameAside(ctx context.Context, a *Aside) error {
	u, err := r.Kube.Get(ctx, kube.Claims(), r.Namespace, a.Claim)
	if err != nil {
		return fmt.Errorf("set %s aside: %w", a.LogDirRef, err)
	}
	change, err := renameChange(u, a)
	if err != nil {
		return err
	}
	check := &checkAside{Aside: *a, clusterID: r.plan.ClusterID, volumes: r.before.Volumes}
	err = r.write.do(ctx, StepSetAside, change, func() error {
		err := r.Rename(ctx, RenameRequest{
			Namespace: r.Namespace, Cluster: r.Name, Claim: a.Claim, From: a.Directory, To: a.To, Check: check.check,
		})
		if errors.Is(err, errAlready) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("set %s aside: %w", a.LogDirRef, err)
	}
	r.done = append(r.done, *a)
	return nil
}

func renameChange(claim *unstructured.Unstructured, a *Aside) (Change, error) {
	patch, err := json.Marshal(map[string]any{"directory": a.To})
	if err != nil {
		return Change{}, fmt.Errorf("set %s aside: %w", a.LogDirRef, err)
	}
	return Change{
		Object: refOf(claim), Verb: VerbRename, Patch: patch,
		Before: map[string]any{"directory": a.Directory, "directoryId": a.DirectoryID, "digest": a.Digest},
	}, nil
}

// afterAsides says what a run that stops before un-pausing has stopped and renamed.
func (r *run) afterAsides() []string {
	var next []string
	for _, name := range r.stopped {
		next = append(next, fmt.Sprintf("the pods of strimzipodset/%s were stopped; the operator makes them again once "+
			"kafka/%s is un-paused", name, r.Name))
	}
	for _, a := range r.done {
		next = append(next, fmt.Sprintf("%s is called %s now, unchanged; a further run does not need --set-aside for it",
			a.LogDirRef, a.To))
	}
	return next
}
