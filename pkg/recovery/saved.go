package recovery

import (
	"fmt"
	"slices"

	"github.com/kafkarecover/kafkarecover/pkg/output"
)

// SavedPlan is a plan as `plan -o yaml` writes it and `apply -f` takes it: what was asked for, the plan, and what it was
// decided on.
type SavedPlan struct {
	output.TypeMeta
	Request Request `json:"request"`
	Plan    *Plan   `json:"plan"`
	Basis   Basis   `json:"basis"`
}

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
