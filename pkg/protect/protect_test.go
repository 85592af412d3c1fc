package protect_test

import (
	"context"
	"errors"
	"net/http"
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

func TestEveryVolumeOfANamespaceIsRetained(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.bind("data-0-my-cluster-broker-0", "Delete")
	g.bind("data-0-my-cluster-broker-1", "Retain")
	g.leave("data-0-my-cluster-broker-2", "Available", "Delete")
	g.leave("anything", "Released", "Retain")
	other := volumeObject("pv-other", "Bound", "Delete", "data-x")
	other["spec"].(kubetest.Object)["claimRef"] = kubetest.Object{"namespace": "elsewhere", "name": "data-x"}
	g.server.Put(kube.Volumes(), other)

	r := g.run(protect.Scope{Namespace: namespace})
	want := "pv-anything safe\npv-data-0-my-cluster-broker-0 safe\npv-data-0-my-cluster-broker-1 safe\n" +
		"pv-data-0-my-cluster-broker-2 safe\n"
	if diff := cmp.Diff(want, states(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := r.Err(); err != nil {
		t.Errorf("everything is safe, yet: %v", err)
	}
	for _, name := range []string{"pv-data-0-my-cluster-broker-0", "pv-data-0-my-cluster-broker-2"} {
		if got := g.policyOf(name); got != "Retain" {
			t.Errorf("%s has the policy %q", name, got)
		}
	}
	if got := g.policyOf("pv-other"); got != "Delete" {
		t.Errorf("a volume of another namespace was changed to %q", got)
	}
	// what had Retain is not written to, and nothing but volumes is
	wantWrites := []string{
		"patch persistentvolumes  pv-data-0-my-cluster-broker-0", "patch persistentvolumes  pv-data-0-my-cluster-broker-2",
	}
	if diff := cmp.Diff(wantWrites, g.server.Writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func TestWhatBecomesOfAVolume(t *testing.T) {
	t.Parallel()
	const claim, name = "data-0-c-p-0", "pv-data-0-c-p-0"
	patching := func(r *kubetest.Request) bool { return r.Verb == "patch" && r.Name == name }
	for title, tc := range map[string]struct {
		arrange func(*ground)
		state   protect.State
		says    string
		code    exitcode.Code
		policy  string
	}{
		"bound": {
			func(g *ground) { g.bind(claim, "Delete") }, protect.Safe, "", exitcode.OK, "Retain",
		},
		"released under Delete: the provisioner may be at it": {
			func(g *ground) { g.leave(claim, "Released", "Delete") }, protect.InFlight, "look for it",
			exitcode.Incomplete, "Retain",
		},
		"deleting the disk had failed": {
			func(g *ground) { g.leave(claim, "Failed", "Retain") }, protect.InFlight, "failed", exitcode.Incomplete, "Retain",
		},
		"the volume is being deleted": {
			func(g *ground) {
				g.bind(claim, "Delete", func(pv, _ kubetest.Object) {
					terminating(pv, "kubernetes.io/pv-protection", "external-provisioner.volume.kubernetes.io/finalizer")
				})
			},
			protect.InFlight, "pv/pv-data-0-c-p-0 is being deleted, held by kubernetes.io/pv-protection, " +
				"external-provisioner.volume.kubernetes.io/finalizer", exitcode.Incomplete, "Retain",
		},
		"its claim is being deleted": {
			func(g *ground) {
				g.bind(claim, "Delete", func(_, pvc kubetest.Object) { terminating(pvc, "kubernetes.io/pvc-protection") })
			},
			protect.Safe, "pvc/data-0-c-p-0 is being deleted, held by kubernetes.io/pvc-protection", exitcode.OK, "Retain",
		},
		"released while it is being protected": {
			func(g *ground) {
				g.bind(claim, "Delete")
				g.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
					if patching(r) {
						g.leave(claim, "Released", "Delete")
					}
					return nil
				})
			},
			protect.InFlight, "Released with the policy Delete", exitcode.Incomplete, "Retain",
		},
		"removed while it is being protected": {
			func(g *ground) {
				g.bind(claim, "Delete")
				g.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
					if patching(r) {
						g.server.Remove(kube.Volumes(), "", name)
					}
					return nil
				})
			},
			protect.Gone, "vol-data-0-c-p-0", exitcode.Incomplete, "",
		},
		"replaced while it is being protected": {
			func(g *ground) {
				g.bind(claim, "Delete")
				g.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
					if patching(r) {
						next := volumeObject(name, "Available", "Delete", claim)
						metaOf(next)["uid"] = "another"
						g.server.Put(kube.Volumes(), next)
					}
					return nil
				})
			},
			protect.Gone, "another volume", exitcode.Incomplete, "Delete",
		},
		"may not be patched": {
			func(g *ground) {
				g.bind(claim, "Delete")
				g.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
					if patching(r) {
						return kubetest.Forbidden(r)
					}
					return nil
				})
			},
			protect.Unprotected, "forbidden", exitcode.Incomplete, "Delete",
		},
		"somebody sets the policy back": {
			func(g *ground) {
				g.bind(claim, "Delete")
				g.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
					if r.Verb == "get" && r.Name == name {
						g.bind(claim, "Delete")
					}
					return nil
				})
			},
			protect.Unprotected, "somebody sets it again", exitcode.Incomplete, "Delete",
		},
		"a claim names a volume that is not there": {
			func(g *ground) { g.server.Put(kube.Claims(), claimObject(claim, name)) }, protect.Gone, "no such volume",
			exitcode.Incomplete, "",
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			tc.arrange(g)
			r := g.run(protect.Scope{Namespace: namespace})
			if len(r.Volumes) != 1 {
				t.Fatalf("want one volume, got %s", states(r))
			}
			if got := r.Volumes[0].State; got != tc.state {
				t.Errorf("state: want %q, got %q (%s)", tc.state, got, r.Volumes[0].Reason)
			}
			if shown := rendered(t, r); !strings.Contains(shown, tc.says) {
				t.Errorf("want %q shown, got\n%s", tc.says, shown)
			}
			if got := r.Code(); got != tc.code {
				t.Errorf("exit code: want %d, got %d", tc.code, got)
			}
			if got := exitcode.Of(r.Err()); got != tc.code {
				t.Errorf("the error's exit code: want %d, got %d", tc.code, got)
			}
			if got := g.policyOf(name); got != tc.policy {
				t.Errorf("policy: want %q, got %q", tc.policy, got)
			}
		})
	}
}

