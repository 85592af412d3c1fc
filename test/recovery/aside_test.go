package recovery_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/storage"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

const (
	otherID     = "nj2gpqbHSfmvw-PQucA3Jg"
	brokerClaim = "data-1-my-cluster-broker-0"
	votersClaim = "data-0-my-cluster-controller-5"
)

// format makes a log directory with the bytes that kafka-storage writes.
func format(t *testing.T, disks, claim string, node int32, id string) {
	t.Helper()
	release, err := storage.ParseRelease("4.2-IV1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = storage.Format(storage.FormatOptions{
		Dirs:      []string{filepath.Join(disks, claim, strimzi.LogDirName(node))},
		ClusterID: id, NodeID: node, Release: release, Now: time.Now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// bytesBelow are the files below a directory.
func bytesBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, dir)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// rename renames where the volumes lie on this machine. It requires what must hold when a volume is written to: the
// operator pauses, nobody has the claim, and its volume cannot go away.
func (g *ground) rename(ctx context.Context, req recovery.RenameRequest) error {
	kafka := g.status()
	if !kafka.PauseAnnotated || !kafka.Status.IsPaused() {
		g.t.Error("a directory is renamed while the operator does not pause")
	}
	for _, p := range g.pods() {
		for _, v := range p.Spec.Volumes {
			if v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == req.Claim {
				g.t.Errorf("a directory of claim %s is renamed beside pod %s, which has it mounted", req.Claim, p.Name)
			}
		}
	}
	pv, err := g.typed.CoreV1().PersistentVolumes().Get(ctx, g.ns+"-"+req.Claim, metav1.GetOptions{})
	if err != nil || pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain {
		g.t.Errorf("the volume must be Retain when it is written to: %v", err)
	}
	root := filepath.Join(g.disks, req.Claim)
	if err := req.Check(os.DirFS(root), req.From); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(root, req.From), filepath.Join(root, req.To)); err != nil {
		return err
	}
	return req.Check(os.DirFS(root), req.To)
}

// podSets are the UIDs of the pod sets.
func (g *ground) podSets() map[string]types.UID {
	g.t.Helper()
	list, err := g.client.List(g.t.Context(), strimzi.PodSetGVR("v1"), g.ns, kube.ListOptions{})
	if err != nil {
		g.t.Fatal(err)
	}
	found := map[string]types.UID{}
	for i := range list.Items {
		found[list.Items[i].GetName()] = list.Items[i].GetUID()
	}
	return found
}

func (g *ground) aside(refs ...string) func(*recovery.Request, *recovery.Deps) {
	g.t.Helper()
	return func(r *recovery.Request, _ *recovery.Deps) {
		for _, text := range refs {
			ref, err := recovery.ParseLogDirRef(text)
			if err != nil {
				g.t.Fatal(err)
			}
			r.SetAside = append(r.SetAside, ref)
		}
	}
}

// wantAside requires the directory to be there under its new name, byte for byte what it was.
func (g *ground) wantAside(result *recovery.Result, claim, dir string, was map[string]string) {
	g.t.Helper()
	root := filepath.Join(g.disks, claim)
	now := bytesBelow(g.t, filepath.Join(root, "set-aside-"+result.Operation+"-"+dir))
	if !maps.Equal(was, now) || len(now) == 0 {
		g.t.Errorf("%s of %s was to be kept as it was: %v became %v", dir, claim, was, now)
	}
}

func refusedBy(result *recovery.Result) []string {
	var rules []string
	for _, f := range result.Refusals {
		rules = append(rules, f.Rule+"="+f.Subject)
	}
	return slices.Compact(rules)
}

