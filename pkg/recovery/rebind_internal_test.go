package recovery

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/placement"
)

const (
	rebindOperation = "restore-20261126-031123-b369"
	claimName       = "data-0-my-cluster-broker-0"
)

func TestThePlanSaysWhichClaimsGoAndWhatIsOnTheirVolumes(t *testing.T) {
	t.Parallel()
	plan := buildPlan(planInput{
		operation: rebindOperation, namespace: "kafka", cluster: "my-cluster", rebind: &rebindPlan{
			podSets: []podSetStop{{name: "my-cluster-broker", pods: []string{"my-cluster-broker-0"}}},
			letGo: []placement.LetGo{
				{Claim: claimName, Volume: "new", Displaced: true}, {Claim: "data-1-my-cluster-broker-0", Volume: "moves"},
			},
			claims: []placement.Placement{{Volume: "old", Claim: claimName, From: "what is on it"}},
			displaced: []Displaced{{
				Volume: "new", Claim: claimName, ClusterIDs: []string{"nj2gpqbHSfmvw-PQucA3Jg"},
				Held: []finding.Held{{Topic: "orders", Bytes: 2048, End: 40}, {Topic: "empty"}},
			}},
			pools: []string{"kafkanodepool/broker: nodeIds [10] (was [0])"},
		},
	})
	var ids []StepID
	for i := range plan.Steps {
		ids = append(ids, plan.Steps[i].ID)
	}
	want := []StepID{
		StepRetain, StepRead, StepLock, StepPause, StepStopPods, StepLetGo, StepClaims, StepNodeIDs, StepReread,
		StepClusterID, StepSettle, StepQuota, StepUnpause, StepRestartPods, StepVerify, StepRelease,
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("nothing is let go before the pause is proven and the pods are stopped (-want +got):\n%s", diff)
	}
	var does []string
	for i := range plan.Steps {
		does = append(does, append(plan.Steps[i].Does, plan.Steps[i].Risk)...)
	}
	for _, says := range []string{
		"delete strimzipodset/my-cluster-broker, which stops pod/my-cluster-broker-0",
		"annotate pv/new as displaced by this operation",
		"delete pvc/" + claimName + ", which holds pv/new; the volume stays",
		"delete pvc/data-1-my-cluster-broker-0, which holds pv/moves",
		"create pvc/" + claimName + " and set the claimRef of pv/old",
		"1 of 2 partitions have records: 40 offsets, 2048 bytes, of empty, orders",
		"patch the status of kafkanodepool/broker: nodeIds [10] (was [0])",
	} {
		if !strings.Contains(strings.Join(does, "\n"), says) {
			t.Errorf("the plan does not say %q:\n%s", says, strings.Join(does, "\n"))
		}
	}
	if slices.Contains(does, "annotate pv/moves as displaced by this operation") {
		t.Error("a volume that gets another claim is not displaced")
	}
	ordered := actionsOf(t, Request{RebindClaims: true}, plan)
	if diff := cmp.Diff(ordered, slices.DeleteFunc(slices.Clone(want), func(id StepID) bool {
		return id == StepRetain || id == StepRead || id == StepRestartPods // done before it is confirmed, or on the way
	})); diff != "" {
		t.Errorf("the steps run in another order than they are shown:\n%s", diff)
	}
}

