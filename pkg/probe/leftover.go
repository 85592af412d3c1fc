package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// Leftover is a temporary pod that is there.
type Leftover struct {
	Operation string `json:"operation"`
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	Node      string `json:"node,omitempty"`
	Phase     string `json:"phase"`
	// Created is when the pod was made. Until Expires, when Kubernetes ends it, its operation may be alive.
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
}

// Leftovers lists the temporary pods of an operation, or of all where it is empty, in a namespace, or in all.
func Leftovers(ctx context.Context, c *kube.Client, namespace, operation string) ([]Leftover, error) {
	pods, err := temporaryPods(ctx, c, namespace, operation)
	if err != nil {
		return nil, err
	}
	out := make([]Leftover, 0, len(pods))
	for i := range pods {
		p := &pods[i]
		l := Leftover{
			Operation: p.Labels[LabelOperation], Namespace: p.Namespace, Pod: p.Name, Node: p.Spec.NodeName,
			Phase: string(p.Status.Phase), Created: p.CreationTimestamp.Time,
		}
		if life := p.Spec.ActiveDeadlineSeconds; life != nil {
			l.Expires = l.Created.Add(time.Duration(*life) * time.Second)
		}
		out = append(out, l)
	}
	return out, nil
}

func temporaryPods(ctx context.Context, c *kube.Client, namespace, operation string) ([]corev1.Pod, error) {
	opts := kube.ListOptions{LabelSelector: selector(operation)}
	pods, err := kube.ListAs[corev1.Pod](ctx, c, kube.Pods(), namespace, opts)
	if err != nil {
		return nil, fmt.Errorf("list temporary pods: %w", err)
	}
	return pods, nil
}

// selector selects the temporary pods of an operation, or of all where it is empty.
func selector(operation string) string {
	s := LabelManagedBy + "=" + ManagedBy + "," + LabelOperation
	if operation != "" {
		s += "=" + operation
	}
	return s
}

// Cleanup deletes the temporary pods of one operation and waits until they are gone, timeout at most. It returns the
// pods it found, as NAMESPACE/NAME.
func Cleanup(
	ctx context.Context, c *kube.Client, namespace, operation string, timeout time.Duration,
) (removed []string, err error) {
	if !ValidOperation(operation) {
		return nil, fmt.Errorf("clean up: %q is no operation's name", operation)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	left := &leaving{client: c, asked: map[string]bool{}}
	err = c.Follow(ctx, kube.Pods(), namespace, kube.ListOptions{LabelSelector: selector(operation)},
		func(ev kube.Event) (bool, error) { return left.see(ctx, ev) })
	if err != nil {
		return left.removed, fmt.Errorf("wait until temporary pods are gone, %s left: %w",
			strings.Join(sortedKeys(left.there), ", "), err)
	}
	return left.removed, nil
}

// leaving deletes pods and follows them until none is left.
type leaving struct {
	client *kube.Client
	// there are the pods that are left, asked those whose deletion was asked for, by NAMESPACE/NAME.
	there, asked map[string]bool
	removed      []string
	// complete tells that all pods are known.
	complete bool
}

// see takes one event and tells whether nothing is left.
func (l *leaving) see(ctx context.Context, ev kube.Event) (gone bool, err error) {
	switch ev.Type {
	case kube.Reset:
		l.there, l.complete = map[string]bool{}, false
		return false, nil
	case kube.Synced:
		l.complete = true
		return len(l.there) == 0, nil
	}
	name := ev.Object.GetNamespace() + "/" + ev.Object.GetName()
	if ev.Type == kube.Deleted {
		delete(l.there, name)
		return l.complete && len(l.there) == 0, nil
	}
	l.there[name] = true
	if l.asked[name] {
		return false, nil
	}
	l.asked[name] = true
	l.removed = append(l.removed, name)
	opts := kube.DeleteOptions{UID: ev.Object.GetUID()}
	err = l.client.Delete(ctx, kube.Pods(), ev.Object.GetNamespace(), ev.Object.GetName(), opts)
	if err != nil && !kube.IsNotFound(err) && !kube.IsConflict(err) {
		return false, fmt.Errorf("delete a temporary pod: %w", err)
	}
	return false, nil
}

// attachments are the attachments of the given PersistentVolumes. Where they may not be read nothing is known of them.
func attachments(ctx context.Context, c *kube.Client, volumes map[string]bool) (map[string]bool, error) {
	list, err := kube.ListAs[storagev1.VolumeAttachment](ctx, c, kube.VolumeAttachments(), "", kube.ListOptions{})
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for i := range list {
		if name := list[i].Spec.Source.PersistentVolumeName; name != nil && volumes[*name] {
			found[list[i].Name] = true
		}
	}
	return found, nil
}

// detachedEvery is how often attachments are looked at: a detach takes seconds.
const detachedEvery = 200 * time.Millisecond

// detached waits until no attachment of the volumes is left that was not there before.
func detached(ctx context.Context, c *kube.Client, volumes, before map[string]bool) error {
	for {
		now, err := attachments(ctx, c, volumes)
		if kube.IsForbidden(err) {
			return nil // nor was it known what was attached before
		}
		if err != nil {
			return err
		}
		var left []string
		for _, name := range sortedKeys(now) {
			if !before[name] {
				left = append(left, name)
			}
		}
		if len(left) == 0 {
			return nil
		}
		if err := pause(ctx, detachedEvery); err != nil {
			return fmt.Errorf("wait until volumes are detached, %s left: %w", strings.Join(left, ", "), err)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return errors.Join(ctx.Err(), context.Cause(ctx))
	case <-t.C:
		return nil
	}
}
