package recovery_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/test/operator"
	"github.com/kafkarecover/kafkarecover/test/schema"
)

const (
	clusterName = "my-cluster"
	kafkaImage  = "sandbox.test/pause:1"
	// storageClass is that of the volumes of tests, which nothing provisions.
	storageClass = "local"
)

// ground is one namespace with the volumes of a lost cluster, bound to claims of their names.
type ground struct {
	t      *testing.T
	client *kube.Client
	typed  kubernetes.Interface
	ns     string
	disks  string
	state  string
	// driver is the CSI driver of the volumes, whose handles are the folders; empty for local ones.
	driver string

	// kafkas plays what the metadata says while the cluster starts; nil where no node is held back.
	kafkas *playedKafka

	mu    sync.Mutex
	warns []string
	waits []string
	hooks map[recovery.StepID]func()
}

var unsafe = regexp.MustCompile(`[^a-z0-9]+`)

// newGround makes the namespace, the volumes and the claims. change may damage the volumes before they are claimed.
func newGround(t *testing.T, change func(disks string)) *ground {
	t.Helper()
	return newGroundOf(t, "", change)
}

// newGroundOf is newGround with volumes of a CSI driver; an empty one has local volumes.
func newGroundOf(t *testing.T, driver string, change func(disks string)) *ground {
	t.Helper()
	return newGroundOn(t, driver, unpackVolumes(t), change)
}

// newGroundOn is newGroundOf with the volumes of another cluster.
func newGroundOn(t *testing.T, driver, disks string, change func(disks string)) *ground {
	t.Helper()
	client, err := kube.NewForConfig(config, "", kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	var tail [3]byte
	_, _ = rand.Read(tail[:]) // never fails
	name := strings.Trim(unsafe.ReplaceAllString(strings.ToLower(t.Name()), "-"), "-")
	g := &ground{
		t: t, client: client, typed: typed, state: t.TempDir(), disks: disks, driver: driver,
		ns: fmt.Sprintf("%.40s-%x", name, tail),
	}
	if change != nil {
		change(g.disks)
	}
	g.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: g.ns}})
	folders, err := os.ReadDir(g.disks)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		g.claim(f.Name(), corev1.PersistentVolumeReclaimDelete)
	}
	g.waitBound(len(folders))
	t.Cleanup(g.remove)
	return g
}

func (g *ground) create(ns *corev1.Namespace) {
	g.t.Helper()
	if _, err := g.typed.CoreV1().Namespaces().Create(g.t.Context(), ns, metav1.CreateOptions{}); err != nil {
		g.t.Fatal(err)
	}
}

func (g *ground) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = g.typed.CoreV1().Namespaces().Delete(ctx, g.ns, metav1.DeleteOptions{})
	volumes, err := g.typed.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{LabelSelector: "ground=" + g.ns})
	if err != nil {
		return
	}
	for _, pv := range volumes.Items {
		_ = g.typed.CoreV1().PersistentVolumes().Delete(ctx, pv.Name, metav1.DeleteOptions{})
	}
}

// claim makes a claim, and the volume over a folder that it is bound to: in this order and by UID, for which the volume
// controller does not wait until it looks at everything again.
func (g *ground) claim(name string, policy corev1.PersistentVolumeReclaimPolicy) {
	g.t.Helper()
	g.claimOn(name, g.ns+"-"+name, name, policy)
}

// claimOn is claim for a volume of another name over any folder.
func (g *ground) claimOn(name, volume, folder string, policy corev1.PersistentVolumeReclaimPolicy) {
	g.t.Helper()
	class := storageClass
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: g.ns, Name: name},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: &class,
			Resources: corev1.VolumeResourceRequirements{Requests: size()}, VolumeName: volume,
		},
	}
	claim, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).Create(g.t.Context(), claim, metav1.CreateOptions{})
	if err != nil {
		g.t.Fatal(err)
	}
	g.disk(volume, folder, policy, &corev1.ObjectReference{Namespace: g.ns, Name: name, UID: claim.UID})
}

// disk makes a volume over a folder, tied to a claim.
func (g *ground) disk(
	name, folder string, policy corev1.PersistentVolumeReclaimPolicy, claim *corev1.ObjectReference,
) {
	g.t.Helper()
	if err := g.makeDisk(name, folder, policy, claim); err != nil {
		g.t.Fatal(err)
	}
}

