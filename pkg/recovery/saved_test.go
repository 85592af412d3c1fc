package recovery_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// savedPlan is a plan as it comes out of a file.
func (s *stand) savedPlan() *recovery.SavedPlan {
	s.t.Helper()
	plan, result, err := recovery.MakePlan(s.t.Context(), s.request(), s.deps())
	if err != nil || plan == nil {
		s.t.Fatalf("%v %+v", err, result)
	}
	text, err := yaml.Marshal(plan)
	if err != nil {
		s.t.Fatal(err)
	}
	read, err := recovery.ReadPlan(text)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, text)
	}
	return read
}

func TestAPlanIsAppliedAsItWasSaved(t *testing.T) {
	t.Parallel()
	s := newStand(t, unpackDisks(t), true)
	s.settled()
	before := s.content()
	plan := s.savedPlan()
	if diff := cmp.Diff(before, s.content()); diff != "" {
		t.Errorf("planning must change nothing (-before +after):\n%s", diff)
	}
	// Somebody protects the volumes meanwhile: less to do, and no other plan.
	for name := range s.disks.read {
		pv := s.server.Get(kube.Volumes(), "", "pv-"+name)
		pv["spec"].(kubetest.Object)["persistentVolumeReclaimPolicy"] = "Retain"
		s.server.Put(kube.Volumes(), pv)
	}
	result, err := recovery.Apply(t.Context(), plan, recovery.Repeated{}, s.deps())
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatalf("%v %+v", err, result)
	}
	if result.Operation != plan.Plan.Operation {
		t.Errorf("a plan is applied under its own name, got %q", result.Operation)
	}
	s.wantRunning()
}

func TestAPlanIsRefusedOnceTheWorldIsAnother(t *testing.T) {
	t.Parallel()
	d := unpackDisks(t)
	for title, tc := range map[string]struct {
		change func(*stand, *recovery.SavedPlan)
		want   string
	}{
		"the spec of a pool was changed": {func(s *stand, _ *recovery.SavedPlan) {
			pool := s.server.Get(strimzi.NodePoolGVR("v1"), standNamespace, "broker")
			pool["metadata"].(kubetest.Object)["generation"] = 2
			s.server.Put(strimzi.NodePoolGVR("v1"), pool)
		}, "kafkanodepool/broker its spec was changed: generation 2, was 1"},
		"a claim was made anew": {func(s *stand, _ *recovery.SavedPlan) {
			claim := s.server.Get(kube.Claims(), standNamespace, "data-0-my-cluster-broker-0")
			claim["metadata"].(kubetest.Object)["uid"] = "another"
			s.server.Put(kube.Claims(), claim)
			pv := s.server.Get(kube.Volumes(), "", "pv-data-0-my-cluster-broker-0")
			pv["spec"].(kubetest.Object)["claimRef"].(kubetest.Object)["uid"] = "another"
			s.server.Put(kube.Volumes(), pv)
		}, "pvc/data-0-my-cluster-broker-0 was replaced"},
		"it is of another Kubernetes cluster": {func(_ *stand, p *recovery.SavedPlan) {
			p.Basis.ServerID = "elsewhere"
		}, "another Kubernetes cluster"},
		"what is on a volume is another": {func(_ *stand, p *recovery.SavedPlan) {
			p.Basis.Contents["pvc/data-0-my-cluster-broker-0"] = "sha256:00"
		}, "pvc/data-0-my-cluster-broker-0 has other log directories or partitions"},
		"the file says less than it does": {func(_ *stand, p *recovery.SavedPlan) {
			for i := range p.Plan.Steps {
				if p.Plan.Steps[i].ID == recovery.StepClusterID {
					p.Plan.Steps[i].Does = p.Plan.Steps[i].Does[:1]
				}
			}
		}, "would now: patch the status of"},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, d, true)
			s.settled()
			plan := s.savedPlan()
			tc.change(s, plan)
			before := s.content()
			result, err := recovery.Apply(t.Context(), plan, recovery.Repeated{}, s.deps())
			if err != nil || result.Code() != exitcode.Refused ||
				!strings.Contains(strings.Join(result.Differences, "\n"), tc.want) {
				t.Fatalf("want it refused with %q: %v %v %+v", tc.want, err, result.Differences, result)
			}
			if diff := cmp.Diff(before, withoutJournal(s.content())); diff != "" {
				t.Errorf("nothing but Retain may be changed (-before +after):\n%s", diff)
			}
		})
	}
}

