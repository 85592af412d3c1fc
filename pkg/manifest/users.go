package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
	"github.com/kafkarecover/kafkarecover/pkg/strimzi"
)

const (
	userPrefix        = "User:"
	certificatePrefix = "CN="
	userEntity        = "user"
	scramSHA512       = "SCRAM-SHA-512"
)

// account is one principal of Kafka's with what belongs to it.
type account struct {
	name       string
	mechanisms []string
	acls       []*metadata.ACL
	quotas     map[string]float64
}

// users writes a KafkaUser for every principal that one can stand for, and lists the others.
func (b *builder) users() {
	accounts := slices.SortedFunc(maps.Values(b.accounts()), func(x, y *account) int {
		return cmp.Or(cmp.Compare(x.rank(), y.rank()), strings.Compare(x.name, y.name))
	})
	written := map[string]string{}
	for _, a := range accounts {
		name, ok := a.objectName()
		if !ok {
			b.todo("user-name", "", "", "user %s: a KafkaUser cannot have that name. The User Operator deletes it, with its "+
				"%s; leave that operator out, or give the clients another user", quoted(a.name), a.belongings())
			continue
		}
		if other, taken := written[name]; taken {
			b.todo("user-twice", ref(strimzi.UserKind, name), "", "users %s and %s would both be KafkaUser %q: the manifest "+
				"is the first one's, the User Operator deletes the second one's %s", quoted(other), quoted(a.name), name,
				a.belongings())
			continue
		}
		written[name] = a.name
		b.user(a, name)
	}
}

// rank puts users with passwords before those with certificates.
func (a *account) rank() int {
	if a.byCertificate() {
		return 1
	}
	return 0
}

// accounts gathers the principals, by their names in Kafka.
func (b *builder) accounts() map[string]*account {
	found := map[string]*account{}
	get := func(name string) *account {
		if found[name] == nil {
			found[name] = &account{name: name, quotas: map[string]float64{}}
		}
		return found[name]
	}
	for _, k := range b.Image.Users() {
		a := get(k.User)
		a.mechanisms = append(a.mechanisms, metadata.MechanismName(k.Mechanism))
	}
	for _, acl := range b.Image.ACLs() {
		name, isUser := strings.CutPrefix(acl.Principal, userPrefix)
		switch {
		case !isUser:
			b.todo("principal", "", "", "entry for %s: a KafkaUser stands for principals of type User alone; it stays in the "+
				"metadata (%s)", quoted(acl.Principal), aclText(acl))
		case name == "*" || name == "ANONYMOUS":
			b.note("everybody", "", "entry for %s stays in the metadata: the User Operator leaves it alone, and no KafkaUser "+
				"stands for it (%s)", quoted(acl.Principal), aclText(acl))
		default:
			a := get(name)
			a.acls = append(a.acls, acl)
		}
	}
	for _, q := range b.Image.Quotas() {
		if len(q.Entity) == 1 && q.Entity[0].EntityType == userEntity && q.Entity[0].EntityName != nil {
			maps.Copy(get(*q.Entity[0].EntityName).quotas, q.Values)
			continue
		}
		b.note("quota-of-others", "", "quotas of %s (%s) stay in the metadata: a KafkaUser has a place for those of one "+
			"user alone", quoted(q.EntityText()), strings.Join(q.QuotaKeys(), ", "))
	}
	return found
}

// objectName is the name of the KafkaUser that stands for the account: Kafka's own, or what follows CN= of a
// certificate whose subject holds nothing else.
func (a *account) objectName() (string, bool) {
	name := strings.TrimPrefix(a.name, certificatePrefix)
	if !strimzi.IsObjectName(name) {
		return "", false
	}
	return name, true
}

func (a *account) byCertificate() bool { return strings.HasPrefix(a.name, certificatePrefix) }

// belongings names what is lost with the account.
func (a *account) belongings() string {
	var parts []string
	if len(a.mechanisms) > 0 {
		parts = append(parts, "credentials")
	}
	if len(a.acls) > 0 {
		parts = append(parts, "access control entries")
	}
	if len(a.quotas) > 0 {
		parts = append(parts, "quotas")
	}
	return strings.Join(parts, ", ")
}

