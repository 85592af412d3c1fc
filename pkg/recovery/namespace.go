package recovery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// defaultAccount is what pods of a namespace run as that name none: until it is there none is admitted.
const defaultAccount = "default"

// accountTimeout bounds the wait for it: it was seen to be there within a second.
const accountTimeout = time.Minute

// mayMakeNamespace tells whether a namespace that is not there is made.
func (r *run) mayMakeNamespace() error {
	switch {
	case r.NamespaceManifest == nil:
		return fmt.Errorf("namespace %q does not exist: make it again as it was, labels and quotas too, or have it made "+
			"from its saved manifest with --namespace-manifest FILE; have an operator watch it; then run this again",
			r.Namespace)
	case r.DryRun != DryRunNone:
		return fmt.Errorf("namespace %q does not exist: volumes are read in it, and a dry run does not make it; create it "+
			"from its manifest first, or leave the dry run out: the plan is shown before anything but the namespace is made "+
			"for good", r.Namespace)
	}
	r.namespaceMissing = true
	return nil
}

// makeNamespace makes the namespace as it was saved, and waits until pods can be made in it. It comes before the lock,
// which lies in it, and is never deleted: whoever deletes a namespace deletes all that anybody has put into it.
func (r *run) makeNamespace(ctx context.Context) error {
	if !r.namespaceMissing {
		return nil
	}
	step := r.planNamespace()
	step.State = StepRunning
	r.Report.Step(*step)
	err := r.outlastNamespace(ctx)
	if err == nil {
		err = r.createNamespace(ctx)
	}
	step.State, step.Note = StepDone, "as it was saved"
	if err != nil {
		step.State, step.Note = StepFailed, err.Error()
	}
	r.Report.Step(*step)
	return err
}

func (r *run) createNamespace(ctx context.Context) error {
	create := func(gvr schema.GroupVersionResource, o *unstructured.Unstructured) error {
		if _, err := r.write.create(ctx, StepNamespace, gvr, r.stamped(o)); err != nil {
			return fmt.Errorf("create %s: %w", declared.Ref(o), err)
		}
		return nil
	}
	if err := create(kube.Namespaces(), r.NamespaceManifest.Object); err != nil {
		return err
	}
	r.result.Next = append(r.result.Next, fmt.Sprintf("namespace %q was made as it was saved, and stays whatever becomes "+
		"of this operation", r.Namespace))
	for _, limit := range r.NamespaceManifest.Limits {
		gvr := kube.ResourceQuotas()
		if limit.GetKind() == limitRangeKind {
			gvr = kube.LimitRanges()
		}
		if err := create(gvr, limit); err != nil {
			return err
		}
	}
	_, err := r.Kube.WaitFor(ctx, kube.Wait{
		Resource: kube.ServiceAccounts(), Namespace: r.Namespace, Name: defaultAccount, Timeout: accountTimeout,
		What: fmt.Sprintf("serviceaccount %q, which Kubernetes makes in namespace %q", defaultAccount, r.Namespace),
		Condition: func(u *unstructured.Unstructured) (bool, string, error) {
			return u != nil, "it is not there", nil
		},
	})
	return err
}

const limitRangeKind = "LimitRange"

// planNamespace is the step that makes the namespace; nil where it is there.
func (r *run) planNamespace() *Step {
	if !r.namespaceMissing {
		return nil
	}
	n := r.NamespaceManifest
	s := &Step{
		ID: StepNamespace, Title: "make namespace " + r.Namespace + " as it was saved",
		Does:  []string{"create namespace/" + r.Namespace + keysOf(n.Object)},
		Check: "the API server has it, and Kubernetes has made its default ServiceAccount",
		Undo:  "none: it stays, with what else is in it by then",
		State: StepDone,
	}
	if r.going != nil {
		s.Title = "wait until namespace " + r.Namespace + " is gone, and make it again as it was saved"
		s.Does = slices.Insert(s.Does, 0,
			"set Retain on every volume that is not, as the step retain says: their claims go with the namespace",
			"wait until namespace/"+r.Namespace+", which is being deleted, is gone")
	}
	for _, limit := range n.Limits {
		s.Does = append(s.Does, "create "+declared.Ref(limit))
	}
	return s
}

// keysOf lists the labels and annotations of an object, for whoever reads a plan: they decide which pods are admitted.
func keysOf(o *unstructured.Unstructured) string {
	var texts []string
	for what, values := range map[string]map[string]string{"labels": o.GetLabels(), "annotations": o.GetAnnotations()} {
		if len(values) > 0 {
			texts = append(texts, fmt.Sprintf("%s %s", what, strings.Join(sortedKeys(values), ", ")))
		}
	}
	if len(texts) == 0 {
		return ""
	}
	slices.Sort(texts)
	return " with " + strings.Join(texts, " and ")
}

// planMade are the steps that come before anything is read; they are done by the time the plan is confirmed, but for a
// dry run. Whoever goes on with an operation finds them done.
func (r *run) planMade() []Step {
	var out []Step
	if r.recorded != nil && r.recorded.Decision != nil {
		for _, id := range []StepID{StepNamespace, StepVolumes} {
			if made := r.recorded.Decision.Plan.step(id); made != nil {
				step := *made
				step.State, step.Note = StepDone, "by an earlier run"
				out = append(out, step)
			}
		}
		return out
	}
	if held := r.planHold(); held != nil && r.namespaceMissing {
		held.State = StepDone
		out = append(out, *held)
	}
	for _, step := range []*Step{r.planNamespace(), r.planVolumes()} {
		if step != nil {
			out = append(out, *step)
		}
	}
	return out
}
