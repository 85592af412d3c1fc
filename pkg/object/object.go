// Package object reads fields out of Kubernetes objects as the API server returned them (JSON decoded into maps). It
// trusts no shape: a missing field, or one of another type, is the zero value. It knows no kind and no field name.
package object

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
)

// Get returns the value at path, or nil.
func Get(o map[string]any, path ...string) any {
	var v any = o
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// Has tells whether there is a value other than null at path.
func Has(o map[string]any, path ...string) bool { return Get(o, path...) != nil }

// Map returns the object at path, or nil.
func Map(o map[string]any, path ...string) map[string]any {
	m, _ := Get(o, path...).(map[string]any)
	return m
}

// Maps returns the objects of the list at path; entries that are no objects are left out.
func Maps(o map[string]any, path ...string) []map[string]any {
	list, _ := Get(o, path...).([]any)
	out := make([]map[string]any, 0, len(list))
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// String returns the string at path, or "".
func String(o map[string]any, path ...string) string {
	s, _ := Get(o, path...).(string)
	return s
}

// OptionalString returns the string at path, or nil where there is none: for fields whose empty value means something.
func OptionalString(o map[string]any, path ...string) *string {
	s, ok := Get(o, path...).(string)
	if !ok {
		return nil
	}
	return &s
}

// Strings returns the strings of the list at path; nil where there is no list, empty for an empty one.
func Strings(o map[string]any, path ...string) []string {
	list, ok := Get(o, path...).([]any)
	if !ok {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// StringMap returns the map of strings at path, or nil.
func StringMap(o map[string]any, path ...string) map[string]string {
	m := Map(o, path...)
	if m == nil {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		if s, ok := v.(string); ok {
			out[k] = s
		}
	}
	return out
}

// Bool returns the boolean at path, or false.
func Bool(o map[string]any, path ...string) bool {
	b, _ := Get(o, path...).(bool)
	return b
}

// Int returns the whole number at path; ok is false where there is none. Decoders differ in the Go type they choose
// for a number, so all of them are taken.
func Int(o map[string]any, path ...string) (n int64, ok bool) {
	return number(Get(o, path...))
}

// Int32s returns the whole numbers of the list at path that fit an int32; nil where there is no list.
func Int32s(o map[string]any, path ...string) []int32 {
	list, ok := Get(o, path...).([]any)
	if !ok {
		return nil
	}
	out := make([]int32, 0, len(list))
	for _, e := range list {
		if n, ok := number(e); ok && n >= math.MinInt32 && n <= math.MaxInt32 {
			out = append(out, int32(n))
		}
	}
	return out
}

// Int32 is Int for numbers that fit an int32.
func Int32(o map[string]any, path ...string) (n int32, ok bool) {
	v, ok := Int(o, path...)
	if !ok || v < math.MinInt32 || v > math.MaxInt32 {
		return 0, false
	}
	return int32(v), true
}

// Time returns the RFC 3339 time at path, or the zero time.
func Time(o map[string]any, path ...string) time.Time {
	t, err := time.Parse(time.RFC3339, String(o, path...))
	if err != nil {
		return time.Time{}
	}
	return t
}

func number(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case int32:
		return int64(n), true
	case float64:
		if n != math.Trunc(n) || math.Abs(n) > 1<<53 {
			return 0, false
		}
		return int64(n), true
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

// Trimmed returns a deep copy of the object without metadata.managedFields: that is what is kept and saved.
func Trimmed(o map[string]any) map[string]any {
	c, _ := clone(o).(map[string]any)
	if meta := Map(c, "metadata"); meta != nil {
		delete(meta, "managedFields")
	}
	return c
}

// Clone returns a deep copy of the object.
func Clone(o map[string]any) map[string]any {
	c, _ := clone(o).(map[string]any)
	return c
}

func clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		if x == nil {
			return x
		}
		m := make(map[string]any, len(x))
		for k, e := range x {
			m[k] = clone(e)
		}
		return m
	case []any:
		l := make([]any, len(x))
		for i, e := range x {
			l[i] = clone(e)
		}
		return l
	}
	return v
}

// Managers returns the names of the field managers that wrote the object, the newest write last, each once.
func Managers(o map[string]any) []string {
	entries := Maps(o, "metadata", "managedFields")
	slices.SortStableFunc(entries, func(a, b map[string]any) int { return Time(a, "time").Compare(Time(b, "time")) })
	var out []string
	for _, e := range entries {
		name := String(e, "manager")
		if name == "" {
			continue
		}
		out = slices.DeleteFunc(out, func(s string) bool { return s == name })
		out = append(out, name)
	}
	return out
}

// Terminating tells whether a deletion timestamp is set.
func Terminating(o map[string]any) bool { return Has(o, "metadata", "deletionTimestamp") }

// Milliseconds parses a number of milliseconds, the form of the Cluster Operator's timeouts.
func Milliseconds(s string) (time.Duration, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(time.Millisecond) {
		return 0, false
	}
	return time.Duration(n) * time.Millisecond, true
}
