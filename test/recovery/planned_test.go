package recovery_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// copyOf makes a Released volume that once had the claim of another one, with a copy of what is on that one.
func (g *ground) copyOf(claim string) (name string) {
	g.t.Helper()
	if err := os.CopyFS(filepath.Join(g.disks, "copy"), os.DirFS(filepath.Join(g.disks, claim))); err != nil {
		g.t.Fatal(err)
	}
	name = g.ns + "-copy"
	g.disk(name, "copy", corev1.PersistentVolumeReclaimRetain, &corev1.ObjectReference{
		Namespace: g.ns, Name: claim, UID: "00000000-0000-0000-0000-000000000000",
	})
	g.eventually("the copy to be Released", func() bool {
		pv, err := g.typed.CoreV1().PersistentVolumes().Get(g.t.Context(), name, metav1.GetOptions{})
		return err == nil && pv.Status.Phase == corev1.VolumeReleased
	})
	return name
}

// Two volumes hold the same node's data, as a restored snapshot and its original do. Which one it is to be is a
// person's to say.
func TestAVolumeThatIsGivenUpTakesNoPlace(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	g.operator(nil)
	stale := g.copyOf(brokerClaim)
	before := g.ties()
	result, err := g.restoreReleased(t.Context(), nil)
	if err != nil || result.Outcome != recovery.OutcomeRefused {
		t.Fatal(err, told(result))
	}
	for _, name := range []string{stale, g.ns + "-" + brokerClaim} {
		if text := told(result); !strings.Contains(text, "pv/"+name) {
			t.Errorf("pv/%s must be named:\n%s", name, text)
		}
	}
	g.eventually("volumes to be as they were", func() bool { return cmp.Equal(g.ties(), before) })
	result, err = g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
		r.Exclude = []string{"pv/" + stale}
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	if text := strings.Join(result.Plan.Excluded, "\n"); !strings.Contains(text, "pv/"+stale) {
		t.Errorf("the plan must name what was given up: %q", text)
	}
	if now := g.ties()[stale]; now != before[stale] {
		t.Errorf("what was given up must stay as it was: %s was %s", now, before[stale])
	}
	claim, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).Get(t.Context(), brokerClaim, metav1.GetOptions{})
	if err != nil || claim.Spec.VolumeName != g.ns+"-"+brokerClaim {
		t.Errorf("the claim must have the other volume: %v %+v", err, claim.Spec)
	}
}

func TestADryRunOfWhatIsGoneChangesNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range []recovery.DryRun{recovery.DryRunClient, recovery.DryRunServer} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			g.release()
			before, ties := g.content(), g.ties()
			plan := func(manifests *declared.Cluster) (*recovery.Result, error) {
				return g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
					r.DryRun, r.Declared = mode, manifests
				})
			}
			result, err := plan(g.whole(topic("orders", 8, 3, nil), user("alice"), secretOf("alice")))
			if err != nil || result.Outcome != recovery.OutcomePlanned || result.Plan == nil {
				t.Fatal(err, told(result))
			}
			// Only the API server knows Strimzi's definitions: what they do not allow is told before anything is made.
			wrong := g.manifests()
			err = unstructured.SetNestedField(wrong.Pools[0].Object, "neither", "spec", "roles")
			if err != nil {
				t.Fatal(err)
			}
			_, err = plan(wrong)
			told := err != nil && strings.Contains(err.Error(), "kafkanodepool/controller")
			if told != (mode == recovery.DryRunServer) {
				t.Errorf("what the API server does not accept: %v", err)
			}
			g.eventually("volumes to be as they were", func() bool { return cmp.Equal(g.ties(), ties) })
			if diff := cmp.Diff(before, g.content()); diff != "" {
				t.Errorf("a dry run left something:\n%s", diff)
			}
			for _, gvr := range []string{"secrets", "kafkatopics", "kafkausers"} {
				g.wantNone(gvr)
			}
			if entries, _ := os.ReadDir(g.state); len(entries) != 0 {
				t.Errorf("a dry run keeps no journal: %v", entries)
			}
		})
	}
}

// wantNone requires that there is none of these objects.
func (g *ground) wantNone(resource string) {
	g.t.Helper()
	gvr := kube.Secrets()
	if resource != gvr.Resource {
		gvr = strimzi.KafkaGVR("v1")
		gvr.Resource = resource
	}
	list, err := g.client.List(g.t.Context(), gvr, g.ns, kube.ListOptions{})
	if err != nil || len(list.Items) > 0 {
		g.t.Errorf("%s: %v, %d objects", resource, err, len(list.Items))
	}
}

