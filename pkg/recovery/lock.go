package recovery

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
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
	// renewSlack is how late a renewal may come before its lateness means something.
	renewSlack = 5 * time.Second
	// microTime is the format of a Lease's times (metav1.MicroTime).
	microTime = "2006-01-02T15:04:05.000000Z07:00"
)

var errLockLost = errors.New("this run no longer holds the lock")

// HeldError says that another run holds the lock on a Kafka resource.
type HeldError struct {
	Lease, Holder string
	Until         time.Time
}

// Error names the holder and when its lock ends if it is not renewed.
func (e *HeldError) Error() string {
	return fmt.Sprintf("run %q holds lease %q until %s and renews it while it runs; "+
		"wait for it, or for the lease to expire when that run is dead",
		e.Holder, e.Lease, e.Until.UTC().Format(time.RFC3339))
}

// NewHolder returns the identity of one run of an operation: several runs, on several machines, can go on with the same
// operation one after the other, and only one of them may hold its lock.
func NewHolder(operation string, random io.Reader) (string, error) {
	var tail [4]byte
	if _, err := io.ReadFull(random, tail[:]); err != nil {
		return "", fmt.Errorf("make the identity of this run: %w", err)
	}
	return operation + "/" + hex.EncodeToString(tail[:]), nil
}

// HolderOperation is the operation that the holder of a Lease is a run of.
func HolderOperation(holder string) string {
	operation, _, _ := strings.Cut(holder, "/")
	return operation
}

// claimant is who wants the lock.
type claimant struct {
	namespace, cluster string
	// operation and holder are the operation and this run of it.
	operation, holder string
	// takeOver names a holder whose Lease is taken although it has not expired: somebody knows that it is dead.
	takeOver string
}

// lock is the Lease that excludes a second run (safety contract, line 6).
type lock struct {
	claimant
	kube   *kube.Client
	clock  clock.WithTicker
	name   string
	uid    types.UID
	cancel context.CancelFunc
	done   chan struct{}

	// renewing lets one renewal at a time through: steps that write side by side may all find it late.
	renewing sync.Mutex
	mu       sync.Mutex
	renewed  time.Time
	lost     error
}

// acquire takes the Lease, or one that has expired, and keeps renewing it until release. When it cannot be renewed,
// held says so, and no further change may be made.
func acquire(ctx context.Context, k *kube.Client, clk clock.WithTicker, who claimant) (*lock, error) {
	l := &lock{
		claimant: who, kube: k, clock: clk, name: lockName(who.cluster), done: make(chan struct{}),
	}
	stored, wait, err := l.take(ctx)
	if err != nil {
		return nil, err
	}
	l.uid = stored.GetUID()
	l.renewed = wall(clk.Now())
	renewing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	go l.renew(renewing)
	if wait > 0 {
		if err := sleepOn(ctx, clk, wait); err != nil {
			return nil, errors.Join(err, l.release(context.WithoutCancel(ctx)))
		}
	}
	return l, nil
}

// take creates the Lease or takes over one whose holder is dead. wait is how long nothing may be written yet: a holder
// that is alive against what was said of it notices within that time that the Lease is no longer its own.
func (l *lock) take(ctx context.Context) (stored *unstructured.Unstructured, wait time.Duration, err error) {
	fresh := l.object()
	stored, err = l.kube.Create(ctx, kube.Leases(), fresh, false)
	if err == nil {
		return stored, 0, nil
	}
	if !kube.IsAlreadyExists(err) && !kube.IsTransient(err) {
		return nil, 0, fmt.Errorf("take the lock: %w", err)
	}
	held, gerr := l.kube.Get(ctx, kube.Leases(), l.namespace, l.name)
	if kube.IsNotFound(gerr) {
		return nil, 0, fmt.Errorf("take the lock: %w", err)
	}
	if gerr != nil {
		return nil, 0, fmt.Errorf("look at the lock: %w", gerr)
	}
	holder, until := leaseHolder(held)
	alive := holder != "" && holder != l.holder && l.clock.Now().Before(until)
	if alive && holder != l.takeOver {
		return nil, 0, &HeldError{Lease: l.namespace + "/" + l.name, Holder: holder, Until: until}
	}
	stored, err = l.kube.Patch(ctx, kube.Leases(), l.namespace, l.name, kube.Patch{
		Type: kube.MergePatch, Body: map[string]any{"metadata": fresh.Object["metadata"], "spec": fresh.Object["spec"]},
		ResourceVersion: held.GetResourceVersion(), FieldManager: FieldManager,
	})
	if err != nil {
		return nil, 0, fmt.Errorf("take over the lock of run %q: %w", holder, err)
	}
	if alive {
		wait = renewEvery + renewSlack
	}
	return stored, wait, nil
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
			"holderIdentity": l.holder, "leaseDurationSeconds": int64(leaseSeconds),
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
			continue
		}
		if l.age() > (leaseSeconds-15)*time.Second || kube.IsNotFound(err) || errors.Is(err, errLockLost) {
			_ = l.lose(err)
			return
		}
	}
}