// Replicas of one partition hold the same records; nobody has lost three times as many.
func TestReplicasOfAPartitionCountOnce(t *testing.T) {
	t.Parallel()
	for want, held := range map[string][]finding.Held{
		"no partition": nil,
		"1 partition without a record, of orders": {
			{Dir: "kafka-log0/orders-0", Topic: "orders"}, {Dir: "kafka-log1/orders-0", Topic: "orders", End: -1},
		},
		"2 of 3 partitions have records: 49 offsets, 300 bytes, of billing, orders": {
			{Dir: "kafka-log0/orders-0", Topic: "orders", Bytes: 100, End: 40},
			{Dir: "kafka-log1/orders-0", Topic: "orders", Bytes: 90, End: 38},
			{Dir: "kafka-log1/orders-1", Topic: "orders", Bytes: 110, Start: 5, End: 14}, {Dir: "b/billing-0", Topic: "billing"},
		},
	} {
		if got := acceptedText(held); got != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
}

// Where the resources are gone too, Kafka is created, paused, before anything is let go, and each claim is made once.
func TestThePlanRebindsClaimsOfAClusterThatIsCreated(t *testing.T) {
	t.Parallel()
	claims := []placement.Placement{{Volume: "old", Claim: claimName, From: "what is on it"}}
	plan := buildPlan(planInput{
		operation: rebindOperation, namespace: "kafka", cluster: "my-cluster",
		create: &createPlan{
			claims: claims, resources: []string{"kafka/my-cluster"}, pools: []string{"kafkanodepool/broker: nodeIds [0]"},
		},
		rebind: &rebindPlan{
			letGo: []placement.LetGo{{Claim: claimName, Volume: "new", Displaced: true}}, claims: claims,
			podSets: []podSetStop{{name: "my-cluster-broker", pods: []string{"my-cluster-broker-0"}}},
		},
	})
	var ids []StepID
	for i := range plan.Steps {
		ids = append(ids, plan.Steps[i].ID)
	}
	want := []StepID{
		StepRetain, StepRead, StepLock, StepResources, StepPause, StepStopPods, StepLetGo, StepClaims, StepNodeIDs,
		StepReread, StepClusterID, StepSettle, StepQuota, StepUnpause, StepRestartPods, StepVerify, StepTopics,
		StepEntityOperator, StepRelease,
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("the order of the steps (-want +got):\n%s", diff)
	}
	ordered := actionsOf(t, Request{RebindClaims: true}, plan)
	if diff := cmp.Diff(ordered, slices.DeleteFunc(want, func(id StepID) bool {
		return id == StepRetain || id == StepRead || id == StepRestartPods // done before it is confirmed, or on the way
	})); diff != "" {
		t.Errorf("the steps run in another order than they are shown:\n%s", diff)
	}
	if undo := plan.step(StepStopPods).Undo; !strings.Contains(undo, "nobody starts them again") {
		t.Errorf("an undo leaves no Kafka resource to start them for: %q", undo)
	}
	if does := plan.step(StepNodeIDs).Does; !slices.Contains(does, "patch the status of kafkanodepool/broker: nodeIds [0]") {
		t.Errorf("%q", does)
	}
}

// actionsOf are the steps that are run after the confirmation, in their order.
func actionsOf(t *testing.T, req Request, plan Plan) (ids []StepID) {
	t.Helper()
	r := &run{Request: req, plan: &plan}
	for _, a := range r.actions() {
		ids = append(ids, a.id)
	}
	return ids
}

func claimAsItWas() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": claimKind,
		"metadata": map[string]any{
			"namespace": "kafka", "name": claimName, "uid": "uid-was", "resourceVersion": "7",
			"labels": map[string]any{"strimzi.io/cluster": "my-cluster"},
			"annotations": map[string]any{
				"strimzi.io/delete-claim": "false", "pv.kubernetes.io/bind-completed": "yes",
				"volume.kubernetes.io/selected-node": "node-1",
			},
			"finalizers":      []any{"kubernetes.io/pvc-protection"},
			"ownerReferences": []any{map[string]any{"kind": "KafkaNodePool", "name": "broker", "uid": "gone"}},
		},
		"spec": map[string]any{
			"accessModes": []any{"ReadWriteOnce"}, "storageClassName": "local", "volumeMode": "Filesystem",
			"volumeName": "new", "resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}},
			"dataSource": map[string]any{"kind": "VolumeSnapshot", "name": "other"},
		},
		"status": map[string]any{"phase": "Bound"},
	}}
}

