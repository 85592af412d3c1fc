package recovery_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// setName is a StatefulSet whose claims have the names of the volumes of both roles, whose voters are in the log.
const setName = "my-cluster-dual-role"

// setGround is a ground of three nodes of both roles with dynamic voters, which a StatefulSet ran.
func setGround(t *testing.T, change func(disks string)) (g *ground, id string) {
	t.Helper()
	m := volumes.ReadManifest(t, volumes.DualRole)
	return newGroundOn(t, "", volumes.Unpack(t, volumes.DualRole), change), m.ClusterID
}

// setManifest is the manifest of the StatefulSet, with that cluster ID in the environment of its pods.
func (g *ground) setManifest(id string, replicas int64) *unstructured.Unstructured {
	labels := map[string]any{"app": setName}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": map[string]any{"namespace": g.ns, "name": setName},
		"spec": map[string]any{
			"replicas": replicas, "serviceName": setName, "podManagementPolicy": "Parallel",
			"selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{
				"metadata": map[string]any{"labels": labels},
				"spec": map[string]any{
					"terminationGracePeriodSeconds": int64(0),
					"nodeSelector":                  map[string]any{"kubernetes.io/hostname": "none"}, // see play
					"containers": []any{map[string]any{
						"name": "kafka", "image": kafkaImage,
						"env": []any{
							map[string]any{"name": "KAFKA_PROCESS_ROLES", "value": "broker,controller"},
							map[string]any{"name": "CLUSTER_ID", "value": id},
						},
						"volumeMounts": []any{map[string]any{"name": "data", "mountPath": "/var/lib/kafka"}},
					}},
				},
			},
			"volumeClaimTemplates": []any{map[string]any{
				"metadata": map[string]any{"name": "data", "labels": map[string]any{"tier": "log"}},
				"spec": map[string]any{
					"accessModes": []any{"ReadWriteOnce"}, "storageClassName": storageClass,
					"resources": map[string]any{"requests": map[string]any{"storage": "512Mi"}},
				},
			}},
		},
	}}
}

// declaredSet is the manifest with the headless Service beside it.
func (g *ground) declaredSet(id string) *declared.StatefulSet {
	g.t.Helper()
	service := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": setName},
		"spec": map[string]any{"clusterIP": "None", "ports": []any{map[string]any{"port": int64(9092)}}},
	}}
	out, err := declared.PickSet([]*unstructured.Unstructured{g.setManifest(id, 3), service}, g.ns, setName)
	if err != nil {
		g.t.Fatal(err)
	}
	return out
}

// play has the pods of the StatefulSet, which no node takes, be ready, as long as the test runs.
func (g *ground) play() {
	g.t.Helper()
	pods := g.typed.CoreV1().Pods(g.ns)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ; ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
			list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: "app=" + setName})
			if err != nil {
				continue
			}
			for i := range list.Items {
				if list.Items[i].Status.Phase == corev1.PodRunning {
					continue
				}
				_, _ = pods.Patch(ctx, list.Items[i].Name, types.StrategicMergePatchType, []byte(
					`{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}`), metav1.PatchOptions{}, "status")
			}
		}
	}()
	g.t.Cleanup(func() { cancel(); <-ended })
}

// applySet creates the StatefulSet.
func (g *ground) applySet(id string, replicas int64) {
	g.t.Helper()
	if _, err := g.client.Create(g.t.Context(), kube.StatefulSets(), g.setManifest(id, replicas), false); err != nil {
		g.t.Fatal(err)
	}
}

