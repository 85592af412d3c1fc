package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// message is one entry of the schema tables, in the notation of Kafka's own message definitions.
type message struct {
	Release       string  `json:"release"`
	APIKey        int     `json:"apiKey"`
	Name          string  `json:"name"`
	ValidVersions string  `json:"validVersions"`
	Flexible      string  `json:"flexibleVersions"`
	Fields        []field `json:"fields"`
	CommonStructs []field `json:"commonStructs"`

	goName  string
	control bool
}

type field struct {
	Name     string  `json:"name"`
	Type     string  `json:"type"`
	Versions string  `json:"versions"`
	Nullable string  `json:"nullableVersions"`
	Tagged   string  `json:"taggedVersions"`
	Tag      int     `json:"tag"`
	Default  string  `json:"default"`
	Fields   []field `json:"fields"`

	structName string
}

func (m *message) flexible() bool { return m.Flexible != "none" }

func (m *message) maxVersion() int {
	parts := strings.Split(m.ValidVersions, "-")
	v, err := strconv.Atoi(parts[len(parts)-1])
	if err != nil {
		panic(fmt.Sprintf("message %q: versions %q", m.Name, m.ValidVersions))
	}
	return v
}

func (f *field) since() int {
	v, err := strconv.Atoi(strings.TrimSuffix(f.Versions, "+"))
	if err != nil {
		panic(fmt.Sprintf("field %q: versions %q", f.Name, f.Versions))
	}
	return v
}

func (f *field) nullable() bool { return f.Nullable != "" }
func (f *field) tagged() bool   { return f.Tagged != "" }
func (f *field) array() bool    { return strings.HasPrefix(f.Type, "[]") }
func (f *field) elem() string   { return strings.TrimPrefix(f.Type, "[]") }

// goName spells a Kafka field name the way Go names are spelt.
func goName(name string) string {
	switch {
	case strings.HasSuffix(name, "Id"):
		name = strings.TrimSuffix(name, "Id") + "ID"
	case strings.HasSuffix(name, "Isr"):
		name = strings.TrimSuffix(name, "Isr") + "ISR"
	case strings.HasSuffix(name, "Elr"):
		name = strings.TrimSuffix(name, "Elr") + "ELR"
	}
	return name
}

// jsonName is the key that Kafka's generated JSON converters use.
func jsonName(name string) string {
	return strings.ToLower(name[:1]) + name[1:]
}

// screaming is the name of the record type enum: RegisterBrokerRecord is REGISTER_BROKER_RECORD.
func screaming(name string) string {
	var b strings.Builder
	for i, c := range name {
		if i > 0 && c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return strings.ToUpper(b.String())
}

func loadTable(dir, name string) ([]message, error) {
	data, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // the generator reads its own tables
	if err != nil {
		return nil, err
	}
	var out []message
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("parse %q: %w", name, err)
	}
	return out, nil
}

// load reads the three tables and settles every Go name. A historic layout that has a current successor under the
// same key gets the release as suffix, one whose bytes are the same as the successor's is left out.
func load(dir string) ([]message, error) {
	current, err := loadTable(dir, "records.json")
	if err != nil {
		return nil, err
	}
	historic, err := loadTable(dir, "historic.json")
	if err != nil {
		return nil, err
	}
	control, err := loadTable(dir, "control.json")
	if err != nil {
		return nil, err
	}
	all := current
	for _, m := range historic {
		switch {
		case m.Release == "3.2.3" && m.Name == "ProducerIdsRecord":
			continue // same bytes as today
		case m.Release == "3.2.3" && (m.APIKey == 6 || m.APIKey == 16):
			m.goName = m.Name // withdrawn, no successor
		case m.Release == "3.2.3":
			m.goName = m.Name + "V32"
		default:
			m.goName = m.Name + "V28"
		}
		all = append(all, m)
	}
	for _, m := range control {
		m.control = true
		all = append(all, m)
	}
	for i := range all {
		m := &all[i]
		if m.goName == "" {
			m.goName = m.Name
		}
		suffix := strings.TrimPrefix(m.goName, m.Name)
		nameStructs(m, m.Fields, suffix)
	}
	return all, nil
}

func nameStructs(m *message, fields []field, suffix string) {
	for i := range fields {
		f := &fields[i]
		if len(f.Fields) == 0 {
			for _, c := range m.CommonStructs {
				if c.Name == f.elem() {
					f.Fields = c.Fields
				}
			}
		}
		if len(f.Fields) == 0 {
			continue
		}
		f.structName = f.elem() + suffix
		if m.control && f.elem() != "KRaftVersionFeature" {
			f.structName = strings.TrimSuffix(strings.TrimSuffix(m.Name, "Message"), "sRecord")
			if f.elem() != f.structName {
				f.structName += f.elem()
			}
		}
		nameStructs(m, f.Fields, suffix)
	}
}
