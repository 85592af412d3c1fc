package recovery_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// claimedAgain are what somebody has made of a lost node's claim since: on a new, empty volume; without one; or it is
// the old claim still, whose volume is no more.
var claimedAgain = map[string]func(g *ground, claim string){
	"on an empty volume": func(g *ground, claim string) {
		dir := filepath.Join(g.t.TempDir(), claim)
		if err := os.Mkdir(dir, 0o755); err != nil {
			g.t.Fatal(err)
		}
		g.claimOn(claim, g.emptyOf(claim), dir, corev1.PersistentVolumeReclaimDelete)
		g.waitBound(9)
	},
	"waiting for a volume": func(g *ground, claim string) {
		class := storageClass
		_, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).Create(g.t.Context(), &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Name: claim},
			Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: &class,
				Resources: corev1.VolumeResourceRequirements{Requests: size()},
			},
		}, metav1.CreateOptions{})
		if err != nil {
			g.t.Fatal(err)
		}
	},
	"of a volume that is no more": func(g *ground, claim string) {
		g.claimOn(claim, g.emptyOf(claim), filepath.Join(g.t.TempDir(), claim), corev1.PersistentVolumeReclaimRetain)
		g.waitBound(9)
		pvs := g.typed.CoreV1().PersistentVolumes()
		if err := pvs.Delete(g.t.Context(), g.emptyOf(claim), metav1.DeleteOptions{}); err != nil {
			g.t.Fatal(err)
		}
		_, err := pvs.Patch(g.t.Context(), g.emptyOf(claim), types.MergePatchType,
			[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			g.t.Fatal(err)
		}
		g.eventually("the claim to be Lost", func() bool {
			c, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).Get(g.t.Context(), claim, metav1.GetOptions{})
			return err == nil && c.Status.Phase == corev1.ClaimLost
		})
	},
}

// emptyOf is the volume that a lost node's claim got meanwhile.
func (g *ground) emptyOf(claim string) string { return g.ns + "-empty-" + claim }

// lostAndThere is a cluster that has lost controller 4, and has a claim of it again.
func lostAndThere(t *testing.T, again string) (g *ground, claim string) {
	t.Helper()
	g, claim = newGround(t, nil), "data-0-my-cluster-controller-4"
	g.loseNodes([]int32{4}, claim)
	claimedAgain[again](g, claim)
	g.provisionLater(claim)
	g.operator(nil)
	return g, claim
}

// provisionLater has volumes made for a claim once the one that is there has gone.
func (g *ground) provisionLater(claim string) {
	g.hooks = map[recovery.StepID]func(){recovery.StepHoldBack: func() { g.provision(claim) }}
}

// wantEmptyKept requires the volume that the claim had, where it had one, to be kept for nobody, with what was on it.
func (g *ground) wantEmptyKept(again, claim, operation string, holds ...string) {
	g.t.Helper()
	pv, err := g.typed.CoreV1().PersistentVolumes().Get(g.t.Context(), g.emptyOf(claim), metav1.GetOptions{})
	if again != "on an empty volume" {
		if !apierrors.IsNotFound(err) {
			g.t.Errorf("there was no volume, and there is %v, %v", pv, err)
		}
		return
	}
	if err != nil {
		g.t.Fatal(err)
	}
	if pv.Status.Phase != corev1.VolumeReleased || pv.Annotations[volume.DisplacedAnnotation] != operation ||
		pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain {
		g.t.Errorf("%s is %s, %s, %v", pv.Name, pv.Status.Phase, pv.Spec.PersistentVolumeReclaimPolicy, pv.Annotations)
	}
	on, err := os.ReadDir(pv.Spec.Local.Path)
	if err != nil {
		g.t.Fatal(err)
	}
	var names []string
	for _, e := range on {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, holds) {
		g.t.Errorf("%s holds %q, and held %q", pv.Name, names, holds)
	}
}