// lookSet collects the real objects and reads the volumes where they lie on this machine.
func (g *ground) lookSet(ctx context.Context, req recovery.LookRequest) (*recovery.Observation, error) {
	opts := scan.Options{Place: true, Excluded: req.Excluded}
	if d := req.DeclaredSet; d != nil {
		opts.Set, opts.Configs = d.Planned(), d.Configs()
	}
	c, err := scan.CollectSet(ctx, g.client, req.Namespace, req.Name, opts)
	if err != nil {
		return nil, err
	}
	switch {
	case req.Depth == recovery.Objects:
	case req.Lender != nil && len(c.Others) > 0:
		err = g.readLent(ctx, &scan.Live{}, c, req)
	default:
		err = read(ctx, g.disks, c.Volumes)
	}
	if err != nil {
		return nil, err
	}
	for _, list := range [][]volume.Volume{c.Volumes, c.Released} { // as the pods of a StatefulSet are read
		for i := range list {
			for j := 0; list[i].Contents != nil && j < len(list[i].Contents.Dirs); j++ {
				list[i].Contents.Dirs[j].NodeIDInName = nil
			}
		}
	}
	if req.Depth == recovery.Volumes {
		c.ArrangeSet(opts)
	}
	return &recovery.Observation{
		Set: c.Set, Planned: c.Set.Declared, Volumes: c.Volumes, Others: c.Others, Placements: c.Placements,
		Going: c.Going,
		Findings: finding.Judge(finding.Input{
			Volumes: c.Volumes, Others: c.Others, Set: c.Set, Excluded: req.Excluded,
		}),
	}, nil
}

// restoreSet runs recovery.RestoreSet; change may alter the request.
func (g *ground) restoreSet(
	ctx context.Context, change func(*recovery.Request, *recovery.Deps),
) (*recovery.Result, error) {
	g.t.Helper()
	req := recovery.Request{
		Namespace: g.ns, Name: setName, DryRun: recovery.DryRunNone, Wait: true, Timeout: 2 * time.Minute,
	}
	deps := g.deps()
	deps.Look = g.lookSet
	if change != nil {
		change(&req, &deps)
	}
	result, err := recovery.RestoreSet(ctx, req, deps)
	if result != nil {
		g.follows(result)
	}
	return result, err
}

// setRefusedBy requires a refusal by a rule, and returns its finding.
func setRefusedBy(t *testing.T, result *recovery.Result, err error, rule string) finding.Finding {
	t.Helper()
	if err != nil || result.Outcome != recovery.OutcomeRefused {
		t.Fatal(err, told(result))
	}
	i := slices.IndexFunc(result.Refusals, func(f finding.Finding) bool { return f.Rule == rule })
	if i < 0 {
		t.Fatalf("%s does not refuse: %s", rule, told(result))
	}
	return result.Refusals[i]
}

func TestAStatefulSetComesBackFromItsVolumes(t *testing.T) {
	t.Parallel()
	g, id := setGround(t, nil)
	before := g.layout()
	g.release()
	g.play()
	stop := g.phases()
	result, err := g.restoreSet(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
		r.DeclaredSet = g.declaredSet(id)
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored || result.ClusterID != id {
		t.Fatal(err, told(result))
	}
	if got := stop(); slices.Contains(got, "Available") {
		t.Errorf("a volume was Available on the way, where any other claim could take it: %v", got)
	}
	if diff := cmp.Diff(before, g.layout()); diff != "" {
		t.Errorf("every claim must have the volume it had, and no other be there:\n%s", diff)
	}
	claim, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).Get(t.Context(), "data-"+setName+"-1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"app": setName, "tier": "log"}, claim.Labels); diff != "" ||
		len(claim.OwnerReferences) > 0 || claim.Spec.Resources.Requests.Storage().String() != "512Mi" {
		t.Errorf("the claim is not as the StatefulSet controller makes it: %s %v", diff, claim)
	}
	pods, err := g.typed.CoreV1().Pods(g.ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + setName})
	if err != nil || len(pods.Items) != 3 {
		t.Errorf("%v, %d pods", err, len(pods.Items))
	}
	g.tellsOf(result.Operation)
	var passed *recovery.PassedError
	if _, err := g.undo(g.state, result.Operation, nil); !errors.As(err, &passed) ||
		!strings.Contains(err.Error(), "kubectl scale statefulset/"+setName+" -n "+g.ns+" --replicas=0") {
		t.Errorf("Kafka has run on the volumes, and what stops it must be said: %v", err)
	}
}

