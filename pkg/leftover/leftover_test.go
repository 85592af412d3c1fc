package leftover_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/leftover"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

const (
	operation = "restore-20261124-031502-9f3a"
	timeout   = 10 * time.Second
)

func now() time.Time { return time.Date(2026, 11, 24, 3, 20, 0, 0, time.UTC) }

func put(
	s *kubetest.Server, gvr schema.GroupVersionResource, kind, namespace, name, operation string, more kubetest.Object,
) {
	o := kubetest.Object{
		"apiVersion": strings.TrimPrefix(gvr.Group+"/"+gvr.Version, "/"), "kind": kind,
		"metadata": kubetest.Object{
			"namespace": namespace, "name": name, "uid": "uid-" + name, "creationTimestamp": "2026-11-24T03:15:02Z",
			"labels": kubetest.Object{
				"app.kubernetes.io/managed-by": "kafkarecover", "kafkarecover.io/operation": operation,
			},
		},
	}
	for k, v := range more {
		o[k] = v
	}
	s.Put(gvr, o)
}

func pod(s *kubetest.Server, namespace, name, operation, phase string, seconds int) {
	put(s, kube.Pods(), "Pod", namespace, name, operation, kubetest.Object{
		"spec": kubetest.Object{"activeDeadlineSeconds": seconds}, "status": kubetest.Object{"phase": phase},
	})
}

func lease(s *kubetest.Server, renewed string) {
	put(s, kube.Leases(), "Lease", "kafka", "kafkarecover-my-cluster", operation, kubetest.Object{"spec": kubetest.Object{
		"holderIdentity": operation + "/5c1d02aa", "leaseDurationSeconds": 60, "renewTime": renewed,
	}})
}

func journalAndQuota(s *kubetest.Server) {
	put(s, kube.ResourceQuotas(), "ResourceQuota", "kafka", "kafkarecover-"+operation, operation, nil)
	put(s, kube.ConfigMaps(), "ConfigMap", "kafka", "kafkarecover-"+operation, operation, nil)
}

func find(t *testing.T, s *kubetest.Server, namespace, operation string) *leftover.Result {
	t.Helper()
	r, err := leftover.Find(context.Background(), s.Client(t, namespace), now(), namespace, operation)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatMayBeAlive(t *testing.T) {
	t.Parallel()
	for title, tc := range map[string]struct {
		arrange func(*kubetest.Server)
		want    leftover.Life
	}{
		"a pod that runs, before its time is up": {
			func(s *kubetest.Server) { pod(s, "kafka", "p", operation, "Running", 3600) }, leftover.Unknown,
		},
		"a pod whose time is up": {
			func(s *kubetest.Server) { pod(s, "kafka", "p", operation, "Running", 60) }, leftover.Dead,
		},
		"a pod that has ended": {
			func(s *kubetest.Server) { pod(s, "kafka", "p", operation, "Failed", 3600) }, leftover.Dead,
		},
		"a lease that is renewed": {func(s *kubetest.Server) {
			lease(s, "2026-11-24T03:19:40.000000Z")
			pod(s, "kafka", "p", operation, "Running", 3600)
		}, leftover.Alive},
		"a lease that has expired": {func(s *kubetest.Server) {
			lease(s, "2026-11-24T03:18:00.000000Z")
			journalAndQuota(s)
		}, leftover.Dead},
		"a lease without a time": {func(s *kubetest.Server) {
			lease(s, "yesterday")
			journalAndQuota(s)
		}, leftover.Dead},
		"a journal alone": {func(s *kubetest.Server) {
			put(s, kube.ConfigMaps(), "ConfigMap", "kafka", "kafkarecover-"+operation, operation, nil)
		}, leftover.Journal},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := kubetest.New(t)
			tc.arrange(s)
			r := find(t, s, "kafka", "")
			if len(r.Operations) != 1 || r.Operations[0].Life != tc.want {
				t.Errorf("want one operation, %q, got %+v", tc.want, r.Operations)
			}
		})
	}
}

