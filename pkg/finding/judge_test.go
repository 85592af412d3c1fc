package finding_test

import (
	"slices"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// texts shows findings in failures.
func texts(findings []finding.Finding) string {
	out := ""
	for _, f := range findings {
		out += "\n  " + string(f.Severity) + " " + f.Rule + "=" + f.Subject + ": " + f.Message
		for _, e := range f.Evidence {
			out += "\n    · " + e
		}
	}
	return out
}

func TestNothingRefusesWhereNothingIsWrong(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]*world{
		"a healthy running cluster": healthy(t), "retained, paused and never started": retained(t),
		"looked at without reading the volumes": recorded(t),
	} {
		findings := finding.Judge(w.Input)
		refusing := slices.DeleteFunc(slices.Clone(findings), func(f finding.Finding) bool { return !f.Refuses })
		if len(refusing) > 0 {
			t.Errorf("%s: nothing may refuse:%s", name, texts(refusing))
		}
		if finding.Fails(findings, finding.Error) || finding.Incomplete(findings) {
			t.Errorf("%s: a scan is to end with 0:%s", name, texts(findings))
		}
	}
}

// TestWhatRestoreRepairsDoesNotRefuse is the common case: applied again without a pause, so that the pools have a
// random ID and every pod crash-loops on it.
func TestWhatRestoreRepairsDoesNotRefuse(t *testing.T) {
	t.Parallel()
	w := healthy(t)
	w.Cluster.Kafka.Status = strimzi.KafkaStatus{
		Conditions: []strimzi.Condition{{Type: strimzi.ConditionNotReady, Status: "True", Reason: "Creating"}},
	}
	for i := range w.Cluster.Pools {
		w.Cluster.Pools[i].Status.ClusterID = ptr(otherID)
	}
	for i := range w.Cluster.NodeConfigs {
		w.Cluster.NodeConfigs[i].ClusterID = otherID
	}
	for i := range w.Volumes {
		w.Volumes[i].Claim.UsedBy[0].Ready = false
	}
	findings := finding.Judge(w.Input)
	if d := finding.Decide(findings, nil); d.Refused() {
		t.Errorf("restore is there for this:%s", texts(d.Refusals))
	}
	if !finding.Fails(findings, finding.Error) {
		t.Errorf("a scan must tell by its exit code:%s", texts(findings))
	}
}

// TestAClusterReadWhileItRunsIsHealthy reads volumes one after another: logs grow meanwhile, and the last append of one
// is seen in part.
func TestAClusterReadWhileItRunsIsHealthy(t *testing.T) {
	t.Parallel()
	w := healthy(t)
	for i, short := range []string{
		"0-broker-0", "0-broker-1", "0-broker-2", "0-controller-3", "0-controller-4", "0-controller-5",
	} {
		w.end(short, 600-int64(i), 3)
	}
	torn(w)
	if d := finding.Decide(finding.Judge(w.Input), nil); d.Refused() {
		t.Errorf("nothing is wrong:%s", texts(d.Refusals))
	}
}

func TestFoldersAreJudgedWithoutObjects(t *testing.T) {
	t.Parallel()
	w := retained(t)
	w.folders()
	if findings := finding.Judge(w.Input); len(findings) > 0 {
		t.Errorf("nine good volumes in a folder, no finding expected:%s", texts(findings))
	}
}
