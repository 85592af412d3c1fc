package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// StepSnapshot takes a snapshot of every volume that can have one, before anything starts on it.
const StepSnapshot StepID = "snapshot"

const (
	snapshotFlag = "--snapshot"
	snapshotKind = "VolumeSnapshot"
	// snapshotEvery is how often snapshots are looked at; a driver takes seconds to minutes for one.
	snapshotEvery = 2 * time.Second
)

// SnapshotAccess lists what taking snapshots needs. None is ever deleted.
func SnapshotAccess(namespace string) []kube.Access {
	snapshots, classes := kube.VolumeSnapshots(), kube.VolumeSnapshotClasses()
	all := []kube.Access{{
		Verb: "list", Group: classes.Group, Resource: classes.Resource, For: "find the class of snapshots",
	}}
	for _, v := range []string{"get", "list", "create"} {
		all = append(all, kube.Access{
			Verb: v, Group: snapshots.Group, Resource: snapshots.Resource, Namespace: namespace,
			For: "take snapshots of the volumes",
		})
	}
	return all
}

// PlannedSnapshot is the snapshot of one volume.
type PlannedSnapshot struct {
	Name   string `json:"name"`
	Claim  string `json:"claim"`
	Class  string `json:"class"`
	Driver string `json:"driver"`
	// DeletionPolicy says what becomes of the copy when the VolumeSnapshot is deleted: Delete or Retain.
	DeletionPolicy string `json:"deletionPolicy"`
}

// judgeSnapshots finds out whether there can be snapshots, before anything is touched. done tells that the run is
// refused.
func (r *run) judgeSnapshots(ctx context.Context) (done bool, err error) {
	if !r.Snapshot {
		return false, nil
	}
	served, err := r.Kube.ServedVersions(ctx, kube.VolumeSnapshots().Group)
	if err != nil {
		return false, err
	}
	if !slices.Contains(served, kube.VolumeSnapshots().Version) {
		return r.refuse(fmt.Sprintf("%s: this Kubernetes cluster has no snapshots: %s/%s is not served (it serves %v). %s",
			snapshotFlag, kube.VolumeSnapshots().Group, kube.VolumeSnapshots().Version, served, withoutSnapshots)), nil
	}
	list, err := r.Kube.List(ctx, kube.VolumeSnapshotClasses(), "", kube.ListOptions{})
	if err != nil {
		return false, fmt.Errorf("find the class of snapshots: %w", err)
	}
	for i := range list.Items {
		r.snapshotClasses = append(r.snapshotClasses, volume.ParseSnapshotClass(list.Items[i].Object))
	}
	slices.SortFunc(r.snapshotClasses, func(a, b volume.SnapshotClass) int { return strings.Compare(a.Name, b.Name) })
	var all []candidate
	for _, pv := range r.before.persistentVolumes(r.RebindClaims) {
		all = append(all, candidate{pv: pv})
	}
	if r.Redeclared != nil {
		for i := range r.Redeclared.List {
			all = append(all, candidate{pv: &r.Redeclared.List[i].PV})
		}
	}
	// Which of them will have a claim is known when they were read, where they are bound anew.
	_, _, reason := r.chooseSnapshots(all, r.RebindClaims || r.before.Planned)
	if reason != "" {
		return r.refuse(reason), nil
	}
	return false, nil
}

// withoutSnapshots is what can be done where there can be none.
const withoutSnapshots = "Leave --snapshot out, or take a copy first: `kafkarecover volume get`, or what the storage " +
	"system has for it"

// candidate is a volume to take a snapshot of; its claim may not be known yet.
type candidate struct {
	claim string
	pv    *volume.PersistentVolume
}

// chooseSnapshots finds the class of each volume's snapshot. left are those that get none, with the reason; reason says
// why the run is refused: because none gets one, or one that could is not of the class that was named. loose leaves the
// latter to a later look.
func (r *run) chooseSnapshots(all []candidate, loose bool) (taken []PlannedSnapshot, left []string, reason string) {
	var wrong []string
	for _, c := range all {
		if c.pv == nil {
			left = append(left, "pvc/"+c.claim+": which volume it has is not known")
			continue
		}
		name := "pv/" + c.pv.Name
		if c.claim != "" {
			name = fmt.Sprintf("pvc/%s (%s)", c.claim, name)
		}
		class, why := c.pv.SnapshotClass(r.snapshotClasses, r.SnapshotClass)
		switch {
		case class != nil:
			taken = append(taken, PlannedSnapshot{
				Name: objectName(r.operation, c.claim), Claim: c.claim, Class: class.Name, Driver: class.Driver,
				DeletionPolicy: class.DeletionPolicy,
			})
		case r.SnapshotClass != "" && c.pv.CSIDriver() != "" && !loose:
			wrong = append(wrong, name+": "+why)
		default:
			left = append(left, name+": "+why)
		}
	}
	switch {
	case len(wrong) > 0:
		reason = fmt.Sprintf("%s=%s: %s. %s", snapshotFlag, r.SnapshotClass, strings.Join(wrong, "; "), withoutSnapshots)
	case len(taken) == 0:
		reason = fmt.Sprintf("%s: there can be a snapshot of none of %s: %s. %s", snapshotFlag,
			wording.Count(len(all), "volume", "volumes"), strings.Join(left, "; "), withoutSnapshots)
	}
	return taken, left, reason
}

// planSnapshots decides which volumes get a snapshot, now that it is known which claim each has, or will have.
func (r *run) planSnapshots(in *planInput) error {
	if !r.Snapshot {
		return nil
	}
	var all []candidate
	for i := range r.before.Volumes {
		if v := &r.before.Volumes[i]; v.Claim != nil {
			all = append(all, candidate{claim: v.Claim.Name, pv: v.PV})
		}
	}
	var reason string
	if in.snapshots, in.noSnapshots, reason = r.chooseSnapshots(all, false); reason != "" {
		r.refuse(reason)
		return errEnded
	}
	return nil
}

