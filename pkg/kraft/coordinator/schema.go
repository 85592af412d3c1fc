package coordinator

import (
	_ "embed" // the schemas
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// table holds the schemas in the notation of Kafka's */src/main/resources/common/message/*.json, as of Kafka 4.4:
// newer than that of the text's releases only by tagged fields and new types.
//
//go:embed schemas.json
var table []byte

// versions is a range of versions; the zero value is none.
type versions struct {
	first, last int16
	some        bool
}

func (v versions) has(version int16) bool { return v.some && version >= v.first && version <= v.last }

// UnmarshalText reads "3", "0-4", "2+" and "none".
func (v *versions) UnmarshalText(text []byte) error {
	s := string(text)
	first, last, ranged := strings.Cut(s, "-")
	open := strings.HasSuffix(s, "+")
	switch {
	case s == "none" || s == "":
		*v = versions{}
		return nil
	case open:
		first = strings.TrimSuffix(s, "+")
	case !ranged:
		last = first
	}
	low, err := strconv.ParseInt(first, 10, 16)
	if err != nil {
		return fmt.Errorf("read versions %q: %w", s, err)
	}
	high := int64(math.MaxInt16)
	if !open {
		if high, err = strconv.ParseInt(last, 10, 16); err != nil {
			return fmt.Errorf("read versions %q: %w", s, err)
		}
	}
	*v = versions{int16(low), int16(high), true}
	return nil
}

// message is the schema of a key, a value or a text that a client put into one.
type message struct {
	APIKey   int16    `json:"apiKey"`
	Type     string   `json:"type"`
	Name     string   `json:"name"`
	Valid    versions `json:"validVersions"`
	Flexible versions `json:"flexibleVersions"`
	Fields   []*field `json:"fields"`
	Structs  []struct {
		Name   string   `json:"name"`
		Fields []*field `json:"fields"`
	} `json:"commonStructs"`
}

// field is a field of a message or of a structure in it.
type field struct {
	// Name is as JSON has it, with a small first letter.
	Name string `json:"name"`
	// Type is that of the field, or of an array's elements.
	Type     string   `json:"type"`
	Array    bool     `json:"-"`
	Versions versions `json:"versions"`
	Nullable versions `json:"nullableVersions"`
	Tagged   versions `json:"taggedVersions"`
	Tag      uint32   `json:"tag"`
	Default  string   `json:"default"`
	Fields   []*field `json:"fields"`
}

// load reads the schemas of one part of the table.
func load(part string) ([]*message, error) {
	var parts map[string][]*message
	if err := json.Unmarshal(table, &parts); err != nil {
		return nil, fmt.Errorf("read the schemas: %w", err)
	}
	for _, m := range parts[part] {
		structs := map[string][]*field{}
		for _, s := range m.Structs {
			structs[s.Name] = s.Fields
		}
		for _, s := range m.Structs {
			settle(s.Fields, structs)
		}
		settle(m.Fields, structs)
	}
	return parts[part], nil
}

// settle gives fields their name in JSON and structures their fields.
func settle(fields []*field, structs map[string][]*field) {
	for _, f := range fields {
		f.Name = strings.ToLower(f.Name[:1]) + f.Name[1:]
		f.Type, f.Array = strings.CutPrefix(f.Type, "[]")
		if !f.Versions.some { // the tag's are the field's
			f.Versions = f.Tagged
		}
		if f.Fields == nil {
			f.Fields = structs[f.Type]
			continue
		}
		settle(f.Fields, structs)
	}
}
