package main

import (
	"bytes"
	"fmt"
	"strings"
)

// generator writes one output file.
type generator struct {
	buf     bytes.Buffer
	written map[string]bool // nested struct types, over all files
	flex    bool
	owner   string
	pending string // literal JSON text not yet emitted
}

func (g *generator) p(format string, args ...any) { fmt.Fprintf(&g.buf, format+"\n", args...) }

func (g *generator) message(m *message) {
	g.flex, g.owner = m.flexible(), m.goName
	g.nested(m.Fields, m)
	g.doc(m)
	g.structure(m.goName, m.Fields)
	if !m.control {
		g.p("// Type is %s.", screaming(m.Name))
		g.p("func (*%s) Type() Type { return %d }\n", m.goName, m.APIKey)
		g.check(m)
	}
	g.codec(m.goName, m.Fields)
}

func (g *generator) doc(m *message) {
	versions := "version " + m.ValidVersions
	if strings.Contains(m.ValidVersions, "-") {
		versions = "versions " + strings.Replace(m.ValidVersions, "-", " to ", 1)
	}
	switch {
	case m.control:
		g.p("// %s is the value of a control record, %s (Kafka's %s.json).", m.goName, versions, m.Name)
	case m.Release == "2.8.2":
		g.p("// %s is the %s of the 2.8 preview (record frame 0), which no later Kafka reads.", m.goName, m.Name)
	case m.Release != "":
		g.p("// %s is the %s as Kafka 3.0 wrote it; later releases changed the layout or dropped the type\n"+
			"// without a new version number.", m.goName, m.Name)
	default:
		g.p("// %s is metadata record type %d, %s (Kafka's %s.json).", m.goName, m.APIKey, versions, m.Name)
	}
}

func (g *generator) nested(fields []field, m *message) {
	for i := range fields {
		f := &fields[i]
		if f.structName == "" || g.written[f.structName] {
			continue
		}
		g.nested(f.Fields, m)
		g.written[f.structName] = true
		g.p("// %s is an element of %s.%s.", f.structName, m.goName, goName(f.Name))
		g.structure(f.structName, f.Fields)
		g.codec(f.structName, f.Fields)
	}
}

func (g *generator) structure(name string, fields []field) {
	g.p("type %s struct {", name)
	for i := range fields {
		f := &fields[i]
		note := ""
		if f.since() > 0 {
			note = fmt.Sprintf(" // since version %d", f.since())
		}
		if f.nullable() && f.array() {
			note += strings.Replace("; nil is null", "; ", map[bool]string{true: " // ", false: "; "}[note == ""], 1)
		}
		g.p("\t%s %s `json:%q`%s", goName(f.Name), goType(f), jsonName(f.Name), note)
	}
	if g.flex {
		g.p("\t// Unknown holds tagged fields this schema does not name, as written.")
		g.p("\tUnknown []TaggedField `json:\"-\"`")
	}
	g.p("}\n")
}

func goType(f *field) string {
	base := map[string]string{
		"bool": "bool", "int8": "int8", "int16": "int16", "uint16": "uint16", "int32": "int32", "int64": "int64",
		"float64": "float64", "uuid": "UUID", "string": "string", "bytes": "[]byte",
	}[f.elem()]
	if base == "" {
		base = f.structName
	}
	switch {
	case f.array():
		return "[]" + base
	case f.nullable() && base == "string":
		return "*string"
	case f.nullable():
		panic("nullable " + f.Type + " is not supported")
	}
	return base
}

// zero is the Go expression of the field's default.
func zero(f *field) string {
	switch {
	case f.array() || f.Default == "null":
		return "nil"
	case f.nullable():
		return "nil"
	case f.Default != "":
		return f.Default
	}
	switch f.Type {
	case "bool":
		return "false"
	case "uuid":
		return "UUID{}"
	case "string":
		return `""`
	case "bytes":
		return "nil"
	}
	return "0"
}

// set is the Go condition that the field differs from its default.
func set(f *field) string {
	v := "r." + goName(f.Name)
	switch {
	case f.array() && !f.nullable():
		return "len(" + v + ") != 0"
	case f.Type == "bool" && f.Default == "true":
		return "!" + v
	case f.Type == "bool":
		return v
	}
	return v + " != " + zero(f)
}

// check writes the refusal to encode a field into a version that has no place for it.
func (g *generator) check(m *message) {
	g.p("func (*%s) versions() (lowest, highest int16) { return 0, %d }\n", m.goName, m.maxVersion())
	body := ""
	for i := range m.Fields {
		if f := &m.Fields[i]; f.since() > 0 {
			body += fmt.Sprintf("\tif version < %d && %s {\n\t\treturn notInVersion(%q, version)\n\t}\n",
				f.since(), set(f), f.Name)
		}
	}
	if body == "" {
		g.p("func (*%s) check(int16) error { return nil }\n", m.goName)
		return
	}
	g.p("func (r *%s) check(version int16) error {\n%s\treturn nil\n}\n", m.goName, body)
}

func (g *generator) codec(name string, fields []field) {
	usesVersion := false
	for i := range fields {
		usesVersion = usesVersion || fields[i].since() > 0 || fields[i].structName != ""
	}
	version := map[bool]string{true: "version", false: "_"}[usesVersion]
	receiver := "r "
	if len(fields) == 0 && !g.flex {
		receiver = ""
	}
	g.p("func (%s*%s) decode(d *decoder, %s int16) {", receiver, name, version)
	g.decodeFields(fields)
	g.p("}\n")
	g.p("func (%s*%s) encode(b []byte, %s int16) []byte {", receiver, name, version)
	g.encodeFields(fields)
	g.p("\treturn b\n}\n")
	redacts := false
	for i := range fields {
		redacts = redacts || fields[i].structName != "" || redaction(g.owner, &fields[i]) != ""
	}
	redact := map[bool]string{true: "redact", false: "_"}[redacts]
	if len(fields) == 0 {
		receiver = ""
	}
	g.p("func (%s*%s) json(b []byte, %s int16, %s bool) []byte {", receiver, name, version, redact)
	g.jsonFields(fields)
	g.p("\treturn b\n}\n")
}

func minSize(f *field, flex bool) int {
	if f.array() || f.Type == "string" || f.Type == "bytes" {
		if flex {
			return 1
		}
		return map[bool]int{true: 4, false: 2}[f.array()]
	}
	return scalarSize(f.Type, f.Fields, flex)
}

func scalarSize(typ string, fields []field, flex bool) int {
	if n, ok := map[string]int{
		"bool": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "int64": 8, "float64": 8, "uuid": 16,
	}[typ]; ok {
		return n
	}
	if typ == "string" {
		return map[bool]int{true: 1, false: 2}[flex]
	}
	total := 0
	for i := range fields {
		if !fields[i].tagged() && fields[i].since() == 0 {
			total += minSize(&fields[i], flex)
		}
	}
	if flex {
		total++
	}
	return total
}
