package volume

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/object"
)

// Node is what of a Kubernetes node decides which volumes its pods can have.
type Node struct {
	Name   string
	Labels map[string]string
}

// ParseNode reads a Node as the API server returned it.
func ParseNode(o map[string]any) Node {
	return Node{
		Name: object.String(o, "metadata", "name"), Labels: object.StringMap(o, "metadata", "labels"),
	}
}

// ReachableFrom tells whether the volume's node affinity lets a pod on that node have it. A volume without one can be
// had everywhere. Terms are alternatives; what a term lists must all hold, and an empty term holds nowhere (Kubernetes:
// component-helpers nodeaffinity).
func (pv *PersistentVolume) ReachableFrom(n Node) bool {
	required := object.Map(pv.Object, "spec", "nodeAffinity", "required")
	if required == nil {
		return true
	}
	return slices.ContainsFunc(object.Maps(required, "nodeSelectorTerms"), func(term map[string]any) bool {
		expressions, fields := object.Maps(term, "matchExpressions"), object.Maps(term, "matchFields")
		if len(expressions)+len(fields) == 0 {
			return false
		}
		for _, e := range expressions {
			value, found := n.Labels[object.String(e, "key")]
			if !holds(e, value, found) {
				return false
			}
		}
		for _, e := range fields {
			if object.String(e, "key") != "metadata.name" || !holds(e, n.Name, true) {
				return false
			}
		}
		return true
	})
}

// holds evaluates one requirement of a node selector.
func holds(requirement map[string]any, value string, found bool) bool {
	values := object.Strings(requirement, "values")
	switch object.String(requirement, "operator") {
	case "In":
		return found && slices.Contains(values, value)
	case "NotIn":
		return !found || !slices.Contains(values, value)
	case "Exists":
		return found
	case "DoesNotExist":
		return !found
	case "Gt":
		return found && compares(value, values, func(a, b int64) bool { return a > b })
	case "Lt":
		return found && compares(value, values, func(a, b int64) bool { return a < b })
	}
	return false
}

func compares(value string, values []string, holds func(a, b int64) bool) bool {
	if len(values) != 1 {
		return false
	}
	a, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return false
	}
	b, err := strconv.ParseInt(values[0], 10, 64)
	return err == nil && holds(a, b)
}

// Disk names what is behind the volume, so that two volumes with the same Disk are one; it is empty where that is not
// known. The same path on two machines is two disks.
func (pv *PersistentVolume) Disk() string {
	if pv.Handle == "" {
		return ""
	}
	switch pv.Driver {
	case "local", "hostPath": // a folder of a machine, whichever of the two it is called
		return "path\x00" + path.Clean(pv.Handle) + "\x00" + strings.Join(pv.Nodes, ",")
	case "nfs":
		server, folder, _ := strings.Cut(pv.Handle, ":")
		return "nfs\x00" + server + "\x00" + path.Clean(folder)
	}
	return pv.Driver + "\x00" + pv.Handle
}

// Affinity says which nodes the volume asks for, as Kubernetes' label selectors are written; empty where it asks for
// none.
func (pv *PersistentVolume) Affinity() string {
	var terms []string
	for _, term := range object.Maps(pv.Object, "spec", "nodeAffinity", "required", "nodeSelectorTerms") {
		var all []string
		for _, list := range []string{"matchExpressions", "matchFields"} {
			for _, e := range object.Maps(term, list) {
				text := object.String(e, "key") + " " + object.String(e, "operator")
				if values := object.Strings(e, "values"); len(values) > 0 {
					text += " (" + strings.Join(values, ", ") + ")"
				}
				all = append(all, text)
			}
		}
		terms = append(terms, strings.Join(all, " and "))
	}
	return strings.Join(terms, ", or ")
}
