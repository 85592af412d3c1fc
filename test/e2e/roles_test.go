package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

var roleName = regexp.MustCompile(`(?m)^  name: .*$`)

// as returns the kubeconfig of a service account that has exactly the documented roles of the given files.
func (s *story) as(account string, roles ...string) string {
	s.Helper()
	_, err := s.Client.CoreV1().ServiceAccounts(s.Namespace).Create(s.ctx,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{})
	s.must(err)
	for _, file := range roles {
		raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "rbac", file))
		s.must(err)
		name := s.Namespace + "-" + strings.TrimSuffix(file, ".yaml")
		text := strings.ReplaceAll(string(raw), "namespace: kafka\n", "namespace: "+s.Namespace+"\n")
		text = roleName.ReplaceAllString(text, "  name: "+name)
		s.must(s.ApplyYAML(s.ctx, s.Namespace, text))
		for _, kind := range []string{"Role", "ClusterRole"} { // a file may hold one of each
			if !strings.Contains(text, "kind: "+kind+"\n") {
				continue
			}
			s.must(s.ApplyYAML(s.ctx, s.Namespace, strings.NewReplacer("KIND", kind, "SPACE", s.Namespace, "NAME", name,
				"ACCOUNT", account).Replace(`
apiVersion: rbac.authorization.k8s.io/v1
kind: KINDBinding
metadata: {name: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: KIND, name: NAME}
subjects: [{kind: ServiceAccount, name: ACCOUNT, namespace: SPACE}]
`)))
		}
	}
	token, err := s.Client.CoreV1().ServiceAccounts(s.Namespace).CreateToken(s.ctx, account,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	s.must(err)
	config, err := clientcmd.LoadFromFile(s.KubeconfigPath)
	s.must(err)
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{account: {Token: token.Status.Token}}
	for _, c := range config.Contexts {
		c.AuthInfo = account
	}
	path := filepath.Join(s.TempDir(), account+".kubeconfig")
	s.must(clientcmd.WriteToFile(*config, path))
	return path
}

// TestRestoreWithTheDocumentedRoles uses exactly what docs/rbac grants.
func TestRestoreWithTheDocumentedRoles(t *testing.T) {
	s := newStory(t, "roles", quickOperator())
	s.planted(ground.Planting{})
	s.must(s.Create(s.ctx, true))
	s.must(s.WaitFor(s.ctx, "ReconciliationPaused", waitForPause))
	image := s.kafkaImage()

	nobody := s.as("nobody")
	s.says(s.run(5, "scan", "kafka/my-cluster", "--kubeconfig", nobody, "--image", image), "forbidden")
	s.untouched()

	// Without the role for volumes reclaim policies are unknown, which a restore wants accepted.
	namespaced := s.as("namespaced", "namespaced-role.yaml")
	s.says(s.run(3, "restore", "kafka/my-cluster", "--yes", "--kubeconfig", namespaced, "--image", image),
		"reclaim-policy-unknown", "several-operators")
	s.untouched()

	full := s.as("full", "namespaced-role.yaml", "quota-role.yaml", "volumes-clusterrole.yaml",
		"operators-clusterrole.yaml", "alarm-role.yaml")
	restored := s.run(0, "restore", "kafka/my-cluster", "--yes", "--kubeconfig", full, "--image", image)
	s.says(restored, s.before.ClusterID)
	if said := strings.ToLower(restored.Stdout + restored.Stderr); strings.Contains(said, "not watched") {
		s.Errorf("what the pods log can be watched with these roles:\n%s", restored)
	}
	s.recovered()
}

// kafkaImage is the image the operator gives the cluster's pods; who has only the documented roles cannot look it up.
func (s *story) kafkaImage() string {
	s.Helper()
	list, err := s.Client.AppsV1().Deployments(s.Namespace).List(s.ctx, metav1.ListOptions{})
	s.must(err)
	for i := range list.Items {
		for _, env := range list.Items[i].Spec.Template.Spec.Containers[0].Env {
			for line := range strings.FieldsSeq(env.Value) {
				version, image, found := strings.Cut(line, "=")
				if env.Name == "STRIMZI_KAFKA_IMAGES" && found && version == s.KafkaVersion {
					return image
				}
			}
		}
	}
	s.Fatalf("no operator names an image for Kafka %s", s.KafkaVersion)
	return ""
}
