package handover

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// hostile is what somebody may have had stored in an object: it must reach kubectl as it is, and the shell never.
const hostile = "it's $(touch owned) `touch owned` \"\nEND-OF-KAFKARECOVER\ntouch owned\n"

// runScript runs a script with a stand-in for kubectl that writes down its arguments and what it reads, each call on
// its own, and answers a question for a lease with lease.
func runScript(t *testing.T, text, lease, fails string) (calls []string, code int) {
	t.Helper()
	dir := t.TempDir()
	tool := filepath.Join(dir, "kubectl")
	fake := `#!/bin/sh
case "$*" in *leases*) printf '%s' "$LEASE"; exit 0;; esac
n=$(ls "$OUT" | wc -l)
{ for a in "$@"; do printf '<%s>' "$a"; done; case "$*" in *"-f -"*) printf '\n'; cat;; esac; } > "$OUT/$(printf %03d "$n")"
case "$*" in *"$FAILS"*) exit 1;; esac
`
	out := filepath.Join(dir, "out")
	for _, err := range []error{
		os.Mkdir(out, 0o700), os.WriteFile(tool, []byte(fake), 0o700),
		os.WriteFile(filepath.Join(dir, "script"), []byte(text), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, "script"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "KUBECTL="+tool, "OUT="+out, "LEASE="+lease, "FAILS="+fails)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Log(string(text))
	}
	if _, err := os.Stat(filepath.Join(dir, "owned")); err == nil {
		t.Error("a value was run by the shell")
	}
	files, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		said, err := os.ReadFile(filepath.Join(out, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, string(said))
	}
	return calls, cmd.ProcessState.ExitCode()
}

func status() *kube.Write {
	return &kube.Write{
		Verb: "patch", Namespace: "kafka", Name: "my-cluster", Subresource: "status", Type: kube.MergePatch,
		Resource:     schema.GroupVersionResource{Group: "kafka.strimzi.io", Version: "v1", Resource: "kafkas"},
		FieldManager: "kafkarecover", Body: []byte(`{"status":{"clusterId":"it's"}}`),
	}
}

func TestAScriptSendsWhatTheToolWouldHaveSent(t *testing.T) {
	writes := []*kube.Write{
		status(),
		{
			Verb: "create", Namespace: "kafka", Name: "guard", Resource: kube.ResourceQuotas(),
			Object: &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "v1", "kind": "ResourceQuota",
				"metadata": map[string]any{"name": "guard", "annotations": map[string]any{"note": hostile}},
			}},
		},
		{
			Verb: "delete", Namespace: "kafka", Name: "data-0", Resource: kube.Claims(), UID: "u-1", ResourceVersion: "7",
		},
		{
			Verb: "patch", Name: "pv-" + hostile, Type: kube.MergePatch, Resource: kube.Volumes(), Body: []byte(`{}`),
		},
	}
	text, err := script(writes, guard{namespace: "kafka", lease: "lock", holder: "me"})
	if err != nil {
		t.Fatal(err)
	}
	calls, code := runScript(t, text, "me", "nothing fails")
	if code != 0 || len(calls) != 4 {
		t.Fatalf("exit %d, %d calls: %q", code, len(calls), calls)
	}
	want := "<-n><kafka><patch><kafkas.v1.kafka.strimzi.io><my-cluster><--subresource=status>" +
		"<--field-manager=kafkarecover><--type=merge><-p><{\"status\":{\"clusterId\":\"it's\"}}>"
	if calls[0] != want {
		t.Errorf("got %s, want %s", calls[0], want)
	}
	if !strings.HasPrefix(calls[1], "<-n><kafka><create><--validate=strict><-f><->\n") {
		t.Errorf("got %s", calls[1])
	}
	for _, line := range strings.Split(strings.TrimSpace(hostile), "\n") {
		if !strings.Contains(calls[1], strings.Split(line, "\"")[0]) {
			t.Errorf("%q did not reach the server: %s", line, calls[1])
		}
	}
	for _, want := range []string{
		"<delete><--raw></api/v1/namespaces/kafka/persistentvolumeclaims/data-0>", `"uid":"u-1"`, `"resourceVersion":"7"`,
	} {
		if !strings.Contains(calls[2], want) {
			t.Errorf("the deletion lacks %s: %s", want, calls[2])
		}
	}
	if want := "<patch><persistentvolumes><pv-" + hostile + ">"; !strings.Contains(calls[3], want) {
		t.Errorf("got %s, want %s", calls[3], want)
	}
}

func TestAScriptGoesOnAfterOneThatFailsAndSaysSo(t *testing.T) {
	other := status()
	other.Name = "other"
	text, err := script([]*kube.Write{status(), other}, guard{})
	if err != nil {
		t.Fatal(err)
	}
	if calls, code := runScript(t, text, "", "my-cluster"); code != 1 || len(calls) != 2 {
		t.Errorf("exit %d, calls %q", code, calls)
	}
}

func TestAScriptOfARunThatLostItsLockDoesNothing(t *testing.T) {
	text, err := script([]*kube.Write{status()}, guard{namespace: "kafka", lease: "lock", holder: "me"})
	if err != nil {
		t.Fatal(err)
	}
	for _, holder := range []string{"another", ""} {
		if calls, code := runScript(t, text, holder, "nothing fails"); code != 1 || len(calls) != 0 {
			t.Errorf("held by %q: exit %d, calls %q", holder, code, calls)
		}
	}
}

func TestAScriptOfNothingDoesNothing(t *testing.T) {
	text, err := script(nil, guard{})
	if err != nil {
		t.Fatal(err)
	}
	if calls, code := runScript(t, text, "", "nothing fails"); code != 0 || len(calls) != 0 {
		t.Errorf("exit %d, calls %q", code, calls)
	}
}

func TestAFileThatHoldsSomethingElseIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "commands.sh")
	if err := os.WriteFile(path, []byte("my own script\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(nil, path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if there, err := os.ReadFile(path); err != nil || string(there) != "my own script\n" {
		t.Errorf("got %q, %v", there, err)
	}
	other := filepath.Join(t.TempDir(), "commands.sh")
	for range 2 { // its own is
		if _, err := Open(nil, other, nil); err != nil {
			t.Error(err)
		}
	}
	if _, err := Open(nil, filepath.Join(other, "below"), nil); err == nil {
		t.Error("a file that cannot be made must be known at once")
	}
}
