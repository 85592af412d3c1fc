package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

const (
	// leaseSeconds is how long a lock holds without being renewed. A run that was killed blocks the next for this long.
	leaseSeconds = 60
	renewEvery   = 20 * time.Second
	// microTime is the format of a Lease's times (metav1.MicroTime).
	microTime = "2006-01-02T15:04:05.000000Z07:00"
)

var errLockLost = errors.New("this run no longer holds the lock")

// HeldError says that another operation holds the lock on a Kafka resource.
type HeldError struct {
	Lease, Holder string
	Until         time.Time
}

// Error names the holder and when its lock ends if it is not renewed.
func (e *HeldError) Error() string {
	return fmt.Sprintf("operation %q holds lease %q until %s and renews it while it runs; "+
		"wait for it, or for the lease to expire when that run is dead",
		e.Holder, e.Lease, e.Until.UTC().Format(time.RFC3339))
}

// lock is the Lease that excludes a second run (safety contract, line 6).
type lock struct {
	kube            *kube.Client
	clock           clock.WithTicker
	namespace, name string
	operation       string
	uid             types.UID
	lost            chan error
	cancel          context.CancelFunc
	done            chan struct{}
}

// acquire takes the Lease, or one that has expired, and keeps renewing it until release. When it cannot be renewed,
// lost yields the reason, and no further change may be made.
func acquire(
	ctx context.Context, k *kube.Client, clk clock.WithTicker, namespace, cluster, operation string,
) (*lock, error) {
	l := &lock{
		kube: k, clock: clk, namespace: namespace, name: lockName(cluster), operation: operation,
		lost: make(chan error, 1), done: make(chan struct{}),
	}
	stored, err := l.take(ctx)
	if err != nil {
		return nil, err
	}
	l.uid = stored.GetUID()
	renewing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	go l.renew(renewing)
	return l, nil
}

func (l *lock) take(ctx context.Context) (*unstructured.Unstructured, error) {
	fresh := l.object()
	stored, err := l.kube.Create(ctx, kube.Leases(), fresh, false)
	if err == nil {
		return stored, nil
	}
	if !kube.IsAlreadyExists(err) {
		return nil, fmt.Errorf("take the lock: %w", err)
	}
	held, err := l.kube.Get(ctx, kube.Leases(), l.namespace, l.name)
	if err != nil {
		return nil, fmt.Errorf("look at the lock: %w", err)
	}
	holder, until := leaseHolder(held)
	if holder != "" && holder != l.operation && l.clock.Now().Before(until) {
		return nil, &HeldError{Lease: l.namespace + "/" + l.name, Holder: holder, Until: until}
	}
	stored, err = l.kube.Patch(ctx, kube.Leases(), l.namespace, l.name, kube.Patch{
		Type: kube.MergePatch, Body: map[string]any{"metadata": fresh.Object["metadata"], "spec": fresh.Object["spec"]},
		ResourceVersion: held.GetResourceVersion(), FieldManager: FieldManager,
	})
	if err != nil {
		return nil, fmt.Errorf("take over the expired lock of operation %q: %w", holder, err)
	}
	return stored, nil
}

func (l *lock) object() *unstructured.Unstructured {
	now := l.clock.Now().UTC().Format(microTime)
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
		"metadata": map[string]any{
			"namespace": l.namespace, "name": l.name,
			"labels": map[string]any{ManagedByLabel: ManagedBy, OperationLabel: l.operation},
		},
		"spec": map[string]any{
			"holderIdentity": l.operation, "leaseDurationSeconds": int64(leaseSeconds),
			"acquireTime": now, "renewTime": now,
		},
	}}
}

func leaseHolder(lease *unstructured.Unstructured) (holder string, until time.Time) {
	holder, _, _ = unstructured.NestedString(lease.Object, "spec", "holderIdentity")
	seconds, _, _ := unstructured.NestedInt64(lease.Object, "spec", "leaseDurationSeconds")
	renewed, _, _ := unstructured.NestedString(lease.Object, "spec", "renewTime")
	at, err := time.Parse(time.RFC3339Nano, renewed)
	if err != nil {
		return holder, time.Time{} // never renewed, or no time: expired
	}
	return holder, at.Add(time.Duration(seconds) * time.Second)
}

// renew keeps the Lease until ctx ends. Giving up is announced on lost before the Lease can expire, so that a machine
// that slept through the expiry makes no change after waking.
func (l *lock) renew(ctx context.Context) {
	defer close(l.done)
	ticker := l.clock.NewTicker(renewEvery)
	defer ticker.Stop()
	last := l.clock.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		err := l.renewOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			last = l.clock.Now()
			continue
		}
		expiring := l.clock.Since(last) > (leaseSeconds-15)*time.Second
		if expiring || kube.IsNotFound(err) || errors.Is(err, errLockLost) {
			l.lost <- fmt.Errorf("renew the lock %q: %w", l.namespace+"/"+l.name, err)
			return
		}
	}
}

func (l *lock) renewOnce(ctx context.Context) error {
	held, err := l.kube.Get(ctx, kube.Leases(), l.namespace, l.name)
	if err != nil {
		return err
	}
	if holder, _ := leaseHolder(held); holder != l.operation {
		return fmt.Errorf("operation %q has taken it over: %w", holder, errLockLost)
	}
	_, err = l.kube.Patch(ctx, kube.Leases(), l.namespace, l.name, kube.Patch{
		Type:            kube.MergePatch,
		Body:            map[string]any{"spec": map[string]any{"renewTime": l.clock.Now().UTC().Format(microTime)}},
		ResourceVersion: held.GetResourceVersion(), UID: held.GetUID(), FieldManager: FieldManager,
	})
	return err
}

// held returns an error when the lock was lost.
func (l *lock) held() error {
	select {
	case err := <-l.lost:
		l.lost <- err
		return err
	default:
		return nil
	}
}

// release stops renewing and deletes the Lease, if it is still this operation's.
func (l *lock) release(ctx context.Context) error {
	l.cancel()
	<-l.done
	if l.held() != nil {
		return nil //nolint:nilerr // another's by now, and not to be deleted
	}
	err := l.kube.Delete(ctx, kube.Leases(), l.namespace, l.name, kube.DeleteOptions{UID: l.uid})
	if err != nil && !kube.IsNotFound(err) && !kube.IsConflict(err) {
		return fmt.Errorf("release the lock: %w", err)
	}
	return nil
}
