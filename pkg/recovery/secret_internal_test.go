package recovery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	testclock "k8s.io/utils/clock/testing"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
	"github.com/kafkarecover/kafkarecover/pkg/kube/kubetest"
)

func TestWhatIsInASecretIsNotJournaled(t *testing.T) {
	t.Parallel()
	s := kubetest.New(t)
	journal, err := OpenJournal(filepath.Join(t.TempDir(), "op"), testclock.NewFakePassiveClock(time.Unix(0, 0)))
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{kube: s.Client(t, "kafka"), journal: journal}
	secret := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "data": map[string]any{"password": "aHVudGVyMg=="},
		"metadata": map[string]any{
			"namespace": "kafka", "name": "alice", "annotations": map[string]any{CreatedAnnotation: "op"},
		},
	}}
	if _, err := w.create(t.Context(), StepResources, kube.Secrets(), secret); err != nil {
		t.Fatal(err)
	}
	if s.Get(kube.Secrets(), "kafka", "alice")["data"].(map[string]any)["password"] != "aHVudGVyMg==" {
		t.Error("the Secret itself must be created whole")
	}
	text, err := os.ReadFile(filepath.Join(journal.Dir(), journalFile))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "aHVudGVyMg") || !strings.Contains(string(text), `"name":"alice"`) {
		t.Errorf("the journal is to name it and not to hold it:\n%s", text)
	}
	if err := journal.Close(); err != nil {
		t.Error(err)
	}
}
