package main

import (
	"fmt"
	"strings"
)

// method is the suffix of the runtime's functions for a scalar type.
func (g *generator) method(f *field) string {
	name := map[string]string{"bool": "boolean", "uuid": "uuid"}[f.elem()]
	if name == "" {
		name = f.elem()
	}
	switch {
	case f.array():
		name += "s"
	case f.nullable():
		name = "nullable" + strings.ToUpper(name[:1]) + name[1:]
	}
	if !g.flex && (f.array() || f.Type == "string" || f.Type == "bytes" || f.nullable()) {
		name = "old" + strings.ToUpper(name[:1]) + name[1:]
	}
	return name
}

func (g *generator) guarded(f *field, then, otherwise string) {
	if f.since() == 0 {
		g.p("%s", then)
		return
	}
	g.p("if version >= %d {\n%s\n}", f.since(), then)
	if otherwise != "" {
		g.buf.Truncate(g.buf.Len() - 1)
		g.p(" else {\n%s\n}", otherwise)
	}
}

func (g *generator) decodeOne(f *field) string {
	target := "r." + goName(f.Name)
	switch {
	case f.structName != "" && f.array():
		count := "arrayLen"
		if !g.flex {
			count = "oldArrayLen"
		}
		return fmt.Sprintf("%s = sized(%s, d.%s(%d, %q))\nfor i := range %s {\n%s[i].decode(d, version)\n}",
			target, target, count, scalarSize(f.elem(), f.Fields, g.flex), f.Name, target, target)
	case f.structName != "":
		return target + ".decode(d, version)"
	case f.array() && f.nullable():
		return fmt.Sprintf("%s = d.%s(%s, true, %q)", target, g.method(f), target, f.Name)
	case f.array():
		return fmt.Sprintf("%s = d.%s(%s, false, %q)", target, g.method(f), target, f.Name)
	case f.Type == "string" || f.Type == "bytes":
		return fmt.Sprintf("%s = d.%s(%q)", target, g.method(f), f.Name)
	}
	return fmt.Sprintf("%s = d.%s()", target, g.method(f))
}

func (g *generator) decodeFields(fields []field) {
	tagged := 0
	for i := range fields {
		f := &fields[i]
		reset := fmt.Sprintf("r.%s = %s", goName(f.Name), zero(f))
		if f.array() && !f.nullable() {
			reset = fmt.Sprintf("r.%s = r.%s[:0]", goName(f.Name), goName(f.Name))
		}
		if f.tagged() {
			tagged++
			g.p("%s", reset)
			continue
		}
		g.guarded(f, g.decodeOne(f), reset)
	}
	if !g.flex {
		return
	}
	if tagged == 0 {
		g.p("r.Unknown = d.tags()")
		return
	}
	g.p("r.Unknown = nil")
	g.p("for n := d.tagCount(); n > 0 && d.err == nil; n-- {\ntag, outer := d.tag()\nswitch {")
	for i := range fields {
		f := &fields[i]
		if !f.tagged() {
			continue
		}
		condition := fmt.Sprintf("tag == %d", f.Tag)
		if f.since() > 0 {
			condition += fmt.Sprintf(" && version >= %d", f.since())
		}
		g.p("case %s:\n%s", condition, g.decodeOne(f))
		if f.since() > 0 { // Kafka reads it as an unknown field in no version: it refuses the record
			g.p("case tag == %d:\nd.notYet(tag, version)", f.Tag)
		}
	}
	g.p("default:\nr.Unknown = append(r.Unknown, d.rawTag(tag))\n}\nd.endTag(outer)\n}")
}

func (g *generator) encodeOne(f *field) string {
	source := "r." + goName(f.Name)
	switch {
	case f.structName != "" && f.array():
		count := "appendArrayLen"
		if !g.flex {
			count = "appendOldArrayLen"
		}
		return fmt.Sprintf("b = %s(b, len(%s))\nfor i := range %s {\nb = %s[i].encode(b, version)\n}",
			count, source, source, source)
	case f.structName != "":
		return "b = " + source + ".encode(b, version)"
	}
	name := g.method(f)
	name = strings.Replace("append"+strings.ToUpper(name[:1])+name[1:], "Uuid", "UUID", 1)
	if f.array() {
		return fmt.Sprintf("b = %s(b, %s, %t)", name, source, f.nullable())
	}
	return fmt.Sprintf("b = %s(b, %s)", name, source)
}

func (g *generator) encodeFields(fields []field) {
	var tags []*field
	for i := range fields {
		f := &fields[i]
		if !f.tagged() {
			g.guarded(f, g.encodeOne(f), "")
			continue
		}
		at := len(tags)
		for at > 0 && tags[at-1].Tag > f.Tag {
			at--
		}
		tags = append(tags[:at], append([]*field{f}, tags[at:]...)...)
	}
	if !g.flex {
		return
	}
	if len(tags) == 0 {
		g.p("b = appendTags(b, r.Unknown)")
		return
	}
	condition := func(f *field) string {
		if f.since() > 0 {
			return fmt.Sprintf("version >= %d && %s", f.since(), set(f))
		}
		return set(f)
	}
	g.p("n := len(r.Unknown)")
	for _, f := range tags {
		g.p("if %s {\nn++\n}", condition(f))
	}
	g.p("b = appendUvarint(b, uint64(n))\nrest := r.Unknown")
	for _, f := range tags {
		g.p("if %s {\nb, rest = appendTagsBelow(b, rest, %d)\nmark := len(b)\n%s\nb = tagHeader(b, mark, %d)\n}",
			condition(f), f.Tag, g.encodeOne(f), f.Tag)
	}
	g.p("b, _ = appendTagsBelow(b, rest, noTag)")
}
