package declared_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kafkarecover/kafkarecover/pkg/declared"
)

// Somebody whose manifests are of another namespace, or whose cluster is called otherwise, is told what they hold,
// where, and what to do.
func TestManifestsOfAnotherClusterSayWhatTheyHold(t *testing.T) {
	t.Parallel()
	const kafka = "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: "
	for name, c := range map[string]struct {
		text          string
		want, wantNot []string
	}{
		"another namespace": {
			text: kafka + "{name: prod, namespace: events}\n",
			want: []string{
				`kafka "prod" of namespace "events"`, "kafka.yaml", "-n events", "take `namespace:` out of the manifests",
			},
			wantNot: []string{"name kafka/"},
		},
		"another name": {
			text: kafka + "{name: staging, namespace: kafka}\n", want: []string{
				`kafka "staging" of namespace "kafka"`, "kafka.yaml", "name kafka/staging",
			},
			wantNot: []string{"give -n", "`namespace:`"},
		},
		"another name, no namespace": {
			text: kafka + "{name: staging}\n", want: []string{`kafka "staging" without a namespace`, "name kafka/staging"},
			wantNot: []string{"give -n"},
		},
		"both, and two of them": {
			text: kafka + "{name: a, namespace: one}\n---\n" + kafka + "{name: b, namespace: two}\n",
			want: []string{"-n one", "-n two", "name kafka/a", "name kafka/b"},
		},
		"none": {
			text: "apiVersion: example.com/v1\nkind: Kafka\nmetadata: {name: prod}\n",
			want: []string{"they hold none at all", "give the file that holds it"}, wantNot: []string{"-n", "name kafka/"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "kafka.yaml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			objects, err := declared.Load(t.Context(), []string{file}, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = declared.Pick(objects, "kafka", "prod")
			if !errors.Is(err, declared.ErrNoKafka) {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("must say %q: %v", want, err)
				}
			}
			for _, not := range c.wantNot {
				if strings.Contains(err.Error(), not) {
					t.Errorf("must not say %q: %v", not, err)
				}
			}
		})
	}
}
