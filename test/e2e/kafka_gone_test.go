package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// TestRestoreOfADeletedKafkaResource begins with pools, pods and claims that stand, and no Kafka resource: the
// certificate authorities' Secrets went with it, so that nothing that runs can be reached any more. The operator is kept
// away while it is made again.
func TestRestoreOfADeletedKafkaResource(t *testing.T) {
	full(t)
	s := newStory(t, "kafka-gone", quickOperator())
	s.running(0)
	s.must(s.DeleteResource(s.ctx))
	s.says(s.run(4, "restore", "kafka/my-cluster", "--yes"), "give its manifests with -f")

	result := s.run(0, "restore", "kafka/my-cluster", "-f", s.manifests(), "--hold-operator", "--yes")
	s.says(result, s.before.ClusterID, "at zero replicas")
	s.must(ground.Wait(s.ctx, time.Minute, "the operator is back", func(ctx context.Context) error {
		d, err := s.Client.AppsV1().Deployments(s.Namespace).Get(ctx, ground.OperatorName, metav1.GetOptions{})
		if err == nil && d.Status.ReadyReplicas == 0 {
			err = fmt.Errorf("%d replicas are wanted and none is ready", *d.Spec.Replicas)
		}
		return err
	}))
	s.recovered()
}
