package recovery_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

const (
	standNamespace = "kafka"
	standCluster   = "my-cluster"
	pauseKey       = "strimzi.io/pause-reconciliation"
)

// disks are the volumes of a lost cluster as real Kafka wrote them, read once.
type disks struct {
	dir, clusterID string
	read           map[string]volume.Volume
	accept         []finding.Lift
}

func unpackDisks(t *testing.T) *disks {
	t.Helper()
	d := &disks{
		dir: volumes.Unpack(t, volumes.SplitRoles), read: map[string]volume.Volume{},
		clusterID: volumes.ReadManifest(t, volumes.SplitRoles).ClusterID,
	}
	seen, err := scan.Folder(t.Context(), d.dir, time.Now(), scan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range seen.Clusters[0].Volumes {
		d.read[strings.TrimPrefix(v.Name, "dir/")] = v
	}
	// The cluster was stopped while a deleted topic's partitions still lay on its volumes.
	for name := range d.read {
		if marked, _ := filepath.Glob(filepath.Join(d.dir, name, "*", "*-delete")); len(marked) > 0 {
			d.accept = append(d.accept, finding.Lift{Rule: "pending-deletion", Subject: "pvc/" + name})
		}
	}
	return d
}

// stand is a lost cluster's resources on a stand-in for the API server, with a small stand-in for the operator: it
// pauses as the real one does, starts what is un-paused with a cluster ID, and counts quotas. What depends on real
// controllers is tried in test/recovery; here everything is tried at every line, within seconds.
type stand struct {
	t      *testing.T
	server *kubetest.Server
	client *kube.Client
	disks  *disks
	state  string
	// patience is how long a request may go unanswered; 0 is what the tool has.
	patience time.Duration
}

func newStand(t *testing.T, d *disks, paused bool) *stand {
	t.Helper()
	s := newStandAlone(t, d, paused)
	s.operate()
	return s
}

// newStandAlone has no operator yet.
func newStandAlone(t *testing.T, d *disks, paused bool) *stand {
	t.Helper()
	s := &stand{t: t, server: kubetest.New(t), disks: d, state: filepath.Join(t.TempDir(), "state")}
	s.client = s.clientThrough(nil)
	put := func(gvr schema.GroupVersionResource, kind, ns, name string, more kubetest.Object) {
		o := kubetest.Object{
			"apiVersion": strings.TrimPrefix(gvr.Group+"/"+gvr.Version, "/"), "kind": kind,
			"metadata": kubetest.Object{"name": name, "uid": "uid-" + name, "generation": 1},
		}
		meta := o["metadata"].(kubetest.Object)
		if ns != "" {
			meta["namespace"] = ns
		}
		for k, v := range more {
			if k == "labels" || k == "annotations" {
				meta[k] = v
				continue
			}
			o[k] = v
		}
		s.server.Put(gvr, o)
	}
	put(kube.Namespaces(), "Namespace", "", "kube-system", nil)
	kafka := kubetest.Object{"spec": kubetest.Object{"kafka": kubetest.Object{
		"version": "4.2.0", "metadataVersion": "4.2-IV1",
		"listeners": []any{kubetest.Object{"name": "plain", "port": 9092, "tls": false, "type": "internal"}},
	}}}
	if paused {
		kafka["annotations"] = kubetest.Object{pauseKey: "true"}
	}
	put(strimzi.KafkaGVR("v1"), "Kafka", standNamespace, standCluster, kafka)
	disk := func(id int, metadata bool) kubetest.Object {
		v := kubetest.Object{"id": id, "type": "persistent-claim", "size": "1Gi", "deleteClaim": false}
		if metadata {
			v["kraftMetadata"] = "shared"
		}
		return v
	}
	for role, storage := range map[string][]any{
		"controller": {disk(0, true)}, "broker": {disk(0, true), disk(1, false)},
	} {
		put(strimzi.NodePoolGVR("v1"), "KafkaNodePool", standNamespace, role, kubetest.Object{
			"labels": kubetest.Object{"strimzi.io/cluster": standCluster},
			"spec": kubetest.Object{
				"replicas": 3, "roles": []any{role}, "storage": kubetest.Object{"type": "jbod", "volumes": storage},
			},
		})
	}
	for name := range d.read {
		put(kube.Claims(), "PersistentVolumeClaim", standNamespace, name, kubetest.Object{
			"spec": kubetest.Object{"volumeName": "pv-" + name, "accessModes": []any{"ReadWriteOnce"},
				"resources": kubetest.Object{"requests": kubetest.Object{"storage": "1Gi"}}},
			"status": kubetest.Object{"phase": "Bound"},
		})
		put(kube.Volumes(), "PersistentVolume", "", "pv-"+name, kubetest.Object{
			"spec": kubetest.Object{
				"capacity": kubetest.Object{"storage": "1Gi"}, "accessModes": []any{"ReadWriteOnce"},
				"persistentVolumeReclaimPolicy": "Delete",
				"claimRef":                      kubetest.Object{"namespace": standNamespace, "name": name, "uid": "uid-" + name},
				"local":                         kubetest.Object{"path": "/" + name},
			},
			"status": kubetest.Object{"phase": "Bound"},
		})
	}
	put(kube.Deployments(), "Deployment", "strimzi", "strimzi-cluster-operator", kubetest.Object{
		"labels": kubetest.Object{"strimzi.io/kind": "cluster-operator"},
		"spec": kubetest.Object{"replicas": 1, "template": kubetest.Object{"spec": kubetest.Object{"containers": []any{
			kubetest.Object{
				"name": "strimzi-cluster-operator", "image": "quay.io/strimzi/operator:1.2.0",
				"env": []any{
					kubetest.Object{"name": "STRIMZI_NAMESPACE", "value": standNamespace},
					kubetest.Object{"name": "STRIMZI_KAFKA_IMAGES", "value": "4.2.0=quay.io/strimzi/kafka:1.2.0-kafka-4.2.0"},
				},
			},
		}}}},
		"status": kubetest.Object{"readyReplicas": 1},
	})
	return s
}

// clientThrough returns a client whose requests pass through a transport.
func (s *stand) clientThrough(wrap func(http.RoundTripper) http.RoundTripper) *kube.Client {
	s.t.Helper()
	config := &rest.Config{Host: s.server.URL(), QPS: 10000, Burst: 10000}
	if wrap != nil {
		config.Wrap(wrap)
	}
	client, err := kube.NewForConfig(config, standNamespace, kube.Options{
		Retry: kube.Retry{Attempts: 4, First: time.Millisecond, Max: 5 * time.Millisecond}, Patience: s.patience,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// operate runs the stand-in for the operator until the test ends.
func (s *stand) operate() {
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			s.round(ctx)
			if n%4 == 0 {
				s.count(ctx)
			}
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	s.t.Cleanup(func() { cancel(); ended.Wait() })
}

func (s *stand) round(ctx context.Context) {
	u := &unstructured.Unstructured{Object: s.server.Get(strimzi.KafkaGVR("v1"), standNamespace, standCluster)}
	if u.Object == nil || s.away() {
		return
	}
	kafka := strimzi.ParseKafka(u.Object)
	switch {
	case kafka.PauseAnnotated && (!kafka.Status.IsPaused() || kafka.Status.HasMarker()):
		s.setStatus(ctx, u, kubetest.Object{"clusterId": clusterIDOf(&kafka), "conditions": []any{
			kubetest.Object{"type": "ReconciliationPaused", "status": "True"},
		}})
	case !kafka.PauseAnnotated && kafka.Status.ClusterID != nil && (!kafka.Ready() || len(s.pods()) == 0):
		s.start(ctx, *kafka.Status.ClusterID)
		s.setStatus(ctx, u, kubetest.Object{
			"clusterId": clusterIDOf(&kafka), "observedGeneration": kafka.Generation, "operatorLastSuccessfulVersion": "1.2.0",
			"conditions": []any{kubetest.Object{"type": "Ready", "status": "True"}},
		})
	}
}

func clusterIDOf(k *strimzi.Kafka) any {
	if k.Status.ClusterID == nil {
		return nil
	}
	return *k.Status.ClusterID
}

// setStatus replaces a status, unless the object has changed since it was read.
func (s *stand) setStatus(ctx context.Context, u *unstructured.Unstructured, status kubetest.Object) {
	if status["clusterId"] == nil {
		delete(status, "clusterId")
	}
	u.Object["status"] = status
	_, _ = s.client.Update(ctx, strimzi.KafkaGVR("v1"), u, false) // a conflict is for the next round
}

// start makes what the operator makes: pod sets, pods, the node IDs of the pools.
func (s *stand) start(ctx context.Context, id string) {
	for pool, first := range map[string]int{"broker": 0, "controller": 3} {
		var ids, pods []any
		for n := first; n < first+3; n++ {
			name := fmt.Sprintf("%s-%s-%d", standCluster, pool, n)
			ids = append(ids, n)
			pods = append(pods, kubetest.Object{"metadata": kubetest.Object{"name": name}})
			s.make(ctx, kube.Pods(), "v1", "Pod", name, pool, kubetest.Object{
				"status": kubetest.Object{"phase": "Running", "conditions": []any{
					kubetest.Object{"type": "Ready", "status": "True"},
				}},
			})
		}
		s.make(ctx, strimzi.PodSetGVR("v1"), "core.strimzi.io/v1", "StrimziPodSet", standCluster+"-"+pool, pool,
			kubetest.Object{
				"spec": kubetest.Object{"pods": pods}, "status": kubetest.Object{"pods": 3, "readyPods": 3},
			})
		_, _ = s.client.Patch(ctx, strimzi.NodePoolGVR("v1"), standNamespace, pool, kube.Patch{
			Type: kube.MergePatch, Subresource: "status",
			Body: kubetest.Object{"status": kubetest.Object{"nodeIds": ids, "roles": []any{pool}, "clusterId": id}},
		})
	}
}

func (s *stand) make(
	ctx context.Context, gvr schema.GroupVersionResource, version, kind, name, pool string, more kubetest.Object,
) {
	o := kubetest.Object{"apiVersion": version, "kind": kind, "metadata": kubetest.Object{
		"namespace": standNamespace, "name": name, "labels": kubetest.Object{
			"strimzi.io/cluster": standCluster, "strimzi.io/name": standCluster + "-kafka", "strimzi.io/kind": "Kafka",
			"strimzi.io/pool-name": pool, "strimzi.io/component-type": "kafka",
		},
	}}
	maps.Copy(o, more)
	_, _ = s.client.Create(ctx, gvr, &unstructured.Unstructured{Object: o}, false)
}

// count fills in what quotas use, and lets pods go whose pod set is gone.
func (s *stand) count(ctx context.Context) {
	quotas, err := s.client.List(ctx, kube.ResourceQuotas(), standNamespace, kube.ListOptions{})
	if err != nil {
		return
	}
	for i := range quotas.Items {
		if _, counted, _ := unstructured.NestedMap(quotas.Items[i].Object, "status"); counted {
			continue
		}
		_, _ = s.client.Patch(ctx, kube.ResourceQuotas(), standNamespace, quotas.Items[i].GetName(), kube.Patch{
			Type: kube.MergePatch, Subresource: "status", Body: kubetest.Object{"status": kubetest.Object{
				"used": kubetest.Object{"count/persistentvolumeclaims": fmt.Sprint(len(s.disks.read))},
			}},
		})
	}
	sets, err := s.client.List(ctx, strimzi.PodSetGVR("v1"), standNamespace, kube.ListOptions{})
	if err != nil || len(sets.Items) > 0 {
		return
	}
	for _, pod := range s.pods() {
		_ = s.client.Delete(ctx, kube.Pods(), standNamespace, pod, kube.DeleteOptions{})
	}
}

func (s *stand) pods() []string {
	list, err := s.client.List(context.Background(), kube.Pods(), standNamespace, kube.ListOptions{})
	if err != nil {
		return nil
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].GetName())
	}
	return names
}

func (s *stand) deps() recovery.Deps {
	return recovery.Deps{
		Kube: s.client, Clock: recoverytest.Fast{}, Random: rand.Reader, StateDir: s.state, Look: s.look, Report: quiet{},
		Confirm: func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) { return true, nil },
	}
}

func (s *stand) request() recovery.Request {
	return recovery.Request{
		Namespace: standNamespace, Name: standCluster, DryRun: recovery.DryRunNone, Wait: true, Timeout: time.Minute,
		PauseTimeout: 10 * time.Second, Settle: time.Second, Accept: s.disks.accept,
	}
}

// look collects the objects and tells what is on the volumes.
func (s *stand) look(ctx context.Context, req recovery.LookRequest) (*recovery.Observation, error) {
	live, err := scan.CollectNamed(ctx, s.client, req.Namespace, scan.Named{
		Cluster: req.Name, Planned: req.Planned, Held: req.Held,
	})
	if err != nil {
		return nil, err
	}
	if req.Planned != nil && live.Cluster(req.Name) == nil {
		return s.lookPlanned(live, req)
	}
	seen := &recovery.Observation{
		Cluster: live.Cluster(req.Name), Volumes: live.Volumes, Others: live.Others,
		VolumesForbidden: live.VolumesForbidden,
	}
	if req.Depth == recovery.Objects {
		return seen, nil
	}
	for i := range seen.Volumes {
		v := &seen.Volumes[i]
		on := s.disks.read[v.Claim.Name]
		v.Via, v.State, v.Contents, v.Image = "pod", on.State, on.Contents, on.Image
		v.MetadataVersion, v.Topics = on.MetadataVersion, on.Topics
		if v.Contents == nil {
			v.State, v.Contents = volume.Read, &logdir.Contents{}
		}
		if req.Visit != nil {
			if err := req.Visit(ctx, v, os.DirFS(filepath.Join(s.disks.dir, v.Claim.Name))); err != nil {
				return nil, err
			}
		}
	}
	seen.Findings = finding.Judge(finding.Input{
		Volumes: seen.Volumes, Others: seen.Others, Cluster: seen.Cluster, Excluded: req.Excluded,
		VolumesForbidden: seen.VolumesForbidden,
	})
	return seen, nil
}

// quiet is a recovery.Reporter that tells nobody.
type quiet struct{}

func (quiet) Begin(string, string)            {}
func (quiet) Step(recovery.Step)              {}
func (quiet) Waiting(recovery.StepID, string) {}
func (quiet) Warn(string)                     {}

func (s *stand) kafka() strimzi.Kafka {
	return strimzi.ParseKafka(s.server.Get(strimzi.KafkaGVR("v1"), standNamespace, standCluster))
}

// content is everything an operation may touch, as text by object, but for Retain, versions and what the operator says
// of its own rounds.
func (s *stand) content() map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for gvr, ns := range map[schema.GroupVersionResource]string{
		strimzi.KafkaGVR("v1"): standNamespace, strimzi.NodePoolGVR("v1"): standNamespace, kube.Claims(): standNamespace,
		kube.ResourceQuotas(): standNamespace, kube.Leases(): standNamespace, kube.ConfigMaps(): standNamespace,
		kube.Volumes(): "",
	} {
		list, err := s.client.List(s.t.Context(), gvr, ns, kube.ListOptions{})
		if err != nil {
			s.t.Fatal(err)
		}
		for i := range list.Items {
			u := &list.Items[i]
			for _, f := range [][]string{
				{"metadata", "resourceVersion"}, {"metadata", "managedFields"}, {"status", "conditions"},
				{"status", "observedGeneration"}, {"spec", "persistentVolumeReclaimPolicy"},
				{"metadata", "annotations", "kafkarecover.io/reclaim-policy-before"},
			} {
				unstructured.RemoveNestedField(u.Object, f...)
			}
			if len(u.GetAnnotations()) == 0 {
				u.SetAnnotations(nil)
			}
			if status, _, _ := unstructured.NestedMap(u.Object, "status"); len(status) == 0 {
				delete(u.Object, "status")
			}
			text, err := json.MarshalIndent(u.Object, "", " ")
			if err != nil {
				s.t.Fatal(err)
			}
			out[gvr.Resource+"/"+u.GetName()] = string(text)
		}
	}
	return out
}

