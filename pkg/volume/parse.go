package volume

import (
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// Phases and policies of claims and volumes, as Kubernetes spells them.
const (
	PhaseBound     = "Bound"
	PhasePending   = "Pending"
	PhaseLost      = "Lost"
	PhaseAvailable = "Available"
	PhaseReleased  = "Released"
	PhaseFailed    = "Failed"

	PolicyRetain = "Retain"
	PolicyDelete = "Delete"
)

// ParseClaim reads a PersistentVolumeClaim as the API server returned it.
func ParseClaim(o map[string]any) Claim {
	annotations := object.StringMap(o, "metadata", "annotations")
	return Claim{
		Namespace:    object.String(o, "metadata", "namespace"),
		Name:         object.String(o, "metadata", "name"),
		UID:          object.String(o, "metadata", "uid"),
		Phase:        object.String(o, "status", "phase"),
		Volume:       object.String(o, "spec", "volumeName"),
		Labels:       object.StringMap(o, "metadata", "labels"),
		DeleteClaim:  strings.EqualFold(annotations[strimzi.DeleteClaimAnnotation], "true"),
		AccessModes:  object.Strings(o, "spec", "accessModes"),
		StorageClass: object.String(o, "spec", "storageClassName"),
		Request:      object.String(o, "spec", "resources", "requests", "storage"),
		Terminating:  object.Terminating(o),
		Finalizers:   object.Strings(o, "metadata", "finalizers"),
		Object:       object.Trimmed(o),
	}
}

// ParsePersistentVolume reads a PersistentVolume as the API server returned it.
func ParsePersistentVolume(o map[string]any) PersistentVolume {
	v := PersistentVolume{
		Name:           object.String(o, "metadata", "name"),
		UID:            object.String(o, "metadata", "uid"),
		Phase:          object.String(o, "status", "phase"),
		ReclaimPolicy:  object.String(o, "spec", "persistentVolumeReclaimPolicy"),
		ClaimNamespace: object.String(o, "spec", "claimRef", "namespace"),
		ClaimName:      object.String(o, "spec", "claimRef", "name"),
		ClaimUID:       object.String(o, "spec", "claimRef", "uid"),
		StorageClass:   object.String(o, "spec", "storageClassName"),
		Capacity:       object.String(o, "spec", "capacity", "storage"),
		Terminating:    object.Terminating(o),
		Finalizers:     object.Strings(o, "metadata", "finalizers"),
		DisplacedBy:    object.StringMap(o, "metadata", "annotations")[DisplacedAnnotation],
		Object:         object.Trimmed(o),
	}
	v.Driver, v.Handle = source(object.Map(o, "spec"))
	v.Nodes = affinity(o, "kubernetes.io/hostname")
	for _, key := range zoneKeys() {
		if zones := affinity(o, key); len(zones) > 0 {
			v.Zone = strings.Join(zones, ",")
			break
		}
	}
	if v.Zone == "" {
		v.Zone = object.StringMap(o, "metadata", "labels")[zoneKeys()[0]]
	}
	return v
}

// zoneKeys are the labels of nodes that tell their zone, Kubernetes' own first.
func zoneKeys() []string {
	return []string{
		"topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone",
		"topology.ebs.csi.aws.com/zone", "topology.gke.io/zone", "topology.disk.csi.azure.com/zone",
	}
}

// volumeSource is a source of PersistentVolumeSource with the fields that name the disk behind it.
type volumeSource struct {
	name   string
	fields []string
}

// sources are the sources a volume can have.
func sources() []volumeSource {
	return []volumeSource{
		{"csi", nil},
		{"local", []string{"path"}},
		{"hostPath", []string{"path"}},
		{"nfs", []string{"server", "path"}},
		{"awsElasticBlockStore", []string{"volumeID"}},
		{"gcePersistentDisk", []string{"pdName"}},
		{"azureDisk", []string{"diskURI"}},
		{"azureFile", []string{"shareName"}},
		{"vsphereVolume", []string{"volumePath"}},
		{"cinder", []string{"volumeID"}},
		{"rbd", []string{"pool", "image"}},
		{"cephfs", []string{"path"}},
		{"iscsi", []string{"targetPortal", "iqn"}},
		{"fc", []string{"lun"}},
		{"glusterfs", []string{"path"}},
		{"portworxVolume", []string{"volumeID"}},
	}
}

// source returns what kind of volume it is and what names the disk: the CSI driver and its handle, or the in-tree
// type and its path.
func source(spec map[string]any) (driver, handle string) {
	for _, s := range sources() {
		m := object.Map(spec, s.name)
		if m == nil {
			continue
		}
		if s.name == "csi" {
			return object.String(m, "driver"), object.String(m, "volumeHandle")
		}
		var parts []string
		for _, f := range s.fields {
			if p := object.String(m, f); p != "" {
				parts = append(parts, p)
			}
		}
		return s.name, strings.Join(parts, ":")
	}
	return "", ""
}

// affinity returns the values that the required node affinity allows for a label, where it is by In.
func affinity(o map[string]any, key string) []string {
	var out []string
	for _, term := range object.Maps(o, "spec", "nodeAffinity", "required", "nodeSelectorTerms") {
		for _, e := range object.Maps(term, "matchExpressions") {
			if object.String(e, "key") == key && object.String(e, "operator") == "In" {
				out = append(out, object.Strings(e, "values")...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ClaimUse is a pod's use of a claim.
type ClaimUse struct {
	Claim string
	Pod   PodRef
}

// ClaimUses reads from a pod which claims of its namespace it holds. A pod that has ended holds none.
func ClaimUses(pod map[string]any) []ClaimUse {
	phase := object.String(pod, "status", "phase")
	if phase == "Succeeded" || phase == "Failed" {
		return nil
	}
	var out []ClaimUse
	for _, v := range object.Maps(pod, "spec", "volumes") {
		claim := object.String(v, "persistentVolumeClaim", "claimName")
		if claim == "" && object.Has(v, "ephemeral") {
			claim = object.String(pod, "metadata", "name") + "-" + object.String(v, "name")
		}
		if claim == "" {
			continue
		}
		ref := PodRef{
			Name:  object.String(pod, "metadata", "name"),
			Node:  object.String(pod, "spec", "nodeName"),
			Phase: phase,
			Ready: podReady(pod),
		}
		ref.Container, ref.MountPath = mountOf(pod, object.String(v, "name"))
		out = append(out, ClaimUse{Claim: claim, Pod: ref})
	}
	return out
}

func podReady(pod map[string]any) bool {
	return slices.ContainsFunc(object.Maps(pod, "status", "conditions"), func(c map[string]any) bool {
		return object.String(c, "type") == "Ready" && object.String(c, "status") == "True"
	})
}

// mountOf returns the first container that mounts the volume as a whole, and where. A mount of a part of it shows
// less than the volume holds and is not taken.
func mountOf(pod map[string]any, name string) (container, path string) {
	for _, c := range object.Maps(pod, "spec", "containers") {
		for _, m := range object.Maps(c, "volumeMounts") {
			if object.String(m, "name") == name && object.String(m, "subPath") == "" &&
				object.String(m, "subPathExpr") == "" {
				return object.String(c, "name"), object.String(m, "mountPath")
			}
		}
	}
	return "", ""
}