func TestFinalizersAreNeverTouched(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.bind("data-0-c-p-0", "Delete", func(pv, pvc kubetest.Object) {
		terminating(pv, "kubernetes.io/pv-protection")
		terminating(pvc, "kubernetes.io/pvc-protection")
	})
	g.run(protect.Scope{Namespace: namespace})
	pv := metaOf(g.server.Get(kube.Volumes(), "", "pv-data-0-c-p-0"))
	pvc := metaOf(g.server.Get(kube.Claims(), namespace, "data-0-c-p-0"))
	want := [][]any{{"kubernetes.io/pv-protection"}, {"kubernetes.io/pvc-protection"}}
	if diff := cmp.Diff(want, [][]any{pv["finalizers"].([]any), pvc["finalizers"].([]any)}); diff != "" {
		t.Errorf("what holds an object must stay (-want +got):\n%s", diff)
	}
}

func TestVolumesOfOneCluster(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.server.Put(strimzi.KafkaGVR("v1"), kubetest.Object{
		"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
		"metadata": kubetest.Object{"namespace": namespace, "name": "other"},
	})
	g.bind("data-0-a-b-0", "Delete", ofCluster("a"))
	g.bind("data-0-a-b-c-1", "Delete", ofCluster("a-b"))   // the labels say another cluster
	g.bind("data-a-zookeeper-0", "Delete", ofCluster("a")) // no Kafka, the cluster's all the same
	g.leave("data-0-a-pool-7", "Released", "Delete")       // the name alone
	g.bind("data-0-other-pool-0", "Delete")                // the name of a Kafka resource that is there
	g.bind("www", "Delete")                                // no data claim
	r := g.run(protect.Scope{Namespace: namespace, Cluster: "a"})
	want := "pv-data-0-a-b-0 safe\npv-data-0-a-pool-7 in flight\npv-data-a-zookeeper-0 safe\n"
	if diff := cmp.Diff(want, states(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAVolumeThatMayBeTheClustersIsTakenAndSaidSo(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	for _, name := range []string{"a", "a-b"} {
		g.server.Put(strimzi.KafkaGVR("v1"), kubetest.Object{
			"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
			"metadata": kubetest.Object{"namespace": namespace, "name": name},
		})
	}
	g.leave("data-a-b-c-0", "Released", "Retain") // cluster a, pool b-c, or cluster a-b, pool c
	r := g.run(protect.Scope{Namespace: namespace, Cluster: "a"})
	if diff := cmp.Diff("pv-data-a-b-c-0 safe\n", states(r)); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if got := r.Volumes[0].Note; !strings.Contains(got, "other clusters") {
		t.Errorf("that it is not certain must be said, got %q", got)
	}
}

func TestAsManyAsCanBeAreProtected(t *testing.T) {
	t.Parallel()
	for title, tc := range map[string]struct {
		hidden []string
		scope  protect.Scope
		states string
		code   exitcode.Code
	}{
		"kinds that are only saved": {
			[]string{"list configmaps", "list secrets", "list strimzipodsets", "list volumeattachments", "list kafkas",
				"list resourcequotas", "list limitranges"},
			protect.Scope{Namespace: namespace}, "pv-data-0-c-p-0 safe\n", exitcode.OK,
		},
		"volumes may be read but not listed": {
			[]string{"list persistentvolumes"}, protect.Scope{Namespace: namespace}, "pv-data-0-c-p-0 safe\n",
			exitcode.Incomplete,
		},
		"volumes may not be seen at all": {
			[]string{"list persistentvolumes", "get persistentvolumes"}, protect.Scope{Namespace: namespace},
			"pv-data-0-c-p-0 unprotected\n", exitcode.Incomplete,
		},
		"claims may not be listed: volumes name them": {
			[]string{"list persistentvolumeclaims"}, protect.Scope{Namespace: namespace}, "pv-data-0-c-p-0 safe\n",
			exitcode.Incomplete,
		},
		"a named volume needs no list": {
			[]string{"list persistentvolumes", "list persistentvolumeclaims"},
			protect.Scope{Namespace: namespace, Volumes: []string{"pv-data-0-c-p-0"}}, "pv-data-0-c-p-0 safe\n", exitcode.OK,
		},
		"nothing may be seen": {
			[]string{"list persistentvolumes", "list persistentvolumeclaims"}, protect.Scope{Namespace: namespace}, "",
			exitcode.Incomplete,
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			g.bind("data-0-c-p-0", "Delete")
			g.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
				for _, h := range tc.hidden {
					if h == r.Verb+" "+r.Resource {
						return kubetest.Forbidden(r)
					}
				}
				return nil
			})
			r := g.run(tc.scope)
			if diff := cmp.Diff(tc.states, states(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := exitcode.Of(r.Err()); got != tc.code {
				t.Errorf("exit code: want %d, got %d (%v)", tc.code, got, r.Err())
			}
			for _, h := range tc.hidden {
				if !strings.HasPrefix(h, "get ") && !strings.Contains(strings.Join(r.NotVisible, "\n"), h) {
					t.Errorf("that one may not %s must be told, got %q", h, r.NotVisible)
				}
			}
		})
	}
}

func TestNothingFound(t *testing.T) {
	t.Parallel()
	for title, scope := range map[string]protect.Scope{
		"a cluster nobody knows": {Namespace: namespace, Cluster: "none"},
		"an empty namespace":     {Namespace: "empty"},
		"a volume nobody knows":  {Volumes: []string{"pv-none"}},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			g.bind("data-0-c-p-0", "Delete")
			r := g.run(scope)
			if got := exitcode.Of(r.Err()); got != exitcode.NotFound {
				t.Errorf("exit code: want %d, got %d (%v)", exitcode.NotFound, got, r.Err())
			}
			if w := g.server.Writes(); len(w) > 0 {
				t.Errorf("nothing was to be changed, yet: %v", w)
			}
		})
	}
}

