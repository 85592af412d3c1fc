package recovery_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

type object = kubetest.Object

const (
	ns      = "kafka"
	cluster = "my-cluster"
	// theID is the one on the volumes, randomID what an operator made up.
	theID    = "WfgV0zaXR8GWDtKf_rFFyA"
	randomID = "nj2gpqbHSfmvw-PQucA3Jg"
)

// ground is a stand-in for an API server with a lost cluster in it, and the volumes it left, in folders. What depends
// on how a real API server or operator behaves is tried in test/recovery.
type ground struct {
	*testing.T
	server *kubetest.Server
	client *kube.Client
	disks  string
	state  string
	claims []string
	// renames are answered in the place of the temporary pod; nil renames.
	renames func(recovery.RenameRequest) error

	mu    sync.Mutex
	warns []string
	hooks map[recovery.StepID]func()
	// busy keeps the operator from answering a pause.
	busy atomic.Bool
}

// newGround has the resource and its pools as they were created again, crash-looping on a random ID.
func newGround(t *testing.T, change func(disks string)) *ground {
	t.Helper()
	s := kubetest.New(t)
	g := &ground{
		T: t, server: s, client: s.Client(t, ns), disks: volumes.Unpack(t, volumes.SplitRoles), state: t.TempDir(),
		hooks: map[recovery.StepID]func(){},
	}
	if change != nil {
		change(g.disks)
	}
	folders, err := os.ReadDir(g.disks)
	if err != nil {
		t.Fatal(err)
	}
	g.server.Put(strimzi.KafkaGVR("v1"), object{
		"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
		"metadata": object{"namespace": ns, "name": cluster, "uid": "uid-kafka", "generation": 1},
		"spec":     object{"kafka": object{"version": "4.2.0", "metadataVersion": "4.2-IV1"}},
		"status":   object{"conditions": conditions("NotReady")},
	})
	g.pool("broker", 0, "0", "1")
	g.pool("controller", 3, "0")
	for _, f := range folders {
		g.claims = append(g.claims, f.Name())
		g.bind(f.Name())
	}
	return g
}

func conditions(kind string) []any { return []any{object{"type": kind, "status": "True"}} }

func labelsOf(pool string) object {
	return object{
		strimzi.ClusterLabel: cluster, strimzi.PoolLabel: pool, strimzi.KindLabel: "Kafka",
		strimzi.NameLabel: cluster + "-kafka", strimzi.ComponentLabel: "kafka",
	}
}

// pool makes a pool of three nodes from the first ID on, with its pod set, crash-looping pods and their ConfigMaps.
func (g *ground) pool(name string, first int, volumeIDs ...string) {
	var disks, pods []any
	ids := []any{}
	for i, id := range volumeIDs {
		disk := object{"id": i, "type": "persistent-claim", "size": "1Gi", "deleteClaim": false}
		if id == "0" {
			disk["kraftMetadata"] = "shared"
		}
		disks = append(disks, disk)
	}
	for node := first; node < first+3; node++ {
		ids = append(ids, node)
		pods = append(pods, object{"metadata": object{"name": fmt.Sprintf("%s-%s-%d", cluster, name, node)}})
	}
	g.server.Put(strimzi.NodePoolGVR("v1"), object{
		"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
		"metadata": object{
			"namespace": ns, "name": name, "uid": "uid-pool-" + name, "generation": 1,
			"labels": object{strimzi.ClusterLabel: cluster},
		},
		"spec":   object{"replicas": 3, "roles": []any{name}, "storage": object{"type": "jbod", "volumes": disks}},
		"status": object{"clusterId": randomID, "nodeIds": ids, "roles": []any{name}},
	})
	g.podSet(name, pods, 0)
	for node := first; node < first+3; node++ {
		g.pod(name, node, false, volumeIDs...)
	}
}

func (g *ground) podSet(pool string, pods []any, ready int) {
	g.server.Put(strimzi.PodSetGVR("v1"), object{
		"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet",
		"metadata": object{
			"namespace": ns, "name": cluster + "-" + pool, "uid": fmt.Sprintf("uid-set-%s-%d", pool, ready),
			"labels": labelsOf(pool),
		},
		"spec": object{"pods": pods}, "status": object{"pods": len(pods), "readyPods": ready},
	})
}

