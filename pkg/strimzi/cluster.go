package strimzi

import "strings"

// Version is the API version the cluster's resources were read in: v1 or v1beta2.
func (c *Cluster) Version() string {
	_, version, _ := strings.Cut(c.APIVersion, "/")
	return version
}

// IsKafkaClaim tells whether a claim's labels say that it belongs to a broker or controller of that cluster. Claims
// that were created by hand carry no labels; only their names tell.
func IsKafkaClaim(labels map[string]string, cluster string) bool {
	return labels[ClusterLabel] == cluster && labels[KindLabel] == KafkaKind &&
		(labels[ComponentLabel] == KafkaComponent || labels[NameLabel] == ComponentName(cluster))
}

// AuthoritySecrets are the names of the Secrets with the certificates and keys of a cluster's two authorities. The
// operator looks for them by name and label before it makes new ones (CaReconciler.java).
func AuthoritySecrets(cluster string) []string {
	return []string{
		cluster + "-cluster-ca-cert", cluster + "-cluster-ca", cluster + "-clients-ca-cert", cluster + "-clients-ca",
	}
}
