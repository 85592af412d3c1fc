package protect_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/protect"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

const (
	oneClaim  = "data-0-c-p-0"
	oneVolume = "pv-data-0-c-p-0"
)

func (g *ground) apply(u *protect.Unprotection) {
	g.Helper()
	if err := u.Apply(context.Background(), g.deps()); err != nil {
		g.Fatal(err)
	}
}

func TestUnprotectSetsBackWhatProtectReplaced(t *testing.T) {
	t.Parallel()
	for title, between := range map[string]func(*ground){
		"right after":                 func(*ground) {},
		"after protecting once more":  func(g *ground) { g.state += "x"; g.run(protect.Scope{Namespace: namespace}) },
		"on another machine":          func(g *ground) { g.state = g.TempDir() },
		"the annotation was removed":  func(g *ground) { g.annotate(nil) },
		"beside a record that is cut": func(g *ground) { g.annotate(nil); g.cutRecord() },
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			g.bind(oneClaim, "Delete")
			g.bind("data-0-c-p-1", "Retain")
			g.run(protect.Scope{Namespace: namespace})
			between(g)
			u := g.plan(protect.Scope{Namespace: namespace, Volumes: []string{oneVolume}}, "")
			if err := u.Err(); err != nil || u.Count(protect.Planned) != 1 {
				t.Fatalf("want one change planned, got %+v, %v", u.Volumes, err)
			}
			if got := g.policyOf(oneVolume); got != "Retain" {
				t.Fatalf("a plan changes nothing, the policy is %q", got)
			}
			g.apply(u)
			if got := g.policyOf(oneVolume); got != "Delete" {
				t.Errorf("want Delete back, got %q", got)
			}
			if err := u.Err(); err != nil || u.Count(protect.Set) != 1 {
				t.Errorf("want it set, got %+v, %v", u.Volumes, err)
			}
			meta := metaOf(g.server.Get(kube.Volumes(), "", oneVolume))
			if left, _ := meta["annotations"].(kubetest.Object); len(left) > 0 {
				t.Errorf("the note must go with what it was for, left is %v", left)
			}
		})
	}
}

func (g *ground) annotate(annotations any) {
	o := g.server.Get(kube.Volumes(), "", oneVolume)
	metaOf(o)["annotations"] = annotations
	g.server.Put(kube.Volumes(), o)
}

// cutRecord puts a record cut short beside the right one, newer than it.
func (g *ground) cutRecord() {
	dir := filepath.Join(g.state, "protect-20991231-000000-0000")
	if err := os.Mkdir(dir, 0o700); err != nil {
		g.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "result.json"), []byte(`{"volumes":[`), 0o600); err != nil {
		g.Fatal(err)
	}
}

func TestWhatHadRetainKeepsIt(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.bind(oneClaim, "Retain")
	g.run(protect.Scope{Namespace: namespace})
	u := g.plan(protect.Scope{Namespace: namespace}, "")
	if err := u.Err(); err != nil || u.Count(protect.Kept) != 1 {
		t.Errorf("want it kept, got %+v, %v", u.Volumes, err)
	}
}

func TestUnprotectRefuses(t *testing.T) {
	t.Parallel()
	bound := func(change func(pv, pvc kubetest.Object)) func(*ground) {
		return func(g *ground) { g.bind(oneClaim, "Retain", change) }
	}
	for title, tc := range map[string]struct {
		arrange func(*ground)
		to      string
		says    string
	}{
		"a released volume":  {func(g *ground) { g.leave(oneClaim, "Released", "Retain") }, "Delete", "deleted at once"},
		"a failed volume":    {func(g *ground) { g.leave(oneClaim, "Failed", "Retain") }, "Delete", "deleted at once"},
		"an available one":   {func(g *ground) { g.leave(oneClaim, "Available", "Retain") }, "Delete", "not Bound"},
		"one in no phase":    {func(g *ground) { g.leave(oneClaim, "", "Retain") }, "Delete", "in no phase"},
		"a claim not there":  {func(g *ground) { g.leave(oneClaim, "Bound", "Retain") }, "Delete", "is not there"},
		"no record":          {bound(func(_, _ kubetest.Object) {}), "", "--to"},
		"volume Terminating": {bound(func(pv, _ kubetest.Object) { terminating(pv, "x") }), "Delete", "being deleted"},
		"claim Terminating": {
			bound(func(_, pvc kubetest.Object) { terminating(pvc, "x") }), "Delete", "claim is being deleted",
		},
		"a claim made anew": {bound(func(_, pvc kubetest.Object) { metaOf(pvc)["uid"] = "new" }), "Delete", "is not there"},
		"a claim that is pending": {
			bound(func(_, pvc kubetest.Object) { pvc["status"] = kubetest.Object{"phase": "Pending"} }), "Delete",
			"name each other",
		},
		"held by an operation": {
			bound(func(pv, _ kubetest.Object) {
				metaOf(pv)["annotations"] = kubetest.Object{"kafkarecover.io/operation": "restore-1"}
			}), "Delete", "restore-1",
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			tc.arrange(g)
			g.bind("data-0-c-p-1", "Retain")
			u := g.plan(protect.Scope{Namespace: namespace, Volumes: []string{oneVolume, "pv-data-0-c-p-1"}}, tc.to)
			err := u.Err()
			if exitcode.Of(err) != exitcode.Refused || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("want exit code 3 and %q, got %v", tc.says, err)
			}
			if w := g.server.Writes(); len(w) > 0 {
				t.Errorf("a refusal touches nothing, yet: %v", w)
			}
			if shown := rendered(t, u); !strings.Contains(shown, "refused") {
				t.Errorf("the table must say so:\n%s", shown)
			}
		})
	}
}

