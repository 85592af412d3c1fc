package handover

import (
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kafkarecover/kafkarecover/pkg/kube"
)

// firstLines begin every file, and tell that it is one.
const firstLines = `#!/bin/sh
# Written by kafkarecover --handover: what its user may not do himself.
`

// script is a shell script that makes the writes. It sends each whatever becomes of the others, and says which failed;
// one that was made already fails with a conflict, and changes nothing.
func script(writes []*kube.Write, g guard) (string, error) {
	var b strings.Builder
	b.WriteString(firstLines)
	if len(writes) == 0 {
		b.WriteString("# Nothing is waited for now.\n")
		return b.String(), nil
	}
	b.WriteString(`# kafkarecover waits until it sees what these commands do, whoever does it, and goes on by itself.
# This file is written again whenever it waits for something else. Run it with an account that may:
#     KUBECTL='kubectl --context NAME' sh FILE
kubectl=${KUBECTL:-kubectl}
failed=0
`)
	if g != (guard{}) {
		fmt.Fprintf(&b, `holder=$($kubectl -n %s get leases.v1.coordination.k8s.io %s -o 'jsonpath={.spec.holderIdentity}')
if [ "$holder" != %s ]; then
  echo 'nothing was done: the run that wrote this file does not hold its lock any more' >&2
  exit 1
fi
`, quote(g.namespace), quote(g.lease), quote(g.holder))
	}
	for i, w := range writes {
		command, err := command(w)
		if err != nil {
			return "", err
		}
		access := w.Access()
		fmt.Fprintf(&b, "\n# %d of %d: %s, object %s\n%s", i+1, len(writes), comment(access.String()), comment(w.Name),
			command)
	}
	b.WriteString("\nexit $failed\n")
	return b.String(), nil
}

// command is one write as kubectl sends it, with the write's own preconditions.
func command(w *kube.Write) (string, error) {
	kubectl := "$kubectl"
	if w.Namespace != "" {
		kubectl += " -n " + quote(w.Namespace)
	}
	const orFail = " || failed=1\n"
	switch w.Verb {
	case "create":
		manifest, err := yaml.Marshal(w.Object.Object)
		if err != nil {
			return "", fmt.Errorf("write %s %q: %w", w.Object.GetKind(), w.Name, err)
		}
		return kubectl + " create --validate=strict -f - <<'" + endMark + "'" + orFail + string(manifest) +
			endMark + "\n", nil
	case "delete":
		options, err := json.Marshal(deletion(w))
		if err != nil {
			return "", fmt.Errorf("write the deletion of %q: %w", w.Name, err)
		}
		return "$kubectl delete --raw " + quote(path(w)) + " -f - <<'" + endMark + "'" + orFail + string(options) + "\n" +
			endMark + "\n", nil
	}
	kind := w.Resource.Resource
	if w.Resource.Group != "" {
		kind += "." + w.Resource.Version + "." + w.Resource.Group
	}
	line := kubectl + " patch " + quote(kind) + " " + quote(w.Name)
	if w.Subresource != "" {
		line += " --subresource=" + quote(w.Subresource)
	}
	if w.FieldManager != "" {
		line += " --field-manager=" + quote(w.FieldManager)
	}
	return line + " --type=merge -p " + quote(string(w.Body)) + orFail, nil
}

// endMark ends what a command reads. No line of a manifest is it: all that is not a key of the object is indented.
const endMark = "END-OF-KAFKARECOVER"

// deletion is the body of a deletion: kubectl has no flag for its preconditions.
func deletion(w *kube.Write) map[string]any {
	conditions := map[string]any{}
	if w.UID != "" {
		conditions["uid"] = string(w.UID)
	}
	if w.ResourceVersion != "" {
		conditions["resourceVersion"] = w.ResourceVersion
	}
	return map[string]any{
		"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", "preconditions": conditions,
	}
}

// path is where the API server has an object.
func path(w *kube.Write) string {
	at := "/api/" + w.Resource.Version
	if w.Resource.Group != "" {
		at = "/apis/" + w.Resource.Group + "/" + w.Resource.Version
	}
	if w.Namespace != "" {
		at += "/namespaces/" + w.Namespace
	}
	return at + "/" + w.Resource.Resource + "/" + w.Name
}

// quote makes one word of a shell out of any text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// comment keeps a text on its line.
func comment(text string) string { return strings.Join(strings.Fields(text), " ") }