// What a start with a random ID leaves when volumes were in each other's slots, and then were put right.
func TestDirectoriesFormattedBesideDataAreRenamedWhereTheyAreNamed(t *testing.T) {
	t.Parallel()
	g := newGround(t, func(disks string) {
		format(t, disks, brokerClaim, 7, otherID)
		format(t, disks, votersClaim, 3, otherID)
	})
	g.operator(nil)
	g.kafka(nil)
	g.eventually("pods to crash-loop on a random cluster ID", func() bool { return g.crashLooping() == 6 })
	refused, err := g.restore(nil)
	if err != nil || refused.Outcome != recovery.OutcomeRefused || !slices.Equal(refusedBy(refused), []string{
		"formatted-beside-data=pvc/" + votersClaim, "formatted-beside-data=pvc/" + brokerClaim,
	}) {
		t.Fatalf("%v %s %q", err, refused.Outcome, refusedBy(refused))
	}
	for _, f := range refused.Refusals {
		if !strings.Contains(f.Remedy, "--set-aside "+f.Subject+":kafka-log") {
			t.Errorf("the refusal must say what renames it: %q", f.Remedy)
		}
	}
	sets := g.podSets()
	was := bytesBelow(t, filepath.Join(g.disks, brokerClaim, "kafka-log7"))
	data := bytesBelow(t, filepath.Join(g.disks, brokerClaim, "kafka-log0"))
	result, err := g.restore(g.aside("pvc/"+brokerClaim+":kafka-log7", votersClaim+":kafka-log3"))
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %+v", err, result)
	}
	g.wantRunningAs(clusterID)
	g.wantAside(result, brokerClaim, "kafka-log7", was)
	if _, err := os.Stat(filepath.Join(g.disks, brokerClaim, "kafka-log7")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still under its old name: %v", err)
	}
	if !maps.Equal(data, bytesBelow(t, filepath.Join(g.disks, brokerClaim, "kafka-log0"))) {
		t.Error("the data beside it was touched")
	}
	for name, uid := range g.podSets() {
		if uid == sets[name] {
			t.Errorf("pods of %s had the claims: they must have been stopped and made again", name)
		}
	}
	g.wantRetained(9)
	g.wantNothingLeft()
	g.wantJournaled(result)
}

// A volume that was replaced by an empty one: its node formatted it with the random ID and runs on it.
func TestADirectoryOfAReplacedVolumeIsFormattedAgainWhereItsLossIsAccepted(t *testing.T) {
	t.Parallel()
	g := newGround(t, func(disks string) { empty(t, filepath.Join(disks, votersClaim)) })
	g.operator(nil)
	g.kafka(nil)
	dir := filepath.Join(g.disks, votersClaim, "kafka-log5")
	g.eventually("the other pods to crash-loop, and node 5 to run", func() bool {
		_, err := os.Stat(filepath.Join(dir, "meta.properties"))
		return g.crashLooping() == 5 && err == nil
	})
	was := bytesBelow(t, dir)
	before := g.status()
	accept := func(accepts ...finding.Lift) func(*recovery.Request, *recovery.Deps) {
		return func(r *recovery.Request, d *recovery.Deps) {
			g.aside("pvc/"+votersClaim+":kafka-log5")(r, d)
			r.Accept = append(r.Accept, accepts...)
		}
	}
	refused, err := g.restore(accept())
	if err != nil || refused.Outcome != recovery.OutcomeRefused ||
		!slices.Contains(refusedBy(refused), "would-be-formatted=pvc/"+votersClaim) {
		t.Fatalf("without it the node would start empty, which is another decision: %v %q", err, refusedBy(refused))
	}
	if after := g.status(); after.PauseAnnotated != before.PauseAnnotated {
		t.Error("a refusal must not touch the resource")
	}
	sets := g.podSets()
	result, err := g.restore(accept(finding.Lift{Rule: "would-be-formatted", Subject: "pvc/" + votersClaim},
		finding.Lift{Rule: "controller-empty", Subject: "node/5"}))
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %s %q", err, result.Reason, refusedBy(result))
	}
	g.wantRunningAs(clusterID)
	g.wantAside(result, votersClaim, "kafka-log5", was)
	meta := bytesBelow(t, dir)["/meta.properties"]
	if !strings.Contains(meta, clusterID) || meta == was["/meta.properties"] {
		t.Errorf("it must have been formatted with the cluster's ID: %q", meta)
	}
	now := g.podSets()
	if now["my-cluster-controller"] == sets["my-cluster-controller"] {
		t.Error("the pods that had the claim must have been stopped")
	}
	if now["my-cluster-broker"] != sets["my-cluster-broker"] {
		t.Error("no broker's claim was written to, and yet their pods were stopped")
	}
	g.wantJournaled(result)
}

