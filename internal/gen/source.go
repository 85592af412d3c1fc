package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// source finds the doc comments of the project's types, so that a schema says what the code says.
type source struct {
	root     string
	packages map[string]*pkg
}

// pkg holds the comments of one package, by type, and by type and field; and the texts of constants, by type.
type pkg struct {
	types     map[string]string
	fields    map[[2]string]string
	constants map[string][]string
}

func newSource(root string) *source { return &source{root: root, packages: map[string]*pkg{}} }

func (s *source) typeDoc(t reflect.Type) string {
	return s.load(t.PkgPath()).types[bare(t)]
}

func (s *source) fieldDoc(t reflect.Type, field string) string {
	return s.load(t.PkgPath()).fields[[2]string{bare(t), field}]
}

// constants are the values the package declares for a type of text.
func (s *source) constants(t reflect.Type) []string {
	if t.PkgPath() == "" {
		return nil
	}
	return slices.Clone(s.load(t.PkgPath()).constants[t.Name()])
}

// bare is the name of a type without its type arguments.
func bare(t reflect.Type) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	return name
}

// load reads a package of the project; for others it knows nothing.
func (s *source) load(importPath string) *pkg {
	if p := s.packages[importPath]; p != nil {
		return p
	}
	p := &pkg{types: map[string]string{}, fields: map[[2]string]string{}, constants: map[string][]string{}}
	s.packages[importPath] = p
	rel, ok := strings.CutPrefix(importPath, modPrefix)
	if !ok {
		return p
	}
	dir := filepath.Join(s.root, filepath.FromSlash(rel))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return p
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.ParseComments)
		if err != nil {
			continue
		}
		for _, d := range file.Decls {
			if decl, ok := d.(*ast.GenDecl); ok {
				p.declaration(decl)
			}
		}
	}
	return p
}

func (p *pkg) declaration(decl *ast.GenDecl) {
	for _, spec := range decl.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			doc := spec.Doc
			if doc == nil && len(decl.Specs) == 1 {
				doc = decl.Doc
			}
			p.types[spec.Name.Name] = oneLine(doc.Text())
			if structure, ok := spec.Type.(*ast.StructType); ok {
				p.structure(spec.Name.Name, structure)
			}
		case *ast.ValueSpec:
			if decl.Tok == token.CONST {
				p.constant(spec)
			}
		}
	}
}

func (p *pkg) structure(name string, structure *ast.StructType) {
	for _, field := range structure.Fields.List {
		text := field.Doc.Text()
		if text == "" {
			text = field.Comment.Text()
		}
		for _, n := range field.Names {
			p.fields[[2]string{name, n.Name}] = oneLine(text)
		}
	}
}

func (p *pkg) constant(spec *ast.ValueSpec) {
	typeName, ok := spec.Type.(*ast.Ident)
	if !ok {
		return
	}
	for _, v := range spec.Values {
		literal, ok := v.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			continue
		}
		if text, err := strconv.Unquote(literal.Value); err == nil && text != "" {
			p.constants[typeName.Name] = append(p.constants[typeName.Name], text)
		}
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
