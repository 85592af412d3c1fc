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
	selector := LabelManagedBy + "=" + ManagedBy + "," + LabelOperation
	if operation != "" {
		selector += "=" + operation
	}
	pods, err := kube.ListAs[corev1.Pod](ctx, c, kube.Pods(), namespace, kube.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("list temporary pods: %w", err)
	}
	return pods, nil
}

const goneEvery = 200 * time.Millisecond

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
	asked := map[string]bool{}
	for {
		pods, err := temporaryPods(ctx, c, namespace, operation)
		if err != nil {
			return removed, err
		}
		if len(pods) == 0 {
			return removed, nil
		}
		var names []string
		for i := range pods {
			name := pods[i].Namespace + "/" + pods[i].Name
			names = append(names, name)
			if asked[name] {
				continue
			}
			asked[name] = true
			removed = append(removed, name)
			err := c.Delete(ctx, kube.Pods(), pods[i].Namespace, pods[i].Name, kube.DeleteOptions{UID: pods[i].UID})
			if err != nil && !kube.IsNotFound(err) && !kube.IsConflict(err) {
				return removed, fmt.Errorf("delete a temporary pod: %w", err)
			}
		}
		if err := pause(ctx, goneEvery); err != nil {
			return removed, fmt.Errorf("wait until temporary pods are gone, %s left: %w", strings.Join(names, ", "), err)
		}
	}
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
		if err := pause(ctx, goneEvery); err != nil {
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