func withoutJournal(content map[string]string) map[string]string {
	for name := range content {
		if strings.HasPrefix(name, "configmaps/") {
			delete(content, name)
		}
	}
	return content
}

func TestWhatAPlanLiftsIsGivenAgainWhereNobodyIsAsked(t *testing.T) {
	t.Parallel()
	s := newStand(t, unpackDisks(t), true)
	s.settled()
	plan := s.savedPlan()
	plan.Request.Exclude, plan.Request.ClusterID = []string{"pv/old"}, s.disks.clusterID
	plan.Request.Include = []string{"unnamed"}
	plan.Request.SetAside = []recovery.LogDirRef{{Claim: "data-0-my-cluster-broker-0", Directory: "kafka-log0"}}
	plan.Request.RestartOperator, plan.Request.RebindClaims = true, true
	given := recovery.Repeated{Unattended: true}
	missing := func() string {
		t.Helper()
		_, err := recovery.Apply(t.Context(), plan, given, s.deps())
		var notRepeated *recovery.NotRepeatedError
		if !errors.As(err, &notRepeated) {
			t.Fatalf("got %v", err)
		}
		return strings.Join(notRepeated.Flags, " ")
	}
	var accepts []string
	for _, l := range s.disks.accept {
		accepts = append(accepts, "--accept "+l.String())
	}
	chosen := " --exclude pv/old --include pv/unnamed --cluster-id " + s.disks.clusterID +
		" --set-aside pvc/data-0-my-cluster-broker-0:kafka-log0 --restart-operator --rebind-claims"
	if got := missing(); len(accepts) == 0 || got != strings.Join(accepts, " ")+chosen {
		t.Errorf("want all of it to be given again, got %q", got)
	}
	given.Include = plan.Request.Include
	given.Accept, given.Exclude, given.ClusterID = plan.Request.Accept, plan.Request.Exclude, s.disks.clusterID
	given.SetAside = []recovery.LogDirRef{{Claim: "data-0-my-cluster-broker-0", Directory: "kafka-log1"}}
	left := "--set-aside pvc/data-0-my-cluster-broker-0:kafka-log0 --restart-operator --rebind-claims"
	if got := missing(); got != left {
		t.Errorf("want the directory that is named in the plan, got %q", got)
	}
	plan = s.savedPlan()
	asked := false
	deps := s.deps()
	deps.Confirm = func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) {
		asked = true
		return false, nil
	}
	result, err := recovery.Apply(t.Context(), plan, recovery.Repeated{}, deps)
	if err != nil || !asked || result.Outcome != recovery.OutcomeDeclined {
		t.Errorf("a person is shown what the plan lifts, and asked: %v %+v", err, result)
	}
}

func TestPlansThatCannotBeRead(t *testing.T) {
	t.Parallel()
	const good = "apiVersion: kafkarecover/v1\nkind: Plan\n"
	for title, tc := range map[string]struct{ text, want string }{
		"another kind":    {"apiVersion: v1\nkind: ConfigMap\n", "ConfigMap"},
		"no plan":         {good, "no plan"},
		"a path for name": {good + "plan:\n  operation: ../../etc\n", "no plan with the name"},
		"another cluster": {good + "plan:\n  operation: restore-20261124-031502-9f3a\n  namespace: a\n  cluster: b\n" +
			"request:\n  namespace: a\n  name: c\n  timeout: 1m\n  pauseTimeout: 0s\n  settle: 1s\n", `"a/b"`},
		"no YAML": {"\t", "read the plan"},
	} {
		if _, err := recovery.ReadPlan([]byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: want %q, got %v", title, tc.want, err)
		}
	}
}
