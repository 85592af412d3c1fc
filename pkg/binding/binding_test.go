package binding_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// put stores a Released volume with the policy Retain, changed as wanted, and returns it as it is looked at.
func put(s *kubetest.Server, change func(o kubetest.Object)) *volume.PersistentVolume {
	o := kubetest.Object{
		"apiVersion": "v1", "kind": "PersistentVolume",
		"metadata": kubetest.Object{
			"name": "pv-1", "uid": "uid-1", "annotations": kubetest.Object{"pv.kubernetes.io/bound-by-controller": "yes"},
		},
		"spec": kubetest.Object{
			"persistentVolumeReclaimPolicy": "Retain", "storageClassName": "fast", "volumeMode": "Filesystem",
			"capacity": kubetest.Object{"storage": "10Gi"}, "accessModes": []any{"ReadWriteOnce"},
			"claimRef": kubetest.Object{
				"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "kafka", "name": "data-0", "uid": "gone",
				"resourceVersion": "7",
			},
		},
		"status": kubetest.Object{"phase": "Released"},
	}
	if change != nil {
		change(o)
	}
	s.Put(kube.Volumes(), o)
	pv := volume.ParsePersistentVolume(s.Get(kube.Volumes(), "", "pv-1"))
	return &pv
}

func claim() binding.Claim { return binding.Claim{Namespace: "kafka", Name: "data-0", UID: "new"} }

func bind(t *testing.T, s *kubetest.Server, pv *volume.PersistentVolume) error {
	t.Helper()
	k := s.Client(t, "kafka")
	return binding.Bind(context.Background(), k, binding.Plain{Kube: k}, pv, claim())
}

func TestBindTiesAVolumeInOneWrite(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	if err := bind(t, s, put(s, nil)); err != nil {
		t.Fatal(err)
	}
	o := s.Get(kube.Volumes(), "", "pv-1")
	want := kubetest.Object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "kafka", "name": "data-0", "uid": "new",
	}
	if diff := cmp.Diff(want, o["spec"].(kubetest.Object)["claimRef"]); diff != "" {
		t.Errorf("nothing of the former claim may be left in the reference:\n%s", diff)
	}
	if len(o["metadata"].(kubetest.Object)["annotations"].(kubetest.Object)) != 0 {
		t.Error("a binding that the controller chose is one that it may undo")
	}
	if n := len(s.Writes()); n != 1 {
		t.Errorf("%d writes: between two the volume would be Available", n)
	}
}

func TestBindRefusesWhatWouldLoseTheVolume(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(kubetest.Object){
		"is \"Delete\", not Retain": func(o kubetest.Object) {
			o["spec"].(kubetest.Object)["persistentVolumeReclaimPolicy"] = "Delete"
		},
		"being deleted": func(o kubetest.Object) {
			o["metadata"].(kubetest.Object)["deletionTimestamp"] = "2026-01-01T00:00:00Z"
		},
		"it is Bound": func(o kubetest.Object) { o["status"] = kubetest.Object{"phase": "Bound"} },
	} {
		s := kubetest.New(t)
		err := bind(t, s, put(s, change))
		var refused *binding.NotFreeError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) || len(s.Writes()) != 0 {
			t.Errorf("want %q and nothing written, got %v, %v", want, err, s.Writes())
		}
	}
}

func TestBindIsForTheVolumeThatWasJudged(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	pv := put(s, nil)
	put(s, func(o kubetest.Object) { o["metadata"].(kubetest.Object)["uid"] = "another" })
	if err := bind(t, s, pv); err == nil || !strings.Contains(err.Error(), "replaced by another") || len(s.Writes()) != 0 {
		t.Errorf("got %v, %v", err, s.Writes())
	}
}

func TestBindLooksAgainWhenSomebodyWroteInBetween(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	pv := put(s, nil)
	conflicts := 2
	s.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Verb == "patch" && conflicts > 0 {
			conflicts--
			return &kubetest.Failure{Code: http.StatusConflict, Reason: "Conflict", Message: "the object has been modified"}
		}
		return nil
	})
	if err := bind(t, s, pv); err != nil {
		t.Error(err)
	}
	if err := bind(t, s, pv); err != nil { // a run that goes on finds it done
		t.Error(err)
	}
	s.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Verb == "patch" {
			return &kubetest.Failure{Code: http.StatusConflict, Reason: "Conflict", Message: "the object has been modified"}
		}
		return nil
	})
	put(s, nil)
	if err := bind(t, s, pv); !kube.IsConflict(err) {
		t.Errorf("somebody writes all the time: want the conflict, got %v", err)
	}
}

