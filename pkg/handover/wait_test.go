package handover

import (
	"encoding/json"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	if text == "" {
		return nil
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAPatchWasMadeWhereTheObjectIsAsItLeavesIt(t *testing.T) {
	const at = `"metadata":{"name":"x","uid":"u","resourceVersion":"5"}`
	cases := []struct {
		name, patch, object string
		uid, version        string
		made, refused       bool
	}{
		{name: "not yet", patch: `{"spec":{"replicas":0}}`, object: `{` + at + `,"spec":{"replicas":1}}`},
		{name: "made", patch: `{"spec":{"replicas":0}}`, object: `{` + at + `,"spec":{"replicas":0}}`, made: true},
		{name: "absent where null", patch: `{"spec":{"a":null}}`, object: `{` + at + `}`, made: true},
		{name: "there where null", patch: `{"spec":{"a":null}}`, object: `{` + at + `,"spec":{"a":""}}`},
		{name: "below what is absent", patch: `{"spec":{"a":{"b":1}}}`, object: `{` + at + `}`},
		{name: "a map where a value is", patch: `{"spec":{"a":{"b":null}}}`, object: `{` + at + `,"spec":{"a":"b"}}`},
		{name: "lists as a whole", patch: `{"spec":{"a":[1,2]}}`, object: `{` + at + `,"spec":{"a":[1,2,3]}}`},
		{
			name: "preconditions are no effect", patch: `{"metadata":{"resourceVersion":"4","uid":"u"},"spec":{"a":1}}`,
			object: `{` + at + `,"spec":{"a":1}}`, version: "4", uid: "u", made: true,
		},
		{
			name: "another version without the effect", patch: `{"spec":{"a":1}}`, object: `{` + at + `}`, version: "4",
			refused: true,
		},
		{name: "that version", patch: `{"spec":{"a":1}}`, object: `{` + at + `}`, version: "5"},
		{
			name: "another object of that name", patch: `{"spec":{"a":1}}`, object: `{` + at + `,"spec":{"a":1}}`, uid: "v",
			refused: true,
		},
		{name: "gone", patch: `{"spec":{"a":1}}`, refused: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := status()
			w.Body, w.ResourceVersion = []byte(c.patch), c.version
			if c.uid != "" {
				w.UID = "u"
				if c.uid != "u" {
					w.UID = "v"
				}
			}
			shows, err := effect(w)
			if err != nil {
				t.Fatal(err)
			}
			made, err := shows(object(t, c.object))
			if made != c.made || (err != nil) != c.refused {
				t.Errorf("made %v, error %v", made, err)
			}
			if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
				t.Errorf("not what the API server says: %v", err)
			}
		})
	}
}

func TestACreateWasMadeWhereAllThatMarksItIsThere(t *testing.T) {
	w := &kube.Write{
		Verb: "create", Name: "x", Resource: kube.ResourceQuotas(),
		Object: object(t, `{"metadata":{"name":"x","labels":{"operation":"a"}},"spec":{"hard":{"pods":"1000m"}}}`),
	}
	shows, err := effect(w)
	if err != nil {
		t.Fatal(err)
	}
	if made, err := shows(nil); made || err != nil {
		t.Errorf("nothing is there: %v, %v", made, err)
	}
	own := `{"metadata":{"name":"x","labels":{"operation":"a","more":"b"}},"spec":{"hard":{"pods":"1"}}}`
	if made, err := shows(object(t, own)); !made || err != nil {
		t.Errorf("it is there, in the server's own words: %v, %v", made, err)
	}
	if made, err := shows(object(t, `{"metadata":{"name":"x"}}`)); made || !apierrors.IsAlreadyExists(err) {
		t.Errorf("another one of that name: %v, %v", made, err)
	}
}

func TestADeletionWasMadeWhereTheObjectGoes(t *testing.T) {
	shows, err := effect(&kube.Write{Verb: "delete", Name: "x", Resource: kube.Claims(), UID: "u"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"":                         true,
		`{"metadata":{"uid":"u"}}`: false,
		`{"metadata":{"uid":"v"}}`: true,
		`{"metadata":{"uid":"u","deletionTimestamp":"2026-11-26T00:00:00Z"}}`: true,
	} {
		if made, err := shows(object(t, text)); made != want || err != nil {
			t.Errorf("%s: %v, %v", text, made, err)
		}
	}
}

func TestWhatIsHandedOverIsNeverTheToolsOwn(t *testing.T) {
	for access, want := range map[kube.Access]bool{
		{Verb: "patch", Group: "kafka.strimzi.io", Resource: "kafkas", Subresource: "status"}: true,
		{Verb: "patch", Resource: "persistentvolumes"}:                                        true,
		{Verb: "get", Resource: "persistentvolumes"}:                                          false,
		{Verb: "create", Resource: "pods"}:                                                    false,
		{Verb: "create", Resource: "pods", Subresource: "exec"}:                               false,
		{Verb: "create", Resource: "secrets"}:                                                 false,
		{Verb: "patch", Group: "coordination.k8s.io", Resource: "leases"}:                     false,
	} {
		if got := Handable(access); got != want {
			t.Errorf("%s: got %v", access, got)
		}
	}
}
