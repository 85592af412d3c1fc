package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/logdir"
)

// set sets a field of an object by its place, as Item.Field names it. What is not there is made, but for list entries.
func set(o map[string]any, field string, value any) {
	steps := strings.Split(field, ".")
	var at any = o
	for _, step := range steps[:len(steps)-1] {
		switch v := at.(type) {
		case map[string]any:
			if v[step] == nil {
				v[step] = map[string]any{}
			}
			at = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				return
			}
			at = v[i]
		}
	}
	if m, ok := at.(map[string]any); ok {
		m[steps[len(steps)-1]] = value
	}
}

// YAML writes objects as documents one behind the other, every Todo as a comment above its field; header stands above
// them. The order of fields is that of Strimzi's own examples.
func (s *Set) YAML(objects []Object, header []string) ([]byte, error) {
	w := &writer{}
	w.comment(0, header...)
	comments := map[string]map[string][]string{}
	for _, t := range s.Todos {
		if comments[t.Object] == nil {
			comments[t.Object] = map[string][]string{}
		}
		comments[t.Object][t.Field] = append(comments[t.Object][t.Field], Todo+" "+t.ID+": "+t.Text)
	}
	for i := range objects {
		if i > 0 || len(header) > 0 {
			w.line(0, "---")
		}
		w.comments = comments[objects[i].Ref()]
		w.comment(0, w.comments[""]...)
		w.object(0, "", objects[i].Object)
	}
	return []byte(w.sb.String()), w.err
}

// writer writes one stream of documents.
type writer struct {
	sb       strings.Builder
	comments map[string][]string // of the object being written, by field
	err      error
}

func (w *writer) line(indent int, text string) {
	w.sb.WriteString(strings.Repeat(" ", indent))
	w.sb.WriteString(text)
	w.sb.WriteByte('\n')
}

// commentWidth is where comments are wrapped.
const commentWidth = 100

// comment writes texts as comments. What comes from a disk may hold line ends, which would end the comment.
func (w *writer) comment(indent int, texts ...string) {
	for _, text := range texts {
		line := "#"
		for word := range strings.FieldsSeq(logdir.EscapeText(text)) {
			if len(line) > 1 && indent+len(line)+1+len(word) > commentWidth {
				w.line(indent, line)
				line = "#  "
			}
			line += " " + word
		}
		w.line(indent, line)
	}
}

// object writes the fields of an object, and behind them the comments on fields that are not there.
func (w *writer) object(indent int, path string, o map[string]any) {
	for _, key := range orderedKeys(o) {
		at := join(path, key)
		w.comment(indent, w.comments[at]...)
		w.field(indent, at, w.scalar(key)+":", o[key])
	}
	for _, at := range slices.Sorted(maps.Keys(w.comments)) {
		parent, key := split(at)
		if _, there := o[key]; at != "" && parent == path && !there {
			w.comment(indent, w.comments[at]...)
		}
	}
	w.orphans(indent, path, o)
}

// orphans writes comments on fields two or more steps below, of which the step below is not there.
func (w *writer) orphans(indent int, path string, o map[string]any) {
	for _, at := range slices.Sorted(maps.Keys(w.comments)) {
		rest, below := strings.CutPrefix(at, path+".")
		if path == "" {
			rest, below = at, at != ""
		}
		key, deeper, found := strings.Cut(rest, ".")
		if _, there := o[key]; below && found && deeper != "" && !there {
			w.comment(indent, w.comments[at]...)
		}
	}
}

func (w *writer) field(indent int, at, name string, value any) {
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 {
			w.object(indent, at, v) // what is said of the fields it has not
			w.line(indent, name+" {}")
			return
		}
		w.line(indent, name)
		w.object(indent+2, at, v)
	case []any:
		if len(v) == 0 {
			w.line(indent, name+" []")
			return
		}
		w.line(indent, name)
		for i, e := range v {
			w.entry(indent+2, join(at, strconv.Itoa(i)), e)
		}
	default:
		w.line(indent, name+" "+w.scalar(v))
	}
}

// entry writes one entry of a list; an object's fields stand behind its dash.
func (w *writer) entry(indent int, at string, value any) {
	w.comment(indent, w.comments[at]...)
	o, ok := value.(map[string]any)
	if !ok {
		w.line(indent, "- "+w.scalar(value))
		return
	}
	inner := &writer{comments: w.comments}
	inner.object(indent+2, at, o)
	w.err = cmp.Or(w.err, inner.err)
	lines := strings.SplitAfter(inner.sb.String(), "\n")
	dashed := false
	for _, l := range lines {
		body := strings.TrimLeft(l, " ")
		if !dashed && body != "" && !strings.HasPrefix(body, "#") {
			l = strings.Repeat(" ", indent) + "- " + body
			dashed = true
		} else if !dashed && body != "" {
			l = strings.Repeat(" ", indent) + body
		}
		w.sb.WriteString(l)
	}
}

// scalar writes a value so that it is read as what it is: text that looks like a number is quoted.
func (w *writer) scalar(v any) string {
	b, err := yaml.Marshal(v)
	text := strings.TrimSuffix(string(b), "\n")
	if err != nil {
		w.err = cmp.Or(w.err, fmt.Errorf("write a value: %w", err))
		return ""
	}
	s, isText := v.(string)
	if isText && (strings.Contains(text, "\n") || logdir.EscapeText(s) != s) {
		return strconv.Quote(strings.ToValidUTF8(s, "\ufffd")) // Go's escapes are among YAML's, and all on one line
	}
	return text
}

// fieldOrder is how Strimzi's examples order fields; the others follow by name.
func fieldOrder() []string {
	return []string{
		"apiVersion", "kind", "metadata", "spec", "name", "namespace", "labels", "annotations", "kafka", "version",
		"metadataVersion", "topicName", "partitions", "replicas", "roles", "id", "port", "type", "tls", "authentication",
		"resource", "patternType", "operations", "host", "listeners", "storage", "size", "class", "kraftMetadata",
		"deleteClaim", "volumes", "config", "authorization",
	}
}

func orderedKeys(o map[string]any) []string {
	order := fieldOrder()
	rank := func(key string) int {
		if i := slices.Index(order, key); i >= 0 {
			return i
		}
		return len(order)
	}
	return slices.SortedFunc(maps.Keys(o), func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
	})
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func split(at string) (parent, key string) {
	if i := strings.LastIndexByte(at, '.'); i >= 0 {
		return at[:i], at[i+1:]
	}
	return "", at
}