// A claim that names its volume stays Pending until the volume controller looks at it for a reason, which a change is;
// one that the controller's own round has bound already needs none.
func TestAClaimThatWaitsForTheControllersRoundIsTouched(t *testing.T) {
	t.Parallel()
	for phase, writes := range map[string]int{volume.PhasePending: 1, volume.PhaseBound: 0} {
		s := kubetest.New(t)
		put(s, func(o kubetest.Object) {
			o["spec"].(kubetest.Object)["claimRef"].(kubetest.Object)["uid"] = "new"
			o["status"] = kubetest.Object{"phase": "Bound"}
		})
		waiting := func(phase string, annotations kubetest.Object) {
			s.Put(kube.Claims(), kubetest.Object{
				"apiVersion": "v1", "kind": "PersistentVolumeClaim",
				"metadata": kubetest.Object{
					"namespace": "kafka", "name": "data-0", "uid": "new", "annotations": annotations,
				},
				"spec": kubetest.Object{"volumeName": "pv-1"}, "status": kubetest.Object{"phase": phase},
			})
		}
		waiting(phase, nil)
		s.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
			if r.Verb == "patch" && r.Resource == kube.Claims().Resource && strings.Contains(string(r.Body), "pv-1") {
				go func() { // what the controller does about the change
					time.Sleep(10 * time.Millisecond)
					waiting(volume.PhaseBound, kubetest.Object{binding.TiedAnnotation: "pv-1"})
				}()
			}
			return nil
		})
		k := s.Client(t, "kafka")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := binding.Complete(ctx, k, binding.Plain{Kube: k}, claim(), "pv-1")
		cancel()
		if err != nil || len(s.Writes()) != writes {
			t.Errorf("%s: want it bound and %d writes, got %v, %v", phase, writes, err, s.Writes())
		}
	}
}

func TestNewClaimStandsForExactlyItsVolume(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	pv := put(s, nil)
	got := binding.NewClaim(pv, "kafka", "data-0", "", nil, map[string]string{"made": "here"})
	want := kubetest.Object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": kubetest.Object{
			"namespace": "kafka", "name": "data-0", "annotations": kubetest.Object{"made": "here"},
		},
		"spec": kubetest.Object{
			"volumeName": "pv-1", "storageClassName": "fast", "volumeMode": "Filesystem",
			"accessModes": []any{"ReadWriteOnce"},
			"resources":   kubetest.Object{"requests": kubetest.Object{"storage": "10Gi"}},
		},
	}
	if diff := cmp.Diff(want, got.Object); diff != "" {
		t.Error(diff)
	}
	less := binding.NewClaim(pv, "kafka", "data-0", "8Gi", nil, nil)
	if size, _, _ := unstructured.NestedString(less.Object, "spec", "resources", "requests", "storage"); size != "8Gi" {
		t.Errorf("the claim asks for %q, not for what the pool does", size)
	}
	pv.StorageClass = ""
	none := binding.NewClaim(pv, "kafka", "data-0", "", nil, nil)
	if class, found, _ := unstructured.NestedString(none.Object, "spec", "storageClassName"); !found || class != "" {
		t.Error("without a class of its own the cluster's default would be filled in, and never match")
	}
}

func TestWhatABorrowingClaimDoesNotSayIsNotGuessed(t *testing.T) {
	t.Parallel()
	for want, annotations := range map[string]map[string]any{
		"no annotation":       nil,
		"read the annotation": {binding.LoanAnnotation: "{"},
	} {
		s := kubetest.New(t)
		put(s, nil)
		u := &unstructured.Unstructured{Object: kubetest.Object{
			"apiVersion": "v1", "kind": "PersistentVolumeClaim",
			"metadata": kubetest.Object{"namespace": "kafka", "name": "kafkarecover-x", "uid": "x", "annotations": annotations},
			"spec":     kubetest.Object{"volumeName": "pv-1"},
		}}
		k := s.Client(t, "kafka")
		err := binding.GiveBack(context.Background(), k, binding.Plain{Kube: k}, u)
		if err == nil || !strings.Contains(err.Error(), want) || len(s.Writes()) != 0 {
			t.Errorf("want %q and nothing written, got %v, %v", want, err, s.Writes())
		}
	}
}

func TestOneVolumeThatIsNotBoundDoesNotHoldUpTheLoan(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t) // no controller binds anything here
	pv := put(s, nil)
	k := s.Client(t, "kafka")
	loan, err := binding.Borrow(context.Background(), k, binding.Plain{Kube: k}, binding.LoanRequest{
		Operation: "scan-1", Namespace: "kafka", Volumes: []volume.PersistentVolume{*pv}, Timeout: 50 * time.Millisecond,
	})
	if err != nil || loan.Refused["pv-1"] == nil {
		t.Fatalf("%v, %v", err, loan.Refused)
	}
	if _, lent := loan.Claim("pv-1"); lent {
		t.Error("it is said to be lent")
	}
	if err := loan.Return(context.Background()); err != nil {
		t.Fatal(err)
	}
	back := volume.ParsePersistentVolume(s.Get(kube.Volumes(), "", "pv-1"))
	if back.ClaimName != "data-0" || back.ClaimUID != "gone" || s.Get(kube.Claims(), "kafka", "kafkarecover-scan-1-1") != nil {
		t.Errorf("it is tied to %q %q, and the claim must be gone", back.ClaimName, back.ClaimUID)
	}
}
