package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/report"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/status"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// lookPlanned borrows volumes as a look does and reads them where they lie on this machine.
func (g *ground) lookPlanned(
	ctx context.Context, live *scan.Live, req recovery.LookRequest,
) (*recovery.Observation, error) {
	c := live.Pick(req.Name, req.Planned)
	if req.Depth == recovery.Volumes {
		if err := g.readLent(ctx, live, c, req); err != nil {
			return nil, err
		}
		if err := c.Arrange(req.Excluded, req.Lost); err != nil {
			return nil, err
		}
	}
	seen := &recovery.Observation{
		Cluster: c.Kafka, Volumes: c.Volumes, Others: c.Others, VolumesForbidden: c.VolumesForbidden, Planned: c.Planned,
		Placements: c.Placements, LetGo: c.LetGo, Displaced: c.Displaced, Unnamed: c.Unnamed,
		Going: c.Going,
	}
	seen.Findings = finding.Judge(finding.Input{
		Volumes: seen.Volumes, Others: seen.Others, Cluster: seen.Cluster, Excluded: req.Excluded,
		ClusterID: req.ClusterID, Lost: req.Lost, Displaced: seen.Displaced,
	})
	return seen, nil
}

func (g *ground) readLent(ctx context.Context, live *scan.Live, c *scan.Cluster, req recovery.LookRequest) error {
	loan, err := binding.Borrow(ctx, g.client, req.Lender, binding.LoanRequest{
		Operation: "look-20260101-000000-0000", Namespace: g.ns, Volumes: c.Others,
		Labels: map[string]string{recovery.OperationLabel: "look-20260101-000000-0000"},
	})
	if err == nil && len(loan.Refused) > 0 {
		err = fmt.Errorf("borrow: %v", loan.Refused)
	}
	c.Released = live.Lent(c)
	for i := range c.Released { // read by the name of the folder that it lies in
		c.Released[i].Claim = &volume.Claim{Name: folderOf(c.Released[i].PV)}
	}
	err = errors.Join(err, readBut(ctx, g.disks, c.Released, nil, req.Lost), read(ctx, g.disks, c.Volumes))
	for i := range c.Released {
		v := &c.Released[i]
		v.Claim = nil
		if req.Visit != nil && err == nil {
			err = req.Visit(ctx, v, os.DirFS(filepath.Join(g.disks, folderOf(v.PV))))
		}
	}
	for i := range c.Volumes {
		if v := &c.Volumes[i]; req.Visit != nil && err == nil {
			err = req.Visit(ctx, v, os.DirFS(dirOf(g.disks, v)))
		}
	}
	return errors.Join(err, loan.Return(context.WithoutCancel(ctx)))
}

// folderOf is the name of the folder that a volume lies in: that of the claim it had, where it is not another one.
func folderOf(pv *volume.PersistentVolume) string {
	return filepath.Base(object.String(pv.Object, "spec", "local", "path"))
}

// manifests are those of the lost cluster, as somebody has them in git.
func (g *ground) manifests(more ...map[string]any) *declared.Cluster {
	g.t.Helper()
	volumeOf := func(id int64, shared bool) map[string]any {
		v := map[string]any{"id": id, "type": "persistent-claim", "size": "1Gi", "class": "local", "deleteClaim": false}
		if shared {
			v["kraftMetadata"] = "shared"
		}
		return v
	}
	pool := func(role string, volumes ...any) map[string]any {
		return map[string]any{
			"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
			"metadata": map[string]any{"name": role, "labels": map[string]any{"strimzi.io/cluster": clusterName}},
			"spec": map[string]any{
				"replicas": int64(3), "roles": []any{role}, "storage": map[string]any{"type": "jbod", "volumes": volumes},
			},
		}
	}
	objects := append([]map[string]any{
		pool("controller", volumeOf(0, true)), pool("broker", volumeOf(0, true), volumeOf(1, false)),
		{
			"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": map[string]any{"name": clusterName},
			"spec": map[string]any{"kafka": map[string]any{
				"version": "4.2.0", "metadataVersion": "4.2-IV1",
				"listeners": []any{map[string]any{"name": "plain", "port": int64(9092), "tls": false, "type": "internal"}},
			}},
		},
	}, more...)
	var list []*unstructured.Unstructured
	for _, o := range objects {
		list = append(list, &unstructured.Unstructured{Object: o})
	}
	cluster, err := declared.Pick(list, g.ns, clusterName)
	if err != nil {
		g.t.Fatal(err)
	}
	return cluster
}

// restoreReleased runs a restore of a cluster of which only volumes and manifests are left.
func (g *ground) restoreReleased(
	ctx context.Context, change func(*recovery.Request, *recovery.Deps),
) (*recovery.Result, error) {
	g.t.Helper()
	return g.restoreIn(ctx, func(r *recovery.Request, d *recovery.Deps) {
		r.Declared = g.manifests()
		if change != nil {
			change(r, d)
		}
	})
}

