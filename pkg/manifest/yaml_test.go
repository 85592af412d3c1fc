package manifest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/manifest"
)

// TestTheTextIsReadAsWhatItIs writes what a disk may hold and reads it with another reader of YAML: nothing in it may
// begin a field, a document or a terminal's command.
func TestTheTextIsReadAsWhatItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hostile := []string{
		"a\nkind: Secret", "---", "x: y", "# no comment", "yes", "null", "0x10", "1e3", "\x1b[31m", "\u2028", "'", `"`, " lead",
		"long " + strings.Repeat("word ", 60), "é", "*anchor", "&x", "!tag", "{a: b}", "TODO\u202e", "\xff",
	}
	for i, s := range hostile {
		w.topic(fmt.Sprintf("t%d%s", i, s), []int32{0})
		w.config(metadata.ConfigTopic, fmt.Sprintf("t%d%s", i, s), "k"+s, s)
		w.config(metadata.ConfigBroker, "1", "only.of.one"+s, s)
		w.config(metadata.ConfigBroker, "", "all"+s, s)
		w.scram("u"+s, 2)
		w.acl("User:u", topicResource, s, literal, readOp, allow)
	}
	w.listener("EVIL\n-9092", "host\nkind: Secret", 9092, saslSSL)
	set := w.build()
	text, err := set.YAML(set.Objects, []string{"header\n---\nkind: Secret"})
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if bytes.ContainsAny(line, "\x1b\r\x00") || bytes.Contains(line, []byte("\u202e")) {
			t.Errorf("line %d would act on a terminal: %q", i+1, line)
		}
	}
	documents := strings.Split(string(text), "\n---\n")[1:]
	if len(documents) != len(set.Objects) {
		t.Fatalf("%d documents of %d manifests", len(documents), len(set.Objects))
	}
	for i, document := range documents {
		var got any
		if err := yaml.UnmarshalStrict([]byte(document), &got); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if diff := cmp.Diff(asJSON(t, set.Objects[i].Object), got); diff != "" {
			t.Errorf("%s (-object +read):\n%s", set.Objects[i].Ref(), diff)
		}
	}
}

func asJSON(t *testing.T, o map[string]any) any {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEveryTodoOfAnObjectIsAComment: a person who reads the file alone misses nothing.
func TestEveryTodoOfAnObjectIsAComment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.listener("TLS-9093", "", 9093, ssl)
	w.volume("data-0-c-broker-0", 0, true)
	w.volume("data-1-c-broker-1", 1, true)
	w.scram("app", 2)
	w.scram("old", 1)
	w.acl("User:CN=other", tokenResource, "t", literal, readOp, allow)
	w.quota("consumer_byte_rate", 1.5, entity("user", "CN=app"))
	set := w.build()
	text, err := set.YAML(set.Objects, nil)
	if err != nil {
		t.Fatal(err)
	}
	var missing []manifest.Item
	for _, i := range set.Todos {
		if i.Object != "" && !strings.Contains(string(text), "# TODO "+i.ID+": ") {
			missing = append(missing, i)
		}
	}
	inObjects := 0
	for _, i := range set.Todos {
		if i.Object != "" {
			inObjects++
		}
	}
	if n := strings.Count(string(text), "# TODO "); len(missing) > 0 || n != inObjects {
		t.Errorf("%d comments for %d TODOs; missing %+v\n%s", n, inObjects, missing, text)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "#") && len(line) > 130 {
			t.Errorf("a comment is too long to read: %s", line)
		}
	}
}

func TestNoSecretIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.scram("alice", 2)
	w.config(metadata.ConfigBroker, "", "listener.name.tls.ssl.keystore.password", "secret-store")
	w.config(metadata.ConfigBroker, "0", "ssl.key.password", "secret-key")
	w.config(metadata.ConfigTopic, "t", "my.secret", "secret-topic")
	w.topic("t", []int32{0})
	set := w.build()
	text, err := set.YAML(set.Objects, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal([]any{set.Objects, set.Todos, set.Notes})
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range [][]byte{text, list} {
		for _, secret := range []string{"secret-salt", "secret-stored", "secret-server", "secret-store", "secret-key", "secret-topic", "c2VjcmV0"} {
			if bytes.Contains(out, []byte(secret)) {
				t.Errorf("%q is in %s", secret, out)
			}
		}
	}
}
