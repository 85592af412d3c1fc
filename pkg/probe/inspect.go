package probe

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// Change is one thing that admission made of a temporary pod that is not what was asked for.
type Change struct {
	// Field is the path in the pod, such as spec.securityContext.fsGroup.
	Field string `json:"field"`
	// Message says what is there now and what it would do.
	Message string `json:"message"`
}

// AdmissionError is the refusal to create a pod that admission would change in a way that could write to a volume, take
// the pod out of the tool's hands, or give it access it does not need.
type AdmissionError struct {
	Namespace string
	Changes   []Change
}

// Error lists the changed fields.
func (e *AdmissionError) Error() string {
	parts := make([]string, 0, len(e.Changes))
	for _, c := range e.Changes {
		parts = append(parts, c.Field+" "+c.Message)
	}
	return fmt.Sprintf("admission in namespace %q would change the temporary pod: %s; exempt pods labelled %s=%s from "+
		"that policy, or read elsewhere", e.Namespace, strings.Join(parts, "; "), LabelManagedBy, ManagedBy)
}

// Inspect compares a pod as it was sent with what the API server would store, and names every change that is not
// harmless. Defaults, tolerations, priority, pull secrets, resource defaults, node selectors and annotations are.
func Inspect(sent, stored *corev1.Pod) []Change {
	in := inspection{}
	in.metadata(stored)
	in.podSecurity(sent, stored)
	in.podFields(sent, stored)
	in.containers(sent, stored)
	in.volumes(sent, stored)
	return in.changes
}

type inspection struct{ changes []Change }

func (in *inspection) add(field, format string, args ...any) {
	in.changes = append(in.changes, Change{Field: field, Message: fmt.Sprintf(format, args...)})
}

func (in *inspection) metadata(stored *corev1.Pod) {
	for _, key := range sortedKeys(stored.Labels) {
		if strings.HasPrefix(key, "strimzi.io/") {
			in.add("metadata.labels["+key+"]", "was added: the operator would take the pod for its own and delete it")
		}
	}
	if len(stored.OwnerReferences) > 0 {
		in.add("metadata.ownerReferences", "were added: the pod would go with its owner")
	}
}

func (in *inspection) podSecurity(sent, stored *corev1.Pod) {
	want, got := sent.Spec.SecurityContext, stored.Spec.SecurityContext
	if got == nil {
		in.add("spec.securityContext", "was removed")
		return
	}
	if got.FSGroup != nil {
		in.add("spec.securityContext.fsGroup", "was set to %d: the group of every file on a volume may be changed to it",
			*got.FSGroup)
	}
	if want.RunAsUser != nil && !equality.Semantic.DeepEqual(want.RunAsUser, got.RunAsUser) {
		in.add("spec.securityContext.runAsUser", "was changed to %s", number(got.RunAsUser))
	}
	if want.RunAsGroup != nil && !equality.Semantic.DeepEqual(want.RunAsGroup, got.RunAsGroup) {
		in.add("spec.securityContext.runAsGroup", "was changed to %s", number(got.RunAsGroup))
	}
	for _, g := range want.SupplementalGroups {
		if !slices.Contains(got.SupplementalGroups, g) {
			in.add("spec.securityContext.supplementalGroups", "lost %d, which the volumes are readable by", g)
		}
	}
	if got.RunAsNonRoot == nil || !*got.RunAsNonRoot {
		in.add("spec.securityContext.runAsNonRoot", "is no longer true")
	}
	if len(got.Sysctls) > 0 {
		in.add("spec.securityContext.sysctls", "were added")
	}
}

func (in *inspection) podFields(sent, stored *corev1.Pod) {
	got := stored.Spec
	for _, c := range got.InitContainers {
		in.add("spec.initContainers", "got %q", c.Name)
	}
	for _, c := range got.EphemeralContainers {
		in.add("spec.ephemeralContainers", "got %q", c.Name)
	}
	if got.HostNetwork || got.HostPID || got.HostIPC {
		in.add("spec.hostNetwork/hostPID/hostIPC", "was set")
	}
	if got.NodeName != "" {
		in.add("spec.nodeName", "was set to %q: that bypasses the scheduler", got.NodeName)
	}
	if got.RestartPolicy != corev1.RestartPolicyNever {
		in.add("spec.restartPolicy", "was changed to %s", got.RestartPolicy)
	}
	if got.ActiveDeadlineSeconds == nil || *got.ActiveDeadlineSeconds > *sent.Spec.ActiveDeadlineSeconds {
		in.add("spec.activeDeadlineSeconds", "was raised or removed: the pod would not expire by itself")
	}
	if got.AutomountServiceAccountToken == nil || *got.AutomountServiceAccountToken {
		in.add("spec.automountServiceAccountToken", "is no longer false")
	}
}

