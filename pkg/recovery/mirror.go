package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// mirrorLimit keeps a journal ConfigMap below the 1 MiB that the API server stores, with room for one large piece.
const mirrorLimit = 700 << 10

// pieceLimit is the most of an entry that one key holds; longer entries (the baseline of thousands of topics) go on
// under further keys.
const pieceLimit = 250 << 10

// configMapMirror keeps the journal in ConfigMaps of the cluster's namespace, one key an entry, so that another person
// on another machine can go on (safety contract, line 6).
type configMapMirror struct {
	kube               *kube.Client
	namespace, cluster string
	operation          string
	part, size         int
	created            bool
	// lock is that of the run that writes: without it the journal's copy is another run's.
	lock *lock
}

// Append adds entries, each under a key of its number, cut into pieces where it is long: in one request, as far as the
// ConfigMap has room. A full one is followed by another.
func (m *configMapMirror) Append(ctx context.Context, entries []Entry) (taken int, err error) {
	if m.lock != nil {
		if err := m.lock.held(ctx); err != nil && m.lock.isLost() != nil {
			return 0, fmt.Errorf("leave the journal's copy to the run that has the lock: %w", err)
		}
	}
	pending, size := map[string]string{}, 0
	send := func(upTo int) error {
		if err := m.put(ctx, pending, size); err != nil {
			return err
		}
		pending, size, taken = map[string]string{}, 0, upTo
		return nil
	}
	for i, entry := range entries {
		line, err := json.Marshal(entry)
		if err != nil {
			return taken, fmt.Errorf("encode journal entry: %w", err)
		}
		pieces := cut(string(line), pieceLimit)
		for p, piece := range pieces {
			if m.size+size > 0 && m.size+size+len(piece) > mirrorLimit {
				if err := send(i); err != nil {
					return taken, err
				}
				m.part, m.size, m.created = m.part+1, 0, false
			}
			pending[mirrorKey(entry.Seq, p+1, len(pieces))] = piece
			size += len(piece)
		}
	}
	return taken, send(len(entries))
}

// cut divides text into pieces of at most limit bytes, never within a character: a ConfigMap holds text.
func cut(text string, limit int) []string {
	var pieces []string
	for len(text) > limit {
		end := limit
		for !utf8.RuneStart(text[end]) {
			end--
		}
		pieces, text = append(pieces, text[:end]), text[end:]
	}
	return append(pieces, text)
}

func mirrorKey(seq, piece, pieces int) string {
	if pieces == 1 {
		return fmt.Sprintf("%06d", seq)
	}
	return fmt.Sprintf("%06d.%d.%d", seq, piece, pieces)
}

// put writes keys of that size together into the ConfigMap that is being filled.
func (m *configMapMirror) put(ctx context.Context, keys map[string]string, size int) error {
	if len(keys) == 0 {
		return nil
	}
	data := make(map[string]any, len(keys))
	for key, text := range keys {
		data[key] = text
	}
	if !m.created {
		// One that is there already was made by a create whose answer was lost; the entries are put into it below.
		stored, err := createOwn(ctx, m.kube, kube.ConfigMaps(), m.object(data))
		if err != nil {
			return err
		}
		m.created = true
		if there, _, _ := unstructured.NestedStringMap(stored.Object, "data"); maps.Equal(there, keys) {
			m.size += size
			return nil
		}
	}
	for attempt := 1; ; attempt++ {
		_, err := m.kube.Patch(ctx, kube.ConfigMaps(), m.namespace, m.name(m.part), kube.Patch{
			Type: kube.MergePatch, Body: map[string]any{"data": data}, FieldManager: FieldManager,
		})
		if err == nil {
			m.size += size
		}
		if !kube.IsConflict(err) || attempt == createTries { // the patch has no precondition and may be sent again
			return err
		}
	}
}

func (m *configMapMirror) object(data map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{
			"namespace": m.namespace, "name": m.name(m.part),
			"labels": map[string]any{ManagedByLabel: ManagedBy, OperationLabel: m.operation, ClusterLabel: m.cluster},
		},
		"data": data,
	}}
}

