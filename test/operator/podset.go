package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// reconcilePodSets writes one StrimziPodSet for each pool, removes those of pools that are gone, and waits for the
// pods of nodes that are new.
func (r *reconciliation) reconcilePodSets(ctx context.Context) error {
	sets := r.dynamic.Resource(r.at.podSets).Namespace(r.key.Namespace)
	desired := map[string]bool{}
	for _, p := range r.pools {
		set, err := r.podSet(p)
		if err != nil {
			return err
		}
		desired[set.GetName()] = true
		if err := r.applyPodSet(ctx, set); err != nil {
			return err
		}
	}
	list, err := sets.List(ctx, metav1.ListOptions{LabelSelector: labels.Set(selectorLabels(r.key.Name, "")).String()})
	if err != nil {
		return apiFailure("GET", "/apis/"+groupCore+"/strimzipodsets", err)
	}
	for i := range list.Items {
		name := list.Items[i].GetName()
		if desired[name] {
			continue
		}
		if err := sets.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return apiFailure("DELETE", "/apis/"+groupCore+"/strimzipodsets/"+name, err)
		}
	}
	return r.waitForPods(ctx, r.addedPods())
}

// addedPods are the pods of nodes that were in no pool's status.
func (r *reconciliation) addedPods() []string {
	var names []string
	for _, p := range r.pools {
		for _, id := range p.ids.added {
			names = append(names, p.podName(id))
		}
	}
	return names
}

// applyPodSet creates the pod set or replaces its metadata and spec where they differ.
func (r *reconciliation) applyPodSet(ctx context.Context, desired *unstructured.Unstructured) error {
	sets := r.dynamic.Resource(r.at.podSets).Namespace(r.key.Namespace)
	path := "/apis/" + groupCore + "/strimzipodsets/" + desired.GetName()
	current, err := sets.Get(ctx, desired.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		if _, err := sets.Create(ctx, desired, metav1.CreateOptions{FieldManager: fieldManager}); err != nil {
			return apiFailure("POST", path, err)
		}
		return nil
	}
	if err != nil {
		return apiFailure("GET", path, err)
	}
	next := current.DeepCopy()
	next.SetLabels(desired.GetLabels())
	next.SetAnnotations(desired.GetAnnotations())
	next.SetOwnerReferences(desired.GetOwnerReferences())
	next.Object["spec"] = desired.Object["spec"]
	if _, err := sets.Update(ctx, next, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return apiFailure("PUT", path, err)
	}
	return nil
}

func (r *reconciliation) podSet(p *pool) (*unstructured.Unstructured, error) {
	pods := make([]any, 0, len(p.ids.desired))
	for _, id := range p.ids.desired {
		pod, err := r.pod(node{p, id})
		if err != nil {
			return nil, err
		}
		pods = append(pods, pod)
	}
	selector := map[string]any{}
	for key, value := range selectorLabels(p.cluster, p.name) {
		selector[key] = value
	}
	set := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"pods": pods, "selector": map[string]any{"matchLabels": selector},
	}}}
	set.SetAPIVersion(r.at.podSets.GroupVersion().String())
	set.SetKind("StrimziPodSet")
	set.SetName(p.cluster + "-" + p.name)
	set.SetNamespace(r.key.Namespace)
	set.SetLabels(poolLabels(p))
	set.SetAnnotations(map[string]string{annotationKafka: r.version, annotationStorage: p.storage.json()})
	set.SetOwnerReferences([]metav1.OwnerReference{ownedBy(p.object, false)})
	return set, nil
}

// pod is one entry of a pod set's spec.pods.
func (r *reconciliation) pod(n node) (map[string]any, error) {
	name := n.podName()
	podLabels := poolLabels(n.pool)
	for key, value := range map[string]string{
		"strimzi.io/broker-role":     fmt.Sprint(n.pool.hasRole("broker")),
		"strimzi.io/controller-role": fmt.Sprint(n.pool.hasRole("controller")),
		"strimzi.io/controller":      "strimzipodset", "strimzi.io/controller-name": n.pool.cluster + "-" + n.pool.name,
		labelPodName: name,
	} {
		podLabels[key] = value
	}
	spec := r.podSpec(n)
	revision, err := revisionOf(spec)
	if err != nil {
		return nil, err
	}
	configuration, err := revisionOf(r.listenerConfig(n))
	if err != nil {
		return nil, err
	}
	resources, err := revisionOf(spec.Containers[0].Resources)
	if err != nil {
		return nil, err
	}
	pod := corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: r.key.Namespace, Labels: podLabels,
			Annotations: map[string]string{
				"strimzi.io/clients-ca-cert-generation": "0", "strimzi.io/cluster-ca-cert-generation": "0",
				"strimzi.io/cluster-ca-key-generation": "0", "strimzi.io/configuration-hash": configuration,
				annotationKafka: r.version, "strimzi.io/resource-revision": resources, annotationRevision: revision,
				annotationServerCert: r.secrets.thumbprints[name],
			},
		},
		Spec: spec,
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&pod)
	if err != nil {
		return nil, fmt.Errorf("build pod %q: %w", name, err)
	}
	delete(object, "status")
	// A null time is no time; the pod set's schema keeps what it is given.
	unstructured.RemoveNestedField(object, "metadata", "creationTimestamp")
	containers, _ := object["spec"].(map[string]any)["containers"].([]any)
	container, _ := containers[0].(map[string]any)
	if resources, _ := container["resources"].(map[string]any); len(resources) == 0 {
		delete(container, "resources")
	}
	return object, nil
}

// revisionOf is a short hash, as PodRevision.java writes it.
func revisionOf(value any) (string, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("hash a pod: %w", err)
	}
	h := fnv.New32a()
	_, _ = h.Write(raw)
	return fmt.Sprintf("%08x", h.Sum32()), nil
}

func (r *reconciliation) podSpec(n node) corev1.PodSpec {
	grace := int64(30)
	no := false
	var group int64
	spec := corev1.PodSpec{
		AutomountServiceAccountToken: &no,
		Containers:                   []corev1.Container{r.container(n)},
		Hostname:                     n.podName(), Subdomain: r.key.Name + "-kafka-brokers",
		RestartPolicy:                 corev1.RestartPolicyAlways,
		SchedulerName:                 r.schedulerName(),
		SecurityContext:               &corev1.PodSecurityContext{FSGroup: &group},
		ServiceAccountName:            r.key.Name + "-kafka",
		TerminationGracePeriodSeconds: &grace,
	}
	for _, v := range n.pool.storage.volumes {
		volume := corev1.Volume{Name: v.volumeName()}
		if v.kind == "persistent-claim" {
			volume.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: v.claimName(n.podName())}
		} else {
			volume.EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
		spec.Volumes = append(spec.Volumes, volume)
	}
	spec.Volumes = append(spec.Volumes, tokenVolume(), memoryVolume("strimzi-tmp", "5Mi"),
		corev1.Volume{Name: "kafka-metrics-and-logging", VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: n.podName()}},
		}},
		memoryVolume("ready-files", "1Ki"))
	r.applyTemplate(n, &spec)
	return spec
}

func (r *reconciliation) schedulerName() string {
	if name := r.runtime.SchedulerName(); name != "" {
		return name
	}
	return "default-scheduler"
}

func memoryVolume(name, size string) corev1.Volume {
	limit := resource.MustParse(size)
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: &limit},
	}}
}

func tokenVolume() corev1.Volume {
	mode := int32(0o644)
	return corev1.Volume{Name: "kube-api-access", VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{DefaultMode: &mode, Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
				Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
			}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{
				{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}},
			}}},
		}},
	}}
}
