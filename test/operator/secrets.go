package operator

import (
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // a thumbprint that Strimzi writes as SHA-1; nothing is protected by it
	"encoding/base64"
	"encoding/hex"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// secretState is what the stand-ins for certificates come to.
type secretState struct {
	// authority stands for the cluster CA's certificate.
	authority string
	// thumbprints are those of the nodes' certificates, by pod name.
	thumbprints map[string]string
}

// randomUUID is Kafka's Uuid.randomUuid: sixteen random bytes in unpadded URL-safe base64 that do not begin with "-".
func randomUUID() (string, error) {
	for {
		var raw [16]byte
		if _, err := rand.Read(raw[:]); err != nil {
			return "", fmt.Errorf("make a random cluster ID: %w", err)
		}
		raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
		if id := base64.RawURLEncoding.EncodeToString(raw[:]); id[0] != '-' {
			return id, nil
		}
	}
}

// reconcileCAs keeps the two authorities that are there and makes new ones where none are: they are owned by the Kafka
// resource, so they go with it.
func (r *reconciliation) reconcileCAs(ctx context.Context) error {
	for _, authority := range []string{"cluster-ca", "clients-ca"} {
		name := r.key.Name + "-" + authority
		existing, err := r.typed.CoreV1().Secrets(r.key.Namespace).Get(ctx, name+"-cert", metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return apiFailure("GET", "/api/v1/namespaces/"+r.key.Namespace+"/secrets/"+name+"-cert", err)
		}
		cert := string(existing.Data["ca.crt"])
		if cert == "" || existing.Labels[labelCluster] != r.key.Name || existing.Labels[labelKind] != "Kafka" {
			id, err := randomUUID()
			if err != nil {
				return err
			}
			cert = "stand-in for the certificate of " + name + " " + id + "\n"
		}
		if authority == "cluster-ca" {
			r.secrets.authority = cert
		}
		if err := r.applyAuthority(ctx, name, cert); err != nil {
			return err
		}
	}
	return nil
}

func (r *reconciliation) applyAuthority(ctx context.Context, name, cert string) error {
	err := r.applySecret(ctx, name, "certificate-authority", "strimzi", "certificate-authority",
		map[string]string{"strimzi.io/ca-key-generation": "0"}, map[string]string{"ca.key": "stand-in for a key\n"})
	if err != nil {
		return err
	}
	return r.applySecret(ctx, name+"-cert", "certificate-authority", "strimzi", "certificate-authority",
		map[string]string{"strimzi.io/ca-cert-generation": "0"},
		map[string]string{"ca.crt": cert, "ca.p12": "stand-in for a trust store\n", "ca.password": "stand-in\n"})
}

// certificateSecrets gives every node its stand-in certificate, made from the authority's: a new authority means new
// thumbprints for all.
func (r *reconciliation) certificateSecrets(ctx context.Context) error {
	generations := map[string]string{"strimzi.io/cluster-ca-cert-generation": "0"}
	r.secrets.thumbprints = map[string]string{}
	for _, n := range r.nodes {
		name := n.podName()
		cert := "stand-in for the certificate of " + name + " by " + r.secrets.authority
		sum := sha1.Sum([]byte(cert)) //nolint:gosec // see the import
		r.secrets.thumbprints[name] = hex.EncodeToString(sum[:])
		err := r.applySecret(ctx, name, "kafka", r.key.Name+"-kafka", "kafka", generations,
			map[string]string{name + ".crt": cert, name + ".key": "stand-in for a key\n"})
		if err != nil {
			return err
		}
	}
	err := r.applySecret(ctx, r.key.Name+"-cluster-operator-certs", "strimzi", "strimzi", "strimzi", generations,
		map[string]string{"cluster-operator.crt": "stand-in\n", "cluster-operator.key": "stand-in\n"})
	if err != nil {
		return err
	}
	return r.applySecret(ctx, r.key.Name+"-trustbundle", "trust-bundle", "strimzi", "trust-bundle",
		map[string]string{
			"strimzi.io/cluster-ca-cert-generation": "0", "strimzi.io/clients-ca-cert-generation": "0",
		},
		map[string]string{"cluster-ca.crt": r.secrets.authority, "clients-ca.crt": "stand-in\n"})
}

func (r *reconciliation) applySecret(
	ctx context.Context, name, component, strimziName, app string, annotations, data map[string]string,
) error {
	raw := map[string][]byte{}
	for key, value := range data {
		raw[key] = []byte(value)
	}
	body, err := encode(&corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: r.key.Namespace, Annotations: annotations,
			Labels:          clusterLabels(r.kafka, r.key.Name, strimziName, component, app),
			OwnerReferences: []metav1.OwnerReference{ownedBy(r.kafka, false)},
		},
		Type: corev1.SecretTypeOpaque, Data: raw,
	}, name)
	if err != nil {
		return err
	}
	_, err = r.typed.CoreV1().Secrets(r.key.Namespace).Patch(ctx, name, types.ApplyPatchType, body, applying())
	if err != nil {
		return apiFailure("PATCH", "/api/v1/namespaces/"+r.key.Namespace+"/secrets/"+name, err)
	}
	return nil
}
