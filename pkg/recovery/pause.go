package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// NotProvenError says that the operator did not show that it pauses. The resource is left paused.
type NotProvenError struct {
	Kafka string
	// Seen is the status as last observed; Causes are what commonly explains it, likeliest first.
	Seen   string
	Causes []string
	Err    error
}

// Error says what was seen; the causes are for the result.
func (e *NotProvenError) Error() string {
	return fmt.Sprintf("prove the pause of kafka %q: %v; it is left paused, last seen: %s", e.Kafka, e.Err, e.Seen)
}

// Unwrap returns the cause.
func (e *NotProvenError) Unwrap() error { return e.Err }

// pauser pauses one Kafka resource and proves it.
type pauser struct {
	writer          *writer
	gvr             schema.GroupVersionResource
	namespace, name string
	uid             string
	timeout         time.Duration
	// say reports what is being waited for.
	say func(text string)
}

// annotate sets the pause annotation, unless it is there.
func (p *pauser) annotate(ctx context.Context, step StepID) error {
	u, err := p.get(ctx)
	if err != nil {
		return err
	}
	if kafka := strimzi.ParseKafka(u.Object); kafka.PauseAnnotated {
		return nil
	}
	patch, err := strimzi.PausePatch("")
	if err != nil {
		return err
	}
	_, err = p.writer.patch(ctx, step, p.gvr, u, patch)
	return err
}

// prove writes the marker and waits for a later status without it and with ReconciliationPaused: only the operator's
// paused path writes such a one, so somebody is watching and is pausing now (safety contract, line 3). It returns that
// very version.
func (p *pauser) prove(ctx context.Context, step StepID) (*unstructured.Unstructured, error) {
	marked, err := p.mark(ctx, step)
	if err != nil {
		return nil, err
	}
	seen := "the marker, not answered yet"
	proven, err := p.writer.kube.WaitFor(ctx, kube.Wait{
		Resource: p.gvr, Namespace: p.namespace, Name: p.name, Timeout: p.timeout, Flag: "--pause-timeout",
		What: fmt.Sprintf("the operator to confirm the pause of kafka %q", p.namespace+"/"+p.name),
		Condition: func(u *unstructured.Unstructured) (bool, string, error) {
			if err := p.same(u); err != nil {
				return false, "", err
			}
			kafka := strimzi.ParseKafka(u.Object)
			if !kafka.PauseAnnotated {
				return false, "", errUnpausedByOther
			}
			if u.GetResourceVersion() == marked.GetResourceVersion() {
				return false, seen, nil
			}
			seen = statusText(&kafka)
			return kafka.Status.PauseProven(), seen, nil
		},
		OnChange: p.say,
	})
	if kube.IsTimeout(err) {
		return nil, &NotProvenError{Kafka: p.namespace + "/" + p.name, Seen: seen, Err: err}
	}
	return proven, err
}

var (
	errUnpausedByOther = errors.New("somebody else removed the annotation strimzi.io/pause-reconciliation; " +
		"nothing further was changed")
	errReplaced = errors.New("the Kafka resource was deleted or replaced by another one since it was looked at")
)

// mark writes the marker, at whatever version the resource has: a conflict means that the operator wrote in between,
// and the marker must come after that.
func (p *pauser) mark(ctx context.Context, step StepID) (*unstructured.Unstructured, error) {
	for attempt := 1; ; attempt++ {
		u, err := p.get(ctx)
		if err != nil {
			return nil, err
		}
		patch, err := strimzi.MarkerPatch(u.GetResourceVersion())
		if err != nil {
			return nil, err
		}
		marked, err := p.writer.patch(ctx, step, p.gvr, u, patch)
		if err == nil {
			return marked, nil
		}
		if !kube.IsConflict(err) || attempt == maxConflicts {
			return nil, fmt.Errorf("write the marker: %w", err)
		}
	}
}

// maxConflicts bounds how often a write is repeated at a newer version: an operator that is busy writes a few times a
// second, not more.
const maxConflicts = 20

func (p *pauser) get(ctx context.Context) (*unstructured.Unstructured, error) {
	u, err := p.writer.kube.Get(ctx, p.gvr, p.namespace, p.name)
	if err != nil {
		return nil, err
	}
	return u, p.same(u)
}

func (p *pauser) same(u *unstructured.Unstructured) error {
	if u == nil || string(u.GetUID()) != p.uid {
		return errReplaced
	}
	return nil
}

// pausedText is what is said of a status that an operator's paused path has written.
const pausedText = strimzi.ConditionPaused

func statusText(k *strimzi.Kafka) string {
	switch {
	case k.Status.HasMarker():
		return "the marker, not answered yet"
	case k.Status.IsPaused():
		return pausedText
	case k.Status.Condition(strimzi.ConditionReady) != nil:
		return "Ready, by a reconcile that was under way"
	}
	return conditionText(k.Status.Conditions)
}

// stillPaused reads the resource once more and tells whether it is paused, and known to the operator as that.
func (r *run) stillPaused(ctx context.Context) (*unstructured.Unstructured, error) {
	u, err := r.pause.get(ctx)
	if err != nil {
		return nil, err
	}
	if kafka := strimzi.ParseKafka(u.Object); !kafka.PauseAnnotated || !kafka.Status.IsPaused() {
		return nil, errUnpausedByOther
	}
	return u, nil
}