// wantRunning requires the cluster to run with its old ID, every volume to be Retain, and nothing of the tool to be left
// but the journal.
func (s *stand) wantRunning() {
	s.t.Helper()
	if k := s.kafka(); !k.Ready() || k.PauseAnnotated || *k.Status.ClusterID != s.disks.clusterID {
		s.t.Errorf("want it Ready with cluster ID %s: %+v", s.disks.clusterID, k.Status)
	}
	s.wantNothingLeft()
}

func (s *stand) wantNothingLeft() {
	s.t.Helper()
	for name, text := range s.content() {
		switch {
		case strings.HasPrefix(name, "leases/"), strings.HasPrefix(name, "resourcequotas/"):
			s.t.Errorf("%s is left", name)
		case strings.Contains(text, recovery.OperationAnnotation) && !strings.HasPrefix(name, "configmaps/"):
			s.t.Errorf("%s still carries the annotation of an operation", name)
		}
	}
	for name := range s.disks.read {
		pv := volume.ParsePersistentVolume(s.server.Get(kube.Volumes(), "", "pv-"+name))
		if pv.ReclaimPolicy != volume.PolicyRetain {
			s.t.Errorf("pv %q has policy %s", pv.Name, pv.ReclaimPolicy)
		}
	}
}

// kill runs a restore until it dies at a line, and returns the folder it leaves, the operation, and the line.
func (s *stand) kill(at recoverytest.When, before bool) (left, operation, died string) {
	s.t.Helper()
	return s.killAsked(s.request(), at, before)
}