// snapshotStep is the step of a plan with snapshots.
func snapshotStep(in planInput) []Step {
	if len(in.snapshots) == 0 {
		return nil
	}
	s := Step{
		ID: StepSnapshot,
		Title: "take snapshots of " + wording.Count(len(in.snapshots), "volume", "volumes") +
			", and wait until each can be used",
		Expects: []string{"every claim is bound to its volume, and nothing that matters on it has changed"},
		Check:   "status.readyToUse of every one",
		Undo:    "none: they stay, and so do those of a run that is undone; delete them when they are no longer wanted",
	}
	var lost []string
	for _, one := range in.snapshots {
		s.Does = append(s.Does, fmt.Sprintf("create volumesnapshot/%s of pvc/%s, class %s (deletion policy %s)", one.Name,
			one.Claim, one.Class, one.DeletionPolicy))
		if one.DeletionPolicy == volume.PolicyDelete && !slices.Contains(lost, one.Class) {
			lost = append(lost, one.Class)
		}
	}
	var risks []string
	if len(lost) > 0 {
		risks = append(risks, fmt.Sprintf("with the deletion policy Delete (class %s) a copy goes with its VolumeSnapshot, "+
			"and that with the namespace", strings.Join(lost, ", ")))
	}
	if len(in.noSnapshots) > 0 {
		risks = append(risks, "of these there is no snapshot: "+strings.Join(in.noSnapshots, "; "))
	}
	s.Risk = strings.Join(risks, "; ")
	return []Step{s}
}

func (r *run) snapshotObject(s PlannedSnapshot) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": kube.VolumeSnapshots().GroupVersion().String(), "kind": snapshotKind,
		"metadata": map[string]any{
			"namespace": r.Namespace, "name": s.Name,
			"labels": map[string]any{ManagedByLabel: ManagedBy, OperationLabel: r.operation, ClusterLabel: r.Name},
		},
		"spec": map[string]any{
			"volumeSnapshotClassName": s.Class,
			"source":                  map[string]any{"persistentVolumeClaimName": s.Claim},
		},
	}}
}

// stepSnapshot takes the snapshots and waits until they can be used. Those that an earlier run of the operation took
// are taken for this run's: nothing has started on the volumes since.
func (r *run) stepSnapshot(ctx context.Context) (string, error) {
	if err := r.claimsUnchanged(ctx); err != nil {
		return "", err
	}
	planned := r.plan.Snapshots
	group, bounded := errgroup.WithContext(ctx)
	group.SetLimit(writesAtOnce)
	for _, s := range planned {
		group.Go(func() error {
			stored, err := r.write.create(bounded, StepSnapshot, kube.VolumeSnapshots(), r.snapshotObject(s))
			if err == nil && volume.ParseSnapshot(stored.Object).Claim != s.Claim {
				err = errOtherClaim
			}
			if err != nil {
				return fmt.Errorf("take volumesnapshot %q: %w", s.Name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	if err := r.waitSnapshots(ctx); err != nil {
		return "", err
	}
	r.result.Next = append(r.result.Next, r.keptSnapshots())
	return fmt.Sprintf("%d snapshots, ready to use", len(planned)), nil
}

var errOtherClaim = errors.New("one of that name is there, of another claim")

func (r *run) waitSnapshots(ctx context.Context) error {
	return r.waitWhile(ctx, StepSnapshot, patience{
		what: "the snapshots to be ready", flag: "--timeout", bound: r.Timeout, every: snapshotEvery,
	}, r.snapshotsWaitedFor)
}

// snapshotsWaitedFor says which snapshots are not ready, with what their driver says; it is empty when all are. The
// driver tries again by itself.
func (r *run) snapshotsWaitedFor(ctx context.Context) (string, error) {
	list, err := r.Kube.List(ctx, kube.VolumeSnapshots(), r.Namespace, kube.ListOptions{
		LabelSelector: OperationLabel + "=" + r.operation,
	})
	if err != nil {
		return "", fmt.Errorf("look at the snapshots: %w", err)
	}
	there := map[string]volume.Snapshot{}
	for i := range list.Items {
		s := volume.ParseSnapshot(list.Items[i].Object)
		there[s.Name] = s
	}
	ready, problem := 0, ""
	for _, p := range r.plan.Snapshots {
		s, found := there[p.Name]
		switch {
		case !found:
			return "", fmt.Errorf("volumesnapshot %q was deleted by somebody else", p.Name)
		case s.Ready:
			ready++
		case s.Problem != "" && problem == "":
			problem = fmt.Sprintf("; volumesnapshot/%s: %s", s.Name, s.Problem)
		}
	}
	if ready == len(r.plan.Snapshots) {
		return "", nil
	}
	return fmt.Sprintf("%d of %d snapshots are ready%s", ready, len(r.plan.Snapshots), problem), nil
}

// keptSnapshots says what stays, and how it goes.
func (r *run) keptSnapshots() string {
	var names []string
	for _, s := range r.plan.Snapshots {
		names = append(names, fmt.Sprintf("%s (pvc/%s, class %s)", s.Name, s.Claim, s.Class))
	}
	return fmt.Sprintf("%d snapshots from before the cluster was started are kept: %s; when they are no longer wanted: "+
		"kubectl -n %s delete volumesnapshots.snapshot.storage.k8s.io -l %s=%s", len(names), strings.Join(names, ", "),
		r.Namespace, OperationLabel, r.operation)
}
