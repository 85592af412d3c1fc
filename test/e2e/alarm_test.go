package e2e_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// TestAFormattedVolumeHaltsTheClusterThatStarts takes a controller's meta.properties away after its volume was read for
// the last time and before its node starts. Kafka formats the volume, and says so in one line of its log.
func TestAFormattedVolumeHaltsTheClusterThatStarts(t *testing.T) {
	full(t)
	s := newStory(t, "alarm", quickOperator())
	s.planted(ground.Planting{})
	s.must(s.Create(s.ctx, true))
	s.must(s.WaitFor(s.ctx, "ReconciliationPaused", waitForPause))
	const controller, dir = "data-0-my-cluster-controller-3", "kafka-log3"
	file := s.onDisk(controller, filepath.Join(dir, "meta.properties"))

	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	taken := make(chan error, 1)
	go func() { taken <- s.beforeItStarts(ctx, func() error { return os.Rename(file, file+".taken") }) }()
	result := s.run(5, "restore", "kafka/my-cluster", "--yes")
	s.must(<-taken)
	s.says(result, "kafka/my-cluster in namespace "+s.Namespace+": alarmed", "formatted-over-data", "pvc/"+controller,
		"Formatting metadata directory /var/lib/kafka/data-0/"+dir+" with metadata.version")
	s.halted()

	operation := strings.TrimPrefix(result.Stderr[strings.Index(result.Stderr, "operation restore-"):], "operation ")
	operation, _, _ = strings.Cut(operation, ",")
	s.says(s.run(0, "status", operation), "alarmed", "formatted-over-data")
	s.says(s.run(0, "report", operation, "-o", "md"), "## Alarms", "formatted-over-data", dir)
	s.run(3, "resume", operation, "--yes")
}

// beforeItStarts does something after the quota was raised, which is right before a restore un-pauses the cluster.
func (s *story) beforeItStarts(ctx context.Context, do func() error) error {
	err := ground.Wait(ctx, waitForKafka, "the quota is raised", func(ctx context.Context) error {
		quotas, err := s.Client.CoreV1().ResourceQuotas(s.Namespace).List(ctx, metav1.ListOptions{})
		if err == nil && len(quotas.Items) == 0 {
			err = errors.New("there is none")
		}
		return err
	})
	return errors.Join(err, do())
}

// halted requires the cluster to be paused, without a Kafka pod, and to stay so.
func (s *story) halted() {
	s.Helper()
	s.must(s.WaitFor(s.ctx, "ReconciliationPaused", waitForPause))
	for range 3 {
		pods, err := s.Client.CoreV1().Pods(s.Namespace).List(s.ctx, metav1.ListOptions{
			LabelSelector: "strimzi.io/kind=Kafka,strimzi.io/component-type=kafka",
		})
		s.must(err)
		if len(pods.Items) > 0 {
			s.Errorf("%d Kafka pods are there, %s among them", len(pods.Items), pods.Items[0].Name)
		}
		time.Sleep(time.Second)
	}
}
