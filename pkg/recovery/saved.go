package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/finding"
	"github.com/kafkarecover/kafkarecover/pkg/finding/show"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// SavedPlan is a plan as `plan -o yaml` writes it and `apply -f` takes it: what was asked for, the plan, and what it
// was decided on.
type SavedPlan struct {
	output.TypeMeta
	Request Request `json:"request"`
	Plan    *Plan   `json:"plan"`
	Basis   Basis   `json:"basis"`
	// Findings are for whoever reads the plan; they are judged again before it is applied.
	Findings []finding.Finding `json:"findings,omitempty"`
}

// MakePlan looks at the cluster and plans its restore, as a dry run does. Where a rule refuses, or nothing needs to be
// done, there is no plan; the result says so.
func MakePlan(ctx context.Context, req Request, deps Deps) (*SavedPlan, *Result, error) {
	req.DryRun = DryRunClient
	r := newRun(req, deps)
	err := r.execute(ctx)
	if err != nil || r.plan == nil || r.result.Outcome != OutcomePlanned {
		return nil, r.result, err
	}
	return &SavedPlan{
		TypeMeta: output.Meta("Plan"), Request: r.Request, Plan: r.plan, Findings: r.result.Findings,
		Basis: basisOf(r.place.ServerID, r.operation, r.before),
	}, r.result, nil
}

// ReadPlan reads a saved plan, and refuses what MakePlan does not write: it is input that somebody may have changed.
func ReadPlan(text []byte) (*SavedPlan, error) {
	var s SavedPlan
	if err := yaml.UnmarshalStrict(text, &s); err != nil {
		return nil, fmt.Errorf("read the plan: %w", err)
	}
	want := output.Meta("Plan")
	switch {
	case s.TypeMeta != want:
		return nil, fmt.Errorf("read the plan: it is of %s %s, not of %s %s: `kafkarecover plan kafka/NAME -o yaml` writes "+
			"one", s.APIVersion, s.Kind, want.APIVersion, want.Kind)
	case s.Plan == nil || !ValidOperationID(s.Plan.Operation):
		return nil, errors.New("read the plan: it has no plan with the name of an operation")
	case s.Plan.Namespace != s.Request.Namespace || s.Plan.Cluster != s.Request.Name:
		return nil, fmt.Errorf("read the plan: it is for kafka %q, and kafka %q was asked for",
			s.Plan.Namespace+"/"+s.Plan.Cluster, s.Request.Namespace+"/"+s.Request.Name)
	}
	return &s, nil
}

// Apply makes a saved plan again and carries it out if it is the same, in what it does and in what it was decided on.
// Otherwise nothing but Retain is changed and the result lists the differences.
func Apply(ctx context.Context, saved *SavedPlan, given Repeated, deps Deps) (*Result, error) {
	if err := given.missing(&saved.Request); err != nil {
		return nil, err
	}
	if saved.Request.Redeclares && given.Redeclared == nil {
		return nil, &NotRepeatedError{Flags: []string{volumesFlag}}
	}
	r := newRun(saved.Request, deps)
	r.saved, r.DryRun, r.Declared, r.Redeclared = saved, DryRunNone, given.Declared, given.Redeclared
	return r.result, r.execute(ctx)
}

// Table implements output.Tabler.
func (s *SavedPlan) Table(wide bool) output.Document {
	doc := s.Plan.Table(wide)
	var told []finding.Finding
	for _, f := range s.Findings {
		if wide || f.Severity.AtLeast(finding.Warning) {
			told = append(told, f)
		}
	}
	if len(told) > 0 {
		doc = append(doc, show.Section("Findings", told, wide))
	}
	return doc
}

// Names implements output.Namer.
func (s *SavedPlan) Names() []string { return []string{"kafka/" + s.Plan.Cluster} }

// differences says in what a plan that was made again differs from this one.
func (s *SavedPlan) differences(again *Plan, now Basis) []string {
	out := s.Basis.Differences(now)
	was := s.Plan
	if was.ClusterID != again.ClusterID {
		out = append(out, fmt.Sprintf("the volumes say cluster ID %s, said %s", again.ClusterID, was.ClusterID))
	}
	if was.KafkaUID != again.KafkaUID {
		out = append(out, fmt.Sprintf("kafka/%s has uid %s, had %s", again.Cluster, again.KafkaUID, was.KafkaUID))
	}
	if !slices.Equal(was.Excluded, again.Excluded) {
		out = append(out, fmt.Sprintf("given up are %q, were %q", again.Excluded, was.Excluded))
	}
	for i := range max(len(was.Steps), len(again.Steps)) {
		switch {
		case i >= len(again.Steps):
			out = append(out, fmt.Sprintf("step %d, %s, is no longer needed", i+1, was.Steps[i].ID))
		case i >= len(was.Steps):
			out = append(out, fmt.Sprintf("step %d, %s, was not planned", i+1, again.Steps[i].ID))
		default:
			out = append(out, was.Steps[i].differences(i+1, &again.Steps[i])...)
		}
	}
	return out
}

// differences compares what a step does, not how far it came.
func (s *Step) differences(number int, again *Step) []string {
	at := fmt.Sprintf("step %d, %s,", number, s.ID)
	switch {
	case s.ID != again.ID:
		return []string{fmt.Sprintf("step %d is %s, was %s", number, again.ID, s.ID)}
	case s.NoReturn != again.NoReturn:
		return []string{at + " is the point of no return in only one of the plans"}
	case (s.State == StepSkipped) != (again.State == StepSkipped) && s.ID != StepRetain:
		return []string{fmt.Sprintf("%s is now %s (%s), was %s (%s)", at, again.State, again.Note, s.State, s.Note)}
	}
	var out []string
	for _, d := range again.Does {
		if !slices.Contains(s.Does, d) {
			out = append(out, at+" would now: "+d)
		}
	}
	for _, d := range s.Does {
		// A volume that somebody has protected meanwhile needs no Retain any more.
		if !slices.Contains(again.Does, d) && s.ID != StepRetain {
			out = append(out, at+" would no longer: "+d)
		}
	}
	return out
}
