package toolchain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// FindSource finds the directory test/sandbox: where this program was compiled from, else upwards of the working
// directory.
func FindSource() (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		if dir := filepath.Dir(filepath.Dir(file)); isSource(dir) {
			return dir, nil
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find sources: %w", err)
	}
	for {
		for _, candidate := range []string{dir, filepath.Join(dir, "test", "sandbox")} {
			if isSource(candidate) {
				return candidate, nil
			}
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%w; run inside the repository or name test/sandbox with --source", ErrNoSource)
		}
		dir = filepath.Dir(dir)
	}
}

func isSource(dir string) bool {
	for _, file := range []string{"go.mod", "kube/go.mod", "dns/go.mod"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			return false
		}
	}
	return true
}

// hash covers everything that decides the programs: compiler, flags, go.mod, go.sum and every Go file but tests.
// go.sum pins the dependencies' contents.
func (t target) hash(source, goVersion string) (string, error) {
	root := filepath.Join(source, t.module)
	files, err := t.inputs(root)
	if err != nil {
		return "", fmt.Errorf("read sources of %q: %w", t.module, err)
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "go %q\nargs %q\npackages %q\n", goVersion, t.buildArgs(), t.packages)
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return "", fmt.Errorf("read sources of %q: %w", t.module, err)
		}
		fmt.Fprintf(sum, "file %q %d\n", file, len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil))[:32], nil
}

// inputs are paths relative to root, sorted.
func (t target) inputs(root string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name := entry.Name()
		switch {
		case entry.IsDir() && (slices.Contains(t.exclude, relative) || name == "testdata"):
			return fs.SkipDir
		case entry.IsDir(), strings.HasSuffix(name, "_test.go"):
		case name == "go.mod", name == "go.sum", strings.HasSuffix(name, ".go"):
			files = append(files, relative)
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}