// lose notes that the lock is no longer held, and returns why.
func (l *lock) lose(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost == nil {
		l.lost = fmt.Errorf("renew the lock %q: %w", l.namespace+"/"+l.name, err)
	}
	return l.lost
}

func (l *lock) isLost() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// age is the time since the lock was last renewed, by the wall clock: the monotonic one stands still while a machine
// sleeps, and another run may have taken over meanwhile.
func (l *lock) age() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return wall(l.clock.Now()).Sub(l.renewed)
}

// wall strips the monotonic reading.
func wall(t time.Time) time.Time { return t.Round(0) }

func (l *lock) renewOnce(ctx context.Context) error {
	l.renewing.Lock()
	defer l.renewing.Unlock()
	return l.renewNow(ctx)
}

func (l *lock) renewNow(ctx context.Context) error {
	held, err := l.kube.Get(ctx, kube.Leases(), l.namespace, l.name)
	if err != nil {
		return err
	}
	if holder, _ := leaseHolder(held); holder != l.holder {
		return fmt.Errorf("run %q has taken it over: %w", holder, errLockLost)
	}
	now := l.clock.Now()
	_, err = l.kube.Patch(ctx, kube.Leases(), l.namespace, l.name, kube.Patch{
		Type:            kube.MergePatch,
		Body:            map[string]any{"spec": map[string]any{"renewTime": now.UTC().Format(microTime)}},
		ResourceVersion: held.GetResourceVersion(), UID: held.GetUID(), FieldManager: FieldManager,
	})
	if err == nil {
		l.mu.Lock()
		l.renewed = wall(now)
		l.mu.Unlock()
	}
	return err
}

// held returns an error when the lock was lost. One that should have been renewed by now is renewed first: a machine
// that wakes up after a while finds out here, before its next change, whether another run has taken over.
func (l *lock) held(ctx context.Context) error {
	if err := l.isLost(); err != nil || l.age() < renewEvery+renewSlack {
		return err
	}
	l.renewing.Lock()
	defer l.renewing.Unlock()
	if l.age() < renewEvery+renewSlack {
		return nil
	}
	err := l.renewNow(ctx)
	if errors.Is(err, errLockLost) || kube.IsNotFound(err) {
		return l.lose(err)
	}
	return err
}

// release stops renewing and deletes the Lease, if it is still this operation's.
func (l *lock) release(ctx context.Context) error {
	l.cancel()
	<-l.done
	if l.isLost() != nil {
		return nil //nolint:nilerr // another's by now, and not to be deleted
	}
	err := l.kube.Delete(ctx, kube.Leases(), l.namespace, l.name, kube.DeleteOptions{UID: l.uid})
	if err != nil && !kube.IsNotFound(err) && !kube.IsConflict(err) {
		return fmt.Errorf("release the lock: %w", err)
	}
	return nil
}

// dropDead deletes the Lease of an operation that has ended, where its run died between its last line and the Lease's
// release. One that has not expired, or is another operation's, stays.
func dropDead(ctx context.Context, k *kube.Client, clk clock.PassiveClock, rec *Recorded) error {
	namespace, name := rec.Began.Kafka.Namespace, lockName(rec.Began.Kafka.Name)
	held, err := k.Get(ctx, kube.Leases(), namespace, name)
	if kube.IsNotFound(err) || kube.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the lock: %w", err)
	}
	holder, until := leaseHolder(held)
	if HolderOperation(holder) != rec.Operation || clk.Now().Before(until) {
		return nil
	}
	err = k.Delete(ctx, kube.Leases(), namespace, name, kube.DeleteOptions{
		UID: held.GetUID(), ResourceVersion: held.GetResourceVersion(),
	})
	if err != nil && !kube.IsNotFound(err) && !kube.IsConflict(err) {
		return fmt.Errorf("release the lock of a run that has ended: %w", err)
	}
	return nil
}
