package output_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/output"
)

type fixed output.Document

func (f fixed) Table(bool) output.Document { return output.Document(f) }

func (f fixed) Names() []string { return []string{"pvc/a", "pvc/b\x1b[31m"} }

func example() fixed {
	return fixed{
		{
			Title: "Volumes",
			Table: &output.Table{
				Columns: output.Columns("NAME", ">BYTES", "EMPTY", "~MESSAGE"),
				Rows: [][]output.Cell{
					output.Row("pvc/data-0", 12, "", "the cluster ID on this volume is not the one on the eight others"),
					output.Row("pvc/data-1", 123456, "", output.Styled(iostreams.Good, "agrees")),
				},
			},
			Lines: []output.Line{output.Text("2 volumes, ", output.Styled(iostreams.Bad, "1 disagrees"))},
		},
		{Title: "Nothing here"},
		{Lines: []output.Line{output.Indented(2, "a note that is long enough to be wrapped at the width of the terminal")}},
	}
}

func TestTableLooksAsKubectlsDoes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		columns int
		want    string
	}{
		"in a pipe nothing is wrapped": {0, `
Volumes
NAME          BYTES   MESSAGE
pvc/data-0       12   the cluster ID on this volume is not the one on the eight others
pvc/data-1   123456   agrees
2 volumes, 1 disagrees

  a note that is long enough to be wrapped at the width of the terminal
`},
		"on a narrow terminal the column that may wrap does": {60, `
Volumes
NAME          BYTES   MESSAGE
pvc/data-0       12   the cluster ID on this volume is not
                      the one on the eight others
pvc/data-1   123456   agrees
2 volumes, 1 disagrees

  a note that is long enough to be wrapped at the width of
  the terminal
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			streams, _, out, _ := iostreams.Test()
			if tc.columns > 0 {
				streams.SetTerminal(tc.columns)
				streams.Colour = iostreams.ColourNever
			}
			if err := (output.Printer{IO: streams}).Print(example()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(tc.want, "\n"), out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestColourIsNotCountedAsWidth(t *testing.T) {
	t.Parallel()
	streams, _, out, _ := iostreams.Test()
	streams.SetTerminal(200)
	if err := (output.Printer{IO: streams}).Print(example()); err != nil {
		t.Fatal(err)
	}
	const want = "pvc/data-1   123456   \x1b[32magrees\x1b[0m\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("a coloured cell moved its neighbours; want the line %q in:\n%q", want, out.String())
	}
}

func TestNamesAreEscapedAndOneALine(t *testing.T) {
	t.Parallel()
	streams, _, out, _ := iostreams.Test()
	if err := (output.Printer{IO: streams, Format: output.FormatName}).Print(example()); err != nil {
		t.Fatal(err)
	}
	if want := "pvc/a\npvc/b\\x1b[31m\n"; out.String() != want {
		t.Errorf("got %q, want %q: names come from volumes and must not steer a terminal", out.String(), want)
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain ü 日本":       "plain ü 日本",
		"\x1b]0;title\x07": `\x1b]0;title\a`,
		"bad \xff byte":    `bad \xff byte`,
		"bidi \u202e over": `bidi \u202e over`,
		"real �":           "real �",
		"tab\tand\nline":   `tab\tand\nline`,
	} {
		if got := output.Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}