func (m *configMapMirror) name(part int) string {
	if part == 0 {
		return objectName(m.operation, "")
	}
	return objectName(m.operation, fmt.Sprint(part+1))
}

// read returns the entries in the cluster, and sets the mirror up to go on after them. There are none where there is no
// copy. An entry of which a piece is missing ends the journal: its writing was cut short, so its change was not made.
func (m *configMapMirror) read(ctx context.Context) ([]Entry, error) {
	pieces := mirrored{}
	for m.part = 0; ; m.part++ {
		u, err := m.kube.Get(ctx, kube.ConfigMaps(), m.namespace, m.name(m.part))
		if kube.IsNotFound(err) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the journal's copy in the cluster: %w", err)
		}
		labels := u.GetLabels()
		if labels[OperationLabel] != m.operation || labels[ManagedByLabel] != ManagedBy {
			return nil, fmt.Errorf("read the journal's copy in the cluster: configmap %q lacks the labels of operation %q",
				m.namespace+"/"+u.GetName(), m.operation)
		}
		data, _, err := unstructured.NestedStringMap(u.Object, "data")
		if err != nil {
			return nil, fmt.Errorf("read the journal's copy in configmap %q: %w", m.namespace+"/"+u.GetName(), err)
		}
		m.size = 0
		for key, text := range data {
			m.size += len(text)
			if err := pieces.add(key, text); err != nil {
				return nil, fmt.Errorf("read the journal's copy in configmap %q: %w", m.namespace+"/"+u.GetName(), err)
			}
		}
	}
	if m.part > 0 {
		m.part, m.created = m.part-1, true
	}
	return pieces.entries()
}

var errMirrorKey = errors.New("no key of a journal entry, which look like 000012 or 000012.1.3")

// maxPieces bounds what a hostile key can ask for.
const maxPieces = 1 << 10

// mirrored are the values of the ConfigMaps, by the entry's number and the number of its pieces. A writer that died
// within an entry leaves some of its pieces, and whoever goes on writes another entry of that number.
type mirrored map[int]map[int][]string

func (m mirrored) add(key, text string) error {
	var numbers []int
	for _, p := range strings.Split(key, ".") {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 {
			return fmt.Errorf("%q: %w", key, errMirrorKey)
		}
		numbers = append(numbers, n)
	}
	if len(numbers) == 1 {
		numbers = append(numbers, 1, 1)
	}
	if len(numbers) != 3 || numbers[1] > numbers[2] || numbers[2] > maxPieces {
		return fmt.Errorf("%q: %w", key, errMirrorKey)
	}
	seq, piece, of := numbers[0], numbers[1], numbers[2]
	if m[seq] == nil {
		m[seq] = map[int][]string{}
	}
	if m[seq][of] == nil {
		m[seq][of] = make([]string, of)
	}
	m[seq][of][piece-1] = text
	return nil
}

// whole returns the text of entry seq, where every piece of it is there.
func (m mirrored) whole(seq int) (text string, found bool) {
	for _, pieces := range m[seq] {
		if !slices.Contains(pieces, "") {
			return strings.Join(pieces, ""), true
		}
	}
	return "", false
}

func (m mirrored) entries() ([]Entry, error) {
	var entries []Entry
	for seq := 1; ; seq++ {
		text, found := m.whole(seq)
		if !found {
			return entries, nil
		}
		var e Entry
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, fmt.Errorf("read entry %d of the journal's copy in the cluster: %w", seq, err)
		}
		if e.Seq != seq {
			return nil, fmt.Errorf("read entry %d of the journal's copy in the cluster: it has number %d", seq, e.Seq)
		}
		entries = append(entries, e)
	}
}

// remove deletes the copy.
func (m *configMapMirror) remove(ctx context.Context) error {
	for part := range m.part + 1 {
		err := m.kube.Delete(ctx, kube.ConfigMaps(), m.namespace, m.name(part), kube.DeleteOptions{})
		if err != nil && !kube.IsNotFound(err) {
			return fmt.Errorf("remove the journal's copy in the cluster: %w", err)
		}
	}
	return nil
}
