package cmd

import (
	"fmt"
	"slices"
	"strings"
)

// targetKind is the TYPE of a TYPE/NAME argument.
type targetKind string

// The kinds a target can have.
const (
	targetKafka  targetKind = "kafka"
	targetClaim  targetKind = "pvc"
	targetVolume targetKind = "pv"
)

// target is a TYPE/NAME argument, as kubectl has them.
type target struct {
	Kind targetKind
	Name string
}

// String returns the target as it is typed.
func (t target) String() string { return string(t.Kind) + "/" + t.Name }

// parseTarget reads TYPE/NAME with kubectl's names of the types.
func parseTarget(arg string) (target, error) {
	kind, name, found := strings.Cut(arg, "/")
	if !found || name == "" || strings.Contains(name, "/") {
		return target{}, fmt.Errorf("%q is no TYPE/NAME; write kafka/%s for a cluster, pvc/%s for a claim", arg, arg, arg)
	}
	t := target{Name: name}
	switch strings.ToLower(kind) {
	case "kafka", "kafkas", "k", "kafkas.kafka.strimzi.io", "kafka.kafka.strimzi.io":
		t.Kind = targetKafka
	case "pvc", "pvcs", "persistentvolumeclaim", "persistentvolumeclaims":
		t.Kind = targetClaim
	case "pv", "pvs", "persistentvolume", "persistentvolumes":
		t.Kind = targetVolume
	default:
		return target{}, fmt.Errorf("%q: unknown type %q; the types are kafka, pvc and pv", arg, kind)
	}
	return t, nil
}

// parseTargets reads targets and refuses those of a kind the command does not take.
func parseTargets(args []string, takes ...targetKind) ([]target, error) {
	var out []target
	for _, arg := range args {
		t, err := parseTarget(arg)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(takes, t.Kind) {
			return nil, fmt.Errorf("%q: this command takes %s", arg, kindList(takes))
		}
		out = append(out, t)
	}
	return out, nil
}

func kindList(kinds []targetKind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k) + "/NAME"
	}
	return strings.Join(names, ", ")
}
