package e2e_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// idle is a planted cluster whose resource is paused, so that no Kafka pod runs.
func idle(t *testing.T, namespace string) *story {
	t.Helper()
	s := newStory(t, namespace, quickOperator())
	s.planted(ground.Planting{})
	s.must(s.Create(s.ctx, true))
	s.must(s.WaitFor(s.ctx, "ReconciliationPaused", waitForPause))
	return s
}

// viaPod scans with temporary pods and returns whatever comes of it.
func (s *story) viaPod(args ...string) ground.Result {
	s.Helper()
	args = append([]string{"scan", "kafka/my-cluster", "--via", "pod", "--namespace", s.Namespace}, args...)
	result, err := theTool(s.T).Run(s.ctx, nil, args...)
	s.must(err)
	s.Logf("%s", result)
	return result
}

// noPods requires that nothing but the operator's pod is left in the namespace.
func (s *story) noPods() {
	s.Helper()
	pods, err := s.Client.CoreV1().Pods(s.Namespace).List(s.ctx, metav1.ListOptions{})
	s.must(err)
	for i := range pods.Items {
		if pods.Items[i].Labels["name"] != ground.OperatorName {
			s.Errorf("pod %q was left behind", pods.Items[i].Name)
		}
	}
}

// TestScanInANamespaceThatEnforcesRestricted needs temporary pods that satisfy the strictest standard.
func TestScanInANamespaceThatEnforcesRestricted(t *testing.T) {
	full(t)
	s := idle(t, "restricted")
	s.must(s.World.Namespace(s.ctx, s.Kafka.Namespace,
		map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}))
	s.says(s.viaPod(), s.before.ClusterID)
	s.noPods()
}

// TestScanSaysWhyVolumesWereNotRead meets what keeps a temporary pod from running.
func TestScanSaysWhyVolumesWereNotRead(t *testing.T) {
	full(t)
	t.Run("an image no node can pull", func(t *testing.T) {
		s := idle(t, "no-image")
		result := s.viaPod("--image", "sandbox.test/no-such-image:1", "--schedule-timeout", "20s")
		if result.Code != 5 {
			t.Errorf("volumes not read make the scan incomplete, exit code 5; got %d", result.Code)
		}
		s.says(result, "sandbox.test/no-such-image:1")
		s.noPods()
	})
	t.Run("a quota that allows no pod", func(t *testing.T) {
		s := idle(t, "pod-quota")
		_, err := s.Client.CoreV1().ResourceQuotas(s.Namespace).Create(s.ctx, &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Name: "few-pods"},
			Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
				"count/pods": resource.MustParse("1"),
			}},
		}, metav1.CreateOptions{})
		s.must(err)
		result := s.viaPod()
		if result.Code != 5 {
			t.Errorf("volumes not read make the scan incomplete, exit code 5; got %d", result.Code)
		}
		s.says(result, "few-pods")
		s.noPods()
	})
}

// TestScanRefusesPodsThatAdmissionChanged meets policies that would make the kubelet write to the volumes, or put a
// stranger beside them.
func TestScanRefusesPodsThatAdmissionChanged(t *testing.T) {
	full(t)
	for _, c := range []struct{ name, namespace, expression, names string }{
		{
			"fsGroup", "adds-fsgroup",
			`Object{spec: Object.spec{securityContext: Object.spec.securityContext{fsGroup: 2000}}}`, "fsGroup",
		},
		{
			"a sidecar", "adds-sidecar",
			`Object{spec: Object.spec{containers: [Object.spec.containers{name: "mesh", image: "sandbox.test/pause:1"}]}}`,
			"mesh",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := idle(t, c.namespace)
			s.must(s.ApplyYAML(s.ctx, "", strings.NewReplacer("NAME", c.namespace, "EXPRESSION", c.expression).Replace(`
apiVersion: admissionregistration.k8s.io/v1beta1
kind: MutatingAdmissionPolicy
metadata: {name: NAME}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  failurePolicy: Fail
  reinvocationPolicy: IfNeeded
  mutations:
    - patchType: ApplyConfiguration
      applyConfiguration: {expression: 'EXPRESSION'}
---
apiVersion: admissionregistration.k8s.io/v1beta1
kind: MutatingAdmissionPolicyBinding
metadata: {name: NAME}
spec: {policyName: NAME}
`)))
			s.must(s.PolicyWorks(s.ctx, s.Namespace, c.names))
			result := s.viaPod()
			if result.Code != 3 {
				t.Errorf("a pod that admission changed is refused, exit code 3; got %d", result.Code)
			}
			s.says(result, c.names)
			s.noPods()
		})
	}
}