func TestAStatefulSetAtZeroGetsItsClaimsAndIsNotScaled(t *testing.T) {
	t.Parallel()
	g, id := setGround(t, nil)
	before := g.layout()
	g.release()
	ties := g.ties()
	g.applySet(id, 0)
	result, err := g.restoreSet(t.Context(), nil)
	if err != nil || result.Outcome != recovery.OutcomeBound {
		t.Fatal(err, told(result))
	}
	scale := "kubectl scale statefulset/" + setName + " -n " + g.ns + " --replicas=3"
	if !slices.ContainsFunc(result.Next, func(s string) bool { return strings.HasSuffix(s, scale) }) {
		t.Errorf("%q is not said: %v", scale, result.Next)
	}
	if diff := cmp.Diff(before, g.layout()); diff != "" {
		t.Errorf("every claim must have the volume it had:\n%s", diff)
	}
	set, err := g.client.Get(t.Context(), kube.StatefulSets(), g.ns, setName)
	if err != nil {
		t.Fatal(err)
	}
	if n, _, _ := unstructured.NestedInt64(set.Object, "spec", "replicas"); n != 0 || len(set.GetAnnotations()) > 0 {
		t.Errorf("it must be as it was: %d replicas, %v", n, set.GetAnnotations())
	}
	again, err := g.restoreSet(t.Context(), nil)
	if err != nil || again.Outcome != recovery.OutcomeAlreadyRight {
		t.Error(err, told(again))
	}
	scaled := func(n string) {
		t.Helper()
		_, err := g.client.Patch(t.Context(), kube.StatefulSets(), g.ns, setName, kube.Patch{
			Type: kube.MergePatch, Body: []byte(`{"spec":{"replicas":` + n + `}}`), FieldManager: "somebody-else",
		})
		if err != nil {
			t.Fatal(err)
		}
		g.eventually("as many pods", func() bool {
			pods, err := g.typed.CoreV1().Pods(g.ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + setName})
			return err == nil && len(pods.Items) == int(n[0]-'0')
		})
	}
	scaled("3")
	var used *recovery.ByReplicasError
	if _, err := g.undo(g.state, result.Operation, nil); !errors.As(err, &used) {
		t.Errorf("a volume must not be taken from under a pod: %v", err)
	}
	if diff := cmp.Diff(before, g.layout()); diff != "" {
		t.Errorf("a refusal changes nothing:\n%s", diff)
	}
	scaled("0")
	undone, err := g.undo(g.state, result.Operation, nil)
	if err != nil || undone.Outcome != recovery.OutcomeUndone {
		t.Fatalf("%v %+v", err, undone)
	}
	g.eventually("volumes to be as they were", func() bool { return cmp.Equal(g.ties(), ties) })
}

func TestARestoreOfAStatefulSetThatStoppedIsGoneOnWith(t *testing.T) {
	t.Parallel()
	g, id := setGround(t, nil)
	before := g.layout()
	g.release()
	g.play()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	g.onStep(recovery.StepBeside, interrupt) // the claims are made
	left, err := g.restoreSet(ctx, func(r *recovery.Request, _ *recovery.Deps) { r.DeclaredSet = g.declaredSet(id) })
	if !errors.Is(err, context.Canceled) || left.Outcome != recovery.OutcomeUnfinished {
		t.Fatal(err, told(left))
	}
	if diff := cmp.Diff(before, g.layout()); diff != "" {
		t.Fatalf("the claims were to be there by now:\n%s", diff)
	}
	result, err := g.resume(g.state, left.Operation, func(
		_ *recovery.Target, given *recovery.Repeated, deps *recovery.Deps,
	) {
		given.DeclaredSet, deps.Look = g.declaredSet(id), g.lookSet
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result), result.Differences)
	}
	if diff := cmp.Diff(before, g.layout()); diff != "" {
		t.Error(diff)
	}
}

func TestAWrongClusterIDOfAStatefulSetIsRefusedWithThePatch(t *testing.T) {
	t.Parallel()
	g, id := setGround(t, nil)
	g.release()
	ties := g.ties()
	result, err := g.restoreSet(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
		r.DeclaredSet = g.declaredSet(volumes.OtherClusterID)
	})
	f := setRefusedBy(t, result, err, "statefulset-cluster-id")
	if !strings.Contains(f.Remedy, "/spec/template/spec/containers/0/env/1/value") || !strings.Contains(f.Remedy, id) {
		t.Errorf("the line to change is not said: %s", f.Remedy)
	}
	if _, err := g.client.Get(t.Context(), kube.StatefulSets(), g.ns, setName); !kube.IsNotFound(err) {
		t.Errorf("it must not be created with the wrong ID: %v", err)
	}
	g.applySet(volumes.OtherClusterID, 0)
	result, err = g.restoreSet(t.Context(), nil)
	f = setRefusedBy(t, result, err, "statefulset-cluster-id")
	g.eventually("volumes to be as they were", func() bool { return cmp.Equal(g.ties(), ties) })
	if len(g.layout()) > 0 {
		t.Errorf("no claim is to be made: %v", g.layout())
	}
	// The patch is typed as it was said.
	shell := exec.CommandContext(t.Context(), "sh", "-c", f.Remedy)
	shell.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+filepath.Dir(kubectl)+":"+os.Getenv("PATH"))
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", f.Remedy, err, out)
	}
	if result, err = g.restoreSet(t.Context(), nil); err != nil || result.Outcome != recovery.OutcomeBound {
		t.Error(err, told(result))
	}
}

