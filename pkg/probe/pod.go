package probe

import (
	"context"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// unschedulableGrace is how long a pod may be unschedulable before that is taken for the answer. An autoscaler that
// wants to add a node says so within it (event TriggeredScaleUp); then the whole schedule timeout is waited.
const unschedulableGrace = 15 * time.Second

// createTimeout bounds the requests that make a pod. They are not given up on Ctrl-C: a create whose answer nobody
// heard leaves a pod that nobody knows of.
const createTimeout = 30 * time.Second

// temporary is a pod that was created.
type temporary struct {
	name, namespace string
	uid             types.UID
	node            string
}

// startError is a pod that did not start, and why.
type startError struct {
	reason Reason
	node   string
	err    error
}

// Error implements error.
func (e *startError) Error() string { return e.reason.String() }

// Unwrap returns the cause, if any.
func (e *startError) Unwrap() error { return e.err }

// dryRun has the API server do everything but store the pod, and looks at what it would have stored.
func dryRun(ctx context.Context, c *kube.Client, pod *corev1.Pod) error {
	_, err := create(ctx, c, pod, true)
	return err
}

// create stores the pod and looks once more at what was stored: admission need not do the same thing twice. A pod that
// was stored is returned even when what it became is an error.
func create(ctx context.Context, c *kube.Client, pod *corev1.Pod, dry bool) (*temporary, error) {
	u, err := kube.From(schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, pod)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	got, err := c.Create(ctx, kube.Pods(), u, dry)
	if err != nil {
		return nil, &startError{reason: ClassifyCreate(err), err: err}
	}
	t := &temporary{name: got.GetName(), namespace: got.GetNamespace(), uid: got.GetUID()}
	stored, err := kube.As[corev1.Pod](got)
	if err != nil {
		return t, err
	}
	if changes := Inspect(pod, stored); len(changes) > 0 {
		err := &AdmissionError{Namespace: pod.Namespace, Changes: changes}
		return t, &startError{reason: Reason{Code: CodeAdmission, Message: err.Error(), Final: true}, err: err}
	}
	return t, nil
}

// starter waits for one pod's container to run.
type starter struct {
	client *kube.Client
	pod    *temporary
	// alone tells that the pod has one claim: what may pass is waited for, where a group would be split at once.
	alone   bool
	timeout time.Duration
	waiting func(message string)
}

// signal is one thing seen while a pod starts.
type signal struct {
	started bool
	node    string
	reason  *Reason
	scaling bool
	err     error
}

// wait returns nil once the container runs. It watches the pod and its events: the kubelet's event `Started` comes as
// soon as the container runs, up to a second before the pod's status says so.
func (s *starter) wait(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan signal)
	send := func(sig signal) (bool, error) {
		select {
		case signals <- sig:
			return false, nil
		case <-ctx.Done():
			return true, ctx.Err()
		}
	}
	go s.watchPod(ctx, send)
	go s.watchEvents(ctx, send)
	budget := time.NewTimer(s.timeout)
	defer budget.Stop()
	var last Reason
	var grace <-chan time.Time
	scaling := false
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-budget.C:
			return s.timedOut(last)
		case <-grace:
			return s.failed(last)
		case sig := <-signals:
			if sig.node != "" {
				s.pod.node, grace = sig.node, nil
			}
			switch {
			case sig.err != nil:
				return sig.err
			case sig.started:
				return nil
			case sig.scaling:
				scaling, grace = true, nil
			}
			if sig.reason == nil || (*sig.reason).String() == last.String() {
				continue
			}
			last = *sig.reason
			s.waiting(last.String())
			if last.Final || (!s.alone && last.ofVolume()) {
				return s.failed(last)
			}
			if grace == nil && !scaling && s.pod.node == "" && last.schedulingOnly() {
				t := time.NewTimer(unschedulableGrace)
				defer t.Stop()
				grace = t.C
			}
		}
	}
}

