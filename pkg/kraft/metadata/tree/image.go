package tree

import (
	"strconv"
	"strings"
	"time"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

func (v *view) image() *Node {
	return fixed(map[string]*Node{
		"acls":            fixed(map[string]*Node{"byId": v.acls()}),
		"clientQuotas":    v.quotas(),
		"cluster":         fixed(map[string]*Node{"brokers": v.brokers(), "controllers": v.controllers()}),
		"configs":         v.configs(),
		"delegationToken": v.tokens(),
		"features":        v.features(),
		"producerIds": fixed(map[string]*Node{
			"nextProducerId": leaf(strconv.FormatInt(v.im.NextProducerID(), 10)),
		}),
		"provenance": {text: v.provenance},
		"scram":      v.scram(),
		"topics":     fixed(map[string]*Node{"byName": v.topicsByName(), "byId": v.topicsByID()}),
	})
}

func (v *view) provenance() string {
	p := v.im.Provenance()
	return "offset " + strconv.FormatInt(p.LastOffset, 10) + ", epoch " + strconv.Itoa(int(p.LastEpoch)) +
		", time " + time.UnixMilli(p.LastTimestamp).UTC().Format("2006-01-02T15:04:05.999Z") + "[UTC]"
}

func (v *view) acls() *Node {
	return listing(func() []string {
		var names []string
		for _, a := range v.im.ACLs() {
			names = append(names, a.ID.String())
		}
		return names
	}, func(name string) *Node {
		id, err := metadata.ParseUUID(name)
		if a := v.im.ACL(id); err == nil && a != nil {
			return leaf(v.aclText(a))
		}
		return nil
	})
}

func (v *view) aclText(a *metadata.ACL) string {
	left, right := "[", "]"
	if v.opts.Style == Style39 {
		left, right = "(", ")"
	}
	return "StandardAcl" + left + "resourceType=" + metadata.ACLResourceName(a.ResourceType) +
		", resourceName=" + a.ResourceName + ", patternType=" + metadata.PatternName(a.PatternType) +
		", principal=" + a.Principal + ", host=" + a.Host + ", operation=" + metadata.OperationName(a.Operation) +
		", permissionType=" + metadata.PermissionName(a.PermissionType) + right
}

// quotaName is Kafka's spelling of an entity, in which a default is empty: user()_…. Kafka's own shell leaves a default
// out of the name and then does not find its quotas.
func quotaName(q *metadata.ClientQuota) string {
	escape := strings.NewReplacer(`\`, `\\`, `(`, `\(`, `)`, `\)`)
	var parts []string
	for _, e := range q.Entity {
		kind, name := e.EntityType, ""
		if kind == "client-id" {
			kind = "clientId"
		}
		if e.EntityName != nil {
			name = escape.Replace(*e.EntityName)
		}
		parts = append(parts, kind+"("+name+")")
	}
	return strings.Join(parts, "_")
}

func (v *view) quotas() *Node {
	children := map[string]*Node{}
	for _, q := range v.im.Quotas() {
		values := map[string]*Node{}
		for key, value := range q.Values {
			values[key] = leaf(string(metadata.AppendJavaDouble(nil, value)))
		}
		children[quotaName(q)] = fixed(values)
	}
	return fixed(children)
}

func (v *view) brokers() *Node {
	children := map[string]*Node{}
	for _, b := range v.im.Brokers() {
		children[strconv.Itoa(int(b.ID))] = &Node{text: func() string { return v.brokerText(b) }}
	}
	return fixed(children)
}

func (v *view) controllers() *Node {
	children := map[string]*Node{}
	for _, c := range v.im.Controllers() {
		children[strconv.Itoa(int(c.ID))] = &Node{text: func() string { return controllerText(c) }}
	}
	return fixed(children)
}

func configName(r metadata.ConfigResource) string {
	if r.Type == metadata.ConfigBroker && r.Name == "" {
		return "BROKER"
	}
	return metadata.ConfigResourceName(r.Type) + ":" + r.Name
}

func (v *view) configs() *Node {
	resources := v.im.ConfigResources()
	return listing(func() []string {
		var names []string
		for _, r := range resources {
			names = append(names, configName(r))
		}
		return names
	}, func(name string) *Node {
		kind, rest, _ := strings.Cut(name, ":")
		for _, t := range []int8{
			metadata.ConfigTopic, metadata.ConfigBroker, metadata.ConfigBrokerLogger, metadata.ConfigClientMetrics,
			metadata.ConfigGroup,
		} {
			r := metadata.ConfigResource{Type: t, Name: rest}
			if metadata.ConfigResourceName(t) == kind && v.im.Config(r) != nil && configName(r) == name {
				return v.config(r)
			}
		}
		return nil
	})
}

func (v *view) config(r metadata.ConfigResource) *Node {
	values := v.im.Config(r)
	return listing(func() []string { return metadata.ConfigKeys(values) }, func(name string) *Node {
		value, ok := values[name]
		switch {
		case !ok:
			return nil
		case !v.opts.ShowSecrets && metadata.SensitiveConfig(r.Type, name):
			value = redacted
		}
		return leaf(value)
	})
}

const redacted = "(redacted)"

func (v *view) tokens() *Node {
	children := map[string]*Node{}
	for _, t := range v.im.DelegationTokens() {
		children[t.TokenID] = leaf(tokenText(t))
	}
	return fixed(children)
}

// tokenText has the unbalanced parentheses of Kafka's DelegationTokenDataNode.
func tokenText(t *metadata.DelegationToken) string {
	return "DelegationTokenDatatokenId=" + t.TokenID + "(owner=" + t.Owner + "(tokenRequester=" + t.Requester +
		"(renewers=" + strings.Join(t.Renewers, " ") + ", issueTimestamp=" + strconv.FormatInt(t.IssueTimestamp, 10) +
		", maxTimestamp=" + strconv.FormatInt(t.MaxTimestamp, 10) +
		"), expiryTimestamp=" + strconv.FormatInt(t.ExpirationTimestamp, 10)
}

func (v *view) features() *Node {
	children := map[string]*Node{}
	for name, level := range v.im.Features() {
		if name != metadata.MetadataVersionFeature {
			children["finalized_"+name] = leaf(strconv.Itoa(int(level)))
		}
	}
	version := v.im.MetadataVersion().String()
	switch {
	case v.opts.Style != Style39 && v.im.MetadataVersion() == 0:
		version = "Optional.empty"
	case v.opts.Style != Style39:
		version = "Optional[" + version + "]"
	}
	children["metadataVersion"] = leaf(version)
	return fixed(children)
}

func (v *view) scram() *Node {
	mechanisms := map[string]map[string]*Node{metadata.MechanismName(1): {}, metadata.MechanismName(2): {}}
	for _, key := range v.im.Users() {
		name := metadata.MechanismName(key.Mechanism)
		if mechanisms[name] == nil {
			mechanisms[name] = map[string]*Node{}
		}
		mechanisms[name][key.User] = &Node{text: func() string { return v.scramText(v.im.Scram(key)) }}
	}
	children := map[string]*Node{}
	for name, users := range mechanisms {
		children[name] = fixed(users)
	}
	return fixed(children)
}
