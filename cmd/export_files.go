package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/manifest"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// manifestFile is one file of manifests.
type manifestFile struct {
	name    string
	objects []manifest.Object
	text    []byte
}

// filesOf sorts manifests into files: one for each pool, one for each other kind. Pools have names that objects can
// have, so no name leads out of the folder.
func filesOf(set *manifest.Set, header []string) ([]manifestFile, error) {
	var files []manifestFile
	at := map[string]int{}
	for _, o := range set.Objects {
		name := map[string]string{
			strimzi.KafkaKind: "kafka.yaml", strimzi.NodePoolKind: "kafkanodepool-" + o.Name + ".yaml",
			strimzi.TopicKind: "kafkatopics.yaml", strimzi.UserKind: "kafkausers.yaml",
		}[o.Kind]
		i, found := at[name]
		if !found {
			i = len(files)
			at[name] = i
			files = append(files, manifestFile{name: name})
		}
		files[i].objects = append(files[i].objects, o)
	}
	for i := range files {
		var err error
		if files[i].text, err = set.YAML(files[i].objects, header); err != nil {
			return nil, fmt.Errorf("write the manifests: %w", err)
		}
	}
	return files, nil
}

// writeFiles writes all files or none. What is there is never replaced: it may have been filled in by hand.
func writeFiles(dir string, files []manifestFile) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for the manifests: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the folder for the manifests: %w", err)
	}
	var written []string
	defer func() {
		if err != nil {
			for _, name := range written {
				err = errors.Join(err, root.Remove(name))
			}
		}
		err = errors.Join(err, root.Close())
	}()
	for _, f := range files {
		out, err := root.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return exitcode.With(exitcode.Refused, fmt.Errorf("write %q: it is there already, and nothing is replaced; "+
				"name another folder with --output-dir", filepath.Join(dir, f.name)))
		}
		if err != nil {
			return fmt.Errorf("write the manifests: %w", err)
		}
		written = append(written, f.name)
		_, err = out.Write(f.text)
		if err = errors.Join(err, out.Close()); err != nil {
			return fmt.Errorf("write the manifests: %w", err)
		}
	}
	return nil
}

// header stands above the manifests.
func (m *Manifests) header() []string {
	lines := []string{
		fmt.Sprintf("Resources of Kafka cluster %s, cluster ID %s, from its volumes: %s, up to offset %d.",
			m.Cluster, m.ClusterID, m.Source, m.EndOffset),
		"TODO marks what the volumes do not say. The Kafka resource is paused and no topic is managed: applied as they are " +
			"these manifests start nothing and change nothing.",
	}
	if m.Incomplete {
		lines = append(lines, "INCOMPLETE: the metadata could not be read whole, so that resources or parts of them may be "+
			"missing or wrong.")
	}
	return lines
}

// placed notes which file each manifest is in.
func (m *Manifests) placed(dir string, files []manifestFile) {
	byRef := map[string]string{}
	for i := range files {
		for j := range files[i].objects {
			byRef[files[i].objects[j].Ref()] = filepath.Join(dir, files[i].name)
		}
	}
	for i := range m.Manifests {
		m.Manifests[i].File = byRef[m.Manifests[i].Ref()]
	}
}

// reference is an item's object as kubectl names it.
func reference(ref string) string {
	kind, name, found := strings.Cut(ref, "/")
	if !found {
		return ref
	}
	return strings.ToLower(kind) + "/" + name
}
