package finding

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

// What Argo CD and Flux leave on the objects they apply. Argo CD tracks by annotation since 3.0 and by label before;
// its label app.kubernetes.io/instance is Helm's too and proves nothing by itself.
const (
	argoTracking      = "argocd.argoproj.io/tracking-id"
	argoInstance      = "argocd.argoproj.io/instance"
	instanceLabel     = "app.kubernetes.io/instance"
	fluxKustomization = "kustomize.toolkit.fluxcd.io/"
	fluxHelm          = "helm.toolkit.fluxcd.io/"
	// fluxReconcile on an object makes the Kustomization leave it alone.
	fluxReconcile = fluxKustomization + "reconcile"
)

// owner is a GitOps object that keeps a resource as it is in a repository.
type owner struct {
	evidence []string
	suspend  string
}

func judgeGitOps(s *scene) []found {
	var out []found
	check := func(subject string, meta *strimzi.Meta) {
		owners := slices.Concat(argoOwner(subject, meta), fluxOwners(subject, meta))
		if len(owners) == 0 {
			return
		}
		f := found{subject: subject, message: "is kept in step with a repository by a GitOps tool"}
		var commands []string
		for _, o := range owners {
			f.evidence = append(f.evidence, o.evidence...)
			if !slices.Contains(commands, o.suspend) {
				commands = append(commands, o.suspend)
			}
		}
		f.remedy = strings.Join(commands, "; ") + "; then --accept " + gitopsActive + "=" + subject
		out = append(out, f)
	}
	if h := s.in.Held; h != nil {
		check(h.subject(), &h.Meta)
	}
	c := s.in.Cluster
	if c == nil {
		return out
	}
	check(s.kafkaSubject(), &c.Kafka.Meta)
	for i := range c.Pools {
		check("pool/"+c.Pools[i].Name, &c.Pools[i].Meta)
	}
	return out
}

func argoOwner(subject string, meta *strimzi.Meta) []owner {
	var o owner
	app := ""
	if id, ok := meta.Annotations[argoTracking]; ok {
		o.evidence = append(o.evidence, fmt.Sprintf("%s: annotation %s: %s", subject, argoTracking, quoted(id)))
		app, _, _ = strings.Cut(id, ":")
	}
	if name, ok := meta.Labels[argoInstance]; ok {
		o.evidence = append(o.evidence, fmt.Sprintf("%s: label %s: %s", subject, argoInstance, quoted(name)))
		app = firstOf(app, name)
	}
	for _, m := range meta.Managers {
		if strings.HasPrefix(m, "argocd-") {
			o.evidence = append(o.evidence, subject+": field manager "+quoted(m))
			app = firstOf(app, meta.Labels[instanceLabel])
		}
	}
	if len(o.evidence) == 0 {
		return nil
	}
	// An application of another namespace than Argo CD's own is tracked as NAMESPACE_NAME.
	namespace := "argocd"
	if ns, name, found := strings.Cut(app, "_"); found {
		namespace, app = ns, name
	}
	o.suspend = fmt.Sprintf(`kubectl -n %s patch applications.argoproj.io %s --type merge -p `+
		`'{"spec":{"syncPolicy":{"automated":null}}}'`, objectName(namespace), objectName(app))
	return []owner{o}
}

func fluxOwners(subject string, meta *strimzi.Meta) []owner {
	var out []owner
	for _, kind := range []struct{ prefix, resource, manager string }{
		{fluxKustomization, "kustomizations.kustomize.toolkit.fluxcd.io", "kustomize-controller"},
		{fluxHelm, "helmreleases.helm.toolkit.fluxcd.io", "helm-controller"},
	} {
		if kind.prefix == fluxKustomization && meta.Annotations[fluxReconcile] == "disabled" {
			continue
		}
		var o owner
		name, labelled := meta.Labels[kind.prefix+"name"]
		if labelled {
			o.evidence = append(o.evidence, fmt.Sprintf("%s: label %sname: %s", subject, kind.prefix, quoted(name)))
		}
		if slices.Contains(meta.Managers, kind.manager) {
			o.evidence = append(o.evidence, subject+": field manager "+quoted(kind.manager))
		}
		if len(o.evidence) == 0 {
			continue
		}
		namespace := firstOf(meta.Labels[kind.prefix+"namespace"], meta.Namespace)
		o.suspend = fmt.Sprintf(`kubectl -n %s patch %s %s --type merge -p '{"spec":{"suspend":true}}'`,
			objectName(namespace), kind.resource, objectName(name))
		out = append(out, o)
	}
	return out
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

var namePattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

// objectName is a name as it may stand in a command to be copied; what is no name of an object is not repeated there.
func objectName(name string) string {
	if !namePattern.MatchString(name) {
		return "NAME"
	}
	return name
}
