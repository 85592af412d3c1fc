package protect

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/object"
)

const (
	folderMode = 0o700
	fileMode   = 0o600
	// recordFile is the result of the run, in the folder of every operation of this package.
	recordFile = "result.json"
)

// namespaceForm is a DNS label. A namespace becomes a folder's name, and a volume says which namespace it is of, so
// nothing else is taken.
var namespaceForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// folder is where an operation saves what it saw. Nothing is written outside of it.
type folder struct {
	path string
	root *os.Root
}

// newFolder makes the folder of an operation below base. It must not exist: an operation's name is used once.
func newFolder(base, operation string) (*folder, error) {
	if err := os.MkdirAll(base, folderMode); err != nil {
		return nil, fmt.Errorf("create the folder of operations: %w", err)
	}
	path := filepath.Join(base, operation)
	if err := os.Mkdir(path, folderMode); err != nil {
		return nil, fmt.Errorf("create the folder of the operation: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the folder of the operation: %w", err)
	}
	return &folder{path: path, root: root}, nil
}

func (f *folder) close() error { return f.root.Close() }

// record writes a result, replacing the one before in one step, so that a run that is killed leaves a whole one.
func (f *folder) record(result any) error {
	b, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the record: %w", err)
	}
	const draft = recordFile + ".new"
	if err := f.write(draft, append(b, '\n')); err != nil {
		return err
	}
	if err := f.root.Rename(draft, recordFile); err != nil {
		return fmt.Errorf("write the record: %w", err)
	}
	return nil
}

// write writes one file and makes sure that it is on the disk.
func (f *folder) write(name string, content []byte) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return fmt.Errorf("save %q: %w", name, err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("save %q: %w", name, err)
	}
	return nil
}

// Saved is one file that was saved.
type Saved struct {
	// File is relative to the folder.
	File  string `json:"file"`
	Count int    `json:"count"`
}

// save writes everything that was gathered: one file a kind, which `kubectl apply -f` takes, in a folder a namespace.
func (f *folder) save(g *gathering) ([]Saved, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var saved []Saved
	var errs []error
	keep := func(namespace, name string, count int, content any) {
		if count == 0 {
			return
		}
		file, err := f.file(namespace, name)
		if err == nil {
			err = f.yaml(file, content)
		}
		if err != nil {
			errs = append(errs, err)
			return
		}
		saved = append(saved, Saved{File: file, Count: count})
	}
	for at, items := range g.objects {
		keep(at.namespace, at.gvr.Resource+".yaml", len(items), listOf(items))
	}
	for ns, items := range g.spaces {
		keep(ns, "namespace.yaml", len(items), listOf(items))
	}
	for _, ns := range slices.Sorted(maps.Keys(g.secrets)) {
		keep(ns, "secret-names.yaml", len(g.secrets[ns]), g.secrets[ns])
	}
	slices.SortFunc(saved, func(a, b Saved) int { return strings.Compare(a.File, b.File) })
	return saved, errors.Join(errs...)
}

// listOf is a List as `kubectl get -o yaml` prints one.
func listOf(items []unstructured.Unstructured) map[string]any {
	list := make([]map[string]any, len(items))
	for i := range items {
		list[i] = object.Trimmed(items[i].Object)
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": list}
}

// file returns the name of a namespace's file and makes its folder.
func (f *folder) file(namespace, name string) (string, error) {
	if namespace == "" {
		return name, nil
	}
	if !namespaceForm.MatchString(namespace) {
		return "", fmt.Errorf("save %q: %q is no namespace's name", name, namespace)
	}
	if err := f.root.MkdirAll(namespace, folderMode); err != nil {
		return "", fmt.Errorf("save %q of namespace %q: %w", name, namespace, err)
	}
	return namespace + "/" + name, nil
}

func (f *folder) yaml(file string, content any) error {
	b, err := yaml.Marshal(content)
	if err != nil {
		return fmt.Errorf("save %q: %w", file, err)
	}
	return f.write(file, b)
}