func TestAClusterComesBackFromReleasedVolumes(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	g.operator(nil)
	was := map[string]string{}
	for _, pv := range g.parsed() {
		was[pv.ClaimName] = pv.Name
	}
	stop := g.phases()
	result, err := g.restoreReleased(t.Context(), nil)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	for i := range result.Plan.Steps {
		const guard = "count/persistentvolumeclaims=9"
		if s := &result.Plan.Steps[i]; s.ID == recovery.StepQuota && !strings.Contains(strings.Join(s.Does, "\n"), guard) {
			t.Errorf("the plan must count the claims that are made before the guard is raised: %q", s.Does)
		}
	}
	if got := rereadNote(result); !strings.Contains(got, "nothing else had them since they were read") {
		t.Errorf("volumes that only this run has had are as they were read: %q", got)
	}
	if got := stop(); slices.Contains(got, "Available") {
		t.Errorf("a volume was Available on the way, where any other claim could take it: %v", got)
	}
	if got := g.status(); got.Status.ClusterID == nil || *got.Status.ClusterID != clusterID {
		t.Errorf("cluster ID %v", got.Status.ClusterID)
	}
	now := map[string]string{}
	claims, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range claims.Items {
		now[c.Name] = c.Spec.VolumeName
	}
	if diff := cmp.Diff(was, now); diff != "" {
		t.Errorf("every claim must have the volume it had, and no other be there:\n%s", diff)
	}
	for pool, ids := range map[string][]int32{"broker": {0, 1, 2}, "controller": {3, 4, 5}} {
		u, err := g.client.Get(t.Context(), strimzi.NodePoolGVR("v1"), g.ns, pool)
		if err != nil {
			t.Fatal(err)
		}
		if got := strimzi.ParseNodePool(u.Object); !slices.Equal(got.Status.NodeIDs, ids) {
			t.Errorf("pool %q has %v, its volumes are of %v", pool, got.Status.NodeIDs, ids)
		}
	}
}

// rereadNote is what became of the look at the volumes while paused.
func rereadNote(result *recovery.Result) string {
	for _, s := range result.Plan.Steps {
		if s.ID == recovery.StepReread {
			return s.Note
		}
	}
	return "there is no such step"
}

// A pod that has one of the volumes between its reading and the pause may have written on it, also where it is gone
// again: they are read once more then.
func TestVolumesThatAPodHadMeanwhileAreReadOnceMore(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	g.operator(nil)
	const claim = "data-0-my-cluster-broker-1"
	g.onStep(recovery.StepPause, func() {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "debug"},
			Spec: corev1.PodSpec{
				NodeSelector: map[string]string{"kafkarecover.io/no": "node"}, // what it would do does not matter
				Containers:   []corev1.Container{{Name: "debug", Image: "debug"}},
				Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
				}}},
			},
		}
		pods := g.typed.CoreV1().Pods(g.ns)
		if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Error(err)
		}
		if err := pods.Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}); err != nil {
			t.Error(err)
		}
	})
	result, err := g.restoreReleased(t.Context(), nil)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	if got := rereadNote(result); !strings.Contains(got, "read once more because pod/debug has pvc/"+claim) {
		t.Errorf("it says %q", got)
	}
}

func TestNothingIsMadeBeforeThePlanIsConfirmed(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	before := g.ties()
	result, err := g.restoreReleased(t.Context(), func(_ *recovery.Request, d *recovery.Deps) {
		d.Confirm = func(_ context.Context, plan *recovery.Plan, _ []finding.Finding) (bool, error) {
			var does []string
			for _, s := range plan.Steps {
				does = append(does, s.Does...)
			}
			text := strings.Join(does, "\n")
			for _, want := range []string{
				"create pvc/data-1-my-cluster-broker-2 and set the claimRef of pv/" + g.ns + "-data-1-my-cluster-broker-2",
				"create kafkanodepool/controller", "create kafka/my-cluster", "nodeIds [3, 4, 5]",
			} {
				if !strings.Contains(text, want) {
					t.Errorf("the plan does not say %q:\n%s", want, text)
				}
			}
			return false, nil
		}
	})
	if err != nil || result.Outcome != recovery.OutcomeDeclined {
		t.Fatal(err, told(result))
	}
	g.eventually("volumes to be as they were", func() bool { return cmp.Equal(g.ties(), before) })
	for _, gvr := range []string{"kafkas", "kafkanodepools"} {
		resource := strimzi.KafkaGVR("v1")
		resource.Resource = gvr
		list, err := g.client.List(t.Context(), resource, g.ns, kube.ListOptions{})
		if err != nil || len(list.Items) > 0 {
			t.Errorf("%s: %v, %d objects", gvr, err, len(list.Items))
		}
	}
}

