package recovery

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
)

func TestThePlanSaysWhichClaimsOfLostNodesGo(t *testing.T) {
	t.Parallel()
	plan := buildPlan(planInput{
		operation: rebindOperation, namespace: "kafka", cluster: "my-cluster",
		quota: quotaPlan{lost: []string{"pvc/" + claimName}},
		rebind: &rebindPlan{
			lost: true,
			letGo: []placement.LetGo{
				{Claim: claimName, Volume: "empty", Displaced: true},
				{Claim: "data-1-my-cluster-broker-0", Volume: "was", Gone: true}, {Claim: "data-2-my-cluster-broker-0"},
			},
			displaced: []Displaced{{Volume: "empty", Claim: claimName}},
		},
	})
	at := map[StepID]int{}
	var does []string
	for i := range plan.Steps {
		s := &plan.Steps[i]
		at[s.ID] = i + 1
		does = append(does, append(s.Does, s.Title, s.Risk)...)
	}
	if at[StepClaims] > 0 || at[StepPause] > at[StepStopPods] || at[StepStopPods] > at[StepLetGo] ||
		at[StepLetGo] > at[StepReread] || at[StepReread] > at[StepHoldBack] || at[StepLetGo] == 0 {
		t.Errorf("what is let go is held back once all was read again, and no other volume takes the place: %v", at)
	}
	var shown []StepID
	for i := range plan.Steps {
		shown = append(shown, plan.Steps[i].ID)
	}
	ordered := actionsOf(t, Request{Lost: []string{"node/0"}}, plan)
	if diff := cmp.Diff(ordered, slices.DeleteFunc(shown, func(id StepID) bool {
		return id == StepRetain || id == StepRead || id == StepRestartPods // done before it is confirmed, or on the way
	})); diff != "" {
		t.Errorf("the steps run in another order than they are shown:\n%s", diff)
	}
	for _, says := range []string{
		"let 3 claims go that are in the places of lost nodes, and hold nothing",
		"annotate pv/empty as displaced by this operation",
		"delete pvc/" + claimName + ", which holds pv/empty; the volume stays",
		"delete pvc/data-1-my-cluster-broker-0, whose volume pv/was is no more",
		"delete pvc/data-2-my-cluster-broker-0, which waits for a volume",
		"what runs now is stopped, until reconciliation is un-paused",
	} {
		if text := strings.Join(does, "\n"); !strings.Contains(text, says) {
			t.Errorf("the plan does not say %q:\n%s", says, text)
		}
	}
}

// lostPV is a volume of the name that a claim had, tied to another claim.
func lostPV(uid string) kubetest.Object {
	return kubetest.Object{
		"apiVersion": "v1", "kind": "PersistentVolume", "metadata": kubetest.Object{"name": "new", "uid": "uid-pv"},
		"spec": kubetest.Object{
			"persistentVolumeReclaimPolicy": "Retain",
			"claimRef":                      kubetest.Object{"namespace": "kafka", "name": claimName, "uid": uid},
		},
		"status": kubetest.Object{"phase": "Released"},
	}
}

// A claim whose volume was no more is made again without one; where a volume of that name has come meanwhile, it is
// bound only to the claim that it says itself it was bound to.
func TestAClaimWhoseVolumeIsNoMoreIsMadeAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		phase  string
		pv     kubetest.Object
		state  UndoState
		writes int
	}{
		"there is none":                     {"Lost", nil, UndoDone, 1},
		"it waited for it":                  {"Pending", nil, UndoDone, 1},
		"it was bound":                      {"Bound", nil, UndoLeft, 0},
		"one of another claim came instead": {"Lost", lostPV("uid-other"), UndoLeft, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := kubetest.New(t)
			if c.pv != nil {
				s.Put(kube.Volumes(), c.pv)
			}
			client := s.Client(t, "kafka")
			r := &run{
				Deps: Deps{Kube: client, Report: silent{}}, operation: rebindOperation, write: &writer{kube: client},
			}
			was := claimAsItWas()
			was.SetNamespace("kafka")
			if err := unstructured.SetNestedField(was.Object, c.phase, "status", "phase"); err != nil {
				t.Fatal(err)
			}
			g := &group{
				object:  ObjectRef{Kind: claimKind, Namespace: "kafka", Name: claimName, UID: "uid-was"},
				kind:    kind{gvr: kube.Claims(), namespaced: true},
				deleted: keptAs(was), verb: VerbDelete,
			}
			if err := r.undoOnce(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			if writes := s.Writes(); g.state != c.state || len(writes) != c.writes {
				t.Errorf("%s: %q, %v", g.state, g.note, writes)
			}
			made := s.Get(kube.Claims(), "kafka", claimName)
			if asked, _, _ := unstructured.NestedString(made, "spec", "volumeName"); c.writes > 0 && asked != "new" {
				t.Errorf("it must ask for the volume that it asked for, so that nothing is provisioned for it: %v", made)
			}
		})
	}
}

// Right before a claim goes, its volume must still be no more.
func TestAClaimWhoseVolumeIsThereAgainDoesNotGo(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	r := &run{Deps: Deps{Kube: s.Client(t, "kafka"), Report: silent{}}}
	claim := claimAsItWas()
	gone := placement.LetGo{Claim: claimName, Volume: "new", Gone: true}
	if err := r.mayLose(t.Context(), claim, gone); err != nil {
		t.Error(err)
	}
	other := placement.LetGo{Claim: claimName, Volume: "another", Gone: true}
	var foreign *ForeignWriteError
	if err := r.mayLose(t.Context(), claim, other); !errors.As(err, &foreign) {
		t.Errorf("it asks for another volume than it did: %v", err)
	}
	s.Put(kube.Volumes(), lostPV("uid-was"))
	if err := r.mayLose(t.Context(), claim, gone); !errors.As(err, &foreign) || !strings.Contains(err.Error(), "again") {
		t.Errorf("its volume is there: %v", err)
	}
}