func (g *ground) makeDisk(
	name, folder string, policy corev1.PersistentVolumeReclaimPolicy, claim *corev1.ObjectReference,
) error {
	dir := folder
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(g.disks, folder)
	}
	pv := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"ground": g.ns}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: size(), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeReclaimPolicy: policy, StorageClassName: storageClass, ClaimRef: claim,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				Local: &corev1.LocalVolumeSource{Path: dir},
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: "kubernetes.io/hostname", Operator: corev1.NodeSelectorOpIn, Values: []string{"node-0"},
				}}}},
			}},
		},
	}
	if g.driver != "" {
		pv.Spec.PersistentVolumeSource = corev1.PersistentVolumeSource{
			CSI: &corev1.CSIPersistentVolumeSource{Driver: g.driver, VolumeHandle: dir},
		}
	}
	_, err := g.typed.CoreV1().PersistentVolumes().Create(g.t.Context(), pv, metav1.CreateOptions{})
	return err
}

func size() corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
}

func (g *ground) waitBound(n int) {
	g.t.Helper()
	g.eventually("claims to be bound", func() bool {
		list, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).List(g.t.Context(), metav1.ListOptions{})
		if err != nil {
			return false
		}
		bound := 0
		for _, c := range list.Items {
			if c.Status.Phase == corev1.ClaimBound {
				bound++
			}
		}
		return bound == n
	})
}

func (g *ground) eventually(what string, holds func() bool) {
	g.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	g.t.Fatalf("timed out waiting for %s", what)
}

// operator starts the double for this namespace, until the test ends.
func (g *ground) operator(change func(*operator.Options)) {
	g.t.Helper()
	opts := g.options()
	if change != nil {
		change(&opts)
	}
	o, err := operator.New(opts)
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = o.Run(ctx) }()
	g.t.Cleanup(func() { cancel(); <-ended })
}

// options are those of the double in this namespace.
func (g *ground) options() operator.Options {
	return operator.Options{
		Config: config, Namespaces: []string{g.ns}, KafkaImages: map[string]string{"4.2.0": kafkaImage},
		OperationTimeout: 4 * time.Second, Interval: 2 * time.Second, LockTimeout: time.Second,
		Nodes: &operator.Simulated{
			Namespace: g.ns, Client: g.typed, Disks: operator.HostDisks(g.typed, func(p string) string { return p }),
			BackOff: time.Second, StartDelay: 200 * time.Millisecond,
		},
	}
}

// kafka creates the resource and its pools, as the lost cluster had them.
func (g *ground) kafka(annotations map[string]string) {
	g.t.Helper()
	volumeOf := func(id int64, metadata bool) map[string]any {
		v := map[string]any{"id": id, "type": "persistent-claim", "size": "1Gi", "class": "local", "deleteClaim": false}
		if metadata {
			v["kraftMetadata"] = "shared"
		}
		return v
	}
	g.pool("controller", []any{volumeOf(0, true)})
	g.pool("broker", []any{volumeOf(0, true), volumeOf(1, false)})
	g.kafkaAlone(annotations)
}

// kafkaAlone creates the resource, whose pools are there.
func (g *ground) kafkaAlone(annotations map[string]string) {
	g.t.Helper()
	meta := map[string]any{"namespace": g.ns, "name": clusterName}
	if annotations != nil {
		set := map[string]any{}
		for k, v := range annotations {
			set[k] = v
		}
		meta["annotations"] = set
	}
	g.apply(strimzi.KafkaGVR("v1").Resource, map[string]any{
		"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": meta,
		"spec": map[string]any{"kafka": map[string]any{
			"version": "4.2.0", "metadataVersion": "4.2-IV1",
			"listeners": []any{map[string]any{"name": "plain", "port": int64(9092), "tls": false, "type": "internal"}},
		}},
	})
}

func (g *ground) pool(role string, volumes []any) {
	g.t.Helper()
	g.apply(strimzi.NodePoolGVR("v1").Resource, map[string]any{
		"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
		"metadata": map[string]any{
			"namespace": g.ns, "name": role, "labels": map[string]any{"strimzi.io/cluster": clusterName},
		},
		"spec": map[string]any{
			"replicas": int64(3), "roles": []any{role}, "storage": map[string]any{"type": "jbod", "volumes": volumes},
		},
	})
}

func (g *ground) apply(resourceName string, object map[string]any) {
	g.t.Helper()
	gvr := strimzi.KafkaGVR("v1")
	gvr.Resource = resourceName
	if _, err := g.client.Create(g.t.Context(), gvr, &unstructured.Unstructured{Object: object}, false); err != nil {
		g.t.Fatal(err)
	}
}

// status is the resource as it is now.
func (g *ground) status() strimzi.Kafka {
	g.t.Helper()
	u, err := g.client.Get(g.t.Context(), strimzi.KafkaGVR("v1"), g.ns, clusterName)
	if err != nil {
		g.t.Fatal(err)
	}
	return strimzi.ParseKafka(u.Object)
}

