package recovery

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/termination"
	"github.com/kafkarecover/kafkarecover/pkg/wording"
)

// goingEvery is how often a namespace that is being deleted is looked at.
const goingEvery = 2 * time.Second

// GoingError says that the namespace is being deleted, what keeps it, and what to do.
type GoingError struct {
	Namespace *termination.Namespace
	// Unprotected counts the volumes that go with their claims, which go with the namespace.
	Unprotected int
	// Next says how the cluster comes back afterwards.
	Next string
}

// Error says so, one thing on each line.
func (e *GoingError) Error() string {
	lines := e.Namespace.Lines()
	if e.Unprotected > 0 {
		lines = append(lines, wording.Count(e.Unprotected, "volume is", "volumes are")+" not Retain, and would be deleted "+
			"with the claims; at once, which also saves the namespace's manifest:",
			fmt.Sprintf("→ `kafkarecover protect -n %s`", e.Namespace.Name))
	}
	return strings.Join(append(lines, e.Next), "\n")
}

// mayOutlast refuses a namespace that is being deleted: nothing can be created in it. Only a run that makes it again
// waits until it is gone.
func (r *run) mayOutlast(seen *Observation) error {
	if seen.Going == nil {
		return nil
	}
	e := &GoingError{Namespace: seen.Going}
	for _, pv := range seen.persistentVolumes(false) {
		if pv != nil && pv.ReclaimPolicy != retainPolicy {
			e.Unprotected++
		}
	}
	again := "once it is gone, make it again as it was, then run this again"
	switch {
	case r.StatefulSet || r.recorded != nil:
		e.Next = again
	case !seen.Planned:
		e.Next = fmt.Sprintf("once it is gone: `kafkarecover restore %s -n %s -f FILE --namespace-manifest FILE`, which "+
			"also waits for that", r.Named(), r.Namespace)
	case r.NamespaceManifest == nil:
		e.Next = again + ", or have this run wait for that, and make it, with --namespace-manifest FILE"
	case r.DryRun != DryRunNone:
		e.Next = again + "; without the dry run this waits for that, and makes it"
	default:
		r.going = seen.Going
		return nil
	}
	return e
}

// outlastNamespace waits until the namespace is gone, and looks at what is left then. Retain comes first: the claims go
// with the namespace, and every other volume with its claim (safety contract, line 2).
func (r *run) outlastNamespace(ctx context.Context) error {
	if r.going == nil {
		return nil
	}
	retained, err := r.retain(ctx)
	if err != nil {
		return err
	}
	r.retainedFirst = retained.patched
	for _, line := range r.going.Lines() {
		r.Report.Warn(line)
	}
	err = r.waitWhile(ctx, StepNamespace, patience{
		what: fmt.Sprintf("namespace %q to be gone", r.Namespace), flag: "--timeout", bound: r.Timeout, every: goingEvery,
	}, func(ctx context.Context) (string, error) {
		u, err := r.Kube.Get(ctx, kube.Namespaces(), "", r.Namespace)
		switch {
		case kube.IsNotFound(err):
			return "", nil
		case err != nil:
			return "", fmt.Errorf("look at namespace %q: %w", r.Namespace, err)
		case u.GetDeletionTimestamp() == nil:
			return "", fmt.Errorf("namespace %q was made again by somebody else: run this again", r.Namespace)
		}
		return strings.Join(append([]string{"it is being deleted"}, termination.Says(u)...), "; "), nil
	})
	if err != nil {
		return err
	}
	seen, err := r.Look(ctx, r.objectsRequest())
	if err != nil {
		return err
	}
	if !seen.Planned {
		return fmt.Errorf("%s was made again by somebody else: run this again", r.Named())
	}
	r.before = seen
	return nil
}
