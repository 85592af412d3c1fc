package operator

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

func (r *reconciliation) container(n node) corev1.Container {
	c := corev1.Container{
		Name: "kafka", Image: r.image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args: []string{"/opt/kafka/kafka_run.sh"},
		Env: append([]corev1.EnvVar{
			{Name: "KAFKA_JMX_EXPORTER_ENABLED", Value: "false"},
			{Name: "STRIMZI_KAFKA_GC_LOG_ENABLED", Value: "false"},
			{Name: "KAFKA_CLUSTER_NAME", Value: r.key.Name},
		}, r.heap(n)...),
		Ports:         r.containerPorts(n),
		LivenessProbe: probe("/opt/kafka/kafka_liveness.sh"), ReadinessProbe: probe("/opt/kafka/kafka_readiness.sh"),
	}
	for _, v := range n.pool.storage.volumes {
		c.VolumeMounts = append(c.VolumeMounts,
			corev1.VolumeMount{Name: v.volumeName(), MountPath: dataMount + "/" + v.volumeName()})
	}
	c.VolumeMounts = append(c.VolumeMounts,
		corev1.VolumeMount{
			Name: "kube-api-access", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true,
		},
		corev1.VolumeMount{Name: "strimzi-tmp", MountPath: "/tmp"},
		corev1.VolumeMount{Name: "kafka-metrics-and-logging", MountPath: "/opt/kafka/custom-config/"},
		corev1.VolumeMount{Name: "ready-files", MountPath: "/var/opt/kafka"})
	decode(n.pool.object, &c.Resources, "spec", "resources")
	if r.options.Restricted {
		no, yes := false, true
		c.SecurityContext = &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no, RunAsNonRoot: &yes,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
	}
	return c
}

func probe(script string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:        corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{script}}},
		InitialDelaySeconds: 15, TimeoutSeconds: 5,
	}
}

func (r *reconciliation) containerPorts(n node) []corev1.ContainerPort {
	ports := []corev1.ContainerPort{{Name: "tcp-kafkaagent", ContainerPort: 8443, Protocol: corev1.ProtocolTCP}}
	if n.pool.hasRole("controller") {
		ports = append(ports,
			corev1.ContainerPort{Name: "tcp-ctrlplane", ContainerPort: 9090, Protocol: corev1.ProtocolTCP})
	}
	if !n.pool.hasRole("broker") {
		return ports
	}
	ports = append(ports,
		corev1.ContainerPort{Name: "tcp-replication", ContainerPort: 9091, Protocol: corev1.ProtocolTCP})
	for _, l := range r.listeners {
		ports = append(ports,
			corev1.ContainerPort{Name: l.portName(), ContainerPort: int32(l.port), Protocol: corev1.ProtocolTCP})
	}
	return ports
}

// heap is what spec.jvmOptions of the pool, else of the Kafka resource, asks for; without it the image decides.
func (r *reconciliation) heap(n node) []corev1.EnvVar {
	options, found, _ := unstructured.NestedStringMap(n.pool.object.Object, "spec", "jvmOptions")
	if !found {
		options, _, _ = unstructured.NestedStringMap(r.kafka.Object, "spec", "kafka", "jvmOptions")
	}
	var flags []string
	for _, flag := range []string{"-Xms", "-Xmx"} {
		if size := options[flag]; size != "" {
			flags = append(flags, flag+size)
		}
	}
	if len(flags) == 0 {
		return []corev1.EnvVar{
			{Name: "STRIMZI_DYNAMIC_HEAP_PERCENTAGE", Value: "50"},
			{Name: "STRIMZI_DYNAMIC_HEAP_MAX", Value: "5368709120"},
		}
	}
	return []corev1.EnvVar{{Name: "KAFKA_HEAP_OPTS", Value: strings.Join(flags, " ")}}
}

// applyTemplate takes over what template.pod of the pool, else of the Kafka resource, says about placing and identity.
func (r *reconciliation) applyTemplate(n node, spec *corev1.PodSpec) {
	source, path := n.pool.object, []string{"spec", "template", "pod"}
	if template, found, _ := unstructured.NestedMap(source.Object, path...); !found || template == nil {
		source, path = r.kafka, []string{"spec", "kafka", "template", "pod"}
	}
	field := func(name string) []string { return append(append([]string{}, path...), name) }
	decode(source, &spec.Tolerations, field("tolerations")...)
	decode(source, &spec.ImagePullSecrets, field("imagePullSecrets")...)
	decode(source, &spec.Affinity, field("affinity")...)
	decode(source, &spec.SecurityContext, field("securityContext")...)
}

// decode fills into from a field of the object where there is one. The resource definitions have checked its shape.
func decode[T any](object *unstructured.Unstructured, into *T, path ...string) {
	value, found, _ := unstructured.NestedFieldCopy(object.Object, path...)
	if !found || value == nil {
		return
	}
	var holder struct {
		Value T `json:"value"`
	}
	wrapped := map[string]any{"value": value}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(wrapped, &holder); err == nil {
		*into = holder.Value
	}
}
