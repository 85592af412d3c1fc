// Package redeclared writes PersistentVolumes anew from what an earlier look saved of them, for a Kubernetes cluster
// that has never had them, or has them no more. Each is written so that it is Released from its first moment: it names
// the claim that it is for with a UID that no claim has, so that no claim at all is bound to it until somebody ties it
// to one. It knows no client.
package redeclared

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/pkg/volume"
)

// Volumes are what is to be declared, and where what was saved of them comes from.
type Volumes struct {
	List   []Volume
	Origin Origin
}

// Origin says which look saved the volumes, and which Kubernetes cluster it was at.
type Origin struct {
	// File is what was read.
	File string
	Time time.Time
	// ServerID is the UID of that cluster's namespace kube-system; empty where the look could not see it.
	ServerID        string
	Server, Context string
}

// String names the Kubernetes cluster as people know it.
func (o Origin) String() string {
	text := "the Kubernetes cluster at " + o.Server
	if o.Context != "" {
		text += fmt.Sprintf(" (context %q)", o.Context)
	}
	if o.ServerID == "" {
		return text + ", of which no kube-system UID was saved"
	}
	return text + ", kube-system uid " + o.ServerID
}

// Volume is one PersistentVolume to declare.
type Volume struct {
	// Object is what is created, PV the same as it is looked at.
	Object *unstructured.Unstructured
	PV     volume.PersistentVolume
	// Claim is the name of the claim it was bound to, Copied tells that a person named another disk for it, and Mapped
	// says what is not as it was saved.
	Claim  string
	Copied bool
	Mapped []string
}

// Request says for whom volumes are declared anew, and what is called otherwise than it was.
type Request struct {
	Namespace, Cluster string
	// Nodes maps what a node, or another topology value, was called to what it is called now.
	Nodes map[string]string
	// Disks maps a claim's name, or pv/NAME, to the CSI handle or the path of a copy of its disk. An NFS path may begin
	// with SERVER: where the server is another one too.
	Disks map[string]string
}

// Write writes volumes anew. The saved ones are input that somebody may have changed: only what names a claim of the
// cluster is taken, and only volumes of types whose disk a spec alone finds again. What is mapped and met by no volume
// is an error, for it is a slip of the pen.
func Write(saved []volume.PersistentVolume, req Request) ([]Volume, error) {
	w := writer{Request: req, used: map[string]bool{}}
	var out []Volume
	names := map[string]bool{}
	for i := range saved {
		pv := &saved[i]
		if names[pv.Name] {
			continue
		}
		names[pv.Name] = true
		v, err := w.write(pv, len(forClaim(saved, pv.ClaimName)) > 1)
		if err != nil {
			return nil, fmt.Errorf("declare pv %q anew: %w", pv.Name, err)
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b Volume) int { return strings.Compare(a.PV.Name, b.PV.Name) })
	return out, w.unused()
}

// forClaim are the names of the volumes that name a claim.
func forClaim(saved []volume.PersistentVolume, claim string) []string {
	var names []string
	for i := range saved {
		if saved[i].ClaimName == claim && !slices.Contains(names, saved[i].Name) {
			names = append(names, saved[i].Name)
		}
	}
	return names
}

type writer struct {
	Request
	used map[string]bool
}

// unused refuses what was mapped and is of no volume.
func (w *writer) unused() error {
	var errs []error
	for flag, mapped := range map[string]map[string]string{"--map-node": w.Nodes, "--map-volume": w.Disks} {
		for key := range mapped {
			if !w.used[flag+key] {
				errs = append(errs, fmt.Errorf("%s %s=%s: no saved volume has it", flag, key, mapped[key]))
			}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

var (
	errNoObject = errors.New("the whole object was not saved; `kafkarecover scan -o json` saves it")
	errNoClaim  = errors.New("it names no claim, so that nobody knows which volume of the cluster it is")
)

func (w *writer) write(saved *volume.PersistentVolume, several bool) (Volume, error) {
	o := object.Clone(saved.Object)
	if o == nil {
		return Volume{}, errNoObject
	}
	was := volume.ParsePersistentVolume(o) // what the file says beside the object counts for nothing
	switch {
	case was.Name == "" || was.Name != saved.Name:
		return Volume{}, fmt.Errorf("its object is called %q", was.Name)
	case was.ClaimName == "":
		return Volume{}, errNoClaim
	case was.ClaimUID == "":
		return Volume{}, fmt.Errorf("it names claim %q without a UID: it would be bound to any claim of that name",
			was.ClaimName)
	case !mayBeOf(was.ClaimName, w.Cluster):
		return Volume{}, fmt.Errorf("it names claim %q, which is none of kafka %q", was.ClaimName, w.Cluster)
	}
	v := Volume{Claim: was.ClaimName}
	spec := object.Map(o, "spec")
	if err := w.mapDisk(&v, was.Name, spec, several); err != nil {
		return Volume{}, err
	}
	labels := kept(object.StringMap(o, "metadata", "labels"))
	w.mapNodes(&v, spec, labels)
	spec["persistentVolumeReclaimPolicy"] = volume.PolicyRetain
	spec["claimRef"] = map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": w.Namespace, "name": was.ClaimName,
		"uid": was.ClaimUID,
	}
	v.Object = &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolume", "metadata": map[string]any{"name": was.Name}, "spec": spec,
	}}
	v.Object.SetLabels(labels)
	v.Object.SetAnnotations(kept(object.StringMap(o, "metadata", "annotations")))
	v.PV = volume.ParsePersistentVolume(v.Object.Object)
	return v, nil
}