func (in *inspection) containers(sent, stored *corev1.Pod) {
	found := false
	for i := range stored.Spec.Containers {
		got := &stored.Spec.Containers[i]
		if got.Name != containerName {
			in.add("spec.containers", "got the sidecar %q", got.Name)
			continue
		}
		found = true
		in.container(&sent.Spec.Containers[0], got)
	}
	if !found {
		in.add("spec.containers", "lost %q", containerName)
	}
}

func (in *inspection) container(want, got *corev1.Container) {
	const at = "spec.containers[read]."
	if !slices.Equal(want.Command, got.Command) || !slices.Equal(want.Args, got.Args) {
		in.add(at+"command", "was changed")
	}
	for _, e := range got.Env {
		in.add(at+"env", "got %q", e.Name)
	}
	if len(got.EnvFrom) > 0 {
		in.add(at+"envFrom", "was added")
	}
	if got.Lifecycle != nil {
		in.add(at+"lifecycle", "was added")
	}
	if got.LivenessProbe != nil || got.ReadinessProbe != nil || got.StartupProbe != nil {
		in.add(at+"probes", "were added")
	}
	for _, d := range got.VolumeDevices {
		in.add(at+"volumeDevices", "got %q", d.Name)
	}
	in.containerSecurity(want, got, at)
	in.mounts(want, got, at)
}

func (in *inspection) containerSecurity(want, got *corev1.Container, at string) {
	w, g := want.SecurityContext, got.SecurityContext
	if g == nil {
		in.add(at+"securityContext", "was removed")
		return
	}
	if g.Privileged != nil && *g.Privileged {
		in.add(at+"securityContext.privileged", "was set")
	}
	if g.AllowPrivilegeEscalation == nil || *g.AllowPrivilegeEscalation {
		in.add(at+"securityContext.allowPrivilegeEscalation", "is no longer false")
	}
	if g.ReadOnlyRootFilesystem == nil || !*g.ReadOnlyRootFilesystem {
		in.add(at+"securityContext.readOnlyRootFilesystem", "is no longer true")
	}
	if !equality.Semantic.DeepEqual(w.Capabilities.Drop, capabilities(g).Drop) || len(capabilities(g).Add) > 0 {
		in.add(at+"securityContext.capabilities", "were changed")
	}
	if g.RunAsNonRoot == nil || !*g.RunAsNonRoot {
		in.add(at+"securityContext.runAsNonRoot", "is no longer true")
	}
}

func (in *inspection) mounts(want, got *corev1.Container, at string) {
	wanted := map[string]corev1.VolumeMount{}
	for _, m := range want.VolumeMounts {
		wanted[m.Name] = m
	}
	for _, m := range got.VolumeMounts {
		w, ok := wanted[m.Name]
		delete(wanted, m.Name)
		switch {
		case !ok:
			in.add(at+"volumeMounts", "got %q at %s", m.Name, m.MountPath)
		case w.ReadOnly && !m.ReadOnly:
			in.add(at+"volumeMounts["+m.Name+"].readOnly", "is no longer true: the volume could be written to")
		case m.MountPath != w.MountPath || m.SubPath != "" || m.SubPathExpr != "":
			in.add(at+"volumeMounts["+m.Name+"]", "was moved to %s %s%s", m.MountPath, m.SubPath, m.SubPathExpr)
		case m.MountPropagation != nil && *m.MountPropagation != corev1.MountPropagationNone:
			in.add(at+"volumeMounts["+m.Name+"].mountPropagation", "was changed to %s", *m.MountPropagation)
		}
	}
	for _, name := range sortedKeys(wanted) {
		in.add(at+"volumeMounts", "lost %q", name)
	}
}

func (in *inspection) volumes(sent, stored *corev1.Pod) {
	wanted := map[string]corev1.Volume{}
	for _, v := range sent.Spec.Volumes {
		wanted[v.Name] = v
	}
	for _, v := range stored.Spec.Volumes {
		w, ok := wanted[v.Name]
		delete(wanted, v.Name)
		switch {
		case !ok && v.Projected != nil:
			in.add("spec.volumes", "got the projected volume %q, which may hold a token", v.Name)
		case !ok:
			in.add("spec.volumes", "got %q", v.Name)
		case v.PersistentVolumeClaim == nil ||
			v.PersistentVolumeClaim.ClaimName != w.PersistentVolumeClaim.ClaimName:
			in.add("spec.volumes["+v.Name+"]", "is another volume now")
		case w.PersistentVolumeClaim.ReadOnly && !v.PersistentVolumeClaim.ReadOnly:
			in.add("spec.volumes["+v.Name+"].persistentVolumeClaim.readOnly",
				"is no longer true: the kubelet could change groups and labels on the volume")
		}
	}
	for _, name := range sortedKeys(wanted) {
		in.add("spec.volumes", "lost %q", name)
	}
}

func capabilities(s *corev1.SecurityContext) corev1.Capabilities {
	if s.Capabilities == nil {
		return corev1.Capabilities{}
	}
	return *s.Capabilities
}

func number(n *int64) string {
	if n == nil {
		return "nothing"
	}
	return fmt.Sprint(*n)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