func (g *ground) pod(pool string, node int, ready bool, volumeIDs ...string) {
	name := fmt.Sprintf("%s-%s-%d", cluster, pool, node)
	var mounts []any
	for _, id := range volumeIDs {
		mounts = append(mounts, object{
			"name": "data-" + id, "persistentVolumeClaim": object{"claimName": "data-" + id + "-" + name},
		})
	}
	state, condition, id, restarts := object{"waiting": object{"reason": "CrashLoopBackOff"}}, "False", randomID, 3
	if ready {
		state, condition, id, restarts = object{"running": object{}}, "True", theID, 0
	}
	g.server.Put(kube.Pods(), object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{
			"namespace": ns, "name": name, "uid": fmt.Sprintf("uid-%s-%t", name, ready), "labels": labelsOf(pool),
		},
		"spec": object{"volumes": mounts, "containers": []any{object{"name": "kafka"}}},
		"status": object{
			"phase": "Running", "conditions": []any{object{"type": "Ready", "status": condition}},
			"containerStatuses": []any{object{"name": "kafka", "restartCount": restarts, "state": state}},
		},
	})
	g.server.Put(kube.ConfigMaps(), object{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": object{"namespace": ns, "name": name, "uid": "uid-config-" + name, "labels": labelsOf(pool)},
		"data":     object{"cluster.id": id},
	})
}

// bind makes a claim and the volume it is bound to, of reclaim policy Delete.
func (g *ground) bind(claim string) {
	g.server.Put(kube.Volumes(), object{
		"apiVersion": "v1", "kind": "PersistentVolume", "metadata": object{"name": "pv-" + claim, "uid": "uid-pv-" + claim},
		"spec": object{
			"persistentVolumeReclaimPolicy": "Delete", "capacity": object{"storage": "1Gi"},
			"csi":      object{"driver": "ebs.csi.aws.com", "volumeHandle": "vol-" + claim},
			"claimRef": object{"namespace": ns, "name": claim, "uid": "uid-" + claim},
		},
		"status": object{"phase": "Bound"},
	})
	g.server.Put(kube.Claims(), object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim",
		"metadata": object{"namespace": ns, "name": claim, "uid": "uid-" + claim},
		"spec": object{
			"volumeName": "pv-" + claim, "accessModes": []any{"ReadWriteOnce"},
			"resources": object{"requests": object{"storage": "1Gi"}},
		},
		"status": object{"phase": "Bound"},
	})
}

// operate plays what a recovery needs of the operator and of Kubernetes' controllers, until the test ends.
func (g *ground) operate() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			g.collect()
			g.count()
			g.reconcile(ctx)
			time.Sleep(time.Millisecond)
		}
	}()
	g.Cleanup(func() { cancel(); <-ended })
}

func at(o object, path ...string) any {
	var v any = o
	for _, key := range path {
		m, _ := v.(object)
		v = m[key]
	}
	return v
}

// reconcile answers a pause as the paused path does, and starts everything with the ID of the status when un-paused.
func (g *ground) reconcile(ctx context.Context) {
	kafka := g.server.Get(strimzi.KafkaGVR("v1"), ns, cluster)
	if kafka == nil {
		return
	}
	version, _ := at(kafka, "metadata", "resourceVersion").(string)
	paused := at(kafka, "metadata", "annotations", strimzi.PauseAnnotation) == "true"
	was := fmt.Sprint(at(kafka, "status", "conditions"))
	status := object{"operatorLastSuccessfulVersion": nil, "conditions": conditions("ReconciliationPaused")}
	switch {
	case paused && g.busy.Load():
		return
	case paused && at(kafka, "status", "operatorLastSuccessfulVersion") == nil && strings.Contains(was, "Paused"):
		return
	case paused:
	case strings.Contains(was, "Paused"):
		g.start()
		status = object{"conditions": conditions("Ready"), "observedGeneration": 1}
	default:
		return
	}
	// A conflict means that somebody wrote in between: the next round sees it.
	_, _ = g.client.Patch(ctx, strimzi.KafkaGVR("v1"), ns, cluster, kube.Patch{
		Type: kube.MergePatch, Body: object{"status": status}, Subresource: "status", ResourceVersion: version,
	})
}