func TestUnprotectRefusesWhatIsOnlyPerhapsTheClusters(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	for _, name := range []string{"a", "a-b"} {
		g.server.Put(strimzi.KafkaGVR("v1"), kubetest.Object{
			"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
			"metadata": kubetest.Object{"namespace": namespace, "name": name},
		})
	}
	g.bind("data-a-b-c-0", "Retain") // pool b-c of cluster a, or pool c of a-b: nothing tells which
	err := g.plan(protect.Scope{Namespace: namespace, Cluster: "a-b"}, "Delete").Err()
	if exitcode.Of(err) != exitcode.Refused || !strings.Contains(err.Error(), "as pv/pv-data-a-b-c-0") {
		t.Errorf("want exit code 3 and the way out named, got %v", err)
	}
}

func TestUnprotectLooksOnceMoreBeforeEachChange(t *testing.T) {
	t.Parallel()
	for title, tc := range map[string]struct {
		change func(*ground)
		says   string
	}{
		"the claim is being deleted now": {func(g *ground) {
			pvc := claimObject(oneClaim, oneVolume)
			terminating(pvc, "kubernetes.io/pvc-protection")
			g.server.Put(kube.Claims(), pvc)
		}, "being deleted"},
		"the claim is gone":      {func(g *ground) { g.server.Remove(kube.Claims(), namespace, oneClaim) }, "not found"},
		"the volume is released": {func(g *ground) { g.leave(oneClaim, "Released", "Retain") }, "not Bound"},
		"the volume was replaced": {func(g *ground) {
			g.bind(oneClaim, "Retain", func(pv, _ kubetest.Object) { metaOf(pv)["uid"] = "new" })
		}, "replaced"},
		"the volume is gone": {func(g *ground) { g.server.Remove(kube.Volumes(), "", oneVolume) }, "not found"},
		"released in the last instant": {func(g *ground) {
			g.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
				if r.Verb == "patch" {
					g.leave(oneClaim, "Released", "Retain")
				}
				return nil
			})
		}, "resourceVersion"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			g.bind(oneClaim, "Retain")
			u := g.plan(protect.Scope{Namespace: namespace}, "Delete")
			if u.Count(protect.Planned) != 1 {
				t.Fatalf("want a change planned, got %+v", u.Volumes)
			}
			tc.change(g)
			g.apply(u)
			err := u.Err()
			if exitcode.Of(err) != exitcode.Incomplete || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("want exit code 5 and %q, got %v", tc.says, err)
			}
			if got := g.policyOf(oneVolume); got == "Delete" {
				t.Error("the disk would be deleted now")
			}
		})
	}
}

func TestUnprotectNothing(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	u := g.plan(protect.Scope{Namespace: namespace, Cluster: "c"}, "Delete")
	if got := exitcode.Of(u.Err()); got != exitcode.NotFound {
		t.Errorf("want exit code 4, got %d", got)
	}
}

func TestUnprotectNeedsToSeeEverything(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.bind(oneClaim, "Retain")
	g.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Resource == "persistentvolumeclaims" {
			return kubetest.Forbidden(r)
		}
		return nil
	})
	_, err := protect.Plan(context.Background(), g.deps(), protect.Scope{Namespace: namespace}, "Delete")
	if exitcode.Of(err) != exitcode.Incomplete {
		t.Errorf("want exit code 5, got %v", err)
	}
}

func TestUnprotectRecordsBeforeItChanges(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.bind(oneClaim, "Retain")
	u := g.plan(protect.Scope{Namespace: namespace}, "Delete")
	g.state = filepath.Join(g.state, "a file")
	if err := os.WriteFile(g.state, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := u.Apply(context.Background(), g.deps()); err == nil {
		t.Error("a change that cannot be recorded must not be made")
	}
	if diff := cmp.Diff([]string(nil), g.server.Writes()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
