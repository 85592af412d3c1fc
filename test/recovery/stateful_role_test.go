package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
)

// as is a client that may do what these files of docs/rbac grant, and nothing else.
func (g *ground) as(files ...string) *kube.Client {
	g.t.Helper()
	ctx, account := g.t.Context(), g.ns+"-person"
	_, err := g.typed.CoreV1().ServiceAccounts(g.ns).Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: account},
	}, metav1.CreateOptions{})
	if err != nil {
		g.t.Fatal(err)
	}
	subject := []rbacv1.Subject{{Kind: "ServiceAccount", Name: account, Namespace: g.ns}}
	for i, file := range files {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", "rbac", file))
		if err != nil {
			g.t.Fatal(err)
		}
		for part := range strings.SplitSeq(string(text), "---\n") {
			var role rbacv1.ClusterRole // a Role has the same fields
			if err := yaml.Unmarshal([]byte(part), &role); err != nil || role.Name == "" {
				g.t.Fatalf("%s: %v", file, err)
			}
			kind, meta := role.Kind, metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", g.ns, i)}
			ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: meta.Name}
			rbac := g.typed.RbacV1()
			if kind == "Role" {
				_, err = rbac.Roles(g.ns).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: role.Rules}, metav1.CreateOptions{})
				_, bound := rbac.RoleBindings(g.ns).Create(ctx, &rbacv1.RoleBinding{
					ObjectMeta: meta, RoleRef: ref, Subjects: subject,
				}, metav1.CreateOptions{})
				err = errors.Join(err, bound)
			} else {
				_, err = rbac.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: role.Rules},
					metav1.CreateOptions{})
				_, bound := rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
					ObjectMeta: meta, RoleRef: ref, Subjects: subject,
				}, metav1.CreateOptions{})
				err = errors.Join(err, bound)
				g.t.Cleanup(func() {
					_ = rbac.ClusterRoles().Delete(context.Background(), meta.Name, metav1.DeleteOptions{})
					_ = rbac.ClusterRoleBindings().Delete(context.Background(), meta.Name, metav1.DeleteOptions{})
				})
			}
			if err != nil {
				g.t.Fatal(err)
			}
		}
	}
	token, err := g.typed.CoreV1().ServiceAccounts(g.ns).CreateToken(ctx, account, &authenticationv1.TokenRequest{},
		metav1.CreateOptions{})
	if err != nil {
		g.t.Fatal(err)
	}
	limited := rest.AnonymousClientConfig(config)
	limited.BearerToken = token.Status.Token
	client, err := kube.NewForConfig(limited, "", kube.Options{})
	if err != nil {
		g.t.Fatal(err)
	}
	return client
}

func TestTheRoleForAStatefulSetIsEnough(t *testing.T) {
	t.Parallel()
	g, id := setGround(t, nil)
	before := g.layout()
	g.release()
	g.play()
	everything := g.client
	g.client = g.as("statefulset-role.yaml", "volumes-clusterrole.yaml")
	result, err := g.restoreSet(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
		r.DeclaredSet = g.declaredSet(id)
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	g.client = everything
	if diff := cmp.Diff(before, g.layout()); diff != "" {
		t.Errorf("every claim must have the volume it had:\n%s", diff)
	}
}