func loses4(r *recovery.Request) { r.Lost = []string{"node/4"} }

// Whatever has taken the place of a lost node and holds nothing is put out of the way, and the node joins on a volume
// of its own.
func TestAClaimInThePlaceOfALostNodeIsPutOutOfTheWay(t *testing.T) {
	t.Parallel()
	for again := range claimedAgain {
		for title, start := range starts {
			formatted := again == "on an empty volume" && title != "paused" // by its pod
			t.Run(again+", "+title, func(t *testing.T) {
				t.Parallel()
				g, claim := lostAndThere(t, again)
				if title == "paused" {
					start(g)
				} else {
					g.kafka(nil)
					g.eventually("pods to crash-loop", func() bool { return g.crashLooping() == 5 })
				}
				stop := g.noneLost()
				result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { loses4(r) })
				if err != nil || result.Outcome != recovery.OutcomeRestored {
					t.Fatal(err, told(result), g.waits)
				}
				stop()
				g.wantJoined()
				g.wantRunningAs(clusterID)
				g.wantNothingLeft()
				g.wantJournaled(result)
				if formatted {
					g.wantEmptyKept(again, claim, result.Operation, "kafka-log4")
				} else {
					g.wantEmptyKept(again, claim, result.Operation)
				}
				named := strings.Contains(strings.Join(result.Next, "\n"), "pv/"+g.emptyOf(claim))
				if named != (again == "on an empty volume") {
					t.Errorf("it must say what is kept: %q", result.Next)
				}
			})
		}
	}
}

// The Kafka resource is gone with the lost node, whose claim was made again.
func TestAClaimInThePlaceOfALostNodeOfAClusterThatIsGone(t *testing.T) {
	t.Parallel()
	for again := range claimedAgain {
		t.Run(again, func(t *testing.T) {
			t.Parallel()
			g, claim := lostAndThere(t, again)
			result, err := g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) { loses4(r) })
			if err != nil || result.Outcome != recovery.OutcomeRestored {
				t.Fatal(err, told(result), g.waits)
			}
			g.wantJoined()
			g.wantRunningAs(clusterID)
			g.wantNothingLeft()
			g.wantEmptyKept(again, claim, result.Operation)
		})
	}
}

// Where nobody makes volumes, a person gives the node the empty one while its claim waits.
func TestTheEmptyVolumeMayBeGivenToTheLostNode(t *testing.T) {
	t.Parallel()
	g, claim := lostAndThere(t, "on an empty volume")
	starts["paused"](g)
	pvs := g.typed.CoreV1().PersistentVolumes()
	g.hooks = map[recovery.StepID]func(){recovery.StepJoin: func() {
		for kind, body := range map[types.PatchType]string{
			types.MergePatchType: fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, volume.DisplacedAnnotation),
			types.JSONPatchType: fmt.Sprintf(`[{"op":"replace","path":"/spec/claimRef","value":{"namespace":%q,"name":%q}}]`,
				g.ns, claim),
		} {
			if _, err := pvs.Patch(t.Context(), g.emptyOf(claim), kind, []byte(body), metav1.PatchOptions{}); err != nil {
				t.Error(err)
			}
		}
	}}
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { loses4(r) })
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result), g.waits)
	}
	if got := g.layout()[claim]; got != g.emptyOf(claim) {
		t.Errorf("the claim has volume %q", got)
	}
	g.wantRunningAs(clusterID)
	g.wantNothingLeft()
}

