package declared

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Stdin is the path that stands for standard input, as everywhere in Kubernetes' tools.
const Stdin = "-"

// kustomizationNames are the names a kustomization's file may have.
func kustomizationNames() []string {
	return []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}
}

// maxManifestBytes bounds one file: what is not a manifest is said so rather than read to the end.
const maxManifestBytes = 64 << 20

// Load reads manifests: files of one or several YAML or JSON documents, lists of objects, folders of such files (those
// below too), folders with a kustomization, which is built, and standard input where the path is "-". An address is an
// error. Errors name the file, and every object says in an annotation which file it is from.
func Load(ctx context.Context, paths []string, stdin io.Reader) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, path := range paths {
		objects, err := load(ctx, path, stdin)
		if err != nil {
			return nil, fmt.Errorf("read manifests %q: %w", path, err)
		}
		out = append(out, objects...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read manifests %q: %w", paths, errNothing)
	}
	return out, nil
}

var (
	errNothing   = errors.New("they hold no object")
	errAddress   = errors.New("it is an address; fetch it yourself and look at it first")
	errNoBuilder = errors.New("it is a kustomization, and neither kubectl nor kustomize is there to build it; " +
		"build it elsewhere and give the file, or pipe it to -f -")
	errTooBig = fmt.Errorf("it is larger than %d MiB", maxManifestBytes>>20)
)

func load(ctx context.Context, path string, stdin io.Reader) ([]*unstructured.Unstructured, error) {
	if path == Stdin {
		objects, err := decode(stdin)
		return from("standard input", objects), err
	}
	if strings.Contains(path, "://") {
		return nil, errAddress
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return loadFile(path)
	case isKustomization(path):
		return build(ctx, path)
	}
	return loadFolder(path)
}

func loadFile(path string) ([]*unstructured.Unstructured, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // nothing was written
	objects, err := decode(file)
	return from(path, objects), err
}

func loadFolder(folder string) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		extension := strings.ToLower(filepath.Ext(path))
		if entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, extension) {
			return nil
		}
		objects, err := loadFile(path)
		if err != nil {
			return fmt.Errorf("%q: %w", path, err)
		}
		out = append(out, objects...)
		return nil
	})
	return out, err
}

// decode reads one document after another; empty ones are left out and lists taken apart.
func decode(r io.Reader) ([]*unstructured.Unstructured, error) {
	limited := &io.LimitedReader{R: r, N: maxManifestBytes + 1}
	decoder := yaml.NewYAMLOrJSONDecoder(limited, 4096)
	var out []*unstructured.Unstructured
	for n := 1; ; n++ {
		content := map[string]any{}
		err := decoder.Decode(&content)
		if limited.N <= 0 {
			return nil, errTooBig
		}
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read document %d: %w", n, err)
		}
		if len(content) == 0 {
			continue
		}
		objects, err := flatten(&unstructured.Unstructured{Object: content})
		if err != nil {
			return nil, fmt.Errorf("read document %d: %w", n, err)
		}
		out = append(out, objects...)
	}
}

// flatten takes a list apart.
func flatten(o *unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	if o.GetKind() == "" || o.GetAPIVersion() == "" {
		return nil, errors.New("it has no apiVersion or no kind, so that it is no Kubernetes object")
	}
	if !o.IsList() {
		return []*unstructured.Unstructured{o}, nil
	}
	list, err := o.ToList()
	if err != nil {
		return nil, err
	}
	out := make([]*unstructured.Unstructured, 0, len(list.Items))
	for i := range list.Items {
		out = append(out, &list.Items[i])
	}
	return out, nil
}

func isKustomization(path string) bool {
	return slices.ContainsFunc(kustomizationNames(), func(name string) bool {
		info, err := os.Stat(filepath.Join(path, name))
		return err == nil && info.Mode().IsRegular()
	})
}

// builders are the programs that build a kustomization, the first one found is taken.
func builders() [][]string { return [][]string{{"kubectl", "kustomize"}, {"kustomize", "build"}} }

// build has a kustomization built by the program that people deploy it with: what it makes depends on that program's
// version, and the library would add more to this one than all the rest of it.
func build(ctx context.Context, path string) ([]*unstructured.Unstructured, error) {
	for _, command := range builders() {
		program, err := exec.LookPath(command[0])
		if err != nil {
			continue
		}
		var out, says bytes.Buffer
		run := exec.CommandContext(ctx, program, append(command[1:], path)...)
		run.Stdout, run.Stderr = &out, &says
		if err := run.Run(); err != nil {
			return nil, fmt.Errorf("build the kustomization with %s: %w: %s", strings.Join(command, " "), err,
				strings.TrimSpace(says.String()))
		}
		objects, err := decode(&out)
		return from(path, objects), err
	}
	return nil, errNoBuilder
}
