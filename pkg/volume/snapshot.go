package volume

import (
	"fmt"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/object"
)

// defaultSnapshotClass is the annotation of the class that a driver's snapshots are of where none is named
// (kubernetes-csi/external-snapshotter: IsDefaultSnapshotClassAnnotation).
const defaultSnapshotClass = "snapshot.storage.kubernetes.io/is-default-class"

// SnapshotClass is what matters of a VolumeSnapshotClass.
type SnapshotClass struct {
	Name   string `json:"name"`
	Driver string `json:"driver"`
	// DeletionPolicy says what becomes of the copy when the VolumeSnapshot is deleted: Delete or Retain.
	DeletionPolicy string `json:"deletionPolicy"`
	Default        bool   `json:"default,omitempty"`
}

// ParseSnapshotClass reads a VolumeSnapshotClass.
func ParseSnapshotClass(o map[string]any) SnapshotClass {
	return SnapshotClass{
		Name: object.String(o, "metadata", "name"), Driver: object.String(o, "driver"),
		DeletionPolicy: object.String(o, "deletionPolicy"),
		Default:        object.StringMap(o, "metadata", "annotations")[defaultSnapshotClass] == "true",
	}
}

// CSIDriver is the driver of the volume; empty where it is of a kind that Kubernetes itself mounts, of which there are
// no snapshots.
func (v *PersistentVolume) CSIDriver() string {
	return object.String(v.Object, "spec", "csi", "driver")
}

// SnapshotClass is the class that a snapshot of the volume is of: the one that is named, else the only default one of
// its driver. why says why there is none; it is not guessed.
func (v *PersistentVolume) SnapshotClass(classes []SnapshotClass, named string) (class *SnapshotClass, why string) {
	driver := v.CSIDriver()
	if driver == "" {
		return nil, fmt.Sprintf("it has no CSI driver (it is of the kind %s)", v.Driver)
	}
	var defaults, all []*SnapshotClass
	for i := range classes {
		c := &classes[i]
		switch {
		case named != "" && c.Name == named && c.Driver == driver:
			return c, ""
		case named != "" && c.Name == named:
			return nil, fmt.Sprintf("its driver is %q, and VolumeSnapshotClass %q is for %q", driver, named, c.Driver)
		case c.Driver != driver:
			continue
		}
		if all = append(all, c); c.Default {
			defaults = append(defaults, c)
		}
	}
	switch {
	case named != "":
		return nil, fmt.Sprintf("its driver is %q, and there is no VolumeSnapshotClass %q", driver, named)
	case len(defaults) == 1:
		return defaults[0], ""
	case len(defaults) > 1:
		return nil, fmt.Sprintf("its driver %q has %d default VolumeSnapshotClasses: name one of %s with --snapshot=CLASS",
			driver, len(defaults), classNames(defaults))
	case len(all) > 0:
		return nil, fmt.Sprintf("its driver %q has no default VolumeSnapshotClass: name %s with --snapshot=CLASS", driver,
			classNames(all))
	}
	return nil, fmt.Sprintf("its driver %q has no VolumeSnapshotClass", driver)
}

func classNames(classes []*SnapshotClass) string {
	var names []string
	for _, c := range classes {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// Snapshot is what matters of a VolumeSnapshot.
type Snapshot struct {
	Name, Claim string
	// Ready tells that it can be used; Problem is what the driver last said where it cannot.
	Ready   bool
	Problem string
}

// ParseSnapshot reads a VolumeSnapshot.
func ParseSnapshot(o map[string]any) Snapshot {
	return Snapshot{
		Name: object.String(o, "metadata", "name"), Claim: object.String(o, "spec", "source", "persistentVolumeClaimName"),
		Ready: object.Bool(o, "status", "readyToUse"), Problem: object.String(o, "status", "error", "message"),
	}
}
