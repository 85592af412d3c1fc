package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// TestDocumentedProcedureBringsTheClusterBack is the story without the tool: a naive re-creation crash-loops, and
// pausing, writing the cluster ID into the status and un-pausing by hand, as Strimzi documents it, brings everything
// back. It proves the ground the other stories stand on.
func TestDocumentedProcedureBringsTheClusterBack(t *testing.T) {
	full(t)
	s := newStory(t, "by-hand", quickOperator())
	s.running(0)
	s.lost()
	s.must(s.Patch(s.ctx, `{"metadata":{"annotations":{"strimzi.io/pause-reconciliation":"true"}}}`))
	s.must(s.WaitFor(s.ctx, "ReconciliationPaused", waitForPause))
	s.must(s.Patch(s.ctx, fmt.Sprintf(`{"status":{"clusterId":%q}}`, s.before.ClusterID), "status"))
	s.must(ground.Wait(s.ctx, time.Minute, "the cluster ID stays", func(ctx context.Context) error {
		id, err := s.ClusterID(ctx)
		if id != s.before.ClusterID {
			return errors.Join(fmt.Errorf("it is %q", id), err)
		}
		return nil
	}))
	s.must(s.Patch(s.ctx, `{"metadata":{"annotations":{"strimzi.io/pause-reconciliation":"false"}}}`))
	s.recovered()
}
