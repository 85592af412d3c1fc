package operator

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/clock"
)

// Operator is the double. Make one with New, start it with Run.
type Operator struct {
	options Options
	clock   clock.WithTicker
	log     *slog.Logger
	typed   kubernetes.Interface
	dynamic dynamic.Interface
	at      resources
	runtime Nodes

	mu    sync.Mutex
	locks map[Key]chan struct{}
	work  sync.WaitGroup
}

// New connects to the cluster and looks which versions of Strimzi's resources it serves: v1 before v1beta2, as an
// operator of 0.49 and newer does.
func New(options Options) (*Operator, error) {
	if err := options.complete(); err != nil {
		return nil, err
	}
	typed, err := kubernetes.NewForConfig(options.Config)
	if err != nil {
		return nil, fmt.Errorf("start the operator double: %w", err)
	}
	client, err := dynamic.NewForConfig(options.Config)
	if err != nil {
		return nil, fmt.Errorf("start the operator double: %w", err)
	}
	version, err := servedVersion(typed.Discovery())
	if err != nil {
		return nil, fmt.Errorf("start the operator double: %w", err)
	}
	o := &Operator{
		options: options, clock: options.Clock, log: options.Log, typed: typed, dynamic: client,
		at: resourcesOf(version), runtime: options.Nodes, locks: map[Key]chan struct{}{},
	}
	if o.runtime == nil {
		o.runtime = NewPods(options.Config, typed)
	}
	return o, nil
}

func servedVersion(client discovery.DiscoveryInterface) (string, error) {
	for _, version := range []string{"v1", "v1beta2"} {
		list, err := client.ServerResourcesForGroupVersion(groupKafka + "/" + version)
		if err != nil {
			continue
		}
		for _, resource := range list.APIResources {
			if resource.Name == "kafkas" {
				return version, nil
			}
		}
	}
	return "", fmt.Errorf("the cluster serves no resource kafkas of group %s; install Strimzi's definitions first",
		groupKafka)
}

// Run watches until ctx ends, then waits for what is under way.
func (o *Operator) Run(ctx context.Context) error {
	defer o.work.Wait()
	if err := o.watch(ctx); err != nil {
		return err
	}
	o.start(func() { o.runtime.Run(ctx) })
	ticker := o.clock.NewTicker(o.options.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
			o.reconcileAll(ctx)
		}
	}
}

func (o *Operator) start(f func()) {
	o.work.Go(f)
}

// namespaces are those to watch and to list.
func (o *Operator) namespaces() []string {
	if o.options.watchesAll() {
		return []string{metav1.NamespaceAll}
	}
	return o.options.Namespaces
}

// reconcileAll is the full, periodic reconciliation: it finds the resources there are, so what waits for the lock of
// a resource in flight is dropped again after the lock timeout.
func (o *Operator) reconcileAll(ctx context.Context) {
	for _, namespace := range o.namespaces() {
		list, err := o.dynamic.Resource(o.at.kafkas).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			o.log.Warn("list Kafka resources", "namespace", namespace, "error", err)
			continue
		}
		for i := range list.Items {
			key := keyOf(&list.Items[i])
			o.start(func() { o.event(ctx, key, "timer") })
		}
	}
}

func keyOf(object *unstructured.Unstructured) Key {
	return Key{object.GetNamespace(), object.GetName()}
}

// event is one reconcile asked for by a watch or the timer.
func (o *Operator) event(ctx context.Context, key Key, trigger string) {
	if !o.sleep(ctx, o.options.Latency) {
		return
	}
	if err := o.Reconcile(ctx, key, trigger); err != nil && ctx.Err() == nil {
		o.log.Warn("reconciliation failed", "kafka", key.String(), "trigger", trigger, "error", err)
	}
}

// Reconcile takes the resource's lock and reconciles it once. When the lock is held for longer than the lock timeout
// nothing is done and ErrLocked is returned, as the real operator drops such an event.
func (o *Operator) Reconcile(ctx context.Context, key Key, trigger string) error {
	release, err := o.lock(ctx, key)
	if err != nil {
		return err
	}
	defer release()
	o.log.Info("reconciliation begins", "kafka", key.String(), "trigger", trigger)
	started := o.clock.Now()
	err = o.reconcile(ctx, key)
	o.log.Info("reconciliation ends", "kafka", key.String(), "trigger", trigger, "took", o.clock.Since(started))
	return err
}

// ErrLocked tells that an event was dropped because another reconcile of the same resource was in flight.
var ErrLocked = fmt.Errorf("the reconcile in flight still holds the lock")

// progressInterval is how often a reconcile in flight says so (AbstractOperator.PROGRESS_WARNING).
const progressInterval = time.Minute

// lock waits its turn; those who wait get the lock in the order in which they came.
func (o *Operator) lock(ctx context.Context, key Key) (release func(), err error) {
	o.mu.Lock()
	held, ok := o.locks[key]
	if !ok {
		held = make(chan struct{}, 1)
		o.locks[key] = held
	}
	o.mu.Unlock()
	select {
	case held <- struct{}{}:
	case <-o.clock.After(o.options.LockTimeout):
		return nil, fmt.Errorf("%s: %w", key, ErrLocked)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	done := make(chan struct{})
	o.start(func() { o.sayProgress(key, done) })
	return func() { close(done); <-held }, nil
}

func (o *Operator) sayProgress(key Key, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-o.clock.After(progressInterval):
			o.log.Info("Reconciliation is in progress", "kafka", key.String())
		}
	}
}

// sleep waits on the operator's clock and tells whether the context is still alive.
func (o *Operator) sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-o.clock.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