func TestReleasedVolumesThatWereSwappedAreRefused(t *testing.T) {
	t.Parallel()
	g := newGround(t, func(disks string) {
		swap(t, disks, "data-0-my-cluster-broker-0", "data-0-my-cluster-broker-1")
	})
	g.release()
	result, err := g.restoreReleased(t.Context(), nil)
	if err != nil || result.Outcome != recovery.OutcomeRefused {
		t.Fatal(err, told(result))
	}
	if !slices.ContainsFunc(result.Refusals, func(f finding.Finding) bool { return f.Rule == "node-id-mismatch" }) &&
		!slices.ContainsFunc(result.Refusals, func(f finding.Finding) bool { return f.Rule == "would-be-formatted" }) {
		t.Errorf("what is on the two volumes contradicts the claims they had: %+v", result.Refusals)
	}
}

// madeAndLeft runs a restore of Released volumes that is interrupted when everything was made and before the pause is
// confirmed: no operator is there, and somebody gives up waiting.
func (g *ground) madeAndLeft() *recovery.Result {
	g.t.Helper()
	ctx, interrupt := context.WithCancel(g.t.Context())
	defer interrupt()
	g.onStep(recovery.StepPause, func() {
		g.eventually("everything to be made", func() bool { return g.status().PauseAnnotated })
		interrupt()
	})
	result, err := g.restoreReleased(ctx, nil)
	if !errors.Is(err, context.Canceled) || result.Outcome != recovery.OutcomeLeftPaused {
		g.t.Fatal(err, told(result))
	}
	return result
}

func TestARestoreFromReleasedVolumesIsGoneOnWith(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	saved, _, err := recovery.MakePlan(t.Context(), recovery.Request{
		Namespace: g.ns, Name: clusterName, Declared: g.manifests(), Accept: g.pendingDeletions(),
	}, g.deps())
	if err != nil {
		t.Fatal(err)
	}
	g.follows(saved)
	left := g.madeAndLeft()
	g.tellsOf(left.Operation)
	g.operator(nil)
	result, err := g.resume(g.state, left.Operation, func(
		_ *recovery.Target, given *recovery.Repeated, _ *recovery.Deps,
	) {
		given.Declared = g.manifests()
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result), result.Differences)
	}
	if got := g.status(); got.Status.ClusterID == nil || *got.Status.ClusterID != clusterID {
		t.Errorf("cluster ID %v", got.Status.ClusterID)
	}
}

// tellsOf requires that status and report of an operation follow their schemas.
func (g *ground) tellsOf(operation string) {
	g.t.Helper()
	found, err := status.Find(g.t.Context(), g.client, time.Now(), g.state, g.ns, operation)
	if err != nil {
		g.t.Fatal(err)
	}
	g.follows(found)
	recorded, err := recovery.Load(g.t.Context(), g.client, g.state, g.ns, operation)
	if err != nil {
		g.t.Fatal(err)
	}
	g.follows(report.Of(recorded))
}

func TestWhatWasMadeForReleasedVolumesIsTakenBack(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	before, ties := g.content(), g.ties()
	result := g.madeAndLeft()
	if cmp.Equal(g.ties(), ties) {
		t.Fatal("nothing was bound yet: there is nothing to take back")
	}
	stop := g.phases()
	undone, err := g.undo(g.state, result.Operation, nil)
	if err != nil || undone.Outcome != recovery.OutcomeUndone {
		t.Fatalf("%v %+v", err, undone)
	}
	g.eventually("volumes to be as they were", func() bool { return cmp.Equal(g.ties(), ties) })
	if diff := cmp.Diff(before, g.content()); diff != "" {
		t.Errorf("not as it was before:\n%s", diff)
	}
	if got := stop(); slices.Contains(got, "Available") {
		t.Errorf("a volume was Available on the way, where any other claim could take it: %v", got)
	}
}

// told is what a result says, in a few lines.
func told(r *recovery.Result) string {
	text := fmt.Sprintf("%s: %s", r.Outcome, r.Reason)
	for _, f := range r.Refusals {
		text += fmt.Sprintf("\n%s %s: %s", f.Rule, f.Subject, f.Message)
	}
	return text
}

// swap puts what is on each of two volumes on the other.
func swap(t *testing.T, disks, a, b string) {
	t.Helper()
	for _, move := range [][2]string{{a, "aside"}, {b, a}, {"aside", b}} {
		if err := os.Rename(filepath.Join(disks, move[0]), filepath.Join(disks, move[1])); err != nil {
			t.Fatal(err)
		}
	}
}
