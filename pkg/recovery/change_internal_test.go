package recovery

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatAPatchReplacesIsKeptInItsShape(t *testing.T) {
	t.Parallel()
	object := map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{"other": "x", "there": "old"}},
		"status":   map[string]any{"clusterId": "before", "conditions": []any{"a"}},
	}
	for title, tc := range map[string]struct {
		patch string
		want  map[string]any
	}{
		"a field that is there": {`{"status":{"clusterId":"new"}}`, map[string]any{
			"status": map[string]any{"clusterId": "before"},
		}},
		"a field that is removed": {`{"metadata":{"annotations":{"there":null}}}`, map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"there": "old"}},
		}},
		"a field that is not there": {`{"metadata":{"annotations":{"new":"1"}}}`, map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"new": nil}},
		}},
		"below something that is not there": {`{"spec":{"a":{"b":1}}}`, map[string]any{
			"spec": map[string]any{"a": map[string]any{"b": nil}},
		}},
		"preconditions are no writes": {`{"metadata":{"resourceVersion":"7","uid":"u"},"status":{"clusterId":null}}`,
			map[string]any{"status": map[string]any{"clusterId": "before"}}},
		"a list is one value": {`{"status":{"conditions":["b"]}}`, map[string]any{
			"status": map[string]any{"conditions": []any{"a"}},
		}},
	} {
		got, err := inverse([]byte(tc.patch), object)
		if err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", title, diff)
		}
	}
	if _, err := inverse([]byte(`[]`), object); err == nil {
		t.Error("a patch that is no object has no inverse")
	}
}
