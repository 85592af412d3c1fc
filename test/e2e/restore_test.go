package e2e_test

import (
	"testing"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// TestRestoreBringsAMisstartedClusterBack is the common case: the resources were applied again, the operator took a
// random cluster ID, and every pod crash-loops.
func TestRestoreBringsAMisstartedClusterBack(t *testing.T) {
	s := newStory(t, "misstarted", quickOperator())
	s.planted(ground.Planting{})
	s.crashLooping()
	s.says(s.run(3, "scan", "kafka/my-cluster"), s.before.ClusterID)
	s.run(2, "restore", "kafka/my-cluster") // no terminal to confirm on, and no --yes
	s.run(0, "restore", "kafka/my-cluster", "--dry-run=client")
	if err := s.Condition(s.ctx, "ReconciliationPaused"); err == nil {
		t.Error("a dry run must change nothing, but the resource is paused")
	}
	s.says(s.run(0, "restore", "kafka/my-cluster", "--yes"), s.before.ClusterID)
	s.recovered()
	// Everything is right now: a second run says so and touches nothing.
	kafka, err := s.Get(s.ctx)
	s.must(err)
	s.run(0, "restore", "kafka/my-cluster", "--yes")
	again, err := s.Get(s.ctx)
	s.must(err)
	if kafka.GetResourceVersion() != again.GetResourceVersion() {
		t.Error("restoring a cluster that is right already must leave the Kafka resource untouched")
	}
	s.run(4, "restore", "kafka/no-such-cluster", "--yes")
}

// TestRestoreWithoutWaitingForTheReconcileInFlight shortens the wait for the pause by restarting the operator.
func TestRestoreWithoutWaitingForTheReconcileInFlight(t *testing.T) {
	full(t)
	s := newStory(t, "restart-operator", ground.Operator{}) // the real operation timeout of five minutes
	s.planted(ground.Planting{})
	s.crashLooping()
	s.run(0, "restore", "kafka/my-cluster", "--yes", "--restart-operator")
	s.recovered()
}

// TestRestoreOfAClusterThatNeverStarted begins with a resource created paused.
func TestRestoreOfAClusterThatNeverStarted(t *testing.T) {
	full(t)
	s := newStory(t, "never-started", quickOperator())
	s.planted(ground.Planting{})
	s.must(s.Create(s.ctx, true))
	s.run(0, "restore", "kafka/my-cluster", "--yes")
	s.recovered()
}

// TestRestoreSurvivesTheRace widens the window in which the operator overwrites a cluster ID.
func TestRestoreSurvivesTheRace(t *testing.T) {
	full(t)
	operator := quickOperator()
	operator.Race = "a=2s"
	s := newStory(t, "race", operator)
	s.planted(ground.Planting{})
	s.must(s.Create(s.ctx, true))
	s.run(0, "restore", "kafka/my-cluster", "--yes")
	s.recovered()
}