func (g *ground) start() {
	for pool, first := range map[string]int{"broker": 0, "controller": 3} {
		var pods []any
		for node := first; node < first+3; node++ {
			pods = append(pods, object{"metadata": object{"name": fmt.Sprintf("%s-%s-%d", cluster, pool, node)}})
			g.pod(pool, node, true, "0")
		}
		g.podSet(pool, pods, 3)
	}
}

// collect removes the pods whose pod set is gone.
func (g *ground) collect() {
	for pool, first := range map[string]int{"broker": 0, "controller": 3} {
		if g.server.Get(strimzi.PodSetGVR("v1"), ns, cluster+"-"+pool) != nil {
			continue
		}
		for node := first; node < first+3; node++ {
			g.server.Remove(kube.Pods(), ns, fmt.Sprintf("%s-%s-%d", cluster, pool, node))
		}
	}
}

// count is the quota controller.
func (g *ground) count() {
	list, err := g.client.List(context.Background(), kube.ResourceQuotas(), ns, kube.ListOptions{})
	if err != nil {
		return
	}
	for i := range list.Items {
		quota := list.Items[i].Object
		if at(quota, "status", "used") == nil {
			quota["status"] = object{"used": object{"count/persistentvolumeclaims": fmt.Sprint(len(g.claims))}}
			g.server.Put(kube.ResourceQuotas(), quota)
		}
	}
}

// quick is a clock on which waiting takes a hundredth of the time.
type quick struct{ clock.RealClock }

// NewTimer implements clock.WithTicker.
func (quick) NewTimer(d time.Duration) clock.Timer { return clock.RealClock{}.NewTimer(d / 100) }

func (g *ground) restore(change func(*recovery.Request, *recovery.Deps)) (*recovery.Result, error) {
	g.Helper()
	req := recovery.Request{
		Namespace: ns, Name: cluster, DryRun: recovery.DryRunNone, Wait: true, Timeout: 20 * time.Second,
		PauseTimeout: 5 * time.Second, Settle: time.Second, Accept: g.accepted(),
	}
	deps := g.deps()
	if change != nil {
		change(&req, &deps)
	}
	return recovery.Restore(g.Context(), req, deps)
}

func (g *ground) deps() recovery.Deps {
	return recovery.Deps{
		Kube: g.client, Clock: quick{}, Random: rand.Reader, StateDir: g.state, Look: g.look, Rename: g.rename, Report: g,
		Confirm: func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) { return true, nil },
	}
}

// accepted are the findings of the volumes as they were taken, which are not what these tests are about: topics that
// were just deleted; and there is no operator's Deployment here.
func (g *ground) accepted() []finding.Lift {
	seen, err := g.look(g.Context(), recovery.LookRequest{Namespace: ns, Name: cluster, Depth: recovery.Volumes})
	if err != nil {
		g.Fatal(err)
	}
	var lifts []finding.Lift
	for _, f := range seen.Findings {
		if f.Refuses && slices.Contains([]string{"pending-deletion", "operator-not-seen"}, f.Rule) {
			lifts = append(lifts, finding.Lift{Rule: f.Rule, Subject: f.Subject})
		}
	}
	return lifts
}

