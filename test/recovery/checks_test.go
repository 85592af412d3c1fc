package recovery_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

func (g *ground) pods() []corev1.Pod {
	list, err := g.typed.CoreV1().Pods(g.ns).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return nil
	}
	return list.Items
}

func (g *ground) crashLooping() (n int) {
	for _, p := range g.pods() {
		for _, c := range p.Status.ContainerStatuses {
			if c.State.Waiting != nil && c.State.Waiting.Reason == "CrashLoopBackOff" {
				n++
			}
		}
	}
	return n
}

func (g *ground) restarts() (n int32) {
	for _, p := range g.pods() {
		for _, c := range p.Status.ContainerStatuses {
			n += c.RestartCount
		}
	}
	return n
}

// wantRunningAs requires the cluster to be Ready with that ID everywhere.
func (g *ground) wantRunningAs(id string) {
	g.t.Helper()
	kafka := g.status()
	if !kafka.Ready() || kafka.Status.ClusterID == nil || *kafka.Status.ClusterID != id || kafka.PauseAnnotated {
		g.t.Errorf("want Ready, un-paused, with cluster ID %s: %+v", id, kafka.Status)
	}
	list, err := g.client.List(g.t.Context(), strimzi.NodePoolGVR("v1"), g.ns, kube.ListOptions{})
	if err != nil {
		g.t.Fatal(err)
	}
	for i := range list.Items {
		pool := strimzi.ParseNodePool(list.Items[i].Object)
		if pool.Status.ClusterID == nil || *pool.Status.ClusterID != id {
			g.t.Errorf("pool %s: %+v", pool.Name, pool.Status)
		}
	}
}

// wantRetained requires every volume to be Retain; they were made with Delete.
func (g *ground) wantRetained(n int) {
	g.t.Helper()
	list, err := g.typed.CoreV1().PersistentVolumes().List(g.t.Context(), metav1.ListOptions{LabelSelector: "ground=" + g.ns})
	if err != nil {
		g.t.Fatal(err)
	}
	if len(list.Items) != n {
		g.t.Errorf("%d volumes, want %d", len(list.Items), n)
	}
	for _, pv := range list.Items {
		if pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain {
			g.t.Errorf("%s is %s", pv.Name, pv.Spec.PersistentVolumeReclaimPolicy)
		}
		if pv.Annotations[recovery.OperationAnnotation] != "" {
			g.t.Errorf("%s still carries the annotation of an operation", pv.Name)
		}
	}
}

// wantNothingLeft requires that neither a lease, nor a quota, nor an annotation is left behind.
func (g *ground) wantNothingLeft() {
	g.t.Helper()
	leases, err := g.typed.CoordinationV1().Leases(g.ns).List(g.t.Context(), metav1.ListOptions{})
	if err != nil || len(leases.Items) != 0 {
		g.t.Errorf("leases left: %v %v", leases.Items, err)
	}
	quotas, err := g.typed.CoreV1().ResourceQuotas(g.ns).List(g.t.Context(), metav1.ListOptions{})
	if err != nil || len(quotas.Items) != 0 {
		g.t.Errorf("quotas left: %v %v", quotas.Items, err)
	}
	if a := g.status().Annotations[recovery.OperationAnnotation]; a != "" {
		g.t.Errorf("the annotation of operation %s is left", a)
	}
}

// wantJournaled requires every change to have been announced before it was made, here and in the cluster.
func (g *ground) wantJournaled(result *recovery.Result) {
	g.t.Helper()
	entries, err := recovery.ReadJournal(result.Folder)
	if err != nil {
		g.t.Fatal(err)
	}
	open := map[string]int{}
	for _, e := range entries {
		for _, c := range e.Changes {
			key := fmt.Sprintf("%s %s %s %s", e.Step, c.Verb, c.Object.Kind, c.Object.Name)
			switch e.Phase {
			case recovery.PhaseIntent:
				open[key]++
			case recovery.PhaseDone, recovery.PhaseFailed:
				if open[key]--; open[key] < 0 {
					g.t.Errorf("%s was done without having been announced", key)
				}
			case recovery.PhaseBegin, recovery.PhaseEnd, recovery.PhaseNote:
			}
		}
	}
	for key, n := range open {
		if n != 0 {
			g.t.Errorf("%s was announced and never ended", key)
		}
	}
	g.wantMirrored(result, entries)
}

func (g *ground) wantMirrored(result *recovery.Result, entries []recovery.Entry) {
	g.t.Helper()
	maps, err := g.typed.CoreV1().ConfigMaps(g.ns).List(g.t.Context(),
		metav1.ListOptions{LabelSelector: recovery.OperationLabel + "=" + result.Operation})
	if err != nil {
		g.t.Fatal(err)
	}
	mirrored := map[string]string{}
	for _, m := range maps.Items {
		for k, v := range m.Data {
			mirrored[k] = v
		}
	}
	for _, e := range entries {
		var copied recovery.Entry
		if err := json.Unmarshal([]byte(mirrored[fmt.Sprintf("%06d", e.Seq)]), &copied); err != nil {
			g.t.Errorf("entry %d is not in the cluster: %v", e.Seq, err)
		}
		if copied.Phase != e.Phase || copied.Step != e.Step || len(copied.Changes) != len(e.Changes) {
			g.t.Errorf("entry %d differs in the cluster: %+v", e.Seq, copied)
		}
	}
}

