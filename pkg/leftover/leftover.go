// Package leftover owns what operations left in a cluster: it finds it, tells what may still be alive, and removes what
// can be removed without loss, which is temporary pods and the guard on claims, and gives back the volumes that claims
// of a temporary name borrowed. The objects of volumes that a dry run declared to read them go too; their disks stay.
// It touches no other claim or volume, and no journal.
package leftover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/binding"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/output"
	"github.com/kafkarecover/kafkarecover/pkg/probe"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Life tells whether an operation may still be under way.
type Life string

// The lives of an operation. Only a Lease is renewed; a temporary pod tells no more than when Kubernetes ends it.
const (
	Alive   Life = "alive"         // its Lease is being renewed
	Unknown Life = "may be alive"  // its pods run, and their time is not up
	Dead    Life = "left behind"   // nothing of it runs
	Journal Life = "journal alone" // only its journal is there, which stays
)

// Operation is what one operation has in one namespace.
type Operation struct {
	Operation string `json:"operation"`
	Namespace string `json:"namespace"`
	Life      Life   `json:"life"`
	// Until is when its Lease or its last pod ends.
	Until time.Time `json:"until,omitzero"`
	// Pods, Quotas and borrowing Claims can be removed; Kept are the Lease, the journal and marks on resources, which
	// stay.
	Pods   []string `json:"pods,omitempty"`
	Quotas []string `json:"quotas,omitempty"`
	// Claims are those of a temporary name that still hold a volume which was lent to be read.
	Claims []string `json:"claims,omitempty"`
	// Volumes are those that a dry run declared to be read, and that nobody has bound.
	Volumes []string `json:"volumes,omitempty"`
	Kept    []string `json:"kept,omitempty"`
	// Removed are pods, quotas, claims and volumes' objects that are gone now; what the claims had borrowed is given back.
	Removed []string `json:"removed,omitempty"`

	quotaUIDs map[string]types.UID
	borrowing []*unstructured.Unstructured
	declared  []*unstructured.Unstructured
}

// Removable tells whether there is anything to remove.
func (o *Operation) Removable() bool {
	return len(o.Pods)+len(o.Quotas)+len(o.Claims)+len(o.Volumes) > 0
}

// Result is what looking for leftovers, or removing them, returns.
type Result struct {
	output.TypeMeta
	// Namespace is empty for all namespaces.
	Namespace  string      `json:"namespace,omitempty"`
	Operations []Operation `json:"operations"`
	// NotVisible are the kinds that may not be listed.
	NotVisible []string `json:"notVisible,omitempty"`
}

// finder gathers objects by operation and namespace.
type finder struct {
	kube      *kube.Client
	now       time.Time
	found     map[[2]string]*Operation
	forbidden []string
}

// find gathers what is in namespaces.
func find(ctx context.Context, k *kube.Client, now time.Time, namespace, operation string) (*finder, error) {
	f := &finder{kube: k, now: now, found: map[[2]string]*Operation{}}
	pods, err := probe.Leftovers(ctx, k, namespace, operation)
	if err != nil {
		return nil, err
	}
	for i := range pods {
		f.pod(&pods[i])
	}
	return f, f.objects(ctx, namespace, operation)
}

// Find lists what operations have in a namespace, or in all where it is empty; of one operation alone where it is
// named. Temporary pods must be visible; other kinds that are not are told.
func Find(ctx context.Context, k *kube.Client, now time.Time, namespace, operation string) (*Result, error) {
	f, err := find(ctx, k, now, namespace, operation)
	if err != nil {
		return nil, err
	}
	return f.result(namespace), nil
}

func (f *finder) result(namespace string) *Result {
	r := &Result{
		TypeMeta: output.Meta("Leftovers"), Namespace: namespace, Operations: []Operation{}, NotVisible: f.forbidden,
	}
	for _, key := range slices.SortedFunc(maps.Keys(f.found), compareKeys) {
		o := f.found[key]
		if o.Life == "" {
			o.Life = Journal
			if o.Removable() {
				o.Life = Dead
			}
		}
		r.Operations = append(r.Operations, *o)
	}
	return r
}

func compareKeys(a, b [2]string) int { return slices.Compare(a[:], b[:]) }

func (f *finder) of(operation, namespace string) *Operation {
	key := [2]string{namespace, operation}
	if f.found[key] == nil {
		f.found[key] = &Operation{Operation: operation, Namespace: namespace, quotaUIDs: map[string]types.UID{}}
	}
	return f.found[key]
}

func (f *finder) pod(p *probe.Leftover) {
	o := f.of(p.Operation, p.Namespace)
	o.Pods = append(o.Pods, p.Pod)
	ended := p.Phase == "Succeeded" || p.Phase == "Failed"
	if ended || (!p.Expires.IsZero() && !f.now.Before(p.Expires)) {
		return
	}
	o.lives(Unknown, p.Expires)
}

// lives notes a sign of life; a Lease is the stronger one.
func (o *Operation) lives(life Life, until time.Time) {
	switch {
	case o.Life == Alive && life != Alive:
	case o.Life != life, until.After(o.Until):
		o.Life, o.Until = life, until
	}
}

// selector selects what carries the label of operations, or of one where it is named.
func selector(operation string) string {
	s := recovery.ManagedByLabel + "=" + recovery.ManagedBy + "," + recovery.OperationLabel
	if operation != "" {
		s += "=" + operation
	}
	return s
}