// What may hold something is not lost, and nothing is done to it.
func TestAClaimInThePlaceOfALostNodeThatMayHoldSomethingIsRefused(t *testing.T) {
	t.Parallel()
	g, claim := lostAndThere(t, "on an empty volume")
	starts["paused"](g)
	pv, err := g.typed.CoreV1().PersistentVolumes().Get(t.Context(), g.emptyOf(claim), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	layout := g.layout()
	for _, name := range []string{"kafka-log4", "kafka-log4.old"} {
		dir := filepath.Join(pv.Spec.Local.Path, name)
		if err := os.MkdirAll(filepath.Join(dir, "__cluster_metadata-0"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, mode := range []recovery.DryRun{recovery.DryRunServer, recovery.DryRunNone} {
			result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { loses4(r); r.DryRun = mode })
			if err != nil || result.Outcome != recovery.OutcomeRefused ||
				!slices.Contains(refusedBy(result), "lost-volume-is-there=pvc/"+claim) {
				t.Fatal(name, err, told(result))
			}
			if said := strings.Join(result.Refusals[0].Evidence, "\n"); !strings.Contains(said, name) {
				t.Errorf("it must say what is there: %s", said)
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(layout, g.layout()); diff != "" {
		t.Errorf("a refusal must not touch the claims (-before +after):\n%s", diff)
	}
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { loses4(r); r.DryRun = recovery.DryRunServer })
	if err != nil || result.Outcome != recovery.OutcomePlanned {
		t.Fatal("the API server accepts every write where it holds nothing", err, told(result))
	}
}

// claimedAgainDies is a restore that lets a lost node's claim go and dies at a line.
func claimedAgainDies(
	t *testing.T, again string, at recoverytest.When, before bool,
) (g *ground, claim, left, operation, died string) {
	t.Helper()
	g, claim = lostAndThere(t, again)
	starts["paused"](g)
	left, operation, died = g.killAsked(at, before, loses4)
	return g, claim, left, operation, died
}

// wantGoneOnWith requires an operation that died to be brought to its end.
func (g *ground) wantGoneOnWith(again, claim, left, operation string) {
	g.t.Helper()
	result, err := g.resume(left, operation, nil)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		g.t.Fatal(err, told(result), result.Differences)
	}
	g.wantJoined()
	g.wantRunningAs(clusterID)
	g.wantNothingLeft()
	g.wantEmptyKept(again, claim, operation)
}

func TestARestoreThatLetsTheClaimOfALostNodeGoAndDiedIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		again string
		at    recoverytest.When
	}{
		"marked":        {"on an empty volume", recoverytest.FirstOf(recovery.StepLetGo, recovery.PhaseDone)},
		"about to go":   {"of a volume that is no more", recoverytest.FirstOf(recovery.StepLetGo, recovery.PhaseIntent)},
		"gone":          {"waiting for a volume", recoverytest.FirstOf(recovery.StepLetGo, recovery.PhaseDone)},
		"held back":     {"on an empty volume", recoverytest.FirstOf(recovery.StepHoldBack, recovery.PhaseDone)},
		"un-paused":     {"on an empty volume", recoverytest.Unpausing(recovery.PhaseDone)},
		"being let in":  {"on an empty volume", recoverytest.FirstOf(recovery.StepJoin, recovery.PhaseDone)},
		"ID in a pool":  {"of a volume that is no more", recoverytest.FirstOf(recovery.StepClusterID, recovery.PhaseDone)},
		"claim deleted": {"on an empty volume", recoverytest.OfKind(recovery.StepLetGo, recovery.PhaseDone, claimKind)},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g, claim, left, operation, died := claimedAgainDies(t, c.again, c.at, false)
			if died == "" {
				t.Fatal("it must have died")
			}
			g.wantGoneOnWith(c.again, claim, left, operation)
		})
	}
}

// What protects a claim may let go of it long after it was deleted, and after the run that deleted it has died.
func TestGoingOnWaitsForTheClaimsThatWereLetGo(t *testing.T) {
	t.Parallel()
	for again := range claimedAgain {
		t.Run(again, func(t *testing.T) {
			t.Parallel()
			g, claim := lostAndThere(t, again)
			starts["paused"](g)
			release := g.protectClaim(claim)
			left, operation, died := g.killAsked(recoverytest.OfKind(recovery.StepLetGo, recovery.PhaseDone, claimKind),
				false, loses4)
			if died == "" {
				t.Fatal("it must have died")
			}
			time.AfterFunc(3*time.Second, release)
			g.wantGoneOnWith(again, claim, left, operation)
		})
	}
}

