package recovery_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/pkg/alarm"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// Somebody has taken the quota away, and a claim is made while the operator starts the cluster. The operator is in the
// middle of a reconcile, and makes the pod sets again that are deleted, until it has seen the pause.
func TestAClaimNobodyPlannedHaltsTheClusterThatStarts(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.operator(nil)
	starts["paused"](g)
	unplanned := "data-0-my-cluster-broker-12"
	g.onStep(recovery.StepVerify, func() {
		g.eventually("the operator to make pods", func() bool { return len(g.pods()) > 0 })
		err := g.typed.CoreV1().ResourceQuotas(g.ns).DeleteCollection(t.Context(), metav1.DeleteOptions{},
			metav1.ListOptions{LabelSelector: recovery.ManagedByLabel + "=" + recovery.ManagedBy})
		if err != nil {
			t.Error(err)
		}
		g.eventually("the claim to be made", func() bool {
			_, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).Create(t.Context(), &corev1.PersistentVolumeClaim{
				ObjectMeta: metav1.ObjectMeta{Name: unplanned, Labels: map[string]string{
					strimzi.ClusterLabel: "my-cluster", strimzi.KindLabel: strimzi.KafkaKind, strimzi.PoolLabel: "broker",
					strimzi.NameLabel: "my-cluster-kafka", strimzi.ComponentLabel: strimzi.KafkaComponent,
				}},
				Spec: corev1.PersistentVolumeClaimSpec{
					AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
					Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{
						corev1.ResourceStorage: resource.MustParse("1Gi"),
					}},
				},
			}, metav1.CreateOptions{})
			return err == nil
		})
	})
	result, err := g.restore(nil)
	if err != nil || result.Outcome != recovery.OutcomeAlarmed || result.Code() != exitcode.Incomplete {
		t.Fatalf("%v %s %s", err, result.Outcome, result.Reason)
	}
	if len(result.Alarms) != 1 || result.Alarms[0].Kind != alarm.UnplannedClaim || result.Alarms[0].Claim != unplanned {
		t.Errorf("want the claim as an alarm: %+v", result.Alarms)
	}
	if kafka := g.status(); !kafka.PauseAnnotated || !kafka.Status.PauseProven() {
		t.Errorf("it must be paused, and that proven: %+v", kafka.Status)
	}
	sets, err := g.client.List(t.Context(), strimzi.PodSetGVR("v1"), g.ns, kube.ListOptions{})
	if err != nil || len(sets.Items) > 0 || len(g.pods()) > 0 {
		t.Errorf("left are %d pod sets and %d pods: %v", len(sets.Items), len(g.pods()), err)
	}
	claims, err := g.typed.CoreV1().PersistentVolumeClaims(g.ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(claims.Items) != 10 {
		t.Errorf("every claim stays, also the one nobody planned; there are %d: %v", len(claims.Items), err)
	}
	g.wantRetained(9)
	g.wantNothingLeft()
	if _, err := g.resume(g.state, result.Operation, nil); err == nil {
		t.Error("there is nothing to go on with")
	}
}
