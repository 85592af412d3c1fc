package kube

import "k8s.io/apimachinery/pkg/runtime/schema"

// Built-in resources, in the versions every supported server (1.25 and later) serves. They are functions because
// package variables would be mutable.

// Pods are core/v1 pods.
func Pods() schema.GroupVersionResource { return core("pods") }

// Claims are core/v1 PersistentVolumeClaims.
func Claims() schema.GroupVersionResource { return core("persistentvolumeclaims") }

// Volumes are core/v1 PersistentVolumes (cluster-scoped).
func Volumes() schema.GroupVersionResource { return core("persistentvolumes") }

// Nodes are core/v1 nodes (cluster-scoped).
func Nodes() schema.GroupVersionResource { return core("nodes") }

// Namespaces are core/v1 namespaces (cluster-scoped).
func Namespaces() schema.GroupVersionResource { return core("namespaces") }

// Events are core/v1 events.
func Events() schema.GroupVersionResource { return core("events") }

// Secrets are core/v1 secrets.
func Secrets() schema.GroupVersionResource { return core("secrets") }

// ConfigMaps are core/v1 config maps.
func ConfigMaps() schema.GroupVersionResource { return core("configmaps") }

// Services are core/v1 services.
func Services() schema.GroupVersionResource { return core("services") }

// ServiceAccounts are core/v1 service accounts.
func ServiceAccounts() schema.GroupVersionResource { return core("serviceaccounts") }

// LimitRanges are core/v1 limit ranges.
func LimitRanges() schema.GroupVersionResource { return core("limitranges") }

// ResourceQuotas are core/v1 resource quotas.
func ResourceQuotas() schema.GroupVersionResource { return core("resourcequotas") }

// Deployments are apps/v1 deployments.
func Deployments() schema.GroupVersionResource { return group("apps", "deployments") }

// StatefulSets are apps/v1.
func StatefulSets() schema.GroupVersionResource { return group("apps", "statefulsets") }

// Autoscalers are autoscaling/v1 HorizontalPodAutoscalers.
func Autoscalers() schema.GroupVersionResource {
	return group("autoscaling", "horizontalpodautoscalers")
}

// Leases are coordination.k8s.io/v1 leases.
func Leases() schema.GroupVersionResource { return group("coordination.k8s.io", "leases") }

// VolumeAttachments are storage.k8s.io/v1 volume attachments (cluster-scoped).
func VolumeAttachments() schema.GroupVersionResource {
	return group("storage.k8s.io", "volumeattachments")
}

// CSINodes are storage.k8s.io/v1 CSI nodes (cluster-scoped).
func CSINodes() schema.GroupVersionResource { return group("storage.k8s.io", "csinodes") }

// CSIDrivers are storage.k8s.io/v1 CSI drivers (cluster-scoped).
func CSIDrivers() schema.GroupVersionResource { return group("storage.k8s.io", "csidrivers") }

// StorageClasses are storage.k8s.io/v1 storage classes (cluster-scoped).
func StorageClasses() schema.GroupVersionResource { return group("storage.k8s.io", "storageclasses") }

// VolumeSnapshots are snapshot.storage.k8s.io/v1 snapshots, whose definition not every cluster has.
func VolumeSnapshots() schema.GroupVersionResource {
	return group("snapshot.storage.k8s.io", "volumesnapshots")
}

// VolumeSnapshotClasses are snapshot.storage.k8s.io/v1 classes of snapshots (cluster-scoped).
func VolumeSnapshotClasses() schema.GroupVersionResource {
	return group("snapshot.storage.k8s.io", "volumesnapshotclasses")
}

func core(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: resource}
}

func group(name, resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: name, Version: "v1", Resource: resource}
}
