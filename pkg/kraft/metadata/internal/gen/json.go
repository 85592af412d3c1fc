package main

import (
	"fmt"
	"strconv"
	"strings"
)

// redaction is the Go expression that yields the text to print instead of a secret field, empty for other fields.
func redaction(owner string, f *field) string {
	switch {
	case strings.HasPrefix(owner, "UserScramCredentialRecord") &&
		(f.Name == "Salt" || f.Name == "StoredKey" || f.Name == "ServerKey" || f.Name == "SaltedPassword"):
		return "redact"
	case strings.HasPrefix(owner, "ConfigRecord") && f.Name == "Value":
		value := "r.Value != nil && "
		if owner == "ConfigRecordV28" {
			value = ""
		}
		return "redact && " + value + "SensitiveConfig(r.ResourceType, r.Name)"
	}
	return ""
}

// flush emits the literal text gathered so far as one append.
func (g *generator) flush() {
	if g.pending == "" {
		return
	}
	g.p("b = append(b, %s...)", strconv.Quote(g.pending))
	g.pending = ""
}

// jsonFields writes the appends of one object. Text between two values is gathered into one literal as long as no
// field before it is conditional.
func (g *generator) jsonFields(fields []field) {
	g.pending = "{"
	open := true // no field has been written yet for certain
	dynamicComma := false
	for i := range fields {
		f := &fields[i]
		conditions := []string{}
		if f.since() > 0 {
			conditions = append(conditions, fmt.Sprintf("version >= %d", f.since()))
		}
		if f.tagged() {
			conditions = append(conditions, set(f))
		}
		key := strconv.Quote(jsonName(f.Name)) + ":"
		if len(conditions) == 0 {
			g.separator(open, dynamicComma)
			g.pending += key
			g.jsonValue(f)
			open, dynamicComma = false, false
			continue
		}
		g.flush()
		g.p("if %s {", strings.Join(conditions, " && "))
		g.separator(open, open && i > 0)
		g.pending += key
		g.jsonValue(f)
		g.flush()
		g.p("}")
		dynamicComma = open
	}
	g.pending += "}"
	g.flush()
}

func (g *generator) separator(open, dynamic bool) {
	switch {
	case dynamic:
		g.flush()
		g.p("b = comma(b)")
	case !open:
		g.pending += ","
	}
}

func (g *generator) jsonValue(f *field) {
	if secret := redaction(g.owner, f); secret != "" {
		g.flush()
		g.p("if %s {\nb = append(b, redactedJSON...)\n} else {", secret)
		g.jsonPlain(f)
		g.flush()
		g.p("}")
		return
	}
	g.jsonPlain(f)
}

func (g *generator) jsonPlain(f *field) {
	source := "r." + goName(f.Name)
	switch {
	case f.structName != "" && f.array():
		g.pending += "["
		g.flush()
		g.p("for i := range %s {\nif i > 0 {\nb = append(b, ',')\n}\nb = %s[i].json(b, version, redact)\n}",
			source, source)
		g.pending = "]"
	case f.structName != "":
		g.flush()
		g.p("b = %s.json(b, version, redact)", source)
	case f.Type == "uuid":
		g.pending += `"`
		g.flush()
		g.p("b = %s.AppendText22(b)", source)
		g.pending = `"`
	default:
		name := map[string]string{
			"bool": "jsonBool(b, %s)", "int8": "jsonInt(b, int64(%s))", "int16": "jsonInt(b, int64(%s))",
			"uint16": "jsonInt(b, int64(%s))", "int32": "jsonInt(b, int64(%s))", "int64": "jsonInt(b, %s)",
			"float64": "jsonDouble(b, %s)", "string": "jsonString(b, %s)", "bytes": "jsonBytes(b, %s)",
			"[]int32": "jsonInts(b, %s, " + strconv.FormatBool(f.nullable()) + ")",
			"[]uuid":  "jsonUUIDs(b, %s, " + strconv.FormatBool(f.nullable()) + ")", "[]string": "jsonStrings(b, %s)",
		}[f.Type]
		if f.nullable() && f.Type == "string" {
			name = "jsonNullableString(b, %s)"
		}
		g.flush()
		g.p("b = "+name, source)
	}
}

