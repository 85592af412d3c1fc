package recovery_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// refusing is a state in which a rule refuses. Everything else about the cluster is as restore wants it, but for what
// the same state has other rules say: those are accepted, so that this one rule is what it stops on.
type refusing struct {
	rule, state string
	// subject is what --accept names.
	subject string
	// planned takes the resources away, and gives their manifests to restore; set has a StatefulSet restored instead.
	planned, set bool
	// says is what message, evidence and remedy tell among other things.
	says []string
	// fixture are the disks, SplitRoles where it is empty; disks changes a copy of them.
	fixture string
	disks   func(disksOf)
	// objects changes what the API server has, request what is asked for, seen what reading a volume gave.
	objects func(*refused)
	request func(*recovery.Request)
	seen    func(*volume.Volume)
	// forbidden is what may not be listed, read or changed.
	forbidden string
	// keepsPolicies tells that it refuses before Retain is set, or where it cannot be.
	keepsPolicies bool
	// staysRefused tells that accepting it for this subject lifts nothing, although the rule can be accepted for others.
	staysRefused bool
	// then is what restore says after it was lifted, where it cannot go on all the same.
	then string
}

func allRefusing() []refusing {
	return slices.Concat(identityRefusals(), placeRefusals(), contentRefusals(), quorumRefusals(), objectRefusals(),
		operatorRefusals(), settingRefusals(), plannedRefusals(), setRefusals())
}

func TestEveryRefusalHoldsAndChangesNothing(t *testing.T) {
	t.Parallel()
	all := &wholeDisks{t: t, by: map[string]*disks{}}
	for _, c := range allRefusing() {
		t.Run(c.rule+"/"+c.state, func(t *testing.T) {
			t.Parallel()
			c.try(t, all)
		})
	}
}

// try has a restore refuse because of this rule alone, and looks at what it has done, then at what accepting does.
func (c refusing) try(t *testing.T, all *wholeDisks) {
	rule, ok := finding.RuleByID(c.rule)
	if !ok || !rule.Refuses {
		t.Fatalf("%q is no rule that refuses", c.rule)
	}
	s := c.stand(t, all)
	own := finding.Lift{Rule: c.rule, Subject: c.subject}
	seen, err := c.restore(s, recovery.DryRunClient, nil)
	if err != nil || seen.Outcome != recovery.OutcomeRefused {
		t.Fatalf("%v: %s, %s", err, seen.Outcome, seen.Reason)
	}
	if !slices.ContainsFunc(seen.Refusals, named(own)) {
		t.Fatalf("it does not refuse for %s:%s", own, refusal(seen))
	}
	others, _ := liftable(seen.Refusals, own)
	before, asked := s.everything(), len(s.server.Requests())
	result, err := c.restore(s, recovery.DryRunNone, others)
	if err != nil || result.Outcome != recovery.OutcomeRefused || result.Code() != exitcode.Refused {
		t.Fatalf("%v: %s, %s", err, result.Outcome, result.Reason)
	}
	c.wantNamed(t, result)
	s.wantUntouched(before, asked)
	if !c.keepsPolicies {
		s.wantRetain()
	}

	lifted, err := c.restore(s, recovery.DryRunClient, append(others, own))
	held := slices.ContainsFunc(lifted.Refusals, named(own))
	switch {
	case held != (rule.Final || c.staysRefused):
		t.Errorf("with --accept %s it refuses for it: %t", own, held)
	case held:
		if _, err := finding.ParseAccept(own.String()); err == nil {
			t.Errorf("--accept %s is taken, and lifts nothing", own)
		}
	case c.then != "":
		if err == nil || !strings.Contains(err.Error(), c.then) {
			t.Errorf("with --accept %s: want %q, got %v, %s", own, c.then, err, lifted.Outcome)
		}
	case err != nil || len(lifted.Refusals) == 0 && lifted.Outcome != recovery.OutcomePlanned:
		t.Errorf("with --accept %s: %v, %s, %s", own, err, lifted.Outcome, lifted.Reason)
	}
}

// restore runs one restore of the state, with these acceptances; it is never to come as far as asking.
func (c refusing) restore(s *refused, dry recovery.DryRun, accept []finding.Lift) (*recovery.Result, error) {
	s.t.Helper()
	req := s.request()
	req.DryRun, req.Accept, req.Declared = dry, accept, s.declared
	if c.set {
		req.Name = dualRole
	}
	if c.request != nil {
		c.request(&req)
	}
	deps := s.deps()
	deps.Look = func(ctx context.Context, req recovery.LookRequest) (*recovery.Observation, error) {
		return c.look(ctx, s, req)
	}
	deps.Confirm = func(context.Context, *recovery.Plan, []finding.Finding) (bool, error) {
		s.t.Error("it has a plan confirmed that a rule refuses")
		return false, nil
	}
	if c.forbidden != "" {
		s.server.AnswerWith(func(r *kubetest.Request) *kubetest.Failure {
			if r.Resource != c.forbidden {
				return nil
			}
			return kubetest.Forbidden(r)
		})
		defer s.server.AnswerWith(nil)
	}
	run := recovery.Restore
	if c.set {
		run = recovery.RestoreSet
	}
	result, err := run(s.t.Context(), req, deps)
	if result == nil {
		s.t.Fatal(err)
	}
	return result, err
}

// wantNamed requires that the rule refuses, with everything a person needs, and that nothing else does that could have
// been accepted.
func (c refusing) wantNamed(t *testing.T, result *recovery.Result) {
	t.Helper()
	own := finding.Lift{Rule: c.rule, Subject: c.subject}
	if more, _ := liftable(result.Refusals, own); len(more) > 0 {
		t.Errorf("it refuses for others too, which were accepted: %v", more)
	}
	i := slices.IndexFunc(result.Refusals, named(own))
	if i < 0 {
		t.Fatalf("it does not refuse for %s:%s", own, refusal(result))
	}
	f := result.Refusals[i]
	if f.Message == "" || f.Remedy == "" || len(f.Evidence) == 0 && len(c.says) == 0 {
		t.Errorf("what is wrong, what was seen, and what to do: %+v", f)
	}
	told := strings.Join(append(f.Evidence, f.Message, f.Remedy), "\n")
	for _, text := range c.says {
		if !strings.Contains(told, text) {
			t.Errorf("%q is not told in:\n%s", text, told)
		}
	}
}
