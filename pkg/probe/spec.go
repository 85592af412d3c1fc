package probe

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Names inside a temporary pod.
const (
	containerName = "read"
	mountRoot     = "/claims"
)

// idle keeps the container until it is told to end, at once when told: without the trap a shell that is process 1
// ignores TERM and costs the whole grace period. cat waits on a stdin that nobody ever writes; sleep takes over where
// a runtime closes stdin.
const idle = `trap 'exit 0' TERM INT; { cat <&0; sleep 86400; } >/dev/null 2>&1 & wait`

// podSpec is everything that decides what a temporary pod looks like.
type podSpec struct {
	name, namespace, operation string
	// claims are mounted at mountRoot/0, mountRoot/1, … in this order.
	claims      []string
	image       string
	pullSecrets []string
	identity    Identity
	tolerations []corev1.Toleration
	selector    map[string]string
	// node pins the pod by affinity; empty leaves it to the scheduler, which follows the volumes' own affinity.
	node string
	// writable mounts the claims writable, for a renaming.
	writable bool
	// lifetime is when Kubernetes ends the pod if nobody else has.
	lifetime time.Duration
}

// build returns the pod. It satisfies the restricted pod security standard and stays out of service meshes.
func (s podSpec) build() *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: s.name, Namespace: s.namespace,
			Labels: map[string]string{
				LabelManagedBy: ManagedBy, LabelOperation: s.operation,
				"app.kubernetes.io/name":    "kafkarecover-probe",
				"sidecar.istio.io/inject":   "false",
				"istio.io/dataplane-mode":   "none",
				"linkerd.io/inject":         "disabled",
				"kuma.io/sidecar-injection": "disabled",
			},
			Annotations: map[string]string{
				"sidecar.istio.io/inject":                        "false",
				"linkerd.io/inject":                              "disabled",
				"consul.hashicorp.com/connect-inject":            "false",
				"cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
				"karpenter.sh/do-not-disrupt":                    "true",
			},
		},
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyNever,
			AutomountServiceAccountToken:  new(false),
			EnableServiceLinks:            new(false),
			ActiveDeadlineSeconds:         new(int64(s.lifetime / time.Second)),
			TerminationGracePeriodSeconds: new(int64(1)),
			SecurityContext:               s.podSecurity(),
			Tolerations:                   slices.Clone(s.tolerations),
			NodeSelector:                  s.selector,
			Affinity:                      s.affinity(),
			Containers:                    []corev1.Container{s.container()},
		},
	}
	for _, name := range s.pullSecrets {
		pod.Spec.ImagePullSecrets = append(pod.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	for i, claim := range s.claims {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
			Name: volumeName(i),
			VolumeSource: corev1.VolumeSource{
				// read-only here, and not only on the mount: this is what keeps the kubelet from changing groups
				// and SELinux labels on the volume
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim, ReadOnly: !s.writable},
			},
		})
	}
	return pod
}

func (s podSpec) podSecurity() *corev1.PodSecurityContext {
	return &corev1.PodSecurityContext{
		RunAsNonRoot: new(true), RunAsUser: s.identity.User, RunAsGroup: s.identity.Group,
		SupplementalGroups: slices.Clone(s.identity.Groups),
		SeccompProfile:     &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

func (s podSpec) container() corev1.Container {
	c := corev1.Container{
		Name: containerName, Image: s.image, ImagePullPolicy: corev1.PullIfNotPresent,
		Command: []string{"sh", "-c", idle}, Stdin: true,
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("32Mi"),
			},
			Limits: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("128Mi"),
			},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), Privileged: new(false),
			RunAsNonRoot: new(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
	for i := range s.claims {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{
			Name: volumeName(i), MountPath: mountRoot + "/" + strconv.Itoa(i), ReadOnly: !s.writable,
		})
	}
	return c
}

// affinity pins the pod to a node through the scheduler: spec.nodeName would bypass it, and with it the binding and
// attaching of volumes.
func (s podSpec) affinity() *corev1.Affinity {
	if s.node == "" {
		return nil
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchFields: []corev1.NodeSelectorRequirement{{
					Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{s.node},
				}},
			}},
		},
	}}
}

func volumeName(i int) string { return fmt.Sprintf("claim-%d", i) }