// protectClaim has a claim stay where it is deleted until it is released.
func (g *ground) protectClaim(claim string) (release func()) {
	g.t.Helper()
	const add = `[{"op":"add","path":"/metadata/finalizers/-","value":"example.org/slow"}]`
	const drop = `[{"op":"replace","path":"/metadata/finalizers","value":[]}]`
	patch := func(body string) {
		_, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).Patch(context.Background(), claim, types.JSONPatchType,
			[]byte(body), metav1.PatchOptions{})
		if err != nil {
			g.t.Error(err)
		}
	}
	patch(add)
	return func() { patch(drop) }
}

const claimKind = "PersistentVolumeClaim"

// Before un-pausing a claim that was let go is made again, for the volume that it had.
func TestARestoreThatLetsTheClaimOfALostNodeGoIsUndone(t *testing.T) {
	t.Parallel()
	for again := range claimedAgain {
		for title, at := range map[string]recoverytest.When{
			"about to go": recoverytest.OfKind(recovery.StepLetGo, recovery.PhaseIntent, claimKind),
			"gone":        recoverytest.OfKind(recovery.StepLetGo, recovery.PhaseDone, claimKind),
			"held back":   recoverytest.FirstOf(recovery.StepQuota, recovery.PhaseDone),
		} {
			t.Run(again+", "+title, func(t *testing.T) {
				t.Parallel()
				g, claim := newGround(t, nil), "data-0-my-cluster-controller-4"
				g.loseNodes([]int32{4}, claim)
				claimedAgain[again](g, claim)
				g.operator(nil)
				starts["paused"](g)
				before, layout := g.contentButClaims(), g.layout()
				left, operation, died := g.killAsked(at, false, loses4)
				if died == "" {
					t.Fatal("it must have died")
				}
				undone, err := g.undo(left, operation, nil)
				if err != nil || undone.Outcome != recovery.OutcomeUndone {
					t.Fatalf("%v %+v", err, undone)
				}
				if diff := cmp.Diff(layout, g.layout()); diff != "" {
					t.Errorf("every claim must be there for its volume (-before +after):\n%s", diff)
				}
				after := g.contentButClaims()
				if again == "of a volume that is no more" { // it is Pending now, where it is another claim
					for _, c := range []map[string]string{before, after} {
						delete(c, "persistentvolumeclaims/"+claim)
					}
				}
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("before the operation and after its undo (-before +after):\n%s", diff)
				}
				g.provisionLater(claim)
				result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { loses4(r) })
				if err != nil || result.Outcome != recovery.OutcomeRestored {
					t.Fatal("what was undone can be done again", err, told(result), g.waits)
				}
				g.wantJoined()
			})
		}
	}
}

// Every line of the journal in turn is the last thing a run does, and another run goes on from there.
func TestDyingAfterEveryLineOfARestoreThatLetsTheClaimOfALostNodeGo(t *testing.T) {
	full(t)
	t.Parallel()
	again := []string{"on an empty volume", "of a volume that is no more", "waiting for a volume"}
	for line := range mostLines {
		t.Run(fmt.Sprintf("line %d", line+1), func(t *testing.T) {
			t.Parallel()
			how := again[line%len(again)]
			g, claim, left, operation, died := claimedAgainDies(t, how,
				func(n int, _ recovery.Entry) bool { return n == line+1 }, line%2 == 1)
			if died == "" {
				return // the journal is shorter
			}
			if line+1 == mostLines {
				t.Error("the sweep ends before the journal does")
			}
			t.Logf("died at %s", died)
			if died == string(recovery.PhaseEnd) && line%2 == 0 {
				return // it had ended
			}
			g.wantGoneOnWith(how, claim, left, operation)
		})
	}
}
