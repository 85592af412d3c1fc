package leftover_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/leftover"
)

// declaredVolume puts a volume that a dry run declared for a claim which is gone, changed by edit.
func declaredVolume(s *kubetest.Server, name string, edit func(meta, spec kubetest.Object)) {
	put(s, kube.Volumes(), "PersistentVolume", "", name, operation, nil)
	o := s.Get(kube.Volumes(), "", name)
	meta := o["metadata"].(kubetest.Object)
	delete(meta, "namespace")
	meta["creationTimestamp"] = "2026-11-24T03:00:00Z"
	meta["annotations"] = kubetest.Object{
		"kafkarecover.io/created-by": operation,
		"kafkarecover.io/declared-to-be-read": `{"persistentVolumeReclaimPolicy":"Retain","csi":{"volumeHandle":"vol-1"},` +
			`"claimRef":{"namespace":"kafka","name":"data-0-my-cluster-broker-0","uid":"uid-gone"}}`,
	}
	spec := kubetest.Object{
		"persistentVolumeReclaimPolicy": "Retain", "csi": kubetest.Object{"volumeHandle": "vol-1"}, "volumeMode": "Filesystem",
		"claimRef": kubetest.Object{"namespace": "kafka", "name": "data-0-my-cluster-broker-0", "uid": "uid-gone"},
	}
	edit(meta, spec)
	o["spec"], o["status"] = spec, kubetest.Object{"phase": "Released"}
	s.Put(kube.Volumes(), o)
}

func asDeclared(_, _ kubetest.Object) {}

func findAll(t *testing.T, s *kubetest.Server, namespace string) *leftover.Result {
	t.Helper()
	r, err := leftover.FindAll(t.Context(), s.Client(t, namespace), now(), namespace, operation)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVolumesThatADryRunDeclaredAreRemoved(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	declaredVolume(s, "pv-1", asDeclared)
	declaredVolume(s, "pv-2", asDeclared)
	if r := findAll(t, s, "elsewhere"); len(r.Operations) != 0 {
		t.Errorf("they are of another namespace's claims: %+v", r.Operations)
	}
	if r := find(t, s, "kafka", ""); len(r.Operations) != 0 {
		t.Errorf("whoever asks for a namespace alone is told of that: %+v", r.Operations)
	}
	r := findAll(t, s, "kafka")
	if len(r.Operations) != 1 || !slices.Equal(r.Operations[0].Volumes, []string{"pv-1", "pv-2"}) ||
		r.Operations[0].Life != leftover.Dead || !r.Operations[0].Removable() {
		t.Fatalf("%+v", r.Operations)
	}
	if want := []string{"persistentvolume/pv-1", "persistentvolume/pv-2"}; !slices.Equal(r.Names(), want) {
		t.Errorf("want %q, got %q", want, r.Names())
	}
	if err := r.Remove(t.Context(), s.Client(t, "kafka"), timeout); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pv-1", "pv-2"} {
		if s.Get(kube.Volumes(), "", name) != nil {
			t.Errorf("pv %q is still there", name)
		}
		if !slices.Contains(r.Operations[0].Removed, "persistentvolume/"+name) {
			t.Errorf("what was removed must be told: %q", r.Operations[0].Removed)
		}
	}
}

func TestAYoungVolumeMayBeBeingRead(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	declaredVolume(s, "pv-1", func(meta, _ kubetest.Object) { meta["creationTimestamp"] = "2026-11-24T03:15:02Z" })
	if o := findAll(t, s, "kafka").Operations[0]; o.Life != leftover.Unknown {
		t.Errorf("it is said to be %q", o.Life)
	}
}

