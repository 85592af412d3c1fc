package metadata

import (
	"encoding/base64"
	"math"
	"strconv"
	"unicode/utf8"
)

// redactedJSON stands for a secret, the word of Kafka's own RecordRedactor.
const redactedJSON = `"(redacted)"`

func jsonBool(b []byte, v bool) []byte { return strconv.AppendBool(b, v) }

// jsonInt is strconv.AppendInt with a short way for the small numbers most fields are.
func jsonInt(b []byte, v int64) []byte {
	switch u := uint64(v); {
	case u < 10:
		return append(b, byte('0'+u))
	case u < 100:
		return append(b, byte('0'+u/10), byte('0'+u%10))
	case u < 1000:
		return append(b, byte('0'+u/100), byte('0'+u/10%10), byte('0'+u%10))
	}
	return strconv.AppendInt(b, v, 10)
}

func jsonInts(b []byte, v []int32, nullable bool) []byte {
	if v == nil && nullable {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonInt(b, int64(x))
	}
	return append(b, ']')
}

func jsonUUIDs(b []byte, v []UUID, nullable bool) []byte {
	if v == nil && nullable {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = v[i].AppendText22(b)
		b = append(b, '"')
	}
	return append(b, ']')
}

func jsonStrings(b []byte, v []string) []byte {
	b = append(b, '[')
	for i, s := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonString(b, s)
	}
	return append(b, ']')
}

func jsonNullableString(b []byte, v *string) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	return jsonString(b, *v)
}

// jsonBytes is standard base64 with padding (Jackson's MIME_NO_LINEFEEDS).
func jsonBytes(b, v []byte) []byte {
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, v)
	return append(b, '"')
}

// AppendJSONString appends a string as Kafka's tools print it in JSON.
func AppendJSONString(b []byte, s string) []byte { return jsonString(b, s) }

// jsonString quotes as Jackson does: only quote, backslash and control characters below 0x20 are escaped, hex digits
// are upper case, everything else stays as it is. Bytes that are no UTF-8 become U+FFFD, as in Java.
func jsonString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, n := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			b = append(append(b, s[start:i]...), "\uFFFD"...)
			i += malformed(s[i:])
			start = i
			continue
		}
		b = append(b, s[start:i]...)
		b = jsonEscape(b, c)
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

func jsonEscape(b []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\t':
		return append(b, '\\', 't')
	case '\n':
		return append(b, '\\', 'n')
	case '\f':
		return append(b, '\\', 'f')
	case '\r':
		return append(b, '\\', 'r')
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// malformed is how many bytes Java's UTF-8 decoder replaces by one U+FFFD at the start of s: the longest prefix that
// could have begun a character, or the three bytes of half a surrogate pair.
func malformed(s string) int {
	if len(s) > 2 && s[0] == 0xED && s[1] >= 0xA0 && s[1] <= 0xBF && s[2]&0xC0 == 0x80 {
		return 3
	}
	lowest, highest, want := byte(0x80), byte(0xBF), 0
	switch c := s[0]; {
	case c >= 0xC2 && c <= 0xDF:
		want = 1
	case c >= 0xE0 && c <= 0xEF:
		want = 2
		if c == 0xE0 {
			lowest = 0xA0
		}
		if c == 0xED {
			highest = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		want = 3
		if c == 0xF0 {
			lowest = 0x90
		}
		if c == 0xF4 {
			highest = 0x8F
		}
	}
	n := 1
	for n <= want && n < len(s) && s[n] >= lowest && s[n] <= highest {
		lowest, highest = 0x80, 0xBF
		n++
	}
	return n
}

// jsonDouble is Double.toString, quoted where JSON has no number for it (Jackson's QUOTE_NON_NUMERIC_NUMBERS).
func jsonDouble(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		b = append(b, '"')
		b = AppendJavaDouble(b, v)
		return append(b, '"')
	}
	return AppendJavaDouble(b, v)
}

// AppendJavaDouble appends v as Java's Double.toString prints it: plain notation from 1e-3 up to 1e7 with at least one
// digit after the point, otherwise d.dddE±n. The digits are the shortest that read back as v, which Java guarantees
// since version 19; older ones print a digit more for a few values (2.0E-3 is not among them, 2.2E-322 is).
func AppendJavaDouble(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, "NaN"...)
	case math.IsInf(v, 0):
		if v < 0 {
			b = append(b, '-')
		}
		return append(b, "Infinity"...)
	case v == 0:
		if math.Signbit(v) {
			b = append(b, '-')
		}
		return append(b, "0.0"...)
	}
	if a := math.Abs(v); a >= 1e-3 && a < 1e7 {
		mark := len(b)
		b = strconv.AppendFloat(b, v, 'f', -1, 64)
		for _, c := range b[mark:] {
			if c == '.' {
				return b
			}
		}
		return append(b, ".0"...)
	}
	var scratch [32]byte
	digits := strconv.AppendFloat(scratch[:0], v, 'e', -1, 64)
	e := len(digits) - 1
	for digits[e] != 'e' {
		e--
	}
	mantissa, exponent := digits[:e], digits[e+1:]
	if len(mantissa) <= 2 { // "d" or "-d": Java takes the nearest number of two digits then
		digits = strconv.AppendFloat(scratch[:0], v, 'e', 1, 64)
		e = len(digits) - 1
		for digits[e] != 'e' {
			e--
		}
		mantissa, exponent = digits[:e], digits[e+1:]
	}
	b = append(b, mantissa...)
	b = append(b, 'E')
	if exponent[0] == '-' {
		b = append(b, '-')
	}
	exponent = exponent[1:]
	for len(exponent) > 1 && exponent[0] == '0' {
		exponent = exponent[1:]
	}
	return append(b, exponent...)
}
