// Package crds makes Strimzi's custom resource definitions out of the packages Strimzi publishes on Maven Central, so
// that none of them need be kept here. The result is kept in a cache named after its inputs. It needs Java 17 or
// newer, and Maven when the cache is empty.
package crds

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Versions says which API versions the definitions are to serve.
type Versions string

// The three generations of Strimzi.
const (
	// V1Beta2 is Strimzi up to 0.48.
	V1Beta2 Versions = "v1beta2"
	// Both is Strimzi 0.49 to 0.51; v1beta2 is the stored version.
	Both Versions = "v1,v1beta2"
	// V1 is Strimzi from 1.0 on.
	V1 Versions = "v1"
)

// pom names the packages. 0.49.1 is the newest of the API whose classes run on Java 17; its v1 is that of 1.x but for
// fields added since, see addMissing. The order decides whose dependencies win: the API's must.
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>crds</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>io.strimzi</groupId><artifactId>api</artifactId><version>0.49.1</version></dependency>
    <dependency>
      <groupId>io.strimzi</groupId><artifactId>crd-generator</artifactId><version>0.45.0</version>
    </dependency>
  </dependencies>
</project>
`

// kinds are the classes and the files they are written to.
func kinds() [][2]string {
	const model = "io.strimzi.api.kafka.model."
	return [][2]string{
		{model + "kafka.Kafka", "kafka.yaml"}, {model + "nodepool.KafkaNodePool", "kafkanodepool.yaml"},
		{model + "podset.StrimziPodSet", "strimzipodset.yaml"}, {model + "topic.KafkaTopic", "kafkatopic.yaml"},
		{model + "user.KafkaUser", "kafkauser.yaml"},
	}
}

// Generate returns the definitions, from the cache under dir where they are there already; dir "" is the user's cache
// directory.
func Generate(ctx context.Context, dir string, versions Versions) ([]*unstructured.Unstructured, error) {
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find a place for the resource definitions: %w", err)
		}
		dir = filepath.Join(base, "kafkarecover", "crds")
	}
	sum := sha256.Sum256([]byte(pom + string(versions)))
	out := filepath.Join(dir, hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(out); err != nil {
		if err := generate(ctx, dir, out, versions); err != nil {
			return nil, fmt.Errorf("generate Strimzi's resource definitions: %w", err)
		}
	}
	return read(out)
}

// generate works in a temporary directory and renames it, so that a cache is whole or not there.
func generate(ctx context.Context, dir, out string, versions Versions) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // a leftover in the cache does no harm
	libs, err := libraries(ctx, dir)
	if err != nil {
		return err
	}
	stored := "v1beta2"
	if versions == V1 {
		stored = "v1"
	}
	args := []string{
		"-cp", libs + "/*", "io.strimzi.crdgenerator.CrdGenerator", "--label", "app:strimzi",
		"--target-kube", "1.25+", "--crd-api-version", "v1", "--api-versions", string(versions),
		"--storage-version", stored, "--yaml",
	}
	for _, kind := range kinds() {
		args = append(args, kind[0]+"="+filepath.Join(work, kind[1]))
	}
	if err := run(ctx, work, "java", args...); err != nil {
		return err
	}
	return publish(work, out)
}

// libraries is the directory of the jars.
func libraries(ctx context.Context, dir string) (string, error) {
	sum := sha256.Sum256([]byte(pom))
	out := filepath.Join(dir, "libs-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	work, err := os.MkdirTemp(dir, ".libs-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work) //nolint:errcheck // a leftover in the cache does no harm
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), []byte(pom), 0o644); err != nil {
		return "", err
	}
	err = run(ctx, work, "mvn", "-q", "-B", "-ntp", "dependency:copy-dependencies", "-DoutputDirectory=libs")
	if err != nil {
		return "", err
	}
	return out, publish(filepath.Join(work, "libs"), out)
}

// publish renames what was made; when another process made the same meanwhile, that one's stays.
func publish(made, out string) error {
	err := os.Rename(made, out)
	if _, statErr := os.Stat(out); err != nil && statErr == nil {
		return nil
	}
	return err
}

func run(ctx context.Context, dir, name string, args ...string) error {
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("%q is needed and not installed (Debian: apt-get install default-jre-headless maven)", name)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(out.String()))
	}
	return nil
}

func read(dir string) ([]*unstructured.Unstructured, error) {
	var found []*unstructured.Unstructured
	for _, kind := range kinds() {
		raw, err := os.ReadFile(filepath.Join(dir, kind[1]))
		if err != nil {
			return nil, fmt.Errorf("read a resource definition: %w", err)
		}
		definition := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(raw, &definition.Object); err != nil {
			return nil, fmt.Errorf("read %q: %w", kind[1], err)
		}
		addMissing(definition)
		found = append(found, definition)
	}
	return found, nil
}

// addMissing adds to the v1 of Kafka what Strimzi 1.2 has and the published package has not: status.clusterSecurity.
func addMissing(definition *unstructured.Unstructured) {
	if definition.GetName() != "kafkas.kafka.strimzi.io" {
		return
	}
	versions, _, _ := unstructured.NestedSlice(definition.Object, "spec", "versions")
	for _, version := range versions {
		v, ok := version.(map[string]any)
		if !ok || v["name"] != "v1" {
			continue
		}
		_ = unstructured.SetNestedMap(v,
			map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
			"schema", "openAPIV3Schema", "properties", "status", "properties", "clusterSecurity")
	}
	_ = unstructured.SetNestedSlice(definition.Object, versions, "spec", "versions")
}
