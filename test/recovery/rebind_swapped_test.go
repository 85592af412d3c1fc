package recovery_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
)

const swappedZero, swappedOne = "data-0-my-cluster-broker-0", "data-0-my-cluster-broker-1"

// startedSwapped is a cluster whose pods have started, with a random ID, on two claims that hold each other's volumes:
// each has made a directory of its own beside the other's data.
func startedSwapped(t *testing.T) *ground {
	t.Helper()
	g := newGround(t, func(disks string) { swap(t, disks, swappedZero, swappedOne) })
	g.operator(nil)
	starts["crash-looping"](g)
	for claim, own := range map[string]string{swappedZero: "kafka-log0", swappedOne: "kafka-log1"} {
		if _, err := os.Stat(filepath.Join(g.disks, claim, own, "meta.properties")); err != nil {
			t.Fatal("its pod has not started on it", err)
		}
	}
	return g
}

func acceptSwapped(rule string) func(*recovery.Request) {
	return func(r *recovery.Request) {
		for _, claim := range []string{swappedZero, swappedOne} {
			r.Accept = append(r.Accept, finding.Lift{Rule: rule, Subject: "pvc/" + claim})
		}
	}
}

func putRight(r *recovery.Request) {
	rebind(r)
	acceptSwapped("pending-deletion")(r)
	acceptSwapped("formatted-beside-data")(r)
}

// wantPutRight requires the two claims to have each other's volumes, and every volume to hold what it held.
func (g *ground) wantPutRight(was map[string]string) {
	g.t.Helper()
	g.wantRunningAs(clusterID)
	want := map[string]string{swappedZero: g.ns + "-" + swappedOne, swappedOne: g.ns + "-" + swappedZero}
	for _, name := range g.claimNames() {
		if want[name] == "" {
			want[name] = g.ns + "-" + name
		}
	}
	if diff := cmp.Diff(want, g.layout()); diff != "" {
		g.t.Errorf("only the two are exchanged (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(was, bytesBelow(g.t, g.disks)); diff != "" {
		g.t.Errorf("what was on the volumes must stay (-before +after):\n%s", diff)
	}
	g.wantRetained(9)
	g.wantNothingLeft()
}

func TestClaimsThatHoldEachOthersVolumesArePutRightAfterPodsHaveStarted(t *testing.T) {
	t.Parallel()
	g := startedSwapped(t)
	refused, err := g.restore(nil)
	if err != nil || refused.Outcome != recovery.OutcomeRefused {
		t.Fatal(err, told(refused))
	}
	refused, err = g.restore(func(r *recovery.Request, _ *recovery.Deps) {
		rebind(r)
		acceptSwapped("pending-deletion")(r)
	})
	want := []string{"formatted-beside-data=pvc/" + swappedZero, "formatted-beside-data=pvc/" + swappedOne}
	if got := refusedBy(refused); err != nil || !slices.Equal(got, want) {
		t.Fatal("of what is left only the directories that hold nothing are in the way", err, told(refused))
	}
	if len(g.pods()) != 6 {
		t.Error("a refusal must not touch the cluster")
	}
	was := bytesBelow(t, g.disks)
	stop := g.noneLost()
	result, err := g.restore(func(r *recovery.Request, _ *recovery.Deps) { putRight(r) })
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	stop()
	g.wantPutRight(was)
	g.wantJournaled(result)
}

func TestPuttingStartedClaimsRightThatDied(t *testing.T) {
	t.Parallel()
	for title, at := range map[string]recoverytest.When{
		"pods being stopped":  recoverytest.FirstOf(recovery.StepStopPods, recovery.PhaseIntent),
		"a claim gone":        recoverytest.OfKind(recovery.StepLetGo, recovery.PhaseDone, claimKind),
		"a claim still going": recoverytest.OfKind(recovery.StepLetGo, recovery.PhaseDone, claimKind),
		"a claim made":        recoverytest.FirstOf(recovery.StepClaims, recovery.PhaseDone),
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := startedSwapped(t)
			was := bytesBelow(t, g.disks)
			stop := g.noneLost()
			var releases []func()
			if title == "a claim still going" {
				releases = []func(){g.protectClaim(swappedZero), g.protectClaim(swappedOne)}
			}
			left, operation, died := g.killAsked(at, false, putRight)
			if died == "" {
				t.Fatal("it must have died")
			}
			for _, release := range releases {
				time.AfterFunc(3*time.Second, release)
			}
			result, err := g.resume(left, operation, nil)
			if err != nil || result.Outcome != recovery.OutcomeRestored {
				t.Fatal(err, told(result), result.Differences)
			}
			stop()
			g.wantPutRight(was)
		})
	}
}
