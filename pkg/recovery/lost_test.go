package recovery_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	obj "github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/scan"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Where the operator of the stand is.
const (
	operatorNamespace = "strimzi"
	operatorName      = "strimzi-cluster-operator"
)

// lost are a cluster's claims whose resources are gone, with the operator's Deployment and what makes its pods.
type lost struct {
	*stand
	manifests *declared.Cluster
}

// newLost takes the resources of a stand away.
func newLost(t *testing.T, d *disks, namespace bool) *lost {
	t.Helper()
	s := newStand(t, d, true)
	l := &lost{stand: s}
	var objects []*unstructured.Unstructured
	take := func(o kubetest.Object) {
		delete(o, "status")
		objects = append(objects, &unstructured.Unstructured{Object: o})
	}
	for _, pool := range []string{"broker", "controller"} {
		take(s.server.Get(strimzi.NodePoolGVR("v1"), standNamespace, pool))
		s.server.Remove(strimzi.NodePoolGVR("v1"), standNamespace, pool)
	}
	kafka := s.server.Get(strimzi.KafkaGVR("v1"), standNamespace, standCluster)
	unstructured.RemoveNestedField(kafka, "metadata", "annotations")
	take(kafka)
	s.server.Remove(strimzi.KafkaGVR("v1"), standNamespace, standCluster)
	var err error
	if l.manifests, err = declared.Pick(objects, standNamespace, standCluster); err != nil {
		t.Fatal(err)
	}
	if namespace {
		s.server.Put(kube.Namespaces(), kubetest.Object{
			"apiVersion": "v1", "kind": "Namespace", "metadata": kubetest.Object{"name": standNamespace},
		})
	}
	l.changeOperator(func(o kubetest.Object) {
		spec := obj.Map(o, "spec")
		spec["selector"] = kubetest.Object{"matchLabels": kubetest.Object{"name": operatorName}}
		template := obj.Map(spec, "template")
		template["metadata"] = kubetest.Object{"labels": kubetest.Object{
			"name": operatorName, "strimzi.io/kind": "cluster-operator",
		}}
		operatorEnv(o)[0]["value"] = standNamespace + ",other,closed"
	})
	l.other("other", "neighbour")
	l.deploy()
	return l
}

func operatorEnv(o kubetest.Object) []kubetest.Object {
	return obj.Maps(obj.Maps(o, "spec", "template", "spec", "containers")[0], "env")
}

// changeOperator alters the operator's Deployment as somebody else does.
func (l *lost) changeOperator(change func(kubetest.Object)) {
	o := l.server.Get(kube.Deployments(), operatorNamespace, operatorName)
	change(o)
	l.server.Put(kube.Deployments(), o)
}

// other is another cluster.
func (l *lost) other(namespace, name string) {
	l.server.Put(strimzi.KafkaGVR("v1"), kubetest.Object{
		"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
		"metadata": kubetest.Object{"namespace": namespace, "name": name, "uid": "uid-" + name},
	})
}

// deploy plays the controller of Deployments until the test ends: a pod goes a moment after it is no longer wanted.
func (l *lost) deploy() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			there := l.server.Get(kube.Pods(), operatorNamespace, "operator-0") != nil
			switch wanted := l.replicas() > 0; {
			case wanted && !there:
				l.server.Put(kube.Pods(), kubetest.Object{
					"apiVersion": "v1", "kind": "Pod", "metadata": kubetest.Object{
						"namespace": operatorNamespace, "name": "operator-0", "labels": kubetest.Object{"name": operatorName},
					},
				})
			case !wanted && there:
				time.Sleep(20 * time.Millisecond)
				l.server.Remove(kube.Pods(), operatorNamespace, "operator-0")
			}
			time.Sleep(time.Millisecond)
		}
	}()
	l.t.Cleanup(func() { cancel(); <-ended })
}

func (l *lost) replicas() int64 {
	n, _ := obj.Int(l.server.Get(kube.Deployments(), operatorNamespace, operatorName), "spec", "replicas")
	return n
}

// away tells that the operator does nothing.
func (s *stand) away() bool {
	n, set := obj.Int(s.server.Get(kube.Deployments(), operatorNamespace, operatorName), "spec", "replicas")
	return set && n == 0
}

// hold is a request to make the cluster while the operator is away.
func (l *lost) hold() recovery.Request {
	req := l.request()
	req.Declared, req.HoldOperator = l.manifests, true
	return req
}

// lookPlanned looks at claims whose cluster is to be made.
func (s *stand) lookPlanned(live *scan.Live, req recovery.LookRequest) (*recovery.Observation, error) {
	c := live.Pick(req.Name, req.Planned)
	if req.Depth == recovery.Volumes {
		for i := range c.Volumes {
			v := &c.Volumes[i]
			on := s.disks.read[v.Claim.Name]
			v.Via, v.State, v.Contents, v.Image = "pod", volume.Read, on.Contents, on.Image
			v.MetadataVersion, v.Topics = on.MetadataVersion, on.Topics
			if req.Visit != nil {
				if err := req.Visit(context.Background(), v, os.DirFS(filepath.Join(s.disks.dir, v.Claim.Name))); err != nil {
					return nil, err
				}
			}
		}
		if err := c.Arrange(req.Excluded, req.Lost); err != nil {
			return nil, err
		}
	}
	seen := &recovery.Observation{
		Cluster: c.Kafka, Volumes: c.Volumes, Others: c.Others, VolumesForbidden: c.VolumesForbidden, Planned: c.Planned,
		Placements: c.Placements,
	}
	seen.Findings = finding.Judge(finding.Input{
		Volumes: seen.Volumes, Others: seen.Others, Cluster: seen.Cluster, Excluded: req.Excluded,
	})
	return seen, nil
}

// wantHeldNoMore requires the operator to have what it had.
func (l *lost) wantHeldNoMore() {
	l.t.Helper()
	if n := l.replicas(); n != 1 {
		l.t.Errorf("the operator has %d replicas, and had 1", n)
	}
}

// refusal is what a result says of why nothing was done.
func refusal(r *recovery.Result) string {
	text := r.Reason
	for _, f := range r.Refusals {
		text += "\n" + f.Rule + " " + f.Subject + " " + strings.Join(f.Evidence, " ") + " " + f.Remedy
	}
	return text
}
