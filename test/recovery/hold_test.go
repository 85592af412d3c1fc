package recovery_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/test/operator"
)

const (
	operatorDeployment = "cluster-operator"
	// operatorReplicas are more than one, so that what comes back is what there was.
	operatorReplicas = 2
)

// deployed is the Deployment of the double, which runs as long as that asks for pods; they stay Pending, as no node is
// like what they ask for.
type deployed struct {
	*ground
	namespace string
}

// deployOperator makes the Deployment, in a namespace of its own, and has the double follow it until the test ends.
func (g *ground) deployOperator() *deployed {
	g.t.Helper()
	d := &deployed{ground: g, namespace: g.ns + "-op"}
	g.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: d.namespace}})
	g.t.Cleanup(func() {
		_ = g.typed.CoreV1().Namespaces().Delete(context.Background(), d.namespace, metav1.DeleteOptions{})
	})
	labels := map[string]string{"name": operatorDeployment, "strimzi.io/kind": "cluster-operator"}
	replicas := int32(operatorReplicas)
	_, err := g.typed.AppsV1().Deployments(d.namespace).Create(g.t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: operatorDeployment},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					NodeSelector: map[string]string{"nowhere": "yes"},
					Containers: []corev1.Container{{
						Name: "op", Image: "quay.io/strimzi/operator:1.2.0",
						Env: []corev1.EnvVar{
							{Name: "STRIMZI_NAMESPACE", Value: g.ns + "," + d.namespace},
							{Name: "STRIMZI_KAFKA_IMAGES", Value: "4.2.0=" + kafkaImage},
						},
					}},
				},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		g.t.Fatal(err)
	}
	g.eventually("the operator's pods", func() bool { return d.pods() == operatorReplicas })
	d.follow()
	return d
}

func (d *deployed) replicas() int32 {
	o, err := d.typed.AppsV1().Deployments(d.namespace).Get(context.Background(), operatorDeployment, metav1.GetOptions{})
	if err != nil || o.Spec.Replicas == nil {
		return -1
	}
	return *o.Spec.Replicas
}

func (d *deployed) pods() int {
	list, err := d.typed.CoreV1().Pods(d.namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return -1
	}
	return len(list.Items)
}

// follow runs the double while its Deployment asks for pods.
func (d *deployed) follow() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if d.replicas() > 0 {
				d.runWhileWanted(ctx)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	d.t.Cleanup(func() { cancel(); <-ended })
}

func (d *deployed) runWhileWanted(ctx context.Context) {
	o, err := operator.New(d.options())
	if err != nil {
		d.t.Error(err)
		return
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = o.Run(running) }()
	for ctx.Err() == nil && d.replicas() > 0 {
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	<-ended
}

// wantAway requires that nothing of the operator is there.
func (d *deployed) wantAway(when string) {
	if r, p := d.replicas(), d.pods(); r != 0 || p != 0 {
		d.t.Errorf("%s the operator has %d replicas and %d pods", when, r, p)
	}
}

// neighbour is another cluster of the operator, which is no business of this run.
func (d *deployed) neighbour() {
	d.t.Helper()
	d.apply(strimzi.KafkaGVR("v1").Resource, map[string]any{
		"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
		"metadata": map[string]any{"namespace": d.namespace, "name": "neighbour"},
		"spec": map[string]any{"kafka": map[string]any{"listeners": []any{
			map[string]any{"name": "plain", "port": int64(9092), "tls": false, "type": "internal"},
		}}},
	})
}

func TestTheOperatorIsAwayWhileANamespaceComesBack(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	saved := g.lose()
	g.loseNamespace()
	d := g.deployOperator()
	d.neighbour()
	g.onStep(recovery.StepNamespace, func() { d.wantAway("before the namespace is made") })
	g.onStep(recovery.StepResources, func() { d.wantAway("before the first resource is made") })
	g.onStep(recovery.StepPause, func() {
		if n := d.replicas(); n != operatorReplicas {
			t.Errorf("the operator that is to prove the pause has %d replicas", n)
		}
	})
	var meanwhile []string
	result, err := g.restoreLost(t.Context(), saved, func(r *recovery.Request, deps *recovery.Deps) {
		r.NamespaceManifest, r.HoldOperator = g.savedNamespace(), true
		deps.Confirm = func(_ context.Context, plan *recovery.Plan, _ []finding.Finding) (bool, error) {
			meanwhile = append(meanwhile, plan.Meanwhile())
			return true, nil
		}
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	if len(meanwhile) != 2 || slices.ContainsFunc(meanwhile, func(text string) bool {
		return !strings.Contains(text, "kafka "+d.namespace+"/neighbour")
	}) {
		t.Errorf("asked before the namespace is made, and again with the plan, it must say whom else it concerns: %q", meanwhile)
	}
	g.wantRunningAs(clusterID)
	if n := d.replicas(); n != operatorReplicas {
		t.Errorf("the operator has %d replicas, and had %d", n, operatorReplicas)
	}
}

func TestAnOperatorThatADeadRunHasHeldIsGivenBack(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	d := g.deployOperator()
	for _, then := range []string{"undo", "resume"} {
		left, operation, died := g.killAsked(recoverytest.OfKind(recovery.StepResources, recovery.PhaseDone,
			strimzi.NodePoolKind), false, func(r *recovery.Request) { r.Declared, r.HoldOperator = g.manifests(), true })
		if died == "" {
			t.Fatal("it was to die")
		}
		d.wantAway("after a run that died")
		if then == "undo" {
			undone, err := g.undo(left, operation, nil)
			if err != nil || undone.Outcome != recovery.OutcomeUndone {
				t.Fatalf("%v %+v", err, undone)
			}
		} else {
			result, err := g.resume(elsewhere(t), operation, func(
				_ *recovery.Target, given *recovery.Repeated, _ *recovery.Deps,
			) {
				given.Declared = g.manifests()
			})
			if err != nil || result.Outcome != recovery.OutcomeRestored {
				t.Fatal(err, told(result), result.Differences)
			}
			g.wantRunningAs(clusterID)
		}
		if n := d.replicas(); n != operatorReplicas {
			t.Errorf("after %s the operator has %d replicas, and had %d", then, n, operatorReplicas)
		}
		if then == "undo" && g.kafkaThere() {
			t.Error("it was undone, and Kafka is there")
		}
	}
}

func (g *ground) kafkaThere() bool {
	_, err := g.client.Get(g.t.Context(), strimzi.KafkaGVR("v1"), g.ns, clusterName)
	return !kube.IsNotFound(err)
}