// versions are the resource versions of everything a restore may touch.
func (g *ground) versions() map[string]string {
	g.t.Helper()
	out := map[string]string{}
	add := func(gvr schema.GroupVersionResource, ns, labels string) {
		list, err := g.client.List(g.t.Context(), gvr, ns, kube.ListOptions{LabelSelector: labels})
		if err != nil {
			g.t.Fatal(err)
		}
		for i := range list.Items {
			u := &list.Items[i]
			out[gvr.Resource+"/"+u.GetName()] = string(u.GetUID()) + " " + u.GetResourceVersion()
		}
	}
	for _, gvr := range []schema.GroupVersionResource{
		strimzi.KafkaGVR("v1"), strimzi.NodePoolGVR("v1"), strimzi.PodSetGVR("v1"), kube.Claims(), kube.ConfigMaps(),
		kube.ResourceQuotas(), kube.Leases(), kube.Secrets(),
	} {
		add(gvr, g.ns, "")
	}
	add(kube.Volumes(), "", "ground="+g.ns)
	return out
}

func (g *ground) wantSameVersions(before map[string]string) {
	g.t.Helper()
	after := g.versions()
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if after[key] != before[key] {
			g.t.Errorf("%s was touched: %s became %s", key, before[key], after[key])
		}
	}
	for key := range after {
		if _, ok := before[key]; !ok {
			g.t.Errorf("%s was created", key)
		}
	}
}

// onStep calls do when a step begins.
func (g *ground) onStep(id recovery.StepID, do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hooks == nil {
		g.hooks = map[recovery.StepID]func(){}
	}
	g.hooks[id] = do
}

func (g *ground) patch(resourceName, name, body string) { g.patchSub(resourceName, name, body, "") }

func (g *ground) patchStatus(resourceName, name, body string) {
	g.patchSub(resourceName, name, body, "status")
}

func (g *ground) patchSub(resourceName, name, body, sub string) {
	g.t.Helper()
	gvr := strimzi.KafkaGVR("v1")
	gvr.Resource = resourceName
	_, err := g.client.Patch(g.t.Context(), gvr, g.ns, name, kube.Patch{
		Type: kube.MergePatch, Body: []byte(body), Subresource: sub, FieldManager: "somebody-else",
	})
	if err != nil {
		g.t.Errorf("write as somebody else: %v", err)
	}
}

// remake deletes an object and makes one of the same name and content.
func (g *ground) remake(gvr schema.GroupVersionResource, name string) {
	g.t.Helper()
	u, err := g.client.Get(g.t.Context(), gvr, g.ns, name)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.client.Delete(g.t.Context(), gvr, g.ns, name, kube.DeleteOptions{}); err != nil {
		g.t.Fatal(err)
	}
	delete(u.Object, "status")
	for _, f := range []string{"uid", "resourceVersion", "managedFields", "creationTimestamp", "generation"} {
		delete(u.Object["metadata"].(map[string]any), f)
	}
	if _, err := g.client.Create(g.t.Context(), gvr, u, false); err != nil {
		g.t.Fatal(err)
	}
}

// user returns a client for somebody who may use these verbs on everything, and nothing else.
func (g *ground) user(verbs ...string) *kube.Client {
	g.t.Helper()
	name := "user-" + g.ns
	everything := []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: verbs}}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: everything}
	if _, err := g.typed.RbacV1().ClusterRoles().Create(g.t.Context(), role, metav1.CreateOptions{}); err != nil {
		g.t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}},
	}
	if _, err := g.typed.RbacV1().ClusterRoleBindings().Create(g.t.Context(), binding, metav1.CreateOptions{}); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		_ = g.typed.RbacV1().ClusterRoleBindings().Delete(context.Background(), name, metav1.DeleteOptions{})
		_ = g.typed.RbacV1().ClusterRoles().Delete(context.Background(), name, metav1.DeleteOptions{})
	})
	as := rest.CopyConfig(config)
	as.Impersonate = rest.ImpersonationConfig{UserName: name}
	client, err := kube.NewForConfig(as, g.ns, kube.Options{})
	if err != nil {
		g.t.Fatal(err)
	}
	return client
}

func TestMain_theSuiteRunsOnTheDouble(t *testing.T) {
	t.Parallel()
	// What a double shows is shown of the double: the same stories run against the real operator in test/e2e.
	if !strings.Contains(config.Host, "10.231.") {
		t.Fatalf("the suite must only ever talk to its own sandbox, not to %s", config.Host)
	}
}