func empty(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// The world may change between the confirmation and the step.
func TestADirectoryIsNotRenamedWhenWhatWasJudgedHasChanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meanwhile func(*ground)
		says      string
	}{
		"a file was written": {func(g *ground) {
			replaceIn(g.t, filepath.Join(g.disks, brokerClaim, "kafka-log7", "meta.properties"), "version=1", "version=1 ")
		}, "it is not what was judged"},
		"its policy is Delete again": {func(g *ground) {
			body := []byte(`{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}`)
			_, err := g.typed.CoreV1().PersistentVolumes().Patch(g.t.Context(), g.ns+"-"+brokerClaim, types.MergePatchType, body,
				metav1.PatchOptions{})
			if err != nil {
				g.t.Error(err)
			}
		}, "its reclaim policy became Delete"},
		"it was un-paused": {func(g *ground) {
			g.patch(strimzi.KafkaGVR("v1").Resource, clusterName, fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`,
				pauseAnnotation))
		}, "somebody else removed the annotation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, func(disks string) { format(t, disks, brokerClaim, 7, otherID) })
			g.operator(nil)
			g.kafka(map[string]string{pauseAnnotation: "true"})
			g.onStep(recovery.StepSetAside, func() { c.meanwhile(g) })
			result, err := g.restore(g.aside(brokerClaim + ":kafka-log7"))
			if err == nil || !strings.Contains(err.Error(), c.says) || result.Outcome != recovery.OutcomeLeftPaused {
				t.Fatalf("want %q: %v %+v", c.says, err, result)
			}
			if _, err := os.Stat(filepath.Join(g.disks, brokerClaim, "kafka-log7", "meta.properties")); err != nil {
				t.Errorf("it must be where it was: %v", err)
			}
			g.wantNothingLeft()
			g.wantJournaled(result)
		})
	}
}

// A run that stops after the renaming says what it did, and the same command goes on from there.
func TestAfterTheRenamingTheSameCommandGoesOn(t *testing.T) {
	t.Parallel()
	g := newGround(t, func(disks string) { format(t, disks, brokerClaim, 7, otherID) })
	g.operator(nil)
	g.kafka(nil)
	g.eventually("pods to crash-loop", func() bool { return g.crashLooping() == 6 })
	g.onStep(recovery.StepClusterID, func() {
		g.patch(strimzi.NodePoolGVR("v1").Resource, "broker",
			`{"metadata":{"annotations":{"strimzi.io/next-node-ids":"[7]"}}}`)
	})
	stopped, err := g.restore(g.aside(brokerClaim + ":kafka-log7"))
	var foreign *recovery.ForeignWriteError
	if !errors.As(err, &foreign) || stopped.Outcome != recovery.OutcomeLeftPaused {
		t.Fatalf("%v %+v", err, stopped)
	}
	next := strings.Join(stopped.Next, "\n")
	for _, says := range []string{
		"the pods of strimzipodset/my-cluster-broker were stopped", "set-aside-" + stopped.Operation + "-kafka-log7",
	} {
		if !strings.Contains(next, says) {
			t.Errorf("the result must say %q:\n%s", says, next)
		}
	}
	g.patch(strimzi.NodePoolGVR("v1").Resource, "broker", `{"metadata":{"annotations":{"strimzi.io/next-node-ids":null}}}`)
	result, err := g.restore(g.aside(brokerClaim + ":kafka-log7"))
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %+v", err, result)
	}
	g.mu.Lock()
	warned := strings.Join(g.warns, "\n")
	g.mu.Unlock()
	if !strings.Contains(warned, "was set aside before") {
		t.Errorf("that nothing is left to be renamed must be said: %q", warned)
	}
	g.wantRunningAs(clusterID)
	g.wantNothingLeft()
}

// A dry run shows the step with everything it would do, and does none of it.
func TestADryRunShowsWhatWouldBeRenamed(t *testing.T) {
	t.Parallel()
	g := newGround(t, func(disks string) { format(t, disks, brokerClaim, 7, otherID) })
	g.operator(nil)
	g.kafka(nil)
	g.eventually("pods to crash-loop", func() bool { return g.crashLooping() == 6 })
	volume := bytesBelow(t, filepath.Join(g.disks, brokerClaim))
	result, err := g.restore(func(r *recovery.Request, d *recovery.Deps) {
		r.DryRun = recovery.DryRunClient
		g.aside(brokerClaim+":kafka-log7")(r, d)
	})
	if err != nil || result.Outcome != recovery.OutcomePlanned {
		t.Fatalf("%v %+v", err, result)
	}
	i := slices.IndexFunc(result.Plan.Steps, func(s recovery.Step) bool { return s.ID == recovery.StepSetAside })
	if i < 0 || result.Plan.Steps[i-1].ID != recovery.StepPause || result.Plan.Steps[i+1].ID != recovery.StepReread {
		t.Fatalf("it comes right after the pause: %+v", result.Plan.Steps)
	}
	does := strings.Join(result.Plan.Steps[i].Does, "\n")
	for _, says := range []string{
		"delete strimzipodset/my-cluster-broker", "pod/my-cluster-broker-0", "pvc/" + brokerClaim + ":kafka-log7", otherID,
		"sha256:",
	} {
		if !strings.Contains(does, says) {
			t.Errorf("the step must say %q:\n%s", says, does)
		}
	}
	if !maps.Equal(volume, bytesBelow(t, filepath.Join(g.disks, brokerClaim))) {
		t.Error("a dry run must not write to a volume")
	}
}