// madeAgain deletes the namespace, and makes everything in it again, on new volumes, until it is Ready and empty.
func (s *story) madeAgain() {
	s.Helper()
	s.must(s.DeleteNamespace(s.ctx, s.Namespace))
	s.must(s.World.Namespace(s.ctx, s.Namespace, nil))
	s.must(s.InstallOperator(s.ctx, s.Namespace, quickOperator()))
	s.must(s.Volumes(s.ctx, 0))
	s.must(s.Create(s.ctx, false))
	s.must(s.WaitFor(s.ctx, "Ready", waitForKafka))
}

// TestVolumesShadowedByNewOnesOfAClusterThatIsGoneAgain begins with claims of new volumes alone: whoever made everything
// again has deleted the Kafka resource and its pools once more.
func TestVolumesShadowedByNewOnesOfAClusterThatIsGoneAgain(t *testing.T) {
	full(t)
	s := newStory(t, "gone-again", quickOperator())
	s.planted(ground.Planting{})
	s.madeAgain()
	meanwhile, err := s.Layout(s.ctx)
	s.must(err)
	s.must(s.Delete(s.ctx))
	s.must(s.RestartOperator(s.ctx, s.Namespace))
	args := []string{"restore", "kafka/my-cluster", "-f", s.manifests(), "--yes"}
	s.says(s.run(3, args...), "shadowed-by-new-volume", "-f FILE --rebind-claims")
	s.says(s.run(0, append(args, "--rebind-claims")...), s.before.ClusterID, "9 claims are gone, their volumes are kept")
	s.recovered()
	for claim, name := range meanwhile {
		if s.before.Layout[claim] == name {
			t.Errorf("%s was to have its old volume, and has %s", claim, name)
		}
		pv, err := s.Client.CoreV1().PersistentVolumes().Get(s.ctx, name, metav1.GetOptions{})
		s.must(err)
		if pv.Status.Phase != corev1.VolumeReleased {
			t.Errorf("the new volume of %s is kept: %s is %s", claim, name, pv.Status.Phase)
		}
	}
}

// TestVolumesShadowedByNewOnes is what is left after a namespace was deleted and everything was made anew by a GitOps
// tool: the new cluster looks healthy and is written to, and the old volumes lie beside it. They are bound again in its
// place, and its own are kept.
func TestVolumesShadowedByNewOnes(t *testing.T) {
	full(t)
	s := newStory(t, "shadowed", quickOperator())
	s.planted(ground.Planting{})
	s.madeAgain()
	const fewer = 40
	s.must(s.Produce(s.ctx, fewer))
	meanwhile, err := s.Layout(s.ctx)
	s.must(err)
	s.says(s.run(3, "scan", "kafka/my-cluster"), "shadowed-by-new-volume",
		"restore kafka/my-cluster -n "+s.Namespace+" --rebind-claims")
	s.says(s.run(3, "restore", "kafka/my-cluster", "--yes"), "shadowed-by-new-volume")

	rebind := []string{"restore", "kafka/my-cluster", "--rebind-claims"}
	s.says(s.run(3, append(rebind, "--yes")...), "new-volumes-hold-records", ground.Topic, "__consumer_offsets")
	layout, err := s.Layout(s.ctx)
	s.must(err)
	if diff := cmp.Diff(meanwhile, layout); diff != "" {
		t.Errorf("a refusal must leave the claims alone (-before +after):\n%s", diff)
	}
	rebind = append(rebind, "--accept", "new-volumes-hold-records=cluster")
	s.says(s.run(0, append(rebind, "--dry-run=server")...), "delete pvc/data-0-my-cluster-broker-0", s.before.ClusterID)
	s.says(s.run(0, append(rebind, "--yes")...), s.before.ClusterID, "9 claims are gone, their volumes are kept")
	s.recovered()
	for claim, name := range meanwhile {
		pv, err := s.Client.CoreV1().PersistentVolumes().Get(s.ctx, name, metav1.GetOptions{})
		s.must(err)
		if pv.Status.Phase != corev1.VolumeReleased ||
			pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain {
			t.Errorf("the new volume of %s is kept: %s is %s, %s", claim, name, pv.Status.Phase,
				pv.Spec.PersistentVolumeReclaimPolicy)
		}
	}
	s.run(0, "scan", "kafka/my-cluster", "--via", "objects")
}
