package recovery

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// mirrorLimit keeps a journal ConfigMap below the 1 MiB that the API server stores, with room for one large entry.
const mirrorLimit = 700 << 10

// configMapMirror keeps the journal in ConfigMaps of the cluster's namespace, one key an entry, so that another person
// on another machine can go on (safety contract, line 6).
type configMapMirror struct {
	kube               *kube.Client
	namespace, cluster string
	operation          string
	part, size         int
	created            bool
}

// Append adds one entry under a key of its number. A full ConfigMap is followed by another.
func (m *configMapMirror) Append(ctx context.Context, entry Entry) error {
	line, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("encode journal entry: %w", err)
	}
	if m.size > 0 && m.size+len(line) > mirrorLimit {
		m.part, m.size, m.created = m.part+1, 0, false
	}
	m.size += len(line)
	key := fmt.Sprintf("%06d", entry.Seq)
	if !m.created {
		return m.create(ctx, key, string(line))
	}
	_, err = m.kube.Patch(ctx, kube.ConfigMaps(), m.namespace, m.name(), kube.Patch{
		Type: kube.MergePatch, Body: map[string]any{"data": map[string]any{key: string(line)}}, FieldManager: FieldManager,
	})
	return err
}

func (m *configMapMirror) create(ctx context.Context, key, line string) error {
	_, err := m.kube.Create(ctx, kube.ConfigMaps(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{
			"namespace": m.namespace, "name": m.name(),
			"labels": map[string]any{ManagedByLabel: ManagedBy, OperationLabel: m.operation, ClusterLabel: m.cluster},
		},
		"data": map[string]any{key: line},
	}}, false)
	if err != nil {
		return err
	}
	m.created = true
	return nil
}

func (m *configMapMirror) name() string {
	if m.part == 0 {
		return objectName(m.operation, "")
	}
	return objectName(m.operation, fmt.Sprint(m.part+1))
}
