// Command gen writes what is derived from the command line and its results: docs/commands, docs/schema, docs/schema.md
// and docs/rules.md, and for releases man pages and completions. It owns those files; nothing else may write them.
//
//	go run ./internal/gen                            writes the documentation
//	go run ./internal/gen -check                     says what of it is stale
//	go run ./internal/gen -man DIR -completions DIR  writes what archives hold
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kafkarecover/kafkarecover/cmd"
	"github.com/kafkarecover/kafkarecover/internal/gen/rules"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
)

const program = "kafkarecover"

func main() {
	root := flag.String("root", ".", "the project's `directory`")
	check := flag.Bool("check", false, "write nothing, and fail when something is stale")
	man := flag.String("man", "", "write man pages to this `directory`, and no documentation")
	completions := flag.String("completions", "", "write completions to this `directory`, and no documentation")
	flag.Parse()
	err := run(*root, *check, *man, *completions)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(root string, check bool, man, completions string) error {
	if man != "" || completions != "" {
		return release(man, completions)
	}
	docs, err := documentation(root)
	if err != nil {
		return err
	}
	included, err := included(root)
	if err != nil {
		return err
	}
	if check {
		return errors.Join(docs.check(filepath.Join(root, "docs")), included.check(root))
	}
	if err := docs.write(filepath.Join(root, "docs")); err != nil {
		return err
	}
	return included.write(root)
}

// files are contents by path, relative and with slashes.
type files map[string][]byte

// owned are the directories below docs in which only generated files lie.
func owned() []string { return []string{"commands", "schema"} }

// documentation is everything generated below docs.
func documentation(root string) (files, error) {
	docs := files{}
	tree := newRoot(program)
	each(tree, func(c *cobra.Command) { docs["commands/"+fileName(c, "_")+".md"] = markdown(c) })
	docs["commands.md"] = commandIndex(tree)
	docs["rules.md"] = rules.Page()
	schemas, err := schemaFiles(root, cmd.Results())
	if err != nil {
		return nil, err
	}
	for name, content := range schemas {
		docs[name] = content
	}
	return docs, nil
}

// release writes what the archives hold.
func release(man, completions string) error {
	if man != "" {
		pages := files{}
		each(newRoot(program), func(c *cobra.Command) { pages[fileName(c, "-")+".1"] = manPage(c) })
		if err := pages.write(man); err != nil {
			return err
		}
	}
	if completions == "" {
		return nil
	}
	scripts, err := completionScripts(newRoot(program))
	if err != nil {
		return err
	}
	return scripts.write(completions)
}

func completionScripts(root *cobra.Command) (files, error) {
	scripts := files{}
	for name, generate := range map[string]func(*bytes.Buffer) error{
		program + ".bash": func(b *bytes.Buffer) error { return root.GenBashCompletionV2(b, true) },
		program + ".zsh":  func(b *bytes.Buffer) error { return root.GenZshCompletion(b) },
		program + ".fish": func(b *bytes.Buffer) error { return root.GenFishCompletion(b, true) },
		program + ".ps1":  func(b *bytes.Buffer) error { return root.GenPowerShellCompletionWithDesc(b) },
	} {
		var b bytes.Buffer
		if err := generate(&b); err != nil {
			return nil, fmt.Errorf("write %q: %w", name, err)
		}
		scripts[name] = b.Bytes()
	}
	// kubectl looks for a program of this name to complete a plugin's command line; kafkarecover knows it by its name.
	scripts["kubectl_complete-kafkarecover"] = []byte("#!/bin/sh\nexec kubectl-kafkarecover __complete \"$@\"\n")
	return scripts, nil
}

// newRoot is the command tree, apart from this machine's environment.
func newRoot(name string) *cobra.Command {
	streams := iostreams.System()
	return cmd.NewRoot(cmd.NewFactory([]string{name}, streams, func(string) string { return "" }))
}

// each visits the commands a person sees.
func each(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			each(sub, visit)
		}
	}
}

func fileName(c *cobra.Command, separator string) string {
	return strings.ReplaceAll(c.CommandPath(), " ", separator)
}

// write writes the files, and removes others from the directories they own.
func (f files) write(dir string) error {
	for name, content := range f {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write %q: %w", name, err)
		}
		mode := fs.FileMode(0o644)
		if bytes.HasPrefix(content, []byte("#!")) {
			mode = 0o755
		}
		if err := os.WriteFile(path, content, mode); err != nil {
			return fmt.Errorf("write %q: %w", name, err)
		}
	}
	left, err := f.leftOver(dir)
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return fmt.Errorf("remove what is no longer generated: %w", err)
		}
	}
	return nil
}

// check names what is missing, different or left over.
func (f files) check(dir string) error {
	var stale []string
	for name, want := range f {
		if have, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil || !bytes.Equal(have, want) {
			stale = append(stale, name)
		}
	}
	left, err := f.leftOver(dir)
	if err != nil {
		return err
	}
	stale = append(stale, left...)
	if len(stale) == 0 {
		return nil
	}
	slices.Sort(stale)
	for i, name := range stale {
		stale[i] = filepath.Join(filepath.Base(dir), filepath.FromSlash(name))
	}
	return fmt.Errorf("%s: stale; run make generate", strings.Join(stale, ", "))
}

func (f files) leftOver(dir string) ([]string, error) {
	var left []string
	for _, sub := range owned() {
		if !f.below(sub) {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look for what is no longer generated: %w", err)
		}
		for _, e := range entries {
			if name := sub + "/" + e.Name(); f[name] == nil {
				left = append(left, name)
			}
		}
	}
	return left, nil
}

// below tells whether any of the files lies in a directory: one that none does is somebody else's.
func (f files) below(dir string) bool {
	for name := range f {
		if strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return false
}
