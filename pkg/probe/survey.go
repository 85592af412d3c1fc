package probe

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// candidate is a claim that may be mounted, with what decides where.
type candidate struct {
	claim  string
	uid    types.UID
	volume string
	// place is a canonical form of the volume's node affinity; claims of one place can share a pod.
	place string
	// node is where the claim must be mounted because a pod uses it there and it is ReadWriteOnce.
	node string
	// driver is the CSI driver; empty for other volumes, which have no attach limit.
	driver string
}

// survey is what was seen of the claims and what surrounds them.
type survey struct {
	candidates []candidate
	// refused are claims that must not or cannot be mounted.
	refused map[string]Reason
	// limits is the number of further volumes of a CSI driver that a node can take; under "" the least of all nodes.
	limits map[string]map[string]int
	// volumesForbidden tells that PersistentVolumes could not be read: that a volume is bound to its claim rests on
	// the claim's word.
	volumesForbidden bool
}

// lookAt reads the claims, their volumes and the pods that use them, in a handful of requests.
func lookAt(ctx context.Context, c *kube.Client, namespace string, names []string) (*survey, error) {
	claims, err := kube.ListAs[corev1.PersistentVolumeClaim](ctx, c, kube.Claims(), namespace, kube.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("look at the claims: %w", err)
	}
	pods, err := kube.ListAs[corev1.Pod](ctx, c, kube.Pods(), namespace, kube.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("look for pods that use the claims: %w", err)
	}
	s := &survey{refused: map[string]Reason{}}
	volumes := map[string]*corev1.PersistentVolume{}
	list, err := kube.ListAs[corev1.PersistentVolume](ctx, c, kube.Volumes(), "", kube.ListOptions{})
	switch {
	case kube.IsForbidden(err):
		s.volumesForbidden = true
	case err != nil:
		return nil, fmt.Errorf("look at the volumes: %w", err)
	}
	for i := range list {
		volumes[list[i].Name] = &list[i]
	}
	byName := map[string]*corev1.PersistentVolumeClaim{}
	for i := range claims {
		byName[claims[i].Name] = &claims[i]
	}
	users := usersOf(pods)
	csi := false
	for _, name := range names {
		claim := byName[name]
		if r, ok := refuse(claim, volumes, s.volumesForbidden, users[name]); !ok {
			s.refused[name] = r
			continue
		}
		one := place(claim, volumes[claim.Spec.VolumeName], users[name])
		csi = csi || one.driver != ""
		s.candidates = append(s.candidates, one)
	}
	if csi {
		s.limits = attachLimits(ctx, c)
	}
	return s, nil
}

// refuse applies the rules of what may be mounted: both of claim and volume say they are bound to each other, neither
// is going away, it is a file system, and it can be mounted twice if somebody has it.
func refuse(
	claim *corev1.PersistentVolumeClaim, volumes map[string]*corev1.PersistentVolume, unseen bool, users []*corev1.Pod,
) (r Reason, ok bool) {
	if claim == nil {
		return Reason{Code: CodeNotFound, Message: "no such claim", Final: true}, false
	}
	switch {
	case claim.DeletionTimestamp != nil:
		return Reason{Code: CodeTerminating, Message: "the claim is being deleted", Final: true}, false
	case claim.Status.Phase != corev1.ClaimBound || claim.Spec.VolumeName == "":
		return Reason{Code: CodeNotBound, Message: "the claim is " + phase(string(claim.Status.Phase)), Final: true}, false
	case claim.Spec.VolumeMode != nil && *claim.Spec.VolumeMode == corev1.PersistentVolumeBlock:
		return Reason{Code: CodeBlockMode, Message: "the claim is a raw block device", Final: true}, false
	}
	if !unseen {
		if message := unbound(claim, volumes[claim.Spec.VolumeName]); message != "" {
			return Reason{Code: CodeNotBound, Message: message, Final: true}, false
		}
	}
	if slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteOncePod) && len(users) > 0 {
		return Reason{
			Code: CodeInUse, Final: true,
			Message: fmt.Sprintf("the claim is ReadWriteOncePod and pod %q uses it; read it there", users[0].Name),
		}, false
	}
	return Reason{}, true
}