// An owner that is gone would have the claim collected, a binding annotation make it Lost, a data source fill a volume.
func TestAClaimIsMadeAgainWithoutWhatWouldHarmIt(t *testing.T) {
	t.Parallel()
	g := &group{
		object: ObjectRef{Kind: claimKind, Namespace: "kafka", Name: claimName, UID: "uid-was"},
		deleted: map[string]any{ // as somebody may have put it into the journal
			"metadata": claimAsItWas().Object["metadata"], "spec": claimAsItWas().Object["spec"],
		},
	}
	want := map[string]any{
		"apiVersion": "v1", "kind": claimKind,
		"metadata": map[string]any{
			"namespace": "kafka", "name": claimName, "labels": map[string]any{"strimzi.io/cluster": "my-cluster"},
			"annotations": map[string]any{"strimzi.io/delete-claim": "false"},
		},
		"spec": map[string]any{
			"accessModes": []any{"ReadWriteOnce"}, "storageClassName": "local", "volumeMode": "Filesystem",
			"volumeName": "new", "resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}},
		},
	}
	if diff := cmp.Diff(want, madeAgain(g).Object); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

type silent struct{}

func (silent) Begin(string, string)   {}
func (silent) Step(Step)              {}
func (silent) Waiting(StepID, string) {}
func (silent) Warn(string)            {}

// The journal is input: a volume is bound only to the claim that it says itself it was bound to.
func TestNoClaimIsMadeAgainForAVolumeThatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	type object = kubetest.Object
	pv := func(claim, uid string) object {
		return object{
			"apiVersion": "v1", "kind": "PersistentVolume", "metadata": object{"name": "new", "uid": "uid-pv"},
			"spec": object{
				"persistentVolumeReclaimPolicy": "Retain", "claimRef": object{"namespace": "kafka", "name": claim, "uid": uid},
			},
			"status": object{"phase": "Released"},
		}
	}
	claim := func(uid, volume string) object {
		return object{
			"apiVersion": "v1", "kind": claimKind, "metadata": object{"namespace": "kafka", "name": claimName, "uid": uid},
			"spec": object{"volumeName": volume}, "status": object{"phase": "Bound"},
		}
	}
	for name, c := range map[string]struct {
		pv, claim object
		state     UndoState
		says      string
	}{
		"its volume is gone":              {nil, nil, UndoLeft, "is gone"},
		"its volume was of another claim": {pv("data-somebody", "uid-was"), nil, UndoLeft, "tied to claim"},
		"its volume was of one like it":   {pv(claimName, "uid-other"), nil, UndoLeft, "tied to claim"},
		"another claim has its name":      {pv(claimName, "uid-was"), claim("uid-x", "other"), UndoLeft, "another claim"},
		"it was not deleted":              {pv(claimName, "uid-was"), claim("uid-was", "new"), UndoNothing, "not deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := kubetest.New(t)
			if c.pv != nil {
				s.Put(kube.Volumes(), c.pv)
			}
			if c.claim != nil {
				s.Put(kube.Claims(), c.claim)
			}
			client := s.Client(t, "kafka")
			r := &run{
				Deps: Deps{Kube: client, Report: silent{}}, operation: rebindOperation, write: &writer{kube: client},
			}
			g := &group{
				object:  ObjectRef{Kind: claimKind, Namespace: "kafka", Name: claimName, UID: "uid-was"},
				kind:    kind{gvr: kube.Claims(), namespaced: true},
				deleted: keptClaim(claimAsItWas()), verb: VerbDelete,
			}
			if err := r.undoOnce(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			if g.state != c.state || !strings.Contains(g.note, c.says) {
				t.Errorf("%s: %q", g.state, g.note)
			}
			if writes := s.Writes(); len(writes) > 0 {
				t.Errorf("nothing may be written: %v", writes)
			}
		})
	}
}

// What the undo makes again is not the claim that was made in its place.
func TestAClaimThatIsMadeAgainIsTold(t *testing.T) {
	t.Parallel()
	was := claimAsItWas()
	r := &Recorded{Operation: rebindOperation, Entries: []Entry{{
		Phase: PhaseIntent, Step: string(StepLetGo),
		Changes: []Change{{Verb: VerbDelete, Object: refOf(was), Before: keptClaim(was)}},
	}}}
	again := was.DeepCopy()
	again.SetUID("uid-again")
	if !r.letGo(again) {
		t.Error("it asks for the volume that the claim had")
	}
	if r.deletes(again) || !r.deletes(was) {
		t.Error("which of them was deleted is told by its UID")
	}
	other := again.DeepCopy()
	_ = unstructured.SetNestedField(other.Object, "old", "spec", "volumeName")
	own := again.DeepCopy()
	own.SetAnnotations(map[string]string{CreatedAnnotation: rebindOperation})
	if r.letGo(other) || r.letGo(own) {
		t.Error("a claim for another volume, or one that the operation made, is not it")
	}
}

// What an earlier run has displaced is held, and told, to the end.
func TestDisplacedVolumesThatAreNotLookedAtAgainStay(t *testing.T) {
	t.Parallel()
	was := []Displaced{{Volume: "new-0", Claim: "data-0"}, {Volume: "new-1", Claim: "data-1"}}
	now := []Displaced{{Volume: "new-1", Claim: "data-1", ClusterIDs: []string{"another"}}}
	want := []Displaced{was[0], now[0]}
	if diff := cmp.Diff(want, measuredAgain(was, now)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(was, measuredAgain(was, nil)); diff != "" {
		t.Errorf("where nothing is to be looked at (-want +got):\n%s", diff)
	}
}
