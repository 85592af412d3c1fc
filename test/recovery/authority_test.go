package recovery_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/recovery"
	"github.com/kafkarecover/kafkarecover/pkg/report"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// up has the operator run the cluster as it was before anything was lost.
func (g *ground) up() {
	g.t.Helper()
	g.operator(nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	if result, err := g.restore(nil); err != nil || result.Outcome != recovery.OutcomeRestored {
		g.t.Fatal(err, told(result))
	}
}

// deleteKafka deletes the Kafka resource alone, and waits until its Secrets are gone with it. It returns those of the
// certificate authorities as they were.
func (g *ground) deleteKafka() []corev1.Secret {
	g.t.Helper()
	secrets := g.typed.CoreV1().Secrets(g.ns)
	var authorities []corev1.Secret
	for _, name := range strimzi.AuthoritySecrets(clusterName) {
		s, err := secrets.Get(g.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			g.t.Fatal(err)
		}
		authorities = append(authorities, *s)
	}
	err := g.client.Delete(g.t.Context(), strimzi.KafkaGVR("v1"), g.ns, clusterName, kube.DeleteOptions{})
	if err != nil {
		g.t.Fatal(err)
	}
	g.eventually("the Secrets to go with their owner", func() bool {
		list, err := secrets.List(g.t.Context(), metav1.ListOptions{LabelSelector: strimzi.ClusterLabel + "=" + clusterName})
		return err == nil && len(list.Items) == 0
	})
	time.Sleep(time.Second) // what is made from now on is younger: the API server keeps seconds
	return authorities
}

// podUIDs are the pods by name.
func (g *ground) podUIDs() map[string]string {
	out := map[string]string{}
	for _, p := range g.pods() {
		if p.DeletionTimestamp == nil {
			out[p.Name] = string(p.UID)
		}
	}
	return out
}

// The pods go on running, and hold certificates of an authority that is gone. By itself this does not heal.
func TestPodsThatOutlivedTheirKafkaResourceAreRestartedTogether(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.up()
	g.deleteKafka()
	before := g.podUIDs()
	if len(before) != 6 {
		t.Fatalf("pods are owned by the pools' pod sets and keep running: %v", before)
	}
	g.kafkaAlone(nil)
	g.eventually("the operator to give up", func() bool {
		return slices.ContainsFunc(g.status().Status.Conditions, func(c strimzi.Condition) bool {
			return c.Type == "NotReady" && strings.Contains(c.Message, "determine the active controller")
		})
	})
	result, err := g.restore(func(*recovery.Request, *recovery.Deps) {
		g.onStep(recovery.StepUnpause, func() {
			if now := g.podUIDs(); len(now) != 6 || now["my-cluster-broker-0"] != before["my-cluster-broker-0"] {
				t.Errorf("no pod may be restarted before the operator has said that it cannot reach them: %v", now)
			}
		})
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	g.wantRunningAs(clusterID)
	g.wantRetained(9)
	g.wantNothingLeft()
	g.wantJournaled(result)
	for name, uid := range g.podUIDs() {
		if before[name] == uid {
			t.Errorf("pod %s holds a certificate of the former authority", name)
		}
	}
	recorded, err := recovery.LoadHere(g.state, result.Operation)
	if err != nil {
		t.Fatal(err)
	}
	told := strings.ReplaceAll(string(report.Of(recorded).Markdown()), `\`, "")
	for _, want := range []string{
		"my-cluster-cluster-ca is a new one: clients that connect with TLS must trust ca.crt of secret/",
		"my-cluster-clients-ca is a new one: users who authenticate with a TLS certificate need a new one",
		"restart-together | delete | Pod " + g.ns + "/my-cluster-controller-3 |",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
}

// asManifest is an object as a person has it saved.
func asManifest(t *testing.T, s *corev1.Secret) map[string]any {
	t.Helper()
	s.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(s)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// Pools, topics and users are not deleted with the Kafka resource, and pods go on running.
func TestOnlyTheKafkaResourceIsMadeAgainWhereOnlyThatIsGone(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.up()
	live := topic("payments", 3, 2, nil)
	live["metadata"].(map[string]any)["namespace"] = g.ns
	g.apply("kafkatopics", live)
	someone := user("alice")
	someone["metadata"].(map[string]any)["namespace"] = g.ns
	g.apply("kafkausers", someone)
	g.deleteKafka()
	pods, before := g.podUIDs(), g.versions()
	result, err := g.restoreIn(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
		r.Declared = g.whole(topic("payments", 3, 2, nil), user("alice"), user("bob"), secretOf("bob"))
	})
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	g.wantRunningAs(clusterID)
	g.wantNothingLeft()
	if diff := cmp.Diff([]string{"Secret/bob", "KafkaUser/bob", "Kafka/my-cluster"},
		g.madeInOrder(result, recovery.StepResources)); diff != "" {
		t.Errorf("what is there is not created:\n%s", diff)
	}
	after := g.versions()
	for _, pool := range []string{"kafkanodepools/broker", "kafkanodepools/controller"} {
		was, _, _ := strings.Cut(before[pool], " ")
		if is, _, _ := strings.Cut(after[pool], " "); is != was {
			t.Errorf("%s is another one: %s was %s", pool, is, was)
		}
	}
	if got := g.managed("payments"); got != "given" {
		t.Errorf("the topic was in the Topic Operator's hands, and is %q", got)
	}
	if !g.hasEntityOperator() {
		t.Error("alice has her KafkaUser, bob got his: the Entity Operator deletes nobody")
	}
	for name, uid := range g.podUIDs() {
		if pods[name] == uid {
			t.Errorf("pod %s holds a certificate of the former authority", name)
		}
	}
	if next := strings.Join(result.Next, "\n"); !strings.Contains(next, "my-cluster-cluster-ca is a new one") {
		t.Errorf("what clients must trust must be said: %s", next)
	}
}

func TestAuthoritiesThatAreGivenAreKept(t *testing.T) {
	t.Parallel()
	for title, again := range map[string]func(*ground){
		"the Kafka resource is gone":       func(*ground) {},
		"it was made again, and is paused": func(g *ground) { g.kafkaAlone(map[string]string{pauseAnnotation: "true"}) },
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			g := newGround(t, nil)
			g.up()
			saved := g.deleteKafka()
			before := g.podUIDs()
			again(g)
			var manifests []map[string]any
			for i := range saved {
				manifests = append(manifests, asManifest(t, &saved[i]))
			}
			result, err := g.restoreIn(t.Context(), func(r *recovery.Request, _ *recovery.Deps) {
				r.Declared = g.manifests(manifests...)
			})
			if err != nil || result.Outcome != recovery.OutcomeRestored {
				t.Fatal(err, told(result))
			}
			g.wantRunningAs(clusterID)
			for name, uid := range g.podUIDs() {
				if before[name] != uid {
					t.Errorf("pod %s was restarted for nothing", name)
				}
			}
			for i := range saved {
				now, err := g.typed.CoreV1().Secrets(g.ns).Get(t.Context(), saved[i].Name, metav1.GetOptions{})
				if err != nil || !cmp.Equal(now.Data, saved[i].Data) {
					t.Errorf("secret %s is not the one that was given: %v", saved[i].Name, err)
				}
			}
			if next := strings.Join(result.Next, "\n"); strings.Contains(next, "authority") {
				t.Errorf("the authorities are the former ones: %s", next)
			}
		})
	}
}

// A pool of which the manifest says something else is neither changed nor taken for the one that was declared.
func TestAPoolThatIsNotAsDeclaredIsRefused(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.kafka(map[string]string{pauseAnnotation: "true"})
	err := g.client.Delete(t.Context(), strimzi.KafkaGVR("v1"), g.ns, clusterName, kube.DeleteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	g.patch("kafkanodepools", "broker", `{"spec":{"replicas":4}}`)
	before := g.versions()
	_, err = g.restoreIn(t.Context(), func(r *recovery.Request, _ *recovery.Deps) { r.Declared = g.manifests() })
	if err == nil || !strings.Contains(err.Error(), "kafkanodepool/broker is there already") ||
		!strings.Contains(err.Error(), "(replicas)") {
		t.Errorf("got %v", err)
	}
	g.wantSameVersions(before)
}

// Somebody brought the authorities' Secrets back first.
func TestPodsThatTheOperatorReachesAreLeftAlone(t *testing.T) {
	t.Parallel()
	g := newGround(t, nil)
	g.up()
	saved := g.deleteKafka()
	before := g.podUIDs()
	for _, s := range saved {
		s.ObjectMeta = metav1.ObjectMeta{Namespace: g.ns, Name: s.Name, Labels: s.Labels, Annotations: s.Annotations}
		if _, err := g.typed.CoreV1().Secrets(g.ns).Create(t.Context(), &s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	g.kafkaAlone(map[string]string{pauseAnnotation: "true"})
	result, err := g.restore(nil)
	if err != nil || result.Outcome != recovery.OutcomeRestored {
		t.Fatal(err, told(result))
	}
	g.wantRunningAs(clusterID)
	for name, uid := range g.podUIDs() {
		if before[name] != uid {
			t.Errorf("pod %s was restarted for nothing", name)
		}
	}
	i := slices.IndexFunc(result.Plan.Steps, func(s recovery.Step) bool { return s.ID == recovery.StepRestartTogether })
	if i < 0 || result.Plan.Steps[i].State != recovery.StepSkipped {
		t.Errorf("the restart is planned for the case, and was not needed: %+v", result.Plan.Steps)
	}
	if next := strings.Join(result.Next, "\n"); strings.Contains(next, "authority") {
		t.Errorf("the authorities are the former ones: %s", next)
	}
}
