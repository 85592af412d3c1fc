package declared_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
)

const clusterOfUsers = `
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: my-cluster, namespace: kafka}
spec: {kafka: {}, entityOperator: {userOperator: {PREFIX}}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: broker, labels: {strimzi.io/cluster: my-cluster}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaUser
metadata: {name: alice, labels: {strimzi.io/cluster: my-cluster}}
spec: {AUTHENTICATION}
---
`

// A user comes back as it was where its password or certificate is declared, or where Strimzi makes it none.
func TestUsersThatComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	const (
		scram = "authentication: {type: scram-sha-512}"
		tls   = "authentication: {type: tls}"
		named = "authentication: {type: scram-sha-512, password: {valueFrom: {secretKeyRef: {name: vault, key: p}}}}"
		own   = "{apiVersion: v1, kind: Secret, metadata: {name: alice, labels: {strimzi.io/cluster: my-cluster}}}"
		other = "{apiVersion: v1, kind: Secret, metadata: {name: alice, labels: {strimzi.io/cluster: other}}}"
		vault = "{apiVersion: v1, kind: Secret, metadata: {name: vault}}"
		long  = "{apiVersion: v1, kind: Secret, metadata: {name: user-alice, labels: {strimzi.io/cluster: my-cluster}}}"
	)
	for title, c := range map[string]struct {
		authentication, prefix, secret string
		comesBack                      bool
		kept                           string
	}{
		"a password, and the User Operator's Secret":    {scram, "", own, true, "alice"},
		"a password, and no Secret":                     {scram, "", "", false, ""},
		"a password, and another cluster's Secret":      {scram, "", other, false, ""},
		"a password, and a Secret nobody names":         {scram, "", vault, false, ""},
		"a certificate, and its Secret":                 {tls, "", own, true, "alice"},
		"a certificate, and no Secret":                  {tls, "", "", false, ""},
		"a password in a Secret that is declared":       {named, "", vault, true, "vault"},
		"a password in a Secret that is not":            {named, "", "", false, ""},
		"a named password, and the operator's own":      {named, "", own, true, "alice"},
		"Secrets with a prefix":                         {scram, "secretPrefix: user-", long, true, "user-alice"},
		"Secrets with a prefix, and one without":        {scram, "secretPrefix: user-", own, false, ""},
		"no prefix, and a Secret with one":              {tls, "", long, false, ""},
		"a certificate that somebody else issues":       {"authentication: {type: tls-external}", "", "", true, ""},
		"no authentication: access control lists alone": {"authorization: {type: simple, acls: []}", "", "", true, ""},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			text := strings.NewReplacer("PREFIX", c.prefix, "AUTHENTICATION", c.authentication).Replace(clusterOfUsers) + c.secret
			got, err := declared.Pick(loaded(t, text), "kafka", "my-cluster")
			if err != nil {
				t.Fatal(err)
			}
			with, without := got.UsersBySecret()
			if len(with)+len(without) != 1 || (len(with) == 1) != c.comesBack {
				t.Errorf("come back as they were: %d, would be others: %d", len(with), len(without))
			}
			var kept []string
			for _, s := range got.Secrets {
				kept = append(kept, s.GetName())
			}
			if c.kept == "" && len(kept) > 0 || c.kept != "" && !slices.Equal(kept, []string{c.kept}) {
				t.Errorf("Secrets %q were kept", kept)
			}
			if left := len(got.Left); (c.secret != "" && c.kept == "") != (left == 1) {
				t.Errorf("what is not taken is told: %q", got.Left)
			}
		})
	}
}

// A Secret that is there before anything is created may be one that somebody has put there for a user's password, or
// one of a user that is there; another's content nobody knows.
func TestSecretsThatMayStand(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("PREFIX", "", "AUTHENTICATION",
		"authentication: {type: scram-sha-512, password: {valueFrom: {secretKeyRef: {name: vault, key: p}}}}").
		Replace(clusterOfUsers)
	c, err := declared.Pick(loaded(t, text), "kafka", "my-cluster")
	if err != nil {
		t.Fatal(err)
	}
	stands := func(ref string) bool { return ref == "kafkauser/alice" }
	for secret, want := range map[string][2]bool{"vault": {true, true}, "alice": {true, false}, "bob": {false, false}} {
		got := [2]bool{c.MayStand(secret, stands), c.MayStand(secret, func(string) bool { return false })}
		if got != want {
			t.Errorf("secret %s may stand with its user there, and without: %v", secret, got)
		}
	}
}