func TestWhatCannotBeCreatedIsRefusedEarly(t *testing.T) {
	t.Parallel()
	for title, tc := range map[string]struct {
		change func(*recovery.Request)
		want   []string
	}{
		"the namespace is gone": {func(r *recovery.Request) { r.Namespace += "-gone" }, []string{
			"-gone\" does not exist", "make it again as it was",
		}},
		"the version is not known": {func(r *recovery.Request) {
			r.Declared.Kafka.SetAPIVersion(strimzi.Group + "/v1beta1")
		}, []string{"kafka/" + clusterName, "from v1beta1 to v1", "not convertible"}},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			g.release()
			before := g.versions()
			result, err := g.restoreReleased(t.Context(), func(r *recovery.Request, _ *recovery.Deps) { tc.change(r) })
			if err == nil || result.Code() == exitcode.OK {
				t.Fatal(err, told(result))
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in: %v", want, err)
				}
			}
			g.wantSameVersions(before) // not even a volume was borrowed
			if entries, _ := os.ReadDir(g.state); len(entries) != 0 {
				t.Errorf("nothing was begun, and yet there is a journal: %v", entries)
			}
		})
	}
}

// Somebody creates a pool of that name while the run makes the claims.
func TestARunThatStopsBeforeKafkaIsThereSaysSo(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	before, ties := g.content(), g.ties()
	g.onStep(recovery.StepResources, func() {
		g.pool("broker", []any{map[string]any{"id": int64(0), "type": "persistent-claim", "size": "1Gi"}})
	})
	result, err := g.restoreReleased(t.Context(), nil)
	if err == nil || result.Outcome != recovery.OutcomeLeftPaused || result.Code() != exitcode.Incomplete {
		t.Fatal(err, told(result))
	}
	if !strings.Contains(err.Error(), "kafkanodepool/broker") {
		t.Errorf("what was there already must be named: %v", err)
	}
	if !slices.ContainsFunc(result.Next, func(s string) bool {
		return strings.HasPrefix(s, "kafka/my-cluster is not created yet and no Kafka pod was started by this run")
	}) {
		t.Errorf("there is no Kafka resource that could be paused: %q", result.Next)
	}
	undone, err := g.undo(g.state, result.Operation, nil)
	if err != nil || undone.Outcome != recovery.OutcomeUndone {
		t.Fatalf("%v %+v", err, undone)
	}
	g.eventually("volumes to be as they were", func() bool { return cmp.Equal(g.ties(), ties) })
	after := g.content()
	if after["kafkanodepools/broker"] == "" {
		t.Error("the pool that somebody else made is gone")
	}
	delete(after, "kafkanodepools/broker")
	if len(undone.Irreversible) > 0 {
		t.Errorf("nothing was done that cannot be taken back: %q", undone.Irreversible)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("not as it was before:\n%s", diff)
	}
}

// Somebody writes to a resource between its being read and its being handed over.
func TestHandingOverGoesOnAfterAConflict(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	g.operator(nil)
	var begun atomic.Bool
	g.onStep(recovery.StepTopics, func() { begun.Store(true) })
	conflict := func(path string) *recoverytest.Faulty {
		return &recoverytest.Faulty{Number: 1, Fault: recoverytest.Conflict, Only: func(r *http.Request) bool {
			return r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, path) && begun.Load()
		}}
	}
	faults := []*recoverytest.Faulty{conflict("/kafkatopics/orders"), conflict("/kafkas/" + clusterName)}
	through := rest.CopyConfig(config)
	for _, f := range faults {
		through.Wrap(func(next http.RoundTripper) http.RoundTripper { f.Next = next; return f })
	}
	client, err := kube.NewForConfig(through, g.ns, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	result, err := g.restoreReleased(t.Context(), func(r *recovery.Request, d *recovery.Deps) {
		r.Declared = g.whole(topic("orders", 8, 3, map[string]any{"retention.ms": int64(1209600000)}), user("alice"),
			secretOf("alice"), user("bob"), secretOf("bob"))
		d.Kube = client
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	for i, f := range faults {
		if f.Hit() == "" {
			t.Errorf("fault %d was never met: nothing was tried", i)
		}
	}
	if got := g.managed("orders"); got != "given" || !g.hasEntityOperator() {
		t.Errorf("not handed over: orders %q, Entity Operator %v", got, g.hasEntityOperator())
	}
}