// objects finds what restores have besides pods.
func (f *finder) objects(ctx context.Context, namespace, operation string) error {
	for _, kind := range []struct {
		gvr schema.GroupVersionResource
		use func(*Operation, *unstructured.Unstructured)
	}{
		{kube.Leases(), f.lease},
		{kube.ResourceQuotas(), func(o *Operation, u *unstructured.Unstructured) {
			o.Quotas = append(o.Quotas, u.GetName())
			o.quotaUIDs[u.GetName()] = u.GetUID()
		}},
		{kube.Claims(), func(o *Operation, u *unstructured.Unstructured) {
			f.claim(o, u)
		}},
		{kube.ConfigMaps(), func(o *Operation, u *unstructured.Unstructured) {
			o.Kept = append(o.Kept, "configmap/"+u.GetName()+" (journal)")
		}},
	} {
		list, err := f.kube.List(ctx, kind.gvr, namespace, kube.ListOptions{LabelSelector: selector(operation)})
		if kube.IsForbidden(err) {
			f.forbidden = append(f.forbidden, err.Error())
			continue
		}
		if err != nil {
			return fmt.Errorf("list what operations left: %w", err)
		}
		for i := range list.Items {
			u := &list.Items[i]
			kind.use(f.of(u.GetLabels()[recovery.OperationLabel], u.GetNamespace()), u)
		}
	}
	return nil
}

// borrowTime is how long a run may hold what it borrowed before it has a pod, or after: binding, reading, giving back.
const borrowTime = 10 * time.Minute

// claim is a sign of life while it is young: the run may be between borrowing and its first pod.
func (f *finder) claim(o *Operation, u *unstructured.Unstructured) {
	if claim := volume.ParseClaim(u.Object); claim.HeldBack() {
		o.Kept = append(o.Kept, "persistentvolumeclaim/"+claim.Name+" (held back: resume the operation, or restore again "+
			"with --lost)")
	}
	if _, borrows := u.GetAnnotations()[binding.LoanAnnotation]; !borrows {
		return
	}
	o.Claims, o.borrowing = append(o.Claims, u.GetName()), append(o.borrowing, u)
	if until := u.GetCreationTimestamp().Add(borrowTime); f.now.Before(until) {
		o.lives(Unknown, until)
	}
}

// lease is alive while its holder renews it.
func (f *finder) lease(o *Operation, u *unstructured.Unstructured) {
	until := time.Time{}
	if at := object.Time(u.Object, "spec", "renewTime"); !at.IsZero() {
		seconds, _ := object.Int32(u.Object, "spec", "leaseDurationSeconds")
		until = at.Add(time.Duration(seconds) * time.Second)
	}
	holder := recovery.HolderOperation(object.String(u.Object, "spec", "holderIdentity"))
	if holder == o.Operation && f.now.Before(until) {
		o.lives(Alive, until)
	}
	o.Kept = append(o.Kept, "lease/"+u.GetName())
}

// AliveError says that an operation is under way.
type AliveError struct {
	Operation, Namespace string
	Until                time.Time
}

// Error names the operation and when it would be dead.
func (e *AliveError) Error() string {
	return fmt.Sprintf("operation %q is alive in namespace %q: its lease holds until %s and is renewed while it runs; "+
		"interrupt that run, which cleans up by itself, or wait for the lease to expire", e.Operation, e.Namespace,
		e.Until.UTC().Format(time.RFC3339))
}

// Remove removes the pods and quotas that were found of an operation, and waits, timeout at most, until the pods are
// gone. An operation whose Lease is renewed is left alone.
func (r *Result) Remove(ctx context.Context, k *kube.Client, timeout time.Duration) error {
	for i := range r.Operations {
		if o := &r.Operations[i]; o.Life == Alive {
			return &AliveError{Operation: o.Operation, Namespace: o.Namespace, Until: o.Until}
		}
	}
	var errs []error
	for i := range r.Operations {
		errs = append(errs, r.Operations[i].remove(ctx, k, timeout))
	}
	return errors.Join(errs...)
}

func (o *Operation) remove(ctx context.Context, k *kube.Client, timeout time.Duration) error {
	removed, err := probe.Cleanup(ctx, k, o.Namespace, o.Operation, timeout)
	if err != nil {
		return fmt.Errorf("remove the pods of operation %q: %w", o.Operation, err)
	}
	o.Pods = nil
	for _, name := range removed {
		o.Removed = append(o.Removed, "pod/"+strings.TrimPrefix(name, o.Namespace+"/"))
	}
	for _, name := range o.Quotas {
		err := k.Delete(ctx, kube.ResourceQuotas(), o.Namespace, name, kube.DeleteOptions{UID: o.quotaUIDs[name]})
		if err != nil && !kube.IsNotFound(err) {
			return fmt.Errorf("remove the quota of operation %q: %w", o.Operation, err)
		}
		o.Removed = append(o.Removed, "resourcequota/"+name)
	}
	o.Quotas = nil
	for _, claim := range o.borrowing {
		if err := binding.GiveBack(ctx, k, binding.Plain{Kube: k}, claim); err != nil {
			return fmt.Errorf("give back what operation %q borrowed: %w", o.Operation, err)
		}
		o.Removed = append(o.Removed, "persistentvolumeclaim/"+claim.GetName())
	}
	o.Claims, o.borrowing, o.Life = nil, nil, Dead
	return o.forget(ctx, k, timeout)
}
