package e2e_test

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// TestAnInterruptedScanLeavesNoPod presses Ctrl-C while a temporary pod waits for a node that lets it in.
func TestAnInterruptedScanLeavesNoPod(t *testing.T) {
	s := idle(t, "interrupted")
	taint := []byte(`{"spec":{"taints":[{"key":"test/closed","effect":"NoSchedule"}]}}`)
	_, err := s.Client.CoreV1().Nodes().Patch(s.ctx, "node-0", types.StrategicMergePatchType, taint, metav1.PatchOptions{})
	s.must(err)
	t.Cleanup(func() {
		_, err := s.Client.CoreV1().Nodes().Patch(context.Background(), "node-0", types.MergePatchType,
			[]byte(`{"spec":{"taints":null}}`), metav1.PatchOptions{})
		s.check(err)
	})
	ctx, interrupt := context.WithCancel(s.ctx)
	go func() {
		defer interrupt()
		_ = ground.Wait(ctx, time.Minute, "the temporary pod is there", func(ctx context.Context) error {
			pods, err := s.Client.CoreV1().Pods(s.Namespace).List(ctx,
				metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=kafkarecover"})
			if err != nil || len(pods.Items) > 0 {
				return err
			}
			return context.DeadlineExceeded
		})
	}()
	result, err := theTool(t).Run(ctx, nil, "scan", "kafka/my-cluster", "--via", "pod", "--namespace", s.Namespace)
	s.must(err)
	s.Logf("%s", result)
	if result.Code != 130 {
		t.Errorf("an interrupted run ends with 130, got %d", result.Code)
	}
	s.noPods()
}