// schedulingOnly tells whether the scheduler said no for a reason that only a new or freed node changes. Other pods of
// the same operation take up attachments for a while, so the volume limit is waited for.
func (r Reason) schedulingOnly() bool {
	switch r.Code { //nolint:exhaustive // what comes after scheduling has its own time
	case CodeNodeAffinity, CodeTaint, CodeResources, CodeScheduling, CodeInUse, CodeNotBound, CodeNotFound:
		return true
	default:
		return false
	}
}

func (s *starter) failed(r Reason) error { return &startError{reason: r, node: s.pod.node} }

func (s *starter) timedOut(last Reason) error {
	r := last
	if r.Code == "" {
		r = Reason{Code: CodeTimeout, Message: "nothing was said about why"}
	}
	r.Final = true
	return &startError{reason: r, node: s.pod.node, err: &kube.TimeoutError{
		What: fmt.Sprintf("pod %q to start", s.pod.namespace+"/"+s.pod.name), After: s.timeout,
		Flag: "--schedule-timeout", Last: last.Message,
	}}
}

func (s *starter) watchPod(ctx context.Context, send func(signal) (bool, error)) {
	opts := kube.ListOptions{FieldSelector: "metadata.name=" + s.pod.name}
	there := false
	err := s.client.Follow(ctx, kube.Pods(), s.pod.namespace, opts, func(ev kube.Event) (bool, error) {
		switch {
		case ev.Type == kube.Reset:
			there = false
			return false, nil
		case ev.Type == kube.Synced && there:
			return false, nil
		case ev.Type == kube.Deleted, ev.Type == kube.Synced, ev.Object.GetUID() != s.pod.uid:
			return send(signal{reason: &Reason{Code: CodeEvicted, Message: "somebody deleted the pod", Final: true}})
		}
		there = true
		pod, err := kube.As[corev1.Pod](ev.Object)
		if err != nil {
			return true, err
		}
		return send(podSignal(pod))
	})
	if err != nil && ctx.Err() == nil {
		_, _ = send(signal{err: fmt.Errorf("watch pod %q: %w", s.pod.name, err)}) // refused only when nobody waits
	}
}

func podSignal(pod *corev1.Pod) signal {
	sig := signal{node: pod.Spec.NodeName}
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == containerName && c.State.Running != nil {
			sig.started = true
			return sig
		}
	}
	if r, bad := ClassifyPod(pod); bad {
		sig.reason = &r
	}
	return sig
}

// watchEvents reads events by the pod's uid: names are used again, and other objects share them. Where events may not
// be read, the pod's status has to do.
func (s *starter) watchEvents(ctx context.Context, send func(signal) (bool, error)) {
	opts := kube.ListOptions{FieldSelector: "involvedObject.uid=" + string(s.pod.uid)}
	err := s.client.Follow(ctx, kube.Events(), s.pod.namespace, opts, func(ev kube.Event) (bool, error) {
		if ev.Object == nil || ev.Type == kube.Deleted {
			return false, nil
		}
		event, err := kube.As[corev1.Event](ev.Object)
		if err != nil || event.InvolvedObject.UID != s.pod.uid {
			return false, nil //nolint:nilerr // an event that cannot be read says nothing
		}
		switch event.Reason {
		case "Started":
			return send(signal{started: true})
		case "TriggeredScaleUp", "Nominated": // cluster-autoscaler, Karpenter
			return send(signal{scaling: true})
		}
		if r, ok := ClassifyEvent(event); ok {
			return send(signal{reason: &r})
		}
		return false, nil
	})
	_ = err // forbidden, or the wait is over
}

// execIn runs commands in the pod's container.
func execIn(c *kube.Client, namespace, pod, container string) execFunc {
	return func(ctx context.Context, command []string, stdin io.Reader, stdout, stderr io.Writer) error {
		return c.Exec(ctx, kube.Exec{
			Namespace: namespace, Pod: pod, Container: container, Command: command,
			Stdin: stdin, Stdout: stdout, Stderr: stderr,
		})
	}
}
