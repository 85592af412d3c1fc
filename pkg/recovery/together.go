package recovery

import (
	"context"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// StepRestartTogether is planned where pods run since before the Kafka resource was made.
const StepRestartTogether StepID = "restart-together"

// unreachable is what the operator says of a cluster whose pods hold certificates of other authorities than it has: it
// can ask none of them, so it restarts none, and this does not pass (tried: docs/strimzi-facts.md, only Kafka deleted).
const unreachable = "determine the active controller"

// outliving are the pods that were there before the Kafka resource was: the one that they were started for was deleted,
// and the Secrets with its certificate authorities with it.
func outliving(c *strimzi.Cluster) []strimzi.Pod {
	var out []strimzi.Pod
	for _, pod := range c.Pods {
		if !pod.Terminating && pod.Created.Before(c.Kafka.Created) {
			out = append(out, pod)
		}
	}
	return out
}

func names(pods []strimzi.Pod) []string {
	var out []string
	for i := range pods {
		out = append(out, pods[i].Name)
	}
	return out
}

// running are the names of the cluster's pods that have its volumes.
func (r *run) running() []string {
	var out []string
	for i := range r.before.Volumes {
		v := &r.before.Volumes[i]
		if v.Claim == nil {
			continue
		}
		for _, pod := range v.Claim.UsedBy {
			if v.Slot != nil && strings.HasPrefix(pod.Name, r.Name+"-"+v.Slot.Pool+"-") && !slices.Contains(out, pod.Name) {
				out = append(out, pod.Name)
			}
		}
	}
	return out
}

func restartTogetherStep(in planInput) []Step {
	if len(in.outliving) == 0 {
		return nil
	}
	s := Step{
		ID: StepRestartTogether, Title: "restart all pods together, if the operator cannot reach them",
		Expects: []string{
			"the operator has said, since it was un-paused, that it cannot " + unreachable + ": the pods run since before " +
				"kafka/" + in.cluster + " was made, with certificates of authorities that went with the former one",
			"no claim or volume of the cluster is Terminating",
		},
		Check: "the pods are created again, and the operator reaches them",
		Risk:  "nobody can produce or consume until they have started; without it the cluster stays NotReady",
	}
	if !in.wait {
		s.State, s.Note = StepSkipped, "--wait=false"
	}
	for _, pod := range in.outliving {
		s.Does = append(s.Does, "delete pod/"+pod)
	}
	return []Step{s}
}

// cannotReach tells whether the operator has given up on asking the pods who leads.
func cannotReach(kafka *strimzi.Kafka) bool {
	return slices.ContainsFunc(kafka.Status.Conditions, func(c strimzi.Condition) bool {
		return c.Type == "NotReady" && strings.Contains(c.Message, unreachable)
	})
}

// restartTogether deletes the pods that run since before the Kafka resource was made, once the operator has said that
// it cannot reach them. One after another would not do: those with new certificates and those with old ones do not
// trust each other.
func (r *run) restartTogether(ctx context.Context, cluster *strimzi.Cluster) error {
	step := r.plan.step(StepRestartTogether)
	if step == nil || step.State == StepSkipped || !cannotReach(&cluster.Kafka) {
		return nil
	}
	pods := outliving(cluster)
	if len(pods) == 0 {
		return nil
	}
	if err := r.claimsUnchanged(ctx); err != nil {
		return err
	}
	for i := range pods {
		if _, err := r.restartPod(ctx, StepRestartTogether, &pods[i]); err != nil {
			return err
		}
	}
	step.State, step.Note = StepDone, wording.Count(len(pods), "pod deleted: the operator could not reach it",
		"pods deleted: the operator could not reach them")
	r.Report.Step(*step)
	return nil
}