// registry writes the tables from record type to name and constructor.
func (g *generator) registry(messages []message) {
	byVariant := map[string][]*message{}
	for i := range messages {
		m := &messages[i]
		switch {
		case m.control:
		case m.Release == "2.8.2":
			byVariant["28"] = append(byVariant["28"], m)
		case m.Release != "":
			byVariant["32"] = append(byVariant["32"], m)
		default:
			byVariant["now"] = append(byVariant["now"], m)
		}
	}
	g.p("// The types of metadata records (Kafka's generated MetadataRecordType), by their API key.\nconst (")
	for _, m := range byVariant["now"] {
		g.p("Type%s Type = %d", strings.TrimSuffix(m.Name, "Record"), m.APIKey)
	}
	g.p("// Dropped types, which old logs hold.")
	for _, m := range byVariant["32"] {
		if m.goName == m.Name {
			g.p("Type%s Type = %d", strings.TrimSuffix(m.Name, "Record"), m.APIKey)
		}
	}
	g.p(")\n")
	g.p("// String is the name Kafka prints: TOPIC_RECORD.\nfunc (t Type) String() string {\nswitch t {")
	for _, m := range byVariant["now"] {
		g.p("case %d:\nreturn %q", m.APIKey, screaming(m.Name))
	}
	for _, m := range byVariant["32"] {
		if m.goName == m.Name {
			g.p("case %d:\nreturn %q", m.APIKey, screaming(m.Name))
		}
	}
	g.p("}\nreturn unknownTypeName(t)\n}\n")
	g.pool(byVariant["now"])
	g.constructor("new32", "the layouts of 3.0 that later releases changed in place", byVariant["32"])
	g.constructor("new28", "the layouts of the 2.8 preview", byVariant["28"])
	g.p("// Types lists every record type of the schema tables, dropped ones included, in key order.\n" +
		"func Types() []Type {\nreturn []Type{")
	for key := range 64 {
		for _, m := range append(append([]*message{}, byVariant["now"]...), byVariant["32"]...) {
			if m.APIKey == key {
				g.p("%d,", key)
				break
			}
		}
	}
	g.p("}\n}")
}

func (g *generator) pool(messages []*message) {
	g.p("// pool holds one message of each type, decoded over and over.\ntype pool struct {")
	for _, m := range messages {
		g.p("m%d %s", m.APIKey, m.goName)
	}
	g.p("}\n\nfunc (p *pool) get(t Type) Message {\nswitch t {")
	for _, m := range messages {
		g.p("case %d:\nreturn &p.m%d", m.APIKey, m.APIKey)
	}
	g.p("}\nreturn nil\n}\n")
	g.constructor("newMessage", "the current layouts", messages)
}

func (g *generator) constructor(name, what string, messages []*message) {
	g.p("// %s returns an empty message of %s, nil for a type that has none.", name, what)
	g.p("func %s(t Type) Message {\nswitch t {", name)
	for _, m := range messages {
		g.p("case %d:\nreturn &%s{}", m.APIKey, m.goName)
	}
	g.p("}\nreturn nil\n}\n")
}

func (g *generator) configs(names []string) {
	g.p("// plainBrokerConfig tells whether Kafka's own definition of a broker configuration is of a type that is " +
		"no secret.")
	g.p("func plainBrokerConfig(name string) bool {\nswitch name {\ncase %q", names[0])
	g.buf.Truncate(g.buf.Len() - 1)
	for _, name := range names[1:] {
		g.p(",\n\t%q", name)
		g.buf.Truncate(g.buf.Len() - 1)
	}
	g.p(":\nreturn true\n}\nreturn false\n}")
}
