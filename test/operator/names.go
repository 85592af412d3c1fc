package operator

import (
	"maps"
	"regexp"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Groups, annotations, labels and the field manager as Strimzi spells them.
const (
	groupKafka = "kafka.strimzi.io"
	groupCore  = "core.strimzi.io"

	annotationPause       = "strimzi.io/pause-reconciliation"
	annotationNextIDs     = "strimzi.io/next-node-ids"
	annotationRemoveIDs   = "strimzi.io/remove-node-ids"
	annotationDeleteClaim = "strimzi.io/delete-claim"
	annotationStorage     = "strimzi.io/storage"
	annotationKafka       = "strimzi.io/kafka-version"
	annotationRevision    = "strimzi.io/revision"
	annotationServerCert  = "strimzi.io/server-cert-hash"

	labelCluster = "strimzi.io/cluster"
	labelKind    = "strimzi.io/kind"
	labelName    = "strimzi.io/name"
	labelPool    = "strimzi.io/pool-name"
	labelPodName = "strimzi.io/pod-name"

	fieldManager = "strimzi-kafka-operator"
)

// excludedLabels is the default of STRIMZI_LABELS_EXCLUSION_PATTERN (Labels.java), without its look-ahead: part-of is
// let through separately.
var excludedLabels = regexp.MustCompile(`^(app\.kubernetes\.io/.*|kustomize\.toolkit\.fluxcd\.io.*)`)

// resources are the group versions of Strimzi's resources on the cluster at hand.
type resources struct {
	kafkas, pools, podSets schema.GroupVersionResource
}

func resourcesOf(version string) resources {
	kafka := schema.GroupVersion{Group: groupKafka, Version: version}
	return resources{
		kafkas:  kafka.WithResource("kafkas"),
		pools:   kafka.WithResource("kafkanodepools"),
		podSets: schema.GroupVersionResource{Group: groupCore, Version: version, Resource: "strimzipodsets"},
	}
}

// clusterLabels are those of a resource that belongs to the whole cluster. name is the value of strimzi.io/name,
// component that of strimzi.io/component-type, app that of app.kubernetes.io/name.
func clusterLabels(owner *unstructured.Unstructured, cluster, name, component, app string) map[string]string {
	labels := map[string]string{}
	for key, value := range owner.GetLabels() {
		if !excludedLabels.MatchString(key) || key == "app.kubernetes.io/part-of" {
			labels[key] = value
		}
	}
	maps.Copy(labels, map[string]string{
		"app.kubernetes.io/instance":   cluster,
		"app.kubernetes.io/managed-by": "strimzi-cluster-operator",
		"app.kubernetes.io/name":       app,
		"app.kubernetes.io/part-of":    "strimzi-" + cluster,
		labelCluster:                   cluster,
		"strimzi.io/component-type":    component,
		labelKind:                      "Kafka",
		labelName:                      name,
	})
	return labels
}

// poolLabels are those of a resource that belongs to a node pool.
func poolLabels(p *pool) map[string]string {
	labels := clusterLabels(p.object, p.cluster, p.cluster+"-kafka", "kafka", "kafka")
	labels[labelPool] = p.name
	return labels
}

// selectorLabels select everything of the cluster's Kafka nodes; with a pool, of that pool.
func selectorLabels(cluster, poolName string) map[string]string {
	labels := map[string]string{labelCluster: cluster, labelKind: "Kafka", labelName: cluster + "-kafka"}
	if poolName != "" {
		labels[labelPool] = poolName
	}
	return labels
}

// ownedBy is the owner reference Strimzi sets: blocking, not controlling, except for pods.
func ownedBy(owner *unstructured.Unstructured, controller bool) metav1.OwnerReference {
	block := true
	return metav1.OwnerReference{
		APIVersion: owner.GetAPIVersion(), Kind: owner.GetKind(), Name: owner.GetName(), UID: owner.GetUID(),
		BlockOwnerDeletion: &block, Controller: &controller,
	}
}

// isTrue is Strimzi's reading of a boolean annotation (Boolean.parseBoolean).
func isTrue(annotations map[string]string, key string) bool {
	return strings.EqualFold(annotations[key], "true")
}