// What anybody uses, what a restore declared, and what would take its disk along, is neither told nor touched.
func TestOtherVolumesAreNotRemoved(t *testing.T) {
	t.Parallel()
	ref := func(spec kubetest.Object) kubetest.Object { return spec["claimRef"].(kubetest.Object) }
	for title, edit := range map[string]func(meta, spec kubetest.Object){
		"bound since": func(_, spec kubetest.Object) { ref(spec)["uid"] = "another" },
		"a restore declared it": func(meta, _ kubetest.Object) {
			delete(meta["annotations"].(kubetest.Object), "kafkarecover.io/declared-to-be-read")
		},
		"a restore holds it": func(meta, _ kubetest.Object) {
			meta["annotations"].(kubetest.Object)["kafkarecover.io/operation"] = "restore-20261124-041502-aaaa"
		},
		"it is another disk by now": func(_, spec kubetest.Object) { spec["csi"] = kubetest.Object{"volumeHandle": "vol-2"} },
		"its mark is not read": func(meta, _ kubetest.Object) {
			meta["annotations"].(kubetest.Object)["kafkarecover.io/declared-to-be-read"] = "{"
		},
		"its disk would go":    func(_, spec kubetest.Object) { spec["persistentVolumeReclaimPolicy"] = "Delete" },
		"it is being deleted":  func(meta, _ kubetest.Object) { meta["deletionTimestamp"] = "2026-11-24T03:16:00Z" },
		"it names no claim":    func(_, spec kubetest.Object) { delete(spec, "claimRef") },
		"it is not of a run's": func(meta, _ kubetest.Object) { delete(meta, "labels") },
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := kubetest.New(t)
			declaredVolume(s, "pv-1", asDeclared)
			r := findAll(t, s, "kafka")
			declaredVolume(s, "pv-1", edit) // between the look and the removal
			found := findAll(t, s, "kafka")
			if len(found.Operations) != 0 {
				t.Errorf("it must not be told: %+v", found.Operations)
			}
			err := r.Remove(t.Context(), s.Client(t, "kafka"), timeout)
			if title == "it is not of a run's" { // the mark is still on it, which nothing else writes
				return
			}
			if err == nil || !strings.Contains(err.Error(), `"pv-1" stays`) {
				t.Errorf("want what is left said, got %v", err)
			}
			if s.Get(kube.Volumes(), "", "pv-1") == nil {
				t.Error("it was removed")
			}
		})
	}
}

// The claim that it names is there after all, with the UID it once had.
func TestAVolumeWhoseClaimIsThereStays(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	declaredVolume(s, "pv-1", asDeclared)
	s.Put(kube.Claims(), kubetest.Object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": kubetest.Object{"namespace": "kafka", "name": "data-0-my-cluster-broker-0", "uid": "uid-gone"},
	})
	err := findAll(t, s, "kafka").Remove(t.Context(), s.Client(t, "kafka"), timeout)
	if err == nil || s.Get(kube.Volumes(), "", "pv-1") == nil {
		t.Errorf("a claim has it: %v", err)
	}
}

// A look had borrowed it when the dry run was killed: the look's own leftovers go first.
func TestAVolumeThatIsLentIsRemovedOnceItIsGivenBack(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	const look = "scan-20261124-031502-aaaa"
	declaredVolume(s, "pv-1", func(_, spec kubetest.Object) {
		spec["claimRef"] = kubetest.Object{"namespace": "kafka", "name": "kafkarecover-scan-1", "uid": "uid-kafkarecover-scan-1"}
	})
	put(s, kube.Claims(), "PersistentVolumeClaim", "kafka", "kafkarecover-scan-1", look, kubetest.Object{
		"spec": kubetest.Object{"volumeName": "pv-1"},
	})
	claim := s.Get(kube.Claims(), "kafka", "kafkarecover-scan-1")
	claim["metadata"].(kubetest.Object)["annotations"] = kubetest.Object{"kafkarecover.io/borrowed-from": `{"claimRef":{` +
		`"apiVersion":"v1","kind":"PersistentVolumeClaim","namespace":"kafka","name":"data-0-my-cluster-broker-0",` +
		`"uid":"uid-gone"}}`}
	s.Put(kube.Claims(), claim)
	all := func(operation string) *leftover.Result {
		r, err := leftover.FindAll(t.Context(), s.Client(t, "kafka"), now(), "kafka", operation)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := all(""); len(r.Operations) != 2 {
		t.Fatalf("both must be told: %+v", r.Operations)
	}
	err := all(operation).Remove(t.Context(), s.Client(t, "kafka"), timeout)
	if err == nil || !strings.Contains(err.Error(), "kafkarecover-scan-1") || s.Get(kube.Volumes(), "", "pv-1") == nil {
		t.Errorf("as long as a claim has it, it stays, and this is said: %v", err)
	}
	if err := all(look).Remove(t.Context(), s.Client(t, "kafka"), timeout); err != nil {
		t.Fatal(err)
	}
	if s.Get(kube.Volumes(), "", "pv-1") == nil {
		t.Fatal("giving back removes no volume")
	}
	if err := all(operation).Remove(t.Context(), s.Client(t, "kafka"), timeout); err != nil {
		t.Fatal(err)
	}
	if s.Get(kube.Volumes(), "", "pv-1") != nil {
		t.Error("it is still there")
	}
}

func TestVolumesThatMayNotBeListedAreTold(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	s.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
		if r.Resource == "persistentvolumes" {
			return kubetest.Forbidden(r)
		}
		return nil
	})
	if r := findAll(t, s, "kafka"); len(r.NotVisible) != 1 || !strings.Contains(r.NotVisible[0], "persistentvolumes") {
		t.Errorf("%q", r.NotVisible)
	}
}
