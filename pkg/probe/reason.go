package probe

import (
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// Code classifies why a claim was not read.
type Code string

// The codes. Those of the claim and volume come first, then of the pod, the cluster's policies, and the reading.
const (
	CodeNotFound     Code = "claim-not-found"
	CodeNotBound     Code = "claim-not-bound"
	CodeTerminating  Code = "claim-terminating"
	CodeBlockMode    Code = "block-volume"
	CodeInUse        Code = "read-write-once-pod" // ReadWriteOncePod, and a pod has it
	CodeMultiAttach  Code = "multi-attach"
	CodeAttach       Code = "attach-failed"
	CodeMount        Code = "mount-failed"
	CodeNodeAffinity Code = "node-affinity"
	CodeVolumeLimit  Code = "node-volume-limit"
	CodeTaint        Code = "taint"
	CodeResources    Code = "insufficient-resources"
	CodeScheduling   Code = "unschedulable"
	CodeImage        Code = "image"
	CodeContainer    Code = "container"
	CodeEvicted      Code = "evicted"
	CodeQuota        Code = "quota"
	CodePodSecurity  Code = "pod-security"
	CodeAdmission    Code = "admission"
	CodeForbidden    Code = "forbidden"
	CodeTimeout      Code = "timeout"
	CodePermission   Code = "permission" // the files do not let the pod's user read them
	CodeRead         Code = "read-failed"
	CodeInterrupted  Code = "interrupted"
)

// Reason is why a claim was not read: a code for decisions, and Kubernetes' own words.
type Reason struct {
	Code Code `json:"code"`
	// Message is what was observed, in the words of whoever said it.
	Message string `json:"message"`
	// From says who: an event's or condition's reason, a container state, an API status.
	From string `json:"from,omitempty"`
	// Volumes are the PersistentVolume names or pod volume names the message points at; empty when it does not say.
	Volumes []string `json:"-"`
	// Final tells that waiting longer cannot help.
	Final bool `json:"-"`
}

// String is the code and the message.
func (r Reason) String() string {
	if r.Message == "" {
		return string(r.Code)
	}
	return string(r.Code) + " (" + oneLine(r.Message) + ")"
}

// ofVolume tells whether one claim among several may be to blame, so that splitting the group helps the others.
func (r Reason) ofVolume() bool {
	switch r.Code { //nolint:exhaustive // every other code concerns all claims of a pod alike
	case CodeNotFound, CodeNotBound, CodeTerminating, CodeBlockMode, CodeInUse, CodeMultiAttach, CodeAttach, CodeMount,
		CodeNodeAffinity:
		return true
	default:
		return false
	}
}

var (
	// `for volume "pvc-…"` in events of the attach/detach controller and the kubelet's operation generator.
	forVolume = regexp.MustCompile(`for volume "([^"]+)"`)
	// `unmounted volumes=[claim-3 claim-4]` in events of the kubelet's volume manager.
	unmounted = regexp.MustCompile(`unmounted volumes=\[([^\]]*)\]`)
	// `volume claim-0 has volumeMode Block` in the kubelet's FailedMapVolume and container errors.
	blockMode = regexp.MustCompile(`volume (claim-\d+) has volumeMode Block`)
)

// ClassifyEvent says what an event of a temporary pod means for its start; ok is false for events that mean nothing.
// The texts are those of kube-scheduler, the attach/detach controller and the kubelet.
func ClassifyEvent(ev *corev1.Event) (r Reason, ok bool) {
	r = Reason{Message: ev.Message, From: "event " + ev.Reason, Volumes: volumesIn(ev.Message)}
	switch ev.Reason {
	case "FailedScheduling":
		return classifyScheduling(r), true
	case "FailedAttachVolume":
		r.Code = CodeAttach
		if strings.Contains(ev.Message, "Multi-Attach error") {
			r.Code = CodeMultiAttach
			// without pods, it is a node that is being detached from, which passes
			r.Final = strings.Contains(ev.Message, "already used by pod")
		}
		return r, true
	case "FailedMount", "FailedMapVolume":
		return classifyMount(r), true
	case "Failed", "InspectFailed", "ErrImageNeverPull":
		if containsAny(ev.Message, "pull image", "ErrImagePull", "ImagePullBackOff", "InvalidImageName",
			"apply default image tag",
			"is not present with pull policy") {
			r.Code = CodeImage
			r.Final = !containsAny(ev.Message, "timeout", "deadline", "429", "toomanyrequests", "connection reset")
			return r, true
		}
		r.Code = CodeContainer
		return r, true
	case "FailedCreatePodSandBox":
		r.Code = CodeContainer
		return r, true
	case "Evicted", "Preempted", "TaintManagerEviction":
		r.Code, r.Final = CodeEvicted, true
		return r, true
	}
	return Reason{}, false
}

func classifyMount(r Reason) Reason {
	r.Code = CodeMount
	switch {
	case strings.Contains(r.Message, "PVC is being deleted"):
		r.Code, r.Final = CodeTerminating, true
	case containsAny(r.Message, "PVC is not bound", "not bound to claim", "has non-bound phase"):
		r.Code, r.Final = CodeNotBound, true
	case strings.Contains(r.Message, "volumeMode Block"):
		r.Code, r.Final = CodeBlockMode, true
	}
	return r
}

// classifyScheduling reads the scheduler's summary, "0/3 nodes are available: 1 node(s) had untolerated taint …, 2
// node(s) didn't match PersistentVolume's node affinity." What only the volume can cause wins over what any pod can
// meet, because it decides whether splitting helps.
func classifyScheduling(r Reason) Reason {
	m := r.Message
	switch {
	case strings.Contains(m, "ReadWriteOncePod access mode"):
		r.Code = CodeInUse
	case strings.Contains(m, "is being deleted"):
		r.Code, r.Final = CodeTerminating, true
	case containsAny(m, "unbound immediate PersistentVolumeClaims", "non-existent pv"):
		r.Code = CodeNotBound
	case strings.Contains(m, "persistentvolumeclaim") && strings.Contains(m, "not found"):
		r.Code, r.Final = CodeNotFound, true
	case containsAny(m, "exceed max volume count", "volume limits"):
		r.Code = CodeVolumeLimit
	case strings.Contains(m, "untolerated taint"):
		r.Code = CodeTaint
	case containsAny(m, "volume node affinity conflict", "PersistentVolume's node affinity", "volume zone conflict",
		"no available volume zone", "node affinity/selector"):
		r.Code = CodeNodeAffinity
	case strings.Contains(m, "Insufficient"):
		r.Code = CodeResources
	default:
		r.Code = CodeScheduling
	}
	return r
}

// ClassifyPod says what a pod's own status says about its start; ok is false while nothing is wrong.
func ClassifyPod(pod *corev1.Pod) (r Reason, ok bool) {
	if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		return classifyEnded(pod), true
	}
	for _, s := range pod.Status.ContainerStatuses {
		w := s.State.Waiting
		if w == nil {
			continue
		}
		r := Reason{Message: w.Message, From: "container state " + w.Reason}
		switch w.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable",
			"ImageInspectError", "SignatureValidationFailed":
			r.Code = CodeImage
			r.Final = w.Reason != "RegistryUnavailable"
			return r, true
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
			r.Code, r.Final = CodeContainer, true
			return r, true
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return classifyScheduling(Reason{Message: c.Message, From: "condition PodScheduled"}), true
		}
	}
	return Reason{}, false
}

