package schema

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kafkarecover/kafkarecover/cmd"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
	"github.com/kafkarecover/kafkarecover/pkg/object"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
	"github.com/kafkarecover/kafkarecover/test/operator/crds"
	"github.com/kafkarecover/kafkarecover/testdata/volumes"
)

// TestManifestsFollowStrimzisDefinitions holds exported manifests against the definitions that Strimzi publishes, of
// both versions; a field that they do not name is an error.
func TestManifestsFollowStrimzisDefinitions(t *testing.T) {
	schemas := map[string]*jsonschema.Schema{}
	for _, version := range strimzi.Versions() {
		for _, kind := range []string{strimzi.KafkaKind, strimzi.NodePoolKind, strimzi.TopicKind, strimzi.UserKind} {
			schemas[kind+version] = definition(t, kind, version)
		}
	}
	for _, version := range strimzi.Versions() {
		for _, fixture := range []string{volumes.SplitRoles, volumes.SplitRoles39, volumes.DualRole, volumes.SingleNode} {
			t.Run(version+"/"+fixture, func(t *testing.T) {
				manifests := exported(t, volumes.Unpack(t, fixture), version)
				if len(manifests) < 3 {
					t.Fatalf("%d manifests", len(manifests))
				}
				for _, manifest := range manifests {
					kind, _ := manifest["kind"].(string)
					if err := schemas[kind+version].Validate(manifest["object"]); err != nil {
						t.Errorf("%s %v: %v", kind, manifest["name"], err)
					}
				}
			})
		}
	}
}

// TestWhatIsToBeFilledInIsRefused: where a field has fixed values TODO is none of them, so that the API server does not
// take what was not filled in for something.
func TestWhatIsToBeFilledInIsRefused(t *testing.T) {
	kafka, pool := definition(t, strimzi.KafkaKind, strimzi.V1), definition(t, strimzi.NodePoolKind, strimzi.V1)
	for _, c := range []struct {
		schema *jsonschema.Schema
		index  int
		at     []string
		value  any
	}{
		{kafka, 0, []string{"kafka", "listeners", "0", "type"}, "TODO"},
		{kafka, 0, []string{"kafka", "listeners", "0", "name"}, "TODO"},
		{kafka, 0, []string{"kafka", "listeners", "0", "authentication"}, map[string]any{"type": "TODO"}},
		{kafka, 0, []string{"kafka", "listeners"}, []any{}},
		{pool, 1, []string{"roles"}, []any{"TODO"}},
		{pool, 1, []string{"storage"}, map[string]any{"type": "TODO"}},
		{pool, 1, []string{"storage", "volumes", "1", "kraftMetadata"}, "TODO"},
	} {
		manifest := object.Map(exported(t, volumes.Unpack(t, volumes.SplitRoles), strimzi.V1)[c.index], "object")
		if err := c.schema.Validate(manifest); err != nil {
			t.Fatalf("before: %v", err)
		}
		within := manifest["spec"]
		for _, step := range c.at[:len(c.at)-1] {
			if list, isList := within.([]any); isList {
				i, _ := strconv.Atoi(step)
				within = list[i]
				continue
			}
			within = within.(map[string]any)[step]
		}
		within.(map[string]any)[c.at[len(c.at)-1]] = c.value //nolint:forcetypeassert // the case says where
		if c.schema.Validate(manifest) == nil {
			t.Errorf("%v in %v is taken", c.value, c.at)
		}
	}
}

// exported are the manifests of a folder of volumes, as -o json has them.
func exported(t *testing.T, dir, version string) []map[string]any {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	streams, _, out, errOut := iostreams.Test()
	args := []string{"kafkarecover", "export", "manifests", "--dir", dir, "--api-version", version, "-o", "json"}
	if code := cmd.Main(context.Background(), args, streams); code != exitcode.OK {
		t.Fatalf("exit code %d: %s", code, errOut)
	}
	value, err := jsonschema.UnmarshalJSON(out)
	if err != nil {
		t.Fatal(err)
	}
	result, _ := value.(map[string]any)
	return object.Maps(result, "manifests")
}

// definition is the schema of a kind, as strict as the API server is when it is asked to be.
func definition(t *testing.T, kind, version string) *jsonschema.Schema {
	t.Helper()
	document := openAPI(t, kind, version)
	closeObjects(document)
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(kind+".json", document); err != nil {
		t.Fatal(err)
	}
	s, err := compiler.Compile(kind + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openAPI is the schema in a definition.
func openAPI(t *testing.T, kind, version string) map[string]any {
	t.Helper()
	definitions, err := crds.Generate(t.Context(), "", crds.Both)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range definitions {
		versions, _, _ := unstructured.NestedSlice(d.Object, "spec", "versions")
		for _, v := range versions {
			served, _ := v.(map[string]any)
			schema, found, _ := unstructured.NestedMap(served, "schema", "openAPIV3Schema")
			if of, _, _ := unstructured.NestedString(d.Object, "spec", "names", "kind"); of == kind && served["name"] == version && found {
				return asRead(t, schema)
			}
		}
	}
	t.Fatalf("no definition of %s in %s", kind, version)
	return nil
}

// asRead is the value as the validator reads JSON, with its own numbers.
func asRead(t *testing.T, o map[string]any) map[string]any {
	t.Helper()
	content, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	out, _ := value.(map[string]any)
	return out
}

// TestConfigurationsThatStrimziForbids holds the list of what spec.kafka.config may not hold against the words of the
// definition.
func TestConfigurationsThatStrimziForbids(t *testing.T) {
	config, _, _ := unstructured.NestedMap(openAPI(t, "Kafka", strimzi.V1),
		"properties", "spec", "properties", "kafka", "properties", "config")
	text, _ := config["description"].(string)
	_, text, _ = strings.Cut(text, "cannot be set: ")
	prefixes, exceptions, found := strings.Cut(text, " (with the exception of: ")
	if !found {
		t.Fatalf("the definition says it in other words: %q", text)
	}
	allowed := strings.Split(strings.TrimRight(exceptions, ")."), ", ")
	for _, prefix := range strings.Split(prefixes, ", ") {
		if name := prefix + "x"; strimzi.AllowsConfig(name) {
			t.Errorf("%q is forbidden", name)
		}
		if strimzi.AllowsConfig(prefix) && !slices.Contains(allowed, prefix) {
			t.Errorf("%q is forbidden", prefix)
		}
	}
	for _, name := range allowed {
		if !strimzi.AllowsConfig(name) {
			t.Errorf("%q is allowed", name)
		}
	}
	if len(allowed) < 10 || !strimzi.AllowsConfig("log.retention.ms") {
		t.Errorf("exceptions %q", allowed)
	}
}
