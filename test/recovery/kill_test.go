package recovery_test

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/recovery/recoverytest"
)

// clientThrough returns a client whose requests pass through a transport.
func clientThrough(t *testing.T, wrap func(http.RoundTripper) http.RoundTripper) *kube.Client {
	t.Helper()
	through := rest.CopyConfig(config)
	through.Wrap(wrap)
	client, err := kube.NewForConfig(through, "", kube.Options{Retry: kube.Retry{
		Attempts: 5, First: 50 * time.Millisecond, Max: time.Second,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// kill runs a restore until it dies at a line, and returns the folder it leaves and the operation. died is empty when
// the run ended before.
func (g *ground) kill(at recoverytest.When, before bool) (left, operation, died string) {
	g.t.Helper()
	return g.killAsked(at, before, func(*recovery.Request) {})
}

// killAsked is kill for a run of which something more is asked.
func (g *ground) killAsked(
	at recoverytest.When, before bool, change func(*recovery.Request),
) (left, operation, died string) {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.t.Context())
	defer cancel()
	k := &recoverytest.Killer{At: at, Before: before, State: g.state, Left: g.t.TempDir(), Cancel: cancel}
	client := clientThrough(g.t, func(next http.RoundTripper) http.RoundTripper { k.Next = next; return k })
	result, err := g.restoreIn(ctx, func(r *recovery.Request, d *recovery.Deps) {
		d.Kube, r.Timeout = client, 3*time.Minute // several clusters start side by side
		change(r)
	})
	if k.Died() == "" && err != nil {
		g.t.Fatalf("the run ended by itself: %v %+v", err, result)
	}
	g.expireLease()
	return k.Left, result.Operation, k.Died()
}

// expireLease puts the time of the last renewal back, as if the run had been dead for a while.
func (g *ground) expireLease() {
	g.t.Helper()
	leases := g.typed.CoordinationV1().Leases(g.ns)
	list, err := leases.List(g.t.Context(), metav1.ListOptions{})
	if err != nil {
		g.t.Fatal(err)
	}
	for _, l := range list.Items {
		patch := `{"spec":{"renewTime":"2020-01-01T00:00:00.000000Z"}}`
		_, err := leases.Patch(g.t.Context(), l.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		if err != nil {
			g.t.Fatal(err)
		}
	}
}

// resume goes on with an operation from a state folder; an empty one is another machine's.
func (g *ground) resume(
	state, operation string, change func(*recovery.Target, *recovery.Repeated, *recovery.Deps),
) (*recovery.Result, error) {
	g.t.Helper()
	target, given := recovery.Target{Namespace: g.ns, Operation: operation}, recovery.Repeated{}
	deps := g.deps()
	deps.StateDir = state
	if change != nil {
		change(&target, &given, &deps)
	}
	return recovery.Resume(g.t.Context(), target, given, deps)
}

// elsewhere is the state folder of another machine.
func elsewhere(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "state") }
