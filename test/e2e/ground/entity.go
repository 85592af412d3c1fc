package ground

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What the Entity Operator looks after: a topic, the user of Produce, whose password is in a Secret of its own, and two
// users of whom only the Secrets that the User Operator makes say how they log in.
const (
	ManagedTopic   = "invoices"
	ScramUser      = "teller"
	TLSUser        = "scanner"
	passwordSecret = "clerk-password"
)

// entities are the Entity Operator and what it looks after.
func (k *Kafka) entities() string {
	if !k.EntityOperator {
		return ""
	}
	text := fmt.Sprintf(`  entityOperator:
    topicOperator: {reconciliationIntervalMs: 20000}
    userOperator: {reconciliationIntervalMs: 20000}
---
apiVersion: v1
kind: Secret
metadata: {name: %s}
stringData: {password: %s}
---
apiVersion: kafka.strimzi.io/%s
kind: KafkaTopic
metadata:
  name: %s
  labels: {strimzi.io/cluster: %s}
spec: {partitions: 3, replicas: 3}
`, passwordSecret, password, k.apiVersion(), ManagedTopic, k.Name)
	for user, authentication := range map[string]string{
		User: "{type: scram-sha-512, password: {valueFrom: {secretKeyRef: {name: " + passwordSecret +
			", key: password}}}}",
		ScramUser: "{type: scram-sha-512}",
		TLSUser:   "{type: tls}",
	} {
		text += fmt.Sprintf(`---
apiVersion: kafka.strimzi.io/%s
kind: KafkaUser
metadata:
  name: %s
  labels: {strimzi.io/cluster: %s}
spec:
  authentication: %s
`, k.apiVersion(), user, k.Name, authentication)
	}
	return text
}

// tlsListener is one that asks for a certificate.
func (k *Kafka) tlsListener() string {
	if !k.EntityOperator {
		return ""
	}
	return "      - {name: tls, port: " + tlsPort + ", type: internal, tls: true, authentication: {type: tls}}\n"
}

// WaitForEntities waits until the Entity Operator has made the topic and the users.
func (k *Kafka) WaitForEntities(ctx context.Context, bound time.Duration) error {
	return Wait(ctx, bound, "the topic and the users are ready", func(ctx context.Context) error {
		for _, e := range [][2]string{
			{"KafkaTopic", ManagedTopic}, {"KafkaUser", User}, {"KafkaUser", ScramUser}, {"KafkaUser", TLSUser},
		} {
			resource, err := k.resource("kafka.strimzi.io/"+k.apiVersion(), e[0], k.Namespace)
			if err != nil {
				return err
			}
			object, err := resource.Get(ctx, e[1], metav1.GetOptions{})
			if err != nil {
				return fmt.Errorf("get %s %q: %w", e[0], e[1], err)
			}
			if err := isTrue(object, "Ready"); err != nil {
				return fmt.Errorf("%s %q: %w", e[0], e[1], err)
			}
		}
		return nil
	})
}

// isTrue returns nil when the object has a condition of the type that is "True".
func isTrue(object *unstructured.Unstructured, kind string) error {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if condition["type"] == kind && condition["status"] == "True" {
			return nil
		}
	}
	return fmt.Errorf("conditions are %v", conditions)
}

// SavedSecrets are the Secrets of the authorities and of the users as somebody has saved them with kubectl.
func (k *Kafka) SavedSecrets(ctx context.Context) (string, error) {
	var text strings.Builder
	for _, name := range []string{
		k.Name + "-cluster-ca", k.Name + "-cluster-ca-cert", k.Name + "-clients-ca", k.Name + "-clients-ca-cert",
		ScramUser, TLSUser, User,
	} {
		resource, err := k.resource("v1", "Secret", k.Namespace)
		if err != nil {
			return "", err
		}
		object, err := resource.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("get Secret %q: %w", name, err)
		}
		raw, err := object.MarshalJSON()
		if err != nil {
			return "", fmt.Errorf("write Secret %q: %w", name, err)
		}
		text.WriteString("---\n" + string(raw) + "\n")
	}
	return text.String(), nil
}

// Credentials are how the users of the Entity Operator log in: settings of Kafka's clients.
type Credentials struct{ Scram, TLS string }

// Credentials reads the users' Secrets, and the authority that the brokers' certificates are of.
func (k *Kafka) Credentials(ctx context.Context) (Credentials, error) {
	field := func(secret, key string) (string, error) {
		s, err := k.Client.CoreV1().Secrets(k.Namespace).Get(ctx, secret, metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("get Secret %q: %w", secret, err)
		}
		if len(s.Data[key]) == 0 {
			return "", fmt.Errorf("read Secret %q: it has no %q", secret, key)
		}
		return string(s.Data[key]), nil
	}
	var failed error
	read := func(secret, key string) string {
		value, err := field(secret, key)
		failed = errors.Join(failed, err)
		return value
	}
	c := Credentials{
		Scram: scramSettings(ScramUser, read(ScramUser, "password")),
		TLS: tlsSettings(read(k.Name+"-cluster-ca-cert", "ca.crt"), read(TLSUser, "user.crt"),
			read(TLSUser, "user.key")),
	}
	return c, failed
}

// tlsSettings are of a client with a certificate; without one where that is empty.
func tlsSettings(authority, certificate, key string) string {
	text := "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.certificates=" + oneLine(authority)
	if certificate != "" {
		text += "ssl.keystore.type=PEM\nssl.keystore.certificate.chain=" + oneLine(certificate) +
			"ssl.keystore.key=" + oneLine(key)
	}
	return text
}

// oneLine is a PEM text as a value of a properties file.
func oneLine(pem string) string { return strings.ReplaceAll(strings.TrimSpace(pem), "\n", `\n`) + "\n" }

// LogInTLS lists topics as the user with a certificate.
func (k *Kafka) LogInTLS(ctx context.Context, c Credentials) error {
	return k.listTopics(ctx, tlsPort, c.TLS)
}

// LogInScram lists topics as the user whose password the User Operator made.
func (k *Kafka) LogInScram(ctx context.Context, c Credentials) error {
	return k.listTopics(ctx, scramPort, c.Scram)
}

// DeleteManagedTopic deletes the KafkaTopic and waits until the Topic Operator has let it go, which has taken the topic
// out of Kafka then.
func (k *Kafka) DeleteManagedTopic(ctx context.Context) error {
	resource, err := k.resource("kafka.strimzi.io/"+k.apiVersion(), "KafkaTopic", k.Namespace)
	if err != nil {
		return err
	}
	if err := resource.Delete(ctx, ManagedTopic, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("delete KafkaTopic %q: %w", ManagedTopic, err)
	}
	return Wait(ctx, 2*time.Minute, "the Topic Operator lets the topic go", func(ctx context.Context) error {
		_, err := resource.Get(ctx, ManagedTopic, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is still there"), err)
	})
}

// WithoutCertificate are the settings of somebody who trusts the brokers and has no certificate.
func (c Credentials) WithoutCertificate() Credentials {
	settings, _, _ := strings.Cut(c.TLS, "ssl.keystore.")
	return Credentials{TLS: settings}
}
