package e2e_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/test/e2e/ground"
)

// realOperator marks a story that the double of the operator cannot tell: it runs no Entity Operator, and makes no
// certificates. docs/real-operator.md says when it was last told.
func realOperator(t *testing.T) {
	t.Helper()
	if os.Getenv(ground.EnvManifests) == "" {
		t.Skip("told with a real Cluster Operator only")
	}
}

// TestRestoreWithAnEntityOperator begins with Released volumes and manifests, the Secrets of authorities and users among
// them, of a namespace that was deleted while its Entity Operator ran.
func TestRestoreWithAnEntityOperator(t *testing.T) {
	full(t)
	realOperator(t)
	operator := quickOperator()
	s := newStory(t, "secrets-given", operator)
	s.EntityOperator = true
	credentials, secrets := s.looksAfter()
	s.namespaceDeleted(operator)
	s.says(s.run(0, "restore", "kafka/my-cluster", "-f", s.savedAs(s.Manifests(false)+secrets), "--yes"), s.before.ClusterID)
	s.recovered()
	s.must(s.WaitForEntities(s.ctx, waitForEntities))
	s.must(s.LogInScram(s.ctx, credentials))
	s.must(s.LogInTLS(s.ctx, credentials))
}

// TestRestoreOfTopicsAndUsersThatTheEntityOperatorTookAway begins with a namespace whose Entity Operator was quicker
// than its end: a topic was taken out of Kafka with its KafkaTopic. Nobody has saved a Secret, nor the KafkaTopics.
func TestRestoreOfTopicsAndUsersThatTheEntityOperatorTookAway(t *testing.T) {
	full(t)
	realOperator(t)
	operator := quickOperator()
	s := newStory(t, "secrets-gone", operator)
	s.EntityOperator = true
	credentials, _ := s.looksAfter()
	s.must(s.DeleteManagedTopic(s.ctx))
	s.namespaceDeleted(operator)
	file := s.savedAs(without(s.Manifests(false), "kind: KafkaTopic"))
	args := []string{"restore", "kafka/my-cluster", "-f", file, "--yes"}
	s.says(s.run(3, args...), "pending-deletion", ground.ManagedTopic+"-0.")
	said := s.run(0, append(args, s.accepting("pending-deletion", args...)...)...)
	s.says(said, s.before.ClusterID, "kafkauser/"+ground.ScramUser, "kafkauser/"+ground.TLSUser,
		"the Secrets of the certificate authority my-cluster-clients-ca were not given",
		"the Entity Operator is left out: it would delete users that have no KafkaUser: "+ground.ScramUser)
	delete(s.before.Content.TopicIDs, ground.ManagedTopic)
	s.recovered()
	s.must(s.LogInScram(s.ctx, credentials)) // nobody was there to delete it
	err := s.LogInTLS(s.ctx, credentials)
	if err == nil || !strings.Contains(err.Error(), "SSL") {
		t.Errorf("the authority is another, a client of before was to be turned away: %v", err)
	}
}

// accepting are the flags that lift every finding of a rule for which a run is refused.
func (s *story) accepting(rule string, args ...string) (flags []string) {
	s.Helper()
	var refused struct {
		Refusals []struct{ Rule, Subject string }
	}
	s.must(json.Unmarshal([]byte(s.run(3, append(args, "-o", "json")...).Stdout), &refused))
	for _, f := range refused.Refusals {
		if f.Rule == rule {
			flags = append(flags, "--accept", rule+"="+f.Subject)
		}
	}
	return flags
}

// without leaves out the documents of a YAML text that hold something.
func without(text, what string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(text, "---\n"), func(document string) bool {
		return strings.Contains(document, what)
	}), "---\n")
}

// looksAfter brings the cluster up with an Entity Operator, its topic and its users, and remembers what it holds, how
// the users log in, and the Secrets.
func (s *story) looksAfter() (credentials ground.Credentials, secrets string) {
	s.Helper()
	s.running(0)
	credentials, err := s.Credentials(s.ctx)
	s.must(err)
	s.must(s.LogInScram(s.ctx, credentials))
	s.must(s.LogInTLS(s.ctx, credentials))
	if err := s.LogInTLS(s.ctx, credentials.WithoutCertificate()); err == nil {
		s.Fatal("nobody asked for a certificate")
	}
	secrets, err = s.SavedSecrets(s.ctx)
	s.must(err)
	return credentials, secrets
}
