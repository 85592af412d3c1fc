package storage

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// Dir is how one log directory is formatted.
type Dir struct {
	Volume string `json:"volume"`
	// Path is below the volume's root, "." for the root itself.
	Path  string           `json:"path"`
	State logdir.MetaState `json:"state"`
	// Meta is what its meta.properties says; nil unless State is ok.
	Meta *logdir.MetaProperties `json:"metaProperties,omitempty"`
	// HasMetadata tells that the metadata log is in it, HasBootstrap that a bootstrap.checkpoint is.
	HasMetadata  bool `json:"hasMetadataLog"`
	HasBootstrap bool `json:"hasBootstrapCheckpoint"`
	Partitions   int  `json:"partitions"`
}

// Info is what Inspect found over all volumes.
type Info struct {
	Dirs []Dir `json:"dirs"`
	// Problems are sentences, Kafka's own where it has one.
	Problems []string `json:"problems"`
}

// Add takes in the log directories of one volume. A volume without any is a problem: it may be the wrong disk.
func (i *Info) Add(volume string, c *logdir.Contents) {
	for _, p := range c.AllProblems() {
		i.problem("%s: %s", path.Join(volume, p.Path), p.Message)
	}
	if len(c.Dirs) == 0 {
		i.problem("%s is not formatted: it has no log directory", volume)
	}
	for k := range c.Dirs {
		d := &c.Dirs[k]
		i.Dirs = append(i.Dirs, Dir{
			Volume: volume, Path: d.Path, State: d.MetaState, Meta: d.Meta, HasMetadata: d.Metadata != nil,
			HasBootstrap: d.HasBootstrap, Partitions: len(d.Partitions),
		})
		if d.MetaState == logdir.MetaAbsent {
			i.problem("%s is not formatted.", path.Join(volume, d.Path))
		}
	}
}

func (i *Info) problem(format string, args ...any) {
	i.Problems = append(i.Problems, fmt.Sprintf(format, args...))
}

// Check holds the directories against each other, after MetaPropertiesEnsemble.verify: one cluster ID everywhere, a
// node ID in each, no directory ID reserved or twice. Unlike Kafka's tool it is given the volumes of many nodes, so
// different node IDs are no problem, but two nodes on one volume are.
func (i *Info) Check() {
	clusters := map[string][]string{}
	directories := map[string][]string{}
	nodes := map[string][]int32{}
	for k := range i.Dirs {
		d := &i.Dirs[k]
		if d.Meta == nil {
			continue
		}
		at := path.Join(d.Volume, d.Path)
		if d.Meta.ClusterID != nil {
			clusters[*d.Meta.ClusterID] = append(clusters[*d.Meta.ClusterID], at)
		}
		if n := d.Meta.NodeID; n != nil && !slices.Contains(nodes[d.Volume], *n) {
			nodes[d.Volume] = append(nodes[d.Volume], *n)
		}
		if id := d.Meta.DirectoryID; id != "" {
			directories[id] = append(directories[id], at)
			if u, err := metadata.ParseUUID(id); err == nil && reserved(u) {
				i.problem("Invalid reserved directory ID %s found in %s", id, at)
			}
		}
	}
	if len(clusters) > 1 {
		i.problem("Mismatched cluster IDs between storage directories: %s", listed(clusters))
	}
	for _, volume := range sortedKeys(nodes) {
		if len(nodes[volume]) > 1 {
			i.problem("Mismatched node IDs between the storage directories of %s: %s", volume,
				strings.Trim(fmt.Sprint(nodes[volume]), "[]"))
		}
	}
	for _, id := range sortedKeys(directories) {
		if at := directories[id]; len(at) > 1 {
			i.problem("Duplicate directory ID %s: it is that of %s; one of them is a copy", id, strings.Join(at, " and of "))
		}
	}
}

func listed(by map[string][]string) string {
	var parts []string
	for _, id := range sortedKeys(by) {
		parts = append(parts, fmt.Sprintf("%s in %s", logdir.Escape(id), strings.Join(by[id], ", ")))
	}
	return strings.Join(parts, "; ")
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
