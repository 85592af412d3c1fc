package object_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kafkarecover/kafkarecover/pkg/object"
)

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// hostile holds values of every JSON type where another is expected.
const hostile = `{
	"null": null, "text": "x", "empty": "", "number": 7, "fraction": 7.5, "huge": 1e300, "true": true,
	"list": ["a", 1, null, {"k": "v"}], "none": [], "numbers": [1, 2147483648, -2147483649, 2.5, "3", -4],
	"map": {"a": "b", "n": 1}, "time": "2026-11-24T03:15:02Z", "late": "yesterday"
}`

func TestWhatIsNotThereIsTheZeroValue(t *testing.T) {
	t.Parallel()
	o := decode(t, hostile)
	for _, path := range [][]string{
		{"missing"}, {"null"}, {"missing", "below"}, {"text", "below"}, {"list", "0"}, {"null", "below"}, {"number", "x"},
	} {
		if object.Get(o, path...) != nil || object.Has(o, path...) || object.String(o, path...) != "" ||
			object.OptionalString(o, path...) != nil || object.Map(o, path...) != nil || object.Strings(o, path...) != nil ||
			len(object.Maps(o, path...)) != 0 || object.StringMap(o, path...) != nil || object.Bool(o, path...) ||
			object.Int32s(o, path...) != nil || !object.Time(o, path...).IsZero() {
			t.Errorf("%v is something", path)
		}
		if _, ok := object.Int(o, path...); ok {
			t.Errorf("%v is a number", path)
		}
	}
	if object.Get(nil, "a") != nil || object.Get(o) == nil {
		t.Error("nothing in nothing; everything without a path")
	}
}

func TestWhatIsThere(t *testing.T) {
	t.Parallel()
	o := decode(t, hostile)
	check := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("a string", "x", object.String(o, "text"))
	check("no string", "", object.String(o, "number"))
	check("an empty string is set", "", *object.OptionalString(o, "empty"))
	check("strings of a mixed list", []string{"a"}, object.Strings(o, "list"))
	check("an empty list is not none", []string{}, object.Strings(o, "none"))
	check("maps of a mixed list", []map[string]any{{"k": "v"}}, object.Maps(o, "list"))
	check("strings of a mixed map", map[string]string{"a": "b"}, object.StringMap(o, "map"))
	check("a boolean", true, object.Bool(o, "true"))
	check("no boolean", false, object.Bool(o, "text"))
	check("numbers that fit", []int32{1, -4}, object.Int32s(o, "numbers"))
	check("a time", time.Date(2026, 11, 24, 3, 15, 2, 0, time.UTC), object.Time(o, "time"))
	check("no time", time.Time{}, object.Time(o, "late"))
	check("null is not had", false, object.Has(o, "null"))
	check("false is had", true, object.Has(map[string]any{"f": false}, "f"))
}

func TestNumbersOfEveryDecoder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		value any
		want  int64
		ok    bool
	}{
		{int64(7), 7, true}, {7, 7, true}, {int32(-7), -7, true}, {float64(7), 7, true}, {json.Number("7"), 7, true},
		{7.5, 0, false}, {1e300, 0, false}, {math.NaN(), 0, false}, {math.Inf(1), 0, false}, {json.Number("x"), 0, false},
		{"7", 0, false}, {true, 0, false}, {nil, 0, false},
	} {
		if n, ok := object.Int(map[string]any{"n": tc.value}, "n"); n != tc.want || ok != tc.ok {
			t.Errorf("%T %v: want %d, %v, got %d, %v", tc.value, tc.value, tc.want, tc.ok, n, ok)
		}
	}
	for n, ok := range map[int64]bool{
		math.MaxInt32: true, math.MinInt32: true, math.MaxInt32 + 1: false, math.MinInt32 - 1: false,
	} {
		if got, fits := object.Int32(map[string]any{"n": n}, "n"); fits != ok || (ok && int64(got) != n) {
			t.Errorf("%d: want %v, got %d, %v", n, ok, got, fits)
		}
	}
}

func TestCopiesAreDeep(t *testing.T) {
	t.Parallel()
	const text = `{"metadata": {"name": "x", "managedFields": [{"manager": "m"}]}, "list": [{"a": [1]}]}`
	o := decode(t, text)
	trimmed, cloned := object.Trimmed(o), object.Clone(o)
	if object.Has(trimmed, "metadata", "managedFields") || !object.Has(cloned, "metadata", "managedFields") {
		t.Error("Trimmed drops managedFields, Clone does not")
	}
	object.Map(trimmed, "metadata")["name"] = "changed"
	object.Maps(cloned, "list")[0]["a"].([]any)[0] = "changed"
	if diff := cmp.Diff(decode(t, text), o); diff != "" {
		t.Errorf("a change of a copy reached the object (-want +got):\n%s", diff)
	}
	if object.Clone(nil) != nil || object.Trimmed(nil) != nil {
		t.Error("a copy of nothing is nothing")
	}
}

func TestManagersAreSortedByTheirLastWrite(t *testing.T) {
	t.Parallel()
	o := decode(t, `{"metadata": {"managedFields": [
		{"manager": "kubectl", "time": "2026-11-24T03:00:00Z"},
		{"manager": "argocd-controller", "time": "2026-11-24T01:00:00Z"},
		{"manager": "argocd-controller", "time": "2026-11-24T02:00:00Z"},
		{"time": "2026-11-24T04:00:00Z"}, "x", {"manager": 7}]}}`)
	if diff := cmp.Diff([]string{"argocd-controller", "kubectl"}, object.Managers(o)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTerminating(t *testing.T) {
	t.Parallel()
	if !object.Terminating(decode(t, `{"metadata": {"deletionTimestamp": "2026-11-24T03:00:00Z"}}`)) {
		t.Error("a deletion timestamp is set")
	}
	if object.Terminating(decode(t, `{"metadata": {"deletionTimestamp": null}}`)) {
		t.Error("none is set")
	}
}

func TestMilliseconds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"300000": 5 * time.Minute, "0": 0} {
		if got, ok := object.Milliseconds(text); !ok || got != want {
			t.Errorf("%q: want %v, got %v, %v", text, want, got, ok)
		}
	}
	for _, text := range []string{"", "-1", "5m", "1.5", "9223372036854775807", "99999999999999999999"} {
		if got, ok := object.Milliseconds(text); ok {
			t.Errorf("%q was taken for %v", text, got)
		}
	}
}
