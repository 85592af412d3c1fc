package partition

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// ValueFormat is how keys and values of records are shown.
type ValueFormat string

// The formats.
const (
	FormatString ValueFormat = "string"
	FormatHex    ValueFormat = "hex"
	FormatBase64 ValueFormat = "base64"
	FormatJSON   ValueFormat = "json"
)

// ValueFormats lists the formats, the default first.
func ValueFormats() []ValueFormat {
	return []ValueFormat{FormatString, FormatHex, FormatBase64, FormatJSON}
}

// Text is a key or value in the format, "null" for null. Control characters are left in: escape it for a terminal.
func (f ValueFormat) Text(data []byte) string {
	if data == nil {
		return "null"
	}
	switch f {
	case FormatHex:
		return hex.EncodeToString(data)
	case FormatBase64:
		return base64.StdEncoding.EncodeToString(data)
	case FormatJSON:
		if compact, ok := compactJSON(data); ok {
			return string(compact)
		}
	case FormatString:
	}
	return string(data)
}

func compactJSON(data []byte) ([]byte, bool) {
	var out bytes.Buffer
	if err := json.Compact(&out, data); err != nil {
		return nil, false
	}
	return out.Bytes(), true
}

// AppendJSON appends the key or value to b as a JSON value: a string in the format, null for null, and for FormatJSON
// the value itself where it is JSON. Text that is no UTF-8 cannot be a JSON string without loss and becomes
// {"base64":"…"}.
func (f ValueFormat) AppendJSON(b, data []byte) []byte {
	if data == nil {
		return append(b, "null"...)
	}
	if f == FormatJSON {
		if compact, ok := compactJSON(data); ok {
			return append(b, compact...)
		}
	}
	if (f == FormatString || f == FormatJSON) && !utf8.Valid(data) {
		return append(appendString(append(b, `{"base64":`...), base64.StdEncoding.EncodeToString(data)), '}')
	}
	return appendString(b, f.Text(data))
}

func appendString(b []byte, s string) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}

// ParseValueFormat reads the name of a format.
func ParseValueFormat(name string) (ValueFormat, error) {
	if f := ValueFormat(name); slices.Contains(ValueFormats(), f) {
		return f, nil
	}
	return "", fmt.Errorf("%q is none of string, hex, base64, json", name)
}

// AppendJavaText appends the text that Java makes of UTF-8 bytes, which Kafka's tools print: each piece that is not
// well formed becomes one U+FFFD, where a piece is as much as could have begun a character (java.lang.String since 8).
func AppendJavaText(b, data []byte) []byte {
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			size = malformed(data)
		}
		b = utf8.AppendRune(b, r)
		data = data[size:]
	}
	return b
}

// malformed is how many bytes Java replaces by one U+FFFD at the start of data, which begins no character.
func malformed(data []byte) int {
	next := func(i int) byte {
		if i < len(data) && data[i]&0xc0 == 0x80 {
			return data[i]
		}
		return 0
	}
	first, second := data[0], next(1)
	switch {
	case second == 0:
		return 1
	case first == 0xed && second >= 0xa0 && next(2) != 0: // half of a surrogate pair
		return 3
	case first == 0xe0 && second < 0xa0, first == 0xf0 && second < 0x90, first == 0xf4 && second >= 0x90:
		return 1
	case first >= 0xe0 && first < 0xf0:
		return 2
	case first >= 0xf0 && first <= 0xf4 && next(2) != 0:
		return 3
	case first >= 0xf0 && first <= 0xf4:
		return 2
	}
	return 1
}
