//go:build cluster

package operator_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// exported are what `export manifests` writes for lost clusters whose volumes real Kafka wrote. The command's own tests
// hold it against these files.
const exported = "../../cmd/testdata/export"

// manifests reads one of them, for a namespace of its own.
func (g *ground) manifests(fixture string) []*unstructured.Unstructured {
	g.Helper()
	text, err := os.ReadFile(filepath.Join(exported, fixture+"."+apiVersion()+".yaml"))
	check(g.T, err)
	var out []*unstructured.Unstructured
	for _, document := range bytes.Split(text, []byte("\n---\n"))[1:] {
		o := &unstructured.Unstructured{}
		check(g.T, yaml.UnmarshalStrict(document, &o.Object))
		o.SetNamespace(g.namespace)
		out = append(out, o)
	}
	return out
}

func resourceOf(o *unstructured.Unstructured) schema.GroupVersionResource {
	return schema.GroupVersionResource{
		Group: "kafka.strimzi.io", Version: apiVersion(), Resource: strings.ToLower(o.GetKind()) + "s",
	}
}

// strictly creates an object; a field that the definition does not have is an error.
func (g *ground) strictly(o *unstructured.Unstructured) error {
	g.Helper()
	_, err := g.dynamic.Resource(resourceOf(o)).Namespace(g.namespace).Create(g.Context(), o,
		metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	return err
}

func TestTheAPIServerTakesExportedManifests(t *testing.T) {
	for _, fixture := range []string{"split-roles", "dual-role", "single-node"} {
		t.Run(fixture, func(t *testing.T) {
			g := newGround(t, "exported-"+fixture)
			kinds := map[string]int{}
			for _, o := range g.manifests(fixture) {
				if err := g.strictly(o); err != nil {
					t.Errorf("%s/%s: %v", o.GetKind(), o.GetName(), err)
				}
				kinds[o.GetKind()]++
			}
			if kinds["Kafka"] != 1 || kinds["KafkaNodePool"] == 0 || kinds["KafkaTopic"] == 0 {
				t.Errorf("not all kinds were tried: %v", kinds)
			}
		})
	}
}

// TestTheAPIServerRefusesWhatIsToBeFilledIn: where a field has fixed values TODO is none of them, so that what was not
// filled in is not taken for something.
func TestTheAPIServerRefusesWhatIsToBeFilledIn(t *testing.T) {
	g := newGround(t, "exported-todo")
	for _, o := range g.manifests("split-roles") {
		var fields [][]string
		switch o.GetKind() {
		case "Kafka":
			fields = [][]string{{"listeners", "type"}, {"listeners", "name"}, {"listeners", "authentication", "type"}}
		case "KafkaNodePool":
			fields = [][]string{{"volumes", "kraftMetadata"}, {"type"}, {"roles"}}
		}
		for _, field := range fields {
			changed := o.DeepCopy()
			within := []string{"spec", "kafka"}
			if o.GetKind() == "KafkaNodePool" {
				within = []string{"spec", "storage"}
			}
			if field[0] == "roles" {
				within = []string{"spec"}
			}
			at, _, err := unstructured.NestedFieldNoCopy(changed.Object, within...)
			check(t, err)
			fillIn(at, "TODO", field...)
			if err := g.strictly(changed); !apierrors.IsInvalid(err) {
				t.Errorf("%s %s: TODO in %v was taken: %v", o.GetKind(), o.GetName(), field, err)
			}
		}
	}
}

// fillIn sets a field, in the first entry of lists on the way.
func fillIn(at any, value string, field ...string) {
	m, _ := at.(map[string]any)
	if len(field) == 1 {
		if _, isList := m[field[0]].([]any); isList {
			m[field[0]] = []any{value}
			return
		}
		m[field[0]] = value
		return
	}
	next := m[field[0]]
	if list, isList := next.([]any); isList {
		next = list[0]
	}
	if next == nil {
		next = map[string]any{}
		m[field[0]] = next
	}
	fillIn(next, value, field[1:]...)
}

// TestExportedManifestsBringEveryNodeToItsVolume fills in what a person would and lets the operator go on: it looks for
// the claims there were, and makes no other.
func TestExportedManifestsBringEveryNodeToItsVolume(t *testing.T) {
	for fixture, claims := range map[string][]string{
		"split-roles": {
			"data-0-my-cluster-broker-0", "data-0-my-cluster-broker-1", "data-0-my-cluster-broker-2",
			"data-0-my-cluster-controller-3", "data-0-my-cluster-controller-4", "data-0-my-cluster-controller-5",
			"data-1-my-cluster-broker-0", "data-1-my-cluster-broker-1", "data-1-my-cluster-broker-2",
		},
		"dual-role": {"data-my-cluster-dual-role-0", "data-my-cluster-dual-role-1", "data-my-cluster-dual-role-2"},
	} {
		t.Run(fixture, func(t *testing.T) {
			g := newGround(t, "filled-"+fixture)
			g.volumes(claims...)
			for _, o := range g.manifests(fixture) {
				text, err := json.Marshal(o)
				check(t, err)
				text = bytes.ReplaceAll(text, []byte(`"version":"TODO"`), []byte(`"version":"4.2.0"`))
				text = bytes.ReplaceAll(text, []byte(`"size":"TODO"`), []byte(`"size":"1Gi","class":"local"`))
				filled := &unstructured.Unstructured{}
				check(t, filled.UnmarshalJSON(text))
				check(t, g.strictly(filled))
			}
			g.start(nil)
			g.condition("ReconciliationPaused")
			g.patch(`{"status":{"clusterId":"`+recordedID+`"}}`, "status")
			g.pause("false")
			g.condition("Ready")
			list, err := g.client.CoreV1().PersistentVolumeClaims(g.namespace).List(t.Context(), metav1.ListOptions{})
			check(t, err)
			var got []string
			for i := range list.Items {
				got = append(got, list.Items[i].Name)
			}
			slices.Sort(got)
			if diff := cmp.Diff(claims, got); diff != "" {
				t.Errorf("claims (-volumes +operator):\n%s", diff)
			}
		})
	}
}