// killAsked is kill for another request.
func (s *stand) killAsked(
	req recovery.Request, at recoverytest.When, before bool,
) (left, operation, died string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	k := &recoverytest.Killer{At: at, Before: before, State: s.state, Left: s.t.TempDir(), Cancel: cancel}
	deps := s.deps()
	deps.Kube = s.clientThrough(func(next http.RoundTripper) http.RoundTripper { k.Next = next; return k })
	result, err := recovery.Restore(ctx, req, deps)
	if k.Died() == "" && (err != nil || result.Outcome != recovery.OutcomeRestored) {
		s.t.Fatalf("the run ended by itself: %v %+v", err, result)
	}
	s.expireLease()
	return k.Left, result.Operation, k.Died()
}

func (s *stand) expireLease() {
	name := "kafkarecover-" + standCluster
	if s.server.Get(kube.Leases(), standNamespace, name) == nil {
		return
	}
	_, err := s.client.Patch(s.t.Context(), kube.Leases(), standNamespace, name, kube.Patch{
		Type: kube.MergePatch, Body: []byte(`{"spec":{"renewTime":"2020-01-01T00:00:00.000000Z"}}`),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) target(operation string) recovery.Target {
	return recovery.Target{Namespace: standNamespace, Operation: operation}
}

// in are the dependencies of a machine with that state folder; an empty name is another machine.
func (s *stand) in(state string) recovery.Deps {
	deps := s.deps()
	if deps.StateDir = state; state == "" {
		deps.StateDir = filepath.Join(s.t.TempDir(), "elsewhere")
	}
	return deps
}