func TestSwappedVolumesOfAStatefulSetAreRefused(t *testing.T) {
	t.Parallel()
	g, id := setGround(t, func(disks string) {
		swap(t, disks, "data-"+setName+"-0", "data-"+setName+"-1")
	})
	g.release()
	ties := g.ties()
	result, err := g.restoreSet(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
		r.DeclaredSet = g.declaredSet(id)
	})
	setRefusedBy(t, result, err, "node-id-mismatch")
	g.eventually("volumes to be as they were", func() bool { return cmp.Equal(g.ties(), ties) })
	if len(g.layout()) > 0 {
		t.Errorf("no claim is to be made: %v", g.layout())
	}
}

func TestAStatefulSetThatWasMadeAgainTooEarlyIsRefused(t *testing.T) {
	t.Parallel()
	g, id := setGround(t, nil)
	g.release()
	for _, n := range []string{"0", "1", "2"} { // as a provisioner would
		name := "data-" + setName + "-" + n
		if err := os.MkdirAll(filepath.Join(g.disks, "new-"+n), 0o750); err != nil {
			t.Fatal(err)
		}
		g.claimOn(name, g.ns+"-new-"+n, "new-"+n, corev1.PersistentVolumeReclaimDelete)
	}
	g.waitBound(3)
	g.applySet(id, 3)
	before := g.layout()
	result, err := g.restoreSet(t.Context(), nil)
	f := setRefusedBy(t, result, err, "shadowed-by-new-volume")
	for _, want := range []string{
		"kubectl scale statefulset/" + setName + " -n " + g.ns + " --replicas=0", "kubectl delete pvc/data-" + setName + "-",
		"--exclude pv/" + g.ns + "-new-",
	} {
		if !strings.Contains(f.Remedy, want) {
			t.Errorf("%q is not said in: %s", want, f.Remedy)
		}
	}
	if diff := cmp.Diff(before, g.layout()); diff != "" {
		t.Errorf("nothing is to change:\n%s", diff)
	}
}

func TestAnEmptiedControllerOfAStatefulSetIsNamed(t *testing.T) {
	t.Parallel()
	g, id := setGround(t, func(disks string) {
		if err := os.RemoveAll(filepath.Join(disks, "data-"+setName+"-1", "kafka-log1")); err != nil {
			t.Fatal(err)
		}
	})
	g.release()
	g.applySet(id, 0)
	result, err := g.restoreSet(t.Context(), nil)
	setRefusedBy(t, result, err, "statefulset-disk-empty")
	i := slices.IndexFunc(result.Findings, func(f finding.Finding) bool { return f.Rule == "voter-directory-differs" })
	if i < 0 {
		t.Fatalf("its directory votes, and is gone: %+v", result.Findings)
	}
	m := volumes.ReadManifest(t, volumes.DualRole)
	was := m.Volumes["data-"+setName+"-1"].Properties["directory.id"]
	f := result.Findings[i]
	if want := "remove-controller --controller-id 1 --controller-directory-id " + was; f.Subject != "node/1" ||
		!strings.Contains(f.Remedy, want) {
		t.Errorf("%q is not said in: %+v", want, f)
	}
	var lifts []finding.Lift
	for _, f := range result.Refusals {
		lifts = append(lifts, finding.Lift{Rule: f.Rule, Subject: f.Subject})
	}
	result, err = g.restoreSet(t.Context(), func(r *recovery.Request, _ *recovery.Deps) { r.Accept = lifts })
	if err != nil || result.Outcome != recovery.OutcomeBound {
		t.Error(err, told(result))
	}
}
