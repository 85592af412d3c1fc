package cmd_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/cmd"
	"github.com/kafkarecover/kafkarecover/pkg/exitcode"
	"github.com/kafkarecover/kafkarecover/pkg/iostreams"
)

// kafkaVolume is a volume that a real Kafka wrote.
const kafkaVolume = "../pkg/kraft/logdir/testdata/single"

// program runs the program with these arguments and nothing of this machine's settings. A kubeconfig that cannot be
// read fails whoever looks at it.
func program(t *testing.T, args ...string) (code exitcode.Code, out, errOut string) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	if os.Getenv("KUBECONFIG") == "" {
		broken := filepath.Join(t.TempDir(), "kubeconfig")
		if err := os.WriteFile(broken, []byte("this is no kubeconfig: ["), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("KUBECONFIG", broken)
	}
	streams, _, stdout, stderr := iostreams.Test()
	code = cmd.Main(t.Context(), append([]string{"kafkarecover"}, args...), streams)
	return code, stdout.String(), stderr.String()
}

// volumes makes a folder of two volumes of a cluster, the second of which says the cluster ID given.
func volumes(t *testing.T, second string) string {
	t.Helper()
	root := t.TempDir()
	for node, id := range map[int]string{1: "5L6g3nShT-eMCtK--X86sw", 2: second} {
		dir := filepath.Join(root, fmt.Sprintf("data-0-my-cluster-broker-%d", node), fmt.Sprintf("kafka-log%d", node))
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(kafkaVolume, "kafka-log1"))); err != nil {
			t.Fatal(err)
		}
		meta := fmt.Sprintf("node.id=%d\ndirectory.id=AAAAAAAAAAAAAAAAAA%03dw\nversion=1\ncluster.id=%s\n", node, node, id)
		if err := os.WriteFile(filepath.Join(dir, "meta.properties"), []byte(meta), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestScanOfAFolderTouchesNoKubeconfig(t *testing.T) {
	code, out, errOut := program(t, "scan", "--dir", kafkaVolume)
	if code != exitcode.OK || errOut != "" {
		t.Fatalf("exit code %d, %s", code, errOut)
	}
	for _, text := range []string{"cluster ID 5L6g3nShT-eMCtK--X86sw", "185/1", "1 of 1 volume read"} {
		if !strings.Contains(out, text) {
			t.Errorf("want %q in:\n%s", text, out)
		}
	}
	if code, _, errOut := program(t, "scan"); code != exitcode.Error || !strings.Contains(errOut, "kubeconfig") {
		t.Errorf("without --dir the broken kubeconfig is an error: exit code %d, %s", code, errOut)
	}
}

func TestScanExitCodes(t *testing.T) {
	const other = "nj2gpqbHSfmvw-PQucA3Jg"
	foreign := volumes(t, other)
	unread := volumes(t, other)
	if err := os.Symlink(foreign, filepath.Join(unread, "data-0-my-cluster-broker-3")); err != nil {
		t.Fatal(err)
	}
	only := t.TempDir()
	if err := os.CopyFS(filepath.Join(only, "data-0-my-cluster-broker-1"), os.DirFS(kafkaVolume)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(foreign, filepath.Join(only, "data-0-my-cluster-broker-3")); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		want exitcode.Code
		says string
	}{
		"nothing wrong": {[]string{"--dir", kafkaVolume}, exitcode.OK, ""},
		"a warning is not an error": {
			[]string{"--dir", kafkaVolume, "--fail-on", "warning"}, exitcode.Refused, "severity warning or worse: 1",
		},
		"a warning that is ignored": {
			[]string{"--dir", kafkaVolume, "--fail-on", "warning", "--ignore", "cluster-id-well-known"}, exitcode.OK, "",
		},
		"an ignored subject that is another": {
			[]string{"--dir", kafkaVolume, "--fail-on", "warning", "--ignore", "cluster-id-well-known=x"}, exitcode.Refused, "",
		},
		"two clusters":                {[]string{"--dir", foreign}, exitcode.Refused, "severity error or worse"},
		"two clusters, never":         {[]string{"--dir", foreign, "--fail-on", "never"}, exitcode.OK, ""},
		"unread and findings: 3 wins": {[]string{"--dir", unread}, exitcode.Refused, "not read, or not to the end: 1"},
		"unread alone": {
			[]string{"--dir", only, "--fail-on", "critical"}, exitcode.Incomplete, "not read, or not to the end: 1",
		},
		"no such folder": {[]string{"--dir", filepath.Join(only, "gone")}, exitcode.NotFound, "gone"},
		"no volume":      {[]string{"--dir", t.TempDir()}, exitcode.NotFound, "no Kafka volume"},
		"a rule that is none": {
			[]string{"--dir", kafkaVolume, "--ignore", "nonsense"}, exitcode.Usage, `no rule "nonsense"`,
		},
		"a severity that is none":       {[]string{"--dir", kafkaVolume, "--fail-on", "info"}, exitcode.Usage, "info"},
		"a target that is none":         {[]string{"my-cluster"}, exitcode.Usage, "kafka/my-cluster"},
		"a volume is no target":         {[]string{"pv/x"}, exitcode.Usage, "kafka/NAME, pvc/NAME"},
		"a folder and a target":         {[]string{"kafka/a", "--dir", kafkaVolume}, exitcode.Usage, "--dir"},
		"a folder and all namespaces":   {[]string{"-A", "--dir", kafkaVolume}, exitcode.Usage, "--all-namespaces"},
		"a folder through pods":         {[]string{"--via", "pod", "--dir", kafkaVolume}, exitcode.Usage, "--via"},
		"all namespaces and a target":   {[]string{"-A", "kafka/a"}, exitcode.Usage, "kafka/a"},
		"a cluster and a claim":         {[]string{"--cluster", "a", "pvc/b"}, exitcode.Usage, "not both"},
		"two clusters named":            {[]string{"kafka/a", "kafka/b"}, exitcode.Usage, "one cluster"},
		"a claim against a scan":        {[]string{"pvc/b", "--against", "x"}, exitcode.Usage, `"x"`},
		"deep without reading":          {[]string{"--deep", "--via", "objects"}, exitcode.Usage, "--deep"},
		"no time to start":              {[]string{"--schedule-timeout", "0s"}, exitcode.Usage, "--schedule-timeout"},
		"no time to read":               {[]string{"--read-timeout", "-1s"}, exitcode.Usage, "--read-timeout"},
		"less than nothing in parallel": {[]string{"--parallel", "-1"}, exitcode.Usage, "--parallel"},
	} {
		code, _, errOut := program(t, append([]string{"scan"}, tc.args...)...)
		if code != tc.want || !strings.Contains(errOut, tc.says) {
			t.Errorf("%s: exit code %d, want %d; want %q in:\n%s", name, code, tc.want, tc.says, errOut)
		}
	}
}

func TestScanSaysThatAnExclusionIsNoVolume(t *testing.T) {
	root := volumes(t, "nj2gpqbHSfmvw-PQucA3Jg")
	_, out, errOut := program(t, "scan", "--dir", root, "--exclude", "data-0-my-cluster-broker-2")
	if strings.Contains(out, "cluster-id-disagreement") || strings.Contains(errOut, "--exclude") {
		t.Errorf("the volume that disagrees was given up:\n%s%s", out, errOut)
	}
	_, out, errOut = program(t, "scan", "--dir", root, "--exclude", "data-0-my-cluster-broker-7")
	if !strings.Contains(out, "cluster-id-disagreement") || !strings.Contains(errOut, "no such volume") {
		t.Errorf("a slip of the pen is to be told:\n%s%s", out, errOut)
	}
}

func TestScanFormats(t *testing.T) {
	code, out, errOut := program(t, "scan", "--dir", kafkaVolume, "-o", "json")
	var s struct {
		APIVersion, Kind string
		Clusters         []struct{ ClusterID string }
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != exitcode.OK {
		t.Fatalf("exit code %d, %v: %s", code, err, errOut)
	}
	if s.APIVersion != "kafkarecover/v1" || s.Kind != "Scan" || s.Clusters[0].ClusterID != "5L6g3nShT-eMCtK--X86sw" {
		t.Errorf("got %+v", s)
	}
	if _, out, _ := program(t, "scan", "--dir", kafkaVolume, "-o", "name"); out != "dir/single\n" {
		t.Errorf("-o name: %q", out)
	}
	if _, out, _ := program(t, "scan", "--dir", kafkaVolume, "-o", "junit"); !strings.Contains(out, "<testsuites name=") {
		t.Errorf("-o junit: %s", out)
	}
	if _, out, _ := program(t, "scan", "--dir", kafkaVolume, "--deep"); !strings.Contains(out, "offset 185 of epoch 1") {
		t.Errorf("--deep: %s", out)
	}
}

func TestScanAgainstAnEarlierOne(t *testing.T) {
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(kafkaVolume)); err != nil {
		t.Fatal(err)
	}
	_, out, _ := program(t, "scan", "--dir", root, "-o", "json")
	earlier := filepath.Join(t.TempDir(), "earlier.json")
	if err := os.WriteFile(earlier, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errOut := program(t, "scan", "--dir", root, "--against", earlier); code != exitcode.OK ||
		!strings.Contains(out, "Changed since") {
		t.Errorf("exit code %d, %s%s", code, out, errOut)
	}
	if err := os.RemoveAll(filepath.Join(root, "kafka-log1", "s-none-0")); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := program(t, "scan", "--dir", root, "--against", earlier, "--fail-on", "never")
	if code != exitcode.Refused || !strings.Contains(out, "kafka-log1 partitions") ||
		!strings.Contains(errOut, "changes since") {
		t.Errorf("a partition is gone: exit code %d, %s%s", code, out, errOut)
	}
	if code, _, errOut := program(t, "scan", "--dir", root, "--against", "gone.json"); code != exitcode.Usage ||
		!strings.Contains(errOut, "gone.json") {
		t.Errorf("exit code %d, %s", code, errOut)
	}
}

// recorded serves the claims, volumes and resources that a real API server returned of a running cluster, in the
// namespace kafka, and refuses pods. It has no pods, no operators and no nodes.
func recorded(t *testing.T) {
	t.Helper()
	lists := map[string][]byte{}
	for resource, file := range map[string]string{
		"kafkas": "kafka.yaml", "kafkanodepools": "kafkanodepools.yaml", "persistentvolumeclaims": "pvcs.yaml",
		"persistentvolumes": "pvs-bound.yaml",
	} {
		raw, err := os.ReadFile(filepath.Join("../pkg/strimzi/testdata/observed", file))
		if err != nil {
			t.Fatal(err)
		}
		if lists[resource], err = yaml.YAMLToJSON(raw); err != nil {
			t.Fatal(err)
		}
		if resource == "kafkas" {
			lists[resource] = []byte(`{"kind":"List","apiVersion":"v1","items":[` + string(lists[resource]) + `]}`)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		resource := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		switch {
		case r.URL.Path == "/apis/kafka.strimzi.io":
			fmt.Fprint(w, `{"kind":"APIGroup","apiVersion":"v1","versions":[{"version":"v1"}]}`)
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,`+
				`"message":"pods is forbidden: exceeded quota: few-pods"}`)
		case lists[resource] != nil && !strings.Contains(r.URL.Path, "/namespaces/empty/"):
			_, _ = w.Write(lists[resource])
		default:
			fmt.Fprint(w, `{"kind":"List","apiVersion":"v1","items":[]}`)
		}
	}))
	t.Cleanup(server.Close)
	config := filepath.Join(t.TempDir(), "kubeconfig")
	content := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c,
clusters: [{name: c, cluster: {server: %q}}],
contexts: [{name: c, context: {cluster: c, user: u, namespace: kafka}}], users: [{name: u, user: {}}]}`, server.URL)
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", config)
}

func TestScanOfObjects(t *testing.T) {
	recorded(t)
	code, out, errOut := program(t, "scan", "kafka/my-cluster", "--via", "objects", "--fail-on", "never")
	if code != exitcode.OK || !strings.Contains(out, "data-0-my-cluster-controller-5") {
		t.Errorf("exit code %d, %s%s", code, out, errOut)
	}
	if _, names, _ := program(t, "scan", "-A", "--via", "objects", "-o", "name"); strings.Count(names, "\n") != 9 {
		t.Errorf("nine claims were recorded, got:\n%s", names)
	}
	for args, says := range map[string]string{
		"--namespace=empty": "no Kafka cluster", "--cluster=other": "kafka/other", "pvc/gone": `"gone"`,
	} {
		if code, _, errOut := program(t, "scan", "--via", "objects", args); code != exitcode.NotFound ||
			!strings.Contains(errOut, says) {
			t.Errorf("%s: exit code %d, want %q in: %s", args, code, says, errOut)
		}
	}
}

func TestScanWithoutAnImage(t *testing.T) {
	recorded(t)
	code, out, errOut := program(t, "scan")
	if code != exitcode.Usage || !strings.Contains(errOut, "--image") || out != "" {
		t.Errorf("a public image is never taken unasked: exit code %d, %s%s", code, out, errOut)
	}
}

func TestScanThatMayMakeNoPods(t *testing.T) {
	recorded(t)
	code, out, errOut := program(t, "scan", "--image", "mirror.test/kafka:1")
	if code != exitcode.Incomplete || !strings.Contains(out, "few-pods") {
		t.Errorf("exit code %d, %s%s", code, out, errOut)
	}
	for _, text := range []string{
		"mirror.test/kafka:1 (named by --image or the configuration)", "few-pods", "not read, or not to the end: 9",
	} {
		if !strings.Contains(errOut, text) {
			t.Errorf("want %q in:\n%s", text, errOut)
		}
	}
	if _, _, errOut := program(t, "scan", "--image", "mirror.test/kafka:1", "-q"); strings.Contains(errOut, "named by") {
		t.Errorf("--quiet: %s", errOut)
	}
	_, _, errOut = program(t, "scan", "--image", "mirror.test/kafka:1", "--log-format", "json")
	for line := range strings.Lines(errOut) {
		if !json.Valid([]byte(line)) {
			t.Errorf("--log-format json: %s", line)
		}
	}
}

func TestScanHelpSaysItsExitCodes(t *testing.T) {
	code, out, _ := program(t, "scan", "--help")
	if code != exitcode.OK {
		t.Fatalf("exit code %d", code)
	}
	for _, c := range []exitcode.Code{exitcode.OK, exitcode.Refused, exitcode.NotFound, exitcode.Incomplete} {
		if !strings.Contains(out, fmt.Sprintf("%3d  %s", c, c.Meaning())) {
			t.Errorf("exit code %d is not in the help:\n%s", c, out)
		}
	}
}
