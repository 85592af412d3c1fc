package output_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

type result struct {
	output.TypeMeta
	Text string `json:"text"`
	wide bool
}

func (r *result) Table(wide bool) output.Document {
	r.wide = wide
	return output.Document{{Lines: []output.Line{output.Text(r.Text)}}}
}

func (*result) JUnit(w io.Writer) error {
	_, err := io.WriteString(w, "<testsuites/>")
	return err
}

func printed(t *testing.T, format output.Format, r any) string {
	t.Helper()
	streams, _, out, errOut := iostreams.Test()
	if err := (output.Printer{IO: streams, Format: format}).Print(r); err != nil {
		t.Fatal(err)
	}
	if errOut.Len() > 0 {
		t.Errorf("a result belongs on stdout, stderr got %q", errOut)
	}
	return out.String()
}

func TestFormatsShowTheSameValue(t *testing.T) {
	t.Parallel()
	r := &result{TypeMeta: output.Meta("Example"), Text: "a <b> & \x1b[31m ü"}
	var fromJSON, fromYAML result
	if err := json.Unmarshal([]byte(printed(t, output.FormatJSON, r)), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict([]byte(printed(t, output.FormatYAML, r)), &fromYAML); err != nil {
		t.Fatal(err)
	}
	for format, got := range map[string]result{"json": fromJSON, "yaml": fromYAML} {
		if got.APIVersion != "kafkarecover/v1" || got.Kind != "Example" || got.Text != r.Text {
			t.Errorf("%s: got %+v", format, got)
		}
	}
	if got := printed(t, output.FormatJSON, r); !strings.Contains(got, "a <b> & ") || strings.Contains(got, "\x1b") {
		t.Errorf("JSON for people too, and never an escape sequence: %s", got)
	}
	if got := printed(t, output.FormatJUnit, r); got != "<testsuites/>" {
		t.Errorf("got %q", got)
	}
	if got := printed(t, output.FormatWide, r); !r.wide || strings.Contains(got, "\x1b") {
		t.Errorf("wide must ask for it, and text is escaped: %q", got)
	}
	if printed(t, output.FormatTable, r); r.wide {
		t.Error("a table is not wide")
	}
}

func TestWhatCannotBePrintedIsAnError(t *testing.T) {
	t.Parallel()
	streams, _, out, _ := iostreams.Test()
	for format, value := range map[output.Format]any{
		output.FormatName: &result{}, output.FormatJUnit: example(), output.FormatTable: struct{}{},
		output.FormatJSON: func() {}, output.FormatYAML: func() {}, "csv": &result{},
	} {
		if err := (output.Printer{IO: streams, Format: format}).Print(value); err == nil {
			t.Errorf("%T as %q was printed", value, format)
		}
	}
	if out.Len() > 0 {
		t.Errorf("half of a result was written: %q", out)
	}
	streams.Out = broken{}
	if err := (output.Printer{IO: streams, Format: output.FormatJSON}).Print(&result{}); !errors.Is(err, errBroken) {
		t.Errorf("a pipe that broke must be told, got %v", err)
	}
}

type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestOutputFlag(t *testing.T) {
	t.Parallel()
	v := output.NewValue(output.FormatJUnit)
	if v.String() != "table" || v.Type() != "table|wide|json|yaml|name|junit" {
		t.Errorf("got %q of %q", v, v.Type())
	}
	if err := v.Set("json"); err != nil || v.Format != output.FormatJSON {
		t.Errorf("got %q, %v", v, err)
	}
	err := v.Set("xml")
	if err == nil || !strings.Contains(err.Error(), "table, wide, json") || v.Format != output.FormatJSON {
		t.Errorf("want the values that are taken, got %v", err)
	}
	if err := output.NewValue().Set("junit"); err == nil {
		t.Error("junit is only for what has it")
	}
}

// wrapped prints a document on a terminal.
func wrapped(t *testing.T, columns int, doc output.Document) string {
	t.Helper()
	streams, _, out, _ := iostreams.Test()
	streams.SetTerminal(columns)
	streams.Colour = iostreams.ColourNever
	if err := (output.Printer{IO: streams}).Print(fixed(doc)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWrapping(t *testing.T) {
	t.Parallel()
	for title, tc := range map[string]struct {
		doc  output.Document
		want string
	}{
		"what people copy is never cut": {
			output.Document{{
				Table: &output.Table{
					Columns: output.Columns("~DIRECTORY", "~ID"), Rows: [][]output.Cell{
						output.Row("dir/data-0-my-cluster-broker-0/kafka-log0", "WfgV0zaXR8GWDtKf_rFFyA"),
					},
				},
				Lines: []output.Line{output.Text("in a-topic-whose-name-is-longer-than-a-line, which stays whole")},
			}}, `DIRECTORY                     ID
dir/                          WfgV0zaXR8GWDtKf_rFFyA
data-0-my-cluster-broker-0/
kafka-log0
in a-topic-whose-name-is-longer-than-a-line,
which stays whole
`,
		},
		"a list is broken behind its commas, an address behind its slashes": {
			output.Document{{Lines: []output.Line{output.Text("PLAIN://broker-0.example:9092,TLS://broker-0.example:9093")}}},
			"PLAIN://broker-0.example:9092,\nTLS://broker-0.example:9093\n",
		},
		"a table without names of columns has no line for them": {
			output.Document{{Table: &output.Table{
				Columns: output.Columns("", "~"), Rows: [][]output.Cell{output.Row("Cluster:", "a")},
			}}}, "Cluster:   a\n",
		},
		"what does not fit beside its row stands below it": {
			output.Document{{Table: &output.Table{
				Columns: output.Columns("VOLUME", "_CLAIM", "STATE", "_ZONE", "~_NOTE"),
				Rows: [][]output.Cell{
					output.Row("pvc-4f0c1d2e-77", "data-0-broker-0", output.Styled(iostreams.Good, "safe"), "a", ""),
					output.Row("pvc-9", "data-0-broker-1", "gone", "", "it was deleted before anybody looked"),
				},
			}}}, `VOLUME            STATE
pvc-4f0c1d2e-77   safe
    claim data-0-broker-0
    zone a
pvc-9             gone
    claim data-0-broker-1
    note it was deleted before
    anybody looked
`,
		},
		"what fits stays in its column": {
			output.Document{{Table: &output.Table{
				Columns: output.Columns("A", "_B"), Rows: [][]output.Cell{output.Row("a", strings.Repeat("b", 26))},
			}}}, "A   B\na   " + strings.Repeat("b", 26) + "\n",
		},
		"a path longer than the line is broken behind a slash": {
			output.Document{{Lines: []output.Line{output.Text("see /a/very/long/path/that/has/no/space/in/it now")}}},
			"see\n/a/very/long/path/that/has/no/\nspace/in/it now\n",
		},
		"wide characters count twice": {
			output.Document{{Lines: []output.Line{output.Text("日本日本日本日本日本 日本日本日本日本日本")}}},
			"日本日本日本日本日本\n日本日本日本日本日本\n",
		},
		"lines of the text stay lines": {
			output.Document{{Lines: []output.Line{output.Indented(2, "one\ntwo")}}}, "  one\n  two\n",
		},
		"styles go on in the next line": {
			output.Document{{Lines: []output.Line{
				output.Text("plain ", output.Styled(iostreams.Bad, "bad words that go on and on"), " end"),
			}}}, "plain bad words that go on and\non end\n",
		},
		"two columns share the width": {
			output.Document{{Table: &output.Table{
				Columns: output.Columns("A", "~B", "~C"),
				Rows:    [][]output.Cell{output.Row("x", strings.Repeat("word ", 8)+"end", "s")},
			}}}, "A   B                     C\nx   word word word word   s\n    word word word word\n    end\n",
		},
	} {
		if diff := cmp.Diff(tc.want, wrapped(t, 30, tc.doc)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", title, diff)
		}
	}
}

func TestAWideTableHasEachRowOnItsLine(t *testing.T) {
	t.Parallel()
	streams, _, out, _ := iostreams.Test()
	streams.SetTerminal(30)
	streams.Colour = iostreams.ColourNever
	long := strings.TrimSpace(strings.Repeat("word ", 12))
	doc := fixed{{
		Table: &output.Table{Columns: output.Columns("A", "~B"), Rows: [][]output.Cell{output.Row("x", long)}},
		Lines: []output.Line{output.Text(long)},
	}}
	if err := (output.Printer{IO: streams, Format: output.FormatWide}).Print(doc); err != nil {
		t.Fatal(err)
	}
	want := "A   B\nx   " + long + "\n" + strings.Repeat(strings.TrimSpace(strings.Repeat("word ", 6))+"\n", 2)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRowsShorterThanTheHeader(t *testing.T) {
	t.Parallel()
	got := printed(t, output.FormatTable, fixed{{Table: &output.Table{
		Columns: output.Columns("A", "B"), Rows: [][]output.Cell{output.Row("1", "2"), output.Row("3")},
	}}})
	if diff := cmp.Diff("A   B\n1   2\n3\n", got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := printed(t, output.FormatTable, fixed{{Title: "empty", Table: &output.Table{}}}); got != "" {
		t.Errorf("an empty section is left out, got %q", got)
	}
}
