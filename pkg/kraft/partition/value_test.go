package partition_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/partition"
)

func TestValuesAreShownInEveryFormat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		format     partition.ValueFormat
		in         []byte
		text, json string
	}{
		{partition.FormatString, []byte("a<\"\x1b"), "a<\"\x1b", `"a<\"\u001b"`},
		{partition.FormatString, nil, "null", "null"},
		{partition.FormatString, []byte{}, "", `""`},
		{partition.FormatString, []byte{0xff}, "\xff", `{"base64":"/w=="}`},
		{partition.FormatHex, []byte{0xff, 1}, "ff01", `"ff01"`},
		{partition.FormatBase64, []byte{0xff, 1}, "/wE=", `"/wE="`},
		{partition.FormatJSON, []byte("{ \"a\": 1 }"), `{"a":1}`, `{"a":1}`},
		{partition.FormatJSON, []byte("no json"), "no json", `"no json"`},
		{partition.FormatJSON, []byte{0xfe}, "\xfe", `{"base64":"/g=="}`},
	} {
		if got := c.format.Text(c.in); got != c.text {
			t.Errorf("%s of %q is %q, want %q", c.format, c.in, got, c.text)
		}
		if got := string(c.format.AppendJSON(nil, c.in)); got != c.json {
			t.Errorf("%s of %q as JSON is %s, want %s", c.format, c.in, got, c.json)
		}
	}
	for _, f := range partition.ValueFormats() {
		if got, err := partition.ParseValueFormat(string(f)); got != f || err != nil {
			t.Errorf("%s: %s, %v", f, got, err)
		}
	}
	if _, err := partition.ParseValueFormat("xml"); err == nil {
		t.Error("xml is a format")
	}
}

// The right column is what java.lang.String of Java 17 makes of the bytes in the left one.
func TestMalformedTextIsReplacedAsJavaDoes(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "java-utf8.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		in, err := hex.DecodeString(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(partition.AppendJavaText(nil, in)); got != fields[1] {
			t.Errorf("%s becomes %s, in Java %s", fields[0], got, fields[1])
		}
		lines++
	}
	if lines < 300 {
		t.Errorf("only %d lines", lines)
	}
}