// restore runs recovery.Restore with short times; change may alter the request and what it is given.
func (g *ground) restore(change func(*recovery.Request, *recovery.Deps)) (*recovery.Result, error) {
	g.t.Helper()
	return g.restoreIn(g.t.Context(), change)
}

func (g *ground) restoreIn(
	ctx context.Context, change func(*recovery.Request, *recovery.Deps),
) (*recovery.Result, error) {
	g.t.Helper()
	req := recovery.Request{
		Namespace: g.ns, Name: clusterName, DryRun: recovery.DryRunNone, Wait: true, Timeout: time.Minute,
		PauseTimeout: 20 * time.Second, Settle: 300 * time.Millisecond, Accept: g.pendingDeletions(),
	}
	deps := g.deps()
	if change != nil {
		change(&req, &deps)
	}
	result, err := recovery.Restore(ctx, req, deps)
	if result != nil {
		g.follows(result)
	}
	return result, err
}

// follows requires a result that follows the schema of its kind.
func (g *ground) follows(result any) {
	g.t.Helper()
	if err := schema.CheckValue(result); err != nil {
		g.t.Errorf("a %T does not follow its schema: %v", result, err)
	}
}

func (g *ground) deps() recovery.Deps {
	return recovery.Deps{
		Kube: g.client, Clock: clock.RealClock{}, Random: rand.Reader, StateDir: g.state, Look: g.look, Report: g,
		Rename:  g.rename,
		Confirm: func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) { return true, nil },
	}
}

// look collects the real objects and reads the volumes where they lie on this machine.
func (g *ground) look(ctx context.Context, req recovery.LookRequest) (*recovery.Observation, error) {
	live, err := scan.CollectNamed(ctx, g.client, req.Namespace, scan.Named{
		Cluster: req.Name, Planned: req.Planned, Held: req.Held, Include: req.Include,
	})
	if err != nil {
		return nil, err
	}
	if req.Rebind {
		return g.lookRebinding(ctx, live, req)
	}
	if req.Planned != nil && live.Cluster(req.Name) == nil {
		return g.lookPlanned(ctx, live, req)
	}
	seen := &recovery.Observation{
		Cluster: live.Cluster(req.Name), Volumes: live.Volumes, Others: live.Others,
		VolumesForbidden: live.VolumesForbidden, Going: live.Going,
	}
	if req.Depth == recovery.Objects {
		return seen, nil
	}
	if err := readBut(ctx, g.disks, seen.Volumes, req.SetAside, req.Lost); err != nil {
		return nil, err
	}
	if req.Depth == recovery.Running {
		return seen, g.kafkas.play(ctx, g, seen.Volumes)
	}
	for i := range seen.Volumes {
		v := &seen.Volumes[i]
		if req.Visit != nil {
			if err := req.Visit(ctx, v, os.DirFS(dirOf(g.disks, v))); err != nil {
				return nil, err
			}
		}
	}
	vacate(seen, req.Lost)
	seen.Findings = finding.Judge(finding.Input{
		Volumes: seen.Volumes, Others: seen.Others, Cluster: seen.Cluster, Excluded: req.Excluded,
		VolumesForbidden: seen.VolumesForbidden, Lost: req.Lost, Displaced: seen.Displaced,
	})
	return seen, nil
}

// vacate judges without the claims of lost nodes that hold nothing, as a look does.
func vacate(seen *recovery.Observation, lost []string) {
	c := scan.Cluster{Kafka: seen.Cluster, Volumes: seen.Volumes, VolumesForbidden: seen.VolumesForbidden}
	c.Vacate(lost)
	seen.Volumes, seen.LetGo, seen.Displaced = c.Volumes, c.LetGo, c.Displaced
}

// Begin implements recovery.Reporter.
func (g *ground) Begin(string, string) {}

// Step implements recovery.Reporter.
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
func (g *ground) Waiting(step recovery.StepID, text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if line := string(step) + ": " + text; len(g.waits) == 0 || g.waits[len(g.waits)-1] != line {
		g.waits = append(g.waits, line)
	}
}

// Warn implements recovery.Reporter.
func (g *ground) Warn(text string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.warns = append(g.warns, text)
}

// replaceIn replaces text in one file of a volume.
func replaceIn(t *testing.T, file, from, to string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(content, []byte(from)) {
		t.Fatalf("%q is not in %s", from, file)
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(content, []byte(from), []byte(to)), 0o600); err != nil {
		t.Fatal(err)
	}
}
