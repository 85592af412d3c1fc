package recovery

import (
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// whoWrote names the managers of a field, by managedFields, or where nobody has it (it was removed) those of the
// object.
func whoWrote(u *unstructured.Unstructured, path []string) string {
	var owners, all []string
	for _, m := range u.GetManagedFields() {
		who := m.Manager
		if m.Time != nil {
			who += " at " + m.Time.UTC().Format("2006-01-02T15:04:05Z")
		}
		if m.Manager != FieldManager {
			all = append(all, who)
		}
		if m.FieldsV1 == nil || m.Manager == FieldManager {
			continue
		}
		var fields map[string]any
		if json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields) == nil && manages(fields, path) {
			owners = append(owners, who)
		}
	}
	switch {
	case len(owners) > 0:
		return "written by " + strings.Join(owners, ", ")
	case len(all) > 0:
		return "removed by one of its writers: " + strings.Join(all, ", ")
	}
	return "it is not known by whom"
}

func manages(fields map[string]any, path []string) bool {
	for _, p := range path {
		below, ok := fields["f:"+p].(map[string]any)
		if !ok {
			return false
		}
		fields = below
	}
	return true
}
