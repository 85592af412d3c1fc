package main

import (
	"os"
	"path/filepath"
	"testing"
)

// What is in the tree is what the tables give: whoever edits one by hand, or a table alone, is told here.
func TestGeneratedFilesAreThoseOfTheTables(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	stale := filepath.Join(out, "zz_removed_record.go")
	if err := os.WriteFile(stale, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(".", out); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join("..", "..", "zz_*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(out, filepath.Base(name)))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s is not what the tables give (%v): run go generate ./pkg/kraft/metadata", filepath.Base(name), err)
		}
	}
	written, err := filepath.Glob(filepath.Join(out, "zz_*.go"))
	if err != nil || len(written) != len(names) {
		t.Errorf("%d files written, %d in the tree (%v)", len(written), len(names), err)
	}
}

func TestTablesThatAreNoneAreErrors(t *testing.T) {
	t.Parallel()
	if err := run(t.TempDir(), t.TempDir()); err == nil {
		t.Error("no tables, no error")
	}
	if err := writeFile(filepath.Join(t.TempDir(), "x.go"), []byte("func {")); err == nil {
		t.Error("what is no Go was written")
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "records.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(broken, t.TempDir()); err == nil {
		t.Error("a table that is no JSON was read")
	}
}
