package recovery_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kafkarecover/kafkarecover/pkg/handover"
	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// team is a client for somebody who may do what is allowed, but for what kept says is somebody else's.
func (g *ground) team(allowed []kube.Access, kept func(kube.Access) bool) *kube.Client {
	g.t.Helper()
	user := "team-of-" + g.ns
	grant := func(namespace string, rules []rbacv1.PolicyRule) {
		ctx, meta := g.t.Context(), metav1.ObjectMeta{Name: user, Namespace: namespace}
		who := []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: user}}
		ref := func(kind string) rbacv1.RoleRef {
			return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: user}
		}
		rbac := g.typed.RbacV1()
		var err error
		if namespace == "" {
			_, err = rbac.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
			_, berr := rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
				ObjectMeta: meta, Subjects: who, RoleRef: ref("ClusterRole"),
			}, metav1.CreateOptions{})
			err = errors.Join(err, berr)
			g.t.Cleanup(func() {
				ctx := context.WithoutCancel(ctx)
				_ = rbac.ClusterRoles().Delete(ctx, user, metav1.DeleteOptions{})
				_ = rbac.ClusterRoleBindings().Delete(ctx, user, metav1.DeleteOptions{})
			})
		} else {
			_, err = rbac.Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
			_, berr := rbac.RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
				ObjectMeta: meta, Subjects: who, RoleRef: ref("Role"),
			}, metav1.CreateOptions{})
			err = errors.Join(err, berr)
		}
		if err != nil {
			g.t.Fatal(err)
		}
	}
	rules := map[string][]rbacv1.PolicyRule{}
	for _, a := range slices.DeleteFunc(slices.Clone(allowed), kept) {
		rule := rbacv1.PolicyRule{APIGroups: []string{a.Group}, Resources: []string{a.Resource}, Verbs: []string{a.Verb}}
		if a.Subresource != "" {
			rule.Resources[0] += "/" + a.Subresource
		}
		rules[a.Namespace] = append(rules[a.Namespace], rule)
	}
	for namespace, list := range rules {
		grant(namespace, list)
	}
	as := rest.CopyConfig(config)
	as.Impersonate.UserName = user
	client, err := kube.NewForConfig(as, "", kube.Options{})
	if err != nil {
		g.t.Fatal(err)
	}
	return client
}

// errands are what a run hands over, and an administrator who runs it.
type errands struct {
	file string
	mu   sync.Mutex
	said []string
	ran  []string
}

func (e *errands) say(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.said = append(e.said, text)
}

