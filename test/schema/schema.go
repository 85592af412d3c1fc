// Package schema holds results against docs/schema with a validator that is not this project's own, so that generator
// and check do not share a mistake. Tests that make results which need a cluster use it too.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Dir is the folder of the schemas, known from where this was compiled.
func Dir() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return "", errors.New("find the schemas: compiled without paths")
	}
	return filepath.Join(filepath.Dir(file), "..", "..", "docs", "schema"), nil
}

// Check holds a result, as -o json prints it, against the schema of its kind: as it is published, and in a strict form
// that lets no object have fields that the schema does not name.
func Check(result []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(result))
	if err != nil {
		return fmt.Errorf("read the result: %w", err)
	}
	object, _ := value.(map[string]any)
	kind, _ := object["kind"].(string)
	if kind == "" {
		return errors.New("read the result: it does not say its kind")
	}
	for form, strict := range map[string]bool{"as published": false, "without fields it does not name": true} {
		s, err := Compile(kind, strict)
		if err != nil {
			return err
		}
		if err := s.Validate(value); err != nil {
			return fmt.Errorf("against the schema of %s, %s: %w", kind, form, err)
		}
	}
	return nil
}

// Compile reads the schema of a kind, as it is published or in the strict form.
func Compile(kind string, strict bool) (*jsonschema.Schema, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(filepath.Join(dir, kind+".json"))
	if err != nil {
		return nil, fmt.Errorf("read the schema of %q: %w", kind, err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("read the schema of %q: %w", kind, err)
	}
	if strict {
		closeObjects(document)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(kind+".json", document); err != nil {
		return nil, fmt.Errorf("read the schema of %q: %w", kind, err)
	}
	s, err := compiler.Compile(kind + ".json")
	if err != nil {
		return nil, fmt.Errorf("read the schema of %q: %w", kind, err)
	}
	return s, nil
}

// CheckValue is Check of a result that was not printed.
func CheckValue(result any) error {
	raw, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	return Check(raw)
}

func closeObjects(node any) {
	switch node := node.(type) {
	case map[string]any:
		if _, isObject := node["properties"].(map[string]any); isObject && node["additionalProperties"] == nil {
			node["additionalProperties"] = false
		}
		for _, below := range node {
			closeObjects(below)
		}
	case []any:
		for _, below := range node {
			closeObjects(below)
		}
	}
}