func unbound(claim *corev1.PersistentVolumeClaim, volume *corev1.PersistentVolume) string {
	switch {
	case volume == nil:
		return fmt.Sprintf("its volume %q does not exist", claim.Spec.VolumeName)
	case volume.DeletionTimestamp != nil:
		return fmt.Sprintf("its volume %q is being deleted", volume.Name)
	case volume.Status.Phase != corev1.VolumeBound:
		return fmt.Sprintf("its volume %q is %s", volume.Name, phase(string(volume.Status.Phase)))
	case volume.Spec.ClaimRef == nil || volume.Spec.ClaimRef.UID != claim.UID:
		return fmt.Sprintf("its volume %q is bound to another claim", volume.Name)
	}
	return ""
}

func phase(p string) string {
	if p == "" {
		return "without a phase"
	}
	return p
}

func place(claim *corev1.PersistentVolumeClaim, volume *corev1.PersistentVolume, users []*corev1.Pod) candidate {
	one := candidate{claim: claim.Name, uid: claim.UID, volume: claim.Spec.VolumeName}
	shared := slices.ContainsFunc(claim.Spec.AccessModes, func(m corev1.PersistentVolumeAccessMode) bool {
		return m == corev1.ReadWriteMany || m == corev1.ReadOnlyMany
	})
	for _, pod := range users {
		if !shared && pod.Spec.NodeName != "" {
			one.node = pod.Spec.NodeName
		}
	}
	if volume == nil {
		return one
	}
	if volume.Spec.CSI != nil {
		one.driver = volume.Spec.CSI.Driver
	}
	if a := volume.Spec.NodeAffinity; a != nil && a.Required != nil {
		one.place = canonical(a.Required)
	}
	return one
}

// canonical writes a node selector so that equal ones are equal strings.
func canonical(s *corev1.NodeSelector) string {
	terms := make([]string, 0, len(s.NodeSelectorTerms))
	for _, t := range s.NodeSelectorTerms {
		var exprs []string
		for _, e := range slices.Concat(t.MatchExpressions, t.MatchFields) {
			values := slices.Sorted(slices.Values(e.Values))
			exprs = append(exprs, fmt.Sprintf("%s %s %s", e.Key, e.Operator, strings.Join(values, ",")))
		}
		sort.Strings(exprs)
		terms = append(terms, strings.Join(exprs, "; "))
	}
	sort.Strings(terms)
	return strings.Join(terms, " | ")
}

// usersOf maps claims to the pods that have them mounted or will: all that are not finished, the tool's own excepted.
func usersOf(pods []corev1.Pod) map[string][]*corev1.Pod {
	users := map[string][]*corev1.Pod{}
	for i := range pods {
		p := &pods[i]
		ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		if ended || p.Labels[LabelManagedBy] == ManagedBy {
			continue
		}
		for _, v := range p.Spec.Volumes {
			if v.PersistentVolumeClaim != nil {
				users[v.PersistentVolumeClaim.ClaimName] = append(users[v.PersistentVolumeClaim.ClaimName], p)
			}
		}
	}
	return users
}

// attachLimits reads how many more volumes each node can take of each CSI driver. Where that may not be read, nothing
// is known and a cautious number is used instead (see group).
func attachLimits(ctx context.Context, c *kube.Client) map[string]map[string]int {
	limits := map[string]map[string]int{"": {}}
	nodes, err := kube.ListAs[storagev1.CSINode](ctx, c, kube.CSINodes(), "", kube.ListOptions{})
	if err != nil {
		return nil
	}
	taken := map[string]map[string]int{}
	attachments, err := kube.ListAs[storagev1.VolumeAttachment](ctx, c, kube.VolumeAttachments(), "", kube.ListOptions{})
	if err == nil {
		for _, a := range attachments {
			if taken[a.Spec.NodeName] == nil {
				taken[a.Spec.NodeName] = map[string]int{}
			}
			taken[a.Spec.NodeName][a.Spec.Attacher]++
		}
	}
	for _, n := range nodes {
		limits[n.Name] = map[string]int{}
		for _, d := range n.Spec.Drivers {
			if d.Allocatable == nil || d.Allocatable.Count == nil {
				continue
			}
			free := max(1, int(*d.Allocatable.Count)-taken[n.Name][d.Name])
			limits[n.Name][d.Name] = free
			if least, known := limits[""][d.Name]; !known || free < least {
				limits[""][d.Name] = free
			}
		}
	}
	return limits
}