func (b *builder) user(a *account, name string) {
	at := ref(strimzi.UserKind, name)
	spec := strimzi.UserSpec{Namespace: b.set.Namespace, Name: name, Cluster: b.set.Cluster}
	switch {
	case a.byCertificate():
		spec.Authentication = strimzi.UserTLS
		b.todo("certificate", at, strimzi.FieldAuthentication, "tls makes a new certificate unless the user's Secret is "+
			"restored together with the clients' authority; write tls-external where somebody else issues it")
	case slices.Contains(a.mechanisms, scramSHA512):
		spec.Authentication, spec.PasswordSecret, spec.PasswordKey = strimzi.UserScram, Todo, "password"
		b.fill("password", at, strimzi.FieldPassword, "no volume holds the password: name a Secret with the one the clients "+
			"have. Without `password` the one in a Secret named after the user is kept, and without that a new one made")
	}
	for _, m := range a.mechanisms {
		if m != scramSHA512 {
			b.todo("mechanism", at, strimzi.FieldAuthentication, "its %s credential stays in the metadata; Strimzi makes none "+
				"of that mechanism", m)
		}
	}
	spec.ACLs = b.rules(a, at)
	spec.Quotas = b.quotas(a, at)
	b.add(strimzi.UserKind, name, spec.Object(b.Version))
}

// rules turns entries into the resource's; those that differ in their operation alone become one.
func (b *builder) rules(a *account, at string) []strimzi.ACLRule {
	var out []strimzi.ACLRule
	for _, acl := range a.acls {
		resource, ok1 := strimzi.ACLResource(metadata.ACLResourceName(acl.ResourceType))
		pattern, ok2 := strimzi.ACLPattern(metadata.PatternName(acl.PatternType))
		permission, ok3 := strimzi.ACLPermission(metadata.PermissionName(acl.PermissionType))
		operation, ok4 := strimzi.ACLOperation(metadata.OperationName(acl.Operation))
		if !ok1 || !ok2 || !ok3 || !ok4 {
			b.todo("acl", at, strimzi.FieldACLs, "a KafkaUser cannot say %s: the User Operator deletes that entry", aclText(acl))
			continue
		}
		rule := strimzi.ACLRule{
			Type: permission, ResourceType: resource, ResourceName: acl.ResourceName, PatternType: pattern, Host: acl.Host,
		}
		i := slices.IndexFunc(out, func(o strimzi.ACLRule) bool {
			return o.Type == rule.Type && o.ResourceType == rule.ResourceType && o.ResourceName == rule.ResourceName &&
				o.PatternType == rule.PatternType && o.Host == rule.Host
		})
		if i < 0 {
			out, i = append(out, rule), len(out)
		}
		out[i].Operations = append(out[i].Operations, operation)
	}
	return out
}

// aclText shows an entry in Kafka's words.
func aclText(a *metadata.ACL) string {
	return fmt.Sprintf("%s %s on %s %q, %s, from host %q", metadata.PermissionName(a.PermissionType),
		metadata.OperationName(a.Operation), metadata.ACLResourceName(a.ResourceType), a.ResourceName,
		metadata.PatternName(a.PatternType), a.Host)
}

// quotas turns the quotas of the user alone into the resource's.
func (b *builder) quotas(a *account, at string) map[string]any {
	out := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(a.quotas)) {
		value := a.quotas[key]
		field, whole, ok := strimzi.Quota(key)
		text := string(metadata.AppendJavaDouble(nil, value))
		switch {
		case !ok || value < 0 || math.IsNaN(value) || math.IsInf(value, 0):
			b.todo("quota", at, strimzi.FieldQuotas, "a KafkaUser has no place for %s = %s: the User Operator may delete it",
				quoted(key), text)
		case !whole:
			out[field] = value
		case value != math.Trunc(value) || value > math.MaxInt32:
			b.todo("quota", at, strimzi.FieldQuotas, "%s is %s, and %s takes whole numbers up to %d: choose one, or the User "+
				"Operator deletes the quota", quoted(key), text, field, math.MaxInt32)
		default:
			out[field] = int64(value)
		}
	}
	return out
}
