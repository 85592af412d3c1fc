package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

type mode string

type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

type inner struct {
	Size   int64  `json:"size"`
	Hidden string `json:"name"`
}

type tree struct {
	Children []tree `json:"children,omitempty"`
}

type sample struct {
	head
	inner
	Name    string            `json:"name"`
	Mode    mode              `json:"mode,omitempty"`
	When    time.Time         `json:"when"`
	Bytes   []byte            `json:"bytes,omitempty"`
	List    []string          `json:"list"`
	Map     map[string]uint32 `json:"map,omitempty"`
	Maybe   *bool             `json:"maybe"`
	Tree    *tree             `json:"tree"`
	Any     any               `json:"any,omitempty"`
	Left    int               `json:"-"`
	private int
}

func TestSchemaFollowsTheRulesOfEncodingJSON(t *testing.T) {
	s, err := newReflector(newSource(".")).document(reflect.TypeFor[sample](), "Sample")
	if err != nil {
		t.Fatal(err)
	}
	content, err := marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"Sample","type":"object",` +
		`"properties":{` +
		`"apiVersion":{"type":"string","const":"kafkarecover/v1"},"kind":{"type":"string","const":"Sample"},` +
		`"size":{"type":"integer"},"name":{"type":"string"},"mode":{"type":"string"},` +
		`"when":{"type":"string","format":"date-time"},` +
		`"bytes":{"type":"string","contentEncoding":"base64"},` +
		`"list":{"type":["array","null"],"items":{"type":"string"}},` +
		`"map":{"type":"object","additionalProperties":{"type":"integer","minimum":0}},` +
		`"maybe":{"type":["boolean","null"]},"tree":{"anyOf":[{"$ref":"#/$defs/gen.tree"},{"type":"null"}]},"any":{}},` +
		`"required":["apiVersion","kind","size","name","when","list","maybe","tree"],` +
		`"$defs":{"gen.tree":{"type":"object","properties":{` +
		`"children":{"type":"array","items":{"$ref":"#/$defs/gen.tree"}}}}}}`
	if got := compact(t, content); got != want {
		t.Errorf("schema is\n%s\nwant\n%s", got, want)
	}
	_ = sample{private: 1}
}

func compact(t *testing.T, content []byte) string {
	t.Helper()
	var raw json.RawMessage
	if err := json.Unmarshal(content, &raw); err != nil {
		t.Fatal(err)
	}
	out, err := marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestSchemaRefusesWhatJSONCannotHold(t *testing.T) {
	type wrong struct {
		Pipe chan int `json:"pipe"`
	}
	if _, err := newReflector(newSource(".")).document(reflect.TypeFor[wrong](), "Wrong"); err == nil {
		t.Error("a channel has a schema")
	}
}

func TestSourceFindsComments(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "pkg", "x")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const code = `package x

// Thing is
// a thing.
type Thing struct {
	// A and B belong together.
	A, B int
	C int // said behind
}

// The colours.
const (
	Red Colour = "red"
	Blue Colour = "blue"
	other = "no colour"
)
`
	if err := os.WriteFile(filepath.Join(dir, "x.go"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newSource(root).load(modPrefix + "pkg/x")
	if p.types["Thing"] != "Thing is a thing." {
		t.Errorf("type: %q", p.types["Thing"])
	}
	for field, want := range map[string]string{
		"A": "A and B belong together.", "B": "A and B belong together.", "C": "said behind",
	} {
		if got := p.fields[[2]string{"Thing", field}]; got != want {
			t.Errorf("field %s: %q, want %q", field, got, want)
		}
	}
	if got := p.constants["Colour"]; !slices.Equal(got, []string{"red", "blue"}) {
		t.Errorf("constants: %q", got)
	}
}

func TestManPageKeepsTheTextOfTheHelp(t *testing.T) {
	c := &cobra.Command{Use: "kafkarecover", Short: "A short-cut"}
	c.SetHelpFunc(func(c *cobra.Command, _ []string) {
		c.Print("What it does:\nmuch.\n\nUsage:\n  kafkarecover --dir C:\\x\n\nEXIT STATUS\n  0  done\n.hidden\n")
	})
	c.SetOut(nil)
	got := string(manPage(c))
	for _, want := range []string{
		".SH NAME\nkafkarecover \\- A short\\-cut\n",
		".SH \"DESCRIPTION\"\n.nf\nWhat it does:\nmuch.\n.fi\n",
		".SH \"USAGE\"\n.nf\n  kafkarecover \\-\\-dir C:\\ex\n.fi\n",
		".SH \"EXIT STATUS\"\n.nf\n  0  done\n\\&.hidden\n.fi\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks\n%s\nit is\n%s", want, got)
		}
	}
}

func TestFenceHoldsAnyText(t *testing.T) {
	if got := fence("a\n```\nb\n"); got != "````text\na\n```\nb\n````" {
		t.Errorf("fence: %q", got)
	}
}

func TestCheckNamesWhatIsStale(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docs")
	docs := files{"commands/a.md": []byte("a"), "schema/B.json": []byte("b"), "schema.md": []byte("c")}
	if err := docs.check(dir); err == nil {
		t.Error("nothing there, and fresh")
	}
	if err := docs.write(dir); err != nil {
		t.Fatal(err)
	}
	if err := docs.check(dir); err != nil {
		t.Errorf("just written: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "commands", "gone.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	docs["schema/B.json"] = []byte("changed")
	err := docs.check(dir)
	if err == nil || !strings.Contains(err.Error(), "docs/commands/gone.md, docs/schema/B.json:") {
		t.Errorf("check says %v", err)
	}
	if err := docs.write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "commands", "gone.md")); !os.IsNotExist(err) {
		t.Errorf("what is no longer generated is still there: %v", err)
	}
}

func TestEveryCommandHasAPageAndEveryShellAScript(t *testing.T) {
	dir := t.TempDir()
	if err := release(filepath.Join(dir, "man"), filepath.Join(dir, "completions")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"man/kafkarecover.1", "man/kafkarecover-version.1", "completions/kafkarecover.bash", "completions/kafkarecover.zsh",
		"completions/kafkarecover.fish", "completions/kafkarecover.ps1", "completions/kubectl_complete-kafkarecover",
	} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIncludePutsTheTranscriptBetweenItsMarkers(t *testing.T) {
	const page = "before\n" + markerBefore + "old\n" + markerAfter + "\nafter\n"
	const want = "before\n" + markerBefore + "\n```text\n$ scan\n```\n\n" + markerAfter + "\nafter\n"
	got, err := include(page, "$ scan\n")
	if err != nil || got != want {
		t.Errorf("include: %q, %v", got, err)
	}
	if again, err := include(got, "$ scan\n"); err != nil || again != want {
		t.Errorf("include once more: %q, %v", again, err)
	}
	for _, page := range []string{"no marker", markerBefore + "no end", markerAfter + markerBefore} {
		if _, err := include(page, "x"); err == nil {
			t.Errorf("a page without both markers was filled: %q", page)
		}
	}
}
