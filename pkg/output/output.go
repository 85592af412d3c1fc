// Package output prints the result of a command: the same value as a table for people, as JSON or YAML for programs,
// as names for scripts. It knows no result by type; results say what they show through small interfaces.
package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
)

// APIVersion is that of every result. Fields may be added to a version; nothing is removed or changes its meaning.
const APIVersion = "kafkarecover/v1"

// Format is a value of -o.
type Format string

// The formats. JUnit is printed by results that implement JUniter.
const (
	FormatTable Format = "table"
	FormatWide  Format = "wide"
	FormatJSON  Format = "json"
	FormatYAML  Format = "yaml"
	FormatName  Format = "name"
	FormatJUnit Format = "junit"
)

// Formats are those every command has.
func Formats() []Format { return []Format{FormatTable, FormatWide, FormatJSON, FormatYAML, FormatName} }

// TypeMeta heads every result, so that a file says what it is.
type TypeMeta struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// Meta returns the TypeMeta of a kind of result.
func Meta(kind string) TypeMeta { return TypeMeta{APIVersion: APIVersion, Kind: kind} }

// Tabler is a result that people can read. Wide asks for more columns, never for other rows.
type Tabler interface {
	Table(wide bool) Document
}

// Namer is a result that lists what it is about, as kubectl's -o name does: one TYPE/NAME each.
type Namer interface {
	Names() []string
}

// JUniter is a result that can be read by what collects test reports.
type JUniter interface {
	JUnit(w io.Writer) error
}

// Value is the value of an -o flag; it implements pflag.Value.
type Value struct {
	Format  Format
	Allowed []Format
}

// NewValue returns an -o flag's value that starts at table and takes the common formats and those of extra.
func NewValue(extra ...Format) *Value {
	return &Value{Format: FormatTable, Allowed: append(Formats(), extra...)}
}

// String implements pflag.Value.
func (v *Value) String() string { return string(v.Format) }

// Type implements pflag.Value; it is what help shows.
func (v *Value) Type() string {
	names := make([]string, len(v.Allowed))
	for i, f := range v.Allowed {
		names[i] = string(f)
	}
	return strings.Join(names, "|")
}

// Set implements pflag.Value.
func (v *Value) Set(s string) error {
	if !slices.Contains(v.Allowed, Format(s)) {
		return fmt.Errorf("%q is none of %s", s, strings.ReplaceAll(v.Type(), "|", ", "))
	}
	v.Format = Format(s)
	return nil
}

// Printer prints results to the standard output of a run.
type Printer struct {
	IO     *iostreams.Streams
	Format Format
}

// Print prints one result.
func (p Printer) Print(result any) error {
	var buf bytes.Buffer
	if err := p.render(&buf, result); err != nil {
		return err
	}
	if _, err := buf.WriteTo(p.IO.Out); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

func (p Printer) render(w *bytes.Buffer, result any) error {
	switch p.Format {
	case FormatJSON:
		return writeJSON(w, result)
	case FormatYAML:
		return writeYAML(w, result)
	case FormatName:
		if r, ok := result.(Namer); ok {
			for _, name := range r.Names() {
				fmt.Fprintln(w, Escape(name))
			}
			return nil
		}
	case FormatJUnit:
		if r, ok := result.(JUniter); ok {
			return r.JUnit(w)
		}
	case FormatTable, FormatWide, "":
		if r, ok := result.(Tabler); ok {
			return p.document(w, r.Table(p.Format == FormatWide))
		}
	}
	return fmt.Errorf("%T cannot be printed as %q", result, p.Format)
}

func (p Printer) document(w *bytes.Buffer, doc Document) error {
	width := 0 // what is piped is not wrapped, as with kubectl
	if p.IO.OutTTY {
		width = p.IO.Width()
	}
	tables := width
	if p.Format == FormatWide {
		tables = 0 // who asks for more than fits wants each row on its line
	}
	return doc.write(w, width, tables, p.IO.OutPalette())
}

func writeJSON(w io.Writer, result any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(result); err != nil {
		return fmt.Errorf("encode the result as JSON: %w", err)
	}
	return nil
}

func writeYAML(w io.Writer, result any) error {
	b, err := yaml.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode the result as YAML: %w", err)
	}
	_, err = w.Write(b)
	return err
}
