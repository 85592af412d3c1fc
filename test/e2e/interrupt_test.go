package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// TestScanStaysUntilItsPodIsGone presses Ctrl-C while a temporary pod waits for a node that lets it in, and then keeps a
// pod from going: what was read is told at once, and the run ends when the pod is gone.
func TestScanStaysUntilItsPodIsGone(t *testing.T) {
	s := idle(t, "interrupted")
	s.interrupt()
	s.hold()
}

func (s *story) interrupt() {
	s.Helper()
	taint := []byte(`{"spec":{"taints":[{"key":"test/closed","effect":"NoSchedule"}]}}`)
	_, err := s.Client.CoreV1().Nodes().Patch(s.ctx, "node-0", types.StrategicMergePatchType, taint, metav1.PatchOptions{})
	s.must(err)
	defer func() {
		_, err := s.Client.CoreV1().Nodes().Patch(context.Background(), "node-0", types.MergePatchType,
			[]byte(`{"spec":{"taints":null}}`), metav1.PatchOptions{})
		s.check(err)
	}()
	ctx, interrupt := context.WithCancel(s.ctx)
	go func() {
		defer interrupt()
		_, _ = s.temporaryPod(ctx)
	}()
	result, err := theTool(s.T).Run(ctx, nil, "scan", "kafka/my-cluster", "--via", "pod", "--namespace", s.Namespace)
	s.must(err)
	s.Logf("%s", result)
	if result.Code != 130 {
		s.Errorf("an interrupted run ends with 130, got %d", result.Code)
	}
	s.noPods()
}

// temporaryPod waits for a temporary pod and returns its name.
func (s *story) temporaryPod(ctx context.Context) (name string, err error) {
	err = ground.Wait(ctx, time.Minute, "the temporary pod is there", func(ctx context.Context) error {
		pods, err := s.Client.CoreV1().Pods(s.Namespace).List(ctx,
			metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=kafkarecover"})
		if err != nil {
			return err
		}
		if len(pods.Items) == 0 {
			return errors.New("there is none")
		}
		name = pods.Items[0].Name
		return nil
	})
	return name, err
}

// hold puts a finalizer on the temporary pod until the result was printed.
func (s *story) hold() {
	s.Helper()
	told := &untilTold{text: []byte(s.before.ClusterID), told: make(chan struct{})}
	released := make(chan error, 1)
	go func() { released <- s.holdUntil(told.told) }()
	result, err := theTool(s.T).Run(s.ctx, told, "scan", "kafka/my-cluster", "--via", "pod", "--namespace", s.Namespace)
	s.must(err)
	s.must(<-released)
	s.Logf("%s", result)
	if result.Code != 0 {
		s.Errorf("a run that waited for its pod ends as if it had not, got %d", result.Code)
	}
	s.says(result, "waiting until the temporary pods are gone")
	s.noPods()
}

// holdUntil keeps a temporary pod from going until told, and for as long as it takes to say that it is waited for.
func (s *story) holdUntil(told <-chan struct{}) error {
	name, err := s.temporaryPod(s.ctx)
	if err != nil {
		return err
	}
	pods := s.Client.CoreV1().Pods(s.Namespace)
	finalizers := func(list string) error {
		_, err := pods.Patch(s.ctx, name, types.MergePatchType, []byte(`{"metadata":{"finalizers":`+list+`}}`),
			metav1.PatchOptions{})
		return err
	}
	if err := finalizers(`["test/held"]`); err != nil {
		return err
	}
	select {
	case <-told:
		time.Sleep(5 * time.Second)
	case <-time.After(40 * time.Second):
		err = errors.New("the result was not printed while the pod was there")
	}
	return errors.Join(err, finalizers("null"))
}

// untilTold closes a channel once a text was written.
type untilTold struct {
	mu   sync.Mutex
	text []byte
	seen bytes.Buffer
	told chan struct{}
	done bool
}

// Write implements io.Writer.
func (u *untilTold) Write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen.Write(p)
	if !u.done && bytes.Contains(u.seen.Bytes(), u.text) {
		u.done = true
		close(u.told)
	}
	return len(p), nil
}