// mayBeOf tells whether a claim's name can be read as one of the cluster's.
func mayBeOf(claim, cluster string) bool {
	readings := strimzi.ParseClaimName(claim)
	return slices.ContainsFunc(readings, func(n strimzi.ClaimName) bool { return n.Cluster == cluster })
}

// kept are the labels or annotations that say something of the disk: not those of a former binding, of an operation, or
// kubectl's copy of a manifest.
func kept(all map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range all {
		dropped := slices.Contains([]string{
			"pv.kubernetes.io/bound-by-controller", "pv.kubernetes.io/bind-completed",
			"kubectl.kubernetes.io/last-applied-configuration",
		}, key) || strings.HasPrefix(key, "kafkarecover.io/")
		if !dropped {
			out[key] = value
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// mapDisk gives the volume another disk where one was named, and refuses types of which it is not known what names the
// disk.
func (w *writer) mapDisk(v *Volume, name string, spec map[string]any, several bool) error {
	disk := ""
	for _, key := range []string{v.Claim, "pv/" + name} {
		to, named := w.Disks[key]
		if !named {
			continue
		}
		if key == v.Claim && several {
			return fmt.Errorf("--map-volume %s=%s: several saved volumes name that claim; name one as pv/NAME=HANDLE", key, to)
		}
		w.used["--map-volume"+key] = true
		disk = to
	}
	for kind, field := range map[string]string{
		"csi": "volumeHandle", "local": "path", "hostPath": "path", "nfs": "path",
	} {
		source := object.Map(spec, kind)
		if source == nil {
			continue
		}
		if disk == "" {
			return checkPath(kind, object.String(source, field))
		}
		was := object.String(source, field)
		if server, folder, found := strings.Cut(disk, ":"); kind == "nfs" && found {
			source["server"], disk = server, folder
		}
		source[field] = disk
		v.Copied = true
		v.Mapped = append(v.Mapped, fmt.Sprintf("%s %q instead of %q", field, disk, was))
		return checkPath(kind, disk)
	}
	return errOtherType
}

var errOtherType = errors.New("it is neither csi, local, hostPath nor nfs: declare it by hand, Released and Retain")

// checkPath refuses what is no handle or path, before the API server is asked.
func checkPath(kind, value string) error {
	switch {
	case value == "":
		return fmt.Errorf("its %s source names no disk", kind)
	case kind == "csi":
		return nil
	case !path.IsAbs(value) || slices.Contains(strings.Split(value, "/"), ".."):
		return fmt.Errorf("its %s path %q is not absolute, or leads upwards", kind, value)
	}
	return nil
}

// mapNodes renames nodes, zones and whatever else of a topology in the node affinity and in the labels.
func (w *writer) mapNodes(v *Volume, spec map[string]any, labels map[string]string) {
	renamed := func(key, value string) string {
		to, named := w.Nodes[value]
		if !named {
			return value
		}
		w.used["--map-node"+value] = true
		if text := fmt.Sprintf("%s %s instead of %s", key, to, value); !slices.Contains(v.Mapped, text) {
			v.Mapped = append(v.Mapped, text)
		}
		return to
	}
	for _, term := range object.Maps(spec, "nodeAffinity", "required", "nodeSelectorTerms") {
		for _, list := range []string{"matchExpressions", "matchFields"} {
			for _, e := range object.Maps(term, list) {
				values, _ := e["values"].([]any)
				for i := range values {
					if value, ok := values[i].(string); ok {
						values[i] = renamed(object.String(e, "key"), value)
					}
				}
			}
		}
	}
	for _, key := range []string{"topology.kubernetes.io/zone", "topology.kubernetes.io/region"} {
		if value, found := labels[key]; found {
			labels[key] = renamed(key, value)
		}
	}
}