// administrator runs whatever is in the file, over and over, until the test ends: a command that was run already must
// do no harm.
func (g *ground) administrator(e *errands) {
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(g.t.Context())
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			text, err := os.ReadFile(e.file)
			if err == nil && strings.Contains(string(text), "exit $failed") {
				cmd := exec.CommandContext(ctx, "sh", "-c", string(text))
				cmd.Env = append(os.Environ(), "KUBECTL="+kubectl+" --kubeconfig="+kubeconfig)
				_, _ = cmd.CombinedOutput() // a conflict is told by the file being written again
				e.mu.Lock()
				e.ran = append(e.ran, string(text))
				e.mu.Unlock()
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	g.t.Cleanup(func() { cancel(); <-ended })
}

// handingOver has a run done by somebody who may not do what kept says, with a book of errands.
func (g *ground) handingOver(d *recovery.Deps, allowed []kube.Access, kept func(kube.Access) bool) *errands {
	g.t.Helper()
	e := &errands{file: filepath.Join(g.t.TempDir(), "for-an-administrator.sh")}
	client := g.team(allowed, kept)
	book, err := handover.Open(client, e.file, e.say)
	if err != nil {
		g.t.Fatal(err)
	}
	client.DelegateTo(book)
	g.client, d.Kube, d.HandOver = client, client, book
	g.t.Cleanup(func() { _ = book.Close() })
	return e
}

// administrators tells what a team of a namespace usually may not do.
func administrators(a kube.Access) bool {
	switch {
	case a.Resource == "persistentvolumes":
		return a.Verb == "patch"
	case a.Resource == "resourcequotas":
		return a.Verb == "create" || a.Verb == "delete"
	case a.Group == strimzi.KafkaGVR("v1").Group:
		return a.Subresource == "status"
	}
	return false
}

func restoring(namespace string) []kube.Access {
	return slices.Concat(recovery.RestoreAccess(namespace, "v1"), recovery.VolumeAccess(), recovery.ClusterAccess(),
		recovery.OperatorAccess(), recovery.QuotaAccess(namespace), recovery.AlarmAccess(namespace, "v1"))
}

// Somebody may use the Kafka resource and pods of his namespace, and neither write a status nor a volume nor a quota.
func TestWhatMayNotBeDoneIsHandedOver(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.kafka(map[string]string{strimzi.PauseAnnotation: "true"})
	g.operator(nil)
	whole := g.client
	var e *errands
	result, err := g.restore(func(_ *recovery.Request, d *recovery.Deps) {
		e = g.handingOver(d, restoring(g.ns), administrators)
		g.administrator(e)
	})
	g.client = whole
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	if got := g.status(); got.Status.ClusterID == nil || *got.Status.ClusterID != clusterID {
		t.Errorf("cluster ID %v", got.Status.ClusterID)
	}
	for _, pv := range g.volumes() {
		if pv.Spec.PersistentVolumeReclaimPolicy != "Retain" {
			t.Errorf("pv %s: %s", pv.Name, pv.Spec.PersistentVolumeReclaimPolicy)
		}
	}
	want := "patch kafkas.kafka.strimzi.io/status in namespace " + g.ns
	if !slices.Contains(result.Plan.HandedOver, want) || !slices.Contains(result.Plan.HandedOver, "patch persistentvolumes") {
		t.Errorf("the plan must say what somebody else does: %q", result.Plan.HandedOver)
	}
	journal, err := os.ReadFile(filepath.Join(result.Folder, "journal.jsonl"))
	if err != nil || !strings.Contains(string(journal), "handed over, because you may not: "+want) {
		t.Errorf("the journal must say what was handed over: %v\n%s", err, journal)
	}
	if !slices.ContainsFunc(e.ran, func(text string) bool { return strings.Contains(text, "9 of 9: patch persistentvolumes") }) {
		t.Errorf("what is done side by side must be handed over at once: %q", e.said)
	}
}

// Volumes that no claim holds are lent, given back and bound by somebody who may write to volumes.
func TestVolumesAreBoundByWhoMayBindThem(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.release()
	g.operator(nil)
	whole := g.client
	result, err := g.restoreReleased(t.Context(), func(_ *recovery.Request, d *recovery.Deps) {
		allowed := slices.Concat(restoring(g.ns), recovery.CreateAccess(g.ns, "v1"), recovery.SecretAccess(g.ns))
		g.administrator(g.handingOver(d, allowed, func(a kube.Access) bool {
			return administrators(a) || a.Verb == "create" && a.Resource == "kafkas"
		}))
	})
	g.client = whole
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	claims, err := g.client.List(t.Context(), kube.Claims(), g.ns, kube.ListOptions{})
	if err != nil || len(claims.Items) != 9 {
		t.Fatal(err, len(claims.Items))
	}
	for i := range claims.Items {
		c := &claims.Items[i]
		if want := g.ns + "-" + c.GetName(); object.String(c.Object, "spec", "volumeName") != want {
			t.Errorf("claim %s has volume %s", c.GetName(), object.String(c.Object, "spec", "volumeName"))
		}
	}
}

// A run that ends waits for nothing any more: what it had handed over is taken off the file, and what somebody still has
// of it does nothing.
func TestNothingIsWaitedForOnceTheRunHasEnded(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.kafka(map[string]string{strimzi.PauseAnnotation: "true"})
	g.operator(nil)
	whole := g.client
	ctx, cancel := context.WithCancel(t.Context())
	var e *errands
	var kept string
	result, err := g.restoreIn(ctx, func(_ *recovery.Request, d *recovery.Deps) {
		e = g.handingOver(d, restoring(g.ns), administrators)
		go func() {
			for kept == "" && t.Context().Err() == nil {
				if text, err := os.ReadFile(e.file); err == nil && strings.Contains(string(text), "9 of 9") {
					kept = string(text)
				}
				time.Sleep(50 * time.Millisecond)
			}
			cancel()
		}()
	})
	g.client = whole
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err, told(result))
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", kept)
	cmd.Env = append(os.Environ(), "KUBECTL="+kubectl+" --kubeconfig="+kubeconfig)
	if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "nothing was done") {
		t.Errorf("an old copy must do nothing: %v\n%s", err, said)
	}
	for _, pv := range g.volumes() {
		if pv.Spec.PersistentVolumeReclaimPolicy == "Retain" {
			t.Errorf("pv %s was changed", pv.Name)
		}
	}
}

// A permission that nobody can be asked to use for somebody else is missed before anything is handed over.
func TestWhatCannotBeHandedOverIsMissed(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.kafka(map[string]string{strimzi.PauseAnnotation: "true"})
	whole := g.client
	var e *errands
	result, err := g.restore(func(_ *recovery.Request, d *recovery.Deps) {
		e = g.handingOver(d, restoring(g.ns), func(a kube.Access) bool { return administrators(a) || a.Resource == "leases" })
	})
	g.client = whole
	var missing *recovery.AccessError
	if !errors.As(err, &missing) || strings.Contains(err.Error(), "--handover") || len(e.said) > 0 {
		t.Errorf("got %v, %q: %s", err, e.said, told(result))
	}
	if text, err := os.ReadFile(e.file); err != nil || strings.Contains(string(text), "kubectl") {
		t.Errorf("nothing was to be handed over: %v\n%s", err, text)
	}
}