func TestFindingIsByOperationAndNamespace(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	pod(s, "kafka", "a", operation, "Running", 3600)
	pod(s, "other", "b", operation, "Running", 3600)
	pod(s, "kafka", "c", "scan-20261124-031502-0000", "Running", 3600)
	s.Put(kube.Pods(), kubetest.Object{
		"apiVersion": "v1", "kind": "Pod", "metadata": kubetest.Object{"namespace": "kafka", "name": "somebody-elses"},
	})
	for title, tc := range map[string]struct{ namespace, operation, want string }{
		"all of all":           {"", "", "pod/a pod/c pod/b"},
		"all of a namespace":   {"kafka", "", "pod/a pod/c"},
		"one of all":           {"", operation, "pod/a pod/b"},
		"one of one namespace": {"other", operation, "pod/b"},
		"none":                 {"empty", "", ""},
	} {
		if got := strings.Join(find(t, s, tc.namespace, tc.operation).Names(), " "); got != tc.want {
			t.Errorf("%s: want %q, got %q", title, tc.want, got)
		}
	}
}

func TestRemovingLeavesTheJournal(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	pod(s, "kafka", "p", operation, "Running", 3600)
	lease(s, "2026-11-24T03:10:00.000000Z")
	journalAndQuota(s)
	r := find(t, s, "kafka", operation)
	if err := r.Remove(context.Background(), s.Client(t, "kafka"), timeout); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"delete pods kafka p", "delete resourcequotas kafka kafkarecover-" + operation,
	}
	if diff := cmp.Diff(want, s.Writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	gone := []string{"pod/p", "resourcequota/kafkarecover-" + operation}
	if diff := cmp.Diff(gone, r.Operations[0].Removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	if left := find(t, s, "kafka", "").Operations; len(left) != 1 || left[0].Life != leftover.Journal {
		t.Errorf("the journal must stay, left is %+v", left)
	}
}

func TestWhatIsAliveIsSpared(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	pod(s, "kafka", "p", operation, "Running", 3600)
	lease(s, "2026-11-24T03:19:40.000000Z")
	journalAndQuota(s)
	err := find(t, s, "kafka", operation).Remove(context.Background(), s.Client(t, "kafka"), timeout)
	var alive *leftover.AliveError
	if !errors.As(err, &alive) || !strings.Contains(err.Error(), "2026-11-24T03:20:40Z") {
		t.Errorf("want it refused, with the end of the lease, got %v", err)
	}
	if w := s.Writes(); len(w) > 0 {
		t.Errorf("nothing of it may be touched, yet: %v", w)
	}
}

func TestAQuotaMadeAnewIsNotRemoved(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	journalAndQuota(s)
	r := find(t, s, "kafka", operation)
	name := "kafkarecover-" + operation
	o := s.Get(kube.ResourceQuotas(), "kafka", name)
	o["metadata"].(kubetest.Object)["uid"] = "new"
	s.Put(kube.ResourceQuotas(), o)
	if err := r.Remove(context.Background(), s.Client(t, "kafka"), timeout); !kube.IsConflict(err) {
		t.Errorf("want a conflict, got %v", err)
	}
	if s.Get(kube.ResourceQuotas(), "kafka", name) == nil {
		t.Error("it was removed")
	}
}

// borrowed puts a claim that borrows a volume of another claim, made at that time, and the volume.
func borrowed(s *kubetest.Server, made, policy string) {
	put(s, kube.Claims(), "PersistentVolumeClaim", "kafka", "kafkarecover-scan-1", operation, kubetest.Object{
		"spec": kubetest.Object{"volumeName": "pv-1"},
	})
	claim := s.Get(kube.Claims(), "kafka", "kafkarecover-scan-1")
	meta := claim["metadata"].(kubetest.Object)
	meta["creationTimestamp"] = made
	meta["annotations"] = kubetest.Object{"kafkarecover.io/borrowed-from": `{"claimRef":{"apiVersion":"v1",` +
		`"kind":"PersistentVolumeClaim","namespace":"kafka","name":"data-0-my-cluster-broker-0","uid":"gone"}}`}
	s.Put(kube.Claims(), claim)
	s.Put(kube.Volumes(), kubetest.Object{
		"apiVersion": "v1", "kind": "PersistentVolume", "metadata": kubetest.Object{"name": "pv-1", "uid": "uid-pv-1"},
		"spec": kubetest.Object{"persistentVolumeReclaimPolicy": policy, "claimRef": kubetest.Object{
			"namespace": "kafka", "name": "kafkarecover-scan-1", "uid": meta["uid"],
		}},
	})
}

// tiedTo is the claim that the volume names.
func tiedTo(s *kubetest.Server) string {
	spec := s.Get(kube.Volumes(), "", "pv-1")["spec"].(kubetest.Object)
	ref := spec["claimRef"].(kubetest.Object)
	return ref["name"].(string) + " " + ref["uid"].(string)
}

func TestWhatWasBorrowedIsGivenBack(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	borrowed(s, "2026-11-24T03:00:00Z", "Retain")
	r := find(t, s, "kafka", operation)
	if o := r.Operations[0]; o.Life != leftover.Dead || len(o.Claims) != 1 {
		t.Fatalf("%+v", o)
	}
	if err := r.Remove(context.Background(), s.Client(t, "kafka"), timeout); err != nil {
		t.Fatal(err)
	}
	if got := tiedTo(s); got != "data-0-my-cluster-broker-0 gone" {
		t.Errorf("the volume is tied to %q", got)
	}
	if s.Get(kube.Claims(), "kafka", "kafkarecover-scan-1") != nil {
		t.Error("the claim that borrowed it is still there")
	}
}

func TestAVolumeThatWouldBeDeletedIsNotGivenBack(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	borrowed(s, "2026-11-24T03:00:00Z", "Delete")
	err := find(t, s, "kafka", operation).Remove(context.Background(), s.Client(t, "kafka"), timeout)
	if err == nil || !strings.Contains(err.Error(), "kafkarecover protect pv/pv-1") {
		t.Errorf("with the policy Delete a volume without its claim is removed: want a refusal that says so, got %v", err)
	}
	if got := tiedTo(s); got != "kafkarecover-scan-1 uid-kafkarecover-scan-1" {
		t.Errorf("the volume is tied to %q", got)
	}
}

func TestARunThatHasJustBorrowedMayBeAlive(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	borrowed(s, "2026-11-24T03:15:02Z", "Retain")
	if o := find(t, s, "kafka", operation).Operations[0]; o.Life != leftover.Unknown {
		t.Errorf("it is said to be %q", o.Life)
	}
}

func TestPodsThatDoNotGo(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	pod(s, "kafka", "p", operation, "Running", 3600)
	o := s.Get(kube.Pods(), "kafka", "p")
	o["metadata"].(kubetest.Object)["finalizers"] = []any{"test/hold"}
	s.Put(kube.Pods(), o)
	err := find(t, s, "kafka", operation).Remove(context.Background(), s.Client(t, "kafka"), time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want the end of the time allowed, got %v", err)
	}
}

func TestWhatMayNotBeSeenIsTold(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	pod(s, "kafka", "p\x1b[31m", operation, "Running", 3600)
	s.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Resource != "pods" {
			return kubetest.Forbidden(r)
		}
		return nil
	})
	streams, _, out, _ := iostreams.Test()
	err := output.Printer{IO: streams, Format: output.FormatWide}.Print(find(t, s, "kafka", ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"leases", "resourcequotas", "configmaps", "may be alive", `pod/p\x1b`} {
		if !strings.Contains(out.String(), kind) {
			t.Errorf("want %q told in\n%s", kind, out)
		}
	}
	s.AnswerWith(kubetest.Forbidden)
	if _, err := leftover.Find(context.Background(), s.Client(t, "kafka"), now(), "kafka", ""); !kube.IsForbidden(err) {
		t.Errorf("without pods there is nothing to tell, got %v", err)
	}
}

// A claim that holds a lost node back is named, and kept: the operation is gone on with, or the cluster restored anew.
func TestAClaimThatHoldsANodeBackIsKept(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	put(s, kube.Claims(), "PersistentVolumeClaim", "kafka", "data-0-my-cluster-broker-2", operation, kubetest.Object{
		"spec":   kubetest.Object{"volumeName": "kafkarecover-held-" + operation},
		"status": kubetest.Object{"phase": "Pending"},
	})
	r := find(t, s, "kafka", operation)
	if len(r.Operations) != 1 || r.Operations[0].Removable() || len(r.Operations[0].Kept) != 1 ||
		!strings.Contains(r.Operations[0].Kept[0], "data-0-my-cluster-broker-2 (held back") {
		t.Fatalf("%+v", r.Operations)
	}
	if err := r.Remove(context.Background(), s.Client(t, "kafka"), timeout); err != nil {
		t.Fatal(err)
	}
	if s.Get(kube.Claims(), "kafka", "data-0-my-cluster-broker-2") == nil {
		t.Error("it was removed")
	}
}