// look collects the objects and reads the volumes where they lie.
func (g *ground) look(ctx context.Context, req recovery.LookRequest) (*recovery.Observation, error) {
	live, err := scan.Collect(ctx, g.client, req.Namespace)
	if err != nil {
		return nil, err
	}
	seen := &recovery.Observation{
		Cluster: live.Cluster(req.Name), Volumes: live.Volumes, Others: live.Others, VolumesForbidden: live.VolumesForbidden,
	}
	if req.Depth == recovery.Objects {
		return seen, nil
	}
	opts := scan.Options{SetAside: map[string][]string{}}
	for name, dirs := range req.SetAside {
		opts.SetAside["dir/"+strings.TrimPrefix(name, "pvc/")] = dirs
	}
	folder, err := scan.Folder(ctx, g.disks, time.Now(), opts)
	if err != nil {
		return nil, err
	}
	for i := range seen.Volumes {
		v := &seen.Volumes[i]
		v.Via, v.State, v.Contents = "pod", "read", &logdir.Contents{}
		for _, on := range folder.Clusters[0].Volumes {
			if on.Name == "dir/"+v.Claim.Name {
				v.State, v.Reason, v.Contents = on.State, on.Reason, on.Contents
				v.MetadataVersion, v.Topics, v.Image = on.MetadataVersion, on.Topics, on.Image
			}
		}
		if req.Visit != nil {
			if err := req.Visit(ctx, v, os.DirFS(filepath.Join(g.disks, v.Claim.Name))); err != nil {
				return nil, err
			}
		}
	}
	seen.Findings = finding.Judge(finding.Input{
		Volumes: seen.Volumes, Others: seen.Others, Cluster: seen.Cluster, Excluded: req.Excluded, ClusterID: req.ClusterID,
	})
	return seen, nil
}

func (g *ground) rename(_ context.Context, req recovery.RenameRequest) error {
	if g.renames != nil {
		return g.renames(req)
	}
	root := filepath.Join(g.disks, req.Claim)
	if err := req.Check(os.DirFS(root), req.From); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(root, req.From), filepath.Join(root, req.To)); err != nil {
		return err
	}
	return req.Check(os.DirFS(root), req.To)
}

// Begin implements recovery.Reporter.
func (g *ground) Begin(string, string) {}

// Step implements recovery.Reporter; what was hooked to a step happens when it begins.
func (g *ground) Step(s recovery.Step) {
	if s.State != recovery.StepRunning {
		return
	}
	g.mu.Lock()
	do := g.hooks[s.ID]
	delete(g.hooks, s.ID)
	g.mu.Unlock()
	if do != nil {
		do()
	}
}

// Waiting implements recovery.Reporter.
func (g *ground) Waiting(recovery.StepID, string) {}

// Warn implements recovery.Reporter.
func (g *ground) Warn(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.warns = append(g.warns, text)
}

// wantLeftPaused requires that a run stopped before un-pausing and left nothing but the pause and the journal.
func (g *ground) wantLeftPaused(result *recovery.Result, err error, says string) {
	g.Helper()
	if err == nil || !strings.Contains(err.Error(), says) || result.Outcome != recovery.OutcomeLeftPaused {
		g.Fatalf("want it left paused, with %q: %v, %s", says, err, result.Outcome)
	}
	kafka := g.server.Get(strimzi.KafkaGVR("v1"), ns, cluster)
	if at(kafka, "metadata", "annotations", strimzi.PauseAnnotation) != "true" {
		g.Error("it must be left paused")
	}
	if at(kafka, "metadata", "annotations", recovery.OperationAnnotation) != nil {
		g.Error("the operation's annotation is left")
	}
	if got := g.server.Get(kube.Leases(), ns, "kafkarecover-"+cluster); got != nil {
		g.Error("the lease is left")
	}
	entries, jerr := recovery.ReadJournal(result.Folder)
	if jerr != nil || len(entries) == 0 || entries[len(entries)-1].Phase != recovery.PhaseEnd {
		g.Errorf("the journal must end with the run: %v", jerr)
	}
}

func (g *ground) patch(gvrOf func(string) schema.GroupVersionResource, name string, body object) {
	g.Helper()
	_, err := g.client.Patch(context.Background(), gvrOf("v1"), namespaceOf(gvrOf("v1")), name, kube.Patch{
		Type: kube.MergePatch, Body: body, FieldManager: "somebody-else",
	})
	if err != nil {
		g.Error(err)
	}
}

func namespaceOf(gvr schema.GroupVersionResource) string {
	if gvr == kube.Volumes() {
		return ""
	}
	return ns
}
