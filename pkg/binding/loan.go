package binding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

const (
	// LoanAnnotation is on a borrowing claim and says what its volume was tied to before, so that anybody can give the
	// volume back, from whatever machine.
	LoanAnnotation = "kafkarecover.io/borrowed-from"

	atOnce = 16

	// defaultBindTimeout is generous: nine claims were seen to be bound within two seconds.
	defaultBindTimeout = time.Minute
)

// LoanRequest says which volumes to borrow.
type LoanRequest struct {
	// Operation names the claims: kafkarecover-<operation>-<n>. Labels are put on them.
	Operation string
	Namespace string
	Labels    map[string]string
	Volumes   []volume.PersistentVolume
	// Timeout bounds the wait until one is bound; 0 is a minute.
	Timeout time.Duration
}

// Loan is volumes that are held by claims of a temporary name, to be read and given back.
type Loan struct {
	kube  *kube.Client
	write Writer

	mu     sync.Mutex
	claims map[string]Claim // by the volume's name
	// Refused says why a volume could not be borrowed, by the volume's name.
	Refused map[string]error
}

// Borrow ties volumes that no claim holds to claims of a temporary name, so that they can be read. One that cannot be
// borrowed does not hold up the others: Refused says why. The loan is never nil; Return gives everything back, also
// after an error or an interrupt.
func Borrow(ctx context.Context, k *kube.Client, w Writer, req LoanRequest) (*Loan, error) {
	if req.Timeout <= 0 {
		req.Timeout = defaultBindTimeout
	}
	l := &Loan{kube: k, write: w, claims: map[string]Claim{}, Refused: map[string]error{}}
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range req.Volumes {
		group.Go(func() error {
			pv := &req.Volumes[i]
			if err := l.borrow(ctx, req, pv, i); err != nil {
				l.refuse(pv.Name, err)
			}
			return nil
		})
	}
	_ = group.Wait() // each volume has its own error
	if ctx.Err() != nil {
		return l, context.Cause(ctx)
	}
	return l, nil
}

func (l *Loan) refuse(pv string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.Refused[pv] = err
}

func (l *Loan) borrow(ctx context.Context, req LoanRequest, pv *volume.PersistentVolume, n int) error {
	u, err := l.kube.Get(ctx, kube.Volumes(), "", pv.Name)
	if err != nil {
		return fmt.Errorf("borrow pv %q: %w", pv.Name, err)
	}
	now := volume.ParsePersistentVolume(u.Object)
	if err := free(&now); err != nil { // before a claim is made for nothing
		return err
	}
	was, err := TieOf(u).encode()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("kafkarecover-%s-%d", req.Operation, n+1)
	stored, err := l.write.Create(ctx, NewClaim(&now, req.Namespace, name, "", req.Labels,
		map[string]string{LoanAnnotation: was}))
	if err != nil {
		return fmt.Errorf("borrow pv %q: %w", pv.Name, err)
	}
	claim := claimOf(stored)
	l.mu.Lock()
	l.claims[pv.Name] = claim
	l.mu.Unlock()
	if err := Bind(ctx, l.kube, l.write, pv, claim); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, req.Timeout)
	defer cancel()
	if err := Complete(bounded, l.kube, l.write, claim, pv.Name); err != nil {
		return fmt.Errorf("borrow pv %q: %w", pv.Name, err)
	}
	return nil
}

func claimOf(u *unstructured.Unstructured) Claim {
	return Claim{Namespace: u.GetNamespace(), Name: u.GetName(), UID: u.GetUID()}
}

// Claim is the claim that holds a volume; ok is false for one that was not borrowed.
func (l *Loan) Claim(pv string) (name string, ok bool) {
	c, ok := l.claims[pv]
	return c.Name, ok && l.Refused[pv] == nil
}

// Return gives every volume back to what it was tied to and removes the claims. Pods that used them must be gone. What
// could not be given back stays as it is, and the error names it: `kafkarecover cleanup OPERATION` does the same.
func (l *Loan) Return(ctx context.Context) error {
	errs := make(chan error, len(l.claims))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for pv, claim := range l.claims {
		group.Go(func() error {
			u, err := l.kube.Get(ctx, kube.Claims(), claim.Namespace, claim.Name)
			switch {
			case kube.IsNotFound(err):
			case err != nil:
				errs <- fmt.Errorf("give pv %q back: %w", pv, err)
			default:
				errs <- GiveBack(ctx, l.kube, l.write, u)
			}
			return nil
		})
	}
	_ = group.Wait() // each claim has its own error
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// GiveBack gives the volume of one borrowing claim back to what it was tied to, and removes the claim. The volume is
// given back first, so that it is never without a tie; one that is tied to another claim by now is left as it is. It
// is safe to call again.
func GiveBack(ctx context.Context, k *kube.Client, w Writer, claim *unstructured.Unstructured) error {
	c := claimOf(claim)
	var was Tie
	noted, found := claim.GetAnnotations()[LoanAnnotation]
	if !found {
		return fmt.Errorf("give back what claim %q borrowed: it has no annotation %s", c.Namespace+"/"+c.Name,
			LoanAnnotation)
	}
	if err := json.Unmarshal([]byte(noted), &was); err != nil {
		return fmt.Errorf("give back what claim %q borrowed: read the annotation %s: %w", c.Namespace+"/"+c.Name,
			LoanAnnotation, err)
	}
	pv := object.String(claim.Object, "spec", "volumeName")
	if err := untie(ctx, k, w, pv, c, was); err != nil {
		return err
	}
	if err := w.Delete(ctx, c); err != nil && !kube.IsNotFound(err) {
		return fmt.Errorf("remove the claim that borrowed pv %q: %w", pv, err)
	}
	return WaitGone(ctx, k, c)
}

// untie puts a volume's former tie back, where the borrowing claim still has it.
func untie(ctx context.Context, k *kube.Client, w Writer, name string, c Claim, was Tie) error {
	for attempt := 1; ; attempt++ {
		u, err := k.Get(ctx, kube.Volumes(), "", name)
		if kube.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("give pv %q back: %w", name, err)
		}
		pv := volume.ParsePersistentVolume(u.Object)
		if !c.Holds(&pv) {
			return nil
		}
		if pv.ReclaimPolicy != volume.PolicyRetain {
			return fmt.Errorf("give pv %q back: somebody set its reclaim policy to %q, with which it would be deleted now; "+
				"`kafkarecover protect pv/%s`, then `kafkarecover cleanup`", name, pv.ReclaimPolicy, name)
		}
		err = w.Tie(ctx, u, was)
		if err == nil {
			return nil
		}
		if !kube.IsConflict(err) || attempt == maxConflicts {
			return fmt.Errorf("give pv %q back: %w", name, err)
		}
	}
}

// WaitGone waits until a claim that was deleted is gone: what protects claims in use lets go of it a moment later.
func WaitGone(ctx context.Context, k *kube.Client, c Claim) error {
	_, err := k.WaitFor(ctx, kube.Wait{
		Resource: kube.Claims(), Namespace: c.Namespace, Name: c.Name, Timeout: defaultBindTimeout,
		What: fmt.Sprintf("claim %q to be gone", c.Namespace+"/"+c.Name),
		Condition: func(u *unstructured.Unstructured) (bool, string, error) {
			return u == nil || u.GetUID() != c.UID, "it is still there", nil
		},
	})
	return err
}