func TestAFolderThatCannotBeMadeDoesNotKeepFromProtecting(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.bind("data-0-c-p-0", "Delete")
	g.state = filepath.Join(g.state, "a file")
	if err := os.WriteFile(g.state, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := g.run(protect.Scope{Namespace: namespace})
	if got := g.policyOf("pv-data-0-c-p-0"); got != "Retain" {
		t.Errorf("the volume must be protected all the same, its policy is %q", got)
	}
	if err := r.Err(); exitcode.Of(err) != exitcode.Error || !strings.Contains(err.Error(), "folder") {
		t.Errorf("that nothing was saved is an error that says so, got %v", err)
	}
}

func TestAListThatFailsIsAnErrorAndStopsNothing(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.bind("data-0-c-p-0", "Delete")
	g.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Resource == "configmaps" {
			return &kubetest.Failure{Code: http.StatusInternalServerError, Reason: "InternalError", Message: "etcd is away"}
		}
		return nil
	})
	r := g.run(protect.Scope{Namespace: namespace})
	if diff := cmp.Diff("pv-data-0-c-p-0 safe\n", states(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := r.Err(); exitcode.Of(err) != exitcode.Error || !strings.Contains(err.Error(), "etcd is away") {
		t.Errorf("want the reason and exit code 1, got %v", err)
	}
}

func TestAnInterruptedRunTellsWhatWasDone(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	g.bind("data-0-c-p-0", "Delete")
	ctx, cancel := context.WithCancel(context.Background())
	g.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Verb == "patch" {
			cancel()
		}
		return nil
	})
	r, err := protect.Run(ctx, g.deps(), protect.Scope{Namespace: namespace})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("want the interruption, got %v", err)
	}
	if r == nil || len(r.Volumes) != 1 || r.Volumes[0].State != protect.Unprotected {
		t.Errorf("what was not read back is not safe; got %+v", r)
	}
}

func TestAHundredVolumesTakeTwoRequestsEach(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	const volumes = 100
	for i := range volumes {
		g.bind("data-0-c-p-"+string(rune('0'+i/10))+string(rune('0'+i%10))+"x", "Delete")
	}
	var last int
	deps := g.deps()
	deps.OnVolume = func(done, total int) {
		if total != volumes || done != last+1 {
			t.Errorf("told %d of %d after %d", done, total, last)
		}
		last = done
	}
	r, err := protect.Run(context.Background(), deps, protect.Scope{Namespace: namespace})
	if err != nil || r.Code() != exitcode.OK {
		t.Fatalf("%v, %v", err, r.Err())
	}
	const others = 15 // lists and discovery
	if n := len(g.server.Requests()); n > 2*volumes+others {
		t.Errorf("%d requests for %d volumes: the client's own limit would hold them up", n, volumes)
	}
	if last != volumes {
		t.Errorf("%d of %d volumes were told", last, volumes)
	}
}