func classifyEnded(pod *corev1.Pod) Reason {
	r := Reason{
		Code: CodeContainer, Message: pod.Status.Message, From: "pod phase " + string(pod.Status.Phase), Final: true,
	}
	switch pod.Status.Reason {
	case "":
	case "DeadlineExceeded":
		r.Code = CodeTimeout
	case "NodeAffinity":
		r.Code = CodeNodeAffinity
	default: // Evicted, Preempting, NodeLost, Shutdown, OutOfcpu, UnexpectedAdmissionError
		r.Code = CodeEvicted
	}
	if pod.Status.Reason != "" {
		r.Message = strings.TrimSpace(pod.Status.Reason + ": " + pod.Status.Message)
	}
	for _, s := range pod.Status.ContainerStatuses {
		if t := s.State.Terminated; t != nil && r.Code == CodeContainer {
			r.Message = strings.TrimSpace(t.Reason + " " + t.Message)
			r.From = "container state terminated"
		}
	}
	return r
}

// ClassifyCreate says what the API server's refusal to create a pod means. Quota, Pod Security and admission all
// answer Forbidden; only their texts differ (k8s.io/apiserver quota and pod-security-admission plugins).
func ClassifyCreate(err error) Reason {
	r := Reason{Code: CodeAdmission, Message: err.Error(), From: "create", Final: true}
	m := r.Message
	switch {
	case containsAny(m, "exceeded quota", "failed quota"):
		r.Code = CodeQuota
	case strings.Contains(m, "violates PodSecurity"):
		r.Code = CodePodSecurity
	case kube.IsDenied(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsInternalError(err):
		r.Code = CodeAdmission
	case kube.IsForbidden(err):
		r.Code = CodeForbidden
	case kube.IsTransient(err):
		r.Code, r.Final = CodeScheduling, false
	}
	return r
}

func volumesIn(message string) []string {
	var names []string
	for _, m := range forVolume.FindAllStringSubmatch(message, -1) {
		names = append(names, m[1])
	}
	for _, m := range unmounted.FindAllStringSubmatch(message, -1) {
		names = append(names, strings.Fields(m[1])...)
	}
	for _, m := range blockMode.FindAllStringSubmatch(message, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func containsAny(s string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}

// oneLine keeps a message from other programs on one line and free of control characters.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || (r >= 0x7f && r < 0xa0) }), " ")
}
